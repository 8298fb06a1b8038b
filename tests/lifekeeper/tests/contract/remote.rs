//! Commands over the communication paths.

use crate::fixture::{Node, text};

#[test]
fn a_remote_command_gives_its_status_and_its_output_merged_unless_asked_apart() {
    let (one, two) = Node::pair();
    let file = two.file("config/UNAME");
    let line = format!("cat {}; echo complaint >&2; exit 3", file.display());
    for system in ["node2", "node1"] {
        let merged = one.run("lcdremexec", &["-d", system, "--", &line]);
        assert_eq!(merged.status.code(), Some(3), "{system}");
        assert_eq!((&*text(&merged.stdout), &*text(&merged.stderr)), ("node2\ncomplaint\n", ""));
        let apart = one.run("lcdremexec", &["-e", "-d", system, "--", &line]);
        assert_eq!(apart.status.code(), Some(3), "{system}");
        assert_eq!((&*text(&apart.stdout), &*text(&apart.stderr)), ("node2\n", "complaint\n"));
    }
    assert_eq!(one.out("lcdremexec", &["-d", "node2", "-t", "60", "--", "lcduname"]), "node2\n");
    assert_ne!(one.status("lcdremexec", &["-d", "node2", "-t", "1", "--", "sleep 600"]), 0);
}

#[test]
fn a_dead_system_is_a_communication_failure_in_the_documented_words() {
    let (one, two) = Node::pair();
    two.kill();
    one.wait("its death", || one.out("sys_getst", &["-s", "node2"]) == "DEAD\n");
    let refused = one.run("lcdremexec", &["-d", "node2", "--", "true"]);
    assert_eq!(refused.status.code(), Some(9));
    let words = "Communication failure: destination system \"node2\" is out of service.\n";
    assert_eq!(text(&refused.stderr), words);
}

#[test]
fn d_asks_the_other_system() {
    let (one, two) = Node::extended("app1");
    assert!(one.out("ins_list", &["-d", "node2", "-f:"]).starts_with("node2:gen:app:app1:"));
    assert!(one.out("ins_list", &["-dnode1", "-f:"]).starts_with("node1:gen:app:app1:"));
    one.out("ins_setstate", &["-d", "node2", "-t", "app1", "-S", "OSU", "-R", "from afar"]);
    assert!(two.out("ins_list", &["-f:"]).contains(":from afar:"));
    assert_eq!(one.status("ins_list", &["-d", "node2", "-t", "none"]), 7);
}
