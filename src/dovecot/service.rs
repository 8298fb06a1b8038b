//! Dovecot as a service of this machine: `service dovecot start`, `stop` and `status`.
//!
//! What these commands return is a hint. `start` has been seen to return 0 with nothing running
//! and `stop` with everything running, so nobody believes them but the status check.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use log::{debug, warn};

use super::notes::RunningCommand;
use crate::system::{Command, End, Ended, System};

/// The longest that `status` may take. It takes 10 ms, and 90 s when pid 1 hangs; with the rest
/// of quickCheck it must stay below the time that the cluster grants.
pub(crate) const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// The longest that `start` and `stop` may take; above the 90 s after which systemd gives up.
pub(crate) const CHANGE_LIMIT: Duration = Duration::from_mins(2);

/// The first pause between two looks while a stop command runs; each next one is half as long
/// again.
const FIRST_LOOK: Duration = Duration::from_millis(20);

/// The longest.
const LAST_LOOK: Duration = Duration::from_millis(200);

/// What `service dovecot status` says: check 3.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    /// It succeeded.
    Alive,
    /// It failed, in these words.
    Dead(String),
    /// It did not answer, for this reason: no verdict can rest on it.
    Unknown(String),
}

impl fmt::Display for Status {
    /// The word of the original kit's log line; what is not known to be alive is dead there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Alive { "alive" } else { "dead" })
    }
}

/// The status command on its way.
pub(crate) struct Asked<S: System>(Option<(Command, S::Running)>);

/// Asks for the status, and does not wait for the answer.
pub(crate) fn ask<S: System>(system: &S, name: &str) -> Asked<S> {
    Asked(command(system, name, "status").map(|command| {
        let running = system.start(&command);
        (command, running)
    }))
}

impl<S: System> Asked<S> {
    /// Waits until the answer is there, but no longer than this.
    pub(crate) fn let_come(&mut self, system: &S, limit: Duration) {
        if let Self(Some((_, running))) = self {
            let _ = system.let_end(running, limit);
        }
    }
}

/// Waits for the answer, at most [`STATUS_LIMIT`] from the question on.
pub(crate) fn status<S: System>(system: &S, asked: Asked<S>) -> Status {
    let Asked(Some((command, running))) = asked else {
        return Status::Unknown(missing());
    };
    let ended = system.finish(running, STATUS_LIMIT);
    debug!("`{command}`: {ended}");
    match ended.end {
        End::Exited(0) => Status::Alive,
        End::Exited(1) if is_about_the_bus(&ended.output) => {
            Status::Unknown(format!("`{command}`: {ended}"))
        }
        End::Exited(_) => Status::Dead(format!("`{command}`: {ended}")),
        End::Signalled(_) | End::TimedOut(_) | End::NotRun(_) => {
            Status::Unknown(format!("`{command}`: {ended}"))
        }
    }
}

/// Whether systemctl could not even ask. It says so with status 1, which it gives for nothing else
/// that a status can be.
fn is_about_the_bus(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["connect to bus", "d-bus connection", "connect to system scope bus"]
        .iter()
        .any(|sign| words.contains(sign))
}

/// How a start or stop command came out. What it did is for the checks to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It ended by itself, or could not be given.
    Ended,
    /// It was ended when its time was over.
    TimedOut,
}

/// Gives the start command. Under systemd the count of failed starts is set back first, because
/// after five within ten seconds it refuses all others, good ones included.
pub(crate) fn start(system: &impl System, root: &Path, name: &str) -> Outcome {
    if system.runs_systemd()
        && let Some(systemctl) = system.program("systemctl")
    {
        let reset = Command::new(systemctl, &["reset-failed", name]);
        // It fails for a unit that systemd has not loaded yet, which means nothing.
        run(system, &reset, STATUS_LIMIT);
    }
    change(system, root, (name, "start"), CHANGE_LIMIT, &mut || {})
}

/// Gives the stop command, which may take `limit`, and looks at the machine now and then while it
/// runs.
pub(crate) fn stop(
    system: &impl System,
    root: &Path,
    name: &str,
    limit: Duration,
    meanwhile: &mut dyn FnMut(),
) -> Outcome {
    change(system, root, (name, "stop"), limit, meanwhile)
}

/// Ends a start or stop command that an action left running when it was killed, with its process
/// group: what it does later nobody would know of.
pub(crate) fn end_left_command(system: &impl System, root: &Path) {
    if let Some((command, leader)) = RunningCommand::left(system, root) {
        warn!("terminating `{}` ({leader}): its action was killed", command.line);
        system.kill_group(&leader);
    }
    RunningCommand::erase(root);
}

fn change(
    system: &impl System,
    root: &Path,
    (name, verb): (&str, &str),
    limit: Duration,
    meanwhile: &mut dyn FnMut(),
) -> Outcome {
    let Some(command) = command(system, name, verb) else {
        warn!("{}", missing());
        return Outcome::Ended;
    };
    let start = system.now();
    // It begins when it is noted: else an action that is killed in between leaves one of which the
    // next knows nothing.
    let mut running = system.start(&command.clone().waiting());
    let noted = system
        .leader(&running)
        .map(|leader| RunningCommand::note(system, root, &leader, command.to_string()));
    system.release(&mut running);
    let mut pause = FIRST_LOOK;
    while let left = (start + limit).saturating_sub(system.now())
        && !left.is_zero()
        && !system.let_end(&mut running, pause.min(left))
    {
        let before = system.now();
        meanwhile();
        // On a large node a look takes its time, and must not take it from the stop.
        let took = system.now().saturating_sub(before);
        pause = (pause * 3 / 2).max(took * 4).min(LAST_LOOK);
    }
    let ended = system.finish(running, limit);
    drop(noted);
    debug!("`{command}`: {ended}");
    if ended.end != End::Exited(0) {
        warn!("`{command}`: {ended}");
    }
    match ended.end {
        End::TimedOut(_) => Outcome::TimedOut,
        End::Exited(_) | End::Signalled(_) | End::NotRun(_) => Outcome::Ended,
    }
}

/// `service NAME VERB`, or `systemctl VERB NAME` where `service` is missing.
fn command(system: &impl System, name: &str, verb: &str) -> Option<Command> {
    if let Some(service) = system.program("service") {
        return Some(Command::new(service, &[name, verb]));
    }
    system.program("systemctl").map(|systemctl| Command::new(systemctl, &[verb, name]))
}

fn missing() -> String {
    let folders = crate::system::PROGRAM_FOLDERS.join(", ");
    format!("looking for a service command: neither service nor systemctl is in {folders}")
}

fn run(system: &impl System, command: &Command, limit: Duration) -> Ended {
    let ended = system.run(command, limit);
    debug!("`{command}`: {ended}");
    ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::Machine;

    #[test]
    fn a_status_that_could_not_ask_is_no_answer() {
        for (end, words, known) in [
            (End::Exited(1), "Failed to connect to bus: No such file or directory", false),
            (End::Exited(1), "Failed to get D-Bus connection: Operation not permitted", false),
            (End::Exited(1), "dovecot is not running ... failed!", true),
            (End::Exited(3), "Active: inactive (dead)\nFailed to connect to bus", true),
        ] {
            let machine = Machine::running();
            machine.complain("service", end, words);
            let status = status(&machine, ask(&machine, "dovecot"));
            assert_eq!(matches!(status, Status::Dead(_)), known, "{words}: {status:?}");
            assert_eq!(matches!(status, Status::Unknown(_)), !known, "{words}: {status:?}");
        }
    }
}
