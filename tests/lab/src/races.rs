//! A remove that begins within the same 100 ms as something that brings a master, or ends it.
//!
//! After a remove that has succeeded no master may come, unless it was started later. What came later
//! is told by the kit's log and by the node's clock: a restore that has the lock after remove says
//! so later in the log; a start job counts as earlier when its command had ended before remove wrote
//! its last line.

use std::time::{Duration, Instant};
use std::{fmt, thread};

use crate::chance::Chance;
use crate::command::Finished;
use crate::error::{Error, Result};
use crate::node::{Init, Node};

/// How far apart the two may begin, in milliseconds, in either direction.
const APART: u64 = 100;
/// Longest time for a rival; above the kit's longest restore.
const RIVAL: Duration = Duration::from_mins(2);
/// Longest wait for a master when nothing is known to be on its way.
const WATCH: Duration = Duration::from_secs(3);
/// A rival that has ended may have left something on its way for so long.
const GRACE: Duration = Duration::from_millis(300);
/// Between two looks for a master.
const LOOK: Duration = Duration::from_millis(20);
/// The kit's log on a node.
const LOG: &str = "/var/log/dovecot-ark.log";
/// systemd starts a killed Dovecot again, and as often as it is asked: so many set it.
const UNIT: &str = "\
[Unit]
StartLimitIntervalSec=0
[Service]
Restart=on-failure
";

/// What a remove competes with.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Rival {
    /// A restore of the kit.
    Restore,
    /// A start by somebody else: a job of systemd, or the init script.
    Start,
    /// A SIGKILL to the master, which systemd starts again.
    Kill,
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restore => "restore",
            Self::Start => "start",
            Self::Kill => "kill",
        })
    }
}

/// How a race ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// remove succeeded, and no master was seen after it.
    Gone,
    /// A master was seen that remove is not to blame for, for this reason.
    Later(&'static str),
    /// remove failed, or a master was seen that it should have ended or prevented.
    Broken(String),
}

/// A race that has ended.
#[derive(Clone, Debug)]
pub struct Race {
    /// What remove competed with.
    pub rival: Rival,
    /// How many milliseconds the rival began before remove; after it when negative.
    pub lead: i64,
    /// Its end.
    pub end: End,
}

impl fmt::Display for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} ms before remove: ", self.rival, self.lead)?;
        match &self.end {
            End::Gone => f.write_str("gone"),
            End::Later(reason) => write!(f, "a master, but {reason}"),
            End::Broken(cause) => f.write_str(cause),
        }
    }
}

/// A node with the kit that races are held on.
#[derive(Debug)]
pub struct Races<'a>(&'a Node);

impl<'a> Races<'a> {
    /// Prepares a node on which the kit is installed.
    ///
    /// # Errors
    ///
    /// When the node does not do what it is told.
    pub fn on(node: &'a Node) -> Result<Self> {
        node.write("/etc/default/LifeKeeper", "LKROOT=/opt/LifeKeeper\n")?;
        if node.init() == Init::Systemd {
            let doing = "changing the unit of Dovecot";
            node.sh("mkdir -p /etc/systemd/system/dovecot.service.d")?.succeeded(doing)?;
            node.write("/etc/systemd/system/dovecot.service.d/races.conf", UNIT)?;
            node.run(&["systemctl", "daemon-reload"])?.succeeded(doing)?;
        }
        Ok(Self(node))
    }

    /// Holds the race of this number: its rival, how far apart both begin, and whether Dovecot runs
    /// before follow from the number.
    ///
    /// # Errors
    ///
    /// When Dovecot cannot be started or stopped beforehand, or the node does not do what it is
    /// told.
    pub fn hold(&self, number: u32) -> Result<Race> {
        let (rival, round) = match number % 3 {
            0 => (Rival::Restore, number / 3),
            1 => (Rival::Start, number / 3),
            _ => (Rival::Kill, 0),
        };
        let action = if round.is_multiple_of(2) { "restore" } else { "remove" };
        self.0.act(action)?.succeeded(format!("preparing a race by {action}"))?;
        let mut chance = Chance::row(number);
        // A number of either sign, so that either may be the first.
        let lead = chance.below(2 * APART + 1).cast_signed() - APART.cast_signed();
        let end = self.run(rival, lead)?;
        Ok(Race { rival, lead, end })
    }

    /// Begins the rival so many milliseconds before remove, and judges what comes of it.
    fn run(&self, rival: Rival, lead: i64) -> Result<End> {
        let node = self.0;
        let log_before = node.read(LOG)?.len();
        let script = script(rival, node.init(), node.master()?);
        thread::scope(|scope| {
            let begin = Instant::now();
            let until = move |delay: i64| {
                let delay = Duration::from_millis(delay.try_into().unwrap_or_default());
                let moment = begin + delay;
                thread::sleep(moment.saturating_duration_since(Instant::now()));
            };
            let running = scope.spawn(move || {
                until(-lead);
                node.spawn(&["/bin/sh", "-c", &script])?.wait(RIVAL)
            });
            until(lead);
            let removed = node.act("remove")?;
            let seen = self.watch(|| running.is_finished())?;
            let panicked = |_| Err(Error::failed("racing", "the rival's thread panicked"));
            let rivals = running.join().unwrap_or_else(panicked)?;
            let log = node.read(LOG)?;
            let log = log.get(log_before..).unwrap_or_default();
            Ok(judge(rival, node.init(), &removed, &rivals, log, seen))
        })
    }

