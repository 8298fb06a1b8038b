//! Installed, verified, upgraded and erased with rpm, with and without a resource in service.

use lab::{DEFAULTS, Init, LKROOT, STUBS};

use crate::kit::Kit;
use crate::packaged::{
    PREVIOUS, RECORD, VERSION, assert_verified, bare, file, files, in_service, look_seldom, state,
    with_lifekeeper,
};

const KINDS: [Init; 2] = [Init::SysV, Init::Systemd];

/// Runs rpm, insists on success, and returns what it said to the person; Debian's has a word to say
/// of its own unless it is forced.
#[track_caller]
fn rpm(kit: &Kit, words: &str) -> String {
    let done = kit.node.sh(&format!("rpm --force-debian {words}")).expect("running rpm");
    assert!(done.success(), "rpm {words}: {done:#?}");
    done.stderr
}

/// The registered copies, one after the other.
fn copies(kit: &Kit) -> String {
    let directory = format!("{LKROOT}/subsys/gen/resources/app");
    kit.sh(&format!("tail -n +1 {directory}/actions/*/dovecot {directory}/recovery/*/dovecot"))
}

#[test]
fn a_package_that_is_erased_leaves_nothing() {
    for init in KINDS {
        let kit = bare(init);
        let before = files(&kit);
        assert_eq!(rpm(&kit, &format!("-i {}", file(VERSION))), "", "{init}");
        assert_verified(&kit, VERSION);
        kit.expect("quickCheck", 1);
        kit.expect("restore", 0);
        let master = kit.master();
        assert_eq!(rpm(&kit, "-e dovecot-ark"), "", "{init}");
        assert_eq!(kit.master(), master, "{init}: Dovecot is left as it is");
        let new: Vec<String> = files(&kit).into_iter().filter(|it| !before.contains(it)).collect();
        let (own, dovecots): (Vec<_>, Vec<_>) =
            new.iter().partition(|path| path.contains("dovecot-ark"));
        assert_eq!(own, ["/var/log/dovecot-ark.log"], "{init}: only the log stays");
        assert!(dovecots.iter().all(|path| path.contains("/log/")), "{init}: {dovecots:?}");
    }
}

#[test]
fn changed_settings_of_the_package_survive_upgrade_and_erasure() {
    let kit = bare(Init::SysV);
    rpm(&kit, &format!("-i {}", file(PREVIOUS)));
    kit.sh("sed -i s/weekly/daily/ /etc/logrotate.d/dovecot-ark");
    rpm(&kit, &format!("-U {}", file(VERSION)));
    assert_eq!(kit.sh("grep -c daily /etc/logrotate.d/dovecot-ark"), "1\n");
    rpm(&kit, "-e dovecot-ark");
    assert_eq!(kit.sh("grep -c daily /etc/logrotate.d/dovecot-ark.rpmsave"), "1\n");
    assert!(!kit.node.exists("/etc/logrotate.d/dovecot-ark").expect("a look"));
}

#[test]
fn an_upgrade_in_service_changes_nothing_until_the_next_action() {
    for init in KINDS {
        let kit = in_service(init, &format!("rpm -i {}", file(PREVIOUS)));
        let (master, copied) = (kit.master(), copies(&kit));
        let settings = kit.node.read(DEFAULTS).expect("the settings");
        let mut session = kit.log_in();
        let older = kit.sh("sha256sum /usr/sbin/dovecot-ark");

        let stub = format!("{STUBS}/quickCheck -t dovecot -i dovecot");
        let upgrade = format!("rpm --force-debian -U {}", file(VERSION));
        let during = kit.sh(&format!(
            "(while [ ! -e /run/upgraded ]; do {stub} || echo failed; done) & \
             sleep 0.2; {upgrade} || echo refused; sleep 0.2; touch /run/upgraded; wait"
        ));
        assert_eq!(during, "", "{init}: no moment without the kit");
        assert_verified(&kit, VERSION);
        assert_ne!(kit.sh("sha256sum /usr/sbin/dovecot-ark"), older, "{init}: another binary");
        assert_eq!(kit.master(), master, "{init}");
        assert_eq!(kit.node.read(DEFAULTS).expect("the settings"), settings, "{init}");
        assert_eq!(copies(&kit), copied, "{init}");
        session.noop().expect("the session goes on");

        // LifeKeeper looks every two seconds: the copies find the new binary and it finds Dovecot.
        kit.node.require_copies("dovecot", STUBS).expect("the package's stubs");
        kit.sh(&format!(
            "sleep 5; {LKROOT}/subsys/gen/resources/app/actions/!quickCheck/dovecot \
             -t dovecot -i dovecot"
        ));
        assert_eq!((state(&kit).as_str(), kit.master()), ("ISP", master), "{init}");

        // The next action is the new version's.
        kit.sh(&format!("{LKROOT}/bin/perform_action -t dovecot -a remove"));
        kit.assert_gone();
        kit.sh(&format!("{LKROOT}/bin/perform_action -t dovecot -a restore"));
        assert_eq!(state(&kit), "ISP", "{init}");
        kit.log_in().logout().expect("a logout");
    }
}

/// The file that lets the kit be erased under a resource.
const CONSENT: &str = "/etc/dovecot-ark/erase";

