//! An address and port where Dovecot must accept connections: `IP:port:timeout-seconds`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use clap::ValueEnum;

use crate::text::excerpt;

/// Used when an entry names no time-out.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest time-out of an entry, in seconds: with more, the whole check could not end in time.
pub const MAX_TIMEOUT: u64 = 15;

/// The longest name of a network interface, in bytes (`IFNAMSIZ` without its end).
const MAX_ZONE: usize = 15;

/// How deep an endpoint is tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Depth {
    /// It must accept a connection.
    Connect,
    /// It must greet, behind TLS where that comes first.
    Greeting,
    /// The same, and one of them must show a mailbox to an account of the check's own.
    Login,
}

impl Depth {
    /// Whether the words of a server are listened to.
    pub(crate) const fn listens(self) -> bool {
        matches!(self, Self::Greeting | Self::Login)
    }
}

/// One entry of the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Endpoint {
    pub(crate) address: IpAddr,
    /// The network interface of a link-local IPv6 address, by name or number.
    pub(crate) zone: Option<String>,
    pub(crate) port: u16,
    /// How long a connection, and the greeting behind it, may take to come about.
    pub(crate) timeout: Duration,
    pub(crate) mode: Mode,
}

/// What a connection must bring, where greetings are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// The server's greeting.
    Plain,
    /// TLS, and the greeting behind it.
    Tls,
    /// Nothing: to be accepted is enough.
    Connect,
}

/// The ports that are TLS's own: IMAPS, POP3S, submissions (RFC 8314).
pub const TLS_PORTS: [u16; 3] = [993, 995, 465];

/// What is written before an entry whose port does not say it.
const MARKS: [(&str, Mode); 3] =
    [("plain:", Mode::Plain), ("tls:", Mode::Tls), ("connect:", Mode::Connect)];

impl Mode {
    /// What the port alone says.
    fn of_port(port: u16) -> Self {
        if TLS_PORTS.contains(&port) { Self::Tls } else { Self::Plain }
    }
}

impl Endpoint {
    /// The default entry: the IMAP port on the loopback address.
    pub(crate) const fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            zone: None,
            port: 143,
            timeout: DEFAULT_TIMEOUT,
            mode: Mode::Plain,
        }
    }

    /// Reads `IP:port:seconds` or `IP:port`, an IPv6 address in brackets; `plain:`, `tls:` or
    /// `connect:` before all of it where the port does not say what must come.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong, without the entry itself.
    pub(crate) fn parse(entry: &str) -> Result<Self, String> {
        let marked = MARKS.iter().find_map(|(mark, mode)| Some((*mode, entry.strip_prefix(mark)?)));
        let (mode, entry) = marked.map_or((None, entry), |(mode, rest)| (Some(mode), rest));
        let (address, zone, rest) = match entry.strip_prefix('[') {
            Some(rest) => {
                let (inside, rest) = rest.split_once(']').ok_or("the bracket is not closed")?;
                let (address, zone) = match inside.split_once('%') {
                    Some((_, "")) => return Err("the zone after % is empty".into()),
                    Some((address, zone)) if is_zone(zone) => (address, Some(zone.to_owned())),
                    Some((_, zone)) => {
                        return Err(format!("{} is no network interface", excerpt(zone)));
                    }
                    None => (inside, None),
                };
                let address: Ipv6Addr = address
                    .parse()
                    .map_err(|_| format!("{} is no IPv6 address", excerpt(address)))?;
                (IpAddr::V6(address), zone, rest.strip_prefix(':').ok_or("the port is missing")?)
            }
            None if entry.matches(':').count() > 2 => {
                return Err("an IPv6 address needs brackets: [::1]:143:2".into());
            }
            None => {
                let (address, rest) = entry.split_once(':').ok_or("IP:port:seconds is expected")?;
                let address: Ipv4Addr = address.parse().map_err(|_| {
                    let address = excerpt(address);
                    format!("{address} is no IP address (host names are not looked up)")
                })?;
                (IpAddr::V4(address), None, rest)
            }
        };
        let (port, timeout) = match rest.split_once(':') {
            Some((port, seconds)) => (port, parse_timeout(seconds)?),
            None => (rest, DEFAULT_TIMEOUT),
        };
        match number(port).and_then(|port| u16::try_from(port).ok()) {
            Some(port) if port > 0 => {
                let mode = mode.unwrap_or_else(|| Mode::of_port(port));
                Ok(Self { address, zone, port, timeout, mode })
            }
            _ => Err(format!("the port must be 1 to 65535, not \"{}\"", excerpt(port))),
        }
    }

    /// Reads an entry whose time-out is longer than [`MAX_TIMEOUT`], with that instead: without
    /// the entry its address would not be checked, and with no other in the list a port that Dovecot
    /// may not have. What it costs is a server that is slower than that, and called faulty.
    pub(crate) fn with_longest_timeout(entry: &str) -> Option<Self> {
        let (place, seconds) = entry.rsplit_once(':')?;
        let timeout = Duration::from_secs(MAX_TIMEOUT);
        number(seconds).filter(|seconds| *seconds > MAX_TIMEOUT)?;
        Some(Self { timeout, ..Self::parse(place).ok()? })
    }

    /// How deep it is tried, where the whole list is to be tried as deep as `asked`.
    pub(crate) fn depth(&self, asked: Depth) -> Depth {
        if self.mode == Mode::Connect { Depth::Connect } else { asked }
    }

    /// Whether both mean the same listener, however long one may wait for it.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        (self.address, &self.zone, self.port) == (other.address, &other.zone, other.port)
    }
}

