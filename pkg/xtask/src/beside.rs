//! A step that runs beside others: one of this program's own commands, with the lowest priority.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lab::{Error, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// The command on its way. Dropped before its end was waited for, it is killed with all that it
/// started.
pub(crate) struct Beside {
    doing: String,
    child: Option<Child>,
    /// Sees its end, and says how long it ran.
    clock: Option<JoinHandle<Duration>>,
    log: PathBuf,
}

impl Beside {
    /// Starts `cargo xtask WORDS`; what it prints is kept until it is waited for.
    pub(crate) fn xtask(words: &[&str]) -> Result<Self> {
        let doing = format!("running xtask {} beside other steps", words.join(" "));
        let program = env::current_exe().map_err(Error::io(&doing))?;
        Self::start(doing, &program, words)
    }

    fn start(doing: String, program: &Path, words: &[&str]) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let log = env::temp_dir().join(format!("dovecot-ark-beside-{}-{count}", process::id()));
        let child = launch(program, words, &log).map_err(Error::io(&doing))?;
        let clock = Some(clock(&child));
        Ok(Self { doing, child: Some(child), clock, log })
    }

    /// Waits for its end, prints what it printed, and returns how long it ran.
    pub(crate) fn finish(mut self) -> Result<Duration> {
        let ran = self.clock.take().and_then(|clock| clock.join().ok()).unwrap_or_default();
        let Some(mut child) = self.child.take() else { return Ok(ran) };
        let status = child.wait().map_err(Error::io(&self.doing))?;
        print!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        if status.success() { Ok(ran) } else { Err(Error::failed(&self.doing, status.to_string())) }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Not yet waited for, so the group is still ours.
            if let Ok(group) = i32::try_from(child.id()) {
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            let _ = child.wait();
        }
        let _ = fs::remove_file(&self.log);
    }
}

/// Starts a thread that returns how long the child ran; whoever owns the child still waits for it.
fn clock(child: &Child) -> JoinHandle<Duration> {
    let (began, pid) = (Instant::now(), i32::try_from(child.id()));
    thread::spawn(move || {
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        if let Ok(pid) = pid {
            while waitid(Id::Pid(Pid::from_raw(pid)), ended) == Err(Errno::EINTR) {}
        }
        began.elapsed()
    })
}

fn launch(program: &Path, words: &[&str], log: &Path) -> io::Result<Child> {
    // What a run of the same pid left when it was killed.
    let _ = fs::remove_file(log);
    let output = File::create_new(log)?;
    let errors = output.try_clone()?;
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(program).args(words);
    command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0).spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Beside {
        Beside::start("testing".into(), Path::new("/bin/sh"), &["-c", script]).expect("a shell")
    }

    #[test]
    fn it_fails_as_its_command_does() {
        sh("exit 0").finish().expect("success");
        let error = sh("exit 3").finish().expect_err("a failure").to_string();
        assert_eq!(error, "testing: exit status: 3");
    }

    #[test]
    fn it_tells_how_long_it_ran_not_how_long_it_was_waited_for() {
        let began = Instant::now();
        let beside = sh("sleep 0.2");
        while !beside.clock.as_ref().is_none_or(JoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(1));
        }
        let ended = began.elapsed();
        thread::sleep(Duration::from_millis(50));
        let ran = beside.finish().expect("success");
        assert!((Duration::from_millis(200)..=ended).contains(&ran), "{ran:?} of {ended:?}");
    }

    #[test]
    fn what_an_earlier_run_left_is_not_in_its_way() {
        let log = env::temp_dir().join(format!("dovecot-ark-beside-left-{}", process::id()));
        fs::write(&log, "old").expect("a file");
        let launched = launch(Path::new("/bin/sh"), &["-c", "echo new"], &log);
        launched.expect("a shell").wait().expect("its end");
        assert_eq!(fs::read_to_string(&log).expect("the log"), "new\n");
        fs::remove_file(&log).expect("removing it");
    }

    #[test]
    fn dropped_it_ends_all_that_it_started() {
        let beside = sh("sleep 1000 & echo $!; wait");
        let began = Instant::now();
        let late = || assert!(began.elapsed() < Duration::from_secs(20), "it takes too long");
        let grandchild = loop {
            late();
            let text = fs::read_to_string(&beside.log).expect("its log");
            if let Some(pid) = text.strip_suffix('\n') {
                break pid.to_owned();
            }
        };
        let log = beside.log.clone();
        drop(beside);
        assert!(!log.exists());
        // An orphan stays until somebody asks for its exit status.
        let stat = PathBuf::from(format!("/proc/{grandchild}/stat"));
        while fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")) {
            late();
        }
    }
}
