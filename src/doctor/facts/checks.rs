//! What the checks say now, and what the last actions came to.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::actions;
use crate::dovecot::history::{EventReport, History};
use crate::dovecot::look::{self, Busy};
use crate::dovecot::verdict::Verdict;
use crate::lifekeeper::tag::Tag;
use crate::messages::Remark;
use crate::settings::Settings;
use crate::system::System;
use crate::text::one_line;

/// The verdict of the checks, as status and quickCheck have it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct CheckResult {
    /// The verdict's word.
    pub(crate) verdict: String,
    /// The action that runs now, and its process.
    pub(crate) action: Option<String>,
    /// What is wrong.
    pub(crate) causes: Vec<String>,
    /// What is odd and no fault.
    pub(crate) warnings: Vec<String>,
    /// The last action that changed something.
    pub(crate) last: Option<EventReport>,
    /// The last failure of an action, if no success came after it.
    pub(crate) fault: Option<EventReport>,
    /// The last failure after which a success came.
    pub(crate) past: Option<EventReport>,
}

impl CheckResult {
    /// Makes the checks. Nobody connects where no master lives, because that may start one, or where
    /// an action runs.
    pub(crate) fn gather(
        system: &impl System,
        root: &Path,
        tag: &Tag,
        settings: &Settings,
    ) -> Self {
        let running = || actions::running(system, root, tag, actions::longest(settings));
        let before = running();
        let busy = if before.is_some() { Busy::Yes } else { Busy::No };
        let look = look::look(system, root, settings, busy);
        // One that began meanwhile makes what was seen worthless as well.
        let action = before.or_else(running).map(|holder| one_line(&holder.to_string()));
        let verdict = action.as_deref().map_or_else(|| look.verdict(), Verdict::during);
        let (causes, warnings) = match verdict {
            Verdict::Starting | Verdict::Stopping => (Vec::new(), Vec::new()),
            verdict if verdict.is_up() => (Vec::new(), Remark::texts(&look.warnings())),
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
