//! TCP connections to many endpoints at once, in one thread, and the first words behind them.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, getpeername, getsockname, getsockopt,
    socket, sockopt,
};

use super::tls::Tls;
use super::turns::Turns;
use crate::dovecot::endpoint::{Endpoint, Security};
use crate::dovecot::greeting::{self, Judgement};
use crate::system::{Attempt, Depth, Refusal};

/// After how long somebody who has not greeted is called silent. A healthy Dovecot greets within
/// 15 ms, a busy one within some hundred.
const SILENCE: Duration = Duration::from_millis(500);

/// How long a server that greeted may take to end the connection.
const LEAVE: Duration = Duration::from_millis(250);

/// A connection on its way.
struct Talk<'a> {
    /// The place of its endpoint in the list.
    at: usize,
    endpoint: &'a Endpoint,
    socket: TcpStream,
    stage: Stage,
    begun: Instant,
    deadline: Instant,
}

/// How far a connection has come.
enum Stage {
    Connecting,
    Listening {
        tls: Option<Box<Tls>>,
        heard: Vec<u8>,
    },
    /// It has greeted, and has been told goodbye.
    Leaving {
        tls: Option<Box<Tls>>,
        took: Duration,
    },
}

/// Tries all endpoints, as deep as asked. When descriptors run out, the rest begins as soon as
/// others have ended; what has not begun when `limit` is over counts as timed out.
pub(super) fn probe(
    endpoints: &[Endpoint],
    depth: Depth,
    limit: Duration,
    on_silence: &mut dyn FnMut(),
) -> Vec<Attempt> {
    let start = Instant::now();
    let end = start + limit;
    let late =
        || Attempt { outcome: Err(Refusal::TimedOut(limit)), took: limit, certificate: None };
    let mut answers: Vec<Attempt> = endpoints.iter().map(|_| late()).collect();
    let mut turns = Turns::new(endpoints, start);
    let mut talks: Vec<Talk<'_>> = Vec::new();
    let mut silence = (depth == Depth::Greeting).then_some(start + SILENCE);
    loop {
        turns.accepted(talks.iter().filter(|one| one.is_silent()).map(|one| one.endpoint.port));
        let due = begin_some(&mut turns, &mut talks, &mut answers, end);
        let Some(deadline) = talks.iter().map(|one| one.deadline).min() else {
            return answers;
        };
        let ready = wait(&talks, [due, silence].into_iter().flatten().fold(deadline, Ord::min));
        let now = Instant::now();
        if silence.is_some_and(|moment| now >= moment) {
            silence = None;
            if talks.iter().any(Talk::is_silent) {
                on_silence();
            }
        }
        let mut turn = ready.into_iter();
        talks.retain_mut(|talk| {
            let mut answer = None;
            if turn.next() == Some(true) {
                answer = talk.go_on(depth, end);
            }
            if answer.is_none() && now >= talk.deadline {
                answer = Some(talk.give_up());
            }
            let goes_on = answer.is_none();
            if let Some((outcome, took)) = answer {
                let certificate = talk.certificate();
                set(&mut answers, talk.at, Attempt { outcome, took, certificate });
                turns.ended(talk.endpoint, now);
            }
            goes_on
        });
    }
}

