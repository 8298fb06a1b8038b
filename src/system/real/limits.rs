//! What this process may use, and what its caller gave it.
//!
//! An action must work whatever its caller allowed: a file size of 0 would end it with SIGXFSZ at
//! its first line of the log, ten descriptors are too few for its entries, and a core would hold
//! what its memory holds. So the kit raises its own limits. The commands that it gives get the
//! caller's back: a Dovecot that is started here must be what it would be elsewhere. A question
//! keeps what it needs to be answered: a service manager that was not heard counts as at rest.

use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::libc::EMFILE;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGKILL, SIGSTOP, SIGXFSZ};
use signal_hook::flag;

use super::process;
use crate::command::Start;

/// Descriptors that are enough for 500 entries and a log.
const DESCRIPTORS: u64 = 4096;

/// Descriptors without which no shell runs, and no service command is one. Dovecot needs more, and
/// says so.
const LEAST_DESCRIPTORS: u64 = 64;

/// The limits that are changed: those that a question gets back too, then the others.
const CHANGED: [Resource; 5] =
    [Resource::Nofile, Resource::Core, Resource::Fsize, Resource::As, Resource::Cpu];

/// Whether a command may leave a core.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Core {
    /// As its caller allowed.
    AsCaller,
    /// It holds what nobody may read.
    Never,
}

/// The limit of a core, in bytes, that leaves none: less than the smallest core, and the one value
/// with which a kernel gives none to the program of `core_pattern` either (`do_coredump` in Linux;
/// 0 does not hold for a program).
const NO_CORE: u64 = 1;

/// The caller's limits, and ours.
pub(super) struct Limits {
    callers: [Rlimit; 5],
    own: [Rlimit; 5],
}

impl Limits {
    /// Raises this process's own limits, as far as the kernel lets it.
    pub(super) fn raise() -> Self {
        let callers = CHANGED.map(getrlimit);
        let [files, core, ..] = callers;
        let files = match files.maximum {
            Some(maximum) if maximum < DESCRIPTORS => {
                Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) }
            }
            maximum => Rlimit { current: maximum, maximum },
        };
        // This program may hold a password.
        let core = Rlimit {
            current: Some(core.maximum.map_or(NO_CORE, |most| most.min(NO_CORE))),
            ..core
        };
        let none = Rlimit { current: None, maximum: None };
        let mut own = [files, core, none, none, none];
        for ((resource, own), callers) in CHANGED.iter().zip(&mut own).zip(&callers) {
            if setrlimit(*resource, *own).is_err() {
                // Who is not root raises the soft limit to the hard one.
                *own = Rlimit { current: callers.maximum, maximum: callers.maximum };
                let _ = setrlimit(*resource, *own);
            }
        }
        let mut callers = callers;
        if let [files, ..] = &mut callers
            && files.current.is_some_and(|current| current < LEAST_DESCRIPTORS)
        {
            let least = Some(LEAST_DESCRIPTORS);
            files.current = files.maximum.map_or(least, |maximum| least.min(Some(maximum)));
        }
        Self { callers, own }
    }

    /// Starts a command with the caller's limits: they are ours for that moment. Where we have more
    /// descriptors open than these allow, the command gets them when it runs. A question, which
    /// begins at once, has no limit of file size, memory and processor time but ours.
    pub(super) fn spawn(
        &self,
        command: &mut Command,
        begins: Start,
        core: Core,
    ) -> io::Result<Child> {
        let mut limits = self.callers;
        if begins == Start::AtOnce {
            let others = limits.iter_mut().zip(&self.own).skip(2);
            others.for_each(|(limit, own)| *limit = *own);
        }
        if let ([_, limit, ..], Core::Never) = (&mut limits, core) {
            limit.current = Some(limit.maximum.map_or(NO_CORE, |maximum| maximum.min(NO_CORE)));
        }
        change(&self.own, &limits);
        let spawned = command.spawn();
        change(&limits, &self.own);
        match spawned {
            Err(cause) if cause.raw_os_error() == Some(EMFILE) => {
                let child = command.spawn()?;
                let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                for (resource, limit) in CHANGED.iter().zip(&limits) {
                    let _ = pid.map(|pid| prlimit(Some(pid), *resource, *limit));
                }
                Ok(child)
            }
            spawned => spawned,
        }
    }
}

/// Sets the limits that are not the same in both.
fn change(from: &[Rlimit; 5], to: &[Rlimit; 5]) {
    for (resource, (from, to)) in CHANGED.iter().zip(from.iter().zip(to)) {
        if from != to {
            let _ = setrlimit(*resource, *to);
        }
    }
}

/// Lets SIGXFSZ pass, and gives the commands the default action of each signal that the caller
/// ignores: a handler that does nothing is not passed on, unlike an ignored signal. Returns the signals
/// that it ignores.
pub(super) fn keep_ignored_signals() -> Vec<i32> {
    let nobody = Arc::new(AtomicBool::new(false));
    let status = process::read(Path::new("/proc/self/status")).unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let ignored: Vec<i32> = (1..=31).filter(|signal| mask & (1 << (signal - 1)) != 0).collect();
    // These two are handled where they are needed, and the pipe's is Rust's own to ignore.
    let own = [SIGALRM, SIGCHLD, SIGKILL, SIGSTOP, signal_hook::consts::SIGPIPE, SIGXFSZ];
    let others = ignored.iter().filter(|signal| !own.contains(signal));
    for signal in others.chain(&[SIGXFSZ]) {
        let _ = flag::register(*signal, Arc::clone(&nobody));
    }
    ignored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_its_callers_limits_and_we_have_more() {
        let callers = CHANGED.map(getrlimit);
        let limits = Limits::raise();
        assert_eq!(limits.callers, callers);
        let core = getrlimit(Resource::Core);
        let least = core.maximum.map_or(NO_CORE, |most| most.min(NO_CORE));
        assert_eq!(core.current, Some(least), "a core would hold our memory");
        let told = std::env::temp_dir().join(format!("limits-{}", std::process::id()));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "ulimit -n; ulimit -c"]);
        command.stdout(std::fs::File::create(&told).expect("a file"));
        let shell = limits.spawn(&mut command, Start::Released, Core::AsCaller);
        shell.expect("a shell").wait().expect("its end");
        let text = std::fs::read_to_string(&told).expect("its words");
        std::fs::remove_file(&told).expect("removing it");
        let word = |limit: Option<u64>, unit: u64| {
            limit.map_or("unlimited".to_owned(), |limit| (limit / unit).to_string())
        };
        let [files, core, ..] = callers;
        // The shell counts a core in blocks of 512 bytes.
        let expected = [word(files.current, 1), word(core.current, 512)];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_question_is_answered_whatever_its_caller_may_write() {
        let mut limits = Limits::raise();
        let [.., size, _, _] = &mut limits.callers;
        size.current = Some(0);
        let status = |begins| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "echo 42"]);
            let path = std::env::temp_dir().join(format!("size-{}", std::process::id()));
            command.stdout(std::fs::File::create(&path).expect("a file"));
            let shell = limits.spawn(&mut command, begins, Core::Never);
            let status = shell.expect("a shell").wait().expect("its end");
            let text = std::fs::read_to_string(&path).expect("its words");
            std::fs::remove_file(&path).expect("removing it");
            (status.success(), text)
        };
        assert_eq!(status(Start::AtOnce), (true, "42\n".into()));
        assert_eq!(status(Start::Released).1, "");
    }
}
