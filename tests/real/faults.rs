//! Faults of a real Dovecot, each under the name that the table of faults gives it.

use crate::kit::Kit;

on_each_node!(
    a_healthy_dovecot_greets_in_every_protocol,
    f1_a_frozen_master_is_a_fault_and_recovered,
    f1_with_connect_a_frozen_master_is_as_healthy_as_for_the_original,
    f2_an_authentication_that_hangs_is_a_fault,
    f3_an_authentication_that_cannot_start_is_no_success,
    f4_a_certificate_that_is_garbage_is_a_fault_where_tls_is_listed,
    f32_a_key_of_another_certificate_is_a_fault_where_tls_is_listed,
    f5_a_login_service_that_is_full_is_a_warning_and_no_fault,
    f9_a_stale_pid_file_that_names_a_stranger_is_removed_and_the_stranger_spared,
    f10_a_pid_file_that_is_empty_garbage_or_gone_changes_no_verdict,
    f13_a_listen_address_that_the_node_lacks_is_named,
    f12_a_configuration_broken_while_running_is_no_reason_to_stop,
    f12_a_configuration_that_keeps_it_from_starting_is_named_with_file_and_line,
    f14_a_certificate_that_is_missing_is_named,
);

const GREETING: &str = "APP_DOVECOT_PROBE=greeting\n";
const WITH_TLS: &str =
    "APP_DOVECOT_PROBE=greeting\nAPP_DOVECOT_IP_LIST='127.0.0.1:143 127.0.0.1:993'\n";

