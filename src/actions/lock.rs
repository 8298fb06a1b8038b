//! One action at a time for the node's Dovecot, whatever the tag.
//!
//! The lock is an flock(2) on a file that stays: the kernel releases it when its holder dies, so
//! none can be stale. A quickCheck shares it with others of its kind and keeps it while it looks:
//! if a remove could begin meanwhile, the check would report the removed server as a fault, and
//! LifeKeeper would start it again.
//!
//! The holder writes into the file who it is and until when it may take. Nobody goes on beside a
//! holder: one that is stopped, or past its time, is ended with its command, because what it does
//! when it goes on would come after what we do. Where the kit's directory cannot be used, the
//! directory above it is locked instead.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::info;
use nix::fcntl::OFlag;

use super::holder::{Holder, RECORD, acting, at_work, holder, note};
use super::{Action, quick_check};
use crate::dovecot::service;
use crate::files::{self, RUN_DIRECTORY};
use crate::lifekeeper::tag::Tag;
use crate::messages::{Message, warning};
use crate::process::Signal;
use crate::stderr::{self, Waiting};
use crate::system::System;

/// The lock's file. No lock of an earlier kit, named after a tag, begins with a dot.
const FILE: &str = ".lock";

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a quickCheck waits for the record of one that has just taken the lock.
const RECORD_WAIT: Duration = Duration::from_millis(60);

/// How long an ended holder may take to vanish; one that is stuck in the kernel does nothing more.
const END_WAIT: Duration = Duration::from_secs(3);

/// Leave to act.
#[must_use]
#[derive(Debug)]
pub(super) enum Turn {
    /// The lock is ours until this is dropped.
    Locked { _lock: Lock },
    /// No file system gives a lock: better an action without one than no action.
    Unlocked,
}

/// A lock, released when it is dropped or its holder dies.
#[must_use]
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    /// That of the tag, which kits before 0.2 take.
    _of_tag: Option<File>,
}

/// Leave to look.
#[must_use]
#[derive(Debug)]
pub(super) enum Share {
    /// No action begins until this is dropped.
    Held { _node: Option<File>, _of_tag: Option<File> },
    /// An action runs.
    Busy(Holder),
    /// Whoever holds the lock is stopped or past his time: that excuses nothing.
    Overdue(Holder),
}

/// What is locked.
struct Place {
    path: PathBuf,
    file: File,
}

impl Turn {
    /// Takes the lock, and waits for whoever has it, as long as each of them may take: `longest` is
    /// what any action may, this one too. An action with a deadline gives others half of its time,
    /// and ends who has the lock then: whoever sets deadlines has given them all, and its last word
    /// counts. A wrong yes ends an action that a person has begun; a wrong no makes a stop fail, and
    /// the node is halted.
    pub(super) fn take(
        system: &impl System,
        root: &Path,
        tag: Option<&Tag>,
        action: Action,
        (longest, ours): (Duration, Option<Duration>),
    ) -> Self {
        let begun = system.since_boot();
        let until = ours.map(|left| begun + left / 2);
        let left =
            || ours.map_or(longest, |left| (begun + left).saturating_sub(system.since_boot()));
        let times = (longest, until);
        // An action whose lock file was removed still runs.
        let beside_us = |file: &File, stuck: Option<i32>| {
            note(system, file, action, left());
            acting(system, root, stuck)
        };
        let mut queue = Queue::default();
        let node: [&dyn Fn() -> Option<Place>; 2] =
            [&|| Place::of_node(root), &|| Place::above(root)];
        let Some(node) = wait(system, root, times, &mut queue, &node, beside_us) else {
            return Self::Unlocked;
        };
        // Kits before 0.2 know this one alone; none of them runs longer than an upgrade.
        let mut queue = Queue { stuck: queue.stuck, ..Queue::default() };
        let of_tag = tag.and_then(|tag| {
            let of_tag: &dyn Fn() -> Option<Place> = &|| Place::of_tag(root, tag);
            wait(system, root, times, &mut queue, &[of_tag], |_, _| None)
        });
        // The time counts from here.
        note(system, &node, action, left());
        Self::Locked { _lock: Lock { file: node, _of_tag: of_tag } }
    }
}

impl Drop for Lock {
    /// Takes the name off, so that a quickCheck's share is not told under it.
    fn drop(&mut self) {
        let _ = self.file.write_all_at(&[b' '; RECORD], 0);
    }
}

