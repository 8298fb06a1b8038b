//! Who holds the lock, how long, and what becomes of it when it does not end.

use std::thread;
use std::time::Duration;

use lab::Running;

use crate::rows;
use crate::scene::{SURE, SYSV, Scene, play};

rows!(
    f54_one_action_at_a_time_whatever_the_resource_is_called,
    f75_a_restore_that_is_suspended_is_ended_before_remove_goes_on,
    f75_a_suspended_restore_is_ended_together_with_its_start_command,
    f75_a_restore_whose_lock_was_deleted_starts_nothing_after_remove,
    f75_a_restore_that_could_not_write_its_lock_starts_nothing_after_remove,
    f75_a_remove_whose_lock_was_deleted_is_no_fault_to_a_check,
);

fn f54_one_action_at_a_time_whatever_the_resource_is_called(scene: &Scene) {
    scene.set("APP_DOVECOT_WAIT=fixed\nAPP_DOVECOT_REMOVE_WAIT=3\n");
    scene.start();
    let remove = scene.begin("remove");
    scene.until("it is not stopped", || scene.dovecot().is_empty());
    let restore = scene.begin_for("mail2", "restore");
    thread::sleep(Duration::from_millis(1500));
    scene.insist(scene.dovecot().is_empty(), "restore does not wait");
    scene.end("remove", remove, 0);
    scene.end("restore", restore, 0);
    scene.serves();
}

/// A restore whose first start command has failed; the second, a second later, will not.
fn begin_restore(scene: &Scene) -> Running {
    begin_restore_that(scene, "exit 1")
}

/// A restore whose first start command does this.
fn begin_restore_that(scene: &Scene, first: &str) -> Running {
    scene.set("APP_DOVECOT_RESTORE_WAIT=1\n");
    let first = format!("[ \"$2\" = start ] && mkdir /run/first 2>/dev/null && {first}");
    scene.before_service(&first);
    let restore = scene.begin("restore");
    scene.until_exists("/run/first");
    restore
}

/// Insists that nothing comes of a restore any more: not of itself, which ends by itself if nobody has
/// ended it, nor of a command that it has left behind.
#[track_caller]
fn nothing_comes_of(scene: &Scene, restore: Running) {
    restore.wait(SURE).expect("the end of restore");
    scene.stays_gone(Duration::from_millis(1500));
}

fn f75_a_restore_that_is_suspended_is_ended_before_remove_goes_on(scene: &Scene) {
    remove_beside_a_suspended(scene, begin_restore(scene));
}

fn f75_a_suspended_restore_is_ended_together_with_its_start_command(scene: &Scene) {
    remove_beside_a_suspended(scene, begin_restore_that(scene, "sleep 1"));
}

/// Suspends a restore, and insists that nothing comes of it after remove.
#[track_caller]
fn remove_beside_a_suspended(scene: &Scene, restore: Running) {
    let suspended = scene.named(if scene.is_kit() { "dovecot-ark" } else { "restore" });
    assert!(!suspended.is_empty(), "no restore");
    for pid in &suspended {
        scene.signal(*pid, "STOP");
    }
    scene.end_within(SURE, "remove", scene.begin("remove"), 0);
    scene.is_gone();
    for pid in &suspended {
        // It may have been ended.
        scene.sh(&format!("kill -CONT {pid} 2>/dev/null || true"));
    }
    nothing_comes_of(scene, restore);
}

fn f75_a_restore_whose_lock_was_deleted_starts_nothing_after_remove(scene: &Scene) {
    let restore = begin_restore(scene);
    scene.sh("rm -rf /run/dovecot-ark");
    scene.expect("remove", 0);
    nothing_comes_of(scene, restore);
}

fn f75_a_restore_that_could_not_write_its_lock_starts_nothing_after_remove(scene: &Scene) {
    scene.sh("mkdir -p /run/dovecot-ark && mount -t tmpfs -o nr_inodes=1 tmpfs /run/dovecot-ark");
    let restore = begin_restore(scene);
    scene.expect("remove", 0);
    nothing_comes_of(scene, restore);
}

fn f75_a_remove_whose_lock_was_deleted_is_no_fault_to_a_check(scene: &Scene) {
    scene.set("APP_DOVECOT_WAIT=fixed\nAPP_DOVECOT_REMOVE_WAIT=5\n");
    scene.start();
    let remove = scene.begin("remove");
    scene.until("it is not stopped", || scene.dovecot().is_empty());
    scene.sh("rm -rf /run/dovecot-ark");
    // A fault would have it started again behind remove.
    scene.expect("quickCheck", 0);
    scene.end("remove", remove, 0);
    scene.expect("quickCheck", 1);
}

/// A remove that takes longer than a quickCheck may, a restore that waits for it, and a quickCheck
/// that comes between them.
fn f69_a_wait_counts_anew_for_each_holder(scene: &Scene) {
    scene.start();
    scene.sh("ip route add 198.51.100.0/24 dev lo"); // what is sent there is dropped
    scene.before_service("[ \"$2\" = start ] && date +%s%3N >/run/started");
    scene.set("APP_DOVECOT_WAIT=fixed\nAPP_DOVECOT_REMOVE_WAIT=19\n");
    let remove = scene.begin("remove");
    scene.until("it is not stopped", || scene.dovecot().is_empty());
    scene.set("");
    let restore = scene.begin("restore");
    thread::sleep(Duration::from_millis(500));
    scene.set("APP_DOVECOT_IP_LIST=198.51.100.1:143:4\n");
    let check = format!(
        "while :; do
             began=$(date +%s%3N)
             {} 2>/run/said$$
             grep -q 'not checked' /run/said$$ || break
         done
         echo $began $(date +%s%3N) >>/run/checked",
        scene.line("quickCheck")
    );
    let checks = [(); 3].map(|()| scene.node.spawn(&["/bin/sh", "-c", &check]).expect("a check"));
    scene.end("remove", remove, 0);
    scene.end("restore", restore, 0);
    for check in checks {
        check.wait(SURE).expect("the end of a check");
    }
    let number = |word: &str| word.trim().parse::<u64>().expect("a time");
    let started = number(&scene.sh("cat /run/started"));
    let checked = scene.sh("cat /run/checked");
    let beside = checked.lines().filter_map(|line| line.split_once(' ')).any(|(began, ended)| {
        // It waits for 4 s, and the start took place in their midst.
        number(began) < started && started + 2000 < number(ended)
    });
    scene.insist(!beside, "restore goes on beside a quickCheck");
}

/// It waits for 20 s, and what it is about is the same everywhere.
#[test]
fn f69_a_wait_counts_anew_for_each_holder_of_the_lock() {
    let name = "f69_a_wait_counts_anew_for_each_holder_of_the_lock";
    play(name, SYSV, f69_a_wait_counts_anew_for_each_holder);
}
