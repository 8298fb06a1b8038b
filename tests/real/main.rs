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

use std::path::Path;

/// Makes a test of each function, on a node of either kind.
macro_rules! on_each_node {
    ($($name:ident),+ $(,)?) => {
        mod sysv {
            $(#[test] fn $name() { super::$name(&crate::kit::Kit::new(lab::Init::SysV)); })+
        }
        mod systemd {
            $(#[test] fn $name() { super::$name(&crate::kit::Kit::new(lab::Init::Systemd)); })+
        }
    };
}

mod actions;
mod bounds;
mod caller;
mod holder;
mod hostile;
mod kit;
mod load;
mod removes;
#[path = "../schema/mod.rs"]
mod schema;
mod status;
mod terminal;

/// Lays the kit on a node, as it was built for the tests.
fn lay(node: &lab::Node) {
    node.install(Path::new(env!("CARGO_BIN_EXE_dovecot-ark"))).expect("laying the kit");
}
