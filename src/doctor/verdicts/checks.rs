//! What the checks say, so that doctor never calls well what status does not.

use crate::doctor::facts::Facts;
use crate::doctor::facts::checks::CheckResult;
use crate::doctor::finding::{Check, Finding};
use crate::dovecot::history::{ActionResult, Runs};
use crate::dovecot::verdict::Verdict;
use crate::lifekeeper::state::State;
use crate::log::readable;
use crate::messages::Message;

/// Assesses the checks and the last actions of one node. Earlier kits report neither.
pub(crate) fn assess(facts: &Facts) -> Vec<Finding> {
    let Some(checked) = &facts.checks else { return Vec::new() };
    let mut findings = verdict(facts, checked);
    findings.push(last(facts, checked));
    findings
}

/// A wrong ok sends somebody to bed whose users have no mail; a wrong error has somebody look at a
/// standby. So only a resource that is known to stand by here makes a stopped Dovecot well.
fn verdict(facts: &Facts, checked: &CheckResult) -> Vec<Finding> {
    let tag = &facts.resource.tag;
    let CheckResult { action, causes, warnings, .. } = checked;
    let word = &checked.verdict;
    let said = if causes.is_empty() { word.clone() } else { causes.join("; ") };
    let state = facts.resource.registration().map(|one| one.state);
    let recover = format!("dovecot-ark recover -t {tag}");
    match checked.verdict() {
        Some(Verdict::Up) => vec![Finding::ok(Check::Verdict, "the checks say up")],
        Some(Verdict::Degraded) => warnings
            .iter()
            .map(|warning| {
                Finding::warning(
                    Check::Verdict,
                    Message::DoctorDegraded,
                    format!("the checks say degraded: {warning}"),
                    "Dovecot is in operation, and this needs attention",
                    "look it up in dovecot-ark-messages(7)",
                )
            })
            .collect(),
        Some(Verdict::Starting | Verdict::Stopping) => vec![Finding::warning(
            Check::Verdict,
            Message::DoctorActing,
            format!("{word}: {} is running", action.as_deref().unwrap_or("an action")),
            "what the checks see meanwhile is not the final state",
            "wait for its end, and run `dovecot-ark doctor` again",
        )],
        Some(Verdict::Stopped) if state.is_some_and(|state| state == State::Osu) => {
            vec![Finding::ok(Check::Verdict, "the checks say stopped, as expected on this node")]
        }
        Some(Verdict::Stopped) if !facts.resource.is_in_service() => vec![Finding::warning(
            Check::Verdict,
            Message::DoctorStopped,
            format!("the checks say stopped: {said}"),
            "mail may not be served from this node",
            "check whether it should run on this node",
        )],
        Some(Verdict::Stopped) => vec![Finding::error(
            Check::Verdict,
            Message::DoctorStopped,
            format!("the checks say stopped: {said}"),
            "there is no mail until LifeKeeper's next check recovers it",
            recover,
        )],
        Some(Verdict::Failed) if facts.resource.is_in_service() => vec![Finding::error(
            Check::Verdict,
            Message::DoctorFailed,
            format!("the checks say failed: {said}"),
            "users may have no mail; LifeKeeper's next check fails, and recovers or moves it",
            format!("fix what the causes name, then {recover}"),
        )],
        Some(Verdict::Failed) => vec![Finding::error(
            Check::Verdict,
            Message::DoctorFailed,
            format!("the checks say failed: {said}"),
            "Dovecot runs, and does not serve as it should",
            "fix what the causes name",
        )],
        Some(Verdict::Unknown) | None => vec![Finding::error(
            Check::Verdict,
            Message::DoctorUnknown,
            format!("the checks say {word}: {said}"),
            "it is unknown whether Dovecot is in operation",
            "see whether /proc is mounted and whole",
        )],
    }
}

