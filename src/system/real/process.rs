//! Processes as proc(5) shows them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, makedev, statx};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, kill_process, kill_process_group, pidfd_open, pidfd_send_signal,
};
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate};

use crate::error::Error;
use crate::process::{MAX_DESCRIPTORS, Pipe, PipeEnd, Process, ProcessEntry, Signal};

/// Where the kernel shows processes.
const PROC: &str = "/proc";

/// How much of a command line is read, in bytes.
const MAX_LINE: u64 = 4096;

/// The largest program that is looked through, in bytes. That of a Dovecot has 100 KB to 1 MB.
const MAX_PROGRAM: u64 = 8 << 20;

/// The longest line of ancestors that is followed.
const MAX_ANCESTORS: usize = 64;

/// Lists all processes, each with the content of `stat` only.
pub(super) fn list() -> Result<Vec<ProcessEntry>, Error> {
    let unreadable = || Error::ProcessTable(PROC.into());
    // It is read once: no file is kept open for a second time.
    sysinfo::set_open_files_limit(0);
    let mut table = sysinfo::System::new();
    let least = ProcessRefreshKind::nothing().without_tasks();
    table.refresh_processes_specifics(ProcessesToUpdate::All, false, least);
    let pid = |pid: sysinfo::Pid| i32::try_from(pid.as_u32()).unwrap_or_default();
    let list: Vec<ProcessEntry> = table
        .processes()
        .values()
        // A thread of the kernel or of a process is none.
        .filter(|process| process.thread_kind().is_none())
        .map(|process| ProcessEntry {
            pid: pid(process.pid()),
            parent: process.parent().map_or(0, pid),
            session: process.session_id().map_or(0, pid),
            name: process.name().to_string_lossy().into_owned(),
            zombie: matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead),
        })
        .collect();
    // An empty table would say that Dovecot is gone.
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    if list.iter().any(|listed| listed.pid == own) { Ok(list) } else { Err(unreadable()) }
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

/// Looks closely at one process. What a stranger could make hang is left alone: links are read and
/// never followed, and of his files only those that the kernel answers by itself.
pub(super) fn inspect(pid: i32) -> Option<Process> {
    let directory = directory(pid);
    let stat = parse_stat(&read(&directory.join("stat"))?)?;
    let users = users(&read(&directory.join("status"))?)?;
    let are_ours = own_namespaces().iter().all(|(name, own)| {
        let its = fs::read_link(directory.join("ns").join(name)).ok();
        // One that is about to end has none any more, and is no stranger for that.
        its.is_none() || its == *own
    });
    Some(Process {
        pid,
        parent: stat.parent,
        session: stat.session,
        started: stat.started,
        name: stat.name,
        state: stat.state,
        users,
        executable: program_of(pid),
        same_namespaces: are_ours,
    })
}

/// The namespaces in which pids and users are ours, by the names of their kinds. They are the same
/// from our first moment to our last.
fn own_namespaces() -> &'static [(&'static str, Option<PathBuf>); 2] {
    static OWN: OnceLock<[(&str, Option<PathBuf>); 2]> = OnceLock::new();
    OWN.get_or_init(|| {
        ["user", "pid"]
            .map(|name| (name, fs::read_link(Path::new(PROC).join("self/ns").join(name)).ok()))
    })
}

pub(super) fn program_of(pid: i32) -> Option<PathBuf> {
    fs::read_link(directory(pid).join("exe")).ok().map(without_deleted)
}

/// Whether a process has this program's root, see [`has_same_root`].
pub(super) fn shares_root(process: &Process) -> bool {
    has_same_root(&directory(process.pid), process.executable.as_deref())
}

pub(super) fn runs_file_of_root(process: &Process) -> bool {
    fs::metadata(directory(process.pid).join("exe"))
        .is_ok_and(|file| file.uid() == 0 && file.mode() & 0o022 == 0)
}

pub(super) fn program_contains(process: &Process, text: &str) -> Option<bool> {
    let file = File::open(directory(process.pid).join("exe")).ok()?;
    let size = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
    let mut program = Vec::new();
    let length = file.take(MAX_PROGRAM).read_to_end(&mut program).ok()?;
    let contains = program.windows(text.len()).any(|part| part == text.as_bytes());
    // What has not been read may contain it.
    (contains || u64::try_from(length).ok()? >= size).then_some(contains)
}

