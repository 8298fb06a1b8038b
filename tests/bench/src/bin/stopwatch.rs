//! Runs programs one after the other, and prints one line: what the run cost.
//!
//! `stopwatch [--greeted] [[NAME=VALUE]... PROGRAM [ARGUMENT]... [+ PROGRAM...]...]`
//!
//! The line: wall time, CPU time of all processes, CPU time of the programs themselves without their
//! children, wall time of the service commands among them, in seconds; the memory of the largest process
//! in MiB; the first exit status that is not 0. With `--greeted` the time runs on until Dovecot greets on
//! the IMAP port. After a failed program the others are not run.
//!
//! The time of the service commands is 0 unless this program stands in their place: under the name
//! `service` it runs the real one and notes how long that took.
//!
//! It is a process of its own for each run, because the kernel sums up children's costs over the
//! whole life of a process. A daemon that a program leaves behind is nobody's child and not in the
//! sum.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use nix::sys::resource::{UsageWho, getrusage};
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
/// Where the real service command lies while this program stands in its place.
const SERVICE: &str = "/run/real/service";
/// A line for each run of it: its wall time in seconds.
const TIMES: &str = "/run/real/times";

fn main() -> io::Result<ExitCode> {
    let words: Vec<String> = env::args().collect();
    let (own_name, words) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    if Path::new(own_name).file_name().is_some_and(|name| name == "service") {
        return stand_in(words);
    }
    println!("{}", run(words)?);
    Ok(ExitCode::SUCCESS)
}

/// Runs the real service command, and notes how long it took.
fn stand_in(words: &[String]) -> io::Result<ExitCode> {
    let start = Instant::now();
    let status = Command::new(SERVICE).args(words).status()?;
    let took = start.elapsed().as_secs_f64();
    writeln!(OpenOptions::new().append(true).create(true).open(TIMES)?, "{took}")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Adds up what the service commands took since the last time, in seconds.
fn service_time() -> f64 {
    let times = fs::read_to_string(TIMES).unwrap_or_default();
    // Where there is none, nothing stands in the place of the service command.
    let _ = fs::remove_file(TIMES);
    times.lines().filter_map(|time| time.parse::<f64>().ok()).sum()
}

/// Runs all programs, and returns the line.
fn run(words: &[String]) -> io::Result<String> {
    let (greeted, words) = match words {
        [first, rest @ ..] if first == "--greeted" => (true, rest),
        _ => (false, words),
    };
    let commands: Vec<Command> = words.split(|word| word == NEXT).filter_map(command).collect();
    service_time();
    let start = Instant::now();
    let (mut own, mut status) = (Duration::ZERO, 0);
    for mut command in commands {
        let mut child = command.spawn()?;
        own += own_cost(&child)?;
        status = child.wait()?.code().unwrap_or(128);
        if status != 0 {
            break;
        }
    }
    let connection = if greeted && status == 0 { Some(greeting(start)?) } else { None };
    let wall = start.elapsed();
    if let Some(connection) = connection {
        take_leave(connection);
    }
    let sum = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let tree = sum.user_time() + sum.system_time();
    let tree = format!("{}.{:06}", tree.tv_sec(), tree.tv_usec());
    let mebibytes = format!("{}.{:03}", sum.max_rss() / 1024, sum.max_rss() % 1024 * 1000 / 1024);
    let (wall, own, service) = (wall.as_secs_f64(), own.as_secs_f64(), service_time());
    Ok(format!("{wall} {tree} {own} {service} {mebibytes} {status}"))
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

/// Waits for the end of a child, and asks its clock before it is reaped.
fn own_cost(child: &Child) -> io::Result<Duration> {
    let pid = i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)?;
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)?;
    Ok(clock_getcpuclockid(pid)?.now()?.into())
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

    fn line(words: &[&str]) -> Vec<f64> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let line = run(&words).expect("a run");
        line.split(' ').map(|word| word.parse().expect("a number")).collect()
    }

    #[test]
    fn a_line_has_six_figures_and_the_last_is_the_status() {
        let busy = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; exit \"$WITH\"";
        let seen = line(&["WITH=3", "/bin/sh", "-c", busy]);
        let [wall, tree, own, service, memory, status] = seen[..] else { panic!("{seen:?}") };
        // Other tests of this process may have children too.
        assert!(wall > 0.0 && own > 0.0 && memory > 0.1 && tree >= own - 1e-5, "{seen:?}");
        assert!((status - 3.0).abs() < 0.5 && service.abs() < 1e-9, "{seen:?}");
    }

    #[test]
    fn programs_run_in_turn_and_a_failure_ends_the_row() {
        let failed = |words: &[&str], least| {
            let seen = line(words);
            (seen[0] >= least, seen[5] > 0.0)
        };
        assert_eq!(failed(&["sleep", "0.1", "+", "sleep", "0.1"], 0.2), (true, false));
        assert_eq!(failed(&["false", "+", "sleep", "0.2"], 0.2), (false, true));
    }

    #[test]
    fn a_child_that_sleeps_costs_its_parent_nothing() {
        let seen = line(&["/bin/sh", "-c", "sleep 0.05; true"]);
        assert!(seen[2] < 0.04, "{seen:?}");
    }
}
