//! TCP connections to many endpoints at once, in one thread, and the first words behind them.

use std::io::{self, Read, Write};
use std::mem::take;
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::hello;
use super::socket::{begin, begin_visit, outcome, refused};
use super::tls::{self, Peer, Tls};
use super::turns::Turns;
use crate::probe::attempt::{Attempt, Refusal, Silence};
use crate::probe::endpoint::{Depth, Endpoint, Mode};
use crate::probe::greeting::{self, Judgement, Protocol};
use crate::probe::login::{Dialogue, Lines, Next, Step, Trouble, Visit, Visited, Wire};
use crate::probe::reply::Reason;
use crate::text::seconds;

/// The longest time between two moments in which the caller can look after something else.
const MEANWHILE: Duration = Duration::from_millis(20);

/// After how long somebody who has not greeted is called silent. A healthy Dovecot greets within
/// 15 ms, a busy one within some hundred.
const SILENCE: Duration = Duration::from_millis(500);

/// After how long without a look this program has not run: it looks every [`MEANWHILE`], and what it
/// does between two looks takes less.
const ABSENCE: Duration = Duration::from_millis(250);

/// How long a server that greeted may take to end the connection.
const LEAVE: Duration = Duration::from_millis(250);

/// A connection on its way.
struct Talk<'a> {
    /// The place of its endpoint in the list.
    at: usize,
    endpoint: &'a Endpoint,
    socket: TcpStream,
    stage: Stage<'a>,
    begun: Instant,
    deadline: Instant,
    /// How long this program has not run since it began.
    absent: Duration,
    /// The look at a mailbox that is to follow the greeting.
    visit: Option<&'a Visit>,
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

/// Tries all endpoints, as deep as asked. When descriptors run out, the rest begins as soon as
/// others have ended. What has not begun when `limit` is over counts as not tried: of those that
/// kept it from beginning each has its own answer. Behind the greeting of the endpoint of `visit`, a
/// mailbox is looked at. Calls `on_silence` once for each kind, when a greeting or the answer to a
/// password lets itself be waited for, and `meanwhile` every [`MEANWHILE`].
pub(crate) fn probe(
    endpoints: &[Endpoint],
    (depth, visit): (Depth, Option<&Visit>),
    limit: Duration,
    on_silence: &mut dyn FnMut(Silence),
    meanwhile: &dyn Fn(),
) -> Vec<Attempt> {
    let start = Instant::now();
    let end = start + limit;
    let late = || {
        let cause = format!("its turn did not come within {} s", seconds(limit));
        Attempt {
            outcome: Err(Refusal::NotTried(cause)),
            took: limit,
            certificate: None,
            visited: None,
        }
    };
    let mut answers: Vec<Attempt> = endpoints.iter().map(|_| late()).collect();
    let mut turns = Turns::new(endpoints, start);
    let mut talks: Vec<Talk<'_>> = Vec::new();
    let mut silence = depth.listens().then_some(start + SILENCE);
    let mut unheard = visit.is_some();
    let mut next = start + MEANWHILE;
    let mut looked = start;
    loop {
        turns.accepted(talks.iter().filter(|one| one.is_silent()).map(|one| one.endpoint.port));
        let due = begin_some((endpoints, visit), &mut turns, &mut talks, &mut answers, end);
        let Some(deadline) = talks.iter().map(|one| one.deadline).min() else {
            return answers;
        };
        let unanswered = talks.iter().find_map(Talk::silent_login).filter(|_| unheard);
        let moments = [due, silence, unanswered, Some(next)].into_iter().flatten();
        let ready = wait(&talks, moments.fold(deadline, Ord::min));
        let now = Instant::now();
        for talk in &mut talks {
            talk.excuse(looked, now, end);
        }
        looked = now;
        if now >= next {
            meanwhile();
            next = now + MEANWHILE;
        }
        if silence.is_some_and(|moment| now >= moment) {
            silence = None;
            if talks.iter().any(Talk::is_silent) {
                on_silence(Silence::Greeting);
            }
        }
        if unanswered.is_some_and(|moment| now >= moment) {
            unheard = false;
            on_silence(Silence::Login);
        }
        let mut turn = ready.into_iter();
        let mut unclear = Vec::new();
        talks.retain_mut(|talk| {
            let mut answer = None;
            if turn.next() == Some(true) {
                answer = talk.go_on(depth, end);
            }
            if answer.is_none() && now >= talk.deadline {
                answer = Some(talk.give_up());
            }
            let goes_on = answer.is_none();
            match answer {
                Some((Err(Refusal::NothingInCommon(cause)), _)) if talk.may_be_unclear() => {
                    let &mut Talk { at, endpoint, begun, deadline, absent, .. } = talk;
                    unclear.push((Second { at, endpoint, begun, deadline, absent }, cause));
                }
                Some((outcome, took)) => {
                    let (certificate, visited) = (talk.certificate(), talk.visited());
                    set(&mut answers, talk.at, Attempt { outcome, took, certificate, visited });
                    turns.ended(talk.endpoint, now);
                }
                None => {}
            }
            goes_on
        });
        // Only now, since the descriptors of the first connections are free again.
        for (second, cause) in unclear {
            match second.begin(endpoints, cause) {
                Ok(talk) => talks.push(talk),
                Err(refusal) => {
                    let (outcome, took) = (Err(refusal), second.begun.elapsed());
                    set(&mut answers, second.at, unvisited(outcome, took));
                    turns.ended(second.endpoint, now);
                }
            }
        }
    }
}

