//! A listed port, asked as a mail client would.
//!
//! It knows the words of mail servers and of TLS, and nothing of processes.

pub(crate) mod attempt;
mod connection;
pub mod endpoint;
pub(crate) mod greeting;
mod hello;
mod list;
pub(crate) mod login;
pub(crate) mod reply;
pub mod socket;
mod tls;
mod turns;

pub(crate) use list::probe;
