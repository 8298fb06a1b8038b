//! Replaces a file in one step: whoever reads it, and whenever the machine dies, finds the old one
//! or the new one, whole.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use xattr::FileExt;

use crate::error::Error;
use crate::files::{if_there, require_own_directory, sync_directory};

/// A larger file is refused, in bytes. Real ones have a few kilobytes.
const MAX_FILE: u64 = 8 << 20;

/// A file as it was when it was read.
#[derive(Debug)]
pub(super) struct Original {
    path: PathBuf,
    pub(super) bytes: Vec<u8>,
    /// The inode and the time of its last change, which tell whether it is still the same.
    identity: (u64, u64, i64, i64),
    mode: u32,
    owner: (u32, u32),
    /// ACL and security label among them.
    attributes: Vec<(OsString, Vec<u8>)>,
}

impl Original {
    /// Reads a file with all that must outlive its replacement.
    ///
    /// # Errors
    ///
    /// When it is missing, no regular file, larger than 8 MiB, or cannot be read.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let kind = fs::symlink_metadata(path).map_err(Error::file("reading", path))?.file_type();
        if !kind.is_file() {
            let what = if kind.is_symlink() {
                "it is a symbolic link"
            } else if kind.is_dir() {
                "it is a directory"
            } else {
                "it is no regular file"
            };
            return Err(Error::file("reading", path)(format!("{what}; nothing is changed there")));
        }
        Self::read_regular(path).map_err(Error::file("reading", path))
    }

    fn read_regular(path: &Path) -> io::Result<Self> {
        let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let data = file.metadata()?;
        let mut bytes = Vec::new();
        (&file).take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() > usize::try_from(MAX_FILE).unwrap_or(usize::MAX) {
            return Err(io::Error::other(format!("larger than {} MiB", MAX_FILE >> 20)));
        }
        let mut attributes = Vec::new();
        // A file system without attributes has none to keep.
        for name in file.list_xattr().into_iter().flatten().filter(|name| outlives(name)) {
            if let Some(value) = file.get_xattr(&name)? {
                attributes.push((name, value));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            bytes,
            identity: identity(&data),
            mode: data.mode() & 0o7777,
            owner: (data.uid(), data.gid()),
            attributes,
        })
    }

    /// Puts `bytes` in the file's place, with its mode, owner and attributes.
    ///
    /// # Errors
    ///
    /// When the new file cannot be written, or somebody changed the old one meanwhile. The old one
    /// stands then.
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<(), Error> {
        write(&self.path, bytes, |file| self.dress(file, self.mode), || self.check())
    }

    /// Puts a program in the file's place, with its owner and attributes; everybody may run it.
    ///
    /// # Errors
    ///
    /// As [`Original::replace`].
    pub(super) fn replace_by_program(&self, bytes: &[u8]) -> Result<(), Error> {
        write(&self.path, bytes, |file| self.dress(file, 0o755), || self.check())
    }

    /// Puts another file in the file's place, with the other's mode, owner and attributes.
    ///
    /// # Errors
    ///
    /// As [`Original::replace`].
    pub(super) fn replace_by(&self, other: &Self) -> Result<(), Error> {
        write(&self.path, &other.bytes, |file| other.dress(file, other.mode), || self.check())
    }

    /// Writes the same file at another place, in one step, and its directory if that is missing.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(super) fn copy_to(&self, path: &Path) -> Result<(), Error> {
        make_directory(path)?;
        write(path, &self.bytes, |file| self.dress(file, self.mode), || Ok(()))
    }

    /// Gives a new file what is this file's own beside its content.
    fn dress(&self, file: &File, mode: u32) -> io::Result<()> {
        fchown(file, Some(self.owner.0), Some(self.owner.1))?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        for (name, value) in &self.attributes {
            // The file system may have given the same label to the new file already.
            if file.get_xattr(name)?.as_ref() != Some(value) {
                file.set_xattr(name, value)?;
            }
        }
        Ok(())
    }

    /// Makes sure that the file is still the one that was read.
    fn check(&self) -> io::Result<()> {
        match fs::symlink_metadata(&self.path)? {
            now if identity(&now) == self.identity => Ok(()),
            _ => Err(io::Error::other("another program changed it; try again")),
        }
    }
}

/// Whether an attribute is about the file, and not a checksum of its content.
fn outlives(name: &OsStr) -> bool {
    name != "security.ima" && name != "security.evm"
}

fn identity(data: &fs::Metadata) -> (u64, u64, i64, i64) {
    (data.dev(), data.ino(), data.ctime(), data.ctime_nsec())
}

/// Writes a file that everybody may read, in one step, and its directory if that is missing.
///
/// # Errors
///
/// When it cannot be written; an old one stands then.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    make_directory(path)?;
    let dress = |file: &File| file.set_permissions(fs::Permissions::from_mode(0o644));
    write(path, bytes, dress, || Ok(()))
}

/// Makes the directory of a file if that is missing.
fn make_directory(path: &Path) -> Result<(), Error> {
    let Some(directory) = path.parent() else { return Ok(()) };
    let made = DirBuilder::new().recursive(true).mode(0o755).create(directory);
    made.map_err(Error::file("making", directory))
}

