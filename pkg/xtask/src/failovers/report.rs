//! The figures as people read them: on the terminal, and as Markdown.

use std::fmt::Write;
use std::time::Duration;
use std::{fs, thread};

use lab::{DEFAULTS, Error, Node, Result};

use super::Event;
use super::figures::Figures;
use super::parts::{Owner, Part};
use crate::heading::heading;

/// LifeKeeper's own defaults: between two checks, between two heartbeats, and how many may be
/// missing.
const INTERVAL: Duration = Duration::from_mins(2);
const BEAT: Duration = Duration::from_secs(5);
const BEATS: u32 = 3;

/// What the figures were taken with.
pub(super) struct Setting {
    /// Between two checks.
    pub(super) interval: Duration,
    /// Between two heartbeats.
    beat: Duration,
    beats: f64,
    dovecot: String,
    cores: usize,
    kernel: String,
    date: String,
}

impl Setting {
    /// Asks a node, and the machine that it is on.
    ///
    /// # Errors
    ///
    /// When one of them does not say.
    pub(super) fn of(node: &Node) -> Result<Self> {
        let defaults = node.read(DEFAULTS)?;
        let value = |key: &str| {
            let lines = defaults.lines().filter_map(|line| line.strip_prefix(key));
            let value =
                lines.filter_map(|rest| rest.strip_prefix('=')?.parse::<f64>().ok()).next_back();
            value.ok_or_else(|| Error::failed(format!("reading {DEFAULTS}"), format!("no {key}")))
        };
        let answer = |argv: &[&str]| Ok::<_, Error>(node.run(argv)?.stdout.trim().to_owned());
        let version = answer(&["dovecot", "--version"])?;
        let kernel = "/proc/sys/kernel/osrelease";
        let kernel = fs::read_to_string(kernel).map_err(Error::io(format!("reading {kernel}")))?;
        Ok(Self {
            interval: Duration::from_secs_f64(value("LKCHECKINTERVAL")?),
            beat: Duration::from_secs_f64(value("LCMHBEATTIME")?),
            beats: value("LCMNUMHBEATS")?,
            dovecot: version.split(' ').next().unwrap_or_default().to_owned(),
            cores: thread::available_parallelism().map_or(0, usize::from),
            kernel: kernel.trim().to_owned(),
            date: answer(&["date", "-u", "+%F"])?,
        })
    }
}

/// Prints the downtimes and whose they were.
pub(super) fn print(figures: &[Figures]) {
    heading("downtimes that a client saw");
    println!(
        "{:<14} {:>5} {:>9} {:>9} {:>9} {:>9}",
        "event", "times", "median", "min", "max", "mean"
    );
    for one in figures {
        let [median, min, max, mean] = [one.median, one.min, one.max, one.mean].map(seconds);
        let (event, times) = (one.event.title(), one.times);
        println!("{event:<14} {times:>5} {median:>9} {min:>9} {max:>9} {mean:>9}");
    }
    heading("whose the mean downtime was, in seconds");
    let columns: String =
        figures.iter().fold(String::new(), |line, one| line + &cell(one.event.title()));
    println!("{:<46}{columns}", "");
    for owner in Owner::ALL {
        println!("{:<46}{}", owner.title(), row(figures, |one| seconds(one.share(owner))));
        for part in parts(figures, owner) {
            println!("  {:<44}{}", part.title(), row(figures, |one| seconds(one.part(part))));
        }
    }
    println!("{:<46}{}", "together", row(figures, |one| seconds(one.mean)));
}

/// Lists an owner's parts that ever took time; none where it has no names for them.
fn parts(figures: &[Figures], owner: Owner) -> impl Iterator<Item = Part> {
    let is_there = move |part: &Part| {
        part.owner() == owner
            && owner != Owner::Nobody
            && figures.iter().any(|one| !one.part(*part).is_zero())
    };
    Part::ALL.into_iter().filter(is_there)
}

fn row(figures: &[Figures], text: impl Fn(&Figures) -> String) -> String {
    figures.iter().fold(String::new(), |line, one| line + &cell(&text(one)))
}

