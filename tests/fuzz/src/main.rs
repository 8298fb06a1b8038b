//! The kit's parsers, fed by libFuzzer: `cargo xtask fuzz`.
//!
//! What must hold for any input stands in `tests/invariants`, and the property tests ask it too. The
//! parser is the one that the environment names.

#![no_main]

use std::sync::LazyLock;

use dovecot_ark::invariants;

/// Names the parser.
const PARSER: &str = "FUZZ_PARSER";

/// What a parser is asked, with bytes that may be anything.
type Check = fn(&[u8]);

/// The parsers, under the names of their seeds.
const PARSERS: [(&str, Check); 10] = [
    ("settings", invariants::settings),
    ("entry", invariants::entry),
    ("greeting", invariants::greeting),
    ("reply", invariants::reply),
    ("lists", lists),
    ("lkcli", invariants::lkcli),
    ("configuration", invariants::configuration),
    ("block", invariants::block),
    ("record", invariants::record),
    ("load", invariants::saturation),
];

/// LifeKeeper's lists are of one form, and are asked all at once.
fn lists(bytes: &[u8]) {
    invariants::resources(bytes);
    invariants::peers(bytes);
}

static CHECK: LazyLock<Check> = LazyLock::new(|| {
    let name = std::env::var(PARSER).unwrap_or_default();
    match PARSERS.iter().find(|(parser, _)| *parser == name) {
        Some((_, check)) => *check,
        None => panic!("{PARSER} names no parser: {name:?}"),
    }
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| CHECK(bytes));
