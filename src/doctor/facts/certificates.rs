//! The certificates that Dovecot's configuration names.
//!
//! Which key belongs to a certificate cannot be told: up to 2.3 Dovecot hides the name of its file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::command::{Command, End};
use crate::dovecot::configuration::Settings;
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
    /// Its file.
    pub(crate) file: String,
    /// How it stands.
    pub(crate) state: State,
}

/// How a certificate stands.
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
pub(crate) fn gather(system: &impl System, root: &Path, settings: &Settings) -> Vec<Certificate> {
    if settings.get("ssl").is_some_and(|value| value == "no") {
        return Vec::new();
    }
    let mut files: Vec<&str> =
        settings.iter().filter_map(|(name, value)| file(name, value)).collect();
    files.sort_unstable();
    files.dedup();
    let mut openssl = system.program("openssl");
    let mut look = |file: &str| {
        let state = state(system, root, file, &mut openssl);
        Certificate { file: file.to_owned(), state }
    };
    files.into_iter().take(MAX_LOOKED_AT).map(&mut look).collect()
}

/// The file that a setting names, if it names a certificate's.
fn file<'a>(name: &str, value: &'a str) -> Option<&'a str> {
    let name = name.rsplit('/').next()?;
    let file = value.trim_start_matches('<').trim();
    (SETTINGS.contains(&name) && file.starts_with('/')).then_some(file)
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
    // Opening a FIFO would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("no regular file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_FILE).read_to_end(&mut text)?;
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
        let found = gather(&machine, root.path(), &settings("yes"));
        let states: Vec<_> = found.iter().map(|one| (one.file.as_str(), &one.state)).collect();
        let [bad, good, none] = states.as_slice() else { panic!("{states:?}") };
        assert_eq!(
            (bad, good),
            (&("/etc/bad.pem", &State::Garbage), &("/etc/good.pem", &State::Good))
        );
        assert!(matches!(none.1, State::Unreadable(cause) if cause.contains("No such file")));
        assert_eq!(gather(&machine, root.path(), &settings("no")), []);
    }
}
