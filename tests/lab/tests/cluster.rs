//! The lab's proof for clusters: network, shared storage, power cuts, and nothing left behind.

#![expect(clippy::expect_used, reason = "a helper of a test fails as the test does")]

mod footprint;

use std::thread;
use std::time::{Duration, Instant};

use footprint::{Footprint, SOON, surroundings, wait_until};
use lab::{Cluster, Ledger, MAIL, NODES, Node, SHARED};

/// Runs a script on a node and expects success.
fn succeed(node: &Node, script: &str) -> String {
    let done = node.sh(script).expect("a command");
    assert!(done.success(), "{script}: {done:?}");
    done.stdout
}

/// Lists the processes that a cluster hangs on.
fn tops(cluster: &Cluster) -> Vec<u32> {
    let launcher = |node| cluster.node(node).expect("a node").launcher();
    NODES.into_iter().filter_map(launcher).chain([cluster.launcher()]).collect()
}

/// Brings address, mail and Dovecot to a node, as LifeKeeper would.
fn serve(node: &Node) {
    succeed(node, "ip addr add 192.0.2.10/24 dev eth0");
    // It tells the neighbours at once, and then waits for 1 s.
    succeed(node, "arping -q -A -c 1 -I eth0 192.0.2.10 &");
    succeed(node, &format!("mount --bind {SHARED}/block {MAIL} && service dovecot start"));
}

#[test]
fn nodes_share_network_and_storage_and_keep_their_disks() {
    let before = surroundings();
    let start = Instant::now();
    let cluster = Cluster::bare().expect("a cluster");
    println!("two nodes after {:.2} s", start.elapsed().as_secs_f64());
    let mut footprint = Footprint::default();
    footprint.add(&tops(&cluster));

    for node in NODES {
        let found = cluster.node(node).expect("a node");
        let peer = if node == 1 { "node2" } else { "node1.example.com" };
        succeed(&found, &format!("ping -c 1 -W 2 {peer}"));
        assert_eq!(succeed(&found, "hostname").trim(), lab::host(node));
        found.write(&format!("{SHARED}/from-{node}"), "shared\n").expect("writing");
        found.write("/etc/own", &format!("disk {node}\n")).expect("writing");
    }
    for node in NODES {
        let found = cluster.node(node).expect("a node");
        assert_eq!(succeed(&found, &format!("cat {SHARED}/from-[12]")), "shared\nshared\n");
        assert_eq!(found.read("/etc/own").expect("reading"), format!("disk {node}\n"));
    }
    assert!(cluster.node(3).is_err() && cluster.node(0).is_err());

    // A node held over a power cut, and a command that nobody waits for, must not delay it.
    let held = cluster.node(1).expect("a node");
    let running = held.spawn(&["sleep", "60"]).expect("a command");
    let start = Instant::now();
    cluster.power_cut(1).expect("a power cut");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    println!("power cut in {:.2} s", start.elapsed().as_secs_f64());
    assert!(!cluster.is_on(1) && cluster.node(1).is_err() && cluster.is_on(2));
    let other = cluster.node(2).expect("a node");
    assert!(!other.sh("ping -c 1 -W 1 node1").expect("a command").success());
    let start = Instant::now();
    cluster.boot(1).expect("a boot");
    println!("back after {:.2} s", start.elapsed().as_secs_f64());
    let node = cluster.node(1).expect("a node");
    assert_eq!(node.read("/etc/own").expect("reading"), "disk 1\n");
    succeed(&node, "ping -c 1 -W 2 node2");
    drop((running, held, node, other));

    footprint.add(&tops(&cluster));
    let start = Instant::now();
    drop(cluster);
    println!("gone after {:.2} s", start.elapsed().as_secs_f64());
    assert!(footprint.is_gone(), "processes or networks are left");
    assert_eq!(footprint.left_cgroups(), [""; 0]);
    assert_eq!(surroundings(), before);
}

#[test]
fn poller_ledger_and_watch_tell_what_happens_to_the_mail() {
    let cluster = Cluster::bare().expect("a cluster");
    let (one, two) = (cluster.node(1).expect("a node"), cluster.node(2).expect("a node"));
    serve(&one);
    assert_eq!(cluster.serving().expect("a look"), [1]);
    let (poller, watch) = (cluster.poll().expect("a poller"), cluster.watch());
    let mark = poller.wait_for_success(Instant::now(), SOON).expect("mail");
    let mut ledger = Ledger::new(cluster.client().expect("a client"));
    (0..5).for_each(|_| ledger.append().expect("an acknowledgement"));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(poller.downtime_since(mark), Duration::ZERO, "{:?}", poller.timeline().outages());

    let cut = Instant::now();
    cluster.power_cut(1).expect("a power cut");
    assert!(ledger.append().is_err());
    assert_eq!(cluster.serving().expect("a look"), [0; 0]);
    serve(&two);
    let back = poller.wait_for_success(Instant::now(), SOON).expect("mail");
    let timeline = poller.stop();
    let (down, real) = (timeline.downtime(cut, Instant::now()), back - cut);
    println!("down for {down:?}, back after {real:?}: {:?}", timeline.outages());
    assert!(down >= Duration::from_secs(1) && down <= real, "{down:?} {real:?}");
    let outages = timeline.outages();
    assert_eq!(outages.iter().filter(|one| one.to.is_none_or(|to| to > cut)).count(), 1);
    assert_eq!(ledger.acknowledged(), 5);
    assert_eq!(ledger.missing().expect("a look"), [""; 0]);
    ledger.append().expect("an acknowledgement");

    let seen = watch.seen();
    println!("{} samples, {:?} at most between two", seen.samples, seen.longest_pause);
    assert!(seen.samples > 20 && seen.violations.is_empty(), "{seen:?}");
    cluster.boot(1).expect("a boot");
    succeed(&cluster.node(1).expect("a node"), "service dovecot start");
    assert_eq!(cluster.serving().expect("a look"), [1, 2]);
    wait_until("the watch has seen both", || !watch.seen().violations.is_empty());
    let violation = watch.stop().violations.remove(0);
    assert!(violation.processes.iter().all(|list| !list.is_empty()), "{violation:?}");
}
