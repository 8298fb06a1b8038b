//! What Dovecot is: its processes, its ports, its service, its configuration, and the three
//! checks.

pub(crate) mod account;
pub(crate) mod cgroup;
pub mod checks;
pub mod configuration;
pub(crate) mod findings;
pub(crate) mod history;
pub mod identity;
pub(crate) mod instance;
pub mod login;
pub(crate) mod look;
pub mod mistake;
pub(crate) mod notes;
pub(crate) mod obstacles;
pub mod own_log;
pub(crate) mod pid_file;
pub(crate) mod places;
pub(crate) mod running_command;
pub mod saturation;
pub mod service;
pub(crate) mod start_line;
pub(crate) mod store;
pub mod unit;
pub mod verdict;
