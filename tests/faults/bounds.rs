//! A node that is full, short of something, or large; and a clock that jumps.

use std::thread;
use std::time::Duration;

use lab::Init;

use crate::scene::{Answer, SURE, SYSV, Scene};
use crate::{library, rows};

rows!(
    f29_a_full_disk_is_no_success,
    f29_too_few_descriptors_are_no_success,
    f29_dovecots_own_reason_is_told,
    f30_a_crowd_of_processes_and_five_hundred_entries_are_looked_at_in_time,
    f38_a_clock_that_jumps_moves_no_limit,
);

rows!(under systemd: f29_the_reason_is_found_in_the_journal);

/// One start command, and a second to work.
const ONCE: &str = "APP_DOVECOT_RESTORE_CHECK_RETRY=1\nAPP_DOVECOT_RESTORE_WAIT=1\n";

fn fill_run_directory(scene: &Scene) {
    scene.set(ONCE);
    scene.sh("mkdir -p /run/dovecot && mount -t tmpfs -o size=1m,mode=755 tmpfs /run/dovecot
         head -c 2000000 /dev/zero >/run/dovecot/full 2>/dev/null || true");
}

fn restore_with_few_descriptors(scene: &Scene) -> Answer<'_> {
    scene.set(ONCE);
    if scene.place.init == Init::SysV {
        let script = format!("ulimit -n 100; exec {}", scene.line("restore"));
        return scene.expect_script("restore", &script, 1);
    }
    scene.change_unit("LimitNOFILE=100\nTimeoutStartSec=5");
    scene.expect("restore", 1)
}

fn f29_a_full_disk_is_no_success(scene: &Scene) {
    fill_run_directory(scene);
    let full = "no space is left on the file system of /run/dovecot";
    scene.expect("restore", 1).says(full);
    scene.expect("quickCheck", 1).says("no process named dovecot");
    scene.sh("rm /run/dovecot/full");
    scene.expect("restore", 0);
    scene.serves();
}

fn f29_too_few_descriptors_are_no_success(scene: &Scene) {
    restore_with_few_descriptors(scene);
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f29_dovecots_own_reason_is_told(scene: &Scene) {
    fill_run_directory(scene);
    scene.expect("restore", 1).says("No space left on device");
    scene.sh("umount /run/dovecot");
    restore_with_few_descriptors(scene).says("Too many open files");
}

fn f29_the_reason_is_found_in_the_journal(scene: &Scene) {
    fill_run_directory(scene);
    scene.configure("log_path = syslog\n");
    scene.expect("restore", 1).says("Dovecot's log: master: Fatal: ").says("No space left");
}

fn f30_a_crowd_of_processes_and_five_hundred_entries_are_looked_at_in_time(scene: &Scene) {
    scene.start();
    // In one place so many: in all of them at once there would be no room on the machine.
    let crowd = if scene.place == SYSV { 10_000 } else { 1000 };
    // Forks of one program that sleep: the cheapest processes that there are.
    let program = format!(
        "for (1..{crowd}) {{ my $pid = fork // die qq(no room for a crowd: $!); \
         if (!$pid) {{ sleep; exit }} }} open my $there, q(>), q(/tmp/there); sleep"
    );
    let _crowd = scene.node.spawn(&["/usr/bin/perl", "-e", &program]).expect("a crowd");
    scene.until("no crowd", || scene.node.exists("/tmp/there").expect("a look"));
    let all = scene.node.processes().expect("reading the process table").len();
    assert!(all > crowd, "{all} processes");
    scene.expect("quickCheck", 0);
    // What is sent there comes back on the loopback interface and is dropped: silence.
    scene.sh("ip route add 198.51.100.0/24 dev lo; ip route add 203.0.113.0/24 dev lo");
    let silent =
        (1..=200).flat_map(|n| [format!("198.51.100.{n}:143"), format!("203.0.113.{n}:143")]);
    let healthy = (1..=100).map(|n| format!("127.0.1.{n}:143"));
    let entries: Vec<String> = silent.chain(healthy).collect();
    for probe in ["greeting", "connect"] {
        let list = entries.join(" ");
        scene.set_only(&format!("APP_DOVECOT_PROBE={probe}\nAPP_DOVECOT_IP_LIST='{list}'\n"));
        scene.expect("quickCheck", 1).says(": no connection after 2 s; ");
    }
}

fn f38_a_clock_that_jumps_moves_no_limit(scene: &Scene) {
    library::lay(scene, "clock");
    scene.set("APP_DOVECOT_REMOVE_WAIT=3\nAPP_DOVECOT_REMOVE_CHECK_RETRY=1\n");
    // The session outlives the stop command, so that the whole wait is waited.
    scene.configure("shutdown_clients = no\n");
    if scene.place.init == Init::Systemd {
        scene.change_unit("KillMode=none");
    }
    for (jump, seconds) in [("ahead", 3600), ("behind", -3600)] {
        scene.start();
        let _session = scene.log_in();
        let script = format!("export LD_PRELOAD=/tmp/clock.so; exec {}", scene.line("remove"));
        let remove = scene.node.spawn(&["/bin/sh", "-c", &script]).expect("calling an action");
        thread::sleep(Duration::from_secs(2));
        scene.sh(&format!("touch /tmp/{jump}"));
        let answer = scene.end("remove", remove, 0);
        scene.insist(answer.took() >= Duration::from_secs(3), "the wait is cut short");
        scene.insist(answer.took() < SURE, "the wait does not end");
        scene.is_gone();
        // When it thinks that it ended, against when it did.
        let told = if scene.is_kit() {
            "date -d \"$(tail -n 1 /var/log/dovecot-ark.log | cut -c -19)\" +%s"
        } else {
            "LD_PRELOAD=/tmp/clock.so date +%s"
        };
        let seen = scene.sh(&format!("echo $(($({told}) - $(date +%s)))"));
        let seen: i64 = seen.trim().parse().expect("a number");
        assert!((seen - seconds).abs() < 60, "the clock does not jump: {seen}");
        scene.sh(&format!("rm /tmp/{jump}"));
    }
}
