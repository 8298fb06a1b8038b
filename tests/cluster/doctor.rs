//! The doctor on real nodes: it finds what is wrong with each, its cures cure, and it changes
//! nothing.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use lab::{ACTIONS, Cluster, Finished, Init, LKROOT, Node, STUBS, TAG};
use serde_json::Value;

/// How long a power cut may take to be noticed.
const WAIT: Duration = Duration::from_secs(30);

/// What a cure is done with.
#[derive(Clone, Copy)]
enum Cure {
    /// It is a command, and is run on the node.
    AsTold,
    /// It is for a person; this does it.
    By(&'static str),
}

/// Something that can be wrong with node 2.
struct Fault {
    /// The commands that break it.
    make: &'static str,
    /// The check that finds it, and how bad it is.
    check: &'static str,
    level: &'static str,
    /// The node it is found on; none when it is found by comparison.
    node: Option<&'static str>,
    /// What must be in the words, and in the cure.
    what: &'static str,
    cure: &'static str,
    by: Cure,
}

const DEFAULTS: &str = "/etc/default/LifeKeeper";

const FAULTS: &[Fault] = &[
    Fault {
        make: "systemctl enable --quiet dovecot.service",
        check: "boot",
        level: "error",
        node: Some("node2"),
        what: "enabled: dovecot.service",
        cure: "systemctl disable dovecot.service dovecot.socket",
        by: Cure::AsTold,
    },
    Fault {
        make: "systemctl start dovecot.socket",
        check: "socket",
        level: "error",
        node: Some("node2"),
        what: "dovecot.socket is active",
        cure: "systemctl disable --now dovecot.socket",
        by: Cure::AsTold,
    },
    Fault {
        make: "systemctl mask --quiet dovecot.service",
        check: "service",
        level: "error",
        node: Some("node2"),
        what: "dovecot.service is masked",
        cure: "systemctl unmask dovecot.service",
        by: Cure::AsTold,
    },
    Fault {
        make: "printf 'protocol imap {\\n mail_max_userip_connections = 7\\n}\\n' \
               >>/etc/dovecot/local.conf",
        check: "configuration",
        level: "error",
        node: None,
        what: "protocol imap/mail_max_userip_connections is 7 on node2, not set on node1",
        cure: "rsync",
        by: Cure::By("sed -i '/^protocol imap/,$d' /etc/dovecot/local.conf"),
    },
    Fault {
        make: "echo 'x {{' >>/etc/dovecot/local.conf",
        check: "configuration",
        level: "error",
        node: Some("node2"),
        what: "/etc/dovecot/local.conf line",
        cure: "doveconf -n",
        by: Cure::By("sed -i '/x {{/d' /etc/dovecot/local.conf"),
    },
    Fault {
        make: "cp -p /etc/dovecot/private/dovecot.pem /root/ && \
               echo garbage >/etc/dovecot/private/dovecot.pem",
        check: "certificate",
        level: "warning",
        node: Some("node2"),
        what: "/etc/dovecot/private/dovecot.pem is no certificate",
        cure: "openssl x509",
        by: Cure::By("mv /root/dovecot.pem /etc/dovecot/private/dovecot.pem"),
    },
    Fault {
        make: "echo '# mine' >>'/opt/LifeKeeper/subsys/gen/resources/app/actions/!remove/dovecot'",
        check: "copies",
        level: "error",
        node: Some("node2"),
        what: "!remove/dovecot is not the kit's remove",
        cure: "install -m 755 /usr/lib/dovecot-ark/remove '/opt/LifeKeeper/",
        by: Cure::AsTold,
    },
    Fault {
        make: "chmod -x /usr/lib/dovecot-ark/restore",
        check: "stubs",
        level: "error",
        node: Some("node2"),
        what: "not executable: /usr/lib/dovecot-ark/restore",
        cure: "install the package",
        by: Cure::By("chmod 755 /usr/lib/dovecot-ark/restore"),
    },
    Fault {
        make: "mkdir /etc/systemd/system/dovecot.service.d && \
               printf '[Service]\\nRestart=on-failure\\n' \
               >/etc/systemd/system/dovecot.service.d/local.conf && systemctl daemon-reload",
        check: "supervisor",
        level: "warning",
        node: Some("node2"),
        what: "dovecot.service has Restart=on-failure",
        cure: "Restart=no",
        by: Cure::AsTold,
    },
    Fault {
        make: "printf '[Service]\\nKillMode=none\\n' \
               >/etc/systemd/system/dovecot.service.d/local.conf && systemctl daemon-reload",
        check: "supervisor",
        level: "warning",
        node: Some("node2"),
        what: "dovecot.service has KillMode=none",
        cure: "KillMode=control-group",
        by: Cure::AsTold,
    },
    Fault {
        make: "mkdir /etc/monit.d && printf 'check process dovecot with pidfile \
               /run/dovecot/master.pid\\n  start program = \"/usr/sbin/service dovecot start\"\\n' \
               >/etc/monit.d/mail",
        check: "supervisor",
        level: "error",
        node: Some("node2"),
        what: "monit knows of Dovecot: /etc/monit.d/mail",
        cure: "take Dovecot out of /etc/monit.d/mail",
        by: Cure::By("rm /etc/monit.d/mail"),
    },
    Fault {
        make: "mkdir -p /var/lib/pacemaker/cib && echo '<primitive type=\"dovecot\"/>' \
               >/var/lib/pacemaker/cib/cib.xml",
        check: "supervisor",
        level: "error",
        node: Some("node2"),
        what: "Pacemaker knows of Dovecot",
        cure: "crm_resource",
        by: Cure::By("rm /var/lib/pacemaker/cib/cib.xml"),
    },
    Fault {
        make: "echo APP_DOVECOT_WAIT=fixed >>/etc/default/LifeKeeper",
        check: "settings",
        level: "warning",
        node: None,
        what: "APP_DOVECOT_WAIT is ready on node1, fixed on node2",
        cure: DEFAULTS,
        by: Cure::By("sed -i /APP_DOVECOT_WAIT/d /etc/default/LifeKeeper"),
    },
    Fault {
        make: "echo APP_DOVECOT_DEBUG=maybe >>/etc/default/LifeKeeper",
        check: "settings",
        level: "warning",
        node: Some("node2"),
        what: "APP_DOVECOT_DEBUG=maybe: 0 or 1 is expected",
        cure: DEFAULTS,
        by: Cure::By("sed -i /APP_DOVECOT_DEBUG/d /etc/default/LifeKeeper"),
    },
    Fault {
        make: "echo dovecot_QUICKCHECK_TIMEOUT=5 >>/etc/default/LifeKeeper",
        check: "time-limit",
        level: "error",
        node: Some("node2"),
        what: "dovecot_QUICKCHECK_TIMEOUT=5, and the checks may take 5 s",
        cure: "dovecot_QUICKCHECK_TIMEOUT=22 in /etc/default/LifeKeeper",
        by: Cure::By("sed -i /^dovecot_/d /etc/default/LifeKeeper"),
    },
    Fault {
        make: "sed -i 's/:143:2/:2525:2/' /etc/default/LifeKeeper",
        check: "listener",
        level: "error",
        node: Some("node2"),
        what: "no listener on port 2525, only on 110, 143, 993, 995",
        cure: "APP_DOVECOT_IP_LIST",
        by: Cure::By("sed -i 's/:2525:2/:143:2/' /etc/default/LifeKeeper"),
    },
    Fault {
        make: "sed -i 's/^APP_DOVECOT_IP_LIST=.*/&,192.0.2.77:143/' /etc/default/LifeKeeper",
        check: "dependency",
        level: "warning",
        node: Some("node2"),
        what: "no IP resource of this node has 192.0.2.77",
        cure: "dep_create -p dovecot -c",
        by: Cure::By("sed -i 's/,192.0.2.77:143//' /etc/default/LifeKeeper"),
    },
    Fault {
        make: "/opt/LifeKeeper/bin/dep_remove -p dovecot -c ip-mail",
        check: "dependency",
        level: "error",
        node: Some("node2"),
        what: "dovecot does not depend on ip-mail, which has 192.0.2.10",
        cure: "/opt/LifeKeeper/bin/dep_create -p dovecot -c ip-mail",
        by: Cure::AsTold,
    },
    Fault {
        make: "ip address add 192.0.2.10/32 dev lo",
        check: "address",
        level: "error",
        node: None,
        what: "192.0.2.10 is on more than one node: node1, node2",
        cure: "ip address del 192.0.2.10/",
        by: Cure::By("ip address del 192.0.2.10/32 dev lo"),
    },
    Fault {
        make: "service dovecot start",
        check: "state",
        level: "error",
        node: Some("node2"),
        what: "Dovecot runs, and LifeKeeper has dovecot out of service here (OSU)",
        cure: "dovecot-ark remove -t dovecot",
        by: Cure::AsTold,
    },
    Fault {
        make: "service dovecot start",
        check: "state",
        level: "error",
        node: None,
        what: "Dovecot runs on more than one node: node1, node2",
        cure: "dovecot-ark remove -t",
        by: Cure::By("dovecot-ark remove -t dovecot"),
    },
    Fault {
        make: "mv /usr/sbin/dovecot-ark /root/dovecot-ark",
        check: "peer",
        level: "error",
        node: Some("node2"),
        what: "node2 gave no answer: exit status 127",
        cure: "install the package dovecot-ark",
        by: Cure::By("mv /root/dovecot-ark /usr/sbin/dovecot-ark"),
    },
    Fault {
        make: "mv /usr/sbin/dovecot-ark /root/dovecot-ark && \
               printf '#!/bin/sh\\necho \\047{\"format\": 2, \"kit\": \"99.0\"}\\047\\n' \
               >/usr/sbin/dovecot-ark && chmod 755 /usr/sbin/dovecot-ark",
        check: "peer",
        level: "error",
        node: Some("node2"),
        what: "node2 has another version of the kit, 99.0",
        cure: "install the package dovecot-ark",
        by: Cure::By("mv /root/dovecot-ark /usr/sbin/dovecot-ark"),
    },
];

fn kit() -> PathBuf {
    lab::package().expect("the package")
}

fn standin() -> PathBuf {
    lab::program("lifekeeper-standin").expect("the stand-in")
}

/// Dovecot in service on node 1, and its protection complete.
fn protected() -> Cluster {
    let cluster =
        Cluster::start(&kit(), &standin(), lab::Dialect::Plain).expect("starting the cluster");
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
    let document = serde_json::from_str(&done.stdout);
    (document.unwrap_or_else(|cause| panic!("{cause}: {done:?}")), done.status)
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
    finding[key].as_str().is_some_and(|text| text.contains(words))
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
             find /run/dovecot-ark -type f ! -name '.output-*' 2>/dev/null | sort"
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
        assert_eq!((status, &document["errors"]), (Some(0), &0.into()), "{document:#}");
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
        let errors = document["errors"].as_u64().expect("a number");
        assert_eq!(status, Some(i32::from(errors > 0)), "{}", fault.make);
        assert!(fault.level != "error" || errors > 0, "{}", fault.make);
        assert_eq!(before, [picture(&here), picture(&there)], "{}", fault.make);
        assert_eq!(there.master().expect("the process table"), master, "{}", fault.make);
        match fault.by {
            Cure::AsTold => sh(&there, finding["cure"].as_str().expect("a cure")),
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
    sh(&node, error["cure"].as_str().expect("a cure"));
    let (document, _) = examine(&node);
    assert_eq!(found(&document, "boot", "ok", name).len(), 1, "{document:#}");

    let refused = node
        .run(&["setpriv", "--reuid=65534", "--clear-groups", "dovecot-ark", "doctor"])
        .expect("a command");
    assert_eq!(refused.status, Some(1));
    assert_eq!(refused.stderr, "dovecot-ark: looking at the preconditions: only root may\n");
}

#[test]
fn a_single_server_has_nobody_to_agree_with_and_a_stopped_lifekeeper_is_an_error() {
    let node = Node::start(Init::SysV).expect("a node");
    node.install(&kit()).expect("installing the kit");
    node.write(DEFAULTS, "LKCHECKINTERVAL=60\n").expect("the settings");
    node.copy_in(&standin(), "/run/lifekeeper-standin").expect("the stand-in");
    sh(&node, "/run/lifekeeper-standin lay --dialect plain");
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
            let document: Value = serde_json::from_str(&done.stdout).expect(&case);
            let errors = document["errors"].as_u64().expect("a number");
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
