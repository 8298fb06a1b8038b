//! What install makes, what uninstall takes, and what both refuse on a node that is as it should be.

use lab::{DEFAULTS, Imap, LKROOT, STUBS};

use crate::kit::{CHILD, Dialect, Init, Kit, RECORD};

#[test]
fn install_puts_dovecot_in_service_and_uninstall_takes_it_out() {
    for (init, dialect) in [(Init::SysV, Dialect::None), (Init::Systemd, Dialect::Guess)] {
        let kit = Kit::new(init, dialect);
        kit.create_dummy(CHILD);
        let start = kit.tree();
        assert_ne!(kit.boot(), "", "{init}: the start at boot is on");

        let said = kit.install("--depends-on vmail --switchback automatic");
        assert!(said.lines().count() >= 5, "a line for each step: {said}");
        assert_eq!(kit.state("dovecot").as_deref(), Some("ISP"), "{init}, {dialect}");
        kit.node.require_copies("dovecot", STUBS).expect("the kit's stubs");
        let listed = kit.lifekeeper("ins_list -f: -t dovecot");
        assert!(listed.contains(":gen:app:dovecot:dovecot:"), "{listed}");
        assert!(listed.contains(":AUTOMATIC:"), "{listed}");
        assert_eq!(kit.lifekeeper("dep_list -f:"), "dovecot:vmail\n", "{init}, {dialect}");
        assert_eq!(kit.boot(), "", "{init}, {dialect}: the start at boot is off");
        let mut session: Imap = kit.node.imap().expect("a greeting");
        let (user, password) = lab::USERS.first().expect("a user");
        session.login(user, password).expect("a login");
        let again = kit.install("--depends-on vmail --switchback automatic");
        assert!(again.contains("nothing to do"), "{again}");

        kit.uninstall("");
        assert_eq!(kit.state("dovecot"), None, "{init}, {dialect}");
        assert_eq!(kit.state(CHILD).as_deref(), Some("ISP"), "what it needed is left alone");
        assert_eq!(kit.node.master().expect("the process table"), None, "Dovecot is stopped");
        kit.assert_as(&start, &format!("{init}, {dialect}: uninstalled"));
        assert!(!kit.node.exists("/var/lib/dovecot-ark").expect("a look"));
    }
}

#[test]
fn a_dovecot_that_runs_already_is_taken_over_as_it_is() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    kit.sh("service dovecot start");
    let master = kit.node.master().expect("the process table");
    assert!(master.is_some(), "Dovecot runs");
    kit.install("");
    assert_eq!(kit.state("dovecot").as_deref(), Some("ISP"));
    assert_eq!(kit.node.master().expect("the process table"), master, "it was not restarted");
}

#[test]
fn the_key_for_quick_checks_limit_is_the_one_that_this_version_reads() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    for (version, key) in [
        ("9.0.2", "mail_1_TIMEOUT"),
        ("9.1.0", "mail_1_QUICKCHECK_TIMEOUT"),
        ("9.9.0", "mail_1_QUICKCHECK_TIMEOUT"),
    ] {
        kit.node.set_lifekeeper_version(version).expect("another version");
        let start = kit.tree();
        kit.install("--no-start --tag mail-1 --quickcheck-timeout 45");
        let defaults = kit.defaults();
        let keys: Vec<&str> = defaults.lines().filter(|line| line.contains("TIMEOUT=")).collect();
        assert_eq!(keys, ["REMOTETIMEOUT=60", &format!("{key}=45")], "{version}: {defaults}");
        kit.uninstall("--tag mail-1");
        kit.assert_as(&start, version);
    }
}

/// Insists that a plan reads like one, and that what was done is what was planned.
#[track_caller]
fn assert_planned(plan: &str, done: &str) {
    let lines = plan.strip_suffix("nothing was changed\n").expect("its last line");
    for line in lines.lines() {
        let rest = line.strip_prefix("would ").and_then(|rest| rest.split_once(' '));
        let (_, what) = rest.unwrap_or_else(|| panic!("{line:?} reads like a deed: {plan}"));
        assert!(done.contains(what), "{what}: {done}");
    }
}