impl Share {
    /// Takes a share for a quickCheck, without waiting.
    pub(super) fn take(
        system: &impl System,
        root: &Path,
        tag: Option<&Tag>,
        longest: Duration,
    ) -> Self {
        let of_tag = tag.and_then(|tag| Place::of_tag(root, tag));
        let mut shares = [Place::of_node(root), of_tag].map(|place| {
            let place = place?;
            match place.file.try_lock_shared() {
                Err(TryLockError::WouldBlock) => {
                    let start = system.now();
                    loop {
                        let holder = holder(system, root, &place.file);
                        let says = holder.as_ref().is_some_and(Holder::says);
                        let waited = system.now().saturating_sub(start);
                        if says || waited >= RECORD_WAIT {
                            return Some(Err(holder));
                        }
                        system.sleep(PAUSE / 5);
                    }
                }
                Err(TryLockError::Error(_)) | Ok(()) => Some(Ok(place.file)),
            }
        });
        for share in &mut shares {
            if let Some(Err(holder)) = share {
                let Some(holder) = holder.take() else {
                    // Whoever has it is nobody of ours.
                    continue;
                };
                return if holder.is_believed(system, longest) {
                    Self::Busy(holder)
                } else {
                    Self::Overdue(holder)
                };
            }
        }
        let [node, of_tag] = shares.map(|share| share.and_then(Result::ok));
        Self::Held { _node: node, _of_tag: of_tag }
    }
}

/// The action that runs on this node for a tag; a quickCheck is none, and one that is stopped or
/// past its time is not told. Changes nothing, and stands in no action's way: the lock itself is
/// tried, and given back at once. One that has lost its file is found by what the kernel says of its
/// locks (`fdinfo` since Linux 4.1; before, it is not known).
pub(crate) fn running(
    system: &impl System,
    root: &Path,
    tag: &Tag,
    longest: Duration,
) -> Option<Holder> {
    let directory = root.join(RUN_DIRECTORY);
    let named =
        [directory.join(FILE), directory.join(tag.file_name())].into_iter().find_map(|path| {
            let place = Place { file: open(&path, OpenOptions::new().read(true)).ok()?, path };
            let is_held = matches!(place.file.try_lock_shared(), Err(TryLockError::WouldBlock));
            let holder = is_held.then(|| holder(system, root, &place.file)).flatten()?;
            holder.is_believed(system, longest).then_some(holder)
        });
    named.or_else(|| at_work(system, root).find(|holder| holder.is_believed(system, longest)))
}

impl Place {
    /// The lock of the node: its file, or the directory above where that cannot be used.
    fn of_node(root: &Path) -> Option<Self> {
        Self::own(root, FILE)
            .inspect_err(|cause| {
                warning!(Message::LockAbove, "{cause}; locking the directory above instead");
            })
            .ok()
            .or_else(|| Self::above(root))
    }

    /// The directory above the kit's.
    fn above(root: &Path) -> Option<Self> {
        let path = root.join(RUN_DIRECTORY).parent()?.to_owned();
        let opened = open(&path, OpenOptions::new().read(true));
        let file = opened.inspect_err(|cause| {
            warning!(
                Message::NoLock,
                "opening {}: {cause}; continuing without a lock",
                path.display()
            );
        });
        Some(Self { file: file.ok()?, path })
    }

    /// The lock of a kit before 0.2, if its file is there or can be made.
    fn of_tag(root: &Path, tag: &Tag) -> Option<Self> {
        Self::own(root, &tag.file_name()).ok()
    }

    fn own(root: &Path, name: &str) -> Result<Self, String> {
        let path = files::own_directory(root)?.join(name);
        let mut options = OpenOptions::new();
        let file = files::open_own(&path, options.read(true).write(true).create(true))
            .map_err(|cause| format!("opening {}: {cause}", path.display()))?;
        Ok(Self { path, file })
    }
}

fn open(path: &Path, options: &mut OpenOptions) -> std::io::Result<File> {
    options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(path)
}

