//! Another node, on which the kit does a part of this node's work over LifeKeeper's own channel.

use std::time::Duration;

use super::resource::Resource;
use super::say;
use super::step::{COPIES, UNCHANGED};
use crate::command::CommandOutput;
use crate::error::{Error, refused};
use crate::files::PROGRAM;
use crate::lifekeeper::tag::Tag;
use crate::messages::{Message, Remark};
use crate::system::System;
use crate::text::{excerpt, one_line};

/// The longest that it may take there: above the wait for another run.
const LIMIT: Duration = Duration::from_mins(5);

/// How a warning begins.
const WARNING: &str = "warning: ";

/// The other node, and the tag that the resource has there.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) node: String,
    pub(super) tag: Tag,
    /// What is wanted there beside: options of `install`.
    options: String,
    /// What the node says that it would do, a line each.
    pub(super) plan: Vec<String>,
}

impl Peer {
    /// Names it.
    ///
    /// # Errors
    ///
    /// When the tag is none that can be passed on.
    pub(super) fn new(node: &str, tag: &str, options: String) -> Result<Self, Error> {
        let parsed = Tag::parse_new(tag).map_err(|cause| {
            let tag = excerpt(tag);
            refused!(Message::OtherNode, "looking at {tag} on {node}: {cause}")
        })?;
        Ok(Self { node: node.to_owned(), tag: parsed, options, plan: Vec::new() })
    }

    /// Asks what it would do to take the resource over there. Returns its warnings.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub(super) fn ask<S: System>(
        &mut self,
        resource: &Resource<'_, S>,
    ) -> Result<Vec<Remark>, Error> {
        let answer = self.run(resource, &format!("{} --dry-run", self.taking()))?;
        // The last line of each dry run: an answer that was lost is no "nothing to do".
        if !answer.lines().any(|line| line.trim() == UNCHANGED.trim_end()) {
            let (node, answer) = (&self.node, excerpt(answer.trim()));
            let text =
                format!("{node} did not say what it would do; LifeKeeper brought: {answer:?}");
            return Err(Error::refused(Message::OtherNode, text));
        }
        let with = |begin: &str| {
            let lines = answer.lines().map(str::trim).filter(|line| line.starts_with(begin));
            lines.map(one_line).collect::<Vec<_>>()
        };
        self.plan = with("would ");
        let warnings = with(WARNING).into_iter().map(|line| {
            let line = line.trim_start_matches(WARNING);
            let numbered = line.split_once(": ");
            let known = numbered.and_then(|(code, text)| Some((Message::parse(code).ok()?, text)));
            let (message, text) = known.unwrap_or((Message::OtherNode, line));
            Remark::new(message, format!("{}: {text}", self.node))
        });
        Ok(warnings.collect())
    }

    /// Whether taking it over replaces programs there: not where that was done before.
    pub(super) fn replaces_programs(&self) -> bool {
        self.plan.iter().any(|line| line.contains(COPIES))
    }

    /// Takes the resource over there.
    ///
    /// # Errors
    ///
    /// When it fails there, where all is undone then, or there is no answer.
    pub(super) fn take_over<S: System>(&self, resource: &Resource<'_, S>) -> Result<(), Error> {
        self.perform(resource, &self.taking())
    }

    /// Gives back there what taking it over changed.
    ///
    /// # Errors
    ///
    /// When it fails there, or there is no answer.
    pub(super) fn hand_back<S: System>(&self, resource: &Resource<'_, S>) -> Result<(), Error> {
        self.perform(resource, &format!("uninstall --yes --hand-back --tag={}", self.tag))
    }

    fn taking(&self) -> String {
        format!("install --take-over --standby --tag={}{}", self.tag, self.options)
    }

    fn run<S: System>(&self, resource: &Resource<'_, S>, words: &str) -> Result<String, Error> {
        let line = format!("{PROGRAM} {words}");
        let ended = resource.lifekeeper.remote(resource.system, &self.node, &line, LIMIT);
        if ended.succeeded() {
            return Ok(ended.answer);
        }
        let node = &self.node;
        Err(refused!(
            Message::OtherNode,
            "{node}: `{line}`: {}: {}; the same version of the package must be there",
            ended.end,
            reason(&ended)
        ))
    }

    /// Runs it, and tells what was said there.
    fn perform<S: System>(&self, resource: &Resource<'_, S>, words: &str) -> Result<(), Error> {
        for line in self.run(resource, words)?.lines().filter(|line| !line.trim().is_empty()) {
            say(&format!("{}: {}", self.node, one_line(line)));
        }
        Ok(())
    }
}

/// Why it failed: the kit's own words where there are any, for LifeKeeper may print others around
/// them.
fn reason(ended: &CommandOutput) -> String {
    let said = format!("{}\n{}", ended.answer, ended.output);
    let kit = said.lines().find_map(|line| line.trim().strip_prefix("dovecot-ark: "));
    kit.map_or_else(|| excerpt(said.trim()), one_line)
}
