//! A node with all that is compared: the kit, the shell rendering of the original, the OCF agent, the
//! stopwatch; and how it is brought into the state that a run begins from.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use lab::{Error, Finished, Init, Node, Result, Running};

use crate::cargo::{answer, succeed, top};
use crate::kit;

/// Where the original kit lies on the node.
pub(super) const ORIGINAL: &str = "/usr/local/lib/original";
/// The OCF agent of Debian's package.
pub(super) const AGENT: &str = "/usr/lib/ocf/resource.d/heartbeat/dovecot";
/// Debian's package with the agent.
const AGENT_PACKAGE: &str = "resource-agents";
/// The least check that there can be.
pub(super) const LEAST_PROGRAM: &str = "/usr/local/bin/least";
const STOPWATCH: &str = "/usr/local/bin/stopwatch";
const SETTINGS: &str = "/etc/default/LifeKeeper";
/// Far above what any single run takes.
const RUN: Duration = Duration::from_mins(1);
/// The longest that a crowd may take to assemble or to vanish; 10 000 take about 10 s.
const CROWD: Duration = Duration::from_mins(2);
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
/// Subshells of one shell: the cheapest processes that there are.
const ASSEMBLE: &str = "rm -f /run/crowd /run/crowded; mkfifo /run/crowd; exec 3<>/run/crowd
     i=0; while [ $i -lt \"$1\" ]; do (read -r x <&3) & i=$((i+1)); done
     echo >/run/crowded; wait";

/// What is built or fetched once for all nodes.
pub(super) struct Tools {
    kit: PathBuf,
    stopwatch: PathBuf,
    least: PathBuf,
    agent: PathBuf,
    /// Of the package with the agent.
    pub(super) agent_version: String,
}

impl Tools {
    /// Builds the programs, and fetches the package with the agent unless it is there.
    pub(super) fn gather() -> Result<Self> {
        let kit = kit::build_release()?;
        let stopwatch = kit::build_program("xtask", "stopwatch")?;
        let least = kit::build_program("xtask", "least")?;
        let (agent, agent_version) = fetch_agent()?;
        Ok(Self { kit, stopwatch, least, agent, agent_version })
    }
}

/// Downloads the package below `target`; returns its file and version.
fn fetch_agent() -> Result<(PathBuf, String)> {
    let doing = "fetching the OCF agent";
    let folder = top().join("target/bench");
    fs::create_dir_all(&folder).map_err(Error::io(format!("making {}", folder.display())))?;
    let found = || {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let is_it = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(AGENT_PACKAGE) && name.ends_with(".deb")
        };
        entries.map(|entry| entry.path()).find(is_it)
    };
    if found().is_none() {
        println!("   fetching Debian's package {AGENT_PACKAGE} into {}", folder.display());
        let call = |words: &[&str]| {
            let mut apt = Command::new("apt-get");
            apt.args(["-qq", "-o", "APT::Sandbox::User=root"]).args(words).current_dir(&folder);
            succeed(apt, doing)
        };
        // Stale lists name packages that have moved on: refresh them when the first try fails.
        let download = ["download", AGENT_PACKAGE];
        call(&download).or_else(|_| call(&["update"]).and_then(|()| call(&download)))?;
    }
    let package = found().ok_or_else(|| Error::failed(doing, "apt-get left no package"))?;
    let mut ask = Command::new("dpkg-deb");
    ask.arg("--field").arg(&package).arg("Version");
    let version = answer(ask, doing)?;
    Ok((package, version.trim().to_owned()))
}

/// A node that is measured on.
pub(super) struct Place {
    node: Node,
}

