//! Measures the kit on real nodes: `cargo xtask bench`, `failovers`, `endurance`.
//!
//! Exit status 0: all as it should be; 1: not so, and the last line says what; 2: wrong use.

mod bench;
mod crowd;
mod draw;
mod endurance;
mod failovers;
mod pacemaker;
mod samples;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND        (as root: all of them make real nodes)

  bench [--quick]
         the kit beside the bare commands, the original kit and the OCF agent; writes pkg/bench,
         or with --quick, in fewer rounds, target/bench
  failovers [ROUNDS]
         power cuts and killed masters in a row, 20 of each if nothing is said, and half as
         many frozen masters: whose the downtimes are; writes pkg/bench/failovers.md
  failovers --engine pacemaker [ROUNDS]
         faults under real Pacemaker with this kit and with two other agents, 10 rounds if nothing is
         said, added to those in pkg/bench/failovers-pacemaker.tsv; writes the page beside it
  endurance [PART [COUNT] [PLACE]]
         load, leaks, cost and size one after the other, or one part; PLACE is sysv, systemd or
         v24, and a count without a place is shared by the places of the part:
    load     quickChecks among a hundred clients and reloads: no false alarm
    leaks    quickChecks in a row: nothing grows
    cost     what a check costs Dovecot
    size     quickChecks of long lists on a node with many processes
    removes  removes of a Dovecot with ten clients, all processors busy: nothing is left
    races    removes that begin together with a restore, a start or a kill: no master comes
    hooks    quickChecks, five a second, beside updates of systemd and a hook that restarts
             Dovecot: no false alarm
    deaths   masters killed beside updates of systemd: the next check sees each
    frozen   masters frozen while login processes greet by themselves: the next check sees
             each; then checks of the busy one without an alarm
    logins   as load, with checks that log in
    login-leaks
             as leaks, with checks that log in
    takeovers  a cluster of the original kit taken over and given back under a client that stays
             logged in, and as often again with a kill
    hangs    a mail store that hangs on one node or on both, a user directory that is silent: what moves,
             how often, and what a client saw
    restarts  masters killed with and without `install --restart`, and switchovers and failovers in
             the moment of a kill: never two masters";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [.., "help" | "-h" | "--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        ["bench"] => Some(bench::run(bench::Rounds::Full)),
        ["bench", "--quick"] => Some(bench::run(bench::Rounds::Quick)),
        ["failovers"] => Some(failovers::run(failovers::ROUNDS)),
        ["failovers", "--engine", "pacemaker"] => Some(pacemaker::run(pacemaker::ROUNDS)),
        ["failovers", "--engine", "pacemaker", rounds] => rounds.parse().ok().map(pacemaker::run),
        ["failovers", rounds] => rounds.parse().ok().map(failovers::run),
        ["endurance", words @ ..] => endurance::Wanted::read(words).map(|one| endurance::run(&one)),
        _ => None,
    };
    match done {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
