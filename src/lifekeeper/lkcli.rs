//! The options of an `lkcli` command, read from its help.
//!
//! lkcli came with LifeKeeper 9.5.0, and how its options are spelt is not published. So nothing is
//! taken for granted: an option is used when the help shows it, and a command when the help shows
//! all that is needed and asks for nothing else. Which form the help has is a guess: a usage line,
//! `--tag <tag> [--switchback <intelligent|automatic>]`. Of any other form too little is understood,
//! and lkcli is not used: a resource that is created by hand hurts less than a wrong one.

use super::installation::LifeKeeper;
use crate::command::End;
use crate::system::System;

/// The most options that a help shows; what has more is no help. Real ones have some ten.
pub(crate) const MAX_OPTIONS: usize = 200;

/// How much is read of what follows an option, in bytes.
pub(crate) const MAX_VALUE: usize = 1 << 10;

/// An option as the help shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct HelpOption {
    /// With its dashes.
    pub(crate) spelling: String,
    /// The words it takes, where the help lists more than one.
    pub(crate) words: Vec<String>,
    pub(crate) required: bool,
}

/// The options of one command.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Help(pub(crate) Vec<HelpOption>);

impl LifeKeeper {
    /// Asks a command of lkcli for its help.
    ///
    /// # Errors
    ///
    /// A sentence when there is no lkcli, or it did not answer.
    pub(super) fn help(&self, system: &impl System, command: &[&str]) -> Result<Help, String> {
        if self.program("bin/lkcli").is_none() {
            return Err("this LifeKeeper has no lkcli (it came with 9.5.0)".into());
        }
        let ended = self.ask(system, "lkcli", &[command, &["--help"]].concat());
        match ended.end {
            // Some programs call a question for help a failure.
            End::Exited(_) => Ok(Help::parse(&format!("{}\n{}", ended.answer, ended.output))),
            _ => Err(format!("`lkcli {} --help`: {ended}", command.join(" "))),
        }
    }
}

impl Help {
    /// Reads a help text: in its usage, an option outside brackets is required.
    pub(crate) fn parse(text: &str) -> Self {
        let mut help = Self::default();
        let mut usage = false;
        for line in text.lines().map(str::trim) {
            let begins = line.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("usage"));
            usage = !line.is_empty() && (usage || begins);
            let mut depth = 0_i32;
            for (at, c) in line.char_indices() {
                match c {
                    '[' => depth += 1,
                    ']' => depth -= 1,
                    _ => {}
                }
                let Some(mut choice) = choice(line, at) else { continue };
                choice.required = usage && depth <= 0;
                match help.0.iter_mut().find(|old| old.spelling == choice.spelling) {
                    Some(old) => old.required |= choice.required,
                    None => help.0.push(choice),
                }
                if help.0.len() > MAX_OPTIONS {
                    return Self::default();
                }
            }
        }
        help
    }

    /// Finds an option by one of its names, whatever their case and their dashes.
    pub(crate) fn find(&self, names: &[&str]) -> Option<&HelpOption> {
        self.0.iter().find(|choice| names.contains(&plain(&choice.spelling).as_str()))
    }

    /// An option that is required and not among those that are given.
    pub(crate) fn unmet(&self, given: &[&HelpOption]) -> Option<&HelpOption> {
        self.0.iter().find(|choice| choice.required && !given.contains(choice))
    }
}

impl HelpOption {
    /// The listed word that means `wanted`; `wanted` itself where none are listed.
    pub(crate) fn word(&self, wanted: &str) -> Option<String> {
        if self.words.is_empty() {
            return Some(wanted.to_owned());
        }
        self.words.iter().find(|word| word.eq_ignore_ascii_case(wanted)).cloned()
    }
}

