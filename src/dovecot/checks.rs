//! The three checks that say whether Dovecot is in operation.
//!
//! They run side by side, so that none waits for another that hangs: the status command, the
//! slowest, begins, and the other two are made while it is on its way.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use log::debug;

use crate::dovecot::endpoint::Endpoint;
use crate::dovecot::load;
use crate::dovecot::notes::Notes;
use crate::dovecot::service::{self, Status};
use crate::dovecot::verdict::Verdict;
use crate::dovecot::{identity, pid_file};
use crate::error::Error;
use crate::settings::Settings;
use crate::system::{Attempt, Depth, Process, Refusal, System};

/// The longest that the checks may take. An entry's own time-out is at most 15 s, less where it has
/// to begin late because many share its port or descriptors are short; after it the master may be
/// asked.
pub(crate) const LIMIT: Duration = Duration::from_millis(17_500);

/// How long the status command goes alone before a mere connection, if it takes so long. It takes
/// 10 ms. Dovecot starts a process for each connection, which is at work long after it: beside the
/// status command that costs more than the connection takes afterwards. A greeting must be waited
/// for, and the two waits are one.
const HEAD_START: Duration = Duration::from_millis(50);

/// How long who broke off is left alone before it is asked once more. A reload takes Dovecot some
/// 10 ms.
const AGAIN: Duration = Duration::from_millis(250);

/// How many refusals are told one by one.
const MAX_TOLD: usize = 5;

/// How long before its end a certificate is worth a warning, in days.
pub(crate) const CERTIFICATE_DAYS: i64 = 14;

/// What the three checks saw.
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
}

/// Makes the three checks: a master exists, each endpoint accepts a connection, the service's
/// status succeeds. Takes at most [`LIMIT`].
///
/// # Errors
///
/// Any error from reading the process table, which is read when the pid file names no master.
pub(crate) fn check(
    system: &impl System,
    settings: &Settings,
    root: &Path,
    notes: &Notes,
) -> Result<Checks, Error> {
    let mut asked = service::ask(system, &settings.service);
    let limit = LIMIT.saturating_sub(HEAD_START).saturating_sub(load::LIMIT);
    // This takes its time while the status command takes more.
    let masters = match pid_file::master(system, root, notes) {
        Some(master) => Ok(vec![master]),
        None => identity::masters(system, notes),
    };
    if settings.probe == Depth::Connect {
        asked.let_come(system, HEAD_START);
    }
    let (answers, question) = answers(system, settings, limit);
    let status = service::status(system, asked);
    let tried = settings.endpoints.iter().zip(&answers);
    let checks = Checks::new(system, settings.probe, masters?, tried, status, question);
    debug!("{checks}");
    Ok(checks)
}

/// Tries all endpoints, and once more those that broke off: a Dovecot that is being reloaded sends
/// away whom it has not served yet, with `* BYE Shutting down` or without a word, and serves the
/// next (seen with 2.3.19 and 2.4.1). Takes at most `limit`. The master was asked how its services
/// are where a greeting let itself be waited for.
pub(crate) fn answers<S: System>(
    system: &S,
    settings: &Settings,
    limit: Duration,
) -> (Vec<Attempt>, Option<load::Question<S>>) {
    let (endpoints, depth, end) = (&settings.endpoints, settings.probe, system.now() + limit);
    let mut question = None;
    let mut ask = || {
        question.get_or_insert_with(|| load::ask(system));
    };
    let mut answers = system.probe(endpoints, depth, limit, &mut ask);
    // Who broke off, and did not let his time pass.
    let broke_off = |(endpoint, attempt): &(&Endpoint, &mut Attempt)| {
        matches!(attempt.outcome, Err(Refusal::Closed | Refusal::NotReady(_) | Refusal::Tls(_)))
            && attempt.took < endpoint.timeout
    };
    let (again, places): (Vec<Endpoint>, Vec<&mut Attempt>) = endpoints
        .iter()
        .zip(&mut answers)
        .filter(broke_off)
        .map(|(endpoint, place)| (endpoint.clone(), place))
        .unzip();
    if !again.is_empty() && end.saturating_sub(system.now()) > AGAIN {
        system.sleep(AGAIN);
        let left = end.saturating_sub(system.now());
        let second = system.probe(&again, depth, left, &mut ask);
        // Who breaks off again is told in his first words.
        for (place, answer) in places.into_iter().zip(second) {
            if answer.outcome.is_ok() {
                *place = answer;
            }
        }
    }
    (answers, question)
}

