//! What an action notes for the next one, below `/run/dovecot-ark`.
//!
//! Of a living master: what its children and orphans are known by once it is dead. Of a check that
//! found a fault and excused it: why, so that the next does not for ever. Of parameters that are not
//! understood: that a check has said so. Each file is one line of JSON, belongs to root, and is
//! replaced whole. What names a pid is worth something in its own boot and pid namespace alone: a pid
//! is used again.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::debug;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::cgroup;
use super::unit::{self, Motion};
use crate::files;
use crate::messages::{Message, warning};
use crate::process::Process;
use crate::system::System;
use crate::text::checksum;

/// The file with the masters. No lock of an earlier kit, named after a tag, begins with a dot.
const MASTERS: &str = ".masters";

/// The file with what the last check excused.
const EXCUSE: &str = ".excuse";

/// The file with what is known of logins.
const LOGIN: &str = ".login";

/// The file with the number of the last check, one byte.
const COUNT: &str = ".count";

/// The file with the checksum of what was not understood of the parameters, and was said.
const SAID: &str = ".said";

/// The longest file that is read, in bytes: a master with a thousand pipes takes 10 KiB.
const MAX_FILE: u64 = 64 << 10;

/// How many masters are kept. More than one that has died can have left processes behind.
const MAX_MASTERS: usize = 8;

/// A master that an action has proven.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Master {
    pub(crate) pid: i32,
    /// When it started, in clock ticks since boot.
    pub(crate) started: u64,
    /// The boot and the pid namespace that this pid belongs to.
    era: String,
    /// The pipes between it and its children: those of which it has both ends.
    pub(crate) pipes: BTreeSet<u64>,
    /// Its control group, where it is that of the service.
    pub(crate) group: Option<String>,
    pub(crate) program: Option<PathBuf>,
}

impl Master {
    /// Whether this is the process that was noted.
    pub(crate) const fn is(&self, process: &Process) -> bool {
        self.pid == process.pid && self.started == process.started
    }
}

/// The masters that were noted in this boot.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) masters: Vec<Master>,
}

impl Notes {
    /// Reads them. What is not root's own, or cannot be understood, is passed over with a warning.
    pub(crate) fn read(system: &impl System, root: &Path) -> Self {
        let mut masters: Vec<Master> = read(root, MASTERS).unwrap_or_default();
        if !masters.is_empty() {
            let era = system.era();
            masters.retain(|master| master.era == era);
        }
        Self { masters }
    }

    /// Whether a process was noted as a master.
    pub(crate) fn knows(&self, process: &Process) -> bool {
        self.masters.iter().any(|master| master.is(process))
    }

    /// Notes the living masters that are not noted yet, but for those of other units; the file is
    /// written only when it changes. Whoever is noted already keeps his note: the pipe that all
    /// children share is as old as the master. A master whose program others than root may write is
    /// told of, this once.
    pub(crate) fn remember(
        &mut self,
        system: &impl System,
        root: &Path,
        service: &str,
        living: &[Process],
    ) {
        let unit = unit::name(service);
        let new = living.iter().filter(|process| !self.knows(process)).cloned().collect();
        let new: Vec<Master> = unit::own(system, &unit, new)
            .iter()
            .inspect(|process| {
                if let Some(program) = &process.executable
                    && !system.runs_file_of_root(process)
                {
                    warning!(
                        Message::WritableProgram,
                        "{process} runs {}, which others than root can write",
                        program.display()
                    );
                }
            })
            .map(|process| Master {
                pid: process.pid,
                started: process.started,
                era: system.era(),
                pipes: system.own_pipes(process.pid),
                group: system
                    .control_groups(process.pid)
                    .and_then(|groups| cgroup::group_of(&groups, &unit))
                    .map(|group| group.as_str().to_owned()),
                program: process.executable.clone(),
            })
            .collect();
        if new.is_empty() {
            return;
        }
        self.masters.extend(new);
        let surplus = self.masters.len().saturating_sub(MAX_MASTERS);
        self.masters.drain(..surplus);
        write(root, MASTERS, &self.masters);
    }

    /// Forgets all masters, when nothing of them is left.
    pub(crate) fn erase(&mut self, root: &Path) {
        self.masters.clear();
        erase(root, MASTERS);
    }
}

