//! All entries of a list at once: each gets its own answer within one limit.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};

use super::connection::{Connection, SILENCE};
use super::socket::{begin, begin_visit, refused};
use super::turns::Turns;
use crate::probe::attempt::{Attempt, Refusal, Silence};
use crate::probe::endpoint::{Depth, Endpoint};
use crate::probe::login::Visit;
use crate::text::seconds;

/// The longest time between two moments in which the caller can look after something else.
pub(super) const MEANWHILE: Duration = Duration::from_millis(20);

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
        unvisited(Err(Refusal::NotTried(cause)), limit)
    };
    let mut answers: Vec<Attempt> = endpoints.iter().map(|_| late()).collect();
    let mut turns = Turns::new(endpoints, start);
    let mut talks: Vec<Connection<'_>> = Vec::new();
    let mut silence = depth.listens().then_some(start + SILENCE);
    let mut unheard = visit.is_some();
    let mut next = start + MEANWHILE;
    let mut looked = start;
    loop {
        turns.accepted(
            talks.iter().filter(|one| one.is_silent()).map(|one| one.course.endpoint.port),
        );
        let due = begin_some((endpoints, visit), &mut turns, &mut talks, &mut answers, end);
        let Some(deadline) = talks.iter().map(|one| one.course.deadline).min() else {
            return answers;
        };
        let unanswered = talks.iter().find_map(Connection::silent_login).filter(|_| unheard);
        let moments = [due, silence, unanswered, Some(next)].into_iter().flatten();
        let ready = wait(&talks, moments.fold(deadline, Ord::min));
        let now = Instant::now();
        for talk in &mut talks {
            talk.excuse(looked, now);
        }
        looked = now;
        if now >= next {
            meanwhile();
            next = now + MEANWHILE;
        }
        if silence.is_some_and(|moment| now >= moment) {
            silence = None;
            if talks.iter().any(Connection::is_silent) {
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
                answer = talk.go_on(depth);
            }
            if answer.is_none() && now >= talk.course.deadline {
                answer = Some(talk.give_up());
            }
            let goes_on = answer.is_none();
            match answer {
                Some((Err(Refusal::NothingInCommon(cause)), _)) if talk.may_be_unclear() => {
                    unclear.push((talk.course, cause));
                }
                Some((outcome, took)) => {
                    let (certificate, visited) = (talk.certificate(), talk.visited());
                    set(
                        &mut answers,
                        talk.course.at,
                        Attempt { outcome, took, certificate, visited },
                    );
                    turns.ended(talk.course.endpoint, now);
                }
                None => {}
            }
            goes_on
        });
        // Only now, since the descriptors of the first connections are free again.
        for (course, cause) in unclear {
            match Connection::second(course, endpoints, cause) {
                Ok(talk) => talks.push(talk),
                Err(refusal) => {
                    let (outcome, took) = (Err(refusal), course.begun.elapsed());
                    set(&mut answers, course.at, unvisited(outcome, took));
                    turns.ended(course.endpoint, now);
                }
            }
        }
    }
}

/// Begins with those whose turn it is; returns when the next may begin, if one can.
fn begin_some<'a>(
    (endpoints, visit): (&[Endpoint], Option<&'a Visit>),
    turns: &mut Turns<'a>,
    talks: &mut Vec<Connection<'a>>,
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
                talks.push(Connection::new((at, endpoint), socket.into(), visit, begun, end));
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

/// Waits until one of them can go on, or until the given moment; tells for each.
fn wait(talks: &[Connection<'_>], until: Instant) -> Vec<bool> {
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
    use super::super::tls::ENDED;
    use super::super::{hello, tls};
    use super::*;
    use crate::probe::endpoint::Mode;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

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
        let end = begun + second * 6;
        let socket = socket.expect("a connection");
        let mut talk = Connection::new((0, &endpoint), socket, None, begun, end);
        let mut then = |looked: Duration, now: Duration| {
            talk.excuse(begun + looked, begun + now);
            (talk.course.deadline - begun, talk.waited(), talk.give_up().0)
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
