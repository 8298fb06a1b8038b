//! The four actions on a real Dovecot, under either kind of `service`, as LifeKeeper calls them.

use crate::kit::Kit;
use std::time::Duration;

on_each_node!(
    quick_check_is_1_on_a_stopped_dovecot_and_0_on_a_running_one,
    restore_starts_a_stopped_dovecot_and_touches_nothing_when_it_runs,
    remove_takes_a_running_dovecot_out_and_succeeds_when_nothing_runs,
    recover_brings_a_killed_dovecot_back,
    recover_replaces_a_running_dovecot,
    recover_is_1_when_restore_fails,
    a_process_that_is_missing_is_a_fault_though_the_port_connects,
    a_port_that_refuses_is_a_fault_though_process_and_status_are_well,
    a_status_that_fails_is_a_fault_though_process_and_port_are_well,
    every_entry_of_the_list_is_tried_ipv6_too,
    a_healthy_dovecot_greets_in_every_protocol,
    each_failed_round_is_logged_to_the_letter_in_both_places,
    a_change_of_the_settings_works_at_the_next_action,
    the_fixed_waits_are_those_of_the_original,
    the_log_is_for_root_alone_and_debug_only_when_asked_for,
    unknown_further_arguments_are_ignored,
);

fn quick_check_is_1_on_a_stopped_dovecot_and_0_on_a_running_one(kit: &Kit) {
    kit.expect("quickCheck", 1);
    kit.expect("restore", 0);
    let ended = kit.expect("quickCheck", 0);
    assert_eq!((ended.stdout, ended.stderr), (String::new(), String::new()), "healthy is silent");
    kit.expect("remove", 0);
    kit.expect("quickCheck", 1);
}

fn restore_starts_a_stopped_dovecot_and_touches_nothing_when_it_runs(kit: &Kit) {
    kit.expect("restore", 0);
    kit.log_in().logout().expect("a logout");
    let master = kit.master();
    for _ in 0..3 {
        kit.expect("restore", 0);
    }
    assert_eq!(kit.master(), master);
}

fn remove_takes_a_running_dovecot_out_and_succeeds_when_nothing_runs(kit: &Kit) {
    kit.expect("remove", 0);
    kit.expect("restore", 0);
    kit.expect("remove", 0);
    kit.assert_gone();
    kit.expect("remove", 0);
    kit.expect("restore", 0);
    kit.log_in().logout().expect("a logout");
}

fn recover_brings_a_killed_dovecot_back(kit: &Kit) {
    kit.expect("restore", 0);
    let session = kit.log_in();
    let master = kit.kill_master();
    kit.expect("quickCheck", 1);
    kit.expect("recover", 0);
    assert_ne!(kit.master(), master);
    assert!(
        kit.dovecot().iter().all(|process| process.session != master),
        "nobody is left of the killed one: {:?}",
        kit.dovecot()
    );
    kit.expect("quickCheck", 0);
    kit.log_in().logout().expect("a logout");
    drop(session);
}

fn recover_replaces_a_running_dovecot(kit: &Kit) {
    kit.expect("restore", 0);
    let master = kit.master();
    kit.expect("recover", 0);
    assert_ne!(kit.master(), master);
    kit.expect("quickCheck", 0);
}

fn recover_is_1_when_restore_fails(kit: &Kit) {
    kit.set("APP_DOVECOT_RESTORE_WAIT=0\nAPP_DOVECOT_RESTORE_CHECK_RETRY=1\n");
    kit.keep_from_starting();
    let ended = kit.expect("recover", 1);
    assert!(ended.stderr.contains("not in operation after 1 start command: "), "{ended:?}");
}

fn a_process_that_is_missing_is_a_fault_though_the_port_connects(kit: &Kit) {
    let _foreigner = kit.node.listen(lab::IMAP).expect("the port");
    let ended = kit.expect("quickCheck", 1);
    assert!(ended.stderr.contains("no process named dovecot; `service"), "{ended:?}");
}

fn a_port_that_refuses_is_a_fault_though_process_and_status_are_well(kit: &Kit) {
    kit.expect("restore", 0);
    kit.set("APP_DOVECOT_IP_LIST='127.0.0.1:143:2 127.0.0.1:144:2'\n");
    let ended = kit.expect("quickCheck", 1);
    let words = "Dovecot is not in operation: 127.0.0.1:144: connection refused; verdict failed: \
                 exit status 1, LifeKeeper recovers it\n";
    assert!(ended.stderr.ends_with(words), "{ended:?}");
}

fn a_status_that_fails_is_a_fault_though_process_and_port_are_well(kit: &Kit) {
    // Started behind the service's back, and its pid file taken away from the SysV script.
    kit.sh("dovecot && while ! rm /run/dovecot/master.pid; do sleep 0.1; done");
    let ended = kit.expect("quickCheck", 1);
    let words = "Dovecot is not in operation: `service dovecot status`: exit status 3";
    assert!(ended.stderr.contains(words), "{ended:?}");
}

fn every_entry_of_the_list_is_tried_ipv6_too(kit: &Kit) {
    kit.expect("restore", 0);
    kit.set("APP_DOVECOT_IP_LIST=\"127.0.0.1:143, [::1]:143:2 127.0.0.1:110:5 [::1]:993\"\n");
    let ended = kit.expect("quickCheck", 0);
    assert_eq!(ended.stderr, "", "no entry is odd");
    kit.set("APP_DOVECOT_IP_LIST='127.0.0.1:143 [::1]:144:2'\n");
    let ended = kit.expect("quickCheck", 1);
    assert!(ended.stderr.contains("[::1]:144: connection refused; verdict failed: "), "{ended:?}");
}

