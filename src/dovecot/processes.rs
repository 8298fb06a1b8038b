//! Which processes are Dovecot's.
//!
//! Whoever is counted here may be killed, so a name is not enough. A master is a process named
//! `dovecot` that runs the program of that name as root, in our pid namespace and under our root:
//! no script of that name, no Dovecot of a container, no zombie. Its children and, after its
//! death, its orphans run a program of Dovecot's libexec folder and keep the master's pid as their
//! session id (seen with 2.3.19 and 2.4.1). The kernel gives a pid that is in use as a session id
//! to nobody else, so orphans cannot be mistaken for a newcomer's children. `master.pid` proves
//! nothing: it can be late, lost, or a stranger's.
//!
//! A process that is about to end has no executable any more, and for some milliseconds (or for
//! ever, if it hangs in the kernel) it still has its name: that is enough for a master, lest its
//! children be taken for nobody's in that moment.

use std::ffi::OsStr;
use std::path::Path;

use crate::error::Error;
use crate::system::{Listed, Process, System};

/// The name of a master, and of its program.
const MASTER: &str = "dovecot";

/// Lists the living masters: check 1, "a process named `dovecot` exists". A child that a master has
/// just forked looks like one until it runs its own program, and is none.
///
/// # Errors
///
/// Any error from reading the process table. A process that vanishes meanwhile is no error.
pub(crate) fn masters(system: &impl System) -> Result<Vec<Process>, Error> {
    let namesakes = system.named(MASTER)?.into_iter().filter_map(|pid| system.inspect(pid));
    let alike: Vec<Process> = namesakes.filter(is_master).collect();
    let is_child = |process: &Process| alike.iter().any(|one| one.pid == process.parent);
    Ok(alike.iter().filter(|process| !is_child(process)).cloned().collect())
}

/// Who was seen of Dovecot, from the first look to the last.
#[derive(Debug, Default)]
pub(crate) struct Census {
    seen: Vec<Process>,
}

/// Who is alive of Dovecot.
#[derive(Debug, Default)]
pub(crate) struct Family {
    /// The masters.
    pub(crate) masters: Vec<Process>,
    /// Children and orphans.
    pub(crate) others: Vec<Process>,
}

impl Family {
    /// Whether nobody is left.
    pub(crate) fn is_gone(&self) -> bool {
        self.masters.is_empty() && self.others.is_empty()
    }

    /// Everybody, masters first.
    pub(crate) fn into_all(mut self) -> Vec<Process> {
        self.masters.append(&mut self.others);
        self.masters
    }
}

impl Census {
    /// Looks who is alive. Who was seen once counts until it is dead, even when it can no longer
    /// be told what it runs: a process that hangs in the kernel while it ends has no executable.
    ///
    /// # Errors
    ///
    /// Any error from reading the process table.
    pub(crate) fn take(&mut self, system: &impl System) -> Result<Family, Error> {
        let table = system.processes()?;
        let (masters, ended) = masters_in(system, &table);
        let mut others: Vec<Process> = table
            .iter()
            .filter(|listed| is_led_by(listed, &masters) || is_orphan(listed, &table, &ended))
            .filter_map(|listed| system.inspect(listed.pid))
            .filter(|process| is_member(process) && !masters.iter().any(|one| one.is(process)))
            .collect();
        for old in &self.seen {
            let known = masters.iter().chain(&others).any(|one| one.is(old));
            if let Some(now) = system.inspect(old.pid).filter(|now| now.is(old) && !now.is_dead())
                && !known
            {
                others.push(now);
            }
        }
        self.seen = masters.iter().chain(&others).cloned().collect();
        Ok(Family { masters, others })
    }
}

/// The living masters, and the pids of namesakes that have ended since the table was read.
fn masters_in(system: &impl System, table: &[Listed]) -> (Vec<Process>, Vec<i32>) {
    let (mut masters, mut ended) = (Vec::new(), Vec::new());
    for listed in table.iter().filter(|listed| listed.name == MASTER && !listed.zombie) {
        match system.inspect(listed.pid).filter(|process| !process.is_dead()) {
            Some(process) if is_master(&process) => masters.push(process),
            Some(_) => {}
            None => ended.push(listed.pid),
        }
    }
    (masters, ended)
}