#[test]
fn a_configuration_that_is_broken_is_named_before_a_resource_is_created() {
    for (init, dialect) in [(Init::Systemd, Dialect::Guess), (Init::SysV, Dialect::None)] {
        let kit = Kit::new(init, dialect);
        kit.node.append("/etc/dovecot/local.conf", "x {{\n").expect("breaking it");
        let start = kit.tree();
        for words in [&["install"][..], &["install", "--dry-run"]] {
            let said = kit.refused(words);
            let told = ["Dovecot's configuration is broken: ", "/etc/dovecot/local.conf line "];
            assert!(told.iter().all(|told| said.contains(told)), "{init}: {said}");
            kit.assert_untouched(&start, "refused");
        }
        assert_eq!(kit.state("dovecot"), None, "{init}, {dialect}");
        // A standby's keys may lie on a file system that is in service elsewhere.
        let said = kit.install("--standby");
        assert!(
            said.contains("warning: ARK3008: Dovecot's configuration is broken: "),
            "{init}: {said}"
        );
        kit.uninstall("");
        kit.assert_as(&start, "uninstalled");
    }
}

#[test]
fn uninstall_says_what_it_keeps_and_whether_dovecot_runs() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    kit.create_dummy(CHILD);
    kit.install("--depends-on vmail");
    kit.sh(&format!("sed -i 's/^APP_DOVECOT_DEBUG=0/APP_DOVECOT_DEBUG=1/' {DEFAULTS}"));
    let plan = kit.uninstall("--dry-run");
    assert!(plan.contains(", which stops Dovecot; by `"), "{plan}");
    let said = kit.uninstall("");
    assert_planned(&plan, &said);
    for told in [
        "keeping what it depended on: vmail\n",
        "keeping in /etc/default/LifeKeeper: APP_DOVECOT_DEBUG\n",
        "done: Dovecot is stopped; to use it without LifeKeeper: service dovecot start\n",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    kit.sh("service dovecot start");
    kit.install("--standby");
    let said = kit.uninstall("");
    assert!(said.contains("done: Dovecot runs on this node, unprotected: "), "{said}");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    for (init, dialect) in [(Init::Systemd, Dialect::Guess), (Init::SysV, Dialect::None)] {
        let kit = Kit::new(init, dialect);
        let start = kit.tree();
        let plan = kit.install("--no-start --dry-run");
        kit.assert_untouched(&start, "planned");
        assert_eq!(kit.state("dovecot"), None, "{init}, {dialect}");
        for word in [DEFAULTS, RECORD, "dovecot", "boot"] {
            assert!(plan.contains(word), "{word}: {plan}");
        }
        let said = kit.install("--no-start");
        assert_planned(&plan, &said);
        let again = kit.install("--no-start --dry-run");
        assert!(again.ends_with("nothing to do\nnothing was changed\n"), "{again}");

        let installed = kit.tree();
        let plan = kit.uninstall("--dry-run");
        assert!(plan.contains("dovecot") && plan.contains(DEFAULTS), "{plan}");
        kit.assert_untouched(&installed, "planned the uninstallation");
        let said = kit.uninstall("");
        assert_planned(&plan, &said);
        assert!(said.ends_with("done: Dovecot is stopped on this node\n"), "{said}");
        kit.assert_as(&start, &format!("{init}, {dialect}"));
    }
}

#[test]
fn a_standby_is_prepared_and_given_back_without_a_resource() {
    for (init, dialect) in [(Init::Systemd, Dialect::Guess), (Init::SysV, Dialect::None)] {
        let kit = Kit::new(init, dialect);
        let start = kit.tree();
        kit.install("--standby");
        assert_eq!(kit.lifekeeper("ins_list"), "", "{init}: no resource is made");
        assert_eq!(kit.boot(), "", "{init}: the start at boot is off");
        assert!(kit.defaults().contains("APP_DOVECOT_IP_LIST="), "{}", kit.defaults());
        // Without the resource, no other way is needed, lkcli or not.
        kit.done(&["uninstall", "--yes"]);
        kit.assert_as(&start, &format!("{init}, {dialect}"));
    }
}

