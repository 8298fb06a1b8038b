//! LifeKeeper's commands fail, hang or print nonsense: install ends in time, says which, and undoes.

use std::time::Duration;

use lab::LKROOT;

use crate::kit::{CHILD, Dialect, Init, Kit};

/// A question to LifeKeeper is given up after 10 s; all that is asked in one run has this time.
const BOUND: Duration = Duration::from_secs(40);

/// A command that fails.
const FAILS: &str = "echo 'out of order' >&2; exit 1";
/// A command that never ends.
const HANGS: &str = "sleep 1000";
/// A command that succeeds and makes no sense.
const RAVES: &str = "printf '\\377 %%s\\001\\n<html> 42\\n'";

/// Puts a shell script in a command's place; what it replaces is `$REAL` in it.
fn replace(kit: &Kit, command: &str, body: &str) {
    let (path, real) = (path_of(command), format!("{LKROOT}/sbin/real-{command}"));
    // LifeKeeper's commands are relative links to one program, which goes by the link's name.
    kit.sh(&format!(
        "mkdir -p {real}; ln -s $(realpath {path}) {real}/{command}; mv {path} {path}.real"
    ));
    let script = format!("#!/bin/sh\nREAL={real}/{command}\n{body}\n");
    kit.node.write_program(&path, &script).expect("writing a command");
}

/// Puts a command back.
fn put_back(kit: &Kit, command: &str) {
    let path = path_of(command);
    kit.sh(&format!("mv {path}.real {path}; rm -r {LKROOT}/sbin/real-{command}"));
}

fn path_of(command: &str) -> String {
    match command {
        "creapphier" => format!("{LKROOT}/lkadm/subsys/gen/app/bin/{command}"),
        "rpm" => "/usr/bin/rpm".to_owned(),
        _ => format!("{LKROOT}/bin/{command}"),
    }
}

/// Insists that install refuses in time, names the command, and that all is as before.
fn assert_undone(kit: &Kit, command: &str, body: &str, options: &str) {
    let start = kit.tree();
    replace(kit, command, body);
    let words: Vec<&str> = ["install"].into_iter().chain(options.split(' ')).collect();
    let ended = kit.ark(&words);
    println!("{command}: {body}: {:.1} s: {}", ended.took.as_secs_f64(), ended.stderr.trim());
    put_back(kit, command);
    assert_eq!(ended.status, Some(1), "{command}: {body}: {ended:#?}");
    let cause = ended.stderr.strip_prefix("dovecot-ark: ").unwrap_or_default();
    assert!(cause.contains(command), "{command}: {body}: {ended:#?}");
    assert!(ended.took < BOUND, "{command}: {body}: {ended:#?}");
    kit.assert_as(&start, &format!("{command}: {body}"));
}

#[test]
fn a_question_that_lifekeeper_does_not_answer_ends_in_time_and_is_named() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    kit.create_dummy(CHILD);
    for (command, bodies) in [
        ("ins_list", &[FAILS, HANGS, RAVES][..]),
        ("lcduname", &[FAILS, HANGS, RAVES]),
        ("lktest", &[HANGS]),
    ] {
        for body in bodies {
            assert_undone(&kit, command, body, "--no-start --depends-on vmail");
        }
    }
    replace(&kit, "lktest", FAILS);
    let said = kit.refused(&["install"]);
    assert!(said.contains("does not run"), "{said}");
    put_back(&kit, "lktest");
}

#[test]
fn a_creation_that_fails_or_lies_is_undone() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    for body in [
        FAILS,
        RAVES,
        "exit 0",
        // What it begins with is not what it should be.
        "\"$REAL\" \"$1\" /bin/true /bin/true \"$4\" x intelligent '' '' No",
        // Half of it is there.
        "\"$REAL\" \"$@\"; rm -f /opt/LifeKeeper/subsys/gen/resources/app/*/!recover/$4; exit 1",
    ] {
        assert_undone(&kit, "creapphier", body, "--no-start");
    }
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    for deed in [FAILS, RAVES, "exit 0"] {
        let body = format!("case \"$*\" in *--help|*delete*) exec \"$REAL\" \"$@\";; esac; {deed}");
        assert_undone(&kit, "lkcli", &body, "--no-start");
    }
}

