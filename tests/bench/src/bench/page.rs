//! Writes what was measured: a page in Markdown, and its pictures.

use std::fmt::Write;
use std::path::Path;

use lab::Result;

use super::compare::{
    BARE, CHANGES, CONNECT, ENTRIES, GREETING, KIT, LEAST, OCF, PGREP, PROCESSES, SCAN, SHELL,
    SILENT, STATUS, STOPPED, at_size, change,
};
use super::limits::Limit;
use super::{Seen, SeenPlace};
use crate::draw::{self, Bar};
use crate::samples::{Samples, shown};

/// Whose the colours of the bars are.
const COLOURS: [&str; 4] = ["kit", "original", "OCF agent", "bare, least"];
/// Whose check is shown, and the colour of each.
const CHECKS: [(&str, usize); 5] = [(GREETING, 0), (SHELL, 1), (OCF, 2), (LEAST, 3), (STATUS, 3)];
/// Whose changes are shown.
const CHANGERS: [(&str, usize); 4] = [(KIT, 0), (SHELL, 1), (OCF, 2), (BARE, 3)];
/// What grows among processes, and with the list.
const AMONG: [&str; 3] = [KIT, SCAN, PGREP];
const LISTED: [&str; 3] = [GREETING, CONNECT, SILENT];

const INTRODUCTION: &str = "\
# What the kit costs

What the kit costs, beside others that watch over a Dovecot and beside the bare commands, which
are the limit. `cargo xtask bench` measures all of it in one run and writes this page and its
pictures.

| name | what runs |
| --- | --- |
| kit | this kit, in the profile of releases; `APP_DOVECOT_PROBE` is `greeting` unless `connect` is said |
| original | the shell rendering of the original kit in `tests/original` |
| OCF agent | the agent `heartbeat:dovecot` of Debian's package `resource-agents`, called by hand; it asks \
the pid file and `ps`, and never a port |
| least | the least that asks the service and hears Dovecot: a program that starts `service dovecot status`, \
reads the greeting beside it and waits for both, and looks at nothing |
| service | the bare command: `service dovecot status`, `stop`, `start` |

All of them alternate on one node with a real Dovecot, each round in another order, under a
stopwatch that runs on the node itself. CPU time is that of all processes of a run, as the kernel
sums it up when they end; what Dovecot spends on a connection is Dovecot's and not in it. Memory
is that of the largest process, no less than the stopwatch's own 2 MiB. A daemon that is left
running is in neither.

| measured on | |
| --- | --- |
";

const LIMITS: &str = "
quickCheck is compared with the least in passes, at most nine, until two in a row differ by less
than 3 %; their mean is held to the limit. Where nine passes do not agree, the median is shown and the
line is inconclusive: the limit neither holds nor is broken.

quickCheck's own part is what of it is neither the status command nor Dovecot: the service command is an
empty program there, and what that takes is taken off. The wall time is with a mere connection, because
a greeting is Dovecot's time; CPU time and memory are those of the kit's process alone, with a greeting.

## The check

![](check.svg)

The bars are medians, the whiskers the middle half of the runs.

No check that hears a greeting ends with the status command alone. Dovecot starts a login process for the
connection, which needs a processor of its own for some milliseconds; where there are two, the
command shares them with it. `least` is what remains for any program, and therefore the measure of the
kit. What the kit takes beyond it is the kit's: a larger program that starts and ends, settings, log,
lock, the master's marks, and a limit to each wait.
";

const CHANGES_TEXT: &str = "
## recover, restore, remove

![](changes.svg)

`recover` and `restore` are timed up to Dovecot's first greeting. For `service`, recover is `stop`
and `start`; for the agent, which has no recover, the same. The kit's have 0.2 s more in them: after
the first greeting it waits that long and looks again, because a Dovecot that is broken greets once and
ends. The limits are held without these 0.2 s. `already stopped` is a remove right after another.
";

const PROCESSES_TEXT: &str = "
## Many processes

![](processes.svg)

The service command is an empty program here too, and the kit only connects. It looks first at the
process that Dovecot's pid file names; a master that proves to be one is enough. Where the file is
missing or wrong it scans the process table, and only that grows. `pgrep` does the same, and reads more
files of each process.

";

const ENTRIES_TEXT: &str = "
## Many addresses

![](entries.svg)

The kit tries the entries side by side. The healthy ones are 127.0.x.y:143 of one Dovecot, which starts a
login process for each connection: the time of a greeting is Dovecot's and the machine's. Silent ones
cost their time-out, 2 s, once for all.

";

