//! The figures as people read them: a page in Markdown, and a picture.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use lab::{DEFAULTS, Error, Node, Result};

use super::shares::{OWNERS, Part};
use super::{Event, Sample};
use crate::draw::{self, Bar};
use crate::samples::Spread;

/// LifeKeeper's own defaults, in seconds: between two checks; heartbeats until a node is dead.
const INTERVAL: f64 = 120.0;
const SILENCE: f64 = 15.0;

const INTRODUCTION: &str = "\
# Failovers: how long there is no mail, and whose time that is

Written by `cargo xtask failovers`. An IMAP client begins a session every 0.1 s and asks for
mail; a downtime lasts from its last success to its next. LifeKeeper is a stand-in, and its
share is that of the times set here; Dovecot, systemd, the network and the faults are real.

";

const WHOSE: &str = "
In seconds, as all that follows. A killed master leaves no process in charge, a frozen one
(SIGSTOP) still accepts connections and does not greet, and a power cut takes the whole node.

## Whose time

Means, which add up to the mean downtime. LifeKeeper's stand-in notes when its actions begin and
end, and a wrapper on the node when the commands do that they run. What is dovecot-ark's is the time in
its actions outside of commands: its own work, and what it waits for. Of a frozen master nearly all
of that is the greeting that does not come, which is awaited as long as the entry in
`APP_DOVECOT_IP_LIST` says, here 2 s. After the start command Dovecot's first greeting, the client's
next session and its login are one part. What nothing is known of is not hidden.

";

const DEFAULT_TIMES: &str = "
Debian's command `service` asks systemd for all its sockets before each start and stop; where
it hands over at once, as on RHEL, that time is not spent.

## With LifeKeeper's defaults

LifeKeeper checks every 120 s (`LKCHECKINTERVAL`) and calls a node dead that has been silent
for 3 heartbeats of 5 s (`LCMNUMHBEATS`, `LCMHBEATTIME`); all three stand in
`/etc/default/LifeKeeper`. The time until a fault is noticed scales with them, the rest, as
measured above, does not:

| fault | until it is noticed | the rest, mean | the rest, longest | to expect |
| --- | --- | ---: | ---: | --- |
";

const END: &str = "
So `LKCHECKINTERVAL` is what decides how long a dead Dovecot goes unnoticed: half of it on
average, all of it at worst. It holds for all resources of the node, whose checks have their own cost.
How long LifeKeeper itself takes between its actions is not known here.
";

/// What came of one kind of event, in seconds.
pub(super) struct Figures {
    event: Event,
    times: usize,
    downtime: Spread,
    mean: f64,
    /// The means of the parts that ever took time, which add up to the mean.
    parts: Vec<(usize, &'static str, f64)>,
    /// The mean and the longest time after it was noticed.
    rest: (f64, f64),
}

impl Figures {
    /// Puts together what came of one kind of event; none when it never happened.
    pub(super) fn of(event: Event, samples: &[Sample]) -> Option<Self> {
        let samples: Vec<&Sample> = samples.iter().filter(|one| one.event == event).collect();
        let mean = |pick: &dyn Fn(&Sample) -> Duration| {
            let sum: Duration = samples.iter().map(|one| pick(one)).sum();
            sum.as_secs_f64() / f64::from(u32::try_from(samples.len()).unwrap_or(u32::MAX))
        };
        let length = |one: &Sample, part| one.parts.get(&part).copied().unwrap_or_default();
        let rest = |one: &Sample| {
            let noticed = length(one, Part::Check) + length(one, Part::Heartbeats);
            one.downtime.saturating_sub(noticed)
        };
        let longest = samples.iter().map(|one| rest(one)).max()?.as_secs_f64();
        let parts =
            Part::ALL.map(|(part, owner, title)| (owner, title, mean(&|one| length(one, part))));
        Some(Self {
            event,
            times: samples.len(),
            downtime: Spread::of(samples.iter().map(|one| one.downtime.as_secs_f64()))?,
            mean: mean(&|one| one.downtime),
            parts: parts.into_iter().filter(|part| part.2 > 0.0).collect(),
            rest: (mean(&rest), longest),
        })
    }

    /// The mean of all that is one owner's.
    fn share(&self, owner: usize) -> f64 {
        self.parts.iter().filter(|part| part.0 == owner).map(|part| part.2).sum()
    }

