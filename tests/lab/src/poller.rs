//! Asks for mail all the time, as a user would, and keeps a record of when there was none.
//!
//! A poll begins every 100 ms whether or not the one before has ended, so a server that hangs does
//! not blur the moment of its return. Each is a whole session: connection, greeting, login, sign
//! of life, good-bye.

use std::thread;
use std::time::{Duration, Instant};

use crate::USERS;
use crate::background::{Background, Shared};
use crate::client::{Client, FLOATING};
use crate::error::{Error, Result};
use crate::imap::Imap;
use crate::timeline::{Poll, Timeline};

/// Between the beginnings of two polls.
const PERIOD: Duration = Duration::from_millis(100);
/// Longest wait for a connection; the kernel would try again only after 1 s.
const CONNECT: Duration = Duration::from_millis(300);
/// Longest wait for one answer; a busy machine needs up to half of it for a login.
const ANSWER: Duration = Duration::from_secs(2);

/// A thread that polls; dropping it ends it.
#[derive(Debug)]
pub struct Poller(Background<Vec<Poll>>);

impl Poller {
    /// Begins to poll the floating address from the clients' host.
    #[must_use]
    pub fn start(client: Client) -> Self {
        let poll = move |polls: &Shared<_>| poll_until_over(&client, polls);
        Self(Background::start([poll]))
    }

    /// Returns what has been seen so far, in the order in which the polls began.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        Timeline::new(self.0.seen())
    }

    /// Returns how long there was no mail since `mark`: see [`Timeline::downtime`].
    #[must_use]
    pub fn downtime_since(&self, mark: Instant) -> Duration {
        self.timeline().downtime(mark, Instant::now())
    }

    /// Waits until a poll that began after `mark` succeeds, and returns when that was.
    ///
    /// # Errors
    ///
    /// [`Error::Late`] when none has after `limit`, with what the last poll met.
    pub fn wait_for_success(&self, mark: Instant, limit: Duration) -> Result<Instant> {
        let start = Instant::now();
        loop {
            let timeline = self.timeline();
            if let Some(poll) = timeline.polls().iter().find(|poll| poll.is_success_since(mark)) {
                return Ok(poll.ended);
            }
            if start.elapsed() > limit {
                let last = timeline.polls().last().and_then(|poll| poll.failure.clone());
                let last = last.unwrap_or_default();
                return Err(Error::Late { doing: format!("polling {FLOATING} ({last})"), limit });
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the polling, waits for the polls under way, and returns all that was seen.
    #[must_use]
    pub fn stop(self) -> Timeline {
        Timeline::new(self.0.stop())
    }
}

/// Begins a poll at each tick; the threads inherit the network of this one.
fn poll_until_over(client: &Client, polls: &Shared<Vec<Poll>>) {
    let entered = client.enter();
    thread::scope(|scope| {
        let mut next = Instant::now();
        while !polls.is_over() {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            next += PERIOD;
            scope.spawn(|| {
                let began = Instant::now();
                let answer = match &entered {
                    Ok(()) => poll(),
                    Err(cause) => {
                        Err(Error::failed("entering the clients' network", cause.to_string()))
                    }
                };
                let failure = answer.err().map(|error| error.to_string());
                let poll = Poll { began, ended: Instant::now(), failure };
                polls.hold().push(poll);
            });
        }
    });
}

/// Does what a mail reader does; the network is that of the calling thread.
fn poll() -> Result<()> {
    let (user, password) = USERS[0];
    let stream = std::net::TcpStream::connect_timeout(&FLOATING, CONNECT)
        .map_err(Error::io(format!("connecting to {FLOATING}")))?;
    let mut session = Imap::greeted_within(stream, ANSWER)?;
    session.login(user, password)?;
    session.noop()?;
    session.logout()
}
