//! Puts Dovecot under LifeKeeper's protection on this node, and takes it out again.

use std::path::Path;

use crate::cli::{Install, Uninstall};
use crate::error::Error;
use crate::exit::Exit;
use crate::system::real::Machine;

pub(crate) fn install(_: &Machine, _: &Path, _: &Install) -> Result<Exit, Error> {
    Err(Error::Refused("not there yet".into()))
}

pub(crate) fn uninstall(_: &Machine, _: &Path, _: &Uninstall) -> Result<Exit, Error> {
    Err(Error::Refused("not there yet".into()))
}
