//! Text for people: what others wrote made safe and short, lines of the log, times; and a checksum of
//! it.

use std::fmt::Write;
use std::time::Duration;

/// How many characters are enough to find it again.
const ENOUGH: usize = 80;

/// Returns a text with each character that is not to be printed as its escape: it could forge a line
/// of the log, colour a terminal, or turn the direction of writing (U+202E).
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_odd(c) {
            escaped.extend(c.escape_debug());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Returns a text as a terminal may have it: its lines, tabs and colours (SGR of ECMA-48) stay, each
/// other character that is not to be printed becomes its escape. What others wrote has lost its colours
/// before, in [`escaped`]; this is for what was forgotten.
pub(crate) fn harmless(text: &str) -> String {
    let (mut harmless, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        let (part, left) = colour(rest).unwrap_or_else(|| rest.split_at(c.len_utf8()));
        match c {
            '\n' | '\t' => harmless.push(c),
            _ if part.len() > c.len_utf8() => harmless.push_str(part),
            _ => harmless.push_str(&escaped(part)),
        }
        rest = left;
    }
    harmless
}

/// Splits a text behind the colour with which it begins, if it does.
fn colour(text: &str) -> Option<(&str, &str)> {
    let begin = "\u{1b}[";
    let numbers = text.strip_prefix(begin)?;
    let length = numbers.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
    let is_colour = numbers.get(length..)?.starts_with('m');
    is_colour.then(|| text.split_at_checked(begin.len() + length + 1))?
}

/// Returns JSON that says the same, with each character that is not to be printed as its escape of
/// RFC 8259: `serde_json` writes U+009B and U+202E as they are.
pub(crate) fn harmless_json(json: &str) -> String {
    let mut harmless = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !is_odd(c) {
            harmless.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A String cannot refuse it.
                let _ = write!(harmless, "\\u{unit:04x}");
            }
        }
    }
    harmless
}

/// Whether a character is not to be printed.
fn is_odd(c: char) -> bool {
    !['"', '\'', '\\'].contains(&c) && c.escape_debug().len() > 1
}

/// Words with commas between them.
pub(crate) fn list(words: impl IntoIterator<Item: ToString>) -> String {
    words.into_iter().map(|word| word.to_string()).collect::<Vec<_>>().join(", ")
}

/// Whether a word means itself to each shell.
pub(crate) fn is_plain(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
}

/// Joins the lines of a text into one, escaped, and leaves empty ones out.
pub(crate) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    escaped(&lines.join(" | "))
}

/// Returns the first characters, with `…` where more follow.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Returns the first characters of an escaped text, enough to find it again.
pub(crate) fn excerpt(text: &str) -> String {
    cut(&escaped(text), ENOUGH)
}

/// The longest line of the log, in characters: of a longer one the end, with the verdict, is out of
/// sight.
pub const MAX_LINE: usize = 299;

/// Puts a line together: as many of the causes as there is room for, the first in any case, between
/// its beginning and its end.
pub(crate) fn line(head: &str, causes: &[String], tail: &str) -> String {
    let length = |text: &str| text.chars().count();
    let more = |left: usize| if left == 0 { String::new() } else { format!("; {left} more") };
    let tail = if tail.is_empty() { String::new() } else { format!("; {tail}") };
    let room = MAX_LINE.saturating_sub(length(head) + length(&tail));
    let mut told = String::new();
    for (n, cause) in causes.iter().enumerate() {
        let end = more(causes.len() - n - 1);
        let next = if n == 0 { cause.clone() } else { format!("{told}; {cause}") };
        if length(&next) + length(&end) <= room {
            told = next;
        } else if n == 0 {
            let kept = room.saturating_sub(length(&end) + 1);
            told = cause.chars().take(kept).chain(['…']).collect();
        } else {
            return format!("{head}{told}{}{tail}", more(causes.len() - n));
        }
    }
    format!("{head}{told}{tail}")
}

/// Seconds, with a tenth where there is one.
pub(crate) fn seconds(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    if tenth == 0 { seconds.to_string() } else { format!("{seconds}.{tenth}") }
}

