//! What the last actions came to, below `/run/dovecot-ark`, for whoever looks later.
//!
//! Three files, each one line of JSON as the other notes: the last action that changed something,
//! written when it begins and when it ends; the fault that nothing has ended yet, written by each
//! action that fails; and the fault before it, to which a success moves that file. A check that
//! passes writes nothing: it moves a file that almost never is there.
//!
//! Times count from the boot, so that a clock that is set meanwhile does not shift them, and a note
//! of another boot says nothing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::notes::{ago, millis, read, write};
use crate::files::RUN_DIRECTORY;
use crate::log::{readable, stamp};
use crate::system::System;
use crate::text::{MAX_LINE, cut, escaped, one_line};

/// The file with the last action that changed something.
const LAST: &str = ".last";

/// The file with the fault that nothing has ended.
const FAULT: &str = ".fault";

/// The file with the fault that a success has ended.
const PAST: &str = ".past";

/// An action and what became of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    /// Its name: `recover`.
    pub(crate) action: String,
    /// The tag that it was called with.
    pub(crate) tag: String,
    pub(crate) outcome: Outcome,
    /// Milliseconds since the boot: when the first of several failures in a row was noted.
    since: u64,
    /// The same, of this one.
    at: u64,
    /// The boot that this counts from.
    era: String,
}

/// What became of an action.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It has begun, and not said that it ended: it runs, or was killed.
    Begun,
    /// It succeeded.
    Done,
    /// It failed, for this reason.
    Failed(String),
}

impl Outcome {
    /// What an action that has ended came to.
    pub(crate) fn of<E: ToString>(result: &Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(cause) => Self::Failed(cut(&one_line(&cause.to_string()), MAX_LINE)),
        }
    }

    /// Why it failed, if it did.
    pub(crate) fn cause(&self) -> Option<&str> {
        match self {
            Self::Failed(cause) => Some(cause),
            Self::Begun | Self::Done => None,
        }
    }
}

impl Event {
    /// How long ago it was noted.
    pub(crate) fn age(&self, system: &impl System) -> Duration {
        ago(system, self.at)
    }

    /// How long ago the first of several failures in a row was noted.
    pub(crate) fn age_of_first(&self, system: &impl System) -> Duration {
        ago(system, self.since)
    }
}

/// What became of an action, in one word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum ActionResult {
    /// It has begun, and not said that it ended.
    Begun,
    /// It succeeded.
    Done,
    /// It failed.
    Failed,
}

/// An event with wall clock times, for output.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct EventReport {
    /// `quickCheck`, `restore`, `remove` or `recover`.
    pub(crate) action: String,
    /// What became of it; what has begun and does not run was killed.
    pub(crate) outcome: ActionResult,
    /// When it ended, or began: local time as RFC 3339 writes it.
    pub(crate) time: String,
    /// When the first of several failures in a row was noted.
    pub(crate) since: String,
    /// Why it failed.
    pub(crate) cause: Option<String>,
}

/// Whether an action that has begun still runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Runs {
    Yes,
    /// It does not, so that it was killed.
    No,
}

impl EventReport {
    /// The words for people, the same wherever they look.
    pub(crate) fn words(&self, runs: Runs) -> String {
        let (action, time) = (&self.action, readable(&self.time));
        match (self.outcome, &self.cause, runs) {
            (ActionResult::Begun, _, Runs::Yes) => format!("{action}, begun {time}"),
            (ActionResult::Begun, _, Runs::No) => format!("{action}, begun {time}, was killed"),
            (_, Some(cause), _) => format!("{action} failed {time}: {}", one_line(cause)),
            (_, None, _) => format!("{action} succeeded {time}"),
        }
    }
}

impl Event {
    /// Converts its times to this node's clock.
    pub(crate) fn told(&self, system: &impl System) -> EventReport {
        let outcome = match &self.outcome {
            Outcome::Begun => ActionResult::Begun,
            Outcome::Done => ActionResult::Done,
            Outcome::Failed(_) => ActionResult::Failed,
        };
        EventReport {
            action: escaped(&self.action),
            outcome,
            time: stamp(self.age(system)),
            since: stamp(self.age_of_first(system)),
            cause: self.outcome.cause().map(one_line),
        }
    }
}

