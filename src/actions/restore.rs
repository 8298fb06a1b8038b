//! Brings Dovecot into service, and touches nothing when it already is.
//!
//! A start command that returns 0 has been seen to leave nothing running, so success is what the
//! three checks say.

use std::path::Path;
use std::time::Duration;

use log::info;

use super::wait::until;
use super::{remove, signals};
use crate::dovecot::checks::Thoroughness;
use crate::dovecot::identity::Census;
use crate::dovecot::instance::{self, Instance};
use crate::dovecot::notes::Notes;
use crate::dovecot::{checks, configuration, obstacles, own_log, pid_file, places, service, unit};
use crate::error::Error;
use crate::messages::{Message, Remark, warning};
use crate::probe::endpoint::Depth;
use crate::process::Process;
use crate::settings::{Settings, Wait};
use crate::stderr;
use crate::system::System;

/// The pause between the two good looks that are a success: a Dovecot whose authentication is
/// broken greets once and ends.
pub const PAUSE: Duration = Duration::from_millis(200);

/// The same before 2.0: 1.0 says "Auth process died too early - shutting down" a second after its
/// first greeting.
pub const SLOW_PAUSE: Duration = Duration::from_millis(1200);

/// What is kept before a deadline for the check after a start command, and for the reason.
const KEPT: Duration = Duration::from_secs(4);

/// How much time must be left before a deadline for one more round: a start and its check.
const LEAST: Duration = Duration::from_secs(10);

/// Brings Dovecot into service within [`longest`], and not later than the deadline as far as that can be
/// bounded.
///
/// # Errors
///
/// [`Error::Obstructed`] with what keeps Dovecot from starting; [`Error::NotStarted`] with what
/// the last check saw; any error from reading the process table.
pub(super) fn restore(
    system: &impl System,
    settings: &Settings,
    root: &Path,
    notes: &mut Notes,
) -> Result<(), Error> {
    // A mailbox can be locked by a dead node for minutes: a good start does not wait for it.
    let probe = if settings.probe == Depth::Login { Depth::Greeting } else { settings.probe };
    let settings = &Settings { probe, ..settings.clone() };
    let limit = || settings.bounded(system, checks::LIMIT, Duration::ZERO);
    let mut seen = checks::check(system, settings, root, notes, Thoroughness::Twice, limit())?;
    if seen.in_operation() {
        info!("Dovecot is already in operation");
        notes.remember(system, root, &settings.service, &seen.masters);
        return Ok(());
    }
    service::end_left_command(system, root);
    // systemd and Dovecot answer at the same time.
    let question = unit::ask(system, &settings.service);
    let instance = Instance::find(system, root, &settings.service, notes);
    let places = places::answering(system, &instance);
    clear_the_way(question, system, settings, root, notes)?;
    let log = own_log::Mark::set(system, root, &places, &settings.service);
    let with_reason = |causes| own_log::beside(causes, log.reason(system));
    let pause = if instance.is_before_2(system) { SLOW_PAUSE } else { PAUSE };
    let mut rounds = 0;
    for round in 1..=settings.restore_rounds {
        // A start that the caller would cut short is none.
        if round > 1 && settings.left(system).is_some_and(|left| left < LEAST) {
            break;
        }
        rounds = round;
        // Somebody may have written it anew.
        pid_file::clear(system, root, &places.base, notes, &[]);
        let start = settings.bounded(system, service::CHANGE_LIMIT, KEPT);
        service::start(system, root, settings, start);
        let wait = settings.bounded(system, settings.restore_wait, KEPT);
        let end = system.now() + wait;
        let look = || checks::check(system, settings, root, notes, Thoroughness::Once, limit());
        let _shown = stderr::waiting("waiting for Dovecot to be in operation", wait);
        let try_twice = || {
            let first = look()?;
            let pause = pause.min(end.saturating_sub(system.now()));
            if !first.in_operation() {
                return Ok((false, first));
            }
            if settings.wait == Wait::Fixed || pause.is_zero() {
                return Ok((true, first));
            }
            system.sleep(pause);
            let second = look()?;
            let is_same = |one: &Process| first.masters.iter().any(|other| other.is(one));
            Ok((second.in_operation() && second.masters.iter().all(is_same), second))
        };
        let (lasts, last) = until(system, (settings.wait, wait), try_twice, |(lasts, _)| *lasts)?;
        seen = last;
        if lasts {
            info!("Dovecot is in operation");
            notes.remember(system, root, &settings.service, &seen.masters);
            return Ok(());
        }
        warning!(Message::Round, "{seen}, Retry count: {round}.");
        // What waiting cannot cure is not tried again.
        if seen.masters.is_empty() {
            let found = (&instance, &places);
            let obstacles = obstacles::look(system, settings, root, found, notes)?;
            if let Some(Remark { message, .. }) = obstacles.first() {
                let (message, obstacles) = (*message, with_reason(Remark::texts(&obstacles)));
                return Err(Error::Obstructed { message, obstacles });
            }
        }
    }
    let causes = with_reason(seen.causes());
    Err(Error::NotStarted { rounds, causes })
}

