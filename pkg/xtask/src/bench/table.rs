//! Writes what was measured: a page in Markdown, and its pictures.

use std::fmt::Write;

use lab::Result;

use super::Seen;
use super::compare::{
    ALONE, ALONE_GREETING, BARE, CHANGES, CONNECT, EMPTY, GREETING, HEARD, KIT, LEAST, OCF, SHELL,
    STATUS, STOPPED, STUB, change,
};
use super::limits::{Limit, Outcome};
use super::measure::Figure::{Memory, Own, Tree, Wall};
use super::measure::Samples;
use super::plot::{Bar, Part, Track, bars, curves, shown};
use super::scale::{Curve, PGREP, REFUSING, SCAN, SILENT, find};

/// Whose check is shown, and the colour of each.
const CHECKS: [(&str, usize); 8] = [
    (GREETING, 0),
    (STUB, 0),
    (CONNECT, 4),
    (SHELL, 1),
    (OCF, 2),
    (LEAST, 3),
    (STATUS, 3),
    (HEARD, 3),
];
/// Whose changes are shown.
const CHANGERS: [(&str, usize); 4] = [(KIT, 0), (SHELL, 1), (OCF, 2), (BARE, 3)];

const INTRODUCTION: &str = "\
What the kit costs, beside others that watch over a Dovecot and beside the bare commands, which
are the limit. `cargo xtask bench` measures all of it in one run and writes this page and its
pictures.

| name | what runs |
| --- | --- |
| kit | this kit, in the profile of releases; `APP_DOVECOT_PROBE` is `greeting` unless `connect` is said |
| by its stub | as LifeKeeper calls it: through a shell script of one line |
| original | the shell rendering of the original kit in `tests/original` |
| OCF agent | the agent `heartbeat:dovecot` of Debian's package `resource-agents`, called by hand; it asks \
the pid file and `ps`, and never a port |
| least | the least that asks the service and hears Dovecot: a program that starts `service dovecot status`, \
reads the greeting beside it and waits for both, and looks at nothing |
| service | the bare command: `service dovecot status`, `stop`, `start` |
| greeting alone | a connection to 127.0.0.1:143 up to the greeting |

All of them alternate on one node with a real Dovecot, each round in another order, under a
stopwatch that runs on the node itself. CPU time is that of all processes of a run, as the kernel
sums it up when they end; what Dovecot spends on a connection is Dovecot's and not in it. Memory
is that of the largest process, no less than the stopwatch's own 2 MiB. A daemon that is left
running is in neither.
";

const LIMITS_TEXT: &str = "\
quickCheck is compared with the least in passes, at most nine, until two in a row differ by less
than 3 %; their mean is held to the limit. Where nine passes do not agree, the median is shown and the
line is inconclusive: the limit neither holds nor is broken.
";

const CHECK_TEXT: &str = "\
No check that hears a greeting ends with the status command alone. Dovecot starts a login process for the
connection, which needs a processor of its own for some milliseconds; where there are two, the
command shares them with it. `least` is what remains for any program, and therefore the measure of the
kit. What the kit takes beyond it is the kit's: a larger program that starts and ends, settings, log,
lock, the master's marks, and a limit to each wait.
";

const CHANGES_TEXT: &str = "\
`recover` and `restore` are timed up to Dovecot's first greeting. For `service`, recover is `stop`
and `start`; for the agent, which has no recover, the same. The kit's have 0.2 s more in them: after
the first greeting it waits that long and looks again, because a Dovecot that is broken greets once and
ends. The limits are held without these 0.2 s. `already stopped` is a remove right after another.
";

const OWN_TEXT: &str = "\
What of quickCheck is neither the status command nor Dovecot: the service command is an empty
program here, and what that takes is taken off. The wall time is with a mere connection, because a
greeting is Dovecot's time; CPU time and memory are those of the kit's process alone, with a
greeting.
";

const PROCESSES_TEXT: &str = "\
The service command is an empty program here too, and the kit only connects. It looks first at the
process that Dovecot's pid file names; a master that proves to be one is enough. Where the file is
missing or wrong it scans the process table, and only that grows: for each process, the kernel must
make up the text of its files in `/proc`, and the kit opens, reads and closes them. `pgrep` does
the same, and reads more of them.
";

const ENTRIES_TEXT: &str = "\
The kit tries the entries side by side. The healthy ones are 127.0.x.y:143 of one Dovecot, which starts a
login process for each connection: the wall time of a greeting is Dovecot's and the machine's, and
the CPU time says what an entry costs the kit (a socket, a connection, some reads, a goodbye). A
refused entry costs a system call or two. Silent ones cost their time-out, 2 s, once for all. The
original tries one after the other, with a shell for each; of silent ones it would wait for the
first alone, and ask no other.
";

