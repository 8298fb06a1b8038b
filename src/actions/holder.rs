//! Who holds the lock: as he writes himself, and else as the kernel says.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Action, quick_check};
use crate::system::{Process, System};

/// The kit's own name as a process.
pub(super) const NAME: &str = "dovecot-ark";

/// The length of the record in the file, in bytes. It is overwritten in place: also where no room
/// is left for a byte more.
pub(super) const RECORD: usize = 128;

/// How much of the kernel's list of locks is read, in bytes: some 60 000 locks, which take it 0.1 s.
const MAX_LOCKS: u64 = 4 << 20;

/// Clock ticks of proc(5) in a second (`USER_HZ`).
const TICKS: u64 = 100;

/// Who holds a lock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Holder {
    /// What it does, in its own words: `remove`.
    action: String,
    pub(super) pid: i32,
    /// When it must have ended, on the clock of the boot, where it is known.
    deadline: Option<Duration>,
    /// The process, if it is to be seen.
    pub(super) process: Option<Process>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, pid {}", self.action, self.pid)
    }
}

/// What a holder writes into the file.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Record {
    pub(super) action: String,
    pub(super) pid: i32,
    pub(super) started: u64,
    /// Milliseconds since boot.
    pub(super) deadline: u64,
}

impl Holder {
    /// Whether it works, and may still.
    pub(super) fn is_believed(&self, system: &impl System) -> bool {
        self.process.as_ref().is_some_and(|process| !process.is_stopped()) && !self.is_past(system)
    }

    pub(super) fn is_past(&self, system: &impl System) -> bool {
        self.deadline.is_some_and(|deadline| system.since_boot() > deadline)
    }
}

/// Who holds a lock: as the record says if that process lives, else as the kernel says.
pub(super) fn holder(
    system: &impl System,
    root: &Path,
    file: &File,
    longest: Duration,
) -> Option<Holder> {
    let mut bytes = [0; RECORD];
    let length = file.read_at(&mut bytes, 0).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes.get(..length)?).into_owned();
    if let Ok(record) = serde_json::from_str::<Record>(&text) {
        let process = system.inspect(record.pid).filter(|now| now.started == record.started);
        if let Some(process) = process.filter(|process| !process.is_dead()) {
            let deadline = Some(Duration::from_millis(record.deadline));
            let Record { action, pid, .. } = record;
            return Some(Holder { action, pid, deadline, process: Some(process) });
        }
    }
    // A kit before 0.2 writes `remove, pid 4242`.
    let named = text.split_once(", pid ").and_then(|(action, pid)| {
        Some((action.to_owned(), pid.trim_matches(['\0', ' ', '\n']).parse::<i32>().ok()?))
    });
    let (device, inode) = file.metadata().map(|data| (data.dev(), data.ino())).ok()?;
    let held = locks(root).into_iter().find_map(|lock| {
        (lock.inode == inode && lock.device == device).then(|| of_kit(system, lock.pid)).flatten()
    });
    let (process, action) = match (held, named) {
        (Some(process), named) => (process, named.map(|(action, _)| action)),
        (None, Some((action, pid))) => (of_kit(system, pid)?, Some(action)),
        (None, None) => return None,
    };
    Some(of_process(process, action, longest))
}

/// Another action of the kit that runs and has a lock, whatever became of its file. Of two that hold
/// one each, the younger waits. The kernel's list of locks, which any user can make long, is read
/// only where such a process is.
pub(super) fn acting(system: &impl System, root: &Path, longest: Duration) -> Option<Holder> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let age = |process: &Process| (process.started, process.pid);
    let ours = system.inspect(own).map(|process| age(&process));
    let others: Vec<(Process, String)> = system
        .named(NAME)
        .unwrap_or_default()
        .into_iter()
        .filter(|pid| *pid != own)
        .filter_map(|pid| of_kit(system, pid))
        .filter(|process| ours.is_none_or(|ours| age(process) < ours))
        .filter_map(|process| {
            let verb = system.words(&process).into_iter().nth(1)?;
            let mut actions = [Action::Restore, Action::Remove, Action::Recover].iter();
            actions.any(|action| action.to_string() == verb).then_some((process, verb))
        })
        .collect();
    if others.is_empty() {
        return None;
    }
    let locks = locks(root);
    let mut acting = others
        .into_iter()
        .filter(|(process, _)| locks.iter().any(|lock| lock.is_whole && lock.pid == process.pid));
    acting.next().map(|(process, verb)| of_process(process, Some(verb), longest))
}

