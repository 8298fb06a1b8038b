//! The kit's own installation on a cluster: as good as one by hand, and gone without a trace.

use lab::{Cluster, Dialect, FILESYS_TAG, Finished, IP_TAG, LKROOT, NODES, TAG, Tree};

use crate::{Scene, start};

/// All that an installation may touch; LifeKeeper's own state knows of what the test made.
const DIRECTORIES: [&str; 3] = ["/etc", "/var/lib", "/opt/LifeKeeper/subsys"];

fn ark(cluster: &Cluster, node: usize, words: &[&str]) -> Finished {
    let words = [&["/usr/sbin/dovecot-ark"], words].concat();
    cluster.node(node).expect("the node").run(&words).expect("running the kit")
}

#[track_caller]
pub(crate) fn done(cluster: &Cluster, node: usize, words: &[&str]) -> String {
    let ended = ark(cluster, node, words);
    assert_eq!(ended.status, Some(0), "node {node}: {words:?}: {ended:#?}");
    ended.stdout
}

#[track_caller]
fn refused(cluster: &Cluster, node: usize, words: &[&str]) -> String {
    let ended = ark(cluster, node, words);
    assert_eq!(ended.status, Some(1), "node {node}: {words:?}: {ended:#?}");
    assert!(ended.stderr.starts_with("dovecot-ark: "), "node {node}: {words:?}: {ended:#?}");
    ended.stderr
}

pub(crate) fn sh(cluster: &Cluster, node: usize, script: &str) -> String {
    let ended = cluster.node(node).expect("the node").sh(script).expect("a script");
    assert_eq!(ended.status, Some(0), "node {node}: {script}: {ended:#?}");
    ended.stdout
}

pub(crate) fn trees(cluster: &Cluster) -> [Tree; 2] {
    NODES.map(|node| cluster.node(node).expect("the node").tree(&DIRECTORIES).expect("a look"))
}

/// A cluster that was installed by the kit, as it was before, and how this LifeKeeper uninstalls.
struct Installed {
    scene: Scene,
    before: [Tree; 2],
    uninstall: Vec<&'static str>,
}

impl Installed {
    /// Dovecot starts at boot on both nodes, before; what it needs is in service on node 1.
    fn new(dialect: Dialect) -> Self {
        let cluster = start(dialect);
        for node in NODES {
            sh(&cluster, node, "systemctl enable --quiet dovecot.service dovecot.socket");
        }
        cluster.create_children().expect("an address and a file system");
        let before = trees(&cluster);
        let scene = Scene::set(cluster, |cluster| {
            let needs = ["--depends-on", IP_TAG, "--depends-on", FILESYS_TAG];
            done(cluster, 1, &[&["install"], &needs[..]].concat());
            done(cluster, 2, &["install", "--standby"]);
            cluster.extend().expect("extending");
            for words in [&[&["install"], &needs[..]].concat()[..], &["install", "--standby"]] {
                let node = if words.contains(&"--standby") { 2 } else { 1 };
                let again = done(cluster, node, words);
                assert!(again.contains("nothing to do"), "node {node}: {again}");
            }
        });
        let by_hand = ["uninstall", "--yes", "--use-ins-remove"];
        let words = if dialect == Dialect::None { &by_hand[..] } else { &by_hand[..2] };
        Self { scene, before, uninstall: words.to_vec() }
    }

    /// Uninstalls on the node that serves, then on the other, and looks for traces.
    fn uninstall(self, serving: usize) {
        let Self { scene, before, uninstall } = self;
        let standby = 3 - serving;
        let cluster = scene.end();
        let said = refused(&cluster, standby, &uninstall);
        assert!(said.contains(&lab::host(serving)), "it says where to run it: {said}");
        assert_eq!(cluster.serving().expect("the process tables"), [serving], "{said}");

        done(&cluster, serving, &uninstall);
        assert_eq!(cluster.serving().expect("the process tables"), [0; 0]);
        for node in NODES {
            let listed =
                sh(&cluster, node, &format!("{LKROOT}/bin/ins_list -f: | cut -d: -f4 | sort"));
            assert_eq!(listed, format!("{IP_TAG}\n{FILESYS_TAG}\n"), "node {node}");
            let edges = sh(&cluster, node, &format!("{LKROOT}/bin/dep_list"));
            assert_eq!(edges, "", "node {node}");
        }
        for tag in [IP_TAG, FILESYS_TAG] {
            assert_eq!(cluster.state(serving, tag).expect("a state"), "ISP", "{tag} is left alone");
        }
        done(&cluster, standby, &uninstall);
        for (node, (before, after)) in NODES.iter().zip(before.iter().zip(&trees(&cluster))) {
            let changes = before.changes(after);
            assert!(changes.is_empty(), "node {node}: {changes:#?}");
        }
    }
}

