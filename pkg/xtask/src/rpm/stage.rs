//! Collects what goes into the package in a folder of its own.
//!
//! All files there are new: the packager sets times back to the commit's, and an older one would
//! stay. A file that the manifest names and nobody has is an error here; the packager would take
//! the name of a missing script for the script.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::{Error, Result};
use serde_json::Value;

use super::{copy, remove_folder, write};
use crate::cargo::{bytes, list, manifest};

/// Where the manifest wants the binary.
const BINARY: &str = "target/release/dovecot-ark";

/// The folder in which the packager runs.
#[derive(Debug)]
pub(super) struct Stage {
    sources: PathBuf,
    folder: PathBuf,
}

impl Stage {
    /// Copies and makes each file that the manifest names.
    ///
    /// # Errors
    ///
    /// When one is missing or cannot be made.
    pub(super) fn collect(sources: &Path, binary: &Path, folder: &Path) -> Result<Self> {
        remove_folder(folder)?;
        let stage = Self { sources: sources.to_owned(), folder: folder.to_owned() };
        copy(&sources.join("Cargo.toml"), &folder.join("Cargo.toml"))?;
        let metadata = manifest(sources)?;
        for name in named(&metadata) {
            stage.lay(&name, binary)?;
        }
        Ok(stage)
    }

    /// Returns the folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Collects the same again, with a binary of other bytes that does the same.
    ///
    /// # Errors
    ///
    /// As [`Stage::collect`].
    pub(super) fn with_another_binary(&self, folder: &Path) -> Result<Self> {
        let stage = Self::collect(&self.sources, &self.folder.join(BINARY), folder)?;
        let binary = stage.folder.join(BINARY);
        let altered = OpenOptions::new().append(true).open(&binary);
        let altered = altered.and_then(|mut file| file.write_all(b"another build"));
        altered.map_err(Error::io(format!("altering {}", binary.display())))?;
        Ok(stage)
    }

    /// Lays one file.
    fn lay(&self, name: &str, binary: &Path) -> Result<()> {
        let to = self.folder.join(name);
        if name == BINARY {
            return copy(binary, &to);
        }
        if let Some(page) = name.strip_prefix("target/").and_then(|name| name.strip_suffix(".gz")) {
            let mut gzip = Command::new("gzip");
            // Without name and time.
            gzip.args(["-9", "-n", "-c"]).arg(self.sources.join(page));
            return write(&to, &bytes(gzip, &format!("compressing {page}"))?);
        }
        if let Some(shell) = name.strip_prefix("target/completions/") {
            let mut completions = Command::new(binary);
            completions.args(["completions", shell]);
            return write(&to, &bytes(completions, &format!("asking for {shell}'s completions"))?);
        }
        copy(&self.sources.join(name), &to)
    }
}

/// Lists the files that the manifest names: the package's files and its scripts.
fn named(metadata: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for rpm in list(metadata, "/packages").filter_map(|p| p.pointer("/metadata/generate-rpm")) {
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
    fn the_manifest_names_the_files_and_the_scripts() {
        let names = named(&manifest(crate::cargo::top()).expect("our own manifest"));
        for name in [BINARY, "installer/restore", "pkg/rpm/preun.sh", "target/man/dovecot-ark.8.gz"]
        {
            assert!(names.iter().any(|there| there == name), "{name} is not in {names:?}");
        }
    }
}
