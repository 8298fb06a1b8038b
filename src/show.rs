//! What a person or a program asks to see: the settings.

use std::io::{self, Write};
use std::path::Path;

use crate::error::Error;
use crate::settings::{self, Report, Source};

/// Prints the settings that hold, and what was not understood.
///
/// # Errors
///
/// [`Error::Output`] when they cannot be printed; a reader who has seen enough is none.
pub(crate) fn settings(root: &Path, json: bool) -> Result<(), Error> {
    let (_, report) = settings::read(root);
    let text = if json { as_json(&report) } else { Ok(as_table(&report)) };
    match text.and_then(|text| io::stdout().lock().write_all(text.as_bytes())) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(cause)),
        Err(_) | Ok(()) => Ok(()),
    }
}

fn as_json(report: &Report) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
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
    let warnings = report.warnings.iter().map(|warning| format!("warning: {warning}\n"));
    rows.chain(warnings).collect()
}
