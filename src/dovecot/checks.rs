//! The three checks that say whether Dovecot is in operation.
//!
//! They run side by side, so that none waits for another that hangs: the status command, the
//! slowest, begins, and the other two are made while it is on its way.

use std::path::Path;
use std::time::Duration;

use log::debug;

use crate::dovecot::account;
use crate::dovecot::configuration;
use crate::dovecot::findings::{Checks, StallCause};
use crate::dovecot::instance::Instance;
use crate::dovecot::login::{self, Finding, Inquiry, Login};
use crate::dovecot::notes::Notes;
use crate::dovecot::saturation::{self, Opinion};
use crate::dovecot::service::{self, Status, StatusQuestion};
use crate::dovecot::{identity, pid_file};
use crate::error::Error;
use crate::probe::attempt::{Attempt, Refusal, Silence};
use crate::probe::endpoint::{Depth, Endpoint};
use crate::probe::login::{Step, Trouble, Visit};
use crate::process::Process;
use crate::settings::{LoginFault, Settings};
use crate::system::System;

/// The longest that the checks, and all that a quickCheck asks beside them, may take: all waits
/// added up. What has not answered when its time is over is unknown, and named in the line; a wait
/// for which too little time is left is shortened or skipped. The manual has the same table.
///
/// | for | at most | when |
/// |---|---|---|
/// | an entry of the list | its own time-out, 1 to 15 s | beside all others |
/// | an entry that refused or broke off | [`RETRY_TIME`] to its last try | in what is left of 15 s |
/// | the place of a login, without one | [`UNVISITED_TIME`] | where the login did not reach it |
/// | the status, with its second try | [`service::STATUS_LIMIT`] | beside the entries |
/// | the master, how its services are | [`saturation::LIMIT`] | beside the entries |
/// | a login, with what is asked beside it | its own time-out, 1 to 10 s | beside the entries |
/// | processes behind a full login service | [`login::STUCK_TIME`] | instead of a login, where it is left |
/// | a second login | [`login::SECOND_TIME`] | after a silent one, where it is left |
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

/// How long the place of a login that was not reached may take without one.
pub const UNVISITED_TIME: Duration = Duration::from_secs(1);

/// How long a master that did not answer gets for the second question. doveadm greets the statistics
/// process first and waits 5 s for it (2.3.19), so with 5 s a master would be called deaf that was
/// not asked.
pub const DEAF_TIME: Duration = Duration::from_secs(7);

/// What must be left for that second question: it is asked only if `doveconf` answers too.
pub const DEAF_WAIT: Duration = DEAF_TIME.saturating_add(configuration::LIMIT);

/// How long before its end a certificate is worth a warning, in days.
pub(crate) const CERTIFICATE_DAYS: i64 = 14;

/// How thoroughly is looked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Thoroughness {
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
    care: Thoroughness,
    limit: Duration,
) -> Result<Checks, Error> {
    begin(system, settings, root, limit).finish(notes, care)
}

/// The three checks on their way: the status command runs.
#[must_use]
pub(crate) struct Begun<'a, S: System> {
    system: &'a S,
    settings: &'a Settings,
    root: &'a Path,
    limit: Duration,
    end: Duration,
    asked: StatusQuestion<S>,
}

/// Begins the three checks: gives the status command, the slowest. What the caller does before it
/// finishes them is done beside that command, and within the same limit.
pub(crate) fn begin<'a, S: System>(
    system: &'a S,
    settings: &'a Settings,
    root: &'a Path,
    limit: Duration,
) -> Begun<'a, S> {
    let end = system.now() + limit;
    Begun { system, settings, root, limit, end, asked: service::ask(system, settings) }
}

impl<S: System> Begun<'_, S> {
    /// Makes what is left of the three checks.
    ///
    /// # Errors
    ///
    /// Those of [`check`].
    pub(crate) fn finish(self, notes: &Notes, care: Thoroughness) -> Result<Checks, Error> {
        let Self { system, settings, root, limit, end, mut asked } = self;
        let listens = settings.probe.listens();
        // This takes its time while the status command takes more.
        let masters = match masters(system, root, notes) {
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
        let is_called = listens && care == Thoroughness::Master && !masters.is_empty();
        let call = is_called.then(|| saturation::call(system, &instance())).flatten();
        // Without a master nothing is served, and nothing is tried again.
        let again = if masters.is_empty() || care == Thoroughness::Once {
            Duration::ZERO
        } else {
            RETRY_TIME
        };
        // The master may still be asked after both.
        let before = limit.saturating_sub(saturation::LIMIT);
        let left = end.saturating_sub(system.now()).saturating_sub(saturation::LIMIT);
        let Answers { attempts, question, login } =
            answers(system, settings, root, (left, again), &instance);
        let status = service::status(system, asked, before);
        let has_fault = attempts.iter().any(|one| one.outcome.is_err())
            || matches!(status, Status::Dead(_))
            || matches!(login, Some(Login::Failed(_)));
        // A master that ended during the checks is told as gone. One that follows it is told from
        // it by the caller, so it does not take its place here.
        let masters = match has_fault.then(|| self::masters(system, root, notes)) {
            Some(Ok(now)) if now.is_empty() => now,
            _ => masters,
        };
        let tried = settings.endpoints.iter().zip(&attempts);
        let mut checks =
            Checks::new(system, root, settings.probe, masters, tried, status, question);
        checks.login =
            login.or_else(|| login::behind_full(system, root, settings, &checks.full, end));
        if let Some(call) = call {
            checks.hear_master(system, root, call, end);
        }
        checks.look_at_masters(system, settings.probe, end);
        debug!("{checks}");
        Ok(checks)
    }
}

