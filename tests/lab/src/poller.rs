//! Asks for mail all the time, as a user would, and keeps a record of when there was none.
//!
//! A poll begins every 100 ms whether or not the one before has ended, so a server that hangs does
//! not blur the moment of its return. Each is a whole session: connection, greeting, login, sign
//! of life, good-bye.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::USERS;
use crate::client::{Client, FLOATING};
use crate::error::{Error, Result};
use crate::imap::Imap;
use crate::timeline::{Poll, Timeline};

/// Between the beginnings of two polls.
pub const PERIOD: Duration = Duration::from_millis(100);
/// Longest wait for a connection; the kernel would try again only after 1 s.
const CONNECT: Duration = Duration::from_millis(300);
/// Longest wait for one answer; a busy machine needs up to half of it for a login.
const ANSWER: Duration = Duration::from_secs(2);

/// What the polls share.
#[derive(Debug, Default)]
struct Record {
    polls: Mutex<Vec<Poll>>,
    ended: AtomicBool,
}

/// A thread that polls; dropping it ends it.
#[derive(Debug)]
pub struct Poller {
    record: Arc<Record>,
    thread: Option<JoinHandle<()>>,
}

impl Poller {
    /// Begins to poll the floating address from the clients' host.
    #[must_use]
    pub fn start(client: Client) -> Self {
        let record = Arc::new(Record::default());
        let shared = Arc::clone(&record);
        let thread = thread::spawn(move || poll_until_ended(&client, &shared));
        Self { record, thread: Some(thread) }
    }

    /// Returns what has been seen so far, in the order in which the polls began.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        let polls = self.record.polls.lock().unwrap_or_else(PoisonError::into_inner);
        Timeline::new(polls.clone())
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
    pub fn stop(mut self) -> Timeline {
        self.end();
        self.timeline()
    }

    fn end(&mut self) {
        self.record.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has been shown; what was recorded still counts.
            let _ = thread.join();
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.end();
    }
}

/// Begins a poll at each tick; the threads inherit the network of this one.
fn poll_until_ended(client: &Client, record: &Record) {
    let entered = client.enter();
    thread::scope(|scope| {
        let mut next = Instant::now();
        while !record.ended.load(Ordering::Relaxed) {
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
                record.polls.lock().unwrap_or_else(PoisonError::into_inner).push(poll);
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
