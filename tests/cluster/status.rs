//! What the status says on both nodes while Dovecot, LifeKeeper and a node come and go.

use super::{Scene, WAIT};
use std::time::Instant;

use lab::{Finished, LKROOT, TAG};
use serde_json::{Value, json};

use crate::schema::document;

impl Scene {
    fn status(&self, node: usize, form: &[&str]) -> Finished {
        let node = self.cluster.node(node).expect("the node");
        let words = [&["/usr/sbin/dovecot-ark", "status"][..], form].concat();
        node.run(&words).expect("calling the status")
    }

    /// The JSON form, and its exit status.
    fn told(&self, node: usize) -> (Value, Option<i32>) {
        let ended = self.status(node, &["--json"]);
        (document("status", &ended.stdout), ended.status)
    }

    /// Insists on what the plugin finds and how its line begins, up to the numbers.
    #[track_caller]
    fn assert_monitored(&self, node: usize, status: i32, text: &str) {
        let ended = self.status(node, &["--format", "nagios"]);
        assert_eq!(ended.status, Some(status), "{ended:?}");
        let (said, numbers) = ended.stdout.split_once(" | ").expect("performance data");
        // What a stop came from is told in between.
        let last = said.split_once(", last action: ");
        let both =
            last.and_then(|(before, last)| Some(format!("{before};{}", last.split_once(';')?.1)));
        let said = both.as_deref().unwrap_or(said);
        assert!(said.starts_with(text), "{said}");
        assert!(
            numbers.starts_with("processes=") && numbers.matches('=').count() == 6,
            "{numbers}"
        );
        assert_eq!((ended.stdout.lines().count(), &*ended.stderr), (1, ""));
    }

    #[track_caller]
    fn must(&self, node: usize, script: &str) {
        let node = self.cluster.node(node).expect("the node");
        let done = node.sh(script).expect("a command");
        assert!(done.success(), "{script}: {done:?}");
    }
}

#[test]
fn a_healthy_cluster_is_well_on_both_nodes() {
    let scene = Scene::new();
    let (told, exit) = scene.told(1);
    assert_eq!((exit, &told["verdict"]), (Some(0), &json!("up")), "{told}");
    assert_eq!(told["checks"]["process"]["result"], "found");
    assert_eq!(told["checks"]["connections"][0]["endpoint"], "192.0.2.10:143");
    assert_eq!(told["checks"]["connections"][0]["result"], "connected");
    assert_eq!(told["checks"]["service"]["result"], "alive");
    let peer = |system: &str, state: &str| json!([{ "system": system, "alive": true, "tag": TAG, "state": state, "cause": null }]);
    let lifekeeper = |node: &str, state: &str, peers: Value| json!({ "running": true, "node": node, "state": state, "cause": null, "peers": peers });
    assert_eq!(told["lifekeeper"], lifekeeper("node1", "ISP", peer("node2", "OSU")));
    let (told, exit) = scene.told(2);
    assert_eq!((exit, &told["verdict"]), (Some(1), &json!("stopped")), "{told}");
    // The floating address answers, on the other node.
    assert_eq!(told["checks"]["connections"][0]["result"], "not tried");
    assert_eq!(told["lifekeeper"], lifekeeper("node2", "OSU", peer("node1", "ISP")));

    scene.assert_monitored(1, 0, "DOVECOT OK - up; in service on node1");
    scene.assert_monitored(2, 0, "DOVECOT OK - stopped; standby, in service on node1");
    let text = scene.status(1, &[]);
    assert_eq!(text.status, Some(0));
    assert!(text.stdout.starts_with("dovecot: up since "), "{text:?}");
    assert!(text.stdout.contains("LifeKeeper on node1: ISP, in service, protected\n"), "{text:?}");
    let other = scene.status(1, &["--tag", "other", "--format", "nagios"]);
    assert_eq!(other.status, Some(1), "{other:?}");
    let said = "up; nothing protects it: LifeKeeper has no resource other on this node";
    assert!(other.stdout.contains(said), "{other:?}");
    scene.assert_in_service_on(1);
    scene.end();
}

#[test]
fn a_dead_standby_is_told_and_a_stopped_lifekeeper_protects_nothing() {
    let mut scene = Scene::new();
    scene.cluster.power_cut(2).expect("a power cut");
    let start = Instant::now();
    while scene.told(1).0["lifekeeper"]["peers"][0]["alive"] == json!(true) {
        assert!(start.elapsed() < WAIT, "node 1 never misses node 2");
    }
    let (told, _) = scene.told(1);
    let peer = &told["lifekeeper"]["peers"][0];
    assert_eq!((&peer["alive"], &peer["state"]), (&json!(false), &Value::Null), "{told}");
    scene.assert_monitored(1, 0, "DOVECOT OK - up; in service on node1");

    scene.must(1, &format!("{LKROOT}/bin/lkstop -f"));
    let said = "nothing protects it: asking LifeKeeper: it does not run on this node";
    scene.assert_monitored(1, 1, &format!("DOVECOT WARNING - up; {said}"));
    scene.signal_master(1, "KILL");
    let start = Instant::now();
    while scene.told(1).0["verdict"] != json!("stopped") {
        assert!(start.elapsed() < WAIT, "the master outlives SIGKILL");
    }
    scene.assert_monitored(1, 2, &format!("DOVECOT CRITICAL - stopped; {said}"));
    assert_eq!(scene.told(1).1, Some(1));

    scene.must(1, &format!("{LKROOT}/bin/lkstart"));
    scene.await_mail();
    scene.end();
}

#[test]
fn dovecot_runs_where_it_is_in_service_and_nowhere_else() {
    let scene = Scene::new();
    scene.must(2, "service dovecot start");
    let said = "it must not run on node2: in service on node1";
    scene.assert_monitored(2, 2, &format!("DOVECOT CRITICAL - up; {said}"));
    scene.must(2, "service dovecot stop");

    scene.must(1, &format!("{LKROOT}/bin/perform_action -t {TAG} -a remove"));
    scene.assert_state(1, TAG, &["OSU"]);
    for (node, name) in [(1, "node1"), (2, "node2")] {
        let said = format!("out of service on purpose (OSU) on {name}, in service nowhere");
        scene.assert_monitored(node, 1, &format!("DOVECOT WARNING - stopped; {said}"));
    }
    // The two ran side by side, so the question with which other tests end has its answer.
}
