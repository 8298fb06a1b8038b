//! The LCDI commands: fields, words, exit statuses.

use crate::fixture::Node;

#[test]
fn without_an_engine_some_commands_answer_and_the_others_refuse() {
    let node = Node::laid("node1");
    assert_ne!(node.status("lktest", &[]), 0);
    assert_eq!(node.out("lcduname", &[]), "node1\n");
    assert_ne!(node.status("ins_list", &[]), 0);
    assert_eq!(node.out("lkstop", &[]), "LifeKeeper does not appear to be running.\n");
}

#[test]
fn a_started_engine_is_seen_by_lktest_and_marks_the_end_of_its_start() {
    let node = Node::new("node1");
    assert!(node.out("lktest", &[]).contains("lcd"));
    assert!(node.file("config/LK_INITDONE").exists());
    node.out("lkstart", &[]);
    node.out("lkstop", &[]);
    assert_ne!(node.status("lktest", &[]), 0);
    assert!(!node.file("config/LK_INITDONE").exists());
}

#[test]
fn ins_list_has_seven_known_fields_and_both_separators() {
    let node = Node::new("node1");
    node.create("app1", &node.scripts("app1"), "No");
    for (separator, words) in [("\u{1}", vec!["-t", "app1"]), (":", vec!["-f:", "-t", "app1"])] {
        let line = node.out("ins_list", &words);
        let fields: Vec<_> = line.trim_end().split(separator).collect();
        let known = ["node1", "gen", "app", "app1", "app1", "info of app", "OSU"];
        assert_eq!(fields[..7], known, "{words:?}");
    }
    assert_eq!(node.out("ins_list", &[]).lines().count(), 1);
    assert_eq!(node.out("ins_list", &["-a", "gen", "-r", "app", "-i", "app1"]).lines().count(), 1);
}

#[test]
fn what_is_absent_unknown_or_refused_has_its_exit_status() {
    let node = Node::new("node1");
    node.create("app1", &node.scripts("app1"), "No");
    for (status, command, words) in [
        (7, "ins_list", &["-t", "none"][..]),
        (7, "ins_list", &["-R", "none"]),
        (7, "ins_setstate", &["-t", "none", "-S", "OSU"]),
        (7, "eqv_list", &["-t", "app1"]),
        (7, "dep_create", &["-p", "app1", "-c", "none"]),
        (7, "sys_getst", &["-s", "none"]),
        (5, "ins_setstate", &["-t", "app1", "-S", "OSF"]),
        (5, "dep_create", &["-p", "app1", "-c", "app1"]),
        (2, "ins_list", &["-Z"]),
        (2, "ins_setstate", &["-t", "app1"]),
        (9, "ins_list", &["-d", "none"]),
        (9, "lcdremexec", &["-d", "none", "--", "true"]),
    ] {
        assert_eq!(node.status(command, words), status, "{command} {words:?}");
    }
}

#[test]
fn setting_a_state_runs_no_script() {
    let node = Node::new("node1");
    node.create("app1", &node.scripts("app1"), "No");
    for state in ["ISP", "ISU", "OSU"] {
        node.out("ins_setstate", &["-t", "app1", "-S", state, "-R", "a reason"]);
        assert_eq!(node.state("app1"), state);
    }
    assert!(node.out("ins_list", &["-f:"]).contains(":info of app:OSU:a reason"));
    assert_eq!(node.trace(), [""; 0]);
}

#[test]
fn removing_a_resource_removes_what_depends_on_it() {
    let node = Node::new("node1");
    for tag in ["top", "mid", "low", "other"] {
        node.create(tag, &node.scripts(tag), "No");
    }
    node.out("dep_create", &["-p", "top", "-c", "mid"]);
    node.out("dep_create", &["-p", "mid", "-c", "low"]);
    assert_eq!(node.out("dep_list", &["-f:"]), "top:mid\nmid:low\n");
    assert_eq!(node.out("ins_list", &["-R", "mid"]).lines().count(), 2);
    assert_eq!(node.out("ins_remove", &["-v", "-t", "mid"]), "mid\ntop\n");
    assert_eq!(node.out("ins_list", &[]).lines().count(), 2);
    assert_eq!(node.out("dep_list", &[]), "");
    assert_eq!(node.trace(), [""; 0]);
}

