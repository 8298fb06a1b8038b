//! The doctor on real nodes: it finds what is wrong with each, its cures cure, and it changes
//! nothing.

mod faults;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use lab::{ACTIONS, Cluster, Finished, Init, LKROOT, Node, STUBS, TAG};
use serde_json::Value;

use crate::schema::document;

use faults::{Cure, FAULTS};

/// How long a power cut may take to be noticed.
const WAIT: Duration = Duration::from_secs(30);
const DEFAULTS: &str = "/etc/default/LifeKeeper";

fn kit() -> PathBuf {
    lab::package().expect("the package")
}

fn standin() -> PathBuf {
    lab::program("lifekeeper-standin").expect("the stand-in")
}

/// Dovecot in service on node 1, and its protection complete.
fn protected() -> Cluster {
    let cluster =
        Cluster::start(&kit(), &standin(), lab::Dialect::Guess).expect("starting the cluster");
    cluster.protect().expect("protecting Dovecot");
    cluster
}

#[track_caller]
fn sh(node: &Node, script: &str) -> String {
    let done = node.sh(script).expect("a command");
    assert!(done.success(), "{script}: {done:?}");
    done.stdout
}

fn doctor(node: &Node, options: &[&str]) -> Finished {
    node.run(&[&["dovecot-ark", "doctor"], options].concat()).expect("calling the doctor")
}

/// What the doctor says to a program, and with which exit status.
#[track_caller]
fn examine(node: &Node) -> (Value, Option<i32>) {
    let done = doctor(node, &["--json"]);
    (document("doctor", &done.stdout), done.status)
}

/// The findings of a check and a level, on a node or on all together.
fn found<'a>(document: &'a Value, check: &str, level: &str, node: Option<&str>) -> Vec<&'a Value> {
    let is_one = |finding: &&Value| {
        (finding["check"].as_str(), finding["level"].as_str()) == (Some(check), Some(level))
            && finding["node"].as_str() == node
    };
    document["findings"].as_array().into_iter().flatten().filter(is_one).collect()
}

fn holds(finding: &Value, key: &str, words: &str) -> bool {
    let places = ["", "/command", "/hint"].map(|place| format!("/{key}{place}"));
    let texts = places.iter().filter_map(|place| finding.pointer(place)?.as_str());
    texts.into_iter().any(|text| text.contains(words))
}

/// All that the doctor must leave alone: names, modes, times of change, and contents.
fn picture(node: &Node) -> String {
    let places = "/etc /var/lib /opt/LifeKeeper/subsys /usr/lib/dovecot-ark";
    sh(
        node,
        &format!(
            // rpm writes into its database even when it is only asked.
            "find {places} -xdev -path /var/lib/rpm -prune -o -printf '%p %m %U %G %s %C@\\n' | sort; \
             find {places} -xdev -path /var/lib/rpm -prune -o -type f -exec md5sum {{}} + | sort; \
             find /run/dovecot-ark -type f 2>/dev/null | sort"
        ),
    )
}

#[test]
fn a_healthy_cluster_has_no_error_and_stays_as_it_is() {
    let cluster = protected();
    let nodes = [1, 2].map(|number| cluster.node(number).expect("a node"));
    let before = nodes.each_ref().map(|node| picture(node));
    let masters = nodes.each_ref().map(|node| node.master().expect("the process table"));
    assert!(masters[0].is_some() && masters[1].is_none(), "{masters:?}");
    for node in &nodes {
        let (document, status) = examine(node);
        assert_eq!((status, &document["count"]["error"]), (Some(0), &0.into()), "{document:#}");
        let seen = document["nodes"].as_array().expect("nodes");
        assert_eq!(seen.len(), 2);
        assert!(seen.iter().all(|one| one["alive"] == true && one["reached"] == true));
        for check in ["configuration", "copies", "state"] {
            assert_eq!(found(&document, check, "ok", None).len(), 1, "{check}");
            for name in ["node1", "node2"] {
                assert_eq!(found(&document, check, "ok", Some(name)).len(), 1, "{check} {name}");
            }
        }
        let text = doctor(node, &[]);
        assert_eq!((text.status, text.stderr.as_str()), (Some(0), ""));
        assert!(text.stdout.contains("\nnode2:\n") || text.stdout.contains("\nnode1:\n"));
        assert!(text.stdout.trim_end().ends_with(", 0 errors"), "{}", text.stdout);
        assert!(!doctor(node, &["--local"]).stdout.contains("all nodes:\n"));
    }
    let after = nodes.each_ref().map(|node| picture(node));
    assert_eq!(before, after);
    let now = nodes.each_ref().map(|node| node.master().expect("the process table"));
    assert_eq!(masters, now);
    assert!(!nodes[1].exists("/var/log/dovecot.log").expect("a look"), "it ran on node 2");
}