pub(super) fn words(process: &Process) -> Vec<String> {
    let mut line = Vec::new();
    let file = File::open(directory(process.pid).join("cmdline"));
    let _ = file.and_then(|file| file.take(MAX_LINE).read_to_end(&mut line));
    let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

pub(super) fn control_groups(pid: i32) -> Option<String> {
    let text = read(&directory(pid).join("cgroup"))?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The pipe behind a descriptor of a process. The rights of the link are those of the descriptor
/// (`proc(5)`).
pub(super) fn pipe(pid: i32, descriptor: u32) -> Option<Pipe> {
    pipe_at(&directory(pid).join("fd").join(descriptor.to_string()))
}

/// Whether root made the pipe behind a descriptor of a process: a pipe belongs to whoever called
/// pipe(2). A kernel that does not tell (before Linux 4.11) counts as yes: a wrong no would leave an
/// orphan with the mail store open, a wrong yes stops a start that a user has set up. The kernel answers
/// from its memory: a user can have put a file of a file system of his own there meanwhile, which would
/// never answer.
pub(super) fn is_pipe_of_root(pid: i32, descriptor: u32) -> bool {
    let path = directory(pid).join("fd").join(descriptor.to_string());
    let wanted = StatxFlags::TYPE | StatxFlags::UID;
    match statx(CWD, &path, AtFlags::STATX_DONT_SYNC, wanted) {
        Ok(data) => {
            let is_pipe = FileType::from_raw_mode(data.stx_mode.into()) == FileType::Fifo;
            is_pipe && data.stx_uid == nix::unistd::geteuid().as_raw()
        }
        Err(cause) => cause == Errno::NOSYS || cause == Errno::PERM,
    }
}

/// The pipes of which a process has both ends.
pub(super) fn own_pipes(pid: i32) -> BTreeSet<u64> {
    let descriptors = fs::read_dir(directory(pid).join("fd")).into_iter().flatten().flatten();
    let pipes = descriptors.take(MAX_DESCRIPTORS).filter_map(|entry| pipe_at(&entry.path()));
    let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
    for pipe in pipes {
        match pipe.end {
            PipeEnd::Read => read.insert(pipe.inode),
            PipeEnd::Write => written.insert(pipe.inode),
            PipeEnd::Both => false,
        };
    }
    read.intersection(&written).copied().collect()
}

fn pipe_at(link: &Path) -> Option<Pipe> {
    let target = fs::read_link(link).ok()?;
    let inode = target.to_str()?.strip_prefix("pipe:[")?.strip_suffix(']')?.parse().ok()?;
    let end = match fs::symlink_metadata(link).ok()?.mode() & 0o600 {
        0o400 => PipeEnd::Read,
        0o200 => PipeEnd::Write,
        _ => PipeEnd::Both,
    };
    Some(Pipe { inode, end })
}

pub(super) fn era() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), namespace.display())
}

pub(super) fn signal(process: &Process, signal: Signal) {
    let number = match signal {
        Signal::Cont => rustix::process::Signal::CONT,
        Signal::Term => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
    };
    if process.pid <= 1 || is_above_us(process.pid) {
        return;
    }
    let Some(pid) = Pid::from_raw(process.pid) else { return };
    // The descriptor holds on to the process: what is seen of the pid afterwards is seen of it.
    let held = pidfd_open(pid, PidfdFlags::empty());
    if !inspect(process.pid).is_some_and(|now| now.is(process)) {
        return;
    }
    // It may have ended by itself; the next look tells.
    let _ = match held {
        Ok(held) => pidfd_send_signal(held, number),
        // Linux before 5.3 has none.
        Err(_) => kill_process(pid, number),
    };
}

pub(super) fn kill_group(leader: &Process) {
    let is_same = || inspect(leader.pid).is_some_and(|now| now.is(leader));
    if leader.pid > 1 && !is_above_us(leader.pid) && is_same() {
        let pid = Pid::from_raw(leader.pid);
        let _ = pid.map(|pid| kill_process_group(pid, rustix::process::Signal::KILL));
    }
}

/// Whether a pid is this program's or that of one that it descends from.
fn is_above_us(pid: i32) -> bool {
    let mut above = i32::try_from(std::process::id()).unwrap_or_default();
    // Longer is no line of ancestors.
    for _ in 0..MAX_ANCESTORS {
        if above == pid {
            return true;
        }
        let Some(stat) = read(&directory(above).join("stat")).and_then(|stat| parse_stat(&stat))
        else {
            return false;
        };
        if stat.parent <= 0 {
            return false;
        }
        above = stat.parent;
    }
    false
}

fn directory(pid: i32) -> PathBuf {
    Path::new(PROC).join(pid.to_string())
}

/// Reads a file of a process at once; the kernel tells no size of it.
pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(4096);
    File::open(path).ok()?.read_to_end(&mut text).ok()?;
    Some(text)
}

struct Stat {
    name: String,
    state: char,
    parent: i32,
    session: i32,
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
    // The state is field 3, the parent field 4, the session field 6, the start field 22.
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(15)?.parse().ok()?;
    Some(Stat { name: name.to_owned(), state, parent, session, started })
}

/// The first three numbers in the line `Uid:` of `status`: real, effective, saved.
fn users(status: &[u8]) -> Option<[u32; 3]> {
    let status = String::from_utf8_lossy(status);
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let mut numbers = line.split_ascii_whitespace().map_while(|number| number.parse().ok());
    Some([numbers.next()?, numbers.next()?, numbers.next()?])
}

/// The kernel marks a path whose file was replaced, for instance by an upgrade.
fn without_deleted(path: PathBuf) -> PathBuf {
    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(rest) => PathBuf::from(std::ffi::OsString::from_vec(rest.to_vec())),
        None => path,
    }
}

