//! What holds for any input of `src/settings`.

use std::time::Duration;

use crate::lifekeeper::defaults::{self, Defaults};
use crate::settings::values::{ROUNDS, SECONDS, service};
use crate::settings::*;

/// Holds for any file: a row for each key, nothing out of its range, a few printable words of
/// complaint, and what was understood is understood the same when it is written again.
pub fn settings(file: &[u8]) {
    let (settings, report) = understand(defaults::from_bytes(file, PREFIX, &KEYS));
    let standard = understand(Defaults::default()).1.settings;
    let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    let keys: Vec<&str> = report.settings.iter().map(|row| row.key).collect();
    assert_eq!(keys, KEYS, "a row for each key, in their order");
    let mut again = Vec::new();
    for (row, standard) in report.settings.iter().zip(&standard) {
        let Some(line) = row.line else {
            assert_eq!(row, standard, "what was not set is the default");
            continue;
        };
        assert_eq!(row.source, Source::File, "{row:?}");
        let line = lines
            .get(line - 1)
            .map_or_else(String::new, |line| String::from_utf8_lossy(line).into_owned());
        assert!(line.contains(row.key), "{row:?} comes from {line:?}");
        assert!(!row.value.contains(char::is_control), "{row:?}");
        again.push(format!("{}='{}'\n", row.key, row.value.replace('\'', "'\\''")));
    }
    assert!(ROUNDS.contains(&settings.restore_rounds) && ROUNDS.contains(&settings.remove_rounds));
    let longest = Duration::from_secs((*SECONDS.end()).into());
    assert!(settings.restore_wait <= longest && settings.remove_wait <= longest);
    assert!(!settings.endpoints.is_empty(), "something is always checked");
    assert!(service(&settings.service).is_ok(), "{:?}", settings.service);
    assert!(report.warnings.len() <= 64, "{} warnings", report.warnings.len());
    for warning in &report.warnings {
        assert!(
            warning.text.len() < 4096 && !warning.text.contains(char::is_control),
            "{warning:?}"
        );
    }
    let again = again.concat();
    // A line that is longer than the limit would not be read again.
    if again.len() < 1 << 16 {
        let read = understand(defaults::from_bytes(again.as_bytes(), PREFIX, &KEYS));
        assert_eq!((read.0, read.1.warnings), (settings, vec![]), "{again}");
    }
}
