//! The four actions that LifeKeeper calls, one at a time for the node's Dovecot; and what other engines
//! ask for beyond them.

mod consequence;
pub mod excuse;
mod holder;
mod lock;
mod monitor;
pub mod quick_check;
pub mod recover;
pub mod remove;
pub mod restore;
pub mod signals;
mod wait;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::dovecot::history::{self, Outcome};
use crate::dovecot::notes::{Excuse, Logins, Notes};
use crate::error::Error;
use crate::lifekeeper::tag::Tag;
use crate::messages::{Message, warning};
use crate::probe::endpoint::Depth;
use crate::settings::Settings;
use crate::system::System;
use lock::{Share, Turn};
use quick_check::Finding;

pub(crate) use lock::running;
pub(crate) use monitor::{Monitored, Occasion, missing, monitor, startable};
pub(crate) use quick_check::{LIMIT as QUICK_CHECK_LIMIT, longest as longest_checks};
// So long any action may hold the lock.
pub(crate) use recover::longest;

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
/// other and for a running quickCheck. Without a tag it is no resource of LifeKeeper's.
///
/// # Errors
///
/// The reason for exit status 1.
pub(crate) fn perform(
    action: Action,
    tag: Option<&Tag>,
    system: &impl System,
    settings: &Settings,
    root: &Path,
) -> Result<(), Error> {
    let name = action.to_string();
    let change = match action {
        Action::QuickCheck => {
            let checked = check(tag, system, settings, root).told();
            if let (Some(tag), Err(_)) = (tag, &checked) {
                history::failed(system, root, &name, tag.as_str(), Outcome::of(&checked));
            }
            return checked;
        }
        Action::Restore => restore::restore,
        Action::Remove => remove::remove,
        Action::Recover => recover::recover,
    };
    let times = (longest(settings), settings.left(system));
    let _turn = Turn::take(system, root, tag, action, times);
    if matches!(action, Action::Restore | Action::Remove) {
        // What a check excused is over; a recover may be called because it was excused too often.
        Excuse::erase(root);
    }
    let note = |outcome| {
        if let Some(tag) = tag {
            history::note(system, root, &name, tag.as_str(), outcome);
        }
    };
    note(Outcome::Begun);
    let done = change(system, settings, root, &mut Notes::read(system, root));
    note(Outcome::of(&done));
    match (action, tag) {
        // From now on a login must succeed once before one that fails is a fault.
        (Action::Restore, Some(_)) if done.is_ok() && settings.probe == Depth::Login => {
            Logins::restored(system, root);
        }
        // An engine without a recover; how deep it looks it says at each look.
        (Action::Restore, None) if done.is_ok() => Logins::restarted(system, root),
        (Action::Remove, None) => Logins::stopped(system, root),
        (Action::Restore | Action::Remove, _) => Logins::erase(root),
        (Action::QuickCheck | Action::Recover, _) => {}
    }
    done
}

/// Performs a quickCheck, unless an action runs that may.
fn check(tag: Option<&Tag>, system: &impl System, settings: &Settings, root: &Path) -> Finding {
    let longest = longest(settings);
    let share = Share::take(system, root, tag, longest);
    match &share {
        Share::Busy(holder) => return Finding::during(holder),
        Share::Overdue(holder) => {
            warning!(
                Message::CheckedBesides,
                "{holder} is stopped or past its deadline; checking all the same"
            );
        }
        Share::Held { .. } => {}
    }
    let found = quick_check::look(system, settings, root);
    if !found.is_fault() {
        return found;
    }
    // An action whose lock file was deleted works all the same. What it does now would be taken for a
    // fault, and its Dovecot started again behind it; a real fault that is passed over for its sake
    // is found by the next check. Only a fault pays for this look.
    let holder = holder::at_work(system, root).find(|holder| holder.is_believed(system, longest));
    holder.map_or(found, |holder| Finding::during(&holder))
}

