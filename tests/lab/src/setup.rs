//! Gives this machine what making nodes needs, and says so.
//!
//! Only what is missing is installed, by the machine's own package manager, and every package is
//! named before. A machine that has all of it is not touched.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::command::quietly;
use crate::error::{Error, Result};

/// Where programs are looked for.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A program of this machine, or a file by its absolute path, and the packages that bring it.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// The program.
    pub program: &'static str,
    /// What brings it where there is apt; empty where nothing does, or nothing has to.
    pub apt: &'static str,
    /// What brings it where there is dnf or zypper.
    pub rpm: &'static str,
}

const TOOLS: [Tool; 7] = [
    Tool { program: "mmdebstrap", apt: "mmdebstrap", rpm: "mmdebstrap" },
    Tool { program: "systemd-nspawn", apt: "systemd-container", rpm: "systemd-container" },
    Tool { program: "ip", apt: "iproute2", rpm: "iproute" },
    Tool { program: "unshare", apt: "util-linux", rpm: "util-linux" },
    Tool { program: "setpriv", apt: "util-linux", rpm: "util-linux" },
    Tool { program: "find", apt: "findutils", rpm: "findutils" },
    // The keys of Debian's archive, which other distributions ship apart.
    Tool {
        program: "/usr/share/keyrings/debian-archive-keyring.gpg",
        apt: "debian-archive-keyring",
        rpm: "",
    },
];

/// A package manager.
#[derive(Debug, PartialEq, Eq)]
struct Manager {
    program: &'static str,
    /// The arguments that install without a question.
    install: &'static [&'static str],
    /// The arguments that fetch the lists of packages anew.
    refresh: &'static [&'static str],
}

const APT: Manager = Manager {
    program: "apt-get",
    install: &["-o", "DPkg::Lock::Timeout=540", "-qq", "-y", "--no-install-recommends", "install"],
    refresh: &["-o", "DPkg::Lock::Timeout=540", "-qq", "update"],
};
const DNF: Manager =
    Manager { program: "dnf", install: &["-q", "-y", "install"], refresh: &["-q", "makecache"] };
const ZYPPER: Manager = Manager {
    program: "zypper",
    install: &["--quiet", "--non-interactive", "install"],
    refresh: &["--quiet", "--non-interactive", "refresh"],
};

impl Manager {
    /// Returns the package of this manager that brings `tool`.
    fn package(&self, tool: &Tool) -> &'static str {
        match (self.program, tool.program) {
            ("apt-get", _) => tool.apt,
            ("zypper", "ip") => "iproute2",
            _ => tool.rpm,
        }
    }
}

/// Refuses unless the caller is root.
///
/// # Errors
///
/// [`Error::NotRoot`].
pub fn require_root() -> Result<()> {
    let myself = fs::metadata("/proc/self").map_err(Error::io("reading /proc/self"))?;
    if myself.uid() == 0 { Ok(()) } else { Err(Error::NotRoot) }
}

/// Installs what making nodes needs and is missing, with the machine's package manager.
///
/// # Errors
///
/// When the caller is not root, no package manager is known, or one of its packages is refused.
pub fn ensure() -> Result<()> {
    require_root()?;
    ensure_tools(&TOOLS, &has)
}

/// Installs what is missing of `tools`, as `has` tells, with the machine's package manager.
///
/// # Errors
///
/// When no package manager is known, or one of its packages is refused.
pub fn ensure_tools(tools: &[Tool], has: &impl Fn(&str) -> bool) -> Result<()> {
    let manager = [&APT, &DNF, &ZYPPER].into_iter().find(|manager| self::has(manager.program));
    let packages = missing(tools, manager.unwrap_or(&APT), has);
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    let doing = format!("installing {names}");
    let Some(manager) = manager else {
        return Err(Error::failed(doing, "none of apt-get, dnf, zypper is here; install by hand"));
    };
    eprintln!("lab: installing with {}: {names}", manager.program);
    let started = Instant::now();
    install(manager, &packages, |words, packages| call(manager, words, packages))?;
    eprintln!("lab: installed after {:.0} s", started.elapsed().as_secs_f64());
    let left = missing(tools, manager, has);
    if left.is_empty() {
        return Ok(());
    }
    Err(Error::failed(doing, format!("still missing after it: {}", left.join(" "))))
}

