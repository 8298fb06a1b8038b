//! How each value is written in the file: what it may be, and what is expected where it is not.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::probe::login::word;

/// Rounds of a start or stop command.
pub const ROUNDS: RangeInclusive<u32> = 1..=100;

/// Seconds between a command and its check.
pub const SECONDS: RangeInclusive<u32> = 0..=600;

/// Seconds in which the account of the login check must have seen its mailbox: with more, the whole
/// check could not end in time.
pub const LOGIN_SECONDS: RangeInclusive<u32> = 1..=10;

/// The longest name of a service, in bytes; systemd's own limit.
pub const MAX_SERVICE_NAME: usize = 255;

/// The longest path, in bytes (`PATH_MAX`).
const MAX_PATH: usize = 4096;

pub(super) fn number(text: &str, range: &RangeInclusive<u32>) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && range.contains(&number) => Ok(number),
        _ => Err(format!("a number from {} to {} is expected", range.start(), range.end())),
    }
}

/// The word of its type with which a value is written.
pub(crate) fn written<T: ValueEnum>(value: &T) -> String {
    value.to_possible_value().map_or_else(String::new, |word| word.get_name().to_owned())
}

pub(super) fn file(text: &str) -> Result<PathBuf, String> {
    if text.starts_with('/') && !text.contains(char::is_control) && text.len() < MAX_PATH {
        Ok(text.into())
    } else {
        Err("the absolute path of a file is expected".into())
    }
}

pub(super) fn mailbox(text: &str) -> Result<String, String> {
    word(text).map_err(|cause| format!("the name of a mailbox is expected: {cause}"))
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
