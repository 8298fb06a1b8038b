//! `master.pid`, which can be late, lost, or a stranger's.

use lab::Init;

use crate::rows;
use crate::scene::Scene;

rows!(
    f9_a_stale_pid_file_that_names_a_stranger_is_removed_and_the_stranger_spared,
    f10_a_pid_file_that_is_empty_garbage_or_gone_changes_no_verdict,
    f11_a_check_right_after_the_start_is_right_twenty_times,
    f52_a_stop_command_that_believes_a_lying_pid_file_kills_no_stranger,
    f53_a_pid_file_that_names_a_stranger_after_the_first_start_costs_one_round,
);

fn f9_a_stale_pid_file_that_names_a_stranger_is_removed_and_the_stranger_spared(scene: &Scene) {
    let script = "mkdir -p /run/dovecot; sleep 1000 >/dev/null 2>&1 &
                  echo $! | tee /run/dovecot/master.pid";
    let stranger = scene.sh(script);
    let lives = || {
        let lives = scene.node.sh(&format!("kill -0 {stranger}")).expect("a look").success();
        scene.insist(lives, "the stranger was killed");
    };
    scene.expect("quickCheck", 1).says("no process named dovecot");
    scene.expect("remove", 0);
    lives();
    scene.expect("restore", 0);
    scene.expect("quickCheck", 0);
    scene.serves();
    lives();
    scene.expect("remove", 0);
    scene.is_gone();
    lives();
}

fn f10_a_pid_file_that_is_empty_garbage_or_gone_changes_no_verdict(scene: &Scene) {
    let file = "/run/dovecot/master.pid";
    scene.set("APP_DOVECOT_REMOVE_WAIT=0\n");
    for change in [": >", "echo garbage >", "rm"] {
        scene.start();
        scene.sh(&format!("while [ ! -s {file} ]; do sleep 0.05; done; {change} {file}"));
        if scene.place.init == Init::SysV {
            // The script asks nothing but the file: without it, it takes the server for dead.
            scene.expect("quickCheck", 1).says("`service dovecot status`: exit status ");
        } else {
            scene.expect("quickCheck", 0);
        }
        scene.expect("remove", 0);
        scene.is_gone();
        scene.sh(&format!("{change} {file} || true"));
    }
    scene.expect("restore", 0);
    scene.serves();
}

fn f11_a_check_right_after_the_start_is_right_twenty_times(scene: &Scene) {
    for _ in 0..20 {
        scene.expect("restore", 0);
        scene.expect("quickCheck", 0);
        // Nobody is connected: all of Dovecot ends with its master.
        scene.kill_master();
        scene.until("its children do not end", || scene.dovecot().is_empty());
    }
}

fn f52_a_stop_command_that_believes_a_lying_pid_file_kills_no_stranger(scene: &Scene) {
    scene.set("APP_DOVECOT_REMOVE_WAIT=1\n");
    if scene.place.init == Init::SysV {
        // As the script of RHEL 6. Under systemd `doveadm stop` does the same.
        scene.before_service("[ \"$2\" = stop ] && exec kill $(cat /run/dovecot/master.pid)");
    }
    scene.start();
    let stranger = scene.stranger("sleep 1000");
    let file = "/run/dovecot/master.pid";
    scene.sh(&format!("while [ ! -s {file} ]; do sleep 0.05; done; echo {stranger} >{file}"));
    scene.expect("remove", 0);
    scene.is_gone();
    scene.lives(stranger);
}

fn f53_a_pid_file_that_names_a_stranger_after_the_first_start_costs_one_round(scene: &Scene) {
    scene.set("APP_DOVECOT_RESTORE_WAIT=1\n");
    let stranger = scene.stranger("sleep 1000");
    let first = format!(
        "[ \"$2\" = start ] && mkdir /run/first 2>/dev/null && {{
             mkdir -p /run/dovecot; echo {stranger} >/run/dovecot/master.pid; exit 1; }}"
    );
    scene.before_service(&first);
    scene.expect("restore", 0).says_times("Retry count: ", 1);
    scene.serves();
    scene.lives(stranger);
}
