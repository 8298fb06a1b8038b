//! What an action logs, for the tests of words.

use std::cell::RefCell;

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
        WORDS.with_borrow_mut(|words| words.push(format!("{}: {}", record.level(), record.args())));
    }

    fn flush(&self) {}
}

/// What was logged in this thread since a machine was made.
pub(crate) fn words() -> Vec<String> {
    WORDS.with_borrow(Clone::clone)
}

/// Listens to this thread from now on.
pub(super) fn listen() {
    // All but the first call fail, and have nothing to do.
    if ::log::set_logger(&Words).is_ok() {
        ::log::set_max_level(::log::LevelFilter::Info);
    }
    WORDS.with_borrow_mut(Vec::clear);
}
