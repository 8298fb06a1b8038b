//! A line of the table of faults, for `cargo xtask faults`.

use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use crate::scene::Place;

/// Where the lines go: a folder. Without it there is no table.
const FOLDER: &str = "FAULTS_TABLE";

/// What a kit answered in a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    answers: Vec<(String, bool)>,
    took: Duration,
}

impl Answers {
    /// Notes an answer, and whether it is the wanted one; the same answer again adds nothing.
    pub(crate) fn note(&mut self, answer: &str, right: bool) {
        let note = (answer.to_owned(), right);
        if self.answers.last() != Some(&note) {
            self.answers.push(note);
        }
    }

    /// Adds to the time that it took.
    pub(crate) fn took(&mut self, time: Duration) {
        self.took += time;
    }

    /// Writes the answers in one cell, the wrong ones marked.
    fn cell(&self) -> String {
        let words = self.answers.iter().map(|(answer, right)| {
            if *right { answer.clone() } else { format!("{answer} (WRONG)") }
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Whether the table is asked for.
pub(crate) fn is_wanted() -> bool {
    env::var_os(FOLDER).is_some()
}

/// Writes the line of a row: number, words, place, the original's answers, the kit's, its seconds.
pub(crate) fn write(name: &str, place: Place, original: &Answers, kit: &Answers) {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let (number, words) = name.split_once('_').unwrap_or((name, ""));
    let line = format!(
        "{}\t{}\t{place}\t{}\t{}\t{:.1}\n",
        number.to_uppercase(),
        words.replace('_', " "),
        original.cell(),
        kit.cell(),
        kit.took.as_secs_f64()
    );
    let file = Path::new(&folder).join(format!("{name} {place}"));
    fs::write(file, line).expect("writing a line of the table");
}
