//! What excuses a Dovecot that is not in operation: its unit is on its way, or the node shuts down.
//!
//! A hook that restarts Dovecot (a new certificate, logrotate) and a node that is rebooted are no
//! faults, and a recover would throw out all users or make a failover of a reboot. An excuse holds
//! for a time only: a start that never ends, and a shutdown that hangs, must fail over.

use std::path::Path;
use std::time::Duration;

use crate::dovecot::notes::{Excuse, Reason};
use crate::dovecot::unit::{Manager, Motion};
use crate::system::System;

/// How long a node that shuts down is excused.
pub const SHUTDOWN_TIME: Duration = Duration::from_mins(3);

/// How long a stop may take that the check before has seen too. LifeKeeper's checks are farther apart;
/// of others, made every second, several fall into the stop of a busy Dovecot, which waits for its
/// clients: some 6 s, and with 2.4 and all processors busy 12 s.
pub const STOP_TIME: Duration = Duration::from_secs(20);

/// Why Dovecot may be out of operation at the moment, in the manager's words too.
pub(super) struct Plea {
    pub(super) reason: Reason,
    pub(super) words: String,
}

/// What the manager says in excuse.
pub(super) fn plea(manager: &Manager) -> Option<Plea> {
    let unit = manager.unit()?;
    if unit.node_stops {
        return Some(Plea { reason: Reason::Shutdown, words: "the node shuts down".into() });
    }
    unit.motion().map(|motion| Plea { reason: Reason::Motion(motion), words: unit.to_string() })
}

/// Whether it is an excuse still, and notes it for the next check. A unit that is on its way in two
/// checks in a row is a fault, unless it got from its stop to its start; so is one that falls back
/// from its start to its stop, as one that crashes again and again does.
pub(super) fn holds(system: &impl System, root: &Path, reason: Reason) -> bool {
    let before = Excuse::read(system, root).map(|before| (before.reason, before.age(system)));
    match (before, reason) {
        (Some((Reason::Shutdown, age)), Reason::Shutdown) => age < SHUTDOWN_TIME,
        (Some((Reason::Motion(Motion::Stopping), age)), Reason::Motion(Motion::Stopping)) => {
            age < STOP_TIME
        }
        (Some((Reason::Motion(Motion::Starting), _)), Reason::Motion(_)) => false,
        // One that is not noted would hold at each check, for ever. A wrong yes leaves a Dovecot down
        // that cannot start because `/run` is full; a wrong no makes a fault of a restart meanwhile.
        _ => Excuse::note(system, root, reason),
    }
}
