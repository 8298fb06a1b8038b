//! The kit's parameters: names, units, ranges, defaults, and where each value came from.
//!
//! A value that is not understood never stops an action: the default is used, and a warning names
//! the key, the value and the line. The file is read anew at each action, so a change works at
//! once.

pub mod values;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use crate::lifekeeper::defaults::{self, Assignment, Defaults};
use crate::lifekeeper::template::Template;
use crate::messages::{Message, Remark};
use crate::probe::endpoint::{Depth, Endpoint, MAX_TIMEOUT};
use crate::system::System;
use crate::text::excerpt;
use values::{LOGIN_SECONDS, ROUNDS, SECONDS, file, mailbox, number, service, written};

/// All keys begin so.
pub(crate) const PREFIX: &str = "APP_DOVECOT_";

const DEBUG: &str = "APP_DOVECOT_DEBUG";
const RESTORE_CHECK_RETRY: &str = "APP_DOVECOT_RESTORE_CHECK_RETRY";
const RESTORE_WAIT: &str = "APP_DOVECOT_RESTORE_WAIT";
const REMOVE_CHECK_RETRY: &str = "APP_DOVECOT_REMOVE_CHECK_RETRY";
const REMOVE_WAIT: &str = "APP_DOVECOT_REMOVE_WAIT";
const IP_LIST: &str = "APP_DOVECOT_IP_LIST";
pub(crate) const PROBE: &str = "APP_DOVECOT_PROBE";
const LOGIN_FILE: &str = "APP_DOVECOT_LOGIN_FILE";
const LOGIN_MAILBOX: &str = "APP_DOVECOT_LOGIN_MAILBOX";
const LOGIN_TIMEOUT: &str = "APP_DOVECOT_LOGIN_TIMEOUT";
const LOGIN_FAULT: &str = "APP_DOVECOT_LOGIN_FAULT";
const WAIT: &str = "APP_DOVECOT_WAIT";
const SERVICE: &str = "APP_DOVECOT_SERVICE";
const CREATE: &str = "APP_DOVECOT_CREATE";

/// In the order in which they are shown.
pub(crate) const KEYS: [&str; 14] = [
    DEBUG,
    RESTORE_CHECK_RETRY,
    RESTORE_WAIT,
    REMOVE_CHECK_RETRY,
    REMOVE_WAIT,
    IP_LIST,
    PROBE,
    LOGIN_FILE,
    LOGIN_MAILBOX,
    LOGIN_TIMEOUT,
    LOGIN_FAULT,
    WAIT,
    SERVICE,
    CREATE,
];

/// How many entries of the list are complained about by name; the rest is only counted.
const MAX_BAD_ENTRIES: usize = 20;

/// The parameters of an action.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Whether commands and their output are logged too.
    pub(crate) debug: Switch,
    /// How often the start command is given at most.
    pub(crate) restore_rounds: u32,
    /// The time between a start command and the check.
    pub(crate) restore_wait: Duration,
    /// How often the stop command is given at most.
    pub(crate) remove_rounds: u32,
    /// The time between a stop command and the check.
    pub(crate) remove_wait: Duration,
    /// Where Dovecot must accept connections.
    pub(crate) endpoints: Vec<Endpoint>,
    /// How deep they are tried.
    pub(crate) probe: Depth,
    /// How a mailbox is looked at, where that is asked for.
    pub(crate) login: Login,
    /// What the two times mean.
    pub(crate) wait: Wait,
    /// Dovecot's name as a service.
    pub(crate) service: String,
    /// Whose commands start and stop it, and tell its status.
    pub(crate) commands: Commands,
    /// The command line that creates the resource, where the administrator knows it better.
    pub(crate) create: Option<Template>,
    /// When the action must have ended, on the clock of [`System::now`]; nothing where its caller
    /// sets no limit.
    pub(crate) deadline: Option<Duration>,
}

