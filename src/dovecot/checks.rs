//! The three checks that say whether Dovecot is in operation.
//!
//! They run side by side, so that none waits for another that hangs: the status command, the
//! slowest, begins, and the other two are made while it is on its way.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use log::debug;

use crate::dovecot::configuration;
use crate::dovecot::instance::Instance;
use crate::dovecot::login::{self, Login};
use crate::dovecot::notes::Notes;
use crate::dovecot::saturation::{self, Heard, Opinion};
use crate::dovecot::service::{self, Status};
use crate::dovecot::unit::Unit;
use crate::dovecot::verdict::Verdict;
use crate::dovecot::{identity, pid_file};
use crate::error::Error;
use crate::messages::{Message, Remark};
use crate::probe::attempt::{Attempt, Refusal, Silence};
use crate::probe::endpoint::{Depth, Endpoint};
use crate::probe::login::Trouble;
use crate::process::Process;
use crate::settings::Settings;
use crate::system::System;
use crate::text::seconds;

/// The longest that the checks, and all that a quickCheck asks beside them, may take: all waits
/// added up. What has not answered when its time is over is unknown, and named in the line; a wait
/// for which too little time is left is shortened or skipped. The manual has the same table.
///
/// | for | at most | when |
/// |---|---|---|
/// | an entry of the list | its own time-out, 1 to 15 s | beside all others |
/// | an entry that refused or broke off | [`RETRY_TIME`] to its last try | in what is left of 15 s |
/// | the status, with its second try | [`service::STATUS_LIMIT`] | beside the entries |
/// | the master, how its services are | [`saturation::LIMIT`] | beside the entries |
/// | a login, with what is asked beside it | its own time-out, 1 to 10 s | beside the entries |
/// | the reason of a server's error, or whether the store is read-only | [`login::LOOK_LIMIT`] | after the entries, where it is left |
/// | a master that is stopped | [`FROZEN_TIME`] | where all else is well |
/// | a master that did not answer | [`DEAF_TIME`] and [`configuration::LIMIT`] | where they are left |
/// | the unit, after a fault | `unit::CHECK_LIMIT` | last |
/// | a unit that is on its way | `MOTION_WAIT`, what is left but `MOTION_LOOK`, the unit again | |
pub const LIMIT: Duration = Duration::from_millis(17_500);

/// How long the status command goes alone before a mere connection, if it takes so long. It takes
/// 10 ms. Dovecot starts a process for each connection, which is at work long after it: beside the
/// status command that costs more than the connection takes afterwards. A greeting must be waited
/// for, and the two waits are one.
const HEAD_START: Duration = Duration::from_millis(50);

/// The pause before who was refused or sent away is asked once more. A reload takes Dovecot some
/// 10 ms.
pub const AGAIN: Duration = Duration::from_millis(250);

/// For how long who was refused or sent away is asked again. Dovecot 1.0 closes its ports for 1.0 s
/// in a reload.
pub const RETRY_TIME: Duration = Duration::from_millis(1500);

/// The time between the two looks at a master that is stopped. Who stops it to look at it (gdb,
/// strace) lets it go on within that time, or holds it as a tracer, which is another state.
pub const FROZEN_TIME: Duration = Duration::from_secs(1);

/// How long a master that did not answer gets for the second question.
pub const DEAF_TIME: Duration = Duration::from_secs(5);

/// What must be left for that second question: it is asked only if `doveconf` answers too.
pub const DEAF_WAIT: Duration = DEAF_TIME.saturating_add(configuration::LIMIT);

/// How many refusals are told one by one.
const MAX_TOLD: usize = 3;

/// How long before its end a certificate is worth a warning, in days.
pub(crate) const CERTIFICATE_DAYS: i64 = 14;

