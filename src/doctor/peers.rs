//! The other nodes: each looks at itself, asked over LifeKeeper's own channel.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::finding::{Check, Finding};
use super::verdicts;
use crate::command::CommandOutput;
use crate::files::PROGRAM;
use crate::lifekeeper::installation::LifeKeeper;
use crate::messages::Message;
use crate::show::{FORMAT, KIT};
use crate::stderr;
use crate::system::System;
use crate::text::is_plain;

/// How long a peer may take to look at itself; see [`Facts::gather`].
const LIMIT: Duration = Duration::from_secs(90);

/// A node of the cluster, and what it saw of itself.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Node {
    /// Its name.
    #[serde(rename = "node")]
    pub(super) name: String,
    /// Whether LifeKeeper calls it alive.
    pub(super) alive: bool,
    /// Whether it answered.
    pub(super) reached: bool,
    /// What it saw; `null` where it did not answer. This may change in each version.
    #[cfg_attr(test, schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub(super) facts: Option<Facts>,
}

/// What a peer prints, as far as it is read.
#[derive(Deserialize)]
struct Answer {
    facts: Facts,
}

/// Why there are no facts of a peer that is alive.
#[derive(Debug, Eq, PartialEq)]
enum PeerError {
    /// It has another version of the kit, this one, which prints something else.
    OtherVersion(String),
    /// It printed no document.
    Nothing,
    /// It printed a document that is not the right one.
    Garbage(String),
}

/// Why it matters that a node was not looked at.
const UNSEEN: &str = "it is unknown whether a failover to it can succeed";

/// Asks all other nodes that are alive, and assesses each of them; each may take 95 s.
pub(super) fn ask(system: &impl System, root: &Path, here: &Facts) -> (Vec<Node>, Vec<Finding>) {
    let none = |finding: Finding| (Vec::new(), vec![finding]);
    let differ = "it is unknown whether the nodes agree";
    let engine = match LifeKeeper::find(root) {
        Ok(engine) if here.installed.node.known().is_some() => engine,
        _ => {
            return none(
                Finding::warning(Check::Peer, Message::DoctorNoPeers)
                    .what("no other node was looked at, because LifeKeeper does not run here")
                    .why(differ)
                    .cure("start LifeKeeper and run `dovecot-ark doctor` again"),
            );
        }
    };
    let names = match engine.peers(system) {
        Ok(names) => names,
        Err(cause) => {
            return none(
                Finding::error(Check::Peer, Message::DoctorPeersUnknown)
                    .what(format!("LifeKeeper does not list the other nodes: {cause}"))
                    .why(differ)
                    .run(here.installed.command("sys_list")),
            );
        }
    };
    if names.is_empty() {
        let what = "LifeKeeper knows no other node (Single Server Protection)";
        return none(Finding::ok(Check::Peer, what));
    }
    let mut nodes = Vec::new();
    let mut findings = Vec::new();
    for name in &names {
        let alive = engine.is_alive(system, name);
        let (facts, finding) = ask_one(system, &engine, name, alive, here);
        findings.push(finding.on(name));
        findings.extend(facts.iter().flat_map(verdicts::assess));
        nodes.push(Node { name: name.clone(), alive, reached: facts.is_some(), facts });
    }
    let alive: Vec<&str> =
        nodes.iter().filter(|node| node.alive).map(|node| node.name.as_str()).collect();
    findings.extend(verdicts::extension::assess(here, &alive));
    (nodes, findings)
}

fn ask_one(
    system: &impl System,
    engine: &LifeKeeper,
    name: &str,
    alive: bool,
    here: &Facts,
) -> (Option<Facts>, Finding) {
    if !alive {
        let finding = Finding::warning(Check::Peer, Message::DoctorPeerDead)
            .what(format!("{name} was not looked at: LifeKeeper does not call it alive"))
            .why(UNSEEN)
            .cure("run `dovecot-ark doctor` again when it is back");
        return (None, finding);
    }
    let extended = here.resource.extended.known();
    let tag = extended.and_then(|there| there.get(name)).unwrap_or(&here.resource.tag);
    if !is_plain(tag) {
        let finding = Finding::error(Check::Peer, Message::DoctorPeerTag)
            .what(format!("{name} was not looked at: the tag {tag:?} is no plain word for a shell"))
            .why(UNSEEN)
            .cure(format!("run `dovecot-ark doctor` on {name} itself"));
        return (None, finding);
    }
    let line = format!("{PROGRAM} doctor --local --json --tag={tag}");
    let shown = stderr::waiting(format!("waiting for the answer of {name}"), LIMIT);
    let ended = engine.remote(system, name, &line, LIMIT);
    drop(shown);
    match read(&ended.answer, name) {
        Ok(facts) => {
            let what = format!("{name} is alive and has looked at itself");
            (Some(facts), Finding::ok(Check::Peer, what))
        }
        Err(cause) => (None, unread(name, &cause, &ended)),
    }
}

