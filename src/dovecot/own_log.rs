//! What Dovecot itself wrote about a start that failed.
//!
//! A start command that returns 0 with nothing running says nothing, and what Dovecot has to say
//! goes to its log: a file of its own, syslog, or the journal. Only what came after the mark is
//! read, or in the last minutes, because an old reason is worse than none.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::debug;
use nix::fcntl::OFlag;
use time::OffsetDateTime;
use time::macros::format_description;

use super::places::Places;
use super::{store, unit};
use crate::command::Command;
use crate::files::below;
use crate::log::local_now;
use crate::system::System;
use crate::text::one_line;

/// The longest that reading may take: two looks at whether the file answers, and the journal.
pub const LIMIT: Duration = Duration::from_secs(2);

/// How long the journal may take.
const JOURNAL_LIMIT: Duration = LIMIT.saturating_sub(store::ANSWER_LIMIT.saturating_mul(2));

/// Where the system log has mail: Debian, RHEL, SLES, and where nobody sorts.
const SYSTEM_LOGS: [&str; 6] = [
    "var/log/mail.err",
    "var/log/mail.log",
    "var/log/maillog",
    "var/log/mail",
    "var/log/syslog",
    "var/log/messages",
];

/// How much of a log's end is read, in bytes.
const MAX_READ: u64 = 64 << 10;

/// How far back a reason is looked for that came before anybody set a mark.
pub const RECENT: Duration = Duration::from_mins(2);

/// How many characters of a reason are told.
const MAX_TOLD: usize = 160;

/// Where the logs end at the moment.
pub(crate) struct Mark {
    files: Vec<Log>,
    at: Duration,
    /// The name of the service's unit.
    unit: String,
    /// What Dovecot's lines in syslog begin with.
    tag: String,
    /// How long before `at` a line of the journal may be.
    back: Duration,
    /// What the lines begin with that count; all do without any.
    stamps: Vec<String>,
}

/// A file, which one it was, and how long.
struct Log {
    path: PathBuf,
    /// Its device, inode and length, if it was there.
    was: Option<(u64, u64, u64)>,
    /// What Dovecot's lines have, where everybody writes it.
    tag: Option<String>,
}

impl Mark {
    pub(crate) fn set(system: &impl System, root: &Path, places: &Places, service: &str) -> Self {
        let own = places.log.iter().map(|path| (below(root, path), None));
        let tag = || Some(places.tag.clone());
        let shared = SYSTEM_LOGS.iter().map(|path| (root.join(path), tag()));
        let log = |(path, tag): (PathBuf, Option<String>)| {
            let was = fs::metadata(&path).ok().map(|file| (file.dev(), file.ino(), file.len()));
            Log { path, was, tag }
        };
        Self {
            files: own.chain(shared).map(log).collect(),
            at: system.now(),
            unit: unit::name(service),
            tag: places.tag.clone(),
            back: Duration::ZERO,
            stamps: Vec::new(),
        }
    }

    /// Sets it some two minutes back. Of a file those lines count then that have their time in front,
    /// as Dovecot and syslog write it by default.
    pub(crate) fn set_back(
        system: &impl System,
        root: &Path,
        places: &Places,
        service: &str,
    ) -> Self {
        let mut mark = Self::set(system, root, places, service);
        mark.back = RECENT;
        mark.stamps = stamps(local_now());
        for log in &mut mark.files {
            log.was = None;
        }
        mark
    }

    /// Dovecot's reason in its own words, the last of the worst since the mark.
    pub(crate) fn reason(&self, system: &impl System) -> Option<String> {
        // A file system that answered when the mark was set may hang by now.
        let may_hang = |log: &Log| self.back.is_zero() && log.tag.is_none();
        let readable = |log: &&Log| !may_hang(log) || store::answers(system, &log.path);
        let texts = self.files.iter().filter(readable).filter_map(|log| match log.since() {
            Ok(text) => Some((text, log.tag.as_deref())),
            Err(cause) => {
                debug!("reading {}: {cause}", log.path.display());
                None
            }
        });
        // The files first: the journal takes a program to read.
        texts
            .filter_map(|(text, tag)| {
                let counts = |line: &&str| {
                    self.stamps.is_empty() || self.stamps.iter().any(|one| line.starts_with(one))
                };
                reason(text.lines().filter(counts), tag)
            })
            .max_by_key(|(severity, _)| *severity)
            .or_else(|| reason(self.journal(system)?.lines(), None))
            .map(|(_, words)| words)
    }

