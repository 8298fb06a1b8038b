//! When the engine did what, for whoever measures: the log's own clock only counts seconds.
//!
//! A: all of it, the real thing has no such file. It is written only where it is there already.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::place::Place;

/// Adds a line: microseconds since 1970, and the words.
pub(crate) fn note(place: &Place, words: &str) {
    let Ok(mut file) = OpenOptions::new().append(true).open(place.config("times")) else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    // As with the log, the cluster must go on.
    let _ = file.write_all(format!("{now} {words}\n").as_bytes());
}
