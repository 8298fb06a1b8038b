//! The drop-in by which systemd starts a Dovecot that died again, where an administrator wants it.
//!
//! It acts within half a second, where LifeKeeper's next check is a minute away on average, and
//! without LifeKeeper: what its policies forbid, systemd does all the same.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::command::{Command, CommandOutput};
use crate::dovecot::unit;
use crate::error::{Error, refused};
use crate::files;
use crate::messages::Message;
use crate::system::System;

/// What it says. The limit's names are those of systemd 230 and later in `[Unit]`, and those of
/// systemd 219 in `[Service]` (systemd.unit(5), systemd.service(5)); each ignores the other's, or
/// takes them for the same. Of the starts that count, one is restore's, which resets the count.
pub(crate) const TEXT: &str = "\
# Written by `dovecot-ark install --restart`; `dovecot-ark uninstall` removes it.
[Unit]
StartLimitIntervalSec=600
StartLimitBurst=4

[Service]
Restart=on-failure
RestartSec=100ms
StartLimitInterval=600
StartLimitBurst=4
";

/// How much of a file is read, in bytes: more than what install writes.
const MAX_TEXT: u64 = 4096;

/// What systemd calls it.
pub(crate) const POLICY: &str = "on-failure";

/// The longest that systemd may take to read its files again.
const LIMIT: Duration = Duration::from_secs(90);

/// The longest that a question may take.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// What is at the place of the drop-in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DropIn {
    /// Nothing.
    #[default]
    Absent,
    /// What install writes.
    Ours,
    /// Something else, or what cannot be read.
    Changed,
}

/// The drop-in of a service, below the root directory.
pub(crate) fn path(root: &Path, service: &str) -> PathBuf {
    root.join(format!("etc/systemd/system/{}.d/dovecot-ark.conf", unit::name(service)))
}

/// Looks what is there.
pub(crate) fn look(root: &Path, service: &str) -> DropIn {
    let read = || {
        let mut text = String::new();
        let file = files::open_own(&path(root, service), OpenOptions::new().read(true))?;
        file.take(MAX_TEXT).read_to_string(&mut text).map(|_| text)
    };
    match read() {
        Ok(text) if text == TEXT => DropIn::Ours,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => DropIn::Absent,
        Ok(_) | Err(_) => DropIn::Changed,
    }
}

/// Lets systemd read its files again.
///
/// # Errors
///
/// When it does not.
pub(crate) fn reload(system: &impl System) -> Result<(), Error> {
    let (command, ended) = run(system, &["daemon-reload"], LIMIT)?;
    if ended.succeeded() {
        return Ok(());
    }
    Err(Error::Command { command, ended })
}

/// When systemd starts a service again by itself: its `Restart=`.
///
/// # Errors
///
/// When it does not tell, or has no such unit.
pub(crate) fn policy(system: &impl System, service: &str) -> Result<String, Error> {
    let unit = unit::name(service);
    let (command, ended) =
        run(system, &["show", "--property=LoadState,Restart", &unit], ASK_LIMIT)?;
    let properties = properties(&ended.answer);
    match (properties.get("LoadState"), properties.get("Restart")) {
        (Some(&"loaded"), Some(policy)) => Ok((*policy).to_owned()),
        (Some(state), _) if *state != "loaded" => {
            Err(refused!(Message::NoRestart, "asking systemd for {unit}: it is {state}"))
        }
        _ => Err(Error::Command { command, ended }),
    }
}

/// The properties of a unit, as `systemctl show` prints them.
pub(crate) fn properties(answer: &str) -> BTreeMap<&str, &str> {
    answer.lines().filter_map(|line| line.split_once('=')).collect()
}

fn run(
    system: &impl System,
    words: &[&str],
    limit: Duration,
) -> Result<(String, CommandOutput), Error> {
    let systemctl = system.program("systemctl").filter(|_| system.runs_systemd());
    let Some(systemctl) = systemctl else {
        let cause = "--restart: systemd is not this node's service manager; leave it off";
        return Err(Error::refused(Message::NoRestart, cause));
    };
    let command = Command::new(systemctl, words).asked();
    let ended = system.run(&command, limit);
    Ok((command.to_string(), ended))
}