#[test]
fn each_fault_of_a_node_is_found_from_the_other_and_cured_as_told() {
    let cluster = protected();
    let [here, there] = [1, 2].map(|number| cluster.node(number).expect("a node"));
    for fault in FAULTS {
        sh(&there, fault.make);
        let before = [picture(&here), picture(&there)];
        let master = there.master().expect("the process table");
        let (document, status) = examine(&here);
        let of_it: Vec<&Value> = found(&document, fault.check, fault.level, fault.node)
            .into_iter()
            .filter(|one| holds(one, "what", fault.what) && holds(one, "cure", fault.cure))
            .collect();
        let [finding] = of_it.as_slice() else {
            panic!("{}: {:#}", fault.make, document["findings"]);
        };
        let errors = document["count"]["error"].as_u64().expect("a number");
        assert_eq!(status, Some(i32::from(errors > 0)), "{}", fault.make);
        assert!(fault.level != "error" || errors > 0, "{}", fault.make);
        assert_eq!(before, [picture(&here), picture(&there)], "{}", fault.make);
        assert_eq!(there.master().expect("the process table"), master, "{}", fault.make);
        match fault.by {
            Cure::AsTold => sh(&there, finding["cure"]["command"].as_str().expect("a cure")),
            Cure::By(script) => sh(&there, script),
        };
        let (document, _) = examine(&here);
        let left: Vec<&Value> = found(&document, fault.check, fault.level, fault.node)
            .into_iter()
            .filter(|one| holds(one, "what", fault.what))
            .collect();
        assert!(left.is_empty(), "{}: {left:?}", fault.make);
    }
    let (document, status) = examine(&here);
    assert_eq!(status, Some(0), "{:#}", document["findings"]);
}

#[test]
fn a_port_that_somebody_else_holds_is_found_with_its_holder() {
    let cluster = protected();
    let [here, there] = [1, 2].map(|number| cluster.node(number).expect("a node"));
    let script = "my $s = IO::Socket::INET->new(Listen => 1, LocalPort => 143, ReuseAddr => 1) \
                  or die; sleep 60";
    let holder = there.spawn(&["perl", "-MIO::Socket::INET", "-e", script]).expect("a listener");
    let start = Instant::now();
    loop {
        let (document, _) = examine(&here);
        let errors = found(&document, "port", "error", Some("node2"));
        if let [error] = errors.as_slice() {
            assert!(holds(error, "what", "192.0.2.10:143 is held by pid "), "{error}");
            assert!(holds(error, "what", "(perl)"), "{error}");
            break;
        }
        assert!(start.elapsed() < WAIT, "{document:#}");
        thread::sleep(Duration::from_millis(100));
    }
    holder.kill();
}

