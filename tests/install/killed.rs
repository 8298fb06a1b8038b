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
use crate::take_over::original;

/// The calls that change what others can see, start another process, or wait for it.
const CALLS: &str = "\
    open openat creat write pwrite64 writev sendfile copy_file_range rename renameat \
    renameat2 link linkat symlink symlinkat unlink unlinkat mkdir mkdirat rmdir fsync \
    fdatasync ftruncate chmod fchmod chown fchown setxattr fsetxattr fremovexattr clone \
    clone3 fork vfork wait4 flock exit_group";

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

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Bare,
    Installed,
}

/// A node in one of its states: what leads there, and how it looks then.
struct Side {
    state: State,
    words: Vec<&'static str>,
    tree: Tree,
    defaults: String,
}

/// A node that is taken to and fro.
struct Scene {
    kit: Kit,
    bare: Side,
    installed: Side,
}

impl Scene {
    fn new(init: Init, dialect: Dialect, options: &'static str) -> Self {
        Self::of(Kit::new(init, dialect), options)
    }

    /// A node that install with these options, and uninstall, take to and fro.
    fn of(kit: Kit, options: &'static str) -> Self {
        let side = |state, words: Vec<&'static str>| {
            kit.done(&words);
            let tree = kit.node.tree(&TOUCHED).expect("looking at the node");
            Side { state, words, tree, defaults: kit.defaults() }
        };
        let install = ["install"].into_iter().chain(options.split_whitespace()).collect();
        let bare = side(State::Bare, kit.uninstalling(""));
        let installed = side(State::Installed, install);
        assert_ne!(bare.defaults, installed.defaults, "install adds entries");
        Self { kit, bare, installed }
    }

    /// Runs once under strace and returns the calls that change something.
    fn calls(&self, words: &[&str]) -> Vec<Call> {
        let names: Vec<String> = CALLS.split(' ').map(|name| format!("?{name}")).collect();
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
            let mut orphans = self.processes();
            orphans.retain(|one| !before.iter().any(|old| old.pid == one.pid));
            if orphans.is_empty() {
                break;
            }
            assert!(start.elapsed() < ORPHAN, "{}: {orphans:#?}", call.line);
            thread::sleep(Duration::from_millis(2));
        }
        ended.status == Some(KILLED)
    }

    /// What runs on the node, beside Dovecot.
    fn processes(&self) -> Vec<Process> {
        let mut processes = self.kit.node.processes().expect("the process table");
        processes.retain(|one| {
            one.state != 'Z' && one.comm != "dovecot" && !one.args.starts_with("dovecot/")
        });
        processes
    }

    /// Kills what leads from one side to the other at each of its calls, or only those of these
    /// names, and does this afterwards. Begins and ends on the first side.
    fn kill_everywhere(&self, from: &Side, to: &Side, then: Then, only: &[&str]) {
        let start = Instant::now();
        self.lead_to(from, "at first");
        let mut calls = self.calls(&to.words);
        let renamed = |call: &Call| call.name == "rename" && call.line.contains(DEFAULTS);
        assert!(calls.iter().any(renamed), "strace sees the settings file change");
        self.kit.done(&from.words);
        calls.retain(|call| only.is_empty() || only.contains(&call.name.as_str()));
        let mut kills = 0;
        for call in &calls {
            let at = format!("{:?} killed at {}", to.words, call.line);
            self.assert_is(from, &format!("{at}: before"));
            let killed = self.kill_at(call, &to.words);
            // How often a child is looked at is a matter of time.
            assert!(killed || call.name == "wait4", "{at}: it was not");
            kills += usize::from(killed);
            let now = self.kit.defaults();
            assert!([&from.defaults, &to.defaults].contains(&&now), "{at}: it is torn: {now}");

            let again = if matches!(then, Then::Same) { to } else { from };
            self.lead_to(again, &at);
            match (then, from.state) {
                (Then::Same, _) | (Then::Opposite, State::Bare) => self.assert_is(again, &at),
                (Then::Opposite, State::Installed) => {
                    self.assert_protects(from, &at);
                    self.kit.done(&to.words);
                    self.assert_is(to, &format!("{at}: after all"));
                }
            }
            self.lead_to(from, &at);
        }
        self.assert_is(from, "at the end");
        let (took, verb) = (start.elapsed().as_secs_f64(), to.words.first().expect("a verb"));
        println!("{verb} killed {kills} times, then {then:?}: {took:.1} s");
        assert!(kills >= 5, "{kills} kills of {} calls", calls.len());
    }

    /// Asks for what leads to a side. A resource that is not, or no longer, the kit's is refused.
    #[track_caller]
    fn lead_to(&self, side: &Side, at: &str) {
        let ended = self.kit.ark(&side.words);
        let refused = side.state == State::Bare && ended.stderr.contains("is not this kit's");
        assert!(ended.status == Some(0) || refused, "{at}: {:?}: {ended:#?}", side.words);
    }

    #[track_caller]
    fn assert_is(&self, side: &Side, doing: &str) {
        let now = self.kit.node.tree(&TOUCHED).expect("looking at the node");
        let changes = side.tree.changes(&now);
        assert!(changes.is_empty(), "{doing}: not {:?}: {changes:#?}", side.state);
    }

    /// Insists on what an installation is for. When an uninstallation was killed before it, the
    /// links that only stop Dovecot may be others than the tools would have left.
    #[track_caller]
    fn assert_protects(&self, installed: &Side, doing: &str) {
        assert!(self.kit.state("dovecot").is_some(), "{doing}");
        assert_eq!(self.kit.defaults(), installed.defaults, "{doing}");
        assert_eq!(self.kit.boot(), "", "{doing}");
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
    rest.contains("/run/.dovecot-ark-output-")
}

