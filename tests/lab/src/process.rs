//! Reads a process table: the node's, or the machine's when a node is looked for.
//!
//! A process that ends while it is read is left out, never an error. Parsing is apart from reading.

use std::path::Path;
use std::{fs, io};

/// One process, with the pids of the namespace that its `/proc` belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Parent's process id; 0 when the parent is outside the namespace.
    pub parent: u32,
    /// Session id: of Dovecot's children, the pid of their master.
    pub session: u32,
    /// State letter, as in proc(5): `R`, `S`, `T`, `Z` …
    pub state: char,
    /// Start time after boot, in clock ticks: with the pid it names the process for good.
    pub started: u64,
    /// Name, cut to 15 bytes by the kernel.
    pub comm: String,
    /// Command line, its words joined by blanks; empty for a zombie.
    pub args: String,
}

/// Reads all processes in the `/proc` at `root`, in order of their pids.
pub(crate) fn table(root: &Path) -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok()) {
            found.extend(read(&entry.path()));
        }
    }
    found.sort_by_key(|process| process.pid);
    Ok(found)
}

/// Reads the process whose directory in `/proc` is `directory`; none when it has ended.
pub(crate) fn read(directory: &Path) -> Option<Process> {
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    let args = fs::read(directory.join("cmdline")).unwrap_or_default();
    parse(&stat, &args)
}

/// Understands the text of `stat` (proc(5)) and of `cmdline`.
fn parse(stat: &str, cmdline: &[u8]) -> Option<Process> {
    // The name may hold blanks and parentheses: it ends at the last one.
    let (head, rest) = stat.rsplit_once(')')?;
    let (pid, comm) = head.split_once(" (")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let words: Vec<_> = cmdline
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(String::from_utf8_lossy)
        .collect();
    Some(Process {
        pid: pid.parse().ok()?,
        comm: comm.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        args: words.join(" "),
    })
}

/// Picks Dovecot's master out of `processes`, given a look-up of a pid's executable.
///
/// A child that has not yet called exec looks like its master, but is its master's child; where its
/// master was killed in that moment, its session is that of a process which is gone.
pub(crate) fn master_of(
    processes: &[Process],
    executable: impl Fn(u32) -> Option<String>,
) -> Option<u32> {
    let like_master: Vec<&Process> = processes
        .iter()
        .filter(|process| process.comm == "dovecot" && process.state != 'Z')
        .filter(|process| process.session == 0 || lives(processes, process.session))
        .filter(|process| {
            executable(process.pid)
                .is_some_and(|path| path.trim_end_matches(" (deleted)") == "/usr/sbin/dovecot")
        })
        .collect();
    like_master
        .iter()
        .find(|one| like_master.iter().all(|other| other.pid != one.parent))
        .map(|process| process.pid)
}

fn lives(processes: &[Process], pid: u32) -> bool {
    processes.iter().any(|process| process.pid == pid && process.state != 'Z')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 0";

    fn process(pid: u32, parent: u32, state: char, comm: &str) -> Process {
        let stat = format!("{pid} ({comm}) {state} {parent} {pid} {pid} {TAIL}");
        parse(&stat, b"").expect("a well-formed line")
    }

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = format!("77 (a ) b (c)) T 1 77 70 {TAIL}");
        let expected = Process {
            pid: 77,
            parent: 1,
            session: 70,
            state: 'T',
            started: 4242,
            comm: "a ) b (c)".into(),
            args: "dovecot/imap [idle]".into(),
        };
        assert_eq!(parse(&stat, b"dovecot/imap\0[idle]\0"), Some(expected));
    }

    #[test]
    fn a_truncated_line_is_no_process() {
        for stat in ["", "12", "12 (x)", "12 (x) S 1", "x (y) S 1 1 1"] {
            assert_eq!(parse(stat, b""), None, "{stat:?}");
        }
    }

    #[test]
    fn the_master_is_told_from_scripts_children_and_zombies() {
        let dovecot = |_| Some("/usr/sbin/dovecot".to_owned());
        let shell = |_| Some("/usr/bin/dash".to_owned());
        let deleted = |_| Some("/usr/sbin/dovecot (deleted)".to_owned());
        let alone = [process(9, 1, 'S', "dovecot")];
        assert_eq!(master_of(&alone, dovecot), Some(9));
        assert_eq!(master_of(&alone, deleted), Some(9));
        assert_eq!(master_of(&alone, shell), None);
        assert_eq!(master_of(&alone, |_| None), None);
        let forking = [process(7, 9, 'R', "dovecot"), process(9, 1, 'S', "dovecot")];
        assert_eq!(master_of(&forking, dovecot), Some(9));
        let orphan = Process { session: 9, ..process(11, 1, 'R', "dovecot") };
        let killed = [process(9, 1, 'Z', "dovecot"), orphan.clone()];
        assert_eq!(master_of(&killed, dovecot), None, "its master was killed as it forked");
        let again = [orphan, process(12, 1, 'S', "dovecot")];
        assert_eq!(master_of(&again, dovecot), Some(12));
        let outside = Process { session: 0, ..process(9, 1, 'S', "dovecot") };
        assert_eq!(master_of(&[outside], dovecot), Some(9), "a session of another namespace");
        assert_eq!(master_of(&[process(9, 1, 'Z', "dovecot")], dovecot), None);
        assert_eq!(master_of(&[process(9, 1, 'S', "anvil")], dovecot), None);
    }

    #[test]
    fn this_machine_has_this_very_process() {
        let me = std::process::id();
        let table = table(Path::new("/proc")).expect("a readable /proc");
        assert!(table.iter().any(|process| process.pid == me && process.state != 'Z'));
    }
}
