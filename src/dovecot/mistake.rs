//! A mistake in the configuration that keeps Dovecot from starting.
//!
//! The question is the one that Dovecot itself asks at a start: `doveconf -nx` reads the
//! configuration and opens the files that its settings name, a key, `ssl_dh`, `ssl_ca` (seen with
//! 2.0.9 to 2.4.1; `-n` alone opens none of them). Before 2.0 it is `dovecot -n`. Standard output
//! holds the keys.
//!
//! The answer spares a server that serves, and ends further tries of one that does not start. It
//! never takes the place of the first start command: a unit may make the file before it starts
//! Dovecot. A wrong yes would leave a serving server alone, or cost the second and third try of one
//! whose first has failed; a wrong no stops a server that serves.

use std::time::Duration;

use log::debug;

use super::instance::Instance;
use crate::command::{CommandOutput, End};
use crate::messages::{Message, warning};
use crate::system::System;
use crate::text::{cut, one_line};

/// The longest that `look` may take; it takes 8 ms, with 2.4 13 ms.
pub const LIMIT: Duration = Duration::from_secs(5);

/// How doveconf and Dovecot end when the configuration is broken (seen with 1.2 to 2.4.1), and when
/// they do not know an option (to 2.3.19).
const BROKEN: i32 = 89;

/// How they end when they do not know an option (`EX_USAGE`; doveadm of 2.4.1).
const USAGE: i32 = 64;

/// How many characters of the reason are told.
const MAX_TOLD: usize = 300;

/// Whether Dovecot can read its configuration.
#[must_use]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Readable {
    Yes,
    /// It cannot, for this reason in its own words: file, line and cause.
    No(String),
    /// Nobody tells, for this reason.
    Unknown(String),
}

impl Readable {
    /// The mistake, where one is known. What is not known is not the cause of anything; but a
    /// question without an end is worth a warning: the next start will hang as it did.
    pub(crate) fn mistake(self) -> Option<String> {
        match self {
            Self::Yes => None,
            Self::No(mistake) => Some(mistake),
            Self::Unknown(cause) => {
                warning!(
                    Message::ConfigurationUnknown,
                    "whether Dovecot can read its configuration is not known: {cause}"
                );
                None
            }
        }
    }
}

/// Asks Dovecot whether it can read its configuration. It runs in a process group of its own: a FIFO
/// where a key should be makes it hang, and the start too.
pub(crate) fn look(system: &impl System, instance: &Instance) -> Readable {
    let start = system.now();
    let ask = |tool, option, limit| {
        let command = instance.command(system, tool, &[option])?.secret();
        let ended = system.run(&command, limit);
        debug!("`{command}`: {}", ended.end);
        Some((command, ended))
    };
    let asked = match ask("doveconf", "-nx", LIMIT) {
        Some((_, ended)) if is_refused(&ended) => {
            ask("doveconf", "-n", (start + LIMIT).saturating_sub(system.now()))
        }
        None => ask("dovecot", "-n", LIMIT),
        asked => asked,
    };
    let Some((command, ended)) = asked else {
        return Readable::Unknown("there is neither doveconf nor dovecot to be asked".into());
    };
    match ended.end {
        End::Exited(0) => Readable::Yes,
        End::Exited(BROKEN) => Readable::No(
            reason(&ended.output).unwrap_or_else(|| "Dovecot does not say why".to_owned()),
        ),
        _ => Readable::Unknown(format!(
            "`{command}`: {}",
            CommandOutput { output: String::new(), ..ended }
        )),
    }
}

/// Whether it does not know the option: it gives no reason then.
fn is_refused(ended: &CommandOutput) -> bool {
    matches!(ended.end, End::Exited(BROKEN | USAGE)) && reason(&ended.output).is_none()
}

/// The sentence among what is printed: of several the first with a line of a file, because 1.2 says
/// after it only which file is broken; else the last. Nothing else is told: it may be a secret.
fn reason(words: &str) -> Option<String> {
    let marks = ["Fatal: ", "Error: "];
    let sentences: Vec<&str> = words
        .lines()
        .filter_map(|line| {
            let begin =
                marks.iter().filter_map(|mark| Some(line.find(mark)? + mark.len())).min()?;
            line.get(begin..)
        })
        .collect();
    let sentence = sentences.iter().find(|one| has_line(one)).or(sentences.last())?.trim();
    let sentence =
        marks.iter().fold(sentence, |rest, mark| rest.strip_prefix(mark).unwrap_or(rest));
    Some(cut(&one_line(sentence), MAX_TOLD))
}

