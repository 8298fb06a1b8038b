//! Runs programs one after the other, and prints one line: what the run cost.
//!
//! `stopwatch [--greeted] [[NAME=VALUE]... PROGRAM [ARGUMENT]... [+ PROGRAM...]...]`
//!
//! The line: wall time, CPU time of all processes, what of it was spent in the kernel, CPU time of the
//! programs themselves without their children, each in nanoseconds; the memory of the largest process in KiB; the first exit
//! status that is not 0. With `--greeted` the time runs on until Dovecot greets on the IMAP port.
//! After a failed program the others are not run.
//!
//! It is a process of its own for each run, because the kernel sums up children's costs over
//! the whole life of a process. A daemon that a program leaves behind is nobody's child and not in
//! the sum.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// Dovecot's IMAP port.
const IMAP: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 143);
/// The pause before a refused connection is tried again.
const AGAIN: Duration = Duration::from_millis(1);
/// The longest wait for a greeting.
const LIMIT: Duration = Duration::from_secs(20);
/// Stands between two programs.
const NEXT: &str = "+";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match run(&words) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(cause) => {
            eprintln!("stopwatch: {cause}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all programs, and returns the line.
fn run(words: &[String]) -> io::Result<String> {
    let (greeted, words) = match words {
        [first, rest @ ..] if first == "--greeted" => (true, rest),
        _ => (false, words),
    };
    let commands: Vec<Command> = words.split(|word| word == NEXT).filter_map(command).collect();
    let start = Instant::now();
    let (mut own, mut status) = (Duration::ZERO, 0);
    for mut command in commands {
        let mut child = command.spawn()?;
        let cost = own_cost(&child)?;
        let end = child.wait()?;
        own += cost;
        status = answer(end);
        if status != 0 {
            break;
        }
    }
    let connection = if greeted && status == 0 { Some(greeting(start)?) } else { None };
    let wall = start.elapsed();
    let sum = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    if let Some(connection) = connection {
        take_leave(connection);
    }
    let kernel = nanoseconds(sum.system_time());
    let tree = nanoseconds(sum.user_time()) + kernel;
    let (wall, own, memory) = (wall.as_nanos(), own.as_nanos(), sum.max_rss());
    Ok(format!("{wall} {tree} {kernel} {own} {memory} {status}"))
}

/// Prepares a program whose words may begin with its environment.
fn command(words: &[String]) -> Option<Command> {
    let at = words.iter().position(|word| !word.contains('='))?;
    let (environment, words) = words.split_at_checked(at)?;
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().filter_map(|word| word.split_once('=')));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Some(command)
}

/// Waits for the end of a child, and asks its clock before it is buried.
fn own_cost(child: &Child) -> io::Result<Duration> {
    let pid = i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)?;
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)?;
    Ok(clock_getcpuclockid(pid)?.now()?.into())
}

/// The exit status as a shell would tell it.
fn answer(end: ExitStatus) -> i32 {
    end.code().unwrap_or(128)
}

fn nanoseconds(time: TimeVal) -> i64 {
    (time.tv_sec() * 1_000_000 + time.tv_usec()) * 1000
}

/// Connects as soon as somebody listens, and waits for the greeting of a ready server.
fn greeting(start: Instant) -> io::Result<BufReader<TcpStream>> {
    let connection = loop {
        match TcpStream::connect(IMAP) {
            Ok(connection) => break connection,
            Err(cause) if start.elapsed() > LIMIT => return Err(cause),
            Err(_) => thread::sleep(AGAIN),
        }
    };
    connection.set_read_timeout(Some(LIMIT))?;
    let mut connection = BufReader::new(connection);
    let mut line = String::new();
    connection.read_line(&mut line)?;
    if line.starts_with("* OK") { Ok(connection) } else { Err(io::Error::other(line)) }
}

/// Ends the connection and waits until Dovecot has ended it too: one that is open while Dovecot stops would
/// make the next stop longer.
fn take_leave(mut connection: BufReader<TcpStream>) {
    // Whatever goes wrong here, the greeting came.
    let _ = connection.get_mut().write_all(b"a LOGOUT\r\n");
    let _ = connection.get_ref().shutdown(Shutdown::Write);
    let _ = connection.read_to_end(&mut Vec::new());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Vec<i64> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let line = run(&words).expect("a run");
        line.split(' ').map(|word| word.parse().expect("a number")).collect()
    }

    #[test]
    fn a_line_has_six_numbers_and_the_last_is_the_status() {
        let busy = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; exit \"$WITH\"";
        let seen = line(&["WITH=3", "/bin/sh", "-c", busy]);
        let [wall, tree, kernel, own, memory, 3] = seen[..] else { panic!("{seen:?}") };
        assert!(wall > 0 && own > 0 && memory > 0, "{seen:?}");
        // Other tests of this process may have children too.
        assert!(tree >= own / 1000 * 1000 && tree >= kernel, "{seen:?}");
    }

    #[test]
    fn programs_run_in_turn_and_a_failure_ends_the_row() {
        let at_least = |words: &[&str], milliseconds: i64| {
            let seen = line(words);
            (seen[0] >= milliseconds * 1_000_000, seen[5])
        };
        assert_eq!(at_least(&["sleep", "0.1", "+", "sleep", "0.1"], 200), (true, 0));
        assert_eq!(at_least(&["false", "+", "sleep", "0.2"], 200), (false, 1));
        assert_eq!(at_least(&[], 0), (true, 0));
    }

    #[test]
    fn a_child_that_sleeps_costs_its_parent_nothing() {
        let seen = line(&["/bin/sh", "-c", "sleep 0.05; true"]);
        assert!(seen[3] < 40_000_000, "{seen:?}");
    }
}
