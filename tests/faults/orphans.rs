//! Processes of Dovecot that outlive their master or the stop command, and one that cannot be killed.

use lab::{Init, Node, Suite};

use crate::rows;
use crate::scene::{Place, Scene, play_on};
use crate::store::hang_mail_store;

rows!(
    f6_orphans_of_a_killed_master_are_swept,
    f6_restore_sweeps_them_as_well,
    f16_sessions_that_outlive_a_stop_by_their_settings_are_ended,
    f17_what_runs_without_its_programs_is_stopped,
    f26_what_cannot_be_killed_is_named,
    f33_sessions_that_nobody_ends_at_a_stop_are_ended,
    f36_a_mail_store_that_hangs_is_out_of_reach,
);

fn f6_orphans_of_a_killed_master_are_swept(scene: &Scene) {
    // More than once: the master is looked at in the very milliseconds in which it ends.
    for _ in 0..5 {
        scene.expect("restore", 0);
        let _session = scene.log_in();
        let _waiting = scene.node.imap().expect("a greeting");
        scene.signal(scene.master(), "KILL");
        scene.expect("remove", 0);
        scene.is_gone();
    }
}

fn f6_restore_sweeps_them_as_well(scene: &Scene) {
    scene.start();
    let _session = scene.log_in();
    let _waiting = scene.node.imap().expect("a greeting");
    let master = scene.kill_master();
    scene.expect("quickCheck", 1).says("no process named dovecot");
    scene.expect("restore", 0);
    let mut orphans = scene.dovecot();
    orphans.retain(|process| process.session == master);
    scene.insist(orphans.is_empty(), "orphans beside the new master");
    scene.serves();
}

fn f16_sessions_that_outlive_a_stop_by_their_settings_are_ended(scene: &Scene) {
    scene.configure("shutdown_clients = no\n");
    scene.set("APP_DOVECOT_REMOVE_WAIT=1\n");
    scene.start();
    let mut session = scene.log_in();
    session.command("SELECT INBOX").expect("a mailbox");
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f17_what_runs_without_its_programs_is_stopped(scene: &Scene) {
    scene.set("APP_DOVECOT_REMOVE_WAIT=0\n");
    scene.start();
    scene.sh("rm /usr/sbin/dovecot /usr/bin/doveadm /etc/dovecot/dovecot.conf");
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f26_what_cannot_be_killed_is_named(scene: &Scene) {
    scene.set("APP_DOVECOT_REMOVE_WAIT=0\nAPP_DOVECOT_REMOVE_CHECK_RETRY=1\n");
    if scene.place.init == Init::Systemd {
        // systemd tries four times as long before it gives up.
        scene.change_unit("TimeoutStopSec=2");
    }
    scene.start();
    let stuck = hang_mail_store(scene);
    scene
        .expect("remove", 1)
        .says(&format!("still running after SIGKILL: pid {} (imap", stuck.pid));
    scene.insist(scene.dovecot().len() == 1, "others are left too");
    stuck.thaw();
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f33_sessions_that_nobody_ends_at_a_stop_are_ended(scene: &Scene) {
    if scene.place.init == Init::Systemd {
        // As Dovecot's own documentation has it.
        scene.change_unit("KillMode=none");
    }
    scene.start();
    let mut idle = scene.log_in();
    idle.command("SELECT INBOX").expect("a mailbox");
    idle.idle().expect("idling");
    let _waiting = scene.node.imap().expect("a greeting");
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f36_a_mail_store_that_hangs_is_out_of_reach(scene: &Scene) {
    scene.start();
    let stuck = hang_mail_store(scene);
    // The manual says so: who has no account sees nothing of the mail.
    scene.expect("quickCheck", 0);
    stuck.thaw();
}

/// Nobody but the kernel's init process of the node buries the dead; under systemd it always does.
fn f31_a_zombie_is_no_process(scene: &Scene) {
    let master = scene.start();
    scene.signal(master, "KILL");
    let state = format!("while [ $(ps -o state= {master}) != Z ]; do sleep 0.1; done");
    scene.sh(&state);
    scene.expect("quickCheck", 1).says("no process named dovecot");
    scene.expect("remove", 0);
    scene.is_gone();
    scene.expect("restore", 0);
    scene.serves();
}

#[test]
fn f31_a_zombie_is_no_process_where_nobody_buries_it() {
    for suite in [Suite::Bookworm, Suite::Trixie] {
        let name = "f31_a_zombie_is_no_process_where_nobody_buries_it";
        let place = Place { suite, init: Init::SysV };
        play_on(name, place, || Node::start_unreaped(suite), f31_a_zombie_is_no_process);
    }
}
