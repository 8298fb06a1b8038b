//! The options of an `lkcli` command, read from its help.
//!
//! lkcli came with LifeKeeper 9.5.0, and how its options are spelt is not published. So nothing is
//! taken for granted: an option is used when the help shows it, and a command when the help shows
//! all that is needed and asks for nothing else.

use super::installation::LifeKeeper;
use crate::system::{End, System};

/// An option as the help shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Choice {
    /// With its dashes.
    pub(super) spelling: String,
    /// The words it takes, where the help lists more than one.
    pub(super) words: Vec<String>,
    required: bool,
}

/// The options of one command.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Help(Vec<Choice>);

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
    /// Reads a help text. In a usage line an option outside brackets is required; elsewhere one
    /// whose line says so.
    pub(super) fn parse(text: &str) -> Self {
        let mut help = Self::default();
        let mut usage = false;
        for line in text.lines() {
            let words = line.to_ascii_lowercase();
            usage = !words.trim().is_empty() && (usage || words.trim_start().starts_with("usage"));
            let says_so = words.contains("required") || words.contains("mandatory");
            let mut depth = 0_i32;
            for (at, c) in line.char_indices() {
                match c {
                    '[' => depth += 1,
                    ']' => depth -= 1,
                    _ => {}
                }
                if let Some(mut choice) = choice(line, at) {
                    choice.required = says_so || (usage && depth <= 0);
                    help.add(choice);
                }
            }
        }
        help
    }

    fn add(&mut self, new: Choice) {
        match self.0.iter_mut().find(|old| old.spelling == new.spelling) {
            Some(old) => {
                old.required |= new.required;
                if old.words.is_empty() {
                    old.words = new.words;
                }
            }
            None => self.0.push(new),
        }
    }

    /// Finds an option by one of its names, whatever their case and their dashes.
    pub(super) fn find(&self, names: &[&str]) -> Option<&Choice> {
        self.0.iter().find(|choice| names.contains(&plain(&choice.spelling).as_str()))
    }

    /// An option that is required and not among those that are given.
    pub(super) fn unmet(&self, given: &[&Choice]) -> Option<&Choice> {
        self.0.iter().find(|choice| choice.required && !given.contains(choice))
    }
}

impl Choice {
    /// The listed word that means `wanted`; `wanted` itself where none are listed.
    pub(super) fn word(&self, wanted: &str) -> Option<String> {
        if self.words.is_empty() {
            return Some(wanted.to_owned());
        }
        self.words.iter().find(|word| word.eq_ignore_ascii_case(wanted)).cloned()
    }
}

/// The option that begins at a place of a line, if one does.
fn choice(line: &str, at: usize) -> Option<Choice> {
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
    Some(Choice { spelling, words: words(value), required: false })
}

/// The words in what follows an option: `<a|b>`, `{a,b}`, `=a|b`.
fn words(value: &str) -> Vec<String> {
    let value = value.strip_prefix(['=', ' ']).unwrap_or_default();
    let inside = [('<', '>'), ('{', '}'), ('(', ')')]
        .into_iter()
        .find_map(|(open, close)| Some(value.strip_prefix(open)?.split_once(close)?.0))
        .or_else(|| value.split([' ', '\t', ']', ')']).next())
        .unwrap_or_default();
    let words: Vec<String> = inside
        .split(['|', ','])
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    if words.len() > 1 { words } else { Vec::new() }
}

/// A name without dashes and case.
fn plain(spelling: &str) -> String {
    spelling.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "Usage: lkcli resource create gen --tag <tag> --restore <path> \
        [--quickCheck <path>] [--switchback <intelligent|automatic>] [-x]";
    const TABLE: &str = "usage: lkcli resource create gen [options]\n\noptions:\n  -h, --help\n  \
        --tag=tag  (required)\n  --quick-check=path\n  --in-service=YES|NO  yes is the default\n  \
        --mode {sync,async}  mandatory\n";

    fn spelling(text: &str, names: &[&str]) -> Option<String> {
        Help::parse(text).find(names).map(|choice| choice.spelling.clone())
    }

    #[test]
    fn options_are_found_in_a_line_and_in_a_table_however_they_are_spelt() {
        for (text, name, found) in [
            (LINE, "tag", "--tag"),
            (LINE, "quickcheck", "--quickCheck"),
            (LINE, "switchback", "--switchback"),
            (TABLE, "tag", "--tag"),
            (TABLE, "quickcheck", "--quick-check"),
            (TABLE, "inservice", "--in-service"),
            ("foo [--quick_check=PATH|--tag T]", "quickcheck", "--quick_check"),
        ] {
            assert_eq!(spelling(text, &[name]).as_deref(), Some(found), "{text}");
        }
        for text in
            ["", "a--tag", "-- tag", "---tag", "-tag", "--9", "lkcli: unknown command", "\u{0}--"]
        {
            assert_eq!(spelling(text, &["tag", "9"]), None, "{text:?}");
        }
    }

    #[test]
    fn the_words_that_an_option_takes_are_those_that_the_help_lists() {
        let (line, table) = (Help::parse(LINE), Help::parse(TABLE));
        let switchback = line.find(&["switchback"]).expect("the option");
        assert_eq!(switchback.word("intelligent").as_deref(), Some("intelligent"));
        assert_eq!(switchback.word("never"), None);
        let start = table.find(&["inservice"]).expect("the option");
        assert_eq!(start.word("no").as_deref(), Some("NO"));
        let tag = table.find(&["tag"]).expect("the option");
        assert_eq!(tag.word("mail").as_deref(), Some("mail"), "any word will do");
        assert_eq!(table.find(&["mode"]).expect("the option").words, ["sync", "async"]);
    }

    #[test]
    fn an_option_that_is_required_and_not_given_is_named() {
        for (text, unmet) in [
            (LINE, Some("--restore")),
            (TABLE, Some("--mode")),
            ("usage: x [--tag T] [--more M]", None),
            ("usage: x --tag T\n  [--a A]\n  --b B\n\n  --c C", Some("--b")),
        ] {
            let help = Help::parse(text);
            let tag = help.find(&["tag"]).expect("the option");
            let found = help.unmet(&[tag]).map(|choice| choice.spelling.as_str());
            assert_eq!(found, unmet, "{text}");
        }
    }
}