fn a_healthy_dovecot_greets_in_every_protocol(kit: &Kit) {
    kit.set(
        "APP_DOVECOT_PROBE=greeting\n\
         APP_DOVECOT_IP_LIST='127.0.0.1:143 [::1]:143 127.0.0.1:110 127.0.0.1:993 [::1]:995'\n",
    );
    kit.expect("restore", 0);
    for _ in 0..10 {
        let ended = kit.expect("quickCheck", 0);
        assert_eq!(ended.stderr, "", "healthy is silent");
    }
    let log = kit.node.read("/var/log/dovecot.log").expect("Dovecot's log");
    assert!(!log.contains("Connection closed"), "each look ends politely: {log}");
}

fn each_failed_round_is_logged_to_the_letter_in_both_places(kit: &Kit) {
    kit.set("APP_DOVECOT_RESTORE_WAIT=0\n");
    kit.keep_from_starting();
    let ended = kit.expect("restore", 1);
    for place in [&ended.stderr, &kit.log()] {
        let rounds: Vec<&str> = place.lines().filter(|line| line.contains("Retry")).collect();
        assert_eq!(rounds.len(), 3, "{place}");
        for (n, line) in (1..).zip(rounds) {
            let (head, words) = line.split_at(line.find("Dovecot process").expect("the words"));
            let expected = format!(
                "Dovecot process not found,Port cannot connected, Status dead, Retry count: {n}."
            );
            assert_eq!(words, expected);
            let (date, prefix) = head.split_at("2026-01-01 00:00:00.000".len());
            assert_eq!(prefix, " WARN:dovecot-ark:restore:dovecot:ARK1207:");
            assert_eq!(date.replace(|c: char| c.is_ascii_digit(), "0"), "0000-00-00 00:00:00.000");
        }
        let last = place.lines().last().unwrap_or_default();
        let (head, words) = last.split_once(":starting Dovecot: ").expect("the words");
        assert!(head.contains(" ERROR:dovecot-ark:restore:dovecot:ARK12"), "{last}: {words}");
    }
}

fn a_change_of_the_settings_works_at_the_next_action(kit: &Kit) {
    kit.expect("restore", 0);
    kit.set("APP_DOVECOT_IP_LIST=127.0.0.1:144:1\n");
    kit.expect("quickCheck", 1);
    kit.set("APP_DOVECOT_IP_LIST=127.0.0.1:143:1\n");
    kit.expect("quickCheck", 0);
    kit.set("APP_DOVECOT_IP_LIST=garbage\nAPP_DOVECOT_IPLIST=127.0.0.1:144\n");
    let ended = kit.expect("quickCheck", 0);
    let warnings: Vec<&str> = ended.stderr.lines().collect();
    let [unknown, bad, default] = warnings.as_slice() else { panic!("{ended:?}") };
    assert!(unknown.contains("line 2: APP_DOVECOT_IPLIST is no parameter of this kit"));
    assert!(bad.contains("line 1: APP_DOVECOT_IP_LIST=garbage: entry \"garbage\": "));
    assert!(default.ends_with("no entry is left; 127.0.0.1:143:2 is used"));
}

fn the_fixed_waits_are_those_of_the_original(kit: &Kit) {
    kit.set("APP_DOVECOT_WAIT=fixed\nAPP_DOVECOT_RESTORE_WAIT=2\nAPP_DOVECOT_REMOVE_WAIT=1\n");
    assert!(kit.expect("restore", 0).took >= Duration::from_secs(2));
    assert!(kit.expect("remove", 0).took >= Duration::from_secs(1));
    kit.assert_gone();
}

fn the_log_is_for_root_alone_and_debug_only_when_asked_for(kit: &Kit) {
    kit.expect("restore", 0);
    assert_eq!(kit.sh("stat -c '%a %U %F' /var/log/dovecot-ark.log"), "600 root regular file\n");
    assert!(!kit.log().contains("DEBUG"));
    kit.set("APP_DOVECOT_DEBUG=1\n");
    kit.expect("quickCheck", 0);
    let line = " DEBUG:dovecot-ark:quickCheck:dovecot:`service dovecot status`: exit status 0";
    assert!(kit.log().contains(line), "{}", kit.log());

    // A log that cannot be written stops nothing.
    kit.sh("rm /var/log/dovecot-ark.log && mkfifo /var/log/dovecot-ark.log");
    let ended = kit.expect("remove", 0);
    assert!(ended.stderr.contains("opening /var/log/dovecot-ark.log: "), "{ended:?}");
    kit.assert_gone();
}

fn unknown_further_arguments_are_ignored(kit: &Kit) {
    for (action, status) in [("quickCheck", 1), ("restore", 0), ("recover", 0), ("remove", 0)] {
        let stub = format!("/usr/lib/dovecot-ark/{action}");
        let words = [&stub, "-d", "node2", "-i", "id", "-t", "a tag", "-n", "--force", "x", "-h"];
        let ended = kit.node.run(&words).expect("calling an action");
        assert_eq!(ended.status, Some(status), "{action}: {ended:?}");
    }
    assert!(kit.log().contains(":recover:a tag:"), "{}", kit.log());
}

#[test]
fn without_a_service_command_systemctl_does_it_all() {
    let kit = Kit::new(lab::Init::Systemd);
    kit.sh("rm /usr/sbin/service");
    kit.expect("quickCheck", 1);
    kit.expect("restore", 0);
    kit.expect("quickCheck", 0);
    kit.expect("recover", 0);
    kit.expect("remove", 0);
    kit.assert_gone();
    assert_eq!(kit.sh("systemctl is-failed dovecot || true"), "inactive\n", "it was asked to stop");
}
