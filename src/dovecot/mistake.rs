//! A mistake in the configuration that keeps Dovecot from starting.

use std::time::Duration;

use log::debug;

use crate::system::{Command, End, System};

/// The longest that reading the configuration may take; it takes 7 ms, with 2.4 19 ms.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// How doveconf and Dovecot end when the configuration is broken (seen with 2.3.19 and 2.4.1).
const BROKEN: i32 = 89;

/// Says in Dovecot's own words why the configuration cannot be used: file, line and reason.
/// `None` when it can, and when nobody tells: then it is not known to be the cause of anything.
pub(crate) fn look(system: &impl System) -> Option<String> {
    let command = Command::new(system.program("doveconf")?, &["-n"]).asked();
    let ended = system.run(&command, LIMIT);
    debug!("`{command}`: {:?}: {}", ended.end, ended.output.trim());
    if ended.end != End::Exited(BROKEN) {
        return None;
    }
    Some(reason(&ended.output))
}

/// The sentence in what doveconf prints.
fn reason(words: &str) -> String {
    let line = words.lines().rfind(|line| line.contains("Fatal:") || line.contains("Error:"));
    let line = line.or_else(|| words.lines().rfind(|line| !line.trim().is_empty()));
    let line = line.unwrap_or("doveconf does not say why").trim();
    let sentence = ["doveconf: ", "Fatal: ", "Error: "]
        .iter()
        .fold(line, |rest, head| rest.strip_prefix(head).unwrap_or(rest));
    sentence.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_dovecots_own_sentence() {
        for (words, sentence) in [
            (
                "doveconf: Fatal: Error in configuration file /etc/dovecot/local.conf line 15: \
                 Garbage after '{'\n",
                "Error in configuration file /etc/dovecot/local.conf line 15: Garbage after '{'",
            ),
            (
                "doveconf: Warning: old\ndoveconf: Error: Unknown setting: x\n\n",
                "Unknown setting: x",
            ),
            ("something else\n", "something else"),
            ("", "doveconf does not say why"),
        ] {
            assert_eq!(reason(words), sentence);
        }
    }
}
