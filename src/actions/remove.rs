//! Takes Dovecot out of service, and proves that it is gone.
//!
//! Two masters on one mail store are the worst that can happen, and a failed remove makes
//! LifeKeeper halt the node in a failover. So it succeeds only when two looks find no process of
//! Dovecot (or one, if the control group that held all of them has gone) and the service manager is
//! not going to start one; and it fails only for what is Dovecot's without doubt and outlived a SIGKILL
//! of this remove, or for a start that a second stop did not cancel. Removing what does not run
//! succeeds: the cluster may ask twice. Nothing here connects to Dovecot: each connection while it
//! stops makes the stop take 6 s. Nothing depends on its configuration or its programs: they may be
//! what is broken.

use std::path::Path;
use std::time::Duration;

use log::info;

use super::signals::{KILL_TIME, end, wake};
use super::wait::until;
use crate::command::End;
use crate::dovecot::identity::{Census, Family};
use crate::dovecot::notes::Notes;
use crate::dovecot::service;
use crate::dovecot::unit::{self, Manager, Unit};
use crate::error::Error;
use crate::messages::{Message, warning};
use crate::settings::{Settings, Wait};
use crate::stderr;
use crate::system::System;

/// How far apart the two looks are that prove that nobody is left: a dying master can fork one last
/// child between two looks, and the process table is not read in one moment (2 in 460 removes).
pub const SETTLE: Duration = Duration::from_millis(50);

/// How often what is left after the rounds is ended: once, and once more after a further stop.
pub const ENDS: u32 = 2;

/// How long that further stop may take: it cancels a start, or stops a master that has just begun.
pub const FURTHER_STOP: Duration = Duration::from_secs(10);

/// How many stop commands may take their full time. Whoever has taken it twice is not stopped by a
/// third, and the signals must come while LifeKeeper still waits.
pub const LONG_STOPS: u32 = 2;

/// What is kept before a deadline for all that follows the stop commands: signals, and the questions
/// between them.
pub const KEPT: Duration = KILL_TIME.saturating_add(Duration::from_secs(4));

/// Stops Dovecot with its service command, then by signals, within [`longest`]. Where the caller sets
/// a deadline, the stop commands end [`KEPT`] before it, or have a third of the time where that is
/// longer: the signals must come before the caller gives up.
///
/// # Errors
///
/// [`Error::StillRunning`] with what outlived SIGKILL; [`Error::StillStarting`] when the service
/// manager is going to start it in spite of a second stop; any error from reading the process
/// table. A process that vanishes meanwhile is no error.
pub(super) fn remove(
    system: &impl System,
    settings: &Settings,
    root: &Path,
    notes: &mut Notes,
) -> Result<(), Error> {
    service::end_left_command(system, root);
    let question = unit::ask(system, &settings.service);
    let mut watch = Watch::new(system, root, settings, notes);
    let mut family = watch.look_beside(question)?;
    // Without any trace of a master there is no pause between the two looks: a master that neither
    // sees was dead before the first had ended, so whatever it has forked is there for the second. A
    // pause too many costs 50 ms; one too few, after a crash, a process with the mail store open.
    if family.is_gone() && watch.census.expects_more() {
        family = watch.settled()?;
    }
    for stranger in watch.census.strangers() {
        warning!(
            Message::OtherUnit,
            "not touching {stranger}: it is the main process of another unit"
        );
    }
    if family.is_gone() && watch.manager.is_at_rest() {
        info!("Dovecot is already stopped");
        watch.census.erase();
        return Ok(());
    }
    watch.begin(&family);
    let most = stop_time(settings);
    let stops = settings.bounded(system, most, KEPT).max(settings.share(system, most, 3));
    let end = system.now() + stops;
    // In a shutdown that waits for LifeKeeper, a stop command would wait for it too: 120 s in vain.
    let waits_for_us = watch.manager.unit().is_some_and(Unit::waits_for_shutdown);
    let rounds = if waits_for_us { 0 } else { settings.remove_rounds };
    let wait = |end: Duration| match settings.deadline {
        Some(_) => settings.remove_wait.min(end.saturating_sub(system.now())),
        None => settings.remove_wait,
    };
    for round in 1..=rounds {
        let left = end.saturating_sub(system.now()).min(service::CHANGE_LIMIT);
        if left.is_zero() || (family.masters.is_empty() && watch.manager.is_at_rest()) {
            break;
        }
        let end_of_stop = watch.stop(left);
        let question = unit::ask(system, &settings.service);
        family = match settings.wait {
            Wait::Fixed => {
                let family = watch.within(wait(end))?;
                watch.hear(question);
                family
            }
            Wait::Ready => {
                let family = watch.look_beside(question)?;
                watch.confirmed(family)?
            }
        };
        // A stop command that changed nothing would change nothing the next time. Sessions that
        // outlive their master are given the wait, to end in good order.
        let is_useless = settings.wait == Wait::Ready
            && (matches!(end_of_stop, End::TimedOut(_))
                || (watch.manager.has_nothing_to_stop() && !family.masters.is_empty()));
        // What systemd has just said holds for two looks that follow at once, and not for a wait.
        let mut is_fresh = settings.wait == Wait::Ready;
        if is_fresh && !family.is_gone() && !is_useless {
            family = watch.within(wait(end))?;
            is_fresh = false;
        }
        if let [master, ..] = family.masters.as_slice() {
            warning!(
                Message::OutlivedStop,
                "{master} still runs after stop command {round} of {}",
                settings.remove_rounds
            );
        }
        if family.is_gone() && is_fresh && watch.manager.is_at_rest() && watch.starting.is_none() {
            watch.succeed();
            return Ok(());
        }
        if is_useless || (family.is_gone() && watch.is_at_rest_now()) {
            break;
        }
    }
    watch.finish(family)?;
    watch.succeed();
    Ok(())
}

