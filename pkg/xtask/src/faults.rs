//! `cargo xtask faults`: what goes wrong with a Dovecot, and what each kit answers.
//!
//! The fault suite plays each of its rows twice, on a node for the kit and on one for the original,
//! and leaves a line of each; here they are put in order and shown. What the original does wrong is
//! told, what the kit does wrong fails the whole.

use std::path::Path;
use std::time::Instant;
use std::{env, fs, process};

use lab::{Error, Result, Suite};

use crate::cargo::{cargo, succeed};
use crate::heading::{heading, shown};

/// Rows mostly wait: more of them at once than there are processors.
const THREADS: &str = "--test-threads=4";

/// Names the folder of the lines to the suite.
const FOLDER: &str = "FAULTS_TABLE";

/// How the suite marks an answer that is not the wanted one.
const WRONG: &str = "(WRONG)";

/// A row on one kind of node.
#[derive(Debug, PartialEq)]
struct Row {
    /// The number behind the F.
    number: u32,
    title: String,
    place: String,
    original: String,
    kit: String,
    seconds: String,
}

/// Plays all rows, or those of one number, for both kits, and prints the table.
///
/// # Errors
///
/// When the suite fails, or the kit is wrong in a row.
pub(crate) fn run(number: Option<&str>) -> Result<()> {
    let started = Instant::now();
    for suite in [Suite::Bookworm, Suite::Trixie] {
        lab::prepare_suite(suite)?;
    }
    heading("playing each fault for both kits");
    let folder = env::temp_dir().join(format!("faults-{}", process::id()));
    let doing = || format!("making {}", folder.display());
    fs::create_dir(&folder).map_err(Error::io(doing()))?;
    let played = play(&folder, number);
    let rows = read(&folder);
    let doing = || format!("removing {}", folder.display());
    fs::remove_dir_all(&folder).map_err(Error::io(doing()))?;
    let rows = rows?;
    heading(
        "each fault, what the original answered, what the kit answered, and how long the kit took",
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

/// Runs the suite; its lines go to the folder.
fn play(folder: &Path, number: Option<&str>) -> Result<()> {
    let mut words = vec!["test", "--package", "dovecot-ark", "--test", "faults", "--locked", "--"];
    let filter = number.map(|number| format!("::{}_", number.to_lowercase()));
    // What the kit is known to do wrong is shown as well.
    words.extend([THREADS, "--include-ignored"]);
    words.extend(filter.as_deref());
    println!("$ {FOLDER}={} cargo {}", folder.display(), words.join(" "));
    let mut command = cargo();
    command.args(&words).env(FOLDER, folder);
    succeed(command, "running the fault suite")
}

/// Reads the lines, in the order of the table.
fn read(folder: &Path) -> Result<Vec<Row>> {
    let doing = || format!("reading {}", folder.display());
    let mut rows = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(doing()))? {
        let path = entry.map_err(Error::io(doing()))?.path();
        let line = fs::read_to_string(&path).map_err(Error::io(doing()))?;
        rows.push(row(&line).ok_or_else(|| Error::failed(doing(), format!("no row: {line:?}")))?);
    }
    rows.sort_by(|one, other| {
        (one.number, &one.title, &one.place).cmp(&(other.number, &other.title, &other.place))
    });
    Ok(rows)
}

/// Understands a line.
fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.trim_end_matches('\n').split('\t').collect();
    let &[number, title, place, original, kit, seconds] = cells.as_slice() else { return None };
    let number = number.strip_prefix('F')?.parse().ok()?;
    let [title, place, original, kit, seconds] =
        [title, place, original, kit, seconds].map(str::to_owned);
    Some(Row { number, title, place, original, kit, seconds })
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
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "F1\ta frozen master\t2.3 SysV\tquickCheck 0 (WRONG)\tquickCheck 1, recover 0\t33.1\n";

    #[test]
    fn a_line_is_six_cells_and_the_number_has_an_f() {
        let row = row(LINE).expect("a row");
        assert_eq!((row.number, &*row.place, &*row.seconds), (1, "2.3 SysV", "33.1"));
        assert!(is_wrong(&row.original) && !is_wrong(&row.kit));
        for line in ["", "F1\ta\tb", "1\ta\tb\tc\td\te", "Fx\ta\tb\tc\td\te"] {
            assert_eq!(super::row(line), None, "{line:?}");
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
                "  2.4          original: -",
                "               kit:      quickCheck 1, recover 0  [33.1 s]",
            ]
        );
    }
}
