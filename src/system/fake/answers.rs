//! What the machine answers to the actions.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::{Entry, FakeUnit, Machine, More, Port, Program, State};
use crate::command::{Command, CommandOutput, End};
use crate::error::Error;
use crate::probe::attempt::{Attempt, Refusal, Silence};
use crate::probe::endpoint::{Depth, Endpoint};
use crate::probe::login::{Step, Trouble, Visit};
use crate::process::{Pipe, PipeEnd, Process, ProcessEntry, Signal};
use crate::system::System;
use crate::system::sockets::Listeners;

/// After how long somebody who has not greeted is called silent.
const SILENCE: Duration = Duration::from_millis(500);

/// The pid of a service command.
const COMMAND: i32 = 9000;

/// How long the machine ran before a test began.
const BOOTED: Duration = Duration::from_hours(1);

/// A command whose end is known, and will be told when its time has come.
pub(crate) struct Running {
    start: Duration,
    took: Duration,
    end: End,
    answer: String,
    output: String,
    leader: Option<Process>,
}

impl Machine {
    /// What else is to be seen of a process.
    fn more<T>(&self, pid: i32, pick: impl FnOnce(&More) -> T) -> Option<T> {
        self.state().entry(pid).map(|entry| pick(&entry.more))
    }
}

impl State {
    /// What `systemctl show … UNIT …` prints of the units that are asked for.
    fn shown(&self, line: &str) -> String {
        let FakeUnit { active, job, socket, result, .. } = self.unit;
        let active =
            active.unwrap_or(if self.masters().is_empty() { "inactive" } else { "active" });
        let job = if job.is_some() { "Job=7\n" } else { "" };
        let result = result.unwrap_or("success");
        let group = if active == "active" { "/system.slice/dovecot.service" } else { "" };
        let shutdown = if self.shutdown { "Job=90\n" } else { "" };
        let (triggered, socket) =
            if socket { ("dovecot.socket", "active") } else { ("", "inactive") };
        let blocks = line.split(' ').filter_map(|unit| match unit {
            "dovecot.service" => Some(format!(
                "Id=dovecot.service\nActiveState={active}\nSubState=x\n{job}ControlGroup={group}\n\
                 Result={result}\nRestart=no\nTriggeredBy={triggered}\n"
            )),
            "dovecot.socket" => Some(format!("Id=dovecot.socket\nActiveState={socket}\n")),
            "shutdown.target" => {
                Some(format!("Id=shutdown.target\nActiveState=inactive\n{shutdown}"))
            }
            _ => None,
        });
        blocks.collect::<Vec<_>>().join("\n")
    }
}

impl System for Machine {
    type Running = Running;

    fn now(&self) -> Duration {
        self.state().clock
    }

    fn sleep(&self, time: Duration) {
        assert!(time > Duration::ZERO, "a sleep of nothing would never end on this clock");
        self.state().pass(time);
    }

    fn hold_interrupts(&self) {}

    fn is_interrupted(&self) -> bool {
        let state = self.state();
        state.interrupted.is_some_and(|at| at <= state.clock)
    }

    fn processes(&self) -> Result<Vec<ProcessEntry>, Error> {
        let list = |entry: &Entry| ProcessEntry {
            pid: entry.process.pid,
            parent: entry.process.parent,
            session: entry.process.session,
            name: entry.process.name.clone(),
            zombie: entry.process.is_dead(),
        };
        let state = self.state();
        if state.blind {
            return Err(Error::ProcessTable("/proc".into()));
        }
        Ok(state.processes.iter().map(list).collect())
    }

    fn named(&self, name: &str) -> Result<Vec<i32>, Error> {
        let table = self.processes()?;
        Ok(table.into_iter().filter(|listed| listed.name == name).map(|one| one.pid).collect())
    }

    fn inspect(&self, pid: i32) -> Option<Process> {
        let mut state = self.state();
        if let Some(now) = state.since.get(&pid) {
            return now.clone();
        }
        state.entry(pid).map(|entry| entry.process.clone())
    }

    fn program_of(&self, pid: i32) -> Option<PathBuf> {
        self.inspect(pid)?.executable
    }

    fn shares_root(&self, process: &Process) -> bool {
        self.more(process.pid, |more| !more.elsewhere).unwrap_or_default()
    }

    fn runs_file_of_root(&self, process: &Process) -> bool {
        self.more(process.pid, |more| !more.open_file).unwrap_or_default()
    }

    fn program_contains(&self, process: &Process, _: &str) -> Option<bool> {
        match self.more(process.pid, |more| more.program)? {
            Program::Dovecot => Some(true),
            Program::Other => Some(false),
            Program::Unreadable => None,
        }
    }

