//! Reads and changes files of this machine; an error says what was tried, to which file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lab::{Error, Result};

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(Error::io(format!("reading {}", path.display())))
}

pub(crate) fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::io(format!("reading {}", path.display())))
}

/// Writes a file, and makes its directory if need be.
pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    make_directory_of(path)?;
    fs::write(path, bytes).map_err(Error::io(format!("writing {}", path.display())))
}

/// Copies a file, and makes its directory if need be.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    make_directory_of(to)?;
    let doing = format!("copying {} to {}", from.display(), to.display());
    fs::copy(from, to).map(drop).map_err(Error::io(doing))
}

pub(crate) fn make_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::io(format!("making {}", path.display())))
}

fn make_directory_of(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), make_directory)
}

/// Lists what is in a directory, in the order of the names.
pub(crate) fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(directory)
        .and_then(|all| all.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
    let mut listed = listed.map_err(Error::io(format!("reading {}", directory.display())))?;
    listed.sort();
    Ok(listed)
}

/// Removes a file, or a directory with all that is in it; none is well.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format!("removing {}", path.display()))(cause))
        }
        _ => Ok(()),
    }
}