impl Settings {
    /// How much of a time is left before the deadline, less what is kept for later steps.
    pub(crate) fn bounded(&self, system: &impl System, most: Duration, kept: Duration) -> Duration {
        self.left(system).map_or(most, |left| most.min(left.saturating_sub(kept)))
    }

    /// Share of the remaining time for one of the remaining steps.
    pub(crate) fn share(&self, system: &impl System, most: Duration, steps: u32) -> Duration {
        self.left(system).map_or(most, |left| most.min(left / steps))
    }

    /// What is left before the deadline, where there is one.
    pub(crate) fn left(&self, system: &impl System) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_sub(system.now()))
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Login {
    /// The file with the account and its password.
    pub(crate) file: PathBuf,
    /// The mailbox that must exist.
    pub(crate) mailbox: String,
    /// How long it may take, the connection and its greeting included.
    pub(crate) timeout: Duration,
    pub(crate) fault: LoginFault,
}

/// Which failure of a login is a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LoginFault {
    /// One of the mail store, which another node may cure.
    Store,
    Any,
    /// None: they are only told.
    Never,
}

/// On or off, written 1 or 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Switch {
    #[value(name = "0")]
    Off,
    #[value(name = "1")]
    On,
}

/// Whose commands start and stop a service, and tell its status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Commands {
    /// Those of `service`, as the original kit gives them.
    Service,
    /// Those of systemd where it runs. Debian's `service` lists all socket units before a start and a
    /// stop (init-system-helpers 1.65): 0.3 to 0.5 s each on a small node.
    Systemd,
}

/// How the waits of restore and remove are meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Wait {
    /// The longest wait: the check is repeated, and a yes ends it.
    Ready,
    /// The whole wait is slept, then the check is made once, as in the original kit.
    Fixed,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            debug: Switch::Off,
            restore_rounds: 3,
            restore_wait: Duration::from_secs(3),
            remove_rounds: 3,
            remove_wait: Duration::from_secs(3),
            endpoints: vec![Endpoint::default()],
            probe: Depth::Connect,
            login: Login {
                file: "/etc/dovecot-ark/login".into(),
                mailbox: "dovecot-ark".into(),
                timeout: Duration::from_secs(8),
                fault: LoginFault::Store,
            },
            wait: Wait::Ready,
            service: "dovecot".into(),
            commands: Commands::Service,
            create: None,
            deadline: None,
        }
    }
}

/// The settings, and all that a person may want to know of them.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Report {
    /// The file they were read from.
    pub(crate) file: String,
    /// A row for each parameter.
    pub(crate) settings: Vec<Row>,
    /// What was not understood.
    pub(crate) warnings: Vec<Remark>,
}

/// One parameter with the value in use.
#[derive(Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Row {
    /// Its name.
    pub(crate) key: &'static str,
    /// Its value as it would be written in the file.
    pub(crate) value: String,
    /// Where the value comes from.
    pub(crate) source: Source,
    /// The line of the file, when it comes from there.
    pub(crate) line: Option<usize>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Source {
    /// It was not set, or not understood.
    Default,
    /// A line of the file.
    File,
}

/// Reads the settings from LifeKeeper's defaults file below `root`.
pub(crate) fn read(root: &Path) -> (Settings, Report) {
    understand(defaults::read(root, PREFIX, &KEYS))
}

/// Makes the settings of the parameters of a resource, by their names without the prefix, in small
/// letters; a parameter that is not given is as in `standard`. Also returns what is wrong with them,
/// a sentence each.
pub(crate) fn of_parameters(
    value: impl Fn(&str) -> Option<String>,
    standard: Settings,
) -> (Settings, Report) {
    let given = KEYS.iter().filter(|key| **key != CREATE).filter_map(|key| {
        let value = value(&name(key))?;
        Some(Assignment { key: (*key).to_owned(), value, line: 0 })
    });
    let (settings, mut report) =
        understand_as(Origin::Parameters, Defaults::of(given.collect()), standard);
    report.settings.retain(|row| row.key != CREATE);
    (settings, report)
}

/// The name of a key as a parameter.
pub(crate) fn name(key: &str) -> String {
    key.strip_prefix(PREFIX).unwrap_or(key).to_ascii_lowercase()
}

