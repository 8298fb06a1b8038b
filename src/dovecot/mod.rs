//! What Dovecot is: its processes, its ports, its service, and the three checks made of them.

pub(crate) mod checks;
pub(crate) mod endpoint;
pub(crate) mod greeting;
pub(crate) mod load;
pub(crate) mod mistake;
pub(crate) mod pid_file;
pub(crate) mod processes;
pub(crate) mod service;
