//! What holds for any input of `src/probe`.

use crate::probe::endpoint::*;
use crate::probe::greeting::*;

/// Holds for any entry: it is refused in a few printable words, or its parts are in their ranges
/// and it is read the same when it is written again.
pub fn entry(entry: &[u8]) {
    let entry = String::from_utf8_lossy(entry);
    match Endpoint::parse(&entry) {
        Ok(endpoint) => {
            let again = format!("{endpoint}:{}", endpoint.timeout.as_secs());
            assert!(!again.contains(char::is_control), "{again:?}");
            assert!(endpoint.port > 0 && (1..=MAX_TIMEOUT).contains(&endpoint.timeout.as_secs()));
            assert!(endpoint.is_same_place(&endpoint));
            assert_eq!(Endpoint::parse(&again), Ok(endpoint), "{entry:?}");
        }
        Err(cause) => {
            assert!(cause.len() < 1024 && !cause.contains(char::is_control), "{cause:?}");
        }
    }
}

/// Holds for any words: at most a line's length is waited for, no verdict changes when more is
/// heard, and what is shown of it are a few printable characters.
pub fn greeting(heard: &[u8]) {
    let whole = judge(heard);
    let ended = heard.contains(&b'\n') || heard.len() >= MAX_LINE;
    assert_eq!(whole == Judgement::More, !ended, "a line that has ended is judged");
    // A few places tell as much as all of them, and keep long words fast.
    let first = heard.iter().position(|byte| *byte == b'\n').unwrap_or(heard.len());
    for end in [first / 2, first, first + 1, MAX_LINE - 1, MAX_LINE, heard.len() / 2] {
        let early = judge(heard.get(..end).unwrap_or(heard));
        assert!(early == Judgement::More || early == whole, "{early:?} became {whole:?}");
    }
    assert_eq!(judge(&[heard, b" and more\n"].concat()) == whole, ended, "{whole:?}");
    if let Judgement::NotReady(shown) | Judgement::Foreign(shown) = whole {
        assert!(shown.chars().count() <= 61, "{shown:?}");
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}
