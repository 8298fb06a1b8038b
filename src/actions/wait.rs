//! The wait between a command and its check.

use std::time::Duration;

use crate::error::Error;
use crate::settings::Wait;
use crate::system::System;

/// The first pause between two looks; each next one is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause between two looks, until a tenth of the time waited is longer: each look is a
/// status command and a connection.
const LAST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause of all.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Looks until what is seen `is_enough` or `wait` is over, and at least once; the last look does not
/// end before the wait does. With [`Wait::Fixed`] it is the only one. Returns what was seen last.
///
/// # Errors
///
/// The first error of `look`.
pub(super) fn until<T>(
    system: &impl System,
    (mode, wait): (Wait, Duration),
    mut look: impl FnMut() -> Result<T, Error>,
    is_enough: impl Fn(&T) -> bool,
) -> Result<T, Error> {
    let start = system.now();
    let end = start + wait;
    let mut pause = match mode {
        Wait::Ready => FIRST_PAUSE,
        Wait::Fixed => {
            if !wait.is_zero() {
                system.sleep(wait);
            }
            LAST_PAUSE
        }
    };
    loop {
        let seen = look()?;
        let left = end.saturating_sub(system.now());
        if is_enough(&seen) || left.is_zero() {
            return Ok(seen);
        }
        system.sleep(pause.min(left));
        let waited = system.now().saturating_sub(start);
        pause = (pause * 3 / 2).min(LAST_PAUSE.max(waited / 10)).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::Machine;

    const WAIT: Duration = Duration::from_secs(3);

    /// Looks for something that comes at a time; tells when each look was.
    fn looks(mode: Wait, wait: Duration, comes: Duration) -> (bool, Vec<Duration>) {
        let machine = Machine::new();
        let mut times = Vec::new();
        let look = || {
            times.push(machine.now());
            Ok(machine.now() >= comes)
        };
        let seen = until(&machine, (mode, wait), look, |seen| *seen);
        (seen.expect("a look that cannot fail"), times)
    }

    #[test]
    fn ready_ends_soon_after_the_answer_is_yes_and_at_the_latest_with_the_wait() {
        let (seen, times) = looks(Wait::Ready, WAIT, Duration::ZERO);
        assert_eq!((seen, times), (true, vec![Duration::ZERO]));
        for millis in [1, 50, 300, 1100, 2999, 3000] {
            let comes = Duration::from_millis(millis);
            let (seen, times) = looks(Wait::Ready, WAIT, comes);
            let last = *times.last().expect("a look");
            assert!(
                seen && last < comes + LAST_PAUSE.max(comes / 9) && last <= WAIT,
                "{millis} ms: {times:?}"
            );
        }
        let (seen, times) = looks(Wait::Ready, WAIT, Duration::MAX);
        assert!(!seen && times.last() == Some(&WAIT) && times.len() < 30, "{times:?}");
    }

    #[test]
    fn a_long_wait_is_no_storm_of_looks_and_ends_soon_after_the_answer_is_yes() {
        let wait = Duration::from_mins(10);
        let (_, times) = looks(Wait::Ready, wait, Duration::MAX);
        assert!(times.len() < 350 && times.last() == Some(&wait), "{} looks", times.len());
        for seconds in [1, 5, 15, 60, 599] {
            let comes = Duration::from_secs(seconds);
            let (seen, times) = looks(Wait::Ready, wait, comes);
            let late = times.last().expect("a look").saturating_sub(comes);
            let most = LAST_PAUSE.max(comes / 9).min(LONGEST_PAUSE);
            assert!(seen && late <= most, "{seconds} s: {late:?} late");
        }
    }

    #[test]
    fn fixed_sleeps_the_whole_wait_and_looks_once() {
        for (comes, found) in [(Duration::ZERO, true), (Duration::MAX, false)] {
            assert_eq!(looks(Wait::Fixed, WAIT, comes), (found, vec![WAIT]));
        }
    }

    #[test]
    fn without_a_wait_there_is_one_look() {
        for mode in [Wait::Ready, Wait::Fixed] {
            let (seen, times) = looks(mode, Duration::ZERO, Duration::MAX);
            assert_eq!((seen, times), (false, vec![Duration::ZERO]));
        }
    }
}
