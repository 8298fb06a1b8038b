//! The log: standard error, which LifeKeeper collects, and a file of the kit's own.
//!
//! A line has the shape of LifeKeeper's own: date, `LEVEL:component:action:tag:number:message`, the
//! number only where it is a warning or an error. An event is one line whatever its message holds. Not
//! being able to write never stops an action.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, LineWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;
use std::{env, fmt};

use log::{LevelFilter, Log, Metadata, Record};
use simplelog::{CombinedLogger, Config, ConfigBuilder, SharedLogger, WriteLogger};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use crate::files;
use crate::messages::{Message, number_of, warning};
use crate::settings::Switch;
use crate::stderr::Stderr;
use crate::text::one_line;

/// The kit's own log, below the root directory.
const FILE: &str = "var/log/dovecot-ark.log";

/// The kit's name as a component of LifeKeeper.
const COMPONENT: &str = "dovecot-ark";

/// Where log lines go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Audience {
    /// LifeKeeper, which collects standard error, and the file.
    LifeKeeper,
    /// The file alone: a person, or an engine, is told in another way.
    File,
}

/// Whether a person wants to see all that is logged.
static VERBOSE: AtomicBool = AtomicBool::new(false);

/// Shows a person, on standard error, all that is logged, in detail.
pub(crate) fn be_verbose() {
    VERBOSE.store(true, Ordering::Relaxed);
}

/// Shows what a command does that has no log, where a person wants to see it.
pub(crate) fn start_without_file(command: &str) {
    if VERBOSE.load(Ordering::Relaxed) {
        let head = format!("{COMPONENT}:{command}");
        begin(head, LevelFilter::Debug, Some(Stderr::default()), None);
    }
}

/// Sets the logger. The time zone is read with the first line: a check of a healthy Dovecot logs none, and
/// would pay 0.2 to 0.4 ms for it.
fn begin(head: String, level: LevelFilter, stderr: Option<Stderr>, file: Option<File>) {
    let build = move || {
        let stderr = stderr.map(|stderr| logger(level, stderr));
        let file = file.map(|file| logger(level, file));
        CombinedLogger::new(stderr.into_iter().chain(file).collect())
    };
    let inner: Inner = LazyLock::new(Box::new(build));
    // The only other logger could be one of our own.
    let _ = log::set_boxed_logger(Box::new(PrefixedLogger { head, inner }));
    log::set_max_level(level);
}

fn logger(level: LevelFilter, to: impl Write + Send + 'static) -> Box<dyn SharedLogger> {
    WriteLogger::new(level, config(), LineWriter::new(to))
}

/// Begins to log.
pub(crate) fn start(
    root: &Path,
    action: impl fmt::Display,
    tag: impl fmt::Display,
    debug: Switch,
    audience: Audience,
) {
    let is_verbose = VERBOSE.load(Ordering::Relaxed);
    let level = match debug {
        Switch::Off if !is_verbose => LevelFilter::Info,
        Switch::Off | Switch::On => LevelFilter::Debug,
    };
    let is_heard = audience == Audience::LifeKeeper || is_verbose;
    let stderr = is_heard.then(Stderr::default);
    let path = root.join(FILE);
    let (file, failed) = match open(&path) {
        Ok(file) => (Some(file), None),
        Err(cause) => (None, Some(cause)),
    };
    // An engine's name of a resource may be anything.
    let head = one_line(&format!("{COMPONENT}:{action}:{tag}"));
    begin(head, level, stderr, file);
    if let Some(cause) = failed {
        warning!(
            Message::NoLogFile,
            "opening {}: {cause}; logging to standard error only",
            path.display()
        );
    }
}

/// Only the date comes from simplelog; the rest of the line is [`PrefixedLogger`]'s.
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
    config.set_time_offset(offset());
    config.build()
}

