//! `/etc/default/LifeKeeper`: `KEY=value` lines in the style of the shell.
//!
//! The file is parsed and never executed: a shell would run what somebody left in it, as root.
//! It is read in pieces, so that neither its size nor a line of it decides how much memory or
//! time an action takes.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::messages::{Message, Remark};
use crate::text::excerpt;

/// The file, below the root directory.
pub(crate) const FILE: &str = "etc/default/LifeKeeper";

/// How much of the file is read, in bytes. Real ones have a few kilobytes.
pub const MAX_FILE: u64 = 8 << 20;

/// How much of a line is read, in bytes; 500 entries of a list take about 10 kilobytes.
pub const MAX_LINE: usize = 64 << 10;

/// How many complaints are made; the rest is only counted.
const MAX_WARNINGS: usize = 20;

/// What was found in the file.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Defaults {
    /// The last assignment to each key.
    assignments: Vec<Assignment>,
    /// What is odd about the file, in words.
    pub(crate) warnings: Vec<Remark>,
    unheard: usize,
}

/// A line that sets a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) key: String,
    /// The value on the right, without its quotes.
    pub(crate) value: String,
    /// The line's number; the first is 1.
    pub(crate) line: usize,
}

/// Reads the assignments to the `known` keys, and warns of others that begin with `prefix`. A file
/// that is missing or cannot be read yields none, and a warning.
pub(crate) fn read(root: &Path, prefix: &str, known: &[&str]) -> Defaults {
    let path = root.join(FILE);
    // Opening a FIFO must not wait for its writer.
    let opened =
        OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).and_then(
            |file| {
                if file.metadata()?.is_file() {
                    Ok(file)
                } else {
                    Err(io::Error::other("no regular file"))
                }
            },
        );
    let mut defaults = Defaults::default();
    let outcome = match opened {
        Ok(file) => defaults.parse(BufReader::new(file.take(MAX_FILE + 1)), prefix, known),
        Err(cause) => Err(cause),
    };
    if let Err(cause) = outcome {
        let text = format!("reading {}: {cause}; the defaults hold", path.display());
        defaults.warn(Message::NoSettings, text);
    }
    defaults.counted()
}

/// The same for a file that is in memory.
pub(crate) fn from_bytes(file: &[u8], prefix: &str, known: &[&str]) -> Defaults {
    let mut defaults = Defaults::default();
    let outcome = defaults.parse(file, prefix, known);
    debug_assert!(outcome.is_ok(), "reading from memory");
    defaults.counted()
}

impl Defaults {
    /// Makes them of assignments from elsewhere.
    pub(crate) fn of(assignments: Vec<Assignment>) -> Self {
        Self { assignments, ..Self::default() }
    }

    /// The same with a warning that tells how many others were not made.
    fn counted(mut self) -> Self {
        if self.unheard > 0 {
            let text = format!("/{FILE}: {} more warnings of this kind", self.unheard);
            self.warnings.push(Remark::new(Message::MoreWarnings, text));
        }
        self
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Assignment> {
        let at = self.assignments.iter().position(|assignment| assignment.key == key)?;
        Some(self.assignments.swap_remove(at))
    }

    fn warn(&mut self, message: Message, text: String) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(Remark::new(message, text));
        } else {
            self.unheard += 1;
        }
    }

    pub(crate) fn parse(
        &mut self,
        mut reader: impl BufRead,
        prefix: &str,
        known: &[&str],
    ) -> io::Result<()> {
        let mut bytes: u64 = 0;
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let length = read_line(&mut reader, &mut line)?;
            bytes += length;
            if length == 0 {
                break;
            }
            if bytes > MAX_FILE {
                self.warn(
                    Message::LargeFile,
                    format!(
                        "/{FILE}: larger than {} MiB; what follows line {number} is not read",
                        MAX_FILE >> 20
                    ),
                );
                break;
            }
            if let Some((key, value)) = assignment(&line, prefix) {
                let (message, warning) = match value {
                    _ if !known.contains(&key.as_str()) => (
                        Message::UnknownKey,
                        format!("{} is no parameter of this kit; ignored (a typo?)", excerpt(&key)),
                    ),
                    Ok(_) if length > u64::try_from(MAX_LINE).unwrap_or(u64::MAX) => {
                        (Message::Line, format!("longer than {} KiB; ignored", MAX_LINE >> 10))
                    }
                    Ok(value) => {
                        self.set(Assignment { key, value, line: number });
                        continue;
                    }
                    Err(cause) => (Message::Line, format!("{key}: {cause}; ignored")),
                };
                self.warn(message, format!("/{FILE} line {number}: {warning}"));
            }
        }
        Ok(())
    }

    fn set(&mut self, new: Assignment) {
        match self.assignments.iter_mut().find(|old| old.key == new.key) {
            Some(old) => *old = new,
            None => self.assignments.push(new),
        }
    }
}

