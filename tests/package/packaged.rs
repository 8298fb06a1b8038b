//! Nodes with the package in a directory, and what each test does with it.

use std::path::{Path, PathBuf};

use lab::{DEFAULTS, Dialect, Init, LKROOT, Node, Suite};

use crate::kit::Kit;

/// Where the packages lie on a node.
pub(crate) const DIRECTORY: &str = "/srv/packages";
/// The version of the older package.
pub(crate) const PREVIOUS: &str = "0.0.1";
/// The version of the package under test.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What the kit keeps of what it changed.
pub(crate) const RECORD: &str = "/var/lib/dovecot-ark/install.toml";

/// Copies the package onto a node and installs it.
pub(crate) fn lay(node: &Node) {
    copy_in(node);
    let done = node.run(&["rpm", "-i", &file(VERSION)]).expect("running rpm");
    assert!(done.success(), "installing: {done:#?}");
}

/// A SysV node of a suite with the package installed and Dovecot stopped.
pub(crate) fn kit(suite: Suite) -> Kit {
    Kit::on(Node::start_on(suite, Init::SysV).expect("starting a node"))
}

/// A node with both packages in the directory, and neither installed.
pub(crate) fn bare(init: Init) -> Kit {
    let node = Node::start(init).expect("starting a node");
    copy_in(&node);
    Kit { node }
}

/// A node with LifeKeeper, which protects nothing, and neither package installed.
pub(crate) fn with_lifekeeper(init: Init) -> Kit {
    let kit = bare(init);
    let standin = lab::program("lifekeeper-standin").expect("the stand-in");
    kit.node.lay_lifekeeper(&standin, Dialect::Guess).expect("laying LifeKeeper");
    kit
}

/// A node with LifeKeeper, the older package installed `with` a script, and the resource in service.
pub(crate) fn in_service(init: Init, with: &str) -> Kit {
    let kit = with_lifekeeper(init);
    kit.sh(with);
    assert_eq!(kit.sh("rpm -q dovecot-ark"), format!("dovecot-ark-{PREVIOUS}-1.x86_64\n"));
    kit.sh("dovecot-ark install --tag dovecot");
    assert_eq!(state(&kit), "ISP");
    kit
}

/// Returns the file of a version on a node.
pub(crate) fn file(version: &str) -> String {
    format!("{DIRECTORY}/dovecot-ark-{version}-1.x86_64.rpm")
}

/// The state that LifeKeeper gives the resource.
#[track_caller]
pub(crate) fn state(kit: &Kit) -> String {
    let listed = kit.sh(&format!("{LKROOT}/bin/ins_list -f: -t dovecot"));
    listed.split(':').nth(6).unwrap_or_default().to_owned()
}

/// Makes LifeKeeper look so seldom that it does not see a test erase the kit under its resource.
pub(crate) fn look_seldom(kit: &Kit) {
    kit.sh(&format!("sed -i 's/^LKCHECKINTERVAL=.*/LKCHECKINTERVAL=600/' {DEFAULTS}; sleep 1"));
}

/// Insists that the installed files are as in the package, and nobody has touched them.
#[track_caller]
pub(crate) fn assert_verified(kit: &Kit, version: &str) {
    assert_eq!(kit.sh("rpm -q dovecot-ark"), format!("dovecot-ark-{version}-1.x86_64\n"));
    assert_eq!(kit.sh("rpm -V dovecot-ark"), "", "rpm -V has nothing to say");
}

/// All files of a node that are not its own business, and the directories that are the kit's alone.
pub(crate) fn files(kit: &Kit) -> Vec<String> {
    let found =
        kit.sh("find /etc /opt /root /usr /var /run/dovecot-ark -path /var/lib/rpm -prune \
         -o -path /var/lib/systemd -prune -o -path /var/lib/dovecot -prune \
         -o -path /var/log/journal -prune -o '(' ! -type d -o -path '*dovecot-ark*' ')' -print \
         2>/dev/null | sort");
    found.lines().map(str::to_owned).collect()
}

/// Copies both packages into the directory.
pub(crate) fn copy_in(node: &Node) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rpm");
    node.run(&["mkdir", "-p", DIRECTORY]).expect("making a directory");
    for (directory, version) in
        [(directory.clone(), VERSION), (directory.join("previous"), PREVIOUS)]
    {
        let package: PathBuf = directory.join(format!("dovecot-ark-{version}-1.x86_64.rpm"));
        assert!(package.is_file(), "{} is not there: run cargo xtask rpm", package.display());
        node.copy_in(&package, &file(version)).expect("copying a package");
    }
}
