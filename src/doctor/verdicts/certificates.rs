//! Whether Dovecot can use its certificates.
//!
//! Dovecot takes a configuration whose certificate is missing, and then does not start; with one
//! that is no certificate it starts, greets, and serves nobody over TLS.

use crate::doctor::facts::certificates::{Certificate, State};
use crate::doctor::finding::{Check, Finding};
use crate::messages::Message;

/// Assesses the certificates.
pub(crate) fn assess(certificates: &[Certificate]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = certificates
        .iter()
        .filter_map(|Certificate { file, state }| match state {
            State::Good => None,
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
                "Dovecot starts and greets, and resets each connection with TLS",
                format!("openssl x509 -noout -text -in {file}, and put a certificate there"),
            )),
            State::Ending => Some(Finding::warning(
                Check::Certificate,
                Message::DoctorCertificateEnds,
                format!("the certificate {file} has ended or ends within two weeks"),
                "mail programs refuse a certificate that has ended",
                format!("renew it; `openssl x509 -noout -enddate -in {file}` shows its end"),
            )),
        })
        .collect();
    if findings.is_empty() && !certificates.is_empty() {
        let files: Vec<&str> = certificates.iter().map(|one| one.file.as_str()).collect();
        findings.push(Finding::ok(Check::Certificate, format!("usable: {}", files.join(", "))));
    }
    findings
}

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
            let findings = assess(&[Certificate { file: "/etc/a".into(), state }]);
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(finding.level, level, "{finding:?}");
        }
        assert_eq!(assess(&[]), []);
    }
}
