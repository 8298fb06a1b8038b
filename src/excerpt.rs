//! The beginning of what somebody else wrote, fit for a message.

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
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(excerpt(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(excerpt(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn nothing_in_it_can_move_a_cursor_and_it_is_never_long(text in test_bytes::text()) {
            let shown = excerpt(&text);
            prop_assert!(!shown.contains(char::is_control), "{shown:?}");
            let longest = ENOUGH * '\u{10ffff}'.escape_unicode().len() + 1;
            prop_assert!(shown.chars().count() <= longest, "{shown:?}");
        }
    }
}