/// Writes the page.
///
/// # Errors
///
/// When a figure is missing.
pub(super) fn page(seen: &Seen, limits: &[Limit]) -> Result<String> {
    let mut page =
        format!("# What the kit costs\n\n{INTRODUCTION}\n| measured on | |\n| --- | --- |\n");
    for (name, fact) in &seen.machine.facts {
        row(&mut page, &[(*name).to_owned(), fact.clone()]);
    }
    page.push_str(
        "\n## What must hold\n\n| what | measured | at most | |\n| --- | --: | --: | --- |\n",
    );
    for limit in limits {
        row(&mut page, &limit_cells(limit));
    }
    let _ = write!(page, "\n{LIMITS_TEXT}");
    page.push_str("\n## The check\n\n![](check.svg)\n\nThe bars are medians, the whiskers the middle half of the runs.\n\n");
    page.push_str(CHECK_TEXT);
    for place in &seen.places {
        let _ = write!(page, "\nWith {}:\n\n{}", place.init, head("quickCheck"));
        for (name, _) in CHECKS {
            figures(&mut page, &place.checks, name, name)?;
        }
        let status = place.checks.median(STATUS, Wall)?;
        let [kit, least] = [GREETING, LEAST].map(|name| place.checks.median(name, Wall));
        let _ = writeln!(
            page,
            "\nThe kit takes {:.2} times as long as `service dovecot status`, the least {:.2} times.",
            kit? / status,
            least? / status
        );
    }
    let _ = write!(page, "\n## The kit's own part\n\n{OWN_TEXT}\n");
    page.push_str(&own_part(&seen.own)?);
    let _ = write!(page, "\n## recover, restore, remove\n\n![](changes.svg)\n\n{CHANGES_TEXT}");
    for place in &seen.places {
        for what in CHANGES {
            let _ = write!(page, "\nWith {}:\n\n{}", place.init, head(what));
            for (who, _) in CHANGERS {
                figures(&mut page, &place.changes, who, &change(who, what))?;
            }
            if what == "remove" {
                figures(&mut page, &place.changes, STOPPED, STOPPED)?;
            }
        }
    }
    let _ = write!(page, "\n## Many processes\n\n![](processes.svg)\n\n{PROCESSES_TEXT}\n");
    page.push_str(&growth(&seen.processes, "process"));
    let scan = find(&seen.processes, SCAN)?;
    let (cpu, kernel) = (shown(scan.cpu.slope), shown(scan.kernel.slope));
    let _ = writeln!(
        page,
        "\nOf the {cpu} CPU time per process that is scanned, {kernel} are spent in the kernel."
    );
    let _ = write!(page, "\n## Many addresses\n\n![](entries.svg)\n\n{ENTRIES_TEXT}\n");
    page.push_str(&growth(&seen.entries, "entry"));
    Ok(page)
}

/// Draws the pictures, each with the name of its file.
///
/// # Errors
///
/// When a figure is missing.
pub(super) fn pictures(seen: &Seen) -> Result<Vec<(&'static str, String)>> {
    let mut checks = Vec::new();
    let mut changes = Vec::new();
    for place in &seen.places {
        checks.push(Part {
            title: format!("with {}", place.init),
            bars: bars_of(&place.checks, &CHECKS, str::to_owned)?,
        });
        for what in CHANGES {
            changes.push(Part {
                title: format!("{what}, {}", place.init),
                bars: bars_of(&place.changes, &CHANGERS, |who| change(who, what))?,
            });
        }
    }
    let processes =
        tracks(&seen.processes, &[(KIT, 0), (SCAN, 4), (PGREP, 3), (SHELL, 1)], "process")?;
    let named = [(GREETING, 0), (CONNECT, 4), (REFUSING, 3), (SILENT, 5), (SHELL, 1)];
    let entries = tracks(&seen.entries, &named, "entry")?;
    Ok(vec![
        ("check.svg", bars("One check of a healthy Dovecot, wall time", &checks)),
        ("changes.svg", bars("Changes, wall time", &changes)),
        ("processes.svg", curves("A check among many processes", "processes", &processes)),
        ("entries.svg", curves("A check of many addresses", "entries of the list", &entries)),
    ])
}

fn bars_of(
    samples: &Samples,
    shown: &[(&str, usize)],
    name: impl Fn(&str) -> String,
) -> Result<Vec<Bar>> {
    let bar = |(who, colour): &(&str, usize)| {
        let spread = samples.spread(&name(who), Wall)?;
        Ok(Bar { name: (*who).to_owned(), spread, colour: *colour })
    };
    shown.iter().map(bar).collect()
}

fn tracks(curves: &[Curve], named: &[(&str, usize)], of: &str) -> Result<Vec<Track>> {
    let track = |(name, colour): &(&str, usize)| {
        let curve = find(curves, name)?;
        let slope = format!("{} per {of}", shown(curve.wall.slope));
        let name = vec![(*name).to_owned(), slope];
        Ok(Track { name, points: curve.points.clone(), colour: *colour })
    };
    named.iter().map(track).collect()
}

/// A limit in words and figures.
pub(super) fn limit_cells(limit: &Limit) -> [String; 4] {
    let figure = |value: f64| {
        let text = if limit.unit == "s" || value >= 100.0 {
            format!("{value:.2}")
        } else {
            format!("{value:.3}")
        };
        format!("{text} {}", limit.unit).trim_end().to_owned()
    };
    let verdict = match limit.outcome {
        Outcome::Holds => "holds",
        Outcome::Broken => "**broken**",
        Outcome::Inconclusive => "inconclusive",
    };
    [limit.what.clone(), figure(limit.value), figure(limit.at_most), verdict.to_owned()]
}

