//! Whether Dovecot can use its certificates.
//!
//! Dovecot takes a configuration whose certificate is missing, and then does not start; with one
//! that is no certificate it starts, greets, and serves nobody over TLS.

use crate::doctor::facts::certificates::{Certificate, Key, KeyState, State};
use crate::doctor::finding::{Check, Finding};
use crate::messages::Message;
use crate::text::list;

/// What a Dovecot does with what is no certificate, or with a key of another.
const USELESS: &str = "Dovecot starts and greets, and resets each connection with TLS";

/// What a Dovecot does without its certificate or its key.
const MISSING: &str = "Dovecot does not start without it, nor after a failover";

/// Assesses the certificates.
pub(crate) fn assess(certificates: &[Certificate]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = certificates.iter().filter_map(assess_one).collect();
    if findings.is_empty() && !certificates.is_empty() {
        let files = list(certificates.iter().map(|one| &one.file));
        findings.push(Finding::ok(Check::Certificate, format!("usable: {files}")));
    }
    findings
}

fn assess_one(Certificate { file, state, key }: &Certificate) -> Option<Finding> {
    Some(match state {
        State::Good => return assess_key(file, key.as_ref()?),
        State::Unreadable(cause) => {
            Finding::error(Check::Certificate, Message::DoctorCertificateUnread)
                .what(format!("the certificate {file} cannot be read: {cause}"))
                .why(MISSING)
                .cure(format!("put the certificate into {file}, on each node"))
        }
        // A wrong warning hurts each user of TLS; a wrong error only who looks at a file that serves
        // nobody.
        State::Garbage => Finding::error(Check::Certificate, Message::DoctorNoCertificate)
            .what(format!("{file} is no certificate"))
            .why(USELESS)
            .run(format!("openssl x509 -noout -text -in {file}"))
            .and("and put a certificate there"),
        State::Ending => Finding::warning(Check::Certificate, Message::DoctorCertificateEnds)
            .what(format!("the certificate {file} has ended or ends within two weeks"))
            .why("mail programs refuse a certificate that has ended")
            .run(format!("openssl x509 -noout -enddate -in {file}"))
            .and("shows its end; renew it on each node"),
    })
}

/// Assesses the key of a usable certificate. What cannot be told is no finding: Dovecot may have a
/// password for it.
fn assess_key(certificate: &str, Key { file, state }: &Key) -> Option<Finding> {
    let odd = match state {
        KeyState::Matches | KeyState::Unknown => return None,
        KeyState::Mismatches => Finding::error(Check::Certificate, Message::DoctorOtherKey)
            .what(format!("the key {file} does not belong to the certificate {certificate}"))
            .why(USELESS),
        KeyState::Garbage => Finding::error(Check::Certificate, Message::DoctorNoKey)
            .what(format!("{file} is no private key"))
            .why(USELESS),
        KeyState::Unreadable(cause) => Finding::error(Check::Certificate, Message::DoctorKeyUnread)
            .what(format!("the key {file} cannot be read: {cause}"))
            .why(MISSING),
    };
    Some(odd.cure(format!("put the key of {certificate} into {file}, on each node")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    #[test]
    fn a_certificate_that_cannot_be_read_is_or_is_none_is_an_error_and_one_that_ends_a_warning() {
        for (state, level) in [
            (State::Good, Level::Ok),
            (State::Unreadable("No such file".into()), Level::Error),
            (State::Garbage, Level::Error),
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