/// Waits until the lock is ours and nobody else acts: as long as each holder may take, with a
/// new limit for each, and no longer than until the time of the boot that comes second. `beside_us` is asked
/// when the file is locked: it names an action that runs without the lock. One that was ended and that
/// the kernel cannot bury keeps the first of the places, and does nothing more: those that come after it
/// wait for one another at the next place. `None` if there is no lock.
fn wait(
    system: &impl System,
    root: &Path,
    (longest, until): (Duration, Option<Duration>),
    queue: &mut Queue,
    places: &[&dyn Fn() -> Option<Place>],
    beside_us: impl Fn(&File, Option<i32>) -> Option<Holder>,
) -> Option<File> {
    let mut places = places.iter();
    let mut place = places.next()?;
    let mut locked = place()?;
    loop {
        let tried = locked.file.try_lock();
        let is_ours = tried.is_ok();
        let holder = match tried {
            // Others would lock another.
            Ok(()) if !files::is_at(&locked.file, &locked.path) => {
                locked = place()?;
                continue;
            }
            Ok(()) => match beside_us(&locked.file, queue.stuck) {
                None => return Some(locked.file),
                Some(other) => Some(other),
            },
            Err(TryLockError::Error(cause)) => {
                warning!(
                    Message::NoLock,
                    "locking {}: {cause}; continuing without a lock",
                    locked.path.display()
                );
                return None;
            }
            Err(TryLockError::WouldBlock) => holder(system, root, &locked.file),
        };
        match queue.look(system, root, holder, (longest, until)) {
            Patience::Left => {
                stderr::tick();
                system.sleep(PAUSE);
            }
            Patience::Over => return None,
            // What is ours excludes the others.
            Patience::Stuck if is_ours => {}
            Patience::Stuck => {
                place = places.next()?;
                locked = place()?;
            }
        }
    }
}

/// Whether a holder is waited for.
enum Patience {
    Left,
    Over,
    /// It was ended, and the kernel cannot bury it.
    Stuck,
}

/// The holders that were waited for.
#[derive(Default)]
struct Queue {
    holder: Option<Holder>,
    /// What a person sees of it.
    shown: Option<Waiting>,
    since: Duration,
    /// Seen stopped or past its time in the look before.
    was_overdue: bool,
    ended: Option<Duration>,
    /// The pid of one that was ended and cannot be buried.
    stuck: Option<i32>,
}

