//! Bytes for the property tests: what a format is made of in any order, and noise in between.

use std::fmt;
use std::ops::Deref;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// How the property tests run: with new bytes each time, and nothing is written down but what a
/// failing test prints, which is as short as it can be.
pub(crate) fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// Bytes that a failing test shows as a person reads them.
#[derive(Clone)]
pub(crate) struct Bytes(Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Makes bytes of these words and some noise, at most so many of them.
pub(crate) fn pieces(words: &'static [&'static str], most: usize) -> impl Strategy<Value = Bytes> {
    let piece = prop_oneof![
        12 => select(words).prop_map(|word| word.as_bytes().to_vec()),
        2 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
        1 => vec(any::<u8>(), 1..5),
    ];
    vec(piece, 0..=most).prop_map(|pieces| Bytes(pieces.concat()))
}

/// Makes text of any characters; a `String` by itself has no control characters.
pub(crate) fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..40).prop_map(String::from_iter)
}
