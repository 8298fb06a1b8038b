//! `cargo xtask fuzz`: feeds the parsers with bytes that grow by what they reach, and tells what
//! breaks them.
//!
//! libFuzzer does it, and the crate in `tests/fuzz` has the parsers. It is built by the usual
//! toolchain: the kit has no unsafe code, so a sanitizer would find nothing. The inputs that
//! reached something new stay below `target/fuzz/corpus`, and the next run goes on from them.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::setup::{self, Tool};
use lab::{Error, Result};

use crate::cargo::{cargo, succeed, top};
use crate::disk::{entries, make_directory, read, write};
use crate::heading::heading;

/// How long each parser is fed when nothing is said.
const MINUTES: u64 = 10;

/// libFuzzer is C++.
const COMPILER: Tool = Tool { program: "c++", apt: "g++", rpm: "gcc-c++" };

/// A directory for each parser, with inputs by hand; its name is the parser's.
const SEEDS: &str = "tests/fuzz/seeds";

/// Names the parser to the fuzzer.
const PARSER: &str = "FUZZ_PARSER";

/// What makes the compiler count what is reached, and compare with what is compared.
const FLAGS: [&str; 8] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // Counters of a module that is split are lost to the linker.
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
];

/// The bounds of one input: its bytes, and what it may take. The files and answers that are parsed
/// have some kilobytes, and are parsed in less than a millisecond.
const BOUNDS: [&str; 3] = ["-max_len=65536", "-timeout=5", "-rss_limit_mb=512"];

/// How long a seed becomes when it is repeated: libFuzzer alone makes long inputs late.
const LONG: usize = 32 << 10;

/// What is to be fuzzed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    /// All of them when none is named.
    parser: Option<&'a str>,
    minutes: u64,
}

