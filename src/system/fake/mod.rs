//! A machine for the tests of the actions: its clock moves only by sleeping and by commands that
//! take time, and it holds a Dovecot that starts and stops as it is told to.

mod answers;
mod log;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::command::End;
use crate::probe::login::Trouble;
use crate::process::{Pipe, PipeEnd, Process};
use crate::system::KillBudget;
pub(crate) use log::{details, words};

/// The pid of the fake's first master.
pub(crate) const MASTER: i32 = 100;

type Event = Box<dyn FnOnce(&mut State) + Send>;
type Reply = Box<dyn FnMut(&mut State) -> (End, Duration) + Send>;

type Effect = Box<dyn FnMut(&mut State) + Send>;

/// How a command ends, after how long, and what it prints.
type Answer = (End, Duration, String, String);

pub(crate) struct Machine(Mutex<State>);

/// What the machine is like at the moment.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) clock: Duration,
    pub(crate) processes: Vec<Entry>,
    events: Vec<(Duration, Event)>,
    replies: HashMap<String, Reply>,
    answers: HashMap<String, Answer>,
    effects: HashMap<String, Effect>,
    /// Every command given and every signal sent, with its time in milliseconds.
    pub(crate) journal: Vec<(u128, String)>,
    /// Ports that accept a connection exactly while a master lives, unless told here.
    pub(crate) ports: HashMap<u16, Port>,
    /// What becomes of looks at a mailbox: these first, and then always this; `None` is a success.
    pub(crate) visits: VecDeque<Trouble>,
    pub(crate) visit: Option<Trouble>,
    /// How many seconds the certificate of a port has left.
    pub(crate) certificates: HashMap<u16, i64>,
    pub(crate) listeners: HashMap<u16, Vec<(IpAddr, Process)>>,
    pub(crate) addresses: BTreeSet<IpAddr>,
    pub(crate) programs: Vec<&'static str>,
    pub(crate) systemd: bool,
    pub(crate) unit: FakeUnit,
    pub(crate) shutdown: bool,
    /// The boot and the pid namespace.
    pub(crate) era: String,
    /// When the program is asked to end.
    pub(crate) interrupted: Option<Duration>,
    /// Whether the process table shows nobody.
    pub(crate) blind: bool,
    /// What is seen of a pid when it is looked at, if that is not the process that was listed: one
    /// that has ended since, or another.
    pub(crate) since: HashMap<i32, Option<Process>>,
    /// Whether a killed command is stuck in the kernel, and what has been waited for such ones.
    pub(crate) stuck: Option<KillBudget>,
    next_pid: i32,
}

#[derive(Clone, Copy)]
pub(crate) enum Port {
    Open,
    Refusing,
    Silent,
    /// Refuses whoever comes from the address of logins, and serves the others.
    Barred,
    /// Sends away whom it has accepted, so often, and then serves.
    Reloading(u32),
}

/// A process, and what else is to be seen of it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) process: Process,
    pub(crate) more: More,
}

/// What is to be seen of a process by looking harder.
#[derive(Clone, Default)]
pub(crate) struct More {
    /// Whether its root is a container's.
    pub(crate) elsewhere: bool,
    /// Whether others than root may write the file that it runs.
    pub(crate) open_file: bool,
    /// What the file that it runs contains.
    pub(crate) program: Program,
    /// Its command line, if that is not its executable alone.
    pub(crate) words: Vec<String>,
    /// `/proc/PID/cgroup`.
    pub(crate) groups: String,
    /// The pipes that it has open: descriptor, inode, end.
    pub(crate) pipes: Vec<(u32, Pipe)>,
    /// Whether a user made these.
    pub(crate) has_users_pipes: bool,
    /// The sockets that it listens on, opened by root.
    pub(crate) sockets: Vec<SocketAddr>,
}

/// What a program is by what its file contains.
#[derive(Clone, Copy, Default)]
pub(crate) enum Program {
    #[default]
    Dovecot,
    Other,
    Unreadable,
}

