//! A thing that was looked at.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

/// What was seen, or why it could not be seen. A thing that is not there was seen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fact<T> {
    /// What was seen.
    Known(T),
    /// Why it could not be seen.
    Unknown(String),
}

impl<T> Fact<T> {
    /// What was seen, if it was.
    pub(crate) const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

impl<T, E: Display> From<Result<T, E>> for Fact<T> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(cause) => Self::Unknown(cause.to_string()),
        }
    }
}