/// Why a check called a Dovecot that was not in operation no fault.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Excuse {
    pub(crate) reason: Reason,
    /// Milliseconds since the boot, when the first of several checks in a row found it so.
    since: u64,
    /// The boot that this counts from.
    era: String,
}

/// What excuses.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Reason {
    /// Its unit is on its way.
    Motion(Motion),
    Shutdown,
}

impl Excuse {
    /// What the check before this one excused.
    pub(crate) fn read(system: &impl System, root: &Path) -> Option<Self> {
        read(root, EXCUSE).filter(|excuse: &Self| excuse.era == system.era())
    }

    /// Notes that this is excused from now on.
    /// Notes it, and returns whether that was done.
    pub(crate) fn note(system: &impl System, root: &Path, reason: Reason) -> bool {
        write(root, EXCUSE, &Self { reason, since: millis(system), era: system.era() })
    }

    /// How long it has been so.
    pub(crate) fn age(&self, system: &impl System) -> Duration {
        ago(system, self.since)
    }

    /// Forgets it: a check or an action has found, or left, something else.
    pub(crate) fn erase(root: &Path) {
        forget(root, EXCUSE);
    }
}

/// What is known of the looks at a mailbox since the cluster's last restore.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logins {
    /// Whether one has succeeded on this node.
    pub(crate) armed: bool,
    /// When that restore ended, in milliseconds since the boot, if there was one.
    restored: Option<u64>,
    /// When a stop ended that may be the first half of a restart, the same.
    #[serde(default)]
    stopped: Option<u64>,
    /// Where the mail was then, if that is known.
    #[serde(default)]
    pub(crate) store: Option<PathBuf>,
    /// The boot that this counts from.
    era: String,
}

/// How soon a start must follow a stop to be a restart. A cluster engine that repairs a resource gives
/// both within a second or two.
const RESTART_TIME: Duration = Duration::from_mins(1);

impl Logins {
    /// Reads it; nothing is known where there is no note, or one of another boot.
    pub(crate) fn read(system: &impl System, root: &Path) -> Self {
        let era = system.era();
        let known = read(root, LOGIN).filter(|logins: &Self| logins.era == era);
        known.unwrap_or(Self { era, ..Self::default() })
    }

    /// How long ago the cluster's last restore ended.
    pub(crate) fn age(&self, system: &impl System) -> Option<Duration> {
        Some(ago(system, self.restored?))
    }

    /// Notes that one has succeeded, and where the mail is.
    pub(crate) fn arm(system: &impl System, root: &Path, store: Option<PathBuf>) {
        let known = Self::read(system, root);
        if !known.armed || known.store != store {
            write(root, LOGIN, &Self { armed: true, store, ..known });
        }
    }

    /// Notes that a restore has ended: what succeeded before it says nothing any more.
    pub(crate) fn restored(system: &impl System, root: &Path) {
        let (restored, era) = (Some(millis(system)), system.era());
        write(root, LOGIN, &Self { restored, era, ..Self::default() });
    }

    /// Notes that a stop has ended, for an engine that repairs by a stop and a start.
    pub(crate) fn stopped(system: &impl System, root: &Path) {
        let known = Self::read(system, root);
        if known.armed {
            write(root, LOGIN, &Self { stopped: Some(millis(system)), ..known });
        } else {
            Self::erase(root);
        }
    }

    /// Notes that a start has ended, for such an engine. Behind a stop within [`RESTART_TIME`] it was a
    /// repair: what succeeded before it counts, and nobody waits for a lock of a dead node. Without that
    /// a store that hangs here would be restarted again and again and never be moved. A wrong yes moves
    /// a resource that was moved away and back within the time; on the other node nothing is armed.
    pub(crate) fn restarted(system: &impl System, root: &Path) {
        let known = Self::read(system, root);
        let left = known.stopped.map(|stopped| millis(system).saturating_sub(stopped));
        if left.is_some_and(|left| u128::from(left) < RESTART_TIME.as_millis()) {
            write(root, LOGIN, &Self { restored: None, stopped: None, ..known });
        } else {
            Self::restored(system, root);
        }
    }

    pub(crate) fn erase(root: &Path) {
        forget(root, LOGIN);
    }
}