/// The second connection to a server whose handshake failed.
struct Second<'a> {
    at: usize,
    endpoint: &'a Endpoint,
    begun: Instant,
    deadline: Instant,
    absent: Duration,
}

impl<'a> Second<'a> {
    /// Begins it.
    ///
    /// # Errors
    ///
    /// That the handshake failed, or that it cannot be told why, when the cause that this does not
    /// begin is one of ours.
    fn begin(&self, endpoints: &[Endpoint], cause: String) -> Result<Talk<'a>, Refusal> {
        let &Self { at, endpoint, begun, deadline, absent } = self;
        match begin(endpoint, endpoints) {
            Ok(socket) => {
                let stage = Stage::Choosing { cause, offered: false, heard: Vec::new() };
                Ok(Talk {
                    at,
                    endpoint,
                    socket: socket.into(),
                    stage,
                    begun,
                    deadline,
                    absent,
                    visit: None,
                })
            }
            Err(errno) => match refused(errno) {
                ours if ours.tells_nothing() => Err(ours),
                _ => Err(Refusal::Tls(cause)),
            },
        }
    }
}

/// Begins with those whose turn it is; returns when the next may begin, if one can.
fn begin_some<'a>(
    (endpoints, visit): (&[Endpoint], Option<&'a Visit>),
    turns: &mut Turns<'a>,
    talks: &mut Vec<Talk<'a>>,
    answers: &mut [Attempt],
    end: Instant,
) -> Option<Instant> {
    while Instant::now() < end {
        let begun = Instant::now();
        let Some((at, endpoint)) = turns.next(begun) else {
            return turns.due();
        };
        let visit = visit.filter(|visit| visit.endpoint.is_same_place(endpoint));
        let connect = if visit.is_some() { begin_visit } else { begin };
        match connect(endpoint, endpoints) {
            Err(Errno::EMFILE | Errno::ENFILE) if !talks.is_empty() => {
                turns.take_back((at, endpoint));
                return None;
            }
            Err(cause) => {
                let (outcome, took) = (Err(refused(cause)), begun.elapsed());
                set(answers, at, unvisited(outcome, took));
                turns.ended(endpoint, begun);
            }
            Ok(socket) => {
                let deadline = (begun + endpoint.timeout).min(end);
                let (socket, stage) = (TcpStream::from(socket), Stage::Connecting);
                let absent = Duration::ZERO;
                talks.push(Talk { at, endpoint, socket, stage, begun, deadline, absent, visit });
            }
        }
    }
    None
}

fn set(answers: &mut [Attempt], at: usize, answer: Attempt) {
    if let Some(place) = answers.get_mut(at) {
        *place = answer;
    }
}

/// The answer of an endpoint that could not even be connected to.
const fn unvisited(outcome: Result<(), Refusal>, took: Duration) -> Attempt {
    Attempt { outcome, took, certificate: None, visited: None }
}

