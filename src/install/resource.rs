//! The resource in LifeKeeper: is it ours, creating it, what it depends on.
//!
//! What a command returns is a hint; what LifeKeeper's lists and the registered copies show is
//! what counts.

use std::fs;
use std::path::Path;
use std::time::Duration;

use log::debug;

use crate::command::{Command, CommandOutput};
use crate::dovecot::history::History;
use crate::error::{Error, refused};
use crate::files::PROGRAM;
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::new_resource::Start;
use crate::lifekeeper::resources::{Equivalent, Instance, on};
use crate::lifekeeper::state::State;
use crate::lifekeeper::tag::Tag;
use crate::messages::{Message, Remark};
use crate::stderr;
use crate::system::System;
use crate::text::one_line;

/// The longest that LifeKeeper may take to move a resource, or to create it and bring it into
/// service: above the longest restore, and LifeKeeper's own limit for requests to other systems.
pub(super) const MOVE_LIMIT: Duration = Duration::from_mins(15);

/// The longest that a change of LifeKeeper's lists may take. It takes some milliseconds.
pub(super) const LIST_LIMIT: Duration = Duration::from_mins(1);

/// How long a resource that is there may take to look as it should.
const SETTLE: Duration = Duration::from_secs(30);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// A resource of this kit.
#[derive(Debug)]
pub(super) struct Resource<'a, S> {
    pub(super) system: &'a S,
    pub(super) root: &'a Path,
    pub(super) lifekeeper: &'a LifeKeeper,
    pub(super) tag: &'a Tag,
}

/// Whose the resource of a tag is.
pub(super) enum Owned {
    /// There is none.
    Nobody,
    /// This kit's.
    Ours(Instance),
    /// Another's, as this cause shows.
    Foreign(String),
}

/// How the registered copies look.
enum Copies {
    /// All four call this kit.
    Ours,
    /// One is not there (yet).
    Missing(&'static str),
    /// One is something else.
    Foreign(String),
}

impl<S: System> Resource<'_, S> {
    /// Looks it up on this node.
    ///
    /// # Errors
    ///
    /// When LifeKeeper does not tell.
    pub(super) fn look(&self) -> Result<Option<Instance>, Error> {
        self.lifekeeper.instance(self.system, None, self.tag.as_str())
    }

    /// Looks it up on this node, and makes sure that it is this kit's. Copies that are missing are
    /// waited for: a run that was killed may have left a command behind that is still at work.
    ///
    /// # Errors
    ///
    /// When LifeKeeper does not tell; [`Error::Refused`] with what it is instead of ours.
    pub(super) fn ours(&self) -> Result<Option<Instance>, Error> {
        let tag = self.tag;
        match self.owned()? {
            Owned::Nobody => Ok(None),
            Owned::Ours(found) => Ok(Some(found)),
            Owned::Foreign(cause) => Err(refused!(
                Message::ForeignResource,
                "looking at the resource {tag}: LifeKeeper has one that is not this kit's: \
                 {cause}; choose another tag, or take it over with --take-over"
            )),
        }
    }

    /// Looks it up on this node, and whose it is. Copies that are missing are waited for, as
    /// [`Resource::ours`] says.
    ///
    /// # Errors
    ///
    /// When LifeKeeper does not tell.
    pub(super) fn owned(&self) -> Result<Owned, Error> {
        let start = self.system.now();
        loop {
            let Some(found) = self.look()? else { return Ok(Owned::Nobody) };
            let cause = match self.copies()? {
                _ if !is_application(&found) => {
                    format!("it is of type {}/{}, not gen/app", found.app, found.kind)
                }
                Copies::Ours => return Ok(Owned::Ours(found)),
                Copies::Foreign(path) => format!("{path} does not call this kit"),
                Copies::Missing(action) if self.is_over(start) => {
                    format!("it has no program for {action}")
                }
                Copies::Missing(_) => {
                    self.system.sleep(PAUSE);
                    continue;
                }
            };
            return Ok(Owned::Foreign(cause));
        }
    }

    /// The tags of the other resources here whose four copies call this kit. One whose copies
    /// cannot be read is none of them.
    ///
    /// # Errors
    ///
    /// When LifeKeeper does not tell.
    pub(super) fn others(&self) -> Result<Vec<String>, Error> {
        let all = self.lifekeeper.instances(self.system, None)?;
        let tags = all
            .iter()
            .filter(|one| is_application(one))
            .filter_map(|one| Tag::parse(&one.tag).ok())
            .filter(|tag| tag != self.tag);
        let is_ours = |tag: &Tag| matches!(Resource { tag, ..*self }.copies(), Ok(Copies::Ours));
        Ok(tags.filter(is_ours).map(|tag| tag.to_string()).collect())
    }

