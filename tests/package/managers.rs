//! Installed, upgraded in service and erased by dnf and by zypper, from a repository.

use lab::{DEFAULTS, Init};

use crate::packaged::{
    DIRECTORY, PREVIOUS, VERSION, assert_verified, files, in_service, look_seldom, state,
};

/// Leads a package's life with `manager`, whose words ask no person and know one directory alone.
fn lives_with(manager: &str, versioned: &str) {
    let first = format!(
        "createrepo_c --quiet {DIRECTORY} && {manager} install {}",
        versioned.replace("VERSION", &format!("{PREVIOUS}-1"))
    );
    let kit = in_service(Init::Systemd, &first);
    let (master, settings) = (kit.master(), kit.node.read(DEFAULTS).expect("the settings"));

    kit.sh(&format!("{manager} update dovecot-ark"));
    assert_verified(&kit, VERSION);
    assert_eq!((kit.master(), state(&kit).as_str()), (master, "ISP"), "{manager}");
    assert_eq!(kit.node.read(DEFAULTS).expect("the settings"), settings, "{manager}");
    kit.expect("quickCheck", 0);

    look_seldom(&kit);
    let erase = format!("{manager} remove dovecot-ark 2>&1");
    let said = kit.sh(&format!("! {{ {erase}; }}"));
    assert!(said.contains("the resource \"dovecot\" is still registered"), "{manager}: {said}");
    assert_eq!(kit.master(), master, "{manager}");
    assert_verified(&kit, VERSION);

    kit.sh("dovecot-ark uninstall --tag dovecot --yes");
    let said = kit.sh(&erase);
    assert!(!said.contains("registered"), "{manager}: {said}");
    let mut left = files(&kit);
    left.retain(|path| path.contains("dovecot-ark"));
    assert_eq!(left, ["/var/log/dovecot-ark.log"], "{manager}");
    kit.sh("test -x /usr/sbin/dovecot && rpm -q glibc");
}

#[test]
fn dnf_installs_upgrades_in_service_and_erases() {
    let dnf = format!(
        "dnf --assumeyes --releasever=12 --disablerepo='*' --repofrompath=kit,{DIRECTORY} \
         --nogpgcheck --setopt=keepcache=0 --setopt=cachedir=/run/dnf"
    );
    lives_with(&dnf, "dovecot-ark-VERSION");
}

#[test]
fn zypper_installs_upgrades_in_service_and_erases() {
    let zypper = format!(
        "zypper --non-interactive --releasever 12 --no-gpg-checks \
         --cache-dir /run/zypp --plus-repo {DIRECTORY}"
    );
    lives_with(&zypper, "--allow-unsigned-rpm dovecot-ark=VERSION");
}
