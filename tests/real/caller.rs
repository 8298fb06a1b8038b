//! Whoever calls: the actions stand alone, one at a time.

use crate::holder::begin_long_remove;
use crate::kit::Kit;
use crate::schema::document;
use std::time::Duration;

on_each_node!(
    a_lock_that_is_held_makes_quick_check_succeed_at_once_and_the_others_wait,
    a_caller_that_ignores_sigchld_or_closes_everything_changes_nothing,
    nothing_of_the_caller_is_left_open_in_dovecot,
    commands_find_the_limits_of_the_caller_and_the_default_signals,
    the_first_line_has_the_callers_time_also_when_a_command_was_slow,
    only_root_may_act_and_wrong_use_is_status_2,
    the_settings_are_shown_to_people_and_programs,
);

/// How long something may take that is sure to come.
const WAIT: Duration = Duration::from_mins(1);

const ACTION: [&str; 4] = ["-t", "dovecot", "-i", "dovecot"];

/// Says what limits and signals a command finds, then does what it is asked. The shell itself
/// reads: while it starts another program, it blocks signals.
const TELLING: &str = "#!/bin/sh
tell() { while read -r line; do echo \"$line\"; done; }
tell </proc/$$/limits >/tmp/found
tell </proc/$$/status >>/tmp/found
exec /usr/sbin/away \"$@\"
";

fn a_lock_that_is_held_makes_quick_check_succeed_at_once_and_the_others_wait(kit: &Kit) {
    let holder = begin_long_remove(kit);
    let ended = kit.expect("quickCheck", 0);
    assert!(ended.stderr.contains("not checked: remove, pid "), "{ended:?}");
    let other = kit.node.run(&["dovecot-ark", "quickCheck", "-t", "other"]).expect("an action");
    assert_eq!(other.status, Some(0), "the node has one Dovecot, whatever the tag: {other:?}");

    let words = [&["/usr/sbin/dovecot-ark", "restore"][..], &ACTION].concat();
    let waiting = kit.node.spawn(&words).expect("calling an action");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(kit.dovecot(), [], "it waits");
    holder.kill();
    let ended = waiting.wait(WAIT).expect("its end");
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("waiting until remove, pid "), "{ended:?}");
    kit.expect("quickCheck", 0);
}

fn a_caller_that_ignores_sigchld_or_closes_everything_changes_nothing(kit: &Kit) {
    for caller in [
        "trap '' CHLD HUP TERM",
        "exec <&- >&- 2>&-",
        "cd /srv && umask 777",
        "exec >/dev/full 2>/dev/full",
        "PATH=/nowhere; LC_ALL=ja_JP.UTF-8; export PATH LC_ALL",
    ] {
        for (action, status) in
            [("quickCheck", 1), ("restore", 0), ("quickCheck", 0), ("remove", 0)]
        {
            let stub = format!("/usr/lib/dovecot-ark/{action} -t dovecot -i dovecot");
            let script = format!("{caller}; exec {stub}");
            let ended = kit.node.run(&["/bin/bash", "-c", &script]).expect("an action");
            assert_eq!(ended.status, Some(status), "{script}: {ended:?}");
        }
        kit.assert_gone();
    }
}

fn the_first_line_has_the_callers_time_also_when_a_command_was_slow(kit: &Kit) {
    // By then the program has a second thread; the time zone is asked for with the first line.
    kit.node
        .write_program("/usr/sbin/service", "#!/bin/sh\nsleep 0.3\nexit 3\n")
        .expect("a service");
    let script = "export TZ=XYZ-9; date '+%F %H:%M'; dovecot-ark quickCheck -t dovecot -i dovecot
                  status=$?; date '+%F %H:%M'; exit $status";
    let ended = kit.node.sh(script).expect("an action");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let times: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(times.len(), 2, "{ended:?}");
    assert!(times.iter().any(|time| ended.stderr.starts_with(time)), "{ended:?}");
}

