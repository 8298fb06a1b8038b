//! What the checks say now, and what the last actions came to.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dovecot::history::{EventReport, History};
use crate::dovecot::verdict::Verdict;
use crate::lifekeeper::tag::Tag;
use crate::messages::Remark;
use crate::settings::Settings;
use crate::status::{self, Running};
use crate::system::System;

/// The verdict of the checks, as status and quickCheck have it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct CheckResult {
    /// The verdict's word.
    pub(crate) verdict: String,
    /// The action that runs now, and its process.
    pub(crate) action: Option<String>,
    /// What is wrong.
    pub(crate) causes: Vec<String>,
    /// What is odd and no fault, with its number. Earlier kits report it without.
    pub(crate) warnings: Vec<String>,
    /// The last action that changed something.
    pub(crate) last: Option<EventReport>,
    /// The last failure of an action, if no success came after it.
    pub(crate) fault: Option<EventReport>,
    /// The last failure after which a success came.
    pub(crate) past: Option<EventReport>,
}

impl CheckResult {
    /// Makes the checks, as status does.
    pub(crate) fn gather(
        system: &impl System,
        root: &Path,
        tag: &Tag,
        settings: &Settings,
    ) -> Self {
        let (look, action) = status::look(system, root, tag, settings);
        let during = |action: &Running| Verdict::during(&action.name);
        let verdict = action.as_ref().map_or_else(|| look.verdict(), during);
        let action = action.map(|action| action.to_string());
        let (causes, warnings) = match verdict {
            Verdict::Starting | Verdict::Stopping => (Vec::new(), Vec::new()),
            verdict if verdict.is_up() => (Vec::new(), Remark::numbered(&look.warnings())),
            _ => (look.causes(), Vec::new()),
        };
        let History { last, fault, past } = History::read(system, root);
        let [last, fault, past] =
            [last, fault, past].map(|event| event.map(|event| event.told(system)));
        let verdict = verdict.word().to_owned();
        Self { verdict, action, causes, warnings, last, fault, past }
    }

    /// The verdict, if this version knows its word.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|one| one.word() == self.verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Process;
    use crate::system::fake::{Machine, master};
    use crate::test_root::TestRoot;

    #[test]
    fn while_a_remove_runs_dovecot_is_stopping_and_not_starting() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        machine.add(Process { name: "dovecot-ark".into(), ..master(4242) }, 1, 4242);
        let record = r#"{"action":"remove","pid":4242,"started":1,"deadline":7200000}"#;
        root.write("run/dovecot-ark/.lock", record);
        let lock = std::fs::File::open(root.path().join("run/dovecot-ark/.lock"));
        let lock = lock.expect("the lock's file");
        lock.lock().expect("the lock");
        let tag = Tag::parse("dovecot").expect("a tag");
        let seen = CheckResult::gather(&machine, root.path(), &tag, &Settings::default());
        assert_eq!(seen.action.as_deref(), Some("remove, pid 4242"));
        assert_eq!(seen.verdict(), Some(Verdict::Stopping));
    }
}
