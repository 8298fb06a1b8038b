//! Bytes for the property tests: what a format is made of in any order, and noise in between.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::ops::Deref;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

/// Configuration of the property tests: new bytes in each run, and a seed that replays them.
///
/// The seed is printed, so a failing test shows it. proptest itself reads the variable of this name.
pub(crate) fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().build_hasher().finish(),
    };
    println!("PROPTEST_RNG_SEED={seed} replays this test");
    ProptestConfig { rng_seed: RngSeed::Fixed(seed), ..config }
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

/// What colours a terminal, moves its cursor, turns its direction, or is not to be seen, with a space
/// between two.
const HOSTILE: &str = "\
     \u{200e} \u{200f} \u{61c} \u{202a} \u{202b} \u{202c} \u{202d} \u{202e} \u{2066} \u{2067} \
     \u{2068} \u{2069} \u{200b} \u{200c} \u{200d} \u{2060} \u{feff} \u{ad} \u{180e} \u{2028} \
     \u{2029} \u{85} \u{9b}31m \u{9d}0;x\u{9c} \u{90}q \u{1b}[31m \u{1b}[2J \u{1b}]0;x\u{7} \
     \u{1b} \r \u{8} \u{e0041}";

/// Makes text with such characters in it, and any others.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => select(HOSTILE.split(' ').collect::<Vec<_>>()).prop_map(str::to_owned),
        2 => select(&["a", "é", "あ", "\n", "|", "\"", "\\", " "][..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(|c| c.to_string()),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// Whether none of them is in a line as it is.
pub(crate) fn is_harmless(line: &str) -> bool {
    let single = HOSTILE.split(' ').filter_map(|one| one.chars().next());
    !line.contains(char::is_control) && single.into_iter().all(|c| !line.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    #[test]
    fn a_seed_replays_the_bytes_of_a_run_and_another_seed_does_not() {
        let bytes = |config: &ProptestConfig| {
            let tree = pieces(&["a", "b"], 500).new_tree(&mut TestRunner::new(config.clone()));
            tree.expect("bytes").current().0
        };
        let first = config();
        let second = ProptestConfig { rng_seed: RngSeed::Fixed(20_261_129), ..first.clone() };
        assert_eq!(bytes(&first), bytes(&first));
        assert_ne!(bytes(&first), bytes(&second));
    }
}