    fn copies(&self) -> Result<Copies, Error> {
        for copy in self.lifekeeper.copies(self.tag) {
            let Some(path) = copy.path else { return Ok(Copies::Missing(copy.action)) };
            if !calls_kit(&path, copy.action)? {
                return Ok(Copies::Foreign(path.display().to_string()));
            }
        }
        Ok(Copies::Ours)
    }

    /// Creates it, and believes what it sees then. It looks once more before: since the plan was
    /// made, somebody else may have created one of the same tag.
    ///
    /// # Errors
    ///
    /// [`Failure::Theirs`] when there is one that this command has not made; [`Failure::Ours`] when
    /// the resource is not there as it should be, with the words of the command.
    pub(super) fn create(&self, command: &Command, start: Start) -> Result<(), Failure> {
        let tag = self.tag;
        if self.look().map_err(Failure::Theirs)?.is_some() {
            return Err(Failure::Theirs(refused!(
                Message::CreatedMeanwhile,
                "creating the resource {tag}: another one was created meanwhile; it is left \
                 alone; try again"
            )));
        }
        let begin = self.system.now();
        let ended = self.run(command, MOVE_LIMIT);
        let settled = self.settle(start, &ended);
        settled.map_err(|cause| {
            let is_theirs = !ended.succeeded() && self.is_foreign();
            let cause = match cause {
                Error::Refused(Remark { message, text: cause }) => {
                    // LifeKeeper prints a page around the sentence that matters.
                    let words = match self.restore_failure(begin) {
                        Some(reason) => format!("{reason}; `{command}`: {}", ended.end),
                        None => format!("`{command}`: {ended}"),
                    };
                    refused!(message, "creating the resource {tag}: {cause}; {words}")
                }
                other => other,
            };
            if is_theirs { Failure::Theirs(cause) } else { Failure::Ours(cause) }
        })
    }

    /// Why the kit's own restore has failed since a time, as it noted that itself.
    fn restore_failure(&self, begin: Duration) -> Option<String> {
        let fault = History::read(self.system, self.root).fault?;
        let elapsed = self.system.now().saturating_sub(begin);
        let is_meant = fault.action == "restore" && fault.age(self.system) <= elapsed;
        fault.outcome.cause().filter(|_| is_meant).map(one_line)
    }

    /// Whether there is one that cannot come from this kit's command.
    fn is_foreign(&self) -> bool {
        let is_foreign = |found: Instance| {
            !is_application(&found) || matches!(self.copies(), Ok(Copies::Foreign(_)))
        };
        self.look().ok().flatten().is_some_and(is_foreign)
    }

    /// Waits until a resource is as it should be, whose creation ended so.
    fn settle(&self, start: Start, creation: &CommandOutput) -> Result<(), Error> {
        let begin = self.system.now();
        let mut told = false;
        let refuse = |cause: &str| Err(Error::refused(Message::NotCreated, cause));
        loop {
            let Some(found) = self.look()? else { return refuse("ins_list does not show it") };
            let cause = match (found.state, self.copies()?) {
                (_, Copies::Foreign(path)) => {
                    return refuse(&format!("{path} does not call this kit"));
                }
                (State::Osf, _) => {
                    return refuse("it is OSF: it could not be brought into service");
                }
                (_, Copies::Missing(action)) => format!("it has no program for {action}"),
                (State::Isp, Copies::Ours) => return Ok(()),
                (State::Osu, Copies::Ours) if start == Start::Later => return Ok(()),
                (state, Copies::Ours) => {
                    if state == State::Osu && creation.succeeded() && !told {
                        // This way of creating does not bring it into service.
                        told = true;
                        self.perform("restore")?;
                        continue;
                    }
                    format!("it is {state}")
                }
            };
            if self.is_over(begin) {
                return refuse(&cause);
            }
            self.system.sleep(PAUSE);
        }
    }

    fn is_over(&self, begin: Duration) -> bool {
        self.system.now().saturating_sub(begin) >= SETTLE
    }

    /// Lets LifeKeeper perform an action on it.
    pub(super) fn perform(&self, action: &str) -> Result<(), Error> {
        self.succeed("perform_action", &["-t", self.tag.as_str(), "-a", action], MOVE_LIMIT)
    }

    /// Makes it depend on another, on this system or on `there`.
    ///
    /// # Errors
    ///
    /// When LifeKeeper refuses, or does not show the dependency afterwards.
    pub(super) fn depend(&self, edge: &Edge) -> Result<(), Error> {
        self.succeed("dep_create", &edge.words(), LIST_LIMIT)?;
        if self.depends(edge)? {
            return Ok(());
        }
        Err(refused!(
            Message::DependencyNotShown,
            "running `{}`: it succeeded, and dep_list does not show the dependency",
            self.lifekeeper.command("dep_create", &edge.words())
        ))
    }

