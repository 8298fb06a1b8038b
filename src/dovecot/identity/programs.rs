//! Which programs are Dovecot's own.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::files::below;

/// Where distributions and `make install` put Dovecot's programs, below a prefix.
const LIBEXEC: [&str; 3] = ["libexec/dovecot", "lib/dovecot", "lib64/dovecot"];

/// The usual prefixes.
const PREFIXES: [&str; 2] = ["/usr", "/usr/local"];

/// Programs of that directory that are delivery agents: a mail transfer agent starts them.
const DELIVERY: [&str; 2] = ["dovecot-lda", "deliver"];

/// The longest name that the kernel keeps of a process, in bytes (`proc(5)`, `comm`).
const MAX_NAME: usize = 15;

/// Dovecot's own programs.
#[derive(Debug)]
pub(super) struct Programs<'a> {
    root: &'a Path,
    /// Where they lie: the libexec directories of the usual prefixes and of masters.
    directories: Vec<PathBuf>,
    /// What the processes that run them are called, as far as they are there.
    names: BTreeSet<OsString>,
}

impl<'a> Programs<'a> {
    /// Looks which there are; `masters` are the programs of masters.
    pub(super) fn look<'m>(root: &'a Path, masters: impl Iterator<Item = &'m Path>) -> Self {
        // /opt/dovecot/sbin/dovecot
        let of_masters = masters.filter_map(|master| master.parent()?.parent());
        let prefixes: BTreeSet<&Path> = PREFIXES.iter().map(Path::new).chain(of_masters).collect();
        let directories: Vec<PathBuf> = prefixes
            .into_iter()
            .flat_map(|prefix| LIBEXEC.iter().map(move |name| prefix.join(name)))
            .filter(|directory| is_roots_alone(&below(root, directory)))
            .collect();
        let programs =
            directories.iter().flat_map(|directory| fs::read_dir(below(root, directory)));
        let names = programs.flatten().flatten().map(|program| name_of(&program.file_name()));
        Self { root, names: names.collect(), directories }
    }

    /// Whether a process of this name can run one; all can if none is there any more.
    ///
    /// To ask for the program itself can take for ever: before Linux 4.1 it waits for a thread that
    /// changes the memory of a process while another thread of it waits for a file system. A wrong yes
    /// asks all the same; a wrong no leaves an orphan whose program alone was removed while it ran, and
    /// only where nothing was noted of its master.
    pub(super) fn may_run(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.contains(OsStr::new(name))
    }

    /// Whether a program is one of them, and nobody but root can have put it there. Delivery agents are
    /// none.
    pub(super) fn contain(&self, program: &Path) -> bool {
        let is_agent = DELIVERY.iter().any(|agent| program.ends_with(agent));
        !is_agent
            && self.directories.iter().any(|libexec| Some(&**libexec) == program.parent())
            && is_roots_alone(&below(self.root, program))
    }
}

/// What the kernel calls a process that runs a program of this name.
fn name_of(program: &OsStr) -> OsString {
    let bytes = program.as_bytes();
    OsStr::from_bytes(bytes.get(..MAX_NAME).unwrap_or(bytes)).to_owned()
}

/// Whether root owns a file or directory and nobody else may write it. What is not there any more
/// was removed by root: its directory belongs to him.
fn is_roots_alone(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(data) => data.uid() == nix::unistd::geteuid().as_raw() && data.mode() & 0o022 == 0,
        Err(cause) => cause.kind() == std::io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;

    #[test]
    fn the_programs_lie_in_a_libexec_directory_of_dovecots_that_is_roots_alone() {
        use std::os::unix::fs::PermissionsExt;
        let root = TestRoot::new();
        let masters = || [Path::new("/opt/d/sbin/dovecot")].into_iter();
        let look = || Programs::look(root.path(), masters());
        let is = |program: &str| look().contain(Path::new(program));
        for (program, expected) in [
            ("/usr/lib/dovecot/imap", true),
            ("/usr/lib64/dovecot/imap", true),
            ("/usr/libexec/dovecot/imap", true),
            ("/usr/local/libexec/dovecot/imap", true),
            ("/opt/d/libexec/dovecot/imap", true),
            ("/opt/x/lib/dovecot/imap", false),
            ("/home/u/usr/lib/dovecot/imap", false),
            ("/usr/lib/dovecot/dovecot-lda", false),
            ("/usr/lib/dovecot/deliver", false),
            ("/usr/share/dovecot/imap", false),
            ("/usr/lib/postfix/imap", false),
            ("/usr/lib/dovecot/modules/imap", false),
            ("/usr/bin/doveadm", false),
            ("/dovecot/imap", false),
            ("/", false),
        ] {
            assert_eq!(is(program), expected, "{program}");
        }
        assert!(look().may_run("sh"), "none is there, and one that runs can have been removed");
        root.write("usr/lib/dovecot/managesieve-login", "");
        root.write("opt/d/libexec/dovecot/imap", "");
        assert!(look().may_run("managesieve-log") && look().may_run("imap"));
        assert!(!look().may_run("sh") && !look().may_run("managesieve"));
        root.write("usr/lib/dovecot/imap", "");
        assert!(is("/usr/lib/dovecot/imap"));
        let mode = |name: &str, mode| {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(root.path().join(name), mode).expect("a mode");
        };
        mode("usr/lib/dovecot/imap", 0o775);
        assert!(!is("/usr/lib/dovecot/imap"));
        mode("usr/lib/dovecot/imap", 0o755);
        mode("usr/lib/dovecot", 0o777);
        assert!(!is("/usr/lib/dovecot/imap") && !is("/usr/lib/dovecot/pop3"));
    }
}