/// Makes the settings of what was found in the file.
pub(crate) fn understand(defaults: Defaults) -> (Settings, Report) {
    understand_as(Origin::File, defaults, Settings::default())
}

/// Makes the settings of what was found, with these defaults for the rest.
fn understand_as(origin: Origin, mut defaults: Defaults, standard: Settings) -> (Settings, Report) {
    let report = Report {
        file: format!("/{}", defaults::FILE),
        settings: Vec::new(),
        warnings: std::mem::take(&mut defaults.warnings),
    };
    let mut reader = Reader { origin, defaults, report };
    let template = |text: &str| Template::parse(text).map(Some);
    let path = |file: &PathBuf| file.display().to_string();
    let command = |it: &Option<Template>| {
        it.as_ref().map_or_else(|| "lkcli or creapphier".into(), Template::to_string)
    };
    let settings = Settings {
        deadline: standard.deadline,
        commands: standard.commands,
        debug: reader.word(DEBUG, standard.debug, "0 or 1 is expected"),
        restore_rounds: reader.rounds(RESTORE_CHECK_RETRY, standard.restore_rounds),
        restore_wait: reader.seconds(RESTORE_WAIT, standard.restore_wait, &SECONDS),
        remove_rounds: reader.rounds(REMOVE_CHECK_RETRY, standard.remove_rounds),
        remove_wait: reader.seconds(REMOVE_WAIT, standard.remove_wait, &SECONDS),
        endpoints: reader.endpoints(standard.endpoints),
        probe: reader.word(PROBE, standard.probe, "connect, greeting or login is expected"),
        login: Login {
            file: reader.value(LOGIN_FILE, standard.login.file, file, path),
            mailbox: reader.value(LOGIN_MAILBOX, standard.login.mailbox, mailbox, String::clone),
            timeout: reader.seconds(LOGIN_TIMEOUT, standard.login.timeout, &LOGIN_SECONDS),
            fault: reader.word(
                LOGIN_FAULT,
                standard.login.fault,
                "store, any or never is expected",
            ),
        },
        wait: reader.word(WAIT, standard.wait, "ready or fixed is expected"),
        service: reader.value(SERVICE, standard.service, service, String::clone),
        create: reader.value(CREATE, standard.create, template, command),
    };
    (settings, reader.report)
}

/// Where the values stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Origin {
    /// In lines of the file.
    File,
    /// In the parameters of a resource.
    Parameters,
}

struct Reader {
    origin: Origin,
    defaults: Defaults,
    report: Report,
}

impl Reader {
    /// The value of a key: as set, if it is set and understood.
    fn value<T>(
        &mut self,
        key: &'static str,
        standard: T,
        parse: impl Fn(&str) -> Result<T, String>,
        show: impl Fn(&T) -> String,
    ) -> T {
        let assignment = self.defaults.take(key);
        let (value, line) = match assignment.map(|found| (parse(&found.value), found)) {
            None => (standard, None),
            Some((Ok(value), found)) => (value, Some(found.line)),
            Some((Err(cause), found)) => {
                self.warn(
                    Message::Value,
                    &found,
                    &cause,
                    &format!("; {} is used", show(&standard)),
                );
                (standard, None)
            }
        };
        self.show(key, show(&value), line);
        value
    }

    fn rounds(&mut self, key: &'static str, standard: u32) -> u32 {
        self.value(key, standard, |text| number(text, &ROUNDS), u32::to_string)
    }

    fn seconds(
        &mut self,
        key: &'static str,
        standard: Duration,
        range: &RangeInclusive<u32>,
    ) -> Duration {
        let read = |text: &str| Ok(Duration::from_secs(number(text, range)?.into()));
        self.value(key, standard, read, |time| time.as_secs().to_string())
    }

    fn word<T: ValueEnum>(&mut self, key: &'static str, standard: T, expected: &str) -> T {
        let read = |text: &str| T::from_str(text, false).map_err(|_| expected.to_owned());
        self.value(key, standard, read, written)
    }