#[test]
fn the_kit_is_not_erased_under_a_resource_unless_a_file_says_so() {
    for init in KINDS {
        let kit = in_service(init, &format!("rpm -i {}", file(PREVIOUS)));
        rpm(&kit, &format!("-U {}", file(VERSION)));
        let (master, copied) = (kit.master(), copies(&kit));
        look_seldom(&kit);
        let said = kit.sh("rpm -e dovecot-ark 2>&1; rpm -q dovecot-ark");
        for words in [
            "dovecot-ark: not erased: the resource \"dovecot\" is still registered with LifeKeeper",
            "halts this node",
            "\"dovecot-ark uninstall --tag dovecot\"",
            CONSENT,
            &format!("\ndovecot-ark-{VERSION}"),
        ] {
            assert!(said.contains(words), "{init}: {words}: {said}");
        }
        assert_eq!(kit.master(), master, "{init}: as it was");
        kit.sh(&format!("mkdir -p /etc/dovecot-ark; touch {CONSENT}"));
        let said = rpm(&kit, "-e dovecot-ark");
        let told =
            format!("dovecot-ark: erased because there is {CONSENT}: the resource \"dovecot\"");
        assert!(
            said.contains(&told) && said.contains("install the package again"),
            "{init}: {said}"
        );
        kit.sh("rm -r /etc/dovecot-ark");
        assert_eq!((kit.master(), copies(&kit)), (master, copied), "{init}: nothing is touched");
        assert!(kit.node.exists(RECORD).expect("a look"), "{init}: what uninstall needs stays");

        rpm(&kit, &format!("-i {}", file(VERSION)));
        kit.sh("dovecot-ark uninstall --tag dovecot --yes");
        assert_eq!(rpm(&kit, "-e dovecot-ark"), "", "{init}: nothing is registered any more");
        let mut left = files(&kit);
        left.retain(|path| path.contains("dovecot-ark") && !path.starts_with("/srv/"));
        assert_eq!(left, ["/var/log/dovecot-ark.log"], "{init}");
    }
}

#[test]
fn who_erases_the_kit_on_a_prepared_standby_is_told_how_to_go_on() {
    let kit = with_lifekeeper(Init::Systemd);
    rpm(&kit, &format!("-i {}", file(VERSION)));
    kit.sh("systemctl enable --quiet dovecot.service; dovecot-ark install --standby");
    let said = rpm(&kit, "-e dovecot-ark");
    assert!(said.contains("changed on this node is not given back"), "{said}");
    assert!(said.contains(RECORD) && !said.contains("registered"), "{said}");
    rpm(&kit, &format!("-i {}", file(VERSION)));
    kit.sh("dovecot-ark uninstall --yes");
    assert_eq!(rpm(&kit, "-e dovecot-ark"), "");
    kit.sh("systemctl is-enabled --quiet dovecot.service");
}

#[test]
fn its_log_is_rotated_and_begun_anew() {
    let kit = bare(Init::SysV);
    rpm(&kit, &format!("-i {}", file(VERSION)));
    kit.sh("logrotate --state /run/state /etc/logrotate.d/dovecot-ark");
    kit.expect("quickCheck", 1);
    kit.sh("logrotate --force --state /run/state /etc/logrotate.d/dovecot-ark");
    assert_eq!(kit.sh("stat -c '%a %s' /var/log/dovecot-ark.log"), "600 0\n");
    kit.sh("grep -q quickCheck /var/log/dovecot-ark.log.1");
    kit.expect("quickCheck", 1);
    assert!(kit.log().contains("quickCheck"), "it goes on");
    assert_eq!(rpm(&kit, "-e dovecot-ark"), "");
}

#[test]
fn a_resource_elsewhere_and_one_of_another_kit_are_told_apart() {
    let kit = bare(Init::SysV);
    rpm(&kit, &format!("-i {}", file(VERSION)));
    kit.node
        .write(DEFAULTS, "# LKROOT=/nowhere\n  export LKROOT='/srv/lk' # moved\n")
        .expect("a file");
    let directory = "/srv/lk/subsys/gen/Resources/app/actions/!quickCheck";
    kit.sh(&format!(
        "mkdir -p {directory}; cp {STUBS}/quickCheck {directory}/post; echo exit >{directory}/x"
    ));
    let said = kit.sh("rpm -e dovecot-ark 2>&1 || :");
    assert!(said.contains("the resource \"post\""), "{said}");
    assert_eq!(said.matches("still registered").count(), 1, "{said}");
    let refused = |line: &str| {
        kit.node.write(DEFAULTS, &format!("{line}\n")).expect("a file");
        let said = kit.sh("rpm -e dovecot-ark 2>&1 || :");
        assert!(said.contains("the resource \"post\""), "{line}: {said}");
    };
    for line in ["LKROOT=/srv/lk # moved", "LKROOT=/srv/lk; export LKROOT", "LKROOT=/srv/lk "] {
        refused(line);
    }
    kit.sh("mv /srv/lk /opt/LifeKeeper");
    for line in ["LKROOT=$HOME/lk", "LKROOT=lk", "LKROOT=/opt/LifeKeeper"] {
        refused(line);
    }
}

#[test]
fn an_older_version_can_be_put_back() {
    let kit = in_service(Init::SysV, &format!("rpm -i {}", file(PREVIOUS)));
    let master = kit.master();
    rpm(&kit, &format!("-U {}", file(VERSION)));
    assert_eq!(rpm(&kit, &format!("-U --oldpackage {}", file(PREVIOUS))), "");
    assert_verified(&kit, PREVIOUS);
    assert_eq!((kit.master(), state(&kit).as_str()), (master, "ISP"));
    kit.expect("quickCheck", 0);
}