impl Place {
    /// Starts a node, lays everything on it, and starts Dovecot.
    pub(super) fn start(tools: &Tools, init: Init) -> Result<Self> {
        let place = Self { node: kit::node_with(&tools.kit, init)? };
        place.node.copy_in(&tools.stopwatch, STOPWATCH)?;
        place.node.copy_in(&tools.least, LEAST_PROGRAM)?;
        place.node.copy_in(&tools.agent, "/run/agent.deb")?;
        place.sh(
            "dpkg-deb -x /run/agent.deb /run/agent && cp -a /run/agent/usr/lib/ocf /usr/lib/",
        )?;
        place.sh(&format!("mkdir -p {ORIGINAL}"))?;
        for name in ["common.sh", "quickCheck", "restore", "remove", "recover"] {
            let file = top().join("tests/original").join(name);
            place.node.copy_in(&file, &format!("{ORIGINAL}/{name}"))?;
        }
        // What is sent there comes back on the loopback interface and is dropped: silence.
        place.sh("for net in 198.51.100 203.0.113; do ip route add $net.0/24 dev lo; done")?;
        place.sh("service dovecot start")?;
        Ok(place)
    }

    /// Runs a script that must succeed, and returns what it printed.
    pub(super) fn sh(&self, script: &str) -> Result<String> {
        let done = self.node.sh(script)?;
        if done.success() { Ok(done.stdout) } else { Err(failed(script, &done)) }
    }

    /// Sets the kit's settings.
    pub(super) fn set(&self, text: &str) -> Result<()> {
        self.node.write(SETTINGS, text)
    }

    /// Runs the words under the stopwatch, and returns its line.
    pub(super) fn time(&self, words: &[&str]) -> Result<String> {
        let argv = [&[STOPWATCH], words].concat();
        let done = self.node.spawn(&argv)?.wait(RUN)?;
        if done.success() { Ok(done.stdout) } else { Err(failed(&argv.join(" "), &done)) }
    }

    /// Waits until Dovecot has nothing left to do for connections of before.
    pub(super) fn settle(&self) -> Result<()> {
        self.node.sh(QUIET).map(drop)
    }

    /// How many processes there are.
    pub(super) fn processes(&self) -> Result<usize> {
        Ok(self.node.processes()?.len())
    }

    /// Fills the node up to so many processes, as long as the value lives.
    pub(super) fn crowd(&self, processes: u32) -> Result<Crowd<'_>> {
        let before = self.processes()?;
        let missing = processes.saturating_sub(u32::try_from(before).unwrap_or(u32::MAX));
        let argv = ["/bin/sh", "-c", ASSEMBLE, "crowd", &missing.to_string()];
        let running = self.node.spawn(&argv)?;
        let started = Instant::now();
        while !self.node.exists("/run/crowded")? {
            if started.elapsed() > CROWD {
                let doing = format!("assembling {processes} processes");
                return Err(Error::Late { doing, limit: CROWD });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Crowd { place: self, running, before })
    }

    /// Puts an empty program in the place of the service command, as long as the value lives.
    pub(super) fn without_service(&self) -> Result<Emptied<'_>> {
        self.sh("mount --bind /bin/true /usr/sbin/service")?;
        Ok(Emptied { place: self })
    }
}

fn failed(what: &str, done: &Finished) -> Error {
    Error::failed(format!("running {what} on a node"), done.ending())
}

/// Processes that do nothing.
pub(super) struct Crowd<'a> {
    place: &'a Place,
    running: Running,
    before: usize,
}

impl Crowd<'_> {
    /// Ends them, and waits until they are gone.
    pub(super) fn end(self) -> Result<()> {
        self.running.kill();
        let started = Instant::now();
        // Some processes of Dovecot come and go.
        while self.place.processes()? > self.before + 5 {
            if started.elapsed() > CROWD {
                return Err(Error::Late { doing: "ending a crowd".into(), limit: CROWD });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.place.sh("rm -f /run/crowd /run/crowded").map(drop)
    }
}

/// The node's service command is an empty program.
pub(super) struct Emptied<'a> {
    place: &'a Place,
}

impl Emptied<'_> {
    /// Gives the command back.
    pub(super) fn end(self) -> Result<()> {
        self.place.sh("umount /usr/sbin/service").map(drop)
    }
}
