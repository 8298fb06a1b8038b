//! Who listens where, as proc(5) shows it. To ask a port itself would be to connect to it, and a
//! connection may start a Dovecot that is to be stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::process::MAX_DESCRIPTORS;

/// The state of a listening socket in the kernel's table.
const LISTENING: &str = "0A";

/// A listening TCP socket.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Socket {
    /// Its address, `0.0.0.0` or `::` for all.
    pub(crate) address: IpAddr,
    /// Its port.
    pub(crate) port: u16,
    /// Processes that have it open.
    pub(crate) holders: Vec<Holder>,
}

/// A process that has a socket open.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Holder {
    /// Its pid.
    pub(crate) pid: i32,
    /// Its name.
    pub(crate) name: String,
}

impl Socket {
    /// Whether it accepts what goes to an address and port. That of all IPv6 addresses may take
    /// IPv4 too, which the kernel's table does not tell.
    pub(crate) fn accepts(&self, address: IpAddr, port: u16) -> bool {
        let everywhere = match self.address {
            IpAddr::V4(own) => own.is_unspecified() && address.is_ipv4(),
            IpAddr::V6(own) => own.is_unspecified(),
        };
        self.port == port && (self.address == address || everywhere)
    }
}

/// Lists the sockets that listen on one of these ports.
///
/// # Errors
///
/// When the kernel's table cannot be read; a machine without IPv6 has only one of two.
pub(crate) fn look(root: &Path, ports: &BTreeSet<u16>) -> io::Result<Vec<Socket>> {
    let mut found = Vec::new();
    for (name, needed) in [("tcp", true), ("tcp6", false)] {
        match File::open(root.join("proc/net").join(name)) {
            Ok(file) => {
                for line in BufReader::new(file).lines() {
                    found.extend(parse(&line?).filter(|line| ports.contains(&line.port)));
                }
            }
            Err(cause) if needed => return Err(cause),
            Err(_) => {}
        }
    }
    let inodes = found.iter().map(|line| line.inode).collect();
    let mut holders = holders(root, &inodes);
    let socket = |line: Line| Socket {
        address: line.address,
        port: line.port,
        holders: holders.remove(&line.inode).unwrap_or_default(),
    };
    Ok(found.into_iter().map(socket).collect())
}

/// The listening TCP sockets that root has opened, by the inodes that processes have open.
pub(crate) type Listeners = BTreeMap<u64, SocketAddr>;

/// Lists them; empty where nothing can be read. A user can make the table long, so it is read once for
/// many processes.
pub(crate) fn listeners(root: &Path) -> Listeners {
    let tables = ["tcp", "tcp6"].map(|name| root.join("proc/net").join(name));
    let lines = tables
        .iter()
        .filter_map(|table| File::open(table).ok())
        .flat_map(|table| BufReader::new(table).lines().map_while(io::Result::ok));
    lines
        .filter_map(|line| parse(&line))
        .filter(|line| line.user == 0)
        .map(|line| (line.inode, SocketAddr::new(line.address, line.port)))
        .collect()
}

/// Those of them that a process has open, among its first descriptors.
pub(crate) fn of_process(root: &Path, pid: i32, listeners: &Listeners) -> Vec<SocketAddr> {
    let directory = root.join("proc").join(pid.to_string()).join("fd");
    let descriptors = fs::read_dir(directory).into_iter().flatten().flatten();
    let open: BTreeSet<u64> = descriptors
        .take(MAX_DESCRIPTORS)
        .filter_map(|descriptor| inode(&fs::read_link(descriptor.path()).ok()?))
        .collect();
    open.iter().filter_map(|inode| listeners.get(inode).copied()).collect()
}

/// A line of the kernel's table.
#[derive(Debug, Eq, PartialEq)]
struct Line {
    address: IpAddr,
    port: u16,
    /// Who opened the socket.
    user: u32,
    inode: u64,
}

/// Reads a line, if it is of a listening socket.
fn parse(line: &str) -> Option<Line> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    let (_remote, state) = (fields.next()?, fields.next()?);
    let user = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    (state == LISTENING).then_some(Line { address: hexadecimal(address)?, port, user, inode })
}

