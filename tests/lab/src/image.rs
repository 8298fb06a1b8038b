//! The Debians that nodes are overlays of: built once, kept below `target/lab`.
//!
//! An image's name holds a hash of all that goes into it, so a changed recipe makes a new image. It is
//! built under another name and renamed when complete; a file lock lets several test programs
//! ask for it at once.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::cgroup;
use crate::command::quietly;
use crate::error::{Error, Result};
use crate::setup;

/// tini is pid 1 where systemd is not: it reaps.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,dovecot-imapd,dovecot-pop3d,iproute2,procps,\
     psmisc,tini,openssl,iputils-arping,iputils-ping,rpm,strace,acl,attr";
/// What some suites have beside them. What other distributions install packages with, what signs and lists them, and what the kit's
/// package has a file for; on Debian 12 alone.
const MANAGERS: &str = ",dnf,zypper,createrepo-c,gpg,gpg-agent,logrotate";
/// The real engine, its agents and what reads its answers; kmod and rsyslog are what they expect.
const ENGINE: &str =
    ",pacemaker,pacemaker-cli-utils,corosync,resource-agents,kmod,libxml2-utils,python3";
/// Servers that Dovecot asks for accounts, one of LDAP and one of SQL.
const DIRECTORIES: &str = ",dovecot-ldap,dovecot-pgsql,slapd,ldap-utils,postgresql";
const LOCAL_CONF: &str = include_str!("../image/local.conf");
const LOCAL_CONF_2_4: &str = include_str!("../image/local-2.4.conf");
const CUSTOMIZE: &str = include_str!("../image/customize.sh");

/// The accounts on every node: user and plain-text password.
pub const USERS: [(&str, &str); 4] = [
    ("alice@example.com", "alice-secret"),
    ("bob@example.com", "bob-secret"),
    ("carol@example.com", "carol-secret"),
    ("dave@example.com", "dave-secret"),
];

/// Which Debian a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Debian 11: Dovecot 2.3.13, systemd 247.
    Bullseye,
    /// Debian 12: Dovecot 2.3.19, systemd 252. All nodes are this one unless said otherwise.
    Bookworm,
    /// Debian 13: Dovecot 2.4.1, systemd 257.
    Trixie,
    /// Debian 12 with Corosync 3.1 and Pacemaker 2.1.
    Pacemaker,
    /// Debian 12 with a server of LDAP, slapd 2.5, and one of SQL, 15 of Postgres.
    Directories,
}

impl Suite {
    /// Returns its name in Debian's archive, the packages of its image, and the lab's part of Dovecot's
    /// configuration.
    fn recipe(self) -> (&'static str, String, &'static str) {
        let (name, more, local_conf) = match self {
            Self::Bullseye => ("bullseye", "", LOCAL_CONF),
            Self::Bookworm => ("bookworm", MANAGERS, LOCAL_CONF),
            Self::Trixie => ("trixie", "", LOCAL_CONF_2_4),
            Self::Pacemaker => ("bookworm", ENGINE, LOCAL_CONF),
            Self::Directories => ("bookworm", DIRECTORIES, LOCAL_CONF),
        };
        (name, format!("{PACKAGES}{more}"), local_conf)
    }

    /// Returns what is done to the new directory, `$1`, before packages are fetched.
    fn hook(self) -> Option<&'static str> {
        // Its security updates end: the list there names packages that are no longer there.
        (self == Self::Bullseye).then_some("sed -i /security/d \"$1/etc/apt/sources.list\"")
    }
}

/// A complete image.
#[derive(Debug)]
pub(crate) struct Image {
    /// The lab's directory, which also holds the mount point `mnt`.
    pub(crate) directory: PathBuf,
    /// The image's directory in it.
    pub(crate) name: String,
}

/// Builds the image of a suite unless it is there; installs first what that needs.
///
/// # Errors
///
/// When the caller is not root, or the image cannot be built.
pub fn prepare(suite: Suite) -> Result<()> {
    ensure(suite).map(drop)
}