#[test]
fn any_start_at_boot_is_taken_off_and_comes_back_as_it_was() {
    let sysv = [
        "update-rc.d dovecot disable",
        "update-rc.d -f dovecot remove",
        "rm -f /etc/rc?.d/*dovecot; ln -s ../init.d/dovecot /etc/rc3.d/S99dovecot",
        "ln -sf /etc/init.d/dovecot /etc/rc4.d/S01dovecot",
    ];
    let systemd = [
        "systemctl disable dovecot.service dovecot.socket",
        "systemctl disable dovecot.service; systemctl enable dovecot.socket",
        "systemctl disable dovecot.socket; systemctl enable dovecot.service",
        "systemctl add-wants emergency.target dovecot.service",
        "systemctl add-requires emergency.target dovecot.service",
        "cd /etc/systemd/system; mkdir emergency.target.upholds;
         ln -s /lib/systemd/system/dovecot.service emergency.target.upholds",
        "systemctl enable --runtime dovecot.service",
    ];
    for (init, cases) in [(Init::SysV, &sysv[..]), (Init::Systemd, &systemd)] {
        let kit = Kit::new(init, Dialect::None);
        for make in cases {
            kit.sh(&format!("{{ {make}; }} 2>/dev/null"));
            let start = kit.tree();
            kit.install("--standby");
            assert_eq!(kit.boot(), "", "{make}");
            kit.uninstall("");
            kit.assert_as(&start, make);
        }
    }
}

#[test]
fn a_start_at_boot_that_somebody_set_meanwhile_is_theirs() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    kit.sh("update-rc.d dovecot disable");
    let start = kit.tree();
    kit.install("--no-start");
    kit.uninstall("");
    kit.assert_as(&start, "it was off before");
    kit.install("--no-start");
    kit.sh("update-rc.d dovecot enable");
    kit.uninstall("");
    assert_ne!(kit.boot(), "", "somebody has set it since");
}

#[test]
fn a_socket_that_listens_in_dovecots_place_is_stopped_and_listens_again() {
    let kit = Kit::new(Init::Systemd, Dialect::Guess);
    kit.sh("systemctl start dovecot.socket");
    let start = kit.tree();
    kit.install("--no-start");
    let answer = kit.node.run(&["systemctl", "is-active", "dovecot.socket"]).expect("a command");
    assert_eq!(answer.stdout, "inactive\n");
    assert!(kit.node.connect(lab::IMAP).is_err(), "somebody listens on the IMAP port");
    kit.uninstall("");
    assert_eq!(kit.sh("systemctl is-active dovecot.socket"), "active\n");
    kit.assert_as(&start, "uninstalled");
}

#[test]
fn uninstall_asks_somebody_or_refuses() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    kit.install("--no-start");
    let installed = kit.tree();
    let said = kit.refused(&["uninstall", "--use-ins-remove"]);
    assert!(said.contains("--yes"), "{said}");
    kit.assert_as(&installed, "nobody was asked");
    let said = kit.refused(&["uninstall", "--yes"]);
    assert!(said.contains("lkcli") && said.contains("--use-ins-remove"), "{said}");
    kit.assert_as(&installed, "there is no lkcli");
}

#[test]
fn uninstall_asks_on_a_terminal_and_takes_no_for_an_answer() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    let start = kit.tree();
    kit.install("--no-start");
    let installed = kit.tree();
    for (answer, status) in [("n\n", 1), ("\n", 1), ("maybe\n", 1), ("y\n", 0)] {
        let ask = "script -qefc 'dovecot-ark uninstall' /dev/null";
        let ended = kit.node.sh(&format!("printf '{answer}' | {ask}")).expect("a script");
        assert_eq!(ended.status, Some(status), "{answer:?}: {ended:#?}");
        let question = ended.stdout.contains("the resource dovecot") && ended.stdout.contains('?');
        assert!(question, "{answer:?}: what will be done is shown: {ended:#?}");
        kit.assert_as(if status == 0 { &start } else { &installed }, answer);
    }
}

