//! The lab's promise to the machine: a test that is killed leaves no cluster behind.

#![expect(clippy::expect_used, reason = "a helper of a test fails as the test does")]

mod footprint;

use std::process::{Command, Stdio};
use std::{env, fs};

use footprint::{Footprint, surroundings, wait_until};
use lab::{Cluster, Suite};

#[test]
#[ignore = "run by the other test, in a process that it kills"]
fn hold_a_cluster() {
    let cluster = Cluster::bare().expect("a cluster");
    cluster.node(2).expect("a node").run(&["sleep", "86"]).expect("a command");
}

#[test]
fn a_killed_owner_takes_its_cluster_along() {
    lab::prepare(Suite::Bookworm).expect("an image");
    let before = surroundings();
    let mut owner = Command::new(env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "hold_a_cluster"])
        .stdout(Stdio::null())
        .spawn()
        .expect("the other test");
    let sleeps = || {
        let entries = fs::read_dir(format!("/proc/{}/task", owner.id())).expect("threads");
        let children = entries.flatten().map(|task| task.path().join("children"));
        let pids = children.filter_map(|path| fs::read_to_string(path).ok()).collect::<String>();
        pids.split_whitespace().any(|pid| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"sleep\x0086\0")
        })
    };
    wait_until("the cluster is up", sleeps);
    let mut footprint = Footprint::default();
    footprint.add(&[owner.id()]);
    owner.kill().expect("a signal");
    owner.wait().expect("an end");
    wait_until("the cluster is gone", || footprint.is_gone());
    assert_eq!(surroundings(), before);
    drop(Cluster::bare().expect("a cluster"));
    assert_eq!(footprint.left_cgroups(), [""; 0]);
}