impl Queue {
    /// Looks whether a holder is waited for any longer, and ends one that has no right to be.
    fn look(
        &mut self,
        system: &impl System,
        root: &Path,
        holder: Option<Holder>,
        (longest, until): (Duration, Option<Duration>),
    ) -> Patience {
        let now = system.since_boot();
        if holder.as_ref().is_some_and(|holder| Some(holder.pid) == self.stuck) {
            return Patience::Stuck;
        }
        let is_late = until.is_some_and(|until| now >= until);
        let same = match (&self.holder, &holder) {
            (Some(old), Some(new)) => old.pid == new.pid,
            (None, None) => !self.since.is_zero(),
            _ => false,
        };
        if !same {
            let words = holder.as_ref().map_or_else(|| "a quickCheck".into(), Holder::to_string);
            info!("waiting until {words} has ended");
            // The wait before it is over first, or it would hide this one.
            self.shown = None;
            let most = holder.as_ref().map_or(quick_check::LIMIT, |one| one.left(system, longest));
            let most = until.map_or(most, |until| most.min(until.saturating_sub(now)));
            let shown = Some(stderr::waiting(format!("waiting until {words} has ended"), most));
            let (holder, stuck) = (holder.clone(), self.stuck);
            *self = Self { holder, shown, since: now, stuck, ..Self::default() };
        }
        let waited = now.saturating_sub(self.since);
        if let Some(ended) = self.ended {
            if now.saturating_sub(ended) < END_WAIT {
                return Patience::Left;
            }
            self.stuck = self.holder.as_ref().map(|holder| holder.pid);
            return Patience::Stuck;
        }
        let Some(holder) = holder else {
            // A quickCheck that is not to be seen, or somebody who has nothing to do with the kit.
            let is_over = is_late || waited >= quick_check::LIMIT;
            if is_over {
                warning!(
                    Message::UnknownHolder,
                    "the lock is held by an unknown process (see lslocks); continuing without it"
                );
            }
            return if is_over { Patience::Over } else { Patience::Left };
        };
        let cause = if holder.process.state == 'T' {
            Some("it is stopped")
        } else if holder.is_past(system, waited, longest) {
            Some("it is past its deadline")
        } else if is_late {
            Some("this action must end soon")
        } else {
            None
        };
        // One look may fall into the moment in which the lock changes hands.
        let was_overdue = std::mem::replace(&mut self.was_overdue, cause.is_some());
        let Some(cause) = cause.filter(|_| was_overdue) else { return Patience::Left };
        warning!(Message::HolderTerminated, "terminating {holder}: {cause}");
        system.signal(&holder.process, Signal::Kill);
        service::end_left_command(system, root);
        self.ended = Some(now);
        Patience::Left
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::holder::{NAME, Record};
    use super::*;
    use crate::process::Process;
    use crate::system::fake::{Machine, child, master, words};
    use crate::test_root::TestRoot;

    const LONGEST: Duration = Duration::from_mins(5);

    /// When holders start, in clock ticks: an hour after the boot, as the machine's clock begins.
    const STARTED: u64 = 360_000;

    /// The pid of a holder that is not this process.
    const OTHER: i32 = 700;

    fn tag() -> Tag {
        Tag::parse("a").expect("a tag")
    }

    /// A process of the kit.
    fn kit(pid: i32, action: &str, machine: &Machine) {
        let executable = Some("/usr/sbin/dovecot-ark".into());
        let process = Process { name: NAME.into(), executable, started: STARTED, ..master(pid) };
        machine.add(process, 1, pid);
        let words = vec!["/usr/sbin/dovecot-ark".into(), action.to_owned()];
        machine.show(pid, |more| more.words = words);
    }

    /// The lock, held by another process of the kit for as long as that may act.
    pub(in super::super) struct Held {
        file: File,
    }

    pub(in super::super) fn held(root: &TestRoot, machine: &Machine, action: Action) -> Held {
        let longest = crate::actions::longest(&crate::settings::Settings::default());
        held_until(root, machine, action, OTHER, machine.since_boot() + longest)
    }

    fn held_until(
        root: &TestRoot,
        machine: &Machine,
        action: Action,
        pid: i32,
        deadline: Duration,
    ) -> Held {
        kit(pid, &action.to_string(), machine);
        let place = Place::of_node(root.path()).expect("a place");
        place.file.try_lock().expect("the lock");
        let deadline = u64::try_from(deadline.as_millis()).expect("a time");
        let record = Record { action: action.to_string(), pid, started: STARTED, deadline };
        let text = serde_json::to_string(&record).expect("a record");
        place.file.write_all_at(format!("{text:<RECORD$}").as_bytes(), 0).expect("writing");
        Held { file: place.file }
    }

    /// Shows a file's lock as the kernel does it for the other process.
    fn show_lock(root: &TestRoot, file: &File, kind: &str) {
        let data = file.metadata().expect("its place");
        let (major, minor) = (nix::sys::stat::major(data.dev()), nix::sys::stat::minor(data.dev()));
        let inode = data.ino();
        let line =
            format!("lock:\t1: FLOCK  ADVISORY  {kind} 1 {major:02x}:{minor:02x}:{inode} 0 EOF");
        root.write("proc/700/fdinfo/6", &line);
    }

    fn take(root: &TestRoot, machine: &Machine, action: Action) -> Turn {
        Turn::take(machine, root.path(), Some(&tag()), action, (LONGEST, None))
    }

    fn share(root: &TestRoot, machine: &Machine) -> Share {
        Share::take(machine, root.path(), Some(&tag()), LONGEST)
    }

    #[test]
    fn an_action_waits_for_another_whatever_the_tag_and_no_longer_than_that_takes() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let held = held(&root, &machine, Action::Remove);
        let (file, at) = (held.file, Duration::from_secs(7));
        machine.state().after(at, move |_| drop(file));
        let turn = take(&root, &machine, Action::Restore);
        assert!(matches!(turn, Turn::Locked { .. }), "{turn:?}");
        assert!(machine.now() >= at && machine.now() < at + PAUSE * 2, "{:?}", machine.now());
        assert_eq!(words(), ["INFO: waiting until remove, pid 700 has ended"]);
        assert_eq!(machine.deeds(), Vec::<String>::new());
    }

