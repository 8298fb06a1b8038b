//! One look at the process table: which processes belong to which masters.

use std::cell::{LazyCell, OnceCell};
use std::ops::Deref;

use super::{Census, Member, Weight};
use crate::dovecot::identity::programs::Programs;
use crate::dovecot::notes::Master;
use crate::process::{Pipe, PipeEnd, Process, ProcessEntry};
use crate::system::System;
use crate::system::sockets::Listeners;

/// The descriptors whose pipes lead from a child to its master: status and death
/// (`MASTER_STATUS_FD`, `MASTER_DEAD_FD` in Dovecot's `master-interface.h`), and standard error,
/// which leads to the log.
const PIPES: [u32; 3] = [5, 6, 2];

/// What a process has there.
type Pipes = [Option<Pipe>; 3];

/// A look at the process table.
pub(super) struct Scan<'a, 'c, S> {
    pub(super) census: &'a mut Census<'c>,
    pub(super) system: &'a S,
    pub(super) table: &'a [ProcessEntry],
    pub(super) ended: &'a [i32],
    pub(super) masters: &'a [Process],
    pub(super) programs: Programs<'a>,
    /// What listens on this machine, once a process is to be judged by it.
    pub(super) listeners: OnceCell<Listeners>,
}

impl<S: System> Scan<'_, '_, S> {
    /// Judges a process that is no master. Its number may have been given to another since the table
    /// was read: so whoever seems to belong is looked at, judged by what is seen then, and must be
    /// the same process afterwards.
    pub(super) fn member(&mut self, listed: &ProcessEntry) -> Option<Member> {
        self.weight(listed)?;
        let process = self.system.inspect(listed.pid).filter(|process| !process.is_dead())?;
        let Process { pid, parent, session, .. } = process;
        let now = ProcessEntry { parent, session, ..listed.clone() };
        let weight = self.weight(&now)?;
        self.system.inspect(pid).filter(|same| same.is(&process))?;
        Some(Member { process, weight })
    }

    fn runs_dovecots_program(&self, pid: i32) -> bool {
        self.system.program_of(pid).is_some_and(|program| self.programs.contain(&program))
    }

    /// Looks for evidence that a process is one of Dovecot's, strongest first, and says what follows.
    fn weight(&mut self, listed: &ProcessEntry) -> Option<Weight> {
        let certain = |scan: &Self| {
            let is_dovecots = scan.runs_dovecots_program(listed.pid);
            Some(if is_dovecots { Weight::Fails } else { Weight::Warns })
        };
        if self.is_led(listed) {
            return certain(self);
        }
        let (system, pid) = (self.system, listed.pid);
        // Where no master is known there is none whose pipes it could hold.
        let pipes = LazyCell::new(|| PIPES.map(|descriptor| system.pipe(pid, descriptor)));
        if self.is_left(listed, &pipes) || self.shares(&pipes) {
            return certain(self);
        }
        if !self.programs.may_run(&listed.name)
            || !self.runs_dovecots_program(listed.pid)
            || !self.is_under_our_root(listed.pid)
        {
            return None;
        }
        if self.has_a_masters_pipes(listed.pid, &pipes) && self.has_no_leader(listed) {
            return Some(Weight::Warns);
        }
        let listeners = self.listeners.get_or_init(|| self.system.roots_listeners());
        let sockets = self.system.listening(listed.pid, listeners);
        let holds_port =
            sockets.into_iter().any(|socket| self.census.is_listener(self.system, socket));
        holds_port.then_some(Weight::Warns)
    }

    /// Whether it is in the service's control group, or a child or in the session of a living master. One
    /// that leads no session shares it with whoever started it.
    fn is_led(&self, listed: &ProcessEntry) -> bool {
        let leads = |master: &Process| {
            listed.parent == master.pid || (listed.session == master.pid && master.leads_session())
        };
        self.census.holds(self.system, listed.pid) || self.masters.iter().any(leads)
    }

    /// Whether it is left of a master that was noted: it holds one of that one's pipes, or it is in the
    /// session. The number of a dead master can have come back, so its session alone proves nothing.
    fn is_left(&self, listed: &ProcessEntry, pipes: &impl Deref<Target = Pipes>) -> bool {
        let mut notes = self.census.notes.masters.iter();
        let holds = |note: &Master| inodes(pipes).any(|inode| note.pipes.contains(&inode));
        notes.clone().any(holds)
            || (notes.any(|note| note.pid == listed.session)
                && self.has_no_leader(listed)
                && self.runs_dovecots_program(listed.pid))
    }

    /// Whether one of these pipes is a living master's own.
    fn shares(&mut self, held: &impl Deref<Target = Pipes>) -> bool {
        if self.masters.is_empty() || inodes(held).next().is_none() {
            return false;
        }
        self.masters.iter().any(|master| {
            let of_master = self.census.pipes.entry((master.pid, master.started));
            let pipes = of_master.or_insert_with(|| self.system.own_pipes(master.pid));
            inodes(held).any(|inode| pipes.contains(&inode))
        })
    }

    /// Whether the leader of its session is dead, and it is not itself the leader. The session of
    /// somebody in another pid namespace is 0, and its leader is not for us to judge.
    fn has_no_leader(&self, listed: &ProcessEntry) -> bool {
        listed.session != 0
            && listed.session != listed.pid
            && !self.table.iter().any(|leader| {
                leader.pid == listed.session && !leader.zombie && !self.ended.contains(&leader.pid)
            })
    }

    /// Whether these are the descriptors that a master gives to its children, and root has made them:
    /// a user who runs a program of Dovecot's can give it pipes of his own, and a cluster engine that
    /// asks where Dovecot runs would hear that it runs here too. Dovecot 1.x gives none; it is the one
    /// without the program doveadm.
    fn has_a_masters_pipes(&self, pid: i32, pipes: &Pipes) -> bool {
        let [first, second, _] = PIPES;
        match pipes {
            [Some(status), Some(dead), ..] => {
                let writes = |pipe: &Pipe| pipe.end == PipeEnd::Write;
                let is_roots = |descriptor| self.system.is_pipe_of_root(pid, descriptor);
                writes(status)
                    && writes(dead)
                    && status.inode != dead.inode
                    && is_roots(first)
                    && is_roots(second)
            }
            _ => self.system.program("doveadm").is_none(),
        }
    }

    fn is_under_our_root(&self, pid: i32) -> bool {
        self.system
            .inspect(pid)
            .is_some_and(|process| process.same_namespaces && self.system.shares_root(&process))
    }
}

/// What the pipes are known by.
fn inodes(pipes: &Pipes) -> impl Iterator<Item = u64> {
    pipes.iter().flatten().map(|pipe| pipe.inode)
}