/// Writes the page.
///
/// # Errors
///
/// When a figure is missing.
pub(super) fn write(seen: &Seen, limits: &[Limit]) -> Result<String> {
    let mut page = INTRODUCTION.to_owned();
    for (name, fact) in seen.facts.lines().filter_map(|line| line.split_once(':')) {
        row(&mut page, &[name.to_owned(), fact.trim().to_owned()]);
    }
    page.push_str(
        "\n## What must hold\n\n| what | measured | at most | |\n| --- | --: | --: | --- |\n",
    );
    for limit in limits {
        row(&mut page, &limit.cells());
    }
    page.push_str(LIMITS);
    for place in &seen.places {
        head(&mut page, place, "quickCheck");
        for (name, _) in CHECKS {
            figures(&mut page, place, name, name)?;
        }
    }
    page.push_str(CHANGES_TEXT);
    for place in &seen.places {
        for what in CHANGES {
            head(&mut page, place, what);
            for (who, _) in CHANGERS {
                figures(&mut page, place, who, &change(who, what))?;
            }
            if what == "remove" {
                figures(&mut page, place, STOPPED, STOPPED)?;
            }
        }
    }
    page.push_str(PROCESSES_TEXT);
    growth(&mut page, &seen.once, &AMONG, &PROCESSES)?;
    page.push_str(ENTRIES_TEXT);
    growth(&mut page, &seen.once, &LISTED, &ENTRIES)?;
    Ok(page)
}

/// Draws the pictures.
///
/// # Errors
///
/// When a figure is missing, or a file cannot be written.
pub(super) fn draw(seen: &Seen, folder: &Path) -> Result<()> {
    let (mut checks, mut changes) = (Vec::new(), Vec::new());
    for place in &seen.places {
        let heading = |name| Bar { name, ..Bar::default() };
        let bar = |who: &str, colour, name: &str| -> Result<Bar> {
            let spread = place.samples.spread(name, |run| run.wall)?;
            Ok(Bar {
                name: who.to_owned(),
                parts: vec![(colour, spread.median)],
                whisker: Some((spread.lower, spread.upper)),
                figure: shown(spread.median),
            })
        };
        checks.push(heading(format!("with {}", place.init)));
        for (name, colour) in CHECKS {
            checks.push(bar(name, colour, name)?);
        }
        for what in CHANGES {
            changes.push(heading(format!("{what}, {}", place.init)));
            for (who, colour) in CHANGERS {
                changes.push(bar(who, colour, &change(who, what))?);
            }
        }
    }
    draw::bars(&folder.join("check.svg"), "One check of a healthy Dovecot", &COLOURS, &checks)?;
    draw::bars(&folder.join("changes.svg"), "Changes of state", &COLOURS, &changes)?;
    let curves = |names: &[&str], sizes: &[u32]| -> Result<Vec<Vec<(f64, f64)>>> {
        let at = |name, size: u32| Ok((f64::from(size), seen.once.wall(&at_size(name, size))?));
        names.iter().map(|name| sizes.iter().map(|size| at(name, *size)).collect()).collect()
    };
    let (processes, entries) = (curves(&AMONG, &PROCESSES)?, curves(&LISTED, &ENTRIES)?);
    let [title, file] = ["A check among many processes", "processes.svg"];
    draw::curves(&folder.join(file), title, (&AMONG, "processes"), &processes)?;
    let [title, file] = ["A check of many addresses", "entries.svg"];
    draw::curves(&folder.join(file), title, (&LISTED, "entries of the list"), &entries)
}

/// The head of a table of figures.
fn head(page: &mut String, place: &SeenPlace, what: &str) {
    let _ = write!(
        page,
        "\nWith {}:\n\n| {what} | median | min | quartiles | max | CPU | memory | runs |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: |\n",
        place.init
    );
}

/// A row of such a table.
fn figures(page: &mut String, place: &SeenPlace, title: &str, name: &str) -> Result<()> {
    let wall = place.samples.spread(name, |run| run.wall)?;
    let cpu = place.samples.spread(name, |run| run.tree)?.median;
    let memory = place.samples.spread(name, |run| run.memory)?.median;
    let cells = [
        title.to_owned(),
        shown(wall.median),
        shown(wall.min),
        format!("{} - {}", shown(wall.lower), shown(wall.upper)),
        shown(wall.max),
        shown(cpu),
        format!("{memory:.1} MiB"),
        place.samples.0.get(name).map_or(0, Vec::len).to_string(),
    ];
    row(page, &cells);
    Ok(())
}

/// The table of what grows.
fn growth(page: &mut String, samples: &Samples, names: &[&str], sizes: &[u32]) -> Result<()> {
    let titles: Vec<String> = sizes.iter().map(u32::to_string).collect();
    let _ = writeln!(page, "| wall time at | {} |", titles.join(" | "));
    let _ = writeln!(page, "| --- |{}", " --: |".repeat(sizes.len()));
    for name in names {
        let mut cells = vec![(*name).to_owned()];
        for size in sizes {
            cells.push(shown(samples.wall(&at_size(name, *size))?));
        }
        row(page, &cells);
    }
    Ok(())
}

fn row(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}
