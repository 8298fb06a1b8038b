//! One action at a time for each tag.
//!
//! The lock is an flock(2) on a file that stays: the kernel releases it when its holder dies, so
//! none can be stale. A quickCheck shares it with others of its kind and keeps it while it looks:
//! if a remove could begin meanwhile, the check would report the removed server as a fault, and
//! LifeKeeper would start it again.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use log::{info, warn};
use nix::fcntl::OFlag;

use super::{Action, quick_check};
use crate::lifekeeper::tag::Tag;
use crate::system::{RUN_FOLDER, System};

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// A lock, released when it is dropped or its holder dies. `None` inside when the file system
/// would give none: better an action without a lock than no action.
#[derive(Debug)]
pub(super) struct Lock {
    file: Option<File>,
}

/// Somebody else holds the lock.
#[derive(Debug)]
pub(super) struct Busy {
    /// Who, in its own words.
    pub(super) holder: String,
}

impl Lock {
    /// Takes a share in the lock for a quickCheck, without waiting.
    ///
    /// # Errors
    ///
    /// [`Busy`] while another action runs.
    pub(super) fn share(root: &Path, tag: &Tag) -> Result<Self, Busy> {
        let Some(file) = open(root, tag) else {
            return Ok(Self { file: None });
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                Err(Busy { holder: action_of(&file).unwrap_or_else(|| "an action".into()) })
            }
            Err(TryLockError::Error(_)) | Ok(()) => {
                // A holder that was killed could not take its name off.
                let _ = file.set_len(0);
                Ok(Self { file: Some(file) })
            }
        }
    }

    /// Takes the whole lock, and waits for it as long as its holder may keep it: `longest` for an
    /// action, [`quick_check::LIMIT`] for a quickCheck. Who keeps it longer hangs, and then going
    /// on is better than failing: a remove that fails halts the node.
    pub(super) fn take(
        system: &impl System,
        root: &Path,
        tag: &Tag,
        action: Action,
        longest: Duration,
    ) -> Self {
        let Some(mut file) = open(root, tag) else { return Self { file: None } };
        let start = system.now();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(cause)) => {
                    warn!("locking tag {tag}: {cause}; going on without a lock");
                    return Self { file: None };
                }
                Err(TryLockError::WouldBlock) => {
                    let holder = action_of(&file);
                    let limit = if holder.is_some() { longest } else { quick_check::LIMIT };
                    let holder = holder.unwrap_or_else(|| "a quickCheck".into());
                    let waited = system.now().saturating_sub(start);
                    if waited >= limit {
                        let seconds = waited.as_secs();
                        warn!("{holder} still runs after {seconds} s; going on beside it");
                        return Self { file: None };
                    }
                    if !told {
                        info!("waiting until {holder} has ended");
                        told = true;
                    }
                    system.sleep(PAUSE);
                }
            }
        }
        // Who holds it is a help for the others, not a condition.
        let _ = file.set_len(0).and_then(|()| write!(file, "{action}, pid {}", std::process::id()));
        Self { file: Some(file) }
    }
}

impl Drop for Lock {
    /// Takes the name off, so that a quickCheck's share is not told under it.
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = file.set_len(0);
        }
    }
}

/// The action that runs for a tag, in its own words; a quickCheck is none. Changes nothing, and
/// stands in no action's way: the lock itself is tried, and given back at once, only where a name
/// stands in it, which may be that of a holder who was killed.
pub(crate) fn running(root: &Path, tag: &Tag) -> Option<String> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(root.join(RUN_FOLDER).join(tag.file_name()))
        .ok()?;
    let holder = action_of(&file)?;
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then_some(holder)
}

fn open(root: &Path, tag: &Tag) -> Option<File> {
    let folder = root.join(RUN_FOLDER);
    let path = folder.join(tag.file_name());
    let opened = fs::DirBuilder::new().recursive(true).mode(0o755).create(&folder).and_then(|()| {
        OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&path)
    });
    opened
        .inspect_err(|cause| {
            warn!("opening {}: {cause}; going on without a lock", path.display());
        })
        .ok()
}

