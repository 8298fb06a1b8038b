//! Builds the binary for the oldest glibc there is among the supported distributions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::{Error, Result};

use super::tools::{Tools, flags};
use crate::cargo::{answer, cargo, succeed};

/// RHEL 7 and SLES 12 have this glibc or a later one, and Rust itself needs no less.
const FLOOR: Version = Version(2, 17);
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What may be loaded with it: each is part of glibc.
const LIBRARIES: [&str; 7] = [
    "libc.so.6",
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
    "ld-linux-x86-64.so.2",
];

/// A version of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32, u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Builds the binary as it is shipped.
pub(super) fn build(tools: &Tools, sources: &Path) -> Result<PathBuf> {
    let doing = "building dovecot-ark";
    let sources = fs::canonicalize(sources).map_err(Error::io(doing))?;
    let target = sources.join("target");
    let mut command = tools.python("cargo-zigbuild");
    command.current_dir(&sources).arg("zigbuild");
    command.args(["--quiet", "--locked", "--release", "--package", "dovecot-ark"]);
    command.args(["--target", &format!("{TARGET}.{FLOOR}"), "--target-dir"]).arg(&target);
    command.env("CARGO", cargo().get_program());
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(&sources)).env_remove("RUSTFLAGS");
    succeed(command, doing)?;
    let binary = target.join(TARGET).join("release/dovecot-ark");
    if binary.is_file() {
        return Ok(binary);
    }
    Err(Error::failed(doing, format!("{} is not there", binary.display())))
}

/// Reads from its symbols which glibc a binary needs, and fails when a node may have none such.
pub(super) fn require_floor(binary: &Path) -> Result<Version> {
    let mut readelf = Command::new("readelf");
    readelf.args(["--wide", "--dynamic", "--version-info"]).arg(binary).env("LC_ALL", "C");
    let said = answer(readelf, &format!("reading the symbols of {}", binary.display()))?;
    floor_of(&said).map_err(|cause| Error::failed(format!("using {}", binary.display()), cause))
}

/// Finds the highest version of glibc among what readelf says, and judges it.
fn floor_of(said: &str) -> std::result::Result<Version, String> {
    for line in said.lines().filter(|line| line.contains("(NEEDED)")) {
        let library = line.split(['[', ']']).nth(1).unwrap_or_default();
        if !LIBRARIES.contains(&library) {
            return Err(format!("it needs {library}, which is not in glibc"));
        }
    }
    let versions = said.split_whitespace().filter_map(|word| word.strip_prefix("GLIBC_"));
    let versions = versions.map(|version| {
        let mut parts = version.split('.').map(str::parse);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Version(major, minor)),
            _ => Err(format!("it needs GLIBC_{version}, which is no released version")),
        }
    });
    let versions = versions.collect::<std::result::Result<Vec<_>, _>>()?;
    match versions.into_iter().max() {
        None => Err("it names no version of glibc".into()),
        Some(highest) if highest > FLOOR => {
            Err(format!("it needs glibc {highest}, later than {FLOOR}"))
        }
        Some(highest) => Ok(highest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: &str = " 0x0000000000000001 (NEEDED)  Shared library: [libc.so.6]\n";

    #[test]
    fn the_floor_is_the_highest_version_that_is_named() {
        let name = |version: &str| format!("  0x0010:   Name: GLIBC_{version}  Flags: none\n");
        let said = |versions: &[&str]| {
            format!("{NEEDED}{}", versions.iter().map(|version| name(version)).collect::<String>())
        };
        assert_eq!(floor_of(&said(&["2.2.5", "2.17", "2.3"])), Ok(Version(2, 17)));
        let cases: [(&[&str], &str); 4] = [
            (&["2.9", "2.34"], "glibc 2.34, later than 2.17"),
            (&["3.1"], "glibc 3.1"),
            (&["PRIVATE"], "GLIBC_PRIVATE"),
            (&[], "no version"),
        ];
        for (versions, words) in cases {
            let refused = floor_of(&said(versions)).expect_err(words);
            assert!(refused.contains(words), "{versions:?}: {refused}");
        }
    }

    #[test]
    fn a_library_that_a_node_may_lack_is_refused() {
        let said = format!("{NEEDED}  (NEEDED)  Shared library: [libgcc_s.so.1]\n GLIBC_2.17 ");
        assert!(floor_of(&said).expect_err("a library").contains("libgcc_s.so.1"));
    }
}
