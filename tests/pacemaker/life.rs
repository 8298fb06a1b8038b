//! A cluster's life, one event after the other, since what happened before must not matter.

use std::time::{Duration, Instant};

use lab::stage::signal_master;
use lab::{Agent, Pacemaker, Plan, Trial};

use crate::{AGENT, judge, kit, mail, on};

/// The longest a stop may take, as the cluster's configuration says.
const STOP: Duration = Duration::from_secs(20);

/// Calls the agent as the engine does on a node, and returns its exit status and its reason.
fn agent(trial: &Trial, node: usize, verb: &str, given: &str) -> (i32, String) {
    let line = format!("{given} {AGENT} {verb} 2>&1; echo $?");
    let said = on(&trial.cluster.node(node).expect("the node"), &line);
    let mut lines: Vec<&str> = said.lines().collect();
    let status = lines.pop().and_then(|line| line.parse().ok()).expect("a status");
    (status, lines.join("\n"))
}

#[test]
fn dovecot_lives_under_pacemaker() {
    let start = Instant::now();
    let plan = Plan { monitor: "2s", stop: "20s", ..Plan::new(&kit(), Agent::Kit) };
    let mut trial = Trial::begin(Pacemaker::start(&plan).expect("a cluster")).expect("mail");
    println!("formed and started after {:.1} s", start.elapsed().as_secs_f64());
    let node = |trial: &Trial, number| trial.cluster.node(number).expect("the node");

    // A probe of the standby, where the socket unit listens, starts nothing.
    on(&node(&trial, 2), "systemctl start dovecot.socket");
    let probe = "OCF_RESKEY_CRM_meta_interval=0";
    assert_eq!(agent(&trial, 2, "monitor", probe), (7, String::new()));
    assert_eq!(trial.cluster.serving().expect("the nodes"), [1]);
    on(&node(&trial, 2), "systemctl stop dovecot.socket");
    assert_eq!(agent(&trial, 1, "monitor", probe).0, 0);
    let refused = agent(&trial, 1, "monitor", "OCF_CHECK_LEVEL=30");
    assert_eq!(refused.0, 6, "{refused:?}");

    // One Dovecot under two engines: the doctor, who is LifeKeeper's, names the other one's resource.
    let looked = node(&trial, 1).run(&["dovecot-ark", "doctor", "--local"]).expect("a look");
    let named = "a resource of Pacemaker too, dovecot (ocf:dovecot-ark:dovecot)";
    assert!(!looked.success() && looked.stdout.contains(named), "{looked:?}");

    mail(&mut trial, "killed", 1, |cluster, node| signal_master(cluster, node, "KILL"));
    mail(&mut trial, "frozen", 1, |cluster, node| signal_master(cluster, node, "STOP"));
    mail(&mut trial, "moved", 2, |cluster, _| cluster.move_to(2));
    trial.cluster.move_freely().expect("no constraint");

    // The service command hangs and the master is frozen: signals, within the engine's limit.
    on(
        &node(&trial, 2),
        "mv /usr/bin/systemctl /usr/bin/systemctl.real && \
         printf '#!/bin/sh\\n[ \"$1\" != stop ] || exec sleep 600\\nexec systemctl.real \"$@\"\\n' \
         >/usr/bin/systemctl && chmod 755 /usr/bin/systemctl",
    );
    let mark = Instant::now();
    mail(&mut trial, "moved, stop hangs", 1, |cluster, node| {
        signal_master(cluster, node, "STOP")?;
        cluster.move_to(1)
    });
    assert!(node(&trial, 2).dovecot().expect("processes").is_empty());
    assert_eq!(trial.cluster.fenced().expect("the switch"), [0; 0], "no healthy node is cut");
    assert!(mark.elapsed() > STOP / 3, "the stop command did hang");
    assert!(mark.elapsed() < STOP + Duration::from_secs(10), "{:?}", mark.elapsed());
    on(&node(&trial, 2), "mv /usr/bin/systemctl.real /usr/bin/systemctl");
    trial.cluster.move_freely().expect("no constraint");

    mail(&mut trial, "power cut", 2, |cluster, node| cluster.power_cut(node));
    assert_eq!(trial.cluster.fenced().expect("the switch"), [1]);
    judge(trial);
}
