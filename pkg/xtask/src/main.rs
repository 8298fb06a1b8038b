//! The project's own commands: `cargo xtask test`, `demo`, `bench`, `endurance`, `faults`,
//! `failovers`, `fuzz`, `rpm`.
//!
//! Here the words of the command line are told apart, nothing else. Exit
//! status 0: all as it should be; 1: not so, and the last line says what; 2: wrong use.

mod bench;
mod beside;
mod cargo;
mod cluster;
mod demo;
mod endurance;
mod failovers;
mod faults;
mod fuzz;
mod heading;
mod kit;
mod rpm;
mod stage;
mod test;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND        (as root: most commands make real nodes)

  test   format, lints, documentation, unit tests, tests on real nodes
  demo   the four actions on a private real Dovecot, then a cluster's life, shown step by step
  rpm [--check]
         the package, below target/rpm; with --check built twice and compared
  bench [--quick]
         the kit beside the bare commands, the original kit and the OCF agent; writes pkg/bench,
         or with --quick, in fewer rounds, target/bench
  endurance [load | leaks | cost | size]
         thousands of quickChecks: no false alarm under load, nothing grows, what each costs
  endurance removes [COUNT] [PLACE]
         2000 removes of a Dovecot with ten clients, all processors busy: nothing is left;
         PLACE is sysv, systemd or v24, and all of them share the count if none is named
  endurance races [COUNT] [PLACE]
         200 removes that begin together with a restore, a start or a kill: no master comes
  endurance hooks [COUNT] [PLACE]
         2000 quickChecks, five a second, beside updates of systemd and a hook that restarts
         Dovecot: not one false alarm
  endurance deaths [COUNT] [PLACE]
         50 masters killed beside updates of systemd: the next check sees each
  endurance frozen [COUNT] [PLACE]
         20 masters frozen while login processes greet by themselves: the next check sees each;
         then 5000 checks of the busy one without an alarm
  faults [ROW]
         each fault, what the original kit answers and what this one does; a row is F1 or so
  failovers [ROUNDS]
         power cuts and killed masters in a row, 20 of each if nothing is said, and half as
         many frozen masters: whose the downtimes are, also written below pkg/bench
  fuzz [PARSER] [MINUTES]
         bytes that may be anything, for each parser, 10 minutes if nothing is said";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::run(),
        ["demo"] => demo::run(),
        ["failovers"] => failovers::run(failovers::ROUNDS),
        ["failovers", rounds] => match rounds.parse() {
            Ok(rounds) => failovers::run(rounds),
            Err(_) => return usage(),
        },
        ["bench"] => bench::run(bench::Rounds::Full),
        ["bench", "--quick"] => bench::run(bench::Rounds::Quick),
        ["fuzz", words @ ..] => match fuzz::Wanted::read(words) {
            Some(wanted) => fuzz::run(&wanted),
            None => return usage(),
        },
        ["endurance"] => endurance::run(None),
        ["endurance", part] if endurance::has(part) => endurance::run(Some(part)),
        ["endurance", words @ ..] => match endurance::count(words) {
            Some(done) => done,
            None => return usage(),
        },
        ["faults"] => faults::run(None),
        ["faults", row] => faults::run(Some(row)),
        ["rpm"] => rpm::run(),
        ["rpm", "--check"] => rpm::check(),
        ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
