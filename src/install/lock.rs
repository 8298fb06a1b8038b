//! One install or uninstall at a time on a node.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

use crate::error::{Error, refused};
use crate::files::{self, INSTALL_LOCK};
use crate::messages::{Message, warning};
use crate::system::System;

/// How long another run is waited for. It takes seconds, unless Dovecot starts slowly.
const LIMIT: Duration = Duration::from_mins(3);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// The right to change the node. The commands that its holder gives inherit it, so that one that
/// outlives a killed run is waited for by the next. So does a daemon that one of them starts: from
/// it the right is taken when the run ends, or, where that was killed, after [`LIMIT`].
#[derive(Debug)]
pub(super) struct InstallLock(File);

impl InstallLock {
    /// Waits for the right, at most 3 minutes.
    ///
    /// # Errors
    ///
    /// When another run keeps it longer, or the lock cannot be made.
    pub(super) fn take(system: &impl System, root: &Path) -> Result<Self, Error> {
        let path = root.join(INSTALL_LOCK);
        let start = system.now();
        let mut file = open(&path)?;
        loop {
            match file.try_lock() {
                // Others would lock another.
                Ok(()) if !files::is_at(&file, &path) => file = open(&path)?,
                Ok(()) => break,
                Err(TryLockError::Error(cause)) => {
                    return Err(Error::file("locking", &path)(cause));
                }
                Err(TryLockError::WouldBlock) if system.now().saturating_sub(start) >= LIMIT => {
                    let holder = fs::read_to_string(&path).unwrap_or_default();
                    if is_alive(system, &holder) {
                        return Err(refused!(
                            Message::OtherRun,
                            "waiting for another install or uninstall ({holder}): it still runs \
                             after {} s",
                            LIMIT.as_secs()
                        ));
                    }
                    // Where its command is at work after all, LifeKeeper's own locks stand between
                    // the two; to wait on would mean that nothing can be installed or uninstalled
                    // until LifeKeeper is started anew.
                    warning!(
                        Message::KilledRun,
                        "an install or uninstall ({holder}) was killed; not waiting for what it started"
                    );
                    if files::is_at(&file, &path) {
                        fs::remove_file(&path).map_err(Error::file("removing", &path))?;
                    }
                    file = open(&path)?;
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

impl Drop for InstallLock {
    /// Gives the right back for whoever has inherited it too.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

fn open(path: &Path) -> Result<File, Error> {
    let directory = path.parent().unwrap_or(path);
    let opened = DirBuilder::new().recursive(true).mode(0o755).create(directory).and_then(|()| {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path)
    });
    opened.map_err(Error::file("opening", path))
}

/// Whether the run lives that has written this.
fn is_alive(system: &impl System, holder: &str) -> bool {
    let pid = holder.strip_prefix("pid ").and_then(|pid| pid.parse().ok());
    pid.and_then(|pid| system.inspect(pid)).is_some_and(|process| !process.is_dead())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{Machine, child, words};
    use crate::test_root::TestRoot;

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).expect("a pid")
    }

    #[test]
    fn a_second_run_waits_for_the_first_and_not_for_ever() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        machine.add(child(own_pid(), "dovecot-ark"), 1, 1);
        let first = InstallLock::take(&machine, root.path()).expect("the right");
        let error = InstallLock::take(&machine, root.path()).expect_err("it is taken").to_string();
        let holder = format!("(pid {}): it still runs after 180 s", std::process::id());
        assert!(error.contains(&holder) && machine.now() == LIMIT, "{error}");
        drop(first);
        InstallLock::take(&machine, root.path()).expect("it is free");
    }

    #[test]
    fn what_has_inherited_the_right_keeps_nobody_waiting_after_the_run() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let first = InstallLock::take(&machine, root.path()).expect("the right");
        // A daemon has the same open file.
        let _inherited = first.0.try_clone().expect("its copy");
        drop(first);
        InstallLock::take(&machine, root.path()).expect("it is free");
        assert_eq!(machine.now(), Duration::ZERO);
    }

    #[test]
    fn what_a_killed_run_has_started_is_waited_for_and_not_for_ever() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let killed = InstallLock::take(&machine, root.path()).expect("the right");
        let copy = killed.0.try_clone().expect("its command's copy");
        std::mem::forget(killed);
        machine.state().after(Duration::from_secs(9), move |_| copy.unlock().expect("its end"));
        let second = InstallLock::take(&machine, root.path()).expect("the command has ended");
        assert!(machine.now() >= Duration::from_secs(9) && machine.now() < LIMIT);
        // A daemon does not end.
        std::mem::forget(second);
        let third = InstallLock::take(&machine, root.path()).expect("the daemon is no run");
        assert!(words().concat().contains("was killed; not waiting for what it started"));
        machine.add(child(own_pid(), "dovecot-ark"), 1, 1);
        InstallLock::take(&machine, root.path()).expect_err("one at a time all the same");
        drop(third);
    }

    #[test]
    fn a_lock_that_another_run_has_replaced_meanwhile_is_locked_anew() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let first = InstallLock::take(&machine, root.path()).expect("the right");
        let path = root.path().join(INSTALL_LOCK);
        let at = path.clone();
        machine.state().after(Duration::from_secs(1), move |_| {
            fs::remove_file(&at).and_then(|()| fs::write(&at, "")).expect("another file");
            drop(first);
        });
        let _second = InstallLock::take(&machine, root.path()).expect("the right");
        let others = open(&path).expect("the file that others would lock");
        assert!(matches!(others.try_lock(), Err(TryLockError::WouldBlock)));
    }
}