    /// Whether LifeKeeper shows a dependency.
    ///
    /// # Errors
    ///
    /// When LifeKeeper does not tell.
    pub(super) fn depends(&self, edge: &Edge) -> Result<bool, Error> {
        let there = edge.there.as_deref();
        let children = self.lifekeeper.children(self.system, there, &edge.parent)?;
        Ok(children.contains(&edge.child))
    }

    /// Takes a dependency off.
    ///
    /// # Errors
    ///
    /// When LifeKeeper refuses.
    pub(super) fn undepend(&self, edge: &Edge) -> Result<(), Error> {
        self.succeed("dep_remove", &edge.words(), LIST_LIMIT)
    }

    /// What another system shows of it. One that has just died is still called alive and answers
    /// nothing: it is asked until either changes. Going on without it wrongly would overlook what a
    /// living system has; giving up at once would fail for each system that has just died.
    ///
    /// # Errors
    ///
    /// When LifeKeeper calls it alive for 30 s without an answer of it. LifeKeeper calls a system dead
    /// after 15 s, unless its heartbeats are set otherwise (SIOS, "Tuning the LifeKeeper Heartbeat").
    pub(super) fn there(&self, other: &Equivalent) -> Result<There, Error> {
        let begin = self.system.now();
        let there = Some(other.system.as_str());
        while self.lifekeeper.is_alive(self.system, &other.system) {
            match self.lifekeeper.instance(self.system, there, &other.tag) {
                Err(cause) if self.is_over(begin) => return Err(cause),
                Err(_) => self.system.sleep(PAUSE),
                Ok(found) => return Ok(There::Alive(found)),
            }
        }
        Ok(There::Dead)
    }

    /// Runs a command of LifeKeeper that must succeed.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] when it does not.
    pub(super) fn succeed(
        &self,
        program: &str,
        words: &[&str],
        limit: Duration,
    ) -> Result<(), Error> {
        self.require_success(&self.lifekeeper.command(program, words), limit)
    }

    pub(super) fn require_success(&self, command: &Command, limit: Duration) -> Result<(), Error> {
        let ended = self.run(command, limit);
        if ended.succeeded() {
            return Ok(());
        }
        Err(Error::Command { command: command.to_string(), ended })
    }

    fn run(&self, command: &Command, limit: Duration) -> CommandOutput {
        let _shown = stderr::waiting(format!("waiting for `{command}`"), limit);
        let ended = self.system.run(command, limit);
        debug!("`{command}`: {ended}");
        ended
    }
}

/// Why a resource was not created, and whose the one is that is there, if any.
#[derive(Debug)]
pub(super) enum Failure {
    /// This run's, to be taken out again.
    Ours(Error),
    /// Somebody else's, to be left alone.
    Theirs(Error),
}

/// What another system shows of a resource.
pub(super) enum There {
    /// LifeKeeper does not call the system alive.
    Dead,
    Alive(Option<Instance>),
}

/// A dependency on this system or, with `there`, on another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Edge {
    pub(super) there: Option<String>,
    pub(super) parent: String,
    pub(super) child: String,
}

impl Edge {
    fn words(&self) -> Vec<&str> {
        [on(self.there.as_deref()), vec!["-p", &self.parent, "-c", &self.child]].concat()
    }
}

/// Whether a resource is a Generic Application, as the kit's are.
pub(super) fn is_application(resource: &Instance) -> bool {
    (resource.app.as_str(), resource.kind.as_str()) == ("gen", "app")
}

/// Whether a program does nothing but call this kit.
pub(super) fn calls_kit(path: &Path, action: &str) -> Result<bool, Error> {
    let text = fs::read(path).map_err(Error::file("reading", path))?;
    Ok(is_of_kit(&text, action))
}

/// Whether a program of this text does nothing but call this kit: its last line says so, whichever
/// version of the kit wrote the rest.
pub(super) fn is_of_kit(text: &[u8], action: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    last == Some(&format!("exec {PROGRAM} {action} \"$@\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;

    #[test]
    fn the_shipped_programs_call_the_kit_and_others_do_not() {
        let root = TestRoot::new();
        for (action, text) in [
            ("restore", include_str!("../../installer/restore")),
            ("remove", include_str!("../../installer/remove")),
            ("quickCheck", include_str!("../../installer/quickCheck")),
            ("recover", include_str!("../../installer/recover")),
        ] {
            root.write(action, text);
            assert!(calls_kit(&root.path().join(action), action).expect("reading"), "{action}");
            assert!(!calls_kit(&root.path().join(action), "other").expect("reading"), "{action}");
        }
        root.write("foreign", "#!/bin/sh\nservice dovecot start\n");
        assert!(!calls_kit(&root.path().join("foreign"), "restore").expect("reading"));
    }
}
