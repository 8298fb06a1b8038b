//! A node with all that is compared: the kit, the shell rendering of the original, the OCF agent, the
//! stopwatch; and how it is brought into the state that a run begins from.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use lab::hangs::make_account;
use lab::{DEFAULTS, Error, Init, Node, Result, Suite, kit, top};

use crate::crowd::crowded;
use crate::samples::STOPWATCH;

/// The OCF agent of Debian's package.
pub(super) const AGENT: &str = "/usr/lib/ocf/resource.d/heartbeat/dovecot";
/// The least check that there can be.
pub(super) const LEAST_PROGRAM: &str = "/usr/local/bin/least";
/// Downloads Debian's package with the agent unless it is there, and prints its name. Stale lists name
/// packages that have moved on: they are refreshed when the first try fails.
const FETCH: &str = "mkdir -p \"$0\" && cd \"$0\" || exit
     get() { apt-get -qq -o APT::Sandbox::User=root \"$@\" >&2; }
     [ -e resource-agents_*.deb ] || get download resource-agents ||
         { get update && get download resource-agents; } || exit
     echo resource-agents_*.deb";
/// Far above what any single run takes.
const RUN: Duration = Duration::from_mins(1);
/// Waits for the end of the login processes that Dovecot starts for connections, at most 30 s. The list of
/// the master's children is short, whatever else runs on the node.
const QUIET: &str = "read -r master </run/dovecot/master.pid || exit 0
     for i in $(seq 600); do
         busy=
         for pid in $(cat /proc/$master/task/$master/children); do
             read -r name </proc/$pid/comm && [ \"$name\" = imap-login ] && busy=1
         done
         [ $busy ] || exit 0
         sleep 0.05
     done 2>/dev/null";
/// What is built or fetched once for all nodes.
pub(super) struct Tools {
    kit: PathBuf,
    stopwatch: PathBuf,
    least: PathBuf,
    agent: PathBuf,
}

impl Tools {
    /// Builds the programs, and fetches the package with the agent unless it is there.
    pub(super) fn gather() -> Result<Self> {
        let directory = top().join("target/bench");
        let doing = "fetching the OCF agent";
        let fetched = Command::new("/bin/sh").args(["-c", FETCH]).arg(&directory).output();
        let fetched = fetched.map_err(Error::io(doing))?;
        if !fetched.status.success() {
            return Err(Error::failed(doing, String::from_utf8_lossy(&fetched.stderr)));
        }
        Ok(Self {
            kit: lab::package()?,
            stopwatch: lab::release("bench", "stopwatch")?,
            least: lab::release("bench", "least")?,
            agent: directory.join(String::from_utf8_lossy(&fetched.stdout).trim()),
        })
    }
}

/// A node that is measured on.
pub(super) struct Place(Node);

impl Place {
    /// Starts a node, lays everything on it, and starts Dovecot.
    pub(super) fn start(tools: &Tools, init: Init) -> Result<Self> {
        let place = Self(kit::node_on(&tools.kit, Suite::Bookworm, init)?);
        place.0.copy_in(&tools.stopwatch, STOPWATCH)?;
        place.0.copy_in(&tools.least, LEAST_PROGRAM)?;
        place.0.copy_in(&tools.agent, "/run/agent.deb")?;
        place.sh(
            "dpkg-deb -x /run/agent.deb /run/agent && cp -a /run/agent/usr/lib/ocf /usr/lib/",
        )?;
        place.0.copy_original()?;
        // What is sent there comes back on the loopback interface and is dropped: silence.
        place.sh("for net in 198.51.100 203.0.113; do ip route add $net.0/24 dev lo; done")?;
        place.sh("service dovecot start")?;
        make_account(&place.0)?;
        Ok(place)
    }

    /// A line for each fact about the machine, its programs, and the day: its name and itself.
    pub(super) fn facts(&self) -> Result<String> {
        self.sh(". /etc/os-release
             echo \"Date: $(date -u +%F)\"
             echo \"Processor:$(sed -n '/^model name.*:/{s///p;q}' /proc/cpuinfo), $(nproc) usable\"
             echo \"Memory: $(awk '/^MemTotal/{printf \"%.0f\", $2 / 1048576}' /proc/meminfo) GiB\"
             echo \"Load before the run: $(cut -d ' ' -f 1-3 /proc/loadavg)\"
             echo \"Kernel: $(cat /proc/sys/kernel/osrelease)\"
             echo \"Node: $PRETTY_NAME\"
             echo \"Dovecot: $(dovecot --version)\"
             echo \"OCF agent: resource-agents $(dpkg-deb -f /run/agent.deb Version)\"")
    }

    /// Runs a script that must succeed, and returns what it printed.
    pub(super) fn sh(&self, script: &str) -> Result<String> {
        let done = self.0.sh(script)?;
        done.succeeded(format!("running {script} on a node")).map(|done| done.stdout)
    }

    /// Sets the kit's settings.
    pub(super) fn set(&self, text: &str) -> Result<()> {
        self.0.write(DEFAULTS, text)
    }

    /// Runs the words under the stopwatch, and returns its line.
    pub(super) fn time(&self, words: &[&str]) -> Result<String> {
        let done = self.0.spawn(&[&[STOPWATCH], words].concat())?.wait(RUN)?;
        done.succeeded(format!("timing {}", words.join(" "))).map(|done| done.stdout)
    }

    /// Waits until Dovecot has nothing left to do for connections of before.
    pub(super) fn settle(&self) -> Result<()> {
        self.0.sh(QUIET).map(drop)
    }

    /// Fills the node up to so many processes while `work` is done.
    pub(super) fn crowded<T>(&self, size: u32, work: impl FnOnce() -> Result<T>) -> Result<T> {
        crowded(&self.0, size, work)
    }

    /// Puts an empty program in the place of the service command while `work` is done.
    pub(super) fn without_service<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.with_service("/bin/true", work)
    }

    /// Puts the stopwatch in the place of the service command while `work` is done.
    pub(super) fn timing_service<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.sh("mkdir -p /run/real && cp -p /usr/sbin/service /run/real/")?;
        self.with_service(STOPWATCH, work)
    }

    fn with_service<T>(&self, program: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.sh(&format!("mount --bind {program} /usr/sbin/service"))?;
        let done = work()?;
        self.sh("umount /usr/sbin/service")?;
        Ok(done)
    }
}