/// The time zone's distance from UTC when it was first asked for; UTC itself without a known time zone.
/// A second thread does no harm: the time crate then only skips a new look at TZ, which does not change here.
fn offset() -> UtcOffset {
    static OFFSET: OnceLock<UtcOffset> = OnceLock::new();
    *OFFSET.get_or_init(|| {
        let known = is_readable(&zone_file()).then(UtcOffset::current_local_offset);
        known.and_then(Result::ok).unwrap_or(UtcOffset::UTC)
    })
}

/// The time as logs have it.
pub(crate) fn local_now() -> OffsetDateTime {
    OffsetDateTime::now_utc().to_offset(offset())
}

/// The moment this long ago, to the second, in the format of RFC 3339.
pub(crate) fn stamp(ago: Duration) -> String {
    let now = local_now();
    let then = time::Duration::try_from(ago).ok().and_then(|ago| now.checked_sub(ago));
    let then = then.unwrap_or(now);
    let then = then.replace_nanosecond(0).unwrap_or(then);
    then.format(&Rfc3339).unwrap_or_default()
}

/// A stamp as people read it: local date and time.
pub(crate) fn readable(stamp: &str) -> String {
    stamp.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

fn open(path: &Path) -> io::Result<File> {
    files::open_own(path, OpenOptions::new().append(true).create(true))
}

/// Why the kit's own log cannot be written, where it is there. Nothing is made.
pub(crate) fn unusable(root: &Path) -> Option<String> {
    let path = root.join(FILE);
    let opened = files::open_own(&path, OpenOptions::new().append(true));
    let cause = files::if_there(opened).err()?;
    Some(format!("opening {}: {cause}", path.display()))
}

/// The file in which the C library reads the time zone (`tzset(3)`).
fn zone_file() -> PathBuf {
    let zone = env::var_os("TZ").map(PathBuf::from);
    let zone = zone.as_deref().unwrap_or(Path::new("/etc/localtime"));
    let name = zone.as_os_str().as_bytes();
    let name = Path::new(OsStr::from_bytes(name.strip_prefix(b":").unwrap_or(name)));
    let directory = env::var_os("TZDIR").map(PathBuf::from);
    // An absolute name replaces the directory.
    directory.unwrap_or_else(|| "/usr/share/zoneinfo".into()).join(name)
}

/// Whether opening a file does not wait: a FIFO would, for whoever writes it. What is not there is
/// not waited for.
fn is_readable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.is_file() || data.is_dir())
        || fs::symlink_metadata(path).is_err()
}

/// Puts LifeKeeper's shape before a message.
struct PrefixedLogger {
    head: String,
    inner: Inner,
}

type Inner = LazyLock<Box<CombinedLogger>, Box<dyn FnOnce() -> Box<CombinedLogger> + Send>>;

impl Log for PrefixedLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let message = one_line(&record.args().to_string());
        let number = number_of(record).map(|number| format!("{number}:")).unwrap_or_default();
        let args = format_args!("{}:{}:{number}{message}", record.level(), self.head);
        self.inner.log(&Record::builder().args(args).metadata(record.metadata().clone()).build());
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;

    #[test]
    fn a_moment_is_told_to_the_second_and_as_people_read_it() {
        let [now, then] = [0, 90].map(|ago| stamp(Duration::from_secs(ago)));
        assert!(now.len() >= "2026-11-29T03:10:02Z".len() && now.contains('T'), "{now}");
        assert!(then < now && !now.contains('.'), "{then} {now}");
        assert_eq!(readable("2026-11-29T03:10:02+09:00"), "2026-11-29 03:10:02");
    }

    #[test]
    fn a_time_zone_whose_file_nobody_writes_is_not_waited_for() {
        let root = TestRoot::new();
        root.write("zone", "");
        let fifo = root.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&fifo, &link).expect("a link");
        for (name, readable) in
            [("zone", true), ("fifo", false), ("link", false), ("missing", true), (".", true)]
        {
            assert_eq!(is_readable(&root.path().join(name)), readable, "{name}");
        }
        assert!(is_readable(&zone_file()), "this machine's own");
    }
}
