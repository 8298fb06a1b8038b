//! What a connection says of Dovecot, and what it says of the node or of the check alone.

use crate::rows;
use crate::scene::Scene;

rows!(
    f58_local_ports_that_a_user_has_used_up_are_no_fault,
    f58_an_address_of_a_kind_that_is_switched_off_is_a_fault,
    f62_a_key_on_p_521_is_taken,
    f62_tls_that_the_check_lacks_is_a_warning,
    f62_tls_that_no_client_can_have_is_a_fault,
    f64_an_authentication_that_takes_nobody_more_is_told_in_dovecots_words,
    f63_an_entry_says_what_its_port_does_not,
);

/// The plain port and the one of TLS.
const WITH_TLS: &str = "APP_DOVECOT_IP_LIST='127.0.0.1:143 [::1]:143 127.0.0.1:993'\n";

const NOTHING_IN_COMMON: &str =
    "127.0.0.1:993: not checked: its TLS has nothing in common with the check's: ";

/// Holds these ports, for IPv4 and IPv6, under a user's or root's id.
fn hold(scene: &Scene, user: u32, first: u16, last: u16) -> u32 {
    let program = format!(
        "use Socket; for my $port ({first}..{last}) {{ \
         socket $held[$port], PF_INET6, SOCK_STREAM, 0 or die; \
         bind $held[$port], pack_sockaddr_in6($port, pack q(x16)) or die qq($port: $!) }} \
         open my $there, q(>), qq(/tmp/held-{first}) or die; sleep"
    );
    let ids = format!("setpriv --reuid={user} --regid={user} --clear-groups");
    let holder = scene.stranger(&format!("{ids} perl -e '{program}'"));
    scene.until_exists(&format!("/tmp/held-{first}"));
    holder
}

fn f58_local_ports_that_a_user_has_used_up_are_no_fault(scene: &Scene) {
    scene.set(WITH_TLS);
    let master = scene.start();
    scene.sh("echo 32768 33267 >/proc/sys/net/ipv4/ip_local_port_range");
    let user = hold(scene, 1000, 32768, 33267);
    scene.expect("quickCheck", 0).says_times("WARN", 0);
    // A look from a privileged port sees a fault as well.
    scene.set("APP_DOVECOT_IP_LIST='127.0.0.1:143 127.0.0.1:144'\n");
    scene.expect("quickCheck", 1).says("127.0.0.1:144: connection refused");
    // Only root can take these as well.
    scene.set(WITH_TLS);
    let root = hold(scene, 0, 1000, 1023);
    scene.expect("quickCheck", 0).says("127.0.0.1:143: not checked: the local ports are used up");
    scene.expect("restore", 0);
    scene.insist(scene.master() == master, "it was started again");
    scene.expect("recover", 0);
    scene.lives(user);
    scene.signal(user, "KILL");
    scene.signal(root, "KILL");
    scene.until("they hold the ports", || {
        scene.node.sh("! ss -Htna | grep -q ':32768 '").is_ok_and(|ended| ended.success())
            && scene.node.connect(lab::IMAP).is_ok()
    });
    scene.serves();
}

