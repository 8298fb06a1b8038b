//! What status and doctor say where a fault stands, beside what an action has just said of it.
//!
//! Each row of the suite is looked at after each check and after each action that failed. Doctor must
//! never be greener than status, nor status than the check, nor doctor blind to why an action failed:
//! that it failed is no cause.

use std::collections::BTreeSet;
use std::fmt;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::scene::Scene;

/// How often both are asked before they are wrong: what changes in between makes them differ.
const TRIES: u32 = 4;

/// The pause before they are asked again.
const PAUSE: Duration = Duration::from_millis(700);

/// What of doctor's findings says nothing of Dovecot: no LifeKeeper is on the nodes of the suite.
const OF_THE_LAB: [&str; 4] = ["lifekeeper", "resource", "stubs", "dependency"];

/// The kit cannot use its own directory: it keeps no note of an action.
const NO_NOTES: &str = "ARK4012";

/// What an action came to.
pub(crate) struct Deed<'a> {
    pub(crate) action: &'a str,
    pub(crate) status: i32,
    /// Its standard error.
    pub(crate) said: &'a str,
}

impl Deed<'_> {
    /// What makes it another than one that was looked at: the numbers of its messages.
    fn key(&self) -> String {
        let words = self.said.split(|c: char| !c.is_ascii_alphanumeric());
        let numbers: BTreeSet<&str> = words.filter(|word| word.starts_with("ARK")).collect();
        format!("{} {} {numbers:?}", self.action, self.status)
    }

    /// Whether it tells of a fault, or is a check that tells of none.
    fn counts(&self) -> bool {
        self.action == "quickCheck" || self.status != 0
    }
}

/// What both say of one moment.
struct Look {
    /// Status's word.
    verdict: String,
    /// Doctor's findings that are not well: level, check, number.
    findings: BTreeSet<(String, String, String)>,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |wanted: &str| {
            let ours = self.findings.iter().filter(|(level, ..)| level == wanted);
            let told: Vec<String> =
                ours.map(|(_, check, number)| format!("{check} {number}")).collect();
            if told.is_empty() { String::new() } else { format!(", {wanted}: {}", told.join(" ")) }
        };
        write!(f, "status {}, doctor{}{}", self.verdict, of("error"), of("warning"))
    }
}

/// Looks where an action has just ended, unless the row was looked at in the same state before.
#[track_caller]
pub(crate) fn look(scene: &Scene, deed: &Deed<'_>) {
    if !deed.counts() || !scene.is_new(deed.key()) {
        return;
    }
    let mut look = ask(scene);
    let mut wrong = look.wrong(deed);
    for _ in 1..TRIES {
        if wrong.is_none() {
            break;
        }
        thread::sleep(PAUSE);
        look = ask(scene);
        wrong = look.wrong(deed);
    }
    let told = format!("{} {}: {look}", deed.action, deed.status);
    println!("seen: {}: {}: {told}", scene.place, thread::current().name().unwrap_or_default());
    scene.looked(told);
    assert_eq!(wrong, None, "{} {}: {look}\n{}", deed.action, deed.status, deed.said);
}

/// Asks both.
fn ask(scene: &Scene) -> Look {
    let read = |command: &str| -> Value {
        let text = scene.sh(&format!("dovecot-ark {command} --json || true"));
        serde_json::from_str(&text).expect(&text)
    };
    let (status, doctor) = (read("status"), read("doctor --local"));
    let word = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let list = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let findings = list(&doctor, "findings");
    Look {
        verdict: word(&status, "verdict"),
        findings: findings
            .iter()
            .map(|one| (word(one, "level"), word(one, "check"), word(one, "number")))
            .filter(|(level, check, _)| level != "ok" && !OF_THE_LAB.contains(&check.as_str()))
            .collect(),
    }
}

impl Look {
    /// How bad the worst is that doctor says under one of these checks: 0 is well, 2 an error.
    fn worst(&self, counts: impl Fn(&str) -> bool) -> u32 {
        let ours = self.findings.iter().filter(|(_, check, _)| counts(check));
        ours.map(|(level, ..)| if level == "error" { 2 } else { 1 }).max().unwrap_or_default()
    }

    /// Whether doctor tells of the last action, or why it cannot.
    fn tells_of_action(&self) -> bool {
        self.findings.iter().any(|(_, check, number)| check == "action" || number == NO_NOTES)
    }

    /// What is greener than it may be.
    fn wrong(&self, deed: &Deed<'_>) -> Option<&'static str> {
        // Nobody has said that Dovecot is to serve from here, so a stopped one is a warning.
        let least = match self.verdict.as_str() {
            "up" => 0,
            "degraded" | "stopped" | "starting" | "stopping" => 1,
            _ => 2,
        };
        // What is on its way is over soon, or a fault in the next check.
        let on_its_way = ["verdict starting", "verdict stopping"];
        let warned =
            deed.said.contains(" WARN:") && !on_its_way.iter().any(|s| deed.said.contains(s));
        let changing = ["starting", "stopping"].contains(&self.verdict.as_str());
        if self.worst(|check| check == "verdict") < least {
            Some("doctor is greener than status")
        } else if deed.action == "quickCheck" && deed.status != 0 && self.verdict == "up" {
            Some("status is greener than quickCheck")
        } else if deed.status != 0 && !changing && !self.tells_of_action() {
            Some("doctor does not tell of the failed action")
        } else if deed.status != 0 && self.worst(|check| check != "action") == 0 {
            Some("doctor does not see why the action failed")
        } else if warned && self.verdict == "up" && self.worst(|_| true) == 0 {
            Some("neither of them sees what the check warns of")
        } else {
            None
        }
    }
}
