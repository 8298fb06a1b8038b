//! Who is compared in what: the check, the changes of state, and the check as it grows.

use lab::Result;

use super::place::{AGENT, LEAST_PROGRAM, ORIGINAL, Place};
use super::runs::{Contestant, alternate};
use crate::samples::Samples;

/// The kit's check with a greeting.
pub(super) const GREETING: &str = "kit, greeting";
/// The kit's check with a mere connection.
pub(super) const CONNECT: &str = "kit, connect";
/// The kit in a change of state, or among processes.
pub(super) const KIT: &str = "kit";
/// The shell rendering of the original kit.
pub(super) const SHELL: &str = "original";
/// The OCF agent.
pub(super) const OCF: &str = "OCF agent";
/// What no check can do without: the status command.
pub(super) const STATUS: &str = "service status";
/// The limit of a check that hears a greeting: the status command and the greeting, side by side.
pub(super) const LEAST: &str = "least";
/// The limit of a change: the service command.
pub(super) const BARE: &str = "service";
/// The kit's remove of a Dovecot that is stopped.
pub(super) const STOPPED: &str = "kit, already stopped";
/// The check with a connection whose service command is an empty program.
pub(super) const ALONE: &str = "kit alone";
/// The same, with a greeting.
pub(super) const ALONE_GREETING: &str = "kit alone, greeting";
/// That empty program.
pub(super) const EMPTY: &str = "empty program";
/// The kit where no pid file names the master.
pub(super) const SCAN: &str = "kit, scanning";
/// The program that lists processes, to compare with.
pub(super) const PGREP: &str = "pgrep";
/// The kit where nothing is ever answered.
pub(super) const SILENT: &str = "kit, silent";

/// The changes that are timed.
pub(super) const CHANGES: [&str; 3] = ["recover", "restore", "remove"];
/// How many processes the node has.
pub(super) const PROCESSES: [u32; 3] = [100, 1_000, 10_000];
/// How many entries the list has.
pub(super) const ENTRIES: [u32; 4] = [1, 10, 100, 500];

const QUICK_CHECK: &str = "dovecot-ark quickCheck -t dovecot -i dovecot";
const HEARS: &str = "LKROOT=/opt/LifeKeeper\nAPP_DOVECOT_PROBE=greeting\n";
const CONNECTS: &str = "LKROOT=/opt/LifeKeeper\nAPP_DOVECOT_PROBE=connect\n";

/// The agent's command line, as a cluster manager calls it each 10 s.
fn agent(verb: &str) -> String {
    format!(
        "OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=dovecot OCF_RESKEY_binary=/usr/sbin/dovecot \
         OCF_RESKEY_pid_file=/run/dovecot/master.pid OCF_RESKEY_CRM_meta_interval=10000 \
         {AGENT} {verb}"
    )
}

/// Compares the kit's check with the least: how many times as long it takes.
///
/// # Errors
///
/// As [`alternate`].
pub(super) fn beside_the_least(place: &Place, rounds: u32) -> Result<f64> {
    let mut samples = Samples::default();
    let contestants =
        [Contestant::new(HEARS, GREETING, QUICK_CHECK), Contestant::new("", LEAST, LEAST_PROGRAM)];
    alternate(place, &contestants, rounds, &mut samples)?;
    Ok(samples.wall(GREETING)? / samples.wall(LEAST)?)
}

/// Times the check of everybody.
///
/// # Errors
///
/// As [`alternate`].
pub(super) fn checks(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    let contestants = [
        Contestant::new(HEARS, GREETING, QUICK_CHECK),
        Contestant::new("", STATUS, "service dovecot status"),
        Contestant::new("", LEAST, LEAST_PROGRAM),
        Contestant::new("", SHELL, &format!("{ORIGINAL}/quickCheck")),
        Contestant::new("", OCF, &agent("monitor")),
    ];
    alternate(place, &contestants, rounds, samples)
}

/// Times what of the kit's check is the kit's own.
///
/// # Errors
///
/// As [`alternate`].
pub(super) fn own_part(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    let contestants = [
        Contestant::new(CONNECTS, ALONE, QUICK_CHECK),
        Contestant::new("", EMPTY, "service dovecot status"),
        Contestant::new(HEARS, ALONE_GREETING, QUICK_CHECK),
    ];
    place.without_service(|| alternate(place, &contestants, rounds, samples))
}

