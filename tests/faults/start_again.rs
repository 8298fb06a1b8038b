//! Would it start again? The files that settings name, the file that the service gives Dovecot, and
//! Dovecot's own reason.

use lab::{Init, Suite};

use crate::rows;
use crate::scene::Scene;

rows!(
    f70_a_key_that_is_missing_is_no_reason_to_stop,
    f70_parameters_that_are_missing_are_no_reason_to_stop,
    f70_an_authority_that_is_missing_is_no_reason_to_stop,
    f70_a_key_that_is_missing_is_named_after_one_start_command,
    f70_a_fifo_for_a_key_holds_nobody,
    f72_the_file_that_the_service_gives_is_the_one_that_counts,
    f72_a_mistake_in_a_file_that_nobody_reads_is_none,
    f72_a_stale_pid_file_in_another_base_directory_is_removed,
    f17_a_dovecot_that_is_not_installed_is_named_after_one_start_command,
);

// The lab's nodes without systemd have no system log.
rows!(under systemd: f73_the_reason_of_an_instance_with_a_name_is_told);

/// One start command, and a second to work.
const ONCE: &str = "APP_DOVECOT_RESTORE_CHECK_RETRY=1\nAPP_DOVECOT_RESTORE_WAIT=1\n";

/// Dovecot's key.
const KEY: &str = "/etc/dovecot/private/dovecot.key";

/// The configuration that the service is given.
const OTHER: &str = "/srv/other/dovecot.conf";

/// What a recover of a Dovecot that serves and could not start again must do.
fn is_left_alone(scene: &Scene, words: &str) {
    let master = scene.node.master().expect("reading the process table");
    let left = "left running: it could not start again: Error in configuration file ";
    scene.expect("recover", 0).says(left).says(words);
    let same = scene.node.master().expect("reading the process table") == master;
    scene.insist(same, "it was stopped");
    scene.doctor_says(words);
}

/// Sets a file that is not there.
fn name_a_file(scene: &Scene, old: &str, new: &str) {
    scene.configure(&match scene.place.suite {
        Suite::Bullseye | Suite::Bookworm | Suite::Pacemaker | Suite::Directories => {
            format!("{old} = </nonexistent\n")
        }
        Suite::Trixie => format!("{new} = /nonexistent\n"),
    });
}

fn f70_a_key_that_is_missing_is_no_reason_to_stop(scene: &Scene) {
    scene.start();
    scene.serves();
    scene.sh(&format!("rm {KEY}"));
    is_left_alone(scene, KEY);
}

fn f70_parameters_that_are_missing_are_no_reason_to_stop(scene: &Scene) {
    scene.start();
    scene.serves();
    name_a_file(scene, "ssl_dh", "ssl_server_dh_file");
    is_left_alone(scene, "/etc/dovecot/local.conf line ");
}

fn f70_an_authority_that_is_missing_is_no_reason_to_stop(scene: &Scene) {
    scene.start();
    scene.serves();
    name_a_file(scene, "ssl_ca", "ssl_server_ca_file");
    is_left_alone(scene, "/etc/dovecot/local.conf line ");
}

fn f70_a_key_that_is_missing_is_named_after_one_start_command(scene: &Scene) {
    scene.sh(&format!("rm {KEY}"));
    let words = "its configuration is broken: Error in configuration file /etc/dovecot/conf.d/";
    scene.expect("restore", 1).says(words).says(KEY).says_times("Retry count: ", 1);
}

fn f70_a_fifo_for_a_key_holds_nobody(scene: &Scene) {
    scene.set(ONCE);
    scene.sh(&format!("rm {KEY}; mkfifo {KEY}"));
    // The start hangs as long as its own limit lets it.
    scene.before_service("[ \"$2\" = start ] && exec timeout -k 1 3 real-service \"$@\"");
    scene.expect("restore", 1).says("configuration is not known: ").says("-nx`: no end after 5 s");
    // doveconf of 2.4 hangs with -n too.
    scene.doctor_says("no end after ");
}

