//! The downtimes after one kind of event, and the mean of each part.

use std::time::Duration;

use super::Event;
use super::parts::{Owner, Part};
use super::shares::Shares;

/// One event, and the downtime after it.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) event: Event,
    pub(super) downtime: Duration,
    pub(super) parts: Shares,
}

/// What came of one kind of event.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) event: Event,
    pub(super) times: u32,
    pub(super) median: Duration,
    pub(super) min: Duration,
    pub(super) max: Duration,
    pub(super) mean: Duration,
    /// The longest downtime without the time until LifeKeeper noticed.
    pub(super) longest_work: Duration,
    /// Means, which add up to the mean.
    pub(super) parts: Shares,
}

impl Figures {
    /// Puts together what came of one kind of event; none when it never happened.
    pub(super) fn of(event: Event, samples: &[Sample]) -> Option<Self> {
        let samples: Vec<&Sample> = samples.iter().filter(|one| one.event == event).collect();
        let times = u32::try_from(samples.len()).ok().filter(|times| *times > 0)?;
        let mut downtimes: Vec<Duration> = samples.iter().map(|one| one.downtime).collect();
        downtimes.sort();
        let mut parts = Shares::new();
        for (part, length) in samples.iter().flat_map(|one| &one.parts) {
            *parts.entry(*part).or_default() += *length;
        }
        for length in parts.values_mut() {
            *length /= times;
        }
        let work = |one: &&Sample| one.downtime.saturating_sub(noticing(&one.parts));
        Some(Self {
            event,
            times,
            median: *downtimes.get(downtimes.len() / 2)?,
            min: *downtimes.first()?,
            max: *downtimes.last()?,
            mean: downtimes.iter().sum::<Duration>() / times,
            longest_work: samples.iter().map(work).max()?,
            parts,
        })
    }

    /// Returns the mean of a part.
    pub(super) fn part(&self, part: Part) -> Duration {
        self.parts.get(&part).copied().unwrap_or_default()
    }

    /// Returns the mean of all that is one owner's.
    pub(super) fn share(&self, owner: Owner) -> Duration {
        self.parts.iter().filter(|(part, _)| part.owner() == owner).map(|(_, length)| *length).sum()
    }

    /// Returns the mean without the time until LifeKeeper noticed.
    pub(super) fn work(&self) -> Duration {
        self.mean.saturating_sub(noticing(&self.parts))
    }
}

/// How long it took until LifeKeeper noticed.
fn noticing(parts: &Shares) -> Duration {
    [Part::Check, Part::Heartbeats].iter().filter_map(|part| parts.get(part)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_means_of_the_parts_add_up_to_the_mean() {
        let sample = |check: u64, start: u64| {
            let [check, start] = [check, start].map(Duration::from_millis);
            let parts = Shares::from([(Part::Check, check), (Part::Start, start)]);
            Sample { event: Event::Killed, downtime: check + start, parts }
        };
        let samples = [sample(100, 1000), sample(1900, 1100), sample(400, 900)];
        let figures = Figures::of(Event::Killed, &samples).expect("there are some");
        let ms = Duration::from_millis;
        assert_eq!((figures.times, figures.median), (3, ms(1300)));
        assert_eq!((figures.min, figures.max, figures.mean), (ms(1100), ms(3000), ms(1800)));
        assert_eq!((figures.longest_work, figures.work()), (ms(1100), ms(1000)));
        assert_eq!(figures.share(Owner::LifeKeeper), ms(800));
        assert_eq!(figures.parts.values().sum::<Duration>(), figures.mean);
        assert!(Figures::of(Event::PowerCut, &samples).is_none());
    }
}