/// What became of a connection, and after how long.
type Answer = (Result<(), Refusal>, Duration);

impl<'a> Talk<'a> {
    /// Does not count a time in which this program did not run, as while its machine is paused or
    /// others have the processors: what was said then could not be heard, nor be answered. A wrong yes
    /// finds a dead server later by that time, and never later than at `end`; a wrong no restarts one
    /// that is well.
    fn excuse(&mut self, looked: Instant, now: Instant, end: Instant) {
        let absent = now.saturating_duration_since(looked.max(self.begun));
        if absent > ABSENCE {
            self.absent += absent;
            self.deadline = (self.deadline + absent).min(end);
        }
    }

    /// How long the server has been waited for when its time is over.
    fn waited(&self) -> Duration {
        self.deadline.saturating_duration_since(self.begun).saturating_sub(self.absent)
    }

    /// Goes as far as it can without waiting; returns how it ended, if it has.
    fn go_on(&mut self, depth: Depth, end: Instant) -> Option<Answer> {
        let took = self.begun.elapsed();
        match self.advance(depth, end) {
            Ok(ControlFlow::Continue(())) => None,
            Ok(ControlFlow::Break(())) => Some((
                Ok(()),
                if let Stage::Leaving { took, .. } = &self.stage { *took } else { took },
            )),
            Err(refusal) => Some((Err(refusal), took)),
        }
    }