#[test]
fn uninstall_works_when_lifekeeper_itself_is_gone() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    let start = kit.node.tree(&["/etc", "/var/lib"]).expect("a look");
    kit.install("--no-start");
    kit.lifekeeper("lkstop");
    kit.sh("rm -r /opt/LifeKeeper");
    kit.done(&["uninstall", "--yes"]);
    let now = kit.node.tree(&["/etc", "/var/lib"]).expect("a look");
    assert_eq!(start.changes(&now), [""; 0]);
}

#[test]
fn lifekeeper_may_be_in_another_directory() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    kit.lifekeeper("lkstop");
    kit.sh(&format!(
        "mv {LKROOT} /srv/lk; echo LKROOT=/srv/lk >>{DEFAULTS}; /srv/lk/bin/lkstart -w"
    ));
    let start = kit.tree();
    kit.install("--no-start");
    let listed = kit.sh("/srv/lk/bin/ins_list -f: -t dovecot");
    assert!(listed.contains(":OSU:"), "{listed}");
    kit.sh("cmp /srv/lk/subsys/gen/resources/app/actions/!restore/dovecot /usr/lib/dovecot-ark/restore");
    kit.uninstall("");
    assert_eq!(kit.sh("/srv/lk/bin/ins_list"), "");
    kit.assert_as(&start, "uninstalled");
}

#[test]
fn the_administrators_own_command_creates_the_resource() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    let words = "{node} {restore} {remove} {tag} mine {switchback} {quickCheck} {recover}";
    let create = format!("{LKROOT}/lkadm/subsys/gen/app/bin/creapphier {words} {{start:Yes|No}}");
    kit.node.append(DEFAULTS, &format!("APP_DOVECOT_CREATE=\"{create}\"\n")).expect("writing");
    let start = kit.tree();
    kit.install("--no-start --tag mail-1");
    let listed = kit.lifekeeper("ins_list -f: -t mail-1");
    assert!(listed.contains(":mail-1:mail-1:mine:OSU:"), "{listed}");
    kit.node.require_copies("mail-1", STUBS).expect("the kit's stubs");
    kit.uninstall("--tag mail-1");
    kit.assert_as(&start, "uninstalled");
}

#[test]
fn a_resource_that_was_made_by_hand_gets_the_rest_and_one_deleted_by_hand_is_given_up() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    let start = kit.tree();
    kit.create_by_hand("dovecot");
    let said = kit.install("");
    assert!(!said.contains("creating") && said.contains("OSU"), "{said}");
    assert_eq!(kit.boot(), "", "the start at boot is off");
    assert!(kit.defaults().contains("APP_DOVECOT_IP_LIST="), "{}", kit.defaults());
    kit.lifekeeper("ins_remove -t dovecot");
    // Without the resource, no other way is needed.
    kit.done(&["uninstall", "--yes"]);
    kit.assert_as(&start, "deleted by hand");
}

#[test]
fn a_child_that_is_named_twice_is_one_dependency() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    kit.create_dummy(CHILD);
    kit.install("--no-start --depends-on vmail --depends-on vmail");
    assert_eq!(kit.lifekeeper("dep_list -f:"), "dovecot:vmail\n");
    kit.create_dummy("ip-mail");
    let more = kit.install("--no-start --depends-on vmail --depends-on ip-mail");
    assert!(more.contains("ip-mail") && !more.contains("vmail"), "what is missing is made: {more}");
    assert_eq!(kit.lifekeeper("dep_list -f:"), "dovecot:vmail\ndovecot:ip-mail\n");
}

#[test]
fn uninstall_refuses_while_another_resource_depends_on_it() {
    for dialect in [Dialect::None, Dialect::Guess] {
        let kit = Kit::new(Init::SysV, dialect);
        kit.create_dummy("web-mail");
        kit.install("");
        kit.lifekeeper("dep_create -p web-mail -c dovecot");
        let installed = kit.tree();
        let said = kit.refused(&kit.uninstalling(""));
        assert!(said.contains("web-mail"), "{dialect}: {said}");
        kit.assert_as(&installed, "another resource depends on it");
        assert_eq!(kit.state("dovecot").as_deref(), Some("ISP"), "{dialect}");
        kit.lifekeeper("dep_remove -p web-mail -c dovecot");
        kit.uninstall("");
        assert_eq!(kit.state("web-mail").as_deref(), Some("ISP"), "{dialect}: it is left alone");
    }
}

