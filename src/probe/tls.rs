//! TLS, as far as it takes to hear a server speak behind it.
//!
//! Nothing is verified: this asks whether our own server serves, not whether somebody else is
//! who he says.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::probe::attempt::Refusal;
use crate::probe::greeting::MAX_LINE;

pub(super) struct Tls(ClientConnection);

/// Whether the other side may say more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Peer {
    Open,
    Ended,
}

impl Tls {
    /// Begins, without sending anything yet.
    ///
    /// # Errors
    ///
    /// What rustls says, if it cannot even begin.
    pub(super) fn new(address: IpAddr) -> Result<Self, String> {
        static CONFIG: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
        let config = CONFIG.get_or_init(|| config().ok().map(Arc::new)).clone();
        let config = config.ok_or("it cannot be set up")?;
        ClientConnection::new(config, ServerName::from(address))
            .map(Self)
            .map_err(|cause| cause.to_string())
    }

    pub(super) fn wants_write(&self) -> bool {
        self.0.wants_write()
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    /// How many seconds the server's certificate has left; below 0 when it has ended. `None` before
    /// the handshake, and when its end cannot be read.
    pub(super) fn time_left(&self) -> Option<i64> {
        let certificate = Certificate::from_der(self.0.peer_certificates()?.first()?).ok()?;
        let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        Some(i64::try_from(end.as_secs()).ok()? - i64::try_from(now.as_secs()).ok()?)
    }

    /// Sends what there is to send, as far as the socket takes it.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub(super) fn send(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while self.0.wants_write() {
            match self.0.write_tls(socket) {
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => break,
                other => other.map(drop)?,
            }
        }
        Ok(())
    }

    /// Receives what has come; appends to `heard`, up to `room` bytes, what it says.
    ///
    /// # Errors
    ///
    /// The socket's, and what is wrong with what came.
    pub(super) fn receive(
        &mut self,
        socket: &mut impl Read,
        heard: &mut Vec<u8>,
        room: u64,
    ) -> io::Result<Peer> {
        let peer = match self.0.read_tls(socket) {
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Peer::Open,
            other => {
                if other? == 0 {
                    Peer::Ended
                } else {
                    Peer::Open
                }
            }
        };
        self.0.process_new_packets().map_err(io::Error::other)?;
        match self.0.reader().take(room).read_to_end(heard) {
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(peer),
            // Dovecot does not always say goodbye.
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(Peer::Ended),
            other => other.map(|_| peer),
        }
    }

    /// Says something, as soon as it can be sent.
    pub(super) fn say(&mut self, words: &[u8]) {
        // It goes to memory, which has room for so little.
        let _ = self.0.writer().write_all(words);
    }

    /// Says something, and goodbye.
    pub(super) fn take_leave(&mut self, words: &[u8]) {
        self.say(words);
        self.0.send_close_notify();
    }
}