/// What systemd says of Dovecot's unit.
#[derive(Clone, Default)]
pub(crate) struct FakeUnit {
    /// `ActiveState`; without it, active exactly while a master lives.
    pub(crate) active: Option<&'static str>,
    /// Kind of the job that waits.
    pub(crate) job: Option<&'static str>,
    /// `Result`; without it, `success`.
    pub(crate) result: Option<&'static str>,
    /// Whether its socket is active.
    pub(crate) socket: bool,
    /// Whether systemd does not answer.
    pub(crate) silent: bool,
    /// Whether systemd cannot stop it.
    pub(crate) stuck: bool,
}

pub(crate) fn master(pid: i32) -> Process {
    Process {
        pid,
        parent: 1,
        session: pid,
        started: 1,
        name: "dovecot".into(),
        state: 'S',
        users: [0; 3],
        executable: Some("/usr/sbin/dovecot".into()),
        same_namespaces: true,
    }
}

pub(crate) fn child(pid: i32, name: &str) -> Process {
    let executable = PathBuf::from(format!("/usr/lib/dovecot/{name}"));
    Process { name: name.into(), users: [1000; 3], executable: Some(executable), ..master(pid) }
}

/// The pipes of a child of 2.0 and later, the second of which it shares with its master.
pub(crate) fn pipes_of(master: i32) -> Vec<(u32, Pipe)> {
    let inode = |n: i32| u64::try_from(master * 10 + n).expect("a small number");
    [5, 6]
        .map(|n| (n, Pipe { inode: inode(n.try_into().expect("small")), end: PipeEnd::Write }))
        .into()
}

impl Entry {
    pub(crate) fn in_state(mut self, state: char) -> Self {
        self.process.state = state;
        self
    }
}

impl Machine {
    /// A machine without systemd on which Dovecot does not run; `start` and `stop` work at once.
    pub(crate) fn new() -> Self {
        log::listen();
        let machine = Self(Mutex::new(State {
            processes: vec![Entry {
                process: Process { name: "init".into(), parent: 0, ..child(1, "../../sbin/init") },
                more: More::default(),
            }],
            era: "this boot".into(),
            addresses: BTreeSet::from([IpAddr::from([127, 0, 0, 1])]),
            programs: vec!["service", "dovecot"],
            next_pid: MASTER,
            ..State::default()
        }));
        machine.reply("start", |state| {
            state.start_dovecot();
            (End::Exited(0), Duration::from_millis(50))
        });
        machine.reply("stop", |state| {
            state.stop_dovecot();
            state.unit = FakeUnit { socket: state.unit.socket, ..FakeUnit::default() };
            (End::Exited(0), Duration::from_millis(1100))
        });
        machine.reply("status", |state| {
            let status = if state.masters().is_empty() { 3 } else { 0 };
            (End::Exited(status), Duration::from_millis(10))
        });
        machine.reply("reset-failed", |_| (End::Exited(0), Duration::from_millis(10)));
        machine
    }

    /// The same with Dovecot running, its master under [`MASTER`].
    pub(crate) fn running() -> Self {
        let machine = Self::new();
        machine.state().start_dovecot();
        machine
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test has failed with the lock held")
    }

    /// Says how a verb of the service command ends, and after how long.
    pub(crate) fn reply(
        &self,
        verb: &str,
        reply: impl FnMut(&mut State) -> (End, Duration) + Send + 'static,
    ) {
        self.state().replies.insert(verb.into(), Box::new(reply));
    }

    /// Says how a command ends that is not the service's, after how long, and what it prints; the
    /// whole line names it, or the program alone all its other lines.
    pub(crate) fn answer(&self, line: &str, end: End, took: Duration, text: &str) {
        self.state().answer(line, end, took, text);
    }

    /// Says what a command does when it is given, beside its answer.
    pub(crate) fn effect(&self, line: &str, effect: impl FnMut(&mut State) + Send + 'static) {
        self.state().effects.insert(line.into(), Box::new(effect));
    }

    /// The same for what it prints on standard error, after 10 ms.
    pub(crate) fn complain(&self, line: &str, end: End, words: &str) {
        let took = Duration::from_millis(10);
        self.state().answers.insert(line.into(), (end, took, String::new(), words.into()));
    }

