//! Mail that nobody can read although Dovecot greets: the mail store, the directory, the account.
//!
//! The original and the greeting call all of it healthy. With `login`, only what another node may cure
//! is a fault.

use std::time::Duration;

use crate::rows;
use crate::scene::Scene;
use crate::store::{Answers, Silent};

rows!(
    f36_a_store_whose_server_is_silent_is_a_fault,
    f36_a_store_that_is_not_mounted_is_a_fault,
    f36_a_full_store_is_no_fault,
    f36_a_wrong_account_and_one_at_its_limit_are_no_fault,
    f36_a_silent_directory_is_no_fault,
    f36_a_missing_account_is_no_fault_and_is_made_by_a_command,
    f36_a_read_only_store_is_a_fault_where_it_was_writable,
    f36_an_account_over_its_quota_is_no_fault,
    f36_wrong_passwords_of_others_at_the_same_address_are_no_fault,
);

/// Of the nodes with 2.4 none has a program that makes a file system.
mod ext4_sysv {
    crate::rows!(@in SYSV: [] f36_a_frozen_file_system_is_a_fault);
}
mod ext4_systemd {
    crate::rows!(@in SYSTEMD: [] f36_a_frozen_file_system_is_a_fault);
}

/// What lets the check log in.
const LOGIN: &str =
    "LKROOT=/opt/LifeKeeper\nAPP_DOVECOT_PROBE=login\nAPP_DOVECOT_LOGIN_TIMEOUT=3\n";

/// How long a check may take whatever hangs.
const LIMIT: Duration = Duration::from_secs(18);

/// The account of the check; the lab's first user.
const ACCOUNT: (&str, &str) = lab::USERS[0];

/// Lets the kit log in, makes its mailbox, and lets it succeed once.
fn arm(scene: &Scene) {
    let (user, password) = ACCOUNT;
    scene.sh("install -d -m 755 /etc/dovecot-ark");
    let file = "/etc/dovecot-ark/login";
    scene.node.write(file, &format!("{user}:{password}\n")).expect("an account");
    scene.sh(&format!("chmod 600 {file}"));
    scene.set_only(LOGIN);
    scene.start();
    scene.sh(&format!("doveadm mailbox create -u {user} dovecot-ark"));
    // The grace behind a restore is for the lock of a dead node.
    scene.sh("touch /run/dovecot-ark/.login");
    scene.expect("quickCheck", 0);
    if scene.is_kit() {
        let note = scene.node.read("/run/dovecot-ark/.login").expect("a note");
        assert!(note.contains("\"armed\":true"), "{note}");
        age(scene);
    }
}

/// Lets the last restore be long ago.
fn age(scene: &Scene) {
    scene.sh("sed -i 's/\"restored\":[0-9]*/\"restored\":0/' /run/dovecot-ark/.login");
}

/// The check finds a fault, in these words, and before its end.
#[track_caller]
fn is_fault(scene: &Scene, words: &str) {
    let answer = scene.expect("quickCheck", 1).says(words);
    assert!(!scene.is_kit() || answer.took() < LIMIT, "{:?}", answer.took());
}

/// The check finds none, and says why somebody should look.
#[track_caller]
fn is_none(scene: &Scene, words: &str) {
    let answer = scene.expect("quickCheck", 0).says(words).says("verdict degraded");
    assert!(!scene.is_kit() || answer.took() < LIMIT, "{:?}", answer.took());
}

fn f36_a_store_whose_server_is_silent_is_a_fault(scene: &Scene) {
    arm(scene);
    let store = Silent::mount(scene, "/srv/vmail", 0, Answers::Nothing);
    is_fault(scene, "the mail store does not answer, the account is accepted: LOGIN");
    store.end();
    scene.sh("umount -l /srv/vmail");
    scene.expect("quickCheck", 0);
}

