//! The service command that runs, noted so that it is found again if its action is killed.
//!
//! A command that is not found again starts Dovecot behind a remove that says it is stopped. So the note
//! is where a link leads that leads nowhere: that can be made where no byte can be written, and where
//! the kit's directory cannot be used.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use nix::unistd::geteuid;

use crate::files;
use crate::messages::{Message, warning};
use crate::process::Process;
use crate::system::System;
use crate::text::cut;

/// The link, beside the kit's directory.
const COMMAND: &str = "run/dovecot-ark.command";

/// How much of a command line the link says, in characters. A file system in memory keeps a target of
/// less than 128 bytes without a page of its own (Linux, `mm/shmem.c`, since 2.6.39).
const MAX_LINE: usize = 40;

/// A service command that runs.
#[derive(Debug)]
pub(crate) struct RunningCommand {
    /// The command line, for people.
    pub(crate) line: String,
    /// Its first process.
    pub(crate) leader: Process,
}

impl RunningCommand {
    /// Notes that a command runs.
    pub(crate) fn note(system: &impl System, root: &Path, leader: &Process, line: &str) {
        Self::erase(root);
        // Also where there is no /run yet.
        let _ = files::own_directory(root);
        let (Process { pid, started, .. }, era) = (leader, system.era());
        let (path, line) = (root.join(COMMAND), cut(line, MAX_LINE));
        if let Err(cause) = symlink(format!("{pid}\t{started}\t{era}\t{line}"), &path) {
            warning!(Message::Note, "writing {}: {cause}; ignored", path.display());
        }
    }

    /// The command that an action left running when it was killed.
    pub(crate) fn left(system: &impl System, root: &Path) -> Option<Self> {
        let link = root.join(COMMAND);
        let owner = fs::symlink_metadata(&link).ok()?.uid();
        let target = fs::read_link(&link).ok()?;
        let mut words = target.to_str()?.splitn(4, '\t');
        let leader = system.inspect(words.next()?.parse().ok()?)?;
        let is_it = words.next()?.parse() == Ok(leader.started)
            && words.next()? == system.era()
            && owner == geteuid().as_raw()
            && !leader.is_dead();
        is_it.then_some(Self { line: words.next()?.to_owned(), leader })
    }

    /// Forgets it: it has ended.
    pub(crate) fn erase(root: &Path) {
        let _ = fs::remove_file(root.join(COMMAND));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{Machine, child};
    use crate::test_root::TestRoot;

    #[test]
    fn a_command_that_was_left_running_is_found_again_and_one_that_ended_is_not() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        machine.add(child(50, "sh"), 1, 50);
        let leader = machine.inspect(50).expect("the command");
        let left = || RunningCommand::left(&machine, root.path()).map(|command| command.line);
        // Also where the kit's directory cannot be used.
        root.write("run/dovecot-ark", "");
        RunningCommand::note(&machine, root.path(), &leader, "service x start");
        assert_eq!(left().as_deref(), Some("service x start"));
        machine.change(50, |process| process.started += 1);
        assert_eq!(left(), None, "its pid was used again");
        RunningCommand::erase(root.path());
        machine.change(50, |process| process.started -= 1);
        assert_eq!(left(), None, "it has ended");
    }
}
