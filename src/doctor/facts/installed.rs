//! What is installed on a node, and in which version: LifeKeeper, Dovecot, the kit.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Fact;
use crate::command::Command;
use crate::error::Error;
use crate::files;
use crate::lifekeeper::installation::{LifeKeeper, Version};
use crate::log;
use crate::show;
use crate::system::System;

/// Where LifeKeeper keeps its licences (manual).
pub(crate) const LICENCES: &str = "var/LifeKeeper/license";

/// The longest that Dovecot may take to tell its version. It takes 10 ms.
const LIMIT: Duration = Duration::from_secs(5);

/// What is installed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Installed {
    /// The node's name, if LifeKeeper does not report it.
    pub(crate) host: String,
    pub(crate) kit: String,
    /// LKROOT.
    pub(crate) lifekeeper: Fact<String>,
    /// The name that LifeKeeper gives this node; known only while LifeKeeper runs.
    pub(crate) node: Fact<String>,
    /// LifeKeeper's version.
    pub(crate) version: Fact<String>,
    /// Whether LifeKeeper has a licence file.
    pub(crate) licence: bool,
    /// Dovecot's version, as it prints it.
    pub(crate) dovecot: Fact<String>,
    /// What of the kit's own files and directories it cannot use, a sentence each. Earlier kits do
    /// not tell.
    #[serde(default)]
    pub(crate) unusable: Vec<String>,
}

impl Installed {
    /// Looks what is installed here.
    pub(crate) fn gather(
        system: &impl System,
        root: &Path,
        found: Result<&LifeKeeper, &Error>,
    ) -> Self {
        let node = found.map_err(ToString::to_string).and_then(|lifekeeper| {
            let running = lifekeeper.require_running(system);
            running.and_then(|()| lifekeeper.node(system)).map_err(|cause| cause.to_string())
        });
        let version = found.map_err(ToString::to_string).and_then(|one| one.version(system));
        Self {
            host: files::host(root),
            kit: show::KIT.to_owned(),
            lifekeeper: found.map(|one| one.directory().display().to_string()).into(),
            node: node.into(),
            version: version.map(|version| version.to_string()).into(),
            licence: fs::read_dir(root.join(LICENCES))
                .is_ok_and(|mut files| files.next().is_some()),
            dovecot: dovecot(system).into(),
            unusable: unusable(root),
        }
    }

    /// LifeKeeper's version, as a number.
    pub(crate) fn lifekeeper_version(&self) -> Option<Version> {
        self.version.known().and_then(|text| Version::parse(text))
    }

    /// A command of LifeKeeper's as a person types it.
    pub(crate) fn command(&self, line: &str) -> String {
        let root = self.lifekeeper.known().map_or("/opt/LifeKeeper", String::as_str);
        format!("{root}/bin/{line}")
    }
}

/// What an action would tell of its own files (ARK1008, ARK1501). What is not there is made.
fn unusable(root: &Path) -> Vec<String> {
    let is_there = fs::symlink_metadata(root.join(files::RUN_DIRECTORY)).is_ok();
    let directory = is_there.then(|| files::existing_directory(root).err()).flatten();
    directory.into_iter().chain(log::unusable(root)).collect()
}

fn dovecot(system: &impl System) -> Result<String, String> {
    let program = system.program("dovecot").ok_or_else(|| {
        format!("there is no dovecot in {}", crate::system::PROGRAM_DIRECTORIES.join(", "))
    })?;
    let command = Command::new(program, &["--version"]).asked();
    let ended = system.run(&command, LIMIT);
    match ended.answer.lines().next().map(str::trim) {
        Some(version) if ended.succeeded() && !version.is_empty() => Ok(version.to_owned()),
        _ => Err(format!("`{command}`: {ended}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;

    #[test]
    fn what_others_made_of_the_kits_own_files_is_told_and_what_is_not_there_is_well() {
        let root = TestRoot::new();
        assert_eq!(unusable(root.path()), Vec::<String>::new());
        root.write("run/dovecot-ark", "");
        root.write("var/log/other", "");
        let log = root.path().join("var/log/dovecot-ark.log");
        std::os::unix::fs::symlink("other", log).expect("a link");
        let [directory, log] = unusable(root.path()).try_into().expect("two");
        assert!(directory.ends_with("run/dovecot-ark: it is no directory"), "{directory}");
        assert!(log.contains("var/log/dovecot-ark.log: "), "{log}");
    }
}
