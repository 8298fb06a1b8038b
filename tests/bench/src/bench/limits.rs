//! What the measured figures must hold.

use std::time::Duration;

use dovecot_ark::actions::{remove, restore};
use lab::{Init, Result};

use super::Seen;
use super::compare::{
    ALONE, BARE, CHECK, CONNECT, ENTRIES, GREETING, KIT, LOGIN, PGREP, SCAN, SHELL, SILENT,
    STOPPED, named,
};
use super::passes::Passes;

/// The unit of a figure that is counted.
const COUNT: &str = "lists";

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
    /// What follows from the figure and the limit.
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
    fn agreed(what: &str, passes: &Passes, at_most: f64, unit: &'static str) -> Self {
        let what = format!("{what} ({} passes)", passes.count());
        match passes.agreed() {
            Some(value) => Self::new(what, value, at_most, unit),
            None => Self {
                outcome: Outcome::Inconclusive,
                ..Self::new(what, passes.median(), at_most, unit)
            },
        }
    }

    /// What it limits, both figures, and its outcome, in words.
    pub(super) fn cells(&self) -> [String; 4] {
        let figure = |value: f64| {
            let digits = match value {
                // A difference that is lost in the spread of the runs.
                ..0.0 => "≈0".to_owned(),
                _ if self.unit == COUNT => format!("{value:.0}"),
                _ => format!("{value:.3}"),
            };
            format!("{digits} {}", self.unit).trim_end().to_owned()
        };
        let outcome = match self.outcome {
            Outcome::Holds => "holds",
            Outcome::Broken => "**broken**",
            Outcome::Inconclusive => "inconclusive",
        };
        [self.what.clone(), figure(self.value), figure(self.at_most), outcome.to_owned()]
    }
}

/// Holds the figures against their limits.
pub(super) fn judge(seen: &Seen) -> Result<Vec<Limit>> {
    let mut limits = Vec::new();
    for one in &seen.places {
        let (place, wall) = (one.init, |who, what| one.samples.wall(&named(who, what)));
        let limit = |what: &str, value, at_most, unit| {
            Limit::new(format!("{place}: {what}"), value, at_most, unit)
        };
        let longer = |who, what, other| one.samples.longer(&named(who, what), &named(other, what));
        let login = longer(LOGIN, CHECK, KIT)? * 1e3;
        let original = one.samples.times_as_long(&named(KIT, CHECK), &named(SHELL, CHECK))?;
        // Users are served when the pause between the two looks of a restore begins: it is counted
        // apart. So is that of a remove, where no control group of systemd's makes it superfluous.
        let (bare, shell) = (wall(BARE, "recover")?, wall(SHELL, "recover")?);
        let recover = bare + longer(KIT, "recover", BARE)? - restore::PAUSE.as_secs_f64();
        let least_of_all = format!("recover / original (bare: {:.3})", bare / shell);
        let (pause, besides) = match one.init {
            Init::SysV => (remove::SETTLE, format!(" and {:?}", remove::SETTLE)),
            Init::Systemd => (Duration::ZERO, String::new()),
        };
        // Within each run: of two runs, one can end 0.1 s later by chance (`page.md` says why).
        let remove = one.samples.spread(&named(KIT, "remove"), |run| run.wall - run.service)?;
        let remove = remove.median - pause.as_secs_f64();
        limits.extend([
            limit("quickCheck / original", original, 0.75, ""),
            Limit::agreed(&format!("{place}: quickCheck / least"), &one.beside_the_least, 1.10, ""),
            limit("a login, above a greeting", login, 25.0, "ms"),
            // Where the bare commands are slow, nobody can be much faster than the original.
            limit(&least_of_all, recover / shell, 0.25, ""),
            limit("recover / stop, start, greeting", recover / bare, 1.15, ""),
            limit(&format!("remove, above its stop command{besides}"), remove * 1e3, 30.0, "ms"),
            limit("remove, already stopped", wall(STOPPED, "remove")? * 1e3, 15.0, "ms"),
        ]);
    }
    let once = &seen.once;
    let [greeting, ..] = ALONE.map(|who| named(who, CHECK));
    let cpu = once.spread(&greeting, |run| run.own)?.median;
    let memory = once.spread(&greeting, |run| run.memory)?.max;
    let growth = |who: &str| -> Result<f64> {
        Ok(once.wall(&named(who, 10_000))? - once.wall(&named(who, 100))?)
    };
    limits.extend([
        Limit::agreed("quickCheck's own part, wall", &seen.own_part, 3.0, "ms"),
        Limit::new("quickCheck's own part, CPU", cpu * 1e3, 3.0, "ms"),
        Limit::new("quickCheck's own part, memory", memory, 6.0, "MiB"),
        Limit::new("10 000 processes: scan / `pgrep`", growth(SCAN)? / growth(PGREP)?, 1.5, ""),
        Limit::new("500 silent entries", once.wall(&named(SILENT, 500))?, 2.5, "s"),
    ]);
    for who in [GREETING, CONNECT] {
        let runs = ENTRIES.map(|size| once.0.get(&named(who, size)));
        let wrong = runs.iter().flatten().filter(|runs| runs.iter().any(|run| run.status != 0));
        let wrong = f64::from(u32::try_from(wrong.count()).unwrap_or(u32::MAX));
        let what = format!("{who}: false alarms for lists of healthy entries");
        limits.push(Limit::new(what, wrong, 0.0, COUNT));
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_up_to_itself_and_never_for_no_number() {
        for (value, outcome) in [(1.15, "holds"), (1.16, "**broken**"), (f64::NAN, "**broken**")] {
            assert_eq!(Limit::new("x", value, 1.15, "").cells()[3], outcome, "{value}");
        }
    }

    #[test]
    fn a_difference_that_is_lost_is_about_nothing_and_a_count_has_no_fraction() {
        let cells = |value, unit| Limit::new("x", value, 0.0, unit).cells();
        assert_eq!(cells(-22.76, "ms"), ["x", "≈0 ms", "0.000 ms", "holds"]);
        assert_eq!(cells(2.0, COUNT), ["x", "2 lists", "0 lists", "**broken**"]);
    }

    #[test]
    fn only_passes_that_agree_hold_or_break_a_limit() {
        for (first, second, cells) in [
            (1.08, 1.09, ["x (2 passes)", "1.085", "1.100", "holds"]),
            (1.12, 1.11, ["x (2 passes)", "1.115", "1.100", "**broken**"]),
            // The first two do not agree, and neither do any that follow.
            (1.20, 1.30, ["x (9 passes)", "1.200", "1.100", "inconclusive"]),
        ] {
            let mut alternate = [first, second].into_iter().cycle();
            let passes = Passes::make(|| Ok(alternate.next().unwrap_or_default()));
            assert_eq!(Limit::agreed("x", &passes.expect("passes"), 1.10, "").cells(), cells);
        }
    }
}
