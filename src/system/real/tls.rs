//! TLS, as far as it takes to hear a server speak behind it.
//!
//! Nothing is verified: this asks whether our own server serves, not whether somebody else is
//! who he says.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// A connection's TLS.
pub(super) struct Tls(ClientConnection);

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

    /// Whether something is to be sent.
    pub(super) fn wants_write(&self) -> bool {
        self.0.wants_write()
    }

    /// Whether the handshake is not done yet.
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

    /// Receives what has come; appends to `heard`, up to `room` bytes, what it says. Returns
    /// whether the other side has ended.
    ///
    /// # Errors
    ///
    /// The socket's, and what is wrong with what came.
    pub(super) fn receive(
        &mut self,
        socket: &mut impl Read,
        heard: &mut Vec<u8>,
        room: u64,
    ) -> io::Result<bool> {
        let ended = match self.0.read_tls(socket) {
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => false,
            other => other? == 0,
        };
        self.0.process_new_packets().map_err(io::Error::other)?;
        match self.0.reader().take(room).read_to_end(heard) {
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(ended),
            // Dovecot does not always say goodbye.
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            other => other.map(|_| ended),
        }
    }

    /// Says something, and goodbye.
    pub(super) fn take_leave(&mut self, words: &[u8]) {
        // It goes to memory, which has room for so little.
        let _ = self.0.writer().write_all(words);
        self.0.send_close_notify();
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

/// Takes every certificate.
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
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