fn cell(text: &str) -> String {
    format!(" {text:>14}")
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// Writes seconds for prose.
fn short(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Writes the page; `check` is what a check of a Dovecot that is well takes.
pub(super) fn markdown(figures: &[Figures], setting: &Setting, check: Duration) -> String {
    let mut page = String::from(
        "# Failovers: how long there is no mail, and whose time that is\n\n\
         Written by `cargo xtask failovers`. An IMAP client begins a session every 0.1 s and asks for\n\
         mail; a downtime lasts from its last success to its next. LifeKeeper is a stand-in, and its\n\
         share is that of the times set here; Dovecot, systemd, the network and the faults are real.\n\n",
    );
    let Setting { interval, beat, beats, dovecot, cores, kernel, date } = setting;
    let _ = write!(
        page,
        "Taken on {date}: {cores} cores, Linux {kernel}, Dovecot {dovecot}, two nodes on one machine.\n\
         A check every {}, {beats:.0} heartbeats of {}. The faults are spread evenly between two checks.\n\n\
         ![Stacked bars: whose the mean downtime was, for each fault](failovers.svg)\n\n",
        short(*interval),
        short(*beat),
    );
    page.push_str("| fault | times | median | shortest | longest | mean |\n");
    page.push_str("| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for one in figures {
        let times = [one.median, one.min, one.max, one.mean].map(seconds).join(" | ");
        let _ = writeln!(page, "| {} | {} | {times} |", one.event.title(), one.times);
    }
    page.push_str(
        "\nIn seconds, as all that follows. A killed master leaves no process in charge, a frozen one\n\
         (SIGSTOP) still accepts connections and does not greet, and a power cut takes the whole node.\n\n\
         ## Whose time\n\n\
         Means, which add up to the mean downtime. What is LifeKeeper's comes from the times of its\n\
         actions. What is dovecot-ark's is the time in its actions without what it waits for: the\n\
         commands it runs, a greeting, the end of processes. From the first greeting on it is the\n\
         client's own time. What nothing is known of is not hidden.\n\n|",
    );
    for one in figures {
        let _ = write!(page, " | {}", one.event.title());
    }
    let _ = writeln!(page, " |\n| --- {}|", "| ---: ".repeat(figures.len()));
    let line = |text: &dyn Fn(&Figures) -> String| {
        figures.iter().map(text).collect::<Vec<_>>().join(" | ")
    };
    for owner in Owner::ALL {
        let bold = line(&|one| format!("**{}**", seconds(one.share(owner))));
        let _ = writeln!(page, "| **{}** | {bold} |", owner.title());
        for part in parts(figures, owner) {
            let times = line(&|one| seconds(one.part(part)));
            let _ = writeln!(page, "| {} | {times} |", part.title());
        }
    }
    let _ = writeln!(page, "| together | {} |", line(&|one| seconds(one.mean)));
    page.push_str(
        "\nDebian's command `service` asks systemd for all its sockets before each start and stop; where\n\
         it hands over at once, as on RHEL, that time is not spent. A greeting is awaited\n\
         as long as its entry in `APP_DOVECOT_IP_LIST` says, here 2 s.\n",
    );
    page.push_str(&at_defaults(figures, check));
    page
}

/// Writes what to expect with LifeKeeper's own defaults.
fn at_defaults(figures: &[Figures], check: Duration) -> String {
    let silence = BEAT * BEATS;
    let mut text = format!(
        "\n## With LifeKeeper's defaults\n\n\
         LifeKeeper checks every {} s (`LKCHECKINTERVAL`) and calls a node dead that has been silent\n\
         for {BEATS} heartbeats of {} s (`LCMNUMHBEATS`, `LCMHBEATTIME`); all three stand in\n\
         `/etc/default/LifeKeeper`. The time until a fault is noticed scales with them, the rest, as\n\
         measured above, does not:\n\n\
         | fault | until it is noticed | the rest, mean | the rest, longest | to expect |\n\
         | --- | --- | ---: | ---: | --- |\n",
        INTERVAL.as_secs(),
        BEAT.as_secs(),
    );
    for one in figures {
        let (noticed, expected) = if one.event == Event::PowerCut {
            let expected = format!("about {:.0} s", (silence + one.work()).as_secs_f64());
            (format!("about {} s", silence.as_secs()), expected)
        } else {
            let mean = (INTERVAL / 2 + one.work()).as_secs_f64();
            let longest = (INTERVAL + one.longest_work).as_secs_f64();
            let noticed = format!("0 to {} s", INTERVAL.as_secs());
            (noticed, format!("{mean:.0} s on average, {longest:.0} s at most"))
        };
        let (rest, longest) = (seconds(one.work()), seconds(one.longest_work));
        let event = one.event.title();
        let _ = writeln!(text, "| {event} | {noticed} | {rest} | {longest} | {expected} |");
    }
    let _ = write!(
        text,
        "\nSo `LKCHECKINTERVAL` is what decides how long a dead Dovecot goes unnoticed: half of it on\n\
         average, all of it at worst. A check of a Dovecot that is well took {:.0} ms here (median), so a\n\
         shorter interval costs little; it holds for all resources of the node, whose checks have\n\
         their own cost. How long LifeKeeper itself takes between its actions is not known here.\n",
        check.as_secs_f64() * 1e3,
    );
    text
}
