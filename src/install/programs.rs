//! LifeKeeper's copies of a resource's four programs, replaced by the kit's, and given back.
//!
//! Each is replaced in one step, so that whoever runs it runs the old one or the new one, whole; one
//! that runs goes on as it began. The old one is kept before, with all that belongs to it.

use std::fs;
use std::path::{Path, PathBuf};

use super::replace::{self, Original};
use super::resource::{Resource, is_of_kit};
use crate::error::Error;
use crate::files::{PROGRAMS, below, if_there, sync_directory};
use crate::lifekeeper::copies::{Copy, cure};
use crate::lifekeeper::tag::Tag;

/// Below it the old programs are kept, in a directory for each tag.
const KEPT: &str = "var/lib/dovecot-ark/taken-over";

/// One of the four.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) action: &'static str,
    /// LifeKeeper's copy.
    copy: PathBuf,
    /// Where the old one is kept.
    kept: PathBuf,
    /// What takes its place.
    new: PathBuf,
}

/// The programs of a resource on this node. One that LifeKeeper does not have is left out.
pub(super) fn of<S>(resource: &Resource<'_, S>) -> Vec<Program> {
    let Resource { root, lifekeeper, tag, .. } = *resource;
    let program = |copy: Copy| {
        Some(Program {
            action: copy.action,
            copy: copy.path?,
            kept: directory(root, tag).join(copy.action),
            new: below(root, Path::new(PROGRAMS)).join(copy.action),
        })
    };
    lifekeeper.copies(tag).into_iter().filter_map(program).collect()
}

/// Parts programs into those that call this kit, and the others.
///
/// # Errors
///
/// As [`Program::is_ours`].
pub(super) fn parted(programs: &[Program]) -> Result<(Vec<Program>, Vec<Program>), Error> {
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for program in programs {
        let part = if program.is_ours()? { &mut ours } else { &mut others };
        part.push(program.clone());
    }
    Ok((ours, others))
}

impl Program {
    /// Whether it does nothing but call this kit.
    ///
    /// # Errors
    ///
    /// When it is no regular file, or cannot be read.
    pub(super) fn is_ours(&self) -> Result<bool, Error> {
        Ok(is_of_kit(&Original::read(&self.copy)?.bytes, self.action))
    }

    /// The command that puts the kit's there and keeps nothing.
    pub(super) fn cure(&self) -> String {
        cure(self.action, self.copy.display())
    }

    /// Keeps the old one and puts the kit's in its place; nothing if it is there already.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written, or the kit's is not there afterwards.
    pub(super) fn replace(&self) -> Result<(), Error> {
        let old = Original::read(&self.copy)?;
        if is_of_kit(&old.bytes, self.action) {
            return Ok(());
        }
        let new = fs::read(&self.new).map_err(Error::file("reading", &self.new))?;
        old.copy_to(&self.kept)?;
        old.replace_by_program(&new)?;
        if self.is_ours()? {
            return Ok(());
        }
        let cause = "it does not call this kit after it was replaced";
        Err(Error::file("looking at", &self.copy)(cause))
    }

    /// Gives the old one back; nothing if the kit's is not there.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written, or the old one is not there afterwards.
    pub(super) fn give_back(&self) -> Result<(), Error> {
        let now = Original::read(&self.copy)?;
        if !is_of_kit(&now.bytes, self.action) {
            return Ok(());
        }
        let old = self.kept()?;
        now.replace_by(&old)?;
        if Original::read(&self.copy)?.bytes == old.bytes {
            return Ok(());
        }
        let cause = "it is not the old one after that was given back";
        Err(Error::file("looking at", &self.copy)(cause))
    }

    /// The old one.
    ///
    /// # Errors
    ///
    /// When it is not there, or cannot be read.
    pub(super) fn kept(&self) -> Result<Original, Error> {
        Original::read(&self.kept)
    }

    /// Removes what a killed run has left next to the two.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be removed.
    pub(super) fn tidy(&self) -> Result<(), Error> {
        replace::tidy(&self.copy)?;
        replace::tidy(&self.kept)
    }
}

/// Whether old programs are kept for a tag, or a run that took it over was killed before it kept the
/// first.
pub(super) fn are_kept(root: &Path, tag: &Tag, is_taken: bool) -> bool {
    directory(root, tag).exists() || (is_taken && root.join(KEPT).exists())
}

/// Removes the old programs that are kept for a tag, and the directory above them when nobody else has
/// put something there.
///
/// # Errors
///
/// When they are there and cannot be removed.
pub(super) fn forget(root: &Path, tag: &Tag) -> Result<(), Error> {
    let directory = directory(root, tag);
    if_there(fs::remove_dir_all(&directory)).map_err(Error::file("removing", &directory))?;
    let above = root.join(KEPT);
    // Where those of another tag are kept, it stays.
    let _ = fs::remove_dir(&above);
    if above.parent().is_some_and(Path::is_dir) { sync_directory(&above) } else { Ok(()) }
}

fn directory(root: &Path, tag: &Tag) -> PathBuf {
    root.join(KEPT).join(tag.file_name())
}
