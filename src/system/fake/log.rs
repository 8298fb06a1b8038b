//! What an action logs, for the tests of words.

use std::cell::RefCell;

use crate::messages::number_of;

/// Keeps what is logged in each thread, for the tests of words.
struct Words;

thread_local! {
    static WORDS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

impl ::log::Log for Words {
    fn enabled(&self, _: &::log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &::log::Record<'_>) {
        let is_numbered = record.level() > ::log::Level::Warn || number_of(record).is_some();
        assert!(is_numbered, "without a number: {}", record.args());
        WORDS.with_borrow_mut(|words| words.push(format!("{}: {}", record.level(), record.args())));
    }

    fn flush(&self) {}
}

/// What was logged in this thread since a machine was made, but for what only DEBUG shows.
pub(crate) fn words() -> Vec<String> {
    WORDS.with_borrow(|words| words.iter().filter(|line| !is_detail(line)).cloned().collect())
}

/// What only DEBUG shows.
pub(crate) fn details() -> Vec<String> {
    WORDS.with_borrow(|words| words.iter().filter(|line| is_detail(line)).cloned().collect())
}

fn is_detail(line: &str) -> bool {
    line.starts_with("DEBUG: ")
}

/// Listens to this thread from now on.
pub(super) fn listen() {
    // All but the first call fail, and have nothing to do.
    if ::log::set_logger(&Words).is_ok() {
        ::log::set_max_level(::log::LevelFilter::Debug);
    }
    WORDS.with_borrow_mut(Vec::clear);
}
