//! What starts Dovecot at boot.

pub(crate) mod links;
