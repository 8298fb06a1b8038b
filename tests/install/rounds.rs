//! Asked twice, round after round, or two at once: nothing is done again, lost, or left behind.

use std::time::Duration;

use lab::DEFAULTS;

use crate::kit::{Dialect, Init, Kit, RECORD};

/// Rounds of install and uninstall in the suite; on a quiet machine one takes 0.3 s.
const ROUNDS: usize = 20;

/// How long two installs that run at once may take.
const BOTH: Duration = Duration::from_mins(1);

/// The node, in each way to create a resource and to start at boot.
const KINDS: [(Init, Dialect); 2] = [(Init::SysV, Dialect::None), (Init::Systemd, Dialect::Guess)];

/// What may be asked for; the rounds take turns.
const OPTIONS: [&str; 4] = [
    "--no-start",
    "--standby",
    "--no-start --switchback automatic --depends-on vmail",
    "--no-start --quickcheck-timeout 60",
];

#[test]
fn a_second_install_has_nothing_to_do_and_writes_nothing() {
    for (init, dialect) in KINDS {
        let kit = Kit::new(init, dialect);
        kit.create_dummy(crate::kit::CHILD);
        for options in OPTIONS {
            let first = kit.install(options);
            assert!(!first.contains("nothing to do"), "{options}: {first}");
            let before = kit.tree();
            for _ in 0..2 {
                let again = kit.install(options);
                assert!(again.contains("nothing to do"), "{init}, {dialect}, {options}: {again}");
            }
            kit.assert_untouched(&before, &format!("{init}, {dialect}, {options}"));
            kit.uninstall("");
        }
    }
}

#[test]
fn a_second_uninstall_has_nothing_to_do_and_writes_nothing() {
    for (init, dialect) in KINDS {
        let kit = Kit::new(init, dialect);
        let before = kit.tree();
        for _ in 0..2 {
            let said = kit.uninstall("");
            assert!(said.contains("nothing to do"), "{init}, {dialect}: {said}");
        }
        kit.assert_untouched(&before, "never installed");
        kit.install("--no-start");
        kit.uninstall("");
        let before = kit.tree();
        let said = kit.uninstall("");
        assert!(said.contains("nothing to do"), "{init}, {dialect}: {said}");
        kit.assert_untouched(&before, "uninstalled twice");
        kit.install("--no-start");
        let before = kit.tree();
        let said = kit.uninstall("--tag another");
        assert!(said.contains("nothing to do"), "{init}, {dialect}: {said}");
        kit.assert_untouched(&before, "uninstalled what was never installed");
    }
}

/// Installs and uninstalls so many times, and looks at the node after each.
fn rounds(init: Init, dialect: Dialect, rounds: usize) {
    let kit = Kit::new(init, dialect);
    kit.create_dummy(crate::kit::CHILD);
    let start = kit.tree();
    for (round, options) in (1..=rounds).zip(OPTIONS.iter().cycle()) {
        kit.install(options);
        assert_eq!(kit.boot(), "", "{init}, {dialect}, {options}: the start at boot is off");
        kit.uninstall("");
        kit.assert_as(&start, &format!("{init}, {dialect}, round {round}, {options}"));
        if round % 100 == 0 {
            println!("{init}, {dialect}: round {round} of {rounds}");
        }
    }
}

#[test]
fn rounds_of_install_and_uninstall_leave_no_byte_behind() {
    for (init, dialect) in KINDS {
        rounds(init, dialect, ROUNDS);
    }
}

#[test]
#[ignore = "takes some minutes"]
fn a_thousand_rounds_leave_no_byte_behind() {
    for (init, dialect) in KINDS {
        rounds(init, dialect, 1000);
    }
}

