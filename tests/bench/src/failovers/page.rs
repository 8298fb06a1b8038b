//! The figures as people read them: a page in Markdown, and a picture.

use std::path::Path;
use std::time::Duration;
use std::{fs, iter};

use lab::{DEFAULTS, Error, Node, Result};

use super::shares::OWNERS;
use super::{Event, Sample};
use crate::draw::{self, Bar};
use crate::samples::{Spread, row};

/// The page, with a name in braces where the tables come.
const PAGE: &str = include_str!("page.md");

/// What came of one kind of event, in seconds.
pub(super) struct Figures {
    event: Event,
    times: usize,
    downtime: Spread,
    mean: f64,
    /// The mean of what is whose, in the order of the owners: they add up to the mean.
    shares: [f64; 6],
}

impl Figures {
    /// Puts together what came of one kind of event; none when it never happened.
    pub(super) fn of(event: Event, samples: &[Sample]) -> Option<Self> {
        let samples: Vec<&Sample> = samples.iter().filter(|one| one.event == event).collect();
        let mean = |pick: &dyn Fn(&Sample) -> Option<Duration>| {
            let sum: Duration = samples.iter().filter_map(|one| pick(one)).sum();
            sum.as_secs_f64() / f64::from(u32::try_from(samples.len()).unwrap_or(u32::MAX))
        };
        Some(Self {
            event,
            times: samples.len(),
            downtime: Spread::of(samples.iter().map(|one| one.downtime.as_secs_f64()))?,
            mean: mean(&|one| Some(one.downtime)),
            shares: OWNERS.map(|(owner, _)| mean(&|one| one.parts.get(&owner).copied())),
        })
    }

    /// Fails when more than a twentieth of the mean is nobody's.
    pub(super) fn judge(&self) -> Result<()> {
        let [.., nobodys] = self.shares;
        if nobodys <= self.mean / 20.0 {
            return Ok(());
        }
        let doing = format!("telling whose the downtime was after: {}", self.event.title());
        Err(Error::failed(doing, format!("of {nobodys:.3} s on average nobody knows")))
    }
}

/// What the figures are taken with, for the page, and the time between two of LifeKeeper's checks: asks
/// a node, and this machine.
pub(super) fn setting(node: &Node) -> Result<(String, Duration)> {
    let doing = "asking a node what it is";
    let script = format!(
        ". {DEFAULTS}; echo $LKCHECKINTERVAL
         echo \"A check every $LKCHECKINTERVAL s, $LCMNUMHBEATS heartbeats of $LCMHBEATTIME s.\"
         echo \"Taken on $(date -u +%F): Linux $(uname -r), Dovecot $(dovecot --version),\"
         echo \"two nodes on one machine with $(nproc) processors.\""
    );
    let facts = node.sh(&script)?.succeeded(doing)?.stdout;
    let read = facts.split_once('\n').and_then(|(first, rest)| Some((rest, first.parse().ok()?)));
    let (text, interval) = read.ok_or_else(|| Error::failed(doing, &facts))?;
    Ok((text.trim().to_owned(), Duration::from_secs_f64(interval)))
}

/// Writes the page and its picture, and returns the page.
pub(super) fn write(directory: &Path, figures: &[Figures], setting: &str) -> Result<String> {
    let bar = |one: &Figures| Bar {
        name: one.event.title().to_owned(),
        parts: one.shares.into_iter().enumerate().collect(),
        figure: format!("{:.2} s", one.mean),
        whisker: None,
    };
    let bars: Vec<Bar> = figures.iter().map(bar).collect();
    let title = "Downtime after a fault, and whose time that is (means)";
    let owners = &OWNERS.map(|(_, name)| name)[..5];
    draw::bars(&directory.join("failovers.svg"), title, "time without mail", owners, &bars)?;
    let page = PAGE.replace("{setting}", setting);
    let page = page.replace("{downtimes}", &downtimes(figures)).replace("{parts}", &parts(figures));
    let file = directory.join("failovers.md");
    fs::write(&file, &page).map_err(Error::io(format!("writing {}", file.display())))?;
    Ok(page)
}

fn downtimes(figures: &[Figures]) -> String {
    let mut table = String::new();
    row(&mut table, ["fault", "times", "median", "shortest", "longest", "mean"]);
    row(&mut table, ["---", "---:", "---:", "---:", "---:", "---:"]);
    for one in figures {
        let Spread { median, min, max, .. } = one.downtime;
        let seconds = [median, min, max, one.mean].map(|time| format!("{time:.3}"));
        let cells = [one.event.title().to_owned(), one.times.to_string()];
        row(&mut table, cells.into_iter().chain(seconds));
    }
    table
}

/// Whose the means are.
fn parts(figures: &[Figures]) -> String {
    let mut table = String::new();
    let mut line = |title: &str, cell: &dyn Fn(&Figures) -> String| {
        row(&mut table, iter::once(title.to_owned()).chain(figures.iter().map(cell)));
    };
    line("", &|one| one.event.title().to_owned());
    line("---", &|_| "---:".to_owned());
    for (at, (_, owner)) in OWNERS.iter().enumerate() {
        line(owner, &|one| share(one.shares.get(at).copied().unwrap_or_default()));
    }
    line("together", &|one| format!("{:.3}", one.mean));
    table
}

/// A share in seconds; one that three digits do not show is `≈0`.
fn share(seconds: f64) -> String {
    if seconds < 0.0005 { "≈0".to_owned() } else { format!("{seconds:.3}") }
}

#[cfg(test)]
mod tests {
    use super::super::shares::Owner;
    use super::*;

    #[test]
    fn the_means_of_the_parts_add_up_to_the_mean() {
        let ms = Duration::from_millis;
        let sample = |check, start| Sample {
            event: Event::Killed,
            downtime: ms(check + start),
            parts: [(Owner::Notice, ms(check)), (Owner::Dovecot, ms(start))].into(),
        };
        let samples = [sample(100, 1000), sample(1900, 1100), sample(400, 900)];
        let figures = Figures::of(Event::Killed, &samples).expect("there are some");
        assert!(figures.judge().is_ok());
        assert!(Figures::of(Event::PowerCut, &samples).is_none());
        let (times, whose) = (downtimes(&[figures]), Figures::of(Event::Killed, &samples));
        assert!(
            times.ends_with("| master killed | 3 | 1.300 | 1.100 | 3.000 | 1.800 |\n"),
            "{times}"
        );
        let whose: Vec<String> =
            parts(whose.as_slice()).lines().skip(2).map(str::to_owned).collect();
        let expected = [
            "| LifeKeeper notices | 0.800 |",
            "| LifeKeeper works | ≈0 |",
            "| dovecot-ark | ≈0 |",
            "| Dovecot, systemd | 1.000 |",
            "| greeting, login | ≈0 |",
            "| not assigned | ≈0 |",
            "| together | 1.800 |",
        ];
        assert_eq!(whose, expected);
    }
}
