//! A first TLS message that offers whatever there is, to tell a server with which this program has
//! nothing in common from one that is broken.
//!
//! This program's TLS lacks TLS 1.0 and 1.1, the curve P-521, CBC, and key exchange by RSA or DHE.
//! Where nothing is in common, Dovecot 2.4 sends an alert, and 2.3 ends the connection without one;
//! both end it too when their certificate is garbage or their key belongs to another (seen with
//! 2.3.19 and 2.4.1). A server that works for anybody chooses something of this hello, and answers
//! with a `ServerHello`. Nothing else comes of it: no keys are made.

use std::io::{self, Read, Write};
use std::iter;
use std::net::TcpStream;

use super::attempt::Refusal;
use super::socket::outcome;

/// Bytes of the answer that are needed: the head of a record, and its kind.
const ENOUGH: usize = 6;

/// What is to be made of the cause for which the first connection failed.
type Meaning = fn(String) -> Refusal;

/// Offers everything that TLS has.
///
/// # Errors
///
/// That TLS works for nobody.
pub(super) fn offer(socket: &mut TcpStream) -> Result<(), Meaning> {
    let offered = outcome(socket).is_ok() && socket.write_all(&everything()).is_ok();
    if offered { Ok(()) } else { Err(Refusal::Tls) }
}

/// Hears whether something of it is chosen; says nothing as long as it is not known.
///
/// # Errors
///
/// That TLS works for others, or for nobody.
pub(super) fn chosen(mut socket: &TcpStream, heard: &mut Vec<u8>) -> Result<(), Meaning> {
    let room = u64::try_from(ENOUGH.saturating_sub(heard.len())).unwrap_or(0);
    let read = Read::take(&mut socket, room).read_to_end(heard);
    match read {
        _ if is_chosen(heard) => Err(Refusal::NothingInCommon),
        Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(()),
        _ => Err(Refusal::Tls),
    }
}

/// The hello, a record of its own (RFC 8446, section 4.1.2, and what came before it).
pub(super) fn everything() -> Vec<u8> {
    // All that are registered up to TLS 1.2, without those for ECC; these; ChaCha20; TLS 1.3. The
    // last says that renegotiation is safe (RFC 5746).
    let ciphers = (0x0001..=0x00c7)
        .chain(0xc001..=0xc0b5)
        .chain(0xcca8..=0xccae)
        .chain(0x1301..=0x1305)
        .chain(iter::once(0x00ff));
    // Curves, DHE, ML-KEM, and hybrids of it.
    let groups =
        (0x0001..=0x0029).chain(0x0100..=0x0104).chain(0x0200..=0x0202).chain(0x11eb..=0x11ed);
    // Each hash with RSA, DSA, ECDSA; RSA-PSS and EdDSA; Brainpool; ML-DSA.
    let signatures = (1..=6)
        .flat_map(|hash| (1..=3).map(move |key| hash << 8 | key))
        .chain(0x0804..=0x080b)
        .chain(0x081a..=0x081c)
        .chain(0x0904..=0x0906);
    let extensions = [
        extension(0x000a, &sized(2, &words(groups))),
        extension(0x000b, &sized(1, &[0])), // points are not compressed
        extension(0x000d, &sized(2, &words(signatures))),
        extension(0x0017, &[]), // extended master secret
        extension(0x002b, &sized(1, &words([0x0304, 0x0303, 0x0302, 0x0301]))),
        // No key yet: the server is to choose the group.
        extension(0x0033, &sized(2, &[])),
    ];
    let hello = [
        words([0x0303]),
        vec![0x5a; 32], // its random bytes, of which no secret is made
        sized(1, &[]),  // no session
        sized(2, &words(ciphers)),
        sized(1, &[0]), // no compression
        sized(2, &extensions.concat()),
    ];
    let handshake = [vec![1], sized(3, &hello.concat())].concat();
    [vec![22, 3, 1], sized(2, &handshake)].concat()
}

/// Whether the server has chosen: the answer is a `ServerHello`.
const fn is_chosen(answer: &[u8]) -> bool {
    matches!(answer, [22, _, _, _, _, 2, ..])
}

fn words(numbers: impl IntoIterator<Item = u16>) -> Vec<u8> {
    numbers.into_iter().flat_map(u16::to_be_bytes).collect()
}

fn extension(number: u16, content: &[u8]) -> Vec<u8> {
    [words([number]), sized(2, content)].concat()
}

/// The content, its length in so many bytes before it.
fn sized(bytes: usize, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let head = length.iter().skip(length.len().saturating_sub(bytes));
    head.chain(content).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::tls::tests::server;
    use std::io::Cursor;

    #[test]
    fn a_server_that_works_chooses_something_of_it() {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let mut server = server(&[version]);
            let hello = everything();
            assert_eq!(server.read_tls(&mut Cursor::new(&hello)).expect("memory"), hello.len());
            server.process_new_packets().unwrap_or_else(|e| panic!("{version:?}: {e}"));
            let mut answer = Vec::new();
            server.write_tls(&mut answer).expect("memory");
            assert!(is_chosen(&answer), "{version:?}: {answer:02x?}");
        }
    }

    #[test]
    fn nothing_else_is_a_choice() {
        let answers: [&[u8]; 5] =
            [b"", b"* OK hello", &[21, 3, 3, 0, 2, 2, 40], &[22, 3, 3, 0, 2], &[22, 3, 3, 0, 9, 1]];
        for answer in answers {
            assert!(!is_chosen(answer), "{answer:02x?}");
        }
        assert!(is_chosen(&[22, 3, 3, 0, 122, 2]));
    }
}