/// What makes an installation quick, and its settings more.
const QUICK: &str = "--no-start --quickcheck-timeout 60";

#[test]
fn install_killed_anywhere_is_finished_by_the_next() {
    let scene = Scene::new(Init::SysV, Dialect::None, QUICK);
    scene.kill_everywhere(&scene.bare, &scene.installed, Then::Same, &[]);
}

#[test]
fn install_killed_anywhere_is_taken_back_by_uninstall() {
    let scene = Scene::new(Init::SysV, Dialect::Guess, QUICK);
    scene.kill_everywhere(&scene.bare, &scene.installed, Then::Opposite, &[]);
}

#[test]
fn uninstall_killed_anywhere_is_finished_by_the_next() {
    let scene = Scene::new(Init::SysV, Dialect::Guess, QUICK);
    scene.kill_everywhere(&scene.installed, &scene.bare, Then::Same, &[]);
}

#[test]
fn uninstall_killed_anywhere_is_taken_back_by_install() {
    let scene = Scene::new(Init::SysV, Dialect::None, QUICK);
    scene.kill_everywhere(&scene.installed, &scene.bare, Then::Opposite, &[]);
}

/// Each kill takes a second or more where systemd or Dovecot is waited for; the node is as with
/// init scripts, and without Dovecot, between all other calls.
const FEW: &[&str] = &["clone3", "rename", "symlink", "rmdir"];

#[test]
fn install_killed_under_systemd_is_finished_by_the_next() {
    let scene = Scene::new(Init::Systemd, Dialect::Guess, QUICK);
    scene.kill_everywhere(&scene.bare, &scene.installed, Then::Same, FEW);
}

#[test]
fn uninstall_killed_under_systemd_is_finished_by_the_next() {
    let scene = Scene::new(Init::Systemd, Dialect::Guess, QUICK);
    scene.kill_everywhere(&scene.installed, &scene.bare, Then::Same, FEW);
}

#[test]
fn install_killed_while_it_brings_dovecot_into_service_is_finished_by_the_next() {
    let scene = Scene::new(Init::SysV, Dialect::Guess, "");
    scene.kill_everywhere(&scene.bare, &scene.installed, Then::Same, &["wait4"]);
}

#[test]
fn uninstall_killed_while_it_takes_dovecot_out_is_finished_by_the_next() {
    let scene = Scene::new(Init::SysV, Dialect::None, "");
    scene.kill_everywhere(&scene.installed, &scene.bare, Then::Same, &["wait4"]);
}

/// A node whose Dovecot the original kit protects, taken over once: LifeKeeper has noted why.
fn taken() -> Scene {
    let kit = original(Init::SysV, Dialect::None);
    kit.done(&["install", "--take-over"]);
    Scene::of(kit, "--take-over")
}

/// Kills a taking over, or a giving back, and insists that Dovecot has noticed nothing.
fn kill_taking(scene: &Scene, [from, to]: [&Side; 2], then: Then, only: &[&str]) {
    let master = scene.kit.node.master().expect("the process table");
    scene.kill_everywhere(from, to, then, only);
    assert!(master.is_some(), "Dovecot runs");
    assert_eq!(scene.kit.node.master().expect("the process table"), master);
}

/// Between two of these nothing is written that lasts.
const WRITES: &[&str] = &["rename"];

/// All that change something but those that open a file: while the node's processes are looked at,
/// how many files are opened is a matter of time.
fn counted() -> Vec<&'static str> {
    CALLS.split(' ').filter(|name| !name.starts_with("open")).collect()
}

#[test]
fn a_take_over_killed_at_a_write_is_taken_back_by_uninstall() {
    let scene = taken();
    kill_taking(&scene, [&scene.bare, &scene.installed], Then::Opposite, WRITES);
}

#[test]
#[ignore = "takes a quarter of an hour; the test above does the most dangerous part of it"]
fn a_take_over_killed_anywhere_is_finished_by_the_next_and_taken_back_by_uninstall() {
    let scene = taken();
    for then in [Then::Opposite, Then::Same] {
        kill_taking(&scene, [&scene.bare, &scene.installed], then, &counted());
    }
}

#[test]
#[ignore = "takes a quarter of an hour"]
fn a_giving_back_killed_anywhere_is_finished_by_the_next_and_taken_back_by_a_take_over() {
    let scene = taken();
    for then in [Then::Same, Then::Opposite] {
        kill_taking(&scene, [&scene.installed, &scene.bare], then, &counted());
    }
}
