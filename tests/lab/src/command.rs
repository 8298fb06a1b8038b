//! Runs commands inside a node, and always comes back.
//!
//! A daemon started by a command keeps the command's stderr open, so output goes to files without
//! a name and is read when the command itself has ended, never up to an end of file. Each command
//! has a limit, after which its process group is killed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use crate::error::{Error, Result};
use crate::namespaces::Namespaces;

/// Longest output kept of each stream, in bytes.
const KEPT: u64 = 4 << 20;
/// A command that ends within this time is looked at every millisecond, so that `took` is exact.
const SHORT: Duration = Duration::from_millis(500);
/// What a command inside finds as its environment, and nothing else.
const ENVIRONMENT: [(&str, &str); 3] =
    [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/root"), ("LC_ALL", "C")];

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Exit status; none when a signal or the limit ended it.
    pub status: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// From its start until its end was seen.
    pub took: Duration,
}

impl Finished {
    /// Tells whether it exited with status 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }

    /// Returns it if it exited with status 0.
    ///
    /// # Errors
    ///
    /// How it ended otherwise; `doing` says what it was for.
    pub fn succeeded(self, doing: impl Into<String>) -> Result<Self> {
        if self.success() { Ok(self) } else { Err(Error::failed(doing, self.ending())) }
    }

    /// Says how it ended and what it last wrote to stderr, in one line.
    #[must_use]
    pub fn ending(&self) -> String {
        let last = self.stderr.lines().next_back().unwrap_or_default();
        match self.status {
            Some(status) => format!("exit status {status}: {last}"),
            None => format!("killed after {:.1} s: {last}", self.took.as_secs_f64()),
        }
    }
}

/// A command that runs inside a node; dropping it kills its process group.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: File,
    stderr: File,
    started: Instant,
    ended: bool,
}

impl Running {
    /// Starts `argv` inside the node, as the leader of its own process group.
    pub(crate) fn start(inside: &Namespaces, argv: &[&str], stdin: Stdio) -> Result<Self> {
        let doing = || format!("running {} in a node", argv.join(" "));
        let Some((program, arguments)) = argv.split_first() else {
            return Err(Error::failed("running a command in a node", "it has no words"));
        };
        let (stdout, output) = scratch()?;
        let (stderr, errors) = scratch()?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(ENVIRONMENT).process_group(0);
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        let started = Instant::now();
        let child = inside.inside(|| command.spawn()).map_err(Error::io(doing()))?;
        Ok(Self { child, stdout: output, stderr: errors, started, ended: false })
    }

    /// Waits until it ends, at most `limit`; then kills it and reports no status.
    ///
    /// # Errors
    ///
    /// When the system cannot tell how it ended, or its output cannot be read.
    pub fn wait(mut self, limit: Duration) -> Result<Finished> {
        let doing = || "waiting for a command in a node";
        let status = loop {
            if let Some(status) = self.child.try_wait().map_err(Error::io(doing()))? {
                break status.code();
            }
            let past = self.started.elapsed();
            if past >= limit {
                self.end();
                break None;
            }
            thread::sleep(Duration::from_millis(if past < SHORT { 1 } else { 10 }));
        };
        self.ended = true;
        Ok(Finished {
            status,
            took: self.started.elapsed(),
            stdout: text(&mut self.stdout).map_err(Error::io("reading a command's stdout"))?,
            stderr: text(&mut self.stderr).map_err(Error::io("reading a command's stderr"))?,
        })
    }

    /// Kills it, with all that stayed in its process group, and waits for its end.
    pub fn kill(mut self) {
        self.end();
    }

    /// Does the killing, once.
    fn end(&mut self) {
        if !self.ended && matches!(self.child.try_wait(), Ok(None)) {
            send_kill(&format!("-{}", self.child.id()));
            // The group may have been left by its leader; a refusal means that it has ended.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        self.ended = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a command of this machine, its output going where ours goes.
///
/// # Errors
///
/// When it cannot be started, or fails.
pub fn succeed(mut command: Command, doing: &str) -> Result<()> {
    let status = command.status().map_err(Error::io(doing))?;
    if status.success() { Ok(()) } else { Err(Error::failed(doing, status.to_string())) }
}

/// Runs a command of this machine; what it prints is shown only if it fails.
pub(crate) fn quietly(mut command: Command, doing: &str) -> Result<()> {
    let (output, mut printed) = scratch()?;
    let errors = output.try_clone().map_err(Error::io(doing))?;
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let status = command.status().map_err(Error::io(doing))?;
    if status.success() {
        return Ok(());
    }
    eprint!("{}", text(&mut printed).map_err(Error::io(doing))?);
    Err(Error::failed(doing, status.to_string()))
}

/// Sends SIGKILL to a process of this machine, or to a group when `target` begins with `-`.
///
/// A target that has ended is no error: what counts is looked at afterwards.
pub(crate) fn send_kill(target: &str) {
    let _ = Command::new("/bin/sh")
        .args(["-c", "kill -s KILL -- \"$1\"", "kill", target])
        .stderr(Stdio::null())
        .status();
}

/// Opens a file that has lost its name: one end to append to, one to read from the start.
pub(crate) fn scratch() -> Result<(File, File)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = env::temp_dir().join(format!("lab-{}-{count}", process::id()));
    let doing = || format!("making {}", path.display());
    let end =
        OpenOptions::new().append(true).create_new(true).open(&path).map_err(Error::io(doing()))?;
    let start = File::open(&path).map_err(Error::io(doing()));
    fs::remove_file(&path).map_err(Error::io(doing()))?;
    Ok((end, start?))
}

/// Reads what is there, at most [`KEPT`] bytes; what is no UTF-8 is marked.
pub(crate) fn text(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(KEPT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_scratch_file_gives_back_what_was_appended() {
        let (mut end, mut start) = scratch().expect("a scratch file");
        end.write_all(b"one\ntwo \xff\n").expect("writing");
        assert_eq!(text(&mut start).expect("reading"), "one\ntwo \u{fffd}\n");
    }

    #[test]
    fn the_ending_names_the_status_and_the_last_line() {
        let finished = |status| Finished {
            status,
            stdout: String::new(),
            stderr: "first\nlast\n".into(),
            took: Duration::from_millis(1500),
        };
        assert_eq!(finished(Some(3)).ending(), "exit status 3: last");
        assert_eq!(finished(None).ending(), "killed after 1.5 s: last");
    }
}
