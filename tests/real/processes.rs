//! Whose process is it: orphans are swept, strangers are spared.

use crate::kit::{Init, Kit, Node};

on_each_node!(
    remove_leaves_no_orphan_of_a_killed_master,
    remove_ends_sessions_that_outlive_a_clean_stop,
    a_frozen_login_process_does_not_keep_the_port,
    restore_ends_an_orphan_that_holds_the_port,
    a_frozen_master_is_ended_and_replaced,
    remove_works_without_dovecots_programs,
    a_pid_file_that_names_a_stranger_harms_nobody,
    namesakes_are_neither_counted_nor_signalled,
    a_dovecot_in_a_container_is_neither_counted_nor_signalled,
);

/// Freezes every process of Dovecot of that name; there must be one.
#[track_caller]
fn freeze(kit: &Kit, name: &str) {
    let frozen: Vec<u32> =
        kit.dovecot().iter().filter(|one| one.comm == name).map(|one| one.pid).collect();
    assert!(!frozen.is_empty(), "{:?}", kit.dovecot());
    for pid in frozen {
        kit.node.signal(pid, "STOP").expect("a signal");
    }
}

fn remove_leaves_no_orphan_of_a_killed_master(kit: &Kit) {
    // More than once: the master is looked at in the very milliseconds in which it ends.
    for _ in 0..10 {
        kit.expect("restore", 0);
        let _session = kit.log_in();
        let _waiting = kit.node.imap().expect("a greeting");
        kit.node.signal(kit.master(), "KILL").expect("a signal");
        kit.expect("remove", 0);
        kit.assert_gone();
    }
}

fn remove_ends_sessions_that_outlive_a_clean_stop(kit: &Kit) {
    kit.node.append("/etc/dovecot/local.conf", "shutdown_clients = no\n").expect("a setting");
    kit.expect("restore", 0);
    let mut session = kit.log_in();
    session.command("SELECT INBOX").expect("a mailbox");
    kit.expect("remove", 0);
    kit.assert_gone();
}

fn a_frozen_login_process_does_not_keep_the_port(kit: &Kit) {
    kit.expect("restore", 0);
    let _waiting = kit.node.imap().expect("a greeting");
    freeze(kit, "imap-login");
    kit.expect("remove", 0);
    kit.assert_gone();
    kit.expect("restore", 0);
    kit.log_in().logout().expect("a logout");
}

fn restore_ends_an_orphan_that_holds_the_port(kit: &Kit) {
    kit.expect("restore", 0);
    let _waiting = kit.node.imap().expect("a greeting");
    freeze(kit, "imap-login");
    kit.node.signal(kit.master(), "KILL").expect("a signal");
    let ended = kit.expect("restore", 0);
    if kit.node.init() == Init::SysV {
        // systemd has ended them itself.
        assert!(ended.stderr.contains("that an earlier Dovecot left behind"), "{ended:?}");
    }
    kit.log_in().logout().expect("a logout");
}

fn a_frozen_master_is_ended_and_replaced(kit: &Kit) {
    kit.expect("restore", 0);
    let master = kit.master();
    kit.node.signal(master, "STOP").expect("a signal");
    kit.expect("quickCheck", 0); // as the original: a connection is all it asks for
    kit.expect("recover", 0);
    assert_ne!(kit.master(), master);
    kit.log_in().logout().expect("a logout");
}

fn remove_works_without_dovecots_programs(kit: &Kit) {
    kit.set("APP_DOVECOT_REMOVE_WAIT=0\n");
    kit.expect("restore", 0);
    kit.sh("rm /usr/sbin/dovecot /usr/bin/doveadm /etc/dovecot/dovecot.conf");
    kit.expect("remove", 0);
    kit.assert_gone();
}