#[test]
fn a_strangers_resource_that_comes_up_meanwhile_is_left_alone() {
    for during in ["update-rc.d", "creapphier"] {
        let kit = Kit::new(Init::SysV, Dialect::None);
        let create = path_of("creapphier");
        let stranger = format!(
            "{create} $({LKROOT}/bin/lcduname) /bin/true /bin/true dovecot '' intelligent '' '' Yes"
        );
        if during == "creapphier" {
            // It comes first by a moment; the kit's own command fails.
            replace(
                &kit,
                during,
                "\"$REAL\" \"$1\" /bin/true /bin/true \"$4\" '' intelligent '' '' Yes; exit 1",
            );
        } else {
            kit.sh(&format!(
                "mv /usr/sbin/update-rc.d /usr/sbin/update-rc.d.real
                 printf '#!/bin/sh\\n%s\\nexec /usr/sbin/update-rc.d.real \"$@\"\\n' \\
                 \"{stranger}\" >/usr/sbin/update-rc.d; chmod 755 /usr/sbin/update-rc.d"
            ));
        }
        let (defaults, boot) = (kit.defaults(), kit.boot());
        let said = kit.refused(&["install"]);
        assert!(said.contains("creating the resource dovecot: "), "{during}: {said}");
        assert_eq!(kit.state("dovecot").as_deref(), Some("ISP"), "{during}: it serves: {said}");
        assert_eq!((kit.defaults(), kit.boot()), (defaults, boot), "{during}: all else is undone");
        assert!(!kit.node.exists("/var/lib/dovecot-ark").expect("a look"), "{during}");
    }
}

#[test]
fn what_can_be_seen_is_believed_and_not_an_exit_status() {
    for (dialect, command) in [(Dialect::None, "creapphier"), (Dialect::Guess, "lkcli")] {
        let kit = Kit::new(Init::SysV, dialect);
        let start = kit.tree();
        replace(&kit, command, "\"$REAL\" \"$@\"; exit 3");
        kit.install("--no-start");
        assert_eq!(kit.state("dovecot").as_deref(), Some("OSU"), "{dialect}");
        put_back(&kit, command);
        kit.uninstall("");
        kit.assert_as(&start, &dialect.to_string());
    }
}

#[test]
fn a_dependency_that_cannot_be_made_or_is_not_made_undoes_all() {
    for dialect in [Dialect::None, Dialect::Guess] {
        let kit = Kit::new(Init::SysV, dialect);
        kit.create_dummy(CHILD);
        for body in [FAILS, RAVES] {
            assert_undone(&kit, "dep_create", body, "--no-start --depends-on vmail");
        }
        assert_eq!(kit.lifekeeper("dep_list"), "", "{dialect}");
        let said = kit.refused(&["install", "--no-start", "--depends-on", "nothing"]);
        assert!(said.contains("nothing"), "{said}");
    }
}

#[test]
fn a_dovecot_that_ran_or_not_does_so_again_when_all_is_undone() {
    let kit = Kit::new(Init::Systemd, Dialect::Guess);
    kit.create_dummy(CHILD);
    let runs = || kit.node.master().expect("the process table").is_some();
    for start in ["stop", "start"] {
        kit.sh(&format!("service dovecot {start}"));
        assert_eq!(runs(), start == "start");
        assert_undone(&kit, "dep_create", FAILS, "--depends-on vmail");
        assert_eq!(runs(), start == "start", "{start}: as before");
    }
}

