//! What speaks on a port and is no healthy Dovecot, and entries of the list that are odd.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lab::{Running, Suite};

use crate::rows;
use crate::scene::Scene;

rows!(
    f5_a_login_service_that_is_full_is_a_warning_and_no_fault,
    f61_a_second_login_service_that_is_full_is_a_warning_and_no_fault,
    f24_a_peer_that_drips_floods_or_never_ends_its_line_is_a_fault_in_time,
    f25_odd_entries_are_named_and_the_others_hold,
);

fn f5_a_login_service_that_is_full_is_a_warning_and_no_fault(scene: &Scene) {
    scene.configure("service imap-login {\n  process_limit = 3\n}\n");
    scene.start();
    let sessions = ["1", "2", "3"].map(|number| session(scene, 993, number));
    scene.expect("quickCheck", 0).says("127.0.0.1:143: saturated: ");
    // A restart would throw them all out.
    scene.expect("restore", 0);
    let users = scene.dovecot().iter().filter(|process| process.comm == "imap").count();
    scene.insist(users == 3, "users were thrown out");

    scene.signal(scene.master(), "STOP");
    scene.expect("quickCheck", 1).says("is stopped, so nobody can log in");
    drop(sessions);
}

/// Logs in, and stays. Behind TLS each session keeps its login process.
fn session(scene: &Scene, port: u16, number: &str) -> Running {
    let session = format!(
        "{{ printf 'a LOGIN alice@example.com alice-secret\\r\\n'; sleep 1000; }} |
         openssl s_client -quiet -connect 127.0.0.1:{port} >/tmp/session{number}"
    );
    let running = scene.node.spawn(&["/bin/sh", "-c", &session]).expect("a session");
    scene.sh(&format!("until grep -q 'Logged in' /tmp/session{number}; do sleep 0.1; done"));
    running
}

fn f61_a_second_login_service_that_is_full_is_a_warning_and_no_fault(scene: &Scene) {
    let count = match scene.place.suite {
        Suite::Trixie => "restart_request_count",
        Suite::Bullseye | Suite::Bookworm | Suite::Pacemaker | Suite::Directories => {
            "service_count"
        }
    };
    scene.configure(&format!(
        "service imap-inside {{
           executable = imap-login
           type = login
           user = dovenull
           chroot = login
           {count} = 1
           process_limit = 2
           inet_listener inside {{\n port = 1143\n }}
           inet_listener insides {{\n port = 1993\n ssl = yes\n }}
         }}\n"
    ));
    scene.start();
    let sessions = ["1", "2"].map(|number| session(scene, 1993, number));
    scene.set("APP_DOVECOT_IP_LIST='127.0.0.1:143 127.0.0.1:1143'\n");
    let saturated = "127.0.0.1:1143: saturated: all processes of imap-inside ";
    scene.expect("quickCheck", 0).says(saturated);
    let users = scene.named("imap").len();
    scene.insist(users == 2, "users were thrown out");
    // Each entry is silent, and all ask the same.
    let more: Vec<String> =
        (0..498).map(|n| format!("127.1.{}.{}:1143", n / 250, n % 250)).collect();
    let list = format!("127.0.0.1:143 127.0.0.1:1143 {}", more.join(" "));
    scene.set(&format!("APP_DOVECOT_IP_LIST='{list}'\n"));
    scene.expect("quickCheck", 0).says(saturated);

    scene.set("APP_DOVECOT_IP_LIST=127.0.0.1:1143\n");
    // What was not accepted of so many fills the queue of the socket for a while.
    let dead = ["127.0.0.1:1143: no greeting after 2 s", "127.0.0.1:1143: no connection after 2 s"];
    scene.freeze("imap-login");
    scene.expect("quickCheck", 1).says_one_of(&dead);
    for login in scene.named("imap-login") {
        scene.signal(login, "CONT");
    }
    scene.expect("quickCheck", 0).says(saturated);
    scene.signal(scene.master(), "STOP");
    scene.expect("quickCheck", 1).says("is stopped, so nobody can log in");
    drop(sessions);
}

/// What a peer does with whoever comes.
type Manners = fn(&mut TcpStream) -> std::io::Result<()>;

