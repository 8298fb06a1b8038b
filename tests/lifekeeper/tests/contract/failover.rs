//! Two nodes: who takes over from whom, and when nobody may.

use std::fs;

use crate::fixture::{Node, SILENCE};

#[test]
fn the_death_of_a_node_moves_its_hierarchy_bottom_up() {
    let (one, two) = Node::pair();
    for tag in ["low", "top"] {
        one.create(tag, &one.scripts(tag), "Yes");
    }
    one.out("dep_create", &["-p", "top", "-c", "low"]);
    one.extend("top");
    one.kill();
    two.wait("the takeover", || two.state("top") == "ISP");
    assert_eq!(two.trace(), ["restore -t low -i low", "restore -t top -i top"]);
    assert_eq!(two.out("sys_getst", &["-s", "node1"]), "DEAD\n");

    // The dead node comes back and leaves alone what moved away.
    let before = one.trace().len();
    one.out("lkstart", &["-w"]);
    assert_eq!((one.state("top"), one.state("low")), ("OSU".into(), "OSU".into()));
    assert_eq!((one.trace().len(), two.state("top").as_str()), (before, "ISP"));
    // And the other way round.
    two.kill();
    one.wait("the takeover", || one.state("top") == "ISP");
}

#[test]
fn a_node_that_starts_alone_brings_back_what_it_had() {
    let (one, two) = Node::extended("app1");
    two.out("lkstop", &[]);
    one.kill();
    one.out("lkstart", &["-w"]);
    assert_eq!(one.state("app1"), "ISP");
    assert_eq!(one.trace(), ["restore -t app1 -i app1", "restore -t app1 -i app1"]);
    two.out("lkstart", &["-w"]);
    assert_eq!((two.state("app1").as_str(), two.trace().len()), ("OSU", 0));
}

#[test]
fn of_two_nodes_that_both_had_it_one_brings_it_back() {
    let (one, two) = Node::extended("app1");
    one.kill();
    two.wait("the takeover", || two.state("app1") == "ISP");
    two.kill();
    let before = one.trace().len() + two.trace().len();
    one.out("lkstart", &[]);
    two.out("lkstart", &["-w"]);
    one.wait("the start", || one.file("config/LK_INITDONE").exists());
    let mut states = [one.state("app1"), two.state("app1")];
    states.sort();
    assert_eq!(states, ["ISP", "OSU"]);
    assert_eq!(one.trace().len() + two.trace().len(), before + 1);
}

#[test]
fn automatic_switchback_brings_a_resource_home_when_its_node_starts() {
    let (one, two) = Node::pair();
    one.create("app1", &one.scripts("app1"), "Yes");
    let words = ["-p1", "-f,", "app1", "node2", "10", "automatic", "\"\",\"\""];
    one.out("extmgrDoExtend.pl", &words);
    one.kill();
    two.wait("the takeover", || two.state("app1") == "ISP");
    one.out("lkstart", &["-w"]);
    assert_eq!((one.state("app1"), two.state("app1")), ("ISP".into(), "OSU".into()));
    assert_eq!(two.trace(), ["restore -t app1 -i app1", "remove -t app1 -i app1"]);
}

#[test]
fn stopping_is_no_death_and_with_f_the_application_goes_on() {
    let (one, two) = Node::extended("app1");
    one.out("lkstop", &["-f"]);
    two.wait("the end of node1", || two.out("sys_getst", &["-s", "node1"]) == "DEAD\n");
    std::thread::sleep(SILENCE * 3 / 2);
    assert_eq!((two.state("app1").as_str(), two.trace().len()), ("OSU", 0));
    assert_eq!(one.trace(), ["restore -t app1 -i app1"]);
    one.out("lkstart", &["-w"]);
    assert_eq!(one.state("app1"), "ISP");
    one.out("lkstop", &[]);
    assert_eq!(one.trace().last().unwrap(), "remove -t app1 -i app1");
    std::thread::sleep(SILENCE * 3 / 2);
    assert_eq!(two.state("app1"), "OSU");
}

#[test]
fn a_switchover_removes_there_before_it_restores_here() {
    let (one, two) = Node::extended("app1");
    two.out("perform_action", &["-t", "app1", "-a", "restore"]);
    assert_eq!((one.state("app1"), two.state("app1")), ("OSU".into(), "ISP".into()));
    assert_eq!(one.trace().last().unwrap(), "remove -t app1 -i app1");
    assert_eq!(two.trace(), ["restore -t app1 -i app1"]);
    // A refusal there keeps the states, and nothing is started twice.
    two.mark("fail-remove");
    assert_ne!(one.status("perform_action", &["-t", "app1", "-a", "restore"]), 0);
    assert_eq!((one.state("app1"), two.state("app1")), ("OSU".into(), "ISP".into()));
    assert!(!two.file("halted").exists());
}

#[test]
fn what_recovery_cannot_repair_fails_over() {
    let (one, two) = Node::pair();
    for tag in ["low", "top"] {
        one.create(tag, &one.scripts(tag), "Yes");
    }
    one.out("dep_create", &["-p", "top", "-c", "low"]);
    one.extend("top");
    one.mark("fail-recover");
    one.mark("fail-quickCheck-low");
    two.wait("the failover", || two.state("top") == "ISP");
    assert_eq!(
        one.trace()[2..],
        ["recover -t low -i low", "remove -t top -i top", "remove -t low -i low"]
    );
    assert_eq!(two.trace(), ["restore -t low -i low", "restore -t top -i top"]);
    assert_eq!((one.state("low"), one.state("top")), ("OSF".into(), "OSU".into()));
}

#[test]
fn a_failed_restore_in_a_failover_is_osf_there_and_the_end() {
    let (one, two) = Node::extended("app1");
    two.mark("fail-restore");
    one.mark("fail-recover");
    one.mark("fail-quickCheck");
    two.wait("the failed failover", || two.state("app1") == "OSF");
    assert_eq!(two.trace(), ["restore -t app1 -i app1"]);
    assert_eq!(one.state("app1"), "OSF");
}

#[test]
fn a_failed_remove_in_a_failover_halts_the_node_and_the_other_takes_over() {
    let (one, two) = Node::extended("app1");
    one.mark("fail-remove");
    one.mark("fail-recover");
    one.mark("fail-quickCheck");
    two.wait("the takeover", || two.state("app1") == "ISP");
    assert!(one.file("halted").exists());
    assert_ne!(one.status("lktest", &[]), 0);
    let line = "EMERG:lcd.recover::app1:004788:failed to remove resource 'app1'. SYSTEM HALTED.";
    assert!(one.read("log").contains(line));
}

#[test]
fn with_nowhere_to_go_a_fault_ends_osf() {
    let node = Node::new("node1");
    node.create("app1", &node.scripts("app1"), "Yes");
    node.mark("fail-recover");
    node.mark("fail-quickCheck");
    node.wait("the end", || node.state("app1") == "OSF");
    assert_eq!(node.trace()[1..], ["recover -t app1 -i app1", "remove -t app1 -i app1"]);
}

#[test]
fn the_state_file_is_whole_json_and_survives_a_kill() {
    let node = Node::new("node1");
    node.create("app1", &node.scripts("app1"), "No");
    node.kill();
    let text = node.read("config/state.json");
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
    fs::write(node.file("config/state.new"), "{ half").unwrap();
    node.out("lkstart", &["-w"]);
    assert_eq!(node.state("app1"), "OSU");
}