    /// Fails when more than a twentieth of the mean is nobody's.
    pub(super) fn judge(&self) -> Result<()> {
        let nobodys = self.share(OWNERS.len() - 1);
        if nobodys <= self.mean / 20.0 {
            return Ok(());
        }
        let doing = format!("telling whose the downtime was after: {}", self.event.title());
        Err(Error::failed(doing, format!("of {nobodys:.3} s on average nobody knows")))
    }
}

/// Asks a node, and this machine, what the figures are taken with.
///
/// # Errors
///
/// When one of them does not say.
pub(super) fn setting(node: &Node) -> Result<String> {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let script = format!(
        "sed -n 's/^LKCHECKINTERVAL=/A check every /p; s/^LCMNUMHBEATS=/heartbeats: /p; \
         s/^LCMHBEATTIME=/seconds between two: /p' {DEFAULTS}
         echo \"taken on $(date -u +%F), Linux $(uname -r), Dovecot $(dovecot --version)\""
    );
    let facts = node.sh(&script)?.succeeded("asking a node what it is")?.stdout;
    let facts = facts.lines().collect::<Vec<_>>().join("; ");
    Ok(format!("{facts}; two nodes on one machine with {cores} processors.\n"))
}

/// Writes the page and its picture, and returns the page.
///
/// # Errors
///
/// When a file cannot be written.
pub(super) fn write(folder: &Path, figures: &[Figures], setting: &str) -> Result<String> {
    let bars: Vec<Bar> = figures.iter().map(bar).collect();
    let title = "Time without mail after a fault, and whose it is (means)";
    draw::bars(&folder.join("failovers.svg"), title, &OWNERS[..4], &bars)?;
    let page = markdown(figures, setting);
    let file = folder.join("failovers.md");
    fs::write(&file, &page).map_err(Error::io(format!("writing {}", file.display())))?;
    Ok(page)
}

fn bar(one: &Figures) -> Bar {
    Bar {
        name: one.event.title().to_owned(),
        parts: (0..OWNERS.len()).map(|owner| (owner, one.share(owner))).collect(),
        figure: format!("{:.2} s", one.mean),
        whisker: None,
    }
}

fn markdown(figures: &[Figures], setting: &str) -> String {
    let mut page = format!(
        "{INTRODUCTION}{setting}The faults are spread evenly between two checks.\n\n\
         ![Stacked bars: whose the mean downtime was, for each fault](failovers.svg)\n\n\
         | fault | times | median | shortest | longest | mean |\n\
         | --- | ---: | ---: | ---: | ---: | ---: |\n"
    );
    for one in figures {
        let Spread { median, min, max, .. } = one.downtime;
        let (event, times, mean) = (one.event.title(), one.times, one.mean);
        let _ =
            writeln!(page, "| {event} | {times} | {median:.3} | {min:.3} | {max:.3} | {mean:.3} |");
    }
    page.push_str(WHOSE);
    let mut line = |title: &str, cell: &dyn Fn(&Figures) -> String| {
        let cells: Vec<String> = figures.iter().map(cell).collect();
        let _ = writeln!(page, "| {title} | {} |", cells.join(" | "));
    };
    line("", &|one| one.event.title().to_owned());
    line("---", &|_| "---:".to_owned());
    for (number, owner) in OWNERS.iter().enumerate() {
        line(&format!("**{owner}**"), &|one| format!("**{:.3}**", one.share(number)));
        let parts = Part::ALL.iter().filter(|part| part.1 == number && part.2 != *owner);
        for (_, _, title) in parts {
            let of =
                |one: &Figures| one.parts.iter().find(|part| part.1 == *title).map(|part| part.2);
            if figures.iter().any(|one| of(one).is_some()) {
                line(title, &|one| format!("{:.3}", of(one).unwrap_or_default()));
            }
        }
    }
    line("together", &|one| format!("{:.3}", one.mean));
    page.push_str(DEFAULT_TIMES);
    for one in figures {
        let (mean, longest) = one.rest;
        let (noticed, expect) = if one.event == Event::PowerCut {
            (format!("about {SILENCE} s"), format!("about {:.0} s", SILENCE + mean))
        } else {
            let (usual, most) = (INTERVAL / 2.0 + mean, INTERVAL + longest);
            (format!("0 to {INTERVAL} s"), format!("{usual:.0} s on average, {most:.0} s at most"))
        };
        let event = one.event.title();
        let _ = writeln!(page, "| {event} | {noticed} | {mean:.3} | {longest:.3} | {expect} |");
    }
    page + END
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_means_of_the_parts_add_up_to_the_mean() {
        let ms = Duration::from_millis;
        let sample = |check, start| Sample {
            event: Event::Killed,
            downtime: ms(check + start),
            parts: [(Part::Check, ms(check)), (Part::Start, ms(start))].into(),
        };
        let samples = [sample(100, 1000), sample(1900, 1100), sample(400, 900)];
        let one = Figures::of(Event::Killed, &samples).expect("there are some");
        let shown =
            |values: &[f64]| values.iter().map(|one| format!("{one:.3}")).collect::<Vec<_>>();
        let seen =
            [one.downtime.median, one.mean, one.rest.0, one.rest.1, one.share(0), one.share(2)];
        assert_eq!(shown(&seen), ["1.300", "1.800", "1.000", "1.100", "0.800", "1.000"]);
        assert!(one.judge().is_ok());
        assert!(Figures::of(Event::PowerCut, &samples).is_none());
        let page = markdown(&[one], "");
        assert!(
            page.contains("| killed master | 0 to 120 s | 1.000 | 1.100 | 61 s on average, 121 s")
        );
    }
}