/// What the three checks saw.
#[must_use]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Checks {
    /// Check 1: the living masters, of which one is enough.
    pub(crate) masters: Vec<Process>,
    /// Check 2: the endpoints that accepted no connection.
    pub(crate) refused: Vec<(Endpoint, Refusal)>,
    /// The endpoints of which nothing is known, because the check itself could not be made: no fault
    /// of Dovecot's. Called faults they would throw out all users for nothing (a user alone can
    /// use up the local ports); a dead server is still seen by its process and its status.
    pub(crate) unknown: Vec<(Endpoint, Refusal)>,
    /// The endpoints that would have been refused, and serve as many clients as they may: each
    /// with the name of its service.
    pub(crate) full: Vec<(Endpoint, String)>,
    /// The endpoints whose certificate has ended or soon will: each with the days that it has left,
    /// below 0 when it has ended.
    pub(crate) ending: Vec<(Endpoint, i64)>,
    /// Check 3: the service's status.
    pub(crate) status: Status,
    /// What is wrong with the master although it lives.
    pub(crate) hold: Option<Hold>,
    /// What the look at a mailbox said, where it was asked for.
    pub(crate) login: Option<Login>,
    /// Why the master was not heard about the silent endpoints, if it was asked.
    silence: Option<String>,
}

/// Why a living master does nothing. Its login processes go on greeting where they serve more than
/// one client each, and nobody can log in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Hold {
    /// It is stopped (state T) in two looks.
    Stopped(Process),
    /// A debugger holds it (state t), who will let it go.
    Traced(Process),
    /// It does not answer doveadm, which reads its configuration.
    Deaf(Duration),
}

/// How thoroughly is looked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Care {
    /// Once: who asks will ask again.
    Once,
    /// Whoever fails is asked again before he is called dead.
    Twice,
    /// The same, and the master must answer whatever the endpoints say.
    Master,
}

/// Makes the three checks: a master exists, each endpoint accepts a connection, the service's
/// status succeeds. Takes at most `limit`, which is at most [`LIMIT`].
///
/// # Errors
///
/// Any error from reading the process table, which is read when the pid file names no master.
pub(crate) fn check(
    system: &impl System,
    settings: &Settings,
    root: &Path,
    notes: &Notes,
    care: Care,
    limit: Duration,
) -> Result<Checks, Error> {
    let end = system.now() + limit;
    let mut asked = service::ask(system, settings);
    let listens = settings.probe.listens();
    // This takes its time while the status command takes more.
    let masters = match pid_file::master(system, root, notes) {
        Some(master) => Ok(vec![master]),
        None => identity::masters(system, notes),
    };
    let masters = match masters {
        Ok(masters) => masters,
        Err(cause) => {
            service::forget(system, asked);
            return Err(cause);
        }
    };
    if !listens {
        asked.let_come(system, HEAD_START);
    }
    let instance = || Instance::of_masters(system, root, &masters);
    let call = (listens && care == Care::Master).then(|| saturation::call(system, &instance()));
    // Where no master lives, nobody is going to serve.
    let again = if masters.is_empty() || care == Care::Once { Duration::ZERO } else { RETRY_TIME };
    // The master may still be asked after both.
    let before = limit.saturating_sub(saturation::LIMIT);
    let left = end.saturating_sub(system.now()).saturating_sub(saturation::LIMIT);
    let Answers { attempts, question, login } =
        answers(system, settings, root, (left, again), &instance);
    let status = service::status(system, asked, before);
    let tried = settings.endpoints.iter().zip(&attempts);
    let mut checks = Checks::new(system, root, settings.probe, masters, tried, status, question);
    checks.login = login;
    if let Some(call) = call {
        checks.hear_master(system, root, call, end);
    }
    checks.look_at_masters(system, settings.probe, end);
    debug!("{checks}");
    Ok(checks)
}

