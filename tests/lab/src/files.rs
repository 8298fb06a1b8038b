//! Reads and changes a node's files and processes, as root on the node would.
//!
//! Paths are the node's and absolute; pids are those that the node's own programs see.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::scratch;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::process::{self, Process};

/// The longest that a process may run on when it is told to stop.
const STOPPED: Duration = Duration::from_secs(5);

/// Tells whether what is named dovecot starts, stops or asks one: a script of the system or of an
/// agent, or the program that lists its own commands.
fn is_tool(args: &str) -> bool {
    let scripts = ["/etc/init.d/", "/usr/lib/ocf/resource.d/"];
    scripts.iter().any(|directory| args.contains(directory)) || args.ends_with("/dovecot help")
}

impl Node {
    /// Reads a file; what is no UTF-8 is marked.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn read(&self, path: &str) -> Result<String> {
        let bytes = self
            .namespaces
            .inside(|| fs::read(path))
            .map_err(Error::io(format!("reading {path} on a node")))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes a file; one that is there keeps its mode and owner.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        self.put_text(path, text, "cat >\"$1\"")
    }

    /// Adds to the end of a file, or makes it.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn append(&self, path: &str, text: &str) -> Result<()> {
        self.put_text(path, text, "cat >>\"$1\"")
    }

    /// Writes a program with mode 0755, in place of what is there.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write_program(&self, path: &str, text: &str) -> Result<()> {
        self.put_text(path, text, "rm -f \"$1\" && cat >\"$1\" && chmod 0755 \"$1\"")
    }

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// When it cannot be removed, also when it is not there.
    pub fn remove_file(&self, path: &str) -> Result<()> {
        self.namespaces
            .inside(|| fs::remove_file(path))
            .map_err(Error::io(format!("removing {path} on a node")))
    }

    /// Tells whether the path leads to something.
    ///
    /// # Errors
    ///
    /// When the node cannot be asked.
    pub fn exists(&self, path: &str) -> Result<bool> {
        self.namespaces
            .inside(|| fs::exists(path))
            .map_err(Error::io(format!("looking at {path} on a node")))
    }

    /// Lists the node's processes in order of their pids.
    ///
    /// # Errors
    ///
    /// When the node's `/proc` cannot be read.
    pub fn processes(&self) -> Result<Vec<Process>> {
        self.namespaces
            .inside(|| process::table(Path::new("/proc")))
            .map_err(Error::io("reading /proc on a node"))
    }

    /// Lists Dovecot's processes: the master, its children and its orphans, zombies included.
    ///
    /// # Errors
    ///
    /// When the node's `/proc` cannot be read.
    pub fn dovecot(&self) -> Result<Vec<Process>> {
        let mut processes = self.processes()?;
        processes.retain(|process| {
            process.comm == "dovecot" && !is_tool(&process.args)
                || process.args.starts_with("dovecot/")
        });
        Ok(processes)
    }

    /// Returns the pid of Dovecot's master; none when it does not run, or is a zombie.
    ///
    /// # Errors
    ///
    /// When the node's `/proc` cannot be read.
    pub fn master(&self) -> Result<Option<u32>> {
        self.namespaces
            .inside(|| {
                let executable = |pid| {
                    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
                    Some(path.to_string_lossy().into_owned())
                };
                Ok(process::master_of(&process::table(Path::new("/proc"))?, executable))
            })
            .map_err(Error::io("reading /proc on a node"))
    }

    /// Returns the pid of Dovecot's master.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn running_master(&self) -> Result<u32> {
        let failed = || Error::failed("looking for Dovecot's master", "it does not run");
        self.master()?.ok_or_else(failed)
    }

    /// Sends a signal, by its name without SIG, to a process of the node. One that is to stop has stopped
    /// when this returns: the kernel lets it run on until its turn comes.
    ///
    /// # Errors
    ///
    /// When there is no such process or no such signal, and when it does not stop.
    pub fn signal(&self, pid: u32, name: &str) -> Result<()> {
        let doing = || format!("sending SIG{name} to pid {pid} on a node");
        self.run(&["kill", "-s", name, &pid.to_string()])?.succeeded(doing())?;
        let start = Instant::now();
        let runs = |state: char| !matches!(state, 'T' | 't' | 'Z');
        while name == "STOP" && self.process_state(pid)?.is_some_and(runs) {
            if start.elapsed() > STOPPED {
                return Err(Error::failed(doing(), "it does not stop"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Returns the state of a process of the node, as in proc(5), unless it has ended.
    fn process_state(&self, pid: u32) -> Result<Option<char>> {
        let directory = format!("/proc/{pid}");
        self.namespaces
            .inside(|| Ok(process::read(Path::new(&directory)).map(|process| process.state)))
            .map_err(Error::io("reading /proc on a node"))
    }

    /// Feeds `text` to a shell script on the node whose `$1` is `path`.
    fn put_text(&self, path: &str, text: &str, script: &str) -> Result<()> {
        let (mut end, start) = scratch()?;
        let written: io::Result<()> = end.write_all(text.as_bytes());
        written.map_err(Error::io(format!("preparing {path} for a node")))?;
        self.put(start, path, script)
    }
}
