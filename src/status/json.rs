//! The status for a program. Times are in seconds, to the microsecond.

use std::time::Duration;

use serde::Serialize;

use super::protection::{LocalState, Peer, Protection};
use super::{Report, Running};
use crate::dovecot::history::EventReport;
use crate::dovecot::login;
use crate::dovecot::look::{self, Look};
use crate::dovecot::service::Status;
use crate::dovecot::verdict::Verdict;
use crate::lifekeeper::state::State;
use crate::messages::Remark;
use crate::probe::attempt::Attempt;

/// What `status --json` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Content {
    /// The resource's tag.
    tag: String,
    /// `up`: in operation. `degraded`: the same, and somebody should look. `failed`: a process
    /// lives, and something else is wrong. `stopped`: no process lives. `starting`, `stopping`: an
    /// action runs, so that nothing follows from the checks. `unknown`: the processes cannot be seen.
    verdict: Verdict,
    /// When it became so: local time as RFC 3339 writes it; `null` where that is not known.
    since: Option<String>,
    /// What is wrong, a sentence each; empty when the verdict is `up` or `degraded`.
    causes: Vec<String>,
    /// What is odd and no fault: a status that did not answer, two masters, settings that are not
    /// understood.
    warnings: Vec<Remark>,
    /// The action that runs now.
    action: Option<Running>,
    /// The last action that changed something; `null` when none is known since the boot.
    last: Option<EventReport>,
    /// The three checks.
    checks: Checks,
    /// What LifeKeeper says.
    lifekeeper: LifeKeeper,
}

/// The three checks.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Checks {
    process: Process,
    /// One for each entry of `APP_DOVECOT_IP_LIST`, in its order.
    connections: Vec<Connection>,
    /// The look at a mailbox, with `APP_DOVECOT_PROBE=login`; `null` when none was made.
    login: Option<Login>,
    service: Service,
}

/// Check 1: is there a master?
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Process {
    result: ProcessResult,
    /// The masters that live.
    pids: Vec<i32>,
    /// How long the look took.
    seconds: f64,
}

/// Whether a master lives.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum ProcessResult {
    /// One lives.
    Found,
    /// None lives.
    #[serde(rename = "not found")]
    NotFound,
}

/// Check 2, one entry: does it greet?
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Connection {
    /// The entry's address and port.
    endpoint: String,
    result: ConnectionResult,
    /// Why it did not connect.
    cause: Option<String>,
    /// How long it took.
    seconds: Option<f64>,
    /// How many whole days the server's certificate has left, below 0 when it has ended; `null`
    /// without TLS.
    certificate_days: Option<i64>,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum ConnectionResult {
    /// It came about, and what was to be seen there was seen.
    Connected,
    /// It did not.
    Failed,
    /// The check itself could not tell.
    Unknown,
    /// Nobody connects where no process lives or an action runs.
    #[serde(rename = "not tried")]
    NotTried,
}

/// What check 2 saw behind a greeting.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Login {
    result: Visited,
    /// Why it did not pass.
    cause: Option<String>,
}

/// What became of a look at a mailbox.
#[derive(Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum Visited {
    /// It was opened.
    Passed,
    /// It was not, and that is no fault.
    Warned,
    /// It was not.
    Failed,
}

/// Check 3: what does the service manager say?
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Service {
    result: StatusResult,
    /// Why it is not alive.
    cause: Option<String>,
    /// How long the answer took.
    seconds: f64,
}

/// What the service manager says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum StatusResult {
    /// It runs.
    Alive,
    /// It does not.
    Dead,
    /// There was no answer.
    Unknown,
}

/// What LifeKeeper says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LifeKeeper {
    /// Whether it runs here; `null` when it does not say.
    running: Option<bool>,
    /// Its name of this node.
    node: Option<String>,
    /// The resource's state here.
    state: Option<State>,
    /// Why the state, or where the resource was extended to, is not known.
    cause: Option<String>,
    /// The other systems to which the resource was extended.
    peers: Vec<PeerResource>,
}

/// The resource on another system.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PeerResource {
    /// LifeKeeper's name of that system.
    system: String,
    /// Whether LifeKeeper calls it alive; `null` when it was not asked.
    alive: Option<bool>,
    /// The resource's tag there.
    tag: String,
    /// The resource's state there.
    state: Option<State>,
    /// Why the state is not known.
    cause: Option<String>,
}

