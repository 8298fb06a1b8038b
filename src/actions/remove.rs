//! Takes Dovecot out of service, and proves that it is gone.
//!
//! A failed remove makes LifeKeeper halt the node in a failover, so this module fails only after
//! SIGKILL. Removing what does not run succeeds: the cluster may ask twice. Nothing here connects
//! to Dovecot: each connection while it stops makes the stop take 6 s. Nothing depends on its
//! configuration or its programs: they may be what is broken.

use std::time::Duration;

use log::{info, warn};

use super::wait::{Seen, until};
use crate::dovecot::processes::Census;
use crate::dovecot::service;
use crate::error::Error;
use crate::settings::{Settings, Wait};
use crate::system::{Process, Signal, System};

/// How long SIGTERM is given to work; a session that can end in good order does it at once.
const TERM_WAIT: Duration = Duration::from_secs(2);

/// The longest wait after SIGKILL; only a process stuck in the kernel outlives it.
const KILL_WAIT: Duration = Duration::from_secs(3);

/// The longest that [`end`] takes.
pub(super) const KILL_TIME: Duration = TERM_WAIT.saturating_add(KILL_WAIT);

/// Stops Dovecot with its service command, then by signals, within [`longest`].
///
/// # Errors
///
/// [`Error::StillRunning`] with what outlived SIGKILL, and any error from reading the process
/// table. A process that vanishes meanwhile is no error.
pub(super) fn remove(system: &impl System, settings: &Settings) -> Result<(), Error> {
    let mut census = Census::default();
    let mut family = census.take(system)?;
    if family.is_gone() {
        info!("Dovecot is already stopped");
        return Ok(());
    }
    wake(system, family.masters.iter().chain(&family.others));
    for round in 1..=settings.remove_rounds {
        if family.masters.is_empty() {
            break;
        }
        service::stop(system, &settings.service);
        family = match until(system, settings.wait, settings.remove_wait, || {
            let family = census.take(system)?;
            Ok(if family.is_gone() { Seen::Yes(family) } else { Seen::No(family) })
        })? {
            Seen::Yes(_) => {
                info!("Dovecot is stopped");
                return Ok(());
            }
            Seen::No(family) => family,
        };
        if let [master, ..] = family.masters.as_slice() {
            warn!("{master} still runs after stop command {round} of {}", settings.remove_rounds);
        }
    }
    let left = family.into_all();
    warn!("ending {} processes of Dovecot by signals", left.len());
    let left = end(system, &mut census)?;
    if left.is_empty() {
        info!("Dovecot is stopped");
        Ok(())
    } else {
        Err(Error::StillRunning(left))
    }
}

/// The longest that [`remove`] may take.
pub(super) fn longest(settings: &Settings) -> Duration {
    (service::CHANGE_LIMIT + settings.remove_wait) * settings.remove_rounds + KILL_TIME
}

/// Lets those go on whom somebody has frozen. They hear SIGKILL alone, and a stop command would wait
/// for them: 10 s under systemd, 30 s in Debian's script.
fn wake<'a>(system: &impl System, family: impl Iterator<Item = &'a Process>) {
    for process in family.filter(|process| process.state == 'T') {
        warn!("waking {process}, so that it can end");
        system.signal(process, Signal::Cont);
    }
}

/// Ends whoever the census finds: SIGTERM, at most 2 s, then SIGKILL, at most 3 s. Returns what
/// is left.
///
/// # Errors
///
/// Any error from reading the process table.
pub(super) fn end(system: &impl System, census: &mut Census) -> Result<Vec<Process>, Error> {
    let all = census.take(system)?.into_all();
    wake(system, all.iter());
    for process in &all {
        system.signal(process, Signal::Term);
    }
    let look = |census: &mut Census| -> Result<Seen<Vec<Process>>, Error> {
        let left = census.take(system)?.into_all();
        Ok(if left.is_empty() { Seen::Yes(left) } else { Seen::No(left) })
    };
    let Seen::No(mut left) = until(system, Wait::Ready, TERM_WAIT, || look(census))? else {
        return Ok(Vec::new());
    };
    // Whoever is dying may have had children meanwhile.
    let seen = until(system, Wait::Ready, KILL_WAIT, || {
        for process in &left {
            system.signal(process, Signal::Kill);
        }
        let seen = look(census)?;
        if let Seen::No(now) = &seen {
            left.clone_from(now);
        }
        Ok(seen)
    })?;
    Ok(match seen {
        Seen::Yes(left) | Seen::No(left) => left,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::End;
    use crate::system::fake::{MASTER, Machine, child, words};

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
                assert!((least..least + 100).contains(&at), "{wait}: {journal:?}");
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
    fn a_stop_command_that_never_ends_is_left_after_120_seconds() {
        let machine = Machine::running();
        machine.reply("stop", |_| (End::Exited(0), Duration::MAX));
        let settings = Settings::default();
        remove(&machine, &settings).expect("signals end it");
        assert_eq!(stops(&machine), 3);
        let least = Duration::from_secs(3 * 120 + 3 * 3);
        assert!(machine.now() >= least && machine.now() <= longest(&settings));
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
        assert_eq!(words()[0], "WARN: waking pid 100 (dovecot, state T), so that it can end");
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
        machine.add(Process { user: 1000, ..crate::system::fake::master(200) }, 1, 200);
        machine.add(Process { same_root: false, ..crate::system::fake::master(201) }, 1, 201);
        remove(&machine, &Settings::default()).expect("signals end it");
        let deeds = machine.deeds().concat();
        assert!(!deeds.contains("200") && !deeds.contains("201"), "{deeds}");
    }
}
