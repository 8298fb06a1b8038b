//! A cluster that was installed from the package, and is upgraded node by node.

use std::path::Path;

use lab::{Cluster, Dialect, FILESYS_TAG, IP_TAG, NODES, TAG};

use crate::packaged::{PREVIOUS, VERSION, copy_in, file};

/// Runs a script on a node, insists on success, and returns what it prints.
#[track_caller]
fn sh(cluster: &Cluster, node: usize, script: &str) -> String {
    let done = cluster.node(node).expect("the node").sh(script).expect("running a script");
    assert!(done.success(), "node {node}: {script}: {done:#?}");
    done.stdout
}

/// Insists that Dovecot is in service on a node, and there alone.
#[track_caller]
fn assert_serving(cluster: &Cluster, node: usize) {
    assert_eq!(cluster.serving().expect("the process tables"), [node]);
    assert_eq!(cluster.state(node, TAG).expect("a state"), "ISP");
    sh(cluster, node, "dovecot-ark status --tag dovecot");
}

/// Moves the hierarchy to a node.
#[track_caller]
fn switch_over(cluster: &Cluster, node: usize) {
    let moved = cluster.bring_in(node).expect("a command");
    assert!(moved.success(), "{moved:?}");
    assert_serving(cluster, node);
}

#[test]
fn a_cluster_is_upgraded_node_by_node_the_standby_first() {
    // The lab lays the kit without a package; the package takes these files over.
    let kit = Path::new(env!("CARGO_BIN_EXE_dovecot-ark"));
    let standin = lab::program("lifekeeper-standin").expect("the stand-in");
    let cluster = Cluster::start(kit, &standin, Dialect::Guess).expect("starting the cluster");
    for node in NODES {
        copy_in(&cluster.node(node).expect("the node"));
        sh(&cluster, node, &format!("rpm -i {} && rpm -V dovecot-ark", file(PREVIOUS)));
    }
    cluster.create_children().expect("an address and a file system");
    let needs = format!("--depends-on {IP_TAG} --depends-on {FILESYS_TAG}");
    sh(&cluster, 1, &format!("dovecot-ark install --tag {TAG} {needs}"));
    sh(&cluster, 2, &format!("dovecot-ark install --tag {TAG} --standby"));
    cluster.extend().expect("extending");
    assert_serving(&cluster, 1);
    let master = cluster.node(1).expect("the node").master().expect("the process table");

    let upgrade = format!("rpm -U {} && rpm -V dovecot-ark", file(VERSION));
    sh(&cluster, 2, &upgrade);
    assert_serving(&cluster, 1);
    assert_eq!(cluster.node(1).expect("the node").master().expect("the process table"), master);
    switch_over(&cluster, 2);
    sh(&cluster, 1, &upgrade);
    assert_serving(&cluster, 2);
    switch_over(&cluster, 1);
    for node in NODES {
        let version = sh(&cluster, node, "rpm -q dovecot-ark");
        assert_eq!(version, format!("dovecot-ark-{VERSION}-1.x86_64\n"), "node {node}");
    }
}
