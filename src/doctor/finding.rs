//! What is said of one thing that was looked at.

use serde::Serialize;

use super::cure::Cure;
use crate::messages::Message;
use crate::show::Tone;
use crate::text::{cut, one_line};

/// The longest text that is shown, in characters: what a command says may be endless.
pub(super) const MAX_TEXT: usize = 800;

/// What is looked at. The names stay the same from version to version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Check {
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

impl Check {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::LifeKeeper,
        Self::Licence,
        Self::Dovecot,
        Self::Kit,
        Self::Verdict,
        Self::Action,
        Self::Account,
        Self::Configuration,
        Self::Certificate,
        Self::Listener,
        Self::Service,
        Self::Boot,
        Self::Socket,
        Self::Supervisor,
        Self::Settings,
        Self::TimeLimit,
        Self::Address,
        Self::Port,
        Self::Master,
        Self::Tag,
        Self::Resource,
        Self::State,
        Self::Stubs,
        Self::Copies,
        Self::Dependency,
        Self::Peer,
    ];
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
    /// How the word looks.
    pub(super) const fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warning => Tone::Odd,
            Self::Error => Tone::Bad,
        }
    }

    /// The word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
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
        let what = cut(&one_line(what.as_ref()), MAX_TEXT);
        Self { node: None, check, level: Level::Ok, message: None, what, why: None, cure: None }
    }

    /// A precondition that may not hold, or could not be looked at.
    pub(super) fn warning(
        check: Check,
        message: Message,
        what: impl AsRef<str>,
        why: impl AsRef<str>,
        cure: impl Into<Cure>,
    ) -> Self {
        let (texts, cure) = ([what.as_ref(), why.as_ref()], cure.into());
        Self::odd((check, Level::Warning), message, texts, cure)
    }

    /// A precondition that does not hold.
    pub(super) fn error(
        check: Check,
        message: Message,
        what: impl AsRef<str>,
        why: impl AsRef<str>,
        cure: impl Into<Cure>,
    ) -> Self {
        let (texts, cure) = ([what.as_ref(), why.as_ref()], cure.into());
        Self::odd((check, Level::Error), message, texts, cure)
    }

    fn odd((check, level): (Check, Level), message: Message, texts: [&str; 2], cure: Cure) -> Self {
        let [what, why] = texts.map(|text| cut(&one_line(text), MAX_TEXT));
        let (message, why, cure) = (Some(message), Some(why), Some(cure));
        Self { node: None, check, level, message, what, why, cure }
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
        let long = Finding::error(Check::Kit, Message::DoctorStubs, "é".repeat(5000), "", "").what;
        assert_eq!(long, format!("{}…", "é".repeat(MAX_TEXT)));
    }
}
