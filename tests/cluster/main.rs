//! A cluster's life: two nodes, LifeKeeper's stand-in, a floating address, shared mail, the kit.
//!
//! Each test ends with the same two questions: has Dovecot ever run on both nodes, and is each
//! acknowledged message there?

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that finds the cluster in another state than it must be ends there"
)]

mod doctor;
mod hangs;
mod install;
#[path = "../schema/mod.rs"]
mod schema;
mod status;
mod take_over;

use std::time::{Duration, Instant};

use lab::{Cluster, Dialect, FILESYS_TAG, IP_TAG, LKROOT, Ledger, Poller, TAG, Watch};

/// How long something may take that is sure to come: a SysV stop alone may take 70 s.
const WAIT: Duration = Duration::from_mins(3);

/// Starts a cluster that has the kit and LifeKeeper and protects nothing.
fn start(dialect: Dialect) -> Cluster {
    let kit = lab::package().expect("the package");
    let standin = lab::program("lifekeeper-standin").expect("the stand-in");
    Cluster::start(&kit, &standin, dialect).expect("starting the cluster")
}

/// The cluster in service on node 1, and all that is watched of it.
struct Scene {
    cluster: Cluster,
    watch: Watch,
    poller: Poller,
    ledger: Ledger,
}

impl Scene {
    fn new() -> Self {
        Self::speaking(Dialect::Guess)
    }

    /// Whether there is an lkcli must make no difference to a cluster's life.
    fn speaking(dialect: Dialect) -> Self {
        Self::set(start(dialect), |cluster| cluster.protect().expect("protecting Dovecot"))
    }

    /// Watches a cluster from before it is protected in this way.
    fn set(cluster: Cluster, protect: impl FnOnce(&Cluster)) -> Self {
        let watch = cluster.watch();
        protect(&cluster);
        let poller = cluster.poll().expect("polling");
        let mut ledger = Ledger::new(cluster.client().expect("a client"));
        ledger.append().expect("a first message");
        let scene = Self { cluster, watch, poller, ledger };
        scene.assert_in_service_on(1);
        scene
    }

    /// Waits until there is mail from now on, and stores a message.
    #[track_caller]
    fn await_mail(&mut self) {
        self.poller.wait_for_success(Instant::now(), WAIT).expect("mail");
        self.ledger.append().expect("another message");
    }

    #[track_caller]
    fn signal_master(&self, node: usize, signal: &str) {
        lab::stage::signal_master(&self.cluster, node, signal).expect("a signal");
    }

    /// Insists that the hierarchy is in service on a node and, if that is on, not on the other.
    #[track_caller]
    fn assert_in_service_on(&self, node: usize) {
        let other = 3 - node;
        for tag in [IP_TAG, FILESYS_TAG, TAG] {
            self.assert_state(node, tag, &["ISP"]);
            if self.cluster.is_on(other) {
                self.assert_state(other, tag, &["OSU", "OSF"]);
            }
        }
        assert_eq!(self.cluster.serving().expect("the process tables"), [node]);
    }

