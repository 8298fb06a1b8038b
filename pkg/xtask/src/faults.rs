//! `cargo xtask faults`: what goes wrong with a Dovecot, and what each kit answers.
//!
//! The fault suite plays each of its rows twice, on a node for the kit and on one for the original,
//! and leaves a line of each; here they are put in order and shown. What the original does wrong is
//! told, what the kit does wrong fails the whole.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs, process};

use lab::{Error, Result, Suite};

use crate::cargo::{answer, cargo, succeed};
use crate::disk::{entries, remove, text};
use crate::heading::{heading, shown};

/// Rows mostly wait: more of them at once than there are processors.
const THREADS: &str = "--test-threads=8";

/// Names the directory of the lines to the suite.
const DIRECTORY: &str = "FAULTS_TABLE";

/// How the suite marks an answer that is not the wanted one.
const WRONG: &str = "(WRONG)";

/// A row on one kind of node.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    /// The number behind the F.
    number: u32,
    title: String,
    place: String,
    original: String,
    kit: String,
    seconds: String,
    /// What status and doctor said after which action.
    looks: String,
}

/// Plays all rows, or those of one number, for both kits, and prints the table.
///
/// # Errors
///
/// When the suite fails, or the kit is wrong in a row.
pub(crate) fn run(number: Option<&str>) -> Result<()> {
    let started = Instant::now();
    if let Some(number) = number {
        require(number, &numbers(&answer(suite(&["--list"]), "listing the fault suite's rows")?))?;
    }
    for suite in [Suite::Bookworm, Suite::Trixie] {
        lab::prepare(suite)?;
    }
    heading("playing each fault for both kits");
    let directory = env::temp_dir().join(format!("faults-{}", process::id()));
    // An old one may have rows in it.
    fs::create_dir(&directory).map_err(Error::io(format!("making {}", directory.display())))?;
    let played = play(&directory, number);
    let rows = read(&directory);
    remove(&directory)?;
    let rows = rows?;
    heading(
        "each fault, what the original answered, what the kit answered and how long it took, and what \
         status and doctor said beside",
    );
    for line in table(&rows) {
        println!("{line}");
    }
    let wrong = |cell: fn(&Row) -> &str| rows.iter().filter(|row| is_wrong(cell(row))).count();
    let (original, kit) = (wrong(|row| &row.original), wrong(|row| &row.kit));
    println!("\n{} rows in {}", rows.len(), shown(started.elapsed()));
    println!("wrong: the original in {original}, the kit in {kit}");
    played
}

/// Begins a run of the suite with these words of its own.
fn suite(words: &[&str]) -> Command {
    let mut command = cargo();
    command.args(["test", "--package", "dovecot-ark", "--test", "faults", "--locked"]);
    command.arg("--").args(words);
    command
}

/// Reads the numbers of the rows from the list of the suite's tests, `scene::place::f1_title: test`.
fn numbers(list: &str) -> BTreeSet<u32> {
    let names = list.lines().filter_map(|line| line.rsplit_once("::f")?.1.split_once('_'));
    names.filter_map(|(number, _)| number.parse().ok()).collect()
}

/// Fails unless `row`, F1 or so, is one of these.
fn require(row: &str, numbers: &BTreeSet<u32>) -> Result<()> {
    let number = row.strip_prefix(['F', 'f']).and_then(|number| number.parse().ok());
    if number.is_some_and(|number| numbers.contains(&number)) {
        return Ok(());
    }
    let there: Vec<String> = numbers.iter().map(|number| format!("F{number}")).collect();
    let cause = format!("there is no such row; there are {}", there.join(" "));
    Err(Error::failed(format!("playing {row}"), cause))
}

/// Runs the suite; its lines go to the directory.
fn play(directory: &Path, number: Option<&str>) -> Result<()> {
    let filter = number.map(|number| format!("::{}_", number.to_lowercase()));
    // What the kit is known to do wrong is shown as well.
    let mut words = vec![THREADS, "--include-ignored"];
    words.extend(filter.as_deref());
    println!(
        "$ {DIRECTORY}={} cargo test --test faults -- {}",
        directory.display(),
        words.join(" ")
    );
    let mut command = suite(&words);
    command.env(DIRECTORY, directory);
    succeed(command, "running the fault suite")
}