/// The identity of a living master, see the head of this file.
pub(crate) fn is_master(process: &Process) -> bool {
    process.name == MASTER
        && process.user == 0
        && is_here(process)
        && process
            .executable
            .as_deref()
            .is_none_or(|program| program.file_name() == Some(OsStr::new(MASTER)))
}

/// The identity of a child or orphan, as far as the process itself tells.
fn is_member(process: &Process) -> bool {
    is_here(process) && process.executable.as_deref().is_some_and(is_in_libexec)
}

fn is_here(process: &Process) -> bool {
    !process.is_dead() && process.same_pid_namespace && process.same_root
}

/// `/usr/libexec/dovecot/…`, `/usr/lib/dovecot/…` or the same below another prefix. Delivery agents
/// live there too, but are started by the mail transfer agent, not by a master.
fn is_in_libexec(executable: &Path) -> bool {
    let folder = executable.parent();
    let name = |path: Option<&Path>| path.and_then(Path::file_name).map(OsStr::to_os_string);
    name(folder).is_some_and(|name| name == MASTER)
        && name(folder.and_then(Path::parent))
            .is_some_and(|name| name == "lib" || name == "libexec" || name == "lib64")
        && !executable.ends_with("dovecot-lda")
        && !executable.ends_with("deliver")
}

fn is_led_by(listed: &Listed, masters: &[Process]) -> bool {
    masters.iter().any(|master| master.pid == listed.session || master.pid == listed.parent)
}

