//! What starts Dovecot at boot, and what starts it again.

pub(crate) mod links;
pub(crate) mod restart;
