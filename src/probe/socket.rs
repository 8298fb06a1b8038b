//! The socket of a connection: from which port it comes, and what its errors say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream};
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, OwnedFd};

use log::debug;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, getpeername, getsockname, getsockopt,
    setsockopt, socket, sockopt,
};

use super::attempt::Refusal;
use super::endpoint::Endpoint;

/// The ports to come from when a user has used up the others; no user may take these. Services are
/// seldom found on them (IANA's list has `surf` and `webpush`), and 24 are plenty: one port serves
/// for any number of destinations.
pub const PRIVILEGED: RangeInclusive<u16> = 1000..=1023;

/// Where the connection comes from over which a password is said to a loopback address. Dovecot
/// delays the logins of an address from which others have failed: a right password waited for 6 s
/// at 127.0.0.1 (seen with 2.3.19). So fail2ban and the logs keep apart what is the check's, too.
pub const VISITOR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 143);

/// Begins to connect as [`begin`], from [`VISITOR`] where the endpoint is a loopback address of IPv4.
pub(super) fn begin_visit(endpoint: &Endpoint, endpoints: &[Endpoint]) -> Result<OwnedFd, Errno> {
    if endpoint.address.is_loopback() && endpoint.address.is_ipv4() {
        let from = SocketAddr::new(VISITOR.into(), 0);
        if let Ok(socket) = connect(endpoint, Some(from)) {
            return Ok(socket);
        }
    }
    begin(endpoint, endpoints)
}

/// Begins to connect; when the local ports are used up, from a privileged one, which must not be one
/// of the list.
pub(super) fn begin(endpoint: &Endpoint, endpoints: &[Endpoint]) -> Result<OwnedFd, Errno> {
    match connect(endpoint, None) {
        Err(Errno::EADDRNOTAVAIL) => {}
        other => return other,
    }
    let mut without_address = false;
    let any = match endpoint.address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let unlisted = |port: &u16| endpoints.iter().all(|one| one.port != *port);
    for port in PRIVILEGED.rev().filter(unlisted) {
        match connect(endpoint, Some(SocketAddr::new(any, port))) {
            Err(Errno::EADDRINUSE) => {}
            // That may be the port as well, as long as an old connection to the same place has it.
            Err(Errno::EADDRNOTAVAIL) => without_address = endpoint.address.is_ipv6(),
            other => {
                debug!("{endpoint}: the local ports are used up; tried from port {port}");
                return other;
            }
        }
    }
    // The kernel says the same when this node has no address of the kind to come from, as where
    // IPv6 is switched off: then it does not have the one of the list either.
    Err(if without_address { Errno::ENETUNREACH } else { Errno::EADDRNOTAVAIL })
}

/// Begins to connect, from a given address and port if they are given.
fn connect(endpoint: &Endpoint, from: Option<SocketAddr>) -> Result<OwnedFd, Errno> {
    let (family, address) = match endpoint.address {
        IpAddr::V4(_) => (AddressFamily::Inet, SocketAddr::new(endpoint.address, endpoint.port)),
        IpAddr::V6(ip) => {
            let scope = endpoint.zone.as_deref().map_or(Ok(0), interface)?;
            (AddressFamily::Inet6, SocketAddrV6::new(ip, endpoint.port, 0, scope).into())
        }
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;
    if let Some(from) = from {
        // So the port serves for other destinations at the same time, and a service that wants to
        // listen on it can.
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        nix::sys::socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(from))?;
    }
    match nix::sys::socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS | Errno::EINTR) => Ok(socket),
        Err(cause) => Err(cause),
    }
}

/// The number of a network interface that is named, or already a number.
fn interface(zone: &str) -> Result<u32, Errno> {
    zone.parse().or_else(|_| nix::net::if_::if_nametoindex(zone))
}

/// How a connection came out that is no longer on its way.
pub(super) fn outcome(socket: &TcpStream) -> Result<(), Refusal> {
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

/// What an error of socket(2), bind(2) or connect(2) says. What this program or this node is short
/// of, or forbids it, is no word of Dovecot's: called a fault, a user who uses up the local ports,
/// or a rule of the node's, would throw out all others. Everything else is a fault, as for the
/// original: nobody listens, nobody answers, or the address is not this node's (no route, no
/// such interface), which users notice as well; and a mistake in the list, which the first
/// restore shows.
pub(super) fn refused(cause: Errno) -> Refusal {
    let words = cause.desc().to_lowercase();
    match cause {
        Errno::EADDRNOTAVAIL => Refusal::NotTried(format!("the local ports are used up: {words}")),
        Errno::EADDRINUSE
        | Errno::EAGAIN
        | Errno::EMFILE
        | Errno::ENFILE
        | Errno::ENOBUFS
        | Errno::ENOMEM
        | Errno::EACCES
        | Errno::EPERM => Refusal::NotTried(words),
        _ => Refusal::Failed(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_side_lacks_is_no_word_of_the_servers() {
        for ours in [
            Errno::EADDRNOTAVAIL,
            Errno::EADDRINUSE,
            Errno::EAGAIN,
            Errno::EMFILE,
            Errno::ENFILE,
            Errno::ENOBUFS,
            Errno::ENOMEM,
            Errno::EACCES,
            Errno::EPERM,
        ] {
            assert!(refused(ours).tells_nothing(), "{ours}");
        }
        for theirs in [
            Errno::ECONNREFUSED,
            Errno::ECONNRESET,
            Errno::ETIMEDOUT,
            Errno::ENETUNREACH,
            Errno::EHOSTUNREACH,
            Errno::ENETDOWN,
            Errno::ENODEV,
            Errno::EAFNOSUPPORT,
            Errno::EINVAL,
        ] {
            assert!(!refused(theirs).tells_nothing(), "{theirs}");
        }
    }
}
