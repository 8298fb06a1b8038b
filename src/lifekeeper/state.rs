//! The states in which LifeKeeper has a resource on a system (manual, "Resource States").

use std::fmt;

use serde::{Deserialize, Serialize};

/// LifeKeeper's states of a resource.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum State {
    /// In service, protected.
    Isp,
    /// In service, unprotected.
    Isu,
    /// Out of service on purpose.
    Osu,
    /// Out of service after a failure.
    Osf,
    /// None set yet.
    Illstate,
}

impl State {
    const ALL: [Self; 5] = [Self::Isp, Self::Isu, Self::Osu, Self::Osf, Self::Illstate];

    /// Reads one as LifeKeeper writes it; `None` when the word is no state.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Isp => "ISP",
            Self::Isu => "ISU",
            Self::Osu => "OSU",
            Self::Osf => "OSF",
            Self::Illstate => "ILLSTATE",
        }
    }

    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Isp => "in service, protected",
            Self::Isu => "in service, unprotected",
            Self::Osu => "out of service on purpose",
            Self::Osf => "out of service after a failure",
            Self::Illstate => "no state set yet",
        }
    }

    /// Whether the resource is in service with it, protected or not.
    pub(crate) const fn is_in_service(self) -> bool {
        matches!(self, Self::Isp | Self::Isu)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_and_lifekeeper_write_a_state_alike_and_other_words_are_none() {
        for state in State::ALL {
            let json = serde_json::to_string(&state).expect("a document");
            assert_eq!(json, format!("\"{state}\""));
            assert_eq!(State::parse(state.word()), Some(state));
        }
        assert_eq!(["", "isp", "ISP ", "ILL"].map(State::parse), [None; 4]);
    }
}