/// The action that holds a lock, in its own words; a quickCheck leaves none.
fn action_of(file: &File) -> Option<String> {
    let mut words = [0; 64];
    let length = file.read_at(&mut words, 0).ok().filter(|length| *length > 0)?;
    Some(String::from_utf8_lossy(words.get(..length)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{Machine, words};
    use crate::test_root::TestRoot;

    const LIMIT: Duration = Duration::from_mins(5);

    fn tag(name: &str) -> Tag {
        Tag::parse(name).expect("a tag")
    }

    #[test]
    fn there_is_one_action_at_a_time_for_a_tag() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let held = Lock::take(&machine, root.path(), &tag("a"), Action::Remove, LIMIT);
        let other = Lock::take(&machine, root.path(), &tag("b"), Action::Remove, LIMIT);
        assert!(other.file.is_some(), "another tag has its own lock");
        assert_eq!((machine.now(), words()), (Duration::ZERO, vec![]));

        let late = Lock::take(&machine, root.path(), &tag("a"), Action::Restore, LIMIT);
        assert!(late.file.is_none() && machine.now() == LIMIT, "the wait has an end");
        let holder = format!("remove, pid {}", std::process::id());
        assert_eq!(
            words(),
            [
                format!("INFO: waiting until {holder} has ended"),
                format!("WARN: {holder} still runs after 300 s; going on beside it"),
            ]
        );

        drop((held, late));
        let lock = Lock::take(&machine, root.path(), &tag("a"), Action::Restore, LIMIT);
        assert!(lock.file.is_some() && machine.now() == LIMIT);
    }

    #[test]
    fn a_quick_check_does_not_wait_and_does_not_exclude_its_kind() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let held = Lock::take(&machine, root.path(), &tag("a"), Action::Recover, LIMIT);
        let busy = Lock::share(root.path(), &tag("a")).expect_err("it is held");
        assert_eq!(busy.holder, format!("recover, pid {}", std::process::id()));
        drop(held);
        let words = std::fs::read(root.path().join(RUN_FOLDER).join("a")).expect("the lock");
        assert_eq!(words, b"", "the name goes with the lock");
        let _one = Lock::share(root.path(), &tag("a")).expect("a share");
        let _two = Lock::share(root.path(), &tag("a")).expect("another share");
    }

    #[test]
    fn an_action_waits_for_a_quick_check_as_long_as_one_may_last() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        root.write("run/dovecot-ark/a", "remove, pid 1, killed");
        let _check = Lock::share(root.path(), &tag("a")).expect("a share");
        let lock = Lock::take(&machine, root.path(), &tag("a"), Action::Remove, LIMIT);
        assert!(lock.file.is_none() && machine.now() == quick_check::LIMIT);
        assert_eq!(words()[0], "INFO: waiting until a quickCheck has ended");
    }

    #[test]
    fn who_only_asks_is_told_the_running_action_and_leaves_no_trace() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        assert_eq!(running(root.path(), &tag("a")), None);
        assert!(!root.path().join("run").exists(), "nothing is made");

        let held = Lock::take(&machine, root.path(), &tag("a"), Action::Remove, LIMIT);
        let holder = format!("remove, pid {}", std::process::id());
        assert_eq!(running(root.path(), &tag("a")), Some(holder));
        assert_eq!(running(root.path(), &tag("b")), None, "another tag");
        drop(held);
        assert_eq!(running(root.path(), &tag("a")), None);

        let _check = Lock::share(root.path(), &tag("a")).expect("a share");
        assert_eq!(running(root.path(), &tag("a")), None, "a quickCheck is no action");
        root.write("run/dovecot-ark/c", "remove, pid 1, killed");
        assert_eq!(running(root.path(), &tag("c")), None);
        let lock = Lock::take(&machine, root.path(), &tag("c"), Action::Remove, LIMIT);
        assert!(lock.file.is_some() && machine.now() == Duration::ZERO, "it was given back");
    }

    #[test]
    fn an_action_goes_on_where_no_lock_can_be_had() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        root.write("run", "a file where a folder should be");
        assert!(Lock::take(&machine, root.path(), &tag("a"), Action::Remove, LIMIT).file.is_none());
        assert!(Lock::share(root.path(), &tag("a")).is_ok());
        let words = words();
        assert!(words.iter().all(|line| line.ends_with("going on without a lock")), "{words:?}");
        assert_eq!(words.len(), 2);
    }
}
