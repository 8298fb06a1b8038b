//! Who holds the lock: as he writes himself, and else as the kernel says.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Action, quick_check};
use crate::files::INSTALL_LOCK;
use crate::process::{Process, ticks};
use crate::system::System;
use crate::text::one_line;

/// The kit's own name as a process.
pub(super) const NAME: &str = "dovecot-ark";

/// The length of the record in the file, in bytes. It is overwritten in place: also where no room
/// is left for a byte more.
pub(super) const RECORD: usize = 128;

/// How many descriptors of a process of the kit are looked at.
const MAX_DESCRIPTORS: usize = 4096;

/// Who holds a lock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Holder {
    /// What it does, in its own words: `remove`.
    pub(crate) action: String,
    pub(crate) pid: i32,
    /// When it must have ended, on the clock of the boot, where it is known.
    deadline: Option<Duration>,
    pub(super) process: Process,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, pid {}", one_line(&self.action), self.pid)
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
    /// Whether it has said until when it may take.
    pub(super) const fn says(&self) -> bool {
        self.deadline.is_some()
    }

    /// How long it may still take; whoever does not say so has as long as any.
    pub(super) fn left(&self, system: &impl System, longest: Duration) -> Duration {
        match self.deadline {
            Some(deadline) => deadline.saturating_sub(system.since_boot()),
            None if self.action == Action::QuickCheck.to_string() => quick_check::LIMIT,
            None => longest,
        }
    }

    /// Whether it works, and may still. One that does not say until when is not believed longer than
    /// `longest` from its start.
    pub(super) fn is_believed(&self, system: &impl System, longest: Duration) -> bool {
        let deadline = self.deadline.unwrap_or_else(|| ticks(self.process.started) + longest);
        !self.process.is_stopped() && system.since_boot() <= deadline
    }

    /// Whether it is past its deadline for an action that has waited this long.
    pub(super) fn is_past(
        &self,
        system: &impl System,
        waited: Duration,
        longest: Duration,
    ) -> bool {
        match self.deadline {
            Some(deadline) => system.since_boot() > deadline,
            None if self.action == Action::QuickCheck.to_string() => waited > quick_check::LIMIT,
            None => waited > longest,
        }
    }
}

/// Who holds a lock: as the record says if that process lives, else the process of the kit that has
/// the file locked. One that has just taken the lock has not written yet who it is.
pub(super) fn holder(system: &impl System, root: &Path, file: &File) -> Option<Holder> {
    let mut bytes = [0; RECORD];
    let length = file.read_at(&mut bytes, 0).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes.get(..length)?).into_owned();
    if let Ok(record) = serde_json::from_str::<Record>(&text) {
        let process = system.inspect(record.pid).filter(|now| now.started == record.started);
        if let Some(process) = process.filter(|process| !process.is_dead()) {
            let deadline = Some(Duration::from_millis(record.deadline));
            let Record { action, pid, .. } = record;
            return Some(Holder { action, pid, deadline, process });
        }
    }
    // A kit before 0.2 writes `remove, pid 4242`.
    let named = text.split_once(", pid ").and_then(|(action, pid)| {
        let pid = pid.trim_matches(['\0', ' ', '\n']).parse().ok()?;
        Some(of_process(of_kit(system, pid)?, action.to_owned()))
    });
    named.or_else(|| {
        let data = file.metadata().ok()?;
        let is_it = |lock: &Flock| (lock.device, lock.inode) == (data.dev(), data.ino());
        others(system)
            .find(|(process, _)| locks(root, process.pid).iter().any(is_it))
            .map(|(process, verb)| of_process(process, verb))
    })
}

/// Another action of the kit that runs and has a lock, whatever became of its file. Of two that hold
/// one each, the younger waits; nobody waits for one that is `stuck`.
pub(super) fn acting(system: &impl System, root: &Path, stuck: Option<i32>) -> Option<Holder> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let age = |process: &Process| (process.started, process.pid);
    let ours = || system.inspect(own).map(|process| age(&process));
    let is_older = |process: &Process| ours().is_none_or(|ours| age(process) < ours);
    at_work(system, root)
        .filter(|holder| Some(holder.pid) != stuck)
        .find(|holder| is_older(&holder.process))
}

