//! What the facts mean: whether each precondition holds, and its cure where it does not.

pub(super) mod cluster;
pub(super) mod extension;

mod account;
mod certificates;
mod checks;
mod configuration;
mod copies;
mod foreign;
mod installed;
mod limits;
mod network;
mod resource;
mod service;
mod single;

use super::facts::Facts;
use super::finding::Finding;

/// Assesses what can be assessed of one node.
pub(super) fn assess(facts: &Facts) -> Vec<Finding> {
    let findings = [
        installed::assess(facts),
        checks::assess(facts),
        account::assess(facts.account.as_ref()),
        configuration::assess(facts),
        certificates::assess(&facts.certificates),
        service::assess(facts),
        foreign::assess(&facts.foreign),
        limits::assess(facts),
        network::assess(facts),
        single::assess(facts),
        resource::assess(facts),
    ];
    findings.into_iter().flatten().map(|finding| finding.on(facts.node())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::healthy;
    use crate::doctor::finding::Level;

    #[test]
    fn a_healthy_node_has_nothing_but_ok() {
        for finding in assess(&healthy("node1")) {
            assert_eq!(finding.level, Level::Ok, "{finding:?}");
            assert_eq!(finding.node.as_deref(), Some("node1"));
        }
    }
}
