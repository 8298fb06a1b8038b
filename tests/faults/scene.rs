//! A node with a fault on it, and who is asked about it: the kit, or the original.
//!
//! A row is one story for both. The kit must give the wanted answers, or the test fails; the
//! original's are only noted, and each of its actions has a limit, since it has none itself.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use lab::kit::ORIGINAL;
use lab::{Finished, Imap, Init, Node, Process, Running, Suite};

use crate::looks::{self, Deed};
use crate::report::{self, Answers};

/// Makes a test of each row, in each place.
#[macro_export]
macro_rules! rows {
    (under systemd: $($row:ident),+ $(,)?) => {
        mod only_systemd { $crate::rows!(@in SYSTEMD: $([] $row)+); }
        mod only_v24 { $crate::rows!(@in V24: $([] $row)+); }
    };
    ($($(#[$mark:meta])* $row:ident),+ $(,)?) => {
        mod sysv { $crate::rows!(@in SYSV: $([$(#[$mark])*] $row)+); }
        mod systemd { $crate::rows!(@in SYSTEMD: $([$(#[$mark])*] $row)+); }
        mod v24 { $crate::rows!(@in V24: $([$(#[$mark])*] $row)+); }
    };
    (@in $place:ident: $([$(#[$mark:meta])*] $row:ident)+) => {
        $(#[test]
        $(#[$mark])*
        fn $row() {
            $crate::scene::play(stringify!($row), $crate::scene::$place, super::$row);
        })+
    };
}

/// How long something may take that is sure to come.
pub(crate) const SURE: Duration = Duration::from_mins(1);

/// LifeKeeper's own limit of a quickCheck, before version 9.1.
pub(crate) const GRANTED: Duration = Duration::from_secs(22);

/// How long the original may take for another action; LifeKeeper would wait for ever.
const PATIENCE: Duration = Duration::from_mins(1);

/// Above the kit's longest action.
const LONGEST: Duration = Duration::from_mins(8);

/// What `install` writes: the kit listens to the greeting.
const GREETING: &str = "LKROOT=/opt/LifeKeeper\nAPP_DOVECOT_PROBE=greeting\n";

/// The kind of node that a row is played on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) suite: Suite,
    pub(crate) init: Init,
}

/// Dovecot 2.3, SysV scripts.
pub(crate) const SYSV: Place = Place { suite: Suite::Bookworm, init: Init::SysV };
/// Dovecot 2.3, systemd.
pub(crate) const SYSTEMD: Place = Place { suite: Suite::Bookworm, init: Init::Systemd };
/// Dovecot 2.4, systemd.
pub(crate) const V24: Place = Place { suite: Suite::Trixie, init: Init::Systemd };

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.suite {
            Suite::Bullseye | Suite::Bookworm | Suite::Pacemaker | Suite::Directories => "2.3",
            Suite::Trixie => "2.4",
        };
        write!(f, "{version} {}", self.init)
    }
}

/// Who is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Actor {
    Kit,
    Original,
}

/// A node, its settings those that `install` writes, Dovecot stopped, and who is asked.
pub(crate) struct Scene {
    pub(crate) node: Node,
    pub(crate) place: Place,
    actor: Actor,
    answers: RefCell<Answers>,
    /// The states in which status and doctor were asked.
    looked: RefCell<BTreeSet<String>>,
}

/// Plays a row: by the kit, and for the table by the original too, on a node of its own.
pub(crate) fn play(name: &str, place: Place, story: fn(&Scene)) {
    play_on(name, place, || Node::start_on(place.suite, place.init), story);
}

/// Plays a row on nodes of another kind than the usual.
pub(crate) fn play_on(
    name: &str,
    place: Place,
    start: impl Fn() -> lab::Result<Node> + Sync,
    story: fn(&Scene),
) {
    if !report::is_wanted() {
        story(&Scene::new(start(), place, Actor::Kit));
        return;
    }
    let part = |actor| {
        let scene = Scene::new(start(), place, actor);
        let end = panic::catch_unwind(AssertUnwindSafe(|| story(&scene)));
        if end.is_err() {
            scene.note("the row ends here", false);
        }
        (scene.answers.take(), end)
    };
    thread::scope(|scope| {
        // When it does not come to its end, the row was too much for the original.
        let original = scope.spawn(|| part(Actor::Original).0);
        let (kit, end) = part(Actor::Kit);
        let original = original.join().expect("a node for the original");
        report::write(name, place, &original, &kit);
        if let Err(cause) = end {
            panic::resume_unwind(cause);
        }
    });
}

impl Scene {
    fn new(node: lab::Result<Node>, place: Place, actor: Actor) -> Self {
        let node = node.expect("starting a node");
        match actor {
            Actor::Kit => {
                let binary = Path::new(env!("CARGO_BIN_EXE_dovecot-ark"));
                node.install(binary).expect("installing the kit");
            }
            Actor::Original => node.copy_original().expect("installing the original"),
        }
        let (answers, looked) = (RefCell::default(), RefCell::default());
        let scene = Self { node, place, actor, answers, looked };
        scene.set("");
        scene
    }

    /// Sets these settings beside those that `install` writes.
    pub(crate) fn set(&self, text: &str) {
        self.set_only(&format!("{GREETING}{text}"));
    }

    /// Sets these settings and no others.
    pub(crate) fn set_only(&self, text: &str) {
        self.node.write("/etc/default/LifeKeeper", text).expect("writing the settings");
    }

    /// Adds to Dovecot's configuration.
    pub(crate) fn configure(&self, text: &str) {
        self.node.append("/etc/dovecot/local.conf", text).expect("changing the configuration");
    }

    /// Adds a line to the unit of Dovecot, under systemd.
    pub(crate) fn change_unit(&self, line: &str) {
        self.sh("mkdir -p /etc/systemd/system/dovecot.service.d");
        let path = "/etc/systemd/system/dovecot.service.d/row.conf";
        self.node.append(path, &format!("[Service]\n{line}\n")).expect("changing the unit");
        self.sh("systemctl daemon-reload");
    }

    /// Lets what a stop leaves behind live on, as Dovecot's own documentation has it: systemd would end it.
    pub(crate) fn keep_leftovers(&self) {
        if self.place.init == Init::Systemd {
            self.change_unit("KillMode=none");
        }
    }

    /// What systemd says of Dovecot's unit.
    #[track_caller]
    pub(crate) fn unit(&self, property: &str) -> String {
        let said = self.sh(&format!("systemctl show -p {property} dovecot.service"));
        said.trim_end().trim_start_matches(property).trim_start_matches('=').to_owned()
    }

    /// Lays a shell script before the service command, which comes after it if the script does not end. Its
    /// `$2` is start, stop or status.
    pub(crate) fn before_service(&self, script: &str) {
        self.sh("cd /usr/sbin && { [ -e real-service ] || mv service real-service; }");
        let text = format!("#!/bin/sh\n{script}\nexec /usr/sbin/real-service \"$@\"\n");
        self.node.write_program("/usr/sbin/service", &text).expect("a service command");
    }

    /// The command line of an action.
    pub(crate) fn line(&self, action: &str) -> String {
        self.line_for("dovecot", action)
    }

    /// The command line of an action on a resource.
    fn line_for(&self, tag: &str, action: &str) -> String {
        let directory = match self.actor {
            Actor::Kit => lab::STUBS,
            Actor::Original => ORIGINAL,
        };
        format!("{directory}/{action} -t {tag} -i dovecot")
    }

    /// Begins an action, to run beside what follows.
    pub(crate) fn begin(&self, action: &str) -> Running {
        self.begin_for("dovecot", action)
    }

    /// Begins an action on a resource.
    pub(crate) fn begin_for(&self, tag: &str, action: &str) -> Running {
        let line = self.line_for(tag, action);
        let words: Vec<&str> = line.split(' ').collect();
        self.node.spawn(&words).expect("calling an action")
    }

    /// Calls an action as LifeKeeper does, which must end so.
    #[track_caller]
    pub(crate) fn expect(&self, action: &str, status: i32) -> Answer<'_> {
        self.end(action, self.begin(action), status)
    }

    /// Runs a shell script that calls an action, which must end so. What its caller is like, neither
    /// status nor doctor can know.
    #[track_caller]
    pub(crate) fn expect_script(&self, action: &str, script: &str, status: i32) -> Answer<'_> {
        let running = self.node.spawn(&["/bin/bash", "-c", script]).expect("calling an action");
        self.end_unseen(self.longest(action), action, running, status)
    }

    /// Waits for an action, which must end so.
    #[track_caller]
    pub(crate) fn end(&self, action: &str, running: Running, status: i32) -> Answer<'_> {
        self.end_within(self.longest(action), action, running, status)
    }

    /// The longest that an action is waited for.
    fn longest(&self, action: &str) -> Duration {
        match (self.actor, action) {
            (Actor::Kit, _) => LONGEST,
            (Actor::Original, "quickCheck") => GRANTED,
            (Actor::Original, _) => PATIENCE,
        }
    }

    /// Waits for an action, which must end so and within this time; then status and doctor are asked.
    #[track_caller]
    pub(crate) fn end_within(
        &self,
        limit: Duration,
        action: &str,
        running: Running,
        status: i32,
    ) -> Answer<'_> {
        let answer = self.end_unseen(limit, action, running, status);
        if self.is_kit() {
            looks::look(self, &Deed { action, status, said: &answer.ended.stderr });
        }
        answer
    }

    /// The same, and nobody is asked.
    #[track_caller]
    fn end_unseen(
        &self,
        limit: Duration,
        action: &str,
        running: Running,
        status: i32,
    ) -> Answer<'_> {
        let ended = running.wait(limit).expect("the end of an action");
        let right = ended.status == Some(status);
        let (answer, all) = match ended.status {
            Some(status) => (format!("{action} {status}"), true),
            None => (format!("{action}: no end in {} s", limit.as_secs()), false),
        };
        self.note(&answer, right);
        self.answers.borrow_mut().took(ended.took);
        if self.is_kit() {
            assert!(right, "{action}: {ended:?}\n{}", self.dovecots_log());
            if action == "quickCheck" {
                assert!(ended.took < GRANTED, "{ended:?}");
            }
        }
        assert!(all, "{action} does not end: {ended:?}");
        Answer { scene: self, ended }
    }

    /// Whether status and doctor were not asked in this state yet.
    pub(crate) fn is_new(&self, state: String) -> bool {
        self.looked.borrow_mut().insert(state)
    }

    /// Notes what status and doctor said.
    pub(crate) fn looked(&self, told: String) {
        self.answers.borrow_mut().looked(told);
    }

    /// Insists on a fact; `otherwise` says how it is when it is not so.
    #[track_caller]
    pub(crate) fn insist(&self, fact: bool, otherwise: &str) {
        if !fact {
            self.note(otherwise, false);
        }
        if self.is_kit() {
            let log = self.node.read("/var/log/dovecot-ark.log").unwrap_or_default();
            assert!(fact, "{otherwise}: {:?}\n{log}", self.dovecot());
        }
    }

    fn note(&self, answer: &str, right: bool) {
        self.answers.borrow_mut().note(answer, right);
    }

    /// Whether it is the kit who is asked.
    pub(crate) fn is_kit(&self) -> bool {
        self.actor == Actor::Kit
    }

    /// Insists that the kit's doctor reports this of the node; the original has none.
    #[track_caller]
    pub(crate) fn doctor_says(&self, words: &str) {
        if self.is_kit() {
            let said = self.sh("dovecot-ark doctor --local || true");
            assert!(said.contains(words), "{words:?} is not in {said}");
            self.note("doctor reports it", true);
        }
    }

    /// Runs another command of the kit, which must succeed; returns what it prints.
    #[track_caller]
    pub(crate) fn ark(&self, words: &str) -> String {
        if !self.is_kit() {
            return String::new();
        }
        let start = Instant::now();
        let said = self.sh(&format!("dovecot-ark {words}"));
        self.answers.borrow_mut().took(start.elapsed());
        self.note(&format!("{words} 0"), true);
        said
    }

    /// Brings Dovecot into service before anything is broken.
    #[track_caller]
    pub(crate) fn start(&self) -> u32 {
        let ended = self.begin("restore").wait(SURE).expect("the end of restore");
        assert!(ended.success(), "{ended:?}");
        self.master()
    }

    /// Runs a shell script that must succeed; returns what it prints.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        let ended = self.node.sh(script).expect("running a script");
        assert!(ended.success(), "{script}: {ended:?}");
        ended.stdout
    }

    /// Waits for what is sure to come.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut seen: impl FnMut() -> bool) {
        let start = Instant::now();
        while !seen() {
            assert!(start.elapsed() < SURE, "{what}: {:?}", self.dovecot());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The pid of the master, which must run.
    #[track_caller]
    pub(crate) fn master(&self) -> u32 {
        self.node.master().expect("reading the process table").expect("a master")
    }

    pub(crate) fn signal(&self, pid: u32, name: &str) {
        self.node.signal(pid, name).expect("a signal");
    }

    /// Kills the master, and waits until it is dead: that takes the kernel a moment.
    #[track_caller]
    pub(crate) fn kill_master(&self) -> u32 {
        let master = self.master();
        self.signal(master, "KILL");
        self.until("it outlives SIGKILL", || self.dovecot().iter().all(|one| one.pid != master));
        master
    }

    /// Freezes every process of Dovecot of that name; there must be one.
    #[track_caller]
    pub(crate) fn freeze(&self, name: &str) {
        let frozen: Vec<u32> =
            self.dovecot().iter().filter(|one| one.comm == name).map(|one| one.pid).collect();
        assert!(!frozen.is_empty(), "{:?}", self.dovecot());
        for pid in frozen {
            self.signal(pid, "STOP");
        }
    }

    fn dovecots_log(&self) -> String {
        self.node.read("/var/log/dovecot.log").unwrap_or_default()
    }

    /// Whatever runs of Dovecot, zombies left out.
    pub(crate) fn dovecot(&self) -> Vec<Process> {
        let mut all = self.node.dovecot().expect("reading the process table");
        all.retain(|process| process.state != 'Z');
        all
    }

    /// Insists that no process of Dovecot is left and nobody listens on its port.
    #[track_caller]
    pub(crate) fn is_gone(&self) {
        let mut left: Vec<String> = self.dovecot().into_iter().map(|one| one.comm).collect();
        left.sort();
        left.dedup();
        self.insist(left.is_empty(), &format!("left: {}", left.join(" ")));
        let free = self.node.connect(lab::IMAP).is_err();
        self.insist(free, "the port is still taken");
    }

    /// Insists that nothing of Dovecot comes back within this time.
    #[track_caller]
    pub(crate) fn stays_gone(&self, time: Duration) {
        self.is_gone();
        thread::sleep(time);
        self.is_gone();
    }

    /// Starts a shell command that has nothing to do with Dovecot and outlives the row; returns its pid.
    #[track_caller]
    pub(crate) fn stranger(&self, command: &str) -> u32 {
        let script = format!("setsid {command} >/dev/null 2>&1 </dev/null & echo $!");
        self.sh(&script).trim().parse().expect("a pid")
    }

    /// Insists that a stranger lives.
    #[track_caller]
    pub(crate) fn lives(&self, stranger: u32) {
        let all = self.node.processes().expect("reading the process table");
        let lives = all.iter().any(|process| process.pid == stranger && process.state != 'Z');
        self.insist(lives, "a stranger was killed");
    }

    /// The pids of all processes of that name.
    pub(crate) fn named(&self, name: &str) -> Vec<u32> {
        let mut all = self.node.processes().expect("reading the process table");
        all.retain(|process| process.comm == name && process.state != 'Z');
        all.iter().map(|process| process.pid).collect()
    }

    /// The pid of the one process of that name.
    #[track_caller]
    pub(crate) fn one_named(&self, name: &str) -> u32 {
        let all = self.named(name);
        assert_eq!(all.len(), 1, "{name}: {all:?}");
        all.first().copied().expect("a process")
    }

    /// Waits until a file is there.
    #[track_caller]
    pub(crate) fn until_exists(&self, path: &str) {
        self.until(path, || self.node.exists(path).expect("a look"));
    }

    /// Insists that a user can log in.
    #[track_caller]
    pub(crate) fn serves(&self) {
        let session = self.session().and_then(Imap::logout);
        self.insist(session.is_ok(), "nobody can log in");
    }

    /// Logs in, before anything is broken; returns the session.
    #[track_caller]
    pub(crate) fn log_in(&self) -> Imap {
        self.session().expect("a login")
    }

    fn session(&self) -> lab::Result<Imap> {
        let mut session = self.node.imap()?;
        let (user, password) = lab::USERS[0];
        session.login(user, password)?;
        Ok(session)
    }
}

/// An action's end.
pub(crate) struct Answer<'a> {
    scene: &'a Scene,
    ended: Finished,
}

impl Answer<'_> {
    /// Insists that the kit says this; what the original says is its own affair.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        self.says_one_of(&[words])
    }

    /// Insists that the kit says one of these.
    #[track_caller]
    pub(crate) fn says_one_of(self, choice: &[&str]) -> Self {
        let said = &self.ended.stderr;
        if self.scene.is_kit() {
            let log = self.scene.dovecots_log();
            let is_said = choice.iter().any(|words| said.contains(words));
            assert!(is_said, "none of {choice:?} is in {said}\n{log}");
        }
        self
    }

    /// Insists that the kit says this so many times.
    #[track_caller]
    pub(crate) fn says_times(self, words: &str, times: usize) -> Self {
        let said = &self.ended.stderr;
        if self.scene.is_kit() {
            assert_eq!(said.matches(words).count(), times, "{words:?} in {said}");
        }
        self
    }

    /// How long it took.
    pub(crate) fn took(&self) -> Duration {
        self.ended.took
    }
}
