//! Directories and files that are believed only when they are root's own.
//!
//! `/run` and `/var/log` belong to root, and what lies below them may have been made beforehand by
//! a user where a package or an administrator has opened them. Whoever owns the kit's lock decides
//! when an action runs, and whoever owns its notes decides who is killed.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::error::Error;

/// Where the kit keeps its locks and the output of running commands.
pub(crate) const RUN_DIRECTORY: &str = "run/dovecot-ark";

/// The lock of an install or uninstall. No tag becomes a file name that begins with a dot.
pub(crate) const INSTALL_LOCK: &str = "run/dovecot-ark/.install";

/// The directory with the four programs that LifeKeeper copies.
pub(crate) const PROGRAMS: &str = "/usr/lib/dovecot-ark";

/// The kit's program, on each node.
pub(crate) const PROGRAM: &str = "/usr/sbin/dovecot-ark";

/// The bits of a mode that let others than the owner write.
const OTHERS_WRITE: u32 = 0o022;

/// A path of the machine, below the root directory.
pub(crate) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The kit's run directory, made where it is missing, if it is root's own: a real directory that
/// nobody else may write.
///
/// # Errors
///
/// A sentence that names the directory and what is wrong with it.
pub(crate) fn own_directory(root: &Path) -> Result<PathBuf, String> {
    let directory = root.join(RUN_DIRECTORY);
    let make = || fs::DirBuilder::new().recursive(true).mode(0o755).create(&directory);
    if fs::symlink_metadata(&directory).is_err()
        && let Err(cause) = make()
    {
        return Err(format!("making {}: {cause}", directory.display()));
    }
    existing_directory(root)
}

/// The same for reading only: nothing is made.
///
/// # Errors
///
/// As [`own_directory`].
pub(crate) fn existing_directory(root: &Path) -> Result<PathBuf, String> {
    let directory = root.join(RUN_DIRECTORY);
    require_own_directory(&directory)
        .map_err(|cause| format!("using {}: {cause}", directory.display()))?;
    Ok(directory)
}

/// Whether a directory is root's own: a real one that only root may write.
///
/// # Errors
///
/// What it is instead, in words.
pub(crate) fn require_own_directory(directory: &Path) -> Result<(), String> {
    // A link is not followed: what it leads to is somebody else's choice.
    match fs::symlink_metadata(directory) {
        Ok(data) if data.is_dir() => is_roots(&data),
        Ok(_) => Err("it is no directory".into()),
        Err(cause) => Err(cause.to_string()),
    }
}

/// Opens a file if it is root's own: a regular file with one name that nobody else may write. Links
/// are not followed, a FIFO does not wait for its other end, and a new file is for root alone.
///
/// # Errors
///
/// As opening; and what the file is instead.
pub(crate) fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = options.custom_flags(flags.bits()).mode(0o600).open(path)?;
    is_own(&file.metadata()?).map_err(io::Error::other)?;
    Ok(file)
}

/// Reads at most so many bytes of a regular file, whoever owns it. What is something else is not opened:
/// that would wait for the writer of a FIFO, and can set a device in motion; nor does one wait that has
/// taken the file's place since.
///
/// # Errors
///
/// As reading; and that it is none.
pub(crate) fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let require_regular = |data: &Metadata| {
        if data.is_file() { Ok(()) } else { Err(io::Error::other("no regular file")) }
    };
    require_regular(&fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    require_regular(&file.metadata()?)?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether an open file is still the one that is found at a path.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Whether a path leads to a program that root owns and only root may write.
pub(crate) fn is_program_of_root(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| is_program(&data) && is_roots(&data).is_ok())
}

/// Whether a file can be run.
pub(crate) fn is_program(data: &Metadata) -> bool {
    data.is_file() && data.mode() & 0o111 != 0
}

/// Whether an open file is root's own.
///
/// # Errors
///
/// What it is instead, in words.
fn is_own(data: &Metadata) -> Result<(), String> {
    if !data.is_file() {
        Err("no regular file".into())
    } else if data.nlink() != 1 {
        Err(format!("it has {} names", data.nlink()))
    } else {
        is_roots(data)
    }
}

