//! Standard error: given up when nobody reads it; on a terminal it also shows what is waited for.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long standard error is waited for in all.
const STDERR_WAIT: Duration = Duration::from_secs(1);

/// What a pipe takes in one piece (`PIPE_BUF` in `limits.h` of Linux).
const PIPE_BUF: usize = 4096;

/// Standard error, which is given up when nobody reads it: a full pipe must not hold an action.
#[derive(Debug)]
pub(crate) struct Stderr {
    /// How long it may still be waited for.
    left: Duration,
}

impl Default for Stderr {
    fn default() -> Self {
        Self { left: STDERR_WAIT }
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        erase();
        self.write_if_read(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stderr {
    fn write_if_read(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut errors = io::stderr();
        let start = Instant::now();
        loop {
            let left = self.left.saturating_sub(start.elapsed());
            let limit = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            match poll(&mut [PollFd::new(errors.as_fd(), PollFlags::POLLOUT)], limit) {
                // The end of a child interrupts the wait.
                Err(Errno::EINTR) if !left.is_zero() => {}
                Ok(0) | Err(Errno::EINTR) => {
                    self.left = Duration::ZERO;
                    // Lost, as it would be with a reader who has gone.
                    return Ok(bytes.len());
                }
                Ok(_) | Err(_) => break,
            }
        }
        self.left = self.left.saturating_sub(start.elapsed());
        // So much goes into a pipe that takes anything, at once.
        errors.write(bytes.get(..PIPE_BUF).unwrap_or(bytes))
    }
}

/// How long a wait lasts before it is shown: most are over by then.
const SHOWN_AFTER: Duration = Duration::from_secs(2);

/// Goes to the beginning of the line and erases it (ECMA-48, EL).
const ERASE: &str = "\r\u{1b}[K";

/// The wait that is shown.
static SHOWN: Mutex<Option<Wait>> = Mutex::new(None);

/// What is waited for.
#[derive(Debug)]
struct Wait {
    /// `waiting for Dovecot to stop`.
    what: String,
    start: Instant,
    limit: Duration,
    /// The second that is on the terminal.
    drawn: Option<u64>,
}

/// Shows on a terminal what is waited for, as long as it lives; what it hides comes back then.
#[must_use]
#[derive(Debug)]
pub(crate) struct Waiting {
    hidden: Option<Wait>,
}

/// Begins to show `what`, which is waited for at most so long. Whoever waits calls [`tick`].
pub(crate) fn waiting(what: impl Into<String>, limit: Duration) -> Waiting {
    if !io::stderr().is_terminal() {
        return Waiting { hidden: None };
    }
    let wait = Wait { what: what.into(), start: Instant::now(), limit, drawn: None };
    Waiting { hidden: shown().replace(wait) }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        erase();
        *shown() = self.hidden.take();
    }
}

/// Draws what is waited for, once a second. A terminal that takes nothing is not waited for.
pub(crate) fn tick() {
    let mut shown = shown();
    let Some(line) = shown.as_mut().and_then(|wait| wait.next(Instant::now())) else { return };
    let mut stderr = Stderr { left: Duration::ZERO };
    let _ = stderr.write_if_read(format!("{ERASE}{line}").as_bytes());
}

/// Takes the line away, so that another can be written.
fn erase() {
    if let Some(wait) = shown().as_mut()
        && wait.drawn.take().is_some()
    {
        let _ = Stderr { left: Duration::ZERO }.write_if_read(ERASE.as_bytes());
    }
}

fn shown() -> MutexGuard<'static, Option<Wait>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wait {
    /// The line to draw now, if it is another than the one that is there.
    fn next(&mut self, now: Instant) -> Option<String> {
        let waited = now.saturating_duration_since(self.start);
        let seconds = waited.as_secs();
        if waited < SHOWN_AFTER || self.drawn == Some(seconds) {
            return None;
        }
        self.drawn = Some(seconds);
        Some(format!("{}, {seconds} of {} s", self.what, self.limit.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_drawn_once_a_second_after_the_first_two() {
        let start = Instant::now();
        let limit = Duration::from_mins(2);
        let mut wait =
            Wait { what: "waiting for Dovecot to stop".into(), start, limit, drawn: None };
        let mut at = |ms| wait.next(start + Duration::from_millis(ms));
        assert_eq!(at(1999), None);
        assert_eq!(at(2000).as_deref(), Some("waiting for Dovecot to stop, 2 of 120 s"));
        assert_eq!(at(2990), None);
        assert_eq!(at(12_000).as_deref(), Some("waiting for Dovecot to stop, 12 of 120 s"));
    }

    #[test]
    fn where_nobody_looks_nothing_is_shown() {
        // A test's standard error is no terminal, or this shows nothing before two seconds.
        drop(waiting("x", Duration::from_secs(1)));
        tick();
        assert!(shown().is_none());
    }
}
