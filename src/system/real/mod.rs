//! The machine as it is.

mod command;
mod limits;
mod process;
mod watchdog;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io};

use nix::ifaddrs::getifaddrs;
use nix::sys::signal::{SigSet, Signal as KernelSignal};
use nix::sys::socket::SockaddrStorage;
use nix::sys::stat::{Mode, umask};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::alarm;
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::sockets::{self, Listeners, Socket};
use super::{
    Attempt, Command, CommandOutput, Depth, PROGRAM_DIRECTORIES, Pipe, Process, ProcessEntry,
    Signal, System,
};
use crate::error::Error;
use crate::exit::Exit;
use crate::probe::attempt::Silence;
use crate::probe::endpoint::Endpoint;
use crate::probe::login::Visit;
use command::{Commands, Running};
use limits::Limits;

/// This machine.
pub(crate) struct Machine {
    start: Instant,
    commands: Commands,
    /// The signals that the caller ignores.
    ignored: Vec<i32>,
    interrupted: Arc<AtomicBool>,
}

impl Machine {
    /// Makes the process independent of who started it, and must come before anything else opens
    /// a file. LifeKeeper says nothing of the environment in which it runs an action; whatever it
    /// leaves open, Dovecot would keep open as long as it lives.
    pub(crate) fn new() -> Self {
        let limits = Limits::raise();
        let ignored = limits::keep_ignored_signals();
        close_inherited();
        umask(Mode::S_IWGRP | Mode::S_IWOTH);
        // A directory that is to be unmounted later must not be ours.
        let _ = std::env::set_current_dir("/");
        let (start, commands) = (Instant::now(), Commands::new(limits));
        Self { start, commands, ignored, interrupted: Arc::default() }
    }

    /// Makes sure that this process may do what it must.
    ///
    /// # Errors
    ///
    /// [`Error::NotRoot`] with what was to be done.
    #[expect(clippy::unused_self, reason = "only who has a machine may ask what it lets one do")]
    pub(crate) fn require_root(&self, doing: &'static str) -> Result<(), Error> {
        if nix::unistd::geteuid().is_root() { Ok(()) } else { Err(Error::NotRoot(doing)) }
    }

    /// Ends the program with `exit` if it still runs so many seconds from now, whatever it hangs
    /// in, and has `say` say so. The kernel's alarm does it: a thread would have to be started at each quickCheck.
    ///
    /// # Errors
    ///
    /// When the kernel takes no handler for the alarm.
    #[expect(clippy::unused_self, reason = "only who has a machine may have an end set to itself")]
    pub(crate) fn end_after(
        &self,
        limit: Duration,
        exit: Exit,
        say: watchdog::GiveUp,
    ) -> io::Result<()> {
        let always = Arc::new(AtomicBool::new(true));
        flag::register_conditional_shutdown(SIGALRM, exit.status().into(), always)?;
        // A caller may have blocked it.
        SigSet::from(KernelSignal::SIGALRM).thread_unblock()?;
        alarm::set(u32::try_from(limit.as_secs()).unwrap_or(u32::MAX));
        watchdog::end_after(limit, exit, say);
        Ok(())
    }

    /// Starts to watch for the end now. Without this, it starts when a command takes its time, so that a
    /// check pays for no thread that it does not need.
    #[expect(clippy::unused_self, reason = "only who has a machine may have an end set to itself")]
    pub(crate) fn watch(&self) {
        watchdog::watch();
    }
}

/// Closes all descriptors above standard error.
fn close_inherited() {
    let descriptors: Vec<i32> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in descriptors {
        // The one that listed the directory is closed already.
        let _ = nix::unistd::close(descriptor);
    }
}