/// The time since the boot, in milliseconds.
pub(super) fn millis(system: &impl System) -> u64 {
    u64::try_from(system.since_boot().as_millis()).unwrap_or(u64::MAX)
}

/// How long ago such a time was.
pub(super) fn ago(system: &impl System, millis: u64) -> Duration {
    system.since_boot().saturating_sub(Duration::from_millis(millis))
}

/// Counts a check that listens to the greeting, and says whether it is each tenth's turn. Where the
/// count cannot be kept, it never is.
pub(crate) fn is_tenth(root: &Path) -> bool {
    let Ok(directory) = files::existing_directory(root) else { return false };
    let path = directory.join(COUNT);
    let mut options = OpenOptions::new();
    let counted = files::open_own(&path, options.read(true).write(true).create(true));
    let counted = counted.and_then(|file| {
        let mut count = [0];
        let _ = file.read_at(&mut count, 0)?;
        let [count] = count.map(|count: u8| count.wrapping_add(1) % 10);
        file.write_all_at(&[count], 0).map(|()| count)
    });
    counted.inspect_err(|cause| debug!("{}: {cause}", path.display())).is_ok_and(|n| n == 0)
}

/// Whether a check has something to say of the parameters that the checks before have not said, and
/// notes that it is said. Where that cannot be noted, it is said each time.
pub(crate) fn are_news(root: &Path, warnings: &[String]) -> bool {
    if warnings.is_empty() {
        forget(root, SAID);
        return false;
    }
    let sum = checksum(warnings.join("\n").as_bytes());
    let are_news = read(root, SAID) != Some(sum);
    if are_news {
        write(root, SAID, &sum);
    }
    are_news
}

/// Reads a note that is root's own.
pub(super) fn read<T: DeserializeOwned>(root: &Path, name: &str) -> Option<T> {
    let directory = files::existing_directory(root).inspect_err(|cause| debug!("{cause}")).ok()?;
    let path = directory.join(name);
    let understood = match files::open_own(&path, OpenOptions::new().read(true)) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return None,
        opened => opened.and_then(|file| {
            let mut text = String::with_capacity(4096);
            file.take(MAX_FILE).read_to_string(&mut text)?;
            Ok(serde_json::from_str(&text)?)
        }),
    };
    understood
        .inspect_err(|cause| {
            warning!(Message::Note, "reading {}: {cause}; ignored", path.display());
        })
        .ok()
}

/// Replaces a note. That it cannot be written is no reason to stop: less is known then, and the
/// rules for what is not known hold.
pub(super) fn write(root: &Path, name: &str, note: &impl Serialize) -> bool {
    // Each action takes its lock first, and says then if the directory cannot be used.
    let Ok(directory) = files::own_directory(root).inspect_err(|cause| debug!("{cause}")) else {
        return false;
    };
    let new = directory.join(format!("{name}-{}", std::process::id()));
    let path = directory.join(name);
    // What a predecessor with our pid may have left when it was killed.
    let _ = fs::remove_file(&new);
    let mut options = OpenOptions::new();
    let written = files::open_own(&new, options.write(true).create_new(true))
        .and_then(|mut file| file.write_all(serde_json::to_string(note)?.as_bytes()))
        .and_then(|()| fs::rename(&new, &path));
    if let Err(cause) = written {
        let _ = fs::remove_file(&new);
        warning!(Message::Note, "writing {}: {cause}; ignored", path.display());
        return false;
    }
    true
}

fn erase(root: &Path, name: &str) {
    let path = root.join(files::RUN_DIRECTORY).join(name);
    if let Err(cause) = fs::remove_file(&path) {
        debug!("removing {}: {cause}", path.display());
    }
}