#[test]
fn a_dead_node_is_a_warning_and_the_other_is_looked_at_all_the_same() {
    let cluster = protected();
    cluster.power_cut(2).expect("a power cut");
    let here = cluster.node(1).expect("node 1");
    let start = Instant::now();
    loop {
        let (document, status) = examine(&here);
        let warnings = found(&document, "peer", "warning", Some("node2"));
        if let [warning] = warnings.as_slice() {
            assert!(holds(warning, "what", "node2 was not looked at"), "{warning}");
            assert_eq!((status, &document["nodes"][1]["alive"]), (Some(0), &false.into()));
            assert_eq!(found(&document, "state", "ok", Some("node1")).len(), 1);
            break;
        }
        assert!(start.elapsed() < WAIT, "{document:#}");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_node_without_lifekeeper_is_looked_at_as_far_as_it_goes() {
    let node = Node::start(Init::SysV).expect("a node");
    node.install(&kit()).expect("installing the kit");
    let (document, status) = examine(&node);
    assert_eq!(status, Some(1));
    let [error] =
        found(&document, "lifekeeper", "error", document["nodes"][0]["node"].as_str())[..]
    else {
        panic!("{document:#}");
    };
    assert!(holds(error, "what", "/opt/LifeKeeper has no bin/ins_list"), "{error}");
    assert_eq!(found(&document, "peer", "warning", None).len(), 1);

    let name = document["nodes"][0]["node"].as_str();
    assert_eq!(found(&document, "boot", "ok", name).len(), 1, "{document:#}");
    sh(&node, "update-rc.d dovecot enable");
    let (document, _) = examine(&node);
    let [error] = found(&document, "boot", "error", name)[..] else { panic!("{document:#}") };
    assert!(holds(error, "what", "/etc/rc2.d/S"), "{error}");
    sh(&node, error["cure"]["command"].as_str().expect("a cure"));
    let (document, _) = examine(&node);
    assert_eq!(found(&document, "boot", "ok", name).len(), 1, "{document:#}");

    let refused = node
        .run(&["setpriv", "--reuid=65534", "--clear-groups", "dovecot-ark", "doctor"])
        .expect("a command");
    assert_eq!(refused.status, Some(1));
    assert_eq!(
        refused.stderr,
        "dovecot-ark: ARK1001: looking at the preconditions: must be run as root\n"
    );
}

#[test]
fn a_single_server_has_nobody_to_agree_with_and_a_stopped_lifekeeper_is_an_error() {
    let node = Node::start(Init::SysV).expect("a node");
    node.install(&kit()).expect("installing the kit");
    node.write(DEFAULTS, "LKCHECKINTERVAL=60\n").expect("the settings");
    node.copy_in(&standin(), "/run/lifekeeper-standin").expect("the stand-in");
    sh(&node, "/run/lifekeeper-standin lay");
    sh(&node, &format!("{LKROOT}/bin/lkstart"));
    let name = sh(&node, &format!("{LKROOT}/bin/lcduname")).trim().to_owned();
    let (document, status) = examine(&node);
    assert_eq!(status, Some(0), "{document:#}");
    let [missing] = found(&document, "resource", "warning", Some(&name))[..] else {
        panic!("{document:#}")
    };
    assert!(holds(missing, "cure", "dovecot-ark install --tag dovecot"), "{missing}");
    let [alone] = found(&document, "peer", "ok", None)[..] else { panic!("{document:#}") };
    assert!(holds(alone, "what", "Single Server Protection"), "{alone}");

    let [check, restore, remove, recover] = ACTIONS.map(|action| format!("{STUBS}/{action}"));
    sh(
        &node,
        &format!(
            "{LKROOT}/lkadm/subsys/gen/app/bin/creapphier {name} {restore} {remove} {TAG} '' \
             intelligent {check} {recover} Yes"
        ),
    );
    let (document, status) = examine(&node);
    assert_eq!(status, Some(0), "{document:#}");
    assert_eq!(found(&document, "state", "ok", Some(&name)).len(), 1, "{document:#}");

    sh(&node, &format!("{LKROOT}/bin/lkstop -f"));
    let (document, status) = examine(&node);
    assert_eq!(status, Some(1));
    let [down] = found(&document, "lifekeeper", "error", document["nodes"][0]["node"].as_str())[..]
    else {
        panic!("{document:#}");
    };
    assert!(holds(down, "cure", &format!("{LKROOT}/bin/lkstart")), "{down}");
}

#[test]
fn whatever_a_command_answers_becomes_a_finding() {
    let cluster = protected();
    let [here, there] = [1, 2].map(|number| cluster.node(number).expect("a node"));
    let bin = |name: &str| format!("{LKROOT}/bin/{name}");
    let commands =
        ["lktest", "lcduname", "sys_list", "sys_getst", "ins_list", "eqv_list", "dep_list"];
    let of_lifekeeper = commands.map(|name| (&here, bin(name))).into_iter();
    // Dovecot itself runs on node 1: its programs are replaced on node 2.
    let others = ["/usr/sbin/dovecot", "/usr/bin/doveconf", "/usr/bin/systemctl"];
    let of_others = others.map(|path| (&there, path.to_owned())).into_iter();
    let answers = [
        "head -c 3000 /dev/urandom",
        "printf 'LifeKeeper does not appear to be running.\\n'",
        "true",
        "echo oops >&2; exit 1",
        "exec sleep 100",
    ];
    let (healthy, _) = examine(&here);
    for (node, program) in of_lifekeeper.chain(of_others) {
        for answer in answers {
            let case = format!("{program}: {answer}");
            // One that hangs of each kind is enough.
            if answer.contains("sleep")
                && !program.ends_with("conf")
                && !program.ends_with("ins_list")
            {
                continue;
            }
            sh(node, &format!("mv {program} {program}.real"));
            node.write_program(&program, &format!("#!/bin/sh\n{answer}\n")).expect("a program");
            let done = doctor(&here, &["--json"]);
            sh(node, &format!("mv {program}.real {program}"));
            assert_eq!(done.stderr, "", "{case}");
            let document = document("doctor", &done.stdout);
            let errors = document["count"]["error"].as_u64().expect("a number");
            assert_eq!(done.status, Some(i32::from(errors > 0)), "{case}");
            // Of lktest only the exit status counts.
            if !program.ends_with("lktest") || answer.contains("exit") {
                assert_ne!(document["findings"], healthy["findings"], "{case}");
            }
            assert!(done.took < Duration::from_mins(1), "{case}: {:?}", done.took);
        }
    }
    let (document, status) = examine(&here);
    assert_eq!(status, Some(0), "{:#}", document["findings"]);
}
