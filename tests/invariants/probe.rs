//! What holds for any input of `src/probe`.

use crate::probe::endpoint::*;
use crate::probe::greeting::{Judgement, MAX_LINE as MAX_GREETING, judge};
use crate::probe::reply::*;

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
    let ended = heard.contains(&b'\n') || heard.len() >= MAX_GREETING;
    assert_eq!(whole == Judgement::More, !ended, "a line that has ended is judged");
    // A few places tell as much as all of them, and keep long words fast.
    let first = heard.iter().position(|byte| *byte == b'\n').unwrap_or(heard.len());
    for end in [first / 2, first, first + 1, MAX_GREETING - 1, MAX_GREETING, heard.len() / 2] {
        let early = judge(heard.get(..end).unwrap_or(heard));
        assert!(early == Judgement::More || early == whole, "{early:?} became {whole:?}");
    }
    assert_eq!(judge(&[heard, b" and more\n"].concat()) == whole, ended, "{whole:?}");
    if let Judgement::NotReady(shown) | Judgement::Foreign(shown) = whole {
        assert!(shown.chars().count() <= 61, "{shown:?}");
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}

/// Holds for any line: it is the same in both protocols however often it is read, its end decides
/// nothing, and what is shown of it are a few printable characters.
pub fn reply(line: &[u8]) {
    for read in [|line: &[u8]| imap(line, "b"), pop3] {
        let reply = read(line);
        let ended = [line, b"\r\n"].concat();
        assert!(line.len() >= MAX_LINE - 2 || read(&ended) == reply, "{line:?}");
        let (code, words) = match reply {
            Reply::Part | Reply::Done => continue,
            Reply::Refused(reason) | Reply::Bye(reason) => (reason.code, reason.words),
            Reply::Foreign(words) => (String::new(), words),
        };
        assert!(words.chars().count() <= 81 && !words.contains(char::is_control), "{words:?}");
        assert!(code.len() <= 32 && code.chars().all(|c| c.is_ascii_graphic()), "{code:?}");
        assert!(!code.contains(char::is_lowercase), "{code:?}");
    }
}
