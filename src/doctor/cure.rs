//! What cures a finding: a command, words, or both.

use std::fmt;

use serde::Serialize;

use super::finding::MAX_TEXT;
use crate::text::{cut, one_line};

/// What cures a finding. At least one of the two is there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Cure {
    /// A command for root on the node of the finding that does it, or shows what is wrong. Words in
    /// capitals stand for what only a person knows.
    command: Option<String>,
    /// What to do beside the command, or where there is none.
    hint: Option<String>,
}

impl Cure {
    /// This command does it.
    pub(super) fn run(command: impl AsRef<str>) -> Self {
        Self { command: Some(line(command.as_ref())), hint: None }
    }

    /// The same with a hint: something else to do or to know.
    pub(super) fn and(self, hint: impl AsRef<str>) -> Self {
        Self { hint: Some(line(hint.as_ref())), ..self }
    }
}

impl<T: AsRef<str>> From<T> for Cure {
    fn from(hint: T) -> Self {
        Self { command: None, hint: Some(line(hint.as_ref())) }
    }
}

impl fmt::Display for Cure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.command, &self.hint) {
            (Some(command), Some(hint)) => write!(f, "{command}  ({hint})"),
            (Some(words), None) | (None, Some(words)) => f.write_str(words),
            (None, None) => Ok(()),
        }
    }
}

fn line(text: &str) -> String {
    cut(&one_line(text), MAX_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_and_what_is_to_be_done_beside_it_stay_apart() {
        let both = Cure::run("doveconf -nx >/dev/null").and("then fix\nthe line");
        let json = serde_json::json!({
            "command": "doveconf -nx >/dev/null",
            "hint": "then fix | the line",
        });
        assert_eq!(serde_json::to_value(&both).expect("a document"), json);
        assert_eq!(both.to_string(), "doveconf -nx >/dev/null  (then fix | the line)");
        assert_eq!(Cure::run("ip address").to_string(), "ip address");
        assert_eq!(Cure::from("stop that program").to_string(), "stop that program");
    }
}
