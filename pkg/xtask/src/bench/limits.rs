//! What the measured figures must hold.

use lab::Result;

use super::Seen;
use super::compare::{
    ALONE, ALONE_GREETING, BARE, CONNECT, EMPTY, GREETING, KIT, SHELL, STOPPED, change,
};
use super::measure::Figure::{Memory, Own, Wall};
use super::passes::Passes;
use super::scale::{PGREP, SCAN, SILENT, find};

/// What a restore waits, in seconds, after Dovecot's first greeting for the second look that makes it
/// a success (`PAUSE` in `src/actions/restore.rs`). Users are served by then: it is counted apart.
pub(super) const SECOND_LOOK: f64 = 0.2;

/// A figure and its limit.
#[derive(Debug, PartialEq)]
pub(super) struct Limit {
    /// What is limited.
    pub(super) what: String,
    /// What was measured.
    pub(super) value: f64,
    /// What is allowed.
    pub(super) at_most: f64,
    /// Of both.
    pub(super) unit: &'static str,
    /// What follows from both.
    pub(super) outcome: Outcome,
}

/// What a figure says of its limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// The figure is not above the limit.
    Holds,
    /// The figure is above the limit, or no number.
    Broken,
    /// Repeated comparisons did not agree, so the limit neither holds nor is broken.
    Inconclusive,
}

impl Limit {
    /// A limit of a figure.
    pub(super) fn new(
        what: impl Into<String>,
        value: f64,
        at_most: f64,
        unit: &'static str,
    ) -> Self {
        let outcome = if value <= at_most { Outcome::Holds } else { Outcome::Broken };
        Self { what: what.into(), value, at_most, unit, outcome }
    }

    /// A limit of what the passes of a comparison agree on.
    fn agreed(what: &str, passes: &Passes, at_most: f64) -> Self {
        let what = format!("{what} ({} passes)", passes.count());
        match passes.agreed() {
            Some(value) => Self::new(what, value, at_most, ""),
            None => Self {
                outcome: Outcome::Inconclusive,
                ..Self::new(what, passes.median(), at_most, "")
            },
        }
    }
}

/// Holds the figures against their limits.
///
/// # Errors
///
/// When a figure is missing.
pub(super) fn judge(seen: &Seen) -> Result<Vec<Limit>> {
    let mut limits = Vec::new();
    for one in &seen.places {
        let (place, checks, changes) = (one.init, &one.checks, &one.changes);
        let check = |that: &str| -> Result<f64> {
            Ok(checks.median(GREETING, Wall)? / checks.median(that, Wall)?)
        };
        let median = |who, what| changes.median(&change(who, what), Wall);
        let recover = |that| -> Result<f64> {
            Ok((median(KIT, "recover")? - SECOND_LOOK) / median(that, "recover")?)
        };
        let remove = median(KIT, "remove")? - median(BARE, "remove")?;
        let stopped = changes.median(STOPPED, Wall)?;
        let bare = median(BARE, "recover")? / median(SHELL, "recover")?;
        let ratio =
            |what: &str, value, at_most| Limit::new(format!("{place}: {what}"), value, at_most, "");
        limits.extend([
            ratio("quickCheck / original", check(SHELL)?, 0.75),
            Limit::agreed(&format!("{place}: quickCheck / least"), &one.beside_the_least, 1.10),
            // Where the bare commands are slow, nobody can be much faster than the original.
            ratio(&format!("recover / original (bare: {bare:.3})"), recover(SHELL)?, 0.25),
            ratio("recover / stop, start, greeting", recover(BARE)?, 1.15),
            Limit::new(
                format!("{place}: remove, above the stop command"),
                remove * 1e3,
                30.0,
                "ms",
            ),
            Limit::new(format!("{place}: remove, already stopped"), stopped * 1e3, 15.0, "ms"),
        ]);
    }
    let own = &seen.own;
    let wall = own.median(ALONE, Wall)? - own.median(EMPTY, Wall)?;
    let cpu = own.median(ALONE_GREETING, Own)?;
    let memory = own.spread(ALONE_GREETING, Memory)?.max;
    let scan = find(&seen.processes, SCAN)?;
    let pgrep = find(&seen.processes, PGREP)?;
    let silent = find(&seen.entries, SILENT)?;
    limits.extend([
        Limit::new("quickCheck's own part, wall", wall * 1e3, 3.0, "ms"),
        Limit::new("quickCheck's own part, CPU", cpu * 1e3, 3.0, "ms"),
        Limit::new("quickCheck's own part, memory", memory, 6.0, "MiB"),
        Limit::new("10 000 processes: scan / `pgrep`", scan.growth() / pgrep.growth(), 1.5, ""),
        Limit::new("500 silent entries", silent.last(), 2.5, "s"),
    ]);
    for name in [GREETING, CONNECT] {
        let wrong = u32::try_from(find(&seen.entries, name)?.wrong.len()).unwrap_or(u32::MAX);
        let what = format!("{name}: lists of healthy entries that were called faulty");
        limits.push(Limit::new(what, f64::from(wrong), 0.0, ""));
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_that_is_counted_apart_is_the_kits() {
        let source = std::fs::read_to_string(crate::cargo::top().join("src/actions/restore.rs"));
        let pause =
            format!("const PAUSE: Duration = Duration::from_millis({});", SECOND_LOOK * 1e3);
        assert!(source.expect("the source").contains(&pause), "{pause}");
    }

    #[test]
    fn a_limit_holds_up_to_itself_and_never_for_no_number() {
        for (value, outcome) in [
            (0.5, Outcome::Holds),
            (1.15, Outcome::Holds),
            (1.16, Outcome::Broken),
            (f64::NAN, Outcome::Broken),
        ] {
            assert_eq!(Limit::new("x", value, 1.15, "").outcome, outcome, "{value}");
        }
    }

    #[test]
    fn only_passes_that_agree_hold_or_break_a_limit() {
        for (first, second, outcome) in [
            (1.08, 1.09, Outcome::Holds),
            (1.12, 1.11, Outcome::Broken),
            // The first two do not agree, and neither do any that follow.
            (1.00, 1.05, Outcome::Inconclusive),
            (1.20, 1.30, Outcome::Inconclusive),
        ] {
            let mut alternate = [first, second].into_iter().cycle();
            let passes = Passes::make(|| Ok(alternate.next().unwrap_or_default()));
            let limit = Limit::agreed("x", &passes.expect("passes"), 1.10);
            assert_eq!(limit.outcome, outcome, "{limit:?}");
            let count = if outcome == Outcome::Inconclusive { 9 } else { 2 };
            assert_eq!(limit.what, format!("x ({count} passes)"));
        }
    }
}
