//! A line of the table of faults, for `cargo xtask faults`.

use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use crate::scene::Place;

/// Where the lines go: a directory. Without it there is no table.
const DIRECTORY: &str = "FAULTS_TABLE";

/// What a kit answered in a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    given: Vec<Answered>,
    took: Duration,
    looks: Vec<String>,
}

/// An answer, whether it is the wanted one, and how often it came.
#[derive(Clone, Debug)]
struct Answered {
    answer: String,
    right: bool,
    times: u32,
}

impl Answers {
    /// Notes an answer, and whether it is the wanted one.
    pub(crate) fn note(&mut self, answer: &str, right: bool) {
        let same = |old: &&mut Answered| old.answer == answer && old.right == right;
        match self.given.iter_mut().find(same) {
            Some(old) => old.times += 1,
            None => self.given.push(Answered { answer: answer.to_owned(), right, times: 1 }),
        }
    }

    /// Notes what status and doctor said after an action.
    pub(crate) fn looked(&mut self, told: String) {
        self.looks.push(told);
    }

    /// Adds to the time that it took.
    pub(crate) fn took(&mut self, time: Duration) {
        self.took += time;
    }

    /// Writes the answers in one cell, in the order in which they first came, the wrong ones marked.
    fn cell(&self) -> String {
        let words = self.given.iter().map(|Answered { answer, right, times }| {
            let often = if *times > 1 { format!(" ×{times}") } else { String::new() };
            let verdict = if *right { "" } else { " (WRONG)" };
            format!("{answer}{often}{verdict}")
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Whether the table is asked for.
pub(crate) fn is_wanted() -> bool {
    env::var_os(DIRECTORY).is_some()
}

/// The number of the row that a test is, and the words of its title. A test of many faults at once is no
/// row.
fn row(name: &str) -> Option<(u32, String)> {
    let (number, words) = name.strip_prefix('f')?.split_once('_')?;
    Some((number.parse().ok()?, words.replace('_', " ")))
}

/// Writes the line of a row: number, words, place, the original's answers, the kit's, its seconds, and
/// what status and doctor said.
pub(crate) fn write(name: &str, place: Place, original: &Answers, kit: &Answers) {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let Some((number, words)) = row(name) else { return };
    let line = format!(
        "F{number}\t{words}\t{place}\t{}\t{}\t{:.1}\t{}\n",
        original.cell(),
        kit.cell(),
        kit.took.as_secs_f64(),
        kit.looks.join("; ")
    );
    let file = Path::new(&directory).join(format!("{name} {place}"));
    fs::write(file, line).expect("writing a line of the table");
}

#[test]
fn a_row_is_a_test_with_a_number() {
    assert_eq!(row("f5_a_login_service_is_full"), Some((5, "a login service is full".into())));
    for name in ["no_fault_is_greener", "f5", "fault_5_is", "5_a"] {
        assert_eq!(row(name), None, "{name}");
    }
}
