//! Ends what a program has started before the program itself is ended for being late.
//!
//! The kernel's alarm ends a quickCheck that hangs in whatever way, and would leave the commands
//! that it gave to themselves. A thread that sleeps meanwhile ends these first and says why. It is
//! started when the first command is still running after [`GRACE`], or with the second: a check of a
//! healthy Dovecot ends before, and would pay 0.3 ms. Until then the check waits in poll(2) or reads
//! `/proc` of the master, where it does not hang. If it did, the alarm would end it without a line, and
//! leave one status command.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::exit::Exit;
use crate::system::WATCH_LEAD;

/// Reports that the program gives up after this time.
pub(crate) type GiveUp = fn(Duration);

/// When the program is ended, after how long, with what status, and who says it.
static END: OnceLock<(Instant, Duration, Exit, GiveUp)> = OnceLock::new();

/// How long the first command may run before the thread is started.
pub(super) const GRACE: Duration = Duration::from_millis(20);

/// The process groups of the commands that run.
static GROUPS: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// Sets the end of the program.
pub(super) fn end_after(limit: Duration, exit: Exit, say: GiveUp) {
    let _ = END.set((Instant::now() + limit.saturating_sub(WATCH_LEAD), limit, exit, say));
}

/// Takes note of a command that runs.
pub(super) fn know(group: Option<i32>) {
    static IS_SECOND: AtomicBool = AtomicBool::new(false);
    let Some(group) = group.filter(|_| END.get().is_some()) else { return };
    groups().push(group);
    if IS_SECOND.swap(true, Ordering::Relaxed) {
        watch();
    }
}

/// Starts the thread, once.
pub(super) fn watch() {
    static THREAD: OnceLock<()> = OnceLock::new();
    let Some((end, limit, exit, say)) = END.get() else { return };
    THREAD.get_or_init(|| {
        // Without it, the alarm ends the program alone.
        let _ = thread::Builder::new().stack_size(STACK).spawn(|| wait(*end, *limit, *exit, *say));
    });
}

/// The stack of the thread, in bytes: it formats one line.
const STACK: usize = 128 << 10;

/// A command has ended.
pub(super) fn forget(group: Option<i32>) {
    if END.get().is_some() {
        groups().retain(|one| Some(*one) != group);
    }
}

fn wait(end: Instant, limit: Duration, exit: Exit, say: GiveUp) {
    thread::sleep(end.saturating_duration_since(Instant::now()));
    for group in &*groups() {
        let _ = killpg(Pid::from_raw(*group), Signal::SIGKILL);
    }
    // Whoever cannot be told must not hold the end: the alarm comes.
    say(limit);
    std::process::exit(exit.status().into());
}

fn groups() -> MutexGuard<'static, Vec<i32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}