/// Lists the packages that bring what is not there.
fn missing(tools: &[Tool], manager: &Manager, has: &impl Fn(&str) -> bool) -> Vec<&'static str> {
    let absent = tools.iter().filter(|tool| !has(tool.program));
    let mut packages: Vec<&str> = absent.map(|tool| manager.package(tool)).collect();
    packages.retain(|package| !package.is_empty());
    packages.dedup();
    packages
}

/// Tells whether this machine has a program, or a file when an absolute path is given.
#[must_use]
pub fn has(program: &str) -> bool {
    DIRECTORIES.iter().any(|directory| Path::new(directory).join(program).exists())
}

/// Refreshes the lists of packages, then installs with `run`.
///
/// A fresh machine has no lists, and stale ones name packages that have moved on. A machine
/// without a network may still have all it takes.
fn install(
    manager: &Manager,
    packages: &[&str],
    run: impl Fn(&[&str], &[&str]) -> Result<()>,
) -> Result<()> {
    let refreshed = run(manager.refresh, &[]);
    let installed = run(manager.install, packages);
    installed.map_err(|cause| refreshed.err().unwrap_or(cause))
}

/// Runs the package manager.
fn call(manager: &Manager, arguments: &[&str], packages: &[&str]) -> Result<()> {
    let mut command = Command::new(manager.program);
    command.args(arguments).args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    quietly(command, &format!("running {} {}", manager.program, arguments.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn the_lists_are_refreshed_before_anything_is_installed() {
        for manager in [&APT, &DNF, &ZYPPER] {
            let calls = RefCell::new(Vec::new());
            let run = |answer: &'static [&str]| {
                let calls = &calls;
                move |words: &[&str], packages: &[&str]| {
                    let words = words.last().copied().unwrap_or_default().to_owned();
                    let failed = answer.contains(&words.as_str());
                    calls.borrow_mut().push((words.clone(), packages.join(" ")));
                    if failed { Err(Error::failed(words, "no")) } else { Ok(()) }
                }
            };
            install(manager, &["a", "b"], run(&[])).expect("success");
            let refresh = manager.refresh.last().copied().unwrap_or_default();
            let expected = [(refresh, ""), ("install", "a b")];
            let expected = expected.map(|(word, packages)| (word.to_owned(), packages.to_owned()));
            assert_eq!(calls.take(), expected);
            let updates: &'static [&str] = &["update", "makecache", "refresh"];
            install(manager, &["a"], run(updates)).expect("success without new lists");
            let all: &'static [&str] = &["update", "makecache", "refresh", "install"];
            let error = install(manager, &["a"], run(all)).expect_err("a failure").to_string();
            assert_eq!(error, format!("{refresh}: no"));
        }
    }

    #[test]
    fn each_missing_package_is_named_once_and_as_its_manager_calls_it() {
        let all = |_: &str| true;
        let none = |_: &str| false;
        let no_ip = |program: &str| program != "ip";
        assert_eq!(missing(&TOOLS, &APT, &all), [""; 0]);
        assert_eq!(missing(&TOOLS, &APT, &no_ip), ["iproute2"]);
        assert_eq!(missing(&TOOLS, &DNF, &no_ip), ["iproute"]);
        assert_eq!(missing(&TOOLS, &ZYPPER, &no_ip), ["iproute2"]);
        assert_eq!(
            missing(&TOOLS, &APT, &none),
            [
                "mmdebstrap",
                "systemd-container",
                "iproute2",
                "util-linux",
                "findutils",
                "debian-archive-keyring"
            ]
        );
    }
}
