//! The kit's settings, and how long its actions and LifeKeeper's limits are.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::actions;
use crate::lifekeeper::defaults;
use crate::lifekeeper::installation::quick_check_keys;
use crate::lifekeeper::tag::Tag;
use crate::messages::Remark;
use crate::settings::{Report, Settings};

/// The key of LifeKeeper's limit for what one node does for another, in seconds.
pub(crate) const REMOTE_KEY: &str = "REMOTETIMEOUT";

/// The key of the time between two checks, in seconds.
pub(crate) const INTERVAL_KEY: &str = "LKCHECKINTERVAL";

/// The settings, and what LifeKeeper's defaults file says of time.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Limits {
    /// The kit's parameters as they hold.
    pub(crate) settings: BTreeMap<String, String>,
    /// What was not understood of them, with its number. Earlier kits report it without.
    pub(crate) warnings: Vec<String>,
    /// How LifeKeeper writes the tag in the keys of this resource.
    pub(crate) converted_tag: String,
    /// What is set of the two keys for the limit of its quickCheck, of `REMOTETIMEOUT` and of
    /// `LKCHECKINTERVAL`.
    pub(crate) set: BTreeMap<String, String>,
    /// How long the checks may take before they have their verdict, in seconds.
    pub(crate) checks: u64,
    /// After how long quickCheck ends itself, in seconds.
    pub(crate) quick_check: u64,
    /// How long a remove and a restore may take together, in seconds.
    pub(crate) switchover: u64,
}

impl Limits {
    /// Reads from the defaults file what the settings do not contain.
    pub(crate) fn gather(root: &Path, tag: &Tag, settings: &Settings, report: Report) -> Self {
        let converted_tag = tag.converted();
        let keys = quick_check_keys(&converted_tag);
        let read = |key: &str| {
            let found = defaults::read(root, key, &[key]).take(key)?;
            Some((key.to_owned(), found.value))
        };
        let set = keys
            .iter()
            .map(String::as_str)
            .chain([REMOTE_KEY, INTERVAL_KEY])
            .filter_map(read)
            .collect();
        let rows = report.settings.into_iter();
        Self {
            settings: rows.map(|row| (row.key.to_owned(), row.value)).collect(),
            warnings: Remark::numbered(&report.warnings),
            converted_tag,
            set,
            checks: whole_seconds(actions::longest_checks(settings)),
            quick_check: actions::QUICK_CHECK_LIMIT.as_secs(),
            switchover: whole_seconds(actions::longest_switchover(settings)),
        }
    }
}

/// Seconds, and one more for what is over.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
