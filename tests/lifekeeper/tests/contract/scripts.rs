//! How scripts are called, checked, and judged.

use std::fs;
use std::time::{Duration, Instant};

use crate::fixture::Node;

#[test]
fn a_script_gets_two_options_an_empty_environment_the_root_directory_and_no_input() {
    let node = Node::new("node1");
    let seen = node.file("seen").display().to_string();
    let body = format!(
        "{{ echo \"$0 $*\"; tr '\\0' '\\n' < /proc/$$/environ; pwd; ls /proc/$$/fd; }} > {seen} 2>&1"
    );
    let mut scripts = node.scripts("app1");
    scripts[0] = node.script("restore", &body);
    assert!(node.create("app1", &scripts, "Yes").status.success());
    let copy = node.file("subsys/gen/resources/app/actions/!restore/app1");
    let seen = node.read("seen");
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[0], format!("{} -t app1 -i app1", copy.display()));
    assert_eq!(lines[1], "/", "no environment: {seen}");
    assert!(!lines[2..].contains(&"0"), "standard input is closed: {seen}");
    assert!(lines[2..].contains(&"1") && lines[2..].contains(&"2"), "{seen}");
}

#[test]
fn a_child_that_keeps_the_outputs_holds_the_action() {
    let node = Node::new("node1");
    let mut scripts = node.scripts("app1");
    scripts[0] = node.script("restore", "sleep 1 & exit 0");
    let begin = Instant::now();
    assert!(node.create("app1", &scripts, "Yes").status.success());
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[test]
fn lines_of_the_log_have_the_documented_form() {
    let node = Node::new("node1");
    node.create("app1", &node.scripts("app1"), "Yes");
    let log = node.read("log");
    let line = log.lines().find(|line| line.ends_with(":restore speaks")).expect("its output");
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(words[3], "node1", "{line}");
    assert!(words[4].starts_with("restore[") && words[4].ends_with("]:"), "{line}");
    let message: Vec<_> = line.splitn(4, ':').last().unwrap().trim().split(':').collect();
    assert_eq!(message, ["INFO", "gen.app", "restore", "app1", "000000", "restore speaks"]);
}

#[test]
fn only_a_resource_in_service_is_checked_and_a_missing_check_is_always_well() {
    let node = Node::new("node1");
    let scripts = node.scripts("app1");
    node.create("app1", &scripts, "Yes");
    let [restore, remove, ..] = scripts;
    let unchecked = [restore, remove, String::new(), String::new()];
    assert!(node.create("app2", &unchecked, "Yes").status.success());
    node.create("app3", &node.scripts("app3"), "Yes");
    node.wait_for_checks("app1", 1);
    node.out("ins_setstate", &["-t", "app1", "-S", "OSU"]);
    // A check that ran when the state was set is over when the next round is.
    node.wait_for_checks("app3", 2);
    let count = || node.read("trace").matches("quickCheck -t app1 ").count();
    let before = count();
    node.wait_for_checks("app3", 2);
    assert_eq!(count(), before);
    assert_eq!(node.state("app2"), "ISP");
}

#[test]
fn a_failed_check_is_recovered_once_and_checked_again_at_the_next_interval() {
    let node = Node::new("node1");
    let mut scripts = node.scripts("app1");
    let fault = node.file("fail-quickCheck").display().to_string();
    let trace = node.file("trace").display().to_string();
    scripts[3] = node.script("recover", &format!("echo \"recover $*\" >> {trace}; rm {fault}"));
    node.create("app1", &scripts, "Yes");
    node.mark("fail-quickCheck");
    node.wait("recovery", || node.trace().len() == 2);
    node.wait("a check after it", || node.read("trace").ends_with("quickCheck -t app1 -i app1\n"));
    assert_eq!(node.trace(), ["restore -t app1 -i app1", "recover -t app1 -i app1"]);
    assert_eq!(node.state("app1"), "ISP");
}

#[test]
fn a_hung_check_is_logged_and_is_no_fault() {
    for (version, key) in [("9.0.2", "app_1_TIMEOUT"), ("9.1.0", "app_1_QUICKCHECK_TIMEOUT")] {
        let node = Node::new("node1");
        fs::write(node.file("config/VERSION"), version).unwrap();
        node.defaults(&format!("LKCHECKINTERVAL=0.2\n{key}=0.3\n"));
        let mut scripts = node.scripts("app-1");
        scripts[2] = node.script("quickCheck", "sleep 60");
        node.create("app-1", &scripts, "Yes");
        let hung = "END failed quickCheck of \"app-1\" due to a \"ALRM\" signal.";
        let form = format!("NOTIFY:RKActionHandler:quickCheck:app-1:001047:{hung}");
        node.wait("two hung checks", || node.read("log").matches(&form).count() >= 2);
        let words = "Script has hung checking \"app-1\". Forcibly terminating.";
        assert!(node.read("log").contains(words), "{version}");
        assert_eq!(node.state("app-1"), "ISP", "{version}");
        assert_eq!(node.trace(), ["restore -t app-1 -i app-1"], "{version}");
    }
}

#[test]
fn the_limit_of_a_check_depends_on_the_version() {
    let node = Node::new("node1");
    for (version, other) in [("9.0.2", "app1_QUICKCHECK_TIMEOUT"), ("9.1.0", "app1_TIMEOUT")] {
        fs::write(node.file("config/VERSION"), version).unwrap();
        node.defaults(&format!("LKCHECKINTERVAL=0.2\n{other}=0.1\n"));
        let mut scripts = node.scripts("app1");
        let trace = node.file("trace").display().to_string();
        scripts[2] =
            node.script("quickCheck", &format!("sleep 0.6; echo \"quickCheck $*\" >> {trace}"));
        node.create("app1", &scripts, "Yes");
        node.wait_for_checks("app1", 2);
        assert!(!node.read("log").contains("hung"), "{version}");
        node.out("ins_remove", &["-t", "app1"]);
    }
}

#[test]
fn a_hierarchy_is_restored_from_below_and_removed_from_above() {
    let node = Node::new("node1");
    for tag in ["top", "low"] {
        node.create(tag, &node.scripts(tag), "No");
    }
    node.out("dep_create", &["-p", "top", "-c", "low"]);
    node.out("perform_action", &["-t", "top", "-a", "restore"]);
    node.out("perform_action", &["-t", "top", "-a", "restore"]);
    node.out("perform_action", &["-t", "low", "-a", "remove"]);
    let order = [
        "restore -t low -i low",
        "restore -t top -i top",
        "remove -t top -i top",
        "remove -t low -i low",
    ];
    assert_eq!(node.trace(), order, "and nothing twice");
    assert_eq!((node.state("top"), node.state("low")), ("OSU".into(), "OSU".into()));
    node.out("perform_action", &["-t", "low", "-a", "restore"]);
    assert_eq!(node.trace()[4..], ["restore -t low -i low", "restore -t top -i top"]);
}

#[test]
fn a_failed_restore_stops_the_hierarchy_and_is_osf() {
    let node = Node::new("node1");
    for tag in ["top", "low"] {
        node.create(tag, &node.scripts(tag), "No");
    }
    node.out("dep_create", &["-p", "top", "-c", "low"]);
    node.mark("fail-restore-low");
    assert_ne!(node.status("perform_action", &["-t", "top", "-a", "restore"]), 0);
    assert_eq!((node.state("top"), node.state("low")), ("OSU".into(), "OSF".into()));
    assert_eq!(node.trace(), ["restore -t low -i low"]);
}

#[test]
fn a_remove_that_fails_by_hand_is_aborted_and_what_is_below_is_not_touched() {
    for (key, state) in [("", "ISP"), ("STANDIN_FAILED_REMOVE=OSF\n", "OSF")] {
        let node = Node::new("node1");
        for tag in ["top", "low"] {
            node.create(tag, &node.scripts(tag), "Yes");
        }
        node.out("dep_create", &["-p", "top", "-c", "low"]);
        node.defaults(&format!("LKCHECKINTERVAL=60\n{key}"));
        node.mark("fail-remove-top");
        assert_ne!(node.status("perform_action", &["-t", "low", "-a", "remove"]), 0);
        assert_eq!((node.state("top").as_str(), node.state("low").as_str()), (state, "ISP"));
        assert!(!node.file("halted").exists());
    }
}
