//! What a row of polls says about when a service was there.
//!
//! Each poll speaks for the moment at which it began. A service is away from the end of the last
//! success before a failure to the end of the next success, so what is told is never too short, and
//! too long by at most the time between two polls and the length of one.

use std::time::{Duration, Instant};

/// One poll.
#[derive(Clone, Debug)]
pub struct Poll {
    /// When it began.
    pub began: Instant,
    /// When it ended.
    pub ended: Instant,
    /// What it met instead of mail.
    pub failure: Option<String>,
}

impl Poll {
    /// Tells whether it began after `mark` and all went well.
    pub(crate) fn is_success_since(&self, mark: Instant) -> bool {
        self.failure.is_none() && self.began >= mark
    }
}

/// A time without the service.
#[derive(Clone, Debug)]
pub struct Outage {
    /// From then on nothing was proven.
    pub from: Instant,
    /// Then it was back; none while it is not.
    pub to: Option<Instant>,
    /// What the first failed poll met.
    pub failure: String,
}

/// Polls in the order in which they began.
#[derive(Clone, Debug, Default)]
pub struct Timeline(Vec<Poll>);

impl Timeline {
    /// Sorts polls into a timeline.
    pub(crate) fn new(mut polls: Vec<Poll>) -> Self {
        polls.sort_by_key(|poll| poll.began);
        Self(polls)
    }

    /// Returns the polls.
    pub(crate) fn polls(&self) -> &[Poll] {
        &self.0
    }

    /// Lists the times without the service, in their order.
    #[must_use]
    pub fn outages(&self) -> Vec<Outage> {
        let mut found: Vec<Outage> = Vec::new();
        let (mut last_success, mut open) = (None, false);
        for poll in &self.0 {
            match (&poll.failure, open) {
                (None, _) => {
                    if let Some(outage) = found.last_mut().filter(|_| open) {
                        outage.to = Some(poll.ended);
                    }
                    (last_success, open) = (Some(poll.ended), false);
                }
                (Some(failure), false) => {
                    let from = last_success.unwrap_or(poll.began);
                    found.push(Outage { from, to: None, failure: failure.clone() });
                    open = true;
                }
                (Some(_), true) => {}
            }
        }
        found
    }

    /// Adds up the time without the service between `mark` and `now`.
    #[must_use]
    pub fn downtime(&self, mark: Instant, now: Instant) -> Duration {
        let lengths = self.outages().into_iter().map(|outage| {
            outage.to.unwrap_or(now).min(now).saturating_duration_since(outage.from.max(mark))
        });
        lengths.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(length: u64) -> Duration {
        Duration::from_millis(length)
    }

    /// Makes a timeline of polls: when each began and ended, and `+` for a success.
    fn timeline(start: Instant, rows: &[(u64, u64, char)]) -> Timeline {
        let poll = |&(began, ended, verdict): &(u64, u64, char)| Poll {
            began: start + ms(began),
            ended: start + ms(ended),
            failure: (verdict != '+').then(|| "refused".to_owned()),
        };
        Timeline::new(rows.iter().map(poll).collect())
    }

    #[test]
    fn downtime_lasts_from_the_last_success_to_the_next_and_is_clipped() {
        let start = Instant::now();
        let all_well = timeline(start, &[(0, 20, '+'), (100, 120, '+')]);
        assert_eq!(all_well.downtime(start, start + ms(500)), ms(0));
        let rows = [(0, 20, '+'), (100, 101, '-'), (200, 201, '-'), (300, 330, '+')];
        let back = timeline(start, &rows);
        for (mark, now, expected) in [(0, 500, 310), (90, 500, 240), (90, 250, 160), (400, 500, 0)]
        {
            assert_eq!(back.downtime(start + ms(mark), start + ms(now)), ms(expected), "{mark}");
        }
        let away = timeline(start, rows.get(..3).unwrap_or_default());
        assert_eq!(away.downtime(start, start + ms(900)), ms(880));
        assert_eq!(away.outages().len(), 1);
        let never = timeline(start, &[(100, 101, '-')]);
        assert_eq!(never.downtime(start, start + ms(200)), ms(100));
    }

    #[test]
    fn a_poll_that_hangs_speaks_for_the_moment_at_which_it_began() {
        let start = Instant::now();
        let rows = [(0, 20, '+'), (100, 2100, '-'), (200, 230, '+'), (300, 330, '+')];
        let hung = timeline(start, &rows);
        assert_eq!(hung.downtime(start, start + ms(3000)), ms(210));
    }
}