/// The master that the pid file names, else all that are found.
///
/// # Errors
///
/// Any error from reading the process table, which is read when the pid file names no master.
fn masters(system: &impl System, root: &Path, notes: &Notes) -> Result<Vec<Process>, Error> {
    match pid_file::master(system, root, notes) {
        Some(master) => Ok(vec![master]),
        None => identity::masters(system, notes),
    }
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
    let wanted = login::visit(root, settings);
    let visit = wanted.as_ref().and_then(|wanted| wanted.as_ref().ok());
    let mut asked = None;
    let mut ask = |silence| match (silence, visit) {
        (Silence::Login, Some(visit)) => {
            asked.get_or_insert_with(|| login::ask(system, &instance(), visit));
        }
        (Silence::Login | Silence::Greeting, _) => {
            question.get_or_insert_with(|| saturation::ask(system, &instance()));
        }
    };
    let how = (depth, visit);
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
    let barred = visit.and_then(|visit| unvisited(system, endpoints, visit, &mut answers, end));
    let is_silent =
        |one: &Attempt| matches!(one.visited, Some(Err(Trouble::Silent(Step::Login, _))));
    let is_silent = settings.login.fault == LoginFault::Store && answers.iter().any(is_silent);
    let weigh = |finding| login::weigh(system, root, settings.login.fault, finding);
    let login = wanted.as_ref().and_then(|wanted| {
        let visit = match wanted {
            Ok(visit) => visit,
            Err(cause) => return Some(weigh(Finding::Unmade(cause.clone()))),
        };
        if let Some(cause) = &barred {
            return Some(weigh(Finding::Unmade(cause.clone())));
        }
        // Where no greeting came, that is told.
        let visited = answers.iter_mut().find_map(|answer| answer.visited.take())?;
        let inquiry = Inquiry { system, root, instance: &instance(), visit, end };
        Some(match weigh(inquiry.judge(visited, asked.take())) {
            Login::Failed(words) if is_silent => inquiry.confirm(words),
            login => login,
        })
    });
    Answers { attempts: answers, question, login }
}

/// Tries the place of a login once more as the others are tried, where it cannot be reached from the
/// address of logins: a packet filter can keep that one alone out. Returns why, if it is so. A wrong no
/// throws all users out at each check, since they come from other addresses; a wrong yes is a Dovecot that
/// has begun to answer since, and is up. Takes at most [`UNVISITED_TIME`].
fn unvisited(
    system: &impl System,
    endpoints: &[Endpoint],
    visit: &Visit,
    answers: &mut [Attempt],
    end: Duration,
) -> Option<String> {
    let is_place =
        |(endpoint, _): &(&Endpoint, &mut Attempt)| visit.endpoint.is_same_place(endpoint);
    let (endpoint, attempt) = endpoints.iter().zip(answers).find(is_place)?;
    let origin = account::origin(endpoint);
    let Err(cause @ (Refusal::TimedOut(_) | Refusal::Failed(_) | Refusal::Closed)) =
        &attempt.outcome
    else {
        return None;
    };
    if origin == endpoint.address {
        // It comes from no address of its own.
        return None;
    }
    let cause = format!("{endpoint} cannot be reached from {origin}: {cause}");
    let left = end.saturating_sub(system.now()).min(UNVISITED_TIME);
    let endpoint = Endpoint { timeout: endpoint.timeout.min(left), ..endpoint.clone() };
    let how = (Depth::Greeting, None);
    let again = system.probe(std::slice::from_ref(&endpoint), how, left, &mut |_| ()).pop()?;
    again.outcome.is_ok().then(|| {
        *attempt = again;
        cause
    })
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

    /// Looks at the masters again, if all of them are stopped: login processes can greet without them.
    /// It is a fault when they are stopped in both looks. A wrong yes would restart a server that is
    /// traced for a moment, a wrong no leaves a server to which nobody can log in. Where nobody is
    /// served anyway nothing but the words depends on it, and nobody waits for the second look.
    pub(crate) fn look_at_masters(&mut self, system: &impl System, depth: Depth, end: Duration) {
        let stopped = |masters: &[Process], state| masters.iter().all(|one| one.state == state);
        if depth == Depth::Connect || self.masters.is_empty() {
            return;
        }
        if stopped(&self.masters, 't') {
            self.hold = self.masters.first().cloned().map(StallCause::Traced);
        }
        if !stopped(&self.masters, 'T') {
            return;
        }
        if self.in_operation() && system.now() + FROZEN_TIME <= end {
            system.sleep(FROZEN_TIME);
        } else if self.serves() {
            return;
        }
        let now: Vec<Process> = (self.masters.iter())
            .filter_map(|one| system.inspect(one.pid).filter(|now| now.is(one)))
            .collect();
        if now.len() == self.masters.len() && stopped(&now, 'T') {
            self.hold = self.masters.first().cloned().map(StallCause::Stopped);
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
        call: saturation::Pending<S>,
        end: Duration,
    ) {
        if saturation::silence(system, call, saturation::LIMIT).is_none() {
            return;
        }
        let left = end.saturating_sub(system.now());
        let instance = Instance::of_masters(system, root, &self.masters);
        if left >= DEAF_WAIT
            && let Some(call) = saturation::call(system, &instance)
            && let Some(waited) = saturation::silence(system, call, DEAF_TIME)
            && configuration::values(system, &instance, &["base_dir"]).is_ok()
        {
            self.hold = Some(StallCause::Deaf(waited));
        }
    }
}
