//! The account of the login check: its file, what Dovecot says of it, and who counts its failures.
//!
//! Nothing in here tells the password.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Fact;
use crate::dovecot::account::{self, Delay, Opinion};
use crate::dovecot::configuration;
use crate::dovecot::identity;
use crate::dovecot::instance::Instance;
use crate::dovecot::notes::Notes;
use crate::files::read_regular;
use crate::probe::endpoint::Depth;
use crate::settings::Settings;
use crate::system::System;

/// The longest that Dovecot may take to say whether it lets the account in. It takes 10 ms.
const LIMIT: Duration = Duration::from_secs(3);

/// How much of a file of fail2ban is read, in bytes. Debian's has 25 KiB.
const MAX_FILE: u64 = 1 << 20;

/// The settings that say whether Dovecot delays the logins of an address after failed ones.
const PENALTY: (&str, &str) = ("service", "service anvil/unix_listener anvil-auth-penalty/mode");

/// The addresses that are never delayed.
const TRUSTED: &str = "login_trusted_networks";

/// The account.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Account {
    pub(crate) file: String,
    /// The user in it, or why it is refused.
    pub(crate) user: Fact<String>,
    /// Whether Dovecot lets it in; a Dovecot that does not run is not asked.
    pub(crate) accepted: Option<Fact<bool>>,
    /// From where it logs in, if an entry of the list speaks IMAP or POP3.
    pub(crate) from: Option<IpAddr>,
    /// Whether Dovecot delays its logins when others from there fail.
    pub(crate) delayed: Option<bool>,
    /// The jails of fail2ban that would ban that address.
    pub(crate) jails: Vec<String>,
}

impl Account {
    /// Looks at the account, where the check logs in. Takes at most 11 s where Dovecot and systemd hang.
    pub(crate) fn gather(
        system: &impl System,
        root: &Path,
        settings: &Settings,
        instance: &Instance,
    ) -> Option<Self> {
        if settings.probe != Depth::Login {
            return None;
        }
        let account = account::read(root, &settings.login.file);
        let from = account::origin_of(&settings.endpoints);
        let notes = Notes::read(system, root);
        let runs = identity::masters(system, &notes).is_ok_and(|masters| !masters.is_empty());
        let accepted = match (&account, from) {
            (Ok((user, password)), Some(from)) if runs => {
                let test = account::test(system, instance, (user, password), (from, Delay::Never));
                let told = test.map(|command| account::opinion(&system.run(&command, LIMIT)));
                Some(match told {
                    Some(Opinion::Accepts) => Fact::Known(true),
                    Some(Opinion::Refuses) => Fact::Known(false),
                    Some(Opinion::Failing) => Fact::Unknown("it cannot ask its database".into()),
                    Some(Opinion::Silent) => Fact::Unknown("it does not answer".into()),
                    Some(Opinion::Unknown(cause)) => Fact::Unknown(cause),
                    None => Fact::Unknown("there is no doveadm".into()),
                })
            }
            _ => None,
        };
        Some(Self {
            file: settings.login.file.display().to_string(),
            user: account.map(|(user, _)| user).into(),
            accepted,
            from,
            delayed: from.and_then(|from| delayed(system, instance, from)),
            jails: from.map(|from| jails(root, from)).unwrap_or_default(),
        })
    }
}

/// Whether Dovecot delays logins from an address; `None` where it does not tell.
fn delayed(system: &impl System, instance: &Instance, from: IpAddr) -> Option<bool> {
    let told = configuration::values(system, instance, &[PENALTY.0, TRUSTED]).ok()?;
    let mode = told.get(PENALTY.1)?;
    let is_off = mode.bytes().all(|byte| byte == b'0');
    let trusted = configuration::words(&told, TRUSTED);
    Some(!is_off && !trusted.iter().any(|word| covers(word, from)))
}