/// Hears what has come, and whether more may come.
pub(super) fn listen(
    socket: &mut TcpStream,
    tls: Option<&mut Tls>,
    heard: &mut Vec<u8>,
) -> Result<Peer, Refusal> {
    // Not more than this is ever kept of what a server says.
    let room = u64::try_from(MAX_LINE.saturating_sub(heard.len())).unwrap_or(0);
    let Some(tls) = tls else {
        let read = (&*socket).take(room).read_to_end(heard);
        return match read {
            Ok(_) if heard.len() < MAX_LINE => Ok(Peer::Ended),
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
        Err(cause) if shaking => Err(refusal(&cause)),
        Ok(peer) => Ok(peer),
        Err(_) => Ok(Peer::Ended),
    }
}

/// What is told of a handshake that the other side broke off.
pub(super) const ENDED: &str = "the server ended the connection";

/// A reset is an end as well; which of them one sees is chance.
fn is_end(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// What a handshake that failed for such a reason says of the server. [`Refusal::NothingInCommon`]
/// is no more than a guess here: a server that works for nobody may send the same.
fn refusal(cause: &io::Error) -> Refusal {
    use AlertDescription::{HandshakeFailure, InsufficientSecurity, ProtocolVersion};
    let words = cause.to_string();
    match cause.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(
            rustls::Error::PeerIncompatible(_)
            | rustls::Error::AlertReceived(HandshakeFailure | InsufficientSecurity | ProtocolVersion),
        ) => Refusal::NothingInCommon(words),
        Some(rustls::Error::FailedToGetCurrentTime | rustls::Error::FailedToGetRandomBytes) => {
            Refusal::NotTried(words)
        }
        _ => Refusal::Tls(words),
    }
}

fn config() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(NoVerifier(Arc::clone(&provider)));
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

#[derive(Debug)]
struct NoVerifier(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerifier {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        // What is not verified need not be understood: P-521 is what rustls' ring lacks.
        let mut schemes = self.0.signature_verification_algorithms.supported_schemes();
        schemes.push(SignatureScheme::ECDSA_NISTP521_SHA512);
        schemes
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;
    use rustls::{ServerConfig, ServerConnection, Stream, SupportedProtocolVersion};
    use std::net::Ipv4Addr;
    use std::os::unix::net::UnixStream;

    /// A certificate of mail.example.com for a hundred years, on P-256.
    const CERTIFICATE: &[u8] = b"\
-----BEGIN CERTIFICATE-----
MIIBjjCCATOgAwIBAgIUCrSjn5tWS8TLwZUX7dSiehF4qTwwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQbWFpbC5leGFtcGxlLmNvbTAgFw0yNjExMjgxNzM4NTRaGA8y
MTI2MTEwNDE3Mzg1NFowGzEZMBcGA1UEAwwQbWFpbC5leGFtcGxlLmNvbTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABCZwOivlKbhaj9OuMYBK0Rx9OodhiRi4YN9W
QfBwvIcjjGoeji+ppOZHlhgrr/QzuT/eUdPMOPckUtb4wgyY0bSjUzBRMB0GA1Ud
DgQWBBS5YJavLHRh8m88Jwla94iGss4YHjAfBgNVHSMEGDAWgBS5YJavLHRh8m88
Jwla94iGss4YHjAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQC8
yRY89dGHoBjqA+AbAA6RzllKlyWMEbAk+8J2m3sMpAIhAJlMVQraXZxBXzci2Ukx
9mqerkrRyHh+SLn/qPdoMclc
-----END CERTIFICATE-----";

    const KEY: &[u8] = b"\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggYuGLnEv8AOizxW2
pWeB+9e1B+s1vJDI4GS0OztDY4+hRANCAAQmcDor5Sm4Wo/TrjGAStEcfTqHYYkY
uGDfVkHwcLyHI4xqHo4vqaTmR5YYK6/0M7k/3lHTzDj3JFLW+MIMmNG0
-----END PRIVATE KEY-----";

    /// A server that speaks these versions.
    pub(in crate::probe) fn server(
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConnection {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a configuration");
        ServerConnection::new(Arc::new(config)).expect("a server")
    }

    #[test]
    fn a_server_is_heard_behind_each_version_and_its_certificate_read() {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let (mut here, mut there) = UnixStream::pair().expect("two sockets");
            let serve = std::thread::spawn(move || {
                let mut tls = server(&[version]);
                let mut tls = Stream::new(&mut tls, &mut there);
                tls.write_all(b"* OK hello\r\n").expect("a client");
                let mut heard = Vec::new();
                tls.read_to_end(&mut heard).expect("a goodbye");
                heard
            });
            let mut tls = Tls::new(Ipv4Addr::LOCALHOST.into()).expect("a client");
            let mut heard = Vec::new();
            assert!(tls.is_handshaking() && tls.time_left().is_none());
            // Not more is taken than there is room for.
            while heard.len() < 4 {
                tls.send(&mut here).expect("a server");
                let room = u64::try_from(4 - heard.len()).expect("a small number");
                let peer = tls.receive(&mut here, &mut heard, room).expect("a server");
                assert_eq!(peer, Peer::Open);
            }
            assert_eq!(heard, b"* OK", "{version:?}");
            assert!(!tls.is_handshaking());
            assert!(tls.time_left().expect("an end") > 365 * 86_400);
            tls.take_leave(b"QUIT\r\n");
            tls.send(&mut here).expect("a server");
            assert_eq!(serve.join().expect("a server"), b"QUIT\r\n", "{version:?}");
        }
    }

    #[test]
    fn only_what_may_mean_that_nothing_is_in_common_is_taken_for_it() {
        let of = |error: rustls::Error| refusal(&io::Error::other(error));
        let alert = |what| of(rustls::Error::AlertReceived(what));
        for what in [
            AlertDescription::HandshakeFailure,
            AlertDescription::ProtocolVersion,
            AlertDescription::InsufficientSecurity,
        ] {
            assert!(matches!(alert(what), Refusal::NothingInCommon(_)), "{what:?}");
        }
        for what in [AlertDescription::InternalError, AlertDescription::UnrecognisedName] {
            assert!(matches!(alert(what), Refusal::Tls(_)), "{what:?}");
        }
        let version = rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13;
        assert!(matches!(of(version.into()), Refusal::NothingInCommon(_)));
        assert!(matches!(of(rustls::Error::FailedToGetRandomBytes), Refusal::NotTried(_)));
        assert!(matches!(of(rustls::Error::DecryptError), Refusal::Tls(_)));
        assert!(matches!(refusal(&io::Error::other("else")), Refusal::Tls(_)));
    }

    #[test]
    fn a_key_on_p_521_is_offered() {
        let schemes = config().expect("a configuration");
        let schemes = schemes.crypto_provider().signature_verification_algorithms;
        let lacked = SignatureScheme::ECDSA_NISTP521_SHA512;
        assert!(!schemes.supported_schemes().contains(&lacked), "no longer needs to be added");
        let verifier = NoVerifier(Arc::new(ring::default_provider()));
        assert!(verifier.supported_verify_schemes().contains(&lacked));
    }
}
