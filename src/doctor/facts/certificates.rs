//! The certificates that Dovecot's configuration names, and their keys.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::InconsistentKeys;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use crate::command::{Command, End};
use crate::dovecot::configuration::{self, Settings};
use crate::files;
use crate::system::System;

/// The settings that name a certificate's file: of 1.x, of 2.x, and of 2.4 in its two spellings.
const SETTINGS: [&str; 5] =
    ["ssl_cert_file", "ssl_cert", "ssl_alt_cert", "ssl_server_cert_file", "cert_file"];

/// What stands in the file of a certificate.
const MARK: &str = "-----BEGIN ";

/// How many are looked at.
const MAX_LOOKED_AT: usize = 20;

/// How much of a file is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The longest that openssl may take to read one. It takes 10 ms.
const LIMIT: Duration = Duration::from_secs(2);

/// How long before its end a certificate is reported, in seconds: two weeks.
const SOON: &str = "1209600";

/// A certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Certificate {
    pub(crate) file: String,
    pub(crate) state: State,
    /// Its key, if that is known. Earlier kits do not report it.
    #[serde(default)]
    pub(crate) key: Option<Key>,
}

/// The key of a certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Key {
    pub(crate) file: String,
    pub(crate) state: KeyState,
}

/// Whether a key belongs to its certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyState {
    /// It does.
    Matches,
    /// It belongs to another.
    Mismatches,
    /// It cannot be read, for this reason.
    Unreadable(String),
    /// It is no key.
    Garbage,
    /// It cannot be told: it is encrypted, or of a kind that is not known here.
    Unknown,
}

/// State of a certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Nothing is wrong with it, as far as can be told here.
    Good,
    /// It cannot be read, for this reason.
    Unreadable(String),
    /// It is no certificate.
    Garbage,
    /// Its time is over, or is within two weeks.
    Ending,
}

/// Looks at the certificates, unless Dovecot does without TLS.
pub(crate) fn gather(
    system: &impl System,
    root: &Path,
    settings: &Settings,
    hidden_keys: impl FnOnce() -> Settings,
) -> Vec<Certificate> {
    if settings.get("ssl").is_some_and(|value| value == "no") {
        return Vec::new();
    }
    let is_hidden = |(name, value): (&String, &String)| {
        name.ends_with("ssl_key") && value.starts_with(configuration::HIDDEN)
    };
    let hidden = if settings.iter().any(is_hidden) { hidden_keys() } else { Settings::new() };
    let mut files: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for (name, value) in settings {
        let Some(certificate) = file(name, value) else { continue };
        let key = key_of(name);
        let key = hidden.get(&key).or_else(|| settings.get(&key)).and_then(|value| path(value));
        let known = files.entry(certificate).or_default();
        *known = known.or(key);
    }
    let mut openssl = system.program("openssl");
    let mut look = |(file, key): (&str, Option<&str>)| {
        let state = state(system, root, file, &mut openssl);
        let key = key.filter(|_| !matches!(state, State::Unreadable(_) | State::Garbage));
        let key = key.map(|key| Key { file: key.to_owned(), state: key_state(root, file, key) });
        Certificate { file: file.to_owned(), state, key }
    };
    files.into_iter().take(MAX_LOOKED_AT).map(&mut look).collect()
}

/// The setting of the key that belongs to a certificate's.
fn key_of(certificate: &str) -> String {
    let (section, name) = certificate.split_at(certificate.rfind('/').map_or(0, |slash| slash + 1));
    format!("{section}{}", name.replace("cert", "key"))
}

/// Whether a key belongs to a certificate: of a chain, to the first.
fn key_state(root: &Path, certificate: &str, key: &str) -> KeyState {
    let text = |file: &str| read(&root.join(file.trim_start_matches('/')));
    let key = match text(key) {
        Ok(key) if key.contains(MARK) && key.contains("PRIVATE KEY-----") => key,
        Ok(_) => return KeyState::Garbage,
        Err(cause) => return KeyState::Unreadable(cause.to_string()),
    };
    let told = || {
        let certificate =
            CertificateDer::from_pem_slice(text(certificate).ok()?.as_bytes()).ok()?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).ok()?;
        let key = rustls::crypto::ring::sign::any_supported_type(&key).ok()?;
        Some(CertifiedKey::new(vec![certificate], key).keys_match())
    };
    match told() {
        Some(Ok(())) => KeyState::Matches,
        Some(Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch))) => {
            KeyState::Mismatches
        }
        Some(Err(_)) | None => KeyState::Unknown,
    }
}

/// The file that a setting names, if it names a certificate's.
fn file<'a>(name: &str, value: &'a str) -> Option<&'a str> {
    let name = name.rsplit('/').next()?;
    path(value).filter(|_| SETTINGS.contains(&name))
}

/// The file that a value names.
fn path(value: &str) -> Option<&str> {
    let file = value.trim_start_matches('<').trim();
    file.starts_with('/').then_some(file)
}