/// What is noted of this boot.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct History {
    /// The last action that changed something.
    pub(crate) last: Option<Event>,
    /// The last failure, if no success came after it.
    pub(crate) fault: Option<Event>,
    /// The last failure after which a success came.
    pub(crate) past: Option<Event>,
}

impl History {
    pub(crate) fn read(system: &impl System, root: &Path) -> Self {
        let [last, fault, past] = [LAST, FAULT, PAST].map(|name| event(system, root, name));
        Self { last, fault, past }
    }
}

fn event(system: &impl System, root: &Path, name: &str) -> Option<Event> {
    read(root, name).filter(|event: &Event| event.era == system.era())
}

/// Notes that an action which changes something has begun, or what became of it.
pub(crate) fn note(system: &impl System, root: &Path, action: &str, tag: &str, outcome: Outcome) {
    match &outcome {
        Outcome::Begun => {}
        Outcome::Done => passed(root),
        Outcome::Failed(_) => failed(system, root, action, tag, outcome.clone()),
    }
    write(root, LAST, &new(system, action, tag, outcome, millis(system)));
}

/// Notes a failure. Several in a row are one fault, which has lasted since the first.
pub(crate) fn failed(system: &impl System, root: &Path, action: &str, tag: &str, outcome: Outcome) {
    let since = event(system, root, FAULT).map_or_else(|| millis(system), |first| first.since);
    write(root, FAULT, &new(system, action, tag, outcome, since));
}

/// Notes that a fault, if there is one, is over.
pub(crate) fn passed(root: &Path) {
    let directory = root.join(RUN_DIRECTORY);
    // Each passing check says this, and there is almost never one.
    let _ = fs::rename(directory.join(FAULT), directory.join(PAST));
}

fn new(system: &impl System, action: &str, tag: &str, outcome: Outcome, since: u64) -> Event {
    let (action, tag) = (action.to_owned(), tag.to_owned());
    Event { action, tag, outcome, since, at: millis(system), era: system.era() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;

    fn fail(machine: &Machine, root: &TestRoot, action: &str, cause: &str) {
        let tag = "dovecot";
        failed(machine, root.path(), action, tag, Outcome::Failed(cause.into()));
    }

    #[test]
    fn failures_in_a_row_are_one_fault_until_a_success_ends_it() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let read = || History::read(&machine, root.path());
        passed(root.path());
        assert_eq!(read(), History::default(), "nothing was, and nothing is written");
        assert!(!root.path().join("run").exists());
        fail(&machine, &root, "quickCheck", "no greeting");
        machine.sleep(Duration::from_mins(1));
        let tag = "dovecot";
        let outcome = Outcome::of(&Err::<(), _>("no\u{202e} start\nat all"));
        note(&machine, root.path(), "recover", tag, outcome);
        machine.sleep(Duration::from_secs(5));
        let fault = read().fault.expect("a fault");
        assert_eq!((&*fault.action, fault.age(&machine).as_secs()), ("recover", 5));
        assert_eq!(fault.age_of_first(&machine).as_secs(), 65);
        assert_eq!(fault.outcome.cause(), Some("no\\u{202e} start | at all"));
        assert_eq!(read().last.expect("an action").outcome, fault.outcome);

        note(&machine, root.path(), "restore", tag, Outcome::Done);
        let History { last, fault: none, past } = read();
        assert_eq!((none, past), (None, Some(fault)));
        assert_eq!(last.map(|one| one.outcome), Some(Outcome::Done));
        machine.state().era = "another boot".into();
        assert_eq!(read(), History::default());
    }

    #[test]
    fn an_action_that_was_killed_has_begun_and_not_ended() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let tag = "dovecot";
        note(&machine, root.path(), "remove", tag, Outcome::Begun);
        let History { last, fault, .. } = History::read(&machine, root.path());
        assert_eq!((last.map(|one| one.outcome), fault), (Some(Outcome::Begun), None));
    }
}
