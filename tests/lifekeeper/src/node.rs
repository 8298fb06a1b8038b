//! One node: its state, what it knows of its peer, and how it asks it.
//!
//! The state is changed through [`Node::change`] only, which keeps the file in step and tells the
//! peer before it returns. No lock is held while a script runs or the peer is asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::error::{Failure, Result};
use crate::heartbeat;
use crate::log::Entry;
use crate::place::Place;
use crate::state::{CommPath, Condition, Counterpart, Resource, State};
use crate::wire::{Beat, Reply, Request, ask, connect};

/// What is known of another system.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    /// When each path last answered, by its remote address.
    pub(crate) heard: BTreeMap<String, Instant>,
    /// Whether any path is alive.
    pub(crate) alive: bool,
    /// What it last said.
    pub(crate) beat: Option<Beat>,
    /// The run of its engine that ended on purpose.
    pub(crate) left: Option<u64>,
}

/// What does not survive the engine.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Whether the engine is about to end.
    pub(crate) leaving: bool,
    /// The other systems.
    pub(crate) peers: BTreeMap<String, Peer>,
    /// Administrative locks, as flags.
    pub(crate) locks: Vec<String>,
}

/// A node with its engine.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) name: String,
    incarnation: u64,
    writing: Mutex<()>,
    state: Mutex<State>,
    live: Mutex<Live>,
}

impl Node {
    /// Reads the node's state.
    pub(crate) fn load(place: Place) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            name: place.uname(),
            incarnation: u64::try_from(now.as_millis()).unwrap_or_default(),
            writing: Mutex::default(),
            state: Mutex::new(State::load(&place.config("state.json"))?),
            live: Mutex::default(),
            place,
        })
    }

    /// A copy of the state.
    pub(crate) fn state(&self) -> State {
        hold(&self.state).clone()
    }

    /// A copy of a resource.
    pub(crate) fn resource(&self, tag: &str) -> Result<Resource> {
        hold(&self.state).resource(tag).cloned()
    }

    /// Changes the state, its file, and what the peer knows. A refused change changes nothing.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        // A disk that is slow holds up other changes, but no heartbeat.
        let writing = hold(&self.writing);
        let mut next = self.state();
        let outcome = change(&mut next)?;
        next.save(&self.place.config("state.json"))?;
        *hold(&self.state) = next;
        drop(writing);
        heartbeat::tell(self);
        Ok(outcome)
    }

    /// Sets a resource's state and the reason for it.
    pub(crate) fn set(&self, tag: &str, state: Condition, reason: &str) -> Result<()> {
        self.change(|all| {
            let resource = all.resource_mut(tag)?;
            resource.state = state;
            reason.clone_into(&mut resource.reason);
            resource.wanted = state.in_service();
            Ok(())
        })
    }

    /// Looks at or changes what does not survive the engine.
    pub(crate) fn live<T>(&self, look: impl FnOnce(&mut Live) -> T) -> T {
        look(&mut hold(&self.live))
    }

    /// Whether the engine is about to end.
    pub(crate) fn leaving(&self) -> bool {
        self.live(|live| live.leaving)
    }

    /// What this node says of itself.
    pub(crate) fn beat(&self) -> Beat {
        let state = hold(&self.state);
        let up = state.resources.iter().filter(|resource| resource.state.in_service());
        let in_service = up.map(|resource| resource.tag.clone()).collect();
        Beat { system: self.name.clone(), incarnation: self.incarnation, in_service }
    }

    /// Whether a system is ALIVE. This node is.
    pub(crate) fn alive(&self, system: &str) -> bool {
        system == self.name
            || self.live(|live| live.peers.get(system).is_some_and(|peer| peer.alive))
    }

    /// ALIVE or DEAD.
    pub(crate) fn system_state(&self, system: &str) -> &'static str {
        if self.alive(system) { "ALIVE" } else { "DEAD" }
    }

    /// Whether a live peer has the counterpart of a resource in service.
    pub(crate) fn up_there(&self, other: &Counterpart) -> bool {
        self.live(|live| {
            let peer = live.peers.get(&other.system).filter(|peer| peer.alive);
            let beat = peer.and_then(|peer| peer.beat.as_ref());
            beat.is_some_and(|beat| beat.in_service.contains(&other.tag))
        })
    }

    /// ALIVE or DEAD: whether a path answered within the limit.
    pub(crate) fn path_state(&self, path: &CommPath) -> &'static str {
        let limit = self.place.beat_limit();
        let alive = self.live(|live| {
            let heard = live.peers.get(&path.system).and_then(|peer| peer.heard.get(&path.remote));
            heard.is_some_and(|heard| heard.elapsed() <= limit)
        });
        if alive { "ALIVE" } else { "DEAD" }
    }

    /// Logs a line of the engine's own.
    pub(crate) fn log(&self, level: &str, tag: &str, message: &str) {
        Entry::engine(level, tag, message).write(&self.place);
    }

    /// Asks a system for something over the first path that leads there; returns the exit status.
    ///
    /// # Errors
    ///
    /// [`Failure::Communication`] when no path leads there, or the peer dies or takes too long.
    pub(crate) fn ask(&self, system: &str, request: &Request, reply: &mut Reply<'_>) -> Result<u8> {
        let mut paths = self.state().paths;
        paths.retain(|path| path.system == system);
        paths.sort_by_key(|path| (self.path_state(path) == "DEAD", path.priority));
        let end = Instant::now() + self.place.remote_limit();
        let patient = || self.alive(system) && Instant::now() < end;
        for path in paths.iter().filter(|_| self.alive(system)) {
            if let Ok(stream) = connect(&path.remote, self.place.beat_interval()) {
                let asked = ask(&stream, request, reply, &patient);
                return asked.map_err(|_| Failure::unreachable(system));
            }
        }
        Err(Failure::unreachable(system))
    }

    /// Asks a system for a step of an operation, which must succeed.
    ///
    /// # Errors
    ///
    /// As [`Node::ask`], and [`Failure::Status`] when the step failed there, which has said why.
    pub(crate) fn step(&self, system: &str, step: &Request, reply: &mut Reply<'_>) -> Result<()> {
        match self.ask(system, step, reply)? {
            0 => Ok(()),
            status => Err(Failure::Status(status)),
        }
    }
}

/// Holds a lock; a panic elsewhere has not harmed what it guards.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