/// What is known of a holder who does not say: it acts for `longest` from its start at most.
fn of_process(process: Process, action: Option<String>, longest: Duration) -> Holder {
    let started = Duration::from_secs(process.started / TICKS);
    let (action, limit) = match action {
        Some(action) => (action, longest),
        None => (Action::QuickCheck.to_string(), quick_check::LIMIT),
    };
    Holder { action, pid: process.pid, deadline: Some(started + limit), process: Some(process) }
}

/// A living process of the kit.
fn of_kit(system: &impl System, pid: i32) -> Option<Process> {
    system.inspect(pid).filter(|process| {
        process.name == NAME && process.is_roots() && process.same_namespaces && !process.is_dead()
    })
}

/// An flock(2) of somebody.
#[derive(Debug, Eq, PartialEq)]
struct Flock {
    pid: i32,
    device: u64,
    inode: u64,
    /// Not shared with others.
    is_whole: bool,
}

/// The flocks of this machine, as proc(5) lists them: `1: FLOCK ADVISORY WRITE 4242 00:15:99 0 EOF`.
fn locks(root: &Path) -> Vec<Flock> {
    let mut text = String::new();
    // What has been read by then is what there is.
    let _ = File::open(root.join("proc/locks"))
        .and_then(|file| file.take(MAX_LOCKS).read_to_string(&mut text));
    text.lines().filter_map(flock).collect()
}

fn flock(line: &str) -> Option<Flock> {
    let mut words = line.split_ascii_whitespace();
    let kind = words.find(|word| ["FLOCK", "POSIX", "OFDLCK", "LEASE", "DELEG"].contains(word))?;
    let is_whole = words.nth(1)? == "WRITE";
    let pid = words.next()?.parse().ok()?;
    let mut place = words.next()?.split(':');
    let mut number = |radix| u64::from_str_radix(place.next()?, radix).ok();
    let (major, minor, inode) = (number(16)?, number(16)?, number(10)?);
    let device = nix::sys::stat::makedev(major, minor);
    (kind == "FLOCK").then_some(Flock { pid, device, inode, is_whole })
}

/// Writes who we are, for the others; that is a help, not a condition.
pub(super) fn note(system: &impl System, file: &File, action: Action, longest: Duration) {
    let pid = i32::try_from(std::process::id()).unwrap_or_default();
    let record = Record {
        action: action.to_string(),
        pid,
        started: system.inspect(pid).map_or(0, |process| process.started),
        deadline: u64::try_from((system.since_boot() + longest).as_millis()).unwrap_or(u64::MAX),
    };
    let text = serde_json::to_string(&record).unwrap_or_default();
    let _ = file.write_all_at(format!("{text:<RECORD$}").as_bytes(), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_of_locks_is_understood() {
        let device = nix::sys::stat::makedev(0xfd, 0x1a);
        let flock_of = |pid, is_whole| Some(Flock { pid, device, inode: 5678, is_whole });
        for (line, expected) in [
            ("12: FLOCK  ADVISORY  WRITE 1234 fd:1a:5678 0 EOF", flock_of(1234, true)),
            ("12: FLOCK  ADVISORY  READ 1234 fd:1a:5678 0 EOF", flock_of(1234, false)),
            ("12: POSIX  ADVISORY  WRITE 1234 fd:1a:5678 0 EOF", None),
            ("12: -> FLOCK  ADVISORY  WRITE 1235 fd:1a:5678 0 EOF", flock_of(1235, true)),
            ("", None),
            ("12: FLOCK  ADVISORY  WRITE x fd:1a:5678 0 EOF", None),
            ("12: FLOCK  ADVISORY  WRITE 1 fd:1a 0 EOF", None),
        ] {
            assert_eq!(flock(line), expected, "{line}");
        }
    }
}