/// Whether a word can name a network interface, as the kernel would let it be named.
fn is_zone(word: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '/' || c == ':';
    !word.is_empty() && word.len() <= MAX_ZONE && !word.contains(odd)
}

/// A number written in digits alone: no sign, no blank.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    match number(text) {
        Some(seconds @ 1..=MAX_TIMEOUT) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!(
            "the time-out must be 1 to {MAX_TIMEOUT} seconds, not \"{}\"",
            excerpt(text)
        )),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marked = self.mode != Mode::of_port(self.port);
        if let Some((mark, _)) = MARKS.iter().find(|(_, mode)| marked && *mode == self.mode) {
            f.write_str(mark)?;
        }
        match (self.address, &self.zone) {
            (IpAddr::V4(address), _) => write!(f, "{address}:{}", self.port),
            (IpAddr::V6(address), None) => write!(f, "[{address}]:{}", self.port),
            (IpAddr::V6(address), Some(zone)) => write!(f, "[{address}%{zone}]:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;
    use crate::test_bytes::{self, pieces};
    use proptest::prelude::*;

    #[test]
    fn entries_are_read_as_the_list_of_forms_says() {
        for (entry, place, seconds) in [
            ("127.0.0.1:143:2", "127.0.0.1:143", 2),
            ("192.0.2.9:993:15", "192.0.2.9:993", 15),
            ("192.0.2.9:993", "192.0.2.9:993", 2),
            ("[::1]:143:3", "[::1]:143", 3),
            ("[2001:db8::1]:65535", "[2001:db8::1]:65535", 2),
            ("[fe80::1%eth0]:143:1", "[fe80::1%eth0]:143", 1),
            ("tls:192.0.2.9:1993:5", "tls:192.0.2.9:1993", 5),
            ("tls:[::1]:993", "[::1]:993", 2),
            ("plain:192.0.2.9:993:5", "plain:192.0.2.9:993", 5),
            ("plain:[::1]:143", "[::1]:143", 2),
            ("connect:192.0.2.9:24245", "connect:192.0.2.9:24245", 2),
            ("connect:[fe80::1%eth0]:993:1", "connect:[fe80::1%eth0]:993", 1),
        ] {
            let endpoint = Endpoint::parse(entry).unwrap_or_else(|e| panic!("{entry}: {e}"));
            assert_eq!(endpoint.to_string(), place, "{entry}");
            assert_eq!(endpoint.timeout, Duration::from_secs(seconds), "{entry}");
        }
    }

    #[test]
    fn what_is_no_entry_is_refused_with_its_reason() {
        for (entry, reason) in [
            ("", "IP:port:seconds is expected"),
            ("143", "IP:port:seconds is expected"),
            (":143:2", " is no IP address"),
            ("localhost:143:2", "localhost is no IP address (host names are not looked up)"),
            ("127.0.0.1:0:2", "the port must be 1 to 65535, not \"0\""),
            ("127.0.0.1:65536:2", "the port must be 1 to 65535"),
            ("127.0.0.1:+143:2", "the port must be 1 to 65535"),
            ("127.0.0.1::2", "the port must be 1 to 65535, not \"\""),
            ("127.0.0.1:143:0", "the time-out must be 1 to 15 seconds, not \"0\""),
            ("127.0.0.1:143:16", "the time-out must be 1 to 15 seconds"),
            ("127.0.0.1:143:2s", "the time-out must be 1 to 15 seconds"),
            ("127.0.0.1:143:", "the time-out must be 1 to 15 seconds"),
            ("127.0.0.1:143:99999999999999999999", "the time-out must be 1 to 15 seconds"),
            ("::1:143:2", "an IPv6 address needs brackets"),
            ("[::1:143:2", "the bracket is not closed"),
            ("[::1]", "the port is missing"),
            ("[::1]143", "the port is missing"),
            ("[127.0.0.1]:143", "127.0.0.1 is no IPv6 address"),
            ("[fe80::1%]:143", "the zone after % is empty"),
            ("[fe80::1%a/b]:143", "a/b is no network interface"),
            ("[fe80::1%\u{1b}[2J]:143", "\\u{1b}[2J is no network interface"),
            ("[fe80::1%sixteen-letters-]:143", "sixteen-letters- is no network interface"),
            ("\u{1b}[2J:143", "\\u{1b}[2J is no IP address"),
            ("plain:tls:143", "tls is no IP address"),
            ("connect:", "IP:port:seconds is expected"),
            ("TLS:127.0.0.1:143", "TLS is no IP address"),
        ] {
            let error = Endpoint::parse(entry).expect_err(entry);
            assert!(error.contains(reason), "{entry}: {error}");
        }
    }

    #[test]
    fn the_mark_says_what_must_come_and_without_one_the_port_does() {
        for (entry, mode) in [
            ("127.0.0.1:143", Mode::Plain),
            ("127.0.0.1:993", Mode::Tls),
            ("[::1]:995:3", Mode::Tls),
            ("127.0.0.1:465", Mode::Tls),
            ("127.0.0.1:10993", Mode::Plain),
            ("tls:127.0.0.1:10993", Mode::Tls),
            ("plain:[::1]:993", Mode::Plain),
            ("connect:127.0.0.1:995", Mode::Connect),
        ] {
            let endpoint = Endpoint::parse(entry).expect(entry);
            assert_eq!(endpoint.mode, mode, "{entry}");
            let deepest = if mode == Mode::Connect { Depth::Connect } else { Depth::Greeting };
            assert_eq!(endpoint.depth(Depth::Greeting), deepest, "{entry}");
            assert_eq!(endpoint.depth(Depth::Connect), Depth::Connect, "{entry}");
        }
    }

    #[test]
    fn the_default_is_imap_on_the_loopback_address_within_two_seconds() {
        assert_eq!(Endpoint::parse("127.0.0.1:143:2"), Ok(Endpoint::default()));
    }

    /// What an entry is made of.
    const WORDS: &[&str] = &[
        "tls:",
        "plain:",
        "connect:",
        "127.0.0.1",
        "192.0.2.255",
        "127.0.0.1:143",
        "[::1]:993",
        "256",
        "[",
        "]",
        "::1",
        "[fe80::1%",
        "]:143",
        "eth0",
        "%",
        ":",
        ":143",
        ":993",
        ":0",
        ":2",
        ":15",
        ":16",
        "65536",
        "localhost",
        "+1",
        " ",
        "/",
        "\u{1b}",
    ];

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn any_entry_is_refused_in_a_few_words_or_written_as_it_was_read(entry in pieces(WORDS, 5)) {
            invariants::entry(&entry);
        }

        #[test]
        fn any_zone_is_refused_in_a_few_words_or_written_as_it_was_read(
            zone in test_bytes::text(),
            length in 1..9_usize,
        ) {
            let zone: String = zone.chars().take(length).collect();
            invariants::entry(format!("[fe80::1%{zone}]:143").as_bytes());
        }

        #[test]
        fn each_place_is_read_as_it_is_written(
            address: IpAddr,
            zone in proptest::option::of("[!-.0-9;-Z^-~]{1,15}"),
            port in 1..=u16::MAX,
            seconds in 1..=MAX_TIMEOUT,
            tls_port in proptest::option::of(proptest::sample::select(&TLS_PORTS)),
            (_, mode) in proptest::sample::select(&MARKS),
        ) {
            let port = tls_port.unwrap_or(port);
            let zone = zone.filter(|_| address.is_ipv6());
            let timeout = Duration::from_secs(seconds);
            let place = Endpoint { address, zone, port, timeout, mode };
            prop_assert_eq!(Endpoint::parse(&format!("{place}:{seconds}")), Ok(place.clone()));
            let bare = Endpoint { mode: Mode::of_port(port), ..place.clone() }.to_string();
            prop_assert!(bare.starts_with(|c: char| c.is_ascii_digit() || c == '['), "{bare}");
            let longer = Endpoint::parse(&bare).expect("a place without its time and mark");
            prop_assert!(longer.is_same_place(&place) && longer.timeout == DEFAULT_TIMEOUT);
            for (mark, mode) in MARKS {
                let marked = Endpoint::parse(&format!("{mark}{bare}:{seconds}"));
                prop_assert_eq!(marked, Ok(Endpoint { mode, ..place.clone() }));
            }
        }

        #[test]
        fn a_number_out_of_its_range_is_refused(port in 65_536..u64::MAX, seconds in 16..u64::MAX) {
            for entry in [format!("192.0.2.1:{port}"), format!("[::1]:143:{seconds}")] {
                prop_assert!(Endpoint::parse(&entry).is_err(), "{entry}");
            }
        }
    }
}
