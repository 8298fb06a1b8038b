//! What a resource agent must answer whatever has happened to its server: this kit's and the one of
//! resource-agents, side by side. This kit's must be right in all cases; of the other the score is
//! shown.
//!
//! The cases are those for which agents of mail and web servers are tested, told for Dovecot.

use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Init, Node, Suite, install_agent};

use crate::{AGENT, kit, on};

/// The agent of resource-agents.
const OTHER: &str = "/usr/lib/ocf/resource.d/heartbeat/dovecot";

/// How long an action may take, in seconds.
const LIMIT: u64 = 20;

/// Of the two, a start and a stop are right by any agent, or the test itself is wrong.
const CERTAIN: [&str; 2] = ["start twice", "stop twice"];

/// An agent on a node of its own.
struct Player {
    node: Node,
    agent: &'static str,
    /// What was not as it must be in this case.
    wrong: Vec<String>,
}

/// A case: its name, and what is done and expected.
type Case = (&'static str, fn(&mut Player));

const CASES: [Case; 17] = [
    ("start twice", start_twice),
    ("stop twice", stop_twice),
    ("stopped", stopped),
    ("no binary", no_binary),
    ("no configuration", no_configuration),
    ("no configuration, running", no_configuration_running),
    ("broken configuration", broken_configuration),
    ("pid file of a stranger", pid_file_of_a_stranger),
    ("pid file missing", pid_file_missing),
    ("orphans", orphans),
    ("orphans, start", orphans_start),
    ("master frozen", master_frozen),
    ("authentication frozen", authentication_frozen),
    ("hung stop", hung_stop),
    ("no such action", no_such_action),
    ("meta-data", meta_data),
    ("ocf-tester", ocf_tester),
];

impl Player {
    fn new(agent: &'static str) -> Self {
        let node = Node::start_on(Suite::Pacemaker, Init::Systemd).expect("a node");
        install_agent(&node, &kit()).expect("the kit");
        Self { node, agent, wrong: Vec::new() }
    }

    /// Calls the agent as Pacemaker does; no status when it had to be killed at its limit.
    fn call(&self, verb: &str, given: &str) -> Option<i32> {
        let millis = LIMIT * 1000;
        let line = format!(
            "export OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 \
             OCF_RESOURCE_INSTANCE=mail OCF_RESKEY_CRM_meta_timeout={millis} {given}
             exec timeout -s KILL {LIMIT} {} {verb}",
            self.agent
        );
        let done = self.node.sh(&line).expect("an action");
        done.status.filter(|status| *status != 137)
    }

    /// Calls the agent, which must answer with one of these.
    fn expect(&mut self, verb: &str, expected: &[i32]) {
        self.expect_with(verb, "", expected);
    }

    fn expect_with(&mut self, verb: &str, given: &str, expected: &[i32]) {
        let (start, answer) = (Instant::now(), self.call(verb, given));
        if answer.is_none_or(|status| !expected.contains(&status)) {
            let took = start.elapsed().as_secs_f64();
            self.wrong.push(format!("{verb}: {answer:?} after {took:.1} s, not {expected:?}"));
        }
    }

    fn check(&mut self, what: &str, holds: bool) {
        if !holds {
            self.wrong.push(what.to_owned());
        }
    }

    /// Nothing of Dovecot may be left.
    fn expect_nothing_left(&mut self) {
        let mut left = self.node.dovecot().expect("processes");
        left.retain(|process| process.state != 'Z');
        self.check(&format!("{} processes are left", left.len()), left.is_empty());
    }

    /// Dovecot must greet.
    fn expect_greeting(&mut self) {
        let greets =
            self.node.connect(lab::IMAP).is_ok_and(|stream| lab::Imap::greeted(stream).is_ok());
        self.check("no greeting", greets);
    }

    fn start(&mut self) {
        self.expect("start", &[0]);
    }

    /// Stops, which must succeed in time and leave nothing.
    fn stop(&mut self) {
        self.expect("stop", &[0]);
        self.expect_nothing_left();
    }

    #[track_caller]
    fn sh(&self, script: &str) -> String {
        on(&self.node, script)
    }

    fn master(&self) -> Option<u32> {
        self.node.master().expect("processes")
    }

    /// Signals the master, or one of its children by its name.
    #[track_caller]
    fn signal(&self, name: &str, signal: &str) {
        let all = self.node.dovecot().expect("processes");
        let found = match name {
            "master" => self.master(),
            _ => all.iter().find(|process| process.comm == name).map(|process| process.pid),
        };
        self.node.signal(found.expect(name), signal).expect(name);
    }

    /// Plays a case from nothing and back; tells what was wrong.
    fn play(&mut self, case: fn(&mut Self)) -> Vec<String> {
        case(self);
        for process in self.node.dovecot().expect("processes") {
            let _ = self.node.signal(process.pid, "KILL");
        }
        self.sh("systemctl stop dovecot.service dovecot.socket; systemctl reset-failed; \
                 rm -f /run/dovecot/master.pid; true");
        std::mem::take(&mut self.wrong)
    }
}

fn start_twice(player: &mut Player) {
    player.start();
    player.expect("monitor", &[0]);
    player.expect_greeting();
    let before = player.master();
    player.start();
    let is_same = player.master() == before;
    player.check("another master", is_same && before.is_some());
}

fn stop_twice(player: &mut Player) {
    player.start();
    player.stop();
    player.stop();
    player.expect("monitor", &[7]);
}

fn stopped(player: &mut Player) {
    player.expect("monitor", &[7]);
    player.expect_with("monitor", "OCF_RESKEY_CRM_meta_interval=0", &[7]);
    player.expect("validate-all", &[0]);
    player.expect_nothing_left();
}

fn no_binary(player: &mut Player) {
    player.sh("mv /usr/sbin/dovecot /usr/sbin/dovecot.away");
    player.expect("start", &[5]);
    player.expect("validate-all", &[5]);
    player.expect_with("monitor", "OCF_RESKEY_CRM_meta_interval=0", &[5, 7]);
    player.stop();
    player.sh("mv /usr/sbin/dovecot.away /usr/sbin/dovecot");
}

fn no_configuration(player: &mut Player) {
    player.sh("mv /etc/dovecot/dovecot.conf /root/dovecot.conf");
    player.expect("start", &[1, 5, 6]);
    player.expect("validate-all", &[1, 5, 6]);
    player.expect("monitor", &[7]);
    player.stop();
    player.sh("mv /root/dovecot.conf /etc/dovecot/dovecot.conf");
}

fn no_configuration_running(player: &mut Player) {
    player.start();
    player.sh("mv /etc/dovecot/dovecot.conf /root/dovecot.conf");
    player.stop();
    player.sh("mv /root/dovecot.conf /etc/dovecot/dovecot.conf");
}

fn broken_configuration(player: &mut Player) {
    player.sh("echo 'nonsense {{' >>/etc/dovecot/local.conf");
    player.expect("start", &[1, 5, 6]);
    player.expect("validate-all", &[1, 5, 6]);
    player.stop();
    player.sh("sed -i '/^nonsense/d' /etc/dovecot/local.conf");
}

fn pid_file_of_a_stranger(player: &mut Player) {
    let stranger = player.node.spawn(&["sleep", "300"]).expect("a stranger");
    player.sh("mkdir -p /run/dovecot; pgrep -x -n sleep >/run/dovecot/master.pid");
    player.expect("monitor", &[7]);
    player.start();
    player.expect_greeting();
    player.stop();
    let lives = player.node.sh("pgrep -x sleep").expect("a look").success();
    player.check("the stranger is dead", lives);
    stranger.kill();
}

fn pid_file_missing(player: &mut Player) {
    player.start();
    player.sh("rm /run/dovecot/master.pid");
    player.expect("monitor", &[0]);
    player.stop();
}

fn orphans(player: &mut Player) {
    player.start();
    player.signal("master", "KILL");
    player.expect("monitor", &[1, 7]);
    player.stop();
    player.expect("monitor", &[7]);
}

fn orphans_start(player: &mut Player) {
    player.start();
    player.signal("master", "KILL");
    player.start();
    player.expect_greeting();
    player.expect("monitor", &[0]);
    player.stop();
}

fn master_frozen(player: &mut Player) {
    player.start();
    player.signal("master", "STOP");
    player.expect("monitor", &[1]);
    player.stop();
}

fn authentication_frozen(player: &mut Player) {
    player.start();
    player.expect_greeting();
    player.signal("auth", "STOP");
    player.expect("monitor", &[1]);
    player.stop();
}

/// The service command never ends, and the master hears no signal but SIGKILL.
fn hung_stop(player: &mut Player) {
    player.start();
    player.sh(HUNG_SYSTEMCTL);
    player.signal("master", "STOP");
    player.stop();
    player.sh("mv /usr/bin/systemctl.real /usr/bin/systemctl");
}

/// Makes a `systemctl` whose `stop` and `start` hang.
const HUNG_SYSTEMCTL: &str = "mv /usr/bin/systemctl /usr/bin/systemctl.real
    printf '#!/bin/sh\\ncase $1 in start | stop) exec sleep 600 ;; esac\\nexec systemctl.real \"$@\"\\n' \
    >/usr/bin/systemctl
    chmod 755 /usr/bin/systemctl";

fn no_such_action(player: &mut Player) {
    player.expect("nonsense", &[3]);
}

/// By the two descriptions of the form that resource-agents has.
fn meta_data(player: &mut Player) {
    player.expect("meta-data", &[0]);
    let (agent, directory) = (player.agent, "/usr/share/resource-agents");
    player.sh(&format!("OCF_ROOT=/usr/lib/ocf {agent} meta-data >/run/meta.xml"));
    for schema in ["--dtdvalid ra-api-1.dtd", "--relaxng metadata.rng"] {
        let line = format!("cd {directory} && xmllint --nonet --noout {schema} /run/meta.xml");
        let done = player.node.sh(&line).expect("a look");
        player.check(&format!("{schema}: {done:?}"), done.success());
    }
}

fn ocf_tester(player: &mut Player) {
    let line = format!("ocf-tester -n mail {}", player.agent);
    let done = player.node.sh(&line).expect("ocf-tester");
    player.check(&format!("ocf-tester: {done:?}"), done.success());
}

/// Plays all cases, and tells what was wrong in each.
fn all(agent: &'static str) -> Vec<(&'static str, Vec<String>)> {
    let mut player = Player::new(agent);
    CASES.into_iter().map(|(name, case)| (name, player.play(case))).collect()
}

#[test]
fn the_agent_is_right_in_all_cases() {
    let (ours, theirs) = thread::scope(|scope| {
        let theirs = scope.spawn(|| all(OTHER));
        (all(AGENT), theirs.join().expect("the other agent's cases"))
    });
    let score =
        |all: &[(&str, Vec<String>)]| all.iter().filter(|(_, wrong)| wrong.is_empty()).count();
    let mut table = String::new();
    for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        let word =
            |wrong: &[String]| if wrong.is_empty() { "right".into() } else { wrong.join("; ") };
        let _ = writeln!(
            table,
            "{name}\n   dovecot-ark: {}\n   heartbeat:   {}",
            word(ours),
            word(theirs)
        );
    }
    println!(
        "{table}of {}: dovecot-ark {}, heartbeat {}",
        CASES.len(),
        score(&ours),
        score(&theirs)
    );
    assert_eq!(score(&ours), CASES.len(), "{table}");
    for (name, wrong) in theirs {
        assert!(wrong.is_empty() || !CERTAIN.contains(&name), "{name}: {wrong:?}");
    }
}

/// A start hangs with the lock in its hands; a stop has 20 s.
#[test]
fn a_stop_does_not_wait_for_a_hung_start_beyond_its_limit() {
    let mut player = Player::new(AGENT);
    player.sh(HUNG_SYSTEMCTL);
    let start = player.node.spawn(&["/bin/sh", "-c", &format!("{AGENT} start")]).expect("a start");
    let begun = Instant::now();
    while !player.node.sh("pgrep -f '[s]leep 600'").expect("a look").success() {
        assert!(begun.elapsed() < Duration::from_secs(LIMIT), "the start does not hang");
        thread::sleep(Duration::from_millis(20));
    }
    let begun = Instant::now();
    player.stop();
    println!("stopped after {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!(player.wrong, Vec::<String>::new());
    assert!(begun.elapsed() < Duration::from_secs(LIMIT), "{:?}", begun.elapsed());
    // Whoever had the lock does not go on behind the stop.
    let ended = start.wait(Duration::from_secs(5)).expect("the start has ended");
    assert!(!ended.success(), "{ended:?}");
    player.expect("monitor", &[7]);
    player.expect_nothing_left();
    assert_eq!(player.wrong, Vec::<String>::new());
}
