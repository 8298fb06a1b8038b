//! What Dovecot says of its configuration.

use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Fact;
use crate::dovecot::configuration::{self, Listener, Settings};
use crate::dovecot::instance::Instance;
use crate::dovecot::mistake::{self, Readable};
use crate::dovecot::{obstacles, places};
use crate::messages::Remark;
use crate::system::System;

/// What Dovecot says of its configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Configuration {
    /// What differs from Dovecot's defaults.
    pub(crate) settings: Fact<Settings>,
    /// Where it is to listen.
    pub(crate) listeners: Fact<Vec<Listener>>,
    /// Why Dovecot, whose settings are known, could not start with them: a file that one of them
    /// names. Earlier kits do not tell.
    #[serde(default)]
    pub(crate) mistake: Option<Fact<String>>,
    /// That Dovecot is not installed, in words.
    #[serde(default)]
    pub(crate) missing: Option<String>,
    /// What keeps Dovecot from writing its files, a sentence each. Earlier kits do not report it.
    #[serde(default)]
    pub(crate) obstacles: Vec<String>,
    /// The addresses on which it is to listen, and this node lacks; none where the kernel lets a
    /// program bind any (`ip_nonlocal_bind`). Earlier kits do not tell.
    #[serde(default)]
    pub(crate) lacking: Vec<IpAddr>,
}

impl Configuration {
    /// Asks Dovecot.
    pub(crate) fn gather(system: &impl System, root: &Path, instance: &Instance) -> Self {
        let settings = configuration::settings(system, instance);
        let listeners = match &settings {
            Ok(_) => configuration::listeners(system, instance),
            Err(cause) => Err(cause.clone()),
        };
        let mistake = settings.as_ref().ok().and_then(|_| match mistake::look(system, instance) {
            Readable::Yes => None,
            Readable::No(mistake) => Some(Fact::Known(mistake)),
            Readable::Unknown(cause) => Some(Fact::Unknown(cause)),
        });
        let lacking = listeners.as_deref().map_or_else(
            |_| Vec::new(),
            |listeners| obstacles::missing_addresses(&system.addresses(), listeners),
        );
        Self {
            lacking,
            settings: settings.into(),
            listeners: listeners.into(),
            mistake,
            missing: instance.missing(system),
            obstacles: Remark::texts(&obstacles::unwritable_directories(
                root,
                &places::answering(system, instance),
            )),
        }
    }
}
