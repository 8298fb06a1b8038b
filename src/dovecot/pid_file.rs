//! `master.pid`: no evidence of anything, a hint at where to look first, and in the way of a start
//! when it is wrong.
//!
//! Dovecot refuses to start while the file names a living process or a zombie, whoever that is; a
//! pid that nobody has, or something that is no pid, it passes over. So a file that names somebody
//! who is not Dovecot is taken away; the process named there is never touched.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use log::info;
use nix::fcntl::OFlag;

use super::identity;
use super::notes::Notes;
use super::places;
use crate::files::below;
use crate::messages::{Message, warning};
use crate::process::Process;
use crate::system::System;

/// The file's name in Dovecot's base directory.
const NAME: &str = "master.pid";

/// More than the pid's at most ten digits and the end of the line.
const MAX_FILE: u64 = 16;

/// The living master that the file names, if it is where it usually is and names one. What counts
/// is what the process itself shows; that saves the look at all the others.
pub(crate) fn master(system: &impl System, root: &Path, notes: &Notes) -> Option<Process> {
    let usual = places::usual();
    let mut all = named(system, root, &usual).map(|(_, process)| process);
    all.find(|process| identity::is_master(system, notes, process))
}

/// Whether the file is in a usual place: a master that ends in good order removes it.
pub(crate) fn is_there(root: &Path) -> bool {
    places::usual().iter().any(|base| below(root, base).join(NAME).symlink_metadata().is_ok())
}

/// Takes the file away if it names a process that is no master, or one of these, which are other
/// instances: a start would refuse to begin for it, and a stop script may kill it. Dovecot writes
/// its own master's pid, so a file that it has just written stays.
///
/// That it cannot be removed is told, and the start will tell more.
pub(crate) fn clear(
    system: &impl System,
    root: &Path,
    base: &[PathBuf],
    notes: &Notes,
    strangers: &[Process],
) {
    for (path, process) in named(system, root, base) {
        let is_strange = strangers.iter().any(|one| one.is(&process));
        if !is_strange && identity::is_master(system, notes, &process) {
            continue;
        }
        match fs::remove_file(&path) {
            Ok(()) => info!("removed {}: it named {process}, which is not Dovecot", path.display()),
            Err(cause) => warning!(Message::PidFile, "removing {}: {cause}", path.display()),
        }
    }
}

/// The files, and the processes that they name.
fn named(
    system: &impl System,
    root: &Path,
    base: &[PathBuf],
) -> impl Iterator<Item = (PathBuf, Process)> {
    base.iter().map(|base| below(root, base).join(NAME)).filter_map(|path| {
        let process = system.inspect(read(&path)?.trim().parse().ok()?)?;
        Some((path, process))
    })
}

/// Opening a FIFO must not wait for its writer.
fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    file.ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{MASTER, Machine, child, master, words};
    use crate::test_root::TestRoot;

    const FILE: &str = "run/dovecot/master.pid";

    fn is_left(machine: &Machine, pid: &str) -> bool {
        let root = TestRoot::new();
        root.write(FILE, pid);
        clear(machine, root.path(), &["/run/dovecot".into()], &Notes::default(), &[]);
        root.path().join(FILE).exists()
    }

    #[test]
    fn the_master_is_whom_it_names_if_that_is_one() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        machine.add(child(50, "sleep"), 1, 50);
        machine.add(Process { state: 'Z', ..master(60) }, 1, 60);
        let named = || super::master(&machine, root.path(), &Notes::default());
        assert_eq!(named(), None, "there is no file");
        for (text, found) in
            [("100\n", true), ("50\n", false), ("60", false), ("77", false), ("1oo", false)]
        {
            root.write(FILE, text);
            assert_eq!(named().is_some_and(|one| one.pid == MASTER), found, "{text:?}");
        }
        fs::remove_file(root.path().join(FILE)).expect("removing it");
        nix::unistd::mkfifo(&root.path().join(FILE), nix::sys::stat::Mode::S_IRUSR)
            .expect("a FIFO");
        assert_eq!(named(), None, "and nobody waits for a writer");
    }

    #[test]
    fn a_file_that_names_a_stranger_goes_and_the_stranger_stays() {
        let machine = Machine::new();
        machine.add(child(50, "sleep"), 1, 50);
        assert!(!is_left(&machine, "50\n"));
        assert_eq!(machine.deeds(), Vec::<String>::new(), "nobody is signalled");
        let told = "run/dovecot/master.pid: it named pid 50 (sleep, state S), which is not Dovecot";
        assert!(words().concat().ends_with(told), "{:?}", words());
    }

    #[test]
    fn a_file_that_names_a_stranger_goes_while_a_master_lives_too() {
        let machine = Machine::running();
        machine.add(child(50, "sleep"), 1, 50);
        assert!(!is_left(&machine, "50"), "a stop script could kill by it");
    }

    #[test]
    fn a_file_that_names_a_zombie_goes() {
        let machine = Machine::new();
        machine.add(Process { state: 'Z', ..master(50) }, 1, 50);
        assert!(!is_left(&machine, "50"));
    }

    #[test]
    fn a_file_that_is_in_nobodys_way_stays() {
        let machine = Machine::new();
        for text in ["77", "", "garbage", "-1", "99999999999"] {
            assert!(is_left(&machine, text), "{text:?}");
        }
        assert!(is_left(&Machine::running(), &MASTER.to_string()));
    }

    #[test]
    fn a_file_that_names_a_master_of_another_unit_goes() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        root.write(FILE, "100");
        let strangers = [machine.inspect(MASTER).expect("the master")];
        clear(&machine, root.path(), &["/run/dovecot".into()], &Notes::default(), &strangers);
        assert!(!root.path().join(FILE).exists());
    }

    #[test]
    fn the_file_of_another_instance_stays() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        machine.add(child(50, "sleep"), 1, 50);
        root.write("srv/run/master.pid", "50");
        root.write(FILE, "50");
        clear(&machine, root.path(), &["/srv/run".into()], &Notes::default(), &[]);
        assert!(!root.path().join("srv/run/master.pid").exists());
        assert!(root.path().join(FILE).exists());
    }
}
