//! What Dovecot is: its processes, its ports, its service, and the three checks made of them.

pub(crate) mod checks;
pub(crate) mod configuration;
pub(crate) mod endpoint;
pub(crate) mod greeting;
pub(crate) mod processes;
pub(crate) mod service;