/// FNV-1a, 64 bits: a checksum on which all versions of the kit agree, while the standard library's
/// hashes may change between releases. It tells accidents apart, not forgeries.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_bytes;
    use proptest::prelude::*;

    #[test]
    fn only_a_word_that_no_shell_changes_is_plain() {
        for (word, plain) in [
            ("dovecot", true),
            ("mail-1.a/b_c", true),
            ("a b", false),
            ("$(id)", false),
            ("é", false),
        ] {
            assert_eq!(is_plain(word), plain, "{word}");
        }
    }

    #[test]
    fn what_is_printable_stays_and_the_rest_is_written_as_its_escape() {
        for (text, shown) in [
            ("", ""),
            ("it's \"é\" \\ あ", "it's \"é\" \\ あ"),
            ("\u{1b}[31m\0\r", "\\u{1b}[31m\\0\\r"),
            ("\u{202e}x\u{2066}", "\\u{202e}x\\u{2066}"),
        ] {
            assert_eq!(escaped(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_terminal_gets_lines_and_colours_and_no_other_sequence() {
        for (text, shown) in [
            ("\u{1b}[1m\u{1b}[32mok\u{1b}[0m\n\ta", "\u{1b}[1m\u{1b}[32mok\u{1b}[0m\n\ta"),
            ("\u{1b}[2J\u{1b}[1;2", "\\u{1b}[2J\\u{1b}[1;2"),
            ("\u{1b}]0;x\u{7}\r\u{9b}31m", "\\u{1b}]0;x\\u{7}\\r\\u{9b}31m"),
            ("\u{1b}", "\\u{1b}"),
        ] {
            assert_eq!(harmless(text), shown, "{text:?}");
        }
        assert_eq!(harmless_json("[\"\u{9b}\u{e0001}é\"]\n"), "[\"\\u009b\\udb40\\udc01é\"]\n");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(excerpt(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(excerpt(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }

    #[test]
    fn the_lines_of_a_text_become_one() {
        for (text, line) in [
            ("a\n\n  b\r\nc\x1b[31m\td\n", "a | b | c\\u{1b}[31m\\td"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("\n", ""),
        ] {
            assert_eq!(one_line(text), line, "{text:?}");
            assert_eq!(one_line(line), line, "what is escaped is left alone");
        }
    }

    #[test]
    fn a_line_tells_as_many_causes_as_there_is_room_for() {
        let causes = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(line("It is down: ", &causes(&["a", "b"]), "fault"), "It is down: a; b; fault");
        assert_eq!(line("It is down: ", &causes(&["a"]), ""), "It is down: a");
        let long = causes(&[&"a".repeat(200), &"b".repeat(90), "c"]);
        assert_eq!(line("x: ", &long, "fault"), format!("x: {}; 2 more; fault", "a".repeat(200)));
        let longer = causes(&[&"é".repeat(400), "b"]);
        let told = line("x: ", &longer, "fault");
        assert!(told.ends_with("é…; b; fault"), "{told}");
    }

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn a_line_is_never_long_and_has_both_its_ends(
            causes in proptest::collection::vec(".{0,120}", 1..9),
            head in ".{0,90}",
            tail in ".{1,70}",
        ) {
            let line = line(&head, &causes, &tail);
            prop_assert!(line.chars().count() <= MAX_LINE, "{line}");
            prop_assert!(line.starts_with(&head) && line.ends_with(&tail), "{line}");
        }

        #[test]
        fn what_others_wrote_comes_out_harmless_and_json_says_the_same(text in test_bytes::hostile()) {
            for shown in [escaped(&text), one_line(&text), excerpt(&text)] {
                prop_assert!(test_bytes::is_harmless(&shown), "{shown:?}");
                prop_assert_eq!(harmless(&shown), shown);
            }
            let shown = harmless(&text);
            let lines = shown.replace(['\n', '\t'], " ");
            let mut plain = anstream::adapter::strip_str(&lines).to_string();
            prop_assert!(test_bytes::is_harmless(&plain), "{shown:?}");
            prop_assert_eq!(harmless(&shown), shown);

            let json = serde_json::to_string_pretty(&[&text]).expect("a document");
            plain = harmless_json(&json);
            prop_assert!(test_bytes::is_harmless(&plain.replace('\n', " ")), "{plain:?}");
            let [same]: [String; 1] = serde_json::from_str(&plain).expect("a document");
            prop_assert_eq!(same, text);
        }

        #[test]
        fn nothing_in_it_can_move_a_cursor_and_it_is_never_long(text in test_bytes::text()) {
            let shown = excerpt(&text);
            prop_assert!(!shown.contains(char::is_control), "{shown:?}");
            prop_assert!(shown.chars().count() <= ENOUGH + 1, "{shown:?}");
        }
    }
}
