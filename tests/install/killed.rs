//! Killed at any system call that changes something, and called again.
//!
//! A first run is watched by strace, which tells each such call. Then the run is repeated as often,
//! and each time strace has the kernel kill it in the place of another of them. Whoever asks again,
//! for the same or for the opposite, must get what an undisturbed run would have given.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use lab::{DEFAULTS, Process, Tree};

use crate::kit::{Dialect, Init, Kit};

/// The calls that change what others can see, start another process, or wait for it.
const CALLS: &[&str] = &[
    "open",
    "openat",
    "creat",
    "write",
    "pwrite64",
    "writev",
    "sendfile",
    "copy_file_range",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "fsync",
    "fdatasync",
    "ftruncate",
    "chmod",
    "fchmod",
    "chown",
    "fchown",
    "setxattr",
    "fsetxattr",
    "fremovexattr",
    "clone",
    "clone3",
    "fork",
    "vfork",
    "wait4",
    "flock",
    "exit_group",
];

/// What install may touch. The other tests look at more, and take longer.
const TOUCHED: [&str; 13] = [
    "/etc/default",
    "/etc/systemd",
    "/etc/rc0.d",
    "/etc/rc1.d",
    "/etc/rc2.d",
    "/etc/rc3.d",
    "/etc/rc4.d",
    "/etc/rc5.d",
    "/etc/rc6.d",
    "/etc/rcS.d",
    "/var/lib/dovecot-ark",
    "/opt/LifeKeeper/config",
    "/opt/LifeKeeper/subsys",
];

/// Where strace writes; gone with the node.
const TRACE: &str = "/run/trace";

/// The longest that a command may go on whose caller was killed.
const ORPHAN: Duration = Duration::from_secs(20);

/// How a shell tells the end of a command by SIGKILL.
const KILLED: i32 = 137;

/// One of the system calls of a run.
struct Call {
    name: String,
    /// The how manieth of this name.
    nth: usize,
    /// As strace shows it.
    line: String,
}

/// What is done after a kill.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// The same again.
    Same,
    /// The opposite.
    Opposite,
}

/// A node, in both states.
struct Scene {
    kit: Kit,
    install: Vec<&'static str>,
    uninstall: Vec<&'static str>,
    /// What is there before install, and after it.
    trees: [Tree; 2],
    defaults: [String; 2],
}

impl Scene {
    fn new(init: Init, dialect: Dialect) -> Self {
        let kit = Kit::new(init, dialect);
        let install = vec!["install", "--no-start", "--quickcheck-timeout", "60"];
        let uninstall = kit.uninstalling("");
        let look = || kit.node.tree(&TOUCHED).expect("looking at the node");
        let before = (look(), kit.defaults());
        kit.done(&install);
        let after = (look(), kit.defaults());
        kit.done(&uninstall);
        assert_eq!(before.0.changes(&look()), [""; 0], "uninstalled");
        assert_ne!(before.1, after.1, "install adds entries");
        let (trees, defaults) = ([before.0, after.0], [before.1, after.1]);
        Self { kit, install, uninstall, trees, defaults }
    }

    /// Runs once under strace and returns the calls that change something.
    fn calls(&self, words: &[&str]) -> Vec<Call> {
        let names: Vec<String> = CALLS.iter().map(|name| format!("?{name}")).collect();
        let line = words.join(" ");
        let options = format!("-qq -y -e signal=none -e trace={}", names.join(","));
        self.kit.sh(&format!("strace {options} -o {TRACE} dovecot-ark {line}"));
        let trace = self.kit.node.read(TRACE).expect("the trace");
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut calls = Vec::new();
        for line in trace.lines() {
            let (name, rest) = line.split_once('(').unwrap_or_else(|| panic!("a call: {line}"));
            let nth = counts.entry(name).or_default();
            *nth += 1;
            let started = calls.last().is_some_and(|call: &Call| call.name.starts_with("clone"));
            if changes(name, rest) || name == "wait4" && started {
                calls.push(Call { name: name.to_owned(), nth: *nth, line: line.to_owned() });
            }
        }
        calls
    }

    /// Runs and is killed in the place of this call; tells whether it came to that.
    fn kill_at(&self, call: &Call, words: &[&str]) -> bool {
        let before = self.processes();
        let (name, nth, line) = (&call.name, call.nth, words.join(" "));
        let inject = format!("-e trace={name} -e inject={name}:signal=SIGKILL:when={nth}");
        let script = format!("strace -qq -o /dev/null {inject} dovecot-ark {line}; exit $?");
        let ended = self.kit.node.sh(&script).expect("running strace");
        assert!(matches!(ended.status, Some(0 | KILLED)), "{}: {ended:#?}", call.line);
        // Whom it had started goes on alone, and is not what this is about.
        let start = Instant::now();
        loop {
            let orphans: Vec<Process> = self.processes();
            let orphans: Vec<&Process> =
                orphans.iter().filter(|one| !before.iter().any(|old| old.pid == one.pid)).collect();
            if orphans.is_empty() {
                break;
            }
            assert!(start.elapsed() < ORPHAN, "{}: {orphans:#?}", call.line);
            thread::sleep(Duration::from_millis(2));
        }
        let now = self.kit.defaults();
        assert!(self.defaults.contains(&now), "{}: the file is torn: {now}", call.line);
        ended.status == Some(KILLED)
    }

