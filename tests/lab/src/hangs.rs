//! A mail store that hangs, and a user directory that does not answer: what LifeKeeper makes of them.
//!
//! The mail of the client and of the check is on a volume that each node mounts by itself, as one of
//! NFS, and LifeKeeper knows nothing of it. What one node alone has lost moves once; where the other
//! node has lost the same it stays there, and a directory moves nothing.

use std::time::{Duration, Instant};

use crate::cluster::{Cluster, SHARED};
use crate::error::{Error, Result};
use crate::image::USERS;
use crate::lifekeeper::DEFAULTS;
use crate::node::Node;
use crate::protection::{MAIL, TAG};
use crate::rack::NODES;
use crate::stage::{LOOK, Stage};
use crate::wait::until;

/// The setting that lets the check log in.
pub const PROBE: &str = "APP_DOVECOT_PROBE=login\n";
/// The server of a file system that is silent.
const SERVER: &str = include_str!("../../faults/silent.pl");
/// Where its program lies on a node, and its pid.
const LAID: &str = "/usr/local/lib/silent.pl";
const PID: &str = "/run/silent.pid";
/// The directory is silent while this is there.
const SILENT: &str = "/run/directory.silent";
/// How many checks must leave everything where it is.
const CHECKS: usize = 2;
/// What a move is, on the node that loses Dovecot and on the other.
const NOTED: [&str; 2] = ["end recover", "end restore"];
/// The longest wait for what is sure to come: a recover and a remove, with two stops of each.
const WAIT: Duration = Duration::from_mins(8);

/// The script that gives a node the check's account, the lab's first user.
pub(crate) fn account() -> String {
    let (user, password) = USERS[0];
    format!(
        "install -d -m 755 /etc/dovecot-ark
         (umask 077 && echo '{user}:{password}' >/etc/dovecot-ark/login)"
    )
}

/// The command that makes its mailbox, to which nobody delivers; Dovecot must run.
fn mailbox() -> String {
    format!("doveadm mailbox create -u {} dovecot-ark", USERS[0].0)
}

/// Gives a node on which Dovecot runs the check's account and its mailbox.
///
/// # Errors
///
/// When they cannot be made.
pub fn make_account(node: &Node) -> Result<()> {
    node.sh(&format!("{}; {}", account(), mailbox()))?.succeeded("making an account").map(drop)
}

/// What hangs, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hang {
    /// The mail store, on the node that serves.
    Store,
    /// The mail store, on both nodes.
    StoreOnBoth,
    /// The user directory, on both nodes.
    Directory,
}

impl Hang {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Store, Self::StoreOnBoth, Self::Directory];

    /// What people read.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Store => "the mail store hangs on the active node",
            Self::StoreOnBoth => "the mail store hangs on both nodes",
            Self::Directory => "the user directory is silent",
        }
    }

    fn begin(self, cluster: &Cluster, from: usize) -> Result<()> {
        for number in NODES {
            let node = cluster.node(number)?;
            match self {
                Self::Store if number != from => {}
                Self::Store | Self::StoreOnBoth => hang_store(&node, &volume())?,
                Self::Directory => node.write(SILENT, "")?,
            }
        }
        Ok(())
    }
}

/// Where the mail of the client and of the check is.
fn volume() -> String {
    format!("{SHARED}/volume")
}

/// Lets a cluster that is protected log in, with such a volume and directory; `stop` is how long a stop
/// of Dovecot's unit may take, in seconds: who waits for the store ends by signals alone.
///
/// # Errors
///
/// When a node does not do what it is told.
pub fn prepare(cluster: &Cluster, stop: u32) -> Result<()> {
    let (home, volume, unit) =
        (format!("{MAIL}/{}", USERS[0].0), volume(), "/etc/systemd/system/dovecot.service.d");
    let active = format!(
        "set -e
         {mailbox}
         mv {home} {volume}
         ln -s {volume} {home}",
        mailbox = mailbox()
    );
    cluster.node(1)?.sh(&active)?.succeeded("moving the mail to a volume")?;
    let both = format!(
        "set -e
         {account}
         sed -i '/^APP_DOVECOT_PROBE/d; /^APP_DOVECOT_IP_LIST=/s/2$/15/' {DEFAULTS}
         printf '{probe}APP_DOVECOT_LOGIN_TIMEOUT=5\\n' >>{DEFAULTS}
         mkdir -p {unit}
         printf '[Service]\\nTimeoutStopSec={stop}\\n' >{unit}/stop.conf
         systemctl daemon-reload
         printf '#!/bin/sh\\nwhile [ -e {SILENT} ]; do sleep 0.2; done\\n' >/usr/local/sbin/directory
         chmod 755 /usr/local/sbin/directory
         printf 'auth required pam_exec.so quiet /usr/local/sbin/directory\\n' >/etc/pam.d/dovecot
         echo 'account required pam_permit.so' >>/etc/pam.d/dovecot
         sed -i 's/driver = passwd-file/driver = pam/; /args = scheme=PLAIN/d
             s/^  args = uid=.*/& allow_all_users=yes/' /etc/dovecot/local.conf
         ! pidof dovecot >/dev/null || doveadm reload",
        account = account(),
        probe = PROBE.replace('\n', "\\n")
    );
    for number in NODES {
        cluster.node(number)?.sh(&both)?.succeeded("letting the check log in")?;
    }
    Ok(())
}