    /// The list of endpoints: entries that are not understood are left out, and when none is
    /// left, the default holds.
    fn endpoints(&mut self, standard: Vec<Endpoint>) -> Vec<Endpoint> {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        let found = self.defaults.take(IP_LIST);
        if let Some(found) = &found {
            let (mut bad, mut cut) = (0_usize, 0_usize);
            for entry in found.value.split([' ', '\t', ',']).filter(|entry| !entry.is_empty()) {
                let (read, fault) = match Endpoint::parse(entry) {
                    Ok(read) => (Some(read), None),
                    Err(cause) => (Endpoint::with_longest_timeout(entry), Some(cause)),
                };
                if let Some(cause) = fault {
                    let count = if read.is_some() { &mut cut } else { &mut bad };
                    *count += 1;
                    if *count <= MAX_BAD_ENTRIES {
                        let longest = format!("; {MAX_TIMEOUT} is used");
                        let instead = if read.is_some() { &longest } else { "; it is left out" };
                        let cause = format!("entry \"{}\": {cause}", excerpt(entry));
                        self.warn(Message::Entry, found, &cause, instead);
                    }
                }
                let is_old = |new: &Endpoint| endpoints.iter().any(|old| old.is_same_place(new));
                if let Some(new) = read.filter(|new| !is_old(new)) {
                    endpoints.push(new);
                }
            }
            if let Some(more @ 1..) = bad.checked_sub(MAX_BAD_ENTRIES) {
                self.warn(
                    Message::MoreEntries,
                    found,
                    &format!("{more} more entries are left out"),
                    "",
                );
            }
            if endpoints.is_empty() {
                let instead = format!("; {} is used", list(&standard));
                self.warn(Message::NoEntry, found, "no entry is left", &instead);
            }
        }
        let line = found.filter(|_| !endpoints.is_empty()).map(|found| found.line);
        let endpoints = if line.is_some() { endpoints } else { standard };
        self.show(IP_LIST, list(&endpoints), line);
        endpoints
    }

    /// Complains of a value. What is used instead is said of the file alone: whoever gives wrong
    /// parameters is refused.
    fn warn(&mut self, message: Message, found: &Assignment, cause: &str, instead: &str) {
        let value = excerpt(&found.value);
        self.report.warnings.push(match self.origin {
            Origin::File => Remark::new(
                message,
                format!(
                    "{} line {}: {}={value}: {cause}{instead}",
                    self.report.file, found.line, found.key
                ),
            ),
            Origin::Parameters => Remark::new(
                Message::Parameter,
                format!("parameter {}={value}: {cause}", name(&found.key)),
            ),
        });
    }

    fn show(&mut self, key: &'static str, value: String, line: Option<usize>) {
        let source = if line.is_some() { Source::File } else { Source::Default };
        self.report.settings.push(Row { key, value, source, line });
    }
}

