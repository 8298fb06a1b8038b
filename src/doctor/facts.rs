//! All that is looked at on one node. A peer sends it as JSON, so nothing in here is judged yet.

use std::fmt::Display;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::certificates::{self, Certificate};
use super::configuration::Configuration;
use super::finding::Finding;
use super::foreign::{self, Mention};
use super::installed::Installed;
use super::limits::{self, Limits};
use super::network::Network;
use super::resource::Resource;
use super::service::Service;
use super::{configuration, installed, network, resource, service, single};
use crate::install::record;
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::tag::Tag;
use crate::settings;
use crate::system::System;

/// What was seen, or why it could not be seen. A thing that is not there was seen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fact<T> {
    /// What was seen.
    Known(T),
    /// Why it could not be seen.
    Unknown(String),
}

impl<T> Fact<T> {
    /// What was seen, if it was.
    pub(super) const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

impl<T, E: Display> From<Result<T, E>> for Fact<T> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(cause) => Self::Unknown(cause.to_string()),
        }
    }
}

/// What was seen on a node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Facts {
    /// What is installed, and in which version.
    pub(super) installed: Installed,
    /// Dovecot's configuration.
    pub(super) configuration: Configuration,
    /// The certificates that it names.
    pub(super) certificates: Vec<Certificate>,
    /// Dovecot as a service.
    pub(super) service: Service,
    /// What else may start Dovecot.
    pub(super) foreign: Vec<Mention>,
    /// The kit's settings and LifeKeeper's limits.
    pub(super) limits: Limits,
    /// Addresses, listening sockets, and Dovecot's processes.
    pub(super) network: Network,
    /// The tags for which install has prepared this node.
    pub(super) tags: Fact<Vec<String>>,
    /// The resource, as LifeKeeper on this node knows it.
    pub(super) resource: Resource,
}

impl Facts {
    /// Looks at this node. Takes 40 s where LifeKeeper, rpm, Dovecot and systemd all hang, and
    /// changes nothing: no connection is made, because one may start a Dovecot that is to be
    /// stopped.
    pub(super) fn gather(system: &impl System, root: &Path, tag: &Tag) -> Self {
        let (settings, report) = settings::read(root);
        let found = LifeKeeper::find(root);
        let installed = Installed::look(system, root, found.as_ref());
        // Where the engine does not run, each of its commands may wait for it.
        let engine = found.ok().filter(|_| installed.node.known().is_some());
        let configuration = Configuration::look(system, root, &settings.service);
        let settings_of_dovecot = configuration.settings.known();
        Self {
            certificates: settings_of_dovecot
                .map(|settings| certificates::look(system, root, settings))
                .unwrap_or_default(),
            configuration,
            service: Service::look(system, root, &settings.service),
            foreign: foreign::look(root),
            limits: Limits::look(root, tag, &settings, report),
            network: Network::look(system, root, &settings),
            tags: record::tags(root).into(),
            resource: Resource::look(system, root, engine.as_ref(), tag),
            installed,
        }
    }

    /// The name of the node.
    pub(super) fn node(&self) -> &str {
        self.installed.node.known().map_or(&self.installed.host, |node| node)
    }

    /// Judges what can be judged of one node.
    pub(super) fn judge(&self) -> Vec<Finding> {
        let findings = [
            installed::judge(self),
            configuration::judge(self),
            certificates::judge(&self.certificates),
            service::judge(self),
            foreign::judge(&self.foreign),
            limits::judge(self),
            network::judge(self),
            single::judge(self),
            resource::judge(self),
        ];
        findings.into_iter().flatten().map(|finding| finding.on(self.node())).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A healthy node on which Dovecot is in service at a floating address.
    pub(in crate::doctor) fn healthy(node: &str) -> Facts {
        let text = include_str!("healthy.json").replace("NODE", node);
        let mut facts: Facts = serde_json::from_str(&text).expect("the facts of a healthy node");
        facts.resource.copies.make_ours();
        facts
    }

    #[test]
    fn a_healthy_node_has_nothing_but_ok() {
        let facts = healthy("node1");
        for finding in facts.judge() {
            assert_eq!(finding.level, super::super::finding::Level::Ok, "{finding:?}");
            assert_eq!(finding.node.as_deref(), Some("node1"));
        }
    }
}
