//! LifeKeeper as it is installed on this node: where, which version, whether it runs.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::debug;

use super::defaults;
use crate::command::{Command, CommandOutput};
use crate::error::Error;
use crate::files::below;
use crate::system::{PROGRAM_DIRECTORIES, System};
use crate::text::excerpt;

/// Where LifeKeeper is when nobody says otherwise (manual).
const USUAL: &str = "/opt/LifeKeeper";

/// The key, in the environment and in the defaults file, that says otherwise.
const KEY: &str = "LKROOT";

/// The package whose version is LifeKeeper's (manual, "Software packaging").
const PACKAGE: &str = "steeleye-lk";

/// The longest that a command may take that only shows something. They take some milliseconds.
pub(crate) const QUERY_LIMIT: Duration = Duration::from_secs(10);

/// LifeKeeper on this node.
#[derive(Clone, Debug)]
pub(crate) struct LifeKeeper {
    /// Below which all paths hang; `/` in production.
    root: PathBuf,
    /// LKROOT, as LifeKeeper itself names it.
    directory: PathBuf,
    /// The longest that a command may take that only shows something.
    patience: Duration,
}

impl LifeKeeper {
    /// Finds LifeKeeper: where the environment says, else the defaults file, else at its usual
    /// place.
    ///
    /// # Errors
    ///
    /// [`Error::NoLifeKeeper`] when its commands are not there.
    pub(crate) fn find(root: &Path) -> Result<Self, Error> {
        let in_file = || defaults::read(root, KEY, &[KEY]).take(KEY).map(|found| found.value);
        let directory =
            std::env::var(KEY).ok().or_else(in_file).filter(|path| path.starts_with('/'));
        let directory = directory.map_or_else(|| USUAL.into(), PathBuf::from);
        let found = Self { root: root.to_owned(), directory, patience: QUERY_LIMIT };
        if found.program("bin/ins_list").is_some() {
            Ok(found)
        } else {
            Err(Error::NoLifeKeeper(found.directory))
        }
    }

    /// What speaks against LifeKeeper's being gone for good, in words.
    ///
    /// Its commands are not at LKROOT, and something else is there, such as an empty mount point, or a
    /// file system of fstab(5) is not mounted.
    pub(crate) fn trace(root: &Path, directory: &Path) -> Option<String> {
        if below(root, directory).symlink_metadata().is_ok() {
            return Some(format!("{} is", directory.display()));
        }
        let points = |file: &str| -> Vec<PathBuf> {
            let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
            let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
            lines.filter_map(|line| Some(line.split_ascii_whitespace().nth(1)?.into())).collect()
        };
        let mounted = points("proc/self/mounts");
        let is_missing = |point: &PathBuf| {
            // The root itself is there, whatever a chroot(2) shows.
            point.parent().is_some() && directory.starts_with(point) && !mounted.contains(point)
        };
        let missing = points("etc/fstab").into_iter().find(is_missing)?;
        Some(format!("{} of /etc/fstab is not mounted", missing.display()))
    }

    /// This LifeKeeper, with another limit for each command that only shows something.
    pub(crate) fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// LKROOT.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file below LKROOT, as this program opens it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        below(&self.root, &self.directory.join(name))
    }

    /// A program below LKROOT, by the path that is to be run; `None` when it is not there.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let data = std::fs::metadata(self.path(name)).ok()?;
        let runs = data.is_file() && data.permissions().mode() & 0o111 != 0;
        runs.then(|| self.directory.join(name))
    }

    /// A command of LifeKeeper's `bin`, or another program with the environment of those.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let directory = self.directory.display().to_string();
        let path = format!("{}:{directory}/bin", PROGRAM_DIRECTORIES.join(":"));
        Command::new(self.directory.join("bin").join(program), arguments)
            .with("PATH", path)
            .with(KEY, directory)
    }

    /// Runs a command that shows something, and returns how it ended.
    pub(crate) fn ask(
        &self,
        system: &impl System,
        program: &str,
        arguments: &[&str],
    ) -> CommandOutput {
        let command = self.command(program, arguments).asked();
        let ended = system.run(&command, self.patience);
        debug!("`{command}`: {ended}");
        ended
    }

    /// Runs a command that shows something, and returns what it printed.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] when it does not succeed.
    pub(crate) fn answer(
        &self,
        system: &impl System,
        program: &str,
        arguments: &[&str],
    ) -> Result<String, Error> {
        let ended = self.ask(system, program, arguments);
        if ended.succeeded() {
            return Ok(ended.answer);
        }
        Err(Error::Command { command: self.command(program, arguments).to_string(), ended })
    }

    /// Makes sure that LifeKeeper runs (`lktest` succeeds).
    ///
    /// # Errors
    ///
    /// [`Error::LifeKeeperDown`], or [`Error::Command`] when the question got no answer.
    pub(crate) fn require_running(&self, system: &impl System) -> Result<(), Error> {
        use crate::command::End;
        let ended = self.ask(system, "lktest", &[]);
        match ended.end {
            End::Exited(0) => Ok(()),
            End::Exited(_) => Err(Error::LifeKeeperDown),
            _ => Err(Error::Command { command: "lktest".into(), ended }),
        }
    }

    /// The name that LifeKeeper gives this node.
    ///
    /// # Errors
    ///
    /// When `lcduname` fails, or prints anything but one name.
    pub(crate) fn node(&self, system: &impl System) -> Result<String, Error> {
        let answer = self.answer(system, "lcduname", &[])?;
        match answer.split_whitespace().collect::<Vec<_>>().as_slice() {
            [name] if is_system_name(name) => Ok((*name).to_owned()),
            _ => Err(garbage("lcduname", &answer)),
        }
    }

    /// The version of LifeKeeper, from the package manager.
    ///
    /// # Errors
    ///
    /// A sentence that says why it cannot be told.
    #[expect(clippy::unused_self, reason = "only who has found LifeKeeper may ask for its version")]
    pub(crate) fn version(&self, system: &impl System) -> Result<Version, String> {
        let rpm = system
            .program("rpm")
            .ok_or("rpm is not installed, so LifeKeeper's version is unknown")?;
        let query = Command::new(rpm, &["-q", "--qf", "%{VERSION}\n", PACKAGE]).asked();
        let ended = system.run(&query, QUERY_LIMIT);
        let unclear = || format!("`rpm -q {PACKAGE}`: {ended}");
        if !ended.succeeded() {
            return Err(unclear());
        }
        // Two versions at once are possible for rpm, and not for us.
        let mut versions = ended.answer.lines().filter_map(Version::parse);
        match (versions.next(), versions.next()) {
            (Some(version), None) => Ok(version),
            _ => Err(unclear()),
        }
    }
}