/// Reads up to the end of a line, of which it keeps [`MAX_LINE`] bytes; returns how many it read.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    let mut length = 0;
    loop {
        let piece = reader.fill_buf()?;
        let (taken, ended) = match piece.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (piece.len(), piece.is_empty()),
        };
        let room = MAX_LINE.saturating_sub(line.len());
        line.extend(piece.iter().take(taken.min(room)));
        reader.consume(taken);
        length += u64::try_from(taken).unwrap_or(u64::MAX);
        if ended {
            return Ok(length);
        }
    }
}

/// Splits a line that means a key with the prefix into the key and its value, or what is wrong
/// with the value. Everything else is `None`.
fn assignment(line: &[u8], prefix: &str) -> Option<(String, Result<String, String>)> {
    let line = String::from_utf8_lossy(line);
    let (key, rest) = split(&line).filter(|(key, _)| key.starts_with(prefix))?;
    let value = match rest.strip_prefix('=') {
        Some(value) => unquote(value),
        None if rest.trim_start().starts_with('=') => Err("there is a blank before the =".into()),
        None => Err("KEY=value is expected".into()),
    };
    Some((key.to_owned(), value))
}

/// Splits a line into the name with which it begins, and the rest.
fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches('\u{feff}').trim();
    let line = line.strip_prefix("export").filter(|rest| rest.starts_with(blank)).unwrap_or(line);
    let line = line.trim_start();
    let key_end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(line.len());
    line.split_at_checked(key_end)
}

/// The key that a line assigns, whatever its value.
pub(crate) fn key_of(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let (key, rest) = split(&line)?;
    (rest.starts_with('=') && !key.is_empty()).then(|| key.to_owned())
}

const fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// Takes the quotes off a value as a shell would, up to the comment or the end.
///
/// # Errors
///
/// A sentence when a shell would do more than take the value as it stands.
fn unquote(text: &str) -> Result<String, String> {
    let mut value = String::new();
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => value.push(c),
            (_, '$' | '`') => {
                return Err(format!("{c} asks a shell to expand it, and no shell reads this"));
            }
            (_, '\\') => match rest.next() {
                None => return Err("the value continues in the next line".into()),
                Some(c) => {
                    // Between double quotes a shell keeps most backslashes.
                    if quote.is_some() && !matches!(c, '"' | '\\' | '$' | '`') {
                        value.push('\\');
                    }
                    value.push(c);
                }
            },
            (None, '"' | '\'') => quote = Some(c),
            (None, ' ' | '\t' | ';') => {
                let after = rest.as_str().trim_start_matches(blank);
                return if c == ';' || after.is_empty() || after.starts_with(['#', ';']) {
                    Ok(value)
                } else {
                    let after = excerpt(after);
                    Err(format!("\"{after}\" follows the value (quote a value that holds blanks)"))
                };
            }
            (None, '&' | '|' | '<' | '>' | '(' | ')') => {
                return Err(format!("{c} means something to a shell; quote the value"));
            }
            (_, c) => value.push(c),
        }
    }
    if quote.is_some() { Err("the quote is not closed".into()) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_bytes::{self, pieces};
    use crate::test_root::TestRoot;
    use proptest::prelude::*;

    fn parse(text: &[u8]) -> Defaults {
        let mut defaults = Defaults::default();
        defaults.parse(text, "APP_", &["APP_X"]).expect("reading from memory");
        defaults
    }

    fn value_of(line: &str) -> Option<String> {
        parse(line.as_bytes()).take("APP_X").map(|assignment| assignment.value)
    }

    #[test]
    fn values_are_read_as_a_shell_would_read_them() {
        for (line, value) in [
            ("APP_X=3", "3"),
            ("APP_X=\"3\"", "3"),
            ("APP_X='3'", "3"),
            ("  export APP_X=3", "3"),
            ("\texport\tAPP_X=3", "3"),
            ("APP_X=3 # three", "3"),
            ("APP_X=3#three", "3#three"),
            ("APP_X=\"3 # three\"", "3 # three"),
            ("APP_X=3\r", "3"),
            ("APP_X=\"3\"  \r", "3"),
            ("\u{feff}APP_X=3", "3"),
            ("APP_X=", ""),
            ("APP_X=''", ""),
            ("APP_X=a\"b c\"'d e'f", "ab cd ef"),
            ("APP_X=a\\ b", "a b"),
            ("APP_X=\"a\\\"b\\c\"", "a\"b\\c"),
            ("APP_X='$HOME `id`'", "$HOME `id`"),
            ("APP_X=3; export APP_X", "3"),
            ("APP_X=3 ;", "3"),
            ("APP_X=1\nAPP_X=2\nAPP_X=3", "3"),
            ("APP_X=3\nAPP_X=$(id)", "3"),
        ] {
            assert_eq!(value_of(line).as_deref(), Some(value), "{line:?}");
        }
    }

    #[test]
    fn lines_that_set_nothing_are_passed_over() {
        for line in
            ["", "#APP_X=3", "# APP_X=3", "LKROOT=/opt", "exportAPP_X=3", "MY_APP_X=3", "\0\u{1}"]
        {
            assert_eq!(parse(line.as_bytes()), Defaults::default(), "{line:?}");
        }
    }

    #[test]
    fn what_a_shell_would_run_or_refuse_is_named_with_its_line() {
        for (line, reason) in [
            ("APP_X = 3", "there is a blank before the ="),
            ("APP_X", "KEY=value is expected"),
            ("APP_X: 3", "KEY=value is expected"),
            ("APP_X=\"3", "the quote is not closed"),
            ("APP_X='3", "the quote is not closed"),
            ("APP_X=3 4", "\"4\" follows the value"),
            ("APP_X=$(reboot)", "$ asks a shell to expand it"),
            ("APP_X=\"`reboot`\"", "` asks a shell to expand it"),
            ("APP_X=3\\", "continues in the next line"),
            ("APP_X=3>/tmp/x", "> means something to a shell"),
        ] {
            let text = format!("# first\n{line}\n");
            let mut defaults = parse(text.as_bytes());
            assert_eq!(defaults.take("APP_X"), None, "{line:?}");
            let warning = Remark::texts(&defaults.warnings).concat();
            assert!(
                warning.starts_with("/etc/default/LifeKeeper line 2: APP_X: ")
                    && warning.contains(reason),
                "{line:?}: {warning}"
            );
        }
    }

    #[test]
    fn a_key_that_nobody_knows_is_reported_as_a_likely_slip() {
        let warnings = parse(b"APP_X=3\nAPP_Y=3\nAPP_Z\n").warnings;
        assert_eq!(
            Remark::texts(&warnings),
            [
                "/etc/default/LifeKeeper line 2: APP_Y is no parameter of this kit; ignored (a typo?)",
                "/etc/default/LifeKeeper line 3: APP_Z is no parameter of this kit; ignored (a typo?)",
            ]
        );
    }

    #[test]
    fn five_megabytes_of_garbage_are_read_and_end_in_a_few_words() {
        let mut noise: u32 = 1;
        let mut text: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_le_bytes()[3]
        })
        .take(4 << 20)
        .collect();
        text.extend_from_slice(b"\n");
        for n in 0..50_000 {
            text.extend_from_slice(format!("APP_{n}=$garbage\n").as_bytes());
        }
        text.extend_from_slice(b"APP_X=7\n");
        let mut defaults = parse(&text);
        assert_eq!(defaults.take("APP_X").map(|assignment| assignment.value).as_deref(), Some("7"));
        assert_eq!(
            (defaults.warnings.len(), defaults.unheard),
            (MAX_WARNINGS, 50_000 - MAX_WARNINGS)
        );
    }

    #[test]
    fn one_endless_line_or_file_does_not_fill_the_memory() {
        let mut defaults = Defaults::default();
        let endless = io::repeat(b'x').take(MAX_FILE * 2);
        defaults
            .parse(BufReader::new(b"APP_X=".chain(endless)), "APP_", &["APP_X"])
            .expect("reading");
        assert_eq!(defaults.assignments, []);
        assert!(
            Remark::texts(&defaults.warnings).concat().contains("larger than 8 MiB"),
            "{:?}",
            defaults.warnings
        );

        let long = format!("APP_X={}\nAPP_X=3\n", "x".repeat(MAX_LINE));
        let mut defaults = parse(long.as_bytes());
        assert_eq!(defaults.warnings.len(), 1, "{:?}", defaults.warnings);
        assert_eq!(defaults.take("APP_X").map(|assignment| assignment.line), Some(2));
        assert!(Remark::texts(&defaults.warnings).concat().contains("line 1: longer than 64 KiB"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_warning() {
        let root = TestRoot::new();
        let missing = Remark::texts(&read(root.path(), "APP_", &[]).warnings).concat();
        assert!(missing.contains("No such file") && missing.ends_with("the defaults hold"));
        root.write(&format!("{FILE}/x"), "");
        let directory = Remark::texts(&read(root.path(), "APP_", &[]).warnings).concat();
        assert!(directory.contains("no regular file"), "{directory}");
    }

    #[test]
    fn a_warning_is_short_whatever_it_is_about() {
        let long = "x".repeat(MAX_LINE - 10);
        for line in [format!("APP_{long}=1"), format!("APP_X=1 {long}\u{1b}")] {
            let warning = Remark::texts(&parse(line.as_bytes()).warnings).concat();
            assert!(warning.len() < 300 && warning.contains("xxx…"), "{warning}");
        }
    }

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn a_quoted_value_is_read_as_it_stands(value in test_bytes::text(), end in "( |\t)*(#.*)?\r?") {
            let single = value.replace('\n', "");
            let line = format!("APP_X='{}'{end}", single.replace('\'', "'\\''"));
            let end_of_value = end.starts_with([' ', '\t', '\r']) || end.is_empty();
            prop_assume!(end_of_value);
            prop_assert_eq!(value_of(&line), Some(single.clone()), "{}", line);
            let mut double = String::new();
            for c in single.chars() {
                double.extend(['\\'].iter().filter(|_| "\"\\$`".contains(c)));
                double.push(c);
            }
            let line = format!("APP_X=\"{double}\"{end}");
            prop_assert_eq!(value_of(&line), Some(single), "{}", line);
        }

        #[test]
        fn the_last_line_that_is_understood_holds(values in prop::collection::vec("[a-z]{0,3}|[$`]", 1..9)) {
            let lines: Vec<String> = values.iter().map(|value| format!("APP_X={value}\n")).collect();
            let text = lines.concat();
            let understood = |value: &&String| !value.starts_with(['$', '`']);
            let last = values.iter().rfind(understood).cloned();
            prop_assert_eq!(value_of(&text), last);
            let bad = values.iter().filter(|value| !understood(value)).count();
            prop_assert_eq!(parse(text.as_bytes()).warnings.len(), bad);
        }

        #[test]
        fn a_key_is_the_same_to_who_reads_its_value_and_to_who_does_not(
            line in pieces(&["APP_X", "=", "export", " ", "\t", "\"", "'", "#", "1", "\u{feff}", "\r"], 6)
        ) {
            if let Some((key, value)) = assignment(&line, "APP_") {
                prop_assert!(value.is_err() || key_of(&line) == Some(key));
            }
            if let Some(key) = key_of(&line).filter(|key| key.starts_with("APP_")) {
                prop_assert_eq!(assignment(&line, "APP_").map(|(key, _)| key), Some(key));
            }
        }
    }
}
