//! The built binary's `install` and `uninstall` on a real node, with LifeKeeper's stand-in.
//!
//! What counts is looked at: the bytes, modes, owners and attributes of the node's files, and what
//! LifeKeeper's lists show. Dovecot's start at boot is on before, so that it must be given back.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that finds the node in another state than it must be ends there"
)]

mod hostile;
mod killed;
mod kit;
mod life;
mod restart;
mod rounds;
mod sabotage;
#[path = "../schema/mod.rs"]
mod schema;
mod single;
mod take_over;