#[test]
fn a_removed_dependency_leaves_both_resources_and_is_gone_once() {
    let node = Node::new("node1");
    for tag in ["top", "low"] {
        node.create(tag, &node.scripts(tag), "No");
    }
    node.out("dep_create", &["-p", "top", "-c", "low"]);
    assert_ne!(node.status("dep_create", &["-p", "top", "-c", "low"]), 0, "it is there");
    assert_eq!(node.out("dep_list", &["-f:", "-c", "low"]), "top:low\n");
    assert_eq!(node.out("dep_list", &["-f:", "-p", "low"]), "");
    node.out("dep_remove", &["-p", "top", "-c", "low"]);
    assert_eq!(node.out("dep_list", &[]), "");
    assert_eq!(node.status("dep_remove", &["-p", "top", "-c", "low"]), 7);
    assert_eq!(node.out("ins_list", &[]).lines().count(), 2);
}

#[test]
fn deleting_stops_a_resource_and_takes_it_out_on_both_systems() {
    let (one, two) = Node::extended("app1");
    one.out("lkcli", &["resource", "delete", "--tag", "app1"]);
    assert_eq!(one.trace(), ["restore -t app1 -i app1", "remove -t app1 -i app1"]);
    for node in [&one, &two] {
        assert_eq!(node.out("ins_list", &[]), "", "{}", node.name);
        assert_eq!(node.out("eqv_list", &[]), "", "{}", node.name);
        let copy = node.file("subsys/gen/resources/app/actions/!restore/app1");
        assert!(!copy.exists(), "{}", node.name);
    }
}

#[test]
fn ins_remove_stops_nothing_and_is_for_one_system() {
    let (one, two) = Node::extended("app1");
    one.out("ins_remove", &["-t", "app1"]);
    assert_eq!(one.trace(), ["restore -t app1 -i app1"], "nothing was stopped");
    assert_eq!(two.state("app1"), "OSU");
    one.out("ins_remove", &["-d", "node2", "-t", "app1"]);
    assert_eq!(two.out("ins_list", &[]), "");
}

#[test]
fn a_path_is_listed_with_its_two_addresses() {
    let (one, two) = Node::pair();
    let net = one.out("net_list", &[]);
    let ends = format!("{}/{}", one.address, two.address);
    assert_eq!(net.split('\u{1}').nth(2), Some(ends.as_str()));
}

#[test]
fn lkcli_takes_what_its_help_shows_and_refuses_all_else() {
    let node = Node::new("node1");
    let help = node.out("lkcli", &["resource", "create", "gen", "--help"]);
    for shown in ["--tag <tag>", "[--quickCheck <path>]", "[--in_service <yes|no>]"] {
        assert!(help.contains(shown), "{shown}: {help}");
    }
    let [restore, remove, quick_check, _] = node.scripts("app1");
    let words = ["resource", "create", "gen", "--tag", "app1", "--restore", &restore];
    let words = [&words[..], &["--remove", &remove]].concat();
    for odd in ["--quickcheck", "--quick-check", "quickCheck"] {
        assert_ne!(node.status("lkcli", &[&words[..], &[odd, &quick_check]].concat()), 0, "{odd}");
    }
    assert_eq!(node.out("ins_list", &[]), "");
    node.out("lkcli", &[&words[..], &["-quickCheck", &quick_check, "--appInfo=a b"]].concat());
    assert!(node.out("ins_list", &["-f:"]).contains(":app1:app1:a b:ISP:"));
    assert_ne!(node.status("lkcli", &["resource", "create", "gen"]), 0, "the tag is missing");
    node.out("lkcli", &["resource", "delete", "--tag", "app1"]);
    assert_eq!(node.out("ins_list", &[]), "");
    node.lay(&["--no-lkcli"]);
    assert!(!node.file("bin/lkcli").exists());
}
