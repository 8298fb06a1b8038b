//! systemd starts a Dovecot that died again: the drop-in is written, and removed where it still reads
//! as it was written.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::replace;
use crate::boot::restart::{self, DropIn};
use crate::error::{Error, refused};
use crate::files::sync_directory;
use crate::messages::Message;
use crate::system::System;

/// The drop-in of a service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restart {
    pub(crate) service: String,
    /// Whether its directory had to be made too.
    #[serde(default)]
    pub(crate) made_directory: bool,
}

/// Looks whether it is to be written.
///
/// # Errors
///
/// Where systemd is not there, or somebody else has set what it would set.
pub(super) fn plan(
    system: &impl System,
    root: &Path,
    service: &str,
) -> Result<Option<Restart>, Error> {
    let policy = restart::policy(system, service)?;
    let path = restart::path(root, service);
    match (restart::look(root, service), policy.as_str()) {
        (DropIn::Ours, restart::POLICY) => return Ok(None),
        (DropIn::Ours, _) | (DropIn::Absent, "no") => {}
        (DropIn::Absent, policy) => {
            return Err(refused!(
                Message::NoRestart,
                "--restart: {service}.service has Restart={policy} already; leave it off, or remove \
                 that (systemctl cat {service})"
            ));
        }
        (DropIn::Changed, _) => {
            let cause = "it is not as install writes it; remove it, or leave --restart off";
            return Err(Error::file("looking at", &path)(cause));
        }
    }
    let made_directory = path.parent().is_some_and(|directory| !directory.exists());
    Ok(Some(Restart { service: service.to_owned(), made_directory }))
}

impl Restart {
    /// Where it is, in words.
    pub(super) fn path(&self) -> String {
        restart::path(Path::new("/"), &self.service).display().to_string()
    }

    /// Writes it, and lets systemd read it.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or systemd goes by something else.
    pub(super) fn write(&self, system: &impl System, root: &Path) -> Result<(), Error> {
        let path = restart::path(root, &self.service);
        replace::create(&path, restart::TEXT.as_bytes())?;
        restart::reload(system)?;
        match restart::policy(system, &self.service)?.as_str() {
            restart::POLICY => Ok(()),
            policy => {
                let cause = format!("systemd goes by another file: Restart={policy}");
                Err(Error::file("writing", &path)(cause))
            }
        }
    }

    /// Whether it was changed since.
    pub(super) fn is_changed(&self, root: &Path) -> bool {
        restart::look(root, &self.service) == DropIn::Changed
    }

