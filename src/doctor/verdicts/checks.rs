//! What the checks say, so that doctor never calls well what status does not.

use crate::doctor::facts::Facts;
use crate::doctor::facts::checks::CheckResult;
use crate::doctor::finding::{Check, Finding};
use crate::dovecot::history::{ActionResult, Runs};
use crate::dovecot::verdict::Verdict;
use crate::log::readable;
use crate::messages::Message;

/// Assesses the checks and the last actions of one node. Earlier kits report neither.
pub(crate) fn assess(facts: &Facts) -> Vec<Finding> {
    let Some(checked) = &facts.checks else { return Vec::new() };
    let mut findings = verdict(facts, checked);
    findings.push(last(facts, checked));
    findings
}

/// What to do when a cause is found. A wrong `recover` hurts the users: it ends all sessions of a Dovecot
/// that may be sound again, or starts one that LifeKeeper calls out of service, so that another node may
/// start a second one. A missing one only leaves it to LifeKeeper's next check.
fn cure(facts: &Facts) -> String {
    let tag = &facts.resource.tag;
    if facts.resource.is_in_service() {
        format!(
            "fix the cause, then run `dovecot-ark status`: only if it says neither up nor degraded, \
             `dovecot-ark recover -t {tag}`, which restarts Dovecot and ends all sessions"
        )
    } else if facts.resource.registration().is_some() {
        let restore = facts.installed.command(&format!("perform_action -t {tag} -a restore"));
        format!(
            "fix the cause, then `{restore}` on the node that is to serve; not `dovecot-ark recover`, \
             because LifeKeeper has {tag} out of service here"
        )
    } else {
        "fix the cause, then bring it into service".to_owned()
    }
}

/// A wrong ok sends somebody to bed whose users have no mail; a wrong error has somebody look at a
/// standby. So only a resource that is known to stand by here makes a stopped Dovecot well.
fn verdict(facts: &Facts, checked: &CheckResult) -> Vec<Finding> {
    let tag = &facts.resource.tag;
    let CheckResult { action, causes, warnings, .. } = checked;
    let word = &checked.verdict;
    let said = if causes.is_empty() { word.clone() } else { causes.join("; ") };
    let recover = format!("dovecot-ark recover -t {tag}");
    vec![match checked.verdict() {
        Some(Verdict::Up) => Finding::ok(Check::Verdict, "the checks say up"),
        Some(Verdict::Degraded) => {
            let degraded = |warning: &String| {
                Finding::warning(Check::Verdict, Message::DoctorDegraded)
                    .what(format!("the checks say degraded: {warning}"))
                    .why("Dovecot is in operation, and this needs attention")
                    .cure(explained(warning))
            };
            return warnings.iter().map(degraded).collect();
        }
        Some(Verdict::Starting | Verdict::Stopping) => {
            Finding::warning(Check::Verdict, Message::DoctorActing)
                .what(format!("{word}: {} is running", action.as_deref().unwrap_or("an action")))
                .why("what the checks see meanwhile is not the final state")
                .cure("wait for its end, and run `dovecot-ark doctor` again")
        }
        Some(Verdict::Stopped) if facts.resource.stands_by() => {
            Finding::ok(Check::Verdict, "the checks say stopped, as expected on this node")
        }
        Some(Verdict::Stopped) if !facts.resource.is_in_service() => {
            Finding::warning(Check::Verdict, Message::DoctorStopped)
                .what(format!("the checks say stopped: {said}"))
                .why("mail may not be served from this node")
                .cure("check whether it should run on this node")
        }
        Some(Verdict::Stopped) => Finding::error(Check::Verdict, Message::DoctorStopped)
            .what(format!("the checks say stopped: {said}"))
            .why("there is no mail until LifeKeeper's next check recovers it")
            .cure(recover),
        Some(Verdict::Failed) => {
            let failed = Finding::error(Check::Verdict, Message::DoctorFailed)
                .what(format!("the checks say failed: {said}"));
            if facts.resource.is_in_service() {
                failed
                    .why("users may have no mail; LifeKeeper's next check fails, and recovers or moves it")
                    .cure(cure(facts))
            } else {
                failed
                    .why("Dovecot runs, and does not serve as it should")
                    .cure("fix what the causes name")
            }
        }
        Some(Verdict::Unknown) | None => Finding::error(Check::Verdict, Message::DoctorUnknown)
            .what(format!("the checks say {word}: {said}"))
            .why("it is unknown whether Dovecot is in operation")
            .cure("see whether /proc is mounted and whole"),
    }]
}

