//! What Dovecot is: its processes, its ports, its service, its configuration, and the three
//! checks.

pub(crate) mod cgroup;
pub(crate) mod checks;
pub(crate) mod configuration;
pub(crate) mod endpoint;
pub(crate) mod greeting;
pub(crate) mod identity;
pub(crate) mod instance;
pub(crate) mod load;
pub(crate) mod mistake;
pub(crate) mod notes;
pub(crate) mod obstacles;
pub(crate) mod own_log;
pub(crate) mod pid_file;
pub(crate) mod places;
pub(crate) mod service;
pub(crate) mod unit;
pub(crate) mod verdict;
