//! Where Dovecot keeps the files that a start depends on.

use std::path::{Path, PathBuf};

use super::configuration;
use crate::system::System;

/// Where the base folder is when Dovecot does not tell.
const USUAL: [&str; 2] = ["/run/dovecot", "/var/run/dovecot"];

/// The folder and the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Places {
    /// The folder of its pid file and its sockets; or all that it usually is.
    pub(crate) base: Vec<PathBuf>,
    /// The file of its log, unless that goes to syslog.
    pub(crate) log: Option<PathBuf>,
}

/// Where the base folder may be.
pub(crate) fn usual() -> Vec<PathBuf> {
    USUAL.map(PathBuf::from).into()
}

/// Asks Dovecot. Takes at most [`configuration::LIMIT`].
pub(crate) fn places(system: &impl System) -> Places {
    let told = configuration::values(system, &["base_dir", "log_path"]).unwrap_or_default();
    let path = |name| told.get(name).filter(|value| value.starts_with('/')).map(PathBuf::from);
    let base = path("base_dir").map_or_else(usual, |base| vec![base]);
    Places { base, log: path("log_path") }
}

/// A path of the machine, below the root folder.
pub(crate) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::End;
    use crate::system::fake::Machine;
    use std::time::Duration;

    fn told(end: End, words: &str) -> Places {
        let machine = Machine::new();
        machine.state().programs.push("doveconf");
        machine.answer("doveconf base_dir log_path", end, Duration::from_millis(7), words);
        places(&machine)
    }

    #[test]
    fn dovecot_tells_and_otherwise_they_are_where_they_usually_are() {
        let usual = Places { base: usual(), log: None };
        let own = |log: Option<&str>| Places {
            base: vec!["/srv/run".into()],
            log: log.map(PathBuf::from),
        };
        let log = "base_dir = /srv/run\nlog_path = /var/log/dovecot.log\n";
        assert_eq!(told(End::Exited(0), log), own(Some("/var/log/dovecot.log")));
        for syslog in ["", "log_path = \n", "log_path = syslog\n", "log_path = /dev/stderr x {"] {
            let words = format!("base_dir = /srv/run\n{syslog}");
            assert!(told(End::Exited(0), &words).base == own(None).base, "{words}");
        }
        assert_eq!(told(End::Exited(89), log), usual, "a broken configuration tells nothing");
        assert_eq!(places(&Machine::new()), usual);
    }
}
