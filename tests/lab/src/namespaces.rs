//! Enters a node's namespaces, for the length of one function.
//!
//! The work runs in a thread of its own that joins the node and ends with the work: the calling
//! thread never changes. Files opened in there by absolute path are the node's, also through
//! absolute symbolic links, which a path below `/proc/PID/root` would follow into the machine.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::{fs, io, thread};

use nix::sched::{CloneFlags, setns, unshare};

use crate::error::{Error, Result};

/// In the order of joining. The mount namespace is last: it takes the machine's `/proc` away.
const KINDS: [(&str, CloneFlags); 6] = [
    ("cgroup", CloneFlags::CLONE_NEWCGROUP),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("net", CloneFlags::CLONE_NEWNET),
    ("pid", CloneFlags::CLONE_NEWPID),
    ("mnt", CloneFlags::CLONE_NEWNS),
];

/// Open handles on the namespaces of one process; they stay valid when its pid is reused.
#[derive(Debug)]
pub(crate) struct Namespaces(Vec<(CloneFlags, File)>);

impl Namespaces {
    /// Opens the namespaces of the process `pid` of this machine.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let mut handles = Vec::new();
        for (name, kind) in KINDS {
            let path = format!("/proc/{pid}/ns/{name}");
            match File::open(&path) {
                Ok(file) => handles.push((kind, file)),
                // Kernels before 4.6 have no cgroup namespace.
                Err(error) if name == "cgroup" && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io(format!("opening {path}"))(error)),
            }
        }
        Ok(Self(handles))
    }

    /// Does `work` inside: files, network and new processes are the node's.
    pub(crate) fn inside<T: Send>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send,
    ) -> io::Result<T> {
        thread::scope(|scope| {
            let visit = scope.spawn(|| {
                self.join()?;
                work()
            });
            visit.join().unwrap_or_else(|_| Err(io::Error::other("the visiting thread panicked")))
        })
    }

    /// Lists this machine's processes that are in the same network and can still act.
    ///
    /// A process that dies has left its network, even if it is not buried yet.
    pub(crate) fn inhabitants(&self) -> Vec<u32> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(|pid| self.is_inhabited_by(*pid)).collect()
    }

    /// Tells whether a process of this machine is in the same network and can still act.
    pub(crate) fn is_inhabited_by(&self, pid: u32) -> bool {
        let mine = self.own_network().and_then(|file| file.metadata().ok());
        let theirs = fs::metadata(format!("/proc/{pid}/ns/net")).ok();
        mine.zip(theirs).is_some_and(|(mine, theirs)| mine.ino() == theirs.ino())
    }

    /// Returns another handle on the network, to be joined alone.
    pub(crate) fn network(&self) -> io::Result<File> {
        let missing = || io::Error::other("there is no network namespace");
        self.own_network().ok_or_else(missing)?.try_clone()
    }

    fn own_network(&self) -> Option<&File> {
        self.0.iter().find(|(kind, _)| *kind == CloneFlags::CLONE_NEWNET).map(|(_, file)| file)
    }

    /// Moves the calling thread into the node, for good.
    fn join(&self) -> io::Result<()> {
        // A thread that shares its root and working directory with others cannot change its mounts.
        unshare(CloneFlags::CLONE_FS)?;
        for (kind, file) in &self.0 {
            setns(file, *kind)?;
        }
        Ok(())
    }
}