/// The longest that `remove` may take.
#[must_use]
pub fn longest(settings: &Settings) -> Duration {
    besides() + stop_time(settings) + settings.remove_wait
}

/// How long the rounds of the stop command may take in all.
fn stop_time(settings: &Settings) -> Duration {
    stops(settings) + settings.remove_wait * settings.remove_rounds
}

/// How long all may take but the stop commands and the waits after them.
#[must_use]
pub fn besides() -> Duration {
    let before = unit::LIMIT + SETTLE * 2 + Census::LIMIT;
    let after_last_stop = SETTLE + unit::LIMIT * 2;
    let end = (KILL_TIME + SETTLE + unit::LIMIT) * ENDS;
    let end = end + unit::TRIGGERS_LIMIT + FURTHER_STOP + SETTLE * 2;
    before + unit::TRIGGERS_LIMIT + after_last_stop + end
}

/// How long the stop commands may take in all.
#[must_use]
pub fn stops(settings: &Settings) -> Duration {
    service::CHANGE_LIMIT
        * match settings.wait {
            Wait::Ready => settings.remove_rounds.min(LONG_STOPS),
            Wait::Fixed => settings.remove_rounds,
        }
}

/// Looks at Dovecot's processes and at what the service manager says, until both are at rest.
struct Watch<'a, S> {
    system: &'a S,
    settings: &'a Settings,
    root: &'a Path,
    census: Census<'a>,
    manager: Manager,
    /// The start that the service manager last said to be on its way; nothing when it has said
    /// something else since.
    starting: Option<String>,
    /// The last looks in a row at which nobody was seen.
    absence: Option<Absence>,
}

/// Looks in a row at which nobody was seen.
#[derive(Clone, Copy)]
struct Absence {
    first: Duration,
    last: Duration,
}

impl<'a, S: System> Watch<'a, S> {
    fn new(system: &'a S, root: &'a Path, settings: &'a Settings, notes: &'a mut Notes) -> Self {
        Self {
            system,
            settings,
            root,
            census: Census::new(system, root, settings, notes),
            manager: Manager::Absent,
            starting: None,
            absence: None,
        }
    }

    fn hear(&mut self, question: unit::Question<S>) {
        let limit = self.settings.share(self.system, unit::LIMIT, 4);
        let manager = question.answer_within(self.system, limit);
        if let Manager::Unknown(cause) = &manager {
            warning!(Message::ServiceUnknown, "state of the service unknown: {cause}");
        }
        if let Some(unit) = manager.unit() {
            self.starting = unit.is_starting().then(|| unit.to_string());
        }
        self.census.learn(self.system, &manager);
        self.manager = manager;
    }

    /// Asks the service manager, and says whether it is at rest. One that did not answer twice is
    /// not waited for again.
    fn is_at_rest_now(&mut self) -> bool {
        if !matches!(self.manager, Manager::Unknown(_)) {
            self.hear(unit::ask(self.system, &self.settings.service));
        }
        self.manager.is_at_rest()
    }

    fn look(&mut self) -> Result<Family, Error> {
        let family = self.census.take(self.system)?;
        let now = self.system.now();
        let first = self.absence.map_or(now, |absence| absence.first);
        self.absence = family.is_gone().then_some(Absence { first, last: now });
        Ok(family)
    }

    /// Looks for processes while the service manager is asked, whose answer takes longer than two looks.
    /// If the first look finds none, a second one follows, unless the control group of all has gone; and
    /// one more if the answer names a control group that was not known.
    fn look_beside(&mut self, question: unit::Question<S>) -> Result<Family, Error> {
        let known = self.census.groups.len();
        let mut family = self.look()?;
        if family.is_gone() && !self.census.has_lost_its_group() {
            family = self.look()?;
        }
        self.hear(question);
        if family.is_gone() && self.census.groups.len() > known {
            family = self.look()?;
        }
        Ok(family)
    }

