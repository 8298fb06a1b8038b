//! The kit's parsers, fed by libFuzzer: `cargo xtask fuzz`.
//!
//! What must hold for any input stands beside each parser, in a function `check` that its property
//! tests ask too. The kit has no library, so its modules are compiled in; the parser is the one
//! that the environment names.

#![no_main]
#![allow(dead_code, unused_imports, reason = "of the kit only its parsers are called")]

#[path = "../../../src/actions/mod.rs"]
mod actions;
#[path = "../../../src/checksum.rs"]
mod checksum;
#[path = "../../../src/cli.rs"]
mod cli;
#[path = "../../../src/doctor/mod.rs"]
mod doctor;
#[path = "../../../src/dovecot/mod.rs"]
mod dovecot;
#[path = "../../../src/error.rs"]
mod error;
#[path = "../../../src/excerpt.rs"]
mod excerpt;
#[path = "../../../src/exit.rs"]
mod exit;
#[path = "../../../src/files.rs"]
mod files;
#[path = "../../../src/install/mod.rs"]
mod install;
#[path = "../../../src/lifekeeper/mod.rs"]
mod lifekeeper;
#[path = "../../../src/log.rs"]
mod log;
#[path = "../../../src/settings/mod.rs"]
mod settings;
#[path = "../../../src/show.rs"]
mod show;
#[path = "../../../src/status/mod.rs"]
mod status;
#[path = "../../../src/system/mod.rs"]
mod system;

use std::sync::LazyLock;

/// Names the parser.
const PARSER: &str = "FUZZ_PARSER";

/// What a parser is asked, with bytes that may be anything.
type Check = fn(&[u8]);

/// The parsers, under the names of their seeds.
const PARSERS: [(&str, Check); 9] = [
    ("settings", settings::check),
    ("entry", dovecot::endpoint::check),
    ("greeting", dovecot::greeting::check),
    ("lists", lists),
    ("lkcli", lifekeeper::lkcli::check),
    ("configuration", dovecot::configuration::check),
    ("block", install::block::check),
    ("record", install::record::check),
    ("load", dovecot::load::check),
];

/// LifeKeeper's lists are of one form, and are asked all at once.
fn lists(bytes: &[u8]) {
    lifekeeper::resources::check(bytes);
    lifekeeper::peers::check(bytes);
}

static CHECK: LazyLock<Check> = LazyLock::new(|| {
    let name = std::env::var(PARSER).unwrap_or_default();
    match PARSERS.iter().find(|(parser, _)| *parser == name) {
        Some((_, check)) => *check,
        None => panic!("{PARSER} names no parser: {name:?}"),
    }
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| CHECK(bytes));