/// The other actions of the kit that have a lock, whatever became of its file. One that waits has
/// none, and excuses nothing: but for that of an install, which its commands inherit.
pub(super) fn at_work(system: &impl System, root: &Path) -> impl Iterator<Item = Holder> {
    let inherited = fs::metadata(root.join(INSTALL_LOCK)).map(|data| (data.dev(), data.ino()));
    let is_own = move |lock: &Flock| {
        lock.is_whole && !matches!(inherited, Ok(install) if install == (lock.device, lock.inode))
    };
    let actions = [Action::Restore, Action::Remove, Action::Recover].map(|one| one.to_string());
    others(system)
        .filter(move |(_, verb)| actions.contains(verb))
        .filter(move |(process, _)| locks(root, process.pid).iter().any(&is_own))
        .map(|(process, verb)| of_process(process, verb))
}

/// The other processes of the kit, and what each was called to do.
fn others(system: &impl System) -> impl Iterator<Item = (Process, String)> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let pids = system.named(NAME).unwrap_or_default().into_iter().filter(move |pid| *pid != own);
    pids.filter_map(|pid| {
        let process = of_kit(system, pid)?;
        let verb = system.words(&process).into_iter().nth(1)?;
        Some((process, verb))
    })
}

/// What is known of a holder who does not say: until when is for whoever waits.
fn of_process(process: Process, action: String) -> Holder {
    Holder { action, pid: process.pid, deadline: None, process }
}

/// A living process of the kit.
fn of_kit(system: &impl System, pid: i32) -> Option<Process> {
    system.inspect(pid).filter(|process| {
        process.name == NAME && process.is_roots() && process.same_namespaces && !process.is_dead()
    })
}

/// An flock(2) of a process.
#[derive(Debug, Eq, PartialEq)]
struct Flock {
    device: u64,
    inode: u64,
    /// Not shared with others.
    is_whole: bool,
}

/// The flocks of a process, as `proc(5)` shows them with its descriptors (`fdinfo`, since Linux 4.1).
/// The list of all locks of the machine can be made long by any user, and takes the kernel minutes
/// then.
fn locks(root: &Path, pid: i32) -> Vec<Flock> {
    let directory = root.join("proc").join(pid.to_string()).join("fdinfo");
    let files = fs::read_dir(directory).into_iter().flatten().flatten().take(MAX_DESCRIPTORS);
    let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    texts.flat_map(|text| text.lines().filter_map(flock).collect::<Vec<_>>()).collect()
}

/// Reads `lock: 1: FLOCK ADVISORY WRITE 4242 00:15:99 0 EOF`.
fn flock(line: &str) -> Option<Flock> {
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|word| *word == "lock:")?;
    let kind = words.nth(1)?;
    let is_whole = words.nth(1)? == "WRITE";
    let mut place = words.nth(1)?.split(':');
    let mut number = |radix| u64::from_str_radix(place.next()?, radix).ok();
    let (major, minor, inode) = (number(16)?, number(16)?, number(10)?);
    let device = nix::sys::stat::makedev(major, minor);
    (kind == "FLOCK").then_some(Flock { device, inode, is_whole })
}

/// Records this action in the lock file, for the others; the action does not depend on it.
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
    fn the_kernels_line_of_a_lock_is_understood() {
        let device = nix::sys::stat::makedev(0xfd, 0x1a);
        let flock_of = |is_whole| Some(Flock { device, inode: 5678, is_whole });
        for (line, expected) in [
            ("lock:\t1: FLOCK  ADVISORY  WRITE 1234 fd:1a:5678 0 EOF", flock_of(true)),
            ("lock:\t1: FLOCK  ADVISORY  READ 1234 fd:1a:5678 0 EOF", flock_of(false)),
            ("lock:\t1: POSIX  ADVISORY  WRITE 1234 fd:1a:5678 0 EOF", None),
            ("flags:\t0100002", None),
            ("", None),
            ("lock:\t1: FLOCK  ADVISORY  WRITE 1 fd:1a 0 EOF", None),
        ] {
            assert_eq!(flock(line), expected, "{line}");
        }
    }
}