/// The longest that `restore` may take.
#[must_use]
pub fn longest(settings: &Settings) -> Duration {
    besides() + (round() + settings.restore_wait) * settings.restore_rounds
}

/// How long all may take but the rounds.
#[must_use]
pub fn besides() -> Duration {
    let clear = unit::LIMIT + Census::LIMIT + signals::KILL_TIME + remove::FURTHER_STOP;
    checks::LIMIT + clear + instance::LIMIT + configuration::LIMIT + own_log::LIMIT
}

/// How long a round may take besides its wait.
#[must_use]
pub fn round() -> Duration {
    service::STATUS_LIMIT + service::CHANGE_LIMIT + checks::LIMIT + obstacles::LIMIT
}

/// Ends what an earlier master left behind, which can hold the ports so that no start succeeds, and
/// stops a unit that systemd calls active though nothing of it runs: a start command would do
/// nothing (SUSE's init script leaves `active (exited)`). What cannot be ended is no reason not to
/// try.
fn clear_the_way<S: System>(
    question: unit::Question<S>,
    system: &S,
    settings: &Settings,
    root: &Path,
    notes: &mut Notes,
) -> Result<(), Error> {
    let mut census = Census::new(system, root, settings, notes);
    let mut family = census.take(system)?;
    let manager = question.answer_within(system, settings.share(system, unit::LIMIT, 4));
    census.learn(system, &manager);
    if family.masters.is_empty() {
        // Now by the control group too.
        family = census.take(system)?;
    }
    if !family.masters.is_empty() {
        return Ok(());
    }
    if !family.others.is_empty() {
        warning!(
            Message::LeftBehind,
            "ending {} processes that an earlier Dovecot left behind",
            family.others.len()
        );
        if let Err(cause) = signals::end(system, root, &mut census)?.judge() {
            warning!(cause.message(), "{cause}");
        }
    }
    if let Some(unit) = manager.unit().filter(|unit| unit.is_active()) {
        warning!(
            Message::EmptyUnit,
            "{unit} but has no process: stopping it so that it can be started"
        );
        census.clear_pid_file(system);
        let limit = settings.share(system, remove::FURTHER_STOP, 2);
        service::stop(system, root, settings, limit, &mut || {});
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        Census, Duration, Error, Notes, PAUSE, Process, SLOW_PAUSE, Settings, System, Wait,
        longest, unit,
    };
    use crate::command::End;
    use crate::probe::endpoint::Endpoint;
    use crate::system::fake::{MASTER, Machine, Port, State, child, words};
    use crate::test_root::TestRoot;

    const MOMENT: Duration = Duration::from_millis(50);

    fn restore(machine: &Machine, settings: &Settings) -> Result<(), Error> {
        super::restore(machine, settings, TestRoot::new().path(), &mut Notes::default())
    }

    fn settings(wait: Wait) -> Settings {
        Settings { wait, ..Settings::default() }
    }

    /// A machine with Dovecot 2.x, stopped.
    fn stopped() -> Machine {
        let machine = Machine::new();
        machine.state().programs.push("doveconf");
        machine.answer("doveconf", End::Exited(0), Duration::ZERO, "");
        machine
    }

    /// The times of the start commands, in milliseconds.
    fn starts(machine: &Machine) -> Vec<u128> {
        let journal = machine.state().journal.clone();
        let start = |(_, deed): &(u128, String)| deed == "service dovecot start";
        journal.into_iter().filter(start).map(|(at, _)| at).collect()
    }

    #[test]
    fn in_operation_already_nothing_is_touched() {
        let machine = Machine::running();
        restore(&machine, &Settings::default()).expect("success");
        restore(&machine, &Settings::default()).expect("success");
        assert_eq!((machine.masters(), starts(&machine)), (vec![MASTER], vec![]));
    }

    #[test]
    fn a_stopped_dovecot_is_started_and_ready_ends_after_two_good_looks() {
        let machine = stopped();
        restore(&machine, &Settings::default()).expect("success");
        assert_eq!((machine.masters(), starts(&machine).len()), (vec![MASTER], 1));
        let took = machine.now();
        let alone = took.saturating_sub(PAUSE);
        assert!(took >= PAUSE && took < PAUSE + Duration::from_millis(100), "{took:?}");
        assert_eq!(words(), ["INFO: Dovecot is in operation"]);
        // Dovecot 1.x.
        let old = Machine::new();
        restore(&old, &Settings::default()).expect("success");
        assert_eq!(old.now(), alone + SLOW_PAUSE);
        // No time is left for a second look.
        let machine = stopped();
        let hurried = Settings { restore_wait: Duration::ZERO, ..Settings::default() };
        restore(&machine, &hurried).expect("success");
        assert_eq!(machine.now() + Duration::from_millis(11), alone, "one look less");
    }

    #[test]
    fn a_dovecot_that_greets_and_dies_is_no_success() {
        let machine = stopped();
        machine.reply("start", |state| {
            state.start_dovecot();
            state.after(Duration::from_millis(150), State::stop_dovecot);
            (End::Exited(0), MOMENT)
        });
        let error = restore(&machine, &Settings::default()).expect_err("it dies each time");
        assert!(error.to_string().contains("no process named dovecot"), "{error}");
        assert_eq!(starts(&machine).len(), 3);
        // One that is started again by systemd is another one, and looked at anew.
        let machine = stopped();
        machine.reply("start", |state| {
            state.start_dovecot();
            state.after(Duration::from_millis(150), |state| {
                state.stop_dovecot();
                state.start_dovecot();
            });
            (End::Exited(0), MOMENT)
        });
        restore(&machine, &Settings::default()).expect("the second lasts");
        assert!(machine.now() > PAUSE * 2, "{:?}", machine.now());
    }

    #[test]
    fn a_dovecot_that_is_late_is_waited_for_and_not_started_twice() {
        let machine = stopped();
        machine.reply("start", |state| {
            state.after(Duration::from_millis(2500), State::start_dovecot);
            (End::Exited(0), MOMENT)
        });
        restore(&machine, &Settings::default()).expect("success");
        assert_eq!(starts(&machine).len(), 1);
        assert!(machine.now() < Duration::from_millis(2900), "{:?}", machine.now());
    }

    #[test]
    fn fixed_sleeps_the_whole_wait_as_the_original() {
        let machine = Machine::new();
        restore(&machine, &settings(Wait::Fixed)).expect("success");
        let checks = machine.count("service dovecot status");
        assert_eq!((machine.now().as_secs(), checks), (3, 2), "one check before, one after");
    }

    #[test]
    fn each_failed_round_is_logged_in_the_words_of_the_original() {
        let machine = Machine::new();
        machine.reply("start", |_| (End::Exited(1), MOMENT));
        let error = restore(&machine, &Settings::default()).expect_err("it never starts");
        let failed = "WARN: `service dovecot start`: exit status 1";
        let round = |n| {
            format!(
                "WARN: Dovecot process not found,Port cannot connected, Status dead, \
                 Retry count: {n}."
            )
        };
        let expected = [failed.into(), round(1), failed.into(), round(2), failed.into(), round(3)];
        assert_eq!(words(), expected);
        assert_eq!(
            error.to_string(),
            "starting Dovecot: not in operation after 3 start commands: no process named dovecot; \
             127.0.0.1:143: connection refused; `service dovecot status`: exit status 3"
        );
    }

    #[test]
    fn a_broken_configuration_is_named_and_not_tried_again() {
        let machine = Machine::new();
        machine.reply("start", |_| (End::Exited(1), MOMENT));
        machine.state().programs.push("doveconf");
        let words = "doveconf: Fatal: Error in configuration file /etc/x line 2: Garbage";
        machine.complain("doveconf", End::Exited(89), words);
        let error = restore(&machine, &Settings::default()).expect_err("it cannot start");
        assert_eq!(
            error.to_string(),
            "starting Dovecot: its configuration is broken: Error in configuration file /etc/x \
             line 2: Garbage"
        );
        assert_eq!(starts(&machine).len(), 1);

        let machine = Machine::new();
        machine.reply("start", |_| (End::Exited(1), MOMENT));
        machine.state().programs.push("doveconf");
        machine.complain("doveconf", End::Exited(0), "");
        restore(&machine, &Settings::default()).expect_err("it does not start");
        assert_eq!(starts(&machine).len(), 3, "something else is wrong, and may pass");
    }

    #[test]
    fn what_dovecot_wrote_into_its_log_is_told() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let log = root.path().join("var/log/mail.log");
        root.write("var/log/mail.log", "dovecot: master: Fatal: of yesterday\n");
        machine.reply("start", move |_| {
            let line = "dovecot: master: Fatal: of yesterday\ndovecot: master: Fatal: disk full\n";
            std::fs::write(&log, line).expect("the log");
            (End::Exited(0), MOMENT)
        });
        let told = |machine: &Machine| {
            let error =
                super::restore(machine, &Settings::default(), root.path(), &mut Notes::default());
            error.expect_err("it does not start").to_string()
        };
        let words = told(&machine);
        let cause = "no process named dovecot; Dovecot's log: master: Fatal: disk full; ";
        assert!(words.contains(cause), "{words}");
        // With the next start nothing is written, and what is there is old.
        machine.reply("start", |_| (End::Exited(0), MOMENT));
        let words = told(&machine);
        assert!(words.ends_with("exit status 3"), "{words}");
    }

    #[test]
    fn the_log_line_names_what_was_found_of_each_check() {
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Refusing);
        let once = Settings { restore_rounds: 1, ..Settings::default() };
        restore(&machine, &once).expect_err("the port never opens");
        let line = "Dovecot process found,Port cannot connected, Status alive, Retry count: 1.";
        assert_eq!(words(), [format!("WARN: {line}")]);

        let machine = Machine::running();
        machine.reply("status", |_| (End::Exited(3), MOMENT));
        restore(&machine, &once).expect_err("the status never succeeds");
        let line = "Dovecot process found,Port connected, Status dead, Retry count: 1.";
        assert_eq!(words(), [format!("WARN: {line}")]);
    }

    #[test]
    fn start_and_check_are_repeated_at_most_as_often_and_as_long_apart_as_set() {
        for wait in [Wait::Ready, Wait::Fixed] {
            for (rounds, seconds) in [(1, 3), (3, 3), (2, 10), (4, 0)] {
                let machine = Machine::new();
                machine.reply("start", |_| (End::Exited(0), MOMENT));
                let settings = Settings {
                    restore_rounds: rounds,
                    restore_wait: Duration::from_secs(seconds),
                    wait,
                    ..Settings::default()
                };
                restore(&machine, &settings).expect_err("it never starts");
                let starts = starts(&machine);
                assert_eq!(starts.len(), usize::try_from(rounds).expect("a few"));
                for pair in starts.windows(2) {
                    let apart = pair[1] - pair[0];
                    let least = u128::from(seconds) * 1000 + MOMENT.as_millis();
                    assert!((least..least + 100).contains(&apart), "{wait:?}: {starts:?}");
                }
            }
        }
    }

    #[test]
    fn a_start_command_that_never_ends_is_left_after_120_seconds_and_the_next_step_taken() {
        let machine = stopped();
        machine.reply("start", |_| (End::Exited(0), Duration::MAX));
        machine.reply("status", |_| (End::Exited(0), Duration::MAX));
        let settings = Settings::default();
        restore(&machine, &settings).expect_err("it never starts");
        assert_eq!(starts(&machine).len(), 3);
        assert!(machine.now() <= longest(&settings), "{:?}", machine.now());

        let machine = stopped();
        machine.reply("start", |state| {
            state.start_dovecot();
            (End::Exited(0), Duration::MAX)
        });
        restore(&machine, &settings).expect("it serves, whatever its start command does");
        assert_eq!(machine.now().as_secs(), 120);
    }

    #[test]
    fn whatever_hangs_it_ends_in_the_time_it_promises() {
        let machine = Machine::new();
        for verb in ["start", "stop", "status", "reset-failed"] {
            machine.reply(verb, |_| (End::Exited(0), Duration::MAX));
        }
        machine.state().systemd = true;
        machine.state().unit.active = Some("active");
        machine.state().programs = vec!["service", "systemctl", "doveconf", "journalctl"];
        machine.answer("journalctl", End::Exited(0), Duration::MAX, "");
        machine.answer("doveconf", End::Exited(0), Duration::MAX, "");
        machine.state().ports.insert(143, Port::Silent);
        machine.add(Process { state: 'D', ..child(50, "imap") }, 1, 49);
        let settings = Settings {
            endpoints: vec![Endpoint::parse("127.0.0.1:143:15").expect("an entry")],
            ..Settings::default()
        };
        restore(&machine, &settings).expect_err("it never starts");
        let promised = longest(&settings);
        assert!(machine.now() <= promised, "{:?} {promised:?}", machine.now());
        // A systemd that does not answer is not asked for the stop of a unit that is only called up.
        let slack = unit::LIMIT + Census::LIMIT + Duration::from_secs(22);
        assert!(machine.now() + slack > promised, "{:?} {promised:?}", machine.now());
    }

    #[test]
    fn under_systemd_the_count_of_failed_starts_is_set_back_before_each_start() {
        let machine = Machine::new();
        machine.reply("start", |_| (End::Exited(1), MOMENT));
        machine.state().programs = vec!["service", "systemctl"];
        restore(&machine, &Settings::default()).expect_err("it never starts");
        assert_eq!(machine.count("systemctl reset-failed dovecot"), 0, "no systemd runs here");

        machine.state().systemd = true;
        machine.state().journal.clear();
        restore(&machine, &Settings::default()).expect_err("it never starts");
        let of_interest = |deed: &String| deed.contains("reset") || deed.contains(" start");
        let deeds: Vec<_> = machine.deeds().into_iter().filter(of_interest).collect();
        let pair = ["systemctl reset-failed dovecot", "service dovecot start"];
        assert_eq!(deeds, [pair, pair, pair].concat());
    }

    #[test]
    fn orphans_of_an_earlier_dovecot_are_ended_before_the_start() {
        let machine = Machine::new();
        machine.add(child(50, "imap"), 1, 49);
        machine.add(Process { state: 'T', ..child(51, "imap-login") }, 1, 49);
        restore(&machine, &Settings::default()).expect("success");
        let of_interest = |deed: &String| !deed.contains("status") && !deed.contains("connect");
        let deeds: Vec<_> = machine.deeds().into_iter().filter(of_interest).collect();
        assert_eq!(deeds, ["CONT 51", "TERM 50", "TERM 51", "service dovecot start"]);
    }

    #[test]
    fn an_orphan_that_cannot_be_ended_does_not_stop_the_start() {
        let machine = Machine::new();
        machine.add(Process { state: 'D', ..child(50, "imap") }, 1, 49);
        restore(&machine, &Settings::default()).expect("success");
        assert!(words().iter().any(|line| line.ends_with("pid 50 (imap, state D)")));
    }

    #[test]
    fn the_children_of_a_living_master_are_no_orphans() {
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Refusing);
        restore(&machine, &Settings::default()).expect_err("the port never opens");
        assert!(!machine.deeds().iter().any(|deed| deed.starts_with("TERM")));
    }
}