fn commands_find_the_limits_of_the_caller_and_the_default_signals(kit: &Kit) {
    kit.sh("mv /usr/sbin/service /usr/sbin/away");
    kit.node.write_program("/usr/sbin/service", TELLING).expect("a service command");
    kit.expect("restore", 0);
    for (caller, limits) in [
        ("ulimit -S -n 200 -c 100", [200, 102_400]),
        ("ulimit -S -n 8 -c 0", [64, 0]),
        ("trap '' XFSZ HUP USR1; ulimit -S -n 300 -c 50", [300, 51_200]),
    ] {
        // A shell that reads a script needs more than ten descriptors itself.
        let script = format!("{caller}; exec /usr/sbin/dovecot-ark quickCheck -t dovecot");
        let ended = kit.node.run(&["/bin/bash", "-c", &script]).expect("an action");
        assert_eq!(ended.status, Some(0), "{caller}: {ended:?}");
        assert_eq!(ended.stderr, "", "{caller}");
        let found = kit.sh("cat /tmp/found");
        for (name, expected) in ["Max open files", "Max core file size"].iter().zip(limits) {
            assert_eq!(value(&found, name), expected.to_string(), "{caller}: {name}");
        }
        let ignored = u64::from_str_radix(value(&found, "SigIgn:"), 16).expect("signals");
        // HUP, USR1, XFSZ.
        assert_eq!(ignored & (1 | 1 << 9 | 1 << 24), 0, "{caller}: {ignored:x} are ignored");
        assert_eq!(value(&found, "SigBlk:"), "0000000000000000", "{caller}");
    }
    // Dovecot is started under the caller's limits, where the service manager sets none.
    let script = "ulimit -S -n 1500; exec /usr/lib/dovecot-ark/recover -t dovecot -i dovecot";
    let ended = kit.node.run(&["/bin/bash", "-c", script]).expect("an action");
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(value(&kit.sh("cat /tmp/found"), "Max open files"), "1500");
    if !kit.node.exists("/run/systemd/system").expect("a look") {
        let found = kit.sh(&format!("cat /proc/{}/limits", kit.master()));
        assert_eq!(value(&found, "Max open files"), "1500");
    }
}

/// The first word behind a name at the beginning of a line.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    rest.split_whitespace().next().expect(name)
}

fn nothing_of_the_caller_is_left_open_in_dovecot(kit: &Kit) {
    let script = "exec 5>/tmp/leak 77>/tmp/leak; cd /srv; umask 777
                  exec /usr/lib/dovecot-ark/restore -t dovecot -i dovecot";
    let ended = kit.node.run(&["/bin/bash", "-c", script]).expect("an action");
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let master = kit.master();
    let open = kit.sh(&format!("ls -l /proc/{master}/fd /proc/{master}/cwd"));
    assert!(!open.contains("leak") && !open.contains("/srv"), "{open}");
    assert_eq!(kit.sh("stat -c %a /run/dovecot-ark"), "755\n", "the caller's umask is not ours");
    kit.log_in().logout().expect("a logout");
}

fn only_root_may_act_and_wrong_use_is_status_2(kit: &Kit) {
    kit.expect("restore", 0);
    let master = kit.master();
    let script = "setpriv --reuid=1000 --regid=1000 --clear-groups dovecot-ark remove -t dovecot";
    let ended = kit.node.sh(script).expect("an action");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stderr.ends_with("performing an action: must be run as root\n"), "{ended:?}");
    for words in ["", "remove", "stop -t dovecot", "remove -t ''", "remove -t \"a\nb\""] {
        let ended = kit.node.sh(&format!("dovecot-ark {words}")).expect("a command");
        assert_eq!(ended.status, Some(2), "{words}: {ended:?}");
    }
    assert_eq!(kit.master(), master);
}

fn the_settings_are_shown_to_people_and_programs(kit: &Kit) {
    kit.set("# ours\nexport APP_DOVECOT_RESTORE_WAIT=\"10\" # s\r\nAPP_DOVECOT_WAIT=soon\n");
    let table = kit.sh("dovecot-ark settings");
    for line in [
        "APP_DOVECOT_RESTORE_WAIT         10  (/etc/default/LifeKeeper line 2)\n",
        "APP_DOVECOT_DEBUG                0  (default)\n",
        "warning: ARK2006: /etc/default/LifeKeeper line 3: APP_DOVECOT_WAIT=soon: ready or fixed",
    ] {
        assert!(table.contains(line), "{table}");
    }
    let text = kit.sh("dovecot-ark settings --json");
    let json = document("settings", &text);
    assert_eq!(json["file"], "/etc/default/LifeKeeper");
    assert_eq!(json["settings"].as_array().map(Vec::len), Some(14));
    assert_eq!(
        json["settings"][2],
        serde_json::json!({
            "key": "APP_DOVECOT_RESTORE_WAIT", "value": "10", "source": "file", "line": 2
        })
    );
    assert_eq!(
        json["settings"][0],
        serde_json::json!({
            "key": "APP_DOVECOT_DEBUG", "value": "0", "source": "default", "line": null
        })
    );
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(1));
    assert_eq!(kit.sh("dovecot-ark settings | head -n 1 | wc -l"), "1\n");
}
