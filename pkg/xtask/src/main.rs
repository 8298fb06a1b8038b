//! The project's own commands: `cargo xtask test`, `demo`, `bench`.
//!
//! Each has a file of its own; here the words of the command line are told apart, nothing else. Exit
//! status 0: all as it should be; 1: not so, and the last line says what; 2: wrong use.

mod bench;
mod cargo;
mod demo;
mod heading;
mod kit;
mod test;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND        (as root: the commands make real nodes)

  test   format, lints, documentation, unit tests, tests on real nodes
  demo   the four actions on a private real Dovecot, shown step by step
  bench  the actions beside the bare commands and the original kit";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::run(),
        ["demo"] => demo::run(),
        ["bench"] => bench::run(),
        ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
