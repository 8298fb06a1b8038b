//! Whether Dovecot can use its certificates.
//!
//! Dovecot takes a configuration whose certificate is missing, and then does not start; with one
//! that is no certificate it starts, greets, and serves nobody over TLS.

use crate::doctor::cure::Cure;
use crate::doctor::facts::certificates::{Certificate, Key, KeyState, State};
use crate::doctor::finding::{Check, Finding};
use crate::messages::Message;

/// Assesses the certificates.
pub(crate) fn assess(certificates: &[Certificate]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = certificates
        .iter()
        .filter_map(|Certificate { file, state, key }| match state {
            State::Good => key.as_ref().and_then(|key| assess_key(file, key)),
            State::Unreadable(cause) => Some(Finding::error(
                Check::Certificate,
                Message::DoctorCertificateUnread,
                format!("the certificate {file} cannot be read: {cause}"),
                "Dovecot does not start without it, on a failover neither",
                format!("put the certificate into {file}, on each node"),
            )),
            State::Garbage => Some(Finding::warning(
                Check::Certificate,
                Message::DoctorNoCertificate,
                format!("{file} is no certificate"),
                USELESS,
                Cure::run(format!("openssl x509 -noout -text -in {file}"))
                    .and("and put a certificate there"),
            )),
            State::Ending => Some(Finding::warning(
                Check::Certificate,
                Message::DoctorCertificateEnds,
                format!("the certificate {file} has ended or ends within two weeks"),
                "mail programs refuse a certificate that has ended",
                Cure::run(format!("openssl x509 -noout -enddate -in {file}"))
                    .and("shows its end; renew it on each node"),
            )),
        })
        .collect();
    if findings.is_empty() && !certificates.is_empty() {
        let files: Vec<&str> = certificates.iter().map(|one| one.file.as_str()).collect();
        findings.push(Finding::ok(Check::Certificate, format!("usable: {}", files.join(", "))));
    }
    findings
}

/// Assesses the key of a usable certificate. What cannot be told is no finding: Dovecot may have a
/// password for it.
fn assess_key(certificate: &str, key: &Key) -> Option<Finding> {
    let file = &key.file;
    match &key.state {
        KeyState::Matches | KeyState::Unknown => None,
        KeyState::Mismatches => Some(Finding::error(
            Check::Certificate,
            Message::DoctorOtherKey,
            format!("the key {file} does not belong to the certificate {certificate}"),
            USELESS,
            format!("put the key of {certificate} into {file}, on each node"),
        )),
        KeyState::Garbage => Some(Finding::error(
            Check::Certificate,
            Message::DoctorNoKey,
            format!("{file} is no private key"),
            USELESS,
            format!("put the key of {certificate} into {file}, on each node"),
        )),
        KeyState::Unreadable(cause) => Some(Finding::error(
            Check::Certificate,
            Message::DoctorKeyUnread,
            format!("the key {file} cannot be read: {cause}"),
            "Dovecot does not start without it, on a failover neither",
            format!("put the key of {certificate} into {file}, on each node"),
        )),
    }
}

/// What a Dovecot does with what is no certificate, or with a key of another.
const USELESS: &str = "Dovecot starts and greets, and resets each connection with TLS";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    #[test]
    fn a_certificate_that_cannot_be_read_is_an_error_and_a_useless_one_a_warning() {
        for (state, level) in [
            (State::Good, Level::Ok),
            (State::Unreadable("No such file".into()), Level::Error),
            (State::Garbage, Level::Warning),
            (State::Ending, Level::Warning),
        ] {
            let findings = assess(&[Certificate { file: "/etc/a".into(), state, key: None }]);
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(finding.level, level, "{finding:?}");
        }
        assert_eq!(assess(&[]), []);
    }

    #[test]
    fn a_key_that_dovecot_cannot_use_is_an_error() {
        for (state, level) in [
            (KeyState::Matches, Level::Ok),
            (KeyState::Unknown, Level::Ok),
            (KeyState::Mismatches, Level::Error),
            (KeyState::Garbage, Level::Error),
            (KeyState::Unreadable("No such file".into()), Level::Error),
        ] {
            let key = Some(Key { file: "/etc/b".into(), state });
            let findings =
                assess(&[Certificate { file: "/etc/a".into(), state: State::Good, key }]);
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(finding.level, level, "{finding:?}");
        }
    }
}
