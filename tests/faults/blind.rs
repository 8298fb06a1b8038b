//! A Dovecot that serves nobody and looks as if it did: a fault.

use lab::Suite;

use crate::rows;
use crate::scene::Scene;

rows!(
    f66_a_frozen_master_is_a_fault_though_its_login_processes_greet,
    f67_a_dovecot_that_greets_once_and_dies_is_not_restored,
    f68_a_restore_that_is_suspended_excuses_no_fault,
);

fn f66_a_frozen_master_is_a_fault_though_its_login_processes_greet(scene: &Scene) {
    // Dovecot's own advice for busy servers.
    let without_end = match scene.place.suite {
        Suite::Bullseye | Suite::Bookworm | Suite::Pacemaker | Suite::Directories => {
            "service_count = 0"
        }
        Suite::Trixie => "restart_request_count = unlimited",
    };
    scene.configure(&format!(
        "service imap-login {{\n  {without_end}\n  process_min_avail = 1\n}}\n"
    ));
    let master = scene.start();
    scene.serves();
    scene.signal(master, "STOP");
    scene.node.imap().expect("a login process greets by itself");
    scene.expect("quickCheck", 1).says("is stopped, so nobody can log in");
    scene.signal(master, "CONT");
    scene.expect("quickCheck", 0);
    scene.set_only("APP_DOVECOT_PROBE=connect\n");
    scene.signal(master, "STOP");
    scene.expect("quickCheck", 0);
    scene.set("");
    scene.expect("recover", 0);
    scene.serves();
}

fn f67_a_dovecot_that_greets_once_and_dies_is_not_restored(scene: &Scene) {
    scene.set("APP_DOVECOT_RESTORE_WAIT=2\nAPP_DOVECOT_RESTORE_CHECK_RETRY=1\n");
    // The start command returns, Dovecot greets, and ends a moment later.
    scene.before_service(
        "[ \"$2\" = start ] || exec /usr/sbin/real-service \"$@\"
         /usr/sbin/real-service \"$@\"
         while [ ! -s /run/dovecot/master.pid ]; do sleep 0.01; done
         setsid sh -c 'sleep 0.1; kill -9 $(cat /run/dovecot/master.pid)' >/dev/null 2>&1 </dev/null &
         exit 0",
    );
    scene.expect("restore", 1).says("not in operation after 1 start command: ");
}

fn f68_a_restore_that_is_suspended_excuses_no_fault(scene: &Scene) {
    scene.set("APP_DOVECOT_RESTORE_WAIT=1\n");
    scene.before_service("[ \"$2\" = start ] && mkdir /run/first 2>/dev/null && exit 1");
    let restore = scene.begin("restore");
    scene.until_exists("/run/first");
    let suspended = scene.named(if scene.is_kit() { "dovecot-ark" } else { "restore" });
    for pid in &suspended {
        scene.signal(*pid, "STOP");
    }
    scene.expect("quickCheck", 1).says("no process named dovecot");
    for pid in &suspended {
        scene.signal(*pid, "CONT");
    }
    restore.wait(crate::scene::SURE).expect("the end of restore");
}
