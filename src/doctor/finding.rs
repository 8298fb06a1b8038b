//! What is said of one thing that was looked at.

use std::fmt;

use serde::Serialize;

use crate::messages::Message;
use crate::show::Tone;
use crate::text::{cut, one_line};

/// The longest text that is shown, in characters: what a command says may be endless.
const MAX_TEXT: usize = 800;

/// Declares the checks.
macro_rules! checks {
    ($($(#[$attribute:meta])* $name:ident,)*) => {
        /// What is looked at. The names stay the same from version to version.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
        #[serde(rename_all = "kebab-case")]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum Check {
            $($(#[$attribute])* $name,)*
        }

        impl Check {
            /// All of them.
            pub const ALL: [Self; 26] = [$(Self::$name,)*];
        }
    };
}

checks! {
    /// LifeKeeper is installed and runs.
    #[serde(rename = "lifekeeper")]
    LifeKeeper,
    /// LifeKeeper's licence.
    Licence,
    /// Dovecot is installed.
    Dovecot,
    /// The version of the kit.
    Kit,
    /// What the checks say.
    Verdict,
    /// The last actions.
    Action,
    /// The account of the login check.
    Account,
    /// Dovecot's configuration.
    Configuration,
    /// The certificates of its ports.
    Certificate,
    /// What it listens on.
    Listener,
    /// How it is started.
    Service,
    /// Its start at boot.
    Boot,
    /// A socket unit that starts it.
    Socket,
    /// Others that start it.
    Supervisor,
    /// The parameters.
    Settings,
    /// How long LifeKeeper waits.
    TimeLimit,
    /// The listed addresses.
    Address,
    /// The listed ports.
    Port,
    /// Masters that run.
    Master,
    /// Tags that name one Dovecot.
    Tag,
    /// LifeKeeper's resource.
    Resource,
    /// The states of the resource.
    State,
    /// The actions that LifeKeeper calls.
    Stubs,
    /// Its copies of the actions.
    Copies,
    /// What it depends on.
    Dependency,
    /// The other nodes.
    Peer,
}

/// State of a precondition.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) enum Level {
    /// It holds.
    Ok,
    /// It may not hold, or it could not be looked at.
    Warning,
    /// It does not hold.
    Error,
}

impl Level {
    /// The word for it, and how that looks.
    pub(super) const fn shown(self) -> (&'static str, Tone) {
        match self {
            Self::Ok => ("ok", Tone::Good),
            Self::Warning => ("warning", Tone::Odd),
            Self::Error => ("error", Tone::Bad),
        }
    }
}

/// State of one precondition on a node, or on all of them together.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Finding {
    /// The node; `None` when it is about all nodes.
    pub(super) node: Option<String>,
    /// The name of the check, which stays the same from version to version.
    pub(super) check: Check,
    /// Its state.
    pub(super) level: Level,
    /// The number of the warning or error; `None` when all is well.
    #[serde(rename = "number")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) message: Option<Message>,
    /// What was seen.
    pub(super) what: String,
    /// Why it matters; `None` when all is well.
    pub(super) why: Option<String>,
    /// What cures it; `None` when all is well.
    pub(super) cure: Option<Cure>,
}

impl Finding {
    /// A precondition that is met.
    pub(super) fn ok(check: Check, what: impl AsRef<str>) -> Self {
        let what = line(what);
        Self { node: None, check, level: Level::Ok, message: None, what, why: None, cure: None }
    }

    /// A precondition that may not hold, or could not be looked at.
    pub(super) fn warning(check: Check, message: Message) -> Odd {
        Odd(Self { level: Level::Warning, message: Some(message), ..Self::ok(check, "") })
    }

    /// A precondition that does not hold.
    pub(super) fn error(check: Check, message: Message) -> Odd {
        Odd(Self { level: Level::Error, message: Some(message), ..Self::ok(check, "") })
    }

    /// The same, with a hint beside the command that cures it: something else to do or to know.
    pub(super) fn and(self, hint: impl AsRef<str>) -> Self {
        let cure = self.cure.map(|cure| Cure { hint: Some(line(hint)), ..cure });
        Self { cure, ..self }
    }

    /// What cures it, in words.
    pub(super) fn told_cure(&self) -> Option<String> {
        self.cure.as_ref().map(Cure::to_string)
    }

    /// The same, of this node.
    pub(super) fn on(self, node: &str) -> Self {
        Self { node: Some(node.to_owned()), ..self }
    }
}

/// A warning or an error that lacks what was seen.
pub(super) struct Odd(Finding);

impl Odd {
    /// What was seen.
    pub(super) fn what(self, what: impl AsRef<str>) -> Seen {
        Seen(Finding { what: line(what), ..self.0 })
    }
}

/// A warning or an error that lacks why it matters.
pub(super) struct Seen(Finding);

impl Seen {
    /// Why it matters.
    pub(super) fn why(self, why: impl AsRef<str>) -> Explained {
        Explained(Finding { why: Some(line(why)), ..self.0 })
    }
}

/// A warning or an error that lacks its cure.
pub(super) struct Explained(Finding);

impl Explained {
    /// What cures it, in words.
    pub(super) fn cure(self, hint: impl AsRef<str>) -> Finding {
        Finding { cure: Some(Cure { command: None, hint: Some(line(hint)) }), ..self.0 }
    }

    /// The command that cures it.
    pub(super) fn run(self, command: impl AsRef<str>) -> Finding {
        Finding { cure: Some(Cure { command: Some(line(command)), hint: None }), ..self.0 }
    }
}

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

impl fmt::Display for Cure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.command, &self.hint) {
            (Some(command), Some(hint)) => write!(f, "{command}  ({hint})"),
            (Some(words), None) | (None, Some(words)) => f.write_str(words),
            (None, None) => Ok(()),
        }
    }
}

/// These findings or, if there are none, that all is well.
pub(super) fn or_ok(odd: Vec<Finding>, check: Check, what: impl AsRef<str>) -> Vec<Finding> {
    if odd.is_empty() { vec![Finding::ok(check, what)] } else { odd }
}

/// A text of whatever origin as one line.
fn line(text: impl AsRef<str>) -> String {
    cut(&one_line(text.as_ref()), MAX_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_whatever_origin_becomes_one_harmless_line() {
        for (text, line) in [
            ("plain", "plain"),
            ("one\n\n  two\r\nthree\n", "one | two | three"),
            ("a\u{1b}[31mb\u{7}", "a\\u{1b}[31mb\\u{7}"),
            ("", ""),
        ] {
            assert_eq!(Finding::ok(Check::Kit, text).what, line, "{text:?}");
        }
        let long = Finding::ok(Check::Kit, "é".repeat(5000)).what;
        assert_eq!(long, format!("{}…", "é".repeat(MAX_TEXT)));
    }

    #[test]
    fn a_command_and_what_is_to_be_done_beside_it_stay_apart() {
        let odd = || Finding::error(Check::Kit, Message::DoctorStubs).what("").why("");
        let both = odd().run("doveconf -nx >/dev/null").and("then fix\nthe line");
        let json = serde_json::json!({
            "command": "doveconf -nx >/dev/null",
            "hint": "then fix | the line",
        });
        assert_eq!(serde_json::to_value(&both.cure).expect("a document"), json);
        for (finding, told) in [
            (both, "doveconf -nx >/dev/null  (then fix | the line)"),
            (odd().run("ip address"), "ip address"),
            (odd().cure("stop that program"), "stop that program"),
        ] {
            assert_eq!(finding.told_cure().as_deref(), Some(told));
        }
    }
}