    /// Waits until a resource has one of the states; what LifeKeeper tells comes after the deed.
    #[track_caller]
    fn assert_state(&self, node: usize, tag: &str, states: &[&str]) {
        let start = Instant::now();
        loop {
            let state = self.cluster.state(node, tag).expect("a state");
            if states.contains(&state.as_str()) {
                return;
            }
            assert!(start.elapsed() < WAIT, "{tag} on node {node} is {state}, not {states:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self, node: usize) -> String {
        let node = self.cluster.node(node).expect("the node");
        node.read("/var/log/lifekeeper.log").expect("LifeKeeper's log")
    }

    fn write(&self, node: usize, path: &str, text: &str) {
        let node = self.cluster.node(node).expect("the node");
        node.write_program(path, text).expect("writing a file");
    }

    fn break_configuration(&self, node: usize) {
        let node = self.cluster.node(node).expect("the node");
        node.append("/etc/dovecot/local.conf", "x {{\n").expect("breaking the configuration");
    }

    fn repair_configuration(&self, node: usize) {
        let node = self.cluster.node(node).expect("the node");
        let repaired = node.sh("sed -i '/x {{/d' /etc/dovecot/local.conf").expect("a command");
        assert!(repaired.success(), "{repaired:?}");
    }

    /// Asks the two questions, and hands the cluster out.
    fn end(self) -> Cluster {
        let missing = self.ledger.missing().expect("the mailbox");
        assert_eq!(missing, Vec::<String>::new(), "of {}", self.ledger.acknowledged());
        let seen = self.watch.stop();
        assert!(seen.samples > 10, "{seen:?}");
        assert!(seen.violations.is_empty(), "{:?}", seen.violations);
        self.cluster
    }
}

/// Insists that these words stand in a log in this order.
#[track_caller]
fn assert_in_order(log: &str, words: &[&str]) {
    let mut rest = log;
    for word in words {
        match rest.split_once(word) {
            Some((_, after)) => rest = after,
            None => panic!("{word:?} is not there, or not behind the words before it:\n{log}"),
        }
    }
}

#[test]
fn a_killed_master_is_recovered_on_its_node() {
    let mut scene = Scene::new();
    scene.signal_master(1, "KILL");
    scene.await_mail();
    scene.assert_in_service_on(1);
    // Mail is there before recover's second look.
    let start = Instant::now();
    while scene.log(1).matches("Dovecot is in operation").count() < 2 {
        assert!(start.elapsed() < WAIT, "recover does not end: {}", scene.log(1));
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = scene.log(1);
    assert_in_order(&log, &["quickCheck", "no process named dovecot", "Dovecot is in operation"]);
    assert_eq!(scene.log(2).matches("restore").count(), 0, "node 2 had nothing to do");
    scene.end();
}

#[test]
fn a_dovecot_that_cannot_start_is_failed_over_and_can_come_back() {
    let mut scene = Scene::speaking(Dialect::None);
    scene.break_configuration(1);
    scene.signal_master(1, "KILL");
    scene.await_mail();
    scene.assert_in_service_on(2);
    scene.assert_state(1, TAG, &["OSF"]);
    assert_in_order(
        &scene.log(1),
        &[
            "no process named dovecot",
            "attempting local recovery of \"dovecot\"",
            "starting Dovecot: its configuration is broken: ",
            "BEGIN remove of \"dovecot\"",
            "END successful remove of \"dovecot\"",
            "BEGIN remove of \"vmail\"",
            "failover of \"dovecot\" to \"node2\"",
        ],
    );
    let below = "END successful restore of \"vmail\"";
    assert_in_order(&scene.log(2), &[below, "BEGIN restore of \"dovecot\""]);
    let address = "END successful restore of \"ip-mail\"";
    assert_in_order(&scene.log(2), &[address, "BEGIN restore of \"dovecot\""]);

    scene.repair_configuration(1);
    let moved = scene.cluster.bring_in(1).expect("a command");
    assert!(moved.success(), "{moved:?}");
    scene.await_mail();
    scene.assert_in_service_on(1);
    scene.end();
}

#[test]
fn a_power_cut_is_failed_over_and_the_node_comes_back_as_a_standby() {
    let mut scene = Scene::speaking(Dialect::Guess);
    scene.cluster.power_cut(1).expect("a power cut");
    scene.await_mail();
    scene.assert_in_service_on(2);
    scene.cluster.boot(1).expect("a boot");
    scene.cluster.wait_for_peer(1).expect("node 2 in the eyes of node 1");
    scene.cluster.wait_for_peer(2).expect("node 1 in the eyes of node 2");
    scene.assert_in_service_on(2);

    scene.cluster.power_cut(2).expect("a power cut");
    scene.await_mail();
    scene.assert_in_service_on(1);
    scene.end();
}

#[test]
fn a_frozen_master_does_not_hold_a_switchover() {
    let mut scene = Scene::speaking(Dialect::None);
    scene.signal_master(1, "STOP");
    let moved = scene.cluster.bring_in(2).expect("a command");
    assert!(moved.success(), "{moved:?}");
    scene.await_mail();
    scene.assert_in_service_on(2);
    scene.end();
}

#[test]
fn a_remove_that_fails_in_a_failover_halts_the_node_and_the_other_serves() {
    let mut scene = Scene::new();
    let copy = format!("{LKROOT}/subsys/gen/resources/app/actions/!remove/{TAG}");
    scene.write(1, &copy, "#!/bin/sh\nexit 1\n");
    scene.break_configuration(1);
    scene.signal_master(1, "KILL");
    scene.cluster.wait_for_power_off(1, WAIT).expect("node 1 is halted");
    scene.await_mail();
    scene.assert_in_service_on(2);
    scene.end();
}