/// Builds all images but that of [`Suite::Directories`], which no part of `cargo xtask test` needs.
///
/// # Errors
///
/// As [`prepare`].
pub fn prepare_for_tests() -> Result<()> {
    let suites = [Suite::Bookworm, Suite::Trixie, Suite::Bullseye, Suite::Pacemaker];
    suites.into_iter().try_for_each(prepare)
}

/// Returns the image of a suite, built if need be.
///
/// Each use of the lab begins here, so what an interrupted one left is removed here.
pub(crate) fn ensure(suite: Suite) -> Result<Image> {
    setup::require_root()?;
    cgroup::sweep();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/lab");
    let image = Image { name: name(suite), directory };
    let root = image.directory.join(&image.name);
    let mount_point = image.directory.join("mnt");
    fs::create_dir_all(&mount_point)
        .map_err(Error::io(format!("making {}", mount_point.display())))?;
    let lock_path = image.directory.join("lock");
    let lock =
        File::create(&lock_path).map_err(Error::io(format!("opening {}", lock_path.display())))?;
    lock.lock().map_err(Error::io(format!("locking {}", lock_path.display())))?;
    setup::ensure()?;
    if !root.is_dir() {
        build(suite, &image, &root)?;
    }
    Ok(image)
}

/// Names the image after its suite and a hash of its recipe.
fn name(suite: Suite) -> String {
    let mut hasher = DefaultHasher::new();
    let (name, packages, local_conf) = suite.recipe();
    (packages, local_conf, CUSTOMIZE, USERS).hash(&mut hasher);
    format!("{name}-{:016x}", hasher.finish())
}

/// Unpacks Debian under a temporary name, configures it, and gives it its name.
fn build(suite: Suite, image: &Image, root: &Path) -> Result<()> {
    let started = Instant::now();
    eprintln!("lab: building the image {} (about half a minute, once)", image.name);
    let new = image.directory.join(format!("{}.new", image.name));
    if new.exists() {
        fs::remove_dir_all(&new).map_err(Error::io(format!("removing {}", new.display())))?;
    }
    let (name, packages, local_conf) = suite.recipe();
    // mmdebstrap mounts and starts things: in namespaces, an interrupted build leaves none of them.
    let mut unpack = isolated();
    unpack
        .args(["mmdebstrap", "--variant=minbase", "--aptopt=APT::Sandbox::User \"root\""])
        .args(["--aptopt=Acquire::Retries \"3\"", &format!("--include={packages}")])
        .args(suite.hook().map(|hook| format!("--setup-hook={hook}")))
        .arg(name)
        .arg(&new);
    quietly(unpack, "building the image with mmdebstrap")?;
    let users = USERS.map(|(user, password)| format!("{user}:{password}\n")).concat();
    for (path, text) in [("etc/dovecot/local.conf", local_conf), ("etc/dovecot/users", &users)] {
        let path = new.join(path);
        fs::write(&path, text).map_err(Error::io(format!("writing {}", path.display())))?;
    }
    let mut customize = isolated();
    customize.arg("chroot").arg(&new).args(["/bin/sh", "-c", CUSTOMIZE]);
    quietly(customize, "configuring the image")?;
    fs::rename(&new, root).map_err(Error::io(format!("naming {}", root.display())))?;
    eprintln!("lab: image ready after {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Begins a command that ends with this process and takes its mounts along.
fn isolated() -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child"])
        .args(["--mount", "--mount-proc"])
        .env("LC_ALL", "C")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_a_directory_and_the_same_each_time() {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        for suite in
            [Suite::Bullseye, Suite::Bookworm, Suite::Trixie, Suite::Pacemaker, Suite::Directories]
        {
            let name = name(suite);
            assert_eq!(name, super::name(suite));
            assert!(name.starts_with(suite.recipe().0) && name.chars().all(plain), "{name}");
        }
    }
}
