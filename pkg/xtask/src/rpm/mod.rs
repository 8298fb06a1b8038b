//! `cargo xtask rpm`: from a clean clone to the package, its checksums and its list of parts.
//!
//! The same commit makes the same bytes wherever it lies, and nothing of the build machine gets
//! into the package: neither its C library, nor its paths, nor its clock.

mod binary;
mod complete;
mod digest;
mod header;
mod lint;
mod options;
mod sbom;
mod stage;
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use lab::{Error, Result};

use crate::cargo::{answer, list, manifest, succeed, top};
use crate::disk::{copy, entries, make_directory, read, remove, text, write};
use crate::heading::{heading, shown};
use complete::About;
use digest::sum;
pub(crate) use options::Options;
use tools::Tools;

/// The directory for the package and all that comes with it.
const DIRECTORY: &str = "target/rpm";

/// The directory beside a package with what goes into it.
const STAGE: &str = "stage";

/// The version of the package that tests upgrade from, lower than any that is ever released.
const PREVIOUS: &str = "0.0.1";

/// Where a package is built from and to.
struct Build<'a> {
    tools: &'a Tools,
    /// The directory with the sources.
    sources: &'a Path,
    /// When the commit was made, in seconds; later times in the package are set back to it.
    epoch: String,
    /// Who publishes the package.
    options: &'a Options,
}

/// Builds the package, and holds it to what it must be.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.check { check(options) } else { build(options) }
}

fn build(options: &Options) -> Result<()> {
    let started = Instant::now();
    heading("tools");
    let tools = Tools::ensure()?;
    lint::scripts()?;
    let build = Build { tools: &tools, sources: top(), epoch: committed("%ct")?, options };
    let directory = top().join(DIRECTORY);
    build.stage(&directory)?;
    heading("package");
    let package = build.pack(&directory, None)?;
    lint::package(&tools, &package)?;
    heading("what is in it, and the checksums");
    let list = directory.join("dovecot-ark.cdx.json");
    sbom::write_list(&tools, &package, committed("%cd")?.as_str(), &list)?;
    let line =
        |path: &PathBuf| Ok(format!("{}  {}\n", sum("sha256sum", &read(path)?)?, name_of(path)));
    let lines: Result<String> = [&package, &list].into_iter().map(line).collect();
    let sums = directory.join("SHA256SUMS");
    write(&sums, lines?)?;
    let previous = directory.join("previous");
    stage::collect_another(top(), &directory.join(STAGE), &previous.join(STAGE))?;
    build.pack(&previous, Some(PREVIOUS))?;
    for path in [&package, &list, &sums] {
        println!("   target/rpm/{}: {} bytes", name_of(path), read(path)?.len());
    }
    println!("   made in {}", shown(started.elapsed()));
    Ok(())
}

/// Lays what the package brings, with this binary, below a directory that is returned.
///
/// That takes no packager; its scriptlets do not run, and rpm does not know of it.
pub(crate) fn tree(binary: &Path) -> Result<PathBuf> {
    let root = top().join("target/tree");
    stage::install(top(), binary, &root)?;
    Ok(root)
}

/// Builds the package, and once more from a copy in another directory, and compares the bytes.
fn check(options: &Options) -> Result<()> {
    build(options)?;
    let started = Instant::now();
    heading("the same again, in another directory");
    let tools = Tools::ensure()?;
    let elsewhere = top().join(DIRECTORY).join("a copy/with another path");
    let sources = elsewhere.join("sources");
    copy_sources(&sources)?;
    let build = Build { tools: &tools, sources: &sources, epoch: committed("%ct")?, options };
    build.stage(&elsewhere)?;
    let again = build.pack(&elsewhere, None)?;
    let first = top().join(DIRECTORY).join(again.file_name().unwrap_or_default());
    if read(&first)? != read(&again)? {
        let doing = format!("building {} twice", first.display());
        return Err(Error::failed(doing, format!("{} has other bytes", again.display())));
    }
    println!("   the same bytes, {}", shown(started.elapsed()));
    Ok(())
}