/// The head of a table of figures.
fn head(what: &str) -> String {
    format!(
        "| {what} | median | min | quartiles | max | CPU | memory | runs |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: |\n"
    )
}

/// A row of such a table.
fn figures(page: &mut String, samples: &Samples, title: &str, name: &str) -> Result<()> {
    let wall = samples.spread(name, Wall)?;
    let (tree, memory) = (samples.median(name, Tree)?, samples.median(name, Memory)?);
    let nothing = tree <= 0.0;
    let of_a_process = |text: String| if nothing { "-".to_owned() } else { text };
    row(
        page,
        &[
            title.to_owned(),
            shown(wall.median),
            shown(wall.min),
            format!("{} - {}", shown(wall.lower), shown(wall.upper)),
            shown(wall.max),
            of_a_process(shown(tree)),
            of_a_process(format!("{memory:.1} MiB")),
            samples.runs(name).to_string(),
        ],
    );
    Ok(())
}

/// The table of the kit's own part.
fn own_part(samples: &Samples) -> Result<String> {
    let (kit, empty) = (samples.spread(ALONE, Wall)?, samples.spread(EMPTY, Wall)?);
    let mut text =
        "| own part, 100 processes | median | min | max |\n| --- | --: | --: | --: |\n".to_owned();
    let wall = [kit.median - empty.median, kit.min - empty.min, kit.max - empty.median];
    let cpu = samples.spread(ALONE_GREETING, Own)?;
    let memory = samples.spread(ALONE_GREETING, Memory)?;
    let named = |name: &str, [one, two, three]: [String; 3]| [name.to_owned(), one, two, three];
    row(&mut text, &named("wall", wall.map(shown)));
    row(&mut text, &named("CPU", [cpu.median, cpu.min, cpu.max].map(shown)));
    let memory = [memory.median, memory.min, memory.max].map(|size| format!("{size:.1} MiB"));
    row(&mut text, &named("memory", memory));
    Ok(text)
}

/// The table of curves, and what each further one costs.
fn growth(curves: &[Curve], of: &str) -> String {
    let sizes = curves.first().map(|curve| &curve.points).into_iter().flatten();
    let sizes: Vec<String> = sizes.map(|(size, _)| format!("{size:.0}")).collect();
    let rules = "--: | ".repeat(sizes.len());
    let mut text = format!(
        "| wall time at | {} | per {of} | CPU per {of} |\n\
         | --- | {rules}--: | --: |\n",
        sizes.join(" | ")
    );
    for curve in curves {
        let mut cells = vec![curve.name.to_owned()];
        cells.extend(curve.points.iter().map(|(_, spread)| shown(spread.median)));
        cells.extend([curve.wall, curve.cpu].map(|line| shown(line.slope)));
        row(&mut text, &cells);
    }
    text.push_str("\nThe slopes are those of lines of least squares through the medians; CPU time is that of the \
         program alone, and for the original that of all its processes.\n");
    for curve in curves.iter().filter(|curve| !curve.wrong.is_empty()) {
        let wrong: Vec<String> = curve.wrong.iter().map(u32::to_string).collect();
        let _ = writeln!(
            text,
            "\nWith {} entries, {} did not call healthy what is: its times there mean little.",
            wrong.join(" and "),
            curve.name
        );
    }
    text
}

fn row(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

#[cfg(test)]
mod tests {
    use super::super::statistics::{Line, Spread};
    use super::*;

    #[test]
    fn a_limit_says_whether_it_holds() {
        let limit = |value, unit| Limit::new("x / y", value, 1.5, unit);
        assert_eq!(limit_cells(&limit(1.25, "")), ["x / y", "1.250", "1.500", "holds"]);
        assert_eq!(limit_cells(&limit(2.0, "s")), ["x / y", "2.00 s", "1.50 s", "**broken**"]);
        let unknown = Limit { outcome: Outcome::Inconclusive, ..limit(1.6, "") };
        assert_eq!(limit_cells(&unknown), ["x / y", "1.600", "1.500", "inconclusive"]);
    }

    #[test]
    fn a_curve_has_a_cell_for_each_size_and_its_slopes() {
        let spread = |value| Spread::of(vec![value]).expect("a value");
        let line = |slope| Line { base: 0.0, slope };
        let curve = Curve {
            name: KIT,
            points: vec![(1.0, spread(0.001)), (500.0, spread(0.5))],
            wall: line(0.001),
            cpu: line(0.000_02),
            kernel: line(0.000_015),
            wrong: vec![500],
        };
        let text = growth(&[curve], "entry");
        assert!(text.starts_with("| wall time at | 1 | 500 | per entry | CPU per entry |\n"));
        assert!(text.contains("| kit | 1.00 ms | 500 ms | 1.00 ms | 20.0 µs |\n"), "{text}");
        assert!(text.contains("With 500 entries, kit did not call healthy"), "{text}");
    }
}
