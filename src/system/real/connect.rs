//! TCP connections to many endpoints at once, in one thread.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, getpeername, getsockname, getsockopt,
    socket, sockopt,
};

use crate::dovecot::endpoint::Endpoint;
use crate::system::{Attempt, Refusal};

/// A connection on its way.
struct Pending {
    /// The place of its endpoint in the list.
    at: usize,
    socket: OwnedFd,
    timeout: Duration,
    begun: Instant,
    deadline: Instant,
}

/// Connects to all endpoints and closes again. When descriptors run out, the rest begins as soon
/// as others have ended.
pub(super) fn connect(endpoints: &[Endpoint], limit: Duration) -> Vec<Attempt> {
    let end = Instant::now() + limit;
    let late = || Attempt { outcome: Err(Refusal::TimedOut(limit)), took: limit };
    let mut answers: Vec<Attempt> = endpoints.iter().map(|_| late()).collect();
    let mut waiting = endpoints.iter().enumerate().peekable();
    let mut pending: Vec<Pending> = Vec::new();
    loop {
        while let Some((at, endpoint)) = waiting.peek().copied() {
            let begun = Instant::now();
            let answer = match begin(endpoint) {
                Err(Errno::EMFILE | Errno::ENFILE) if !pending.is_empty() => break,
                Err(cause) => Some(Err(refused(cause))),
                Ok(Begun::Connected(socket)) => Some(outcome(&socket)),
                Ok(Begun::OnItsWay(socket)) => {
                    let timeout = endpoint.timeout;
                    let deadline = (begun + timeout).min(end);
                    pending.push(Pending { at, socket, timeout, begun, deadline });
                    None
                }
            };
            set(&mut answers, at, answer, begun.elapsed());
            waiting.next();
        }
        let Some(next) = pending.iter().map(|one| one.deadline).min() else {
            return answers;
        };
        let ready = wait(&pending, next);
        let now = Instant::now();
        let mut turn = ready.into_iter();
        pending.retain(|one| {
            let answer = match turn.next() {
                Some(true) => Some(outcome(&one.socket)),
                _ if now >= one.deadline => Some(Err(Refusal::TimedOut(one.timeout))),
                _ => None,
            };
            let goes_on = answer.is_none();
            set(&mut answers, one.at, answer, now.duration_since(one.begun));
            goes_on
        });
        if now >= end {
            return answers;
        }
    }
}

fn set(answers: &mut [Attempt], at: usize, answer: Option<Result<(), Refusal>>, took: Duration) {
    if let (Some(place), Some(outcome)) = (answers.get_mut(at), answer) {
        *place = Attempt { outcome, took };
    }
}

enum Begun {
    Connected(OwnedFd),
    OnItsWay(OwnedFd),
}

fn begin(endpoint: &Endpoint) -> Result<Begun, Errno> {
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
        Ok(()) => Ok(Begun::Connected(socket)),
        Err(Errno::EINPROGRESS | Errno::EINTR) => Ok(Begun::OnItsWay(socket)),
        Err(cause) => Err(cause),
    }
}

/// The number of a network interface that is named, or already a number.
fn interface(zone: &str) -> Result<u32, Errno> {
    zone.parse().or_else(|_| nix::net::if_::if_nametoindex(zone))
}

/// Waits until one of them has an answer, or until the given moment; tells for each.
fn wait(pending: &[Pending], until: Instant) -> Vec<bool> {
    let mut polled: Vec<PollFd<'_>> =
        pending.iter().map(|one| PollFd::new(one.socket.as_fd(), PollFlags::POLLOUT)).collect();
    // A millisecond more than what is left, lest the last one be spent in a busy loop.
    let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    // An interruption is no answer.
    let _ = poll(&mut polled, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO));
    polled.iter().map(|one| one.any().unwrap_or(false)).collect()
}

/// How a connection came out that is no longer on its way.
fn outcome(socket: &OwnedFd) -> Result<(), Refusal> {
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
        let answers = connect(&list, Duration::from_secs(5));
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
        let answers = connect(&list, Duration::from_secs(5));
        let one = answers.last().expect("fifty answers");
        assert_eq!(one.outcome, Err(Refusal::TimedOut(Duration::from_secs(1))), "{answers:?}");
        assert!(one.took >= Duration::from_secs(1), "{one:?}");

        let list = vec![Endpoint { timeout: Duration::from_secs(15), ..endpoint(&listener) }; 50];
        let start = Instant::now();
        let answers = connect(&list, Duration::from_millis(100));
        let one = answers.last().expect("fifty answers");
        assert!(matches!(one.outcome, Err(Refusal::TimedOut(_))), "{answers:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "the limit of all comes first");
    }
}