/// Tries all endpoints, and for the time `again` once more, and once more, those that were refused
/// or sent away: a Dovecot that is being reloaded closes its ports for a moment (1.0), or sends away
/// whom it has not served yet, with `* BYE Shutting down` or without a word, and serves the next
/// (seen with 2.3.19 and 2.4.1). Takes at most `limit`. The master was asked how its services are
/// where a greeting let itself be waited for. A mailbox is looked at where that is asked for.
pub(crate) fn answers<S: System>(
    system: &S,
    settings: &Settings,
    root: &Path,
    (limit, again): (Duration, Duration),
    instance: &dyn Fn() -> Instance,
) -> Answers<S> {
    let (endpoints, depth, end) = (&settings.endpoints, settings.probe, system.now() + limit);
    let mut question = None;
    let (visit, unmade) = match login::visit(root, settings) {
        Some(Ok(visit)) => (Some(visit), None),
        Some(Err(cause)) => (None, Some(cause)),
        None => (None, None),
    };
    let mut asked = None;
    let mut ask = |silence| match (silence, &visit) {
        (Silence::Login, Some(visit)) => {
            asked.get_or_insert_with(|| login::ask(system, &instance(), visit));
        }
        (Silence::Login | Silence::Greeting, _) => {
            question.get_or_insert_with(|| saturation::ask(system, &instance()));
        }
    };
    let how = (depth, visit.as_ref());
    let mut answers = system.probe(endpoints, how, limit, &mut ask);
    let last = (system.now() + again).min(end);
    loop {
        let (failed, places): (Vec<Endpoint>, Vec<&mut Attempt>) = endpoints
            .iter()
            .zip(&mut answers)
            .filter(|(endpoint, attempt)| may_pass(endpoint, attempt))
            .map(|(endpoint, place)| (endpoint.clone(), place))
            .unzip();
        if failed.is_empty() || system.now() + AGAIN > last {
            break;
        }
        system.sleep(AGAIN);
        let left = end.saturating_sub(system.now());
        let second = system.probe(&failed, how, left, &mut ask);
        // Who fails again is told in his first words.
        for (place, answer) in places.into_iter().zip(second) {
            if answer.outcome.is_ok() {
                *place = answer;
            }
        }
    }
    let finding = match (&visit, unmade) {
        (None, None) => None,
        (None, Some(cause)) => Some(login::Finding::Unmade(cause)),
        (Some(visit), _) => {
            // Where no greeting came, that is told.
            let visited = answers.iter_mut().find_map(|answer| answer.visited.take());
            visited.map(|visited| {
                let both = (&instance(), visit);
                login::judge(system, root, both, (visited, asked.take()), end)
            })
        }
    };
    let login = finding.map(|found| login::weigh(system, root, settings.login.fault, found));
    Answers { attempts: answers, question, login }
}

/// What the endpoints answered, and what was asked meanwhile.
#[must_use]
pub(crate) struct Answers<S: System> {
    /// One of each endpoint.
    pub(crate) attempts: Vec<Attempt>,
    /// How the services are, where a greeting let itself be waited for.
    pub(crate) question: Option<saturation::Question<S>>,
    /// What follows from the look at a mailbox.
    pub(crate) login: Option<Login>,
}

/// Whether a failure may be gone in a moment: a refusal, or an end before the time was over.
fn may_pass(endpoint: &Endpoint, attempt: &Attempt) -> bool {
    // A reload ends who is about to log in, too.
    if matches!(attempt.visited, Some(Err(Trouble::Closed(..)))) {
        return true;
    }
    matches!(
        attempt.outcome,
        Err(Refusal::Failed(_)
            | Refusal::Closed
            | Refusal::NotReady(_)
            | Refusal::Tls(_)
            | Refusal::NothingInCommon(_))
    ) && attempt.took < endpoint.timeout
}

