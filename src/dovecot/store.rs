//! Where an account's mail is, and what state that file system is in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use log::debug;

use crate::command::{Command, End};
use crate::settings::values::written;
use crate::system::System;

/// What a look at the directory of the mail says.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum State {
    Fine,
    Missing,
    /// Its file system cannot be written here.
    ReadOnly,
    /// Its file system has no room, or no place for another file.
    Full,
}

impl State {
    /// Looks at a directory; can hang as long as its file system does, so a child does it.
    #[must_use]
    pub(crate) fn of(path: &Path) -> Self {
        use nix::sys::statvfs::{FsFlags, statvfs};
        match statvfs(path) {
            Err(nix::errno::Errno::ENOENT) => Self::Missing,
            Ok(data) if data.flags().contains(FsFlags::ST_RDONLY) => Self::ReadOnly,
            Ok(data) if data.blocks_available() == 0 => Self::Full,
            // Some file systems count no files at all.
            Ok(data) if data.files() > 0 && data.files_available() == 0 => Self::Full,
            Ok(_) | Err(_) => Self::Fine,
        }
    }

    /// The word that the child says.
    pub(crate) fn word(self) -> String {
        written(&self)
    }

    fn read(word: &str) -> Option<Self> {
        Self::from_str(word.trim(), false).ok()
    }
}

/// Lets a child look at a directory; `None` where it does not answer in time.
pub(super) fn state_of(system: &impl System, directory: &Path, limit: Duration) -> Option<State> {
    let look = Command::new(OURSELVES.into(), &[LOOK_VERB, &directory.to_string_lossy()]).asked();
    let seen = system.run(&look, limit);
    debug!("{}: {seen}", directory.display());
    State::read(&seen.answer).filter(|_| seen.succeeded())
}

/// The longest look at whether a directory answers.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_millis(250);

/// Whether the file system of a file answers, as a child finds out. A file on one that hangs would
/// hold an action for ever, and with it the failover that mends it.
pub(super) fn answers(system: &impl System, file: &Path) -> bool {
    let directory = file.parent().unwrap_or(file).to_string_lossy();
    let look = Command::new(OURSELVES.into(), &[LOOK_VERB, &directory]).asked();
    !matches!(system.run(&look, ANSWER_LIMIT).end, End::TimedOut(_))
}

const OURSELVES: &str = "/proc/self/exe";

/// The verb of the child that looks at a directory.
pub(crate) const LOOK_VERB: &str = "look-at-store";

/// Reads where `doveadm user` says that the mail is: `mail_path` (2.4), `mail` (`driver:path:more`,
/// before).
pub(super) fn mail_directory(answer: &str) -> Option<PathBuf> {
    let before = || field(answer, "mail").and_then(|mail| mail.split(':').nth(1));
    let path = field(answer, "mail_path").or_else(before)?;
    let mail = match path.strip_prefix("~/") {
        Some(rest) => home(answer)?.join(rest),
        None => PathBuf::from(path),
    };
    Some(mail).filter(|mail| mail.is_absolute())
}

/// Reads the account's home in the same answer.
pub(super) fn home(answer: &str) -> Option<PathBuf> {
    field(answer, "home").map(PathBuf::from).filter(|home| home.is_absolute())
}

fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = answer.lines().filter_map(|line| line.split_once('\t'));
    fields.find(|(field, _)| *field == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An older kit's child says them too, while a package is replaced.
    const WORDS: [&str; 4] = ["fine", "missing", "read-only", "full"];

    #[test]
    fn the_mail_is_where_doveadm_says_in_each_version() {
        for (answer, directory) in [
            ("home\t/srv/a\nmail\tmaildir:~/Maildir:INDEX=/x\n", Some("/srv/a/Maildir")),
            ("home\t/srv/a\nmail_path\t/srv/a/mail\n", Some("/srv/a/mail")),
            ("home\t/srv/a\n", None),
            ("mail\tmbox:~/mail\n", None),
            ("mail\tmbox:/var/mail/%u\n", Some("/var/mail/%u")),
            ("", None),
        ] {
            assert_eq!(mail_directory(answer).as_deref(), directory.map(Path::new), "{answer:?}");
        }
        for (state, word) in State::value_variants().iter().zip(WORDS) {
            assert_eq!((State::read(word), &*state.word()), (Some(*state), word));
        }
    }
}