/// Lets something hang until it has moved what it moves, and some checks more; then removes the fault.
/// Returns the time without mail, which for what hangs on both nodes has no end before that.
///
/// # Errors
///
/// When more or less is moved or recovered than should be, or there is no mail.
pub fn play(stage: &mut Stage, hang: Hang) -> Result<Duration> {
    let from = stage.cluster.active()?;
    age_start(&*stage.cluster.node(from)?)?;
    let moves = hang != Hang::Directory;
    let to = if moves { 3 - from } else { from };
    let right: Vec<Noted> = done(stage)?
        .into_iter()
        .map(|(node, what, count)| {
            let is_more = [(from, NOTED[0]), (to, NOTED[1])].contains(&(node, what));
            (node, what, count + usize::from(moves && is_more))
        })
        .collect();
    let mark = Instant::now();
    hang.begin(&stage.cluster, from)?;
    if moves {
        await_noted(stage, to, "end restore", 1)?;
    }
    await_noted(stage, to, "end quickCheck", CHECKS)?;
    if hang != Hang::Store {
        heal(&stage.cluster)?;
    }
    stage.poller.wait_for_success(Instant::now(), WAIT)?;
    let downtime = stage.poller.downtime_since(mark);
    heal(&stage.cluster)?;
    await_noted(stage, to, "end quickCheck", CHECKS)?;
    stage.ledger.append()?;
    let (seen, serving) = (done(stage)?, stage.cluster.serving()?);
    let condition = stage.cluster.state(to, TAG)?;
    if seen == right && serving == [to] && condition == "ISP" {
        return Ok(downtime);
    }
    let cause = format!(
        "recovers and restores of both nodes are {seen:?}, not {right:?}; Dovecot runs on {serving:?} \
         and is {condition} on node {to}"
    );
    Err(Error::failed(hang.title(), cause))
}

/// What a node's LifeKeeper has noted, and how often.
type Noted = (usize, &'static str, usize);

/// Counts the recovers and restores of both nodes.
fn done(stage: &Stage) -> Result<Vec<Noted>> {
    let each = NODES.into_iter().flat_map(|node| NOTED.map(|what| (node, what)));
    each.map(|(node, what)| Ok((node, what, stage.noted(node, &[what])?))).collect()
}

/// Waits until a node's LifeKeeper has noted this so many times more.
fn await_noted(stage: &Stage, node: usize, what: &str, more: usize) -> Result<()> {
    let before = stage.noted(node, &[what])?;
    let doing = format!("waiting for node {node} to {what}");
    until(&doing, WAIT, LOOK, || Ok(stage.noted(node, &[what])? >= before + more))
}

/// Removes what hangs.
fn heal(cluster: &Cluster) -> Result<()> {
    for number in NODES {
        let node = cluster.node(number)?;
        node.sh(&format!("rm -f {SILENT}"))?.succeeded("letting the directory answer")?;
        heal_store(&node, &volume())?;
    }
    Ok(())
}

/// Mounts a store that is silent over mailboxes, as a volume that hangs; the file system below it is
/// well, and its own agent sees nothing.
///
/// Its server stops itself once it is mounted: who waits can be killed, as with NFS.
///
/// # Errors
///
/// When it cannot be mounted.
pub fn hang_store(node: &Node, point: &str) -> Result<()> {
    node.write(LAID, SERVER)?;
    let line = format!(
        "install -d -o vmail -g vmail -m 0700 {point}
         [ -e /dev/fuse ] || mknod /dev/fuse c 10 229
         setsid perl {LAID} {point} 0 /run/silent.kinds '^$' 1 >/dev/null 2>&1 & echo $! >{PID}
         for i in $(seq 100); do
             ! grep -q \" {point} fuse\" /proc/self/mounts || break
             sleep 0.02
         done
         grep -q \" {point} fuse\" /proc/self/mounts"
    );
    node.sh(&line)?.succeeded("letting the store hang").map(drop)
}

/// Removes it, where there is one.
///
/// # Errors
///
/// When the node does not do what it is told.
pub fn heal_store(node: &Node, point: &str) -> Result<()> {
    let line = format!(
        "[ -s {PID} ] || exit 0
         kill -s KILL $(cat {PID})
         rm {PID}
         umount -l -t fuse {point} || true"
    );
    node.sh(&line)?.succeeded("removing a store that hangs").map(drop)
}

/// Lets the last start be long ago, once a login has succeeded: soon after a start a store that hangs is
/// taken for one whose locks of a dead node are still held.
///
/// # Errors
///
/// When no login has succeeded within a minute.
pub fn age_start(node: &Node) -> Result<()> {
    let line = "
        for i in $(seq 300); do
            ! grep -q '\"armed\":true' /run/dovecot-ark/.login || break
            sleep 0.2
        done
        grep -q '\"armed\":true' /run/dovecot-ark/.login &&
        sed -i 's/\"restored\":[0-9][0-9]*/\"restored\":0/' /run/dovecot-ark/.login";
    node.sh(line)?.succeeded("letting the start be long ago").map(drop)
}
