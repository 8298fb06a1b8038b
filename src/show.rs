//! What a person or a program asks to see: texts, documents, and the settings.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::cli;
use crate::error::Error;
use crate::settings::{self, Report, Source};

/// Prints the settings that hold, and what was not understood.
///
/// # Errors
///
/// [`Error::Output`] when they cannot be printed; a reader who has seen enough is none.
pub(crate) fn settings(root: &Path, how: &cli::Settings) -> Result<(), Error> {
    let (_, report) = settings::read(root);
    if how.json { print_json(&report) } else { print(&as_table(&report)) }
}

/// Prints a text on standard output.
///
/// # Errors
///
/// [`Error::Output`] when it cannot be printed; a reader who has seen enough is none.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(cause)),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// Prints what a program is to read.
///
/// # Errors
///
/// As [`print()`].
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Error> {
    print(&json(value)?)
}

/// Writes what a program is to read.
///
/// # Errors
///
/// [`Error::Output`] when it has no such form.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value).map_err(|cause| Error::Output(cause.into()))?;
    Ok(text + "\n")
}

fn as_table(report: &Report) -> String {
    let width = report.settings.iter().map(|row| row.key.len()).max().unwrap_or_default();
    let rows = report.settings.iter().map(|row| {
        let source = match (row.source, row.line) {
            (Source::File, Some(line)) => format!("{} line {line}", report.file),
            (Source::File | Source::Default, _) => "default".to_owned(),
        };
        format!("{:width$}  {}  ({source})\n", row.key, row.value)
    });
    let warnings = report.warnings.iter().map(|warning| format!("{}\n", warning.as_warning()));
    rows.chain(warnings).collect()
}