/// The same for a note that is almost never there, without a word: each check that passes says this.
fn forget(root: &Path, name: &str) {
    let _ = fs::remove_file(root.join(files::RUN_DIRECTORY).join(name));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{MASTER, Machine, words};
    use crate::test_root::TestRoot;

    const FILE: &str = "run/dovecot-ark/.masters";

    fn note(machine: &Machine, root: &TestRoot) -> Notes {
        let mut notes = Notes::read(machine, root.path());
        let master = machine.inspect(MASTER).expect("the master");
        notes.remember(machine, root.path(), "dovecot", &[master]);
        notes
    }

    #[test]
    fn what_is_wrong_in_the_parameters_is_news_once_and_again_when_it_changes() {
        let root = TestRoot::new();
        let are_news = |warnings: &[&str]| {
            let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
            super::are_news(root.path(), &warnings)
        };
        for (warnings, expected) in [
            (&[][..], false),
            (&["a", "b"], true),
            (&["a", "b"], false),
            (&["a"], true),
            (&[], false),
            (&["a"], true),
            (&["a"], false),
        ] {
            assert_eq!(are_news(warnings), expected, "{warnings:?}");
        }
        // One that cannot be understood keeps nothing quiet.
        root.write("run/dovecot-ark/.said", "not a number");
        assert!(are_news(&["a"]));
    }

    #[test]
    fn a_master_is_noted_once_with_what_its_children_are_known_by() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        note(&machine, &root);
        let notes = Notes::read(&machine, root.path());
        let [master] = notes.masters.as_slice() else { panic!("{notes:?}") };
        assert!(master.is(&machine.inspect(MASTER).expect("the master")));
        assert_eq!(master.program.as_deref(), Some(Path::new("/usr/sbin/dovecot")));
        assert!(!master.pipes.is_empty());
        let before = fs::metadata(root.path().join(FILE)).expect("the file");
        note(&machine, &root);
        let after = fs::metadata(root.path().join(FILE)).expect("the file");
        let inode = |data: &fs::Metadata| std::os::unix::fs::MetadataExt::ino(data);
        assert_eq!(inode(&before), inode(&after), "what does not change is not written");
        Notes::read(&machine, root.path()).erase(root.path());
        assert!(!root.path().join(FILE).exists());
        assert!(Notes::read(&machine, root.path()).masters.is_empty());
        assert_eq!(words(), Vec::<String>::new(), "that nothing is noted is no fault");
    }

    #[test]
    fn a_master_whose_program_others_may_write_is_told_of_once() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        machine.show(MASTER, |more| more.open_file = true);
        note(&machine, &root);
        note(&machine, &root);
        let told = "WARN: pid 100 (dovecot, state S) runs /usr/sbin/dovecot, which others than root can \
                    write";
        assert_eq!(words(), [told]);
    }

    #[test]
    fn a_note_of_another_boot_or_of_a_process_with_the_same_pid_says_nothing() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        note(&machine, &root);
        machine.change(MASTER, |master| master.started += 1);
        let notes = Notes::read(&machine, root.path());
        assert!(!notes.knows(&machine.inspect(MASTER).expect("somebody")));
        machine.state().era = "another boot".into();
        assert!(Notes::read(&machine, root.path()).masters.is_empty());
    }

    #[test]
    fn garbage_and_what_is_not_roots_own_is_passed_over_with_one_warning() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        for text in ["", "x", "{}", "[{}]", "[{\"pid\":1}]", "\u{0}"] {
            let (root, machine) = (TestRoot::new(), Machine::running());
            root.write(FILE, text);
            assert!(Notes::read(&machine, root.path()).masters.is_empty());
            assert_eq!(words().len(), 1, "{text:?}: {:?}", words());
        }
        let (root, machine) = (TestRoot::new(), Machine::running());
        note(&machine, &root);
        let path = root.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("a mode");
        assert!(Notes::read(&machine, root.path()).masters.is_empty());
        fs::rename(&path, root.path().join("elsewhere")).expect("moving it");
        symlink(root.path().join("elsewhere"), &path).expect("a link");
        assert!(Notes::read(&machine, root.path()).masters.is_empty());
        assert_eq!(words().len(), 2, "{:?}", words());
        note(&machine, &root);
        assert_eq!(Notes::read(&machine, root.path()).masters.len(), 1, "it is replaced");
    }

    #[test]
    fn only_the_latest_masters_are_kept() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        for _ in 0..MAX_MASTERS + 3 {
            machine.change(MASTER, |master| master.started += 1);
            note(&machine, &root);
        }
        let notes = Notes::read(&machine, root.path());
        assert_eq!(notes.masters.len(), MAX_MASTERS);
        assert!(notes.knows(&machine.inspect(MASTER).expect("the master")), "the last one");
    }
}
