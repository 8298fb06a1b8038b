//! A Dovecot at work: clients come and go, and it is reloaded.

use std::time::{Duration, Instant};

use lab::Crowd;

use crate::kit::Kit;

on_each_node!(clients_that_come_and_go_and_reloads_raise_no_false_alarm);

/// How many clients come and go.
const CLIENTS: u32 = 40;
/// How many checks are made, and which of them have a reload beside them.
const CHECKS: u32 = 120;
const RELOADED_EACH: u32 = 5;
const RELOADS: [&[&str]; 2] = [&["doveadm", "reload"], &["service", "dovecot", "reload"]];
/// How long a reload may take.
const SURE: Duration = Duration::from_mins(1);
/// A check begins so long after the one before, so that there is time for the clients.
const BETWEEN: Duration = Duration::from_millis(125);
/// Sessions that there must have been: else nothing was at work. There are about a hundred.
const AT_LEAST: u32 = 20;

fn clients_that_come_and_go_and_reloads_raise_no_false_alarm(kit: &Kit) {
    kit.set("APP_DOVECOT_PROBE=greeting\nAPP_DOVECOT_IP_LIST='127.0.0.1:143:5 127.0.0.1:993:5'\n");
    kit.expect("restore", 0);
    let master = kit.master();
    let crowd = Crowd::gather(&kit.node, CLIENTS).expect("clients");
    let (mut next, mut reloads) = (Instant::now(), RELOADS.iter().cycle());
    for check in 1..=CHECKS {
        // It is reloaded in the middle of a check, where one would find it least ready.
        let reload = check.is_multiple_of(RELOADED_EACH).then(|| reloads.next()).flatten();
        let reload = reload.map(|words| kit.node.spawn(words).expect("a reload"));
        kit.expect("quickCheck", 0);
        if let Some(reload) = reload {
            let ended = reload.wait(SURE).expect("the end of a reload");
            assert!(ended.success(), "{ended:?}");
        }
        next += BETWEEN;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let tally = crowd.disperse();
    assert!(tally.sessions >= AT_LEAST && tally.behind_tls > 0, "{tally:?}");
    assert_eq!(kit.master(), master, "a reload is no restart");
    let log = kit.log();
    assert!(!log.contains(" ERROR:"), "{log}");
}
