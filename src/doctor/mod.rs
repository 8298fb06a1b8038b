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
use finding::Level;
use peers::Node;
#[cfg(test)]
pub(crate) use show::{Cluster, Local};

/// Looks at this node and, unless it is told not to, at all others that are alive, and prints what
/// is to be said of them. Takes at most 85 s for each node.
///
/// # Errors
///
/// [`Error::Output`] when it cannot be printed. What cannot be looked at is a finding.
pub(crate) fn doctor(system: &impl System, root: &Path, how: &Doctor) -> Result<Exit, Error> {
    let facts = Facts::gather(system, root, &how.tag);
    let mut findings = verdicts::assess(&facts);
    let mut peers = Vec::new();
    if !how.local {
        let (asked, said) = peers::ask(system, root, &facts);
        findings.extend(said);
        let there = asked.iter().filter_map(|peer| peer.facts.as_ref());
        let seen: Vec<&Facts> = [&facts].into_iter().chain(there).collect();
        findings.extend(verdicts::cluster::assess(&seen));
        peers = asked;
    }
    let healthy = show::count(&findings, Level::Error) == 0;
    match (how.json, how.local) {
        (false, _) => print(&show::as_text(&findings))?,
        (true, true) => {
            let (node, facts, findings) = (facts.node(), &facts, &findings);
            print_json(root, &show::Local { node, facts, findings })?;
        }
        (true, false) => {
            let name = facts.node().to_owned();
            let alive = facts.installed.node.known().is_some();
            peers.insert(0, Node { name, alive, reached: true, facts: Some(facts) });
            print_json(root, &show::cluster(how.tag.as_str(), &peers, &findings))?;
        }
    }
    Ok(if healthy { Exit::Success } else { Exit::Failure })
}