/// Whether a sentence names a line: `… file F line 3: …`.
fn has_line(sentence: &str) -> bool {
    sentence
        .split(" line ")
        .skip(1)
        .any(|rest| rest.split_once(':').is_some_and(|(number, _)| number.parse::<u32>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{Machine, words};

    const LINE: &str = "Error in configuration file /etc/dovecot/local.conf line 15: ssl_dh: Can't \
                        open file /x: No such file or directory";

    fn asked(answers: &[(&str, End, &str)]) -> (Readable, Machine) {
        let machine = Machine::new();
        machine.state().programs.push("doveconf");
        for (line, end, words) in answers {
            machine.complain(line, end.clone(), words);
        }
        (look(&machine, &Instance::default()), machine)
    }

    #[test]
    fn the_reason_is_dovecots_own_sentence_and_nothing_else_is_told() {
        for (words, sentence) in [
            (&*format!("doveconf: Fatal: {LINE}\n"), Some(LINE)),
            (
                // 1.2
                "Error: Error in configuration file /etc/dovecot.conf line 7: Unknown setting: x\n\
                 Fatal: Invalid configuration in /etc/dovecot.conf\n",
                Some("Error in configuration file /etc/dovecot.conf line 7: Unknown setting: x"),
            ),
            (
                // 2.3.13 beside any reason
                "doveconf: Error: t_readlink(/run/dovecot/dovecot.conf) failed: no\n\
                 doveconf: Fatal: Error in configuration file /x line 2: Garbage after '{'\n",
                Some("Error in configuration file /x line 2: Garbage after '{'"),
            ),
            (
                "doveconf: Fatal: open(/etc/dovecot/dovecot.conf) failed: No such file\n",
                Some("open(/etc/dovecot/dovecot.conf) failed: No such file"),
            ),
            ("-----BEGIN PRIVATE KEY-----\nline 3: x\n", None),
            ("doveconf: invalid option -- 'x'\n", None),
            ("", None),
        ] {
            assert_eq!(reason(words).as_deref(), sentence, "{words}");
        }
        let long = format!("Fatal: {}", "あ".repeat(999));
        assert_eq!(reason(&long).map(|words| words.chars().count()), Some(MAX_TOLD + 1));
    }

    #[test]
    fn an_option_that_is_not_known_is_no_mistake() {
        for status in [89, 64] {
            let refused = ("doveconf -nx", End::Exited(status), "doveconf: invalid option -- 'x'");
            let (sound, machine) = asked(&[refused.clone(), ("doveconf -n", End::Exited(0), "")]);
            assert_eq!(sound, Readable::Yes);
            assert_eq!(machine.deeds(), ["doveconf -nx", "doveconf -n"]);
            let broken = ("doveconf -n", End::Exited(89), "doveconf: Fatal: file F line 2: bad");
            assert_eq!(asked(&[refused, broken]).0, Readable::No("file F line 2: bad".into()));
        }
    }

    #[test]
    fn before_2_0_dovecot_itself_is_asked() {
        let machine = Machine::new();
        let told = "Error: Error in configuration file /etc/dovecot.conf line 7: Unknown setting: x\n\
                    Fatal: Invalid configuration in /etc/dovecot.conf\n";
        machine.complain("dovecot -n", End::Exited(89), told);
        let mistake = "Error in configuration file /etc/dovecot.conf line 7: Unknown setting: x";
        assert_eq!(look(&machine, &Instance::default()), Readable::No(mistake.into()));
        machine.state().programs.clear();
        let nobody = look(&machine, &Instance::default());
        assert!(matches!(nobody, Readable::Unknown(_)), "{nobody:?}");
    }

    #[test]
    fn who_does_not_answer_in_time_or_ends_otherwise_has_said_nothing() {
        let (unknown, _) = asked(&[("doveconf", End::Signalled(11), "Fatal: file F line 2: x")]);
        assert_eq!(unknown, Readable::Unknown("`doveconf -nx`: ended by signal 11".into()));
        let machine = Machine::new();
        machine.state().programs.push("doveconf");
        machine.answer("doveconf", End::Exited(89), Duration::MAX, "");
        let hung = look(&machine, &Instance::default());
        assert_eq!((machine.now(), machine.deeds().len()), (LIMIT, 1));
        assert_eq!(hung.mistake(), None);
        let told = "WARN: whether Dovecot can read its configuration is not known: `doveconf -nx`: no \
                    end after 5 s";
        assert_eq!(words(), [told]);
    }
}
