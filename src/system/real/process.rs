//! Processes as proc(5) shows them.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::signal;
use nix::unistd::Pid;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate};

use crate::error::Error;
use crate::system::{Listed, Process, Signal};

/// Where the kernel shows processes.
const PROC: &str = "/proc";

/// Lists all processes. Only what stands in `stat` is taken from each.
pub(super) fn list() -> Result<Vec<Listed>, Error> {
    let unreadable = || Error::ProcessTable(PROC.into());
    let mut table = sysinfo::System::new().map_err(|_| unreadable())?;
    let least = ProcessRefreshKind::nothing().without_tasks();
    table.refresh_processes_specifics(ProcessesToUpdate::All, false, least);
    let pid = |pid: sysinfo::Pid| i32::try_from(pid.as_u32()).unwrap_or_default();
    let list: Vec<Listed> = table
        .processes()
        .values()
        .filter(|process| process.thread_kind() != Some(sysinfo::ThreadKind::Userland))
        .map(|process| Listed {
            pid: pid(process.pid()),
            parent: process.parent().map_or(0, pid),
            session: process.session_id().map_or(0, pid),
            name: process.name().to_string_lossy().into_owned(),
            zombie: matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead),
        })
        .collect();
    // An empty table would say that Dovecot is gone.
    if list.iter().any(|listed| u32::try_from(listed.pid) == Ok(std::process::id())) {
        Ok(list)
    } else {
        Err(unreadable())
    }
}

/// The pids of the processes of this name. Only the name is read of each, because a quickCheck on
/// a node with thousands of processes must not cost more than one with ten.
pub(super) fn named(name: &str) -> Result<Vec<i32>, Error> {
    let unreadable = || Error::ProcessTable(PROC.into());
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let (mut seen_self, mut named) = (false, Vec::new());
    // A name has 15 bytes and the end of the line; what is longer is a different one.
    let (mut path, mut comm) = (String::new(), [0; 32]);
    for entry in fs::read_dir(PROC).map_err(|_| unreadable())?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        seen_self |= pid == own;
        path.clear();
        // A string takes all that is written into it.
        let _ = write!(path, "{PROC}/{pid}/comm");
        let read = File::open(&path).and_then(|mut file| file.read(&mut comm));
        let read = read.ok().and_then(|length| comm.get(..length)?.strip_suffix(b"\n"));
        if read == Some(name.as_bytes()) {
            named.push(pid);
        }
    }
    // An empty table would say that Dovecot is gone.
    if seen_self { Ok(named) } else { Err(unreadable()) }
}

/// Looks closely at one process.
pub(super) fn inspect(pid: i32) -> Option<Process> {
    let folder = Path::new(PROC).join(pid.to_string());
    let stat = parse_stat(&read(&folder.join("stat"))?)?;
    let user = effective_user(&read(&folder.join("status"))?)?;
    let executable = fs::read_link(folder.join("exe")).ok().map(without_deleted);
    Some(Process {
        pid,
        parent: stat.parent,
        started: stat.started,
        name: stat.name,
        state: stat.state,
        user,
        same_pid_namespace: is_same(&folder.join("ns/pid"), Path::new("/proc/self/ns/pid")),
        same_root: has_same_root(&folder, executable.as_deref()),
        executable,
    })
}

/// Sends a signal to a process that is still the same.
pub(super) fn signal(process: &Process, signal: Signal) {
    if inspect(process.pid).is_some_and(|now| now.is(process)) {
        let signal = match signal {
            Signal::Cont => signal::Signal::SIGCONT,
            Signal::Term => signal::Signal::SIGTERM,
            Signal::Kill => signal::Signal::SIGKILL,
        };
        // It may have ended by itself; the next look tells.
        let _ = signal::kill(Pid::from_raw(process.pid), signal);
    }
}

/// Reads a file of a process at once; the kernel tells no size of it.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(4096);
    File::open(path).ok()?.read_to_end(&mut text).ok()?;
    Some(text)
}

struct Stat {
    name: String,
    state: char,
    parent: i32,
    started: u64,
}

