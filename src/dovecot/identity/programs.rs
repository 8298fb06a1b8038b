//! Which programs are Dovecot's own.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::files::below;

/// Where distributions and `make install` put Dovecot's programs, below a prefix.
const LIBEXEC: [&str; 3] = ["libexec/dovecot", "lib/dovecot", "lib64/dovecot"];

/// The usual prefixes.
const PREFIXES: [&str; 2] = ["/usr", "/usr/local"];

/// Programs of that directory that are delivery agents: a mail transfer agent starts them.
const DELIVERY: [&str; 2] = ["dovecot-lda", "deliver"];

/// Whether a program is one of Dovecot's own: in the libexec directory of a usual prefix, or of that
/// of one of these masters, and nobody but root can have put it there. Delivery agents are none.
pub(super) fn is_dovecots<'a>(
    root: &Path,
    program: &Path,
    masters: impl Iterator<Item = &'a Path>,
) -> bool {
    let Some(directory) = program.parent() else { return false };
    let is_agent = DELIVERY.iter().any(|agent| program.ends_with(agent));
    // /opt/dovecot/sbin/dovecot
    let of_masters = masters.filter_map(|master| master.parent()?.parent());
    let mut directories = PREFIXES
        .iter()
        .map(Path::new)
        .chain(of_masters)
        .flat_map(|prefix| LIBEXEC.iter().map(move |name| prefix.join(name)));
    !is_agent
        && directories.any(|libexec| libexec == directory)
        && is_roots_alone(&below(root, directory))
        && is_roots_alone(&below(root, program))
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
        let is = |program: &str| is_dovecots(root.path(), Path::new(program), masters());
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
