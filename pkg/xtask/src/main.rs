//! The project's own commands: `cargo xtask test`, `demo`, `rpm`, `manual`, `faults`, `images`, `logins`,
//! `fuzz`; and `bench`, `failovers`, `endurance`, whose words go to the program in `tests/bench`.
//!
//! Here the words of the command line are told apart, nothing else. Exit
//! status 0: all as it should be; 1: not so, and the last line says what; 2: wrong use.

mod beside;
mod cargo;
mod cluster;
mod demo;
mod disk;
mod faults;
mod fuzz;
mod logins;
mod manual;
mod pacemaker;
mod rpm;
mod test;

use std::env;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use lab::{Error, Result, heading, kit, stage};

const USAGE: &str = "\
Usage: cargo xtask COMMAND        (as root: most commands make real nodes)

  test   format, lints, documentation, unit tests, tests on real nodes
  demo [pacemaker]
         the four actions on a private real Dovecot, then a cluster's life, shown step by step; or a
         cluster's life under real Corosync and Pacemaker
  rpm [--check] [--url URL] [--vendor NAME]
         the package, in target/rpm; with --check built twice and compared; who publishes it
         can be named in its header
  manual the manual pages as HTML, below target/html
  faults [ROW]
         each fault, what the original kit answers and what this one does; a row is F1 or so
  images the Debians that nodes are made of, each once; who needs one makes it else
  logins the login check where OpenLDAP or PostgreSQL has the accounts, each serving,
         refusing and silent
  fuzz [PARSER] [MINUTES]
         bytes that may be anything, for each parser, 10 minutes if nothing is said
  bench [--quick]
         what the kit costs, beside others and beside the bare commands
  failovers [ROUNDS]
         how long there is no mail after a fault, and whose time that is
  failovers --engine pacemaker [ROUNDS]
         the same under real Pacemaker, beside the agents that one would take else
  endurance [PART [COUNT] [PLACE]]
         thousands of checks and removes; `cargo xtask endurance help` lists the parts";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => Some(test::run()),
        ["demo"] => Some(demo::run()),
        ["demo", "pacemaker"] => Some(demo::pacemaker()),
        ["fuzz", words @ ..] => fuzz::Wanted::read(words).map(|wanted| fuzz::run(&wanted)),
        // What users install is what is measured.
        ["bench"] | ["bench", "--quick"] => {
            Some(rpm::run(&rpm::Options::default()).and_then(|()| measure(&words)))
        }
        ["bench" | "failovers" | "endurance", ..] => Some(measure(&words)),
        ["faults"] => Some(faults::run(None)),
        ["faults", row] => Some(faults::run(Some(row))),
        ["images"] => Some(lab::prepare_for_tests()),
        ["logins"] => Some(logins::run()),
        ["manual"] => Some(manual::run()),
        ["rpm", words @ ..] => rpm::Options::read(words).map(|options| rpm::run(&options)),
        ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => None,
    };
    match done {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Becomes the program that measures, which gets the same words.
fn measure(words: &[&str]) -> Result<()> {
    let mut command = cargo::cargo();
    command.args(["run", "--quiet", "--locked", "--package", "bench", "--"]).args(words);
    Err(Error::io("running the benchmarks")(command.exec()))
}