    /// Does what can be done at once.
    fn advance(&mut self, depth: Depth, end: Instant) -> Result<ControlFlow<()>, Refusal> {
        if matches!(self.stage, Stage::Connecting) {
            outcome(&self.socket)?;
            if self.endpoint.depth(depth) == Depth::Connect {
                return Ok(ControlFlow::Break(()));
            }
            let tls = match self.endpoint.mode {
                Mode::Plain | Mode::Connect => None,
                Mode::Tls => {
                    let tls = Tls::new(self.endpoint.address);
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
                let (tls, heard, took) = (tls.take(), take(heard), self.begun.elapsed());
                if let Some(visit) = self.visit.filter(|_| peer == Peer::Open) {
                    return Ok(self.begin_visit((visit, protocol), tls, &heard, end));
                }
                let visited = self.visit.map(|_| Err(ended()));
                self.leave(tls, protocol.farewell(), (took, visited), end);
                Ok(match peer {
                    Peer::Open => ControlFlow::Continue(()),
                    Peer::Ended => ControlFlow::Break(()),
                })
            }
            Stage::Visiting { .. } => {
                self.go_on_visiting(end);
                Ok(ControlFlow::Continue(()))
            }
            Stage::Choosing { cause, offered, heard } => {
                let chosen = if *offered { chosen(socket, heard) } else { offer(socket) };
                *offered = true;
                chosen.map_err(|chosen| match chosen {
                    Chosen::Something => Refusal::NothingInCommon(take(cause)),
                    Chosen::Nothing => Refusal::Tls(take(cause)),
                })?;
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
        end: Instant,
    ) {
        match tls.as_deref_mut() {
            Some(tls) => {
                tls.take_leave(farewell);
                let _ = tls.send(&mut self.socket);
            }
            None => drop(self.socket.write(farewell)),
        }
        self.deadline = (Instant::now() + LEAVE).min(end);
        self.stage = Stage::Leaving { tls, took, visited };
    }

    /// Goes on behind the greeting.
    fn begin_visit(
        &mut self,
        (visit, protocol): (&'a Visit, Protocol),
        tls: Option<Box<Tls>>,
        greeting: &[u8],
        end: Instant,
    ) -> ControlFlow<()> {
        let address = self.endpoint.address;
        let own = self.socket.local_addr().is_ok_and(|own| own.ip() == address);
        let wire = match (&tls, own) {
            (Some(_), _) => Wire::Encrypted,
            (None, _) if address.is_loopback() => Wire::Loopback,
            (None, true) => Wire::Own,
            (None, false) => Wire::Open,
        };
        let (dialogue, next) = Dialogue::begin(visit, protocol, greeting, wire);
        let (took, lines, said) = (self.begun.elapsed(), Lines::default(), Instant::now());
        self.deadline = (self.begun + visit.limit + self.absent).min(end);
        self.stage = Stage::Visiting { tls, took, dialogue, lines, said };
        self.follow(next, end);
        ControlFlow::Continue(())
    }

    /// Hears what has come to a visit, and answers.
    fn go_on_visiting(&mut self, end: Instant) {
        while let Stage::Visiting { tls, dialogue, lines, .. } = &mut self.stage {
            let was_handshaking = tls.as_ref().is_some_and(|tls| tls.is_handshaking());
            let before = lines.heard.len();
            let peer = listen(&mut self.socket, tls.as_deref_mut(), &mut lines.heard);
            let came = lines.heard.len() - before;
            if was_handshaking && tls.as_ref().is_some_and(|tls| !tls.is_handshaking()) {
                let next = dialogue.encrypted();
                self.follow(next, end);
                continue;
            }
            while let Stage::Visiting { dialogue, lines, .. } = &mut self.stage
                && let Some(line) = lines.next()
            {
                let next = dialogue.hear(&line);
                self.follow(next, end);
            }
            let Stage::Visiting { dialogue, .. } = &self.stage else { return };
            let trouble = match peer {
                Ok(Peer::Open) if came > 0 => continue,
                Ok(Peer::Open) => return,
                Ok(Peer::Ended) => Trouble::Closed(dialogue.step(), Reason::default()),
                Err(cause) => Trouble::Tls(cause.to_string()),
            };
            self.follow(Next::End(Err(trouble)), end);
        }
    }

    /// Does what a dialogue says.
    fn follow(&mut self, next: Next, end: Instant) {
        let address = self.endpoint.address;
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
        let (tls, farewell, took) = (tls.take(), dialogue.farewell(), *took);
        self.leave(tls, farewell, (took, Some(visited)), end);
    }

    /// When somebody who was told a password is called silent; `None` when nobody is waited for.
    fn silent_login(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Visiting { dialogue, said, .. } if dialogue.step() == Step::Login => {
                Some(*said + SILENCE)
            }
            _ => None,
        }
    }

    /// What became of the look at a mailbox, if one was to be made and the greeting came.
    fn visited(&self) -> Option<Visited> {
        match &self.stage {
            Stage::Leaving { visited, .. } => visited.clone(),
            Stage::Visiting { dialogue, .. } => {
                let visit = self.visit?;
                let waited = self.waited();
                // A time that was cut short says nothing of the server.
                Some(Err(if waited < visit.limit {
                    Trouble::NotTried(format!("only {} s were left", seconds(waited)))
                } else {
                    Trouble::Silent(dialogue.step(), waited)
                }))
            }
            _ => None,
        }
    }

    /// Whether that nothing is in common is no more than a guess yet.
    const fn may_be_unclear(&self) -> bool {
        matches!(self.stage, Stage::Listening { .. })
    }

    /// Whether it was accepted, and no greeting has come.
    const fn is_silent(&self) -> bool {
        matches!(self.stage, Stage::Listening { .. } | Stage::Choosing { offered: true, .. })
    }

    /// What is to be said when its time is over.
    fn give_up(&self) -> Answer {
        let timeout = self.waited();
        let refusal = match &self.stage {
            Stage::Connecting | Stage::Listening { .. }
                if !self.absent.is_zero() && timeout < self.endpoint.timeout =>
            {
                Refusal::NotTried(format!(
                    "this program did not run for {} s",
                    seconds(self.absent)
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
        (Err(refusal), self.begun.elapsed())
    }

    /// How many seconds the server's certificate has left.
    fn certificate(&self) -> Option<i64> {
        match &self.stage {
            Stage::Listening { tls, .. }
            | Stage::Visiting { tls, .. }
            | Stage::Leaving { tls, .. } => tls.as_ref()?.time_left(),
            Stage::Connecting | Stage::Choosing { .. } => None,
        }
    }

    /// What it waits for.
    fn wish(&self) -> PollFlags {
        match &self.stage {
            Stage::Connecting | Stage::Choosing { offered: false, .. } => PollFlags::POLLOUT,
            Stage::Listening { tls: Some(tls), .. }
            | Stage::Visiting { tls: Some(tls), .. }
            | Stage::Leaving { tls: Some(tls), .. }
                if tls.wants_write() =>
            {
                PollFlags::POLLIN | PollFlags::POLLOUT
            }
            Stage::Listening { .. }
            | Stage::Visiting { .. }
            | Stage::Choosing { .. }
            | Stage::Leaving { .. } => PollFlags::POLLIN,
        }
    }
}

/// The server left behind its greeting.
fn ended() -> Trouble {
    Trouble::Closed(Step::Login, Reason::default())
}

/// Hears what has come, and whether more may come.
fn listen(
    socket: &mut TcpStream,
    tls: Option<&mut Tls>,
    heard: &mut Vec<u8>,
) -> Result<Peer, Refusal> {
    // Not more than this is ever kept of what a server says.
    let room = u64::try_from(greeting::MAX_LINE.saturating_sub(heard.len())).unwrap_or(0);
    let Some(tls) = tls else {
        let read = (&*socket).take(room).read_to_end(heard);
        return match read {
            Ok(_) if heard.len() < greeting::MAX_LINE => Ok(Peer::Ended),
            Ok(_) => Ok(Peer::Open),
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(Peer::Open),
            // Before a word, a reset is an end as well.
            Err(_) => Ok(Peer::Ended),
        };
    };
    let shaking = tls.is_handshaking();
    let done = tls
        .send(socket)
        .and_then(|()| tls.receive(socket, heard, room))
        .and_then(|peer| tls.send(socket).map(|()| peer));
    match done {
        Ok(Peer::Ended) if shaking => Err(Refusal::NothingInCommon(ENDED.into())),
        Err(cause) if shaking && is_end(&cause) => Err(Refusal::NothingInCommon(ENDED.into())),
        Err(cause) if shaking => Err(tls::refusal(&cause)),
        Ok(peer) => Ok(peer),
        Err(_) => Ok(Peer::Ended),
    }
}

/// What is told of a handshake that the other side broke off.
const ENDED: &str = "the server ended the connection";

/// A reset is an end as well; which of them one sees is chance.
fn is_end(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// What a server made of everything that TLS has.
enum Chosen {
    /// So it works, for others.
    Something,
    /// So it works for nobody.
    Nothing,
}

/// Offers everything that TLS has.
fn offer(socket: &mut TcpStream) -> Result<(), Chosen> {
    outcome(socket).map_err(|_| Chosen::Nothing)?;
    socket.write_all(&hello::everything()).map_err(|_| Chosen::Nothing)
}

/// Hears whether something of it is chosen; says nothing as long as it is not known.
fn chosen(socket: &TcpStream, heard: &mut Vec<u8>) -> Result<(), Chosen> {
    let room = u64::try_from(hello::ENOUGH.saturating_sub(heard.len())).unwrap_or(0);
    let mut socket = socket;
    let read = Read::take(&mut socket, room).read_to_end(heard);
    match read {
        _ if hello::is_chosen(heard) => Err(Chosen::Something),
        Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(()),
        _ => Err(Chosen::Nothing),
    }
}

/// Waits until one of them can go on, or until the given moment; tells for each.
fn wait(talks: &[Talk<'_>], until: Instant) -> Vec<bool> {
    let mut polled: Vec<PollFd<'_>> =
        talks.iter().map(|one| PollFd::new(one.socket.as_fd(), one.wish())).collect();
    // A millisecond more than what is left, lest the last one be spent in a busy loop.
    let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    // An interruption is no answer.
    let _ = poll(&mut polled, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO));
    polled.iter().map(|one| one.any().unwrap_or(false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn endpoint(listener: &TcpListener) -> Endpoint {
        let address = listener.local_addr().expect("an address");
        Endpoint { port: address.port(), address: address.ip(), ..Endpoint::default() }
    }

    #[test]
    fn each_endpoint_gets_its_own_answer_in_its_place() {
        let open = TcpListener::bind("127.0.0.1:0").expect("a port");
        let open6 = TcpListener::bind("[::1]:0").expect("a port");
        let closed = endpoint(&TcpListener::bind("127.0.0.1:0").expect("a port"));
        let nowhere = Endpoint { zone: Some("nowhere0".into()), ..endpoint(&open6) };
        let list = [endpoint(&open), closed, endpoint(&open6), nowhere];
        let answers =
            probe(&list, (Depth::Connect, None), Duration::from_secs(5), &mut |_| (), &|| ());
        let outcomes: Vec<_> = answers.iter().map(|one| one.outcome.clone()).collect();
        let failed = |cause: &str| Err(Refusal::Failed(cause.into()));
        assert_eq!(
            outcomes,
            [Ok(()), failed("connection refused"), Ok(()), failed("no such device")]
        );
        assert!(answers.iter().all(|one| one.took < Duration::from_secs(5)), "{answers:?}");
    }

    #[test]
    fn who_does_not_answer_is_given_up_at_its_time_out_or_the_limit_of_all() {
        // A listener whose queue is full lets further connections wait.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).expect("a number"))
            .expect("a short queue");
        let silent = Endpoint { timeout: Duration::from_secs(1), ..endpoint(&listener) };
        let _fills_the_queue =
            std::net::TcpStream::connect(listener.local_addr().expect("an address"));
        let list = vec![silent; 50];
        let answers =
            probe(&list, (Depth::Connect, None), Duration::from_secs(5), &mut |_| (), &|| ());
        let one = answers.last().expect("fifty answers");
        assert_eq!(one.outcome, Err(Refusal::TimedOut(Duration::from_secs(1))), "{answers:?}");
        assert!(one.took >= Duration::from_secs(1), "{one:?}");

        let list = vec![Endpoint { timeout: Duration::from_secs(15), ..endpoint(&listener) }; 50];
        let start = Instant::now();
        let answers =
            probe(&list, (Depth::Connect, None), Duration::from_millis(100), &mut |_| (), &|| ());
        let one = answers.last().expect("fifty answers");
        let unsaid = Refusal::NotTried("its turn did not come within 0.1 s".into());
        assert_eq!(one.outcome, Err(unsaid), "{answers:?}");
        let waited = |one: &Attempt| match one.outcome {
            Err(Refusal::TimedOut(time)) => Some(time),
            _ => None,
        };
        let waited: Vec<_> = answers.iter().filter_map(waited).collect();
        let most = Duration::from_millis(100);
        assert!(!waited.is_empty() && waited.iter().all(|time| *time <= most), "{answers:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "the limit of all comes first");
    }

    /// A server that does this with each client, in a thread that ends with the test program.
    fn server(serve: impl Fn(TcpStream) + Send + 'static) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = endpoint(&listener);
        std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
        Endpoint { timeout: Duration::from_secs(1), ..endpoint }
    }

    fn say(words: &'static [u8]) -> Endpoint {
        server(move |mut client| {
            client.write_all(words).expect("a client");
            let _ = client.read(&mut [0; 64]);
        })
    }

    #[test]
    fn each_server_is_judged_by_what_it_says_and_all_at_once() {
        let second = Duration::from_secs(1);
        let cases = [
            (say(b"* OK hello\r\n"), Ok(())),
            (say(b"* BYE no\r\n"), Err(Refusal::NotReady("* BYE no".into()))),
            (say(b"SSH-2.0\r\n"), Err(Refusal::Foreign("SSH-2.0".into()))),
            (server(drop), Err(Refusal::Closed)),
            (server(std::mem::forget), Err(Refusal::Silent(second))),
            (
                server(|mut client| {
                    while client.write_all(b"x").is_ok() {
                        std::thread::sleep(Duration::from_millis(100));
                    }
                }),
                Err(Refusal::Unfinished(second)),
            ),
            (
                server(|mut client| drop(client.write_all(&vec![b'x'; 1 << 20]))),
                Err(Refusal::Foreign(format!("{}…", "x".repeat(60)))),
            ),
            (
                Endpoint { mode: Mode::Tls, ..server(std::mem::forget) },
                Err(Refusal::Tls("no handshake within 1 s".into())),
            ),
            (
                Endpoint { mode: Mode::Tls, ..server(drop) },
                Err(Refusal::Tls("the server ended the connection".into())),
            ),
        ];
        let list: Vec<Endpoint> = cases.iter().map(|(endpoint, _)| endpoint.clone()).collect();
        let start = Instant::now();
        let answers =
            probe(&list, (Depth::Greeting, None), Duration::from_secs(15), &mut |_| (), &|| ());
        for ((endpoint, expected), answer) in cases.iter().zip(&answers) {
            assert_eq!(&answer.outcome, expected, "{endpoint}");
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }

    /// What is answered to a server of TLS that takes 100 ms for each of its steps, where this program
    /// does not run for so long after its first look.
    fn outcome_after(absence: Duration, limit: Duration) -> Attempt {
        let endpoint = server(|mut client| {
            let mut tls = tls::tests::server(rustls::ALL_VERSIONS);
            let mut tls = rustls::Stream::new(&mut tls, &mut client);
            let step = || std::thread::sleep(Duration::from_millis(100));
            step();
            let _ = tls.conn.complete_io(tls.sock);
            step();
            let _ = tls.write_all(b"* OK hello\r\n");
            let _ = tls.read(&mut [0; 64]);
        });
        let endpoint = Endpoint { mode: Mode::Tls, ..endpoint };
        let runs = std::cell::Cell::new(true);
        let meanwhile = || {
            if runs.replace(false) {
                std::thread::sleep(absence);
            }
        };
        probe(&[endpoint], (Depth::Greeting, None), limit, &mut |_| (), &meanwhile).remove(0)
    }

    #[test]
    fn a_time_in_which_this_program_did_not_run_is_no_silence_of_the_servers() {
        let second = Duration::from_secs(1);
        assert_eq!(outcome_after(second * 3 / 2, second * 15).outcome, Ok(()));
        let unsaid = outcome_after(second * 3 / 2, second * 3 / 2).outcome;
        let Err(Refusal::NotTried(cause)) = unsaid else { panic!("{unsaid:?}") };
        assert!(cause.starts_with("this program did not run for "), "{cause}");
    }

    #[test]
    fn only_a_long_time_between_two_looks_is_given_to_a_server_and_none_behind_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let socket = TcpStream::connect(listener.local_addr().expect("an address"));
        let (begun, endpoint) = (Instant::now(), endpoint(&listener));
        let second = Duration::from_secs(1);
        let mut talk = Talk {
            at: 0,
            endpoint: &endpoint,
            socket: socket.expect("a connection"),
            stage: Stage::Connecting,
            begun,
            deadline: begun + endpoint.timeout,
            absent: Duration::ZERO,
            visit: None,
        };
        let end = begun + second * 6;
        let mut then = |looked: Duration, now: Duration| {
            talk.excuse(begun + looked, begun + now, end);
            (talk.deadline - begun, talk.waited(), talk.give_up().0)
        };
        let silent = Err(Refusal::TimedOut(second * 2));
        assert_eq!(then(second / 5, second * 2 / 5), (second * 2, second * 2, silent.clone()));
        assert_eq!(then(second, second * 4), (second * 5, second * 2, silent));
        let unsaid = Err(Refusal::NotTried("this program did not run for 6 s".into()));
        assert_eq!(then(second * 4, second * 7), (second * 6, Duration::ZERO, unsaid));
    }

    #[test]
    fn who_lets_himself_be_waited_for_is_told_of_once() {
        let calls = |list: &[Endpoint], depth| {
            let mut calls = 0;
            probe(list, (depth, None), Duration::from_secs(15), &mut |_| calls += 1, &|| ());
            calls
        };
        let silent = [server(std::mem::forget), server(std::mem::forget)];
        assert_eq!(calls(&silent, Depth::Greeting), 1);
        assert_eq!(calls(&silent, Depth::Connect), 0);
        assert_eq!(calls(&[say(b"* OK hello\r\n"), server(drop)], Depth::Greeting), 0);
    }

    #[test]
    fn a_server_is_told_goodbye_in_its_own_words() {
        let (tell, told) = std::sync::mpsc::channel();
        let endpoint = server(move |mut client| {
            client.write_all(b"+OK ready\r\n").expect("a client");
            let mut words = [0; 64];
            let length = client.read(&mut words).expect("a goodbye");
            tell.send(words[..length].to_vec()).expect("a listener");
        });
        let answers = probe(
            &[endpoint],
            (Depth::Greeting, None),
            Duration::from_secs(15),
            &mut |_| (),
            &|| (),
        );
        assert_eq!(answers[0].outcome, Ok(()));
        assert_eq!(told.recv().expect("a goodbye"), b"QUIT\r\n");
    }

    /// What is answered to a server of TLS that does so with each client.
    fn outcome_of(serve: impl Fn(TcpStream) + Send + 'static) -> Attempt {
        let endpoint = Endpoint { mode: Mode::Tls, ..server(serve) };
        let limit = Duration::from_secs(15);
        probe(&[endpoint], (Depth::Greeting, None), limit, &mut |_| (), &|| ()).remove(0)
    }

    /// An alert, and a `ServerHello` as far as it is listened to.
    const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 40];
    const SERVER_HELLO: &[u8] = &[22, 3, 3, 0, 122, 2];

    /// Answers to a hello with these words; one that is larger than any of rustls' with others.
    fn answer(mut client: TcpStream, usual: &[u8], to_everything: &[u8]) {
        let mut hello = [0; 4096];
        let length = client.read(&mut hello).expect("a hello");
        let answer = if length < hello::everything().len() { usual } else { to_everything };
        let _ = client.write_all(answer);
    }

    #[test]
    fn a_server_that_has_nothing_in_common_with_us_is_told_from_one_that_is_broken() {
        let alert = "received fatal alert: HandshakeFailure";
        let nothing = |words: &str| Err(Refusal::NothingInCommon(words.into()));
        let broken = |words: &str| Err(Refusal::Tls(words.into()));
        // As Dovecot 2.4 does it, and 2.3.
        for (usual, words) in [(ALERT, alert), (b"".as_slice(), ENDED)] {
            let chosen = outcome_of(move |client| answer(client, usual, SERVER_HELLO)).outcome;
            assert_eq!(chosen, nothing(words));
            let refused = outcome_of(move |client| answer(client, usual, usual)).outcome;
            assert_eq!(refused, broken(words));
        }
        // One who does not listen.
        assert_eq!(outcome_of(drop).outcome, broken(ENDED));
        // One who is silent to the second hello, and one who is not there any more.
        let (greeted, first) = (std::cell::Cell::new(false), std::cell::RefCell::new(Vec::new()));
        let silent = outcome_of(move |client| {
            if greeted.replace(true) {
                first.borrow_mut().push(client);
            }
        });
        assert_eq!(silent.outcome, broken(ENDED));
        assert!(silent.took >= Duration::from_secs(1), "{silent:?}");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let once = Endpoint { mode: Mode::Tls, ..endpoint(&listener) };
        let serve = std::thread::spawn(move || drop(listener.accept()));
        let answers =
            probe(&[once], (Depth::Greeting, None), Duration::from_secs(15), &mut |_| (), &|| ());
        assert_eq!(answers[0].outcome, broken(ENDED));
        serve.join().expect("a server");
    }

    #[test]
    fn a_greeting_behind_tls_is_heard_and_the_certificate_read() {
        let attempt = outcome_of(|mut client| {
            let mut tls = tls::tests::server(rustls::ALL_VERSIONS);
            let mut tls = rustls::Stream::new(&mut tls, &mut client);
            tls.write_all(b"* OK hello\r\n").expect("a client");
            let _ = tls.read(&mut [0; 64]);
        });
        assert_eq!(attempt.outcome, Ok(()));
        assert!(attempt.certificate.is_some_and(|seconds| seconds > 0), "{attempt:?}");
    }

    #[test]
    fn the_mark_of_an_entry_goes_before_what_the_list_is_asked_for() {
        let of = |mode, endpoint| Endpoint { mode, ..endpoint };
        let list = [
            of(Mode::Connect, server(std::mem::forget)),
            of(Mode::Plain, say(b"* OK hello\r\n")),
            of(Mode::Plain, server(std::mem::forget)),
        ];
        let limit = Duration::from_secs(15);
        let mut calls = 0;
        let answers =
            probe(&list[..2], (Depth::Greeting, None), limit, &mut |_| calls += 1, &|| ());
        assert!(answers.iter().all(|one| one.outcome == Ok(())), "{answers:?}");
        assert_eq!(calls, 0, "who is not asked for a greeting is not silent");
        let answers = probe(&list, (Depth::Connect, None), limit, &mut |_| (), &|| ());
        assert!(answers.iter().all(|one| one.outcome == Ok(())), "{answers:?}");
    }
}
