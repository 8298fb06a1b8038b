//! Commands with a time-out.
//!
//! Their output goes to a file and not to a pipe: `service dovecot start` leaves its standard
//! error open in the daemon, and who reads a pipe to its end would wait as long as Dovecot lives.

use std::cell::{Cell, RefCell};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use rustix::fs::{FallocateFlags, MemfdFlags, OFlags, fallocate, fcntl_setfl, memfd_create};
use rustix::io::Errno;
use signal_hook::consts::SIGCHLD;

use super::limits::{Core, Limits};
use super::watchdog;
use crate::command::{Capture, Command, CommandOutput, End, Start};
use crate::stderr;
use crate::system::{KILL_WAIT, KillBudget, PROGRAM_DIRECTORIES};

/// The longest time between two looks at a command: what it may print meanwhile is in memory.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits for a word and becomes the command; whoever started it and died has sent none.
const GATE: &str = r#"read -r go && exec "$@" </dev/null"#;

/// An output that grows beyond so many bytes is cut down to its end.
const MAX_OUTPUT: u64 = 1 << 20;

/// How much of the output is kept, in bytes: its end, where the reason stands.
const KEPT_OUTPUT: u64 = 2048;

/// Room for what a command of the service manager prints, in bytes.
const ROOM: u64 = 64 << 10;

/// How much of an answer is kept, in bytes. One that is longer has lost its beginning.
const KEPT_ANSWER: u64 = MAX_OUTPUT;

/// Tells that a child has ended. It also undoes a caller's ignoring of SIGCHLD, which programs
/// inherit, and with which the kernel keeps no exit status for us.
struct ChildSignal(UnixStream);

impl ChildSignal {
    /// Watches from now on; `None` where the kernel refuses, and then one looks now and then.
    fn watch() -> Option<Self> {
        let (read, write) = UnixStream::pair().ok()?;
        read.set_nonblocking(true).ok()?;
        signal_hook::low_level::pipe::register(SIGCHLD, write).ok()?;
        Some(Self(read))
    }

    fn wait(&self, limit: Duration) {
        let mut polled = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut polled, PollTimeout::try_from(limit).unwrap_or(PollTimeout::ZERO));
        let _ = io::copy(&mut &self.0, &mut io::sink());
    }
}

/// The commands that run. All of them are looked at wherever one waits, be it for something else:
/// what they print stays short, and one that runs longer than it may is not called in time because
/// nobody waited for it.
pub(super) struct Commands {
    limits: Limits,
    signal: Option<ChildSignal>,
    watched: RefCell<Vec<Weak<Watched>>>,
    burials: KillBudget,
}

/// What is looked at of a command as long as it runs.
struct Watched {
    pid: Option<i32>,
    /// Without it the command runs all the same, only its words are lost.
    output: Option<File>,
    /// Where standard output goes when it is not to stand among the words.
    answer: Option<File>,
    start: Instant,
    /// When it was last seen running.
    seen: Cell<Instant>,
}

/// A command on its way.
#[must_use]
pub(crate) struct Running {
    /// Nothing once it has ended.
    child: Option<Result<Child, String>>,
    watched: Rc<Watched>,
}

impl Commands {
    /// Must be made before the first command is started.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            signal: ChildSignal::watch(),
            watched: RefCell::default(),
            burials: KillBudget::default(),
        }
    }

    /// Starts a command in a process group of its own, with an environment that is always the
    /// same.
    pub(super) fn start(&self, command: &Command) -> Running {
        let running = Running::start(command, &self.limits);
        let mut watched = self.watched.borrow_mut();
        watched.retain(|one| one.strong_count() > 0);
        watched.push(Rc::downgrade(&running.watched));
        running
    }

    /// Waits for a command's end, at most so long, and returns whether it has come; what became of
    /// it is for [`Self::finish`] to say.
    pub(super) fn let_end(&self, running: &mut Running, limit: Duration) -> bool {
        let Some(Ok(child)) = &mut running.child else { return true };
        let ended = wait(child, Instant::now() + limit, |left| self.pause(left));
        !matches!(ended, Ok(None))
    }

    /// Waits for a command's end until `limit` after its start, then kills its process group. One
    /// that was seen running after that is late, even if it has ended since.
    pub(super) fn finish(&self, mut running: Running, limit: Duration) -> CommandOutput {
        let pause = |left: Duration| self.pause(left);
        let end = running.watched.start + limit;
        let waited = match &mut running.child {
            Some(Ok(child)) => Ok(wait(child, end, pause)),
            Some(Err(cause)) => Err(cause.clone()),
            None => Err("it was not started".into()),
        };
        let end = match waited {
            Err(cause) => End::NotRun(cause),
            Ok(Err(cause)) => End::NotRun(format!("waiting for its end: {cause}")),
            Ok(Ok(Some(_))) if running.watched.seen.get() > end => {
                running.forget();
                End::TimedOut(limit)
            }
            Ok(Ok(Some(status))) => {
                running.forget();
                ended(status)
            }
            Ok(Ok(None)) => {
                self.burials.wait(|limit| running.end(limit, pause));
                End::TimedOut(limit)
            }
        };
        let text = |file: &Option<File>, kept| file.as_ref().map(|file| end_of(file, kept));
        let Watched { output, answer, .. } = &*running.watched;
        CommandOutput {
            end,
            output: text(output, KEPT_OUTPUT).unwrap_or_default(),
            answer: text(answer, KEPT_ANSWER).unwrap_or_default(),
        }
    }

    /// Sleeps, and looks at the commands meanwhile.
    pub(super) fn sleep(&self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            stderr::tick();
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(if self.look() { left.min(LOOK_AGAIN) } else { left });
        }
    }

    /// Looks at all commands that run; returns whether one does.
    pub(super) fn look(&self) -> bool {
        let watched = self.watched.borrow();
        watched.iter().filter_map(Weak::upgrade).filter(|one| one.look()).count() > 0
    }

    /// Sleeps until a child has ended, or it is time to look again, and looks.
    fn pause(&self, left: Duration) {
        pause(left, self.signal.as_ref());
        stderr::tick();
        self.look();
    }
}