    /// Looks, and where nobody is seen looks again.
    fn settled(&mut self) -> Result<Family, Error> {
        let family = self.look()?;
        self.confirmed(family)
    }

    /// Looks again if no process was found, unless two looks are [`SETTLE`] apart. One look is enough if the
    /// service's control group has gone and the service manager knows of nothing that runs: a last child
    /// is in its parent's group, and every process that was ever found was in this one. A wrong yes would
    /// need a master that was started elsewhere after the look before, and died during this one.
    fn confirmed(&mut self, family: Family) -> Result<Family, Error> {
        let Some(Absence { first, last }) = self.absence else { return Ok(family) };
        let is_certain = self.manager.has_nothing_to_stop() && self.census.has_lost_its_group();
        if is_certain || last.saturating_sub(first) >= SETTLE {
            return Ok(family);
        }
        let left = (first + SETTLE).saturating_sub(self.system.now());
        if !left.is_zero() {
            self.system.sleep(left);
        }
        self.look()
    }

    /// Looks until nobody is left or the time is over.
    fn within(&mut self, wait: Duration) -> Result<Family, Error> {
        let system = self.system;
        let _shown = stderr::waiting("waiting for Dovecot's processes to end", wait);
        until(system, (self.settings.wait, wait), || self.settled(), Family::is_gone)
    }

    /// Notes the masters, and wakes the frozen. They hear SIGKILL alone, or
    /// not even that, and a stop command would wait for them: 10 s under systemd, 30 s in Debian's
    /// script.
    fn begin(&mut self, family: &Family) {
        self.census.remember(self.system, family);
        wake(self.system, self.root, family);
    }

    /// Stops what would start Dovecot again, and removes what would mislead a stop script.
    fn prepare_stop(&mut self) {
        if let Some(unit) = self.manager.unit() {
            unit::stop_triggers(self.system, unit);
        }
        self.census.clear_pid_file(self.system);
    }

    fn stop(&mut self, limit: Duration) -> End {
        self.prepare_stop();
        let (system, root, settings) = (self.system, self.root, self.settings);
        service::stop(system, root, settings, limit, &mut || {
            // What cannot be seen now is seen afterwards, or is an error then.
            let _ = self.look();
        })
    }

    /// Nothing is left, and nothing is going to be started.
    fn succeed(&mut self) {
        info!("Dovecot is stopped");
        self.census.erase();
    }

