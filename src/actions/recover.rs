//! Repairs Dovecot on this node: remove, then restore.

use std::path::Path;
use std::time::Duration;

use log::warn;

use super::{remove, restore};
use crate::dovecot::instance::{self, Instance};
use crate::dovecot::notes::Notes;
use crate::dovecot::{checks, mistake};
use crate::error::Error;
use crate::settings::Settings;
use crate::system::System;

/// Stops Dovecot and starts it again. The verdict is that of restore: where something outlived
/// its SIGKILL, a Dovecot that serves is still better than a failover, in which the same remove
/// would fail again and halt the node.
///
/// A Dovecot that serves and could not be started again is left alone: with a broken configuration,
/// stopping it would turn a warning into an outage. Its status is not asked: Debian's init script
/// reads the configuration for it, and says 3 where that is broken. A wrong yes leaves users served
/// and a warning at each recover; a wrong no throws them out and nobody comes back.
///
/// # Errors
///
/// Those of restore.
pub(super) fn recover(
    system: &impl System,
    settings: &Settings,
    root: &Path,
    notes: &mut Notes,
) -> Result<(), Error> {
    let instance = Instance::find(system, root, &settings.service, notes);
    if let Some(cause) = mistake::look(system, &instance).mistake()
        && let seen = checks::check(system, settings, root, notes)?
        && !seen.has_no_master()
        && seen.refused.is_empty()
    {
        warn!("Dovecot is in operation and left running: it could not start again: {cause}");
        return Ok(());
    }
    if let Err(cause) = remove::remove(system, settings, root, notes) {
        warn!("{cause}");
    }
    restore::restore(system, settings, root, notes)
}

/// The longest that [`recover`] may take.
pub(super) fn longest(settings: &Settings) -> Duration {
    let look = instance::LIMIT + mistake::LIMIT + checks::LIMIT;
    look + remove::longest(settings) + restore::longest(settings)
}

#[cfg(test)]
mod tests {
    use super::{Duration, Error, Notes, Settings};
    use crate::system::fake::{MASTER, Machine, child, words};
    use crate::system::{End, Process};
    use crate::test_root::TestRoot;

    fn recover(machine: &Machine, settings: &Settings) -> Result<(), Error> {
        super::recover(machine, settings, TestRoot::new().path(), &mut Notes::default())
    }

    #[test]
    fn it_removes_and_then_restores() {
        let machine = Machine::running();
        recover(&machine, &Settings::default()).expect("success");
        let commands: Vec<_> =
            machine.deeds().into_iter().filter(|deed| deed.starts_with("service")).collect();
        assert_eq!(
            commands,
            [
                "service dovecot stop",
                "service dovecot status",
                "service dovecot start",
                "service dovecot status"
            ]
        );
        assert_ne!(machine.masters(), [MASTER], "it is another master");
    }

    #[test]
    fn a_dovecot_that_serves_and_could_not_start_again_is_left_running() {
        let machine = Machine::running();
        machine.state().programs.push("doveconf");
        machine.complain("doveconf", End::Exited(89), "doveconf: Fatal: /etc/x line 2: Garbage");
        recover(&machine, &Settings::default()).expect("it serves");
        assert_eq!((machine.masters(), machine.count("service dovecot stop")), (vec![MASTER], 0));
        assert_eq!(
            words(),
            ["WARN: Dovecot is in operation and left running: it could not start again: /etc/x \
              line 2: Garbage"]
        );
        machine.reply("status", |_| (End::Exited(3), Duration::from_millis(10)));
        recover(&machine, &Settings::default()).expect("it serves, whatever its script says");
        assert_eq!(machine.count("service dovecot stop"), 0);
        machine.state().ports.insert(143, crate::system::fake::Port::Refusing);
        recover(&machine, &Settings::default()).expect_err("it does not serve");
        assert_eq!(machine.count("service dovecot stop"), 1);
    }

    #[test]
    fn a_restore_that_fails_makes_it_fail() {
        let machine = Machine::running();
        machine.reply("start", |_| (End::Exited(1), Duration::from_millis(50)));
        let error = recover(&machine, &Settings::default()).expect_err("it never starts");
        assert!(error.to_string().starts_with("starting Dovecot: "), "{error}");
    }

    #[test]
    fn a_remove_that_fails_is_told_and_the_restore_decides() {
        let machine = Machine::running();
        machine.add(Process { state: 'D', ..child(102, "imap") }, MASTER, MASTER);
        recover(&machine, &Settings::default()).expect("a new master serves");
        assert!(words().iter().any(|line| line.contains("still running after SIGKILL: pid 102")));
    }
}
