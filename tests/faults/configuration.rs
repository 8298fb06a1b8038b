//! Mistakes in the configuration, and in the files and addresses that it names.

use lab::Suite;

use crate::rows;
use crate::scene::Scene;

rows!(
    f3_an_authentication_that_cannot_start_is_no_success,
    f4_a_certificate_that_is_garbage_is_a_fault_where_tls_is_listed,
    f4_a_certificate_that_ends_soon_is_a_warning,
    f12_a_configuration_broken_while_running_is_no_reason_to_stop,
    f12_a_configuration_that_keeps_it_from_starting_is_named_with_file_and_line,
    f13_a_listen_address_that_the_node_lacks_is_named,
    f14_a_certificate_that_is_missing_is_named,
    f15_a_configuration_file_that_is_missing_is_no_success,
    f32_a_key_of_another_certificate_is_a_fault_where_tls_is_listed,
);

/// The plain port and the one of TLS.
const WITH_TLS: &str = "APP_DOVECOT_IP_LIST='127.0.0.1:143 127.0.0.1:993'\n";

/// One start command, and a second to work.
const ONCE: &str = "APP_DOVECOT_RESTORE_CHECK_RETRY=1\nAPP_DOVECOT_RESTORE_WAIT=1\n";

fn f3_an_authentication_that_cannot_start_is_no_success(scene: &Scene) {
    scene.configure(match scene.place.suite {
        Suite::Bullseye | Suite::Bookworm | Suite::Pacemaker | Suite::Directories => {
            "passdb {\n  driver = nonsense\n}\n"
        }
        Suite::Trixie => "passdb nonsense {\n}\n",
    });
    scene.set(ONCE);
    // Its first greeting can take it longer than the entry allows.
    let bye = "127.0.0.1:143: not ready: \"* BYE";
    scene.expect("restore", 1).says_one_of(&[bye, "127.0.0.1:143: no greeting"]);
    scene.set("APP_DOVECOT_IP_LIST=127.0.0.1:143:10\n");
    scene.expect("quickCheck", 1).says(bye);
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f4_a_certificate_that_is_garbage_is_a_fault_where_tls_is_listed(scene: &Scene) {
    scene.sh("echo garbage >/etc/dovecot/private/dovecot.pem");
    scene.doctor_says("/etc/dovecot/private/dovecot.pem is no certificate");
    scene.expect("restore", 0);
    scene.set(WITH_TLS);
    scene.expect("quickCheck", 1).says("127.0.0.1:993: no TLS: ");
}

fn f4_a_certificate_that_ends_soon_is_a_warning(scene: &Scene) {
    scene.sh("openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=mail.example.com \
         -keyout /etc/dovecot/private/dovecot.key -out /etc/dovecot/private/dovecot.pem");
    scene.expect("restore", 0);
    scene.set(WITH_TLS);
    scene.expect("quickCheck", 0).says("127.0.0.1:993: its certificate ends in ");
}

fn f32_a_key_of_another_certificate_is_a_fault_where_tls_is_listed(scene: &Scene) {
    scene.sh("openssl genrsa -out /etc/dovecot/private/dovecot.key 2048");
    scene.expect("restore", 0);
    scene.set(WITH_TLS);
    scene.expect("quickCheck", 1).says("127.0.0.1:993: no TLS: ");
}

fn f12_a_configuration_broken_while_running_is_no_reason_to_stop(scene: &Scene) {
    let master = scene.start();
    // Whoever serves a client has read the configuration by now.
    scene.serves();
    scene.configure("x {{\n");
    scene.doctor_says(
        "the checks say degraded: ARK1116: it could not start again: Error in configuration",
    );
    let words = "left running: it could not start again: Error in configuration file \
                 /etc/dovecot/local.conf line ";
    scene.expect("recover", 0).says(words);
    let same = scene.node.master().expect("reading the process table") == Some(master);
    scene.insist(same, "it was stopped");
    scene.serves();
}

fn f12_a_configuration_that_keeps_it_from_starting_is_named_with_file_and_line(scene: &Scene) {
    scene.configure("x {{\n");
    let words = "its configuration is broken: Error in configuration file /etc/dovecot/local.conf \
                 line ";
    scene.expect("restore", 1).says(words).says_times("Retry count: ", 1);
}

fn f13_a_listen_address_that_the_node_lacks_is_named(scene: &Scene) {
    // The configuration is well, and Dovecot cannot start.
    scene.configure("listen = 192.0.2.9\n");
    scene.set(ONCE);
    let words = "192.0.2.9 is not an address of this node (is the IP resource below this one in \
                 service?)";
    scene.expect("restore", 1).says(words);
}

fn f14_a_certificate_that_is_missing_is_named(scene: &Scene) {
    scene.sh("rm /etc/dovecot/private/dovecot.pem");
    scene.set(ONCE);
    scene.expect("restore", 1).says("/etc/dovecot/private/dovecot.pem");
}

fn f15_a_configuration_file_that_is_missing_is_no_success(scene: &Scene) {
    // Debian's SysV script says 0 to start and 0 to status without it.
    scene.set(ONCE);
    scene.sh("mv /etc/dovecot/dovecot.conf /etc/dovecot/away");
    scene.expect("restore", 1).says("dovecot.conf");
    scene.expect("quickCheck", 1).says("no process named dovecot");
    scene.sh("mv /etc/dovecot/away /etc/dovecot/dovecot.conf");
    scene.set("");
    scene.expect("restore", 0);
    scene.serves();
}