    #[test]
    fn the_time_counts_anew_for_each_holder() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let first = held(&root, &machine, Action::Remove).file;
        let path = root.path().to_owned();
        // Nobody waits 400 s for one, and all do for two of 300 s.
        machine.state().after(Duration::from_secs(290), move |state| {
            drop(first);
            let place = Place::of_node(&path).expect("a place");
            place.file.try_lock().expect("the lock");
            let deadline = 3_600_000 + 580_000;
            let record = Record { action: "recover".into(), pid: 701, started: STARTED, deadline };
            let text = serde_json::to_string(&record).expect("a record");
            place.file.write_all_at(format!("{text:<RECORD$}").as_bytes(), 0).expect("writing");
            state.after(Duration::from_secs(280), move |_| drop(place));
        });
        kit(701, "recover", &machine);
        let turn = take(&root, &machine, Action::Remove);
        assert!(matches!(turn, Turn::Locked { .. }));
        assert!(machine.now() >= Duration::from_secs(570), "{:?}", machine.now());
        assert_eq!(machine.deeds(), Vec::<String>::new(), "both were in their time");
    }

    #[test]
    fn a_holder_that_is_stopped_or_past_its_time_is_ended_before_the_lock_is_taken() {
        for (stopped, deadline, words_of) in [
            (true, LONGEST, "it is stopped"),
            (false, Duration::from_secs(9), "it is past its deadline"),
        ] {
            let (root, machine) = (TestRoot::new(), Machine::new());
            let deadline = machine.since_boot() + deadline;
            let held = held_until(&root, &machine, Action::Restore, OTHER, deadline);
            if stopped {
                machine.change(OTHER, |process| process.state = 'T');
            }
            let file = held.file;
            // The kernel releases it when the process is dead.
            machine.state().after(Duration::from_secs(10), move |_| drop(file));
            let turn = take(&root, &machine, Action::Remove);
            assert!(matches!(turn, Turn::Locked { .. }));
            assert_eq!(machine.deeds(), ["KILL 700"]);
            let words = words().concat();
            assert!(
                words.contains(&format!("terminating restore, pid 700: {words_of}")),
                "{words}"
            );
        }
    }

    #[test]
    fn an_action_with_a_deadline_waits_for_half_of_it_and_then_ends_the_holder() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let file = held(&root, &machine, Action::Restore).file;
        let half = Duration::from_secs(10);
        // The kernel releases it when the process is dead.
        machine.state().after(half + PAUSE * 2, move |_| drop(file));
        let times = (LONGEST, Some(half * 2));
        let turn = Turn::take(&machine, root.path(), None, Action::Remove, times);
        assert!(matches!(turn, Turn::Locked { .. }), "{turn:?}");
        assert!(machine.now() >= half && machine.now() < half + PAUSE * 4, "{:?}", machine.now());
        assert_eq!(machine.deeds(), ["KILL 700"]);
        assert!(words().concat().contains("restore, pid 700: this action must end soon"));
    }

    #[test]
    fn a_holder_that_nothing_ends_is_not_waited_for_for_ever() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let _held = held_until(&root, &machine, Action::Restore, OTHER, machine.since_boot());
        machine.change(OTHER, |process| process.state = 'D');
        let turn = take(&root, &machine, Action::Remove);
        let above = File::open(root.path().join("run")).expect("the directory");
        assert!(matches!(turn, Turn::Locked { .. }), "it has its SIGKILL, and does nothing more");
        assert!(matches!(above.try_lock(), Err(TryLockError::WouldBlock)), "the next one waits");
        assert!(machine.now() <= END_WAIT + PAUSE * 3, "{:?}", machine.now());
    }

    #[test]
    fn a_lock_is_kept_beside_one_without_its_file_that_nothing_ends() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        kit(OTHER, "restore", &machine);
        machine.change(OTHER, |process| process.state = 'D');
        let line = "lock:\t1: FLOCK  ADVISORY  WRITE 700 00:15:99 0 EOF\n";
        root.write("proc/700/fdinfo/6", line);
        let turn = take(&root, &machine, Action::Remove);
        let file = File::open(root.path().join(RUN_DIRECTORY).join(FILE)).expect("the file");
        assert!(matches!(turn, Turn::Locked { .. }), "{turn:?}");
        assert!(matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
        assert_eq!(machine.deeds(), ["KILL 700"]);
        assert!(machine.now() <= LONGEST + END_WAIT + PAUSE * 4, "{:?}", machine.now());
    }

    #[test]
    fn a_holder_that_takes_a_moment_to_die_is_waited_for() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let held = held_until(&root, &machine, Action::Restore, OTHER, machine.since_boot());
        machine.change(OTHER, |process| process.state = 'D');
        let (file, at) = (held.file, Duration::from_secs(1));
        machine.state().after(at, move |_| drop(file));
        let turn = take(&root, &machine, Action::Remove);
        assert!(matches!(turn, Turn::Locked { .. }), "{turn:?}");
        assert!(machine.now() >= at && machine.now() < END_WAIT, "{:?}", machine.now());
    }

    #[test]
    fn whoever_acts_without_his_lock_file_is_waited_for_all_the_same() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let _held = held(&root, &machine, Action::Restore);
        std::fs::remove_file(root.path().join(RUN_DIRECTORY).join(FILE)).expect("removing it");
        let line = "flags:\t02\nlock:\t1: FLOCK  ADVISORY  WRITE 700 00:15:99 0 EOF\n";
        root.write("proc/700/fdinfo/6", line);
        let locks = root.path().join("proc/700/fdinfo/6");
        machine.state().after(Duration::from_secs(4), move |_| {
            std::fs::write(locks, "").expect("it has ended");
        });
        let turn = take(&root, &machine, Action::Remove);
        assert!(matches!(turn, Turn::Locked { .. }));
        assert!(machine.now() >= Duration::from_secs(4), "{:?}", machine.now());
        assert_eq!(words(), ["INFO: waiting until restore, pid 700 has ended"]);
    }

    #[test]
    fn of_two_that_have_a_lock_each_the_younger_waits() {
        for (started, waits) in [(STARTED - 1, true), (STARTED + 1, false)] {
            let (root, machine) = (TestRoot::new(), Machine::new());
            kit(i32::try_from(std::process::id()).expect("a pid"), "remove", &machine);
            kit(OTHER, "restore", &machine);
            machine.change(OTHER, |process| process.started = started);
            let line = "lock:\t1: FLOCK  ADVISORY  WRITE 700 00:15:99 0 EOF\n";
            root.write("proc/700/fdinfo/6", line);
            machine.state().after(Duration::from_secs(4), |state| state.end(OTHER));
            assert!(matches!(take(&root, &machine, Action::Remove), Turn::Locked { .. }));
            assert_eq!(machine.now() >= Duration::from_secs(4), waits, "{:?}", machine.now());
        }
    }

    #[test]
    fn a_holder_that_says_nothing_is_ended_when_it_takes_longer_than_any_may() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let held = held(&root, &machine, Action::Restore);
        held.file.write_all_at(&[b' '; RECORD], 0).expect("writing");
        show_lock(&root, &held.file, "WRITE");
        let file = held.file;
        machine.state().after(LONGEST + PAUSE * 4, move |_| drop(file));
        assert!(matches!(take(&root, &machine, Action::Remove), Turn::Locked { .. }));
        assert_eq!(machine.deeds(), ["KILL 700"]);
    }

    #[test]
    fn an_action_of_a_kit_before_this_one_is_waited_for() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        kit(OTHER, "restore", &machine);
        root.write("run/dovecot-ark/a", "restore, pid 700");
        let old = File::open(root.path().join("run/dovecot-ark/a")).expect("its lock");
        old.try_lock().expect("the lock");
        let Share::Busy(holder) = share(&root, &machine) else { panic!("not busy") };
        assert_eq!(holder.to_string(), "restore, pid 700");
        machine.state().after(Duration::from_secs(4), move |_| drop(old));
        assert!(matches!(take(&root, &machine, Action::Remove), Turn::Locked { .. }));
        assert!(machine.now() >= Duration::from_secs(4), "{:?}", machine.now());
    }

    #[test]
    fn a_quick_check_does_not_wait_and_does_not_exclude_its_kind() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let held = held(&root, &machine, Action::Recover);
        let Share::Busy(holder) = share(&root, &machine) else { panic!("not busy") };
        assert_eq!(holder.to_string(), "recover, pid 700");
        assert_eq!(machine.now(), Duration::ZERO);
        drop(held);
        let _one = share(&root, &machine);
        assert!(matches!(share(&root, &machine), Share::Held { .. }));
    }

    #[test]
    fn a_quick_check_believes_no_holder_that_is_stopped_traced_dead_or_past_its_time() {
        type Change = fn(&mut Process);
        let cases: [(&str, bool, Change); 5] = [
            ("at work", true, |_| ()),
            ("stopped", false, |process| process.state = 'T'),
            ("traced", false, |process| process.state = 't'),
            ("waiting for a disk", true, |process| process.state = 'D'),
            ("another process", false, |process| process.started += 1),
        ];
        for (case, believed, change) in cases {
            let (root, machine) = (TestRoot::new(), Machine::new());
            let _held = held(&root, &machine, Action::Restore);
            machine.change(OTHER, change);
            assert_eq!(matches!(share(&root, &machine), Share::Busy(_)), believed, "{case}");
            let told = running(&machine, root.path(), &tag(), LONGEST);
            assert_eq!(told.is_some(), believed, "{case}");
        }
        let (root, machine) = (TestRoot::new(), Machine::new());
        let _held = held_until(&root, &machine, Action::Restore, OTHER, machine.since_boot());
        assert!(matches!(share(&root, &machine), Share::Busy(_)));
        machine.sleep(Duration::from_millis(1));
        assert!(matches!(share(&root, &machine), Share::Overdue(_)));
    }

    #[test]
    fn an_action_ends_a_quick_check_that_is_stopped_and_waits_for_one_that_is_not() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let place = Place::of_node(root.path()).expect("a place");
        place.file.try_lock_shared().expect("a share");
        kit(OTHER, "quickCheck", &machine);
        machine.change(OTHER, |process| process.state = 'T');
        let data = place.file.metadata().expect("its place");
        let (major, minor) = (nix::sys::stat::major(data.dev()), nix::sys::stat::minor(data.dev()));
        let inode = data.ino();
        let line =
            format!("lock:\t1: FLOCK  ADVISORY  READ 1 {major:02x}:{minor:02x}:{inode} 0 EOF\n");
        root.write("proc/700/fdinfo/6", &line);
        machine.state().after(Duration::from_secs(1), move |_| drop(place));
        assert!(matches!(take(&root, &machine, Action::Remove), Turn::Locked { .. }));
        assert_eq!(machine.deeds(), ["KILL 700"]);
    }

    #[test]
    fn whoever_holds_the_lock_and_is_nobody_of_the_kit_is_waited_for_as_a_quick_check() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        root.write("run/dovecot-ark/.lock", "garbage");
        let place = Place::of_node(root.path()).expect("a place");
        place.file.try_lock().expect("the lock");
        machine.add(child(OTHER, "flock"), 1, OTHER);
        assert!(matches!(take(&root, &machine, Action::Remove), Turn::Unlocked));
        assert!(machine.now() >= quick_check::LIMIT && machine.now() < quick_check::LIMIT * 2);
        assert!(matches!(share(&root, &machine), Share::Held { .. }), "it excuses nothing");
    }

    #[test]
    fn the_record_is_of_one_length_and_goes_with_the_lock() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let own = i32::try_from(std::process::id()).expect("a pid");
        kit(own, "restore", &machine);
        let turn = take(&root, &machine, Action::Restore);
        let path = root.path().join(RUN_DIRECTORY).join(FILE);
        let text = std::fs::read_to_string(&path).expect("the record");
        assert_eq!(text.len(), RECORD);
        let record: Record = serde_json::from_str(&text).expect("a record");
        assert_eq!((record.pid, &*record.action), (own, "restore"));
        assert_eq!(record.deadline, 3_600_000 + 300_000);
        drop(turn);
        assert_eq!(std::fs::read_to_string(&path).expect("the record").trim(), "");
    }

    #[test]
    fn the_next_holder_is_not_ended_for_the_time_that_it_waited_itself() {
        // It began long ago, has just got the lock, and has not said yet who it is.
        let (root, machine) = (TestRoot::new(), Machine::new());
        let held = held(&root, &machine, Action::Recover);
        machine.change(OTHER, |process| process.started = 1);
        held.file.write_all_at(&[b' '; RECORD], 0).expect("writing");
        show_lock(&root, &held.file, "WRITE");
        let (file, info) = (held.file, root.path().join("proc/700/fdinfo/6"));
        machine.state().after(Duration::from_secs(100), move |_| {
            std::fs::remove_file(info).expect("it has ended");
            drop(file);
        });
        assert!(matches!(take(&root, &machine, Action::Remove), Turn::Locked { .. }));
        assert_eq!(machine.deeds(), Vec::<String>::new(), "nobody is ended");
        assert_eq!(words(), ["INFO: waiting until recover, pid 700 has ended"]);
    }

    #[test]
    fn a_quick_check_that_does_not_end_in_its_time_is_ended() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        kit(OTHER, "quickCheck", &machine);
        let place = Place::of_node(root.path()).expect("a place");
        place.file.try_lock_shared().expect("a share");
        show_lock(&root, &place.file, "READ");
        machine.state().after(quick_check::LIMIT + PAUSE * 4, move |_| drop(place));
        let turn = take(&root, &machine, Action::Remove);
        assert!(matches!(turn, Turn::Locked { .. }), "{turn:?}");
        assert_eq!(machine.deeds(), ["KILL 700"]);
        let at = Duration::from_millis(machine.state().journal[0].0.try_into().expect("a time"));
        assert!(at > quick_check::LIMIT && at < quick_check::LIMIT + PAUSE * 4, "{at:?}");
    }

    #[test]
    fn a_lock_file_that_is_replaced_meanwhile_excludes_nobody_and_is_locked_anew() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let held = held(&root, &machine, Action::Remove);
        let path = root.path().join(RUN_DIRECTORY).join(FILE);
        let (old, new) = (held.file, path.clone());
        machine.state().after(Duration::from_secs(1), move |_| {
            std::fs::remove_file(&new).expect("removing it");
            std::fs::write(&new, "").expect("another one");
            drop(old);
        });
        let turn = take(&root, &machine, Action::Restore);
        assert!(matches!(turn, Turn::Locked { .. }), "{turn:?}");
        let other = File::open(&path).expect("the file that others would lock");
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    }

    #[test]
    fn the_record_of_one_that_has_just_taken_the_lock_is_waited_for_a_moment() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let held = held(&root, &machine, Action::Remove);
        let record = std::fs::read(root.path().join(RUN_DIRECTORY).join(FILE)).expect("the record");
        held.file.write_all_at(&[b' '; RECORD], 0).expect("writing");
        let late = held.file.try_clone().expect("the file");
        machine.state().after(RECORD_WAIT / 2, move |_| {
            late.write_all_at(&record, 0).expect("writing");
        });
        assert!(matches!(share(&root, &machine), Share::Busy(_)));
        assert!(machine.now() >= RECORD_WAIT / 2 && machine.now() < RECORD_WAIT);
        held.file.write_all_at(&[b' '; RECORD], 0).expect("writing");
        let before = machine.now();
        assert!(matches!(share(&root, &machine), Share::Held { .. }), "nobody says who he is");
        let waited = machine.now().saturating_sub(before);
        assert!(waited >= RECORD_WAIT && waited <= RECORD_WAIT + PAUSE, "{waited:?}");
    }

    #[test]
    fn one_that_has_waited_long_itself_is_believed_by_its_record() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let held = held(&root, &machine, Action::Recover);
        machine.change(OTHER, |process| process.started = 1);
        show_lock(&root, &held.file, "WRITE");
        held.file.write_all_at(&[b' '; RECORD], 0).expect("writing");
        let late = held.file.try_clone().expect("the file");
        machine.state().after(RECORD_WAIT / 2, move |_| {
            let deadline = 3_600_000 + 300_000;
            let record = Record { action: "recover".into(), pid: OTHER, started: 1, deadline };
            let text = serde_json::to_string(&record).expect("a record");
            late.write_all_at(format!("{text:<RECORD$}").as_bytes(), 0).expect("writing");
        });
        assert!(matches!(share(&root, &machine), Share::Busy(_)));
    }

    #[test]
    fn whoever_only_asks_follows_no_link_and_waits_for_no_fifo() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let held = held(&root, &machine, Action::Remove);
        let path = root.path().join(RUN_DIRECTORY).join(FILE);
        assert!(running(&machine, root.path(), &tag(), LONGEST).is_some());
        let elsewhere = root.path().join("elsewhere");
        std::fs::rename(&path, &elsewhere).expect("moving it");
        std::os::unix::fs::symlink(&elsewhere, &path).expect("a link");
        assert_eq!(running(&machine, root.path(), &tag(), LONGEST), None);
        std::fs::remove_file(&path).expect("removing it");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        assert_eq!(running(&machine, root.path(), &tag(), LONGEST), None);
        drop(held);
    }

    #[test]
    fn where_the_directory_cannot_be_used_the_one_above_it_is_locked() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        root.write("run/dovecot-ark", "a file where a directory should be");
        let turn = take(&root, &machine, Action::Remove);
        assert!(matches!(turn, Turn::Locked { .. }), "{turn:?}");
        let above = File::open(root.path().join("run")).expect("the directory");
        assert!(matches!(above.try_lock(), Err(TryLockError::WouldBlock)));
        drop(turn);
        above.try_lock().expect("it is given back");

        let nowhere = TestRoot::new();
        nowhere.write("run", "a file where a directory should be");
        // A file is as good to lock.
        assert!(matches!(take(&nowhere, &machine, Action::Remove), Turn::Locked { .. }));
    }
}
