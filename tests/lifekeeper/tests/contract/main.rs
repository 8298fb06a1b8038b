//! The stand-in against the wording of the public documents: what they say, it must do.
//!
//! Two engines on two loopback addresses are two nodes; intervals are fractions of a second. What
//! mounts or adds addresses does so in namespaces of its own.

#![expect(clippy::expect_used, reason = "a helper of a test fails as the test does")]

mod commands;
mod create;
mod failover;
mod fixture;
mod kinds;
mod remote;
mod scripts;
