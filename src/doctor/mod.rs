//! The preconditions of the protection on each node, each with its cure; changes nothing.
//!
//! Each node looks at itself, and the node that was asked assesses them all: what was seen and what
//! it means are kept apart, so that one version of the kit assesses. Nothing is started, stopped or
//! written. The checks are those of status: where no master lives no connection is made to Dovecot's
//! ports, because that may start a Dovecot that is to be stopped.
//!
//! A mail store that hangs cannot be seen without a mail account: Dovecot greets all the same.
//! Contents of files that the configuration only names, such as lists of users, and secrets, which
//! Dovecot hides, are not compared.
//!
//! # Output for programs
//!
//! `doctor --json` prints one document:
//!
//! ```json
//! {"format": 1, "kit": "0.1.0", "tag": "dovecot",
//!  "nodes": [{"node": "node1", "alive": true, "reached": true, "facts": {}}],
//!  "findings": [{"node": "node1", "check": "boot", "level": "error",
//!                "number": "ARK4207", "what": "…", "why": "…", "cure": "…"}],
//!  "errors": 1, "warnings": 0}
//! ```
//!
//! * `format` is 1 as long as only keys are added.
//! * `nodes`: this node first. `alive` is LifeKeeper's word; `reached` says whether the node has
//!   looked at itself; `facts`, null otherwise, is what it saw, and may change in each version.
//! * `findings`: `node` is null for what is about all nodes together. `level` is `ok`, `warning` or
//!   `error`. `number`, `why` and `cure` are null exactly when it is `ok`. The names in `check` stay: those
//!   of [`finding::Check`].
//!
//! `doctor --local --json` looks at this node alone and prints `format`, `kit`, `node`, `facts` and
//! `findings`. This is what the nodes ask of each other.
//!
//! The exit status is 0 when no finding is an error.

mod facts;
pub mod finding;
mod peers;
mod show;
mod verdicts;

use std::path::Path;

use crate::cli::Doctor;
use crate::error::Error;
use crate::exit::Exit;
use crate::show::{print, print_json};
use crate::system::System;
use facts::Facts;
use finding::{Finding, Level};
use peers::Node;

/// Looks at this node and, unless it is told not to, at all others that are alive, and prints what
/// is to be said of them. Takes at most 70 s for each node.
///
/// # Errors
///
/// [`Error::Output`] when it cannot be printed. What cannot be looked at is a finding.
pub(crate) fn doctor(system: &impl System, root: &Path, how: &Doctor) -> Result<Exit, Error> {
    let facts = Facts::gather(system, root, &how.tag);
    let mut findings = verdicts::assess(&facts);
    if how.local {
        if how.json {
            print_json(&show::local(&facts, &findings))?;
        } else {
            print(&show::as_text(&findings))?;
        }
        return Ok(exit(&findings));
    }
    let (peers, said) = peers::ask(system, root, &facts);
    findings.extend(said);
    let seen: Vec<&Facts> =
        [&facts].into_iter().chain(peers.iter().filter_map(|peer| peer.facts.as_ref())).collect();
    findings.extend(verdicts::cluster::assess(&seen));
    if how.json {
        let here = Node {
            name: facts.node().to_owned(),
            alive: facts.installed.node.known().is_some(),
            reached: true,
            facts: Some(facts.clone()),
        };
        let nodes = [vec![here], peers].concat();
        print_json(&show::whole(how.tag.as_str(), &nodes, &findings))?;
    } else {
        print(&show::as_text(&findings))?;
    }
    Ok(exit(&findings))
}

fn exit(findings: &[Finding]) -> Exit {
    if show::count(findings, Level::Error) == 0 { Exit::Success } else { Exit::Failure }
}
