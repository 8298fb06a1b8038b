//! Whether LifeKeeper can move Dovecot to the other nodes.

use crate::doctor::facts::{Fact, Facts};
use crate::doctor::finding::{Check, Finding};
use crate::messages::Message;

/// Assesses whether the resource is extended to these nodes, the others that are alive.
pub(crate) fn assess(here: &Facts, alive: &[&str]) -> Vec<Finding> {
    let tag = &here.resource.tag;
    let extended = match (here.resource.registration(), &here.resource.extended) {
        (None, _) => return Vec::new(),
        (Some(_), Fact::Known(extended)) => extended,
        (Some(_), Fact::Unknown(cause)) => {
            let finding = Finding::warning(Check::Resource, Message::DoctorExtensionUnknown)
                .what(format!(
                    "LifeKeeper does not report the nodes that {tag} is extended to: {cause}"
                ))
                .why("LifeKeeper moves Dovecot only to a node to which it is extended")
                .run(here.installed.command(&format!("eqv_list -t {tag}")));
            return vec![finding.on(here.node())];
        }
    };
    let missing = alive.iter().filter(|name| !extended.contains_key(**name));
    let finding = |name: &&str| {
        Finding::warning(Check::Resource, Message::DoctorNotExtended)
            .what(format!("{tag} is not extended to {name}"))
            .why("LifeKeeper cannot move Dovecot there")
            .cure(format!("extend the hierarchy of {tag} to {name} in LifeKeeper"))
            .on(name)
    };
    missing.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::healthy;

    #[test]
    fn an_alive_node_to_which_the_resource_is_not_extended_is_a_warning() {
        let mut here = healthy("node1");
        let findings = assess(&here, &["node2", "node3"]);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.node.as_deref(), Some("node3"));

        here.resource.extended = Fact::Unknown("garbage".into());
        assert_eq!(assess(&here, &["node2", "node3"]).len(), 1);
        here.resource.registered = Fact::Known(None);
        assert_eq!(assess(&here, &["node2", "node3"]), []);
    }
}
