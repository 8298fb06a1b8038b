//! Other people's words: none of them reaches a terminal as a terminal would obey it, and no output has
//! the password of the login check.

use serde_json::Value;

use crate::kit::{Finished, Init, Kit};

/// What turns the direction of writing, hides, colours, or moves a cursor.
const ODD: &str =
    "\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}\u{feff}\u{9b}31m\u{1b}[31m\u{1b}]0;x\u{7}\u{e0041}";

/// What is left of the first of it in a text.
const SEEN: &str = "\\u{202e}";

/// A LifeKeeper that answers everything in these words.
const LIFEKEEPER: [&str; 7] =
    ["lktest", "lcduname", "ins_list", "eqv_list", "dep_list", "sys_getst", "lkcli"];

/// Calls a command; returns what comes to a terminal.
fn output(kit: &Kit, words: &[&str]) -> Finished {
    kit.node.run(&[&["/usr/sbin/dovecot-ark"], words].concat()).expect("calling the kit")
}

/// Insists that nothing in a text but ends of lines is more than to be read.
#[track_caller]
fn assert_harmless(of: &str, text: &str) {
    let left = text.replace('\n', " ");
    let found: Vec<char> =
        left.chars().filter(|c| c.is_control() || ODD.contains(*c) && !c.is_ascii()).collect();
    assert!(found.is_empty(), "{of}: {found:?} in {text:?}");
}

/// Makes whatever the kit hears of others odd.
fn make_odd(kit: &Kit) {
    kit.set(&format!(
        "LKROOT=/opt/LifeKeeper\nAPP_DOVECOT_PROBE=greeting\nAPP_DOVECOT_{ODD}=1\n\
         APP_DOVECOT_LOGIN_MAILBOX=a{ODD}\nAPP_DOVECOT_WAIT={ODD}\n\
         APP_DOVECOT_IP_LIST=\"127.0.0.1:143 127.0.0.1:2004 {ODD}:143\"\n"
    ));
    for program in LIFEKEEPER {
        let path = format!("/opt/LifeKeeper/bin/{program}");
        kit.sh("mkdir -p /opt/LifeKeeper/bin");
        let text = format!("#!/bin/sh\nprintf '%s\\n' 'node1{ODD}'\nprintf '%s' '{ODD}' >&2\n");
        kit.node.write_program(&path, &text).expect("a LifeKeeper");
    }
    kit.node.append("/etc/dovecot/local.conf", &format!("x{ODD} {{{{\n")).expect("a mistake");
    kit.node
        .write(&format!("/etc/cron.d/a{ODD}"), "0 3 * * * root service dovecot restart\n")
        .expect("a hook");
    kit.node.write("/run/dovecot/master.pid", ODD).expect("a pid file");
    let script = "/etc/init.d/dovecot";
    let status = format!("[ \"$1\" != status ] || {{ printf '%s\\n' '{ODD}' >&2; exit 3; }}");
    kit.node.write("/tmp/status", &status).expect("a script");
    kit.sh(&format!("sed -i '1r /tmp/status' {script}"));
    kit.node.write("/tmp/greeting", &format!("* BYE {ODD}\r\n")).expect("a greeting");
    let peer = "use Socket; socket S, PF_INET, SOCK_STREAM, 0; setsockopt S, SOL_SOCKET, SO_REUSEADDR, 1; \
                bind S, pack_sockaddr_in(2004, INADDR_LOOPBACK) or die; listen S, 9; \
                open G, q(</tmp/greeting); read G, $words, 999; open T, q(>/tmp/listens); close T; \
                while (accept C, S) { syswrite C, $words; close C }";
    kit.sh(&format!("setsid perl -e '{peer}' >/dev/null 2>&1 </dev/null &"));
    kit.sh("until [ -e /tmp/listens ]; do sleep 0.05; done");
}

