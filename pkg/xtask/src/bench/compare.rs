//! Who is compared in what: the check, and the changes of state.

use lab::{Result, STUBS};

use super::measure::Figure::Wall;
use super::measure::{Contestant, Samples, Timed, alternate};
use super::place::{AGENT, LEAST_PROGRAM, ORIGINAL, Place};

/// The kit's check with a greeting.
pub(super) const GREETING: &str = "kit, greeting";
/// The kit's check with a mere connection.
pub(super) const CONNECT: &str = "kit, connect";
/// The same, as LifeKeeper calls it: through the stub, a shell script of one line.
pub(super) const STUB: &str = "kit, by its stub";
/// The kit in a change of state, or in a curve.
pub(super) const KIT: &str = "kit";
/// The shell rendering of the original kit.
pub(super) const SHELL: &str = "original";
/// The OCF agent.
pub(super) const OCF: &str = "OCF agent";
/// What no check can do without: the status command.
pub(super) const STATUS: &str = "service status";
/// The limit of a check that hears a greeting: the status command and the greeting, side by side.
pub(super) const LEAST: &str = "least";
/// What else a check may wait for.
pub(super) const HEARD: &str = "greeting alone";
/// The limit of a change: the service command.
pub(super) const BARE: &str = "service";
/// The check whose service command is an empty program.
pub(super) const ALONE: &str = "kit alone";
/// The same, with a greeting.
pub(super) const ALONE_GREETING: &str = "kit alone, greeting";
/// That empty program.
pub(super) const EMPTY: &str = "empty program";

/// The kit's remove of a Dovecot that is stopped.
pub(super) const STOPPED: &str = "kit, already stopped";

/// The changes that are timed.
pub(super) const CHANGES: [&str; 3] = ["recover", "restore", "remove"];

/// The kit's command line of an action.
pub(super) const QUICK_CHECK: &str = "dovecot-ark quickCheck -t dovecot -i dovecot";
/// The kit's settings.
pub(super) const HEARS: &str = "LKROOT=/opt/LifeKeeper\nAPP_DOVECOT_PROBE=greeting\n";
/// The kit's settings with a mere connection.
pub(super) const CONNECTS: &str = "LKROOT=/opt/LifeKeeper\nAPP_DOVECOT_PROBE=connect\n";

/// The agent's command line, as a cluster manager calls it each 10 s.
fn agent(verb: &str) -> String {
    format!(
        "OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=dovecot OCF_RESKEY_binary=/usr/sbin/dovecot \
         OCF_RESKEY_pid_file=/run/dovecot/master.pid OCF_RESKEY_CRM_meta_interval=10000 \
         {AGENT} {verb}"
    )
}

/// The kit's check with a greeting.
fn greeting() -> Contestant {
    Contestant::under(HEARS, Timed::new(GREETING, QUICK_CHECK))
}

/// The least that there can be.
fn least() -> Contestant {
    Contestant::one(Timed::new(LEAST, LEAST_PROGRAM))
}

/// Compares the kit's check with the least: how many times as long it takes.
///
/// # Errors
///
/// As [`alternate`].
pub(super) fn beside_the_least(place: &Place, rounds: u32) -> Result<f64> {
    let mut samples = Samples::default();
    alternate(place, &[greeting(), least()], rounds, &mut samples)?;
    Ok(samples.median(GREETING, Wall)? / samples.median(LEAST, Wall)?)
}

/// Times the check of everybody.
///
/// # Errors
///
/// As [`alternate`].
pub(super) fn checks(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    let stub = format!("{STUBS}/quickCheck -t dovecot -i dovecot");
    let contestants = [
        greeting(),
        Contestant::one(Timed::new(STATUS, "service dovecot status")),
        least(),
        Contestant::one(Timed::new(SHELL, &format!("{ORIGINAL}/quickCheck"))),
        Contestant::under(CONNECTS, Timed::new(CONNECT, QUICK_CHECK)),
        Contestant::under(HEARS, Timed::new(STUB, &stub)),
        Contestant::one(Timed::new(OCF, &agent("monitor"))),
        Contestant::one(Timed::new(HEARD, "--greeted")),
    ];
    alternate(place, &contestants, rounds, samples)
}

/// Times what of the kit's check is the kit's own.
///
/// # Errors
///
/// As [`alternate`].
pub(super) fn own_part(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    let emptied = place.without_service()?;
    let contestants = [
        Contestant::under(CONNECTS, Timed::new(ALONE, QUICK_CHECK)),
        Contestant::one(Timed::new(EMPTY, "service dovecot status")),
        Contestant::under(HEARS, Timed::new(ALONE_GREETING, QUICK_CHECK)),
    ];
    alternate(place, &contestants, rounds, samples)?;
    emptied.end()
}

/// How a change of somebody is called among the samples.
pub(super) fn change(who: &str, what: &str) -> String {
    format!("{who} {what}")
}

/// The three changes of somebody, who takes part in every so many-th round. What brings Dovecot into
/// service is timed up to its first greeting.
fn changes_of(who: &str, every: u32, line: impl Fn(&str) -> String) -> Contestant {
    let greeted = |what| Timed::new(&change(who, what), &format!("--greeted {}", line(what)));
    let timed = vec![
        greeted("recover"),
        Timed::new(&change(who, "remove"), &line("remove")),
        greeted("restore"),
    ];
    Contestant { settings: HEARS.to_owned(), timed, every, ..Contestant::default() }
}

/// Times the changes of everybody; the slow ones take part in every sixth round. The kit is asked
/// to remove what it has removed too.
///
/// # Errors
///
/// As [`alternate`].
pub(super) fn changes(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    let line = |what: &str| format!("dovecot-ark {what} -t dovecot -i dovecot");
    let mut kit = changes_of(KIT, 1, line);
    kit.timed.insert(2, Timed::new(STOPPED, &line("remove")));
    let bare = changes_of(BARE, 1, |what| match what {
        "recover" => "service dovecot stop + service dovecot start".to_owned(),
        "remove" => "service dovecot stop".to_owned(),
        _ => "service dovecot start".to_owned(),
    });
    let shell = changes_of(SHELL, 6, |what| format!("{ORIGINAL}/{what} -t dovecot -i dovecot"));
    let ocf = changes_of(OCF, 6, |what| match what {
        "recover" => format!("{} + {}", agent("stop"), agent("start")),
        "remove" => agent("stop"),
        _ => agent("start"),
    });
    // The agent starts Dovecot past the service manager, which would call it dead.
    let ocf = Contestant {
        before: Some(format!("service dovecot stop && {} 2>&1", agent("start"))),
        after: Some(format!("{} 2>&1 && service dovecot start", agent("stop"))),
        ..ocf
    };
    alternate(place, &[kit, bare, shell, ocf], rounds, samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_ends_in_service_is_timed_up_to_the_greeting() {
        let one = changes_of(BARE, 3, |what| format!("service {what}"));
        let all = format!("{:?}", one.timed);
        assert!(all.contains(r#"["--greeted", "service", "recover"]"#), "{all}");
        assert!(all.contains(r#"["service", "remove"]"#), "{all}");
        assert_eq!(one.every, 3);
    }

    #[test]
    fn the_agent_gets_its_parameters_as_environment() {
        let line = agent("monitor");
        let words: Vec<&str> = line.split(' ').collect();
        let (program, environment) = (&words[words.len() - 2..], &words[..words.len() - 2]);
        assert_eq!(program, [AGENT, "monitor"]);
        assert!(environment.iter().all(|word| word.contains('=')), "{line}");
    }
}
