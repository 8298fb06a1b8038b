//! Marks a resource OSU for a moment, so that LifeKeeper leaves it alone, and ISP again. No program
//! runs for it: Dovecot goes on.

use std::time::Duration;

use super::resource::{Resource, There};
use super::say;
use crate::command::Command;
use crate::error::{Error, refused};
use crate::lifekeeper::state::State;
use crate::messages::Message;
use crate::process::Process;
use crate::system::System;

/// What LifeKeeper is told as the reason of the mark OSU, which stays for a moment.
const REASON: &str = "dovecot-ark: the programs of the resource are replaced";

/// What LifeKeeper is told as the reason of the mark ISP, which stays: LifeKeeper shows it when the kit
/// is gone, too. What was there before cannot be read: no manual says where it is listed.
const REASON_AFTER: &str = "in service all the time; its programs were replaced";

/// How long none of the programs may be seen: LifeKeeper may have seen the resource ISP just before,
/// and start one. It harms nobody if that takes longer: a program is replaced in one step, and
/// whichever of the two is run, it finds the same Dovecot. A longer time would harm: meanwhile nobody
/// watches it.
const QUIET: Duration = Duration::from_millis(500);

/// How long one that runs is waited for; the original's have no limit of their own.
const LIMIT: Duration = Duration::from_mins(2);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest that the mark may take. It takes some milliseconds.
const MARK_LIMIT: Duration = Duration::from_mins(1);

/// The longest that the new quickCheck may take; it ends by itself before.
const CHECK_LIMIT: Duration = Duration::from_secs(25);

impl<S: System> Resource<'_, S> {
    /// Marks the resource OSU, and waits until none of its programs runs, or `go_on` fails.
    ///
    /// # Errors
    ///
    /// When LifeKeeper refuses, or one of them still runs after 2 minutes; and that of `go_on`.
    pub(super) fn pause(&self, go_on: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
        if self.state()? == State::Isp {
            self.mark(State::Osu)?;
        }
        self.require(State::Osu)?;
        self.await_quiet(go_on)?;
        // Whatever has run may have changed it.
        self.require(State::Osu)
    }

    /// Marks the resource ISP again.
    ///
    /// # Errors
    ///
    /// When it is in service on another node meanwhile, or LifeKeeper refuses.
    pub(super) fn resume(&self) -> Result<(), Error> {
        if let Some(node) = self.serves_elsewhere()? {
            let tag = self.tag;
            return Err(refused!(
                Message::NotMarked,
                "marking {tag} ISP: it is now in service on {node}, and stays OSU here"
            ));
        }
        if self.state()? == State::Osu {
            self.mark(State::Isp)?;
        }
        self.require(State::Isp)
    }

    /// Lets the copy of quickCheck that LifeKeeper would run say whether Dovecot is in operation.
    ///
    /// # Errors
    ///
    /// When it says no, or cannot be run.
    pub(super) fn try_quick_check(&self) -> Result<(), Error> {
        let copies = self.lifekeeper.copies(self.tag);
        let copy = copies.into_iter().find(|copy| copy.action == "quickCheck");
        let Some(path) = copy.and_then(|copy| copy.path) else {
            return Err(refused!(
                Message::NewCheckFails,
                "checking {}: it has no program for quickCheck",
                self.tag
            ));
        };
        let id = self.look()?.map_or_else(|| self.tag.to_string(), |found| found.id);
        let command = Command::new(path, &["-t", self.tag.as_str(), "-i", &id]);
        let ended = self.system.run(&command, CHECK_LIMIT);
        if ended.succeeded() {
            return Ok(());
        }
        Err(refused!(Message::NewCheckFails, "checking Dovecot with the new quickCheck: {ended}"))
    }

    /// The other node where it is in service, if there is one.
    ///
    /// # Errors
    ///
    /// When LifeKeeper does not tell.
    pub(super) fn serves_elsewhere(&self) -> Result<Option<String>, Error> {
        for other in self.lifekeeper.equivalents(self.system, self.tag)? {
            if let There::Alive(Some(found)) = self.there(&other)?
                && found.state.is_in_service()
            {
                return Ok(Some(other.system));
            }
        }
        Ok(None)
    }

    fn state(&self) -> Result<State, Error> {
        self.look()?.map(|found| found.state).ok_or_else(|| {
            refused!(Message::NotMarked, "LifeKeeper has no resource {} any more", self.tag)
        })
    }

    fn require(&self, wanted: State) -> Result<(), Error> {
        let (tag, state) = (self.tag, self.state()?);
        if state == wanted {
            return Ok(());
        }
        Err(refused!(Message::NotMarked, "marking {tag} {wanted}: LifeKeeper has it {state}"))
    }

    fn mark(&self, state: State) -> Result<(), Error> {
        let reason = if state == State::Isp { REASON_AFTER } else { REASON };
        let words = ["-t", self.tag.as_str(), "-S", state.word(), "-R", reason];
        self.succeed("ins_setstate", &words, MARK_LIMIT)
    }

    /// Waits until none of the programs has run for a moment.
    fn await_quiet(&self, go_on: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
        let begin = self.system.now();
        let mut quiet = begin;
        let mut told = false;
        loop {
            let now = self.system.now();
            match self.running()? {
                None if now.saturating_sub(quiet) >= QUIET => return Ok(()),
                None => {}
                Some((process, action)) if now.saturating_sub(begin) >= LIMIT => {
                    return Err(refused!(
                        Message::StillActing,
                        "waiting for the {action} of {}: {process} still runs after {} s; see what \
                         it hangs on, end it, and try again",
                        self.tag,
                        LIMIT.as_secs()
                    ));
                }
                Some((process, action)) => {
                    if !told {
                        say(&format!("waiting for the {action} that runs: {process}"));
                        told = true;
                    }
                    quiet = now;
                }
            }
            go_on()?;
            self.system.sleep(PAUSE);
        }
    }

    /// A process that runs one of the programs, and which.
    fn running(&self) -> Result<Option<(Process, &'static str)>, Error> {
        let copies = self.lifekeeper.copies(self.tag).map(|copy| {
            // LifeKeeper may spell the directories above otherwise.
            (copy.action, format!("/!{}/{}", copy.action, self.tag))
        });
        for listed in self.system.processes()? {
            let Some(process) = self.system.inspect(listed.pid) else { continue };
            if !process.is_roots() || process.is_dead() || !process.same_namespaces {
                continue;
            }
            let words = self.system.words(&process);
            let runs = |end: &String| words.iter().any(|word| word.ends_with(end.as_str()));
            if let Some((action, _)) = copies.iter().find(|(_, end)| runs(end)) {
                return Ok(Some((process, action)));
            }
        }
        Ok(None)
    }
}
