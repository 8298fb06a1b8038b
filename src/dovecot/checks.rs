//! The three checks that say whether Dovecot is in operation.
//!
//! They run side by side, so that none waits for another that hangs: the status command, the
//! slowest, begins, and when it has not ended soon the other two are made while it is on its way.

use std::fmt;
use std::time::Duration;

use log::debug;

use crate::dovecot::endpoint::Endpoint;
use crate::dovecot::processes;
use crate::dovecot::service::{self, Status};
use crate::error::Error;
use crate::settings::Settings;
use crate::system::{Process, Refusal, System};

/// The longest that the checks may take. An entry's own time-out is at most 15 s, and it can begin
/// late only where descriptors are short.
pub(crate) const LIMIT: Duration = Duration::from_secs(16);

/// How long the status command goes alone, if it takes so long. It takes 10 ms, and on a machine
/// with few processors what runs beside it costs it more than it costs afterwards.
const HEAD_START: Duration = Duration::from_millis(50);

/// How many refusals are told one by one.
const MAX_TOLD: usize = 5;

/// What the three checks saw.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Checks {
    /// Check 1: the living masters.
    pub(crate) masters: Vec<Process>,
    /// Check 2: the endpoints that accepted no connection.
    pub(crate) refused: Vec<(Endpoint, Refusal)>,
    /// Check 3: the service's status.
    pub(crate) status: Status,
}

/// Makes the three checks: a master exists, each endpoint accepts a connection, the service's
/// status succeeds. Takes at most [`LIMIT`].
///
/// # Errors
///
/// Any error from reading the process table.
pub(crate) fn check(system: &impl System, settings: &Settings) -> Result<Checks, Error> {
    let mut asked = service::ask(system, &settings.service);
    asked.let_come(system, HEAD_START);
    let masters = processes::masters(system);
    let answers = system.connect(&settings.endpoints, LIMIT.saturating_sub(HEAD_START));
    let status = service::status(system, asked);
    let refused = settings
        .endpoints
        .iter()
        .zip(answers)
        .filter_map(|(endpoint, answer)| Some((endpoint.clone(), answer.outcome.err()?)))
        .collect();
    let checks = Checks { masters: masters?, refused, status };
    debug!("{checks}");
    Ok(checks)
}

impl Checks {
    /// Whether Dovecot is in operation: a status that did not answer leaves the verdict to the
    /// other two.
    pub(crate) fn in_operation(&self) -> bool {
        !self.masters.is_empty()
            && self.refused.is_empty()
            && !matches!(self.status, Status::Dead(_))
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
