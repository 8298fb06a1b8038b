//! Others that are called as Dovecot is, that are one themselves, or that are merely there.

use lab::Suite;

use crate::rows;
use crate::scene::Scene;

rows!(
    f28_namesakes_are_neither_counted_nor_signalled,
    f28_a_tool_of_root_that_is_called_dovecot_is_neither_counted_nor_signalled,
    f28_a_dovecot_in_a_container_is_neither_counted_nor_signalled,
);

// Without systemd two instances on a node are told by nothing.
rows!(under systemd:
    f54_a_second_instance_is_left_alone_and_named,
    f54_a_service_that_is_called_by_an_alias_is_no_second_instance,
    f77_nobody_else_is_signalled_where_the_unit_has_no_cgroup,
);

fn f28_namesakes_are_neither_counted_nor_signalled(scene: &Scene) {
    scene.sh("mkdir /tmp/a /tmp/b; mkfifo /tmp/a/for_ever
         printf '#!/bin/sh\\nexec 3<>/tmp/a/for_ever; read -r never <&3\\n' >/tmp/a/dovecot
         cp /bin/sleep /tmp/b/dovecot; cp /bin/sleep /tmp/b/dovecot-ark; chmod 755 /tmp/a/dovecot
         setsid /tmp/a/dovecot >/dev/null 2>&1 &
         setsid setpriv --reuid=1000 --clear-groups --regid=1000 /tmp/b/dovecot 1000 &
         setsid /tmp/b/dovecot-ark 1000 &
         setsid tail -f /etc/dovecot/dovecot.conf >/dev/null &
         sleep 0.5; ps -eo args >/tmp/before");
    let namesakes = "grep -c -e '^/tmp/b/dovecot' -e '^/bin/sh /tmp/a/' -e '^tail -f /etc/dov'";
    assert_eq!(scene.sh(&format!("{namesakes} /tmp/before")), "4\n");

    scene.expect("quickCheck", 1).says("no process named dovecot");
    scene.expect("remove", 0);
    scene.expect("restore", 0);
    scene.signal(scene.master(), "KILL");
    scene.expect("recover", 0);
    scene.expect("remove", 0);
    let left = scene.sh(&format!("ps -eo args | {namesakes} || true"));
    scene.insist(left == "4\n", "namesakes were killed");
}

fn f28_a_tool_of_root_that_is_called_dovecot_is_neither_counted_nor_signalled(scene: &Scene) {
    scene.sh("mkdir /opt/mon && cp /bin/sleep /opt/mon/dovecot && setsid /opt/mon/dovecot 1000 &
         for n in $(seq 100); do pgrep -x dovecot && break; sleep 0.1; done");
    let tool = scene.named("dovecot");
    assert_eq!(tool.len(), 1);
    scene.expect("quickCheck", 1).says("no process named dovecot");
    scene.expect("remove", 0).says("already stopped");
    scene.expect("restore", 0);
    scene.serves();
    scene.expect("remove", 0);
    scene.insist(scene.named("dovecot") == tool, "Dovecot still runs, or the tool was ended");
}

/// Writes the configuration of another Dovecot, which listens nowhere.
fn configure_other(scene: &Scene) {
    let version = match scene.place.suite {
        Suite::Bullseye | Suite::Bookworm | Suite::Pacemaker | Suite::Directories => "",
        Suite::Trixie => "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n",
    };
    let settings = "base_dir = /run/other\nlog_path = /run/other.log\nssl = no\nprotocols =\n";
    let path = "/etc/dovecot/other.conf";
    scene.node.write(path, &format!("{version}{settings}")).expect("a configuration");
}

fn f28_a_dovecot_in_a_container_is_neither_counted_nor_signalled(scene: &Scene) {
    // One in a pid namespace of its own, and one in ours whose root is another directory.
    configure_other(scene);
    scene.sh("mkdir /srv/root && mount -t tmpfs tmpfs /srv/root && cd /srv/root
         mkdir run tmp && cp -a /bin /lib /lib64 .
         for directory in usr etc dev proc var; do
             mkdir $directory; mount --rbind /$directory $directory
         done
         setsid unshare --pid --fork --mount-proc dovecot -F -c /etc/dovecot/other.conf &
         setsid chroot /srv/root dovecot -F -c /etc/dovecot/other.conf &
         for n in $(seq 100); do [ $(pgrep -x dovecot | wc -l) -ge 2 ] && break; sleep 0.1; done
         sleep 0.5");
    let masters = || scene.sh("pgrep -x dovecot | sort | xargs");
    let before = masters();
    assert_eq!(before.split_whitespace().count(), 2, "{before}");

    scene.expect("quickCheck", 1).says("no process named dovecot");
    scene.expect("remove", 0).says("already stopped");
    scene.expect("restore", 0);
    scene.expect("recover", 0);
    scene.expect("remove", 0);
    scene.insist(masters() == before, "a container's Dovecot was killed");
}

fn f54_a_second_instance_is_left_alone_and_named(scene: &Scene) {
    configure_other(scene);
    scene.sh("systemd-run --quiet --unit=dovecot-other dovecot -F -c /etc/dovecot/other.conf");
    // A child that has not yet become another program has its name for a moment.
    let mut other = None;
    scene.until("no master", || {
        other = scene.node.master().ok().flatten();
        scene.named("dovecot").len() == 1 && other.is_some()
    });
    let other = other.expect("a master");
    scene.expect("restore", 0);
    scene.doctor_says("two masters");
    scene.expect("remove", 0).says(&format!("pid {other}"));
    scene.insist(scene.named("dovecot") == [other], "the other instance was stopped, or both run");
    scene.expect("restore", 0);
    scene.serves();
    for master in scene.named("dovecot").into_iter().filter(|pid| *pid != other) {
        scene.signal(master, "KILL");
    }
    scene.expect("recover", 0);
    scene.serves();
    scene.lives(other);
}

fn f54_a_service_that_is_called_by_an_alias_is_no_second_instance(scene: &Scene) {
    scene.sh("ln -s /lib/systemd/system/dovecot.service /etc/systemd/system/mail.service
         systemctl daemon-reload");
    scene.set("APP_DOVECOT_SERVICE=mail\n");
    for action in ["restore", "quickCheck", "recover", "remove"] {
        scene.expect(action, 0);
    }
    scene.is_gone();
}

fn f77_nobody_else_is_signalled_where_the_unit_has_no_cgroup(scene: &Scene) {
    scene.sh("systemd-run --quiet --unit=bystander sleep 1000");
    let bystander = scene.sh("systemctl show -p MainPID bystander | tr -dc 0-9");
    let bystanders = [
        bystander.parse().expect("a pid"),
        scene.stranger("sleep 1001"),
        scene.stranger("setpriv --reuid=1000 --clear-groups --regid=1000 sleep 1002"),
    ];
    let journal = scene.sh("systemctl show -p MainPID systemd-journald");
    scene.expect("remove", 0);
    // Of a Dovecot that was started by hand the unit knows nothing.
    scene.sh("dovecot");
    assert_eq!(scene.unit("ControlGroup"), "");
    scene.expect("remove", 0);
    scene.is_gone();
    for bystander in bystanders {
        scene.lives(bystander);
    }
    let same = scene.sh("systemctl show -p MainPID systemd-journald") == journal;
    scene.insist(same, "systemd's own were killed");
}
