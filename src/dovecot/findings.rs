//! What the three checks saw, in words, and the verdict that follows.

use std::fmt;
use std::time::Duration;

use crate::dovecot::login::Login;
use crate::dovecot::service::Status;
use crate::dovecot::unit::Unit;
use crate::dovecot::verdict::Verdict;
use crate::messages::{Message, Remark};
use crate::probe::attempt::Refusal;
use crate::probe::endpoint::Endpoint;
use crate::process::Process;
use crate::text::seconds;

/// How many refusals are told one by one.
const MAX_TOLD: usize = 3;

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
    pub(crate) hold: Option<StallCause>,
    /// What the look at a mailbox said, where it was asked for.
    pub(crate) login: Option<Login>,
    /// Why the master was not heard about the silent endpoints, if it was asked.
    pub(super) silence: Option<String>,
}

/// Why a living master does nothing. Its login processes go on greeting where they serve more than
/// one client each, and nobody can log in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum StallCause {
    /// It is stopped (state T) in two looks.
    Stopped(Process),
    /// A debugger holds it (state t), who will let it go.
    Traced(Process),
    /// It does not answer doveadm, which reads its configuration.
    Deaf(Duration),
}

impl Checks {
    /// What is no fault, and should be looked at.
    pub(crate) fn warnings(&self) -> Vec<Remark> {
        let mut told = Vec::from_iter(self.several());
        let mut tell = |message, text| told.push(Remark::new(message, text));
        if let Some(StallCause::Traced(master)) = &self.hold {
            tell(Message::Traced, format!("{master} is held by a debugger"));
        }
        if let Some(Login::Warned(words)) = &self.login {
            tell(Message::Login, words.clone());
        }
        for (endpoint, service) in self.full.iter().take(MAX_TOLD) {
            let text = format!(
                "{endpoint}: saturated: all processes of {service} are in use, new clients \
                 wait (raise its process_limit)"
            );
            tell(Message::Saturated, text);
        }
        for (endpoint, days) in self.ending.iter().take(MAX_TOLD) {
            let text = match days {
                ..0 => format!("{endpoint}: its certificate has ended, mail programs refuse it"),
                0 => format!("{endpoint}: its certificate ends within a day"),
                days => format!("{endpoint}: its certificate ends in {days} days"),
            };
            tell(Message::Certificate, text);
        }
        for (place, why) in self.unknown.iter().take(MAX_TOLD) {
            tell(Message::NotChecked, format!("{place}: {why}"));
        }
        if let Status::Unknown(cause) = &self.status {
            let text = format!("no status, the verdict rests on process and ports: {cause}");
            tell(Message::NoStatus, text);
        }
        told
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
            && !matches!(self.hold, Some(StallCause::Stopped(_) | StallCause::Deaf(_)))
    }

    /// Whether Dovecot is in operation: a status that did not answer leaves the verdict to the
    /// other two.
    pub(crate) fn in_operation(&self) -> bool {
        self.serves() && !matches!(self.status, Status::Dead(_))
    }

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

    /// What is wrong, each check that failed in its own words; a list of bounded length.
    pub(crate) fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        if self.masters.is_empty() {
            causes.push("no process named dovecot".to_owned());
        }
        match &self.hold {
            Some(StallCause::Stopped(master)) => {
                causes.push(format!("{master} is stopped, so nobody can log in"));
            }
            Some(StallCause::Deaf(time)) => causes.push(format!(
                "the master does not answer `doveadm service status` within {} s",
                seconds(*time)
            )),
            Some(StallCause::Traced(_)) | None => {}
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