/// Takes `stat` apart. The name stands in parentheses and may hold anything, blanks and
/// parentheses too, so what follows is counted from its last one.
fn parse_stat(stat: &[u8]) -> Option<Stat> {
    let stat = String::from_utf8_lossy(stat);
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = tail.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // The state is field 3, the parent field 4, the start field 22.
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat { name: name.to_owned(), state, parent, started })
}

/// The second number in the line `Uid:` of `status`.
fn effective_user(status: &[u8]) -> Option<u32> {
    let status = String::from_utf8_lossy(status);
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The kernel marks a path whose file was replaced, for instance by an upgrade.
fn without_deleted(path: PathBuf) -> PathBuf {
    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(rest) => PathBuf::from(std::ffi::OsString::from_vec(rest.to_vec())),
        None => path,
    }
}

/// Whether the process shares our root, or has locked itself in a folder of it as Dovecot's login
/// processes do: its executable lies outside then. In a container the root has the same name and
/// is another folder, or it is a folder of ours that holds the executable too. A mount namespace
/// alone, as systemd gives to a service, changes nothing of this. A process that is about to end
/// has neither root nor executable, and is not called a stranger for that.
fn has_same_root(folder: &Path, executable: Option<&Path>) -> bool {
    let root = folder.join("root");
    let locked_in = |name: PathBuf| {
        is_same(&root, &name) && executable.is_some_and(|program| !program.starts_with(&name))
    };
    match fs::read_link(&root) {
        Ok(name) => is_same(&root, Path::new("/")) || locked_in(name),
        Err(_) => executable.is_none(),
    }
}

/// Whether both paths lead to one thing.
fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let tail = "S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 10 20";
        for name in ["dovecot", "a b", ") S 1 (", "x) (y", ""] {
            let stat = parse_stat(format!("42 ({name}) {tail}\n").as_bytes()).expect(name);
            assert_eq!((stat.name.as_str(), stat.state), (name, 'S'));
            assert_eq!((stat.parent, stat.started), (1, 987_654));
        }
        for garbage in
            ["", "42", "42 (x", "42 (x) S 1 2", "42 (x) S 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 x"]
        {
            assert!(parse_stat(garbage.as_bytes()).is_none(), "{garbage}");
        }
    }

    #[test]
    fn the_effective_user_is_the_second_of_four() {
        let status = b"Name:\tx\nUid:\t1000\t0\t2\t3\nGid:\t4\t5\t6\t7\n";
        assert_eq!(effective_user(status), Some(0));
        assert_eq!(effective_user(b"Name:\tx\n"), None);
    }

    #[test]
    fn the_mark_of_a_deleted_file_is_taken_off() {
        let path = without_deleted("/usr/sbin/dovecot (deleted)".into());
        assert_eq!(path, Path::new("/usr/sbin/dovecot"));
    }

    #[test]
    fn this_process_is_listed_and_inspected() {
        let pid = i32::try_from(std::process::id()).expect("a pid");
        let list = list().expect("the process table");
        let listed = list.iter().find(|listed| listed.pid == pid).expect("ourselves");
        let process = inspect(pid).expect("ourselves");
        assert_eq!(listed.name, process.name);
        assert!(process.same_pid_namespace && process.same_root && !process.is_dead());
        assert_eq!(process.executable, std::env::current_exe().ok());
        assert!(inspect(i32::MAX).is_none());
        assert!(named(&process.name).expect("the process table").contains(&pid));
    }

    #[test]
    fn neither_a_longer_name_nor_a_thread_is_a_process_of_a_name() {
        let name = "neither-this";
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let builder = std::thread::Builder::new().name(name.into());
        let thread = builder.spawn(move || ended.recv().is_err()).expect("a thread");
        let process =
            inspect(i32::try_from(std::process::id()).expect("a pid")).expect("ourselves");
        for no_name in [name, "", &process.name[..process.name.len() - 1], "a longer name than 15"]
        {
            assert_eq!(named(no_name).expect("the process table"), [0; 0], "{no_name}");
        }
        drop(end);
        assert!(thread.join().expect("no panic"));
    }
}
