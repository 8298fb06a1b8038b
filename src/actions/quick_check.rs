//! Says whether Dovecot is in operation, and always says it in time.
//!
//! A check that LifeKeeper has to end by force counts as no fault there, so a check that hangs
//! switches the protection off.

use std::path::Path;
use std::time::Duration;

use log::warn;

use crate::dovecot::checks;
use crate::dovecot::notes::Notes;
use crate::dovecot::verdict::Verdict;
use crate::error::Error;
use crate::settings::Settings;
use crate::system::System;

/// When quickCheck ends at the latest, below the 22 s that LifeKeeper grants. All that it waits
/// for ends before; this is for what cannot be bounded, such as a standard error that nobody
/// reads.
pub(crate) const LIMIT: Duration = Duration::from_secs(18);

/// Makes the three checks once. Takes at most 17.5 s.
///
/// # Errors
///
/// [`Error::NotInOperation`] with what was seen, or why nothing could be.
pub(super) fn quick_check(
    system: &impl System,
    settings: &Settings,
    root: &Path,
    notes: &mut Notes,
) -> Result<(), Error> {
    let unknown = |cause: Error| Error::NotInOperation {
        verdict: Verdict::Unknown,
        causes: cause.to_string(),
    };
    let seen = checks::check(system, settings, root, notes).map_err(unknown)?;
    if !seen.in_operation() {
        return Err(Error::NotInOperation { verdict: seen.verdict(), causes: seen.causes() });
    }
    notes.remember(system, root, &settings.service, &seen.masters);
    let warnings = seen.warnings();
    if !warnings.is_empty() {
        let consequence = seen.verdict().consequence();
        warn!("Dovecot is in operation: {}; {consequence}", warnings.join("; "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Duration, Error, LIMIT, Notes, Settings, System};
    use crate::dovecot::endpoint::Endpoint;
    use crate::system::fake::{MASTER, Machine, Port, words};
    use crate::system::{Depth, End};
    use crate::test_root::TestRoot;

    fn quick_check(machine: &Machine, settings: &Settings) -> Result<(), Error> {
        super::quick_check(machine, settings, TestRoot::new().path(), &mut Notes::default())
    }

    /// What was wrong, if anything was, in its line up to the verdict.
    fn fault(machine: &Machine, settings: &Settings) -> Option<String> {
        let line = quick_check(machine, settings).err()?.to_string();
        Some(line.rsplit_once("; verdict ").expect("a verdict").0.to_owned())
    }

    #[test]
    fn all_three_checks_succeed_and_dovecot_is_in_operation() {
        let machine = Machine::running();
        assert_eq!(fault(&machine, &Settings::default()), None);
        assert_eq!(machine.deeds(), ["service dovecot status", "connect 1"]);
        assert_eq!(words(), Vec::<String>::new(), "a healthy server is not worth a line");
    }

    #[test]
    fn a_master_that_the_pid_file_names_is_enough_and_nobody_else_is_looked_at() {
        let machine = Machine::running();
        machine.state().blind = true;
        let root = TestRoot::new();
        let check = || {
            let notes = &mut Notes::default();
            super::quick_check(&machine, &Settings::default(), root.path(), notes)
        };
        let line = check().expect_err("nobody can be seen").to_string();
        let (begin, end) = (
            "Dovecot is not known to be in operation: reading the process table: /proc ",
            "; verdict unknown: exit status 1, LifeKeeper recovers it",
        );
        assert!(line.starts_with(begin) && line.ends_with(end), "{line}");
        root.write("run/dovecot/master.pid", &MASTER.to_string());
        check().expect("it is in operation");
        // A file that is wrong changes nothing.
        machine.state().blind = false;
        root.write("run/dovecot/master.pid", "4242");
        check().expect("it is in operation");
    }

    #[test]
    fn a_server_that_is_only_full_is_no_fault_and_a_warning() {
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Silent);
        machine.state().programs.push("doveadm");
        let full = "name: imap-login\nprocess_count: 3\nprocess_avail: 0\nprocess_limit: 3\n";
        machine.answer("doveadm", End::Exited(0), Duration::from_millis(6), full);
        let settings = Settings { probe: Depth::Greeting, ..Settings::default() };
        assert_eq!(fault(&machine, &settings), None);
        let warning = words().concat();
        let (begin, end) =
            ("WARN: Dovecot is in operation: 127.0.0.1:143: saturated: ", "no fault");
        assert!(warning.starts_with(begin) && warning.ends_with(end), "{warning}");
        // As the original: it does not listen to what a server says.
        assert!(fault(&machine, &Settings::default()).is_some());
        machine.answer("doveadm", End::Exited(75), Duration::from_secs(10), "");
        let cause = fault(&machine, &settings).expect("a frozen master");
        assert!(cause.ends_with("127.0.0.1:143: no greeting after 2 s"), "{cause}");
    }

    #[test]
    fn a_frozen_master_is_given_up_together_with_its_greeting() {
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Silent);
        machine.state().programs.push("doveadm");
        machine.answer("doveadm", End::Exited(75), Duration::from_secs(10), "");
        let settings = Settings { probe: Depth::Greeting, ..Settings::default() };
        assert!(fault(&machine, &settings).is_some());
        assert_eq!(machine.now(), Duration::from_secs(2), "the entry's own time-out");
    }

    #[test]
    fn a_certificate_near_its_end_is_no_fault_and_a_warning() {
        const DAY: i64 = 86_400;
        let told = |left: Option<i64>| {
            let machine = Machine::running();
            machine.state().certificates = left.map(|left| (143, left)).into_iter().collect();
            assert_eq!(fault(&machine, &Settings::default()), None);
            words().concat()
        };
        assert_eq!((told(None), told(Some(14 * DAY))), (String::new(), String::new()));
        for (left, words) in [
            (14 * DAY - 1, "ends in 13 days"),
            (1, "ends within a day"),
            (-1, "has ended, mail programs refuse it"),
        ] {
            assert_eq!(
                told(Some(left)),
                format!(
                    "WARN: Dovecot is in operation: 127.0.0.1:143: its certificate {words}; \
                     verdict degraded: exit status 0, no fault"
                )
            );
        }
    }

    #[test]
    fn the_line_ends_with_what_follows() {
        let line = |machine: &Machine| {
            quick_check(machine, &Settings::default()).expect_err("a fault").to_string()
        };
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Refusing);
        let end = "connection refused; verdict failed: exit status 1, LifeKeeper recovers it";
        assert!(line(&machine).ends_with(end));
        let end = "exit status 3; verdict stopped: exit status 1, LifeKeeper recovers it";
        assert!(line(&Machine::new()).ends_with(end));
    }

    #[test]
    fn a_server_that_is_being_reloaded_is_asked_once_more_and_no_fault() {
        let settings = Settings { probe: Depth::Greeting, ..Settings::default() };
        for (times, asked) in [(0, 1), (1, 2), (2, 2)] {
            let machine = Machine::running();
            machine.state().ports.insert(143, Port::Reloading(times));
            let cause = fault(&machine, &settings);
            assert_eq!(cause.is_some(), times > 1, "{cause:?}");
            if let Some(cause) = cause {
                assert!(
                    cause.ends_with("127.0.0.1:143: not ready: \"* BYE Shutting down\""),
                    "{cause}"
                );
            }
            assert_eq!(machine.count("connect 1"), asked);
            assert_eq!(words(), Vec::<String>::new());
        }
    }

    #[test]
    fn any_one_check_that_fails_is_a_fault_and_says_which() {
        let machine = Machine::running();
        machine.change(100, |master| master.name = "imposter".into());
        machine.state().ports.insert(143, Port::Open);
        machine.reply("status", |_| (End::Exited(0), Duration::from_millis(10)));
        let cause = fault(&machine, &Settings::default()).expect("check 1 fails");
        assert_eq!(cause, "Dovecot is not in operation: no process named dovecot");

        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Refusing);
        let cause = fault(&machine, &Settings::default()).expect("check 2 fails");
        assert_eq!(cause, "Dovecot is not in operation: 127.0.0.1:143: connection refused");

        let machine = Machine::running();
        machine.reply("status", |_| (End::Exited(3), Duration::from_millis(10)));
        let cause = fault(&machine, &Settings::default()).expect("check 3 fails");
        assert_eq!(cause, "Dovecot is not in operation: `service dovecot status`: exit status 3");
    }

    #[test]
    fn every_address_of_the_list_must_accept_a_connection() {
        let machine = Machine::running();
        machine.state().ports.insert(993, Port::Refusing);
        let entries = ["127.0.0.1:143:2", "[::1]:993:2", "192.0.2.1:143:2"];
        let endpoints = entries.map(|entry| Endpoint::parse(entry).expect(entry)).into();
        let settings = Settings { endpoints, ..Settings::default() };
        let cause = fault(&machine, &settings).expect("one of them fails");
        assert_eq!(cause, "Dovecot is not in operation: [::1]:993: connection refused");
    }

    #[test]
    fn each_address_has_its_own_time_out_and_all_are_tried_at_the_same_time() {
        let machine = Machine::running();
        machine.state().ports.insert(1143, Port::Silent);
        let entry = |n: u8| Endpoint::parse(&format!("192.0.2.{n}:1143:{}", 1 + n % 15));
        let endpoints = (1..=250).map(|n| entry(n).expect("an entry")).collect();
        let settings = Settings { endpoints, ..Settings::default() };
        let cause = fault(&machine, &settings).expect("all of them fail");
        assert!(cause.contains("192.0.2.1:1143: no connection after 2 s"), "{cause}");
        assert!(cause.ends_with("245 more of the list refused"), "{cause}");
        assert_eq!(machine.now().as_secs(), 15, "the longest of the time-outs");
    }

    #[test]
    fn a_status_that_never_ends_leaves_the_verdict_to_the_other_two() {
        let machine = Machine::running();
        machine.reply("status", |_| (End::Exited(0), Duration::MAX));
        assert_eq!(fault(&machine, &Settings::default()), None);
        assert_eq!(machine.now(), Duration::from_secs(5));
        let words = words().concat();
        let cause = "`service dovecot status`: no end after 5 s; verdict degraded: ";
        assert!(words.contains(cause), "{words}");

        machine.state().ports.insert(143, Port::Refusing);
        assert!(fault(&machine, &Settings::default()).is_some());
    }

    #[test]
    fn it_always_ends_within_18_seconds_with_a_verdict() {
        let machine = Machine::running();
        machine.reply("status", |_| (End::Exited(0), Duration::MAX));
        machine.state().ports.insert(143, Port::Silent);
        let endpoints = vec![Endpoint::parse("192.0.2.1:143:15").expect("an entry")];
        let settings = Settings { endpoints, ..Settings::default() };
        assert!(fault(&machine, &settings).is_some());
        assert!(machine.now() <= LIMIT, "{:?}", machine.now());
        assert_eq!(LIMIT, Duration::from_secs(18));
    }

    #[test]
    fn systemctl_is_used_where_service_is_missing() {
        let machine = Machine::running();
        machine.state().programs = vec!["systemctl"];
        assert_eq!(fault(&machine, &Settings::default()), None);
        assert_eq!(machine.deeds(), ["systemctl status dovecot", "connect 1"]);
    }

    #[test]
    fn the_service_has_the_name_that_is_set() {
        let machine = Machine::running();
        let settings = Settings { service: "dovecot2".into(), ..Settings::default() };
        assert_eq!(fault(&machine, &settings), None);
        assert_eq!(machine.count("service dovecot2 status"), 1);
    }
}
