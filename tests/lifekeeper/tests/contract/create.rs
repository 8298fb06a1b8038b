//! Creating with `creapphier`, and extending: the recorded lines, and what they leave behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::fixture::{Node, text};

/// Where the registered copies are.
const COPIES: [&str; 4] = [
    "subsys/gen/resources/app/actions/!restore",
    "subsys/gen/resources/app/actions/!remove",
    "subsys/gen/resources/app/actions/!quickCheck",
    "subsys/gen/resources/app/recovery/!recover",
];

#[test]
fn creating_and_starting_prints_the_recorded_lines_and_runs_the_copy() {
    let node = Node::new("node1");
    let scripts = node.scripts("app1");
    let created = node.create("app1", &scripts, "Yes");
    assert!(created.status.success());
    assert_eq!(
        text(&created.stdout),
        "BEGIN create of \"app1\"\n\
         creating resource \"app1\"\n\
         resource \"app1\" successfully created\n\
         restoring resource \"app1\"\n\
         BEGIN restore of \"app1\"\n\
         restore speaks\n\
         END successful restore of \"app1\"\n\
         resource \"app1\" restored\n\
         END successful create of \"app1\"\n"
    );
    assert_eq!(node.state("app1"), "ISP");
    assert_eq!(node.trace(), ["restore -t app1 -i app1"]);
    for (directory, original) in COPIES.iter().zip(&scripts) {
        let copy = node.file(directory).join("app1");
        assert_eq!(fs::read(&copy).unwrap(), fs::read(original).unwrap(), "{directory}");
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o111, 0o111);
        fs::remove_file(original).unwrap();
    }
    node.out("perform_action", &["-t", "app1", "-a", "remove"]);
    assert_eq!(node.trace(), ["restore -t app1 -i app1", "remove -t app1 -i app1"]);
    assert_eq!(node.state("app1"), "OSU");
}

#[test]
fn without_starting_the_resource_is_osu_and_cannot_be_extended() {
    let (one, _two) = Node::pair();
    let created = one.create("app1", &one.scripts("app1"), "No");
    let said = text(&created.stdout);
    assert!(said.ends_with("successfully created\nEND successful create of \"app1\"\n"), "{said}");
    assert_eq!((one.state("app1").as_str(), one.trace().len()), ("OSU", 0));
    let words = ["-p1", "-f,", "app1", "node2", "10", "INTELLIGENT", "\"app1\",\"x\""];
    assert_ne!(one.status("extmgrDoExtend.pl", &words), 0);
}

#[test]
fn a_failing_restore_leaves_the_resource_osf_and_fails_the_creation() {
    let node = Node::new("node1");
    node.mark("fail-restore");
    let created = node.create("app1", &node.scripts("app1"), "Yes");
    assert!(!created.status.success());
    assert_eq!(node.state("app1"), "OSF");
}

#[test]
fn creation_refuses_what_the_interface_refuses() {
    let node = Node::new("node1");
    let [restore, remove, ..] = node.scripts("app1");
    let long = "x".repeat(257);
    for (tag, info, remove, switchback) in [
        ("a:b", "", &*remove, "intelligent"),
        ("a b", "", &remove, "intelligent"),
        (".a", "", &remove, "intelligent"),
        ("", "", &remove, "intelligent"),
        (&long, "", &remove, "intelligent"),
        ("a", "a,b", &remove, "intelligent"),
        ("a", "a:b", &remove, "intelligent"),
        ("a", "a!b", &remove, "intelligent"),
        ("a", "", "", "intelligent"),
        ("a", "", "relative", "intelligent"),
        ("a", "", "/no/such/file", "intelligent"),
        ("a", "", &remove, "sometimes"),
    ] {
        let words = ["node1", &restore, remove, tag, info, switchback, "", "", "No"];
        assert_ne!(node.status("creapphier", &words), 0, "{words:?}");
        assert_eq!(node.out("ins_list", &[]), "", "{words:?}");
    }
    let words = ["node1", &restore, &remove, "a-_.1", "x=1 /y.z", "automatic", "", "", "No"];
    node.out("creapphier", &words);
    assert_ne!(node.status("creapphier", &words), 0, "the tag is taken");
}

#[test]
fn extending_prints_the_recorded_lines_and_sends_the_scripts() {
    let (one, two) = Node::pair();
    one.create("app1", &one.scripts("app1"), "Yes");
    let said = one.extend("app1");
    assert_eq!(
        said,
        "Building independent resource list\n\
         Checking existence of extend and canextend scripts\n\
         Checking extendability for app1\n\
         Pre Extend checks were successful\n\
         Extending resource instances for app1\n\
         BEGIN extend of \"app1\"\n\
         END successful extend of \"app1\"\n\
         Creating dependencies\n\
         Setting switchback type for hierarchy\n\
         Creating equivalencies\n\
         LifeKeeper Admin Lock (app1) Released\n\
         Hierarchy successfully extended\n\
         Verifying Integrity of Extended Hierarchy\n\
         Examining hierarchy on node2\n\
         Hierarchy Verification Finished\n"
    );
    for directory in COPIES {
        let copies = [&one, &two].map(|node| fs::read(node.file(directory).join("app1")).unwrap());
        assert_eq!(copies[0], copies[1], "{directory}");
    }
    assert!(two.out("ins_list", &["-f:"]).starts_with("node2:gen:app:app1:app1:other info:OSU:"));
    let there = two.out("eqv_list", &["-f:", "-t", "app1"]);
    assert_eq!(there, "node2:app1:node1:app1:10:1:SHARED\n");
    assert_eq!(one.out("eqv_list", &["-f:"]), "node1:app1:node2:app1:1:10:SHARED\n");
    assert_eq!(two.trace(), [""; 0]);
}

#[test]
fn a_hierarchy_is_extended_under_another_tag() {
    let (one, two) = Node::pair();
    for tag in ["low", "top"] {
        one.create(tag, &one.scripts(tag), "Yes");
    }
    one.out("dep_create", &["-p", "top", "-c", "low"]);
    let words = ["-p1", "-f,", "top", "node2", "7", "intelligent", "\"there\",\"\""];
    one.out("extmgrDoExtend.pl", &words);
    assert_eq!(two.out("dep_list", &["-f:"]), "there:low\n");
    assert!(one.out("eqv_list", &["-t", "top", "-f:"]).contains(":node2:there:1:7:"));
    two.out("perform_action", &["-t", "there", "-a", "restore"]);
    assert_eq!(two.trace(), ["restore -t low -i low", "restore -t there -i there"]);
    assert_eq!(one.trace()[2..], ["remove -t top -i top", "remove -t low -i low"]);
    assert_eq!((one.state("low"), two.state("low")), ("OSU".into(), "ISP".into()));
}
