//! The status command looks, and only looks.

use crate::holder::begin_long_remove;
use crate::kit::{Finished, Init, Kit};
use crate::schema::document;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_each_node!(
    the_status_is_what_the_checks_say_and_nothing_changes,
    while_an_action_runs_the_status_names_it_and_does_not_connect,
    only_root_is_shown_the_status,
);

/// How long something may take that is sure to come.
const WAIT: Duration = Duration::from_mins(1);

fn status(kit: &Kit, form: &[&str]) -> Finished {
    let words = [&["/usr/sbin/dovecot-ark", "status"][..], form].concat();
    kit.node.run(&words).expect("calling the status")
}

fn told(kit: &Kit) -> Value {
    document("status", &status(kit, &["--json"]).stdout)
}

#[track_caller]
fn assert_status(kit: &Kit, verdict: &str, exit: i32, monitored: i32) {
    let text = status(kit, &[]);
    assert_eq!(text.status, Some(exit), "{text:?}");
    assert!(text.stdout.starts_with(&format!("dovecot: {verdict}")), "{text:?}");
    assert_eq!(told(kit)["verdict"], verdict);
    let line = status(kit, &["--format", "nagios"]);
    assert_eq!(line.status, Some(monitored), "{line:?}");
}

fn the_status_is_what_the_checks_say_and_nothing_changes(kit: &Kit) {
    assert_status(kit, "stopped", 1, 2);
    assert_eq!(kit.dovecot(), []);
    assert!(!kit.node.exists("/run/dovecot-ark/.lock").expect("a look"), "no lock is taken");

    kit.expect("restore", 0);
    let master = kit.master();
    assert_status(kit, "up", 0, 1); // nothing protects it
    let up = told(kit);
    assert_eq!(up["checks"]["process"]["pids"], json!([master]), "{up}");
    assert_eq!(up["checks"]["connections"][0]["result"], "connected");
    assert!(up["checks"]["service"]["seconds"].as_f64().is_some_and(|time| time > 0.0), "{up}");
    assert_eq!(up["lifekeeper"]["running"], false);
    assert_eq!(kit.master(), master);

    kit.set("APP_DOVECOT_IP_LIST='127.0.0.1:143 127.0.0.1:1:1'\n");
    assert_status(kit, "failed", 1, 2);
    assert_eq!(told(kit)["causes"], json!(["127.0.0.1:1: connection refused"]));
}

fn while_an_action_runs_the_status_names_it_and_does_not_connect(kit: &Kit) {
    let holder = begin_long_remove(kit);
    assert_status(kit, "stopping", 1, 1);
    let busy = told(kit);
    assert_eq!(busy["action"]["name"], "remove", "{busy}");
    assert_eq!(busy["checks"]["connections"][0]["result"], "not tried");
    holder.kill();
}

fn only_root_is_shown_the_status(kit: &Kit) {
    let other = "setpriv --reuid=1000 --regid=1000 --clear-groups dovecot-ark status";
    let refused = kit.node.sh(other).expect("a command");
    assert_eq!((refused.status, &*refused.stdout), (Some(1), ""));
    assert_eq!(refused.stderr, "dovecot-ark: ARK1001: showing the status: must be run as root\n");
    let unknown = kit.node.sh(&format!("{other} --format nagios")).expect("a command");
    assert_eq!(unknown.status, Some(3), "{unknown:?}");
    assert_eq!(
        unknown.stdout,
        "DOVECOT UNKNOWN - ARK1001: showing the status: must be run as root\n"
    );
}

#[test]
fn looking_does_not_wake_what_a_socket_unit_would_start() {
    let kit = Kit::new(Init::Systemd);
    kit.sh("systemctl start dovecot.socket");
    assert_status(&kit, "stopped", 1, 2);
    assert_eq!(told(&kit)["checks"]["connections"][0]["cause"], "no process");
    assert_eq!(kit.dovecot(), []);
    // Whoever does connect starts it.
    drop(kit.node.connect(lab::IMAP).expect("a connection"));
    let start = Instant::now();
    while kit.node.master().expect("the process table").is_none() {
        assert!(start.elapsed() < WAIT, "the socket unit starts nothing");
    }
}