/// Whether a word names an address, or a network with it.
fn covers(word: &str, address: IpAddr) -> bool {
    let (network, length) = word.split_once('/').unwrap_or((word, "128"));
    let length: u32 = length.parse().unwrap_or_default();
    let same = |one: u128, other: u128, bits: u32| {
        let off = bits.saturating_sub(length);
        one.checked_shr(off).unwrap_or_default() == other.checked_shr(off).unwrap_or_default()
    };
    match (network.parse(), address) {
        (Ok(IpAddr::V4(one)), IpAddr::V4(other)) => {
            same(one.to_bits().into(), other.to_bits().into(), 32)
        }
        (Ok(IpAddr::V6(one)), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
        _ => false,
    }
}

/// A section of fail2ban's files: names and values.
type Section = BTreeMap<String, String>;

/// The enabled jails that watch Dovecot and do not ignore an address (`jail.conf(5)`). That a jail
/// ignores the addresses of its own node is not counted: of loopback it means 127.0.0.1 alone, and up
/// to 0.11 the addresses of the node's name.
fn jails(root: &Path, from: IpAddr) -> Vec<String> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    for file in files(&root.join("etc/fail2ban")) {
        read(&file, &mut sections);
    }
    let usual = sections.remove("DEFAULT").unwrap_or_default();
    let watches = |(name, section): &(String, Section)| {
        let value = |key: &str| section.get(key).or_else(|| usual.get(key)).map_or("", |v| v);
        let is_on = ["true", "yes", "on", "1"].contains(&&*value("enabled").to_ascii_lowercase());
        let is_dovecots = name.contains("dovecot") || value("filter").contains("dovecot");
        let mut ignored = value("ignoreip").split([' ', ',', '\t', '\n']);
        is_on && is_dovecots && !ignored.any(|word| covers(word, from))
    };
    sections.into_iter().filter(watches).map(|(name, _)| name).collect()
}

/// The files in the order in which fail2ban reads them.
fn files(directory: &Path) -> Vec<PathBuf> {
    let listed = |end: &str| {
        let entries = fs::read_dir(directory.join("jail.d")).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|found| found == end));
        files.sort();
        files
    };
    let one = |name: &str| vec![directory.join(name)];
    [one("jail.conf"), listed("conf"), one("jail.local"), listed("local")].concat()
}

