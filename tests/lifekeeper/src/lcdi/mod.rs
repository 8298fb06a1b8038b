//! The LCDI commands: small, and on the state of one system only.
//!
//! None of them runs a script. Their fields and exit statuses are what a kit's installer reads.

pub(crate) mod instances;
pub(crate) mod relations;
pub(crate) mod systems;
