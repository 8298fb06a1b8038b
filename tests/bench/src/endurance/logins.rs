//! The login check as often as in months: no false alarm among clients and reloads, and nothing grows.

use lab::{DEFAULTS, Error, Node, Result};

use super::{Place, SETTINGS, Tools, alarms, leaks};
use lab::hangs::{PROBE, make_account};

/// What says that a login has succeeded.
const ARMED: &str = "\"armed\":true";

/// Logs in among clients and reloads.
pub(super) fn load(tools: &Tools, place: Place, count: u32) -> Result<()> {
    alarms::reloaded(&armed(tools, place)?, count)
}

/// Logs in again and again, and compares the node before and after.
pub(super) fn leaks(tools: &Tools, place: Place, count: u32) -> Result<()> {
    leaks::watch(&armed(tools, place)?, place, count)
}

/// A node whose check has logged in once, so that each failure of the store would be a fault.
fn armed(tools: &Tools, place: Place) -> Result<Node> {
    let node = tools.serving(place, SETTINGS)?;
    make_account(&node)?;
    node.write(DEFAULTS, &SETTINGS.replace("APP_DOVECOT_PROBE=greeting\n", PROBE))?;
    node.act("quickCheck")?.succeeded("logging in")?;
    let known = node.read("/run/dovecot-ark/.login")?;
    if known.contains(ARMED) { Ok(node) } else { Err(Error::failed("logging in", known)) }
}