#[test]
fn two_installs_at_once_are_one_resource() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    let start = kit.tree();
    for (one, two) in [("mail-1", "mail-1"), ("mail-1", "mail-2")] {
        let both = [one, two].map(|tag| {
            let words = ["/usr/sbin/dovecot-ark", "install", "--no-start", "--tag", tag];
            let words = [&words[..], &["--quickcheck-timeout", "60"]].concat();
            (tag, kit.node.spawn(&words).expect("starting the kit"))
        });
        let ended =
            both.map(|(tag, running)| (tag, running.wait(BOTH).expect("waiting for the kit")));
        let (done, refused): (Vec<_>, Vec<_>) = ended.iter().partition(|(_, end)| end.success());
        // Two tags are two resources of one Dovecot, which is refused; the same tag twice is not.
        assert_eq!(refused.len(), usize::from(one != two), "{ended:#?}");
        let idle = done.iter().filter(|(_, end)| end.stdout.contains("nothing to do")).count();
        assert_eq!(idle, usize::from(one == two), "{ended:#?}");
        let (tag, _) = *done.first().expect("one that is done");
        let (defaults, record) = (kit.defaults(), kit.node.read(RECORD).expect("the record"));
        assert_eq!(kit.state(tag).as_deref(), Some("OSU"), "{tag}");
        assert!(record.contains(tag), "{tag}: {record}");
        let key = format!("{}_QUICKCHECK_TIMEOUT=60", tag.replace('-', "_"));
        for once in [
            key.as_str(),
            "_QUICKCHECK_TIMEOUT=60",
            "\nAPP_DOVECOT_IP_LIST=",
            "# BEGIN dovecot-ark",
        ] {
            assert_eq!(defaults.matches(once).count(), 1, "{once}: {defaults}");
        }
        for (other, end) in refused {
            assert_eq!((end.status, kit.state(other)), (Some(1), None), "{end:#?}");
            assert!(end.stderr.contains(tag) && !record.contains(other), "{end:#?}\n{record}");
        }
        kit.uninstall(&format!("--tag {tag}"));
        kit.assert_as(&start, &format!("{one}, {two}"));
    }
}

#[test]
fn install_and_uninstall_at_once_end_as_one_after_the_other() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    let start = kit.tree();
    kit.install("--no-start");
    let installed = kit.tree();
    for _ in 0..5 {
        let words = [vec!["/usr/sbin/dovecot-ark"], kit.uninstalling("")].concat();
        let uninstalling = kit.node.spawn(&words).expect("starting the kit");
        kit.install("--no-start");
        let ended = uninstalling.wait(BOTH).expect("waiting for the kit");
        assert_eq!(ended.status, Some(0), "{ended:#?}");
        let end = kit.tree();
        let (first, second) = (installed.changes(&end), start.changes(&end));
        assert!(first.is_empty() || second.is_empty(), "{first:#?} {second:#?}");
        kit.install("--no-start");
    }
    kit.uninstall("");
    kit.assert_as(&start, "after five rounds");
}

#[test]
fn what_the_administrator_wrote_survives_and_what_install_wrote_goes() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    kit.node
        .append(DEFAULTS, "export APP_DOVECOT_RESTORE_WAIT=7\nAPP_DOVECOT_DEBUG=1 # mine")
        .expect("writing");
    kit.install("--no-start");
    let installed = kit.defaults();
    for key in ["APP_DOVECOT_RESTORE_WAIT", "APP_DOVECOT_DEBUG"] {
        let set = installed.lines().filter(|line| line.contains(&format!("{key}="))).count();
        assert_eq!(set, 1, "{key}: {installed}");
    }
    let (begin, end) = ("# BEGIN dovecot-ark", "# END dovecot-ark");
    assert_eq!((installed.matches(begin).count(), installed.matches(end).count()), (1, 1));

    // A value in the block, a line of their own in it, and one behind it.
    let changed = installed
        .replace("APP_DOVECOT_REMOVE_WAIT=3", "APP_DOVECOT_REMOVE_WAIT=9")
        .replace(end, "MINE_IN_BLOCK=1\n# END dovecot-ark");
    assert_ne!(changed, installed, "the block has the key with its default");
    kit.node.write(DEFAULTS, &format!("{changed}MINE_BEHIND=1\n")).expect("writing");
    let again = kit.install("--no-start");
    assert!(again.contains("nothing to do"), "{again}");
    kit.uninstall("");
    let left = kit.defaults();
    for line in [
        "export APP_DOVECOT_RESTORE_WAIT=7",
        "APP_DOVECOT_DEBUG=1 # mine",
        "APP_DOVECOT_REMOVE_WAIT=9",
        "MINE_IN_BLOCK=1",
        "MINE_BEHIND=1",
    ] {
        assert!(left.lines().any(|found| found == line), "{line}: {left}");
    }
    let kept = left.lines().filter(|line| line.starts_with("APP_DOVECOT_")).count();
    assert_eq!(kept, 2, "what install wrote and nobody changed is gone: {left}");
    assert!(!left.contains(begin) && !left.contains(end), "{left}");
}

