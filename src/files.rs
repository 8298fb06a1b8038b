//! Directories and files that are believed only when they are root's own.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::system::RUN_FOLDER;

/// Makes the kit's run directory where it is missing.
///
/// # Errors
///
/// A sentence when it cannot be made or is not root's own.
pub(crate) fn own_folder(root: &Path) -> Result<PathBuf, String> {
    let folder = root.join(RUN_FOLDER);
    let failed = |cause: String| format!("using {}: {cause}", folder.display());
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&folder)
        .map_err(|cause| failed(cause.to_string()))?;
    let data = fs::symlink_metadata(&folder).map_err(|cause| failed(cause.to_string()))?;
    if !data.is_dir() || data.uid() != nix::unistd::geteuid().as_raw() || data.mode() & 0o022 != 0 {
        return Err(failed("it is not root's own".into()));
    }
    Ok(folder)
}

/// Whether a file is root's own.
///
/// # Errors
///
/// A sentence that says what it is instead.
pub(crate) fn is_own(data: &Metadata) -> Result<(), String> {
    if data.is_file()
        && data.uid() == nix::unistd::geteuid().as_raw()
        && data.nlink() == 1
        && data.mode() & 0o022 == 0
    {
        Ok(())
    } else {
        Err("it is not root's own".into())
    }
}

/// Opens a file that is root's own.
///
/// # Errors
///
/// As opening, and when it is not root's own.
pub(crate) fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = options.custom_flags(flags.bits()).mode(0o600).open(path)?;
    is_own(&file.metadata()?).map_err(io::Error::other)?;
    Ok(file)
}
