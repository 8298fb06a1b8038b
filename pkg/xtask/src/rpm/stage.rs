//! Collects what goes into the package in a directory of its own.
//!
//! All files there are new: the packager sets times back to the commit's, and an older one would
//! stay. A file that the manifest names and nobody has is an error here; the packager would take
//! the name of a missing script for the script.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use lab::{Error, Result};
use serde_json::Value;

use crate::cargo::{bytes, list, manifest};
use crate::disk::{copy, remove, write};
use crate::manual;

/// Where the manifest wants the binary.
const BINARY: &str = "target/release/dovecot-ark";

/// Copies and makes each file that the manifest names, in the directory in which the packager runs.
pub(super) fn collect(sources: &Path, binary: &Path, directory: &Path) -> Result<()> {
    remove(directory)?;
    copy(&sources.join("Cargo.toml"), &directory.join("Cargo.toml"))?;
    let names = named(&manifest(sources)?);
    names.iter().try_for_each(|name| lay(sources, name, binary, &directory.join(name)))
}

/// Collects the same again as in `stage`, with a binary of other bytes that does the same.
pub(super) fn collect_another(sources: &Path, stage: &Path, directory: &Path) -> Result<()> {
    collect(sources, &stage.join(BINARY), directory)?;
    let binary = directory.join(BINARY);
    let altered = OpenOptions::new().append(true).open(&binary);
    let altered = altered.and_then(|mut file| file.write_all(b"another build"));
    altered.map_err(Error::io(format!("altering {}", binary.display())))
}

/// Lays what the package brings below `root`, with this binary: a node as the package leaves it.
pub(super) fn install(sources: &Path, binary: &Path, root: &Path) -> Result<()> {
    remove(root)?;
    let metadata = manifest(sources)?;
    for asset in packaging(&metadata).flat_map(|rpm| list(rpm, "/assets")) {
        let field = |name: &str| {
            let missing =
                || Error::failed(format!("reading the asset {asset}"), format!("no {name}"));
            asset[name].as_str().ok_or_else(missing)
        };
        let mode = u32::from_str_radix(field("mode")?, 8);
        let mode = mode.map_err(|cause| Error::failed("reading a mode", cause.to_string()))?;
        let to = root.join(field("dest")?.trim_start_matches('/'));
        lay(sources, field("source")?, binary, &to)?;
        let moded = fs::set_permissions(&to, Permissions::from_mode(mode));
        moded.map_err(Error::io(format!("changing the mode of {}", to.display())))?;
    }
    Ok(())
}

/// Lays the file that the manifest calls `name` at `to`.
fn lay(sources: &Path, name: &str, binary: &Path, to: &Path) -> Result<()> {
    if name == BINARY {
        return copy(binary, to);
    }
    if let Some(page) = name.strip_prefix("target/").and_then(|name| name.strip_suffix(".gz")) {
        let mut gzip = Command::new("gzip");
        // Without name and time.
        gzip.args(["-9", "-n", "-c"]).arg(sources.join(page));
        return write(to, bytes(gzip, &format!("compressing {page}"))?);
    }
    if let Some(page) = name.strip_prefix("target/html/") {
        return write(to, manual::html(sources, page)?);
    }
    if let Some(shell) = name.strip_prefix("target/completions/") {
        let mut completions = Command::new(binary);
        completions.args(["completions", shell]);
        return write(to, bytes(completions, &format!("asking for {shell}'s completions"))?);
    }
    copy(&sources.join(name), to)
}

/// Finds what the manifest says to the packager.
fn packaging(metadata: &Value) -> impl Iterator<Item = &Value> {
    list(metadata, "/packages").filter_map(|package| package.pointer("/metadata/generate-rpm"))
}

/// Lists the files that the manifest names: the package's files and its scripts.
fn named(metadata: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for rpm in packaging(metadata) {
        let scripts = rpm.as_object().into_iter().flatten();
        let scripts = scripts.filter(|(key, _)| key.ends_with("_script")).map(|(_, value)| value);
        let assets = list(rpm, "/assets").map(|asset| &asset["source"]);
        names.extend(assets.chain(scripts).filter_map(Value::as_str).map(str::to_owned));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_the_files_where_the_package_has_them() {
        let root = std::env::temp_dir().join(format!("dovecot-ark-tree-{}", std::process::id()));
        install(crate::cargo::top(), Path::new("/bin/echo"), &root).expect("a tree");
        let mode = |path: &str| {
            let data = fs::metadata(root.join(path)).expect(path);
            data.permissions().mode() & 0o7777
        };
        assert_eq!(mode("usr/sbin/dovecot-ark"), 0o755);
        assert_eq!(mode("usr/lib/dovecot-ark/restore"), 0o755);
        assert_eq!(mode("usr/share/man/man8/dovecot-ark.8.gz"), 0o644);
        assert_eq!(mode("usr/share/man/ja/man7/dovecot-ark-guide.7.gz"), 0o644);
        assert_eq!(mode("usr/share/doc/dovecot-ark/dovecot-ark-guide.7.ja.html"), 0o644);
        let completions = root.join("usr/share/zsh/site-functions/_dovecot-ark");
        assert_eq!(fs::read_to_string(completions).expect("completions"), "completions zsh\n");
        fs::remove_dir_all(&root).expect("removing it");
    }

    #[test]
    fn the_manifest_names_the_files_and_the_scripts() {
        let names = named(&manifest(crate::cargo::top()).expect("our own manifest"));
        for name in [BINARY, "installer/restore", "pkg/rpm/preun.sh", "target/man/dovecot-ark.8.gz"]
        {
            assert!(names.iter().any(|there| there == name), "{name} is not in {names:?}");
        }
    }
}
