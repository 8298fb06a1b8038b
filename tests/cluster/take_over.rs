//! A cluster of the original kit, taken over by one command and given back by another, while a client
//! stays logged in.

use std::time::{Duration, Instant};

use lab::kit::ORIGINALS;
use lab::{Cluster, Dialect, IP_TAG, NODES, STUBS, TAG, Tree, USERS};

use crate::install::{done, sh, trees};
use crate::{Scene, start};

/// Longest wait for an answer of the client's session.
const ANSWER: Duration = Duration::from_secs(5);

/// A cluster whose Dovecot the original kit protects; Dovecot's start at boot is on, on both nodes.
fn original(dialect: Dialect) -> (Scene, [Tree; 2]) {
    let cluster = start(dialect);
    for node in NODES {
        sh(&cluster, node, "systemctl enable --quiet dovecot.service dovecot.socket");
        cluster.node(node).expect("the node").lay_original().expect("the original kit");
    }
    let scene = Scene::set(cluster, |cluster| {
        cluster.protect_by(ORIGINALS).expect("protecting Dovecot");
    });
    let before = trees(&scene.cluster);
    (scene, before)
}

fn master(cluster: &Cluster, node: usize) -> u32 {
    let master = cluster.node(node).expect("the node").master();
    master.expect("the process table").expect("Dovecot runs")
}

/// Insists that LifeKeeper runs these programs on both nodes.
#[track_caller]
fn assert_programs(cluster: &Cluster, programs: &str) {
    for node in NODES {
        cluster
            .node(node)
            .expect("the node")
            .require_copies(TAG, programs)
            .expect("these programs");
    }
}

#[track_caller]
fn assert_as(cluster: &Cluster, before: &[Tree; 2]) {
    for (node, (before, after)) in NODES.iter().zip(before.iter().zip(&trees(cluster))) {
        assert_eq!(before.changes(after), [""; 0], "node {node}");
    }
}

#[test]
fn a_cluster_of_the_original_kit_is_taken_over_and_given_back_under_a_client_that_stays() {
    let (mut scene, before) = original(Dialect::Guess);
    let begin = Instant::now();
    let mut session = scene.cluster.client().expect("a client").imap(ANSWER).expect("a session");
    let (user, password) = USERS[1];
    session.login(user, password).expect("a login");
    let serves = master(&scene.cluster, 1);

    let would = done(&scene.cluster, 1, &["install", "--take-over", "--dry-run"]);
    assert!(would.contains("node2: would replace LifeKeeper's copies by this kit's"), "{would}");
    assert_as(&scene.cluster, &before);
    let said = done(&scene.cluster, 1, &["install", "--take-over"]);
    assert!(said.ends_with("done: dovecot is ISP on this node\n"), "{said}");
    assert_programs(&scene.cluster, STUBS);
    scene.assert_in_service_on(1);
    for node in NODES {
        let boot = sh(&scene.cluster, node, "systemctl is-enabled dovecot.service || true");
        assert_eq!(boot, "disabled\n", "node {node}");
    }
    let said = done(&scene.cluster, 1, &["uninstall", "--yes"]);
    assert!(said.ends_with("with the programs it had before\n"), "{said}");
    assert_programs(&scene.cluster, ORIGINALS);
    scene.assert_in_service_on(1);
    assert_as(&scene.cluster, &before);
    session.noop().expect("the session goes on");
    assert_eq!(master(&scene.cluster, 1), serves, "{said}");
    let outages = scene.poller.timeline().outages();
    assert!(outages.is_empty(), "since {:?}: {outages:#?}", begin.elapsed());

    done(&scene.cluster, 1, &["install", "--take-over"]);
    scene.signal_master(1, "KILL");
    scene.await_mail();
    scene.assert_in_service_on(1);
    let moved = scene.cluster.bring_in(2).expect("a command");
    assert!(moved.success(), "{moved:?}");
    scene.await_mail();
    scene.assert_in_service_on(2);
    done(&scene.cluster, 2, &["uninstall", "--yes"]);
    scene.assert_in_service_on(2);
    let again = done(&scene.cluster, 1, &["uninstall", "--yes"]);
    assert!(again.contains("nothing to do"), "node 2 has given it back on both: {again}");
    let cluster = scene.end();
    assert_programs(&cluster, ORIGINALS);
    assert_as(&cluster, &before);
    assert_eq!(cluster.state(2, IP_TAG).expect("a state"), "ISP");
}