/// An address as the kernel prints it: words of 32 bits, each in the machine's own order.
fn hexadecimal(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(text.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            let bytes: [u8; 16] = words.try_into().ok()?;
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

/// Who has each of these sockets open, among its first descriptors: a user may have a million.
fn holders(root: &Path, inodes: &BTreeSet<u64>) -> BTreeMap<u64, Vec<Holder>> {
    let mut holders: BTreeMap<u64, Vec<Holder>> = BTreeMap::new();
    if inodes.is_empty() {
        return holders;
    }
    for process in fs::read_dir(root.join("proc")).into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let open: BTreeSet<u64> = fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten()
            .take(MAX_DESCRIPTORS)
            .filter_map(|descriptor| inode(&fs::read_link(descriptor.path()).ok()?))
            .filter(|inode| inodes.contains(inode))
            .collect();
        for inode in open {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let holder = Holder { pid, name: name.trim().to_owned() };
            holders.entry(inode).or_default().push(holder);
        }
    }
    for list in holders.values_mut() {
        list.sort_by_key(|holder| holder.pid);
    }
    holders
}

/// The inode in `socket:[12345]`.
fn inode(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listening_socket_of_ones_own_is_found_with_its_holder() {
        for address in ["127.0.0.1", "::1"] {
            // Where there is no IPv6 there is nothing to find.
            let Ok(listener) = TcpListener::bind((address, 0)) else { continue };
            let port = listener.local_addr().expect("an address").port();
            let found = look(Path::new("/"), &BTreeSet::from([port])).expect("the table");
            let found: Vec<_> =
                found.iter().filter(|one| one.address.to_string() == address).collect();
            let [socket] = found.as_slice() else { panic!("{address}: {found:?}") };
            let pid = i32::try_from(std::process::id()).expect("a pid");
            assert!(socket.holders.iter().any(|holder| holder.pid == pid), "{socket:?}");
            let own = of_process(Path::new("/"), pid, &listeners(Path::new("/")));
            let is_roots = nix::unistd::geteuid().is_root();
            let place = SocketAddr::new(socket.address, port);
            assert_eq!(own.contains(&place), is_roots, "{own:?}");
        }
    }

    #[test]
    fn lines_of_the_table_that_are_no_listeners_are_passed_over() {
        let line = |address: &str, state: &str| {
            format!(
                "   0: {address}:008F 00000000:0000 {state} 00000000:00000000 00:00000000 \
                     00000000     0        0 12345 1 0000000000000000 100 0 0 10 0"
            )
        };
        let v4 = line(&format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 1])), "0A");
        let localhost = Ipv4Addr::LOCALHOST.into();
        let expected = Line { address: localhost, port: 143, user: 0, inode: 12345 };
        assert_eq!(parse(&v4), Some(expected));
        let words = format!(
            "{:08X}{0:08X}{:08X}{:08X}",
            0,
            u32::from_ne_bytes([0, 0, 0xFF, 0xFF]),
            u32::from_ne_bytes([192, 0, 2, 1])
        );
        let mapped = parse(&line(&words, "0A")).expect("a socket");
        assert_eq!(mapped.address.to_string(), "192.0.2.1");
        for text in [
            "",
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid",
            &line("0100007F", "01"),
            &line("0100", "0A"),
            &line("ÄÖÜß", "0A"),
            &v4.replace("12345", "x"),
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_socket_accepts_its_own_address_and_that_of_all_any() {
        for (own, address, accepts) in [
            ("0.0.0.0", "192.0.2.1", true),
            ("0.0.0.0", "::1", false),
            ("::", "::1", true),
            ("::", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "127.0.0.1", false),
        ] {
            let socket = Socket { address: own.parse().expect(own), port: 143, holders: vec![] };
            let address = address.parse().expect(address);
            assert_eq!(socket.accepts(address, 143), accepts, "{own} {address}");
            assert!(!socket.accepts(address, 144));
        }
    }
}