/// Has the service give Dovecot a configuration file of its own, and a base directory.
fn move_away(scene: &Scene) {
    scene.sh("cp -r /etc/dovecot /srv/other");
    scene
        .node
        .append("/srv/other/local.conf", "base_dir = /run/other\n")
        .expect("changing the configuration");
    match scene.place.init {
        Init::SysV => {
            scene.sh(&format!("echo CONF={OTHER} >>/etc/default/dovecot"));
        }
        Init::Systemd => {
            scene.change_unit(&format!(
                "ExecStart=\nExecStart=/usr/sbin/dovecot -F -c {OTHER}\n\
                 ExecStop=\nExecStop=/usr/bin/doveadm -c {OTHER} stop"
            ));
        }
    }
}

fn f72_the_file_that_the_service_gives_is_the_one_that_counts(scene: &Scene) {
    move_away(scene);
    scene.start();
    scene.serves();
    scene.sh("echo 'x {{' >>/srv/other/local.conf");
    is_left_alone(scene, "/srv/other/local.conf line ");
    scene.expect("remove", 0);
    scene.is_gone();
    let words = "its configuration is broken: Error in configuration file /srv/other/local.conf";
    scene.expect("restore", 1).says(words).says_times("Retry count: ", 1);
}

fn f72_a_mistake_in_a_file_that_nobody_reads_is_none(scene: &Scene) {
    move_away(scene);
    scene.sh("echo 'x {{' >>/etc/dovecot/dovecot.conf");
    let master = scene.start();
    scene.serves();
    scene.expect("recover", 0);
    let new = scene.node.master().expect("reading the process table");
    scene.insist(new.is_some() && new != Some(master), "it was not restarted");
    scene.serves();
}

fn f72_a_stale_pid_file_in_another_base_directory_is_removed(scene: &Scene) {
    move_away(scene);
    let stranger = scene.stranger("sleep 300");
    scene.sh(&format!("mkdir -p /run/other && echo {stranger} >/run/other/master.pid"));
    scene.set(ONCE);
    scene.expect("restore", 0);
    scene.serves();
    scene.lives(stranger);
    // A stop command of a script may kill by it.
    scene.sh(&format!("echo {stranger} >/run/other/master.pid"));
    scene.expect("remove", 0);
    scene.lives(stranger);
    scene.is_gone();
}

fn f73_the_reason_of_an_instance_with_a_name_is_told(scene: &Scene) {
    scene.configure("instance_name = mail2\nlog_path = syslog\n");
    scene.set(ONCE);
    scene.expect("restore", 0);
    scene.serves();
    scene.expect("remove", 0);
    // What fails this late goes to syslog, and no longer to standard error.
    scene.configure("listen = 192.0.2.9\n");
    scene.expect("restore", 1).says("; Dovecot's log: master: ");
}

fn f17_a_dovecot_that_is_not_installed_is_named_after_one_start_command(scene: &Scene) {
    scene.sh("mv /usr/sbin/dovecot /usr/bin/doveconf /usr/bin/doveadm /root/");
    let words = "Dovecot is not installed: there is no /usr/sbin/dovecot";
    scene.expect("restore", 1).says(words).says_times("Retry count: ", 1);
    scene.doctor_says("Dovecot is not installed");
    scene.sh("rm -rf /etc/init.d/dovecot /usr/lib/systemd/system/dovecot.* && \
              if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi");
    let words = "Dovecot is not installed: there is no such service";
    scene.expect("restore", 1).says(words).says_times("Retry count: ", 1);
    // One in another place, with a script or unit that says so, is tried as before.
    scene.sh("mkdir -p /opt/d/sbin && mv /root/dovecot /opt/d/sbin/ && mkdir -p /etc/init.d && \
              printf '#!/bin/sh\\n### BEGIN INIT INFO\\n# Provides: dovecot\\n### END INIT INFO\\nexit 1\\n' \
              >/etc/init.d/dovecot && chmod 755 /etc/init.d/dovecot && \
              if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi");
    scene.expect("restore", 1).says("Retry count: 3");
}
