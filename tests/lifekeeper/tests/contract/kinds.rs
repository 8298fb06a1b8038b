//! Addresses and mounts, in namespaces of their own.

use std::fs;
use std::process::Command;

use crate::fixture::{Node, text};

/// Runs shell lines as a node's operator in new mount, network and process namespaces.
fn isolated(node: &Node, lines: &str) -> String {
    let prelude = "set -e; ip link set lo up; lkstart -w; ";
    let output = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", &format!("{prelude}{lines}")])
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", node.file("bin").display()))
        .env("LKROOT", &node.root)
        .env("LK_DEFAULTS", node.file("defaults"))
        .env("LK_LOG", node.file("log"))
        .output()
        .expect("running unshare");
    assert!(output.status.success(), "{output:?}\n{}", node.read("log"));
    text(&output.stdout)
}

/// Whether this test may make namespaces.
fn allowed() -> bool {
    let made = Command::new("unshare").args(["--mount", "--net", "true"]).output();
    let allowed = made.is_ok_and(|output| output.status.success());
    if !allowed {
        eprintln!("skipped: no namespaces can be made here");
    }
    allowed
}

#[test]
fn an_address_comes_and_goes_with_its_resource() {
    if !allowed() {
        return;
    }
    let node = Node::laid("node1");
    let said = isolated(
        &node,
        "ins_create -a comm -r ip -t ip1 -i IP-192.0.2.9 -v '192.0.2.9/32 lo'
         perform_action -t ip1 -a restore >&2
         ip -o addr show to 192.0.2.9 | grep -c 192.0.2.9
         ins_list -f: -t ip1 | cut -d: -f2-7
         ip addr del 192.0.2.9/32 dev lo
         until ip -o addr show to 192.0.2.9 | grep -q 192.0.2.9; do sleep 0.1; done
         perform_action -t ip1 -a remove >&2
         ip -o addr show to 192.0.2.9 | wc -l",
    );
    assert_eq!(said, "1\ncomm:ip:ip1:IP-192.0.2.9:192.0.2.9/32 lo:ISP\n0\n");
}

#[test]
fn a_busy_mount_cannot_be_removed() {
    if !allowed() {
        return;
    }
    let node = Node::laid("node1");
    let (source, point) = (node.file("source"), node.file("point"));
    for directory in [&source, &point] {
        fs::create_dir_all(directory).unwrap();
    }
    fs::write(source.join("mail"), "").unwrap();
    let (source, point) = (source.display(), point.display());
    let said = isolated(
        &node,
        &format!(
            "ins_create -a gen -r filesys -t fs1 -i {point} -v {source}
             perform_action -t fs1 -a restore >&2
             ls {point}
             exec 3< {point}/mail
             perform_action -t fs1 -a remove >&2 && exit 9
             ins_list -f: -t fs1 | cut -d: -f7
             exec 3<&-
             perform_action -t fs1 -a remove >&2
             ins_list -f: -t fs1 | cut -d: -f7
             ls {point}"
        ),
    );
    assert_eq!(said, "mail\nISP\nOSU\n");
}