/// Adds to Dovecot's configuration.
fn configure(kit: &Kit, text: &str) {
    kit.node.append("/etc/dovecot/local.conf", text).expect("the configuration");
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

fn f1_a_frozen_master_is_a_fault_and_recovered(kit: &Kit) {
    kit.set(GREETING);
    kit.expect("restore", 0);
    let master = kit.master();
    kit.node.signal(master, "STOP").expect("a signal");
    let ended = kit.expect("quickCheck", 1);
    assert!(ended.stderr.contains("127.0.0.1:143: no greeting after 2 s"), "{ended:?}");
    kit.expect("recover", 0);
    assert_ne!(kit.master(), master);
    kit.log_in().logout().expect("a logout");
}

fn f1_with_connect_a_frozen_master_is_as_healthy_as_for_the_original(kit: &Kit) {
    kit.expect("restore", 0);
    kit.node.signal(kit.master(), "STOP").expect("a signal");
    kit.expect("quickCheck", 0);
    kit.expect("remove", 0);
    kit.assert_gone();
}

fn f2_an_authentication_that_hangs_is_a_fault(kit: &Kit) {
    kit.set("APP_DOVECOT_PROBE=greeting\nAPP_DOVECOT_IP_LIST='127.0.0.1:143:2 [::1]:143:12'\n");
    kit.expect("restore", 0);
    kit.log_in().logout().expect("a logout");
    kit.sh("kill -STOP $(pgrep -x auth)");
    let ended = kit.expect("quickCheck", 1);
    assert!(ended.stderr.contains("127.0.0.1:143: no greeting after 2 s"), "{ended:?}");
    let waiting = "[::1]:143: not ready: \"* OK Waiting for authentication process";
    assert!(ended.stderr.contains(waiting), "{ended:?}");
    kit.expect("recover", 0);
    kit.log_in().logout().expect("a logout");
}

fn f3_an_authentication_that_cannot_start_is_no_success(kit: &Kit) {
    kit.set(GREETING);
    configure(kit, "passdb {\n  driver = nonsense\n}\n");
    let ended = kit.expect("restore", 1);
    let bye = ended.stderr.contains("127.0.0.1:143: not ready: \"* BYE");
    assert!(bye || ended.stderr.contains("127.0.0.1:143: no greeting"), "{ended:?}");
    kit.expect("quickCheck", 1);
    kit.expect("remove", 0);
}

fn f4_a_certificate_that_is_garbage_is_a_fault_where_tls_is_listed(kit: &Kit) {
    kit.set(GREETING);
    kit.sh("echo garbage >/etc/dovecot/private/dovecot.pem");
    kit.expect("restore", 0);
    kit.set(WITH_TLS);
    let ended = kit.expect("quickCheck", 1);
    assert!(ended.stderr.contains("127.0.0.1:993: no TLS: "), "{ended:?}");
}

fn f32_a_key_of_another_certificate_is_a_fault_where_tls_is_listed(kit: &Kit) {
    kit.set(GREETING);
    kit.sh("openssl genrsa -out /etc/dovecot/private/dovecot.key 2048");
    kit.expect("restore", 0);
    kit.set(WITH_TLS);
    let ended = kit.expect("quickCheck", 1);
    assert!(ended.stderr.contains("127.0.0.1:993: no TLS: "), "{ended:?}");
}

fn f5_a_login_service_that_is_full_is_a_warning_and_no_fault(kit: &Kit) {
    kit.set(GREETING);
    configure(kit, "service imap-login {\n  process_limit = 2\n}\n");
    kit.expect("restore", 0);
    let session = "{ sleep 1; printf 'a LOGIN alice@example.com alice-secret\\r\\n'; sleep 60; } | \
                   timeout 60 openssl s_client -quiet -connect 127.0.0.1:993 >/tmp/session$i 2>&1 &";
    kit.sh(&format!("for i in 1 2; do {session} done; sleep 0.1"));
    kit.sh("for i in 1 2; do until grep -q 'Logged in' /tmp/session$i; do sleep 0.1; done; done");
    let ended = kit.expect("quickCheck", 0);
    assert!(ended.stderr.contains("127.0.0.1:143: saturated: "), "{ended:?}");
    kit.node.signal(kit.master(), "STOP").expect("a signal");
    let ended = kit.expect("quickCheck", 1);
    assert!(ended.stderr.contains("127.0.0.1:143: no greeting after 2 s"), "{ended:?}");
}

fn f9_a_stale_pid_file_that_names_a_stranger_is_removed_and_the_stranger_spared(kit: &Kit) {
    kit.set(GREETING);
    let script =
        "mkdir -p /run/dovecot; sleep 1000 >/dev/null 2>&1 & echo $! | tee /run/dovecot/master.pid";
    let stranger = kit.sh(script);
    kit.expect("restore", 0);
    kit.expect("quickCheck", 0);
    kit.log_in().logout().expect("a logout");
    kit.sh(&format!("kill -0 {}", stranger.trim()));
    kit.expect("remove", 0);
    kit.sh(&format!("kill -0 {}", stranger.trim()));
}

fn f10_a_pid_file_that_is_empty_garbage_or_gone_changes_no_verdict(kit: &Kit) {
    kit.set(GREETING);
    for change in [": >", "echo garbage >", "rm"] {
        kit.expect("restore", 0);
        kit.sh(&format!("while [ ! -s /run/dovecot/master.pid ]; do sleep 0.05; done; {change} /run/dovecot/master.pid"));
        kit.expect("remove", 0);
        kit.assert_gone();
        kit.sh(&format!("{change} /run/dovecot/master.pid || true"));
    }
    kit.expect("restore", 0);
    kit.log_in().logout().expect("a logout");
}

fn f13_a_listen_address_that_the_node_lacks_is_named(kit: &Kit) {
    kit.set(GREETING);
    configure(kit, "listen = 192.0.2.9\n");
    let ended = kit.expect("restore", 1);
    let words = "192.0.2.9 is not an address of this node (is the IP resource below this one in \
                 service?)";
    assert!(ended.stderr.contains(words), "{ended:?}");
}

fn f12_a_configuration_broken_while_running_is_no_reason_to_stop(kit: &Kit) {
    kit.expect("restore", 0);
    let master = kit.master();
    configure(kit, "x {{\n");
    let ended = kit.expect("recover", 0);
    let words = "left running: it could not start again: Error in configuration file \
                 /etc/dovecot/local.conf line ";
    assert!(ended.stderr.contains(words), "{ended:?}");
    assert_eq!(kit.master(), master);
    kit.log_in().logout().expect("a logout");
}

fn f12_a_configuration_that_keeps_it_from_starting_is_named_with_file_and_line(kit: &Kit) {
    configure(kit, "x {{\n");
    let ended = kit.expect("restore", 1);
    let words = "its configuration is broken: Error in configuration file /etc/dovecot/local.conf \
                 line ";
    assert!(ended.stderr.contains(words), "{ended:?}");
    assert_eq!(ended.stderr.matches("Retry count: ").count(), 1, "{}", ended.stderr);
}

fn f14_a_certificate_that_is_missing_is_named(kit: &Kit) {
    kit.sh("rm /etc/dovecot/private/dovecot.pem");
    let ended = kit.expect("restore", 1);
    assert!(ended.stderr.contains("/etc/dovecot/private/dovecot.pem"), "{ended:?}");
}
