//! The lab's own proof: a node of each kind starts, serves mail, and is gone without a trace.

#![expect(clippy::expect_used, reason = "a helper of a test fails as the test does")]

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use lab::{Imap, Init, Node, Suite, USERS};

/// Connects and logs in as the first user.
fn login(node: &Node) -> Imap {
    let (user, password) = USERS[0];
    let mut client = node.imap().expect("a greeting");
    client.login(user, password).expect("a login");
    client
}

/// Tells whether a process of this machine lives.
fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Starts Dovecot, uses it, drops the node, and looks for what it left.
fn a_node_serves_and_vanishes(init: Init) {
    let mounts = || fs::read_to_string("/proc/self/mounts").expect("the mount table");
    let before = mounts();
    let node = Node::start(init).expect("a node");
    assert_eq!(node.init(), init);
    assert_eq!(node.master().expect("a process table"), None, "Dovecot starts by itself");
    assert_eq!(node.exists("/run/systemd/system").expect("a look"), init == Init::Systemd);

    let status = node.run(&["service", "dovecot", "status"]).expect("a command");
    assert_eq!(status.status, Some(3), "{status:?}");
    let start = node.run(&["service", "dovecot", "start"]).expect("a command");
    assert!(start.success(), "{start:?}");
    assert!(start.took < Duration::from_secs(10), "{start:?}");
    let mut client = login(&node);
    client.noop().expect("a sign of life");
    client.idle().expect("idling");
    client.done().expect("the end of idling");

    let master = node.master().expect("a process table").expect("a master");
    let children = node.dovecot().expect("a process table");
    assert!(children.iter().any(|process| process.args == "dovecot/imap"), "{children:?}");
    assert!(children.iter().all(|process| process.session == master), "{children:?}");
    client.logout().expect("good-bye");

    node.signal(master, "STOP").expect("a signal");
    let frozen = |pid| {
        node.processes()
            .expect("a table")
            .iter()
            .any(|process| process.pid == pid && process.state == 'T')
    };
    // A signal is sent before it has worked.
    let begun = Instant::now();
    while !frozen(master) {
        assert!(begun.elapsed() < Duration::from_secs(10), "the master is not frozen");
    }
    assert!(node.signal(master, "NONSENSE").is_err());

    let launcher = node.launcher().expect("a launcher");
    drop(node);
    assert!(!lives(launcher), "the launcher outlives its node");
    if init == Init::Systemd {
        let mine = format!("dovecot-ark-lab.{}.", std::process::id());
        let cgroups = lab::cgroups();
        assert!(!cgroups.iter().any(|name| name.starts_with(&mine)), "{cgroups:?}");
    }
    assert_eq!(mounts(), before, "the node left mounts");
}

#[test]
fn a_sysv_node_serves_and_vanishes() {
    a_node_serves_and_vanishes(Init::SysV);
}

#[test]
fn a_systemd_node_serves_and_vanishes() {
    a_node_serves_and_vanishes(Init::Systemd);
}

#[test]
fn files_are_the_nodes_own_also_through_absolute_links() {
    let node = Node::start(Init::SysV).expect("a node");
    let other = Node::start(Init::SysV).expect("another node");
    node.write("/var/run/lab-mark", "one\n").expect("writing");
    node.append("/run/lab-mark", "two\n").expect("appending");
    assert_eq!(node.read("/var/run/lab-mark").expect("reading"), "one\ntwo\n");
    assert!(!Path::new("/run/lab-mark").exists(), "written on the machine");
    assert!(!other.exists("/run/lab-mark").expect("a look"), "written on the other node");
    node.remove_file("/run/lab-mark").expect("removing");
    assert!(node.read("/run/lab-mark").is_err());
    node.write_program("/usr/local/bin/answer", "#!/bin/sh\nexit 42\n").expect("writing");
    assert_eq!(node.run(&["/usr/local/bin/answer"]).expect("running").status, Some(42));
}

#[test]
fn a_command_ends_at_its_limit_and_a_daemon_does_not_hold_it() {
    let node = Node::start(Init::SysV).expect("a node");
    let daemon = node.sh("setsid sleep 50 & echo begun >&2").expect("a command");
    assert_eq!((daemon.status, daemon.stderr.as_str()), (Some(0), "begun\n"));
    assert!(daemon.took < Duration::from_secs(5), "{daemon:?}");
    let sleeper = node.spawn(&["sleep", "40"]).expect("a command");
    let late = sleeper.wait(Duration::from_millis(300)).expect("an end");
    assert_eq!(late.status, None);
    let running = node.spawn(&["sleep", "30"]).expect("a command");
    running.kill();
    let left: Vec<String> =
        node.processes().expect("a table").into_iter().map(|process| process.args).collect();
    assert!(left.contains(&"sleep 50".to_owned()), "{left:?}");
    assert!(!left.iter().any(|args| args == "sleep 40" || args == "sleep 30"), "{left:?}");
    let silent = node.sh("env | sort; cat").expect("a command");
    assert_eq!(silent.stdout, "HOME=/root\nLC_ALL=C\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\n");
}

#[test]
fn the_network_is_the_nodes_own() {
    let node = Node::start(Init::SysV).expect("a node");
    let address = "127.0.0.1:4143".parse().expect("an address");
    assert!(node.connect(address).is_err(), "something listens on a fresh node");
    let listener = node.listen(address).expect("a listener");
    let _client = node.connect(address).expect("a connection");
    listener.accept().expect("the client");
    assert!(std::net::TcpStream::connect(address).is_err(), "it listens on the machine");
}

#[test]
fn a_node_outlives_the_thread_that_started_it() {
    let node = thread::spawn(|| Node::start(Init::SysV).expect("a node")).join().expect("a thread");
    thread::sleep(Duration::from_millis(200));
    assert!(node.run(&["true"]).expect("a command").success());
}

#[test]
fn a_careless_pid_one_leaves_a_killed_master_a_zombie() {
    for (node, zombie) in
        [(Node::start_unreaped(Suite::Bookworm), true), (Node::start(Init::SysV), false)]
    {
        let node = node.expect("a node");
        assert!(node.run(&["service", "dovecot", "start"]).expect("a command").success());
        login(&node).logout().expect("good-bye");
        let master = node.master().expect("a table").expect("a master");
        node.signal(master, "KILL").expect("a signal");
        thread::sleep(Duration::from_millis(300));
        let table = node.processes().expect("a table");
        let state = table.iter().find(|process| process.pid == master).map(|process| process.state);
        assert_eq!(state, zombie.then_some('Z'));
        assert_eq!(node.master().expect("a table"), None);
    }
}