impl<'a> Wanted<'a> {
    /// Understands the words of the command line; `None` when they are none of it.
    pub(crate) fn read(words: &[&'a str]) -> Option<Self> {
        let (parser, minutes) = match words {
            [] => (None, MINUTES),
            [word] => word.parse().map_or((Some(*word), MINUTES), |minutes| (None, minutes)),
            [parser, minutes] => (Some(*parser), minutes.parse().ok()?),
            _ => return None,
        };
        (minutes > 0).then_some(Self { parser, minutes })
    }
}

/// Feeds the wanted parsers, one after the other, and prints what came of each.
///
/// # Errors
///
/// When the fuzzer cannot be built, or an input broke a parser.
pub(crate) fn run(wanted: &Wanted<'_>) -> Result<()> {
    let parsers = parsers(wanted.parser)?;
    setup::ensure_tools(&[COMPILER], &setup::has)?;
    heading("building the fuzzer");
    let fuzzer = build()?;
    let mut rows = Vec::new();
    let mut broken = Vec::new();
    for parser in &parsers {
        heading(&format!("feeding {parser}, {} min", wanted.minutes));
        let ([runs, edges, kept], found) =
            feed(&fuzzer, parser, Duration::from_secs(60 * wanted.minutes))?;
        let end = if found.is_empty() { "nothing found" } else { "BROKEN" };
        let row =
            format!("   {parser:<14} {runs:>12} inputs, {edges:>6} edges, {kept:>6} kept, {end}");
        println!("{row}");
        rows.push(row);
        broken.extend(found.iter().map(|file| format!("{parser} by {}", file.display())));
    }
    heading("what came of it");
    println!("{}", rows.join("\n"));
    if broken.is_empty() { Ok(()) } else { Err(Error::failed("fuzzing", broken.join(", "))) }
}

/// The names of the parsers: all, or the one that is wanted.
fn parsers(wanted: Option<&str>) -> Result<Vec<String>> {
    let mut names: Vec<String> = entries(&top().join(SEEDS))?
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    match wanted {
        None => Ok(names),
        Some(wanted) if names.iter().any(|name| name == wanted) => Ok(vec![wanted.to_owned()]),
        Some(wanted) => {
            names.insert(0, format!("{wanted} is no parser; there are"));
            Err(Error::failed("fuzzing", names.join(" ")))
        }
    }
}

/// Builds the fuzzer.
fn build() -> Result<PathBuf> {
    let host = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    // It has the kit's own versions, and cargo adds what is the fuzzer's alone.
    write(&top().join("tests/fuzz/Cargo.lock"), read(&top().join("Cargo.lock"))?)?;
    let mut command = cargo();
    command.args(["build", "--release", "--manifest-path", "tests/fuzz/Cargo.toml"]);
    // With a target, the flags are the program's alone and not those of what builds it.
    command.args(["--target", &host, "--target-dir", "target/fuzz"]);
    command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    succeed(command, "building the fuzzer")?;
    let fuzzer = top().join("target/fuzz").join(host).join("release/fuzz");
    fs::canonicalize(&fuzzer).map_err(Error::io(format!("finding {}", fuzzer.display())))
}

/// Feeds a parser for so long; returns what came of it and the inputs that broke it.
fn feed(fuzzer: &Path, parser: &str, time: Duration) -> Result<([u64; 3], Vec<PathBuf>)> {
    let work = fuzzer.ancestors().nth(3).unwrap_or(fuzzer);
    let (corpus, broken) = (work.join("corpus").join(parser), work.join("broken").join(parser));
    make_directory(&corpus)?;
    make_directory(&broken)?;
    sow(&top().join(SEEDS).join(parser), &corpus)?;
    // What broke it once is tried again, and breaks it again or never.
    for file in entries(&broken)? {
        let doing = format!("moving {}", file.display());
        fs::rename(&file, corpus.join(file.file_name().unwrap_or_default()))
            .map_err(Error::io(doing))?;
    }
    let log = work.join(format!("{parser}.log"));
    let words = File::create(&log).map_err(Error::io(format!("writing {}", log.display())))?;
    let mut command = Command::new(fuzzer);
    command.env(PARSER, parser).stdin(Stdio::null()).stdout(Stdio::null()).stderr(words);
    command.args(BOUNDS).arg(format!("-max_total_time={}", time.as_secs()));
    command.arg("-print_final_stats=1").arg(format!("-artifact_prefix={}/", broken.display()));
    let doing = format!("running {}", fuzzer.display());
    let status = command.arg(&corpus).status().map_err(Error::io(doing))?;
    let text = read(&log)?;
    let text = String::from_utf8_lossy(&text);
    let found = entries(&broken)?;
    if !status.success() {
        println!("{}", end(&text));
        if found.is_empty() {
            return Err(Error::failed(format!("feeding {parser}"), status.to_string()));
        }
    }
    Ok((figures(&text), found))
}

/// Lays the seeds into the corpus, each as it is and once more many times over.
fn sow(seeds: &Path, corpus: &Path) -> Result<()> {
    for seed in entries(seeds)? {
        let bytes = read(&seed)?;
        let name = seed.file_name().unwrap_or_default().to_string_lossy();
        let long = bytes.iter().copied().cycle().take(LONG).collect();
        for (kind, bytes) in [("seed", bytes.clone()), ("long", long)] {
            write(&corpus.join(format!("{kind}-{name}")), bytes)?;
        }
    }
    Ok(())
}

/// Reads what libFuzzer said: `#123 NEW cov: 45 ft: 67 corp: 8/90b …`, and its statistics.
///
/// The figures: how many inputs the parser was fed with, how many edges of the program they reached, and
/// how many of them are kept, because each reached something new.
fn figures(log: &str) -> [u64; 3] {
    let number = |text: &str| {
        let digits = text.trim_start().split(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse::<u64>().ok())
    };
    let last = |key: &str| log.rsplit_once(key).and_then(|(_, rest)| number(rest)).unwrap_or(0);
    ["stat::number_of_executed_units:", " cov: ", " corp: "].map(last)
}

/// What it said of the input that broke the parser: the lines after the last report of its
/// progress, but not the input itself, byte by byte.
fn end(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let start = lines.iter().rposition(|line| line.starts_with('#') && line.contains(" cov: "));
    let after = lines.iter().skip(start.map_or(0, |start| start + 1));
    let after = after.filter(|line| !line.starts_with("0x") && line.len() < 1000);
    after.take(40).copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "INFO: Seed: 1\n#2\tINITED cov: 120 ft: 121 corp: 1/22b exec/s: 0 rss: 27Mb\n\
        #9\tNEW    cov: 983 ft: 4754 corp: 1489/4678Kb lim: 32813 exec/s: 4829 rss: 43Mb L: 9/9\n";

    #[test]
    fn a_parser_or_a_time_may_be_named() {
        let wanted = |parser, minutes| Some(Wanted { parser, minutes });
        for (words, meant) in [
            (&[][..], wanted(None, 10)),
            (&["3"], wanted(None, 3)),
            (&["settings"], wanted(Some("settings"), 10)),
            (&["settings", "1"], wanted(Some("settings"), 1)),
            (&["settings", "x"], None),
            (&["0"], None),
            (&["a", "1", "b"], None),
        ] {
            assert_eq!(Wanted::read(words), meant, "{words:?}");
        }
    }

    #[test]
    fn each_parser_has_seeds_and_an_unknown_one_is_refused() {
        for parser in parsers(None).expect("the parsers") {
            let seeds = entries(&top().join(SEEDS).join(&parser)).expect("its seeds");
            assert!(!seeds.is_empty(), "{parser}");
            assert_eq!(parsers(Some(&parser)).ok(), Some(vec![parser]));
        }
        let refused = parsers(Some("x")).expect_err("no parser").to_string();
        assert!(refused.contains("x is no parser") && refused.contains(" settings"), "{refused}");
    }

    #[test]
    fn what_the_fuzzer_says_is_read() {
        let log = format!("{LOG}Done\nstat::number_of_executed_units: 2567150\nstat::x: 1\n");
        assert_eq!(figures(&log), [2_567_150, 983, 1489]);
        assert_eq!(figures(""), [0; 3]);
    }

    #[test]
    fn of_a_broken_parser_its_last_words_are_shown() {
        let log = format!("{LOG}panicked at x\n==1== ERROR\n0x1,0x2\nartifact written\n");
        assert_eq!(end(&log), "panicked at x\n==1== ERROR\nartifact written");
    }
}
