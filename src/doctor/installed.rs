//! What must be installed on a node, and in which version: LifeKeeper, Dovecot, the kit.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::facts::{Fact, Facts};
use super::finding::{Check, Finding};
use crate::command::Command;
use crate::error::Error;
use crate::lifekeeper::installation::{LifeKeeper, Version};
use crate::system::System;

/// Where LifeKeeper keeps its licences (manual).
const LICENCES: &str = "var/LifeKeeper/license";

/// The longest that Dovecot may take to tell its version. It takes 10 ms.
const LIMIT: Duration = Duration::from_secs(5);

/// What is installed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Installed {
    /// The name of the node where LifeKeeper does not tell it.
    pub(super) host: String,
    /// The kit's version.
    pub(super) kit: String,
    /// LKROOT.
    pub(super) lifekeeper: Fact<String>,
    /// The name that LifeKeeper gives this node, which it tells only while it runs.
    pub(super) node: Fact<String>,
    /// LifeKeeper's version.
    pub(super) version: Fact<String>,
    /// Whether LifeKeeper has a licence file.
    pub(super) licence: bool,
    /// Dovecot's version, as it prints it.
    pub(super) dovecot: Fact<String>,
}

impl Installed {
    /// Looks what is installed here.
    pub(super) fn look(
        system: &impl System,
        root: &Path,
        found: Result<&LifeKeeper, &Error>,
    ) -> Self {
        let host = fs::read_to_string(root.join("proc/sys/kernel/hostname")).unwrap_or_default();
        let node = found.map_err(ToString::to_string).and_then(|lifekeeper| {
            let running = lifekeeper.require_running(system);
            running.and_then(|()| lifekeeper.node(system)).map_err(|cause| cause.to_string())
        });
        let version = found.map_err(ToString::to_string).and_then(|one| one.version(system));
        Self {
            host: host.trim().to_owned(),
            kit: env!("CARGO_PKG_VERSION").to_owned(),
            lifekeeper: found.map(|one| one.folder().display().to_string()).into(),
            node: node.into(),
            version: version.map(|version| version.to_string()).into(),
            licence: fs::read_dir(root.join(LICENCES))
                .is_ok_and(|mut files| files.next().is_some()),
            dovecot: dovecot(system).into(),
        }
    }

    /// LifeKeeper's version, as a number.
    pub(super) fn lifekeeper_version(&self) -> Option<Version> {
        self.version.known().and_then(|text| Version::parse(text))
    }

    /// A command of LifeKeeper's as a person types it.
    pub(super) fn command(&self, line: &str) -> String {
        let root = self.lifekeeper.known().map_or("/opt/LifeKeeper", String::as_str);
        format!("{root}/bin/{line}")
    }
}

fn dovecot(system: &impl System) -> Result<String, String> {
    let program = system.program("dovecot").ok_or_else(|| {
        format!("there is no dovecot in {}", crate::system::PROGRAM_FOLDERS.join(", "))
    })?;
    let command = Command::new(program, &["--version"]).asked();
    let ended = system.run(&command, LIMIT);
    match ended.answer.lines().next().map(str::trim) {
        Some(version) if ended.succeeded() && !version.is_empty() => Ok(version.to_owned()),
        _ => Err(format!("`{command}`: {ended}")),
    }
}

/// Judges what is installed.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let installed = &facts.installed;
    let mut findings = vec![lifekeeper(installed)];
    if installed.lifekeeper.known().is_some() {
        findings.push(if installed.licence {
            Finding::ok(Check::Licence, "LifeKeeper has a licence file")
        } else {
            Finding::warning(
                Check::Licence,
                format!("there is no licence file in /{LICENCES}"),
                "LifeKeeper does not start when its licence is missing or has ended",
                installed.command("lkkeyins FILE"),
            )
        });
    }
    findings.push(dovecot_version(&installed.dovecot));
    findings
}

fn lifekeeper(installed: &Installed) -> Finding {
    match (&installed.lifekeeper, &installed.node, &installed.version) {
        (Fact::Unknown(cause), ..) => Finding::error(
            Check::LifeKeeper,
            cause,
            "nothing protects Dovecot on this node",
            "install LifeKeeper, or set LKROOT in /etc/default/LifeKeeper to its folder",
        ),
        (_, Fact::Unknown(cause), _) => Finding::error(
            Check::LifeKeeper,
            cause,
            "nothing protects Dovecot on this node, and the resource cannot be looked at",
            installed.command("lkstart"),
        ),
        (_, _, Fact::Unknown(cause)) => Finding::warning(
            Check::LifeKeeper,
            format!("LifeKeeper runs in a version that is not known: {cause}"),
            "all nodes must have the same version, and how long quickCheck may take depends on it",
            "rpm -q steeleye-lk",
        ),
        (_, _, Fact::Known(version)) => {
            Finding::ok(Check::LifeKeeper, format!("LifeKeeper {version} runs"))
        }
    }
}

fn dovecot_version(version: &Fact<String>) -> Finding {
    match version {
        Fact::Unknown(cause) => Finding::error(
            Check::Dovecot,
            cause,
            "a failover to this node fails",
            "install Dovecot in the version that the other nodes have",
        ),
        Fact::Known(version) if ["1.", "2."].iter().any(|major| version.starts_with(major)) => {
            Finding::ok(Check::Dovecot, format!("Dovecot {version} is installed"))
        }
        Fact::Known(version) => Finding::warning(
            Check::Dovecot,
            format!("Dovecot {version} is installed"),
            "the kit was tried with the versions 1 and 2",
            "install a version that the kit knows, or try this one before it carries mail",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::healthy;
    use super::super::finding::Level;
    use super::*;

    fn unknown<T>(cause: &str) -> Fact<T> {
        Fact::Unknown(cause.into())
    }

    #[test]
    fn what_is_missing_or_down_is_an_error_and_an_unknown_version_a_warning() {
        type Change = fn(&mut Installed);
        let cases: [(Check, Level, &str, Change); 4] = [
            (Check::LifeKeeper, Level::Error, "set LKROOT", |i| {
                i.lifekeeper = unknown("not there");
                i.node = unknown("not there");
            }),
            (Check::LifeKeeper, Level::Error, "/opt/LifeKeeper/bin/lkstart", |i| {
                i.node = unknown("down");
            }),
            (Check::LifeKeeper, Level::Warning, "rpm -q", |i| i.version = unknown("no rpm")),
            (Check::Licence, Level::Warning, "lkkeyins", |i| i.licence = false),
        ];
        for (check, level, cure, change) in cases {
            let mut facts = healthy("node1");
            change(&mut facts.installed);
            let findings = judge(&facts);
            let odd: Vec<_> = findings.iter().filter(|one| one.level != Level::Ok).collect();
            let [finding] = odd.as_slice() else { panic!("{findings:?}") };
            assert_eq!((finding.check, finding.level), (check, level));
            assert!(finding.cure.as_deref().is_some_and(|text| text.contains(cure)), "{finding:?}");
        }
    }

    #[test]
    fn the_versions_of_dovecot_that_were_tried_are_known() {
        for (version, level) in [
            (Fact::Known("1.0.7".to_owned()), Level::Ok),
            (Fact::Known("2.3.19.1 (9b53102964)".to_owned()), Level::Ok),
            (Fact::Known("3.0.0".to_owned()), Level::Warning),
            (Fact::Known("Fatal: what?".to_owned()), Level::Warning),
            (unknown("there is no dovecot"), Level::Error),
        ] {
            assert_eq!(dovecot_version(&version).level, level, "{version:?}");
        }
    }
}
