//! An action that holds the node's lock while others are called.

use std::time::{Duration, Instant};

use lab::Running;

use crate::kit::Kit;

/// How long something may take that is sure to come.
const WAIT: Duration = Duration::from_mins(1);

/// Begins a remove that has stopped Dovecot and still holds the lock, for ten minutes or until it is
/// killed; what is called meanwhile has the usual settings again.
pub(crate) fn begin_long_remove(kit: &Kit) -> Running {
    kit.expect("restore", 0);
    kit.set("APP_DOVECOT_WAIT=fixed\nAPP_DOVECOT_REMOVE_WAIT=600\n");
    let words = ["/usr/sbin/dovecot-ark", "remove", "-t", "dovecot", "-i", "dovecot"];
    let remove = kit.node.spawn(&words).expect("calling an action");
    let start = Instant::now();
    while !kit.dovecot().is_empty() {
        assert!(start.elapsed() < WAIT, "it stops nothing: {:?}", kit.dovecot());
        std::thread::sleep(Duration::from_millis(10));
    }
    kit.set("LKROOT=/opt/LifeKeeper\n");
    remove
}