/// Holds the lock as an action of an odd name.
fn hold_the_lock(kit: &Kit) {
    kit.sh("mkdir -p -m 755 /run/dovecot-ark && \
            setsid flock /run/dovecot-ark/.lock sleep 600 >/dev/null 2>&1 </dev/null &
            until pgrep -x flock; do sleep 0.05; done; sleep 0.2");
    let of = |field: &str| kit.sh(&format!("cut -d' ' -f{field} /proc/$(pgrep -x flock)/stat"));
    let (pid, started) = (of("1"), of("22"));
    let record = format!(
        "{{\"action\":{},\"pid\":{},\"started\":{},\"deadline\":99999999999}}",
        serde_json::json!("\u{202e}x\u{1b}[31m\u{9b}2J"),
        pid.trim(),
        started.trim()
    );
    kit.node.write("/tmp/record", &record).expect("a record");
    kit.sh("cat /tmp/record >/run/dovecot-ark/.lock");
}

#[test]
fn what_others_wrote_reaches_no_terminal_as_it_is() {
    let kit = Kit::new(Init::SysV);
    kit.expect("restore", 0);
    make_odd(&kit);
    let agent = format!(
        "OCF_RESOURCE_INSTANCE='{ODD}' OCF_RESKEY_service='{ODD}' OCF_CHECK_LEVEL='{ODD}' \
         dovecot-ark ocf monitor"
    );
    let tag = format!("--tag={ODD}");
    let commands: [&[&str]; 17] = [
        &["settings"],
        &["settings", "--json"],
        &["status"],
        &["status", "--json"],
        &["status", "--format", "nagios"],
        &["status", "--format", ODD],
        &["-v", "status"],
        &["doctor", "--local"],
        &["doctor", "--local", "--json"],
        &["doctor"],
        &["-v", "doctor", "--json"],
        &["quickCheck", "-t", "dovecot", "-i", "dovecot"],
        &["explain", ODD],
        &["install", "--dry-run"],
        &["install", tag.as_str()],
        &["uninstall", "--yes"],
        &["ocf", ODD],
    ];
    let look = |part: &str, where_seen: &[&str]| {
        for words in commands {
            let ended = output(&kit, words);
            let name = format!("{part}: {}", words.join(" ").escape_debug());
            assert_harmless(&name, &ended.stdout);
            assert_harmless(&name, &ended.stderr);
            let all = ended.stdout.clone() + &ended.stderr;
            if where_seen.contains(&words[0]) {
                let odd = all.contains(SEEN) || all.contains("\\u202e");
                assert!(odd, "{name}: nothing of it has come: {ended:?}");
            }
            if words.contains(&"--json") {
                let document: Value = serde_json::from_str(&ended.stdout).expect(&name);
                assert_eq!(document["format"], 2, "{name}");
            }
        }
        let ended = kit.node.sh(&agent).expect("calling the agent");
        assert!(ended.stderr.contains("ocf-exit-reason:ARK2010: "), "{ended:?}");
        assert_harmless("the agent", &ended.stderr);
        assert_harmless("the log", &kit.log());
    };
    look("odd words", &["settings", "status", "-v", "doctor", "quickCheck", "explain", "ocf"]);
    assert!(kit.log().contains(SEEN));
    hold_the_lock(&kit);
    look("an odd holder", &["settings", "status", "explain", "doctor", "quickCheck", "ocf"]);
}

#[test]
fn no_output_has_the_password_of_the_login_check() {
    let kit = Kit::new(Init::SysV);
    let (user, right) = lab::USERS[0];
    kit.sh("install -d -m 755 /etc/dovecot-ark");
    for (password, probe) in [(right, "right"), ("Marker-7f3a9c", "wrong")] {
        let file = "/etc/dovecot-ark/login";
        kit.node.write(file, &format!("{user}:{password}\n")).expect("an account");
        kit.sh(&format!("chmod 600 {file}"));
        kit.set(
            "LKROOT=/opt/LifeKeeper\nAPP_DOVECOT_PROBE=login\nAPP_DOVECOT_DEBUG=1\n\
             APP_DOVECOT_LOGIN_TIMEOUT=1\n",
        );
        kit.expect("restore", 0);
        kit.expect("quickCheck", 0);
        let commands: [&[&str]; 10] = [
            &["status"],
            &["status", "--json"],
            &["status", "--format", "nagios"],
            &["-v", "status"],
            &["settings"],
            &["settings", "--json"],
            &["doctor", "--local"],
            &["-v", "doctor", "--local", "--json"],
            &["-v", "quickCheck", "-t", "dovecot", "-i", "dovecot"],
            &["-v", "recover", "-t", "dovecot", "-i", "dovecot"],
        ];
        for words in commands {
            let ended = output(&kit, words);
            let said = format!("{}{}", ended.stdout, ended.stderr);
            assert!(!said.contains(password), "{probe}: {words:?}: {said}");
        }
        let log = kit.log();
        assert!(log.contains("DEBUG") && !log.contains(password), "{probe}: {log}");
        let notes = kit.sh("cat /run/dovecot-ark/.[a-z]* 2>/dev/null || true");
        assert!(!notes.contains(password), "{probe}: {notes}");
    }
}
