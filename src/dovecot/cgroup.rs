//! Control groups: which one a service has, who is in it, and how all in it are ended or thawed.
//!
//! systemd gives each service a group of its own, whose path ends with the unit's name, in the
//! unified hierarchy (v2) or in the one named `name=systemd` (v1, hybrid); the other hierarchies of
//! v1 prove nothing. A unit that is stopped prints an empty path: an empty one is no group, or
//! every process of the node would be in it.

use std::fs;
use std::path::{Path, PathBuf};

use log::debug;

use crate::messages::{Message, warning};

/// Where the kernel's hierarchies are mounted (`cgroups(7)`, systemd's
/// `CONTROL_GROUP_INTERFACE`).
const MOUNT: &str = "sys/fs/cgroup";

/// The path of a service's own group in systemd's hierarchy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Group(String);

impl Group {
    /// Takes a path that is said to be the group of a unit: absolute, its last component the
    /// unit's name.
    pub(crate) fn of_unit(path: &str, unit: &str) -> Option<Self> {
        let (above, last) = path.rsplit_once('/')?;
        (path.starts_with('/') && last == unit && !above.contains("..") && !unit.is_empty())
            .then(|| Self(path.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a process with these groups is in it or below it; whole components are compared.
    pub(crate) fn holds(&self, groups: &str) -> bool {
        systemds(groups).any(|path| {
            path.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Its directory, if all of these processes are listed in it. Once the kernel has let systemd
    /// remove that, nobody is in it, and nobody can come into it any more.
    pub(crate) fn directory_of(&self, root: &Path, pids: &[i32]) -> Option<PathBuf> {
        let tops = ["", "unified", "systemd"].map(|top| root.join(MOUNT).join(top));
        let directories = tops.iter().filter_map(|top| below(top, &self.0));
        directories.into_iter().find(|directory| {
            let listed = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            let listed: Vec<i32> = listed.lines().filter_map(|line| line.parse().ok()).collect();
            !pids.is_empty() && pids.iter().all(|pid| listed.contains(pid))
        })
    }

    /// Sends SIGKILL to all in it at once, where the kernel can (v2, Linux 5.14): also to whoever
    /// is just being forked. Returns whether it did.
    pub(crate) fn kill(&self, root: &Path) -> bool {
        let killed = v2_directory(root, &self.0)
            .map(|directory| fs::write(directory.join("cgroup.kill"), "1"))
            .is_some_and(|written| written.is_ok());
        debug!("killing all in control group {}: {killed}", self.0);
        killed
    }
}

/// The unit in whose group a process with these groups is: the last component that names a
/// service.
pub(crate) fn service(groups: &str) -> Option<&str> {
    systemds(groups)
        .find_map(|path| path.rsplit('/').find(|component| component.ends_with(".service")))
}

/// The group of a service in which a process with these groups is.
pub(crate) fn group_of(groups: &str, unit: &str) -> Option<Group> {
    systemds(groups).find_map(|path| {
        let mut end = 0;
        for component in path.split_inclusive('/') {
            end += component.len();
            if component.trim_end_matches('/') == unit {
                return Group::of_unit(path.get(..end)?.trim_end_matches('/'), unit);
            }
        }
        None
    })
}

/// The paths in the hierarchies that are systemd's: `name=systemd`, and the unified one. In a
/// container the first can be the machine's own and say nothing.
fn systemds(groups: &str) -> impl Iterator<Item = &str> {
    let is_systemds = |controllers: &str| matches!(controllers, "name=systemd" | "");
    hierarchies(groups).filter_map(move |(known, path)| is_systemds(known).then_some(path))
}

/// The controllers and the path of each hierarchy. Lines are `number:controllers:path`.
fn hierarchies(groups: &str) -> impl Iterator<Item = (&str, &str)> {
    groups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'))
}

/// Lets the group go on in which a process is frozen: a frozen process hears no signal, SIGKILL
/// included (v1 shows it in state D). Only its own group, and never the root's.
pub(crate) fn thaw(root: &Path, groups: &str) {
    for (file, frozen, thawed) in hierarchies(groups).filter_map(|one| freezer(root, one)) {
        // A FIFO is nothing that the kernel shows there.
        let state = fs::read_to_string(&file).unwrap_or_default();
        if frozen.contains(&state.trim()) {
            match fs::write(&file, thawed) {
                Ok(()) => {
                    warning!(Message::Thawed, "unfroze the control group: {}", file.display());
                }
                Err(cause) => warning!(Message::NotThawed, "writing {}: {cause}", file.display()),
            }
        }
    }
}

/// The file of a group's freezer, what it says while it freezes, and what ends that.
fn freezer(
    root: &Path,
    (controllers, path): (&str, &str),
) -> Option<(PathBuf, &'static [&'static str], &'static str)> {
    if controllers.is_empty() {
        Some((v2_directory(root, path)?.join("cgroup.freeze"), &["1"], "0"))
    } else if controllers.split(',').any(|controller| controller == "freezer") {
        let directory = below(&root.join(MOUNT).join("freezer"), path)?;
        Some((directory.join("freezer.state"), &["FROZEN", "FREEZING"], "THAWED"))
    } else {
        None
    }
}

/// The directory of a group in the unified hierarchy, which a hybrid machine has one level deeper.
fn v2_directory(root: &Path, path: &str) -> Option<PathBuf> {
    let mount = root.join(MOUNT);
    let directories = [mount.clone(), mount.join("unified")].map(|top| below(&top, path));
    directories.into_iter().flatten().find(|directory| directory.join("cgroup.procs").exists())
}

/// The directory of a group that is not the root's, and does not lead out of the hierarchy.
fn below(top: &Path, path: &str) -> Option<PathBuf> {
    let path = path.strip_prefix('/')?;
    let leads_out = path.split('/').any(|component| component == "..");
    (!path.is_empty() && !leads_out).then(|| top.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;

    /// `/proc/PID/cgroup` of Dovecot's master, recorded under systemd 252 with the hierarchies of v1
    /// (`SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=0`).
    const V1: &str = "\
9:name=systemd:/system.slice/dovecot.service
8:pids:/
7:blkio:/
6:freezer:/
5:devices:/
4:memory:/
3:cpuset:/
2:cpuacct:/
1:cpu:/
0::/
";

    /// A hybrid machine with controllers of v1, not recorded: made after systemd's
    /// `CGROUP_DELEGATION`.
    const HYBRID: &str = "\
12:devices:/system.slice/dovecot.service
11:net_cls,net_prio:/
3:freezer:/
1:name=systemd:/system.slice/dovecot.service
0::/system.slice/dovecot.service
";

    const V2: &str = "0::/system.slice/dovecot.service\n";

    /// Recorded in a container with the unified hierarchy on a machine that has v1's too.
    const CONTAINER: &str = "9:name=systemd:/\n0::/system.slice/dovecot.service\n";

    const UNIT: &str = "dovecot.service";

    #[test]
    fn the_group_is_that_of_systemds_hierarchy_and_of_no_other() {
        for groups in [V1, HYBRID, V2, CONTAINER] {
            let group = group_of(groups, UNIT).expect(groups);
            assert_eq!(group.as_str(), "/system.slice/dovecot.service");
            assert!(group.holds(groups));
            assert_eq!(service(groups), Some(UNIT));
        }
        // A user's session on such a machine: a controller's group proves nothing.
        let other = HYBRID
            .replace(":name=systemd:/system.slice/dovecot.service", ":name=systemd:/")
            .replace("0::/system.slice/dovecot.service", "0::/user.slice/session-1.scope");
        assert_eq!(group_of(&other, UNIT), None);
        assert!(!Group("/system.slice/dovecot.service".into()).holds(&other));
        assert_eq!(service(&other), None);
    }

    #[test]
    fn whole_components_are_compared() {
        let group = Group::of_unit("/system.slice/dovecot.service", UNIT).expect("a group");
        for (path, inside) in [
            ("/system.slice/dovecot.service", true),
            ("/system.slice/dovecot.service/below", true),
            ("/system.slice/dovecot.service2", false),
            ("/system.slice", false),
            ("/", false),
            ("/user.slice/system.slice/dovecot.service", false),
        ] {
            assert_eq!(group.holds(&format!("0::{path}\n")), inside, "{path}");
        }
        let below = "0::/machine.slice/x.service/dovecot.service/sub\n";
        let found = group_of(below, UNIT).expect("a group");
        assert_eq!(found.as_str(), "/machine.slice/x.service/dovecot.service");
    }

    #[test]
    fn what_a_stopped_unit_prints_is_no_group() {
        for path in ["", "/", "dovecot.service", "/system.slice/", "/a/../dovecot.service"] {
            assert_eq!(Group::of_unit(path, UNIT), None, "{path:?}");
        }
        assert_eq!(Group::of_unit("/", ""), None);
        for groups in ["", "garbage", "0::", "0::/\n", ":::", "1:name=systemd\n"] {
            assert_eq!((group_of(groups, UNIT), service(groups)), (None, None), "{groups:?}");
        }
    }

    #[test]
    fn a_frozen_group_is_thawed_by_the_file_of_its_version_and_no_other_is_touched() {
        let root = TestRoot::new();
        let read = |name: &str| fs::read_to_string(root.path().join(name)).expect(name);
        let v2 = "sys/fs/cgroup/system.slice/dovecot.service/cgroup.freeze";
        root.write(v2, "1\n");
        root.write("sys/fs/cgroup/system.slice/dovecot.service/cgroup.procs", "");
        root.write("sys/fs/cgroup/cgroup.freeze", "1\n");
        root.write("sys/fs/cgroup/cgroup.procs", "");
        let v1 = "sys/fs/cgroup/freezer/sles/freezer.state";
        root.write(v1, "FROZEN\n");
        root.write("sys/fs/cgroup/freezer/freezer.state", "FROZEN\n");
        thaw(root.path(), V2);
        assert_eq!((read(v2), read(v1)), ("0".into(), "FROZEN\n".into()));
        thaw(root.path(), &V1.replace("freezer:/", "freezer:/sles"));
        assert_eq!(read(v1), "THAWED");
        thaw(root.path(), "0::/\n11:freezer:/\n");
        thaw(root.path(), "0::/../cgroup\n11:freezer:/sles/..\n");
        assert_eq!(read("sys/fs/cgroup/cgroup.freeze"), "1\n", "the root is nobody's own");
        assert_eq!(read("sys/fs/cgroup/freezer/freezer.state"), "FROZEN\n");
        root.write(v1, "THAWED\n");
        thaw(root.path(), "11:freezer:/sles\n");
        assert_eq!(read(v1), "THAWED\n", "what is not frozen is not written");
    }

    #[test]
    fn all_in_a_group_are_killed_at_once_where_the_kernel_can() {
        let root = TestRoot::new();
        let group = Group::of_unit("/system.slice/dovecot.service", UNIT).expect("a group");
        assert!(!group.kill(root.path()), "there is no such hierarchy");
        let directory = "sys/fs/cgroup/unified/system.slice/dovecot.service";
        root.write(&format!("{directory}/cgroup.procs"), "");
        assert!(group.kill(root.path()));
        let written = fs::read_to_string(root.path().join(directory).join("cgroup.kill"));
        assert_eq!(written.expect("the file"), "1");
    }
}
