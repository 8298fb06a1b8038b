//! Who is compared in what: the check, the changes of state, and the check as it grows.

use std::fmt::Display;

use lab::Result;
use lab::hangs::PROBE;
use lab::kit::ORIGINAL;

use super::place::{AGENT, LEAST_PROGRAM, Place};
use super::runs::{Contestant, alternate};
use crate::samples::Samples;

/// The kit; its check hears a greeting.
pub(super) const KIT: &str = "kit";
/// The kit's check of a list, with greetings, and with mere connections.
pub(super) const GREETING: &str = "kit, greeting";
pub(super) const CONNECT: &str = "kit, connect";
/// The kit's check that logs in and opens a mailbox.
pub(super) const LOGIN: &str = "kit, login";
/// The shell rendering of the original kit.
pub(super) const SHELL: &str = "original";
/// The OCF agent.
pub(super) const OCF: &str = "OCF agent";
/// The limit of a check that hears a greeting: the status command and the greeting, side by side.
pub(super) const LEAST: &str = "least";
/// The bare command, the limit of all else.
pub(super) const BARE: &str = "service";
/// The kit's remove of a Dovecot that is stopped.
pub(super) const STOPPED: &str = "kit, already stopped";
/// The kit, the kit with a connection, and nobody, where the service command is an empty program.
pub(super) const ALONE: [&str; 3] = ["kit alone", "kit alone, connect", "empty program"];
/// The kit where no pid file names the master.
pub(super) const SCAN: &str = "kit, scanning";
/// The program that lists processes, to compare with.
pub(super) const PGREP: &str = "pgrep";
/// The kit where nothing is ever answered.
pub(super) const SILENT: &str = "kit, silent";

/// What is timed: the check, and the changes of state.
pub(super) const CHECK: &str = "quickCheck";
pub(super) const CHANGES: [&str; 3] = ["recover", "restore", "remove"];
/// How many processes the node has, and how many entries the list.
pub(super) const PROCESSES: [u32; 3] = [100, 1_000, 10_000];
pub(super) const ENTRIES: [u32; 4] = [1, 10, 100, 500];

const HEARS: &str = "LKROOT=/opt/LifeKeeper\nAPP_DOVECOT_PROBE=greeting\n";
const CONNECTS: &str = "LKROOT=/opt/LifeKeeper\nAPP_DOVECOT_PROBE=connect\n";

/// How the runs of somebody are called among the samples: with an action, or a size.
pub(super) fn named(who: &str, what: impl Display) -> String {
    format!("{who}: {what}")
}

/// The agent's command line, as a cluster manager calls it each 10 s.
fn agent(verb: &str) -> String {
    format!(
        "OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=dovecot OCF_RESKEY_binary=/usr/sbin/dovecot \
         OCF_RESKEY_pid_file=/run/dovecot/master.pid OCF_RESKEY_CRM_meta_interval=10000 \
         {AGENT} {verb}"
    )
}

/// The command line of somebody's action.
fn line(who: &str, what: &str) -> String {
    let command = |verb: &str| match who {
        OCF => agent(verb),
        _ => format!("service dovecot {}", if verb == "monitor" { "status" } else { verb }),
    };
    match (who, what) {
        (LEAST, _) => LEAST_PROGRAM.to_owned(),
        (SHELL, _) => format!("{ORIGINAL}/{what} -t dovecot -i dovecot"),
        (BARE | OCF, CHECK) => command("monitor"),
        (BARE | OCF, "recover") => format!("{} + {}", command("stop"), command("start")),
        (BARE | OCF, "remove") => command("stop"),
        (BARE | OCF, _) => command("start"),
        _ => format!("dovecot-ark {what} -t dovecot -i dovecot"),
    }
}

/// Somebody's check under these settings.
fn check(settings: &str, who: &str, what: impl Display) -> Contestant {
    Contestant { settings: settings.to_owned(), ..Contestant::default() }
        .then(&named(who, what), &line(who, CHECK))
}

/// Compares the kit's check with the least: how many times as long it takes, with a standard error of some
/// 1.3 % in 151 rounds.
pub(super) fn beside_the_least(place: &Place, rounds: u32) -> Result<f64> {
    let mut samples = Samples::default();
    let contestants = [KIT, LEAST].map(|who| check(HEARS, who, CHECK));
    alternate(place, &contestants, rounds, &mut samples)?;
    samples.times_as_long(&named(KIT, CHECK), &named(LEAST, CHECK))
}

