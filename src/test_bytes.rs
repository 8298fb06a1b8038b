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
