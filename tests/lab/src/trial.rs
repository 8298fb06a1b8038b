//! A cluster under Pacemaker, a client that polls it, and what happens to both.
//!
//! An event is over when another master runs than before, a client has mail, and Pacemaker has
//! nothing left to do; or when its time is over.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::lifekeeper::succeed;
use crate::pacemaker::Pacemaker;
use crate::poller::Poller;
use crate::watch::{Sighting, Watch};

/// The longest wait for mail where nothing is wrong.
const MAIL: Duration = Duration::from_mins(1);
/// How long Pacemaker may take for what it has begun, in seconds.
const IDLE: &str = "100";
/// Between two looks for another master.
const LOOK: Duration = Duration::from_millis(20);
/// How long another master must live: Dovecot's program also runs for a moment to answer a question, or
/// to find that it cannot start.
const LIVES: Duration = Duration::from_millis(600);

/// The cluster, and all that is watched of it.
#[derive(Debug)]
pub struct Trial {
    /// The nodes.
    pub cluster: Pacemaker,
    watch: Watch,
    poller: Poller,
    ledger: Ledger,
}

/// What came of an event.
#[derive(Clone, Debug)]
pub struct Sequel {
    /// The time without mail; none where mail did not come back.
    pub downtime: Option<Duration>,
    /// The node that served before.
    pub from: usize,
    /// The node with another master, if any.
    pub to: Option<usize>,
    /// The nodes that the power switch has cut.
    pub fenced: Vec<usize>,
}

/// What became of the messages, and whether Dovecot ran twice.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Messages that the server has acknowledged.
    pub acknowledged: usize,
    /// Those of them that are lost.
    pub missing: Vec<String>,
    /// What was seen of two nodes with Dovecot at once.
    pub seen: Sighting,
}

impl Verdict {
    pub(crate) fn of(ledger: &Ledger, watch: Watch) -> Result<Self> {
        let (acknowledged, missing) = (ledger.acknowledged(), ledger.missing()?);
        Ok(Self { acknowledged, missing, seen: watch.stop() })
    }

    /// Prints what became of the messages and what was seen.
    ///
    /// # Errors
    ///
    /// When a message is lost, or Dovecot ran twice.
    pub fn tell(&self) -> Result<()> {
        let Self { acknowledged, missing, seen } = self;
        println!("\nacknowledged messages: {acknowledged}, missing: {}", missing.len());
        let (looks, both) = (seen.samples, seen.violations.len());
        println!("both nodes looked at {looks} times, Dovecot on both: {both}");
        if missing.is_empty() && both == 0 {
            return Ok(());
        }
        Err(Error::failed("judging the cluster", format!("{missing:?} {:?}", seen.violations)))
    }
}

impl Trial {
    /// Begins to watch and to poll a cluster, and stores a first message.
    ///
    /// # Errors
    ///
    /// When there is no mail.
    pub fn begin(cluster: Pacemaker) -> Result<Self> {
        let watch = cluster.watch();
        let poller = cluster.poll()?;
        poller.wait_for_success(Instant::now(), MAIL)?;
        let mut ledger = Ledger::new(cluster.client()?);
        ledger.append()?;
        let trial = Self { cluster, watch, poller, ledger };
        trial.idle()?;
        Ok(trial)
    }

    /// Returns the node that serves, and its master.
    ///
    /// # Errors
    ///
    /// When none does.
    pub fn serving(&self) -> Result<(usize, u32)> {
        let found = self.masters(None)?;
        found.ok_or_else(|| Error::failed("looking for Dovecot's master", "it runs on no node"))
    }

    /// Lets something happen to the node that serves, and waits at most `limit` for what comes of it.
    ///
    /// # Errors
    ///
    /// When a node cannot be looked at, or Pacemaker comes to no end.
    pub fn event(
        &mut self,
        limit: Duration,
        happen: impl FnOnce(&Pacemaker, usize) -> Result<()>,
    ) -> Result<Sequel> {
        let old = self.serving()?;
        let from = old.0;
        self.ledger.append()?;
        let mark = Instant::now();
        happen(&self.cluster, from)?;
        let (mut found, mut since) = (None, Instant::now());
        while found.is_none() || since.elapsed() < LIVES {
            if mark.elapsed() > limit {
                let fenced = self.cluster.fenced()?;
                return Ok(Sequel { downtime: None, from, to: None, fenced });
            }
            thread::sleep(LOOK);
            let master = self.masters(Some(old))?;
            if master != found {
                (found, since) = (master, Instant::now());
            }
        }
        self.poller.wait_for_success(Instant::now(), MAIL)?;
        // Mail comes before the action has ended: the next event must not fall into it.
        self.idle()?;
        self.poller.wait_for_success(Instant::now(), MAIL)?;
        self.ledger.append()?;
        let downtime = self.poller.timeline().downtime(mark, Instant::now());
        let (to, _) = self.serving()?;
        Ok(Sequel { downtime: Some(downtime), from, to: Some(to), fenced: self.cluster.fenced()? })
    }

    /// Brings the cluster back to where nothing has happened: all nodes on, no failure remembered,
    /// the group free to be anywhere.
    ///
    /// # Errors
    ///
    /// When a node does not come back, or there is no mail.
    pub fn settle(&self) -> Result<()> {
        for node in self.cluster.nodes() {
            if !self.cluster.is_on(node) {
                self.cluster.back(node)?;
            }
        }
        let forget = "crm_resource --clear --resource mail; crm_resource --cleanup";
        self.cluster.any()?.sh(forget)?.succeeded("forgetting what has happened")?;
        self.idle()?;
        self.poller.wait_for_success(Instant::now(), MAIL).map(drop)
    }

    /// Judges the whole.
    ///
    /// # Errors
    ///
    /// When the messages cannot be read.
    pub fn end(self) -> Result<Verdict> {
        Verdict::of(&self.ledger, self.watch)
    }

    /// Waits until Pacemaker has nothing left to do.
    fn idle(&self) -> Result<()> {
        succeed(&*self.cluster.any()?, &["timeout", IDLE, "crm_resource", "--wait"]).map(drop)
    }

    /// Finds the first master that is another one than `old`.
    fn masters(&self, old: Option<(usize, u32)>) -> Result<Option<(usize, u32)>> {
        for number in self.cluster.nodes() {
            let Ok(node) = self.cluster.node(number) else { continue };
            let found = match node.master() {
                Ok(found) => found.map(|pid| (number, pid)),
                // It went off at this moment.
                Err(_) if !self.cluster.is_on(number) => None,
                Err(cause) => return Err(cause),
            };
            if found.is_some() && found != old {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
