//! Processes that do nothing: what a node has many of.

use std::time::Duration;

use lab::{Node, Result, until};

/// The longest that a crowd may take to assemble or to vanish; 10 000 take about 10 s.
const LIMIT: Duration = Duration::from_mins(2);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(20);
/// Subshells of one shell: the cheapest processes that there are.
const ASSEMBLE: &str = "rm -f /run/crowd /run/crowded; mkfifo /run/crowd; exec 3<>/run/crowd
     i=0; while [ $i -lt \"$1\" ]; do (read -r x <&3) & i=$((i+1)); done
     echo >/run/crowded; wait";

/// Fills a node up to so many processes while `work` is done.
pub(crate) fn crowded<T>(node: &Node, size: u32, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = node.processes()?.len();
    let missing = size.saturating_sub(u32::try_from(before).unwrap_or(u32::MAX));
    let argv = ["/bin/sh", "-c", ASSEMBLE, "crowd", &missing.to_string()];
    let running = node.spawn(&argv)?;
    until("assembling a crowd", LIMIT, LOOK, || node.exists("/run/crowded"))?;
    let done = work()?;
    running.kill();
    // Some processes of Dovecot come and go.
    until("ending a crowd", LIMIT, LOOK, || Ok(node.processes()?.len() <= before + 5))?;
    Ok(done)
}