/// Adds what a file says; a later word for a name counts.
fn read(path: &Path, sections: &mut BTreeMap<String, Section>) {
    let text = read_regular(path, MAX_FILE).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let (mut section, mut name) = (String::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
        let trimmed = line.trim();
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            title.clone_into(&mut section);
            name.clear();
        } else if line.starts_with([' ', '\t']) && !name.is_empty() {
            let values = sections.entry(section.clone()).or_default();
            let value = values.entry(name.clone()).or_default();
            *value = format!("{value} {trimmed}");
        } else if let Some((key, value)) = trimmed.split_once(['=', ':']) {
            key.trim().clone_into(&mut name);
            let values = sections.entry(section.clone()).or_default();
            values.insert(name.clone(), value.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::settings::Settings;
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;
    use std::os::unix::fs::PermissionsExt;

    const HERE: &str = "127.0.0.143";

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn settings() -> Settings {
        Settings { probe: Depth::Login, ..Settings::default() }
    }

    fn root(mode: u32) -> TestRoot {
        let root = TestRoot::new();
        root.write("etc/dovecot-ark/login", "ark:sesame\n");
        let path = root.path().join("etc/dovecot-ark/login");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
        root
    }

    #[test]
    fn dovecot_is_asked_where_it_runs_and_the_password_is_in_none_of_it() {
        let line = "doveadm auth test -x service=imap -x rip=127.0.0.143 -x no-penalty ark";
        for (end, accepted) in [
            (0, Fact::Known(true)),
            (77, Fact::Known(false)),
            (75, Fact::Unknown("exit status 75".into())),
        ] {
            let (root, machine) = (root(0o600), Machine::running());
            machine.state().programs.push("doveadm");
            machine.answer(line, End::Exited(end), Duration::from_millis(10), "");
            let seen = Account::gather(&machine, root.path(), &settings(), &Instance::default())
                .expect("an account");
            assert_eq!((seen.accepted, seen.from), (Some(accepted), Some(ip(HERE))));
            assert_eq!(seen.user, Fact::Known("ark".into()));
        }
        let machine = Machine::new();
        let gather = |root: &TestRoot, settings: &Settings| {
            Account::gather(&machine, root.path(), settings, &Instance::default())
        };
        let root = root(0o640);
        let seen = gather(&root, &settings()).expect("an account");
        assert_eq!(seen.accepted, None, "it does not run");
        assert!(matches!(&seen.user, Fact::Unknown(cause) if cause.contains("its mode is 640")));
        assert!(!serde_json::to_string(&seen).expect("JSON").contains("sesame"));
        assert!(gather(&root, &Settings::default()).is_none(), "nobody logs in");
    }

    #[test]
    fn dovecot_delays_each_address_but_those_it_trusts_unless_it_counts_none() {
        let of = |mode: &str, trusted: &str, from: &str| {
            let machine = Machine::new();
            machine.state().programs.push("doveconf");
            let text = format!(
                "service anvil {{\n  unix_listener anvil-auth-penalty {{\n    mode = {mode}\n  }}\n}}\n\
                 login_trusted_networks = {trusted}\n"
            );
            let line = "doveconf service login_trusted_networks";
            machine.answer(line, End::Exited(0), Duration::from_millis(10), &text);
            delayed(&machine, &Instance::default(), ip(from))
        };
        for (mode, trusted, from, counts) in [
            ("0600", "", HERE, true),
            ("0", "", HERE, false),
            ("0000", "", HERE, false),
            ("0600", "192.0.2.0/24 ::1", "192.0.2.9", false),
            ("0600", "192.0.2.0/24 ::1", "::1", false),
            ("0600", "192.0.2.0/24 ::1", "198.51.100.1", true),
        ] {
            assert_eq!(of(mode, trusted, from), Some(counts), "{mode} {trusted} {from}");
        }
        assert_eq!(delayed(&Machine::new(), &Instance::default(), ip(HERE)), None);
    }

    #[test]
    fn a_word_covers_the_addresses_of_its_network() {
        for (word, address, expected) in [
            ("127.0.0.0/8", HERE, true),
            ("127.0.0.1/8", HERE, true),
            ("127.0.0.1", HERE, false),
            ("127.0.0.143", HERE, true),
            ("0.0.0.0/0", HERE, true),
            ("192.0.2.0/25", "192.0.2.128", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", HERE, false),
            ("mail.example.com", HERE, false),
            ("", HERE, false),
        ] {
            assert_eq!(covers(word, ip(address)), expected, "{word} {address}");
        }
    }

    #[test]
    fn a_jail_counts_if_it_is_on_watches_dovecot_and_does_not_ignore_the_address() {
        let root = TestRoot::new();
        let found = |file: &str, text: &str| {
            root.write(&format!("etc/fail2ban/{file}"), text);
            jails(root.path(), ip(HERE))
        };
        assert_eq!(jails(root.path(), ip(HERE)), [""; 0]);
        let shipped = "[DEFAULT]\n#ignoreip = 127.0.0.1/8 ::1\nenabled = false\n\n[sshd]\n[dovecot]\n\
                       port = pop3,imap\nlogpath = %(dovecot_log)s\n";
        assert_eq!(found("jail.conf", shipped), [""; 0], "it is off");
        assert_eq!(found("jail.d/a.conf", "[dovecot]\nenabled = true\n"), ["dovecot"]);
        assert_eq!(found("jail.local", "[mail]\nenabled=1\nfilter = dovecot[mode=x]\n").len(), 2);
        assert_eq!(found("jail.d/z.local", "[mail]\nignoreip = ::1\n  127.0.0.0/8\n"), ["dovecot"]);
        assert_eq!(found("jail.d/z.local", "[DEFAULT]\nignoreip = 127.0.0.1/8\n"), [""; 0]);
    }
}
