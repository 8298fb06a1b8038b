//! Repairs Dovecot on this node: remove, then restore.

use log::warn;

use super::{remove, restore};
use crate::error::Error;
use crate::settings::Settings;
use crate::system::System;

/// Stops Dovecot and starts it again. The verdict is that of restore: where something outlived
/// its SIGKILL, a Dovecot that serves is still better than a failover, in which the same remove
/// would fail again and halt the node.
///
/// # Errors
///
/// Those of restore.
pub(super) fn recover(system: &impl System, settings: &Settings) -> Result<(), Error> {
    if let Err(cause) = remove::remove(system, settings) {
        warn!("{cause}");
    }
    restore::restore(system, settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{MASTER, Machine, child, words};
    use crate::system::{End, Process};
    use std::time::Duration;

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