fn list(endpoints: &[Endpoint]) -> String {
    let entries: Vec<String> =
        endpoints.iter().map(|one| format!("{one}:{}", one.timeout.as_secs())).collect();
    entries.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;
    use crate::test_bytes::{self, pieces};
    use crate::test_root::TestRoot;
    use proptest::prelude::*;

    fn read_text(text: &str) -> (Settings, Report) {
        let root = TestRoot::new();
        root.write(defaults::FILE, text);
        read(root.path())
    }

    #[test]
    fn without_a_word_in_the_file_the_originals_defaults_hold() {
        let (settings, report) = read_text("LKROOT=/opt/LifeKeeper\n");
        assert_eq!(settings, Settings::default());
        assert_eq!(report.warnings, Vec::<Remark>::new());
        let rows: Vec<_> = report.settings.iter().map(|row| (row.key, &*row.value)).collect();
        assert_eq!(
            rows,
            [
                ("APP_DOVECOT_DEBUG", "0"),
                ("APP_DOVECOT_RESTORE_CHECK_RETRY", "3"),
                ("APP_DOVECOT_RESTORE_WAIT", "3"),
                ("APP_DOVECOT_REMOVE_CHECK_RETRY", "3"),
                ("APP_DOVECOT_REMOVE_WAIT", "3"),
                ("APP_DOVECOT_IP_LIST", "127.0.0.1:143:2"),
                ("APP_DOVECOT_PROBE", "connect"),
                ("APP_DOVECOT_LOGIN_FILE", "/etc/dovecot-ark/login"),
                ("APP_DOVECOT_LOGIN_MAILBOX", "dovecot-ark"),
                ("APP_DOVECOT_LOGIN_TIMEOUT", "8"),
                ("APP_DOVECOT_LOGIN_FAULT", "store"),
                ("APP_DOVECOT_WAIT", "ready"),
                ("APP_DOVECOT_SERVICE", "dovecot"),
                ("APP_DOVECOT_CREATE", "lkcli or creapphier"),
            ]
        );
        assert!(report.settings.iter().all(|row| row.source == Source::Default));
    }

    #[test]
    fn each_value_is_taken_from_the_file_and_knows_its_line() {
        let (settings, report) = read_text(
            "APP_DOVECOT_DEBUG=1\n\
             APP_DOVECOT_RESTORE_CHECK_RETRY=100\n\
             APP_DOVECOT_RESTORE_WAIT=0\n\
             APP_DOVECOT_REMOVE_CHECK_RETRY=1\n\
             APP_DOVECOT_REMOVE_WAIT=600\n\
             APP_DOVECOT_IP_LIST=\"192.0.2.1:143:5, [::1]:993\"\n\
             APP_DOVECOT_PROBE=login\n\
             APP_DOVECOT_LOGIN_FILE=/etc/x\n\
             APP_DOVECOT_LOGIN_MAILBOX=Archive/check\n\
             APP_DOVECOT_LOGIN_TIMEOUT=10\n\
             APP_DOVECOT_LOGIN_FAULT=any\n\
             APP_DOVECOT_WAIT=fixed\n\
             APP_DOVECOT_SERVICE=dovecot@one\n\
             APP_DOVECOT_CREATE='x {tag} {restore} {remove} {quickCheck} {recover}'\n",
        );
        let create = "x {tag} {restore} {remove} {quickCheck} {recover}";
        let expected = Settings {
            debug: Switch::On,
            restore_rounds: 100,
            restore_wait: Duration::ZERO,
            remove_rounds: 1,
            remove_wait: Duration::from_mins(10),
            endpoints: ["192.0.2.1:143:5", "[::1]:993:2"]
                .map(|entry| Endpoint::parse(entry).expect(entry))
                .into(),
            probe: Depth::Login,
            login: Login {
                file: "/etc/x".into(),
                mailbox: "Archive/check".into(),
                timeout: Duration::from_secs(10),
                fault: LoginFault::Any,
            },
            wait: Wait::Fixed,
            service: "dovecot@one".into(),
            commands: Commands::Service,
            create: Some(Template::parse(create).expect(create)),
            deadline: None,
        };
        assert_eq!((settings, &report.warnings), (expected, &Vec::new()));
        let lines: Vec<_> = report.settings.iter().map(|row| (row.source, row.line)).collect();
        assert_eq!(lines, (1..=14).map(|line| (Source::File, Some(line))).collect::<Vec<_>>());
    }

    #[test]
    fn a_bad_value_is_named_with_its_line_and_the_default_is_used() {
        for (line, reason) in [
            ("APP_DOVECOT_DEBUG=yes", "0 or 1 is expected; 0 is used"),
            ("APP_DOVECOT_RESTORE_CHECK_RETRY=0", "a number from 1 to 100 is expected; 3 is used"),
            ("APP_DOVECOT_RESTORE_CHECK_RETRY=101", "a number from 1 to 100 is expected"),
            ("APP_DOVECOT_RESTORE_WAIT=-1", "a number from 0 to 600 is expected; 3 is used"),
            ("APP_DOVECOT_RESTORE_WAIT=+1", "a number from 0 to 600 is expected"),
            ("APP_DOVECOT_RESTORE_WAIT=3s", "a number from 0 to 600 is expected"),
            ("APP_DOVECOT_RESTORE_WAIT=", "a number from 0 to 600 is expected"),
            ("APP_DOVECOT_REMOVE_CHECK_RETRY=99999999999", "a number from 1 to 100 is expected"),
            ("APP_DOVECOT_REMOVE_WAIT=601", "a number from 0 to 600 is expected; 3 is used"),
            ("APP_DOVECOT_WAIT=Ready", "ready or fixed is expected; ready is used"),
            ("APP_DOVECOT_PROBE=logins", "connect, greeting or login is expected; connect is used"),
            (
                "APP_DOVECOT_LOGIN_FILE=login",
                "the absolute path of a file is expected; /etc/dovecot-ark/login is used",
            ),
            ("APP_DOVECOT_LOGIN_MAILBOX='a b'", "the name of a mailbox is expected: it holds"),
            ("APP_DOVECOT_LOGIN_TIMEOUT=0", "a number from 1 to 10 is expected; 8 is used"),
            ("APP_DOVECOT_LOGIN_TIMEOUT=11", "a number from 1 to 10 is expected; 8 is used"),
            ("APP_DOVECOT_LOGIN_FAULT=all", "store, any or never is expected; store is used"),
            ("APP_DOVECOT_SERVICE=--help", "a service's name"),
            ("APP_DOVECOT_SERVICE='a b'", "a service's name"),
            ("APP_DOVECOT_SERVICE=../x", "a service's name"),
            ("APP_DOVECOT_SERVICE=", "a service's name"),
            ("APP_DOVECOT_CREATE=lkcli", "{tag} is missing; lkcli or creapphier is used"),
            ("APP_DOVECOT_IP_LIST=", "no entry is left; 127.0.0.1:143:2 is used"),
            ("APP_DOVECOT_IP_LIST=\" , \"", "no entry is left; 127.0.0.1:143:2 is used"),
        ] {
            let (settings, report) = read_text(&format!("# first\n{line}\n"));
            assert_eq!(settings, Settings::default(), "{line}");
            let warning = Remark::texts(&report.warnings).concat();
            let key = line.split('=').next().expect(line);
            assert!(
                warning.starts_with(&format!("/etc/default/LifeKeeper line 2: {key}="))
                    && warning.contains(reason),
                "{line}: {warning}"
            );
        }
    }

    #[test]
    fn a_default_may_be_written_out() {
        let (settings, report) = read_text(
            "APP_DOVECOT_DEBUG=0\nAPP_DOVECOT_WAIT=ready\nAPP_DOVECOT_RESTORE_WAIT=3\n\
             APP_DOVECOT_SERVICE=dovecot\nAPP_DOVECOT_IP_LIST=127.0.0.1:143:2\n",
        );
        assert_eq!((settings, &report.warnings), (Settings::default(), &Vec::new()));
        let set = report.settings.iter().filter(|row| row.source == Source::File).count();
        assert_eq!(set, 5);
    }

    #[test]
    fn lists_are_split_at_blanks_and_commas_and_duplicates_are_one() {
        let (settings, report) = read_text(
            "APP_DOVECOT_IP_LIST='127.0.0.1:143:2,127.0.0.1:993  127.0.0.1:143:5\t[::1]:143,'",
        );
        assert_eq!(list(&settings.endpoints), "127.0.0.1:143:2 127.0.0.1:993:2 [::1]:143:2");
        assert_eq!(report.warnings, Vec::<Remark>::new());
    }

    #[test]
    fn a_bad_entry_is_left_out_by_name_and_the_others_hold() {
        let (settings, report) =
            read_text("APP_DOVECOT_IP_LIST='mail.example.com:143 192.0.2.1:143:2 143'");
        assert_eq!(list(&settings.endpoints), "192.0.2.1:143:2");
        assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
        assert!(
            report.warnings[0]
                .text
                .contains("entry \"mail.example.com:143\": mail.example.com is no")
        );
        assert!(report.warnings[1].text.contains("entry \"143\": IP:port:seconds is expected"));
    }

    #[test]
    fn a_long_bad_value_is_cut_in_its_warning() {
        let (_, report) = read_text(&format!("APP_DOVECOT_WAIT={}\n", "é".repeat(5000)));
        let warning = Remark::texts(&report.warnings).concat();
        let beginning = format!("APP_DOVECOT_WAIT={}…: ready or fixed", "é".repeat(80));
        assert!(warning.contains(&beginning), "{warning}");
    }

    #[test]
    fn five_hundred_entries_fit_into_a_line() {
        let entries: Vec<_> = (1..=500).map(|n| format!("192.0.2.255:{n}:15")).collect();
        let (settings, _) = read_text(&format!("APP_DOVECOT_IP_LIST=\"{}\"\n", entries.join(" ")));
        assert_eq!(settings.endpoints.len(), 500);
    }

    #[test]
    fn an_entry_that_would_wait_too_long_is_checked_with_the_longest_time_out() {
        let (settings, report) =
            read_text("APP_DOVECOT_IP_LIST='192.0.2.1:143:20 [::1]:143:16 [::1]:99999'\n");
        assert_eq!(self::list(&settings.endpoints), "192.0.2.1:143:15 [::1]:143:15");
        let told = Remark::texts(&report.warnings);
        let [first, second, third] = told.as_slice() else { panic!("{told:?}") };
        let cause = "the time-out must be 1 to 15 seconds, not";
        assert!(first.ends_with(&format!("{cause} \"20\"; 15 is used")), "{first}");
        assert!(second.ends_with("; 15 is used"), "{second}");
        assert!(third.ends_with("; it is left out"), "{third}");
    }

    #[test]
    fn many_bad_entries_are_counted_and_not_listed() {
        let bad = "x\u{1b} ".repeat(1000);
        let (settings, report) =
            read_text(&format!("APP_DOVECOT_IP_LIST='{bad}192.0.2.1:143:2'\n"));
        assert_eq!(self::list(&settings.endpoints), "192.0.2.1:143:2");
        assert_eq!(report.warnings.len(), MAX_BAD_ENTRIES + 1);
        let end = report.warnings.last().expect("a warning");
        assert!(end.text.ends_with(": 980 more entries are left out"), "{end}");
        assert!(report.warnings.iter().all(|one| !one.text.contains('\u{1b}')), "{end}");
        let all = read_text(&format!("APP_DOVECOT_IP_LIST='{}'\n", "x ".repeat(20))).1.warnings;
        assert_eq!(all.len(), MAX_BAD_ENTRIES + 1, "the last says that the default is used");
        assert!(!Remark::texts(&all).concat().contains("more entries"), "{all:?}");
    }

    /// What a file of settings is made of.
    const WORDS: &[&str] = &[
        "APP_DOVECOT_DEBUG=1\n",
        "APP_DOVECOT_DEBUG=2\n",
        "APP_DOVECOT_RESTORE_CHECK_RETRY=0\n",
        "APP_DOVECOT_REMOVE_CHECK_RETRY=101\n",
        "APP_DOVECOT_RESTORE_WAIT=601\n",
        "APP_DOVECOT_REMOVE_WAIT=0\n",
        "APP_DOVECOT_RESTORE_WAIT=",
        "APP_DOVECOT_IP_LIST=",
        "APP_DOVECOT_IP_LIST='127.0.0.1:143 [::1]:993:15,",
        "APP_DOVECOT_PROBE=greeting\n",
        "APP_DOVECOT_PROBE=login\n",
        "APP_DOVECOT_LOGIN_FILE=",
        "APP_DOVECOT_LOGIN_MAILBOX=",
        "APP_DOVECOT_LOGIN_TIMEOUT=9\n",
        "APP_DOVECOT_LOGIN_FAULT=any\n",
        "APP_DOVECOT_WAIT=",
        "APP_DOVECOT_SERVICE=dovecot",
        "APP_DOVECOT_SERVICE=",
        "APP_DOVECOT_",
        "APP_DOVECOT_CREATE='x {tag} {restore} {remove} {quickCheck} {recover} ",
        "APP_DOVECOT_CREATE=",
        "{x}",
        "=",
        "\n",
        "\n",
        "'\n",
        " ",
        "\t",
        ",",
        "\"",
        "'",
        "#",
        ";",
        "\\",
        "$",
        "`",
        "export ",
        "\r",
        "0",
        "1",
        "ready",
        "fixed",
        "connect",
        "-",
        "@",
        "127.0.0.1",
        ":143",
        ":2",
        "tls:",
        "plain:",
        "connect:",
        "[fe80::1%",
        "]",
        "\u{1b}[2J",
        "\u{feff}",
        "\0",
    ];

    /// The ways in which a value can be written.
    fn quoted(value: &str, way: usize) -> String {
        match way {
            0 if !value.contains([' ', ';']) => value.to_owned(),
            0 | 1 => format!("'{value}'"),
            _ => format!("\"{value}\" # {value}"),
        }
    }

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn any_file_yields_settings_that_hold(file in pieces(WORDS, 40)) {
            invariants::settings(&file);
        }

        #[test]
        fn each_valid_value_is_read_as_it_is_written_whatever_stands_around_it(
            (debug, retries, waits) in (0..=1_u32, [1..=100_u32, 1..=100], [0..=600_u32, 0..=600]),
            list in proptest::collection::vec(1..=65535_u16, 1..20),
            (probe, wait) in (any::<bool>(), any::<bool>()),
            service in "[a-zA-Z0-9][a-zA-Z0-9_.@:-]{0,40}",
            (ways, noise) in ([0..3_usize, 0..3, 0..3], "[ -~]{0,20}"),
            turn in 0..8_usize,
        ) {
            let list: std::collections::BTreeSet<u16> = list.into_iter().collect();
            let list: Vec<String> = list.iter().map(|port| format!("192.0.2.1:{port}:2")).collect();
            let mut lines = [
                format!("APP_DOVECOT_DEBUG={debug}"),
                format!("APP_DOVECOT_RESTORE_CHECK_RETRY={}", quoted(&retries[0].to_string(), ways[0])),
                format!("APP_DOVECOT_REMOVE_CHECK_RETRY={}", retries[1]),
                format!("  export APP_DOVECOT_RESTORE_WAIT={}; #", waits[0]),
                format!("APP_DOVECOT_REMOVE_WAIT={}\r", waits[1]),
                format!("APP_DOVECOT_IP_LIST={}", quoted(&list.join(" "), ways[1])),
                format!("APP_DOVECOT_SERVICE={}", quoted(&service, ways[2])),
                format!(
                    "APP_DOVECOT_PROBE={}\n#{noise}\nAPP_DOVECOT_WAIT={}",
                    if probe { "greeting" } else { "connect" },
                    if wait { "fixed" } else { "ready" },
                ),
            ];
            lines.rotate_left(turn);
            let text = lines.join("\n");
            let read = defaults::from_bytes(text.as_bytes(), PREFIX, &KEYS);
            let (settings, report) = understand(read);
            prop_assert_eq!(report.warnings, Vec::<Remark>::new());
            let seconds = |time: Duration| u32::try_from(time.as_secs());
            prop_assert_eq!(settings.debug == Switch::On, debug == 1);
            prop_assert_eq!([settings.restore_rounds, settings.remove_rounds], retries);
            prop_assert_eq!(
                [settings.restore_wait, settings.remove_wait].map(seconds),
                waits.map(Ok)
            );
            prop_assert_eq!(self::list(&settings.endpoints), list.join(" "));
            prop_assert_eq!(settings.probe == Depth::Greeting, probe);
            prop_assert_eq!(settings.wait == Wait::Fixed, wait);
            prop_assert_eq!(settings.service, service);
        }
    }
}