    /// Ends what the stop commands have left, and makes sure that nothing is started in its place.
    /// A master that lives at the very end was started again as often as it was ended, by root: a
    /// success would let a second one begin on another node.
    fn finish(&mut self, mut family: Family) -> Result<(), Error> {
        for number in 1..=ENDS {
            if !family.is_gone() {
                warning!(
                    Message::Signals,
                    "ending {} processes of Dovecot by signals",
                    family.all().len()
                );
                end(self.system, self.root, &mut self.census)?.judge()?;
                family = self.settled()?;
            }
            let is_at_rest = self.is_at_rest_now();
            if is_at_rest && family.is_gone() {
                break;
            }
            if number == ENDS {
                // What the manager calls active may have come since the look.
                family = self.settled()?;
                break;
            }
            // A restart can follow from the end of a master; the service command may be what fails.
            if let Some(unit) = self.manager.unit().filter(|_| !is_at_rest).cloned() {
                self.prepare_stop();
                let limit = self.settings.share(self.system, FURTHER_STOP, 2);
                unit::stop(self.system, &unit.name, limit);
                family = self.settled()?;
            }
        }
        if !family.masters.is_empty() {
            return Err(Error::StartedAgain(family.masters));
        }
        // Also where that was the last word before systemd fell silent: that start will happen.
        if let Some(unit) = self.starting.take() {
            return Err(Error::StillStarting(unit));
        }
        if let Some(unit) = self.manager.unit().filter(|unit| !unit.is_at_rest()) {
            warning!(Message::UnitAtWork, "no process of Dovecot is left, and {unit}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::{Duration, Error, Notes, Settings, System, Wait, longest};
    use crate::command::End;
    use crate::dovecot::running_command::RunningCommand;
    use crate::process::Process;
    use crate::system::fake::{
        Entry, FakeUnit, MASTER, Machine, More, State, child, master, words,
    };
    use crate::test_root::TestRoot;

    fn remove(machine: &Machine, settings: &Settings) -> Result<(), Error> {
        super::remove(machine, settings, TestRoot::new().path(), &mut Notes::default())
    }

    /// A machine on which systemd runs.
    fn systemd(machine: Machine) -> Machine {
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        machine
    }

    /// What was done, but for questions.
    fn deeds(machine: &Machine) -> Vec<String> {
        let is_deed =
            |deed: &String| !deed.starts_with("systemctl show") && !deed.contains("list-jobs");
        machine.deeds().into_iter().filter(is_deed).collect()
    }

    fn stops(machine: &Machine) -> usize {
        machine.count("service dovecot stop")
    }

    /// A stop command that does nothing.
    fn refuse_to_stop(machine: &Machine) {
        machine.reply("stop", |_| (End::Exited(0), Duration::from_millis(50)));
    }

    #[test]
    fn removing_what_does_not_run_is_a_success_and_does_nothing() {
        let machine = Machine::new();
        remove(&machine, &Settings::default()).expect("success");
        assert_eq!(machine.deeds(), Vec::<String>::new());
        assert_eq!(words(), ["INFO: Dovecot is already stopped"]);
        assert_eq!(machine.now(), Duration::ZERO);
    }

    #[test]
    fn what_a_master_that_was_killed_has_left_is_waited_for_though_nobody_has_noted_it() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        root.write("run/dovecot/master.pid", "77");
        machine.state().after(Duration::from_millis(20), |state| {
            let late = State::orphan(900);
            state.processes.push(late);
        });
        let notes = &mut Notes::default();
        super::remove(&machine, &Settings::default(), root.path(), notes).expect("success");
        assert_eq!(machine.deeds(), ["TERM 900"]);
    }

    #[test]
    fn a_running_dovecot_is_stopped_by_its_service_and_ready_ends_when_it_is_gone() {
        let machine = Machine::running();
        remove(&machine, &Settings::default()).expect("success");
        assert_eq!(machine.deeds(), ["service dovecot stop"]);
        assert_eq!(machine.now(), Duration::from_millis(1100), "the stop command's own time");
        remove(&machine, &Settings::default()).expect("success");
        assert_eq!(stops(&machine), 1);
    }

    #[test]
    fn fixed_sleeps_the_whole_wait_as_the_original() {
        let machine = Machine::running();
        let settings = Settings { wait: Wait::Fixed, ..Settings::default() };
        remove(&machine, &settings).expect("success");
        assert_eq!(machine.now(), Duration::from_millis(1100 + 3000));
    }

    #[test]
    fn stop_and_check_are_repeated_at_most_as_often_and_as_long_apart_as_set() {
        for wait in [Wait::Ready, Wait::Fixed] {
            for (rounds, seconds) in [(1, 3), (3, 3), (2, 10), (4, 0)] {
                let machine = Machine::running();
                refuse_to_stop(&machine);
                let settings = Settings {
                    remove_rounds: rounds,
                    remove_wait: Duration::from_secs(seconds),
                    wait,
                    ..Settings::default()
                };
                remove(&machine, &settings).expect("signals end it");
                assert_eq!(stops(&machine), usize::try_from(rounds).expect("a few"));
                let journal = machine.state().journal.clone();
                let first_signal = journal.iter().find(|(_, deed)| deed.starts_with("TERM"));
                let at = first_signal.expect("a signal").0;
                let least = u128::from(rounds) * (u128::from(seconds) * 1000 + 50);
                assert!((least..least + 100).contains(&at), "{wait:?}: {journal:?}");
            }
        }
    }

    #[test]
    fn what_is_still_there_after_the_last_round_is_killed() {
        let machine = Machine::running();
        refuse_to_stop(&machine);
        // Whom a debugger holds, nothing wakes.
        machine.change(MASTER, |master| master.state = 't');
        remove(&machine, &Settings::default()).expect("SIGKILL ends it");
        let signals: Vec<_> =
            machine.deeds().into_iter().filter(|deed| !deed.starts_with("service")).collect();
        assert_eq!(signals, ["TERM 100", "TERM 101", "KILL 100"]);
        assert_eq!(machine.masters(), Vec::<i32>::new());
    }

    #[test]
    fn a_stop_command_that_never_ends_is_left_after_120_seconds_and_given_once() {
        for (wait, times) in [(Wait::Ready, 1), (Wait::Fixed, 3)] {
            let machine = Machine::running();
            machine.reply("stop", |_| (End::Exited(0), Duration::MAX));
            let settings = Settings { wait, ..Settings::default() };
            remove(&machine, &settings).expect("signals end it");
            assert_eq!(stops(&machine), times, "{wait:?}: the original gives it each time");
            assert!(machine.now() >= Duration::from_mins(2));
            assert!(machine.now() <= longest(&settings), "{:?}", machine.now());
        }
    }

    #[test]
    fn gone_means_that_no_child_is_left_either() {
        let machine = Machine::running();
        machine.add(child(102, "imap"), MASTER, MASTER);
        machine.reply("stop", |state| {
            // The session outlives its master by 2 s.
            let session = state.take(102);
            state.stop_dovecot();
            state.processes.extend(session);
            state.after(Duration::from_secs(2), |state| state.end(102));
            (End::Exited(0), Duration::from_millis(50))
        });
        remove(&machine, &Settings::default()).expect("success");
        assert_eq!(machine.deeds(), ["service dovecot stop"], "it was given its time");
        assert!(machine.now() >= Duration::from_secs(2));
    }

    #[test]
    fn children_that_stay_are_ended_without_further_stop_commands() {
        let machine = Machine::running();
        machine.add(Process { state: 't', ..child(102, "imap") }, MASTER, MASTER);
        remove(&machine, &Settings::default()).expect("success");
        assert_eq!(machine.deeds(), ["service dovecot stop", "TERM 102", "KILL 102"]);
    }

    #[test]
    fn the_frozen_are_woken_before_the_stop_command_waits_for_them() {
        let machine = Machine::running();
        machine.change(MASTER, |master| master.state = 'T');
        machine.add(Process { state: 'T', ..child(102, "imap") }, MASTER, MASTER);
        remove(&machine, &Settings::default()).expect("success");
        let deeds = machine.deeds();
        assert_eq!(deeds[..3], ["CONT 100", "CONT 102", "service dovecot stop"]);
        assert_eq!(
            words()[0],
            "WARN: resuming pid 100 (dovecot, state T) with SIGCONT so that it can terminate"
        );
        assert!(!deeds.iter().any(|deed| deed.starts_with("KILL")), "{deeds:?}");
    }

    #[test]
    fn orphans_alone_are_ended_too() {
        let machine = Machine::new();
        machine.add(child(50, "imap"), 1, 49);
        remove(&machine, &Settings::default()).expect("success");
        assert_eq!(machine.deeds(), ["TERM 50"]);
    }

    #[test]
    fn only_what_outlives_sigkill_makes_it_fail_and_is_named() {
        let machine = Machine::running();
        machine.add(Process { state: 'D', ..child(102, "imap") }, MASTER, MASTER);
        let settings = Settings::default();
        let error = remove(&machine, &settings).expect_err("nothing ends it");
        assert_eq!(
            error.to_string(),
            "stopping Dovecot: still running after SIGKILL: pid 102 (imap, state D)"
        );
        assert!(machine.now() <= longest(&settings), "{:?}", machine.now());
    }

    #[test]
    fn it_never_connects_and_never_asks_for_the_status() {
        let machine = Machine::running();
        refuse_to_stop(&machine);
        remove(&machine, &Settings::default()).expect("signals end it");
        let deeds = machine.deeds().concat();
        assert!(!deeds.contains("connect") && !deeds.contains("status"), "{deeds}");
    }

    #[test]
    fn without_any_service_command_signals_do_it() {
        let machine = Machine::running();
        machine.state().programs = vec![];
        remove(&machine, &Settings::default()).expect("success");
        assert_eq!(machine.deeds(), ["TERM 100", "TERM 101"]);
        let warning = "WARN: looking for a service command: neither service nor systemctl is in \
                       /usr/sbin, /usr/bin, /sbin, /bin";
        assert_eq!(words()[0], warning);
    }

    #[test]
    fn strangers_are_never_signalled() {
        let machine = Machine::running();
        refuse_to_stop(&machine);
        machine.add(Process { users: [1000; 3], ..master(200) }, 1, 200);
        machine.add(master(201), 1, 201);
        machine.show(201, |more| more.elsewhere = true);
        remove(&machine, &Settings::default()).expect("signals end it");
        let deeds = machine.deeds().concat();
        assert!(!deeds.contains("200") && !deeds.contains("201"), "{deeds}");
    }

    #[test]
    fn in_a_shutdown_that_waits_for_lifekeeper_no_stop_command_waits_for_the_shutdown() {
        let machine = systemd(Machine::running());
        machine.state().shutdown = true;
        machine.state().unit = FakeUnit { job: Some("stop"), ..FakeUnit::default() };
        remove(&machine, &Settings::default()).expect("success");
        let deeds = deeds(&machine);
        assert!(deeds.iter().any(|deed| deed == "TERM 100"), "{deeds:?}");
        assert!(!deeds.iter().any(|deed| deed.contains("stop")), "{deeds:?}");
        assert!(machine.masters().is_empty());
    }

    #[test]
    fn where_the_services_control_group_is_no_more_nobody_looks_a_second_time() {
        let group = "sys/fs/cgroup/system.slice/dovecot.service";
        let all = "100\n101\n";
        for (case, listed, late, stays, pause) in [
            ("all were in it, and it was removed", all, None, false, 0),
            ("it is still there", all, None, true, 50 - 8),
            ("one was elsewhere", "100\n", None, false, 50 - 8),
            ("a master was begun elsewhere", all, Some(master(200)), false, 50 - 8),
            ("a child was begun elsewhere", all, Some(child(200, "imap")), false, 50 - 8),
        ] {
            let (root, machine) = (TestRoot::new(), systemd(Machine::running()));
            root.write(&format!("{group}/cgroup.procs"), listed);
            let directory = root.path().join(group);
            for pid in [MASTER, MASTER + 1] {
                let groups = "0::/system.slice/dovecot.service\n";
                machine.show(pid, |more| more.groups = groups.into());
            }
            if let Some(late) = late {
                let session = if late.name == "dovecot" { 200 } else { MASTER };
                machine.state().after(Duration::from_millis(500), move |state| {
                    let process = Process { parent: 1, session, ..late };
                    let more = More { groups: "0::/user.slice\n".into(), ..More::default() };
                    state.processes.push(Entry { process, more });
                });
            }
            machine.reply("stop", move |state| {
                let directory = directory.clone();
                state.after(Duration::from_millis(1100), move |state| {
                    state.stop_dovecot();
                    if !stays {
                        std::fs::remove_dir_all(&directory).expect("removing the group");
                    }
                });
                (End::Exited(0), Duration::from_millis(1100))
            });
            let notes = &mut Notes::default();
            super::remove(&machine, &Settings::default(), root.path(), notes).expect("success");
            let took = Duration::from_millis(8 + 1100 + 8 + pause);
            assert_eq!(machine.now(), took, "{case}");
        }
    }

    #[test]
    fn a_start_on_its_way_is_cancelled_though_no_process_is_there() {
        let cases = [
            FakeUnit { active: Some("activating"), ..FakeUnit::default() },
            FakeUnit { active: Some("inactive"), job: Some("start"), ..FakeUnit::default() },
            FakeUnit { active: Some("active"), ..FakeUnit::default() },
            FakeUnit { active: Some("deactivating"), job: Some("stop"), ..FakeUnit::default() },
        ];
        for unit in cases {
            let machine = systemd(Machine::new());
            machine.state().unit = unit.clone();
            remove(&machine, &Settings::default()).expect("it is cancelled");
            assert_eq!(deeds(&machine), ["service dovecot stop"], "{:?}", unit.active);
            assert_eq!(words(), ["INFO: Dovecot is stopped"]);
        }
        for active in ["inactive", "failed"] {
            let machine = systemd(Machine::new());
            machine.state().unit = FakeUnit { active: Some(active), ..FakeUnit::default() };
            remove(&machine, &Settings::default()).expect("it is at rest");
            assert_eq!(deeds(&machine), Vec::<String>::new(), "{active}");
            assert_eq!(machine.now(), Duration::from_millis(8), "one question");
        }
    }

    #[test]
    fn a_start_that_two_stops_do_not_cancel_makes_it_fail_and_no_other_word_does() {
        for (active, job, fails) in [
            ("activating", None, true),
            ("inactive", Some("restart"), true),
            ("deactivating", Some("stop"), false),
            ("maintenance", None, false),
            ("active", None, false),
        ] {
            let machine = systemd(Machine::new());
            machine.state().unit = FakeUnit { active: Some(active), job, ..FakeUnit::default() };
            machine.state().unit.stuck = true;
            machine.reply("stop", |_| (End::Exited(1), Duration::from_millis(50)));
            let settings = Settings { remove_rounds: 1, ..Settings::default() };
            let outcome = remove(&machine, &settings);
            assert_eq!(outcome.is_err(), fails, "{active}: {outcome:?}");
            let expected = ["service dovecot stop", "systemctl stop dovecot.service"];
            assert_eq!(deeds(&machine), expected, "{active}");
            if let Err(cause) = outcome {
                let words = format!("stopping Dovecot: dovecot.service is {active} (x)");
                assert!(cause.to_string().starts_with(&words), "{cause}");
                assert!(cause.to_string().ends_with(", even after a second stop command"));
            } else {
                let warning =
                    format!("no process of Dovecot is left, and dovecot.service is {active}");
                assert!(words().concat().contains(&warning), "{:?}", words());
            }
        }
    }

    #[test]
    fn a_master_that_comes_with_the_last_word_of_the_manager_makes_it_fail() {
        let machine = systemd(Machine::new());
        machine.state().unit = FakeUnit { active: Some("active"), ..FakeUnit::default() };
        machine.state().unit.stuck = true;
        machine.reply("stop", |_| (End::Exited(1), Duration::from_millis(50)));
        let settings = Settings { remove_rounds: 1, ..Settings::default() };
        remove(&machine, &settings).expect("no process is there");
        let question = machine.deeds().into_iter().find(|deed| deed.starts_with("systemctl show"));
        let stopped = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stopped);
        machine.effect("systemctl stop dovecot.service", move |_| stopped.store(true, Relaxed));
        machine.effect(&question.expect("a question"), move |state| {
            if is_stopped.swap(false, Relaxed) {
                state.start_dovecot();
            }
        });
        let outcome = remove(&machine, &settings).map_err(|cause| cause.to_string());
        let cause = outcome.expect_err("it runs");
        assert!(cause.contains("another program keeps starting it"), "{cause}");
    }

    #[test]
    fn a_restart_that_follows_from_a_killed_master_is_stopped_too() {
        let machine = systemd(Machine::running());
        // The service command is what fails.
        machine.reply("stop", |_| (End::Exited(1), Duration::from_millis(50)));
        machine.state().unit.active = Some("active");
        machine.state().after(Duration::from_secs(3), |state| {
            state.unit.active = Some("activating");
        });
        let settings = Settings { remove_rounds: 1, ..Settings::default() };
        remove(&machine, &settings).expect("the second stop cancels the restart");
        let further = "systemctl stop dovecot.service";
        assert_eq!(deeds(&machine), ["service dovecot stop", "TERM 100", "TERM 101", further]);
        assert_eq!(words().last().map(String::as_str), Some("INFO: Dovecot is stopped"));
        assert!(!words().concat().contains("no process of Dovecot is left, and"), "{:?}", words());
    }

    #[test]
    fn what_would_start_it_for_the_next_client_is_stopped_first() {
        let machine = systemd(Machine::running());
        machine.state().unit.socket = true;
        remove(&machine, &Settings::default()).expect("success");
        assert_eq!(deeds(&machine), ["systemctl stop dovecot.socket", "service dovecot stop"]);
        // It listens, and nothing else runs.
        let machine = systemd(Machine::new());
        machine.state().unit.socket = true;
        remove(&machine, &Settings::default()).expect("success");
        assert_eq!(deeds(&machine), ["systemctl stop dovecot.socket", "service dovecot stop"]);
    }

    #[test]
    fn a_dovecot_that_systemd_knows_nothing_of_costs_one_stop_command() {
        for (wait, times) in [(Wait::Ready, 1), (Wait::Fixed, 3)] {
            let machine = systemd(Machine::running());
            machine.state().unit.active = Some("inactive");
            machine.reply("stop", |_| (End::Exited(0), Duration::from_millis(50)));
            let settings = Settings { wait, ..Settings::default() };
            remove(&machine, &settings).expect("signals end it");
            assert_eq!(stops(&machine), times, "{wait:?}");
            if wait == Wait::Ready {
                assert!(machine.now() < Duration::from_secs(1), "{:?}", machine.now());
            }
        }
    }

    #[test]
    fn a_systemd_that_does_not_answer_leaves_the_verdict_to_the_processes() {
        let machine = systemd(Machine::running());
        machine.state().unit.silent = true;
        remove(&machine, &Settings::default()).expect("nobody is left");
        assert_eq!(deeds(&machine), ["service dovecot stop"]);
        assert!(words()[0].starts_with("WARN: state of the service unknown: "), "{:?}", words());

        // The last that it said was that a start is on its way.
        let machine = systemd(Machine::new());
        machine.state().unit.active = Some("activating");
        machine.reply("stop", |state| {
            state.unit.silent = true;
            (End::Exited(1), Duration::from_millis(50))
        });
        let error = remove(&machine, &Settings::default()).expect_err("that start will happen");
        assert!(error.to_string().contains("dovecot.service is activating"), "{error}");
    }

    #[test]
    fn gone_is_what_two_looks_in_a_row_say() {
        let machine = Machine::running();
        machine.reply("stop", |state| {
            state.stop_dovecot();
            // The last child of the dying master is forked after the first look.
            state.after(Duration::from_millis(55), |state| {
                state.start_dovecot();
                state.end(110);
            });
            state.after(Duration::from_millis(80), |state| state.end(111));
            (End::Exited(0), Duration::from_millis(50))
        });
        remove(&machine, &Settings::default()).expect("success");
        assert!(machine.now() >= Duration::from_millis(130), "{:?}", machine.now());
    }

    #[test]
    fn the_second_look_is_not_one_from_before_a_slow_answer_of_the_service_manager() {
        let machine = systemd(Machine::running());
        machine.reply("stop", |state| {
            state.stop_dovecot();
            state.unit.silent = true;
            state.after(Duration::from_millis(70), |state| {
                let late = State::orphan(900);
                state.processes.push(late);
            });
            (End::Exited(0), Duration::from_millis(50))
        });
        remove(&machine, &Settings::default()).expect("success");
        assert!(deeds(&machine).contains(&"TERM 900".to_owned()), "{:?}", machine.state().journal);
    }

    #[test]
    fn a_master_that_root_starts_again_as_often_as_it_is_ended_makes_it_fail() {
        fn again(state: &mut State) {
            state.start_dovecot();
            state.after(Duration::from_millis(5), again);
        }
        let machine = Machine::running();
        machine.state().after(Duration::from_millis(5), again);
        let settings = Settings { remove_rounds: 1, ..Settings::default() };
        let error = remove(&machine, &settings).expect_err("a master lives");
        let error = error.to_string();
        let begin = "stopping Dovecot: another program keeps starting it: pid ";
        assert!(error.starts_with(begin), "{error}");
        assert!(machine.now() <= longest(&settings), "{:?}", machine.now());
    }

    #[test]
    fn a_last_child_that_comes_after_the_signals_is_ended_too() {
        let machine = Machine::running();
        refuse_to_stop(&machine);
        let settings = Settings { remove_rounds: 1, ..Settings::default() };
        // After the wait of 3 s the signals end all at once; this one is forked a moment later.
        machine.state().after(Duration::from_millis(3080), |state| {
            let late = State::orphan(900);
            state.processes.push(late);
        });
        remove(&machine, &settings).expect("success");
        assert!(deeds(&machine).contains(&"TERM 900".to_owned()), "{:?}", machine.state().journal);
    }

    #[test]
    fn a_command_that_a_killed_action_left_running_is_ended_first() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let notes = &mut Notes::default();
        machine.add(Process { users: [0; 3], ..child(700, "../../bin/sh") }, 1, 700);
        let leader = machine.inspect(700).expect("the command");
        RunningCommand::note(&machine, root.path(), &leader, "service dovecot start");
        super::remove(&machine, &Settings::default(), root.path(), notes).expect("success");
        assert_eq!(machine.deeds(), ["KILL GROUP 700"]);
        assert!(root.path().join("run/dovecot-ark.command").symlink_metadata().is_err());
        let words = words().concat();
        assert!(words.contains("terminating `service dovecot start` (pid 700"), "{words}");
    }

