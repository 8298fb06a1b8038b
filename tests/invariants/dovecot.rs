//! What holds for any input of `src/dovecot`.

use crate::dovecot::configuration::*;
use crate::dovecot::saturation::*;

/// Holds for any dump: each line that says something is one entry, whose value is that of the line
/// or hidden, no password is left, and the whole is not much larger than the dump.
pub fn configuration(dump: &[u8]) {
    let dump = String::from_utf8_lossy(dump);
    let settings = flatten(&dump);
    let lines = dump.lines().map(str::trim);
    let said = lines.filter(|line| !["", "}"].contains(line) && !line.starts_with('#'));
    assert_eq!(settings.len(), said.count(), "an entry for each line");
    let longest = dump.lines().map(str::len).max().unwrap_or(0);
    for (name, value) in &settings {
        assert!(value == "{}" || value == HIDDEN || dump.contains(value), "{value:?}");
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let numbered = name.strip_suffix(')').and_then(|name| name.rsplit_once(" ("));
        let unnumbered = numbered.filter(|(_, number)| digits(number)).map(|(name, _)| name);
        let secret = is_secret(unnumbered.unwrap_or(name), value);
        assert!(!secret || value == HIDDEN || value == "{}", "{name:?} = {value:?}");
        assert!(name.len() <= MAX_PATH + longest + 32, "{} bytes", name.len());
    }
    let listeners = listeners_in(&settings);
    assert!(listeners.len() <= ENOUGH);
    for listener in &listeners {
        assert!(listener.port > 0 && listener.addresses.len() <= ENOUGH, "{listener:?}");
        let stands = |word: &String| dump.contains(word) || HIDDEN.contains(word);
        assert!(listener.addresses.iter().all(|word| !word.is_empty() && stands(word)));
        let value = listener.port.to_string();
        assert!(settings.values().any(|port| port.trim_start_matches(['0', '+']) == value));
    }
}

/// Holds for any answer: what is full is a name that stands in it, and is full however often and
/// beside whatever else it is told.
pub fn saturation(answer: &[u8]) {
    let answer = String::from_utf8_lossy(answer);
    let full = full_services(&answer);
    for name in full.keys() {
        assert!(answer.contains(name), "{name:?}");
        assert!(!name.contains('\n') && name.trim() == name, "{name:?}");
    }
    let other = "\nname: other\nprocess_count: 1\nprocess_avail: 1\nprocess_limit: 1\n";
    assert_eq!(full_services(&format!("{answer}{other}{answer}{other}")), full);
}