fn f58_an_address_of_a_kind_that_is_switched_off_is_a_fault(scene: &Scene) {
    scene.set("APP_DOVECOT_IP_LIST='127.0.0.1:143 [::1]:143'\n");
    scene.expect("restore", 0);
    // The kernel says the same as of ports that are used up.
    scene.sh("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
    scene.expect("quickCheck", 1).says("[::1]:143: network is unreachable");
}

/// Makes a key and its certificate.
fn make_key(scene: &Scene, kind: &str) {
    scene.sh(&format!(
        "openssl req -x509 -newkey {kind} -nodes -days 365 -subj /CN=mail.example.com \
         -keyout /etc/dovecot/private/dovecot.key -out /etc/dovecot/private/dovecot.pem"
    ));
}

/// Lets Dovecot's OpenSSL speak TLS 1.2 at most.
fn without_tls13(scene: &Scene) {
    scene.sh("printf '%s\\n' 'openssl_conf = all' '[all]' 'ssl_conf = ssl' '[ssl]' \
         'system_default = limits' '[limits]' 'MaxProtocol = TLSv1.2' >/etc/ssl/openssl.cnf");
}

fn f62_a_key_on_p_521_is_taken(scene: &Scene) {
    make_key(scene, "ec -pkeyopt ec_paramgen_curve:P-521");
    scene.set(WITH_TLS);
    scene.expect("restore", 0);
    scene.expect("quickCheck", 0).says_times("WARN", 0);
    // With TLS 1.2 the client must know the curve itself.
    scene.expect("remove", 0);
    without_tls13(scene);
    scene.expect("restore", 0);
    scene.expect("quickCheck", 0).says(NOTHING_IN_COMMON);
}

fn f62_tls_that_the_check_lacks_is_a_warning(scene: &Scene) {
    scene.configure("ssl_curve_list = P-521\n");
    scene.set(WITH_TLS);
    scene.expect("restore", 0);
    scene.expect("quickCheck", 0).says(NOTHING_IN_COMMON);
    scene.expect("remove", 0);
    // Key exchange by RSA.
    scene.configure("ssl_curve_list =\nssl_cipher_list = AES128-GCM-SHA256\n");
    without_tls13(scene);
    scene.expect("restore", 0);
    scene.expect("quickCheck", 0).says(NOTHING_IN_COMMON);
}

fn f62_tls_that_no_client_can_have_is_a_fault(scene: &Scene) {
    // The key is one of RSA.
    scene.configure("ssl_cipher_list = ECDHE-ECDSA-AES128-GCM-SHA256\n");
    without_tls13(scene);
    scene.expect("restore", 0);
    scene.set(WITH_TLS);
    scene.expect("quickCheck", 1).says("127.0.0.1:993: no TLS: ");
}

fn f63_an_entry_says_what_its_port_does_not(scene: &Scene) {
    scene.configure(
        "haproxy_trusted_networks = 127.0.0.0/8\nservice imap-login {\n  \
         inet_listener imaps {\n    port = 993\n    ssl = no\n  }\n  \
         inet_listener behind {\n    port = 10143\n    haproxy = yes\n  }\n}\n",
    );
    scene.set("APP_DOVECOT_IP_LIST='127.0.0.1:143 plain:127.0.0.1:993 connect:127.0.0.1:10143'\n");
    scene.expect("restore", 0);
    scene.expect("quickCheck", 0).says_times("WARN", 0);
    scene.set("APP_DOVECOT_IP_LIST='127.0.0.1:143 127.0.0.1:993 127.0.0.1:10143'\n");
    let answer = scene.expect("quickCheck", 1);
    answer.says("127.0.0.1:993: no TLS: ").says("127.0.0.1:10143: ");
    scene.set("APP_DOVECOT_IP_LIST='127.0.0.1:143 connect:127.0.0.1:10144'\n");
    scene.expect("quickCheck", 1).says("connect:127.0.0.1:10144: connection refused");
}

fn f64_an_authentication_that_takes_nobody_more_is_told_in_dovecots_words(scene: &Scene) {
    scene.configure("service auth {\n  client_limit = 2\n}\n");
    scene.sh("service dovecot start");
    scene.until("there is a master", || scene.node.master().is_ok_and(|master| master.is_some()));
    // Each has a login process, which wants a connection to the authentication.
    let clients: Vec<_> = (0..20).map(|_| scene.node.connect(lab::IMAP)).collect();
    let words = ["client_limit (2) reached", "Resource temporarily unavailable", "auth-client: "];
    scene.expect("quickCheck", 1).says("Dovecot's log: ").says_one_of(&words);
    drop(clients);
}
