//! Service commands that fail, refuse, hang, or run beside the kit's own.

use std::time::Duration;

use lab::Init;

use crate::rows;
use crate::scene::Scene;

rows!(
    f20_many_failed_starts_do_not_block_the_next_one,
    f21_a_service_command_that_never_returns_does_not_hold_quick_check,
    f27_a_status_that_cannot_be_asked_for_is_no_fault,
    f34_a_start_beside_a_stop_that_still_runs_serves_in_the_end,
    f34_several_starts_at_once_serve_in_the_end,
);

rows!(under systemd: f47_a_stop_command_that_can_change_nothing_is_not_repeated);

fn f20_many_failed_starts_do_not_block_the_next_one(scene: &Scene) {
    scene.set("APP_DOVECOT_RESTORE_WAIT=0\nAPP_DOVECOT_RESTORE_CHECK_RETRY=8\n");
    // A file stands in the way: only Dovecot itself finds that out.
    scene.configure("base_dir = /etc/hostname/x\n");
    scene.expect("restore", 1).says_times("Retry count: ", 8);
    scene.sh("sed -i '/hostname/d' /etc/dovecot/local.conf");
    scene.set("APP_DOVECOT_RESTORE_CHECK_RETRY=1\n");
    scene.expect("restore", 0);
    scene.serves();
}

fn f21_a_service_command_that_never_returns_does_not_hold_quick_check(scene: &Scene) {
    scene.start();
    scene.sh("mv /usr/sbin/service /usr/sbin/away");
    let never = "#!/bin/sh\nsleep 1001 & sleep 1002\n";
    scene.node.write_program("/usr/sbin/service", never).expect("a service command");
    scene
        .expect("quickCheck", 0)
        .says("the verdict rests on process and ports: `service dovecot status`: no end after 5 s");
    assert_eq!(scene.sh("pgrep -f 'sleep 100[12]' | wc -l"), "0\n", "nothing is left of it");
    scene.kill_master();
    scene.expect("quickCheck", 1).says("no process named dovecot");
}

fn f27_a_status_that_cannot_be_asked_for_is_no_fault(scene: &Scene) {
    scene.set("APP_DOVECOT_REMOVE_WAIT=1\n");
    scene.start();
    scene.sh(match scene.place.init {
        // `service` then takes systemd for the service manager.
        Init::SysV => "mkdir -p /run/systemd/system",
        Init::Systemd => {
            "systemctl stop dbus.socket dbus.service; rm -f /run/dbus/system_bus_socket
             mv /run/systemd/private /run/away"
        }
    });
    scene.expect("quickCheck", 0).says("no status, the verdict rests on process and ports: ");
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f34_a_start_beside_a_stop_that_still_runs_serves_in_the_end(scene: &Scene) {
    for _ in 0..2 {
        scene.start();
        let log = "/var/log/dovecot.log";
        scene.sh(&format!(": >{log}"));
        let stop = scene.node.spawn(&["service", "dovecot", "stop"]).expect("a stop");
        // Before, nobody could know of it.
        let begun = || scene.node.read(log).expect("the log").contains("Killed with signal 15");
        scene.until("it is not stopped", begun);
        scene.expect("restore", 0);
        stop.wait(Duration::from_mins(1)).expect("its end");
        scene.expect("quickCheck", 0);
        scene.serves();
    }
}

fn f34_several_starts_at_once_serve_in_the_end(scene: &Scene) {
    for _ in 0..3 {
        let start = || scene.node.spawn(&["service", "dovecot", "start"]).expect("a start");
        let others = [start(), start()];
        scene.expect("restore", 0);
        for other in others {
            other.wait(Duration::from_mins(1)).expect("its end");
        }
        scene.expect("quickCheck", 0);
        scene.serves();
        scene.kill_master();
        scene.until("its children do not end", || scene.dovecot().is_empty());
    }
}

fn f47_a_stop_command_that_can_change_nothing_is_not_repeated(scene: &Scene) {
    scene.before_service("echo \"$2\" >>/run/calls");
    let stops = || {
        let stops = scene.sh("touch /run/calls; grep -c stop /run/calls || true; rm /run/calls");
        stops.trim().parse::<u32>().expect("a number")
    };
    // By hand: systemd does not know of it.
    scene.sh("dovecot");
    scene.expect("remove", 0);
    scene.is_gone();
    let given = stops();
    scene.insist(given <= 1, &format!("{given} useless stop commands"));

    // As the original, whoever wants it so.
    scene.set("APP_DOVECOT_WAIT=fixed\nAPP_DOVECOT_REMOVE_WAIT=0\n");
    scene.sh("dovecot");
    scene.until("no master", || scene.node.master().expect("a look").is_some());
    scene.expect("remove", 0);
    scene.is_gone();
    let given = stops();
    scene.insist(given == 3, &format!("{given} stop commands"));
}
