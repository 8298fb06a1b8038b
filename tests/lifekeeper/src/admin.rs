//! The administrative lock: one operation at a time in the whole cluster.
//!
//! It is a flag on every live system, taken in the order of their names so that two nodes cannot
//! wait for each other. A node that dies or starts anew gives up what it held.

use std::process;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::error::{Failure, Result};
use crate::heartbeat;
use crate::node::Node;
use crate::wire::{LOOK, Request};

/// The lock, until it is dropped.
#[derive(Debug)]
pub(crate) struct AdminLock<'a> {
    node: &'a Node,
    flag: String,
    held: Vec<String>,
}

impl<'a> AdminLock<'a> {
    /// Takes the lock on every live system, then asks the peer anew what it has in service.
    ///
    /// # Errors
    ///
    /// [`Failure::System`] when others hold it longer than a peer may take to answer.
    pub(crate) fn take(node: &'a Node, tag: &str) -> Result<Self> {
        // D: the flag's form; A: waiting for it instead of failing at once.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let flag = format!("!action!{}!{now}!{}:{tag}", process::id(), node.name);
        let mut lock = Self { node, flag, held: Vec::new() };
        let mut systems = node.state().systems;
        systems.push(node.name.clone());
        systems.sort();
        let end = Instant::now() + node.place.remote_limit();
        for system in systems {
            while node.alive(&system) && !lock.take_on(&system) {
                if Instant::now() > end {
                    let doing = format!("locking \"{tag}\" on {system}");
                    return Err(Failure::System(format!("{doing}: another operation still runs")));
                }
                thread::sleep(LOOK / 2);
            }
        }
        heartbeat::tell(node);
        Ok(lock)
    }

    fn take_on(&mut self, system: &str) -> bool {
        let taken = if system == self.node.name {
            take_here(self.node, &self.flag)
        } else {
            let request = Request::Lock(self.flag.clone());
            self.node.step(system, &request, &mut |_| ()).is_ok()
        };
        if taken {
            self.held.push(system.to_owned());
        }
        taken
    }
}

impl Drop for AdminLock<'_> {
    fn drop(&mut self) {
        for system in &self.held {
            if *system == self.node.name {
                give_back(self.node, &self.flag);
            } else {
                // A system that cannot be reached forgets the lock with its holder.
                let request = Request::Unlock(self.flag.clone());
                let _ = self.node.ask(system, &request, &mut |_| ());
            }
        }
    }
}

/// Takes the lock on this node, unless somebody holds it.
pub(crate) fn take_here(node: &Node, flag: &str) -> bool {
    node.live(|live| {
        let free = live.locks.is_empty();
        if free {
            live.locks.push(flag.to_owned());
        }
        free
    })
}

/// Gives the lock on this node back.
pub(crate) fn give_back(node: &Node, flag: &str) {
    node.live(|live| live.locks.retain(|lock| lock != flag));
}