/// The last failure is an error while nothing has ended it. Of an action that neither runs nor has
/// ended, it is only known that it was killed.
fn last(facts: &Facts, checked: &CheckResult) -> Finding {
    let tag = &facts.resource.tag;
    if let Some(fault) = &checked.fault {
        let since = if fault.since == fault.time {
            String::new()
        } else {
            format!(", failing since {}", readable(&fault.since))
        };
        let stands_by = facts.resource.registration().is_some_and(|one| one.state == State::Osu);
        let (what, why) = (
            format!("{}{since}", fault.words(Runs::No)),
            "nothing has succeeded since, neither a check nor another action",
        );
        let cure = "fix the cause, then bring it into service or run `dovecot-ark recover -t ";
        return if stands_by && checked.verdict() == Some(Verdict::Stopped) {
            let why = "it may fail again when LifeKeeper next brings it into service here";
            Finding::warning(
                Check::Action,
                Message::DoctorActionFailed,
                what,
                why,
                "fix the cause; see the log",
            )
        } else {
            Finding::error(
                Check::Action,
                Message::DoctorActionFailed,
                what,
                why,
                format!("{cure}{tag}`"),
            )
        };
    }
    match &checked.last {
        Some(one) if one.outcome == ActionResult::Begun && checked.action.is_none() => {
            Finding::warning(
                Check::Action,
                Message::DoctorActionKilled,
                one.words(Runs::No),
                "LifeKeeper takes what it did not finish for failed, or waits for it",
                "see /var/log/dovecot-ark.log for how far it came",
            )
        }
        Some(one) => {
            let past =
                checked.past.as_ref().map(|past| format!("; before, {}", past.words(Runs::No)));
            Finding::ok(
                Check::Action,
                format!("{}{}", one.words(Runs::Yes), past.unwrap_or_default()),
            )
        }
        None => match &checked.past {
            Some(past) => {
                Finding::ok(Check::Action, format!("{}, and succeeded later", past.words(Runs::No)))
            }
            None => Finding::ok(Check::Action, "no action has been called since the boot"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::healthy;
    use crate::doctor::finding::Level;
    use crate::dovecot::history::EventReport;

    /// What status makes of a verdict, in doctor's levels: its exit status 0 is no error.
    fn least(verdict: Verdict) -> Level {
        match verdict {
            Verdict::Up => Level::Ok,
            Verdict::Degraded | Verdict::Starting | Verdict::Stopping => Level::Warning,
            Verdict::Failed | Verdict::Stopped | Verdict::Unknown => Level::Error,
        }
    }

    fn facts(verdict: Verdict) -> Facts {
        let mut facts = healthy("node1");
        let checked = facts.checks.as_mut().expect("checks");
        verdict.word().clone_into(&mut checked.verdict);
        let words = vec!["x".to_owned()];
        match verdict {
            Verdict::Degraded => checked.warnings = words,
            _ => checked.causes = words,
        }
        facts
    }

    #[test]
    fn no_verdict_is_greener_here_than_in_status_but_a_stopped_standby() {
        for verdict in Verdict::ALL {
            let mut facts = facts(verdict);
            let level =
                |facts: &Facts| super::verdict(facts, facts.checks.as_ref().expect("x"))[0].level;
            assert!(level(&facts) >= least(verdict), "{}", verdict.word());
            facts.resource.stand_by();
            let expected = if verdict == Verdict::Stopped { Level::Ok } else { least(verdict) };
            assert_eq!(level(&facts), expected, "{}", verdict.word());
        }
        let mut facts = facts(Verdict::Stopped);
        facts.resource.registered = crate::doctor::facts::fact::Fact::Known(None);
        assert_eq!(assess(&facts)[0].level, Level::Warning);
    }

    #[test]
    fn a_failure_that_nothing_has_ended_is_an_error_with_its_time_and_cause() {
        let mut facts = healthy("node1");
        let event = |outcome: ActionResult, cause: Option<&str>| EventReport {
            action: "recover".into(),
            outcome,
            time: "2026-11-29T03:10:02+09:00".into(),
            since: "2026-11-29T03:08:00+09:00".into(),
            cause: cause.map(str::to_owned),
        };
        let checked = |facts: &mut Facts| facts.checks.clone().expect("checks");
        let mut seen = checked(&mut facts);
        seen.fault = Some(event(ActionResult::Failed, Some("starting Dovecot: no")));
        let finding = last(&facts, &seen);
        let what = "recover failed 2026-11-29 03:10:02: starting Dovecot: no, failing since \
                    2026-11-29 03:08:00";
        assert_eq!((finding.level, &*finding.what), (Level::Error, what));
        seen.past = seen.fault.take();
        seen.last = Some(event(ActionResult::Done, None));
        let finding = last(&facts, &seen);
        assert_eq!(finding.level, Level::Ok);
        assert!(
            finding
                .what
                .ends_with("before, recover failed 2026-11-29 03:10:02: starting Dovecot: no")
        );
        seen.last = Some(event(ActionResult::Begun, None));
        assert_eq!(last(&facts, &seen).level, Level::Warning, "killed");
        seen.action = Some("recover, pid 7".into());
        assert_eq!(last(&facts, &seen).level, Level::Ok, "it runs");
    }
}