impl Content {
    pub(super) fn new(report: &Report) -> Self {
        let look = &report.look;
        Self {
            tag: report.tag.to_string(),
            verdict: report.verdict(),
            since: report.since.clone(),
            causes: report.causes(),
            warnings: report.warnings(),
            action: report.action.clone(),
            last: report.last.clone(),
            checks: Checks {
                process: Process {
                    result: if look.checks.masters.is_empty() {
                        ProcessResult::NotFound
                    } else {
                        ProcessResult::Found
                    },
                    pids: look.checks.masters.iter().map(|master| master.pid).collect(),
                    seconds: seconds(look.process_time),
                },
                connections: look.connections.iter().map(connection).collect(),
                login: look.checks.login.as_ref().map(login),
                service: service(look),
            },
            lifekeeper: lifekeeper(&report.protection),
        }
    }
}

fn connection(look::Connection { endpoint, attempt }: &look::Connection) -> Connection {
    let (result, cause) = match attempt.as_ref().map(|attempt| &attempt.outcome) {
        Ok(Ok(())) => (ConnectionResult::Connected, None),
        Ok(Err(cause)) if cause.tells_nothing() => {
            (ConnectionResult::Unknown, Some(cause.to_string()))
        }
        Ok(Err(cause)) => (ConnectionResult::Failed, Some(cause.to_string())),
        Err(cause) => (ConnectionResult::NotTried, Some((*cause).to_owned())),
    };
    let attempt = attempt.as_ref().ok();
    Connection {
        endpoint: endpoint.to_string(),
        result,
        cause,
        seconds: attempt.map(|attempt| seconds(attempt.took)),
        certificate_days: attempt.and_then(Attempt::certificate_days),
    }
}

fn login(seen: &login::Login) -> Login {
    let (result, cause) = match seen {
        login::Login::Passed(_) => (Visited::Passed, None),
        login::Login::Warned(words) => (Visited::Warned, Some(words.clone())),
        login::Login::Failed(words) => (Visited::Failed, Some(words.clone())),
    };
    Login { result, cause }
}

fn service(look: &Look) -> Service {
    let (result, cause) = match &look.checks.status {
        Status::Alive => (StatusResult::Alive, None),
        Status::Dead(cause) => (StatusResult::Dead, Some(cause.clone())),
        Status::Unknown(cause) => (StatusResult::Unknown, Some(cause.clone())),
    };
    Service { result, cause, seconds: seconds(look.service_time) }
}

fn lifekeeper(protection: &Protection) -> LifeKeeper {
    let (state, here_cause) = match &protection.here {
        LocalState::Known(state) => (Some(*state), None),
        LocalState::Unprotected(cause) | LocalState::NotKnown(cause) => (None, Some(cause.clone())),
    };
    let other = |peer: &Peer| PeerResource {
        system: peer.system.clone(),
        alive: peer.alive,
        tag: peer.tag.clone(),
        state: peer.state.as_ref().ok().copied(),
        cause: peer.state.as_ref().err().cloned(),
    };
    LifeKeeper {
        running: protection.running,
        node: protection.node.clone(),
        state,
        cause: here_cause.or_else(|| protection.peers.as_ref().err().cloned()),
        peers: protection.peers.iter().flatten().map(other).collect(),
    }
}

