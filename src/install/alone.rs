//! One install or uninstall at a time on a node.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

use crate::error::Error;
use crate::system::{RUN_FOLDER, System};

/// The lock's name; no tag becomes a file name that begins with a dot.
const NAME: &str = ".install";

/// How long another run is waited for. It takes seconds, unless Dovecot starts slowly.
const LIMIT: Duration = Duration::from_mins(3);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// The right to change the node, released by the kernel when its holder dies, and with it the
/// commands that it gave: one that outlives a killed run is waited for by the next.
#[derive(Debug)]
pub(super) struct Alone(File);

impl Alone {
    /// Keeps the right from the commands that are given from now on: a daemon that one of them
    /// starts would hold it as long as it lives.
    pub(super) fn keep(&self) {
        let _ = fcntl(&self.0, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }

    /// Waits for the right, at most 3 minutes.
    ///
    /// # Errors
    ///
    /// When another run keeps it longer, or the lock cannot be made.
    pub(super) fn take(system: &impl System, root: &Path) -> Result<Self, Error> {
        let folder = root.join(RUN_FOLDER);
        let path = folder.join(NAME);
        let opened = DirBuilder::new().recursive(true).mode(0o755).create(&folder).and_then(|()| {
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .custom_flags(OFlag::O_NOFOLLOW.bits())
                .open(&path)
        });
        let mut file = opened.map_err(Error::file("opening", &path))?;
        let start = system.now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(cause)) => {
                    return Err(Error::file("locking", &path)(cause));
                }
                Err(TryLockError::WouldBlock) if system.now().saturating_sub(start) >= LIMIT => {
                    let holder = fs::read_to_string(&path).unwrap_or_default();
                    return Err(Error::Refused(format!(
                        "waiting for another install or uninstall ({holder}): it still runs after \
                         {} s",
                        LIMIT.as_secs()
                    )));
                }
                Err(TryLockError::WouldBlock) => system.sleep(PAUSE),
            }
        }
        // Who holds it is a help for the others, not a condition.
        let _ = file.set_len(0).and_then(|()| write!(file, "pid {}", std::process::id()));
        // Where that is refused, a killed run is only less well waited for.
        let _ = fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()));
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;

    #[test]
    fn a_second_run_waits_for_the_first_and_not_for_ever() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let first = Alone::take(&machine, root.path()).expect("the right");
        let error = Alone::take(&machine, root.path()).expect_err("it is taken").to_string();
        let holder = format!("(pid {}): it still runs after 180 s", std::process::id());
        assert!(error.contains(&holder) && machine.now() == LIMIT, "{error}");
        drop(first);
        Alone::take(&machine, root.path()).expect("it is free");
    }
}