/// A server of a few words, in this process, on the node's network.
struct Peer {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Serves one client after the other.
    fn new(scene: &Scene, port: u16, manners: Manners) -> Self {
        let listener = scene.node.listen(SocketAddr::from(([127, 0, 0, 1], port)));
        let listener = listener.expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not wait");
        let done = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&done);
        let thread = Some(thread::spawn(move || Self::serve(&listener, manners, &end)));
        Self { done, thread }
    }

    fn serve(listener: &TcpListener, manners: Manners, done: &AtomicBool) {
        while !done.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((mut client, _)) => {
                    // It ends when the client has gone.
                    let _ = client.set_nonblocking(false).and_then(|()| manners(&mut client));
                }
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(_) => return,
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn f24_a_peer_that_drips_floods_or_never_ends_its_line_is_a_fault_in_time(scene: &Scene) {
    scene.start();
    let drip = |client: &mut TcpStream| {
        for byte in b"* OK [CAPABILITY IMAP4rev1] ready\r\n" {
            client.write_all(&[*byte])?;
            thread::sleep(Duration::from_secs(1));
        }
        Ok(())
    };
    let no_end = |client: &mut TcpStream| loop {
        client.write_all(b"* OK and on and on ")?;
        thread::sleep(Duration::from_millis(50));
    };
    let flood = |client: &mut TcpStream| client.write_all(&vec![b'x'; 1 << 20]);
    let garbage = |client: &mut TcpStream| client.write_all(b"\x1b[31m\0\xff HTTP/1.1 400\r\n");
    let _peers = [
        Peer::new(scene, 2001, drip),
        Peer::new(scene, 2002, no_end),
        Peer::new(scene, 2003, flood),
        Peer::new(scene, 2004, garbage),
    ];
    for (port, words) in [
        (2001, "no end of the greeting after 2 s"),
        (2002, "no end of the greeting after 2 s"),
        (2003, "no mail server: \"xxxx"),
        (2004, "no mail server: \"\\u{1b}[31m"),
    ] {
        scene.set(&format!("APP_DOVECOT_IP_LIST='127.0.0.1:143 127.0.0.1:{port}:2'\n"));
        scene.expect("quickCheck", 1).says(&format!("127.0.0.1:{port}: {words}"));
    }
    scene.set("APP_DOVECOT_IP_LIST='127.0.0.1:2001:8 127.0.0.1:2003:8'\n");
    // The most memory that it has is looked at all the time.
    let line = scene.line("quickCheck");
    let watched = format!(
        "{line} & pid=$!
         while grep VmHWM /proc/$pid/status >>/tmp/peak 2>/dev/null; do sleep 0.05; done
         wait $pid"
    );
    let words = "127.0.0.1:2001: no end of the greeting after 8 s";
    scene.expect_script("quickCheck", &watched, 1).says(words);
    let peak: u64 = scene.sh("tail -n 1 /tmp/peak | tr -dc 0-9").parse().expect("a number");
    scene.insist(peak < 16 << 10, &format!("{peak} KiB of memory"));
}

fn f25_odd_entries_are_named_and_the_others_hold(scene: &Scene) {
    scene.sh("ip addr add fe80::1/64 dev lo");
    scene.start();
    let good = "127.0.0.1:143 [::1]:143:2 [fe80::1%lo]:143:2";
    let odd = [
        "localhost:143",
        "143",
        "127.0.0.1:99999",
        "127.0.0.1",
        "[::1",
        "::1:143",
        "127.0.0.1:143:0",
    ];
    scene.set(&format!("APP_DOVECOT_IP_LIST='{good},, {} 127.0.0.1:143:2'\n", odd.join(" ")));
    let mut answer = scene.expect("quickCheck", 0);
    for entry in odd {
        answer = answer.says(&format!("entry \"{entry}\": "));
    }
    scene.set("APP_DOVECOT_IP_LIST='[fe80::1%lo]:144 127.0.0.1:143'\n");
    scene.expect("quickCheck", 1).says("[fe80::1%lo]:144: connection refused");
    scene.set("APP_DOVECOT_IP_LIST=' , '\n");
    scene.expect("quickCheck", 0).says("127.0.0.1:143:2 is used");
}
