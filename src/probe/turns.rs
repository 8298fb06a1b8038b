//! Whose turn it is, when many endpoints of a list have one port.
//!
//! They may all lead to one Dovecot, and each greeting takes a process of its login service: 250 at
//! once were seen to fill one that was healthy, so that it greeted nobody in time. Mere connections
//! fill its listening queue, and the kernel lets the next one wait for a second. So only a few of
//! one port are under way at a time, and each that ends makes room for the next. Where none ends,
//! nobody is at work for us either, and the room grows, lest a list of dead endpoints take their
//! time-outs in a row.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::probe::endpoint::Endpoint;

/// How many of one port are under way at first. Dovecot's login services have room for
/// 100 clients and more.
const AT_FIRST: usize = 16;

/// After so long without any answer on a port, twice as many may be. A healthy Dovecot
/// greets within 15 ms.
const PATIENCE: Duration = Duration::from_millis(50);

/// More than so many are awaited only after [`LONG_PATIENCE`], if there is one that was accepted.
/// Dovecot's login services listen with a queue of 100, and a busy one may be silent for longer than
/// [`PATIENCE`]. When the queue is full, the kernel drops who comes, who believes to be connected and
/// hears nothing for 15 s.
const QUEUE: usize = 64;

/// See [`QUEUE`].
const LONG_PATIENCE: Duration = Duration::from_secs(1);

/// An endpoint and its place in the list.
pub(super) type Entry<'a> = (usize, &'a Endpoint);

/// The endpoints that have not begun yet.
pub(super) struct Turns<'a>(BTreeMap<u16, Port<'a>>);

/// Those of one port.
struct Port<'a> {
    waiting: VecDeque<Entry<'a>>,
    under_way: usize,
    /// How many of these were accepted and wait for words.
    accepted: usize,
    room: usize,
    /// When something was begun or ended last.
    moved: Instant,
}

impl<'a> Turns<'a> {
    pub(super) fn new(endpoints: &'a [Endpoint], now: Instant) -> Self {
        let mut ports = BTreeMap::new();
        for (at, endpoint) in endpoints.iter().enumerate() {
            let room = AT_FIRST;
            let empty =
                || Port { waiting: VecDeque::new(), under_way: 0, accepted: 0, room, moved: now };
            let port = ports.entry(endpoint.port).or_insert_with(empty);
            port.waiting.push_back((at, endpoint));
        }
        Self(ports)
    }

    /// The next that may begin; it counts as begun.
    pub(super) fn next(&mut self, now: Instant) -> Option<Entry<'a>> {
        let Self(ports) = self;
        ports.values_mut().find_map(|port| port.next(now))
    }

    /// Takes one back that could not begin.
    pub(super) fn take_back(&mut self, entry: Entry<'a>) {
        if let Some(port) = self.0.get_mut(&entry.1.port) {
            port.under_way = port.under_way.saturating_sub(1);
            port.waiting.push_front(entry);
        }
    }

    /// Those that were accepted and wait for words, one port for each.
    pub(super) fn accepted(&mut self, ports: impl Iterator<Item = u16>) {
        self.0.values_mut().for_each(|port| port.accepted = 0);
        for port in ports {
            if let Some(port) = self.0.get_mut(&port) {
                port.accepted += 1;
            }
        }
    }

    /// One has ended, well or not.
    pub(super) fn ended(&mut self, endpoint: &Endpoint, now: Instant) {
        if let Some(port) = self.0.get_mut(&endpoint.port) {
            port.under_way = port.under_way.saturating_sub(1);
            port.moved = now;
        }
    }

    /// When another may begin although none has ended; `None` when none waits.
    pub(super) fn due(&self) -> Option<Instant> {
        let waits = self.0.values().filter(|port| !port.waiting.is_empty());
        waits.map(Port::due).min()
    }
}

impl<'a> Port<'a> {
    fn next(&mut self, now: Instant) -> Option<Entry<'a>> {
        if self.under_way >= self.room {
            if now < self.due() {
                return None;
            }
            self.room = self.room.saturating_mul(2);
        }
        let entry = self.waiting.pop_front()?;
        self.under_way += 1;
        self.moved = now;
        Some(entry)
    }

    /// When it grows, if nothing moves.
    fn due(&self) -> Instant {
        let is_busy = self.accepted > 0 && self.room >= QUEUE;
        self.moved + if is_busy { LONG_PATIENCE } else { PATIENCE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Endpoints of these ports.
    fn list(ports: &[(u16, usize)]) -> Vec<Endpoint> {
        let of = |port, count| vec![Endpoint { port, ..Endpoint::default() }; count];
        ports.iter().flat_map(|&(port, count)| of(port, count)).collect()
    }

    fn all_now(turns: &mut Turns<'_>, now: Instant) -> usize {
        std::iter::from_fn(|| turns.next(now)).count()
    }

    #[test]
    fn a_few_of_each_port_begin_and_each_that_ends_makes_room_for_one() {
        let (list, now) = (list(&[(143, 40), (993, 3)]), Instant::now());
        let mut turns = Turns::new(&list, now);
        assert_eq!(all_now(&mut turns, now), AT_FIRST + 3);
        for _ in 0..40 - AT_FIRST {
            turns.ended(&list[0], now);
            assert_eq!(all_now(&mut turns, now), 1);
        }
        assert_eq!((turns.next(now), turns.due()), (None, None), "none is left");
    }

    #[test]
    fn where_nobody_answers_the_room_doubles_until_all_are_under_way() {
        let (list, start) = (list(&[(143, 500)]), Instant::now());
        for (accepted, late) in [
            (0, PATIENCE * 5),
            // Who has accepted may only be busy.
            (1, PATIENCE * 2 + LONG_PATIENCE * 3),
        ] {
            let mut turns = Turns::new(&list, start);
            turns.accepted(std::iter::repeat_n(143, accepted));
            let (mut now, mut begun) = (start, Vec::new());
            loop {
                begun.push(all_now(&mut turns, now));
                assert_eq!(turns.next(now), None, "not before it is due");
                let Some(due) = turns.due() else { break };
                now = due;
            }
            assert_eq!(begun, [16, 16, 32, 64, 128, 244]);
            assert_eq!(now - start, late);
        }
    }

    #[test]
    fn as_long_as_one_answers_the_room_stays() {
        let (list, mut now) = (list(&[(143, 500)]), Instant::now());
        let mut turns = Turns::new(&list, now);
        all_now(&mut turns, now);
        for _ in 0..100 {
            now += PATIENCE * 9 / 10;
            turns.ended(&list[0], now);
            assert_eq!(all_now(&mut turns, now), 1);
        }
    }

    #[test]
    fn one_that_could_not_begin_is_the_next_again() {
        let (list, now) = (list(&[(143, 2)]), Instant::now());
        let mut turns = Turns::new(&list, now);
        let first = turns.next(now).expect("the first");
        turns.take_back(first);
        assert_eq!(turns.next(now), Some(first));
    }
}
