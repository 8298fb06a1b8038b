//! What must hold for any input, whatever it is: for the property tests and the fuzzer.
//!
//! Each function takes bytes that may be anything, and panics where a parser breaks its word.

#![allow(clippy::missing_panics_doc, clippy::panic, reason = "to panic is what they are for")]

mod dovecot;
mod install;
mod lifekeeper;
mod probe;
mod settings;

pub use dovecot::*;
pub use install::*;
pub use lifekeeper::*;
pub use probe::*;
pub use settings::*;