/// The longest that a switchover may take: a remove here, a restore there.
pub(crate) fn longest_switchover(settings: &Settings) -> Duration {
    remove::longest(settings) + restore::longest(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::files::INSTALL_LOCK;
    use crate::system::fake::{Machine, words};
    use crate::test_root::TestRoot;

    fn tag() -> Tag {
        Tag::parse("dovecot").expect("a tag")
    }

    fn try_to(action: Action, machine: &Machine, root: &TestRoot) -> bool {
        perform(action, Some(&tag()), machine, &Settings::default(), root.path()).is_ok()
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
        let said = words().concat();
        assert!(said.starts_with("INFO: not checked: remove, pid "), "{said}");
        assert!(said.contains("verdict stopping"), "{said}");
        drop(lock);
        assert!(!try_to(Action::QuickCheck, &machine, &root));
    }

    #[test]
    fn an_action_that_has_lost_its_lock_file_excuses_a_fault_while_it_works_and_may() {
        type Change = fn(&Machine, &TestRoot);
        const FDINFO: &str = "proc/700/fdinfo/6";
        let cases: [(&str, bool, Change); 8] = [
            ("it works", true, |_, _| ()),
            ("it is stopped", false, |m, _| m.change(700, |p| p.state = 'T')),
            ("it is past its time", false, |m, _| m.change(700, |p| p.started = 100_000)),
            ("it has ended", false, |m, _| m.change(700, |p| p.state = 'Z')),
            ("a user's", false, |m, _| m.change(700, |p| p.users = [1000; 3])),
            ("it waits for this check", false, |_, root| root.write(FDINFO, "flags:\t02\n")),
            ("it has inherited the lock of an install", false, |_, root| {
                use std::os::unix::fs::MetadataExt;
                root.write(INSTALL_LOCK, "pid 699");
                let data = std::fs::metadata(root.path().join(INSTALL_LOCK)).expect("the lock");
                let device = data.dev();
                let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
                let inode = data.ino();
                let place = format!("{major:02x}:{minor:02x}:{inode}");
                root.write(
                    FDINFO,
                    &format!("lock:\t1: FLOCK  ADVISORY  WRITE 700 {place} 0 EOF\n"),
                );
            }),
            ("it checks too", false, |m, _| {
                m.show(700, |more| more.words = vec!["dovecot-ark".into(), "quickCheck".into()]);
            }),
        ];
        for (case, is_excused, change) in cases {
            let (root, machine) = (TestRoot::new(), Machine::new());
            let _held = lock::tests::held(&root, &machine, Action::Remove);
            let line = "flags:\t02\nlock:\t1: FLOCK  ADVISORY  WRITE 700 00:15:99 0 EOF\n";
            root.write(FDINFO, line);
            std::fs::remove_dir_all(root.path().join("run/dovecot-ark")).expect("removing it");
            change(&machine, &root);
            assert_eq!(try_to(Action::QuickCheck, &machine, &root), is_excused, "{case}");
            assert_eq!(words().concat().contains("not checked: remove, pid 700"), is_excused);
        }
    }

    #[test]
    fn a_remove_with_a_deadline_ends_all_in_its_time_though_the_lock_is_held_and_all_hangs() {
        for seconds in [10, 20, 60] {
            let (root, machine) = (TestRoot::new(), Machine::running());
            let lock = lock::tests::held(&root, &machine, Action::Restore);
            machine.change(100, |master| master.state = 'T');
            machine.reply("stop", |_| (End::Exited(0), Duration::MAX));
            let limit = Duration::from_secs(seconds);
            // The kernel releases it when the process is dead.
            machine.state().after(limit / 2 + Duration::from_millis(100), move |_| drop(lock));
            let settings = Settings { deadline: Some(limit), ..Settings::default() };
            let done = perform(Action::Remove, None, &machine, &settings, root.path());
            assert!(done.is_ok(), "{seconds} s: {done:?}");
            assert!(machine.masters().is_empty());
            assert!(machine.now() < limit, "{seconds} s: {:?}", machine.now());
        }
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
