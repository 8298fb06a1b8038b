//! The lab's proof for LifeKeeper on a node: its version, its commands, and that it runs.

#![expect(clippy::expect_used, reason = "a helper of a test fails as the test does")]

use lab::{DEFAULTS, Dialect, Init, LKROOT, Node, STUBS};

/// Runs a script on a node and expects success.
fn succeed(node: &Node, script: &str) -> String {
    let done = node.sh(script).expect("a command");
    assert!(done.success(), "{script}: {done:?}");
    done.stdout
}

#[test]
fn a_node_has_lifekeeper_with_and_without_lkcli_and_its_version_is_what_rpm_says() {
    let standin = lab::program("lifekeeper-standin").expect("the stand-in");
    for (init, dialect) in [(Init::SysV, Dialect::Guess), (Init::Systemd, Dialect::None)] {
        let node = Node::start(init).expect("a node");
        node.lay_lifekeeper(&standin, dialect).expect("laying LifeKeeper");
        println!("{init}, {dialect}: {}", succeed(&node, "rpm -qi steeleye-lk | head -2"));
        let version = || succeed(&node, "rpm -q --qf '%{VERSION}\\n' steeleye-lk");
        assert_eq!(version(), format!("{}\n", dialect.version()), "{init}, {dialect}");
        assert!(succeed(&node, &format!("{LKROOT}/bin/lktest")).contains("lcd"));
        let lkcli = node.exists(&format!("{LKROOT}/bin/lkcli")).expect("a look");
        assert_eq!(lkcli, dialect != Dialect::None, "{init}, {dialect}");
        let defaults = node.read(DEFAULTS).expect("the defaults file");
        assert!(!defaults.contains("APP_DOVECOT"), "the kit's entries are not LifeKeeper's");

        for version_now in ["9.0.2", "9.1.0", "9.9.0", "9.3.2"] {
            node.set_lifekeeper_version(version_now).expect("another version");
            assert_eq!(version(), format!("{version_now}\n"));
        }
        assert!(node.set_lifekeeper_version("1.2.3").is_err(), "there is no such version");
    }
}

#[test]
fn a_resource_can_be_made_on_a_node_alone() {
    let standin = lab::program("lifekeeper-standin").expect("the stand-in");
    let node = Node::start(Init::SysV).expect("a node");
    let kit = lab::program("dovecot-ark").expect("the kit");
    node.install(&kit).expect("the kit on the node");
    node.lay_lifekeeper(&standin, Dialect::Guess).expect("laying LifeKeeper");
    let create = [
        &format!("{LKROOT}/bin/lkcli resource create gen --tag=mail --in_service=no"),
        &format!("--restore={STUBS}/restore --remove={STUBS}/remove"),
        &format!("--quickCheck={STUBS}/quickCheck --recover={STUBS}/recover"),
    ];
    succeed(&node, &create.map(String::as_str).join(" "));
    let listed = succeed(&node, &format!("{LKROOT}/bin/ins_list -f: -t mail"));
    assert!(listed.contains(":gen:app:mail:mail::OSU:"), "{listed}");
    node.require_copies("mail", STUBS).expect("copies of the stubs");
    assert!(node.require_copies("mail", "/bin").is_err(), "others are told");
}
