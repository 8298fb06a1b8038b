//! Dovecot under SIOS LifeKeeper for Linux: an Application Recovery Kit.
//!
//! The program is [`run()`]. What else is public here is for the tests and the fuzzer: parsers, and
//! limits that the manual names.

pub mod actions;
mod boot;
pub mod cli;
mod command;
mod completions;
pub mod doctor;
pub mod dovecot;
mod error;
mod exit;
mod explain;
mod files;
mod install;
#[cfg(any(test, fuzzing))]
#[path = "../tests/invariants/mod.rs"]
pub mod invariants;
pub mod lifekeeper;
mod log;
pub mod messages;
mod ocf;
pub mod probe;
mod process;
mod run;
#[cfg(test)]
mod schemas;
mod secret;
pub mod settings;
mod show;
mod status;
mod stderr;
mod system;
#[cfg(test)]
mod test_bytes;
#[cfg(test)]
mod test_root;
pub mod text;

pub use run::run;