impl Watched {
    /// Cuts what the command has printed, and returns whether it runs.
    fn look(&self) -> bool {
        [&self.output, &self.answer].into_iter().flatten().for_each(cut);
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        let state = self.pid.map(|pid| waitid(Id::Pid(Pid::from_raw(pid)), look));
        let runs = state == Some(Ok(WaitStatus::StillAlive));
        if runs {
            self.seen.set(Instant::now());
            if self.start.elapsed() >= watchdog::GRACE {
                watchdog::watch();
            }
        }
        runs
    }
}

impl Running {
    fn start(command: &Command, limits: &Limits) -> Self {
        let output = scratch_file();
        let answer = (command.capture() == Capture::Answer).then(scratch_file).flatten();
        let sink = |file: &Option<File>| {
            let file = file.as_ref().and_then(|file| file.try_clone().ok());
            file.map_or_else(Stdio::null, Stdio::from)
        };
        let is_gated = command.begins() == Start::Released;
        let mut child = if is_gated {
            let mut shell = std::process::Command::new("/bin/sh");
            shell.args(["-c", GATE, "sh"]).arg(command.program());
            shell
        } else {
            std::process::Command::new(command.program())
        };
        let is_told = is_gated || command.input().is_some();
        child
            .args(command.arguments())
            .env_clear()
            .env("PATH", PROGRAM_DIRECTORIES.join(":"))
            .env("LC_ALL", "C")
            .env("HOME", "/")
            .envs(command.environment().iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(if is_told { Stdio::piped() } else { Stdio::null() })
            .stdout(match command.capture() {
                Capture::Words => sink(&output),
                Capture::Answer => sink(&answer),
                Capture::Errors => Stdio::null(),
            })
            .stderr(sink(&output))
            .process_group(0);
        let core = match (command.capture(), command.input()) {
            (Capture::Words | Capture::Answer, None) => Core::AsCaller,
            (Capture::Errors, _) | (_, Some(_)) => Core::Never,
        };
        let mut child = limits
            .spawn(&mut child, command.begins(), core)
            .map_err(|cause| format!("starting {}: {cause}", command.program().display()));
        if let (Some(password), Ok(child)) = (command.input(), &mut child) {
            // So little fits into any pipe; where nobody reads it, the command says so.
            let stdin = child.stdin.take();
            let _ = stdin
                .map(|mut stdin| stdin.write_all(format!("{}\n", password.reveal()).as_bytes()));
        }
        let pid = child.as_ref().ok().and_then(|child| i32::try_from(child.id()).ok());
        watchdog::know(pid);
        let start = Instant::now();
        let watched = Watched { pid, output, answer, start, seen: Cell::new(start) };
        Self { child: Some(child), watched: Rc::new(watched) }
    }

    /// Lets it begin, if it waits for that.
    pub(super) fn release(&mut self) {
        let Some(Ok(child)) = &mut self.child else { return };
        if let Some(mut gate) = child.stdin.take() {
            let _ = gate.write_all(b"go\n");
        }
    }

    /// The pid of its first process.
    pub(super) fn pid(&self) -> Option<i32> {
        self.watched.pid
    }

    /// Kills its process group, and waits for its end at most so long. Returns how long it has.
    fn end(&mut self, limit: Duration, pause: impl Fn(Duration)) -> Duration {
        let start = Instant::now();
        // Not yet waited for, so the group is still ours.
        if let Some(group) = self.pid() {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        if let Some(Ok(child)) = &mut self.child {
            let _ = wait(child, start + limit, pause);
        }
        self.forget();
        start.elapsed()
    }

    /// It has ended: its number may be given to somebody else.
    fn forget(&mut self) {
        watchdog::forget(self.pid());
        self.child = None;
    }
}

impl Drop for Running {
    /// A command that nobody waits for any more does not go on.
    fn drop(&mut self) {
        if self.child.is_some() {
            self.end(KILL_WAIT, |left| pause(left, None));
        }
    }
}

/// Sleeps until a child has ended, or it is time to look again.
fn pause(left: Duration, signal: Option<&ChildSignal>) {
    match signal {
        Some(signal) => signal.wait(left.min(LOOK_AGAIN)),
        None => std::thread::sleep(left.min(LOOK_AGAIN / 10)),
    }
}

/// Waits for a child's end; `None` when it has not come by then.
fn wait(
    child: &mut Child,
    end: Instant,
    pause: impl Fn(Duration),
) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        pause(left.max(Duration::from_millis(1)));
    }
}