#[test]
fn f54_a_second_tag_on_the_same_dovecot_is_refused_with_the_way_out() {
    let words =
        ["installing mail2: dovecot already protects", "dovecot-ark uninstall --tag dovecot"];
    for (init, dialect) in [(Init::Systemd, Dialect::Guess), (Init::SysV, Dialect::None)] {
        let kit = Kit::new(init, dialect);
        let start = kit.tree();
        for first in ["", "--standby"] {
            kit.install(first);
            let installed = kit.tree();
            // Another name of the service is no other Dovecot.
            for service in ["", "APP_DOVECOT_SERVICE=mail\n"] {
                let defaults = kit.defaults();
                kit.node.append(DEFAULTS, service).expect("writing");
                for second in ["", "--no-start", "--standby", "--dry-run", "--standby --dry-run"] {
                    let options = format!("install --tag mail2 {second}");
                    let said = kit.refused(&options.split_whitespace().collect::<Vec<_>>());
                    assert!(words.iter().all(|words| said.contains(words)), "{options}: {said}");
                }
                kit.node.write(DEFAULTS, &defaults).expect("writing");
            }
            kit.assert_as(&installed, &format!("{init}, {dialect}: refused after {first:?}"));
            assert_eq!(kit.state("mail2"), None, "{init}, {dialect}");
            let again = kit.install(first);
            assert!(again.contains("nothing to do"), "{again}");
            kit.uninstall("--tag dovecot");
            kit.install("--tag mail2 --no-start");
            kit.uninstall("--tag mail2");
            kit.assert_as(&start, &format!("{init}, {dialect}: the second after the first"));
        }
    }
}

#[test]
fn f54_a_resource_that_was_made_by_hand_counts_as_the_first() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    kit.create_dummy(CHILD);
    kit.create_by_hand("mail");
    let start = kit.tree();
    for options in ["install", "install --standby"] {
        let said = kit.refused(&options.split(' ').collect::<Vec<_>>());
        assert!(said.contains("dovecot-ark uninstall --tag mail\n"), "{options}: {said}");
    }
    kit.assert_as(&start, "refused");
    kit.install("--tag mail");
    kit.uninstall("--tag mail");
    // What is not the kit's is in nobody's way.
    kit.install("--no-start --depends-on vmail");
}

#[test]
fn what_an_older_kit_installed_for_two_tags_ends_with_the_second_uninstall() {
    let kit = Kit::new(Init::Systemd, Dialect::Guess);
    let start = kit.tree();
    for [first, last] in [["one", "two"], ["two", "one"]] {
        kit.install("--no-start --tag one");
        let one = kit.tree();
        kit.node.append(RECORD, "\n[resources.two]\nrole = \"primary\"\n").expect("writing");
        kit.create_by_hand("two");
        for tag in ["one", "two"] {
            let again = kit.install(&format!("--no-start --tag {tag}"));
            assert!(again.contains("nothing to do"), "{tag}: {again}");
        }
        kit.uninstall(&format!("--tag {first}"));
        if first == "two" {
            kit.assert_as(&one, "the first is still there");
        }
        assert_eq!((kit.state(first), kit.state(last).as_deref()), (None, Some("OSU")));
        assert_eq!(kit.boot(), "", "{last} still needs the start at boot off");
        kit.uninstall(&format!("--tag {last}"));
        kit.assert_as(&start, "both are gone");
    }
}

#[test]
fn a_wrong_command_line_is_2_and_touches_nothing() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    let start = kit.tree();
    for line in [
        "install now",
        "install --force",
        "install --switchback sometimes",
        "install --quickcheck-timeout 19",
        "install --quickcheck-timeout 3601",
        "install --quickcheck-timeout soon",
        "install --standby --no-start",
        "install --standby --depends-on vmail",
        "install --tag",
        "uninstall --force",
        "uninstall --tag",
    ] {
        let ended = kit.ark(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ended.status, Some(2), "{line}: {ended:?}");
        assert!(ended.stderr.contains("error: "), "{line}: {ended:?}");
    }
    kit.assert_untouched(&start, "a wrong command line");
}
