//! Dovecot under real Corosync and Pacemaker, with the kit as a resource agent.

#![expect(clippy::expect_used, reason = "a test that finds the cluster otherwise ends there")]

mod conformance;
mod life;
mod three;

use std::path::PathBuf;
use std::time::Duration;

use lab::{Node, Pacemaker, Trial};

/// The longest wait for what comes of an event.
const LIMIT: Duration = Duration::from_mins(1);

/// The kit's agent on a node.
const AGENT: &str = "/usr/lib/ocf/resource.d/dovecot-ark/dovecot";

/// The kit's program.
fn kit() -> PathBuf {
    lab::program("dovecot-ark").expect("the program")
}

/// Lets something happen, after which this node must serve.
#[track_caller]
fn mail(
    trial: &mut Trial,
    event: &str,
    node: usize,
    happen: impl FnOnce(&Pacemaker, usize) -> lab::Result<()>,
) {
    let came = trial.event(LIMIT, happen).expect(event);
    println!("{event}: {came:?}");
    assert!(came.downtime.is_some(), "{event}: {:?}", trial.cluster.state());
    assert_eq!(trial.cluster.serving().expect("the nodes"), [node], "{event}");
}

/// Runs a script on a node, which must succeed.
#[track_caller]
fn on(node: &Node, script: &str) -> String {
    let done = node.sh(script).expect("a command");
    assert!(done.success(), "{script}: {done:?}");
    done.stdout
}

/// Ends what is watched: no message is lost, and never were there two masters.
#[track_caller]
fn judge(trial: Trial) {
    let verdict = trial.end().expect("a verdict");
    assert_eq!(verdict.missing, Vec::<String>::new());
    assert!(verdict.seen.violations.is_empty(), "{:?}", verdict.seen.violations);
    let (messages, looks) = (verdict.acknowledged, verdict.seen.samples);
    println!("{messages} messages, {looks} looks for two masters");
}