    /// What the journal has of Dovecot since the mark.
    fn journal(&self, system: &impl System) -> Option<String> {
        if !system.runs_systemd() {
            return None;
        }
        // The journal counts in whole seconds.
        let age = system.now().saturating_sub(self.at) + self.back;
        let since = format!("--since=-{}s", age.as_secs() + 1);
        let words = ["--quiet", "--no-pager", "--output=cat", "--lines=200", &since];
        // By its unit, and by its tag too: whoever dies at once is no longer known to be the unit's.
        // A user can use the tag.
        let of_unit = format!("_SYSTEMD_UNIT={}", self.unit);
        let tagged = format!("SYSLOG_IDENTIFIER={}", self.tag);
        let only = [&*of_unit, "+", &tagged, "_UID=0"];
        let command = Command::new(system.program("journalctl")?, &[&words[..], &only].concat());
        let ended = system.run(&command.asked(), JOURNAL_LIMIT);
        ended.succeeded().then_some(ended.answer)
    }
}

impl Log {
    /// What was written since the mark, the end of it; all of it when the file is another one.
    fn since(&self) -> io::Result<String> {
        // Opening a FIFO must not wait for its writer.
        let flags = OFlag::O_NONBLOCK.bits();
        let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(&self.path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            Err(cause) => return Err(cause),
        };
        let now = file.metadata()?;
        if !now.is_file() {
            return Ok(String::new());
        }
        let length = now.len();
        let begin = match self.was {
            Some((device, inode, before))
                if (device, inode) == (now.dev(), now.ino()) && before <= length =>
            {
                before
            }
            _ => 0,
        };
        file.seek(SeekFrom::Start(begin.max(length.saturating_sub(MAX_READ))))?;
        let mut text = Vec::new();
        file.take(MAX_READ).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Puts Dovecot's own reason right behind the first cause.
pub(crate) fn beside(mut causes: Vec<String>, reason: Option<String>) -> Vec<String> {
    if let Some(reason) = reason {
        causes.insert(causes.len().min(1), format!("Dovecot's log: {reason}"));
    }
    causes
}

/// The beginnings of the lines of the last minutes: `Nov  8 17:03` (syslog), `Nov 08 17:03`
/// (Dovecot's `log_timestamp`), `2026-11-08T17:03` (RFC 3339).
fn stamps(now: OffsetDateTime) -> Vec<String> {
    let minutes = 0..=RECENT.as_secs() / 60;
    let times = minutes.map(|minute| now - Duration::from_secs(60 * minute));
    let formats = [
        format_description!("[month repr:short] [day padding:space] [hour]:[minute]"),
        format_description!("[month repr:short] [day] [hour]:[minute]"),
        format_description!("[year]-[month]-[day]T[hour]:[minute]"),
    ];
    times.flat_map(|time| formats.map(|format| time.format(format).unwrap_or_default())).collect()
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Severity {
    /// Only the master's count: a limit that is reached, a signal that ended it.
    Warning,
    Error,
    Fatal,
}

/// The last of the worst lines since the last start, from the name of Dovecot's process on; in a log of
/// everybody's only those with this tag count. What befalls a single user, `imap(name)`, is no reason.
///
/// What came before a start was said of another Dovecot: after a recover its `Killed with signal 15`,
/// by the kit's own stop, would be told as the reason of the next fault. A wrong reason sends whoever
/// is paged after a culprit who does not exist; one that is missing can be read in the log.
fn reason<'a>(
    lines: impl Iterator<Item = &'a str>,
    tag: Option<&str>,
) -> Option<(Severity, String)> {
    let marks = [
        ("Fatal: ", Severity::Fatal),
        ("Panic: ", Severity::Fatal),
        ("Error: ", Severity::Error),
        ("Warning: ", Severity::Warning),
    ];
    // `mail2:` or `mail2[7]:`; a host may have the name alone.
    let is_tag = |word: &str| {
        let named = word.strip_suffix(':');
        named.is_some_and(|word| word.split('[').next() == tag)
    };
    let is_dovecots = |head: &str| tag.is_none() || head.split_whitespace().any(is_tag);
    let judged = |line: &str| {
        let (at, severity) =
            marks.iter().find_map(|(mark, severity)| line.find(mark).map(|at| (at, *severity)))?;
        let (head, words) = line.split_at_checked(at)?;
        let who = head.split_whitespace().next_back().unwrap_or_default();
        let is_users = who.contains('(') && !who.starts_with("auth");
        if !is_dovecots(head) || is_users || (severity == Severity::Warning && who != "master:") {
            return None;
        }
        Some((severity, format!("{who} {words}")))
    };
    // `master: Info: Dovecot v2.3.19.1 (9b53102964) starting up for imap`; 1.x has no `master: Info:`.
    let is_start = |line: &str| {
        line.split_once("Dovecot v")
            .is_some_and(|(head, rest)| rest.contains(" starting up") && is_dovecots(head))
    };
    let (severity, words) = lines.fold(None, |worst: Option<(Severity, String)>, line| {
        match (judged(line), worst) {
            _ if is_start(line) => None,
            // The last of those that are equally bad.
            (Some(new), worst) if worst.as_ref().is_none_or(|worst| worst.0 <= new.0) => Some(new),
            (_, worst) => worst,
        }
    })?;
    Some((severity, one_line(&words).trim().chars().take(MAX_TOLD).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;

    const LOG: &str = "var/log/dovecot.log";

    fn own() -> Places {
        Places { base: vec![], log: Some(Path::new("/").join(LOG)), tag: "dovecot".into() }
    }

    #[test]
    fn the_reason_is_the_last_of_the_worst_lines() {
        let log = "Nov 22 16:50:41 master: Info: Dovecot v2.3.19.1 starting up\n\
            Nov 22 16:50:41 master: Fatal: bind() failed\n\
            Nov 22 16:50:41 master: Fatal: write() failed in /run/x: No space left on device\n\
            Nov 22 16:50:41 auth(pid=7): Error: later and less bad\n";
        let (severity, words) = reason(log.lines(), None).expect("a reason");
        assert_eq!(severity, Severity::Fatal);
        assert_eq!(words, "master: Fatal: write() failed in /run/x: No space left on device");
        let words = |text: &str| reason(text.lines(), None).map(|(_, words)| words);
        assert_eq!(words("x: Error: a\ny: Error: b\n").as_deref(), Some("y: Error: b"));
        assert_eq!(words("Error: \u{1b}[2J alone").as_deref(), Some("Error: \\u{1b}[2J alone"));
        assert_eq!(words("master: Info: all is well\n\n"), None);
        assert_eq!(
            words(&format!("a: Error: {}", "あ".repeat(999))).map(|w| w.chars().count()),
            Some(MAX_TOLD)
        );
    }

    #[test]
    fn what_was_said_before_the_last_start_was_said_of_another_dovecot() {
        let killed =
            "Nov 22 16:50:41 master: Warning: Killed with signal 15 (by pid=838 uid=0 code=kill)";
        let start =
            "Nov 22 16:50:43 master: Info: Dovecot v2.3.19.1 (9b53102964) starting up for imap";
        let words =
            |lines: &[&str], tag| reason(lines.iter().copied(), tag).map(|(_, words)| words);
        assert!(
            words(&[killed], None)
                .is_some_and(|words| words.starts_with("master: Warning: Killed"))
        );
        assert_eq!(words(&[killed, start], None), None);
        assert_eq!(
            words(&[killed, start, "x: Error: new"], None).as_deref(),
            Some("x: Error: new")
        );
        let old = "Nov 22 n1 dovecot: Dovecot v1.2.15 starting up";
        assert_eq!(words(&["Nov 22 n1 dovecot: auth: Error: a", old], Some("dovecot")), None);
        let other = "Nov 22 n1 mail2: master: Dovecot v2.3.19.1 starting up for imap";
        let ours = ["Nov 22 n1 dovecot: auth: Error: a", other];
        assert_eq!(words(&ours, Some("dovecot")).as_deref(), Some("auth: Error: a"));
    }

    #[test]
    fn what_befalls_a_single_user_is_no_reason_and_a_limit_that_is_reached_is_one() {
        let words = |text: &str| reason(text.lines(), None).map(|(_, words)| words);
        assert_eq!(words("Nov 08 17:03:33 imap(bob)<7><x>: Error: mailbox"), None);
        assert_eq!(words("Nov 08 17:03:33 imap-login: Warning: old"), None);
        let limit = "master: Warning: service(auth): client_limit (1) reached";
        assert_eq!(words(&format!("Nov 08 17:03:33 {limit}\n")).as_deref(), Some(limit));
        let auth = "auth-worker(77): Error: ldap: no answer";
        assert_eq!(words(&format!("{auth}\n{limit}\n")).as_deref(), Some(auth));
    }

    #[test]
    fn of_a_mark_that_is_set_back_only_lines_of_the_last_minutes_count() {
        let now = time::macros::datetime!(2026-11-08 00:01:59 UTC);
        let stamps = stamps(now);
        let is_recent = |line: &str| stamps.iter().any(|stamp| line.starts_with(stamp));
        for line in [
            "Nov  8 00:01:02 host dovecot: x",
            "Nov 08 00:00:00 master: x",
            "2026-11-07T23:59:59.123456+00:00 host dovecot: x",
        ] {
            assert!(is_recent(line), "{line}");
        }
        for line in ["Nov 07 23:58:59 x", "Nov  8 01:01:02 x", "2025-11-08T00:01 x", ""] {
            assert!(!is_recent(line), "{line}");
        }
        let (root, machine) = (TestRoot::new(), Machine::new());
        let format = format_description!("[month repr:short] [day] [hour]:[minute]:[second]");
        let stamp = local_now().format(&format).expect("a time");
        let log = format!("Jan 01 00:00:00 master: Fatal: old\n{stamp} master: Error: new\n");
        root.write(LOG, &log);
        let mark = Mark::set_back(&machine, root.path(), &own(), "dovecot");
        assert_eq!(mark.reason(&machine).as_deref(), Some("master: Error: new"));
    }

    #[test]
    fn what_others_write_into_a_shared_log_is_no_reason() {
        let log =
            "Nov 22 n1 dovecot: master: Error: ours\nNov 22 n1 postfix/smtpd[7]: Fatal: not\n";
        assert_eq!(
            reason(log.lines(), Some("dovecot")).map(|(_, words)| words).as_deref(),
            Some("master: Error: ours")
        );
        let log = "Nov 22 mail2 mail2[9]: auth: Error: ours\nNov 22 mail2 dovecot: x: Fatal: not\n\
            Nov 22 n1 mail2x: Fatal: not\n";
        assert_eq!(
            reason(log.lines(), Some("mail2")).map(|(_, words)| words).as_deref(),
            Some("auth: Error: ours"),
            "instance_name is the tag"
        );
    }

    #[test]
    fn a_log_on_a_file_system_that_hangs_is_left_alone() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let mark = Mark::set(&machine, root.path(), &own(), "dovecot");
        root.write(LOG, "master: Fatal: of today\n");
        assert_eq!(mark.reason(&machine).as_deref(), Some("master: Fatal: of today"));
        let directory = root.path().join(LOG);
        let look = format!("exe look-at-store {}", directory.parent().expect("one").display());
        machine.answer(&look, End::Exited(0), Duration::MAX, "");
        assert_eq!(mark.reason(&machine), None);
        assert!(machine.now() < LIMIT);
    }

    #[test]
    fn only_what_came_after_the_mark_counts() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        root.write(LOG, "master: Fatal: of yesterday\n");
        let mark = Mark::set(&machine, root.path(), &own(), "dovecot");
        assert_eq!(mark.reason(&machine), None);
        root.write(LOG, "master: Fatal: of yesterday\nmaster: Error: of today\n");
        assert_eq!(mark.reason(&machine).as_deref(), Some("master: Error: of today"));
        root.write(LOG, "a: Error: new file\n");
        assert_eq!(mark.reason(&machine).as_deref(), Some("a: Error: new file"), "rotated");
        // Another file, longer than the first.
        let (path, new) = (root.path().join(LOG), "b: Error: of the new file, long enough\n");
        root.write("new", new);
        fs::rename(root.path().join("new"), &path).expect("another file");
        assert_eq!(mark.reason(&machine).as_deref(), Some(new.trim()), "by its inode");
        fs::remove_file(root.path().join(LOG)).expect("removing it");
        assert_eq!(mark.reason(&machine), None);
        root.write("var/log/mail.log", "dovecot: master: Error: by syslog\n");
        assert_eq!(mark.reason(&machine).as_deref(), Some("master: Error: by syslog"));
    }

    #[test]
    fn the_journal_is_asked_when_no_file_tells() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        machine.state().programs.push("journalctl");
        let took = Duration::from_millis(20);
        machine.answer("journalctl", End::Exited(0), took, "master: Fatal: in the journal\n");
        let mark = Mark::set(&machine, root.path(), &own(), "dovecot");
        assert_eq!(mark.reason(&machine), None, "no systemd runs here");
        machine.state().systemd = true;
        machine.sleep(Duration::from_millis(3500));
        assert_eq!(mark.reason(&machine).as_deref(), Some("master: Fatal: in the journal"));
        let by = " --since=-4s _SYSTEMD_UNIT=dovecot.service + SYSLOG_IDENTIFIER=dovecot _UID=0";
        assert!(machine.deeds().concat().ends_with(by), "{:?}", machine.deeds());
        root.write(LOG, "master: Error: in the file\n");
        assert_eq!(mark.reason(&machine).as_deref(), Some("master: Error: in the file"));
        machine.answer("journalctl", End::Exited(0), Duration::MAX, "");
        fs::remove_file(root.path().join(LOG)).expect("removing it");
        let end = machine.now() + LIMIT;
        assert_eq!(mark.reason(&machine), None);
        assert!(machine.now() < end);
    }
}