impl Checks {
    /// Puts together what the checks saw. Where a greeting was to be heard and was not, the master
    /// is heard, who may have been asked already: that is `question`.
    pub(crate) fn new<'a, S: System>(
        system: &S,
        root: &Path,
        depth: Depth,
        masters: Vec<Process>,
        tried: impl Iterator<Item = (&'a Endpoint, &'a Attempt)> + Clone,
        status: Status,
        question: Option<saturation::Question<S>>,
    ) -> Self {
        let failed = |(endpoint, attempt): (&Endpoint, &Attempt)| {
            Some((endpoint.clone(), attempt.outcome.clone().err()?))
        };
        let ends = |(endpoint, attempt): (&Endpoint, &Attempt)| {
            let days = attempt.certificate?.div_euclid(86_400);
            (days < CERTIFICATE_DAYS).then(|| (endpoint.clone(), days))
        };
        let (unknown, refused) =
            tried.clone().filter_map(failed).partition(|(_, refusal)| refusal.tells_nothing());
        let ending = tried.filter_map(ends).collect();
        let mut checks = Self {
            masters,
            refused,
            unknown,
            full: Vec::new(),
            ending,
            status,
            hold: None,
            login: None,
            silence: None,
        };
        if depth.listens() && !checks.masters.is_empty() {
            checks.hear_second_opinion(system, root, question);
        } else if let Some(question) = question {
            saturation::forget(system, question);
        }
        checks
    }

    /// Hears the master about those that are silent: who is only full serves.
    fn hear_second_opinion<S: System>(
        &mut self,
        system: &S,
        root: &Path,
        question: Option<saturation::Question<S>>,
    ) {
        let (silent, others): (Vec<_>, Vec<_>) =
            self.refused.drain(..).partition(|(endpoint, refusal)| {
                saturation::may_be_full(refusal)
                    && endpoint.depth(Depth::Greeting) == Depth::Greeting
            });
        let instance = Instance::of_masters(system, root, &self.masters);
        let endpoints = silent.iter().map(|(endpoint, _)| endpoint);
        let Opinion { services, silence } =
            saturation::full(system, (&instance, &self.masters), question, endpoints);
        self.silence = silence;
        self.refused = others;
        for (refused, service) in silent.into_iter().zip(services) {
            match service {
                Some(service) => self.full.push((refused.0, service)),
                None => self.refused.push(refused),
            }
        }
    }

    /// Looks at the masters again, if all of them are stopped and all else is well: login processes
    /// can greet without them. It is a fault when they are stopped in both looks. A wrong yes would
    /// restart a server that is traced for a moment, a wrong no leaves a server to which nobody can
    /// log in.
    pub(crate) fn look_at_masters(&mut self, system: &impl System, depth: Depth, end: Duration) {
        let stopped = |masters: &[Process], state| masters.iter().all(|one| one.state == state);
        if depth == Depth::Connect || self.masters.is_empty() {
            return;
        }
        if stopped(&self.masters, 't') {
            self.hold = self.masters.first().cloned().map(Hold::Traced);
        }
        if !stopped(&self.masters, 'T') || !self.in_operation() || system.now() + FROZEN_TIME > end
        {
            return;
        }
        system.sleep(FROZEN_TIME);
        let now: Vec<Process> = (self.masters.iter())
            .filter_map(|one| system.inspect(one.pid).filter(|now| now.is(one)))
            .collect();
        if now.len() == self.masters.len() && stopped(&now, 'T') {
            self.hold = self.masters.first().cloned().map(Hold::Stopped);
        }
    }

    /// Hears the master, who was asked whatever the endpoints say: one that hangs beside login
    /// processes that greet by themselves shows in nothing else. Who does not answer at once gets a
    /// second question with more time, because the machine may be busy, and a hanging configuration
    /// is no fault of the master's.
    fn hear_master<S: System>(
        &mut self,
        system: &S,
        root: &Path,
        call: saturation::Call<S>,
        end: Duration,
    ) {
        if self.masters.is_empty()
            || saturation::hear(system, call, saturation::LIMIT) == Heard::Something
        {
            return;
        }
        let left = end.saturating_sub(system.now());
        let instance = Instance::of_masters(system, root, &self.masters);
        if left >= DEAF_WAIT
            && let Heard::Nothing(waited) =
                saturation::hear(system, saturation::call(system, &instance), DEAF_TIME)
            && configuration::values(system, &instance, &["base_dir"]).is_ok()
        {
            self.hold = Some(Hold::Deaf(waited));
        }
    }

    /// What is no fault, and should be looked at.
    pub(crate) fn warnings(&self) -> Vec<Remark> {
        let full = self.full.iter().take(MAX_TOLD).map(|(endpoint, service)| {
            let text = format!(
                "{endpoint}: saturated: all processes of {service} serve somebody, new clients \
                 wait (raise its process_limit)"
            );
            Remark::new(Message::Saturated, text)
        });
        let ending = self.ending.iter().take(MAX_TOLD).map(|(endpoint, days)| match days {
            ..0 => format!("{endpoint}: its certificate has ended, mail programs refuse it"),
            0 => format!("{endpoint}: its certificate ends within a day"),
            days => format!("{endpoint}: its certificate ends in {days} days"),
        });
        let ending = ending.map(|text| Remark::new(Message::Certificate, text));
        let untried =
            self.unknown.iter().take(MAX_TOLD).map(|(place, why)| format!("{place}: {why}"));
        let untried = untried.map(|text| Remark::new(Message::NotChecked, text));
        let unknown = self.unknown_status().map(|cause| {
            let text = format!("no status, the verdict rests on process and ports: {cause}");
            Remark::new(Message::NoStatus, text)
        });
        let traced = match &self.hold {
            Some(Hold::Traced(master)) => {
                Some(Remark::new(Message::Traced, format!("{master} is held by a debugger")))
            }
            Some(Hold::Stopped(_) | Hold::Deaf(_)) | None => None,
        };
        let login = match &self.login {
            Some(Login::Warned(words)) => Some(Remark::new(Message::Login, words.clone())),
            Some(Login::Passed(_) | Login::Failed(_)) | None => None,
        };
        self.several()
            .into_iter()
            .chain(traced)
            .chain(login)
            .chain(full)
            .chain(ending)
            .chain(untried)
            .chain(unknown)
            .collect()
    }

    /// That more than one master lives, if it was seen. One is enough for check 1, so it is no fault;
    /// where `master.pid` names a master, quickCheck looks at no other.
    fn several(&self) -> Option<Remark> {
        let mut pids: Vec<i32> = self.masters.iter().map(|one| one.pid).collect();
        pids.sort_unstable();
        let count = match pids.len() {
            0 | 1 => return None,
            2 => "two".to_owned(),
            count => count.to_string(),
        };
        let pids: Vec<String> =
            pids.iter().take(MAX_TOLD).map(|pid| format!("pid {pid}")).collect();
        let text = format!(
            "{count} masters of Dovecot run: {} (dovecot-ark doctor says more)",
            pids.join(", ")
        );
        Some(Remark::new(Message::SeveralMasters, text))
    }

    /// Whether users are served, whatever the service manager says.
    pub(crate) fn serves(&self) -> bool {
        !self.masters.is_empty()
            && self.refused.is_empty()
            && !matches!(self.login, Some(Login::Failed(_)))
            && !matches!(self.hold, Some(Hold::Stopped(_) | Hold::Deaf(_)))
    }

    /// Whether Dovecot is in operation: a status that did not answer leaves the verdict to the
    /// other two.
    pub(crate) fn in_operation(&self) -> bool {
        self.serves() && !matches!(self.status, Status::Dead(_))
    }

    /// What follows.
    pub(crate) fn verdict(&self) -> Verdict {
        if self.masters.is_empty() {
            Verdict::Stopped
        } else if !self.in_operation() {
            Verdict::Failed
        } else if !self.warnings().is_empty() {
            Verdict::Degraded
        } else {
            Verdict::Up
        }
    }

    /// Whether a service manager that calls the service active says something else than was seen
    /// before it was asked: the end of a restart came between.
    pub(crate) fn is_contradicted_by(&self, unit: &Unit) -> bool {
        let is_down = self.masters.is_empty() || matches!(self.status, Status::Dead(_));
        is_down && unit.is_active()
    }

    /// Whether check 1 failed.
    pub(crate) const fn has_no_master(&self) -> bool {
        self.masters.is_empty()
    }

    /// Why no status came, if none did.
    pub(crate) fn unknown_status(&self) -> Option<&str> {
        match &self.status {
            Status::Unknown(cause) => Some(cause),
            Status::Alive | Status::Dead(_) => None,
        }
    }

    /// What is wrong, each check that failed in its own words; a list of bounded length.
    pub(crate) fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        if self.masters.is_empty() {
            causes.push("no process named dovecot".to_owned());
        }
        match &self.hold {
            Some(Hold::Stopped(master)) => {
                causes.push(format!("{master} is stopped, so nobody can log in"));
            }
            Some(Hold::Deaf(time)) => causes.push(format!(
                "the master does not answer `doveadm service status` within {} s",
                seconds(*time)
            )),
            Some(Hold::Traced(_)) | None => {}
        }
        for (endpoint, refusal) in self.refused.iter().take(MAX_TOLD) {
            causes.push(format!("{endpoint}: {refusal}"));
        }
        if let Some(more @ 1..) = self.refused.len().checked_sub(MAX_TOLD) {
            causes.push(format!("{more} more of the list refused"));
        }
        if let Some(Login::Failed(words)) = &self.login {
            causes.push(words.clone());
        }
        if let Status::Dead(cause) | Status::Unknown(cause) = &self.status {
            causes.push(cause.clone());
        }
        causes.extend(self.silence.clone());
        causes
    }
}

impl fmt::Display for Checks {
    /// In the words of the original kit's log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = if self.masters.is_empty() { "not found" } else { "found" };
        let port = if self.refused.is_empty() { "connected" } else { "cannot connected" };
        write!(f, "Dovecot process {process},Port {port}, Status {}", self.status)
    }
}