/// Puts the mail on a file system of its own, mounted so, which stays below `/mnt/keep`.
fn move_mail(scene: &Scene, mount: &str) {
    scene.sh(&format!(
        "mkdir -p /mnt/keep && {mount} /mnt/keep && chown vmail:vmail /mnt/keep /srv/vmail
         mount --bind /mnt/keep /srv/vmail"
    ));
}

/// A file system that is frozen; it thaws with this value, since nothing ends who waits for it.
struct Frozen<'a>(&'a Scene);

impl<'a> Frozen<'a> {
    fn freeze(scene: &'a Scene) -> Self {
        scene.sh("fsfreeze -f /srv/vmail");
        Self(scene)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let _ = self.0.node.sh("fsfreeze -u /srv/vmail");
    }
}

fn f36_a_frozen_file_system_is_a_fault(scene: &Scene) {
    scene.sh("for n in 0 1 2 3 4 5 6 7; do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; done
         [ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
         dd if=/dev/zero of=/store bs=1M count=16 2>/dev/null; mkfs.ext4 -q -F /store");
    move_mail(scene, "mount -o loop /store");
    arm(scene);
    // What a login must write, as where somebody has changed the mailbox.
    scene.sh(&format!("rm -f /srv/vmail/{}/Maildir/.dovecot-ark/dovecot*", ACCOUNT.0));
    let frozen = Frozen::freeze(scene);
    is_fault(scene, "the mail store does not answer: EXAMINE: no answer after 3 s");
    drop(frozen);
    scene.expect("quickCheck", 0);
    scene.sh("service dovecot stop; umount /srv/vmail /mnt/keep");
}

fn f36_a_store_that_is_not_mounted_is_a_fault(scene: &Scene) {
    move_mail(scene, "mount -t tmpfs none");
    arm(scene);
    let (away, back) = ("umount -l /srv/vmail", "mount --bind /mnt/keep /srv/vmail");
    scene.sh(away);
    is_fault(scene, "no mailbox dovecot-ark, the mail store is a different one or is not mounted");
    scene.expect("recover", 1).says("the mail store is a different one or is not mounted");
    scene.sh(back);
    scene.expect("quickCheck", 0);
    scene.expect("recover", 0);
    // Where no login has succeeded, there is nothing to go back to.
    scene.sh(away);
    scene.expect("remove", 0);
    scene.expect("restore", 0);
    is_none(scene, "no check by LifeKeeper has logged in here since the last restore");
    scene.expect("recover", 0);
}

fn f36_a_full_store_is_no_fault(scene: &Scene) {
    move_mail(scene, "mount -t tmpfs -o size=512k none");
    arm(scene);
    let index = format!("/srv/vmail/{}/Maildir/.dovecot-ark", ACCOUNT.0);
    scene.sh(&format!("rm -f {index}/dovecot*; dd if=/dev/zero of=/srv/vmail/fill bs=1k || true"));
    is_none(scene, "the mail store is full");
    scene.sh("rm -f /srv/vmail/fill");
    scene.expect("quickCheck", 0);
}

fn f36_a_wrong_account_and_one_at_its_limit_are_no_fault(scene: &Scene) {
    arm(scene);
    let file = "/etc/dovecot-ark/login";
    scene.node.write(file, &format!("{}:wrong\n", ACCOUNT.0)).expect("another password");
    is_none(scene, "the account is refused: LOGIN: \"NO [AUTHENTICATIONFAILED]");
    scene.sh(&format!("chmod 644 {file}"));
    is_none(scene, "no login was tried: /etc/dovecot-ark/login: others may read it");
    let (user, password) = ACCOUNT;
    scene.node.write(file, &format!("{user}:{password}\n")).expect("the password");
    scene.sh(&format!("chmod 600 {file}"));
    scene.configure("mail_max_userip_connections = 1\n");
    scene.sh("doveadm reload; sleep 1");
    // A session from the same address, where the account may have one.
    let hold = format!(
        "use IO::Socket::INET; my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:143', \
         LocalAddr => '127.0.0.143') or die; my $l = <$s>; \
         print $s \"a LOGIN {} {password}\\r\\n\"; $l = <$s>; print $l; sleep 60;",
        user.replace('@', "\\@")
    );
    let holder = scene.node.spawn(&["/usr/bin/perl", "-e", &hold]).expect("a session");
    scene.until("no session", || !scene.named("imap").is_empty());
    is_none(scene, "the account has reached a limit: LOGIN: \"NO [LIMIT]");
    holder.kill();
}

/// Lets PAM ask this program about each account.
fn ask_pam(scene: &Scene, program: &str) {
    let line =
        format!("auth required pam_exec.so quiet {program}\naccount required pam_permit.so\n");
    scene.node.write("/etc/pam.d/dovecot", &line).expect("a directory");
    scene.sh(match scene.place.suite {
        lab::Suite::Trixie => {
            "sed -i '/^passdb passwd-file/,/^}/d' /etc/dovecot/local.conf
             echo 'passdb pam {' >>/etc/dovecot/local.conf; echo '}' >>/etc/dovecot/local.conf"
        }
        _ => {
            "sed -i 's/driver = passwd-file/driver = pam/; /args = scheme=PLAIN/d' \
             /etc/dovecot/local.conf"
        }
    });
    scene.sh("service dovecot stop; service dovecot start; sleep 1");
}

fn f36_a_silent_directory_is_no_fault(scene: &Scene) {
    arm(scene);
    ask_pam(scene, "/bin/sleep 60");
    is_none(scene, "the authentication does not answer: LOGIN: no answer after 3 s");
    scene.expect("recover", 0).says("the authentication does not answer");
    // An administrator may see it as a fault.
    let file = "/etc/default/LifeKeeper";
    scene.node.append(file, "APP_DOVECOT_LOGIN_FAULT=any\n").expect("a setting");
    is_fault(scene, "the authentication does not answer");
    ask_pam(scene, "/bin/true");
    scene.expect("quickCheck", 0);
}

fn f36_a_missing_account_is_no_fault_and_is_made_by_a_command(scene: &Scene) {
    scene.set_only(LOGIN);
    scene.start();
    is_none(scene, "no login was tried: /etc/dovecot-ark/login: No such file or directory");
    scene.doctor_says("the login check has no account: /etc/dovecot-ark/login: No such file");
    if !scene.is_kit() {
        return;
    }
    let said = scene.ark("login-account");
    let file = scene.node.read("/etc/dovecot-ark/login").expect("the file");
    let (user, password) = file.trim_end().split_once(':').expect("an account");
    assert!(password.len() == 48 && !said.contains(password), "{said}");
    assert!(said.contains("Dovecot: does not have the account with this password yet\n"), "{said}");
    scene.doctor_says("Dovecot refuses it");
    // All that it says is done to the letter, and it is enough.
    let line = said.lines().find(|line| line.starts_with(&format!("{user}:{{"))).expect("a line");
    let line = line.replace(":UID:GID::HOME:", ":vmail:vmail::/srv/vmail/check:");
    scene.node.write("/etc/dovecot/dovecot-ark.passwd", &format!("{line}\n")).expect("a file");
    let mut sections = String::new();
    let mut is_inside = false;
    for line in said.lines() {
        is_inside |= line.starts_with("passdb ") || line.starts_with("userdb ");
        if is_inside {
            sections.push_str(line);
            sections.push('\n');
        }
        is_inside &= line != "}";
    }
    let conf = scene.node.read("/etc/dovecot/local.conf").expect("the configuration");
    scene.node.write("/etc/dovecot/local.conf", &format!("{sections}{conf}")).expect("changing it");
    scene.sh("chown root:dovecot /etc/dovecot/dovecot-ark.passwd
         chmod 640 /etc/dovecot/dovecot-ark.passwd; doveadm reload; sleep 1");
    let said = scene.ark("login-account --keep");
    assert!(said.contains("Dovecot: lets the account in\nmailbox dovecot-ark: made\n"), "{said}");
    let said = scene.ark("login-account --keep");
    assert!(said.contains("\nmailbox dovecot-ark: exists\n"), "{said}");
    assert!(said.contains("\nDovecot needs nothing more on this node.\n"), "{said}");
    assert!(scene.node.exists("/srv/vmail/check/Maildir/.dovecot-ark").expect("a look"));
    scene.expect("quickCheck", 0);
    let note = scene.node.read("/run/dovecot-ark/.login").expect("a note");
    assert!(note.contains("\"armed\":true"), "{note}");
    scene.doctor_says("Dovecot lets it in");
    let again = scene.node.run(&["dovecot-ark", "login-account"]).expect("a command");
    assert_eq!(again.status, Some(1), "{again:?}");
    assert_eq!(scene.node.read("/etc/dovecot-ark/login").expect("the file"), file);
}

fn f36_a_read_only_store_is_a_fault_where_it_was_writable(scene: &Scene) {
    move_mail(scene, "mount -t tmpfs none");
    arm(scene);
    scene.sh("mount -o remount,ro /mnt/keep");
    // 2.4 opens a mailbox without writing.
    let words = if scene.place == crate::scene::V24 {
        "the mail store is read-only: its mail can be read, and none be delivered"
    } else {
        "the mail store is read-only: EXAMINE: \"NO [SERVERBUG]"
    };
    is_fault(scene, words);
    scene.expect("recover", 1).says("the mail store is read-only");
    // As on a node that has never written it, to which it was moved.
    scene.expect("remove", 0);
    scene.expect("restore", 0);
    is_none(scene, "no check by LifeKeeper has logged in here since the last restore");
    is_none(scene, "the mail store is read-only");
    scene.sh("mount -o remount,rw /mnt/keep");
    scene.expect("quickCheck", 0);
}

fn f36_an_account_over_its_quota_is_no_fault(scene: &Scene) {
    arm(scene);
    let (user, _) = ACCOUNT;
    let save = format!(
        "{{ printf 'From: a\r\n\r\n'; head -c 3000 /dev/zero | tr '\\0' x; }} | doveadm save -u {user}"
    );
    scene.sh(&save);
    scene.configure(match scene.place.suite {
        lab::Suite::Trixie => {
            "mail_plugins {\n  quota = yes\n}\nquota x {\n  driver = count\n  storage_size = 1K\n}\n"
        }
        _ => {
            "mail_plugins = quota\nplugin {\n  quota = maildir:x\n  quota_rule = *:storage=1K\n}\n"
        }
    });
    scene.sh("doveadm reload; sleep 1");
    let refused = scene.node.sh(&save).expect("a command");
    assert!(refused.stderr.contains("Quota exceeded"), "{refused:?}");
    // Nothing is ever appended, so it passes.
    scene.expect("quickCheck", 0);
    scene.expect("recover", 0);
}

fn f36_wrong_passwords_of_others_at_the_same_address_are_no_fault(scene: &Scene) {
    arm(scene);
    let address = "192.0.2.10";
    scene.sh(&format!("ip addr add {address}/32 dev lo"));
    scene.set_only(&format!("{LOGIN}APP_DOVECOT_IP_LIST={address}:143:2\n"));
    scene.expect("quickCheck", 0);
    scene.doctor_says("Dovecot delays the login check when others from 192.0.2.10 fail");
    // Whoever guesses through a webmail on this node: Dovecot counts each password that is new.
    scene.sh(&format!(
        "perl -e 'use IO::Socket::INET; for $n (1 .. 12) {{
             my $s = IO::Socket::INET->new(PeerAddr => \"{address}:143\", LocalAddr => \"{address}\");
             my $l = <$s>; print $s \"a LOGIN x wrong$n\\r\\n\"; push @all, $s; }} sleep 4;'"
    ));
    is_none(scene, "Dovecot delays 192.0.2.10 after wrong passwords: LOGIN: no answer after 3 s");
    scene.configure(&format!("login_trusted_networks = {address}\n"));
    scene.sh("doveadm reload; sleep 1");
    scene.expect("quickCheck", 0);
}
