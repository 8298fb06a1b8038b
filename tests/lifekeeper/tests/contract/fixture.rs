//! Nodes in directories, and what a test asks of them.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that is waited for, however slow the machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a peer may be silent: much longer than a busy machine stops a process.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

/// What every node's defaults file says of the heartbeats.
const BEATS: &str = "LCMHBEATTIME=0.2\nLCMNUMHBEATS=15\n";

static COUNT: AtomicU32 = AtomicU32::new(1);

/// A node in a directory, with its engine.
pub(crate) struct Node {
    pub(crate) root: PathBuf,
    pub(crate) name: String,
    pub(crate) address: String,
}

impl Node {
    /// Lays a node whose engine does not run.
    pub(crate) fn laid(name: &str) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let pid = process::id();
        // Any address of the loopback network is this machine's; the pid keeps runs apart.
        let address = format!("127.{}.{}.{}", number % 250 + 1, pid / 250 % 250, pid % 250 + 1);
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{pid}-{number}"));
        let _ = fs::remove_dir_all(&root);
        let node = Self { root, name: name.to_owned(), address };
        node.lay(&[]);
        fs::write(node.root.join("config/UNAME"), format!("{name}\n")).expect("naming");
        node.script("config/halt", &format!("touch {}", node.file("halted").display()));
        node.defaults("LKCHECKINTERVAL=0.3\n");
        node
    }

    /// Lays LifeKeeper's tree.
    pub(crate) fn lay(&self, options: &[&str]) {
        let laid = Command::new(env!("CARGO_BIN_EXE_lifekeeper-standin"))
            .args(["lay", "--lkroot"])
            .arg(&self.root)
            .args(options)
            .status();
        assert!(laid.expect("laying").success());
    }

    /// Lays a node and starts its engine.
    pub(crate) fn new(name: &str) -> Self {
        let node = Self::laid(name);
        node.out("lkstart", &["-w"]);
        node
    }

    /// Two nodes that know each other.
    pub(crate) fn pair() -> (Self, Self) {
        let (one, two) = (Self::new("node1"), Self::new("node2"));
        for (here, there) in [(&one, &two), (&two, &one)] {
            here.know(there);
        }
        one.wait("node2 to be ALIVE", || one.out("sys_getst", &["-s", "node2"]) == "ALIVE\n");
        two.wait("node1 to be ALIVE", || two.out("sys_getst", &["-s", "node1"]) == "ALIVE\n");
        (one, two)
    }

    /// Tells the node of another one.
    pub(crate) fn know(&self, there: &Self) {
        self.out("sys_create", &["-d", &self.name, "-s", &there.name]);
        let words = ["-n", "TCP", "-r", &there.address, "-l", &self.address, "-s", &there.name];
        self.out("net_create", &[&["-d", &self.name], &words[..]].concat());
    }

    /// A pair with one resource in service on the first, extended to the second.
    pub(crate) fn extended(tag: &str) -> (Self, Self) {
        let (one, two) = Self::pair();
        one.create(tag, &one.scripts(tag), "Yes");
        one.extend(tag);
        (one, two)
    }

    /// A file of the test's in the node's directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes the defaults file: the usual heartbeats, and what is given.
    pub(crate) fn defaults(&self, text: &str) {
        fs::write(self.file("defaults"), format!("{BEATS}{text}")).expect("writing the defaults");
    }

    /// Writes a shell script.
    pub(crate) fn script(&self, name: &str, body: &str) -> String {
        let path = self.file(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("making a directory");
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("writing a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permitting");
        path.display().to_string()
    }

    /// Four scripts that say in `trace` that they ran, and fail when there is a file `fail-ACTION`.
    ///
    /// The copies on another node find that node's directory by their own place.
    pub(crate) fn scripts(&self, tag: &str) -> [String; 4] {
        ["restore", "remove", "quickCheck", "recover"].map(|action| {
            let body = format!(
                "root=${{0%%/subsys/*}}\n\
                 echo \"{action} $*\" >> $root/trace\n\
                 echo \"{action} speaks\" >&2\n\
                 [ ! -e $root/fail-{action} ] && [ ! -e $root/fail-{action}-{tag} ]"
            );
            self.script(&format!("{tag}-kit/{action}"), &body)
        })
    }

    /// Makes a gen/app resource with `creapphier` and returns what was said.
    pub(crate) fn create(&self, tag: &str, scripts: &[String; 4], start: &str) -> Output {
        let [restore, remove, quick_check, recover] = scripts;
        let words =
            [&self.name, restore, remove, tag, "info of app", "intelligent", quick_check, recover];
        self.run("creapphier", &[&words[..], &[start]].concat())
    }

    /// Extends a hierarchy to `node2` and returns what was said.
    pub(crate) fn extend(&self, tag: &str) -> String {
        let bundle = format!("\"{tag}\",\"other info\"");
        self.out("extmgrDoExtend.pl", &["-p1", "-f,", tag, "node2", "10", "INTELLIGENT", &bundle])
    }

    /// Runs a command of the node.
    pub(crate) fn run(&self, command: &str, words: &[&str]) -> Output {
        let directory = match command {
            "creapphier" => "lkadm/subsys/gen/app/bin",
            "extmgrDoExtend.pl" => "lkadm/bin",
            _ => "bin",
        };
        Command::new(self.root.join(directory).join(command))
            .args(words)
            .env("LKROOT", &self.root)
            .env("LK_DEFAULTS", self.file("defaults"))
            .env("LK_LOG", self.file("log"))
            .output()
            .expect("running a command")
    }

    /// Runs a command that must succeed and returns its output.
    pub(crate) fn out(&self, command: &str, words: &[&str]) -> String {
        let output = self.run(command, words);
        assert!(output.status.success(), "{}: {command} {words:?}: {output:?}", self.name);
        text(&output.stdout)
    }

    /// Runs a command and returns its exit status.
    pub(crate) fn status(&self, command: &str, words: &[&str]) -> i32 {
        self.run(command, words).status.code().expect("an exit status")
    }

    /// The state of a resource.
    pub(crate) fn state(&self, tag: &str) -> String {
        let line = self.out("ins_list", &["-t", tag]);
        line.split('\u{1}').nth(6).expect("a state").to_owned()
    }

    /// A text file in the node's directory; empty when it is not there.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// The actions that scripts performed, without the quickChecks.
    pub(crate) fn trace(&self) -> Vec<String> {
        let checked = |line: &&str| !line.starts_with("quickCheck");
        self.read("trace").lines().filter(checked).map(str::to_owned).collect()
    }

    /// Waits until a resource has been checked so many times more.
    pub(crate) fn wait_for_checks(&self, tag: &str, more: usize) {
        let line = format!("quickCheck -t {tag} ");
        let count = || self.read("trace").matches(&line).count();
        let before = count();
        self.wait("checks", || count() >= before + more);
    }

    /// Waits until something is so.
    pub(crate) fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let begin = Instant::now();
        while !done() {
            assert!(begin.elapsed() < PATIENCE, "waiting for {what}: log:\n{}", self.read("log"));
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Makes a file, or takes it away.
    pub(crate) fn mark(&self, name: &str) {
        fs::write(self.file(name), "").expect("marking");
    }

    /// Kills the engine, as a power cut would.
    pub(crate) fn kill(&self) {
        let pid = self.read("config/lcd.pid");
        if self.run("lktest", &[]).status.success() {
            let pid = Pid::from_raw(pid.trim().parse().expect("the engine's pid"));
            kill(pid, Signal::SIGKILL).expect("killing");
            self.wait("the engine's death", || self.status("lktest", &[]) != 0);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.root.join("config/lcd.pid").exists() && !thread::panicking() {
            self.kill();
        } else {
            let _ = self.run("lkstop", &["-f"]);
        }
        if thread::panicking() {
            eprintln!("log of {}:\n{}", self.name, self.read("log"));
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Bytes as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