#[test]
fn an_installation_without_lkcli_is_failed_over_by_a_power_cut_and_leaves_no_trace() {
    let mut installed = Installed::new(Dialect::None);
    installed.scene.cluster.power_cut(1).expect("a power cut");
    installed.scene.await_mail();
    installed.scene.assert_in_service_on(2);
    let cluster = &installed.scene.cluster;
    // Were its start at boot still on, Dovecot would now run on both nodes.
    cluster.boot(1).expect("a boot");
    cluster.wait_for_peer(1).expect("node 2 in the eyes of node 1");
    cluster.wait_for_peer(2).expect("node 1 in the eyes of node 2");
    installed.scene.assert_in_service_on(2);
    installed.uninstall(2);
}

#[test]
fn an_installation_by_lkcli_is_switched_over_and_back_and_leaves_no_trace() {
    let mut installed = Installed::new(Dialect::Guess);
    for node in [2, 1] {
        let moved = installed.scene.cluster.bring_in(node).expect("a command");
        assert!(moved.success(), "{moved:?}");
        installed.scene.await_mail();
        installed.scene.assert_in_service_on(node);
    }
    installed.uninstall(1);
}

#[test]
fn a_second_node_is_refused_while_the_first_has_the_resource_and_the_cure_is_to_extend_it() {
    let cluster = start(Dialect::Guess);
    cluster.create_children().expect("an address and a file system");
    done(&cluster, 1, &["install", "--depends-on", IP_TAG, "--depends-on", FILESYS_TAG]);
    let before = trees(&cluster);
    let first = lab::host(1);
    let said = refused(&cluster, 2, &["install"]);
    let refusal = format!("{first} has the resource {TAG} (ISP), and a second one");
    assert!(said.contains(&refusal), "{said}");
    let planned = done(&cluster, 2, &["install", "--tag", "mail2", "--dry-run"]);
    let warning = format!("{first} has Dovecot in service as the resource {TAG}: ");
    assert!(planned.contains(&warning), "{planned}");
    for (before, after) in before.iter().zip(&trees(&cluster)) {
        assert_eq!(before.changes(after), [""; 0], "nothing is written");
    }
    assert_eq!(cluster.serving().expect("the process tables"), [1]);
    done(&cluster, 2, &["install", "--standby"]);
    let told = ark(&cluster, 2, &["doctor"]).stdout;
    let cure =
        format!("cure: {first} has it (ISP): in LifeKeeper on {first}, extend {TAG} to this");
    assert!(told.contains("ARK4503") && told.contains(&cure), "{told}");
    cluster.extend().expect("extending");
    assert_eq!(cluster.serving().expect("the process tables"), [1]);
}

#[test]
fn what_is_left_on_a_node_that_is_off_is_told() {
    let installed = Installed::new(Dialect::None);
    let Installed { scene, before, uninstall } = installed;
    let cluster = scene.end();
    cluster.power_cut(2).expect("a power cut");
    let said = done(&cluster, 1, &uninstall);
    assert!(said.contains(&lab::host(2)), "it says what is left where: {said}");
    let [first, _] = &before;
    let now = cluster.node(1).expect("node 1").tree(&DIRECTORIES).expect("a look");
    assert_eq!(first.changes(&now), [""; 0], "node 1 is as it was");

    cluster.boot(2).expect("a boot");
    cluster.wait_for_peer(2).expect("node 1 in the eyes of node 2");
    assert_eq!(cluster.state(2, TAG).expect("a state"), "OSU", "it is still known there");
    done(&cluster, 2, &uninstall);
    let listed = sh(&cluster, 2, &format!("{LKROOT}/bin/ins_list -f: | cut -d: -f4 | sort"));
    assert_eq!(listed, format!("{IP_TAG}\n{FILESYS_TAG}\n"));
    for (before, after) in before.iter().zip(&trees(&cluster)) {
        assert_eq!(before.changes(after), [""; 0]);
    }
}