/// Whether the process shares our root, or has locked itself in a directory of it as Dovecot's login
/// processes do: its executable lies outside then. In a container the root has the same name and
/// is another directory, or it is a directory of ours that holds the executable too. A mount namespace
/// alone, as systemd gives to a service, changes nothing of this. A process that is about to end
/// has neither root nor executable, and is not called a stranger for that.
fn has_same_root(directory: &Path, executable: Option<&Path>) -> bool {
    let root = directory.join("root");
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
    let place = place(one);
    place.is_some() && place == self::place(other)
}

/// The device and inode at a path. The kernel answers from its memory: the root of a process can have
/// become a file system of a user's own since its namespaces were looked at.
fn place(path: &Path) -> Option<(u64, u64)> {
    match statx(CWD, path, AtFlags::STATX_DONT_SYNC, StatxFlags::INO) {
        Ok(data) => Some((makedev(data.stx_dev_major, data.stx_dev_minor), data.stx_ino)),
        // Before Linux 4.11 there is no such call.
        Err(Errno::NOSYS | Errno::PERM) => {
            fs::metadata(path).ok().map(|data| (data.dev(), data.ino()))
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_name_may_hold_anything() {
        let tail = "S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 10 20";
        for name in ["dovecot", "a b", ") S 1 (", "x) (y", ""] {
            let stat = parse_stat(format!("42 ({name}) {tail}\n").as_bytes()).expect(name);
            assert_eq!((stat.name.as_str(), stat.state), (name, 'S'));
            assert_eq!((stat.parent, stat.session, stat.started), (1, 42, 987_654));
        }
        for garbage in
            ["", "42", "42 (x", "42 (x) S 1 2", "42 (x) S 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 x"]
        {
            assert!(parse_stat(garbage.as_bytes()).is_none(), "{garbage}");
        }
    }

    #[test]
    fn the_users_are_the_first_three_of_four() {
        let status = b"Name:\tx\nUid:\t1000\t0\t2\t3\nGid:\t4\t5\t6\t7\n";
        assert_eq!(users(status), Some([1000, 0, 2]));
        for odd in [&b"Name:\tx\n"[..], b"Uid:\t1\t2\n", b"Uid:\t1\tx\t3\n"] {
            assert_eq!(users(odd), None);
        }
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
        assert!(process.same_namespaces && shares_root(&process) && !process.is_dead());
        assert_eq!(process.session, listed.session);
        assert_eq!(process.executable, std::env::current_exe().ok());
        assert!(inspect(i32::MAX).is_none());
        assert!(named(&process.name).expect("the process table").contains(&pid));
    }

    #[test]
    fn a_program_is_looked_through_while_it_runs_even_when_its_file_has_gone() {
        let root = crate::test_root::TestRoot::new();
        let file = root.path().join("dovecot");
        fs::copy("/bin/sleep", &file).expect("a program");
        // What another test forks meanwhile has the file open for writing, up to its exec.
        let mut child = loop {
            match std::process::Command::new(&file).arg("60").spawn() {
                Err(cause) if cause.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
                child => break child.expect("a child"),
            }
        };
        let process = inspect(i32::try_from(child.id()).expect("a pid")).expect("the child");
        fs::remove_file(&file).expect("removing it");
        assert_eq!(program_contains(&process, "sleep"), Some(true));
        assert_eq!(program_contains(&process, "master.pid"), Some(false));
        child.kill().and_then(|()| child.wait()).expect("its end");
        assert_eq!(program_contains(&process, "sleep"), None, "nobody can tell");
    }

    #[test]
    fn both_ends_of_a_pipe_are_told_from_one_end() {
        let pid = i32::try_from(std::process::id()).expect("a pid");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let number = |descriptor: i32| u32::try_from(descriptor).expect("a descriptor");
        let read = pipe(pid, number(reader.as_raw_fd())).expect("the end for reading");
        let written = pipe(pid, number(writer.as_raw_fd())).expect("the end for writing");
        assert_eq!((read.end, written.end), (PipeEnd::Read, PipeEnd::Write));
        assert_eq!(read.inode, written.inode);
        assert!(own_pipes(pid).contains(&read.inode));
        drop(reader);
        assert!(!own_pipes(pid).contains(&written.inode), "one end is left");
        let file = File::open("/").expect("no pipe");
        assert_eq!(pipe(pid, number(file.as_raw_fd())), None);
    }

    #[test]
    fn a_signal_reaches_the_process_that_was_inspected_and_nobody_above_us() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a child");
        let pid = i32::try_from(child.id()).expect("a pid");
        let process = inspect(pid).expect("the child");
        signal(&Process { started: process.started + 1, ..process.clone() }, Signal::Kill);
        kill_group(&Process { started: process.started + 1, ..process.clone() });
        assert!(child.try_wait().expect("a look").is_none(), "another process of that pid");
        signal(&process, Signal::Kill);
        assert!(!child.wait().expect("its end").success());
        let own = i32::try_from(std::process::id()).expect("a pid");
        let parent = inspect(own).expect("ourselves").parent;
        assert!(is_above_us(own) && is_above_us(parent) && !is_above_us(pid));
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
