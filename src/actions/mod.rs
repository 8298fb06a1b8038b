//! The four actions that LifeKeeper calls, one at a time for each tag.

mod lock;
mod quick_check;
mod recover;
mod remove;
mod restore;
mod wait;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use log::info;

use crate::error::Error;
use crate::lifekeeper::tag::Tag;
use crate::settings::Settings;
use crate::system::System;
use lock::{Busy, Lock};

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
    if action == Action::QuickCheck {
        return match Lock::share(root, tag) {
            Ok(_lock) => quick_check::quick_check(system, settings),
            Err(Busy { holder }) => {
                info!("not checked: {holder} is running");
                Ok(())
            }
        };
    }
    let _lock = Lock::take(system, root, tag, action, longest(settings));
    match action {
        Action::QuickCheck => Ok(()),
        Action::Restore => restore::restore(system, settings),
        Action::Remove => remove::remove(system, settings),
        Action::Recover => recover::recover(system, settings),
    }
}

/// The longest that another action may hold the lock: as long as a recover may take.
fn longest(settings: &Settings) -> Duration {
    remove::longest(settings) + restore::longest(settings)
}