/// To the microsecond: what is finer says nothing.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::super::tests::Scene;
    use super::*;
    use crate::command::End;
    use crate::probe::attempt::{Attempt, Refusal};
    use crate::probe::endpoint::Endpoint;
    use serde_json::{Value, json};

    fn value(scene: &Scene) -> Value {
        serde_json::to_value(Content::new(&scene.report())).expect("a document")
    }

    #[test]
    fn the_shape_is_as_it_was_promised() {
        let expected = json!({
            "tag": "dovecot",
            "verdict": "up",
            "causes": [],
            "warnings": [],
            "action": null,
            "last": null,
            "checks": {
                "process": { "result": "found", "pids": [100], "seconds": 0.0 },
                "connections": [{
                    "endpoint": "127.0.0.1:143",
                    "result": "connected",
                    "cause": null,
                    "seconds": 0.001,
                    "certificate_days": null,
                }],
                "login": null,
                "service": { "result": "alive", "cause": null, "seconds": 0.01 },
            },
            "lifekeeper": {
                "running": true,
                "node": "node1",
                "state": "ISP",
                "cause": null,
                "peers": [{
                    "system": "node2",
                    "alive": true,
                    "tag": "mail2",
                    "state": "OSU",
                    "cause": null,
                }],
            },
        });
        let mut told = value(&Scene::protected());
        let fields = told.as_object_mut().expect("an object");
        assert!(fields.remove("since").is_some_and(|since| since.is_string()));
        assert_eq!(told, expected);
    }

    #[test]
    fn an_entry_that_could_not_be_checked_has_not_failed() {
        let of = |mark: &str, refusal| {
            let attempt = Attempt {
                outcome: Err(refusal),
                took: Duration::ZERO,
                certificate: None,
                visited: None,
            };
            let endpoint = Endpoint::parse(&format!("{mark}192.0.2.1:993")).expect("an entry");
            let all = connection(&look::Connection { endpoint, attempt: Ok(attempt) });
            (all.endpoint, all.result, all.cause.expect("a cause"))
        };
        let (endpoint, result, cause) = of("plain:", Refusal::NotTried("no room".into()));
        assert_eq!((&*endpoint, result), ("plain:192.0.2.1:993", ConnectionResult::Unknown));
        assert_eq!(cause, "not checked: no room");
        let (endpoint, result, _) = of("connect:", Refusal::Closed);
        assert_eq!((&*endpoint, result), ("connect:192.0.2.1:993", ConnectionResult::Failed));
    }

    #[test]
    fn no_field_goes_when_nothing_can_be_said() {
        let scene = Scene::stopped();
        scene.machine.reply("status", |_| (End::TimedOut(Duration::ZERO), Duration::ZERO));
        let _lock = scene.busy();
        let stopped = value(&scene);
        let untried = json!([{
            "endpoint": "127.0.0.1:143",
            "result": "not tried",
            "cause": "an action is running",
            "seconds": null,
            "certificate_days": null,
        }]);
        assert_eq!(stopped["verdict"], "stopping");
        assert_eq!(stopped["action"], json!({ "name": "remove", "pid": 4242 }));
        assert_eq!(stopped["causes"][0], "no process named dovecot");
        assert_eq!(stopped["checks"]["process"]["result"], "not found");
        assert_eq!(stopped["checks"]["connections"], untried);
        assert_eq!(stopped["checks"]["service"]["result"], "unknown");
        assert_eq!(stopped["lifekeeper"]["running"], false);
        for name in ["node", "state"] {
            assert_eq!(stopped["lifekeeper"].get(name), Some(&Value::Null), "{name}");
        }

        let scene = Scene::protected();
        scene.say("sys_getst -s node2", "DEAD\n");
        let peer = &value(&scene)["lifekeeper"]["peers"][0];
        assert_eq!((&peer["alive"], peer.get("state")), (&json!(false), Some(&Value::Null)));
        assert_eq!(peer["cause"], "LifeKeeper does not call it alive");
        scene.say("eqv_list", "");
        scene.say("eqv_list -t dovecot", "what?");
        let lost = value(&scene);
        assert_eq!(lost["lifekeeper"]["state"], "ISP");
        assert!(lost["lifekeeper"]["cause"].as_str().is_some_and(|cause| cause.contains("what?")));
    }

    #[test]
    fn a_look_at_a_mailbox_is_told_with_what_follows_from_it() {
        let scene = Scene::protected();
        scene.root.write("etc/default/LifeKeeper", "APP_DOVECOT_PROBE=login\n");
        let untold = &value(&scene)["checks"]["login"];
        assert_eq!(untold["result"], "warned");
        let cause = untold["cause"].as_str().expect("a cause");
        assert!(cause.starts_with("no login was tried: /etc/dovecot-ark/login: "), "{cause}");
        let told = |seen| {
            let Login { result, cause } = super::login(&seen);
            (result, cause)
        };
        assert_eq!(told(login::Login::Passed(None)), (Visited::Passed, None));
        assert_eq!(told(login::Login::Failed("x".into())), (Visited::Failed, Some("x".into())));
    }

    #[test]
    fn a_time_is_written_as_short_as_it_can_be() {
        for (nanos, text) in [(4_123_499, "0.004123"), (5_000_001_000, "5.000001"), (0, "0.0")] {
            let number = seconds(Duration::from_nanos(nanos));
            assert_eq!(serde_json::to_string(&number).expect("a number"), text);
        }
    }
}
