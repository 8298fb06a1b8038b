//! Mail readers that come and go all the time, so that a server is looked at while it works.
//!
//! Each has an account of its own, because Dovecot lets a user have ten sessions from one address
//! and no more. Every third comes over TLS. They think between their steps: a load is wanted and
//! no flood.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::background::{Background, Shared};
use crate::chance::Chance;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::imap::Imap;
use crate::net::{CONNECT, IMAP};
use crate::node::Node;
use crate::stream::Stream;

/// Dovecot's port for IMAP behind TLS on a node.
const IMAPS: SocketAddr = SocketAddr::new(IMAP.ip(), 993);
/// Every so many clients one comes over TLS.
const TLS_EACH: u32 = 3;
/// The longest that a client thinks between two steps, in milliseconds; half of it on average.
const THOUGHT: u64 = 2000;
/// The same between the greeting and the login, where no person is asked. A reload of Dovecot cuts
/// off whom it catches there.
const HASTE: u64 = 100;
/// The longest piece of a thought, so that the end of all is not waited for long.
const NAP: Duration = Duration::from_millis(100);

/// What the clients met.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Sessions that went from the greeting to the good-bye.
    pub sessions: u32,
    /// Those of them that were behind TLS.
    pub behind_tls: u32,
    /// Those that did not, by what was being done and what came of it.
    pub failures: BTreeMap<String, u32>,
}

impl Tally {
    /// Returns how many sessions failed.
    #[must_use]
    pub fn failed(&self) -> u32 {
        self.failures.values().sum()
    }
}

/// The clients; dropping it sends them home.
#[derive(Debug)]
pub struct Crowd(Background<Tally>);

impl Crowd {
    /// Gives so many clients an account on the node and lets them come, each when it has thought.
    ///
    /// # Errors
    ///
    /// When the accounts cannot be written or the network cannot be had.
    pub fn gather(node: &Node, clients: u32) -> Result<Self> {
        let mut accounts = String::new();
        for number in 0..clients {
            // Writing to memory does not fail.
            let _ = writeln!(accounts, "{}:{}", user(number), password(number));
        }
        node.append("/etc/dovecot/users", &accounts)?;
        let network = node.namespaces.network().map_err(Error::io("entering a node's network"))?;
        let host = Client::at(network);
        let clients = (0..clients).map(|number| {
            let host = host.clone();
            move |tally: &Shared<_>| come_and_go(number, &host, tally)
        });
        Ok(Self(Background::start(clients)))
    }

    /// Sends the clients home, and returns what they met.
    #[must_use]
    pub fn disperse(self) -> Tally {
        self.0.stop()
    }
}

fn user(number: u32) -> String {
    format!("reader{number}@example.com")
}

fn password(number: u32) -> String {
    format!("reader{number}-secret")
}

/// A client's life.
fn come_and_go(number: u32, host: &Client, shared: &Shared<Tally>) {
    let entered = host.enter();
    let mut mind = Mind { chance: Chance::row(number), shared };
    mind.think();
    while !shared.is_over() {
        let visit = match &entered {
            Ok(()) => visit(number, &mut mind),
            Err(cause) => Err(format!("entering the network: {cause}")),
        };
        let mut tally = shared.hold();
        match visit {
            Ok(()) => {
                tally.sessions += 1;
                tally.behind_tls += u32::from(is_behind_tls(number));
            }
            Err(failure) => *tally.failures.entry(failure).or_default() += 1,
        }
        drop(tally);
        mind.think();
    }
}

const fn is_behind_tls(number: u32) -> bool {
    number.is_multiple_of(TLS_EACH)
}

/// A whole session; the network is that of the calling thread.
fn visit(number: u32, mind: &mut Mind<'_>) -> std::result::Result<(), String> {
    let mut session = greeted(is_behind_tls(number)).map_err(step("greeting"))?;
    mind.think_up_to(HASTE);
    // The command is not told: it holds the password, and failures are counted by their words.
    session
        .command(&format!("LOGIN {} {}", user(number), password(number)))
        .map_err(step("login"))?;
    mind.think();
    session.command("SELECT INBOX").map_err(step("select"))?;
    mind.think();
    session.logout().map_err(step("logout"))
}

fn greeted(tls: bool) -> Result<Imap> {
    let address = if tls { IMAPS } else { IMAP };
    let socket = TcpStream::connect_timeout(&address, CONNECT)
        .map_err(Error::io(format!("connecting to {address}")))?;
    Imap::greeted(if tls { Stream::tls(socket)? } else { socket.into() })
}

/// Names a step before what went wrong in it; of what was being done only the cause stays.
fn step(name: &str) -> impl FnOnce(Error) -> String {
    move |error| match error {
        Error::Failed { cause, .. } => format!("{name}: {cause}"),
        // rustls explains at length that the peer hung up.
        Error::Io { cause, .. } if cause.kind() == io::ErrorKind::UnexpectedEof => {
            format!("{name}: the server hung up")
        }
        Error::Io { cause, .. } => format!("{name}: {cause}"),
        Error::Late { limit, .. } => format!("{name}: no answer within {} s", limit.as_secs()),
        Error::NotRoot => name.to_owned(),
    }
}

/// Thinks for times that look like chance and are the same in each run.
struct Mind<'a> {
    chance: Chance,
    shared: &'a Shared<Tally>,
}

impl Mind<'_> {
    fn think(&mut self) {
        self.think_up_to(THOUGHT);
    }

    fn think_up_to(&mut self, milliseconds: u64) {
        let mut left = Duration::from_millis(self.chance.below(milliseconds));
        while !left.is_zero() && !self.shared.is_over() {
            let nap = left.min(NAP);
            thread::sleep(nap);
            left -= nap;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_thinks_at_its_own_pace_and_about_a_second() {
        let mut sums = Vec::new();
        for number in 0..100 {
            let mut chance = Chance::row(number);
            sums.push((0..1000).map(|_| chance.below(THOUGHT)).sum::<u64>() / 1000);
        }
        assert!(sums.iter().all(|mean| (900..1100).contains(mean)), "{sums:?}");
        sums.sort_unstable();
        sums.dedup();
        assert!(sums.len() > 20, "{sums:?}");
    }

    #[test]
    fn a_failure_is_told_by_its_step_and_without_the_password() {
        let error = Error::failed("sending LOGIN x secret", "NO [UNAVAILABLE] later");
        assert_eq!(step("login")(error), "login: NO [UNAVAILABLE] later");
        let failures = [("a".to_owned(), 2), ("b".to_owned(), 3)].into();
        assert_eq!(Tally { failures, ..Tally::default() }.failed(), 5);
    }
}