/// Where a warning is explained. Earlier kits report it without its number.
fn explained(warning: &str) -> String {
    let number = warning.split_once(": ").and_then(|(number, _)| Message::parse(number).ok());
    number.map_or_else(
        || "look it up in dovecot-ark-messages(7)".to_owned(),
        |message| format!("dovecot-ark explain {}", message.code()),
    )
}

/// The last failure is an error while nothing has ended it. Of an action that neither runs nor has
/// ended, it is only known that it was killed.
fn last(facts: &Facts, checked: &CheckResult) -> Finding {
    if let Some(fault) = &checked.fault {
        let since = if fault.since == fault.time {
            String::new()
        } else {
            format!(", failing since {}", readable(&fault.since))
        };
        let what = format!("{}{since}", fault.words(Runs::No));
        if facts.resource.stands_by() && checked.verdict() == Some(Verdict::Stopped) {
            return Finding::warning(Check::Action, Message::DoctorActionFailed)
                .what(what)
                .why("it may fail again when LifeKeeper next brings it into service here")
                .cure("fix the cause; see the log");
        }
        return Finding::error(Check::Action, Message::DoctorActionFailed)
            .what(what)
            .why("nothing has succeeded since, neither a check nor another action")
            .cure(cure(facts));
    }
    let past = checked.past.as_ref().map(|past| past.words(Runs::No));
    let done = match (&checked.last, past) {
        (Some(one), _) if one.outcome == ActionResult::Begun && checked.action.is_none() => {
            return Finding::warning(Check::Action, Message::DoctorActionKilled)
                .what(one.words(Runs::No))
                .why("LifeKeeper takes what it did not finish for failed, or waits for it")
                .cure("see /var/log/dovecot-ark.log for how far it came");
        }
        (Some(one), None) => one.words(Runs::Yes),
        (Some(one), Some(past)) => format!("{}; before, {past}", one.words(Runs::Yes)),
        (None, Some(past)) => format!("{past}, and succeeded later"),
        (None, None) => "no action has been called since the boot".to_owned(),
    };
    Finding::ok(Check::Action, done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::resource::Registered;
    use crate::doctor::facts::{Fact, healthy};
    use crate::doctor::finding::Level;
    use crate::dovecot::history::EventReport;
    use crate::lifekeeper::state::State;

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
        facts.resource.registered = Fact::Known(None);
        assert_eq!(assess(&facts)[0].level, Level::Warning);
    }

    #[test]
    fn recover_is_the_cure_only_where_the_resource_is_in_service_and_a_look_comes_before() {
        let mut facts = facts(Verdict::Failed);
        let event = EventReport {
            action: "restore".into(),
            outcome: ActionResult::Failed,
            time: "2026-11-29T03:10:02+09:00".into(),
            since: "2026-11-29T03:10:02+09:00".into(),
            cause: Some("x".into()),
        };
        facts.checks.as_mut().expect("checks").fault = Some(event);
        let cures = |facts: &Facts| -> Vec<String> {
            assess(facts).iter().filter_map(Finding::told_cure).collect()
        };
        let (look, recover) =
            ("run `dovecot-ark status`: only if", "dovecot-ark recover -t dovecot");
        for cure in cures(&facts) {
            let looks_first = cure.find(look).zip(cure.find(recover)).is_some_and(|(a, b)| a < b);
            assert!(looks_first, "{cure}");
        }
        for state in [State::Osf, State::Osu] {
            let (app, kind) = ("gen".into(), "app".into());
            facts.resource.registered = Fact::Known(Some(Registered { app, kind, state }));
            let cures = cures(&facts).join("\n");
            assert!(cures.contains("perform_action -t dovecot -a restore` on the node"), "{cures}");
            assert!(!cures.contains(recover), "{cures}");
        }
        facts.resource.registered = Fact::Unknown("LifeKeeper does not run here".into());
        assert!(cures(&facts).concat().ends_with("then bring it into service"), "{facts:?}");
    }

    #[test]
    fn a_warning_of_the_checks_is_explained_by_its_number() {
        let mut facts = facts(Verdict::Degraded);
        let cure = |facts: &Facts| assess(facts)[0].told_cure().expect("a cure");
        assert_eq!(cure(&facts), "look it up in dovecot-ark-messages(7)", "of an earlier kit");
        facts.checks.as_mut().expect("checks").warnings = vec!["ARK1115: a: b".into()];
        assert_eq!(cure(&facts), "dovecot-ark explain ARK1115");
        assert_eq!(assess(&facts)[0].what, "the checks say degraded: ARK1115: a: b");
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
