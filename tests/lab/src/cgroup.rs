//! Removes the cgroups of ended nodes, the one thing of a node that the kernel keeps.
//!
//! The cgroup2 tree is mounted for the purpose in a private mount namespace, because a machine may
//! have it anywhere or nowhere. A name holds the owner's pid and start time, so what a killed
//! test left is told from the cgroup of one that still runs.

use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process as table;

/// Begins each name; no other program's cgroup does.
const PREFIX: &str = "dovecot-ark-lab";
/// Mounts the tree, then lists our cgroups or removes those named, deepest directory first.
const SCRIPT: &str = r#"mount -t cgroup2 cgroup2 /sys/fs/cgroup && cd /sys/fs/cgroup || exit 1
if [ $# = 0 ]; then ls; exit; fi
for name; do
    for try in 1 2 3 4 5; do
        find "$name" -depth -type d -exec rmdir {} + 2>/dev/null
        [ -d "$name" ] || break
        sleep 0.1
    done
done"#;

/// Makes a name that no other node of this machine has.
pub(crate) fn new_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let pid = process::id();
    let started = start_of(pid).unwrap_or_default();
    format!("{PREFIX}.{pid}.{started}.{count}")
}

/// Removes the cgroup `name` and those below it; one that is gone or in use stays as it is.
pub(crate) fn remove(name: &str) {
    let _ = script(&[name]);
}

/// Removes what processes that have ended left behind.
pub(crate) fn sweep() {
    let listed = list();
    let stale: Vec<&str> =
        listed.iter().map(String::as_str).filter(|name| is_stale(name, start_of)).collect();
    if !stale.is_empty() {
        let _ = script(&stale);
    }
}

/// Lists the lab's cgroups on this machine.
#[must_use]
pub fn list() -> Vec<String> {
    let names = script(&[]).unwrap_or_default();
    names.lines().filter(|name| name.starts_with(PREFIX)).map(str::to_owned).collect()
}

/// Runs the script in a mount namespace of its own and returns its output.
fn script(names: &[&str]) -> Option<String> {
    let output = Command::new("unshare")
        .args(["--mount", "/bin/sh", "-c", SCRIPT, "cgroup"])
        .args(names)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns when a process of this machine started, in clock ticks after boot.
fn start_of(pid: u32) -> Option<u64> {
    table::read(&Path::new("/proc").join(pid.to_string())).map(|process| process.started)
}

/// Tells whether the cgroup `name` is ours and its owner has ended.
fn is_stale(name: &str, start_of: impl Fn(u32) -> Option<u64>) -> bool {
    let mut parts = name.split('.');
    let (Some(PREFIX), Some(pid), Some(started), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (Ok(pid), Ok(started)) = (pid.parse(), started.parse::<u64>()) else {
        return false;
    };
    start_of(pid) != Some(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cgroup_of_an_ended_owner_is_stale() {
        let start_of = |pid| (pid == 10).then_some(500);
        let cases = [
            ("dovecot-ark-lab.10.500.0", false),
            ("dovecot-ark-lab.10.499.0", true),
            ("dovecot-ark-lab.11.500.3", true),
            ("dovecot-ark-lab.11.500", false),
            ("dovecot-ark-lab.x.500.0", false),
            ("dovecot-ark-lab.11.500.0.1", false),
            ("system.slice", false),
        ];
        for (name, stale) in cases {
            assert_eq!(is_stale(name, start_of), stale, "{name}");
        }
    }

    #[test]
    fn names_are_unique_and_their_owner_lives() {
        let (one, other) = (new_name(), new_name());
        assert_ne!(one, other);
        assert!(!is_stale(&one, start_of), "{one}");
    }
}