    /// Removes it if it still reads as it was written, and lets systemd know.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub(super) fn remove(&self, system: &impl System, root: &Path) -> Result<(), Error> {
        let path = restart::path(root, &self.service);
        if path.parent().is_some_and(Path::is_dir) {
            replace::tidy(&path)?;
        }
        if restart::look(root, &self.service) == DropIn::Ours {
            fs::remove_file(&path).map_err(Error::file("removing", &path))?;
            sync_directory(&path)?;
        }
        if let Some(directory) = path.parent().filter(|_| self.made_directory) {
            // What others have put there stays.
            let _ = fs::remove_dir(directory);
        }
        if system.runs_systemd() { restart::reload(system) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::{Install, Uninstall};
    use crate::command::End;
    use crate::install;
    use crate::lifekeeper::defaults;
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;

    const ASK: &str = "systemctl show --property=LoadState,Restart dovecot.service";
    const DIRECTORY: &str = "etc/systemd/system/dovecot.service.d";
    const TOOK: Duration = Duration::from_millis(5);

    /// A node with systemd, which goes by the drop-in once it has read it.
    fn node() -> (TestRoot, Machine) {
        let (root, machine) = install::tests::node();
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        machine.answer(ASK, End::Exited(0), TOOK, "LoadState=loaded\nRestart=no\n");
        machine.answer("systemctl daemon-reload", End::Exited(0), TOOK, "");
        let file = root.path().join(DIRECTORY).join("dovecot-ark.conf");
        machine.effect("systemctl daemon-reload", move |machine| {
            let policy = if file.exists() { "on-failure" } else { "no" };
            let answer = format!("LoadState=loaded\nRestart={policy}\n");
            machine.answer(ASK, End::Exited(0), TOOK, &answer);
        });
        (root, machine)
    }

    fn wanted() -> Install {
        Install { standby: true, restart: true, ..install::tests::wanted() }
    }

    fn install(root: &TestRoot, machine: &Machine) -> Result<(), String> {
        let done = install::install(machine, root.path(), &wanted());
        done.map(drop).map_err(|cause| cause.to_string())
    }

    fn uninstall(root: &TestRoot, machine: &Machine) {
        let tag = wanted().tag;
        let what =
            Uninstall { tag, dry_run: false, yes: true, use_ins_remove: true, hand_back: false };
        let _ = install::uninstall(machine, root.path(), &what).expect("uninstalled");
    }

    #[test]
    fn the_drop_in_is_written_once_and_removed_with_the_directory_that_was_made() {
        for directory_before in [false, true] {
            let (root, machine) = node();
            if directory_before {
                fs::create_dir_all(root.path().join(DIRECTORY)).expect("a directory");
            }
            install(&root, &machine).expect("installed");
            let path = restart::path(root.path(), "dovecot");
            assert_eq!(fs::read_to_string(&path).expect("the drop-in"), restart::TEXT);
            install(&root, &machine).expect("nothing to do");
            assert_eq!(machine.count("systemctl daemon-reload"), 1);
            uninstall(&root, &machine);
            assert_eq!(root.path().join(DIRECTORY).exists(), directory_before);
            assert_eq!(machine.count("systemctl daemon-reload"), 2);
        }
    }

    #[test]
    fn one_that_does_not_hold_is_undone_and_one_that_was_changed_stays() {
        let (root, machine) = node();
        machine.effect("systemctl daemon-reload", |_| {});
        let error = install(&root, &machine).expect_err("another file is stronger");
        assert!(error.ends_with("systemd goes by another file: Restart=no"), "{error}");
        assert!(!root.path().join(DIRECTORY).exists());
        let settings = fs::read_to_string(root.path().join(defaults::FILE)).expect("the settings");
        assert_eq!(settings, "LKROOT=/opt/LifeKeeper\n");

        let (root, machine) = node();
        install(&root, &machine).expect("installed");
        let path = restart::path(root.path(), "dovecot");
        fs::write(&path, "[Service]\nRestart=always\n").expect("a change");
        uninstall(&root, &machine);
        assert_eq!(fs::read(&path).expect("it"), b"[Service]\nRestart=always\n");
    }

    #[test]
    fn where_it_cannot_hold_it_is_refused_before_anything_is_changed() {
        type Break = fn(&TestRoot, &Machine);
        let cases: [(Break, &str); 4] = [
            (|_, machine| machine.state().systemd = false, "systemd is not this node's service"),
            (
                |_, machine| {
                    machine.answer(ASK, End::Exited(0), TOOK, "LoadState=masked\nRestart=no\n");
                },
                "asking systemd for dovecot.service: it is masked",
            ),
            (
                |_, machine| {
                    let answer = "LoadState=loaded\nRestart=always\n";
                    machine.answer(ASK, End::Exited(0), TOOK, answer);
                },
                "dovecot.service has Restart=always already; leave it off, or remove that",
            ),
            (
                |root, _| root.write(&format!("{DIRECTORY}/dovecot-ark.conf"), "[Service]\n"),
                "it is not as install writes it; remove it",
            ),
        ];
        for (set, cause) in cases {
            let (root, machine) = node();
            set(&root, &machine);
            let error = install(&root, &machine).expect_err(cause);
            assert!(error.contains(cause), "{cause}: {error}");
            assert!(!root.path().join("var/lib/dovecot-ark").exists(), "{cause}");
        }
    }
}
