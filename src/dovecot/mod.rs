//! What Dovecot is: its processes, its ports, its service, its configuration, and the three
//! checks.

pub(crate) mod checks;
pub(crate) mod configuration;
pub(crate) mod endpoint;
pub(crate) mod processes;
pub(crate) mod service;
