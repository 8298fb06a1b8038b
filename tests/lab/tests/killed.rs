//! The lab's promise to the machine: a test that is killed leaves no node running.

#![expect(clippy::expect_used, reason = "a helper of a test fails as the test does")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use lab::{Init, Node, Suite};

/// What runs in the node when its owner is killed; no other program has these words.
const HELD: [&str; 2] = ["sleep", "86.4242"];

/// Lists the pids on this machine whose command line holds `word`.
fn pids_with(word: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("a readable /proc");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter(|name| {
            let line = fs::read(format!("/proc/{name}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(word)
        })
        .collect()
}

/// Waits, at most 10 s, until `done`.
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "waiting until {what}: nothing");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "run by the other test, in a process that it kills"]
fn hold_a_node() {
    let node = Node::start(Init::Systemd).expect("a node");
    node.run(&["service", "dovecot", "start"]).expect("a command");
    node.run(&HELD).expect("a command");
}

#[test]
fn a_killed_owner_takes_its_node_along_and_the_next_start_sweeps_the_cgroup() {
    lab::prepare(Suite::Bookworm).expect("an image");
    let mut owner = Command::new(env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "hold_a_node"])
        .stdout(Stdio::null())
        .spawn()
        .expect("the other test");
    let name = format!("dovecot-ark-lab.{}.", owner.id());
    let cgroups = || lab::cgroups().into_iter().filter(|cgroup| cgroup.starts_with(&name)).count();
    let held = || pids_with(HELD[1]).len();
    wait_until("the node is up", || cgroups() == 1 && held() == 1);
    owner.kill().expect("a signal");
    owner.wait().expect("an end");
    wait_until("the node is gone", || held() == 0 && pids_with(&name).is_empty());
    drop(Node::start(Init::Systemd).expect("a node"));
    assert_eq!(cgroups(), 0);
}
