//! The other systems of the cluster, and LifeKeeper's own way to reach them.

use std::time::Duration;

use log::debug;

use super::installation::{LifeKeeper, garbage, is_system_name};
use crate::error::Error;
use crate::system::{Ended, System};

impl LifeKeeper {
    /// The names of the other systems that LifeKeeper knows.
    ///
    /// # Errors
    ///
    /// When the list cannot be had or understood.
    pub(crate) fn peers(&self, system: &impl System) -> Result<Vec<String>, Error> {
        let me = self.node(system)?;
        let answer = self.answer(system, "sys_list", &[])?;
        // What follows the name on a line is not documented.
        let first = |line: &str| line.split(['\u{1}', ' ', '\t']).next().unwrap_or("").to_owned();
        let names: Vec<String> =
            answer.lines().map(first).filter(|name| !name.is_empty()).collect();
        if names.iter().all(|name| is_system_name(name)) {
            Ok(names.into_iter().filter(|name| *name != me).collect())
        } else {
            Err(garbage("sys_list", &answer))
        }
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
    ) -> Ended {
        let seconds = limit.as_secs().to_string();
        let words = ["-d", peer, "-t", &seconds, "--", line];
        let command = self.command("lcdremexec", &words).asked();
        let ended = system.run(&command, limit + Duration::from_secs(1));
        debug!("`{command}`: {ended}");
        ended
    }
}