/// Whether root owns it and nobody else may write it. The tests own theirs.
fn is_roots(data: &Metadata) -> Result<(), String> {
    let owner = nix::unistd::geteuid().as_raw();
    if data.uid() != owner {
        Err(format!("it belongs to user {}", data.uid()))
    } else if data.mode() & OTHERS_WRITE != 0 {
        Err(format!("others may write it, its mode is {:o}", data.mode() & 0o7777))
    } else {
        Ok(())
    }
}

/// What was done to a file; `None` where it is not there.
pub(crate) fn if_there<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}

/// Makes a change in the directory of `path` outlive a power cut.
pub(crate) fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(Error::file("writing", directory))
}

/// The name that this host gives itself; empty if it has none.
pub(crate) fn host(root: &Path) -> String {
    let name = fs::read_to_string(root.join("proc/sys/kernel/hostname")).unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;
    use rustix::fs::CWD;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    fn open(path: &Path) -> Result<File, String> {
        open_own(path, OpenOptions::new().append(true).create(true))
            .map_err(|cause| cause.to_string())
    }

    #[test]
    fn the_run_directory_is_made_and_believed_while_it_is_roots_own() {
        let root = TestRoot::new();
        let directory = own_directory(root.path()).expect("a new one");
        assert_eq!(own_directory(root.path()).as_ref(), Ok(&directory));
        assert_eq!(
            fs::metadata(&directory).expect("its mode").permissions().mode() & 0o7777,
            0o755
        );
        set_mode(&directory, 0o775);
        let error = own_directory(root.path()).expect_err("its group may write it");
        assert!(
            error.ends_with("run/dovecot-ark: others may write it, its mode is 775"),
            "{error}"
        );
        set_mode(&directory, 0o755);
        if nix::unistd::geteuid().is_root() {
            chown(&directory, Some(1000), None).expect("an owner");
            let error = own_directory(root.path()).expect_err("another user made it");
            assert!(error.ends_with("it belongs to user 1000"), "{error}");
        }
        fs::remove_dir(&directory).expect("removing it");
        symlink(root.path(), &directory).expect("a link");
        let error = own_directory(root.path()).expect_err("a link leads anywhere");
        assert!(error.ends_with("it is no directory"), "{error}");
    }

    #[test]
    fn a_file_is_believed_if_it_is_regular_roots_alone_and_has_one_name() {
        let root = TestRoot::new();
        let path = root.path().join("file");
        let mode = open(&path).expect("a new file").metadata().expect("its mode").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let link = root.path().join("link");
        symlink(&path, &link).expect("a link");
        assert!(open(&link).is_err());
        assert!(open(root.path()).is_err());
        let fifo = root.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        assert!(open(&fifo).is_err());
        let read = open_own(&fifo, OpenOptions::new().read(true)).expect_err("no file");
        assert_eq!(read.to_string(), "no regular file");

        set_mode(&path, 0o602);
        assert_eq!(open(&path).expect_err("others"), "others may write it, its mode is 602");
        set_mode(&path, 0o600);
        let second = root.path().join("second");
        fs::hard_link(&path, second).expect("another name");
        assert_eq!(open(&path).expect_err("a user's link"), "it has 2 names");
    }

    #[test]
    fn a_fifo_that_takes_a_files_place_between_the_look_and_the_opening_is_not_waited_for() {
        let root = TestRoot::new();
        let [path, other] = ["file", "other"].map(|name| root.path().join(name));
        fs::write(&path, "text").expect("a file");
        nix::unistd::mkfifo(&other, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        let (done, end) = std::sync::mpsc::channel();
        let begun = std::time::Instant::now();
        std::thread::spawn({
            let path = path.clone();
            move || {
                let read = (0..20_000).filter_map(|_| read_regular(&path, 10).ok());
                done.send(read.filter(|text| text == b"text").count())
            }
        });
        let read = loop {
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            rustix::fs::renameat_with(CWD, &path, CWD, &other, flags).expect("a swap");
            match end.recv_timeout(std::time::Duration::from_micros(1)) {
                Ok(read) => break read,
                Err(_) => assert!(begun.elapsed().as_secs() < 20, "the reader hangs"),
            }
        };
        assert!((1..20_000).contains(&read), "{read}: the swaps and the reads did not meet");
    }
}
