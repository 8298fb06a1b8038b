//! The four actions that LifeKeeper calls, one at a time for the node's Dovecot.

mod excuse;
mod holder;
mod lock;
mod quick_check;
mod recover;
mod remove;
mod restore;
mod wait;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use log::{info, warn};

use crate::dovecot::notes::{Excuse, Notes};
use crate::dovecot::verdict::Verdict;
use crate::error::Error;
use crate::lifekeeper::tag::Tag;
use crate::settings::Settings;
use crate::system::System;
use lock::{Share, Turn};

pub(crate) use lock::running;
pub(crate) use quick_check::LIMIT as QUICK_CHECK_LIMIT;

/// What LifeKeeper asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// Is Dovecot in operation?
    QuickCheck,
    /// Bring it into service.
    Restore,
    /// Take it out of service.
    Remove,
    /// Repair it on this node.
    Recover,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QuickCheck => "quickCheck",
            Self::Restore => "restore",
            Self::Remove => "remove",
            Self::Recover => "recover",
        })
    }
}

/// Performs an action on the resource `tag`. quickCheck does not wait for another action: it
/// succeeds while one runs, since what it would see means nothing. The other three wait for each
/// other and for a running quickCheck.
///
/// # Errors
///
/// The reason for exit status 1.
pub(crate) fn perform(
    action: Action,
    tag: &Tag,
    system: &impl System,
    settings: &Settings,
    root: &Path,
) -> Result<(), Error> {
    let change = match action {
        Action::QuickCheck => return check(tag, system, settings, root),
        Action::Restore => restore::restore,
        Action::Remove => remove::remove,
        Action::Recover => recover::recover,
    };
    let _turn = Turn::take(system, root, tag, action, longest(settings));
    if matches!(action, Action::Restore | Action::Remove) {
        // What a check excused is over; a recover may be called because it was excused too often.
        Excuse::erase(root);
    }
    change(system, settings, root, &mut Notes::read(system, root))
}

/// Performs a quickCheck, unless an action runs that may.
fn check(tag: &Tag, system: &impl System, settings: &Settings, root: &Path) -> Result<(), Error> {
    let share = Share::take(system, root, tag, longest(settings));
    match &share {
        Share::Busy(holder) => {
            let verdict = Verdict::during(&holder.to_string());
            info!("not checked: {holder} is running; {}", verdict.consequence());
            return Ok(());
        }
        Share::Overdue(holder) => {
            warn!("{holder} is stopped or past its deadline; checking all the same");
        }
        Share::Held { .. } => {}
    }
    quick_check::quick_check(system, settings, root, &mut Notes::read(system, root))
}

/// The longest that another action may hold the lock: as long as a recover may take.
pub(crate) fn longest(settings: &Settings) -> Duration {
    recover::longest(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::End;
    use crate::system::fake::{Machine, words};
    use crate::test_root::TestRoot;

    fn tag() -> Tag {
        Tag::parse("dovecot").expect("a tag")
    }

    fn try_to(action: Action, machine: &Machine, root: &TestRoot) -> bool {
        perform(action, &tag(), machine, &Settings::default(), root.path()).is_ok()
    }

    #[test]
    fn each_action_does_its_own() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        assert!(!try_to(Action::QuickCheck, &machine, &root));
        assert!(try_to(Action::Restore, &machine, &root));
        assert!(try_to(Action::QuickCheck, &machine, &root));
        assert!(try_to(Action::Recover, &machine, &root));
        assert_eq!(machine.count("service dovecot stop"), 1);
        assert!(try_to(Action::Remove, &machine, &root));
        assert!(machine.masters().is_empty());
        assert!(!try_to(Action::QuickCheck, &machine, &root));
    }

    #[test]
    fn a_quick_check_during_another_action_succeeds_at_once_and_looks_at_nothing() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let lock = lock::tests::held(&root, &machine, Action::Remove);
        assert!(try_to(Action::QuickCheck, &machine, &root));
        assert_eq!((machine.deeds(), machine.now()), (vec![], Duration::ZERO));
        assert!(words().concat().starts_with("INFO: not checked: remove, pid "), "{:?}", words());
        drop(lock);
        assert!(!try_to(Action::QuickCheck, &machine, &root));
    }

    #[test]
    fn an_action_waits_for_another_as_long_as_a_recover_may_take() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let _lock = lock::tests::held(&root, &machine, Action::Recover);
        assert!(try_to(Action::Restore, &machine, &root), "then it goes on");
        let waited = machine.now();

        let slow = Machine::running();
        for verb in ["start", "stop", "status"] {
            slow.reply(verb, |_| (End::Exited(1), Duration::MAX));
        }
        slow.change(100, |master| master.state = 'D');
        slow.state().programs.push("doveconf");
        slow.answer("doveconf", End::Exited(89), Duration::from_secs(4), "");
        slow.state().ports.insert(143, crate::system::fake::Port::Silent);
        assert!(!try_to(Action::Recover, &slow, &TestRoot::new()));
        assert!(slow.now() <= waited, "{:?} {waited:?}", slow.now());
    }
}
