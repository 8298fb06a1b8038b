//! What the measured figures must hold.

use lab::Result;

use super::Seen;
use super::compare::{
    ALONE, ALONE_GREETING, BARE, CONNECT, EMPTY, GREETING, KIT, LEAST, SHELL, STATUS, change,
};
use super::measure::Figure::{Memory, Own, Wall};
use super::scale::{PGREP, SCAN, SILENT, find};

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
}

impl Limit {
    fn new(what: impl Into<String>, value: f64, at_most: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, at_most, unit }
    }

    /// Whether it holds. What is no number holds nothing.
    pub(super) fn holds(&self) -> bool {
        self.value <= self.at_most
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
        let least = checks.median(LEAST, Wall)? / checks.median(STATUS, Wall)?;
        let recover = |that: &str| -> Result<f64> {
            let median = |who| changes.median(&change(who, "recover"), Wall);
            Ok(median(KIT)? / median(that)?)
        };
        let bare = recover(SHELL)? / recover(BARE)?;
        let ratio =
            |what: &str, value, at_most| Limit::new(format!("{place}: {what}"), value, at_most, "");
        limits.extend([
            ratio("quickCheck / original", check(SHELL)?, 0.75),
            // No check that hears a greeting can be below what the least takes.
            ratio(
                &format!("quickCheck / `service dovecot status` (least: {least:.3})"),
                check(STATUS)?,
                1.15,
            ),
            ratio("quickCheck / least", check(LEAST)?, 1.15),
            // Where the bare commands are slow, nobody can be much faster than the original.
            ratio(&format!("recover / original (bare: {bare:.3})"), recover(SHELL)?, 0.25),
            ratio("recover / stop, start, greeting", recover(BARE)?, 1.15),
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
    fn a_limit_holds_up_to_itself_and_never_for_no_number() {
        for (value, holds) in [(0.5, true), (1.15, true), (1.16, false), (f64::NAN, false)] {
            assert_eq!(Limit::new("x", value, 1.15, "").holds(), holds, "{value}");
        }
    }
}
