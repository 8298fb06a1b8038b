//! A Dovecot that serves, or is about to again, and looks as if it did not: no fault.

use std::thread;
use std::time::Duration;

use lab::{Init, Running};

use crate::rows;
use crate::scene::Scene;

rows!(
    f57_a_status_command_that_cannot_run_is_no_fault,
    f56_a_status_that_hides_why_it_fails_is_no_fault_and_recover_stops_nothing,
);

rows!(under systemd:
    f55_a_systemd_that_executes_itself_anew_is_no_fault_and_a_dead_master_is_seen_beside_it,
    f59_a_hooks_restart_beside_the_check_is_no_fault,
    f59_a_start_that_does_not_end_is_a_fault_in_the_second_check,
    f59_a_unit_that_crashes_again_and_again_is_a_fault,
    f60_a_node_that_shuts_down_is_no_fault_and_recover_changes_nothing,
    f60_a_shutdown_that_stops_lifekeeper_first_does_not_wait_for_itself,
);

/// Repeats a command until it is dropped.
fn again_and_again(scene: &Scene, command: &str) -> Running {
    let script = format!("while :; do {command}; done >/dev/null 2>&1");
    scene.node.spawn(&["/bin/sh", "-c", &script]).expect("a loop")
}

fn f55_a_systemd_that_executes_itself_anew_is_no_fault_and_a_dead_master_is_seen_beside_it(
    scene: &Scene,
) {
    scene.start();
    let anew = again_and_again(scene, "systemctl daemon-reexec");
    for _ in 0..20 {
        scene.expect("quickCheck", 0);
    }
    scene.kill_master();
    scene.expect("quickCheck", 1).says("no process named dovecot");
    anew.kill();
    scene.expect("recover", 0);
    scene.serves();
}

/// Takes away all that systemctl could ask systemd by, as long as a daemon-reexec lasts.
fn hide_systemd(scene: &Scene) {
    scene.sh(match scene.place.init {
        Init::SysV => "mkdir -p /run/systemd/system",
        Init::Systemd => {
            "systemctl stop dbus.socket dbus.service; rm -f /run/dbus/system_bus_socket
             mv /run/systemd/private /run/away"
        }
    });
}

fn f56_a_status_that_hides_why_it_fails_is_no_fault_and_recover_stops_nothing(scene: &Scene) {
    // As the `service` of SLES: nothing but 1 for all that is not the unit's state.
    scene.before_service(
        "[ \"$2\" = status ] || [ -d /run/systemd/system ] || exec /usr/sbin/real-service \"$@\"
         systemctl \"$2\" \"$1.service\" >/run/said 2>/dev/null
         status=$?
         case $status in 0 | 3) cat /run/said; exit $status ;; esac
         exit 1",
    );
    let master = scene.start();
    hide_systemd(scene);
    scene.expect("quickCheck", 0).says("`service dovecot status`: exit status 1");
    scene.expect("recover", 0).says("left running: it could not start again: ");
    scene.insist(scene.node.master().expect("the process table") == Some(master), "it was stopped");
    scene.serves();
    scene.signal(master, "KILL");
    scene.until("it outlives SIGKILL", || scene.dovecot().iter().all(|one| one.pid != master));
    scene.expect("quickCheck", 1).says("no process named dovecot");
}

fn f57_a_status_command_that_cannot_run_is_no_fault(scene: &Scene) {
    let master = scene.start();
    for status in [126, 127, 254] {
        let words = "echo 'sh: fork: retry: Resource temporarily unavailable' >&2";
        scene.before_service(&format!("{words}; exit {status}"));
        scene.expect("quickCheck", 0).says(&format!(
            "the verdict rests on process and ports: `service dovecot status`: exit status {status}"
        ));
        scene.expect("recover", 0).says("left running");
    }
    // A shell that cannot fork says nothing but that, with the status of a dead service.
    scene.before_service("echo 'Cannot fork' >&2; exit 2");
    scene.expect("quickCheck", 0);
    scene.insist(scene.node.master().expect("the process table") == Some(master), "it was stopped");
    scene.kill_master();
    scene.expect("quickCheck", 1).says("no process named dovecot");
}

fn f59_a_hooks_restart_beside_the_check_is_no_fault(scene: &Scene) {
    scene.change_unit("ExecStartPre=/bin/sleep 0.7");
    scene.start();
    for _ in 0..5 {
        // Six starts within ten seconds are too many for systemd.
        scene.sh("systemctl reset-failed dovecot.service");
        scene.sh("systemctl restart --no-block dovecot.service");
        scene.until("it is not stopped", || scene.unit("ActiveState") != "active");
        scene.expect("quickCheck", 0);
        scene.until("it does not start", || scene.unit("ActiveState") == "active");
        scene.expect("quickCheck", 0);
    }
}

fn f59_a_start_that_does_not_end_is_a_fault_in_the_second_check(scene: &Scene) {
    scene.start();
    scene.change_unit("ExecStartPre=/bin/sleep 40");
    scene.sh("systemctl restart --no-block dovecot.service");
    scene.until("it is not started", || scene.unit("SubState") == "start-pre");
    scene.expect("quickCheck", 0).says("dovecot.service is activating (start-pre)");
    scene.expect("quickCheck", 1).says("no process named dovecot");
}

fn f59_a_unit_that_crashes_again_and_again_is_a_fault(scene: &Scene) {
    scene.start();
    scene.change_unit("Restart=always\nRestartSec=60");
    scene.kill_master();
    scene.until("it is not going to be restarted", || scene.unit("SubState") == "auto-restart");
    scene.expect("quickCheck", 0).says("auto-restart");
    scene.expect("quickCheck", 1).says("no process named dovecot");
}

fn f60_a_node_that_shuts_down_is_no_fault_and_recover_changes_nothing(scene: &Scene) {
    scene.start();
    // What keeps systemd from the end: it would be LifeKeeper's own stop.
    scene.sh("systemd-run --quiet --unit=late -p 'ExecStop=/bin/sleep 50' /bin/sleep 1000");
    scene.sh("systemctl poweroff --no-block");
    scene.until("it is not stopped", || scene.dovecot().is_empty());
    scene.expect("quickCheck", 0).says("the node shuts down");
    scene.expect("recover", 0).says("nothing is changed: the node shuts down");
    scene.insist(scene.dovecot().is_empty(), "it was started");
    thread::sleep(Duration::from_millis(200));
    scene.expect("quickCheck", 0);
}

fn f60_a_shutdown_that_stops_lifekeeper_first_does_not_wait_for_itself(scene: &Scene) {
    scene.start();
    // LifeKeeper takes its resources out of service when it stops; doctor advises this order.
    let remove = scene.line("remove");
    let unit = format!(
        "[Unit]\nAfter=dovecot.service\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
         ExecStart=/bin/true\nExecStop=/bin/sh -c '{remove}; touch /run/removed'\n"
    );
    scene.node.write("/etc/systemd/system/lifekeeper.service", &unit).expect("a unit");
    scene.sh("systemctl daemon-reload && systemctl start lifekeeper.service");
    scene.sh("systemd-run --quiet --unit=late -p 'ExecStop=/bin/sleep 50' /bin/sleep 1000");
    scene.sh("systemctl poweroff --no-block");
    let start = std::time::Instant::now();
    scene.until_exists("/run/removed");
    // The stop command would have waited for 90 s, or 120.
    scene.insist(start.elapsed() < Duration::from_secs(45), "the shutdown waits for itself");
    scene.insist(scene.dovecot().is_empty(), "it runs");
}
