//! Text for people: what others wrote made safe and short, lines of the log, times; and a checksum of
//! it.

use std::time::Duration;

/// How many characters are enough to find it again.
const ENOUGH: usize = 80;

/// Returns the first characters, with `…` where more follow. What is not to be printed is written
/// as its escape: it could forge a line of the log, or colour a terminal.
pub(crate) fn excerpt(text: &str) -> String {
    let mut excerpt = String::new();
    for (n, c) in text.chars().enumerate() {
        match c {
            _ if n == ENOUGH => {
                excerpt.push('…');
                break;
            }
            '"' | '\'' | '\\' => excerpt.push(c),
            _ => excerpt.extend(c.escape_debug()),
        }
    }
    excerpt
}

/// Joins lines and takes control characters out.
pub(crate) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" | ").chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
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
    fn what_is_printable_stays_and_the_rest_is_written_as_its_escape() {
        for (text, shown) in [
            ("", ""),
            ("it's \"é\" \\ あ", "it's \"é\" \\ あ"),
            ("\u{1b}[31m\0\r", "\\u{1b}[31m\\0\\r"),
            ("\u{202e}x", "\\u{202e}x"),
        ] {
            assert_eq!(excerpt(text), shown, "{text:?}");
        }
    }

    #[test]
    fn lines_become_one_without_control_characters() {
        assert_eq!(one_line("a\n\n  b\r\nc\x1b[31m\td\n"), "a | b | c [31m d");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(excerpt(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(excerpt(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
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
        fn nothing_in_it_can_move_a_cursor_and_it_is_never_long(text in test_bytes::text()) {
            let shown = excerpt(&text);
            prop_assert!(!shown.contains(char::is_control), "{shown:?}");
            let longest = ENOUGH * '\u{10ffff}'.escape_unicode().len() + 1;
            prop_assert!(shown.chars().count() <= longest, "{shown:?}");
        }
    }
}
