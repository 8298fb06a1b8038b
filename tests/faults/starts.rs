//! Starts that are on their way while there is no process yet, and what starts Dovecot without being asked.

use std::time::Duration;

use lab::Init;

use crate::rows;
use crate::scene::{SYSV, Scene, play};

rows!(f39_a_start_that_a_killed_restore_has_begun_is_ended_by_remove);

// Without systemd nobody can know of a start that somebody else has begun, and nobody restarts.
rows!(under systemd:
    f39_a_start_on_its_way_is_cancelled_by_remove,
    f40_a_restart_that_systemd_waits_for_is_cancelled,
    f40_a_master_that_was_ended_by_signals_is_not_restarted,
    f41_a_unit_that_stays_active_without_processes_is_stopped_before_a_start,
    f76_a_socket_unit_is_stopped_with_the_service,
    f76_a_socket_unit_is_stopped_though_nothing_runs,
);

/// Under systemd the start is known to it, wherever the kit can write.
#[test]
fn f39_a_start_of_a_killed_restore_is_ended_where_no_byte_can_be_written() {
    let name = "f39_a_start_of_a_killed_restore_is_ended_where_no_byte_can_be_written";
    play(name, SYSV, |scene| {
        scene.before_service("[ \"$2\" = start ] && { touch /run/begun; sleep 2; }");
        scene.sh(
            "mount -t tmpfs -o size=256k,mode=755 tmpfs /run && mkdir -m 755 /run/dovecot-ark &&
            ! dd if=/dev/zero of=/run/full bs=4k 2>/dev/null",
        );
        let restore = scene.begin("restore");
        scene.until_exists("/run/begun");
        restore.kill();
        scene.expect("remove", 0);
        // There is room for what was left.
        scene.sh("rm /run/full");
        scene.stays_gone(LATER);
    });
}

/// Longer than any start here takes, or any restart waits.
const LATER: Duration = Duration::from_millis(2500);

/// Waits until the unit is so.
#[track_caller]
fn until_unit(scene: &Scene, property: &str, value: &str) {
    scene.until("the unit does not change", || scene.unit(property) == value);
}

fn f39_a_start_that_a_killed_restore_has_begun_is_ended_by_remove(scene: &Scene) {
    match scene.place.init {
        Init::SysV => {
            let slow = "[ \"$2\" = start ] && { touch /run/begun; sleep 2; }";
            scene.before_service(slow);
        }
        // Units of RHEL wait here for the network, up to 30 s.
        Init::Systemd => {
            scene.change_unit("ExecStartPre=/bin/sh -c 'touch /run/begun; exec sleep 2'");
        }
    }
    let restore = scene.begin("restore");
    scene.until_exists("/run/begun");
    restore.kill();
    scene.expect("remove", 0);
    scene.stays_gone(LATER);
}

fn f39_a_start_on_its_way_is_cancelled_by_remove(scene: &Scene) {
    scene.change_unit("ExecStartPre=/bin/sleep 2");
    scene.sh("systemctl start --no-block dovecot");
    until_unit(scene, "ActiveState", "activating");
    scene.expect("remove", 0);
    scene.stays_gone(LATER);
}

fn f40_a_restart_that_systemd_waits_for_is_cancelled(scene: &Scene) {
    scene.change_unit("Restart=on-failure\nRestartSec=2");
    scene.start();
    scene.kill_master();
    until_unit(scene, "SubState", "auto-restart");
    scene.expect("remove", 0);
    scene.stays_gone(LATER);
}

fn f40_a_master_that_was_ended_by_signals_is_not_restarted(scene: &Scene) {
    scene.set("APP_DOVECOT_REMOVE_WAIT=0\nAPP_DOVECOT_REMOVE_CHECK_RETRY=1\n");
    scene.change_unit("Restart=always\nRestartSec=1");
    scene.before_service("[ \"$2\" = stop ] && exit 1");
    scene.start();
    scene.expect("remove", 0);
    scene.stays_gone(LATER);
}

fn f41_a_unit_that_stays_active_without_processes_is_stopped_before_a_start(scene: &Scene) {
    // As on SUSE: systemd makes the unit of an init script that names no pid file.
    scene.sh("mv /usr/lib/systemd/system/dovecot.* /root/ && systemctl daemon-reload");
    assert_eq!(scene.unit("RemainAfterExit"), "yes");
    scene.start();
    for action in ["restore", "recover"] {
        scene.kill_master();
        scene.until("its children do not end", || scene.dovecot().is_empty());
        assert_eq!(scene.unit("SubState"), "exited");
        scene.expect(action, 0);
        scene.serves();
    }
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f76_a_socket_unit_is_stopped_with_the_service(scene: &Scene) {
    scene.sh("systemctl start dovecot.socket");
    scene.start();
    scene.expect("remove", 0);
    // The look whether the port is free is that of a client.
    scene.stays_gone(Duration::from_millis(500));
}

fn f76_a_socket_unit_is_stopped_though_nothing_runs(scene: &Scene) {
    scene.sh("systemctl start dovecot.socket");
    scene.expect("remove", 0);
    scene.stays_gone(Duration::from_millis(500));
}
