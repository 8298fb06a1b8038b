//! Ends by signals what a stop command has left.

use std::path::Path;
use std::time::Duration;

use super::wait::until;
use crate::dovecot::cgroup;
use crate::dovecot::identity::{Census, Family, Weight};
use crate::error::Error;
use crate::messages::{Message, warning};
use crate::process::{Process, Signal};
use crate::settings::Wait;
use crate::system::System;

/// How long SIGTERM is given to work; a session that can end in good order does it at once.
pub const TERM_WAIT: Duration = Duration::from_secs(2);

/// The longest wait after SIGKILL; only a process stuck in the kernel outlives it.
pub const KILL_WAIT: Duration = Duration::from_secs(3);

/// The longest that [`end`] takes.
pub(super) const KILL_TIME: Duration = TERM_WAIT.saturating_add(KILL_WAIT);

/// Lets those go on whom somebody has stopped, or frozen by a control group.
pub(super) fn wake(system: &impl System, root: &Path, family: &Family) {
    for member in family.all() {
        if let Some(groups) = system.control_groups(member.process.pid) {
            cgroup::thaw(root, &groups);
        }
        if member.process.state == 'T' {
            warning!(
                Message::Resumed,
                "resuming {} with SIGCONT so that it can terminate",
                member.process
            );
            system.signal(&member.process, Signal::Cont);
        }
    }
}

/// What signals did not end.
#[must_use]
#[derive(Debug, Default)]
pub(super) struct Survivors {
    /// Outlived SIGKILL, and is Dovecot's without doubt.
    failing: Vec<Process>,
    /// Came after the last signal, or can have been arranged by a user.
    others: Vec<Process>,
}

impl Survivors {
    /// Warns of processes from which nothing can be concluded.
    ///
    /// # Errors
    ///
    /// [`Error::StillRunning`] with the others.
    pub(super) fn judge(self) -> Result<(), Error> {
        if !self.others.is_empty() {
            let names: Vec<String> = self.others.iter().map(ToString::to_string).collect();
            warning!(
                Message::NotProven,
                "still running, but not proven to be Dovecot's: {}",
                names.join(", ")
            );
        }
        if self.failing.is_empty() { Ok(()) } else { Err(Error::StillRunning(self.failing)) }
    }
}

/// Ends whoever the census finds: SIGTERM, at most 2 s, then SIGKILL, at most 3 s. Returns what
/// is left.
///
/// # Errors
///
/// Any error from reading the process table.
pub(super) fn end(
    system: &impl System,
    root: &Path,
    census: &mut Census<'_>,
) -> Result<Survivors, Error> {
    // Whoever is ended now is not to be another unit's.
    census.doubt();
    let family = census.take(system)?;
    wake(system, root, &family);
    for member in family.all() {
        system.signal(&member.process, Signal::Term);
    }
    let term = (Wait::Ready, TERM_WAIT);
    let mut family = until(system, term, || census.take(system), Family::is_gone)?;
    if family.is_gone() {
        return Ok(Survivors::default());
    }
    let mut killed: Vec<Process> = Vec::new();
    // Whoever is dying may have had children meanwhile.
    let kill = || {
        // Who forks faster than one looks is ended at once there.
        census.groups.iter().for_each(|group| {
            group.kill(root);
        });
        for member in family.all() {
            system.signal(&member.process, Signal::Kill);
            if !killed.iter().any(|process| process.is(&member.process)) {
                killed.push(member.process);
            }
        }
        family = census.take(system)?;
        Ok(family.is_gone())
    };
    until(system, (Wait::Ready, KILL_WAIT), kill, |is_gone| *is_gone)?;
    let mut left = Survivors::default();
    for member in family.all() {
        let was_killed = killed.iter().any(|process| process.is(&member.process));
        let list = if was_killed && member.weight == Weight::Fails {
            &mut left.failing
        } else {
            &mut left.others
        };
        list.push(member.process);
    }
    Ok(left)
}