/// The option that begins at a place of a line, if one does.
fn choice(line: &str, at: usize) -> Option<HelpOption> {
    let (before, rest) = line.split_at_checked(at)?;
    let rest = rest.strip_prefix("--")?;
    if before.ends_with(|c: char| !c.is_whitespace() && !"[(|,".contains(c)) {
        return None;
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    let (name, value) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let spelling = format!("--{name}");
    let value = value.get(..value.floor_char_boundary(MAX_VALUE)).unwrap_or(value);
    Some(HelpOption { spelling, words: words(value), required: false })
}

/// The words in what follows an option, ` <a|b>`.
fn words(value: &str) -> Vec<String> {
    let inside = value.strip_prefix(" <").and_then(|rest| rest.split('>').next());
    let words: Vec<String> = inside
        .unwrap_or_default()
        .split('|')
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    if words.len() > 1 { words } else { Vec::new() }
}

/// A name without dashes and case.
pub(crate) fn plain(spelling: &str) -> String {
    spelling.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;
    use crate::test_bytes::{self, pieces};
    use proptest::prelude::*;

    const LINE: &str = "Usage: lkcli resource create gen --tag <tag> --restore <path> \
        [--quickCheck <path>] [--switchback <intelligent|automatic>] [-x]";

    #[test]
    fn options_are_found_however_they_are_spelt() {
        let found = |text: &str, name: &str| {
            Help::parse(text).find(&[name]).map(|choice| choice.spelling.clone())
        };
        for (text, name, spelling) in [
            (LINE, "tag", "--tag"),
            (LINE, "quickcheck", "--quickCheck"),
            (LINE, "switchback", "--switchback"),
            ("x [--quick_check <path>|--tag <tag>]", "quickcheck", "--quick_check"),
            ("x --in-service <YES|NO>", "inservice", "--in-service"),
        ] {
            assert_eq!(found(text, name).as_deref(), Some(spelling), "{text}");
        }
        for text in
            ["", "a--tag", "-- tag", "---tag", "-tag", "--9", "lkcli: unknown command", "\u{0}--"]
        {
            assert_eq!(found(text, "tag"), None, "{text:?}");
        }
    }

    #[test]
    fn the_words_that_an_option_takes_are_those_that_the_help_lists() {
        let help = Help::parse(&format!("{LINE} [--start <YES|NO>]"));
        let word = |name: &str, wanted: &str| help.find(&[name]).expect("the option").word(wanted);
        assert_eq!(word("switchback", "intelligent").as_deref(), Some("intelligent"));
        assert_eq!(word("switchback", "never"), None);
        assert_eq!(word("start", "no").as_deref(), Some("NO"));
        assert_eq!(word("tag", "mail").as_deref(), Some("mail"), "any word will do");
    }

    #[test]
    fn an_option_that_is_required_and_not_given_is_named() {
        for (text, unmet) in [
            (LINE, Some("--restore")),
            ("usage: x [--tag <t>] [--more <m>]", None),
            ("usage: x --tag <t>\n  [--a <a>]\n  --b <b>\n\n  --c <c>", Some("--b")),
            ("usage: x [--tag <t>] [--a <a>]\n\n  --a <a>  an option", None),
        ] {
            let help = Help::parse(text);
            let tag = help.find(&["tag"]).expect("the option");
            let found = help.unmet(&[tag]).map(|choice| choice.spelling.as_str());
            assert_eq!(found, unmet, "{text}");
        }
    }

    #[test]
    fn a_text_that_shows_options_without_end_is_no_help_and_fills_no_memory() {
        let endless: Vec<String> = (0..4_000).map(|n| format!("--o{n} <a|")).collect();
        assert_eq!(Help::parse(&format!("{}>", endless.concat())), Help::default());
        let some = endless.iter().take(MAX_OPTIONS).map(String::as_str).collect::<Vec<_>>();
        let help = Help::parse(&format!("{}{}>", some.concat(), "b|".repeat(40_000)));
        assert_eq!(help.0.len(), MAX_OPTIONS);
        let longest = help.0.iter().map(|choice| choice.words.len()).max();
        assert!(longest.is_some_and(|words| (2..=MAX_VALUE / 2).contains(&words)), "{longest:?}");
    }

    /// What a help is made of.
    const WORDS: &[&str] = &[
        "usage:",
        "Usage: lkcli",
        "\n",
        "\n\n",
        " ",
        "  ",
        "[",
        "]",
        "|",
        "<",
        ">",
        "--",
        "-",
        "--tag",
        "--quick-check",
        "--in_service",
        "-x",
        "yes|no",
        "<a|b>",
        "PATH",
        "\t",
        "\u{1b}",
    ];

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn any_text_shows_options_that_stand_in_it(text in pieces(WORDS, 40)) {
            invariants::lkcli(&text);
        }

        #[test]
        fn options_are_found_in_any_order_and_the_required_ones_are_asked_for(
            options in prop::collection::btree_map(
                "[a-z][a-z0-9]{0,8}",
                (any::<bool>(), prop::collection::vec("[a-zA-Z]{1,5}", 2..5)),
                1..9,
            ),
        ) {
            let written = |(name, (required, words)): (&String, &(bool, Vec<String>))| {
                let option = format!("--{name} <{}>", words.join("|"));
                if *required { format!(" {option}") } else { format!(" [{option}]") }
            };
            let text: String = options.iter().map(written).collect();
            let help = Help::parse(&format!("Usage: lkcli x{text}\n"));
            prop_assert_eq!(help.0.len(), options.len(), "{}", text);
            for (name, (required, words)) in &options {
                let found = help.find(&[name]).expect("the option");
                prop_assert_eq!((&found.words, found.required), (words, *required), "{}", text);
            }
            let given: Vec<&HelpOption> = help.0.iter().filter(|choice| choice.required).collect();
            prop_assert_eq!(help.unmet(&given), None);
            prop_assert_eq!(help.unmet(&[]).is_some(), options.values().any(|(must, _)| *must));
        }
    }
}
