//! A server's first words, and what they say of it.
//!
//! The protocol is told by the words and never by the port, and a greeting's text, which every
//! administrator may choose, is not looked at: only its status is. One text is Dovecot's own and
//! no greeting: `* OK Waiting for authentication process to respond..` (seen with 2.3.19 and
//! 2.4.1) comes after 10 s when no login could succeed.

use std::fmt;

use crate::text::{cut, escaped};

/// The longest first line, in bytes. Dovecot's longest greetings have some hundred.
pub(crate) const MAX_LINE: usize = 4096;

/// How Dovecot's login process says that it has no authentication.
const WAITING: &str = "Waiting for authentication process";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    /// RFC 9051.
    Imap,
    /// RFC 1939.
    Pop3,
    /// Submission and LMTP, which begin alike (RFC 5321, RFC 2033).
    Smtp,
    /// RFC 5804.
    ManageSieve,
}

impl Protocol {
    /// The words with which a client takes its leave.
    pub(crate) const fn farewell(self) -> &'static [u8] {
        match self {
            Self::Imap => b"a LOGOUT\r\n",
            Self::Pop3 | Self::Smtp => b"QUIT\r\n",
            Self::ManageSieve => b"LOGOUT\r\n",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Smtp => "SMTP or LMTP",
            Self::ManageSieve => "ManageSieve",
        })
    }
}

/// What follows from the words so far.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Judgement {
    /// Nothing yet: the line has not ended.
    More,
    /// The server is ready for a client.
    Ready(Protocol),
    /// It says that it is not, in these words.
    NotReady(String),
    /// This is none of the protocols that Dovecot speaks.
    Foreign(String),
}

pub(crate) fn judge(heard: &[u8]) -> Judgement {
    // One that is too long is not judged by where its pieces happened to be split.
    let heard = heard.get(..MAX_LINE).unwrap_or(heard);
    let line = match heard.iter().position(|byte| *byte == b'\n') {
        Some(end) => heard.get(..end).unwrap_or(heard),
        None if heard.len() < MAX_LINE => return Judgement::More,
        None => return Judgement::Foreign(shown(heard)),
    };
    let text = String::from_utf8_lossy(line);
    let mut words = text.trim_end().split(' ');
    let rest = |skipped: usize| text.trim_end().splitn(skipped + 1, ' ').last().unwrap_or("");
    let not_ready = || Judgement::NotReady(shown(line));
    let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    match (first, second.to_ascii_uppercase().as_str()) {
        ("*", "OK" | "PREAUTH") if rest(2).starts_with(WAITING) => not_ready(),
        ("*", "OK" | "PREAUTH") => Judgement::Ready(Protocol::Imap),
        ("*", "BYE" | "NO" | "BAD") | ("-ERR", _) => not_ready(),
        ("+OK", _) => Judgement::Ready(Protocol::Pop3),
        _ if is_code(first, b'2') => Judgement::Ready(Protocol::Smtp),
        _ if is_code(first, b'4') || is_code(first, b'5') => not_ready(),
        _ if first.eq_ignore_ascii_case("\"IMPLEMENTATION\"") => {
            Judgement::Ready(Protocol::ManageSieve)
        }
        _ if ["BYE", "NO"].iter().any(|word| first.eq_ignore_ascii_case(word)) => not_ready(),
        _ => Judgement::Foreign(shown(line)),
    }
}

/// A reply code of SMTP, alone or before the hyphen of a reply that goes on.
fn is_code(word: &str, class: u8) -> bool {
    let (code, after) = word.as_bytes().split_at_checked(3).unwrap_or((b"", b""));
    code.first() == Some(&class)
        && code.iter().all(u8::is_ascii_digit)
        && after.first().is_none_or(|byte| *byte == b'-')
}

