//! Processes of Dovecot that are there and do nothing.

use std::time::Duration;

use lab::Init;

use crate::rows;
use crate::scene::{SURE, Scene};

rows!(
    f1_a_frozen_master_is_a_fault_and_recovered,
    f1_with_connect_a_frozen_master_is_as_healthy_as_for_the_original,
    f2_an_authentication_that_hangs_is_a_fault,
    f7_restore_ends_its_own_orphan_that_holds_the_port,
    f8_frozen_login_processes_do_not_keep_the_port,
);

// Without systemd the cgroup of a node would be one of the machine.
rows!(under systemd:
    f78_a_frozen_service_is_thawed_and_ended,
    f78_a_session_that_is_frozen_by_its_cgroup_is_thawed_and_ended,
);

fn f1_a_frozen_master_is_a_fault_and_recovered(scene: &Scene) {
    let master = scene.start();
    scene.signal(master, "STOP");
    scene
        .expect("quickCheck", 1)
        .says("is stopped, so nobody can log in")
        .says("127.0.0.1:143: no greeting after 2 s");
    scene.expect("recover", 0);
    scene.insist(scene.master() != master, "the frozen master is still there");
    scene.serves();
}

fn f1_with_connect_a_frozen_master_is_as_healthy_as_for_the_original(scene: &Scene) {
    scene.set_only("APP_DOVECOT_PROBE=connect\n");
    let master = scene.start();
    scene.signal(master, "STOP");
    scene.expect("quickCheck", 0);
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f2_an_authentication_that_hangs_is_a_fault(scene: &Scene) {
    scene.start();
    scene.serves(); // which starts the authentication
    scene.freeze("auth");
    // What Dovecot says when it has waited for its authentication begins with `* OK`.
    scene.set("APP_DOVECOT_IP_LIST='127.0.0.1:143:2 [::1]:143:12'\n");
    scene
        .expect("quickCheck", 1)
        .says("127.0.0.1:143: no greeting after 2 s")
        .says("[::1]:143: not ready: \"* OK Waiting for authentication process");
    scene.set("");
    scene.expect("recover", 0);
    scene.serves();
}

fn f7_restore_ends_its_own_orphan_that_holds_the_port(scene: &Scene) {
    scene.start();
    let _waiting = scene.node.imap().expect("a greeting");
    scene.freeze("imap-login");
    scene.kill_master();
    let restored = scene.expect("restore", 0);
    if scene.place.init == Init::SysV {
        // systemd has ended it itself.
        restored.says("that an earlier Dovecot left behind");
    }
    scene.serves();
}

fn f8_frozen_login_processes_do_not_keep_the_port(scene: &Scene) {
    scene.start();
    let _waiting = [(); 3].map(|()| scene.node.imap().expect("a greeting"));
    scene.freeze("imap-login");
    scene.expect("remove", 0);
    scene.is_gone();
    scene.expect("restore", 0);
    scene.serves();
}

/// How long systemd waits for somebody frozen before it kills him.
const STOP: Duration = Duration::from_secs(15);

/// Insists that remove does not wait until systemd kills.
fn remove_thaws(scene: &Scene) {
    let took = scene.end_within(SURE, "remove", scene.begin("remove"), 0).took();
    scene.insist(took < STOP, "it was waited for");
    scene.is_gone();
}

/// The directory of Dovecot's cgroup.
fn cgroup(scene: &Scene) -> String {
    format!("/sys/fs/cgroup{}", scene.unit("ControlGroup"))
}

fn f78_a_frozen_service_is_thawed_and_ended(scene: &Scene) {
    scene.change_unit(&format!("TimeoutStopSec={}", STOP.as_secs()));
    scene.start();
    let _session = scene.log_in();
    scene.sh(&format!("echo 1 >{}/cgroup.freeze", cgroup(scene)));
    remove_thaws(scene);
}

fn f78_a_session_that_is_frozen_by_its_cgroup_is_thawed_and_ended(scene: &Scene) {
    scene.change_unit(&format!("TimeoutStopSec={}", STOP.as_secs()));
    scene.start();
    let _session = scene.log_in();
    let sessions = scene.named("imap");
    let imap = sessions.first().expect("a session");
    // As the tools do it that pause a part of a service.
    scene.sh(&format!(
        "cd {} && mkdir paused && echo {imap} >paused/cgroup.procs && echo 1 >paused/cgroup.freeze",
        cgroup(scene)
    ));
    remove_thaws(scene);
}
