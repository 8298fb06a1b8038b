//! Whoever calls: the actions stand alone, one at a time.

use crate::holder::begin_long_remove;
use crate::kit::Kit;
use std::time::Duration;

on_each_node!(
    a_lock_that_is_held_makes_quick_check_succeed_at_once_and_the_others_wait,
    a_caller_that_ignores_sigchld_or_closes_everything_changes_nothing,
    nothing_of_the_caller_is_left_open_in_dovecot,
    only_root_may_act_and_wrong_use_is_status_2,
    the_settings_are_shown_to_people_and_programs,
);

/// How long something may take that is sure to come.
const WAIT: Duration = Duration::from_mins(1);

const ACTION: [&str; 4] = ["-t", "dovecot", "-i", "dovecot"];

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
    assert!(ended.stderr.ends_with("performing an action: only root may\n"), "{ended:?}");
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
        "warning: /etc/default/LifeKeeper line 3: APP_DOVECOT_WAIT=soon: ready or fixed",
    ] {
        assert!(table.contains(line), "{table}");
    }
    let text = kit.sh("dovecot-ark settings --json");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["file"], "/etc/default/LifeKeeper");
    assert_eq!(json["settings"].as_array().map(Vec::len), Some(10));
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
