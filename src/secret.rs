//! A password, which nothing prints.

use std::fmt;

/// What is shown in its place.
pub(crate) const HIDDEN: &str = "(the password)";

/// A password that no formatting shows.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Hides a word.
    pub(crate) const fn new(word: String) -> Self {
        Self(word)
    }

    /// The word itself: for whom it was made, never for a log, an output or a command line.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// A foreign text without the word, if it repeats it.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        text.replace(&self.0, HIDDEN)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_in_no_form_and_hidden_in_what_others_say() {
        let secret = Secret::new("open sesame".into());
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)).matches("sesame").count(), 0);
        assert_eq!(secret.hidden_in("no open sesame here"), "no (the password) here");
    }
}