/// Begins with those whose turn it is; returns when the next may begin, if one can.
fn begin_some<'a>(
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
        match begin(endpoint) {
            Err(Errno::EMFILE | Errno::ENFILE) if !talks.is_empty() => {
                turns.take_back((at, endpoint));
                return None;
            }
            Err(cause) => {
                let (outcome, took) = (Err(refused(cause)), begun.elapsed());
                set(answers, at, Attempt { outcome, took, certificate: None });
                turns.ended(endpoint, begun);
            }
            Ok(socket) => {
                let deadline = (begun + endpoint.timeout).min(end);
                let (socket, stage) = (TcpStream::from(socket), Stage::Connecting);
                talks.push(Talk { at, endpoint, socket, stage, begun, deadline });
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

/// What became of a connection, and after how long.
type Answer = (Result<(), Refusal>, Duration);

impl Talk<'_> {
    /// Goes as far as it can without waiting; returns how it ended, if it has.
    fn go_on(&mut self, depth: Depth, end: Instant) -> Option<Answer> {
        let took = self.begun.elapsed();
        match self.advance(depth, end) {
            Ok(true) => None,
            Ok(false) => Some((
                Ok(()),
                if let Stage::Leaving { took, .. } = self.stage { took } else { took },
            )),
            Err(refusal) => Some((Err(refusal), took)),
        }
    }

    /// Whether it goes on.
    fn advance(&mut self, depth: Depth, end: Instant) -> Result<bool, Refusal> {
        if matches!(self.stage, Stage::Connecting) {
            outcome(&self.socket)?;
            if depth == Depth::Connect {
                return Ok(false);
            }
            let tls = match self.endpoint.security {
                Security::Plain => None,
                Security::Tls => {
                    Some(Box::new(Tls::new(self.endpoint.address).map_err(Refusal::Tls)?))
                }
            };
            self.stage = Stage::Listening { tls, heard: Vec::new() };
        }
        let socket = &mut self.socket;
        match &mut self.stage {
            Stage::Connecting => Ok(true),
            Stage::Listening { tls, heard } => {
                let ended = listen(socket, tls.as_deref_mut(), heard)?;
                let protocol = match greeting::judge(heard) {
                    Judgement::Ready(protocol) => protocol,
                    Judgement::NotReady(words) => return Err(Refusal::NotReady(words)),
                    Judgement::Foreign(words) => return Err(Refusal::Foreign(words)),
                    Judgement::More if ended => return Err(closed(tls.as_deref())),
                    Judgement::More => return Ok(true),
                };
                match tls.as_deref_mut() {
                    Some(tls) => {
                        tls.take_leave(protocol.farewell());
                        let _ = tls.send(socket);
                    }
                    None => drop(socket.write(protocol.farewell())),
                }
                let took = self.begun.elapsed();
                self.deadline = (Instant::now() + LEAVE).min(end);
                self.stage = Stage::Leaving { tls: tls.take(), took };
                Ok(!ended)
            }
            Stage::Leaving { tls, .. } => {
                if let Some(tls) = tls {
                    let _ = tls.send(socket);
                }
                // What it says now is not listened to; only its end is.
                let more = match socket.read(&mut [0; 512]) {
                    Ok(bytes) => bytes > 0,
                    Err(cause) => cause.kind() == io::ErrorKind::WouldBlock,
                };
                Ok(more)
            }
        }
    }

    /// Whether it was accepted, and no greeting has come.
    const fn is_silent(&self) -> bool {
        matches!(self.stage, Stage::Listening { .. })
    }

    /// What is to be said when its time is over.
    fn give_up(&self) -> Answer {
        let timeout = self.endpoint.timeout;
        let refusal = match &self.stage {
            Stage::Connecting => Refusal::TimedOut(timeout),
            Stage::Listening { tls: Some(tls), .. } if tls.is_handshaking() => {
                Refusal::Tls(format!("no handshake within {} s", timeout.as_secs()))
            }
            Stage::Listening { heard, .. } if heard.is_empty() => Refusal::Silent(timeout),
            Stage::Listening { .. } => Refusal::Unfinished(timeout),
            Stage::Leaving { took, .. } => return (Ok(()), *took),
        };
        (Err(refusal), self.begun.elapsed())
    }

    /// How many seconds the server's certificate has left.
    fn certificate(&self) -> Option<i64> {
        match &self.stage {
            Stage::Listening { tls, .. } | Stage::Leaving { tls, .. } => tls.as_ref()?.time_left(),
            Stage::Connecting => None,
        }
    }

    /// What it waits for.
    fn wish(&self) -> PollFlags {
        match &self.stage {
            Stage::Connecting => PollFlags::POLLOUT,
            Stage::Listening { tls: Some(tls), .. } | Stage::Leaving { tls: Some(tls), .. }
                if tls.wants_write() =>
            {
                PollFlags::POLLIN | PollFlags::POLLOUT
            }
            Stage::Listening { .. } | Stage::Leaving { .. } => PollFlags::POLLIN,
        }
    }
}

/// Hears what has come; returns whether the other side has ended.
fn listen(
    socket: &mut TcpStream,
    tls: Option<&mut Tls>,
    heard: &mut Vec<u8>,
) -> Result<bool, Refusal> {
    // Not more than this is ever kept of what a server says.
    let room = u64::try_from(greeting::MAX_LINE.saturating_sub(heard.len())).unwrap_or(0);
    let Some(tls) = tls else {
        let read = (&*socket).take(room).read_to_end(heard);
        return match read {
            Ok(_) => Ok(heard.len() < greeting::MAX_LINE),
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // Before a word, a reset is an end as well.
            Err(_) => Ok(true),
        };
    };
    let shaking = tls.is_handshaking();
    let done = tls
        .send(socket)
        .and_then(|()| tls.receive(socket, heard, room))
        .and_then(|ended| tls.send(socket).map(|()| ended));
    match done {
        Ok(true) if shaking => Err(Refusal::Tls(ENDED.into())),
        Err(cause) if shaking && is_end(&cause) => Err(Refusal::Tls(ENDED.into())),
        Err(cause) if shaking => Err(Refusal::Tls(cause.to_string())),
        Ok(ended) => Ok(ended),
        Err(_) => Ok(true),
    }
}

/// What is told of a handshake that the other side broke off.
const ENDED: &str = "the server ended the connection";

/// A reset is an end as well; which of them one sees is chance.
fn is_end(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn closed(tls: Option<&Tls>) -> Refusal {
    match tls {
        Some(tls) if tls.is_handshaking() => Refusal::Tls(ENDED.into()),
        _ => Refusal::Closed,
    }
}

/// Begins to connect.
fn begin(endpoint: &Endpoint) -> Result<OwnedFd, Errno> {
    let (family, address) = match endpoint.address {
        IpAddr::V4(ip) => {
            (AddressFamily::Inet, SocketAddr::V4(SocketAddrV4::new(ip, endpoint.port)))
        }
        IpAddr::V6(ip) => {
            let scope = endpoint.zone.as_deref().map_or(Ok(0), interface)?;
            let address = SocketAddrV6::new(ip, endpoint.port, 0, scope);
            (AddressFamily::Inet6, SocketAddr::V6(address))
        }
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;
    match nix::sys::socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS | Errno::EINTR) => Ok(socket),
        Err(cause) => Err(cause),
    }
}

/// The number of a network interface that is named, or already a number.
fn interface(zone: &str) -> Result<u32, Errno> {
    zone.parse().or_else(|_| nix::net::if_::if_nametoindex(zone))
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

/// How a connection came out that is no longer on its way.
fn outcome(socket: &TcpStream) -> Result<(), Refusal> {
    let error = getsockopt(socket, sockopt::SocketError).map_or_else(|e| e, Errno::from_raw);
    if error != Errno::from_raw(0) {
        return Err(refused(error));
    }
    // Where nobody listens, a connection can meet itself, if the kernel happens to choose the
    // same port for its own end.
    let name = getsockname::<SockaddrStorage>(socket.as_raw_fd());
    if name.is_ok() && name == getpeername(socket.as_raw_fd()) {
        return Err(refused(Errno::ECONNREFUSED));
    }
    Ok(())
}

fn refused(cause: Errno) -> Refusal {
    Refusal::Failed(cause.desc().to_lowercase())
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
        let answers = probe(&list, Depth::Connect, Duration::from_secs(5), &mut || ());
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
        let answers = probe(&list, Depth::Connect, Duration::from_secs(5), &mut || ());
        let one = answers.last().expect("fifty answers");
        assert_eq!(one.outcome, Err(Refusal::TimedOut(Duration::from_secs(1))), "{answers:?}");
        assert!(one.took >= Duration::from_secs(1), "{one:?}");

        let list = vec![Endpoint { timeout: Duration::from_secs(15), ..endpoint(&listener) }; 50];
        let start = Instant::now();
        let answers = probe(&list, Depth::Connect, Duration::from_millis(100), &mut || ());
        let one = answers.last().expect("fifty answers");
        assert!(matches!(one.outcome, Err(Refusal::TimedOut(_))), "{answers:?}");
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
                Endpoint { security: Security::Tls, ..server(std::mem::forget) },
                Err(Refusal::Tls("no handshake within 1 s".into())),
            ),
            (
                Endpoint { security: Security::Tls, ..server(drop) },
                Err(Refusal::Tls("the server ended the connection".into())),
            ),
        ];
        let list: Vec<Endpoint> = cases.iter().map(|(endpoint, _)| endpoint.clone()).collect();
        let start = Instant::now();
        let answers = probe(&list, Depth::Greeting, Duration::from_secs(15), &mut || ());
        for ((endpoint, expected), answer) in cases.iter().zip(&answers) {
            assert_eq!(&answer.outcome, expected, "{endpoint}");
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }

    #[test]
    fn who_lets_himself_be_waited_for_is_told_of_once() {
        let calls = |list: &[Endpoint], depth| {
            let mut calls = 0;
            probe(list, depth, Duration::from_secs(15), &mut || calls += 1);
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
        let answers = probe(&[endpoint], Depth::Greeting, Duration::from_secs(15), &mut || ());
        assert_eq!(answers[0].outcome, Ok(()));
        assert_eq!(told.recv().expect("a goodbye"), b"QUIT\r\n");
    }
}