impl Build<'_> {
    /// Builds the binary and collects what goes into the package that is packed in `directory`.
    fn stage(&self, directory: &Path) -> Result<()> {
        heading("binary");
        let started = Instant::now();
        let binary = binary::build(self.tools, self.sources)?;
        let floor = binary::require_floor(&binary)?;
        println!("   needs glibc {floor}, {}", shown(started.elapsed()));
        stage::collect(self.sources, &binary, &directory.join(STAGE))
    }

    /// Packs what was collected, under its own version or another one.
    fn pack(&self, directory: &Path, version: Option<&str>) -> Result<PathBuf> {
        let version_here = version.unwrap_or(env!("CARGO_PKG_VERSION"));
        let package = directory.join(format!("dovecot-ark-{version_here}-1.x86_64.rpm"));
        remove_packages(directory)?;
        let mut packager = Command::new(self.tools.packager());
        packager.current_dir(directory.join(STAGE)).env("SOURCE_DATE_EPOCH", &self.epoch);
        packager.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_TARGET");
        // gzip is what rpm 4.11 can read.
        packager.args(["--payload-compress", "gzip", "--arch", "x86_64", "--output"]).arg(&package);
        let version = version.map(|version| format!("version = \"{version}\"\n"));
        let metadata = version.unwrap_or_default() + &self.options.metadata();
        if !metadata.is_empty() {
            packager.arg("--set-metadata").arg(metadata);
        }
        succeed(packager, "packing")?;
        write(&package, complete::completed(&read(&package)?, &self.about(version_here)?)?)?;
        complete::require_complete(&read(&package)?)?;
        Ok(package)
    }

    /// Tells what the package says of itself: the manifest's description, this version's changes.
    fn about(&self, version: &str) -> Result<About> {
        let doing = "reading the description in Cargo.toml";
        let metadata = manifest(self.sources)?;
        let place = "/metadata/generate-rpm/description";
        let mut texts = list(&metadata, "/packages").filter_map(|one| one.pointer(place)?.as_str());
        let description = texts.next().ok_or_else(|| Error::failed(doing, "there is none"))?;
        let changelog = text(&self.sources.join("CHANGELOG.md"))?;
        let time = self.epoch.parse().map_err(|_| Error::failed(doing, &self.epoch))?;
        Ok(About {
            description: description.trim().to_owned(),
            head: format!("{} - {version}-1", self.options.packager()),
            changes: complete::changes(&changelog, env!("CARGO_PKG_VERSION"))?,
            time,
        })
    }
}

/// Tells when the commit was made, in one of git's formats, UTC.
fn committed(format: &str) -> Result<String> {
    let mut git = Command::new("git");
    git.current_dir(top()).args(["log", "-1", "--date=iso-strict-local"]);
    git.arg(format!("--format={format}")).env("TZ", "UTC");
    let time = answer(git, "asking git for the commit's time")?;
    Ok(time.trim().to_owned())
}

/// Copies what git knows or would take, as it is now; of an earlier copy only what was built stays.
fn copy_sources(to: &Path) -> Result<()> {
    make_directory(to)?;
    for path in entries(to)?.iter().filter(|path| !path.ends_with("target")) {
        remove(path)?;
    }
    let mut git = Command::new("git");
    git.current_dir(top()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names = answer(git, "asking git for the names of the sources")?;
    // A file that was removed and not yet committed is still in the list.
    for name in names.split_terminator('\0').filter(|name| top().join(name).is_file()) {
        copy(&top().join(name), &to.join(name))?;
    }
    Ok(())
}

/// Removes the packages of earlier runs: whoever looks for the package finds one.
fn remove_packages(directory: &Path) -> Result<()> {
    make_directory(directory)?;
    let all = entries(directory)?;
    let mut packages = all.iter().filter(|path| path.extension().is_some_and(|it| it == "rpm"));
    packages.try_for_each(|path| remove(path))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
