//! The faults: how each is made, and how its traces are removed.

use lab::hangs::{hang_store, heal_store};
use lab::stage::signal_master;
use lab::{Agent, Error, Node, Pacemaker, Result};

/// Over which mailboxes a store that is silent is mounted: those of the client and of the check.
const STORE: &str = "/srv/vmail/alice@example.com";
/// Where the pid of a stranger is.
const STRANGER_PID: &str = "/run/stranger.pid";

/// What happens to Dovecot on the node that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Killed,
    Frozen,
    Authentication,
    Store,
    Stranger,
    Moved,
    MovedFrozen,
    PowerCut,
}

impl Fault {
    /// All of them and what people read, in the order in which they happen: the cut is last, after which
    /// nobody comes back.
    pub(super) const ALL: [(Self, &str); 8] = [
        (Self::Killed, "master killed"),
        (Self::Frozen, "master frozen"),
        (Self::Authentication, "authentication frozen"),
        (Self::Store, "mail store hangs"),
        (Self::Stranger, "pid file of a stranger"),
        (Self::Moved, "planned move"),
        (Self::MovedFrozen, "move, master frozen"),
        (Self::PowerCut, "power cut"),
    ];

    /// The faults that an agent meets. Of this kit, that which logs in meets the store's.
    pub(super) fn of(agent: Agent) -> impl Iterator<Item = Self> {
        Self::ALL.map(|(fault, _)| fault).into_iter().filter(move |fault| match agent {
            Agent::Kit => *fault != Self::Store,
            Agent::Login => *fault == Self::Store,
            Agent::Systemd | Agent::Heartbeat => true,
        })
    }

    /// What people read, and the record holds.
    pub(super) fn title(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, title)| title)
    }

    /// Lets it happen.
    pub(super) fn happen(self, cluster: &Pacemaker, node: usize) -> Result<()> {
        let other = || cluster.nodes().find(|other| *other != node).unwrap_or(node);
        match self {
            Self::Killed => signal_master(cluster, node, "KILL"),
            Self::Frozen => signal_master(cluster, node, "STOP"),
            Self::Authentication => freeze_authentication(&*cluster.node(node)?),
            Self::Store => hang_store(&*cluster.node(node)?, STORE),
            Self::Stranger => {
                let line = format!(
                    "setsid sleep 600 >/dev/null 2>&1 & echo $! >{STRANGER_PID}
                     cp {STRANGER_PID} /run/dovecot/master.pid"
                );
                cluster.node(node)?.sh(&line)?.succeeded("naming a stranger")?;
                signal_master(cluster, node, "KILL")
            }
            Self::Moved => cluster.move_to(other()),
            Self::MovedFrozen => {
                signal_master(cluster, node, "STOP")?;
                cluster.move_to(other())
            }
            Self::PowerCut => cluster.power_cut(node),
        }
    }

    /// Removes the traces of all of them.
    pub(super) fn heal(cluster: &Pacemaker) -> Result<()> {
        for node in cluster.nodes().filter_map(|node| cluster.node(node).ok()) {
            for process in node.dovecot()?.iter().filter(|process| process.state == 'T') {
                // It may have ended by now.
                let _ = node.signal(process.pid, "CONT");
            }
            let line = format!(
                "if [ -s {STRANGER_PID} ]; then
                     kill $(cat {STRANGER_PID})
                     ! cmp -s {STRANGER_PID} /run/dovecot/master.pid || rm /run/dovecot/master.pid
                     rm {STRANGER_PID}
                 fi"
            );
            node.sh(&line)?.succeeded("removing a fault's traces")?;
            heal_store(&node, STORE)?;
        }
        Ok(())
    }
}

/// Stops Dovecot's authentication; login processes then wait for it before they greet.
fn freeze_authentication(node: &Node) -> Result<()> {
    let mut processes = node.dovecot()?;
    processes.retain(|process| process.comm == "auth");
    if processes.is_empty() {
        return Err(Error::failed("freezing the authentication", "it does not run"));
    }
    processes.iter().try_for_each(|process| node.signal(process.pid, "STOP"))
}
