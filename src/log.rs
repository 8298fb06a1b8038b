//! The log: standard error, which LifeKeeper collects, and a file of the kit's own.
//!
//! A line has the shape of LifeKeeper's own: date, `LEVEL:component:action:tag:message`. An event
//! is one line whatever its message holds. Not being able to write never stops an action.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, LineWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use log::{LevelFilter, Log, Metadata, Record, warn};
use nix::fcntl::OFlag;
use simplelog::{CombinedLogger, Config, ConfigBuilder, SharedLogger, WriteLogger};
use time::macros::format_description;

use crate::lifekeeper::tag::Tag;
use crate::settings::Switch;

/// The kit's own log, below the root folder.
const FILE: &str = "var/log/dovecot-ark.log";

/// The kit's name as a component of LifeKeeper.
const COMPONENT: &str = "dovecot-ark";

/// Who hears what is logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Audience {
    /// LifeKeeper, which collects standard error, and the file.
    LifeKeeper,
    /// The file alone: a person is told in another way.
    File,
}

/// Begins to log. Must be called while there is one thread: only then can the local time be told
/// from UTC.
pub(crate) fn start(
    root: &Path,
    action: impl fmt::Display,
    tag: &Tag,
    debug: Switch,
    audience: Audience,
) {
    let level = match debug {
        Switch::On => LevelFilter::Debug,
        Switch::Off => LevelFilter::Info,
    };
    let stderr = (audience == Audience::LifeKeeper).then(|| -> Box<dyn SharedLogger> {
        WriteLogger::new(level, config(), LineWriter::new(io::stderr()))
    });
    let path = root.join(FILE);
    let (file, failed) = match open(&path) {
        Ok(file) => (Some(file), None),
        Err(cause) => (None, Some(cause)),
    };
    let file = file.map(|file| -> Box<dyn SharedLogger> {
        WriteLogger::new(level, config(), LineWriter::new(file))
    });
    let inner = CombinedLogger::new([stderr, file].into_iter().flatten().collect());
    let head = format!("{COMPONENT}:{action}:{tag}");
    // The only other logger could be one of our own.
    let _ = log::set_boxed_logger(Box::new(Shaped { head, inner }));
    log::set_max_level(level);
    if let Some(cause) = failed {
        warn!("opening {}: {cause}; logging to standard error alone", path.display());
    }
}

/// Only the date comes from simplelog; the rest of the line is [`Shaped`]'s.
fn config() -> Config {
    let mut config = ConfigBuilder::new();
    config
        .set_time_format_custom(format_description!(
            "[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]"
        ))
        .set_max_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off);
    // Without a known time zone it stays UTC.
    let _ = config.set_time_offset_to_local();
    config.build()
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        // Neither a link that leads elsewhere nor a FIFO that nobody reads.
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("no regular file")) }
}

/// Puts LifeKeeper's shape before a message.
struct Shaped {
    head: String,
    inner: Box<CombinedLogger>,
}

impl Log for Shaped {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let message = one_line(&record.args().to_string());
        let args = format_args!("{}:{}:{message}", record.level(), self.head);
        self.inner.log(&Record::builder().args(args).metadata(record.metadata().clone()).build());
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

/// Joins lines and takes control characters out.
pub(crate) fn one_line(message: &str) -> String {
    let lines: Vec<&str> = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" | ").chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_event_is_one_line_without_control_characters() {
        assert_eq!(one_line("a\n\n  b\r\nc\x1b[31m\td\n"), "a | b | c [31m d");
    }

    #[test]
    fn the_file_is_made_for_root_alone_and_only_a_regular_file_will_do() {
        let root = TestRoot::new();
        let path = root.path().join("log");
        let mode = open(&path).expect("a new file").metadata().expect("its mode").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        assert!(open(&link).is_err());
        assert!(open(root.path()).is_err());
    }
}
