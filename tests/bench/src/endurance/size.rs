//! What a check takes on a node that is large: many processes, and a long list.

use lab::{DEFAULTS, Error, Result};

use super::{Place, Tools, checks, no_alarm};
use crate::crowd::crowded;

/// How many processes there are at least, and how many entries in the list.
const SIZES: [(u32, u32); 5] = [(0, 1), (10_000, 1), (0, 100), (0, 500), (10_000, 500)];
/// The longest that a quickCheck may take if anything hangs, in seconds.
const GRANTED: f64 = 18.0;
/// Between two checks, in seconds: of a long list the login processes end after it.
const PAUSE: &str = "0.5";

/// Checks a Dovecot that is well on nodes of each size; long lists a fifth as often.
pub(super) fn run(tools: &Tools, place: Place, count: u32) -> Result<()> {
    let node = tools.serving(place, "")?;
    for (processes, entries) in SIZES {
        println!("{processes} processes, {entries} entries");
        let addresses = (0..entries).map(|n| format!("127.0.{}.{}:143:15", n / 250, n % 250 + 1));
        let list = addresses.collect::<Vec<_>>().join(" ");
        let settings = format!("APP_DOVECOT_PROBE=greeting\nAPP_DOVECOT_IP_LIST='{list}'\n");
        node.write(DEFAULTS, &settings)?;
        let count = if entries > 1 { count.div_ceil(5) } else { count };
        let checks = crowded(&node, processes, || checks(&node, count, PAUSE))?;
        no_alarm(&node, &checks)?;
        if checks.iter().any(|check| check.wall > GRANTED) {
            return Err(Error::failed("checking on a large node", "a check took too long"));
        }
    }
    Ok(())
}