/// Reads the document in what a peer printed; LifeKeeper may print words around it.
fn read(answer: &str, name: &str) -> Result<Facts, PeerError> {
    let document =
        answer.find('{').zip(answer.rfind('}')).and_then(|(from, to)| answer.get(from..=to));
    let document: serde_json::Value = document
        .and_then(|document| serde_json::from_str(document).ok())
        .ok_or(PeerError::Nothing)?;
    let kit = document.get("kit").and_then(serde_json::Value::as_str).map(str::to_owned);
    let other = kit.filter(|kit| kit != KIT);
    let format = document.get("format").and_then(serde_json::Value::as_u64);
    match (format == Some(FORMAT), serde_json::from_value::<Answer>(document)) {
        (true, Ok(Answer { mut facts })) => {
            // Where LifeKeeper does not tell it there, it is known here.
            name.clone_into(&mut facts.installed.host);
            if facts.node() == name {
                Ok(facts)
            } else {
                Err(PeerError::Garbage(format!("it is that of {:?}", facts.node())))
            }
        }
        (_, Err(cause)) if other.is_none() => Err(PeerError::Garbage(cause.to_string())),
        (false, Ok(_)) if other.is_none() => Err(PeerError::Garbage("another format".into())),
        _ => Err(other.map_or(PeerError::Nothing, PeerError::OtherVersion)),
    }
}

fn unread(name: &str, cause: &PeerError, ended: &CommandOutput) -> Finding {
    match cause {
        PeerError::OtherVersion(kit) => Finding::error(Check::Peer, Message::DoctorPeerVersion)
            .what(format!(
                "{name} has another version of the kit, {kit}, and its answer is not understood; \
                 here is {KIT}"
            ))
            .why(UNSEEN)
            .cure(format!(
                "install the package dovecot-ark {KIT} on {name}, or the newer one on all nodes"
            )),
        PeerError::Garbage(cause) => Finding::error(Check::Peer, Message::DoctorPeerGarbage)
            .what(format!("{name} gave an answer that is not understood: {cause}"))
            .why(UNSEEN)
            .cure(format!("run `dovecot-ark doctor` on {name} itself")),
        PeerError::Nothing => Finding::error(Check::Peer, Message::DoctorPeerSilent)
            .what(format!("{name} gave no answer: {ended}"))
            .why("LifeKeeper's copies of the stubs call this program there, on a failover too")
            .cure(format!(
                "install the package dovecot-ark {KIT} on {name}, and run `{PROGRAM} doctor` there"
            )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::healthy;
    use super::*;
    use crate::command::End;
    use serde_json::{Value, json};

    fn document() -> Value {
        json!({"format": FORMAT, "kit": KIT, "node": "node2", "facts": healthy("node2"),
               "findings": []})
    }

    #[test]
    fn the_facts_of_a_peer_are_read_whatever_stands_around_them() {
        let document = document();
        for text in [
            document.to_string(),
            format!("Authorized use only!\n{document:#}\nlcdremexec: done\n"),
        ] {
            let facts = read(&text, "node2").unwrap_or_else(|cause| panic!("{cause:?}: {text}"));
            assert_eq!(facts.node(), "node2");
        }
    }

    #[test]
    fn what_a_peer_of_another_version_or_no_kit_prints_is_told_apart() {
        let change = |name: &str, value: Value| {
            let mut document = document();
            document[name] = value;
            document
        };
        let newer = |mut document: Value| {
            document["kit"] = "99.0".into();
            document.to_string()
        };
        let mut lacking = document();
        lacking["facts"].as_object_mut().expect("an object").remove("network");
        let other = PeerError::OtherVersion("99.0".into());
        for (text, expected) in [
            ("sh: 1: /usr/sbin/dovecot-ark: not found\n".to_owned(), Some(&PeerError::Nothing)),
            (String::new(), Some(&PeerError::Nothing)),
            ("}{".to_owned(), Some(&PeerError::Nothing)),
            ("{\"format\": 1, ".to_owned(), Some(&PeerError::Nothing)),
            (format!("{}1{}", "[".repeat(1000), "]".repeat(1000)), Some(&PeerError::Nothing)),
            (newer(change("format", (FORMAT + 1).into())), Some(&other)),
            (newer(lacking.clone()), Some(&other)),
            (newer(change("facts", "no".into())), Some(&other)),
            (lacking.to_string(), None),
            (change("format", (FORMAT + 1).into()).to_string(), None),
            (change("facts", json!([1, 2])).to_string(), None),
            (change("facts", json!(healthy("node3"))).to_string(), None),
            ("{}".to_owned(), None),
        ] {
            let cause = read(&text, "node2").map(|facts| facts.node().to_owned()).expect_err(&text);
            match expected {
                Some(expected) => assert_eq!(&cause, expected, "{text:.200}"),
                None => assert!(matches!(cause, PeerError::Garbage(_)), "{cause:?}: {text:.200}"),
            }
        }
        let same_format = newer(document());
        assert!(
            read(&same_format, "node2").is_ok(),
            "a newer version that prints the same is understood"
        );
    }

    #[test]
    fn a_peer_without_an_answer_is_an_error_that_shows_what_came_instead() {
        let ended = CommandOutput {
            end: End::Exited(127),
            output: String::new(),
            answer: "sh: /usr/sbin/dovecot-ark: not found".into(),
        };
        let finding = unread("node2", &PeerError::Nothing, &ended);
        assert!(finding.what.ends_with("exit status 127: sh: /usr/sbin/dovecot-ark: not found"));
        let finding = unread("node2", &PeerError::OtherVersion("99.0".into()), &ended);
        assert!(finding.what.starts_with("node2 has another version of the kit, 99.0"));
    }
}
