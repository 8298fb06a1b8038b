//! The other systems of the cluster, and LifeKeeper's own way to reach them.

use std::time::Duration;

use log::debug;

use super::installation::{LifeKeeper, garbage, is_system_name};
use super::resources::Instance;
use crate::command::CommandOutput;
use crate::error::Error;
use crate::system::System;

/// What the other systems have of something.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    /// A system that has it, and a resource there: a line for each.
    pub(crate) found: Vec<(String, Instance)>,
    /// A system that could not be asked, and why.
    pub(crate) unknown: Vec<(String, String)>,
}

impl LifeKeeper {
    /// The resources of the other systems that are meant. A system that is not alive is not asked,
    /// because the answer would not come.
    ///
    /// # Errors
    ///
    /// When the systems are not known.
    pub(crate) fn elsewhere(
        &self,
        system: &impl System,
        is_meant: impl Fn(&Instance) -> bool,
    ) -> Result<Elsewhere, Error> {
        let mut elsewhere = Elsewhere::default();
        for peer in self.peers(system)? {
            if !self.is_alive(system, &peer) {
                let cause = "LifeKeeper does not call it alive".to_owned();
                elsewhere.unknown.push((peer, cause));
                continue;
            }
            match self.instances(system, Some(&peer)) {
                Ok(all) => {
                    let found = all.into_iter().filter(&is_meant);
                    elsewhere.found.extend(found.map(|found| (peer.clone(), found)));
                }
                Err(cause) => elsewhere.unknown.push((peer, cause.to_string())),
            }
        }
        Ok(elsewhere)
    }

    /// The names of the other systems that LifeKeeper knows.
    ///
    /// # Errors
    ///
    /// When the list cannot be had or understood.
    pub(crate) fn peers(&self, system: &impl System) -> Result<Vec<String>, Error> {
        let me = self.node(system)?;
        let answer = self.answer(system, "sys_list", &[])?;
        let mut names = parse(&answer).ok_or_else(|| garbage("sys_list", &answer))?;
        names.retain(|name| *name != me);
        Ok(names)
    }

    /// Whether LifeKeeper calls a system alive. What it does not say clearly is not alive.
    pub(crate) fn is_alive(&self, system: &impl System, peer: &str) -> bool {
        let ended = self.ask(system, "sys_getst", &["-s", peer]);
        ended.succeeded() && ended.answer.split(|c: char| !c.is_alphabetic()).any(|w| w == "ALIVE")
    }

    /// Runs a command line on another system, over LifeKeeper's communication paths. The line goes
    /// to a shell there: it must hold nothing that a shell would expand.
    pub(crate) fn remote(
        &self,
        system: &impl System,
        peer: &str,
        line: &str,
        limit: Duration,
    ) -> CommandOutput {
        let seconds = limit.as_secs().to_string();
        let words = ["-d", peer, "-t", &seconds, "--", line];
        let command = self.command("lcdremexec", &words).asked();
        let ended = system.run(&command, limit + Duration::from_secs(1));
        debug!("`{command}`: {ended}");
        ended
    }
}

/// Reads the list of systems; `None` when a line does not begin with a system's name.
pub(crate) fn parse(answer: &str) -> Option<Vec<String>> {
    // What follows the name on a line is not documented.
    let first = |line: &str| line.split(['\u{1}', ' ', '\t']).next().unwrap_or("").to_owned();
    let names = answer.lines().map(first).filter(|name| !name.is_empty());
    names.map(|name| is_system_name(&name).then_some(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;
    use crate::test_bytes::{self, pieces};
    use proptest::prelude::*;

    #[test]
    fn what_is_no_list_of_systems_is_not_taken_for_one() {
        assert_eq!(parse("node1 1\n\nnode2\u{1}x\n"), Some(vec!["node1".into(), "node2".into()]));
        for answer in ["-d", "a/b", "node1\n\u{1b}[2J\n", "sys_list: error"] {
            assert_eq!(parse(answer), None, "{answer:?}");
        }
        assert_eq!(parse(""), Some(vec![]));
    }

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn any_answer_is_no_list_or_has_names_alone(
            answer in pieces(&["node1", "node-2.example", "-d", " ", "\t", "\u{1}", "\n", "\r\n", ":"], 12)
        ) {
            invariants::peers(&answer);
        }

        #[test]
        fn names_are_read_in_their_order(
            names in prop::collection::vec("[a-zA-Z0-9][a-zA-Z0-9_.-]{0,9}", 0..9),
            end in "([\u{1} \t].{0,9})?\r?",
        ) {
            prop_assume!(!end.starts_with('\r'));
            let lines: Vec<String> = names.iter().map(|name| format!("{name}{end}\n")).collect();
            prop_assert_eq!(parse(&lines.concat()), Some(names));
        }
    }
}