    #[test]
    fn a_pid_file_that_lies_is_gone_before_a_stop_script_could_kill_by_it() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        machine.add(child(50, "sleep"), 1, 50);
        root.write("run/dovecot/master.pid", "50");
        let file = root.path().join("run/dovecot/master.pid");
        machine.reply("stop", move |state| {
            assert!(!file.exists(), "the script would kill a stranger");
            state.stop_dovecot();
            (End::Exited(0), Duration::from_millis(50))
        });
        let notes = &mut Notes::default();
        super::remove(&machine, &Settings::default(), root.path(), notes).expect("success");
    }

    /// One orphan after the other, without end.
    fn next(state: &mut State, pid: i32) {
        let entry = State::orphan(pid);
        state.processes.push(entry);
        state.after(Duration::from_millis(100), move |state| {
            state.end(pid);
            next(state, pid + 1);
        });
    }

    #[test]
    fn newcomers_and_what_a_user_can_arrange_never_make_it_fail() {
        // Users start orphans of Dovecot's real imap without end, and one hangs in the kernel.
        let machine = Machine::running();
        machine.add(Process { state: 'D', ..child(50, "imap") }, 1, 49);
        next(&mut machine.state(), 1000);
        let settings = Settings::default();
        remove(&machine, &settings).expect("nobody can halt the node");
        assert!(machine.now() <= longest(&settings));
        let words = words().concat();
        assert!(words.contains("not proven to be Dovecot's: pid 50 (imap, state D)"));
    }

    #[test]
    fn a_frozen_control_group_is_thawed_first() {
        let (root, machine) = (TestRoot::new(), systemd(Machine::running()));
        let directory = "sys/fs/cgroup/system.slice/dovecot.service";
        root.write(&format!("{directory}/cgroup.procs"), "");
        root.write(&format!("{directory}/cgroup.freeze"), "1\n");
        machine.show(MASTER, |more| more.groups = "0::/system.slice/dovecot.service\n".into());
        let notes = &mut Notes::default();
        super::remove(&machine, &Settings::default(), root.path(), notes).expect("success");
        let state = std::fs::read_to_string(root.path().join(directory).join("cgroup.freeze"));
        assert_eq!(state.expect("the file"), "0");
    }

    #[test]
    fn what_outlives_sigterm_is_killed_with_all_in_its_control_group() {
        let (root, machine) = (TestRoot::new(), systemd(Machine::running()));
        refuse_to_stop(&machine);
        machine.change(MASTER, |master| master.state = 't');
        let directory = "sys/fs/cgroup/system.slice/dovecot.service";
        root.write(&format!("{directory}/cgroup.procs"), "");
        let settings = Settings { remove_rounds: 1, ..Settings::default() };
        let notes = &mut Notes::default();
        super::remove(&machine, &settings, root.path(), notes).expect("SIGKILL ends it");
        let killed = std::fs::read_to_string(root.path().join(directory).join("cgroup.kill"));
        assert_eq!(killed.expect("the file"), "1");
    }

    #[test]
    fn what_was_noted_is_forgotten_when_nothing_is_left() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        let file = root.path().join("run/dovecot-ark/.masters");
        let path = file.clone();
        machine.reply("stop", move |state| {
            assert!(path.exists(), "noted before it is stopped");
            state.stop_dovecot();
            (End::Exited(0), Duration::from_millis(50))
        });
        let mut notes = Notes::read(&machine, root.path());
        super::remove(&machine, &Settings::default(), root.path(), &mut notes).expect("success");
        assert!(!file.exists());
    }
}
