//! Heartbeats: who is alive, who has what in service, and what to do when the peer dies.
//!
//! A path is alive while it answered within LCMHBEATTIME × LCMNUMHBEATS; a peer is alive while a
//! path is. A peer that left on purpose is dead without a failover.

use std::thread;
use std::time::Instant;

use crate::admin::AdminLock;
use crate::hierarchy;
use crate::node::{Live, Node};
use crate::state::CommPath;
use crate::times;
use crate::wire::{Answer, Beat, Request, ask, connect};

/// Keeps one path under watch until the engine ends.
pub(crate) fn watch(node: &'static Node, path: &CommPath) {
    while !node.leaving() {
        let answered = exchange(node, path);
        note(node, path, answered);
        thread::sleep(node.place.beat_interval());
    }
}

/// Exchanges heartbeats over one path; whether the peer answered that has not left.
fn exchange(node: &Node, path: &CommPath) -> bool {
    let Ok(stream) = connect(&path.remote, node.place.beat_interval()) else { return false };
    let (begin, limit) = (Instant::now(), node.place.beat_limit());
    let mut answered = false;
    let mut reply = |answer| {
        if let Answer::Beat(beat) = answer {
            answered = beat.system == path.system && hear(node, &beat);
        }
    };
    let _ = ask(&stream, &Request::Beat(node.beat()), &mut reply, &|| begin.elapsed() < limit);
    answered
}

/// Tells the live peer what is in service here, and hears what is there.
pub(crate) fn tell(node: &Node) {
    for system in node.state().systems {
        let mut reply = |answer| {
            if let Answer::Beat(beat) = answer {
                hear(node, &beat);
            }
        };
        // One that does not answer is found out by those who watch the paths.
        let _ = node.ask(&system, &Request::Beat(node.beat()), &mut reply);
    }
}

/// Remembers what a peer says of itself; true when it is news from a run that has not left.
pub(crate) fn hear(node: &Node, beat: &Beat) -> bool {
    node.live(|live| {
        let peer = live.peers.entry(beat.system.clone()).or_default();
        if peer.left == Some(beat.incarnation) {
            return false;
        }
        peer.left = None;
        let old = peer.beat.replace(beat.clone());
        if old.is_some_and(|old| old.incarnation != beat.incarnation) {
            forget_locks(live, &beat.system);
        }
        true
    })
}

/// Remembers that a peer stops on purpose.
pub(crate) fn leave(node: &Node, beat: &Beat) {
    node.log("NOTIFY", "", &format!("system \"{}\" has been stopped", beat.system));
    node.live(|live| {
        forget_locks(live, &beat.system);
        let peer = live.peers.entry(beat.system.clone()).or_default();
        peer.left = Some(beat.incarnation);
        peer.alive = false;
        peer.heard.clear();
    });
}

fn forget_locks(live: &mut Live, system: &str) {
    let owner = format!("!{system}:");
    live.locks.retain(|lock| !lock.contains(&owner));
}

/// Draws the conclusions from an answer on a path, or from none.
fn note(node: &'static Node, path: &CommPath, answered: bool) {
    let limit = node.place.beat_limit();
    let system = &path.system;
    let (before, after) = node.live(|live| {
        let peer = live.peers.entry(system.clone()).or_default();
        let before = peer.alive;
        if answered {
            peer.heard.insert(path.remote.clone(), Instant::now());
        }
        peer.heard.retain(|_, heard| heard.elapsed() <= limit);
        peer.alive = !peer.heard.is_empty();
        let after = peer.alive;
        if before && !after {
            forget_locks(live, system);
        }
        (before, after)
    });
    if after && !before {
        node.log("NOTIFY", "", &format!("system \"{system}\" is ALIVE"));
        warn_of_doubles(node, system);
    } else if before && !after {
        times::note(&node.place, &format!("dead {system}"));
        node.log("ERROR", "", &format!("all paths to system \"{system}\" are dead"));
        let system = system.clone();
        thread::spawn(move || take_over(node, &system));
    }
}

/// Brings in service what a dead peer had in service.
fn take_over(node: &Node, system: &str) {
    let Ok(_lock) = AdminLock::take(node, "failover") else {
        node.log("ERROR", "", &format!("taking over from \"{system}\": the lock is held"));
        return;
    };
    if node.alive(system) {
        return;
    }
    let beat = node.live(|live| live.peers.get(system).and_then(|peer| peer.beat.clone()));
    let theirs = beat.map(|beat| beat.in_service).unwrap_or_default();
    let state = node.state();
    let mut lost = state.all();
    lost.retain(|tag| {
        let other = state.resource(tag).ok().and_then(|resource| resource.other.as_ref());
        other.is_some_and(|other| other.system == system && theirs.contains(&other.tag))
    });
    for root in state.roots(&lost) {
        node.log("NOTIFY", &root, &format!("failover of \"{root}\" from \"{system}\""));
        if let Err(cause) = hierarchy::restore(node, &root, &mut |_| ()) {
            node.log("ERROR", &root, &format!("failover of \"{root}\": {cause}"));
        }
    }
}

/// Says so when both nodes have the same thing in service, as after a split brain.
fn warn_of_doubles(node: &Node, system: &str) {
    // A: neither side is taken out; that is left to the operator.
    for resource in node.state().resources {
        let double = resource.other.is_some_and(|other| node.up_there(&other));
        if double && resource.state.in_service() {
            let tag = &resource.tag;
            node.log("EMERG", tag, &format!("\"{tag}\" is in service here and on \"{system}\""));
        }
    }
}