fn ended(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, Some(signal)) => End::Signalled(signal),
        (None, None) => End::NotRun(status.to_string()),
    }
}

/// A file without a name, in memory; before Linux 3.17 in a directory with room for it. One that can
/// be created but not written, as in a full `/run`, would make every answer empty. Since Linux 6.3 a
/// machine can refuse one that could become a program (`vm.memfd_noexec`); before, none can be so marked.
fn scratch_file() -> Option<File> {
    let in_memory = |flags| memfd_create("dovecot-ark-output", MemfdFlags::CLOEXEC | flags);
    if let Ok(file) = in_memory(MemfdFlags::NOEXEC_SEAL).or_else(|_| in_memory(MemfdFlags::empty()))
    {
        fcntl_setfl(&file, OFlags::APPEND).ok()?;
        return Some(file.into());
    }
    // Never what the caller's TMPDIR names.
    let has_room = |file: &File| {
        let room = fallocate(file, FallocateFlags::KEEP_SIZE, 0, ROOM);
        !matches!(room, Err(Errno::NOSPC | Errno::DQUOT))
    };
    let files = ["/run", "/tmp"].iter().filter_map(|place| nameless_file(Path::new(place)).ok());
    files.into_iter().find(has_room)
}

fn nameless_file(directory: &Path) -> io::Result<File> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = directory.join(format!(".dovecot-ark-output-{}-{count}", std::process::id()));
    // What a predecessor with our pid may have left when it was killed.
    let _ = fs::remove_file(&path);
    let mut how = OpenOptions::new();
    let file = how.read(true).append(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Keeps only the end of an output that grows too long.
fn cut(file: &File) {
    if file.metadata().is_ok_and(|data| data.len() > MAX_OUTPUT) {
        let end = end_of(file, KEPT_OUTPUT);
        let _ = file.set_len(0).and_then(|()| (&mut &*file).write_all(end.as_bytes()));
    }
}

fn end_of(file: &File, kept: u64) -> String {
    let length = file.metadata().map_or(0, |data| data.len());
    let kept = length.min(kept);
    let mut bytes = vec![0; usize::try_from(kept).unwrap_or_default()];
    match file.read_exact_at(&mut bytes, length - kept) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(300);
    const LONG: Duration = Duration::from_secs(20);

    fn commands() -> Commands {
        Commands::new(Limits::raise())
    }

    fn shell(script: &str) -> Command {
        Command::new("/bin/sh".into(), &["-c", script])
    }

    fn run(command: &Command, limit: Duration) -> CommandOutput {
        let commands = commands();
        commands.finish(commands.start(command), limit)
    }

    fn sh(script: &str, limit: Duration) -> CommandOutput {
        run(&shell(script), limit)
    }

    #[test]
    fn the_end_and_the_words_of_a_command_are_told() {
        for (script, end, words) in [
            ("exit 0", End::Exited(0), ""),
            ("echo one; echo two >&2; exit 3", End::Exited(3), "one\ntwo\n"),
            ("kill -KILL $$", End::Signalled(9), ""),
        ] {
            let answer = String::new();
            assert_eq!(
                sh(script, LONG),
                CommandOutput { end, output: words.into(), answer },
                "{script}"
            );
        }
        let missing = Command::new("/no/such/program".into(), &[]);
        let ended = run(&missing, LONG);
        let End::NotRun(cause) = ended.end else { panic!("{ended:?}") };
        assert!(cause.starts_with("starting /no/such/program: No such file"), "{cause}");
    }

    #[test]
    fn an_answer_is_kept_whole_and_apart_from_what_went_wrong() {
        let script = "seq 10000; echo oops >&2; echo $ANSWER";
        let ended = run(&shell(script).asked().with("ANSWER", "42".into()), LONG);
        let lines: Vec<&str> = ended.answer.lines().collect();
        assert_eq!((lines.len(), lines.first(), lines.last()), (10_001, Some(&"1"), Some(&"42")));
        assert_eq!((ended.end, &*ended.output), (End::Exited(0), "oops\n"));
    }

    #[test]
    fn of_a_secret_command_only_its_errors_are_kept_and_it_leaves_no_core() {
        let script =
            "echo key; echo oops >&2; echo core $(ulimit -c) >&2; readlink /proc/self/fd/1";
        let ended = run(&shell(script).secret(), LONG);
        let (end, output, answer) = (End::Exited(0), "oops\ncore 0\n".into(), String::new());
        assert_eq!(ended, CommandOutput { end, output, answer });
    }

    #[test]
    fn a_command_that_never_ends_is_killed_with_its_group() {
        let start = Instant::now();
        let ended = sh("sleep 1000 & echo $!; wait", SHORT);
        assert_eq!(ended.end, End::TimedOut(SHORT));
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
        let grandchild = ended.output.trim();
        for _ in 0..100 {
            let line = fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            if line.is_empty() || line.contains(") Z ") {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("pid {grandchild} outlived its group");
    }

    #[test]
    fn a_command_that_waits_begins_when_it_is_released_and_never_without_that() {
        let (commands, command) = (commands(), shell("echo begun; cat").waiting());
        let mut running = commands.start(&command);
        assert!(!commands.let_end(&mut running, SHORT), "it waits");
        let pid = running.pid();
        running.release();
        assert_eq!(running.pid(), pid, "it is the same process");
        let ended = commands.finish(running, LONG);
        assert_eq!((ended.end, &*ended.output), (End::Exited(0), "begun\n"));

        // Its starter has died: the other end of the pipe is closed.
        let mut left = commands.start(&command);
        if let Some(Ok(child)) = &mut left.child {
            drop(child.stdin.take());
        }
        let ended = commands.finish(left, LONG);
        assert_eq!((ended.end, &*ended.output), (End::Exited(1), ""));
    }

    #[test]
    fn a_command_that_nobody_waits_for_any_more_is_killed_with_its_group() {
        let running = commands().start(&shell("sleep 1000 & wait"));
        let group = Pid::from_raw(running.pid().expect("a pid"));
        drop(running);
        for _ in 0..100 {
            // No process of the group is left, buried or not.
            if killpg(group, None).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("group {group} outlives its command");
    }

    #[test]
    fn a_daemon_that_keeps_standard_error_does_not_hold_the_command() {
        let start = Instant::now();
        let ended = sh("setsid sleep 30 & echo $!", LONG);
        assert_eq!(ended.end, End::Exited(0));
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
        let daemon = ended.output.trim().parse().expect("a pid");
        nix::sys::signal::kill(Pid::from_raw(daemon), Signal::SIGKILL).expect("ending the daemon");
    }

    #[test]
    fn a_command_that_prints_without_end_fills_no_memory() {
        let ended = sh("yes", SHORT);
        assert_eq!(ended.end, End::TimedOut(SHORT));
        assert!(ended.output.len() <= 2048 && ended.output.ends_with('\n'), "{:?}", ended.output);
    }

    #[test]
    fn a_command_is_looked_at_while_nobody_waits_for_it() {
        let commands = commands();
        let script = "head -c 3000000 /dev/zero; sleep 0.2; echo last";
        let running = commands.start(&shell(script));
        let other = commands.start(&shell(script));
        commands.sleep(SHORT);
        let length = |one: &Running| {
            one.watched.output.as_ref().expect("a file").metadata().expect("its length").len()
        };
        assert!(length(&running) <= MAX_OUTPUT, "{}", length(&running));
        // It ends in its time, or late, whoever is waited for.
        let ended = commands.finish(other, LONG);
        assert!(ended.succeeded() && ended.output.ends_with("last\n"), "{:?}", ended.end);
        commands.sleep(SHORT);
        let late = Duration::from_millis(100);
        assert_eq!(commands.finish(running, late).end, End::TimedOut(late));
    }

    #[test]
    fn a_command_finds_the_same_place_whoever_calls() {
        let script = "env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort; pwd; cat";
        let ended = sh(script, LONG);
        let expected = "HOME=/\nLC_ALL=C\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n/\n";
        assert_eq!(ended.output, expected);
    }
}