/// What becomes of a file that is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Existing {
    /// It stays, and nothing is written.
    Refuse,
    /// It is replaced.
    Replace,
}

/// Writes a file that root alone may read, in one step, and its directory if that is missing. The
/// directory must be root's own.
///
/// # Errors
///
/// When it cannot be written; an old one stands then.
pub(super) fn create_secret(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), Error> {
    if let Some(directory) = path.parent() {
        match DirBuilder::new().mode(0o755).create(directory) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::file("making", directory)(cause));
            }
            Err(_) | Ok(()) => {
                require_own_directory(directory).map_err(Error::file("using", directory))?;
            }
        }
    }
    // It is made for root alone; the umask can only take from that.
    let dress = |file: &File| file.set_permissions(fs::Permissions::from_mode(0o600));
    let check = || match existing {
        Existing::Refuse if fs::symlink_metadata(path).is_ok() => {
            Err(io::Error::other("another program made it"))
        }
        Existing::Refuse | Existing::Replace => Ok(()),
    };
    write(path, bytes, dress, check)
}

/// Removes what a killed run has left next to a file.
///
/// # Errors
///
/// When it is there and cannot be removed.
pub(super) fn tidy(path: &Path) -> Result<(), Error> {
    let left = temporary(path);
    if_there(fs::remove_file(&left)).map(drop).map_err(Error::file("removing", &left))
}

/// Writes a temporary file beside `path`, lets `dress` see to all but its content, and gives it
/// the name unless `check` fails. That comes last: writing to the disk takes its time, and what
/// others change in that time must not be lost.
fn write(
    path: &Path,
    bytes: &[u8],
    dress: impl FnOnce(&File) -> io::Result<()>,
    check: impl FnOnce() -> io::Result<()>,
) -> Result<(), Error> {
    tidy(path)?;
    let new = temporary(path);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        dress(&file)?;
        file.sync_all()?;
        check()?;
        fs::rename(&new, path)
    })();
    if let Err(cause) = written {
        // Nothing of it may stay where a shell might read it.
        let _ = fs::remove_file(&new);
        return Err(Error::file("writing", path)(cause));
    }
    sync_directory(path)
}

/// The name under which a file is prepared; always the same, so that nothing heaps up.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.dovecot-ark"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_replaced_with_its_mode_owner_and_attributes() {
        let root = TestRoot::new();
        root.write("file", "old");
        let path = root.path().join("file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
        xattr::set(&path, "user.label", b"kept").expect("an attribute");
        let original = Original::read(&path).expect("the file");
        original.replace(b"new").expect("replacing it");
        let data = fs::metadata(&path).expect("the new one");
        assert_eq!(
            (data.mode() & 0o7777, fs::read(&path).expect("reading")),
            (0o640, b"new".into())
        );
        assert_eq!(xattr::get(&path, "user.label").expect("asking"), Some(b"kept".to_vec()));
        let names: Vec<_> = fs::read_dir(root.path()).expect("the directory").collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn what_is_no_regular_file_is_named_and_refused() {
        let root = TestRoot::new();
        root.write("file", "x");
        symlink("file", root.path().join("link")).expect("a link");
        nix::unistd::mkfifo(&root.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).expect("one");
        for (name, reason) in [
            ("link", "it is a symbolic link; nothing is changed there"),
            ("", "it is a directory"),
            ("fifo", "it is no regular file"),
            ("missing", "No such file"),
        ] {
            let error = Original::read(&root.path().join(name)).expect_err(name).to_string();
            assert!(error.starts_with("reading /") && error.contains(reason), "{name}: {error}");
        }
    }

    #[test]
    fn a_change_by_somebody_else_is_not_lost() {
        let root = TestRoot::new();
        root.write("file", "old");
        let path = root.path().join("file");
        let original = Original::read(&path).expect("the file");
        root.write("other", "theirs");
        fs::rename(root.path().join("other"), &path).expect("their change");
        let error = original.replace(b"ours").expect_err("a conflict").to_string();
        assert!(error.ends_with("another program changed it; try again"), "{error}");
        assert_eq!(fs::read(&path).expect("reading"), b"theirs");
        assert!(!temporary(&path).exists());
    }

    #[test]
    fn a_change_by_others_is_looked_for_once_the_new_file_is_complete() {
        let root = TestRoot::new();
        root.write("file", "old");
        let path = root.path().join("file");
        let check = || {
            assert_eq!(fs::read(temporary(&path))?, b"ours");
            fs::write(&path, "theirs")?;
            Err(io::Error::other("changed"))
        };
        write(&path, b"ours", |_| Ok(()), check).expect_err("a conflict");
        assert_eq!(fs::read(&path).expect("reading"), b"theirs");
    }

    #[test]
    fn what_a_killed_run_left_is_taken_away() {
        let root = TestRoot::new();
        root.write("file", "old");
        let path = root.path().join("file");
        root.write(".file.dovecot-ark", "half");
        Original::read(&path).expect("the file").replace(b"new").expect("replacing it");
        assert!(!temporary(&path).exists());
        tidy(&path).expect("nothing to do is no error");
    }
}