fn a_pid_file_that_names_a_stranger_harms_nobody(kit: &Kit) {
    kit.sh("sleep 1000 & mkdir -p /run/dovecot; echo $! >/run/dovecot/master.pid");
    kit.expect("quickCheck", 1);
    kit.expect("remove", 0);
    kit.sh("kill -0 $(cat /run/dovecot/master.pid)");
}

fn namesakes_are_neither_counted_nor_signalled(kit: &Kit) {
    kit.sh("mkdir /tmp/a /tmp/b; printf '#!/bin/sh\\nwhile :; do sleep 1; done\\n' >/tmp/a/dovecot
         cp /bin/sleep /tmp/b/dovecot; cp /bin/sleep /tmp/b/dovecot-ark; chmod 755 /tmp/a/dovecot
         setsid /tmp/a/dovecot >/dev/null 2>&1 &
         setsid setpriv --reuid=1000 --clear-groups --regid=1000 /tmp/b/dovecot 1000 &
         setsid /tmp/b/dovecot-ark 1000 &
         setsid tail -f /etc/dovecot/dovecot.conf >/dev/null &
         sleep 0.5; ps -eo args >/tmp/before");
    let namesakes = "grep -c -e '^/tmp/b/dovecot' -e '^/bin/sh /tmp/a/' -e '^tail -f /etc/dov'";
    assert_eq!(kit.sh(&format!("{namesakes} /tmp/before")), "4\n");

    let ended = kit.expect("quickCheck", 1);
    assert!(ended.stderr.contains("no process named dovecot"), "{ended:?}");
    kit.expect("remove", 0);
    kit.expect("restore", 0);
    kit.node.signal(kit.master(), "KILL").expect("a signal");
    kit.expect("recover", 0);
    kit.expect("remove", 0);
    assert_eq!(kit.sh(&format!("ps -eo args | {namesakes}")), "4\n");
}

fn a_dovecot_in_a_container_is_neither_counted_nor_signalled(kit: &Kit) {
    // One in a pid namespace of its own, and one in ours whose root is another folder.
    let settings = "base_dir = /run/other\nlog_path = /run/other.log\nssl = no\nprotocols =\n";
    kit.node.write("/etc/dovecot/other.conf", settings).expect("a configuration");
    kit.sh("mkdir /srv/root && mount -t tmpfs tmpfs /srv/root && cd /srv/root
         mkdir run tmp && cp -a /bin /lib /lib64 .
         for folder in usr etc dev proc var; do
             mkdir $folder; mount --rbind /$folder $folder
         done
         setsid unshare --pid --fork --mount-proc dovecot -F -c /etc/dovecot/other.conf &
         setsid chroot /srv/root dovecot -F -c /etc/dovecot/other.conf &
         for n in $(seq 100); do [ $(pgrep -x dovecot | wc -l) -ge 2 ] && break; sleep 0.1; done
         sleep 0.5");
    let masters = || kit.sh("pgrep -x dovecot | sort | xargs");
    let before = masters();
    assert_eq!(before.split_whitespace().count(), 2, "{before}");

    let ended = kit.expect("quickCheck", 1);
    assert!(ended.stderr.contains("no process named dovecot"), "{ended:?}");
    let ended = kit.expect("remove", 0);
    assert!(ended.stderr.contains("already stopped"), "{ended:?}");
    kit.expect("restore", 0);
    kit.expect("recover", 0);
    kit.expect("remove", 0);
    assert_eq!(masters(), before);
}

#[test]
fn a_zombie_is_no_process() {
    let kit = Kit::on(Node::start_unreaped().expect("starting a node"));
    kit.expect("restore", 0);
    let master = kit.master();
    kit.node.signal(master, "KILL").expect("a signal");
    // Nobody reaps it.
    kit.sh(&format!("while [ $(ps -o state= {master}) != Z ]; do sleep 0.1; done"));
    let ended = kit.expect("quickCheck", 1);
    assert!(ended.stderr.contains("no process named dovecot"), "{ended:?}");
    kit.expect("remove", 0);
    kit.assert_gone();
}
