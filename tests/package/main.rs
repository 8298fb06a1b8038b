//! The built package on real nodes: what is in it, and its life under rpm, dnf and zypper.
//!
//! `cargo xtask rpm` builds it first, and an older one to upgrade from. The tests of the actions are
//! those of `tests/real`, with the kit from the package, on three Debians under SysV.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that finds the node in another state than it must be ends there"
)]

/// Makes a test of each function, on each Debian.
macro_rules! on_each_node {
    ($($name:ident),+ $(,)?) => {
        mod bullseye {
            $(#[test] fn $name() { super::$name(&crate::packaged::kit(lab::Suite::Bullseye)); })+
        }
        mod bookworm {
            $(#[test] fn $name() { super::$name(&crate::packaged::kit(lab::Suite::Bookworm)); })+
        }
        mod trixie {
            $(#[test] fn $name() { super::$name(&crate::packaged::kit(lab::Suite::Trixie)); })+
        }
    };
}

#[path = "../real/actions.rs"]
mod actions;
mod cluster;
mod content;
#[path = "../real/kit.rs"]
mod kit;
mod life;
mod managers;
mod packaged;
mod signature;

use packaged::lay;
