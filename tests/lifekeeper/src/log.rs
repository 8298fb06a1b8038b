//! The log, in LifeKeeper's form: `Mon DD HH:MM:SS HOST PROG[PID]: LEVEL:COMPONENT:ACTION:TAG:CODE:MESSAGE`.
//!
//! The form is documented (D), and so are the lines whose code is not 000000; every other line's
//! wording is the stand-in's own (A), as is the clock: UTC, so that no time zone is needed.

use std::fs::OpenOptions;
use std::io::Write;
use std::process;

use time::OffsetDateTime;
use time::macros::format_description;

use crate::place::Place;

/// One line of the log.
pub(crate) struct Entry<'a> {
    pub(crate) program: &'a str,
    pub(crate) pid: u32,
    /// EMERG, ERROR, NOTIFY, WARN or INFO.
    pub(crate) level: &'a str,
    pub(crate) component: &'a str,
    pub(crate) action: &'a str,
    pub(crate) tag: &'a str,
    /// LifeKeeper's message number.
    pub(crate) code: u32,
    pub(crate) message: &'a str,
}

impl<'a> Entry<'a> {
    /// A line of the engine's own about a resource, or about none.
    pub(crate) fn engine(level: &'a str, tag: &'a str, message: &'a str) -> Self {
        let pid = process::id();
        Self { program: "lcd", pid, level, component: "lcd", action: "", tag, code: 0, message }
    }

    /// Adds the line to the log. What cannot be logged is lost: the cluster must go on.
    pub(crate) fn write(&self, place: &Place) {
        let Self { program, pid, level, component, action, tag, code, message } = self;
        let (clock, host) = (clock(OffsetDateTime::now_utc()), place.uname());
        let message = format!("{level}:{component}:{action}:{tag}:{code:06}:{message}");
        let line = format!("{clock} {host} {program}[{pid}]: {message}\n");
        let opened = OpenOptions::new().create(true).append(true).open(&place.log);
        let _ = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// A time as syslog writes it.
fn clock(time: OffsetDateTime) -> String {
    // A number in range is always written.
    time.format(format_description!(
        "[month repr:short] [day padding:space] [hour]:[minute]:[second]"
    ))
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_is_written_as_syslog_writes_it() {
        for (time, text) in [
            (datetime!(2000-02-29 23:09:08 UTC), "Feb 29 23:09:08"),
            (datetime!(2024-12-01 0:00 UTC), "Dec  1 00:00:00"),
        ] {
            assert_eq!(clock(time), text);
        }
    }
}