/// Times the check of everybody.
pub(super) fn checks(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    let [kit, bare, least, shell, agent] =
        [KIT, BARE, LEAST, SHELL, OCF].map(|who| check(HEARS, who, CHECK));
    let login = check(&format!("LKROOT=/opt/LifeKeeper\n{PROBE}"), LOGIN, CHECK);
    let contestants = [kit, login, bare, least, shell, agent];
    alternate(place, &contestants, rounds, samples)
}

/// Times what of the kit's check is the kit's own, and adds it to the samples: how much longer this pass of
/// it takes than an empty program, in milliseconds.
pub(super) fn own_part(place: &Place, rounds: u32, samples: &mut Samples) -> Result<f64> {
    let [greeting, connect, nobody] = ALONE;
    let contestants = [
        check(CONNECTS, connect, CHECK),
        Contestant::default().then(&named(nobody, CHECK), &line(BARE, CHECK)),
        check(HEARS, greeting, CHECK),
    ];
    let mut pass = Samples::default();
    place.without_service(|| alternate(place, &contestants, rounds, &mut pass))?;
    let longer = pass.longer(&named(connect, CHECK), &named(nobody, CHECK))?;
    for (name, runs) in pass.0 {
        samples.0.entry(name).or_default().extend(runs);
    }
    Ok(longer * 1e3)
}

/// Times the changes of everybody, what brings Dovecot into service up to its first greeting; the slow
/// ones take part in every sixth round. The kit is asked to remove what it has removed too. What the
/// service commands in them take is timed as well.
pub(super) fn changes(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    let changes = |who| {
        let greeted = |what| format!("--greeted {}", line(who, what));
        let mut one = Contestant { settings: HEARS.to_owned(), ..Contestant::default() }
            .then(&named(who, "recover"), &greeted("recover"))
            .then(&named(who, "remove"), &line(who, "remove"));
        if who == KIT {
            one = one.then(&named(STOPPED, "remove"), &line(who, "remove"));
        }
        one.then(&named(who, "restore"), &greeted("restore"))
    };
    let contestants = [
        changes(KIT),
        changes(BARE),
        Contestant { every: 6, ..changes(SHELL) },
        // The agent starts Dovecot past the service manager, which would call it dead.
        Contestant {
            every: 6,
            before: format!("service dovecot stop && {} 2>&1", agent("start")),
            after: format!("{} 2>&1 && service dovecot start", agent("stop")),
            ..changes(OCF)
        },
    ];
    place.timing_service(|| alternate(place, &contestants, rounds, samples))
}

/// Times the check among processes. The service command is an empty program meanwhile, and the kit
/// only connects, so that next to nothing but the scan grows.
pub(super) fn processes(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    for size in PROCESSES {
        println!("   {size} processes");
        let contestants = [
            check(CONNECTS, KIT, size),
            Contestant {
                before: "mv /run/dovecot/master.pid /run/dovecot/aside".into(),
                after: "mv /run/dovecot/aside /run/dovecot/master.pid".into(),
                ..check(CONNECTS, SCAN, size)
            },
            Contestant::default().then(&named(PGREP, size), "pgrep -x dovecot"),
        ];
        let mut work = || alternate(place, &contestants, rounds, samples);
        place.crowded(size, || place.without_service(&mut work))?;
    }
    Ok(())
}

/// Times the check of long lists.
pub(super) fn entries(place: &Place, rounds: u32, samples: &mut Samples) -> Result<()> {
    for size in ENTRIES {
        println!("   {size} in the list");
        let list = |settings: &str, entry: fn(u32) -> String| {
            let entries: Vec<String> = (0..size).map(entry).collect();
            format!("{settings}APP_DOVECOT_IP_LIST=\"{}\"\n", entries.join(" "))
        };
        let healthy = |n| format!("127.0.{}.{}:143:15", 1 + n / 250, 1 + n % 250);
        let silent = |n| {
            let net = if n < 250 { "198.51.100" } else { "203.0.113" };
            format!("{net}.{}:143:2", 1 + n % 250)
        };
        let contestants = [
            check(&list(HEARS, healthy), GREETING, size).expecting(None),
            check(&list(CONNECTS, healthy), CONNECT, size).expecting(None),
            check(&list(HEARS, silent), SILENT, size).expecting(Some(1)),
        ];
        alternate(place, &contestants, rounds, samples)?;
    }
    Ok(())
}
