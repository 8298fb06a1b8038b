//! Runs programs the way that is hardest on them: what LifeKeeper promises a script is unknown.
//!
//! A script gets an empty environment, the directory `/`, no standard input at all, and pipes that are
//! read to their end: a daemon that it leaves behind with an open standard error holds the action.

use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::node::hold;
use crate::wire::Answer;

/// How long a program has after SIGALRM before SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

/// Held while a program starts and while one is written: a program that a process just born still
/// has open for writing cannot be run.
pub(crate) static PROGRAMS: Mutex<()> = Mutex::new(());

/// Where a program's standard error goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Errors {
    /// To standard output.
    Merged,
    /// To standard error.
    Apart,
}

/// A program that runs.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<Answer>,
}

impl Running {
    /// Starts a script with `-t TAG -i ID`.
    pub(crate) fn script(path: &Path, tag: &str, id: &str) -> io::Result<Self> {
        // C: `-t TAG -i ID` and nothing else. A: an empty environment, standard input closed, both
        // outputs into one pipe.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec /usr/bin/env -i \"$@\" <&-", "sh"]);
        command.arg(path).args(["-t", tag, "-i", id]).env_clear();
        Self::start(command, Errors::Merged)
    }

    /// Starts a command line with the shell.
    pub(crate) fn shell(line: &str, root: &Path, errors: Errors) -> io::Result<Self> {
        // D: /bin/ksh; A: /bin/sh where that is missing, and the environment.
        let ksh = "/bin/ksh";
        let mut command = Command::new(if Path::new(ksh).exists() { ksh } else { "/bin/sh" });
        command
            .args(["-c", line])
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", root.join("bin").display()))
            .env("LKROOT", root);
        Self::start(command, errors)
    }

    fn start(mut command: Command, errors: Errors) -> io::Result<Self> {
        let (sender, lines) = channel();
        let (out, writer) = io::pipe()?;
        read(out, sender.clone(), Answer::Out);
        if errors == Errors::Merged {
            command.stderr(writer.try_clone()?);
        } else {
            let (err, writer) = io::pipe()?;
            read(err, sender, Answer::Err);
            command.stderr(writer);
        }
        command.stdin(Stdio::null()).stdout(writer).current_dir("/").process_group(0);
        let _alone = hold(&PROGRAMS);
        Ok(Self { child: command.spawn()?, lines })
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Passes on the output to its end, line by line, then waits for the program.
    ///
    /// Takes as long as anybody holds the pipes, but no longer than the limit: then the program's
    /// process group gets SIGALRM and after [`GRACE`] SIGKILL, the rest of its output is lost, and
    /// `None` is returned.
    pub(crate) fn follow(
        mut self,
        limit: Duration,
        reply: &mut dyn FnMut(Answer),
    ) -> io::Result<Option<ExitStatus>> {
        let begin = Instant::now();
        loop {
            match self.lines.recv_timeout(limit.saturating_sub(begin.elapsed())) {
                Ok(line) => reply(line),
                Err(RecvTimeoutError::Timeout) => return self.kill(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // A program may close its outputs and go on: the limit holds for its end as well.
        while begin.elapsed() < limit {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.kill()
    }

    fn kill(mut self) -> io::Result<Option<ExitStatus>> {
        // D: the signal is ALRM; A: that it goes to the group, and SIGKILL after it.
        let group = Pid::from_raw(i32::try_from(self.child.id()).map_err(io::Error::other)?);
        let _ = killpg(group, Signal::SIGALRM);
        thread::sleep(GRACE);
        let _ = killpg(group, Signal::SIGKILL);
        self.child.wait()?;
        Ok(None)
    }
}

/// Reads a pipe to its end.
fn read(pipe: PipeReader, lines: Sender<Answer>, kind: fn(String) -> Answer) {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if lines.send(kind(text)).is_err() {
                break;
            }
            line.clear();
        }
    });
}
