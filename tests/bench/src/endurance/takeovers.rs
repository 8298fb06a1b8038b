//! A cluster of the original kit is taken over and given back, again and again, under a client that
//! stays logged in; and as often killed in between, at moments spread over the whole of it.

use std::thread;
use std::time::{Duration, Instant};

use lab::kit::ORIGINALS;
use lab::{Cluster, Dialect, Error, Finished, Imap, NODES, Result, STUBS, TAG, Tree, USERS};

use super::{Place, Tools, spread};
use crate::samples::Spread;

/// Longest wait for an answer of the client.
const ANSWER: Duration = Duration::from_secs(10);
/// All that is changed, and much that must not be.
const DIRECTORIES: [&str; 3] = ["/etc", "/var/lib", "/opt/LifeKeeper/subsys"];

const TAKE_OVER: [&str; 2] = ["install", "--take-over"];
/// Without lkcli; it must make no difference, for nothing is deleted.
const GIVE_BACK: [&str; 2] = ["uninstall", "--yes"];

/// The cluster, and what must not change.
struct Scene {
    cluster: Cluster,
    before: Vec<Tree>,
    master: u32,
    session: Imap,
}

/// Takes over and gives back so often, and as often again with a kill.
pub(super) fn run(tools: &Tools, _: Place, count: u32) -> Result<()> {
    let standin = lab::program("lifekeeper-standin")?;
    let cluster = Cluster::start(&tools.kit, &standin, Dialect::None)?;
    for node in NODES {
        cluster.node(node)?.lay_original()?;
        let enable = "systemctl enable --quiet dovecot.service dovecot.socket";
        cluster.node(node)?.sh(enable)?.succeeded("enabling Dovecot's start at boot")?;
    }
    let watch = cluster.watch();
    cluster.protect_by(ORIGINALS)?;
    let poller = cluster.poll()?;
    let mut session = cluster.client()?.imap(ANSWER)?;
    let (user, password) = USERS[1];
    session.login(user, password)?;
    poller.wait_for_success(Instant::now(), ANSWER)?;
    let (before, master) = (trees(&cluster)?, cluster.node(1)?.running_master()?);
    let mut scene = Scene { cluster, before, master, session };

    let (mut taking, mut giving) = (Vec::new(), Vec::new());
    for _ in 0..count {
        taking.push(scene.done(&TAKE_OVER)?.took.as_secs_f64());
        scene.assert_served_by(STUBS)?;
        giving.push(scene.done(&GIVE_BACK)?.took.as_secs_f64());
        scene.assert_as_before()?;
    }
    println!("taken over: {}", spread(taking.iter().copied()));
    println!("given back: {}", spread(giving.iter().copied()));
    let median = |times: &[f64]| Spread::of(times.iter().copied()).map_or(0.0, |one| one.median);
    let (mut killed, medians) =
        (0, [median(&taking), median(&giving)].map(Duration::from_secs_f64));
    for number in 0..count {
        for (words, usual) in [TAKE_OVER, GIVE_BACK].into_iter().zip(medians) {
            killed += u32::from(scene.kill(&words, usual * number / count)?);
            let is_same = (number + u32::from(words == GIVE_BACK)).is_multiple_of(2);
            scene.lead(if is_same == (words == TAKE_OVER) { TAKE_OVER } else { GIVE_BACK })?;
            // Where the next begins.
            scene.lead(words)?;
            if words == TAKE_OVER {
                scene.assert_served_by(STUBS)?;
            } else {
                scene.assert_as_before()?;
            }
        }
    }
    println!("{killed} of {} runs killed before their end", count * 2);
    let outages = poller.stop().outages();
    let seen = watch.stop();
    println!(
        "the client: {} outages; two masters: {} times; the master is pid {} to the end",
        outages.len(),
        seen.violations.len(),
        scene.master
    );
    if outages.is_empty() && seen.violations.is_empty() {
        return Ok(());
    }
    Err(Error::failed("taking over a cluster", format!("{outages:?}; {:?}", seen.violations)))
}

impl Scene {
    fn ark(&self, words: &[&str]) -> Result<Finished> {
        self.cluster.node(1)?.run(&[&["/usr/sbin/dovecot-ark"], words].concat())
    }

    fn done(&self, words: &[&str]) -> Result<Finished> {
        self.ark(words)?.succeeded(format!("running dovecot-ark {}", words.join(" ")))
    }

    /// Asks for one of the two.
    fn lead(&self, words: [&str; 2]) -> Result<()> {
        self.done(&words).map(drop)
    }

    /// Kills a run after this time; tells whether it had not ended.
    fn kill(&self, words: &[&str], after: Duration) -> Result<bool> {
        let words = [&["/usr/sbin/dovecot-ark"], words].concat();
        let node = self.cluster.node(1)?;
        let running = node.spawn(&words)?;
        thread::sleep(after);
        let pids = node.sh("pidof -s dovecot-ark")?;
        running.kill();
        Ok(pids.success())
    }

    /// Insists that LifeKeeper has the resource in service, and runs these programs on both nodes.
    fn assert_served_by(&mut self, programs: &str) -> Result<()> {
        for node in NODES {
            self.cluster.node(node)?.require_copies(TAG, programs)?;
        }
        let state = self.cluster.state(1, TAG)?;
        let now = self.cluster.node(1)?.running_master()?;
        if state != "ISP" || now != self.master {
            let cause = format!("{TAG} is {state}, the master is pid {now}, not {}", self.master);
            return Err(Error::failed("looking at node 1", cause));
        }
        self.session.noop()
    }

    fn assert_as_before(&mut self) -> Result<()> {
        self.assert_served_by(ORIGINALS)?;
        for (before, now) in self.before.iter().zip(trees(&self.cluster)?) {
            let changes = before.changes(&now);
            if !changes.is_empty() {
                return Err(Error::failed("comparing the nodes", changes.join("; ")));
            }
        }
        Ok(())
    }
}

fn trees(cluster: &Cluster) -> Result<Vec<Tree>> {
    NODES.iter().map(|node| cluster.node(*node)?.tree(&DIRECTORIES)).collect()
}