impl Checks {
    /// Puts together what the checks saw. Where a greeting was to be heard and was not, the master
    /// is heard, who may have been asked already: that is `question`.
    pub(crate) fn new<'a, S: System>(
        system: &S,
        depth: Depth,
        masters: Vec<Process>,
        tried: impl Iterator<Item = (&'a Endpoint, &'a Attempt)> + Clone,
        status: Status,
        question: Option<load::Question<S>>,
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
        let mut checks = Self { masters, refused, unknown, full: Vec::new(), ending, status };
        if depth == Depth::Greeting && !checks.masters.is_empty() {
            checks.hear_second_opinion(system, question);
        } else if let Some(question) = question {
            load::forget(system, question);
        }
        checks
    }

    /// Hears the master about those that are silent: who is only full serves.
    fn hear_second_opinion<S: System>(&mut self, system: &S, question: Option<load::Question<S>>) {
        let (silent, others): (Vec<_>, Vec<_>) =
            self.refused.drain(..).partition(|(_, refusal)| load::may_be_full(refusal));
        let services = load::full(
            system,
            &self.masters,
            question,
            silent.iter().map(|(endpoint, _)| endpoint),
        );
        self.refused = others;
        for (refused, service) in silent.into_iter().zip(services) {
            match service {
                Some(service) => self.full.push((refused.0, service)),
                None => self.refused.push(refused),
            }
        }
    }

    /// What is no fault, and should be looked at.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let full = self.full.iter().take(MAX_TOLD).map(|(endpoint, service)| {
            format!(
                "{endpoint}: saturated: all processes of {service} serve somebody, new clients \
                 wait (raise its process_limit)"
            )
        });
        let ending = self.ending.iter().take(MAX_TOLD).map(|(endpoint, days)| match days {
            ..0 => format!("{endpoint}: its certificate has ended, mail programs refuse it"),
            0 => format!("{endpoint}: its certificate ends within a day"),
            days => format!("{endpoint}: its certificate ends in {days} days"),
        });
        let untried =
            self.unknown.iter().take(MAX_TOLD).map(|(place, why)| format!("{place}: {why}"));
        let unknown = self
            .unknown_status()
            .map(|cause| format!("no status, the verdict rests on process and ports: {cause}"));
        self.several().into_iter().chain(full).chain(ending).chain(untried).chain(unknown).collect()
    }

    /// That more than one master lives, if it was seen. One is enough for check 1, so it is no fault;
    /// where `master.pid` names a master, quickCheck looks at no other.
    fn several(&self) -> Option<String> {
        let mut pids: Vec<i32> = self.masters.iter().map(|one| one.pid).collect();
        pids.sort_unstable();
        let count = match pids.len() {
            0 | 1 => return None,
            2 => "two".to_owned(),
            count => count.to_string(),
        };
        let pids: Vec<String> =
            pids.iter().take(MAX_TOLD).map(|pid| format!("pid {pid}")).collect();
        Some(format!(
            "{count} masters of Dovecot run: {} (dovecot-ark doctor says more)",
            pids.join(", ")
        ))
    }

    /// Whether Dovecot is in operation: a status that did not answer leaves the verdict to the
    /// other two.
    pub(crate) fn in_operation(&self) -> bool {
        !self.masters.is_empty()
            && self.refused.is_empty()
            && !matches!(self.status, Status::Dead(_))
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

    /// What is wrong, each check that failed in its own words.
    pub(crate) fn causes(&self) -> String {
        self.each_cause().join("; ")
    }

    /// The same as a list, of bounded length.
    pub(crate) fn each_cause(&self) -> Vec<String> {
        let mut causes = Vec::new();
        if self.masters.is_empty() {
            causes.push("no process named dovecot".to_owned());
        }
        for (endpoint, refusal) in self.refused.iter().take(MAX_TOLD) {
            causes.push(format!("{endpoint}: {refusal}"));
        }
        if let Some(more @ 1..) = self.refused.len().checked_sub(MAX_TOLD) {
            causes.push(format!("{more} more of the list refused"));
        }
        if let Status::Dead(cause) | Status::Unknown(cause) = &self.status {
            causes.push(cause.clone());
        }
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