    fn words(&self, process: &Process) -> Vec<String> {
        let words = self.more(process.pid, |more| more.words.clone()).unwrap_or_default();
        let program = process.executable.as_ref().map(|program| program.display().to_string());
        if words.is_empty() { program.into_iter().collect() } else { words }
    }

    fn control_groups(&self, pid: i32) -> Option<String> {
        self.more(pid, |more| more.groups.clone())
    }

    fn pipe(&self, pid: i32, descriptor: u32) -> Option<Pipe> {
        let is_it = |(number, _): &&(u32, Pipe)| *number == descriptor;
        self.more(pid, |more| more.pipes.iter().find(is_it).map(|(_, pipe)| *pipe)).flatten()
    }

    fn is_pipe_of_root(&self, pid: i32, descriptor: u32) -> bool {
        self.pipe(pid, descriptor).is_some()
            && self.more(pid, |more| !more.has_users_pipes).unwrap_or_default()
    }

    fn own_pipes(&self, pid: i32) -> BTreeSet<u64> {
        let inodes = |more: &More, end| -> BTreeSet<u64> {
            more.pipes.iter().filter(|(_, pipe)| pipe.end == end).map(|(_, p)| p.inode).collect()
        };
        let both = |more: &More| &inodes(more, PipeEnd::Read) & &inodes(more, PipeEnd::Write);
        self.more(pid, both).unwrap_or_default()
    }

    fn roots_listeners(&self) -> Listeners {
        Listeners::new()
    }

    fn listening(&self, pid: i32, _listeners: &Listeners) -> Vec<SocketAddr> {
        self.more(pid, |more| more.sockets.clone()).unwrap_or_default()
    }

    fn era(&self) -> String {
        self.state().era.clone()
    }

    fn since_boot(&self) -> Duration {
        BOOTED + self.now()
    }

    fn kill_group(&self, leader: &Process) {
        let mut state = self.state();
        state.note(format!("KILL GROUP {}", leader.pid));
        state.end(leader.pid);
    }

    fn release(&self, _: &mut Running) {}

    fn leader(&self, running: &Running) -> Option<Process> {
        running.leader.clone()
    }

    fn signal(&self, process: &Process, signal: Signal) {
        let mut state = self.state();
        state.note(format!("{signal:?} {}", process.pid).to_uppercase());
        let Some(now) = state.entry(process.pid).map(|entry| entry.process.clone()) else {
            return;
        };
        match (signal, now.state) {
            _ if !now.is(process) => {}
            (Signal::Cont, 'T') => {
                if let Some(entry) = state.entry(process.pid) {
                    entry.process.state = 'S';
                }
            }
            (Signal::Term, 'T' | 't') | (Signal::Cont, _) | (_, 'D') => {}
            (Signal::Term | Signal::Kill, _) => state.end(process.pid),
        }
    }

    fn start(&self, command: &Command) -> Self::Running {
        let mut state = self.state();
        let line = command.to_string();
        state.note(line.clone());
        if let Some(mut effect) = state.effects.remove(&line) {
            effect(&mut state);
            state.effects.insert(line.clone(), effect);
        }
        let program = line.split(' ').next().unwrap_or_default();
        let none = String::new;
        let known = state.answers.get(&line).or_else(|| state.answers.get(program)).cloned();
        let ((end, took, answer, output), leader) = if let Some(answer) = known {
            (answer, None)
        } else if program == "systemctl" && !line.ends_with(" dovecot") {
            let told = match line.split(' ').nth(1) {
                Some("show") => state.shown(&line),
                Some("list-jobs") => {
                    let kind = state.unit.job.unwrap_or_default();
                    format!("7 dovecot.service {kind} waiting\n")
                }
                Some("stop") if line.ends_with(" dovecot.service") => {
                    if !state.unit.stuck {
                        state.stop_dovecot();
                        state.unit = FakeUnit::default();
                    }
                    none()
                }
                Some("stop") => {
                    state.unit.socket = false;
                    none()
                }
                _ => panic!("{line}: no answer"),
            };
            let (status, told) = if state.unit.silent { (1, none()) } else { (0, told) };
            ((End::Exited(status), Duration::from_millis(8), told, none()), None)
        } else if line.starts_with("exe look-at-store ") {
            ((End::Exited(0), Duration::from_millis(3), "fine".into(), none()), None)
        } else if program == "dovecot" {
            ((End::Exited(0), Duration::from_millis(7), none(), none()), None)
        } else {
            let verb = ["start", "stop", "status", "reset-failed"]
                .into_iter()
                .find(|verb| command.arguments().iter().any(|argument| argument == verb))
                .unwrap_or_else(|| panic!("{line}: no answer and no verb of the service"));
            let mut reply = state.replies.remove(verb).expect("a reply to each verb");
            let (end, took) = reply(&mut state);
            state.replies.insert(verb.into(), reply);
            ((end, took, none(), none()), Some(super::child(COMMAND, "../../bin/sh")))
        };
        Running { start: state.clock, took, end, answer, output, leader }
    }

