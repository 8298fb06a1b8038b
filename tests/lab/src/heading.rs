//! Prints headings, bold where a person reads them, and times in units a person reads.

use std::env;
use std::io::{self, IsTerminal};
use std::time::Duration;

/// Prints a heading after an empty line.
pub fn heading(text: &str) {
    if io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none() {
        println!("\n\x1b[1m== {text}\x1b[0m");
    } else {
        println!("\n== {text}");
    }
}

/// Writes a time as seconds, or as milliseconds below one second.
#[must_use]
pub fn shown(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{:.1} ms", time.as_secs_f64() * 1e3)
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        let cases = [(15, "15.0 ms"), (999, "999.0 ms"), (1000, "1.00 s"), (72_340, "72.34 s")];
        for (milliseconds, text) in cases {
            assert_eq!(shown(Duration::from_millis(milliseconds)), text);
        }
    }
}
