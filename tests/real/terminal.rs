//! What a person at a terminal sees, which `script` plays.

use crate::holder::begin_long_remove;
use crate::kit::{Init, Kit};

/// What a terminal gets of a command.
fn on_terminal(kit: &Kit, command: &str) -> String {
    kit.sh(&format!("TERM=xterm script --quiet --return --command '{command}' /dev/null || true"))
}

#[test]
fn colours_are_for_terminals_and_for_whoever_asks() {
    let kit = Kit::new(Init::SysV);
    kit.expect("restore", 0);
    let status = "dovecot-ark status";
    let up = "dovecot: \u{1b}[1m\u{1b}[33mup\u{1b}[0m since";
    let seen = on_terminal(&kit, status);
    assert!(seen.starts_with(up), "{seen:?}");
    assert!(kit.sh(&format!("{status} --color always")).starts_with(up));
    for plain in ["NO_COLOR=1 dovecot-ark status", "dovecot-ark status --color never"] {
        let seen = on_terminal(&kit, plain);
        assert!(seen.starts_with("dovecot: up since") && !seen.contains('\u{1b}'), "{seen:?}");
    }
    assert!(kit.sh(status).starts_with("dovecot: up since"));
    let doctor = on_terminal(&kit, "dovecot-ark doctor --local");
    assert!(doctor.contains("\u{1b}[1m\u{1b}[32mok     \u{1b}[0m  Dovecot "), "{doctor:?}");
}

#[test]
fn who_asks_for_it_sees_what_is_asked_and_answered() {
    let kit = Kit::new(Init::SysV);
    kit.expect("restore", 0);
    let asked = "DEBUG:dovecot-ark:status:`service dovecot status`: ";
    let loud = kit.sh("dovecot-ark -v status 2>&1 >/dev/null");
    assert!(loud.contains(asked), "{loud}");
    assert_eq!(kit.sh("dovecot-ark status 2>&1 >/dev/null"), "");
    let json = kit.sh("dovecot-ark status --json --verbose 2>/dev/null");
    assert!(json.starts_with("{\n"), "{json}");
}

#[test]
fn a_long_wait_is_shown_with_its_limit_and_leaves_no_trace() {
    let kit = Kit::new(Init::SysV);
    kit.expect("restore", 0);
    let script = "/etc/init.d/dovecot";
    kit.sh(&format!("sed -i '2i [ \"$1\" != stop ] || sleep 4' {script}"));
    let seen = on_terminal(&kit, "dovecot-ark remove -t dovecot -i dovecot");
    let wait = "waiting for `service dovecot stop`, ";
    let line = |second| format!("\r\u{1b}[K{wait}{second} of 120 s");
    assert!(seen.contains(&(line(2) + &line(3))), "{seen:?}");
    let (_, behind) = seen.rsplit_once(wait).expect("the wait");
    assert!(behind.contains(" s\r\u{1b}[K"), "{seen:?}");
    let file = kit.sh("cat /var/log/dovecot-ark.log");
    assert!(!file.contains("waiting for"), "{file}");
    kit.expect("restore", 0);
    kit.sh(&format!("sed -i 2d {script}"));
    assert!(!kit.sh("dovecot-ark remove -t dovecot -i dovecot 2>&1").contains('\r'));
}

#[test]
fn a_wait_for_another_action_is_shown_with_who_holds_the_lock() {
    let kit = Kit::new(Init::SysV);
    let _remove = begin_long_remove(&kit);
    let holder = kit.sh("pgrep -x dovecot-ark");
    let holder = holder.trim();
    kit.sh(&format!("setsid sh -c 'sleep 4; kill -KILL {holder}' >/dev/null 2>&1 </dev/null &"));
    let seen = on_terminal(&kit, "dovecot-ark restore -t dovecot -i dovecot");
    let wait = format!("waiting until remove, pid {holder} has ended, ");
    // A busy machine may skip the second that is drawn first.
    let drawn = format!("\r\u{1b}[K{wait}");
    let second = |rest: &str| rest.split_once(" of ")?.0.parse().ok();
    let seconds: Vec<Option<u32>> = seen.split(&drawn).skip(1).map(second).collect();
    let is_drawn = |second: &Option<u32>| second.is_some_and(|second| second >= 2);
    assert!(!seconds.is_empty() && seconds.iter().all(is_drawn) && seconds.is_sorted(), "{seen:?}");
    let (_, behind) = seen.rsplit_once(&wait).expect("the wait");
    assert!(behind.contains(" s\r\u{1b}[K"), "{seen:?}");
    kit.log_in();
    let file = kit.sh("cat /var/log/dovecot-ark.log");
    assert!(file.contains("has ended\n") && !file.contains("has ended, "), "{file}");
}
