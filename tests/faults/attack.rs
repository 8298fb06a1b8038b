//! Users of the node who may start programs, and by them decide what becomes of Dovecot if they can.

use std::time::Duration;

use lab::Running;

use crate::scene::Scene;
use crate::store::{self, Answers, FLUSH, LOOKUP, Silent};
use crate::{library, rows};

rows!(
    f48_orphans_that_a_user_starts_without_end_do_not_make_remove_fail,
    f50_a_users_process_that_cannot_be_killed_does_not_make_remove_fail,
    f50_a_setuid_program_named_dovecot_that_cannot_end_is_no_master,
    f51_a_stranger_whose_root_directory_never_answers_holds_no_action,
);

/// The user, without a name.
const USER: u32 = 1000;

/// Becomes the user.
const AS_USER: &str = "setpriv --reuid=1000 --regid=1000 --clear-groups";

/// How long an action may take that waits for nothing; above what a busy machine makes of it.
const IN_TIME: Duration = Duration::from_secs(20);

/// Lays a copy of a program in the user's own directory, which is called as Dovecot's.
fn lay_users(scene: &Scene, program: &str) {
    scene.sh(&format!(
        "mkdir -p /home/user/lib/dovecot /home/user/store
         cp {program} /home/user/lib/dovecot/imap; chown -R 1000 /home/user"
    ));
}

/// Orphans without end: of the user's own program, and of Dovecot's own with pipes where its children
/// have them.
const ATTACK: &str = r"
use POSIX;
$^F = 6;
pipe my $read5, my $write5 and dup2(fileno $write5, 5) or die;
pipe my $read6, my $write6 and dup2(fileno $write6, 6) or die;
$SIG{CHLD} = 'IGNORE';
for (my $odd = 0;; $odd = !$odd) {
    if (!fork) {
        setsid;
        exit if fork;
        exec '/home/user/lib/dovecot/imap', '0.3' if $odd;
        $ENV{LD_PRELOAD} = '/tmp/still.so';
        exec '/usr/lib/dovecot/imap';
    }
    select undef, undef, undef, 0.005;
}";

fn f48_orphans_that_a_user_starts_without_end_do_not_make_remove_fail(scene: &Scene) {
    lay_users(scene, "/bin/sleep");
    library::lay(scene, "still");
    scene.set("APP_DOVECOT_REMOVE_WAIT=1\n");
    scene.start();
    let words: Vec<&str> = AS_USER.split(' ').chain(["/usr/bin/perl", "-e", ATTACK]).collect();
    let _attack = scene.node.spawn(&words).expect("an attack");
    let lone = "sh -c '/home/user/lib/dovecot/imap 1000 &'";
    scene.sh(&format!("{AS_USER} setsid {lone} >/dev/null 2>&1"));
    // Its shell has gone before it becomes what it is.
    let script = "until pgrep -fx '/home/user/lib/dovecot/imap 1000'; do sleep 0.05; done";
    let lone = scene.sh(script).trim().parse().expect("a pid");
    scene.until("no orphans", || scene.named("imap").len() > 10);
    scene.expect("remove", 0);
    scene.is_gone();
    scene.lives(lone);
}

fn f50_a_users_process_that_cannot_be_killed_does_not_make_remove_fail(scene: &Scene) {
    lay_users(scene, "/usr/bin/stat");
    let store = Silent::mount(scene, "/home/user/store", USER, Answers::Nothing);
    let stuck = "sh -c '/home/user/lib/dovecot/imap /home/user/store/x &'";
    scene.sh(&format!("{AS_USER} setsid {stuck} >/dev/null 2>&1"));
    store.is_asked(scene, LOOKUP);
    scene.start();
    scene.expect("remove", 0);
    scene.is_gone();
    store.end();
}

fn f50_a_setuid_program_named_dovecot_that_cannot_end_is_no_master(scene: &Scene) {
    lay_users(scene, "/bin/true");
    let store = Silent::mount(scene, "/home/user/store", USER, Answers::AllButFlush);
    // It ends at once, but for a file that it was given and that nobody closes. By then it has no
    // executable any more.
    scene.sh("ln -s /bin/mount /home/user/dovecot");
    let program = "$^F = 9; open F, q(<), q(/home/user/store/x) or die; \
                   exec q(/home/user/dovecot), q(--version)";
    scene.stranger(&format!("{AS_USER} perl -e '{program}'"));
    store.is_asked(scene, FLUSH);
    let stuck = scene.one_named("dovecot");
    scene.expect("quickCheck", 1).says("no process named dovecot");
    scene.expect("remove", 0);
    scene.expect("restore", 0);
    scene.serves();
    scene.expect("remove", 0);
    scene.insist(scene.named("dovecot") == [stuck], "the master is left");
    store.end();
}

/// A process named as Dovecot's in a user's own namespaces, whose root directory is silent.
const STRANGER: &str = r#"
cd /home/user && mkdir lower empty root
perl "$1" lower 0 kinds . &
server=$!
until grep -q /home/user/lower /proc/self/mounts; do sleep 0.05; done
mount -t overlay -o lowerdir=lower:empty none root || exit
perl -e '$| = 1; $0 = "dovecot"; chroot "root" or die; chdir "/"; print "there"; sleep' >there &
until [ -s there ]; do sleep 0.05; done
kill -USR1 $server
echo $server >server
wait"#;

fn f51_a_stranger_whose_root_directory_never_answers_holds_no_action(scene: &Scene) {
    lay_users(scene, "/bin/true");
    store::lay(scene);
    scene.node.write("/tmp/stranger", STRANGER).expect("a script");
    let words = ["unshare", "-Urm", "/bin/sh", "/tmp/stranger", store::LAID];
    let words: Vec<&str> = AS_USER.split(' ').chain(words).collect();
    let _stranger = scene.node.spawn(&words).expect("a stranger");
    scene.until_exists("/home/user/server");
    let stranger = scene.one_named("dovecot");
    for (action, status) in
        [("quickCheck", 1), ("restore", 0), ("quickCheck", 0), ("recover", 0), ("remove", 0)]
    {
        let _end = in_the_end(scene);
        let took = scene.expect(action, status).took();
        scene.insist(took < IN_TIME, &format!("{action} does not answer in time"));
    }
    scene.lives(stranger);
}

/// Lets everybody go in the end who waits for the silent root directory: nobody else could.
fn in_the_end(scene: &Scene) -> Running {
    let end = "sleep 25; kill -KILL $(cat /home/user/server)";
    scene.node.spawn(&["/bin/sh", "-c", end]).expect("a last resort")
}