/// Whether the leader of its session is dead. The session of somebody in another pid namespace
/// is 0, and its leader is not for us to judge.
fn is_orphan(listed: &Listed, table: &[Listed], ended: &[i32]) -> bool {
    listed.session != 0
        && listed.session != listed.pid
        && !listed.zombie
        && !table.iter().any(|leader| {
            leader.pid == listed.session && !leader.zombie && !ended.contains(&leader.pid)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{Machine, child, master};

    fn listed(machine: &Machine) -> Vec<i32> {
        masters(machine).expect("the process table").iter().map(|process| process.pid).collect()
    }

    #[test]
    fn only_a_real_master_counts() {
        type Change = fn(&mut Process);
        let cases: [(&str, bool, Change); 13] = [
            ("a master", true, |_| ()),
            ("a frozen one", true, |p| p.state = 'T'),
            ("one from /usr/local", true, |p| {
                p.executable = Some("/usr/local/sbin/dovecot".into());
            }),
            ("a zombie", false, |p| p.state = 'Z'),
            ("another user's", false, |p| p.user = 1000),
            ("one in a container's pid namespace", false, |p| p.same_pid_namespace = false),
            ("one in a container's root", false, |p| p.same_root = false),
            ("an init script of that name", false, |p| p.executable = Some("/bin/dash".into())),
            ("the kit", false, |p| p.name = "dovecot-ark".into()),
            ("an editor", false, |p| p.name = "vim".into()),
            ("a 1.x auth process", false, |p| p.name = "dovecot-auth".into()),
            ("one that is about to end", true, |p| p.executable = None),
            ("a user's that is about to end", false, |p| {
                p.executable = None;
                p.user = 1000;
            }),
        ];
        for (case, counts, change) in cases {
            let machine = Machine::new();
            let mut process = master(100);
            change(&mut process);
            machine.add(process, 1, 100);
            assert_eq!(!listed(&machine).is_empty(), counts, "{case}");
        }
    }

    #[test]
    fn a_child_that_was_just_forked_is_no_second_master() {
        let machine = Machine::new();
        machine.add(master(100), 1, 100);
        machine.add(master(101), 100, 100);
        machine.add(master(102), 1, 102);
        assert_eq!(listed(&machine), [100, 102]);
    }

    #[test]
    fn the_family_is_master_children_and_orphans_and_nobody_else() {
        let machine = Machine::new();
        machine.add(master(100), 1, 100);
        machine.add(child(101, "imap"), 100, 100);
        machine.add(child(102, "imap-login"), 100, 100);
        // Of a master 90 that is dead.
        machine.add(child(103, "imap"), 1, 90);
        // A delivery agent of a mail transfer agent 80, and one whose caller has gone.
        machine.add(Process { name: "postfix".into(), ..child(80, "../../sbin/postfix") }, 1, 80);
        machine.add(child(104, "deliver"), 80, 80);
        machine.add(child(105, "dovecot-lda"), 1, 70);
        // A container's, a shell in the master's session, a program of another package.
        machine.add(Process { same_root: false, ..child(106, "imap") }, 1, 90);
        machine.add(Process { same_pid_namespace: false, ..child(107, "imap") }, 1, 0);
        machine.add(Process { executable: Some("/bin/sh".into()), ..child(108, "sh") }, 100, 100);
        machine.add(Process { state: 'Z', ..child(109, "imap") }, 100, 100);

        let family = Census::default().take(&machine).expect("the process table");
        let pids: Vec<_> = family.into_all().iter().map(|process| process.pid).collect();
        assert_eq!(pids, [100, 101, 102, 103]);
    }

    #[test]
    fn programs_of_dovecot_that_somebody_else_runs_are_not_its_processes() {
        let machine = Machine::new();
        machine.add(master(100), 1, 100);
        // A user's own imap over ssh, and the daemon of a test that leads its own session.
        machine.add(Process { name: "sshd".into(), ..child(80, "../../sbin/sshd") }, 1, 80);
        machine.add(child(110, "imap"), 80, 80);
        machine.add(child(111, "imap"), 1, 111);
        // One whose session is not to be seen.
        machine.add(child(112, "imap"), 1, 0);
        let family = Census::default().take(&machine).expect("the process table");
        assert_eq!((family.masters.len(), family.others), (1, vec![]));
    }

    #[test]
    fn a_master_that_leads_no_session_has_children_all_the_same() {
        let machine = Machine::new();
        machine.add(Process { name: "bash".into(), ..child(80, "../../bin/bash") }, 1, 80);
        machine.add(master(100), 80, 80);
        machine.add(child(101, "log"), 100, 80);
        let family = Census::default().take(&machine).expect("the process table");
        assert_eq!((family.masters.len(), family.others.len()), (1, 1));
    }

    #[test]
    fn the_programs_lie_in_a_libexec_folder_of_dovecots() {
        for (program, is) in [
            ("/usr/lib/dovecot/imap", true),
            ("/usr/lib64/dovecot/imap", true),
            ("/usr/libexec/dovecot/imap", true),
            ("/usr/local/libexec/dovecot/imap", true),
            ("/usr/lib/dovecot/dovecot-lda", false),
            ("/usr/lib/dovecot/deliver", false),
            ("/usr/share/dovecot/imap", false),
            ("/usr/lib/postfix/imap", false),
            ("/usr/lib/dovecot/modules/imap", false),
            ("/usr/bin/doveadm", false),
            ("/dovecot/imap", false),
            ("/", false),
        ] {
            assert_eq!(is_in_libexec(Path::new(program)), is, "{program}");
        }
    }

    #[test]
    fn a_zombie_leader_leads_nobody() {
        let machine = Machine::new();
        machine.add(Process { state: 'Z', ..master(100) }, 1, 100);
        machine.add(child(101, "imap"), 1, 100);
        let family = Census::default().take(&machine).expect("the process table");
        assert!(family.masters.is_empty());
        assert_eq!(family.others.len(), 1);
    }

    #[test]
    fn the_children_of_a_master_that_is_about_to_end_are_not_overlooked() {
        let machine = Machine::running();
        machine.change(100, |master| {
            master.executable = None;
            master.state = 'R';
        });
        let family = Census::default().take(&machine).expect("the process table");
        assert_eq!((family.masters.len(), family.others.len()), (1, 1));

        // It ends between the look at the table and the look at itself.
        let machine = Machine::running();
        machine.state().ended_since = vec![100];
        let family = Census::default().take(&machine).expect("the process table");
        assert_eq!((family.masters.len(), family.others.len()), (0, 1));
    }

    #[test]
    fn who_was_seen_counts_until_it_is_dead_and_its_pid_is_not_its_name() {
        let machine = Machine::new();
        machine.add(child(101, "imap"), 1, 90);
        let mut census = Census::default();
        assert_eq!(census.take(&machine).expect("the process table").others.len(), 1);

        // It hangs in the kernel while it ends: no executable any more.
        machine.change(101, |process| {
            process.executable = None;
            process.state = 'D';
        });
        assert_eq!(census.take(&machine).expect("the process table").others.len(), 1);

        // It has ended, and somebody else got its pid.
        machine.change(101, |process| process.started += 1);
        assert!(census.take(&machine).expect("the process table").is_gone());
    }
}