#[test]
fn an_lkcli_that_is_out_of_order_is_passed_over_for_creapphier() {
    for body in [FAILS, HANGS, RAVES] {
        let kit = Kit::new(Init::SysV, Dialect::Guess);
        let start = kit.tree();
        replace(&kit, "lkcli", body);
        let ended = kit.ark(&["install", "--no-start"]);
        assert_eq!(ended.status, Some(0), "{body}: {ended:#?}");
        assert!(ended.stdout.contains("creapphier") && ended.took < BOUND, "{body}: {ended:#?}");
        let installed = kit.tree();
        let ended = kit.ark(&["uninstall", "--yes"]);
        assert_eq!(ended.status, Some(1), "{body}: {ended:#?}");
        assert!(ended.stderr.contains("--use-ins-remove"), "{body}: {ended:#?}");
        assert!(ended.took < BOUND, "{body}: {ended:#?}");
        kit.assert_as(&installed, "lkcli cannot delete");
        kit.done(&["uninstall", "--yes", "--use-ins-remove"]);
        kit.assert_as(&start, body);
    }
}

#[test]
fn a_version_that_nobody_can_tell_is_asked_for_only_when_it_is_needed() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    for body in [FAILS, HANGS, RAVES] {
        assert_undone(&kit, "rpm", body, "--no-start --quickcheck-timeout 60");
    }
    let start = kit.tree();
    kit.sh("rpm -e steeleye-lk");
    let said = kit.refused(&["install", "--no-start", "--quickcheck-timeout", "60"]);
    for key in ["dovecot_TIMEOUT=60", "dovecot_QUICKCHECK_TIMEOUT=60"] {
        assert!(said.contains(key), "{key}: {said}");
    }
    kit.assert_as(&start, "LifeKeeper is no package");
    kit.install("--no-start");
    kit.uninstall("");
}

#[test]
fn a_dovecot_that_cannot_be_brought_into_service_undoes_all() {
    for (init, dialect) in [(Init::SysV, Dialect::None), (Init::Systemd, Dialect::Guess)] {
        let kit = Kit::new(init, dialect);
        // Nothing is wrong with the file, and no node has this address.
        kit.sh("echo 'listen = 192.0.2.9' >>/etc/dovecot/local.conf");
        let start = kit.tree();
        let said = kit.refused(&["install"]);
        let cause = "brought into service; starting Dovecot: 192.0.2.9 is not an address of";
        assert!(said.contains(cause), "{said}");
        kit.assert_as(&start, &format!("{init}, {dialect}"));
        assert_eq!(kit.state("dovecot"), None, "{init}, {dialect}");
        assert_eq!(kit.node.dovecot().expect("the process table").len(), 0);
    }
}

#[test]
fn an_uninstallation_that_fails_half_way_is_finished_by_the_next() {
    const LIES: &str = "exit 0";
    for (dialect, cases) in [
        (
            Dialect::None,
            &[
                ("perform_action", FAILS),
                ("perform_action", LIES),
                ("dep_list", FAILS),
                ("dep_remove", FAILS),
                ("eqv_list", HANGS),
                ("ins_remove", FAILS),
                ("ins_remove", LIES),
            ][..],
        ),
        (Dialect::Guess, &[("perform_action", FAILS), ("lkcli", FAILS), ("lkcli", LIES)]),
    ] {
        let kit = Kit::new(Init::SysV, dialect);
        kit.create_dummy(CHILD);
        let start = kit.tree();
        for (command, deed) in cases {
            let what = format!("{dialect}, {command}: {deed}");
            kit.install("--depends-on vmail");
            let body = format!("case \"$*\" in *--help) exec \"$REAL\" \"$@\";; esac; {deed}");
            replace(&kit, command, &body);
            let said = kit.refused(&kit.uninstalling(""));
            println!("{what}: {}", said.trim());
            put_back(&kit, command);
            assert!(kit.state("dovecot").is_some(), "{what}: it is still there");
            assert!(kit.defaults().contains("APP_DOVECOT_"), "{what}: it needs its settings");
            assert_eq!(kit.boot(), "", "{what}: the start at boot stays off");
            kit.uninstall("");
            kit.assert_as(&start, &what);
        }
    }
}