/// How a certificate stands. An openssl that hangs is not asked again.
fn state(system: &impl System, root: &Path, file: &str, openssl: &mut Option<PathBuf>) -> State {
    match read(&root.join(file.trim_start_matches('/'))) {
        Ok(text) if text.contains(MARK) => {}
        Ok(_) => return State::Garbage,
        Err(cause) => return State::Unreadable(cause.to_string()),
    }
    for (more, fault) in [(&[][..], State::Garbage), (&["-checkend", SOON], State::Ending)] {
        let Some(program) = openssl else { break };
        let words = [&["x509", "-noout", "-in", file], more].concat();
        match system.run(&Command::new(program.clone(), &words), LIMIT).end {
            End::Exited(0) => {}
            End::Exited(_) => return fault,
            _ => *openssl = None,
        }
    }
    State::Good
}

fn read(path: &Path) -> io::Result<String> {
    let text = files::read_regular(path, MAX_FILE)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;

    #[test]
    fn the_settings_of_all_versions_are_known() {
        for (name, value, expected) in [
            ("ssl_cert", "</etc/a.pem", Some("/etc/a.pem")),
            ("ssl_cert", "< /etc/a.pem", Some("/etc/a.pem")),
            ("local 192.0.2.1/protocol imap/ssl_cert", "</etc/b.pem", Some("/etc/b.pem")),
            ("ssl_cert_file", "/etc/c.pem", Some("/etc/c.pem")),
            ("ssl_server/cert_file", "/etc/d.pem", Some("/etc/d.pem")),
            ("ssl_server_cert_file", "/etc/d.pem", Some("/etc/d.pem")),
            ("ssl_cert", "", None),
            ("ssl_key", "# hidden", None),
            ("ssl_client_ca_dir", "/etc/ssl/certs", None),
        ] {
            assert_eq!(file(name, value), expected, "{name} = {value}");
        }
    }

    #[test]
    fn a_file_that_is_missing_or_no_certificate_is_seen_without_openssl() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        root.write("etc/good.pem", "text before\n-----BEGIN CERTIFICATE-----\nMII\n");
        root.write("etc/bad.pem", "garbage\n");
        let settings = |ssl: &str| -> Settings {
            [
                ("ssl", ssl),
                ("ssl_cert", "</etc/good.pem"),
                ("local a/ssl_cert", "</etc/bad.pem"),
                ("local b/ssl_cert", "</etc/none.pem"),
                ("local c/ssl_cert", "</etc/good.pem"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
        };
        let found = gather(&machine, root.path(), &settings("yes"), Settings::new);
        let states: Vec<_> = found.iter().map(|one| (one.file.as_str(), &one.state)).collect();
        let [bad, good, none] = states.as_slice() else { panic!("{states:?}") };
        assert_eq!(
            (bad, good),
            (&("/etc/bad.pem", &State::Garbage), &("/etc/good.pem", &State::Good))
        );
        assert!(matches!(none.1, State::Unreadable(cause) if cause.contains("No such file")));
        assert_eq!(gather(&machine, root.path(), &settings("no"), Settings::new), []);
    }

    /// A certificate that has signed itself, and its key.
    fn pair() -> (String, String) {
        let pair = rcgen::generate_simple_self_signed(["mail.example.com".to_owned()]);
        let pair = pair.expect("a certificate");
        (pair.cert.pem(), pair.signing_key.serialize_pem())
    }

    #[test]
    fn a_key_is_held_to_its_certificate_where_its_file_is_known() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let [(certificate, own), (_, other)] = [pair(), pair()];
        root.write("etc/one.pem", &certificate);
        for (case, key, expected) in [
            ("its own", own.as_str(), KeyState::Matches),
            ("another's", &other, KeyState::Mismatches),
            ("a certificate", &certificate, KeyState::Garbage),
            ("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII=\n", KeyState::Unknown),
        ] {
            root.write("etc/one.key", key);
            let settings = |key: &str| -> Settings {
                [("local a/ssl_cert", "</etc/one.pem"), ("local a/ssl_key", key)]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into()
            };
            let hidden = || settings("</etc/one.key");
            let found = gather(&machine, root.path(), &settings("# hidden, use -P"), hidden);
            let [one] = found.as_slice() else { panic!("{found:?}") };
            let key = one.key.as_ref().expect("its key");
            assert_eq!((&*key.file, &key.state), ("/etc/one.key", &expected), "{case}");
            // 2.4 hides no name; a section's own certificate may have the key of the whole.
            let known: Settings = [
                ("a/ssl_server_cert_file", "/etc/one.pem"),
                ("a/ssl_server_key_file", "/etc/one.key"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
            let found = gather(&machine, root.path(), &known, || panic!("nothing is hidden"));
            assert_eq!(found[0].key.as_ref().map(|key| &key.state), Some(&expected), "{case}");
        }
        let lone = [("ssl_cert".to_owned(), "</etc/one.pem".to_owned())].into();
        assert_eq!(gather(&machine, root.path(), &lone, Settings::new)[0].key, None);
    }
}
