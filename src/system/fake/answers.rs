//! What the machine answers to the actions.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Entry, Machine, Port};
use crate::dovecot::endpoint::Endpoint;
use crate::error::Error;
use crate::system::{
    Attempt, Command, Depth, End, Ended, Listed, Process, Refusal, Signal, System,
};

/// After how long somebody who has not greeted is called silent.
const SILENCE: Duration = Duration::from_millis(500);

/// A command whose end is known, and will be told when its time has come.
pub(crate) struct Running {
    start: Duration,
    took: Duration,
    end: End,
    answer: String,
    output: String,
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

    fn processes(&self) -> Result<Vec<Listed>, Error> {
        let list = |entry: &Entry| Listed {
            pid: entry.process.pid,
            parent: entry.process.parent,
            session: entry.session,
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
        let ended = state.ended_since.contains(&pid);
        state.entry(pid).filter(|_| !ended).map(|entry| entry.process.clone())
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
        let program = line.split(' ').next().unwrap_or_default();
        if let Some(found) = state.answers.get(&line).or_else(|| state.answers.get(program)) {
            let (end, took, answer, output) = found.clone();
            return Running { start: state.clock, took, end, answer, output };
        }
        let verb = ["start", "stop", "status", "reset-failed"]
            .into_iter()
            .find(|verb| command.arguments().iter().any(|argument| argument == verb))
            .unwrap_or_else(|| panic!("{line}: no answer and no verb of the service"));
        let mut reply = state.replies.remove(verb).expect("a reply to each verb");
        let (end, took) = reply(&mut state);
        state.replies.insert(verb.into(), reply);
        let (answer, output) = (String::new(), String::new());
        Running { start: state.clock, took, end, answer, output }
    }

    fn let_end(&self, running: &mut Running, limit: Duration) {
        let mut state = self.state();
        let left = running.start.saturating_add(running.took).saturating_sub(state.clock);
        state.pass(left.min(limit));
    }

    fn finish(&self, running: Running, limit: Duration) -> Ended {
        let mut state = self.state();
        let end = running.start + running.took.min(limit);
        let left = end.saturating_sub(state.clock);
        state.pass(left);
        let in_time = running.start.saturating_add(running.took) <= state.clock;
        let (end, answer, output) = if in_time {
            (running.end, running.answer, running.output)
        } else {
            (End::TimedOut(limit), String::new(), String::new())
        };
        Ended { end, output, answer }
    }

    fn probe(
        &self,
        endpoints: &[Endpoint],
        depth: Depth,
        limit: Duration,
        on_silence: &mut dyn FnMut(),
    ) -> Vec<Attempt> {
        let mut state = self.state();
        let serving = !state.masters().is_empty();
        let mut longest = Duration::from_millis(1);
        let mut answer = |endpoint: &Endpoint| {
            let mut took = Duration::from_millis(1);
            let outcome = match state.ports.get_mut(&endpoint.port) {
                Some(Port::Silent) => {
                    took = endpoint.timeout.min(limit);
                    Err(match depth {
                        Depth::Connect => Refusal::TimedOut(took),
                        Depth::Greeting => Refusal::Silent(took),
                    })
                }
                Some(Port::Reloading(times @ 1..)) => {
                    *times -= 1;
                    Err(Refusal::NotReady("* BYE Shutting down".into()))
                }
                Some(Port::Open | Port::Reloading(0)) => Ok(()),
                None if serving => Ok(()),
                Some(Port::Refusing) | None => Err(Refusal::Failed("connection refused".into())),
            };
            longest = longest.max(took);
            let certificate = state.certificates.get(&endpoint.port).copied();
            Attempt { outcome, took, certificate }
        };
        let answers = endpoints.iter().map(&mut answer).collect();
        state.note(format!("connect {}", endpoints.len()));
        if depth == Depth::Greeting && longest > SILENCE {
            state.pass(SILENCE);
            longest -= SILENCE;
            drop(state);
            on_silence();
            state = self.state();
        }
        state.pass(longest);
        answers
    }

    fn listeners(&self, port: u16) -> Vec<(IpAddr, Process)> {
        self.state().listeners.get(&port).cloned().unwrap_or_default()
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