/// Reads the lines, in the order of the table.
fn read(directory: &Path) -> Result<Vec<Row>> {
    let doing = || format!("reading {}", directory.display());
    let mut rows = Vec::new();
    for path in entries(directory)? {
        let line = text(&path)?;
        rows.push(row(&line).ok_or_else(|| Error::failed(doing(), format!("no row: {line:?}")))?);
    }
    rows.sort();
    Ok(rows)
}

/// Understands a line.
fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.trim_end_matches('\n').split('\t').collect();
    let &[number, title, place, original, kit, seconds, looks] = cells.as_slice() else {
        return None;
    };
    let number = number.strip_prefix('F')?.parse().ok()?;
    let [title, place, original, kit, seconds, looks] =
        [title, place, original, kit, seconds, looks].map(str::to_owned);
    Some(Row { number, title, place, original, kit, seconds, looks })
}

fn is_wrong(cell: &str) -> bool {
    cell.contains(WRONG)
}

/// Writes the table's lines: a row's title, then what was answered in each place.
fn table(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut title = "";
    for row in rows {
        if row.title != title {
            lines.extend([String::new(), format!("F{} {}", row.number, row.title)]);
            title = &row.title;
        }
        let original = if row.original.is_empty() { "-" } else { &row.original };
        lines.push(format!("  {:<12} original: {original}", row.place));
        lines.push(format!("  {:<12} kit:      {}  [{} s]", "", row.kit, row.seconds));
        let looks = row.looks.split("; ").filter(|look| !look.is_empty());
        lines.extend(looks.map(|look| format!("  {:<12}   beside  {look}", "")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "F1\ta frozen master\t2.3 SysV\tquickCheck 0 (WRONG)\tquickCheck 1, recover 0\t33.1\t\
         quickCheck 1: status failed, doctor, error: verdict ARK4008\n";

    #[test]
    fn a_line_is_seven_cells_and_the_number_has_an_f() {
        let row = row(LINE).expect("a row");
        assert_eq!((row.number, &*row.place, &*row.seconds), (1, "2.3 SysV", "33.1"));
        assert!(is_wrong(&row.original) && !is_wrong(&row.kit));
        for line in ["", "F1\ta\tb", "1\ta\tb\tc\td\te\tf", "Fx\ta\tb\tc\td\te\tf"] {
            assert_eq!(super::row(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_row_that_is_not_in_the_suite_is_refused_with_those_that_are() {
        let list = "frozen::v24::f2_a: test\nfrozen::sysv::f12_b_f9_c: test\nfrozen::f12_b: test\n\n3 tests";
        let numbers = numbers(list);
        for row in ["F2", "f12"] {
            require(row, &numbers).expect(row);
        }
        for row in ["F99", "F1", "2", "F"] {
            let error = require(row, &numbers).expect_err(row).to_string();
            assert_eq!(error, format!("playing {row}: there is no such row; there are F2 F12"));
        }
    }

    #[test]
    fn the_table_has_each_title_once_and_says_when_there_is_no_original() {
        let rows = [LINE, &LINE.replace("2.3 SysV", "2.4").replace("quickCheck 0 (WRONG)", "")];
        let lines = table(&rows.map(|line| row(line).expect("a row")));
        assert_eq!(
            lines,
            [
                "",
                "F1 a frozen master",
                "  2.3 SysV     original: quickCheck 0 (WRONG)",
                "               kit:      quickCheck 1, recover 0  [33.1 s]",
                "                 beside  quickCheck 1: status failed, doctor, error: verdict ARK4008",
                "  2.4          original: -",
                "               kit:      quickCheck 1, recover 0  [33.1 s]",
                "                 beside  quickCheck 1: status failed, doctor, error: verdict ARK4008",
            ]
        );
    }
}