/// The beginning of words, enough to know them again, without anything that is not to be printed.
fn shown(words: &[u8]) -> String {
    const ENOUGH: usize = 60;
    let text = String::from_utf8_lossy(words.get(..words.len().min(4 * ENOUGH)).unwrap_or(words));
    cut(&escaped(text.trim()), ENOUGH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;
    use crate::test_bytes::{self, pieces};
    use proptest::prelude::*;

    #[test]
    fn a_server_that_is_ready_is_known_by_its_status_whatever_its_text() {
        for (line, protocol) in [
            ("* OK [CAPABILITY IMAP4rev1 SASL-IR] Dovecot (Debian) ready.\r\n", Protocol::Imap),
            ("* ok あ\n", Protocol::Imap),
            ("* PREAUTH hello\r\n", Protocol::Imap),
            ("* OK\r\n", Protocol::Imap),
            ("+OK Dovecot ready.\r\n", Protocol::Pop3),
            ("+OK\r\n", Protocol::Pop3),
            ("220 mail.example.com ESMTP\r\n", Protocol::Smtp),
            ("220-mail.example.com\r\n220 go on\r\n", Protocol::Smtp),
            ("220\r\n", Protocol::Smtp),
            ("\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n\"SIEVE\"", Protocol::ManageSieve),
        ] {
            assert_eq!(judge(line.as_bytes()), Judgement::Ready(protocol), "{line:?}");
        }
    }

    #[test]
    fn a_server_that_says_that_it_is_not_ready_is_believed() {
        for line in [
            "* BYE Auth process broken\r\n",
            "* OK Waiting for authentication process to respond..\r\n",
            "-ERR [SYS/TEMP] try later\r\n",
            "421 4.3.2 shutting down\r\n",
            "554 no\r\n",
            "BYE \"not now\"\r\n",
            "NO\r\n",
        ] {
            let expected = Judgement::NotReady(line.trim().into());
            assert_eq!(judge(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn another_protocol_is_named_by_its_beginning() {
        for (line, shown) in [
            ("SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
            ("HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400 Bad Request"),
            ("\r\n", ""),
            ("*OK\n", "*OK"),
            ("22 x\n", "22 x"),
            ("2200 x\n", "2200 x"),
            ("+OKAY\n", "+OKAY"),
            ("\u{1b}[31m\0\n", "\\u{1b}[31m\\0"),
        ] {
            assert_eq!(judge(line.as_bytes()), Judgement::Foreign(shown.into()), "{line:?}");
        }
        let endless = vec![b'x'; MAX_LINE];
        let Judgement::Foreign(shown) = judge(&endless) else { panic!("it never ends") };
        assert_eq!(shown, format!("{}…", "x".repeat(60)));
    }

    #[test]
    fn a_line_that_has_not_ended_says_nothing_yet() {
        for heard in ["", "*", "* OK", "* BYE going", &"x".repeat(MAX_LINE - 1)] {
            assert_eq!(judge(heard.as_bytes()), Judgement::More, "{heard:.20}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_judged_alike_wherever_it_is_split() {
        let long = [b"* OK ".as_slice(), &[b'x'; MAX_LINE], b"\n"].concat();
        assert!(matches!(judge(&long), Judgement::Foreign(_)));
        assert_eq!(judge(&long), judge(&long[..MAX_LINE]));
    }

    /// What greetings are made of.
    const WORDS: &[&str] = &[
        "*",
        " ",
        "OK",
        "ok",
        "PREAUTH",
        "BYE",
        "NO",
        "+OK",
        "-ERR",
        "220",
        "421",
        "554",
        "-",
        "\r\n",
        "\n",
        "\"IMPLEMENTATION\"",
        "Waiting for authentication process",
        "Dovecot ready.",
        "\u{1b}[2J",
        "\0",
        "[CAPABILITY IMAP4rev1]",
    ];

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn any_words_are_judged_once_for_all_and_shown_in_a_few(heard in pieces(WORDS, 8)) {
            invariants::greeting(&heard);
        }

        #[test]
        fn the_status_decides_whatever_text_follows(text in "[^\n]{0,80}", after: Vec<u8>) {
            prop_assume!(!text.starts_with(WAITING));
            let heard = |status: &str| {
                [status.as_bytes(), b" ", text.as_bytes(), b"\n", &after].concat()
            };
            for (status, protocol) in [
                ("* OK", Protocol::Imap),
                ("* Preauth", Protocol::Imap),
                ("+OK", Protocol::Pop3),
                ("220", Protocol::Smtp),
                ("\"Implementation\"", Protocol::ManageSieve),
            ] {
                prop_assert_eq!(judge(&heard(status)), Judgement::Ready(protocol), "{}", status);
            }
            for status in ["* BYE", "* no", "-ERR", "421", "554", "Bye", "NO"] {
                let judged = judge(&heard(status));
                prop_assert!(matches!(judged, Judgement::NotReady(_)), "{status}: {judged:?}");
            }
        }
    }
}
