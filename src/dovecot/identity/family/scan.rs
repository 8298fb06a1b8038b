//! One look at the process table: which processes belong to which masters.

use super::{Census, Member, Weight};
use crate::dovecot::identity::programs;
use crate::dovecot::notes::Master;
use crate::process::{Pipe, PipeEnd, Process, ProcessEntry};
use crate::system::System;

/// The descriptors whose pipes lead from a child to its master: status and death
/// (`MASTER_STATUS_FD`, `MASTER_DEAD_FD` in Dovecot's `master-interface.h`), and standard error,
/// which leads to the log.
const PIPES: [u32; 3] = [5, 6, 2];

/// A look at the process table.
pub(super) struct Scan<'a, 'c, S> {
    pub(super) census: &'a mut Census<'c>,
    pub(super) system: &'a S,
    pub(super) table: &'a [ProcessEntry],
    pub(super) ended: &'a [i32],
}

impl<S: System> Scan<'_, '_, S> {
    /// Judges a process that is no master. Its number may have been given to another since the table
    /// was read: so whoever seems to belong is looked at, judged by what is seen then, and must be
    /// the same process afterwards.
    pub(super) fn member(&mut self, listed: &ProcessEntry, masters: &[Process]) -> Option<Member> {
        let is_dovecots = self.runs_dovecots_program(listed.pid, masters);
        self.weight(listed, masters, is_dovecots)?;
        let process = self.system.inspect(listed.pid).filter(|process| !process.is_dead())?;
        let Process { pid, parent, session, .. } = process;
        let now = ProcessEntry { parent, session, ..listed.clone() };
        let is_dovecots = self.runs_dovecots_program(pid, masters);
        let weight = self.weight(&now, masters, is_dovecots)?;
        self.system.inspect(pid).filter(|same| same.is(&process))?;
        Some(Member { process, weight })
    }

    fn runs_dovecots_program(&self, pid: i32, masters: &[Process]) -> bool {
        let noted = self.census.notes.masters.iter().filter_map(|note| note.program.as_deref());
        let of_masters = masters.iter().filter_map(|master| master.executable.as_deref());
        self.system.program_of(pid).is_some_and(|program| {
            programs::is_dovecots(self.census.root, &program, of_masters.chain(noted))
        })
    }

    /// Looks for evidence that a process is one of Dovecot's, strongest first, and says what follows.
    fn weight(
        &mut self,
        listed: &ProcessEntry,
        masters: &[Process],
        is_dovecots: bool,
    ) -> Option<Weight> {
        let certain = Some(if is_dovecots { Weight::Fails } else { Weight::Warns });
        // A master that leads no session shares it with whoever started it.
        let is_led = |master: &Process| {
            listed.parent == master.pid || (listed.session == master.pid && master.leads_session())
        };
        if self.census.holds(self.system, listed.pid) || masters.iter().any(is_led) {
            return certain;
        }
        let pipes = PIPES.map(|descriptor| self.system.pipe(listed.pid, descriptor));
        let held: Vec<u64> = pipes.iter().flatten().map(|pipe| pipe.inode).collect();
        let holds_noted = |note: &Master| held.iter().any(|inode| note.pipes.contains(inode));
        // The number of a dead master can have come back, so its session alone proves nothing.
        let is_left =
            |note: &Master| listed.session == note.pid && (is_dovecots || holds_noted(note));
        if (self.has_no_leader(listed) && self.census.notes.masters.iter().any(is_left))
            || self.census.notes.masters.iter().any(holds_noted)
            || (!held.is_empty() && masters.iter().any(|master| self.shares(master, &held)))
        {
            return certain;
        }
        if !is_dovecots || !self.is_under_our_root(listed.pid) {
            return None;
        }
        if self.has_no_leader(listed) && self.has_a_masters_pipes(listed.pid, &pipes) {
            return Some(Weight::Warns);
        }
        let sockets = self.system.listening(listed.pid);
        let holds_port =
            sockets.into_iter().any(|socket| self.census.is_listener(self.system, socket));
        holds_port.then_some(Weight::Warns)
    }

    /// Whether one of these pipes is the master's own.
    fn shares(&mut self, master: &Process, held: &[u64]) -> bool {
        let pipes = self
            .census
            .pipes
            .entry((master.pid, master.started))
            .or_insert_with(|| self.system.own_pipes(master.pid));
        held.iter().any(|inode| pipes.contains(inode))
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
    fn has_a_masters_pipes(&self, pid: i32, pipes: &[Option<Pipe>]) -> bool {
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
