//! Bounded time, bounded memory and clear words, whatever hangs, floods or is silent.

use crate::kit::{Finished, Kit};
use std::time::{Duration, Instant};

on_each_node!(
    five_hundred_entries_of_which_four_hundred_do_not_answer,
    five_hundred_greetings_of_one_dovecot_do_not_fill_it,
    a_settings_file_of_five_megabytes_of_garbage,
    a_standard_error_that_nobody_reads_does_not_hold_quick_check,
);

/// LifeKeeper's own limit of a quickCheck, before version 9.1.
const GRANTED: Duration = Duration::from_secs(22);

/// The most memory that a quickCheck may have, in KiB.
const MEMORY: u64 = 16 << 10;

/// Runs a quickCheck and watches the most memory that it has, in KiB.
fn watched_quick_check(kit: &Kit) -> (Finished, u64) {
    let script = "dovecot-ark quickCheck -t dovecot -i dovecot & pid=$!
                  while grep VmHWM /proc/$pid/status >>/tmp/peak 2>/dev/null; do :; done
                  wait $pid";
    let ended = kit.node.sh(script).expect("calling an action");
    let peak = kit.sh("tail -n 1 /tmp/peak | tr -dc 0-9; rm /tmp/peak");
    (ended, peak.parse().expect("the quickCheck was seen"))
}

fn five_hundred_entries_of_which_four_hundred_do_not_answer(kit: &Kit) {
    kit.expect("restore", 0);
    // What is sent there comes back on the loopback interface and is dropped: silence.
    kit.sh("ip route add 198.51.100.0/24 dev lo; ip route add 203.0.113.0/24 dev lo");
    let silent =
        (1..=200).flat_map(|n| [format!("198.51.100.{n}:143"), format!("203.0.113.{n}:143")]);
    let healthy = (1..=100).map(|n| format!("127.0.0.{n}:143"));
    let entries: Vec<String> = healthy.chain(silent).collect();
    assert_eq!(entries.len(), 500);
    kit.set(&format!("APP_DOVECOT_IP_LIST=\"{}\"\n", entries.join(" ")));
    let (ended, peak) = watched_quick_check(kit);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("198.51.100.1:143: no connection after 2 s"), "{ended:?}");
    assert!(ended.stderr.contains("; 397 more of the list refused; verdict failed: "), "{ended:?}");
    assert!(ended.took < GRANTED, "{:?}", ended.took);
    assert!(peak < MEMORY, "{peak} KiB");

    // With fewer descriptors than entries the rest is tried when others have ended.
    let few = "ulimit -n 256; exec dovecot-ark quickCheck -t dovecot";
    let ended = kit.node.sh(few).expect("an action");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("; 397 more of the list refused; verdict failed: "), "{ended:?}");

    kit.set(&format!("APP_DOVECOT_IP_LIST=\"{}\"\n", entries[..100].join(",")));
    kit.expect("quickCheck", 0);
}

fn five_hundred_greetings_of_one_dovecot_do_not_fill_it(kit: &Kit) {
    kit.expect("restore", 0);
    let entries: Vec<String> =
        (1..=250).flat_map(|n| [format!("127.0.0.{n}:143"), format!("127.0.1.{n}:143")]).collect();
    // Two seconds are short for five hundred where all processors are busy.
    let list: Vec<String> = entries.iter().map(|entry| format!("{entry}:5")).collect();
    let list = list.join(" ");
    kit.set(&format!("APP_DOVECOT_PROBE=greeting\nAPP_DOVECOT_IP_LIST=\"{list}\"\n"));
    let words = kit.expect("quickCheck", 0).stderr;
    assert_eq!(words, "", "not even saturated");
}

fn a_settings_file_of_five_megabytes_of_garbage(kit: &Kit) {
    kit.expect("restore", 0);
    kit.sh("file=/etc/default/LifeKeeper
         { head -c 3000000 /dev/urandom; echo
           yes APP_DOVECOT_RESTORE_WAIT=soon | head -c 1000000; echo
           seq -f 'APP_DOVECOT_%.0f=x' 60000
           echo APP_DOVECOT_IP_LIST=127.0.0.1:144:1; } >$file
         [ $(stat -c %s $file) -gt 5000000 ]");
    let (ended, peak) = watched_quick_check(kit);
    assert_eq!(ended.status, Some(1), "the last line holds: {ended:?}");
    assert!(ended.stderr.contains("127.0.0.1:144: connection refused"), "{ended:?}");
    assert!(ended.took < GRANTED, "{:?}", ended.took);
    assert!(peak < MEMORY, "{peak} KiB");
    let lines = ended.stderr.lines().count();
    assert!((20..30).contains(&lines), "{lines} lines: {}", ended.stderr);
    assert!(ended.stderr.contains(" more warnings of this kind"), "{}", ended.stderr);
}

fn a_standard_error_that_nobody_reads_does_not_hold_quick_check(kit: &Kit) {
    let script = "mkfifo /tmp/full; exec 3<>/tmp/full; head -c 65536 /dev/zero >&3
                  exec dovecot-ark quickCheck -t dovecot 2>&3";
    let start = Instant::now();
    let running = kit.node.spawn(&["/bin/bash", "-c", script]).expect("calling an action");
    let ended = running.wait(GRANTED).expect("its end");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(start.elapsed() < GRANTED, "{:?}", start.elapsed());
}
