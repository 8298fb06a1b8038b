//! A remove of a Dovecot at work, and whether any process outlives it.

use std::time::Duration;
use std::{fmt, thread};

use crate::command::Running;
use crate::error::Result;
use crate::image::USERS;
use crate::node::Node;

/// How many clients are logged in when Dovecot is removed.
const CLIENTS: usize = 10;
/// A machine that is busy may take its time to greet. Without systemd clients that have just logged in
/// outlive the stop command by some 8 s, so waiting long for them is waiting for signals.
const SETTINGS: &str = "\
LKROOT=/opt/LifeKeeper
APP_DOVECOT_IP_LIST=127.0.0.1:143:15
APP_DOVECOT_REMOVE_WAIT=1
";
/// With these, signals follow the first stop command at once.
const SIGNALS_SOON: &str = "APP_DOVECOT_REMOVE_CHECK_RETRY=1\nAPP_DOVECOT_REMOVE_WAIT=0\n";

/// What ends Dovecot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Means {
    /// The stop command.
    StopCommand,
    /// Signals: the stop command succeeds and does nothing.
    Signals,
}

impl Means {
    /// Both, in the order in which they alternate.
    pub const ALL: [Self; 2] = [Self::StopCommand, Self::Signals];
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StopCommand => "the stop command",
            Self::Signals => "signals",
        })
    }
}

/// A remove that has ended.
#[derive(Clone, Debug)]
pub struct Removal {
    /// From its start to its end.
    pub took: Duration,
    /// Why it is not what it must be: its exit status, or the processes that outlived it.
    pub failure: Option<String>,
}

impl Removal {
    /// Starts Dovecot by the kit that is installed on the node, logs ten clients in, and removes
    /// Dovecot from under them. Looks for its processes right afterwards and again after `later`.
    ///
    /// # Errors
    ///
    /// When Dovecot does not start, a client cannot log in, or the node does not do what it is told.
    pub fn perform(node: &Node, means: Means, later: Duration) -> Result<Self> {
        node.write("/etc/default/LifeKeeper", SETTINGS)?;
        node.act("restore")?.succeeded("starting Dovecot before a remove")?;
        let clients = USERS.iter().cycle().take(CLIENTS).map(|(user, password)| {
            let mut session = node.imap()?;
            session.login(user, password)?;
            Ok(session)
        });
        let clients = clients.collect::<Result<Vec<_>>>()?;
        if means == Means::Signals {
            node.append("/etc/default/LifeKeeper", SIGNALS_SOON)?;
            let taken = node.sh("mount --bind /bin/true /usr/sbin/service")?;
            taken.succeeded("taking the stop command away")?;
        }
        let ended = node.act("remove")?;
        let mut failure = (!ended.success()).then(|| ended.ending());
        for (wait, moment) in [(Duration::ZERO, "right after"), (later, "some time after")] {
            thread::sleep(wait);
            let left = left(node)?;
            if failure.is_none() && !left.is_empty() {
                failure = Some(format!("left {moment} success: {left}"));
            }
        }
        if means == Means::Signals {
            let back = node.sh("umount -l /usr/sbin/service")?;
            back.succeeded("giving the stop command back")?;
        }
        drop(clients);
        Ok(Self { took: ended.took, failure })
    }
}

/// Keeps so many processors busy from the node, until what it returns is dropped.
///
/// # Errors
///
/// When a process cannot be started.
pub fn burn(node: &Node, processors: usize) -> Result<Vec<Running>> {
    (0..processors).map(|_| node.spawn(&["/bin/sh", "-c", "while :; do :; done"])).collect()
}

/// Names the processes of Dovecot that can still act.
fn left(node: &Node) -> Result<String> {
    let alive = node.dovecot()?.into_iter().filter(|process| process.state != 'Z');
    Ok(alive.map(|one| format!("{} ({})", one.pid, one.comm)).collect::<Vec<_>>().join(", "))
}
