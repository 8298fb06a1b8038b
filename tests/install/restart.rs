//! `install --restart` under a real systemd: a master that died is back before LifeKeeper has looked, and
//! a remove is the end of it.

use std::thread;
use std::time::{Duration, Instant};

use crate::kit::{Dialect, Init, Kit};

/// The drop-in.
const FILE: &str = "/etc/systemd/system/dovecot.service.d/dovecot-ark.conf";

/// The longest that systemd may take; it takes some 0.4 s.
const BACK: Duration = Duration::from_secs(5);

fn master(kit: &Kit) -> Option<u32> {
    kit.node.master().expect("the process table")
}

/// Waits for a master that is not this one.
#[track_caller]
fn await_other(kit: &Kit, old: u32) -> u32 {
    let start = Instant::now();
    loop {
        if let Some(new) = master(kit).filter(|new| *new != old) {
            return new;
        }
        assert!(start.elapsed() < BACK, "no other master");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn systemd_starts_a_master_that_died_four_times_and_remove_ends_it() {
    let kit = Kit::new(Init::Systemd, Dialect::Guess);
    // LifeKeeper shall not have looked meanwhile.
    kit.sh("sed -i s/^LKCHECKINTERVAL=.*/LKCHECKINTERVAL=600/ /etc/default/LifeKeeper");
    let start = kit.tree();
    let would = kit.install("--restart --dry-run");
    assert!(would.contains(&format!("would write {FILE}: systemd starts a Dovecot")), "{would}");
    kit.assert_untouched(&start, "a dry run");
    kit.install("--restart");
    assert!(kit.install("--restart").contains("nothing to do"));
    let doctor = kit.ark(&["doctor", "--local"]).stdout;
    assert!(doctor.contains("systemd starts a Dovecot that died again, as install"), "{doctor}");

    // The first of the four starts was that of restore.
    let mut now = master(&kit).expect("Dovecot runs");
    for _ in 0..3 {
        kit.node.signal(now, "KILL").expect("a signal");
        now = await_other(&kit, now);
    }
    kit.node.signal(now, "KILL").expect("a signal");
    kit.sh("timeout 10 sh -c 'until systemctl is-failed --quiet dovecot; do sleep 0.1; done'");
    assert_eq!(master(&kit), None, "four starts are enough");
    let said = kit.sh("/usr/lib/dovecot-ark/recover -t dovecot -i dovecot; echo $?");
    assert_eq!(said, "0\n", "restore resets the count");

    kit.node.signal(master(&kit).expect("Dovecot runs"), "KILL").expect("a signal");
    let said = kit.sh("/usr/lib/dovecot-ark/remove -t dovecot -i dovecot; echo $?");
    assert_eq!(said, "0\n");
    thread::sleep(Duration::from_secs(1));
    assert_eq!(master(&kit), None, "remove ends it");
    kit.uninstall("");
    kit.assert_as(&start, "uninstalled");
}
