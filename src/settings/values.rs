//! How each value is written in the file: what it may be, and what is expected where it is not.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::{LoginFault, Switch, Wait};
use crate::lifekeeper::template::Template;
use crate::probe::endpoint::Depth;
use crate::probe::login::word;

/// Rounds of a start or stop command.
pub const ROUNDS: RangeInclusive<u32> = 1..=100;

/// Seconds between a command and its check.
pub const SECONDS: RangeInclusive<u32> = 0..=600;

/// The longest name of a service, in bytes; systemd's own limit.
pub const MAX_SERVICE_NAME: usize = 255;

/// A duration that is shown in whole seconds.
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_secs().fmt(f)
    }
}

fn number(text: &str, range: &RangeInclusive<u32>) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && range.contains(&number) => Ok(number),
        _ => Err(format!("a number from {} to {} is expected", range.start(), range.end())),
    }
}

pub(super) fn rounds(text: &str) -> Result<u32, String> {
    number(text, &ROUNDS)
}

/// Seconds in which the account of the login check must have seen its mailbox: with more, the whole
/// check could not end in time.
pub const LOGIN_SECONDS: RangeInclusive<u32> = 1..=10;

pub(super) fn login_seconds(text: &str) -> Result<Seconds, String> {
    number(text, &LOGIN_SECONDS).map(|seconds| Seconds(Duration::from_secs(seconds.into())))
}

/// The path of a file, which is shown.
pub(super) struct File(pub(super) PathBuf);

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

pub(super) fn file(text: &str) -> Result<File, String> {
    if text.starts_with('/') && !text.contains(char::is_control) && text.len() < MAX_PATH {
        Ok(File(text.into()))
    } else {
        Err("the absolute path of a file is expected".into())
    }
}

/// The longest path, in bytes (`PATH_MAX`).
const MAX_PATH: usize = 4096;

pub(super) fn mailbox(text: &str) -> Result<String, String> {
    word(text).map_err(|cause| format!("the name of a mailbox is expected: {cause}"))
}

pub(super) fn login_fault(text: &str) -> Result<LoginFault, String> {
    match text {
        "store" => Ok(LoginFault::Store),
        "any" => Ok(LoginFault::Any),
        "never" => Ok(LoginFault::Never),
        _ => Err("store, any or never is expected".into()),
    }
}

impl fmt::Display for LoginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store",
            Self::Any => "any",
            Self::Never => "never",
        })
    }
}

pub(super) fn seconds(text: &str) -> Result<Seconds, String> {
    number(text, &SECONDS).map(|seconds| Seconds(Duration::from_secs(seconds.into())))
}

pub(super) fn switch(text: &str) -> Result<Switch, String> {
    match text {
        "0" => Ok(Switch::Off),
        "1" => Ok(Switch::On),
        _ => Err("0 or 1 is expected".into()),
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "0",
            Self::On => "1",
        })
    }
}

/// A depth as it is written.
pub(super) struct Probe(pub(super) Depth);

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Depth::Connect => "connect",
            Depth::Greeting => "greeting",
            Depth::Login => "login",
        })
    }
}

pub(super) fn probe(text: &str) -> Result<Probe, String> {
    match text {
        "connect" => Ok(Probe(Depth::Connect)),
        "greeting" => Ok(Probe(Depth::Greeting)),
        "login" => Ok(Probe(Depth::Login)),
        _ => Err("connect, greeting or login is expected".into()),
    }
}

pub(super) fn wait(text: &str) -> Result<Wait, String> {
    match text {
        "ready" => Ok(Wait::Ready),
        "fixed" => Ok(Wait::Fixed),
        _ => Err("ready or fixed is expected".into()),
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Fixed => "fixed",
        })
    }
}

/// A command line that may be missing.
pub(super) struct Create(pub(super) Option<Template>);

impl fmt::Display for Create {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(template) => template.fmt(f),
            None => f.write_str("lkcli or creapphier"),
        }
    }
}

pub(super) fn create(text: &str) -> Result<Create, String> {
    Template::parse(text).map(|template| Create(Some(template)))
}

/// The name goes to `service` and `systemctl` as an argument, so it must not look like an option.
pub(crate) fn service(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@:".contains(&byte);
    if text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= MAX_SERVICE_NAME
        && text.bytes().all(allowed)
    {
        Ok(text.to_owned())
    } else {
        Err("a service's name (letters, digits and _ - . @ :) is expected".into())
    }
}
