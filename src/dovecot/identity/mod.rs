//! Whose process is it?
//!
//! Who is counted may be killed, and who is forgotten holds the mail store: both mistakes halt
//! nodes. A **master** is a process named `dovecot` that is root's alone, lives in our namespaces
//! and under our root, and runs a file that root alone may write and that is no interpreter: no
//! script of that name, no Dovecot of a container, no zombie, no child that was just forked.
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

mod family;
mod programs;

use std::ffi::OsStr;
use std::path::Path;

use super::notes::Notes;
use crate::error::Error;
use crate::system::{Process, System};

pub(crate) use family::{Census, Family, Weight};

/// The name of a master, and of its program.
const MASTER: &str = "dovecot";

/// The programs that run scripts: the process of a script named `dovecot` runs one of them.
const INTERPRETERS: [&str; 13] = [
    "sh", "bash", "dash", "ash", "ksh", "zsh", "busybox", "perl", "python", "ruby", "php", "lua",
    "tclsh",
];

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
                is_dovecots_program(system, process, program)
                    && system.runs_file_of_root(process)
                    && system.shares_root(process)
            }
        }
}

/// Whether a process named `dovecot` runs Dovecot and not a script of that name. The file may have
/// been moved aside since it was started; the first word of its command line has not.
fn is_dovecots_program(system: &impl System, process: &Process, program: &Path) -> bool {
    let name =
        |path: &Path| path.file_name().map(OsStr::to_string_lossy).unwrap_or_default().into_owned();
    let file = name(program);
    let is_interpreter = INTERPRETERS.iter().any(|interpreter| {
        // Their versions stand behind their names.
        file.strip_prefix(interpreter)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
    });
    file == MASTER
        || (!is_interpreter
            && system.words(process).first().is_some_and(|word| name(Path::new(word)) == MASTER))
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

/// The living masters, for whoever has no notes at hand.
///
/// # Errors
///
/// As [`masters`].
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