/// How a change of somebody is called among the samples.
pub(super) fn change(who: &str, what: &str) -> String {
    format!("{who} {what}")
}

/// The changes of somebody, and what follows the remove. What brings Dovecot into service is timed
/// up to its first greeting.
fn changes_of(who: &str, line: impl Fn(&str) -> String, again: Option<&str>) -> Contestant {
    let greeted = |what| format!("--greeted {}", line(what));
    let mut one = Contestant::new(HEARS, &change(who, "recover"), &greeted("recover"))
        .then(&change(who, "remove"), &line("remove"));
    if let Some(name) = again {
        one = one.then(name, &line("remove"));
    }
    one.then(&change(who, "restore"), &greeted("restore"))
}

/// Times the changes of everybody; the slow ones take part in every sixth round. The kit is asked
/// to remove what it has removed too.
///
/// # Errors
///
/// As [`alternate`].
pub(super) fn changes(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    let kit = |what: &str| format!("dovecot-ark {what} -t dovecot -i dovecot");
    let bare = |what: &str| match what {
        "recover" => "service dovecot stop + service dovecot start".to_owned(),
        "remove" => "service dovecot stop".to_owned(),
        _ => "service dovecot start".to_owned(),
    };
    let shell = |what: &str| format!("{ORIGINAL}/{what} -t dovecot -i dovecot");
    let ocf = |what: &str| match what {
        "recover" => format!("{} + {}", agent("stop"), agent("start")),
        "remove" => agent("stop"),
        _ => agent("start"),
    };
    let contestants = [
        changes_of(KIT, kit, Some(STOPPED)),
        changes_of(BARE, bare, None),
        Contestant { every: 6, ..changes_of(SHELL, shell, None) },
        // The agent starts Dovecot past the service manager, which would call it dead.
        Contestant {
            every: 6,
            before: format!("service dovecot stop && {} 2>&1", agent("start")),
            after: format!("{} 2>&1 && service dovecot start", agent("stop")),
            ..changes_of(OCF, ocf, None)
        },
    ];
    alternate(place, &contestants, rounds, samples)
}

/// How somebody's check is called among the samples where it grows.
pub(super) fn at_size(name: &str, size: u32) -> String {
    format!("{name} at {size}")
}

/// Times the check among processes. The service command is an empty program meanwhile, and the kit
/// only connects, so that next to nothing but the scan grows.
///
/// # Errors
///
/// When a run fails, or the node cannot have so many processes.
pub(super) fn processes(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    for size in PROCESSES {
        println!("   {size} processes");
        let contestants = [
            Contestant::new(CONNECTS, &at_size(KIT, size), QUICK_CHECK),
            Contestant {
                before: "mv /run/dovecot/master.pid /run/dovecot/aside".into(),
                after: "mv /run/dovecot/aside /run/dovecot/master.pid".into(),
                ..Contestant::new(CONNECTS, &at_size(SCAN, size), QUICK_CHECK)
            },
            Contestant::new("", &at_size(PGREP, size), "pgrep -x dovecot"),
        ];
        place.crowded(size, || {
            place.without_service(|| alternate(place, &contestants, rounds, samples))
        })?;
    }
    Ok(())
}

/// Times the check of long lists.
///
/// # Errors
///
/// When a run fails.
pub(super) fn entries(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    for size in ENTRIES {
        println!("   {size} in the list");
        let healthy = list(size, |n| format!("127.0.{}.{}:143:15", 1 + n / 250, 1 + n % 250));
        let silent = list(size, |n| {
            let net = if n < 250 { "198.51.100" } else { "203.0.113" };
            format!("{net}.{}:143:2", 1 + n % 250)
        });
        let check = |settings: &str, list: &str, name| {
            Contestant::new(&format!("{settings}{list}"), &at_size(name, size), QUICK_CHECK)
        };
        let contestants = [
            check(HEARS, &healthy, GREETING).expecting(None),
            check(CONNECTS, &healthy, CONNECT).expecting(None),
            check(HEARS, &silent, SILENT).expecting(Some(1)),
        ];
        alternate(place, &contestants, rounds, samples)?;
    }
    Ok(())
}

/// The setting of a list of so many entries.
fn list(size: u32, entry: impl Fn(u32) -> String) -> String {
    let entries: Vec<String> = (0..size).map(entry).collect();
    format!("APP_DOVECOT_IP_LIST=\"{}\"\n", entries.join(" "))
}
