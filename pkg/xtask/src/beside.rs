//! A step that runs beside others: one of this program's own commands, with the lowest priority.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use lab::{Error, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The command on its way. Dropped before its end was waited for, it is killed with all that it
/// started.
pub(crate) struct Beside {
    doing: String,
    child: Option<Child>,
    log: PathBuf,
}

impl Beside {
    /// Starts `cargo xtask WORDS`; what it prints is kept until it is waited for.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
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
        Ok(Self { doing, child: Some(child), log })
    }

    /// Waits for its end, and prints what it printed.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub(crate) fn finish(mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let status = child.wait().map_err(Error::io(&self.doing))?;
        print!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        if status.success() { Ok(()) } else { Err(Error::failed(&self.doing, status.to_string())) }
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
    use std::time::{Duration, Instant};

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