#[test]
fn a_record_of_an_older_kit_is_given_back() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    let start = kit.tree();
    for options in ["", "--quickcheck-timeout 30"] {
        kit.install("--no-start");
        let record = kit.node.read(RECORD).expect("the record");
        let older = record.replace("format = 2", "format = 1").replace("[[boot]]", "[boot]");
        kit.node
            .write(RECORD, &format!("# Asked for by the mail team.\n{older}"))
            .expect("writing");
        let installed = kit.tree();
        let again = kit.install("--no-start");
        assert!(again.contains("nothing to do"), "{again}");
        kit.assert_untouched(&installed, "a record of an older kit");
        kit.install(&format!("--no-start {options}"));
        kit.uninstall("");
        kit.assert_as(&start, options);
    }
}

#[test]
fn each_service_that_was_named_is_given_its_start_at_boot_back() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    kit.sh("sed 's/Provides:.*/Provides: second/' /etc/init.d/dovecot >/etc/init.d/second
         chmod 755 /etc/init.d/second; update-rc.d second defaults");
    let start = kit.tree();
    kit.install("--no-start");
    kit.node.append(DEFAULTS, "APP_DOVECOT_SERVICE=second\n").expect("writing");
    kit.install("--no-start");
    assert_eq!(kit.sh("ls /etc/rc?.d | grep '^S..second' || true"), "");
    kit.uninstall("");
    kit.sh(&format!("sed -i /^APP_DOVECOT_SERVICE=second/d {DEFAULTS}"));
    kit.assert_as(&start, "uninstalled");
}

#[test]
fn a_second_name_of_the_unit_is_given_back() {
    let kit = Kit::new(Init::Systemd, Dialect::Guess);
    kit.sh("sed '/^\\[Install\\]/a Alias=imapd.service' /lib/systemd/system/dovecot.service \
            >/etc/systemd/system/dovecot.service
         systemctl daemon-reload; systemctl reenable --quiet dovecot.service
         test -L /etc/systemd/system/imapd.service");
    let start = kit.tree();
    kit.install("--no-start");
    assert!(!kit.node.exists("/etc/systemd/system/imapd.service").expect("a look"));
    kit.uninstall("");
    kit.assert_as(&start, "uninstalled");
}

#[test]
fn links_of_a_missing_script_that_systemd_ignores_are_no_obstacle() {
    let kit = Kit::new(Init::Systemd, Dialect::Guess);
    kit.sh("rm -f /etc/rc?.d/???dovecot /etc/init.d/dovecot
         ln -s ../init.d/dovecot /etc/rc3.d/S65dovecot; systemctl daemon-reload");
    let start = kit.tree();
    kit.install("--no-start");
    assert_eq!(kit.boot(), "/etc/rc3.d/S65dovecot\n");
    assert!(kit.install("--no-start").contains("nothing to do"));
    kit.uninstall("");
    kit.assert_as(&start, "uninstalled");
}

#[test]
fn mode_owner_access_list_and_attributes_of_the_settings_file_are_kept() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    kit.sh(&format!(
        "chmod 0640 {DEFAULTS}; chown mail:vmail {DEFAULTS}; setfacl -m u:daemon:rw,g:adm:r {DEFAULTS}
         setfattr -n user.team -v mail {DEFAULTS}; setfattr -n security.label -v secret {DEFAULTS}"
    ));
    let start = kit.tree();
    let about = || {
        kit.sh(&format!(
            "stat -c '%a %U:%G' {DEFAULTS}; getfacl -p {DEFAULTS}; getfattr -d -m - {DEFAULTS} 2>&1"
        ))
    };
    let before = about();
    for mark in ["660 mail:vmail", "user:daemon:rw-", "group:adm:r--", "user.team=\"mail\""] {
        assert!(before.contains(mark), "{mark}: {before}");
    }
    assert!(before.contains("security.label=\"secret\""), "{before}");
    kit.install("--no-start");
    assert_eq!(about(), before);
    kit.uninstall("");
    kit.assert_as(&start, "uninstalled");
}