    /// Waits for a master until none can be on its way; returns when one was seen.
    fn watch(&self, has_ended: impl Fn() -> bool) -> Result<Option<Duration>> {
        let start = Instant::now();
        let mut ended: Option<Instant> = None;
        loop {
            if has_ended() {
                ended = ended.or(Some(Instant::now()));
            }
            let is_over = match ended {
                Some(ended) if ended.elapsed() >= GRACE => {
                    start.elapsed() >= WATCH || self.is_settled()?
                }
                _ => false,
            };
            if self.0.master()?.is_some() {
                return Ok(Some(start.elapsed()));
            }
            if is_over {
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }

    /// Tells whether systemd has nothing in mind with Dovecot; an init script that has ended has not.
    fn is_settled(&self) -> Result<bool> {
        if self.0.init() == Init::SysV {
            return Ok(true);
        }
        let unit = self.0.run(&["systemctl", "show", "-p", "ActiveState,Job", "dovecot"])?.stdout;
        let is_down = ["ActiveState=inactive", "ActiveState=failed"]
            .iter()
            .any(|state| unit.lines().any(|line| line == *state));
        let job = unit.lines().find_map(|line| line.strip_prefix("Job="));
        let has_job = job.is_some_and(|id| !matches!(id, "" | "0"));
        Ok(is_down && !has_job)
    }
}

/// What the rival runs; the last line that it prints is the time of its end.
fn script(rival: Rival, init: Init, master: Option<u32>) -> String {
    let command = match (rival, init) {
        (Rival::Restore, _) => format!("{}/restore -t dovecot -i dovecot", crate::STUBS),
        (Rival::Start, Init::Systemd) => "systemctl start --no-block dovecot".to_owned(),
        (Rival::Start, Init::SysV) => "service dovecot start".to_owned(),
        // remove may have been faster.
        (Rival::Kill, _) => master.map_or_else(|| ":".into(), |pid| format!("kill -9 {pid}")),
    };
    format!("{command} >/dev/null 2>&1; date '+%F %T.%3N'")
}

/// Judges a race by what both left; `seen` is when a master was seen after remove.
fn judge(
    rival: Rival,
    init: Init,
    removed: &Finished,
    rivals: &Finished,
    log: &str,
    seen: Option<Duration>,
) -> End {
    if !removed.success() {
        return End::Broken(format!("remove failed, {}", removed.ending()));
    }
    let Some(after) = seen else { return End::Gone };
    let last = |action: &str| {
        let mark = format!(":dovecot-ark:{action}:");
        log.lines().enumerate().filter(|(_, line)| line.contains(&mark)).last()
    };
    let (remove, restore) = (last("remove"), last("restore"));
    let end_of_rival = rivals.stdout.lines().next_back().unwrap_or_default();
    let line = remove.map_or("", |(_, line)| line);
    match rival {
        Rival::Restore if restore.map(|(at, _)| at) > remove.map(|(at, _)| at) => {
            End::Later("restore had the lock later")
        }
        Rival::Start if init == Init::SysV => {
            End::Later("a start by its script is not seen before there is a process")
        }
        // Both times have the same form.
        Rival::Start if line.get(..end_of_rival.len()) < Some(end_of_rival) => {
            End::Later("its job may have come later")
        }
        _ => End::Broken(format!("a master {} ms after: {line}", after.as_millis())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "2026-11-22 11:05:37.438 INFO:dovecot-ark:remove:dovecot:Dovecot is stopped\n";
    const RESTORED: &str =
        "2026-11-22 11:05:37.438 INFO:dovecot-ark:restore:dovecot:Dovecot is in operation\n";
    const SEEN: Option<Duration> = Some(Duration::from_millis(40));

    fn finished(status: i32, stdout: &str) -> Finished {
        let (stdout, stderr) = (stdout.to_owned(), "last\n".to_owned());
        Finished { status: Some(status), stdout, stderr, took: Duration::ZERO }
    }

    fn judged(rival: Rival, init: Init, end: &str, log: &str, seen: Option<Duration>) -> End {
        judge(rival, init, &finished(0, ""), &finished(0, end), log, seen)
    }

    #[test]
    fn a_master_that_was_started_later_is_not_removes_fault() {
        let (earlier, later) = ("2026-11-22 11:05:37.437\n", "2026-11-22 11:05:37.439\n");
        let [removed_first, restored_first] =
            [format!("{LINE}{RESTORED}"), format!("{RESTORED}{LINE}")];
        for (rival, init, end, log, is_later) in [
            (Rival::Restore, Init::SysV, later, removed_first.as_str(), true),
            (Rival::Restore, Init::SysV, later, &restored_first, false),
            (Rival::Restore, Init::Systemd, earlier, LINE, false),
            (Rival::Start, Init::Systemd, later, LINE, true),
            (Rival::Start, Init::Systemd, earlier, LINE, false),
            (Rival::Start, Init::SysV, earlier, LINE, true),
            (Rival::Kill, Init::Systemd, later, LINE, false),
        ] {
            let end = judged(rival, init, end, log, SEEN);
            assert_eq!(matches!(end, End::Later(_)), is_later, "{rival} {init} {log}: {end:?}");
            assert_eq!(matches!(end, End::Broken(_)), !is_later, "{rival} {init} {log}: {end:?}");
        }
    }

    #[test]
    fn without_a_master_remove_has_won_and_a_failed_one_never_does() {
        assert_eq!(judged(Rival::Kill, Init::Systemd, "", LINE, None), End::Gone);
        let end = judge(Rival::Kill, Init::SysV, &finished(1, ""), &finished(0, ""), LINE, None);
        assert_eq!(end, End::Broken("remove failed, exit status 1: last".into()));
    }
}