    pub(crate) fn add(&self, process: Process, parent: i32, session: i32) {
        let process = Process { parent, session, ..process };
        // Whatever a master has started is known by its pipes.
        let pipes = if process.name == "dovecot" { Vec::new() } else { pipes_of(session) };
        let more = More { pipes, ..More::default() };
        self.state().processes.push(Entry { process, more });
    }

    /// Changes what else is to be seen of a process.
    pub(crate) fn show(&self, pid: i32, change: impl FnOnce(&mut More)) {
        if let Some(entry) = self.state().entry(pid) {
            change(&mut entry.more);
        }
    }

    pub(crate) fn change(&self, pid: i32, change: impl FnOnce(&mut Process)) {
        if let Some(entry) = self.state().entry(pid) {
            change(&mut entry.process);
        }
    }

    pub(crate) fn masters(&self) -> Vec<i32> {
        self.state().masters()
    }

    /// The commands and signals so far, without their times.
    pub(crate) fn deeds(&self) -> Vec<String> {
        self.state().journal.iter().map(|(_, deed)| deed.clone()).collect()
    }

    pub(crate) fn count(&self, deed: &str) -> usize {
        self.deeds().iter().filter(|done| *done == deed).count()
    }
}

impl State {
    pub(crate) fn answer(&mut self, line: &str, end: End, took: Duration, text: &str) {
        self.answers.insert(line.into(), (end, took, text.into(), String::new()));
    }

    fn entry(&mut self, pid: i32) -> Option<&mut Entry> {
        self.processes.iter_mut().find(|entry| entry.process.pid == pid)
    }

    pub(crate) fn masters(&self) -> Vec<i32> {
        let is_master =
            |entry: &&Entry| entry.process.name == "dovecot" && entry.process.state != 'Z';
        self.processes.iter().filter(is_master).map(|entry| entry.process.pid).collect()
    }

    pub(crate) fn start_dovecot(&mut self) {
        if self.masters().is_empty() {
            let pid = self.next_pid;
            self.next_pid += 10;
            let both = pipes_of(pid).into_iter().flat_map(|(n, pipe)| {
                [(n + 90, Pipe { end: PipeEnd::Read, ..pipe }), (n + 100, pipe)]
            });
            let pipes = More { pipes: both.collect(), ..More::default() };
            self.processes.push(Entry { process: master(pid), more: pipes });
            let log = Process { parent: pid, session: pid, ..child(pid + 1, "log") };
            let more = More { pipes: pipes_of(pid), ..More::default() };
            self.processes.push(Entry { process: log, more });
        }
    }

    /// Ends the masters and those children that are not frozen or stuck.
    pub(crate) fn stop_dovecot(&mut self) {
        let masters = self.masters();
        self.processes.retain(|entry| {
            !masters.contains(&entry.process.session)
                || matches!(entry.process.state, 'T' | 't' | 'D')
        });
    }

    pub(crate) fn end(&mut self, pid: i32) {
        self.processes.retain(|entry| entry.process.pid != pid);
    }

    /// A process of Dovecot's imap whose master is dead.
    pub(crate) fn orphan(pid: i32) -> Entry {
        let process = Process { parent: 1, session: 49, ..child(pid, "imap") };
        Entry { process, more: More { pipes: pipes_of(49), ..More::default() } }
    }

    /// Takes a process out, to be put back.
    pub(crate) fn take(&mut self, pid: i32) -> Option<Entry> {
        let taken = self.entry(pid).cloned();
        self.end(pid);
        taken
    }

    /// Lets something happen after a time.
    pub(crate) fn after(&mut self, time: Duration, event: impl FnOnce(&mut Self) + Send + 'static) {
        self.events.push((self.clock + time, Box::new(event)));
    }

    fn pass(&mut self, time: Duration) {
        let end = self.clock + time;
        while let Some(next) = (0..self.events.len())
            .filter(|n| self.events[*n].0 <= end)
            .min_by_key(|n| self.events[*n].0)
        {
            let (at, event) = self.events.remove(next);
            self.clock = self.clock.max(at);
            event(self);
        }
        self.clock = self.clock.max(end);
    }

    fn note(&mut self, deed: String) {
        self.journal.push((self.clock.as_millis(), deed));
    }
}