/// Whether a word can be a system's name, and not an option or a sentence.
pub(super) fn is_system_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// A command answered, and not as it should.
pub(super) fn garbage(command: &str, answer: &str) -> Error {
    let beginning = excerpt(answer.trim());
    let cause = if beginning.is_empty() {
        "nothing where something must be".to_owned()
    } else {
        format!("\"{beginning}\" is not understood")
    };
    Error::Answer { command: command.to_owned(), cause }
}

/// A version of LifeKeeper: three numbers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Version(u32, u32, u32);

impl Version {
    /// Reads `9.3.2`; what is missing at the end is 0.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split('.').map(|part| part.parse::<u32>().ok());
        let first = numbers.next()??;
        let mut next = || numbers.next().map_or(Some(0), |number| number);
        Some(Self(first, next()?, next()?))
    }

    /// The key of the defaults file that limits quickCheck of a resource: up to 9.0.2 and from
    /// 9.1.0 on it has different names (the original kit's reference document).
    pub(crate) fn quick_check_key(self, converted_tag: &str) -> String {
        let [old, new] = quick_check_keys(converted_tag);
        if self < Self(9, 1, 0) { old } else { new }
    }

    /// How long quickCheck may take when no key says so, in seconds; `None` is without limit.
    pub(crate) const fn quick_check_default(self) -> Option<u32> {
        if self.0 < 9 || (self.0 == 9 && self.1 < 1) { Some(22) } else { None }
    }
}

/// Both names of the key, the older first.
pub(crate) fn quick_check_keys(converted_tag: &str) -> [String; 2] {
    [format!("{converted_tag}_TIMEOUT"), format!("{converted_tag}_QUICKCHECK_TIMEOUT")]
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;

    #[test]
    fn lifekeeper_is_where_its_defaults_file_says_and_has_its_commands() {
        let root = TestRoot::new();
        let missing = LifeKeeper::find(root.path()).expect_err("nothing there").to_string();
        assert!(
            missing.starts_with("looking for LifeKeeper: /opt/LifeKeeper has no "),
            "{missing}"
        );
        root.write("etc/default/LifeKeeper", "LKROOT=/srv/lk\n");
        root.write_program("opt/LifeKeeper/bin/ins_list");
        let missing = LifeKeeper::find(root.path()).expect_err("elsewhere").to_string();
        assert!(missing.contains("/srv/lk has no "), "{missing}");
        root.write_program("srv/lk/bin/ins_list");
        let found = LifeKeeper::find(root.path()).expect("LifeKeeper");
        assert_eq!(found.directory(), Path::new("/srv/lk"));
        assert_eq!(found.path("bin"), root.path().join("srv/lk/bin"));
        assert_eq!(found.program("bin/ins_list"), Some("/srv/lk/bin/ins_list".into()));
        assert_eq!(found.program("bin/lkcli"), None);
    }

    #[test]
    fn the_key_for_quick_checks_limit_depends_on_the_version() {
        for (version, key, usual) in [
            ("8.1.2", "mail_1_TIMEOUT", Some(22)),
            ("9.0.2", "mail_1_TIMEOUT", Some(22)),
            ("9.1.0", "mail_1_QUICKCHECK_TIMEOUT", None),
            ("9.9", "mail_1_QUICKCHECK_TIMEOUT", None),
            ("10.0.1.7", "mail_1_QUICKCHECK_TIMEOUT", None),
        ] {
            let found = Version::parse(version).expect(version);
            assert_eq!(found.quick_check_key("mail_1"), key, "{version}");
            assert_eq!(found.quick_check_default(), usual, "{version}");
        }
        for text in ["", "x", "package steeleye-lk is not installed", "9.x.1", "-9.1"] {
            assert_eq!(Version::parse(text), None, "{text:?}");
        }
    }
}
