//! The command lines of most commands: one-letter options as getopt knows them.
//!
//! A value may be glued to its letter (`-f:`), as the manual pages and shipped scripts write it.

use std::collections::BTreeMap;

use crate::error::{Failure, Result};

/// A command line that was understood.
#[derive(Debug, Default)]
pub(crate) struct Options {
    given: BTreeMap<char, String>,
    /// What follows the options.
    pub(crate) rest: Vec<String>,
}

impl Options {
    /// Reads the words after the command's name; a letter before a colon takes a value.
    ///
    /// # Errors
    ///
    /// [`Failure::Syntax`] names an option that is unknown or lacks its value.
    pub(crate) fn read(words: &[String], letters: &str) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            let Some(mut bundle) = word.strip_prefix('-').filter(|text| !text.is_empty()) else {
                options.rest.push(word.clone());
                break;
            };
            while let Some(letter) = bundle.chars().next() {
                bundle = bundle.get(letter.len_utf8()..).unwrap_or_default();
                let Some((_, after)) = letters.split_once(letter).filter(|_| letter != ':') else {
                    return Err(Failure::Syntax(format!("unknown option -- {letter}")));
                };
                let mut value = String::new();
                if after.starts_with(':') {
                    value = match bundle {
                        "" => words.next().cloned().ok_or_else(|| {
                            Failure::Syntax(format!("option requires an argument -- {letter}"))
                        })?,
                        glued => glued.to_owned(),
                    };
                    bundle = "";
                }
                options.given.insert(letter, value);
            }
        }
        options.rest.extend(words.cloned());
        Ok(options)
    }

    /// The value of an option, if it was given.
    pub(crate) fn get(&self, letter: char) -> Option<&str> {
        self.given.get(&letter).map(String::as_str)
    }

    /// Whether an option was given.
    pub(crate) fn has(&self, letter: char) -> bool {
        self.given.contains_key(&letter)
    }

    /// The value of an option that must be given.
    pub(crate) fn need(&self, letter: char) -> Result<&str> {
        self.get(letter).ok_or_else(|| Failure::Syntax(format!("option -{letter} is missing")))
    }

    /// Whether a list that the options narrow down holds what has this value.
    pub(crate) fn admit(&self, letter: char, value: &str) -> bool {
        self.get(letter).is_none_or(|wanted| wanted == value)
    }

    /// Joins the fields of a list's line.
    pub(crate) fn join(&self, fields: &[&str]) -> String {
        // C: \x01 unless -fC names another.
        fields.join(self.get('f').unwrap_or("\u{1}"))
    }
}
