//! The doctor on two real nodes: it finds what is wrong with each, and changes nothing.

use std::path::Path;

use lab::{Cluster, Finished, Init, LKROOT, Node, TAG};
use serde_json::Value;

const KIT: &str = env!("CARGO_BIN_EXE_dovecot-ark");

/// Dovecot in service on node 1, and its protection complete.
fn protected() -> Cluster {
    let standin = lab::program("lifekeeper-standin").expect("the stand-in");
    let cluster = Cluster::start(Path::new(KIT), &standin).expect("starting the cluster");
    cluster.protect().expect("protecting Dovecot");
    cluster
}

fn sh(cluster: &Cluster, node: usize, script: &str) -> String {
    let done = cluster.node(node).and_then(|node| node.sh(script)).expect("a command");
    assert!(done.success(), "{script}: {done:?}");
    done.stdout
}

fn examine(node: &Node, options: &[&str]) -> Finished {
    node.run(&[&["dovecot-ark", "doctor"], options].concat()).expect("calling the doctor")
}

#[test]
fn dump() {
    let cluster = protected();
    let node = cluster.node(1).expect("node 1");
    let done = examine(&node, &["--json"]);
    std::fs::write("/tmp/wk/doctor-dump.json", done.stdout).expect("x");
    let done = examine(&node, &[]);
    std::fs::write("/tmp/wk/doctor-dump.txt", format!("{}{}", done.stdout, done.stderr))
        .expect("x");
    let done = examine(&node, &["--local"]);
    println!("{:?} {}", done.status, done.stdout);
}
