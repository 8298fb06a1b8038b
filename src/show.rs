//! What a person or a program asks to see: texts, documents, and the settings.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::AnsiColor;
use serde::Serialize;

use crate::error::Error;
use crate::log::stamp;
use crate::messages::Remark;
use crate::settings::{self, Report, Source};
use crate::text::{harmless, harmless_json, one_line};
use crate::{cli, files};

/// Prints the settings that hold, and what was not understood.
///
/// # Errors
///
/// [`Error::Output`] when they cannot be printed; a reader who has seen enough is none.
pub(crate) fn settings(root: &Path, how: &cli::Settings) -> Result<(), Error> {
    let (_, report) = settings::read(root);
    if how.json { print_json(root, &report) } else { print(&as_table(&report)) }
}

/// The version of the documents for programs. It stays as long as no field changes its meaning or
/// goes; fields may come, and each is always there, `null` where nothing can be said.
pub(crate) const FORMAT: u64 = 2;

/// The kit's version.
pub(crate) const KIT: &str = env!("CARGO_PKG_VERSION");

/// A document for a program.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Document<T> {
    /// 2, the version of all documents.
    format: u64,
    /// The version of the kit that wrote it.
    kit: &'static str,
    /// The host's own name.
    host: String,
    /// When it was written: local time as RFC 3339 writes it.
    time: String,
    #[serde(flatten)]
    content: T,
}

/// How a word looks on a terminal with colours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// Somebody should look.
    Odd,
    /// Somebody must act.
    Bad,
}

/// A word in its colour; [`print()`] takes the colour off where none is wanted.
pub(crate) fn toned(tone: Tone, word: &str) -> String {
    let color = match tone {
        Tone::Good => AnsiColor::Green,
        Tone::Odd => AnsiColor::Yellow,
        Tone::Bad => AnsiColor::Red,
    };
    let style = color.on_default().bold();
    format!("{style}{word}{style:#}")
}

/// The line that warns a person.
pub(crate) fn warned(remark: &Remark) -> String {
    format!("{} {}: {}", toned(Tone::Odd, "warning:"), remark.message.code(), remark.text)
}

/// Says when to colour, instead of the environment (`NO_COLOR`, `CLICOLOR_FORCE`, `TERM`).
pub(crate) fn choose(color: cli::Color) {
    match color {
        cli::Color::Auto => ColorChoice::Auto,
        cli::Color::Always => ColorChoice::Always,
        cli::Color::Never => ColorChoice::Never,
    }
    .write_global();
}

/// Prints a text on standard output; nothing in it but its colours is for the terminal.
///
/// # Errors
///
/// [`Error::Output`] when it cannot be printed; a reader who has seen enough is none.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    match AutoStream::auto(io::stdout().lock()).write_all(harmless(text).as_bytes()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(cause)),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// Prints a document for a program.
///
/// # Errors
///
/// As [`print()`].
pub(crate) fn print_json(root: &Path, content: &impl Serialize) -> Result<(), Error> {
    print(&json(root, content)?)
}

/// Writes a document for a program.
///
/// # Errors
///
/// [`Error::Output`] when it has no such form.
pub(crate) fn json(root: &Path, content: &impl Serialize) -> Result<String, Error> {
    let (host, time) = (files::host(root), stamp(Duration::ZERO));
    let document = Document { format: FORMAT, kit: KIT, host, time, content };
    let text =
        serde_json::to_string_pretty(&document).map_err(|cause| Error::Output(cause.into()))?;
    Ok(harmless_json(&text) + "\n")
}

fn as_table(report: &Report) -> String {
    let width = report.settings.iter().map(|row| row.key.len()).max().unwrap_or_default();
    let rows = report.settings.iter().map(|row| {
        let source = match (row.source, row.line) {
            (Source::File, Some(line)) => format!("{} line {line}", report.file),
            (Source::File | Source::Default, _) => "default".to_owned(),
        };
        format!("{:width$}  {}  ({source})\n", row.key, one_line(&row.value))
    });
    let warnings = report.warnings.iter().map(|remark| warned(remark) + "\n");
    rows.chain(warnings).collect()
}
