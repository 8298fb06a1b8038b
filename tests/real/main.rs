//! The built binary against a real Dovecot, under both kinds of `service`.
//!
//! Each test has a node of its own. On a real machine only order and verdicts are asserted; where
//! a time is, it is one that a sleep makes certain or that LifeKeeper itself sets.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that finds the machine in another state than it must be ends there"
)]

mod actions;
mod bounds;
mod caller;
mod kit;
mod status;
