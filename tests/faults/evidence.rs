//! Processes of Dovecot that neither their name nor their program's place gives away, and one that does and
//! is a stranger's.

use std::io::Write;

use crate::rows;
use crate::scene::Scene;

rows!(
    f42_a_master_whose_program_was_moved_aside_is_seen_and_stopped,
    f42_a_master_whose_program_others_may_write_is_seen_told_of_and_stopped,
    f43_a_session_whose_program_lies_elsewhere_is_ended,
    f44_a_post_login_script_that_hangs_does_not_keep_the_mail_store,
    f45_a_login_process_in_a_session_of_its_own_does_not_keep_the_port,
    f46_a_child_that_a_dying_master_forks_is_not_overlooked,
    f49_a_program_of_another_package_is_spared,
);

fn f42_a_master_whose_program_was_moved_aside_is_seen_and_stopped(scene: &Scene) {
    scene.start();
    // As dpkg-divert does it, and rpm with `.rpmsave`.
    scene.sh("cd /usr/sbin && mv dovecot dovecot.old && cp -p dovecot.old dovecot");
    scene.expect("quickCheck", 0);
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f42_a_master_whose_program_others_may_write_is_seen_told_of_and_stopped(scene: &Scene) {
    scene.sh("chmod g+w /usr/sbin/dovecot");
    scene.start();
    // restore has told of it, once.
    scene.sh("rm -f /run/dovecot-ark/.masters");
    scene.expect("quickCheck", 0).says("runs /usr/sbin/dovecot, which others than root can write");
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f43_a_session_whose_program_lies_elsewhere_is_ended(scene: &Scene) {
    scene.keep_leftovers();
    scene.sh("install -D /usr/lib/dovecot/imap /opt/site/imap");
    scene.configure("service imap {\n  executable = /opt/site/imap\n}\n");
    scene.start();
    let mut session = scene.log_in();
    session.command("SELECT INBOX").expect("a mailbox");
    scene.expect("quickCheck", 0);
    scene.kill_master();
    scene.insist(!scene.dovecot().is_empty(), "the session has ended");
    scene.expect("remove", 0);
    scene.is_gone();
}

fn f44_a_post_login_script_that_hangs_does_not_keep_the_mail_store(scene: &Scene) {
    scene.keep_leftovers();
    scene.sh("mount -t tmpfs -o uid=5000,gid=5000,mode=750 tmpfs /srv/vmail; mkdir /opt/site");
    let hook = "#!/bin/sh\ncd /srv/vmail\nsetsid sleep 1001 &\nexec sleep 1002\n";
    scene.node.write_program("/opt/site/hook", hook).expect("a script");
    scene.configure(
        "service imap {\n  executable = imap hook\n}\nservice hook {\n  executable = script-login \
         /opt/site/hook\n  unix_listener hook {\n  }\n}\n",
    );
    scene.start();
    let mut client = scene.node.connect(lab::IMAP).expect("a connection");
    let (user, password) = lab::USERS[0];
    client.write_all(format!("a LOGIN {user} {password}\r\n").as_bytes()).expect("a login");
    let hanging = || scene.sh("pgrep -fx 'sleep 100[12]' | wc -l");
    scene.until("no script", || hanging() == "2\n");
    scene.expect("remove", 0);
    scene.is_gone();
    scene.insist(hanging() == "0\n", "the script hangs on");
    let freed = scene.node.sh("umount /srv/vmail").expect("a command").success();
    scene.insist(freed, "the mail store is busy");
}

fn f45_a_login_process_in_a_session_of_its_own_does_not_keep_the_port(scene: &Scene) {
    scene.keep_leftovers();
    let login = "#!/bin/sh\nsetsid /usr/lib/dovecot/imap-login \"$@\" &\nwait\n";
    scene.sh("mkdir /opt/site");
    scene.node.write_program("/opt/site/login", login).expect("a script");
    scene.configure("service imap-login {\n  executable = /opt/site/login\n}\n");
    scene.start();
    let _waiting = scene.node.imap().expect("a greeting");
    // It hears nothing of its master's end.
    let logins = scene.named("imap-login");
    assert!(!logins.is_empty(), "no login process");
    for login in logins {
        scene.signal(login, "STOP");
    }
    scene.kill_master();
    for shell in scene.named("login") {
        scene.signal(shell, "KILL");
    }
    // Whatever was noted of it is lost: what is left is its program, and the port.
    scene.sh("rm -rf /run/dovecot-ark");
    scene.expect("remove", 0);
    scene.is_gone();
    scene.insist(scene.named("imap-login").is_empty(), "it is still there");
    scene.sh("sed -i '/^service/,$d' /etc/dovecot/local.conf");
    scene.expect("restore", 0);
    scene.serves();
}

fn f46_a_child_that_a_dying_master_forks_is_not_overlooked(scene: &Scene) {
    // The signals end anvil, and the master replaces it in the very moment in which it ends itself: of
    // 460 times it was overlooked in two. Here it is a matter of not failing for other reasons.
    scene.set("APP_DOVECOT_REMOVE_WAIT=0\nAPP_DOVECOT_REMOVE_CHECK_RETRY=1\n");
    scene.before_service("[ \"$2\" = stop ] && exit 1");
    for _ in 0..8 {
        scene.expect("restore", 0);
        scene.expect("remove", 0);
        scene.is_gone();
    }
}

fn f49_a_program_of_another_package_is_spared(scene: &Scene) {
    scene.sh("install -D /bin/sleep /opt/x/lib/dovecot/helper");
    // The shell that leads its session has gone.
    scene.sh("setsid sh -c '/opt/x/lib/dovecot/helper 1000 >/dev/null 2>&1 &'");
    scene.until("no helper", || !scene.named("helper").is_empty());
    let helpers = scene.named("helper");
    scene.expect("restore", 0);
    scene.kill_master();
    scene.expect("recover", 0);
    scene.expect("remove", 0);
    scene.is_gone();
    for helper in helpers {
        scene.lives(helper);
    }
}
