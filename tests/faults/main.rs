//! The fault suite: what goes wrong with a real Dovecot, and the kit's verdict on it.
//!
//! Each test makes one row of the table of faults and has its number as its name. It runs on Dovecot 2.3
//! under SysV scripts and under systemd, and on 2.4. On a real machine only order and verdicts are
//! asserted; where a time is, it is one that a sleep makes certain or that LifeKeeper itself sets.
//!
//! For `cargo xtask faults` each row is played a second time, by the original kit on a node of its own.

#![expect(
    clippy::expect_used,
    reason = "a test that finds the machine in another state than it must be ends there"
)]

mod alarms;
mod attack;
mod blind;
mod boot;
mod bounds;
mod caller;
mod configuration;
mod connections;
mod evidence;
mod frozen;
mod greener;
mod holder;
mod library;
mod login;
mod looks;
mod orphans;
mod peers;
mod pid_file;
mod report;
mod scene;
#[path = "../schema/mod.rs"]
mod schema;
mod service;
mod start_again;
mod starts;
mod store;
mod strangers;