impl System for Machine {
    type Running = Running;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, time: Duration) {
        self.commands.sleep(time);
    }

    fn hold_interrupts(&self) {
        let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter();
        for signal in wanted.filter(|signal| !self.ignored.contains(signal)) {
            // Where the kernel takes no handler, the signal ends the program, as it would have.
            if signal == SIGINT {
                let again = Arc::clone(&self.interrupted);
                let _ = flag::register_conditional_shutdown(signal, 128 + signal, again);
            }
            let _ = flag::register(signal, Arc::clone(&self.interrupted));
        }
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn processes(&self) -> Result<Vec<ProcessEntry>, Error> {
        process::list()
    }

    fn named(&self, name: &str) -> Result<Vec<i32>, Error> {
        process::named(name)
    }

    fn inspect(&self, pid: i32) -> Option<Process> {
        process::inspect(pid)
    }

    fn program_of(&self, pid: i32) -> Option<PathBuf> {
        process::program_of(pid)
    }

    fn shares_root(&self, process: &Process) -> bool {
        process::shares_root(process)
    }

    fn runs_file_of_root(&self, process: &Process) -> bool {
        process::runs_file_of_root(process)
    }

    fn program_contains(&self, process: &Process, text: &str) -> Option<bool> {
        process::program_contains(process, text)
    }

    fn words(&self, process: &Process) -> Vec<String> {
        process::words(process)
    }

    fn control_groups(&self, pid: i32) -> Option<String> {
        process::control_groups(pid)
    }

    fn pipe(&self, pid: i32, descriptor: u32) -> Option<Pipe> {
        process::pipe(pid, descriptor)
    }

    fn is_pipe_of_root(&self, pid: i32, descriptor: u32) -> bool {
        process::is_pipe_of_root(pid, descriptor)
    }

    fn own_pipes(&self, pid: i32) -> BTreeSet<u64> {
        process::own_pipes(pid)
    }

    fn roots_listeners(&self) -> Listeners {
        sockets::listeners(Path::new("/"))
    }

    fn listening(&self, pid: i32, listeners: &Listeners) -> Vec<SocketAddr> {
        sockets::of_process(Path::new("/"), pid, listeners)
    }

    fn era(&self) -> String {
        process::era()
    }

    fn since_boot(&self) -> Duration {
        clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
    }

    fn signal(&self, process: &Process, signal: Signal) {
        process::signal(process, signal);
    }

    fn kill_group(&self, leader: &Process) {
        process::kill_group(leader);
    }

    fn start(&self, command: &Command) -> Running {
        self.commands.start(command)
    }

    fn release(&self, running: &mut Running) {
        running.release();
    }

    fn leader(&self, running: &Running) -> Option<Process> {
        process::inspect(running.pid()?)
    }

    fn let_end(&self, running: &mut Running, limit: Duration) -> bool {
        self.commands.let_end(running, limit)
    }

    fn finish(&self, running: Running, limit: Duration) -> CommandOutput {
        self.commands.finish(running, limit)
    }

    fn probe(
        &self,
        endpoints: &[Endpoint],
        depth: (Depth, Option<&Visit>),
        limit: Duration,
        on_silence: &mut dyn FnMut(Silence),
    ) -> Vec<Attempt> {
        let look = || {
            self.commands.look();
        };
        crate::probe::probe(endpoints, depth, limit, on_silence, &look)
    }

    fn listeners(&self, port: u16) -> Vec<(IpAddr, Process)> {
        let found = sockets::look(Path::new("/"), &BTreeSet::from([port])).unwrap_or_default();
        let holders =
            |socket: Socket| socket.holders.into_iter().map(move |one| (socket.address, one));
        let all = found.into_iter().flat_map(holders);
        all.filter_map(|(address, holder)| Some((address, process::inspect(holder.pid)?))).collect()
    }

    fn own_addresses(&self) -> io::Result<BTreeSet<IpAddr>> {
        let ip = |address: SockaddrStorage| {
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        };
        Ok(getifaddrs()?.filter_map(|interface| ip(interface.address?)).collect())
    }

    fn addresses(&self) -> BTreeSet<IpAddr> {
        let any = ["ipv4", "ipv6"].iter().any(|family| {
            let path = format!("/proc/sys/net/{family}/ip_nonlocal_bind");
            fs::read_to_string(path).is_ok_and(|value| value.trim() != "0")
        });
        if any { BTreeSet::new() } else { self.own_addresses().unwrap_or_default() }
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        PROGRAM_DIRECTORIES.iter().map(|directory| PathBuf::from(directory).join(name)).find(
            |path| {
                let is_program =
                    |data: fs::Metadata| data.is_file() && data.permissions().mode() & 0o111 != 0;
                fs::metadata(path).is_ok_and(is_program)
            },
        )
    }

    fn runs_systemd(&self) -> bool {
        fs::symlink_metadata("/run/systemd/system").is_ok_and(|data| data.is_dir())
    }
}
