//! A cluster's life under real Corosync and Pacemaker, with the kit as a resource agent.
//!
//! One cluster lives through all of it, since what happened before must not matter; the agent's own
//! conformance is shown on it too.

#![expect(clippy::expect_used, reason = "a test that finds the cluster otherwise ends there")]

use std::time::{Duration, Instant};

use lab::{Agent, Ledger, Pacemaker, Poller};

/// The longest wait for mail after an event.
const MAIL: Duration = Duration::from_mins(1);

/// The longest a stop may take, as the cluster's configuration says.
const STOP: Duration = Duration::from_secs(20);

struct Scene {
    cluster: Pacemaker,
    poller: Poller,
    ledger: Ledger,
}

impl Scene {
    /// Waits for mail that comes from now on, and stores a message.
    #[track_caller]
    fn mail(&mut self, event: &str, mark: Instant, node: usize) {
        let end = mark + MAIL;
        while self.cluster.serving().expect("the nodes") != [node] {
            assert!(Instant::now() < end, "{event}: {:?}", self.cluster.state());
            std::thread::sleep(Duration::from_millis(50));
        }
        self.poller.wait_for_success(Instant::now(), MAIL).expect(event);
        self.ledger.append().expect("another message");
        let downtime = self.poller.timeline().downtime(mark, Instant::now());
        // Mail comes before the action has ended: the next event must not fall into it.
        self.on(node, "timeout 60 crm_resource --wait");
        println!("{event}: {:.2} s without mail", downtime.as_secs_f64());
    }

    #[track_caller]
    fn signal_master(&self, node: usize, signal: &str) -> u32 {
        let node = self.cluster.node(node).expect("the node");
        let master = node.master().expect("its processes").expect("a master");
        node.signal(master, signal).expect("a signal");
        master
    }

    /// Waits until another master than this one lives on a node.
    #[track_caller]
    fn replaced(&self, node: usize, old: u32) {
        let end = Instant::now() + MAIL;
        loop {
            let found = self.cluster.node(node).expect("the node").master().expect("processes");
            if found.is_some_and(|pid| pid != old) {
                return;
            }
            assert!(Instant::now() < end, "{:?}", self.cluster.state());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn on(&self, node: usize, script: &str) -> String {
        let node = self.cluster.node(node).expect("the node");
        let done = node.sh(script).expect("a command");
        assert!(done.success(), "{script}: {done:?}");
        done.stdout
    }
}

/// Calls the agent as the engine does on a node, and returns its exit status and its reason.
fn agent(scene: &Scene, node: usize, verb: &str, given: &str) -> (i32, String) {
    let line = format!("{given} /usr/lib/ocf/resource.d/dovecot-ark/dovecot {verb} 2>&1; echo $?");
    let said = scene.on(node, &line);
    let mut lines: Vec<&str> = said.lines().collect();
    let status = lines.pop().and_then(|line| line.parse().ok()).expect("a status");
    (status, lines.join("\n"))
}

#[test]
fn dovecot_lives_under_pacemaker() {
    let kit = lab::program("dovecot-ark").expect("the program");
    let start = Instant::now();
    let cluster = Pacemaker::start(&kit, Agent::Kit, "2s", "20s").expect("a cluster");
    println!("formed and started after {:.1} s", start.elapsed().as_secs_f64());
    let watch = cluster.watch();
    let poller = cluster.poll().expect("polling");
    let ledger = Ledger::new(cluster.client().expect("a client"));
    let mut scene = Scene { cluster, poller, ledger };
    scene.mail("started", Instant::now(), 1);

    // The agent's own description, by the schema that resource-agents ships.
    scene.on(
        1,
        "/usr/lib/ocf/resource.d/dovecot-ark/dovecot meta-data >/run/meta.xml && \
         xmllint --noout --dtdvalid /usr/share/resource-agents/ra-api-1.dtd /run/meta.xml",
    );
    // A probe of the standby, where the socket unit listens, starts nothing.
    scene.on(2, "systemctl start dovecot.socket");
    let probe = "OCF_RESKEY_CRM_meta_interval=0";
    assert_eq!(agent(&scene, 2, "monitor", probe), (7, String::new()));
    assert_eq!(scene.cluster.serving().expect("the nodes"), [1]);
    scene.on(2, "systemctl stop dovecot.socket");
    assert_eq!(agent(&scene, 1, "monitor", probe).0, 0);
    let refused = agent(&scene, 1, "monitor", "OCF_CHECK_LEVEL=30");
    assert_eq!(refused.0, 6, "{refused:?}");

    let mark = Instant::now();
    let old = scene.signal_master(1, "KILL");
    scene.replaced(1, old);
    scene.mail("killed", mark, 1);

    let mark = Instant::now();
    let old = scene.signal_master(1, "STOP");
    scene.replaced(1, old);
    scene.mail("frozen", mark, 1);

    let mark = Instant::now();
    scene.on(1, "crm_resource --move --resource mail --node node2 >/dev/null 2>&1");
    scene.mail("moved", mark, 2);
    scene.on(1, "crm_resource --clear --resource mail >/dev/null 2>&1");

    // The service command hangs and the master is frozen: signals, within the engine's limit.
    scene.on(
        2,
        "cp /usr/sbin/service /usr/sbin/service.real && \
         printf '#!/bin/sh\\n[ \"$2\" != stop ] || exec sleep 600\\nexec service.real \"$@\"\\n' \
         >/usr/sbin/service",
    );
    let mark = Instant::now();
    scene.signal_master(2, "STOP");
    scene.on(2, "crm_resource --move --resource mail --node node1 >/dev/null 2>&1");
    scene.mail("moved, stop hangs", mark, 1);
    assert!(scene.cluster.node(2).expect("on").dovecot().expect("processes").is_empty());
    assert_eq!(scene.cluster.fenced().expect("the switch"), [0; 0], "no healthy node is cut");
    println!("   all of it took {:.1} s", mark.elapsed().as_secs_f64());
    assert!(mark.elapsed() > STOP / 3, "the stop command did hang");
    assert!(mark.elapsed() < STOP + MAIL / 6, "{:?}", mark.elapsed());
    scene.on(2, "mv /usr/sbin/service.real /usr/sbin/service");
    scene.on(1, "crm_resource --clear --resource mail >/dev/null 2>&1");

    let mark = Instant::now();
    scene.cluster.power_cut(1).expect("a power cut");
    scene.mail("power cut", mark, 2);
    assert_eq!(scene.cluster.fenced().expect("the switch"), [1]);

    assert_eq!(scene.ledger.missing().expect("the messages"), Vec::<String>::new());
    let seen = watch.stop();
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);
    println!("{} messages, {} looks for two masters", scene.ledger.acknowledged(), seen.samples);
}
