//! All that is looked at on one node. A peer sends it as JSON, so nothing in here is judged yet.

pub(super) mod account;
pub(super) mod certificates;
pub(super) mod checks;
pub(super) mod configuration;
pub(super) mod copies;
pub(super) mod foreign;
pub(super) mod installed;
pub(super) mod limits;
pub(super) mod network;
pub(super) mod resource;
pub(super) mod service;

use std::fmt::Display;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dovecot::configuration::hidden_key_files;
use crate::dovecot::instance::Instance;
use crate::dovecot::notes::Notes;
use crate::install::record;
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::tag::Tag;
use crate::settings;
use crate::system::System;
use account::Account;
use certificates::Certificate;
use checks::CheckResult;
use configuration::Configuration;
use foreign::Mention;
use installed::Installed;
use limits::Limits;
use network::Network;
use resource::Resource;
use service::Service;

/// What was seen on a node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Facts {
    pub(crate) installed: Installed,
    pub(crate) configuration: Configuration,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) service: Service,
    /// What else may start Dovecot.
    pub(crate) foreign: Vec<Mention>,
    pub(crate) limits: Limits,
    /// Addresses, listening sockets, and Dovecot's processes.
    pub(crate) network: Network,
    /// The verdict of the checks, and the last actions. Earlier kits do not report them.
    #[serde(default)]
    pub(crate) checks: Option<CheckResult>,
    /// The account of the login check, if the check logs in. Earlier kits do not report it.
    #[serde(default)]
    pub(crate) account: Option<Account>,
    /// The tags for which install has prepared this node.
    pub(crate) tags: Fact<Vec<String>>,
    /// The resource, as LifeKeeper on this node knows it.
    pub(crate) resource: Resource,
}

impl Facts {
    /// Gathers what can be seen on this node. Takes 85 s where LifeKeeper, rpm, Dovecot and systemd
    /// all hang, and changes nothing: where no master lives no connection is made, because one may
    /// start a Dovecot that is to be stopped.
    pub(crate) fn gather(system: &impl System, root: &Path, tag: &Tag) -> Self {
        let (settings, report) = settings::read(root);
        let found = LifeKeeper::find(root);
        let installed = Installed::gather(system, root, found.as_ref());
        // Where the engine does not run, each of its commands may wait for it.
        let engine = found.ok().filter(|_| installed.node.known().is_some());
        let instance = Instance::find(system, root, &settings.service, &Notes::read(system, root));
        let configuration = Configuration::gather(system, root, &instance);
        let settings_of_dovecot = configuration.settings.known();
        let hidden_keys = || hidden_key_files(system, &instance);
        Self {
            certificates: settings_of_dovecot
                .map(|settings| certificates::gather(system, root, settings, hidden_keys))
                .unwrap_or_default(),
            configuration,
            service: Service::gather(system, root, &settings.service),
            foreign: foreign::gather(root),
            limits: Limits::gather(root, tag, &settings, report),
            network: Network::gather(system, root, &settings),
            checks: Some(CheckResult::gather(system, root, tag, &settings)),
            account: Account::gather(system, root, &settings, &instance),
            tags: record::tags(root).into(),
            resource: Resource::gather(system, root, engine.as_ref(), tag),
            installed,
        }
    }

    /// The name of the node.
    pub(crate) fn node(&self) -> &str {
        self.installed.node.known().map_or(&self.installed.host, |node| node)
    }
}

/// What was seen, or why it could not be seen. A thing that is not there was seen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fact<T> {
    Known(T),
    Unknown(String),
}

impl<T> Fact<T> {
    /// What was seen, if it was.
    pub(crate) const fn known(&self) -> Option<&T> {
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

/// A healthy node on which Dovecot is in service at a floating address.
#[cfg(test)]
pub(super) fn healthy(node: &str) -> Facts {
    let text = include_str!("healthy.json").replace("NODE", node);
    let mut facts: Facts = serde_json::from_str(&text).expect("the facts of a healthy node");
    facts.resource.copies.make_ours();
    facts
}
