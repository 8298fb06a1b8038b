//! Whoever calls: several at once, one that is killed, one that reads to the end, one whose clock jumps.

use std::thread;
use std::time::Duration;

use lab::Init;

use crate::rows;
use crate::scene::{SURE, Scene};

rows!(
    f18_an_action_that_is_asked_twice_succeeds_twice_and_changes_nothing,
    f19_two_restores_at_once_are_one_start,
    f19_while_an_action_runs_quick_check_succeeds_at_once_and_the_others_wait,
    f35_restore_returns_though_the_daemon_keeps_what_it_was_given,
    f37_an_action_that_is_killed_is_finished_by_the_next_one,
    f74_a_caller_that_grants_nothing_changes_no_verdict,
    f74_a_standard_error_that_nobody_reads_holds_no_action,
    f74_a_run_directory_and_a_log_of_another_user_are_not_believed,
);

/// All four actions, with the verdicts that they have.
const ALL: [(&str, i32); 6] = [
    ("quickCheck", 1),
    ("restore", 0),
    ("quickCheck", 0),
    ("recover", 0),
    ("remove", 0),
    ("remove", 0),
];

fn f74_a_caller_that_grants_nothing_changes_no_verdict(scene: &Scene) {
    // Without files and descriptors no service command does anything, and no shell begins.
    for caller in ["ulimit -S -f 0", "ulimit -S -n 8"] {
        scene.start();
        for action in ["quickCheck", "remove"] {
            let binary = scene.line(action).replace("/usr/lib/dovecot-ark/", "dovecot-ark ");
            scene.expect_script(action, &format!("{caller}; exec {binary}"), 0);
        }
        scene.is_gone();
    }
    scene.sh("mkfifo /tmp/zone");
    for caller in ["export TZ=/tmp/zone", "export TZ=:/tmp/zone"] {
        for (action, status) in ALL {
            let script = format!("{caller}; exec {}", scene.line(action));
            scene.expect_script(action, &script, status);
        }
        scene.is_gone();
    }
    // What is started is as it would be elsewhere.
    let script = format!("ulimit -S -n 777 -c 5; exec {}", scene.line("restore"));
    scene.expect_script("restore", &script, 0);
    if scene.place.init == Init::SysV {
        let limits = scene.sh(&format!("cat /proc/{}/limits", scene.master()));
        let of = |name: &str| {
            let line = limits.lines().find(|line| line.starts_with(name)).expect(name);
            line.split_ascii_whitespace().find_map(|word| word.parse().ok())
        };
        // Dovecot itself asks for more descriptors.
        let (files, core): (Option<u64>, Option<u64>) = (of("Max open files"), of("Max core file"));
        scene.insist(core == Some(5 * 1024), &format!("it has other limits: {files:?} {core:?}"));
    }
}

fn f74_a_standard_error_that_nobody_reads_holds_no_action(scene: &Scene) {
    let full = "mkfifo /tmp/full 2>/dev/null; exec 2<>/tmp/full; yes | head -c 65536 >&2; exec";
    for (action, status) in ALL {
        let script = format!("{full} {}", scene.line(action));
        let answer = scene.expect_script(action, &script, status);
        scene.insist(answer.took() < SURE, "it waits for a reader");
    }
}

fn f74_a_run_directory_and_a_log_of_another_user_are_not_believed(scene: &Scene) {
    scene.sh("mkdir -p /run/dovecot-ark && chown 1000 /run/dovecot-ark
         echo >/var/log/dovecot-ark.log && chown 1000 /var/log/dovecot-ark.log");
    for (action, status) in ALL {
        scene.expect(action, status).says("it belongs to user 1000");
    }
    scene.is_gone();
    let left = scene.sh("ls -A /run/dovecot-ark; cat /var/log/dovecot-ark.log");
    scene.insist(left == "\n", &format!("the user's are used: {left}"));
}

fn f18_an_action_that_is_asked_twice_succeeds_twice_and_changes_nothing(scene: &Scene) {
    scene.expect("remove", 0);
    scene.expect("restore", 0);
    let master = scene.master();
    scene.expect("restore", 0);
    scene.insist(scene.master() == master, "it was started again");
    scene.expect("remove", 0);
    scene.is_gone();
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f19_two_restores_at_once_are_one_start(scene: &Scene) {
    for restore in [(); 2].map(|()| scene.begin("restore")) {
        scene.end("restore", restore, 0);
    }
    let starts = scene.sh("grep -c 'starting up' /var/log/dovecot.log");
    scene.insist(starts == "1\n", "it was started twice");
    scene.expect("quickCheck", 0);
    scene.serves();
}

fn f19_while_an_action_runs_quick_check_succeeds_at_once_and_the_others_wait(scene: &Scene) {
    scene.set("APP_DOVECOT_WAIT=fixed\nAPP_DOVECOT_REMOVE_WAIT=8\n");
    scene.start();
    let remove = scene.begin("remove");
    scene.until("it is not stopped", || scene.dovecot().is_empty());
    scene.expect("quickCheck", 0).says("not checked: remove, pid ");
    let restore = scene.begin("restore");
    thread::sleep(Duration::from_millis(500));
    scene.insist(scene.dovecot().is_empty(), "restore does not wait");
    scene.end("remove", remove, 0);
    scene.end("restore", restore, 0).says("waiting until remove, pid ");
    scene.serves();
}

fn f35_restore_returns_though_the_daemon_keeps_what_it_was_given(scene: &Scene) {
    // The shell reads until all who can write there have closed it.
    let script = format!("words=$({} 2>&1)", scene.line("restore"));
    scene.expect_script("restore", &script, 0);
    scene.serves();
}

fn f37_an_action_that_is_killed_is_finished_by_the_next_one(scene: &Scene) {
    // With these waits each action is still on its way when it has done its deed.
    scene
        .set("APP_DOVECOT_WAIT=fixed\nAPP_DOVECOT_RESTORE_WAIT=600\nAPP_DOVECOT_REMOVE_WAIT=600\n");
    // The status says so, not the process: a stop that comes before the pid file stops nothing.
    for (action, done) in [("restore", Some(0)), ("remove", Some(3))] {
        let running = scene.begin(action);
        let status = || scene.node.run(&["service", "dovecot", "status"]).expect("a status").status;
        scene.until("it does nothing", || status() == done);
        running.kill();
    }
    scene.set("");
    scene.expect("remove", 0);
    scene.is_gone();
    scene.set("APP_DOVECOT_REMOVE_WAIT=1\n");
    for moment in [5, 20, 50, 100] {
        let killed = |action| {
            let running = scene.begin(action);
            thread::sleep(Duration::from_millis(moment));
            running.kill();
            scene.expect(action, 0);
        };
        killed("restore");
        scene.expect("quickCheck", 0);
        killed("remove");
        scene.is_gone();
    }
}
