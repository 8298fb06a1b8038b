//! Nodes with a network between them, shared storage, and disks that survive a power cut.
//!
//! [`Cluster::bare`] has nothing but Dovecot installed; [`Cluster::start`] adds the kit and
//! LifeKeeper's stand-in. All of it hangs on one process, the rack: dropping the cluster, or the
//! death of this process, leaves nothing behind.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::image::Suite;
use crate::node::Node;
use crate::poller::Poller;
use crate::rack::{MOST, NODES, Rack, host};
use crate::wait::until;
use crate::watch::Watch;

/// The directory that both nodes see; the file-system resource binds its subdirectory `block`.
pub const SHARED: &str = "/mnt/shared";
/// How long the kernel may take to bury a node before it is left to the cluster's end.
const BURIAL: Duration = Duration::from_millis(500);

/// The nodes that are on.
#[derive(Debug, Default)]
pub(crate) struct Slots([Mutex<Option<Arc<Node>>>; MOST]);

impl Slots {
    /// Returns a node; none when it is off or there is no such node.
    pub(crate) fn get(&self, node: usize) -> Option<Arc<Node>> {
        self.hold(node)?.clone()
    }

    /// Takes hold of a node's place.
    fn hold(&self, node: usize) -> Option<MutexGuard<'_, Option<Arc<Node>>>> {
        let slot = self.0.get(node.checked_sub(1)?)?;
        Some(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A cluster; dropping it ends all of it.
#[derive(Debug)]
pub struct Cluster {
    nodes: Arc<Slots>,
    /// Nodes that are off, and wait for the end of commands that were started in them from here.
    dying: Mutex<Vec<Arc<Node>>>,
    rack: Rack,
    size: usize,
}

impl Cluster {
    /// Starts two clean nodes without kit and LifeKeeper; the image is built before, if need be.
    ///
    /// # Errors
    ///
    /// When the caller is not root, the image cannot be built, or a node does not boot.
    pub fn bare() -> Result<Self> {
        Self::bare_on(Suite::Bookworm, NODES.len())
    }

    /// Starts so many clean nodes that are another Debian, as [`Cluster::bare`].
    pub(crate) fn bare_on(suite: Suite, size: usize) -> Result<Self> {
        if size > MOST {
            return Err(Error::failed("starting a cluster", format!("{size} nodes are too many")));
        }
        let rack = Rack::start(suite, size)?;
        let cluster = Self { nodes: Arc::default(), dying: Mutex::default(), rack, size };
        on_each(cluster.nodes(), |node| cluster.boot(node))?;
        Ok(cluster)
    }

    /// Returns the nodes' numbers, whether they are on or off.
    #[must_use]
    pub fn nodes(&self) -> RangeInclusive<usize> {
        1..=self.size
    }

    /// Returns the first node that is on.
    ///
    /// # Errors
    ///
    /// When none is.
    pub fn any(&self) -> Result<Arc<Node>> {
        let node = self.nodes().find_map(|node| self.node(node).ok());
        node.ok_or_else(|| Error::failed("using a node", "none is on"))
    }

    /// Returns a node by its number, from 1 on.
    ///
    /// It stays the node of this boot: after a power cut or a boot it must be asked for again.
    ///
    /// # Errors
    ///
    /// When it is off.
    pub fn node(&self, node: usize) -> Result<Arc<Node>> {
        let found = self.nodes.get(node).filter(|found| found.is_on());
        found.ok_or_else(|| Error::failed(format!("using {}", host(node)), "it is off"))
    }

    /// Cuts a node's power: its network is gone first, so its peers hear no farewell.
    ///
    /// Nothing happens to a node that is off.
    ///
    /// # Errors
    ///
    /// When its network cannot be taken away.
    pub fn power_cut(&self, node: usize) -> Result<()> {
        self.rack.unplug(node)?;
        let Some(found) = self.nodes.hold(node).and_then(|mut slot| slot.take()) else {
            return Ok(());
        };
        found.cut();
        if !found.is_gone_within(BURIAL) {
            self.dying.lock().unwrap_or_else(PoisonError::into_inner).push(found);
        }
        Ok(())
    }

    /// Switches a node on, from the disk it had; a node that is on is power-cut before.
    ///
    /// # Errors
    ///
    /// When it does not boot.
    pub fn boot(&self, node: usize) -> Result<()> {
        self.power_cut(node)?;
        let booted = Arc::new(self.rack.boot(node)?);
        let slot = self.nodes.hold(node);
        let mut slot = slot.ok_or_else(|| Error::failed("booting a node", "there is no such"))?;
        *slot = Some(booted);
        Ok(())
    }

    /// Waits until a node has powered itself off, and returns how long that took.
    ///
    /// # Errors
    ///
    /// [`Error::Late`] when it is still on after `limit`.
    pub fn wait_for_power_off(&self, node: usize, limit: Duration) -> Result<Duration> {
        let start = Instant::now();
        let doing = format!("waiting for {} to power off", host(node));
        until(&doing, limit, Duration::from_millis(10), || Ok(!self.is_on(node)))?;
        Ok(start.elapsed())
    }

    /// Tells whether a node is on.
    #[must_use]
    pub fn is_on(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|found| found.is_on())
    }

    /// Pulls a node's network cable; it runs on and no one hears it.
    ///
    /// # Errors
    ///
    /// When the node is off.
    pub fn unplug(&self, node: usize) -> Result<()> {
        self.rack.pull(node)
    }

    /// Lists the nodes on which a Dovecot master runs.
    ///
    /// # Errors
    ///
    /// When a process table cannot be read.
    pub fn serving(&self) -> Result<Vec<usize>> {
        let mut serving = Vec::new();
        for node in self.nodes() {
            if let Ok(found) = self.node(node)
                && found.master()?.is_some()
            {
                serving.push(node);
            }
        }
        Ok(serving)
    }

    /// Returns the node on which a Dovecot master runs.
    ///
    /// # Errors
    ///
    /// When that is not one node, or a process table cannot be read.
    pub fn active(&self) -> Result<usize> {
        match self.serving()?[..] {
            [active] => Ok(active),
            _ => Err(Error::failed("looking for Dovecot", "it does not run on one node")),
        }
    }

    /// Returns the host from which the clients come, 192.0.2.100.
    ///
    /// # Errors
    ///
    /// When its network cannot be opened.
    pub fn client(&self) -> Result<Client> {
        self.rack.client()
    }

    /// Begins to poll for mail at the floating address.
    ///
    /// # Errors
    ///
    /// As [`Cluster::client`].
    pub fn poll(&self) -> Result<Poller> {
        self.client().map(Poller::start)
    }

    /// Begins to watch that Dovecot does not run on two nodes at once.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch::start(Arc::clone(&self.nodes))
    }

    /// Returns the pid, on this machine, of the process that the whole cluster hangs on.
    #[must_use]
    pub fn launcher(&self) -> u32 {
        self.rack.launcher()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let on = self.nodes().filter_map(|node| self.nodes.hold(node)?.take());
        let dying = self.dying.get_mut().unwrap_or_else(PoisonError::into_inner);
        // A test may still hold a node: it ends here all the same.
        for node in on.chain(dying.drain(..)) {
            node.end();
        }
    }
}

/// Does `work` for both nodes at once.
pub(crate) fn on_both(work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    on_each(NODES, work)
}

/// Does `work` for these nodes at once.
pub(crate) fn on_each(
    nodes: impl IntoIterator<Item = usize>,
    work: impl Fn(usize) -> Result<()> + Sync,
) -> Result<()> {
    thread::scope(|scope| {
        let work = &work;
        let all: Vec<_> = nodes.into_iter().map(|node| scope.spawn(move || work(node))).collect();
        all.into_iter().try_for_each(|one| {
            one.join().unwrap_or_else(|_| Err(Error::failed("preparing a node", "a panic")))
        })
    })
}
