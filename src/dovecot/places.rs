//! Where Dovecot keeps the files that a start depends on.

use std::path::PathBuf;

use super::configuration;
use super::instance::Instance;
use super::store;
use crate::system::System;

/// Where the base directory is when Dovecot does not tell.
const USUAL: [&str; 2] = ["/run/dovecot", "/var/run/dovecot"];

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Places {
    /// The directory of its pid file and its sockets; or all that it usually is.
    pub(crate) base: Vec<PathBuf>,
    /// The file of its log, unless that goes to syslog.
    pub(crate) log: Option<PathBuf>,
    /// What its lines in syslog begin with: `instance_name`.
    pub(crate) tag: String,
}

/// What lines in syslog begin with by default.
const TAG: &str = "dovecot";

/// Where the base directory may be.
pub(crate) fn usual() -> Vec<PathBuf> {
    USUAL.map(PathBuf::from).into()
}

/// Asks Dovecot. Takes at most [`configuration::LIMIT`].
pub(crate) fn places(system: &impl System, instance: &Instance) -> Places {
    let names = ["base_dir", "log_path", "instance_name"];
    let told = configuration::values(system, instance, &names).unwrap_or_default();
    let path = |name| told.get(name).filter(|value| value.starts_with('/')).map(PathBuf::from);
    let base = path("base_dir").map_or_else(usual, |base| vec![base]);
    let tag = told.get("instance_name").filter(|name| !name.is_empty());
    Places { base, log: path("log_path"), tag: tag.map_or_else(|| TAG.to_owned(), Clone::clone) }
}

/// The same, but for a log on a file system that does not answer: that one is left out. Takes
/// [`store::ANSWER_LIMIT`] more at most.
pub(crate) fn answering(system: &impl System, instance: &Instance) -> Places {
    let mut places = places(system, instance);
    places.log.take_if(|log| !store::answers(system, log));
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::system::fake::Machine;
    use std::time::Duration;

    fn told(end: End, words: &str) -> Places {
        let machine = Machine::new();
        machine.state().programs.push("doveconf");
        machine.answer(
            "doveconf base_dir log_path instance_name",
            end,
            Duration::from_millis(7),
            words,
        );
        places(&machine, &Instance::default())
    }

    #[test]
    fn dovecot_tells_and_otherwise_they_are_where_they_usually_are() {
        let usual = Places { base: usual(), log: None, tag: "dovecot".into() };
        let own = |log: Option<&str>| Places {
            base: vec!["/srv/run".into()],
            log: log.map(PathBuf::from),
            tag: "dovecot".into(),
        };
        let log = "base_dir = /srv/run\nlog_path = /var/log/dovecot.log\n";
        assert_eq!(told(End::Exited(0), log), own(Some("/var/log/dovecot.log")));
        for syslog in ["", "log_path = \n", "log_path = syslog\n", "log_path = /dev/stderr x {"] {
            let words = format!("base_dir = /srv/run\n{syslog}");
            assert!(told(End::Exited(0), &words).base == own(None).base, "{words}");
        }
        let named = told(End::Exited(0), "instance_name = mail2\n");
        assert_eq!(named.tag, "mail2");
        assert_eq!(told(End::Exited(89), log), usual, "a broken configuration tells nothing");
        assert_eq!(places(&Machine::new(), &Instance::default()), usual);
    }

    #[test]
    fn a_log_on_a_file_system_that_hangs_is_left_out() {
        let machine = Machine::new();
        machine.state().programs.push("doveconf");
        machine.answer("doveconf", End::Exited(0), Duration::ZERO, "log_path = /srv/log/x\n");
        assert!(answering(&machine, &Instance::default()).log.is_some());
        machine.answer("exe look-at-store /srv/log", End::Exited(0), Duration::MAX, "");
        assert!(answering(&machine, &Instance::default()).log.is_none());
    }
}
