//! The log, in LifeKeeper's form: `Mon DD HH:MM:SS HOST PROG[PID]: LEVEL:COMPONENT:ACTION:TAG:CODE:MESSAGE`.
//!
//! The form is documented (D), and so are the lines whose code is not 000000; every other line's
//! wording is the stand-in's own (A), as is the clock: UTC, so that no time zone is needed.

use std::fs::OpenOptions;
use std::io::Write;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

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
        let (clock, host) = (clock(), place.uname());
        let message = format!("{level}:{component}:{action}:{tag}:{code:06}:{message}");
        let line = format!("{clock} {host} {program}[{pid}]: {message}\n");
        let opened = OpenOptions::new().create(true).append(true).open(&place.log);
        let _ = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// The time as syslog writes it.
fn clock() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (now / 86_400, now % 86_400);
    let (month, day) = month_and_day(days);
    format!("{month} {day:2} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// The month's name and the day in it, from the days since 1970.
fn month_and_day(days: u64) -> (&'static str, u64) {
    // Counted from March, the leap day is the last of its year, and of its century.
    const MONTHS: [&str; 12] =
        ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"];
    let mut days = (days + 719_468) % 146_097;
    days -= (days / 36_524).min(3) * 36_524;
    days %= 1461;
    days -= (days / 365).min(3) * 365;
    // Five months have 153 days, always in the same order.
    let month = (5 * days + 2) / 153;
    let name = MONTHS.iter().zip(0..).find(|(_, number)| *number == month);
    (name.map_or("", |(name, _)| name), days - (153 * month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_named_as_the_calendar_names_them() {
        for (days, date) in
            [(0, ("Jan", 1)), (364, ("Dec", 31)), (11_016, ("Feb", 29)), (20_088, ("Dec", 31))]
        {
            assert_eq!(month_and_day(days), date, "{days}");
        }
    }
}
