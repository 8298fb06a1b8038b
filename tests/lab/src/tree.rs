//! What lies below some directories of a node, to be compared with what lies there later.
//!
//! Names, kinds, modes, owners, links, contents, access lists and other attributes are facts; when a
//! file was last written is kept apart, because giving a file back writes it.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::node::Node;

/// What the system writes of itself: rpm's database, into which even a query writes, and the state of
/// systemd and of a running Dovecot.
const LEFT_OUT: [&str; 3] = ["var/lib/rpm", "var/lib/systemd", "var/lib/dovecot"];

/// The facts about some directories of a node, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    facts: BTreeSet<String>,
    times: BTreeSet<String>,
}

impl Tree {
    /// Lists the facts that are in one of the trees only: `-` for this one, `+` for the later.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<String> {
        compare(&self.facts, &later.facts)
    }

    /// Lists what was changed or only written anew, as [`Tree::changes`].
    #[must_use]
    pub fn writes(&self, later: &Self) -> Vec<String> {
        [self.changes(later), compare(&self.times, &later.times)].concat()
    }

    /// Looks at all that lies below `directories` of `root`. What vanishes meanwhile is not there.
    fn look(root: &Path, directories: &[&str]) -> io::Result<Self> {
        let mut tree = Self::default();
        for directory in directories {
            let below = directory.trim_start_matches('/');
            there(tree.add(root, &root.join(below)))?;
        }
        Ok(tree)
    }

    /// Adds what lies at a path, and below it.
    fn add(&mut self, root: &Path, path: &Path) -> io::Result<()> {
        if path.strip_prefix(root).is_ok_and(|path| LEFT_OUT.iter().any(|one| path == *one)) {
            return Ok(());
        }
        let (data, name) = (path.symlink_metadata()?, path.display());
        let content = content(path, &data)?;
        let (mode, uid, gid) = (data.mode(), data.uid(), data.gid());
        self.facts.insert(format!("{name}: {mode:o} {uid}:{gid} {content}"));
        // None follows a link.
        for attribute in xattr::list(path)? {
            let value = xattr::get(path, &attribute)?.unwrap_or_default();
            let value = String::from_utf8_lossy(&value);
            self.facts.insert(format!("{name}: {}={value:?}", attribute.display()));
        }
        if data.is_dir() {
            for entry in fs::read_dir(path)? {
                there(self.add(root, &entry?.path()))?;
            }
        } else {
            let (written, changed) =
                ((data.mtime(), data.mtime_nsec()), (data.ctime(), data.ctime_nsec()));
            self.times.insert(format!("{name}: written {written:?}, changed {changed:?}"));
        }
        Ok(())
    }
}

/// What a file contains, in a word, or where a link leads.
fn content(path: &Path, data: &Metadata) -> io::Result<String> {
    let kind = data.file_type();
    Ok(if kind.is_symlink() {
        format!("to {}", fs::read_link(path)?.display())
    } else if kind.is_file() {
        let mut hasher = DefaultHasher::new();
        fs::read(path)?.hash(&mut hasher);
        format!("{} bytes, {:x}", data.len(), hasher.finish())
    } else {
        String::new()
    })
}

/// Takes what is not there for nothing.
fn there(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|cause| if cause.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(cause) })
}

fn compare(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Vec<String> {
    let gone = before.difference(after).map(|line| format!("- {line}"));
    gone.chain(after.difference(before).map(|line| format!("+ {line}"))).collect()
}

impl Node {
    /// Looks at all that lies below these directories, but for what the system writes of itself; one that
    /// is not there has nothing.
    ///
    /// # Errors
    ///
    /// When the node cannot be looked at.
    pub fn tree(&self, directories: &[&str]) -> Result<Tree> {
        let look = || Tree::look(Path::new("/"), directories);
        self.namespaces.inside(look).map_err(Error::io("looking at the files of a node"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::{env, process};

    use super::*;

    #[test]
    fn each_kind_of_change_is_told_by_both_sides_and_a_mere_write_only_when_asked_for() {
        type Change = fn(&Path) -> io::Result<()>;
        let changes: [(&str, usize, Change); 9] = [
            ("a content", 2, |root| fs::write(root.join("etc/a"), "def")),
            ("a mode", 2, |root| {
                fs::set_permissions(root.join("etc/a"), Permissions::from_mode(0o600))
            }),
            ("an owner", 2, |root| chown(root.join("etc/a"), Some(7), None)),
            ("an attribute", 1, |root| xattr::set(root.join("etc/a"), "trusted.x", b"y")),
            ("a link", 2, |root| {
                fs::remove_file(root.join("etc/link"))?;
                symlink("b", root.join("etc/link"))
            }),
            ("a new directory", 1, |root| fs::create_dir(root.join("etc/new"))),
            ("what is gone", 1, |root| fs::remove_file(root.join("etc/a"))),
            ("a mere write", 0, |root| fs::write(root.join("etc/a"), "abc")),
            ("what the system writes", 0, |root| fs::write(root.join("var/lib/rpm/x"), "")),
        ];
        for (what, expected, change) in changes {
            let root = &env::temp_dir().join(format!("lab-tree-{}", process::id()));
            for directory in ["etc", "var/lib/rpm"] {
                fs::create_dir_all(root.join(directory)).expect("a directory");
            }
            fs::write(root.join("etc/a"), "abc").expect("a file");
            symlink("a", root.join("etc/link")).expect("a link");
            let look = || Tree::look(root, &["/etc", "/var", "/none"]).expect("a look");
            let before = look();
            assert_eq!(before.writes(&look()), [""; 0], "{what}");
            change(root).expect(what);
            let after = look();
            assert_eq!(before.changes(&after).len(), expected, "{what}");
            let is_write = !["a new directory", "what the system writes"].contains(&what);
            assert_eq!(before.times != after.times, is_write, "{what}");
            fs::remove_dir_all(root).expect("removing it");
        }
    }
}
