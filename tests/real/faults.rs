//! Faults of a real Dovecot, each under the name that the table of faults gives it.

use crate::kit::Kit;
use crate::on_both;

on_both!(
    f12_a_configuration_broken_while_running_is_no_reason_to_stop,
    f12_a_configuration_that_keeps_it_from_starting_is_named_with_file_and_line,
    f14_a_certificate_that_is_missing_is_named,
);

fn f12_a_configuration_broken_while_running_is_no_reason_to_stop(kit: &Kit) {
    kit.expect("restore", 0);
    let master = kit.master();
    kit.break_configuration();
    let ended = kit.expect("recover", 0);
    let words = "left running: it could not start again: Error in configuration file \
                 /etc/dovecot/local.conf line ";
    assert!(ended.stderr.contains(words), "{ended:?}");
    assert_eq!(kit.master(), master);
    kit.log_in().logout().expect("a logout");
}

fn f12_a_configuration_that_keeps_it_from_starting_is_named_with_file_and_line(kit: &Kit) {
    kit.break_configuration();
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
