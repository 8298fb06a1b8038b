//! A TCP connection to an endpoint that never waits, and the first words behind it.

use std::io::{self, Read, Write};
use std::mem::take;
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;

use super::hello;
use super::socket::{begin, outcome, refused};
use super::tls::{Peer, Tls, listen};
use crate::probe::attempt::Refusal;
use crate::probe::endpoint::{Depth, Endpoint, Mode};
use crate::probe::greeting::{self, Judgement, Protocol};
use crate::probe::login::{Dialogue, Lines, Next, Step, Trouble, Visit, Visited, Wire};
use crate::probe::reply::Reason;
use crate::text::seconds;

/// After how long somebody who has not greeted is called silent. A healthy Dovecot greets within
/// 15 ms, a busy one within some hundred.
pub(super) const SILENCE: Duration = Duration::from_millis(500);

/// After how long without a look this program has not run: it looks every
/// [`MEANWHILE`](super::list::MEANWHILE), and what it does between two looks takes less.
const ABSENCE: Duration = Duration::from_millis(250);

/// How long a server that greeted may take to end the connection.
const LEAVE: Duration = Duration::from_millis(250);

pub(super) struct Connection<'a> {
    pub(super) course: Course<'a>,
    pub(super) socket: TcpStream,
    stage: Stage<'a>,
    /// The look at a mailbox that is to follow the greeting.
    visit: Option<&'a Visit>,
}

/// An endpoint and its time, for one connection or two.
#[derive(Clone, Copy)]
pub(super) struct Course<'a> {
    /// The place of the endpoint in the list.
    pub(super) at: usize,
    pub(super) endpoint: &'a Endpoint,
    pub(super) begun: Instant,
    pub(super) deadline: Instant,
    /// When all connections must have ended.
    end: Instant,
    /// How long this program has not run since it began.
    absent: Duration,
}

/// How far a connection has come.
enum Stage<'a> {
    Connecting,
    Listening {
        tls: Option<Box<Tls>>,
        heard: Vec<u8>,
    },
    /// Its handshake failed for this reason; on a second connection it is offered everything.
    Choosing {
        cause: String,
        offered: bool,
        heard: Vec<u8>,
    },
    /// It has greeted after so long, and a mailbox is looked at.
    Visiting {
        tls: Option<Box<Tls>>,
        took: Duration,
        dialogue: Dialogue<'a>,
        lines: Lines,
        /// When something was said last.
        said: Instant,
    },
    /// It has greeted, and has been told goodbye.
    Leaving {
        tls: Option<Box<Tls>>,
        took: Duration,
        visited: Option<Visited>,
    },
}

/// What became of a connection, and after how long.
pub(super) type Answer = (Result<(), Refusal>, Duration);

