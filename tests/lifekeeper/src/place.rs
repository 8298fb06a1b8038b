//! Where LifeKeeper lives on this node, and what its defaults file says.
//!
//! Every path hangs below one root directory, so that two nodes can stand side by side in a test.
//! The defaults file is read anew at each use: an edit works at once.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

/// Where LifeKeeper is when nothing says otherwise.
// D: LKROOT.
pub(crate) const ROOT: &str = "/opt/LifeKeeper";

/// The files of one node.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// LKROOT.
    pub(crate) root: PathBuf,
    defaults: PathBuf,
    /// The log.
    pub(crate) log: PathBuf,
}

impl Place {
    /// Finds LKROOT: the environment, else the defaults file, else the usual directory.
    pub(crate) fn find() -> Self {
        // A: LK_DEFAULTS and LK_LOG exist in the stand-in only; without them the paths are D.
        let path = |key, usual: &str| env::var_os(key).map_or_else(|| usual.into(), PathBuf::from);
        let mut place = Self {
            root: PathBuf::new(),
            defaults: path("LK_DEFAULTS", "/etc/default/LifeKeeper"),
            log: path("LK_LOG", "/var/log/lifekeeper.log"),
        };
        place.root = env::var_os("LKROOT")
            .map(PathBuf::from)
            .or_else(|| place.key("LKROOT").map(PathBuf::from))
            .unwrap_or_else(|| ROOT.into());
        place
    }

    /// A file of LifeKeeper's configuration.
    pub(crate) fn config(&self, name: &str) -> PathBuf {
        self.root.join("config").join(name)
    }

    /// The socket on which the engine takes commands.
    pub(crate) fn socket(&self) -> PathBuf {
        self.config("lcd.sock")
    }

    /// The node's name: `config/UNAME`, else the kernel's.
    pub(crate) fn uname(&self) -> String {
        // C: config/UNAME exists; A: that it overrides the kernel's name.
        fs::read_to_string(self.config("UNAME"))
            .or_else(|_| fs::read_to_string("/proc/sys/kernel/hostname"))
            .map_or_else(|_| "localhost".into(), |name| name.trim().to_owned())
    }

    /// The version that is played, as three numbers.
    pub(crate) fn version(&self) -> (u32, u32, u32) {
        let text = fs::read_to_string(self.config("VERSION")).unwrap_or_else(|_| "9.9.0".into());
        let mut numbers = text.trim().split('.').map(|part| part.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        (next(), next(), next())
    }

    /// The last value of a key in the defaults file.
    pub(crate) fn key(&self, key: &str) -> Option<String> {
        // D: plain KEY=VALUE lines.
        let text = fs::read_to_string(&self.defaults).ok()?;
        text.lines()
            .filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))
            .next_back()
            .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
    }

    /// A key's value in seconds, fractions allowed.
    pub(crate) fn seconds(&self, key: &str) -> Option<Duration> {
        // A: fractions; the real keys are whole seconds.
        let seconds = self.key(key)?.parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok().filter(|value| !value.is_zero())
    }

    /// The time between two heartbeats.
    pub(crate) fn beat_interval(&self) -> Duration {
        // D: LCMHBEATTIME, default 5.
        self.seconds("LCMHBEATTIME").unwrap_or(Duration::from_secs(5))
    }

    /// How long a path may be silent before it is dead.
    pub(crate) fn beat_limit(&self) -> Duration {
        // D: LCMNUMHBEATS, default 3.
        let beats = self.key("LCMNUMHBEATS").and_then(|text| text.parse().ok()).unwrap_or(3);
        self.beat_interval().saturating_mul(beats)
    }

    /// The time between two rounds of quickChecks.
    pub(crate) fn check_interval(&self) -> Duration {
        // D: LKCHECKINTERVAL, default 120.
        self.seconds("LKCHECKINTERVAL").unwrap_or(Duration::from_mins(2))
    }

    /// How long a quickCheck may take before it is killed.
    pub(crate) fn quick_check_limit(&self, tag: &str) -> Duration {
        // D: CONVTAG_TIMEOUT (22 s) up to 9.0.2, CONVTAG_QUICKCHECK_TIMEOUT (none) from 9.1.0.
        let tag = tag.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let (key, usual) = if self.version() < (9, 1, 0) {
            ("TIMEOUT", Duration::from_secs(22))
        } else {
            ("QUICKCHECK_TIMEOUT", Duration::MAX)
        };
        self.seconds(&format!("{tag}_{key}")).unwrap_or(usual)
    }

    /// How long a peer may take to answer.
    pub(crate) fn remote_limit(&self) -> Duration {
        // D: REMOTETIMEOUT, 900 s.
        self.seconds("REMOTETIMEOUT").unwrap_or(Duration::from_mins(15))
    }

    /// The copy of a gen/app resource's script that LifeKeeper keeps.
    pub(crate) fn script(&self, action: &str, tag: &str) -> PathBuf {
        // C: the four directories, with `resources` in lower case.
        let directory = if action == "recover" { "recovery" } else { "actions" };
        self.root.join(format!("subsys/gen/resources/app/{directory}/!{action}/{tag}"))
    }
}