    fn let_end(&self, running: &mut Running, limit: Duration) -> bool {
        let mut state = self.state();
        let left = running.start.saturating_add(running.took).saturating_sub(state.clock);
        state.pass(left.min(limit));
        left <= limit
    }

    fn finish(&self, running: Running, limit: Duration) -> CommandOutput {
        let mut state = self.state();
        let end = running.start + running.took.min(limit);
        let left = end.saturating_sub(state.clock);
        state.pass(left);
        let (end, answer, output) = if running.took <= limit {
            (running.end, running.answer, running.output)
        } else {
            if let Some(burials) = state.stuck.take() {
                burials.wait(|longest| {
                    state.pass(longest);
                    longest
                });
                state.stuck = Some(burials);
            }
            (End::TimedOut(limit), String::new(), String::new())
        };
        CommandOutput { end, output, answer }
    }

    fn probe(
        &self,
        endpoints: &[Endpoint],
        (depth, visit): (Depth, Option<&Visit>),
        limit: Duration,
        on_silence: &mut dyn FnMut(Silence),
    ) -> Vec<Attempt> {
        let mut state = self.state();
        let serving = !state.masters().is_empty();
        let mut longest = Duration::from_millis(1);
        let (mut silent, mut unanswered) = (false, false);
        let mut answer = |endpoint: &Endpoint| {
            let mut took = Duration::from_millis(1);
            let depth = endpoint.depth(depth);
            let outcome = match state.ports.get_mut(&endpoint.port) {
                Some(Port::Silent) => {
                    took = endpoint.timeout.min(limit);
                    silent |= depth.listens() && took > SILENCE;
                    Err(match depth {
                        Depth::Connect => Refusal::TimedOut(took),
                        Depth::Greeting | Depth::Login => Refusal::Silent(took),
                    })
                }
                Some(Port::Reloading(times @ 1..)) if depth.listens() => {
                    *times -= 1;
                    Err(Refusal::NotReady("* BYE Shutting down".into()))
                }
                Some(Port::Barred) if visit.is_some() => {
                    Err(Refusal::Failed("connection refused".into()))
                }
                Some(Port::Open | Port::Barred | Port::Reloading(_)) => Ok(()),
                None if serving => Ok(()),
                Some(Port::Refusing) | None => Err(Refusal::Failed("connection refused".into())),
            };
            let visit = visit.filter(|visit| visit.endpoint.is_same_place(endpoint));
            let visited = visit.filter(|_| outcome.is_ok()).map(|visit| {
                let trouble = state.visits.pop_front().or_else(|| state.visit.clone());
                match trouble {
                    Some(Trouble::Silent(step, _)) => {
                        took = visit.limit.min(limit);
                        unanswered |= step == Step::Login && took > SILENCE;
                        Err(Trouble::Silent(step, took))
                    }
                    trouble => trouble.map_or(Ok(()), Err),
                }
            });
            longest = longest.max(took);
            let certificate = state.certificates.get(&endpoint.port).copied();
            Attempt { outcome, took, certificate, visited }
        };
        let answers = endpoints.iter().map(&mut answer).collect();
        state.note(format!("connect {}", endpoints.len()));
        if visit.is_some() {
            state.note("log in".into());
        }
        if silent || unanswered {
            state.pass(SILENCE);
            longest -= SILENCE;
            drop(state);
            let kinds = [(silent, Silence::Greeting), (unanswered, Silence::Login)];
            kinds.into_iter().filter(|(is, _)| *is).for_each(|(_, kind)| on_silence(kind));
            state = self.state();
        }
        state.pass(longest);
        answers
    }

    fn listeners(&self, port: u16) -> Vec<(IpAddr, Process)> {
        self.state().listeners.get(&port).cloned().unwrap_or_default()
    }

    fn own_addresses(&self) -> io::Result<BTreeSet<IpAddr>> {
        Ok(self.state().addresses.clone())
    }

    fn addresses(&self) -> BTreeSet<IpAddr> {
        self.state().addresses.clone()
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        let known = self.state().programs.contains(&name);
        known.then(|| PathBuf::from(format!("/usr/sbin/{name}")))
    }

    fn runs_systemd(&self) -> bool {
        self.state().systemd
    }
}
