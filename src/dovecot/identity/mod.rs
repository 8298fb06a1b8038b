//! Whose process is it?
//!
//! Who is counted may be killed, and who is forgotten holds the mail store: both mistakes halt
//! nodes. A **master** is a process named `dovecot` that is root's alone, lives in our namespaces
//! and under our root, and runs a file that is Dovecot's by what it contains: no script or tool of
//! that name, no Dovecot of a container, no zombie, no child that was just forked.
//! `master.pid` proves nothing: it can be late, lost, or a stranger's.
//!
//! A **member** of its family is known by evidence, strongest first:
//!
//! 1. the control group of the service (systemd);
//! 2. the session: each child of a master has its pid as session id, also after the master's death;
//! 3. the pipes: children of 2.0 to 2.4 have descriptors 5 and 6 (seen with 2.0.9 to 2.4.1), the
//!    writing ends of two pipes between all of them and the master;
//! 4. the program, where nothing was noted of its master: a file of Dovecot's libexec directory,
//!    started by a master that is dead;
//! 5. the port: a socket on one of Dovecot's listeners that root has opened.
//!
//! Any of them is enough to end a process. Whom nobody can end makes remove fail only when it is a
//! master, or belongs by 1 to 3 and runs a program of Dovecot's: a user can arrange the rest, and
//! must not halt the node by it.

pub mod family;
mod programs;

use std::ffi::OsStr;
use std::path::Path;

use super::notes::Notes;
use crate::error::Error;
use crate::process::Process;
use crate::system::System;

pub(crate) use family::{Census, Family, Weight};

/// The name of a master, and of its program.
pub(crate) const MASTER: &str = "dovecot";

/// A text that the program of each master contains: the name of its pid file, in the sources from
/// August 2004, before 1.0, up to 2.4, in `src/master/main.c` alone.
const MARK: &str = "master.pid";

/// Whether a process is a master as far as it can be told of it alone; see the head of this file.
/// One without an executable is about to end, and is one only if it was known as one before.
pub(crate) fn is_master(system: &impl System, notes: &Notes, process: &Process) -> bool {
    process.name == MASTER
        && process.is_roots()
        && process.same_namespaces
        && !process.is_dead()
        && match &process.executable {
            None => notes.knows(process),
            Some(program) => {
                system.shares_root(process)
                    && (notes.knows(process) || runs_dovecot(system, process, program))
            }
        }
}

/// Whether a process named `dovecot` runs Dovecot, and not a script or a tool of that name, which
/// would make remove fail where root's own supervisor starts it again and again. A master that is not
/// counted hurts more, it means two on one mail store: so a file that others may write counts too,
/// since it was root who started it, and one that cannot be looked through is believed by its name. What
/// a process has open is no mark: a master that has just begun has no socket and no pipe yet.
fn runs_dovecot(system: &impl System, process: &Process, program: &Path) -> bool {
    system.program_contains(process, MARK).unwrap_or_else(|| {
        program.file_name() == Some(OsStr::new(MASTER)) && system.runs_file_of_root(process)
    })
}

/// Lists the living masters: check 1, "a process named `dovecot` exists".
///
/// # Errors
///
/// Any error from reading the process table. A process that vanishes meanwhile is no error.
pub(crate) fn masters(system: &impl System, notes: &Notes) -> Result<Vec<Process>, Error> {
    let namesakes = system.named(MASTER)?;
    Ok(masters_of(system, notes, namesakes.into_iter().filter_map(|pid| system.inspect(pid))))
}

/// The same, by the notes below `root`.
pub(crate) fn living_masters(system: &impl System, root: &Path) -> Result<Vec<Process>, Error> {
    masters(system, &Notes::read(system, root))
}

/// The masters among namesakes. A child that a master has just forked looks like one until it runs
/// its own program; it is its master's child, or has the session of one.
fn masters_of(
    system: &impl System,
    notes: &Notes,
    namesakes: impl Iterator<Item = Process>,
) -> Vec<Process> {
    let alike: Vec<Process> =
        namesakes.filter(|process| is_master(system, notes, process)).collect();
    let is_child = |process: &Process| {
        alike.iter().any(|one| {
            one.pid == process.parent || (one.pid == process.session && one.pid != process.pid)
        })
    };
    alike.iter().filter(|process| !is_child(process)).cloned().collect()
}
