//! A line of what a server answers to a command, in IMAP (RFC 9051) and POP3 (RFC 1939).
//!
//! Only its status and its response code count. Texts differ between versions, with one exception:
//! Dovecot gives a mailbox that does not exist no code (seen with 2.3.19).

use crate::text::{cut, escaped};

/// How much of a line is listened to, in bytes. Dovecot's longest, its capabilities, has some 700.
pub(crate) const MAX_LINE: usize = 4096;

/// How many characters of a server's words are shown.
const SHOWN: usize = 80;

/// The longest response code, in characters. The longest of RFC 5530 has 20.
const MAX_CODE: usize = 32;

/// What a line says of the command that was sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    /// Nothing: it is a part of the answer.
    Part,
    Done,
    /// It is not done, for this reason.
    Refused(Reason),
    /// The server ends the connection, for this reason.
    Bye(Reason),
    /// This is none of the protocol.
    Foreign(String),
}

/// Why a server does not do something.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Reason {
    /// The response code in capitals, without its brackets; empty where there is none.
    pub(crate) code: String,
    /// The status and all behind it, short and printable.
    pub(crate) words: String,
}

/// Reads a line of IMAP; `tag` is the command's.
pub(crate) fn imap(line: &[u8], tag: &str) -> Reply {
    let text = text(line);
    let (first, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let status = rest.split(' ').next().unwrap_or_default().to_ascii_uppercase();
    match (first, status.as_str()) {
        ("*", "BYE") => Reply::Bye(reason(rest)),
        ("*", _) => Reply::Part,
        (one, "OK") if one == tag => Reply::Done,
        (one, "NO" | "BAD") if one == tag => Reply::Refused(reason(rest)),
        _ => Reply::Foreign(shown(&text)),
    }
}

/// Reads a line of POP3 that is the first of an answer.
pub(crate) fn pop3(line: &[u8]) -> Reply {
    let text = text(line);
    match text.split(' ').next() {
        Some("+OK") => Reply::Done,
        Some("-ERR") => Reply::Refused(reason(&text)),
        _ => Reply::Foreign(shown(&text)),
    }
}

/// Whether the code or the words of a refusal say that there is no such mailbox.
pub(crate) fn is_missing(reason: &Reason) -> bool {
    const WORDS: &str = "mailbox doesn't exist";
    reason.code == "NONEXISTENT"
        || reason.code.is_empty() && reason.words.to_ascii_lowercase().contains(WORDS)
}

fn text(line: &[u8]) -> String {
    let line = line.get(..MAX_LINE).unwrap_or(line);
    String::from_utf8_lossy(line).trim_end().to_owned()
}

/// What stands behind a tag: a status, a code in brackets, a text.
fn reason(rest: &str) -> Reason {
    let behind = rest.split_once(' ').map_or("", |(_, behind)| behind);
    let code = behind.strip_prefix('[').and_then(|code| code.split([']', ' ']).next());
    let is_code = |c: char| c.is_ascii_alphanumeric() || "-/_.".contains(c);
    let code = code.filter(|code| code.len() <= MAX_CODE && code.chars().all(is_code));
    Reason { code: code.unwrap_or_default().to_ascii_uppercase(), words: shown(rest) }
}

/// A text that a server said, short and printable.
pub(super) fn shown(text: &str) -> String {
    let text = text.trim_end();
    let some: String = text.chars().take(SHOWN + 1).collect();
    cut(&escaped(&some), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;
    use crate::test_bytes::{self, pieces};
    use proptest::prelude::*;

    fn reason(code: &str, words: &str) -> Reason {
        Reason { code: code.into(), words: words.into() }
    }

    #[test]
    fn the_line_with_the_commands_tag_says_what_became_of_it() {
        let refused = |code: &str, words: &str| Reply::Refused(reason(code, words));
        for (line, expected) in [
            ("b OK Logged in", Reply::Done),
            ("b ok [CAPABILITY IMAP4rev1] x\r", Reply::Done),
            ("b OK", Reply::Done),
            (
                "b NO [AUTHENTICATIONFAILED] Authentication failed.",
                refused("AUTHENTICATIONFAILED", "NO [AUTHENTICATIONFAILED] Authentication failed."),
            ),
            ("b no [limit x] y", refused("LIMIT", "no [limit x] y")),
            ("b BAD what", refused("", "BAD what")),
            ("b NO [\u{1b}x] y", refused("", "NO [\\u{1b}x] y")),
            ("b NO", refused("", "NO")),
            ("* 3 EXISTS", Reply::Part),
            ("* OK [UNSEEN 1] x", Reply::Part),
            ("* NO disk", Reply::Part),
            ("* BYE [UNAVAILABLE] x", Reply::Bye(reason("UNAVAILABLE", "BYE [UNAVAILABLE] x"))),
            ("a OK that of another", Reply::Foreign("a OK that of another".into())),
            ("b MAYBE", Reply::Foreign("b MAYBE".into())),
            ("", Reply::Foreign(String::new())),
            ("+ go on", Reply::Foreign("+ go on".into())),
        ] {
            assert_eq!(imap(line.as_bytes(), "b"), expected, "{line:?}");
        }
    }

    #[test]
    fn pop3_has_two_words_and_the_code_behind_them() {
        assert_eq!(pop3(b"+OK Logged in.\r"), Reply::Done);
        let words = "-ERR [AUTH] Authentication failed.";
        assert_eq!(pop3(words.as_bytes()), Reply::Refused(reason("AUTH", words)));
        let words = "-ERR [SYS/TEMP] later";
        assert_eq!(pop3(words.as_bytes()), Reply::Refused(reason("SYS/TEMP", words)));
        assert_eq!(pop3(b"+OKAY"), Reply::Foreign("+OKAY".into()));
    }

    #[test]
    fn a_missing_mailbox_is_known_by_its_code_or_where_there_is_none_by_dovecots_words() {
        for (line, missing) in [
            ("b NO Mailbox doesn't exist: dovecot-ark (0.001 + 0.000 secs).", true),
            ("b NO [NONEXISTENT] Unknown mailbox", true),
            ("b NO [SERVERBUG] Mailbox doesn't exist", false),
            ("b NO [NOPERM] Permission denied", false),
            ("b NO x", false),
        ] {
            let Reply::Refused(reason) = imap(line.as_bytes(), "b") else { panic!("{line}") };
            assert_eq!(is_missing(&reason), missing, "{line}");
        }
    }

    /// What answers are made of.
    const WORDS: &[&str] = &[
        "b",
        "*",
        " ",
        " ",
        "OK",
        "NO",
        "BAD",
        "BYE",
        "no",
        "+OK",
        "-ERR",
        "[",
        "]",
        "+",
        "[SERVERBUG]",
        "[AUTHENTICATIONFAILED]",
        "[SYS/TEMP]",
        "[NONEXISTENT]",
        "\r",
        "\n",
        "\0",
        "Mailbox doesn't exist: x",
        "{12}",
        "\u{1b}[2J",
        "\u{202e}",
        "あ",
    ];

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn any_line_is_understood_in_a_few_printable_words(line in pieces(WORDS, 10)) {
            invariants::reply(&line);
        }
    }
}