    fn processes(&self) -> Vec<Process> {
        let mut processes = self.kit.node.processes().expect("the process table");
        processes.retain(|process| process.state != 'Z');
        processes
    }

    /// Kills install (0) or uninstall (1) at each of its calls, or only those of these names, and
    /// does this afterwards.
    fn kill_everywhere(&self, from: usize, then: Then, only: &[&str]) {
        let start = Instant::now();
        let (words, back) = match from {
            0 => (&self.install, &self.uninstall),
            _ => (&self.uninstall, &self.install),
        };
        let (here, there) = (from, 1 - from);
        let verb = words.first().expect("a verb");
        if from == 1 {
            self.kit.done(back);
        }
        let mut calls = self.calls(words);
        self.kit.done(back);
        calls.retain(|call| only.is_empty() || only.contains(&call.name.as_str()));
        let renamed = |call: &Call| call.name == "rename" && call.line.contains(DEFAULTS);
        assert!(calls.iter().any(renamed), "strace sees the settings file change");
        let mut kills = 0;
        for call in &calls {
            self.assert_is(here, call, "before");
            let killed = self.kill_at(call, words);
            // How often a child is looked at is a matter of time.
            assert!(killed || call.name == "wait4", "{verb} was not killed at {}", call.line);
            kills += usize::from(killed);
            let ended = self.kit.ark(match then {
                Then::Same => words,
                Then::Opposite => back,
            });
            assert_eq!(ended.status, Some(0), "{verb} killed at {}: {ended:#?}", call.line);
            match (then, here) {
                (Then::Same, _) => self.assert_is(there, call, verb),
                (Then::Opposite, 0) => self.assert_is(here, call, verb),
                (Then::Opposite, _) => {
                    self.assert_protects(call);
                    self.kit.done(words);
                    self.assert_is(there, call, "after all");
                }
            }
            if !matches!((then, here), (Then::Opposite, 0)) {
                self.kit.done(back);
            }
        }
        self.assert_is(here, calls.last().expect("a call"), "at the end");
        let took = start.elapsed().as_secs_f64();
        println!("{verb} killed {kills} times, then {then:?}: {took:.1} s");
        assert!(kills >= 10, "{kills} kills of {} calls", calls.len());
        if from == 1 {
            self.kit.done(words);
        }
    }

    /// Insists on what an installation is for. When an uninstallation was killed before it, the
    /// links that only stop Dovecot may be others than the tools would have left.
    #[track_caller]
    fn assert_protects(&self, call: &Call) {
        let doing = format!("killed at {}", call.line);
        assert_eq!(self.kit.state("dovecot").as_deref(), Some("OSU"), "{doing}");
        assert_eq!(Some(&self.kit.defaults()), self.defaults.last(), "{doing}");
        assert_eq!(self.kit.boot(), "", "{doing}");
    }

    #[track_caller]
    fn assert_is(&self, state: usize, call: &Call, doing: &str) {
        let tree = self.trees.get(state).expect("one of two");
        let changes = tree.changes(&self.kit.node.tree(&TOUCHED).expect("looking at the node"));
        assert!(changes.is_empty(), "{doing}, killed at {}: {changes:#?}", call.line);
    }
}

/// Tells whether a call changes something that outlives its process, or may have done so in part.
fn changes(name: &str, rest: &str) -> bool {
    let writes = ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| rest.contains(flag));
    match name {
        "open" | "openat" => writes && !is_scratch(rest),
        // Told to whoever looks on.
        "write" => !rest.starts_with("1<") && !rest.starts_with("2<"),
        // A child that was started is looked at, now and then; once is enough.
        "wait4" => false,
        "exit_group" => true,
        _ => !rest.contains(") = -1 ") && !is_scratch(rest),
    }
}

/// The output of a command goes to a file that loses its name at once, and is in memory.
fn is_scratch(rest: &str) -> bool {
    rest.contains("/run/dovecot-ark/.output-")
}

#[test]
fn install_killed_anywhere_is_finished_by_the_next() {
    Scene::new(Init::SysV, Dialect::None).kill_everywhere(0, Then::Same, &[]);
}

#[test]
fn install_killed_anywhere_is_taken_back_by_uninstall() {
    Scene::new(Init::SysV, Dialect::Gnu).kill_everywhere(0, Then::Opposite, &[]);
}

#[test]
fn uninstall_killed_anywhere_is_finished_by_the_next() {
    Scene::new(Init::SysV, Dialect::Gnu).kill_everywhere(1, Then::Same, &[]);
}

#[test]
fn uninstall_killed_anywhere_is_taken_back_by_install() {
    Scene::new(Init::SysV, Dialect::None).kill_everywhere(1, Then::Opposite, &[]);
}

/// Each kill takes a second under systemd; between other calls, the node is as with init scripts.
const FEW: &[&str] = &["clone3", "rename", "symlink", "rmdir"];

#[test]
fn install_killed_under_systemd_is_finished_by_the_next() {
    Scene::new(Init::Systemd, Dialect::Gnu).kill_everywhere(0, Then::Same, FEW);
}

#[test]
fn uninstall_killed_under_systemd_is_finished_by_the_next() {
    Scene::new(Init::Systemd, Dialect::Plain).kill_everywhere(1, Then::Same, FEW);
}