impl<'a> Connection<'a> {
    /// One that is on its way since a moment, and has the time-out of its endpoint but not longer than
    /// until `end`.
    pub(super) fn new(
        (at, endpoint): (usize, &'a Endpoint),
        socket: TcpStream,
        visit: Option<&'a Visit>,
        begun: Instant,
        end: Instant,
    ) -> Self {
        let deadline = (begun + endpoint.timeout).min(end);
        let course = Course { at, endpoint, begun, deadline, end, absent: Duration::ZERO };
        Self { course, socket, stage: Stage::Connecting, visit }
    }

    /// Begins the second connection to a server whose handshake failed, within the same time.
    ///
    /// # Errors
    ///
    /// That the handshake failed, or that it cannot be told why, when the cause that this does not
    /// begin is one of ours.
    pub(super) fn second(
        course: Course<'a>,
        endpoints: &[Endpoint],
        cause: String,
    ) -> Result<Self, Refusal> {
        match begin(course.endpoint, endpoints) {
            Ok(socket) => {
                let stage = Stage::Choosing { cause, offered: false, heard: Vec::new() };
                Ok(Self { course, socket: socket.into(), stage, visit: None })
            }
            Err(errno) => match refused(errno) {
                ours if ours.tells_nothing() => Err(ours),
                _ => Err(Refusal::Tls(cause)),
            },
        }
    }

    /// Does not count a time in which this program did not run, as while its machine is paused or
    /// others have the processors: what was said then could not be heard, nor be answered. A wrong yes
    /// finds a dead server later by that time, and never later than at `end`; a wrong no restarts one
    /// that is well.
    pub(super) fn excuse(&mut self, looked: Instant, now: Instant) {
        let absent = now.saturating_duration_since(looked.max(self.course.begun));
        if absent > ABSENCE {
            self.course.absent += absent;
            self.course.deadline = (self.course.deadline + absent).min(self.course.end);
        }
    }

    /// How long the server has been waited for when its time is over.
    pub(super) fn waited(&self) -> Duration {
        self.course
            .deadline
            .saturating_duration_since(self.course.begun)
            .saturating_sub(self.course.absent)
    }

    /// Goes as far as it can without waiting; returns how it ended, if it has.
    pub(super) fn go_on(&mut self, depth: Depth) -> Option<Answer> {
        let took = self.course.begun.elapsed();
        match self.advance(depth) {
            Ok(ControlFlow::Continue(())) => None,
            Ok(ControlFlow::Break(())) => Some((
                Ok(()),
                if let Stage::Leaving { took, .. } = &self.stage { *took } else { took },
            )),
            Err(refusal) => Some((Err(refusal), took)),
        }
    }

    /// Does what can be done at once.
    fn advance(&mut self, depth: Depth) -> Result<ControlFlow<()>, Refusal> {
        if matches!(self.stage, Stage::Connecting) {
            outcome(&self.socket)?;
            if self.course.endpoint.depth(depth) == Depth::Connect {
                return Ok(ControlFlow::Break(()));
            }
            let tls = match self.course.endpoint.mode {
                Mode::Plain | Mode::Connect => None,
                Mode::Tls => {
                    let tls = Tls::new(self.course.endpoint.address);
                    Some(Box::new(tls.map_err(Refusal::NotTried)?))
                }
            };
            self.stage = Stage::Listening { tls, heard: Vec::new() };
        }
        let socket = &mut self.socket;
        match &mut self.stage {
            Stage::Connecting => Ok(ControlFlow::Continue(())),
            Stage::Listening { tls, heard } => {
                let peer = listen(socket, tls.as_deref_mut(), heard)?;
                let protocol = match greeting::judge(heard) {
                    Judgement::Ready(protocol) => protocol,
                    Judgement::NotReady(words) => return Err(Refusal::NotReady(words)),
                    Judgement::Foreign(words) => return Err(Refusal::Foreign(words)),
                    Judgement::More if peer == Peer::Ended => return Err(Refusal::Closed),
                    Judgement::More => return Ok(ControlFlow::Continue(())),
                };
                let (tls, heard, took) = (tls.take(), take(heard), self.course.begun.elapsed());
                if let Some(visit) = self.visit.filter(|_| peer == Peer::Open) {
                    self.begin_visit((visit, protocol), tls, &heard);
                    return Ok(ControlFlow::Continue(()));
                }
                // The server left behind its greeting.
                let ended = || Trouble::Closed(Step::Login, Reason::default());
                let visited = self.visit.map(|_| Err(ended()));
                self.leave(tls, protocol.farewell(), (took, visited));
                Ok(match peer {
                    Peer::Open => ControlFlow::Continue(()),
                    Peer::Ended => ControlFlow::Break(()),
                })
            }
            Stage::Visiting { .. } => {
                self.go_on_visiting();
                Ok(ControlFlow::Continue(()))
            }
            Stage::Choosing { cause, offered, heard } => {
                let chosen =
                    if *offered { hello::chosen(socket, heard) } else { hello::offer(socket) };
                *offered = true;
                chosen.map_err(|meaning| meaning(take(cause)))?;
                Ok(ControlFlow::Continue(()))
            }
            Stage::Leaving { tls, .. } => {
                if let Some(tls) = tls {
                    let _ = tls.send(socket);
                }
                // What it says now is not listened to; only its end is.
                Ok(match socket.read(&mut [0; 512]) {
                    Ok(1..) => ControlFlow::Continue(()),
                    Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {
                        ControlFlow::Continue(())
                    }
                    Ok(0) | Err(_) => ControlFlow::Break(()),
                })
            }
        }
    }

    /// Takes leave of who has greeted after so long.
    fn leave(
        &mut self,
        mut tls: Option<Box<Tls>>,
        farewell: &[u8],
        (took, visited): (Duration, Option<Visited>),
    ) {
        match tls.as_deref_mut() {
            Some(tls) => {
                tls.take_leave(farewell);
                let _ = tls.send(&mut self.socket);
            }
            None => drop(self.socket.write(farewell)),
        }
        self.course.deadline = (Instant::now() + LEAVE).min(self.course.end);
        self.stage = Stage::Leaving { tls, took, visited };
    }

    /// Goes on behind the greeting.
    fn begin_visit(
        &mut self,
        (visit, protocol): (&'a Visit, Protocol),
        tls: Option<Box<Tls>>,
        greeting: &[u8],
    ) {
        let address = self.course.endpoint.address;
        let own = self.socket.local_addr().is_ok_and(|own| own.ip() == address);
        let wire = match (&tls, own) {
            (Some(_), _) => Wire::Encrypted,
            (None, _) if address.is_loopback() => Wire::Loopback,
            (None, true) => Wire::Own,
            (None, false) => Wire::Open,
        };
        let (dialogue, next) = Dialogue::begin(visit, protocol, greeting, wire);
        let (took, lines, said) = (self.course.begun.elapsed(), Lines::default(), Instant::now());
        self.course.deadline =
            (self.course.begun + visit.limit + self.course.absent).min(self.course.end);
        self.stage = Stage::Visiting { tls, took, dialogue, lines, said };
        self.follow(next);
    }

    /// Hears what has come to a visit, and answers.
    fn go_on_visiting(&mut self) {
        while let Stage::Visiting { tls, dialogue, lines, .. } = &mut self.stage {
            let was_handshaking = tls.as_ref().is_some_and(|tls| tls.is_handshaking());
            let before = lines.heard.len();
            let peer = listen(&mut self.socket, tls.as_deref_mut(), &mut lines.heard);
            let came = lines.heard.len() - before;
            if was_handshaking && tls.as_ref().is_some_and(|tls| !tls.is_handshaking()) {
                let next = dialogue.encrypted();
                self.follow(next);
                continue;
            }
            while let Stage::Visiting { dialogue, lines, .. } = &mut self.stage
                && let Some(line) = lines.next()
            {
                let next = dialogue.hear(&line);
                self.follow(next);
            }
            let Stage::Visiting { dialogue, .. } = &self.stage else { return };
            let trouble = match peer {
                Ok(Peer::Open) if came > 0 => continue,
                Ok(Peer::Open) => return,
                Ok(Peer::Ended) => Trouble::Closed(dialogue.step, Reason::default()),
                Err(cause) => Trouble::Tls(cause.to_string()),
            };
            self.follow(Next::End(Err(trouble)));
        }
    }

    /// Does what a dialogue says.
    fn follow(&mut self, next: Next) {
        let address = self.course.endpoint.address;
        let Stage::Visiting { tls, took, dialogue, lines, said } = &mut self.stage else { return };
        let visited = match next {
            Next::Listen => return,
            Next::Say(words) => {
                *said = Instant::now();
                match tls.as_deref_mut() {
                    Some(tls) => {
                        tls.say(&words);
                        let _ = tls.send(&mut self.socket);
                    }
                    // So little fits into any socket.
                    None => drop(self.socket.write(&words)),
                }
                return;
            }
            Next::Encrypt => match Tls::new(address) {
                Ok(mut new) => {
                    // What came unencrypted behind the answer counts for nothing.
                    *lines = Lines::default();
                    let _ = new.send(&mut self.socket);
                    *tls = Some(Box::new(new));
                    return;
                }
                Err(cause) => Err(Trouble::NotTried(cause)),
            },
            Next::End(visited) => visited,
        };
        let (tls, farewell, took) = (tls.take(), dialogue.protocol.farewell(), *took);
        self.leave(tls, farewell, (took, Some(visited)));
    }

    /// When somebody who was told a password is called silent; `None` when nobody is waited for.
    pub(super) fn silent_login(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Visiting { dialogue, said, .. } if dialogue.step == Step::Login => {
                Some(*said + SILENCE)
            }
            _ => None,
        }
    }

    /// What became of the look at a mailbox, if one was to be made and the greeting came.
    pub(super) fn visited(&self) -> Option<Visited> {
        match &self.stage {
            Stage::Leaving { visited, .. } => visited.clone(),
            Stage::Visiting { dialogue, .. } => {
                let visit = self.visit?;
                let waited = self.waited();
                // A time that was cut short says nothing of the server.
                Some(Err(if waited < visit.limit {
                    Trouble::NotTried(format!("only {} s were left", seconds(waited)))
                } else {
                    Trouble::Silent(dialogue.step, waited)
                }))
            }
            _ => None,
        }
    }

    /// Whether that nothing is in common is no more than a guess yet.
    pub(super) const fn may_be_unclear(&self) -> bool {
        matches!(self.stage, Stage::Listening { .. })
    }

    /// Whether it was accepted, and no greeting has come.
    pub(super) const fn is_silent(&self) -> bool {
        matches!(self.stage, Stage::Listening { .. } | Stage::Choosing { offered: true, .. })
    }

    /// What is to be said when its time is over.
    pub(super) fn give_up(&self) -> Answer {
        let timeout = self.waited();
        let refusal = match &self.stage {
            Stage::Connecting | Stage::Listening { .. }
                if !self.course.absent.is_zero() && timeout < self.course.endpoint.timeout =>
            {
                Refusal::NotTried(format!(
                    "this program did not run for {} s",
                    seconds(self.course.absent)
                ))
            }
            Stage::Connecting => Refusal::TimedOut(timeout),
            Stage::Listening { tls: Some(tls), .. } if tls.is_handshaking() => {
                Refusal::Tls(format!("no handshake within {} s", seconds(timeout)))
            }
            Stage::Listening { heard, .. } if heard.is_empty() => Refusal::Silent(timeout),
            Stage::Listening { .. } => Refusal::Unfinished(timeout),
            Stage::Choosing { cause, .. } => Refusal::Tls(cause.clone()),
            Stage::Leaving { took, .. } | Stage::Visiting { took, .. } => return (Ok(()), *took),
        };
        (Err(refusal), self.course.begun.elapsed())
    }

    fn tls(&self) -> Option<&Tls> {
        match &self.stage {
            Stage::Listening { tls, .. }
            | Stage::Visiting { tls, .. }
            | Stage::Leaving { tls, .. } => tls.as_deref(),
            Stage::Connecting | Stage::Choosing { .. } => None,
        }
    }

    /// How many seconds the server's certificate has left.
    pub(super) fn certificate(&self) -> Option<i64> {
        self.tls()?.time_left()
    }

    /// What it waits for.
    pub(super) fn wish(&self) -> PollFlags {
        match &self.stage {
            Stage::Connecting | Stage::Choosing { offered: false, .. } => PollFlags::POLLOUT,
            _ if self.tls().is_some_and(Tls::wants_write) => PollFlags::POLLIN | PollFlags::POLLOUT,
            _ => PollFlags::POLLIN,
        }
    }
}
