//! The tools that build the package, each of one version, below `target/tools`.
//!
//! What is missing is installed, and said so: the machine's own packages by its package manager,
//! the rest in a private directory, which a `cargo clean` takes away again.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, iter};

use lab::setup::{self, Tool};
use lab::{Error, Result};

use crate::cargo::{cargo, succeed, top};
use crate::disk::{make_directory, remove, write};

/// Programs of the machine: rpm, its modules for Python, rpm2cpio and cpio are what rpmlint reads
/// packages with.
const MACHINE: [Tool; 11] = [
    Tool { program: "rpm", apt: "rpm", rpm: "rpm" },
    Tool { program: "cpio", apt: "cpio", rpm: "cpio" },
    Tool { program: "rpm2cpio", apt: "rpm2cpio", rpm: "rpm" },
    Tool { program: "git", apt: "git", rpm: "git" },
    Tool { program: "gzip", apt: "gzip", rpm: "gzip" },
    Tool { program: "md5sum", apt: "coreutils", rpm: "coreutils" },
    Tool { program: "readelf", apt: "binutils", rpm: "binutils" },
    Tool { program: "shellcheck", apt: "shellcheck", rpm: "ShellCheck" },
    Tool { program: "python3", apt: "python3", rpm: "python3" },
    Tool { program: RPM_MODULE, apt: "python3-rpm", rpm: "python3-rpm" },
    Tool { program: VENV_MODULE, apt: "python3-venv", rpm: "python3" },
];

/// Modules that the machine's Python must know; they are no programs.
const RPM_MODULE: &str = "python3: rpm";
const VENV_MODULE: &str = "python3: ensurepip";
/// The machine's Python, not one that somebody has put before it.
const PYTHON: &str = "/usr/bin/python3";

/// Python's packages: a C compiler with every glibc's symbols and what lets cargo use it, rpm's own
/// lint, and the schema of the list of parts.
const PYTHON_PACKAGES: [&str; 4] = [
    "cargo-zigbuild==0.24.0",
    "ziglang==0.17.1",
    "rpmlint==2.10.0",
    "cyclonedx-python-lib[json-validation]==11.12.0",
];

/// The packager and its version.
const PACKAGER: (&str, &str) = ("cargo-generate-rpm", "0.21.1");

/// Tools that are there.
#[derive(Debug)]
pub(super) struct Tools {
    directory: PathBuf,
}

impl Tools {
    /// Installs what is missing.
    pub(super) fn ensure() -> Result<Self> {
        if env::consts::ARCH != "x86_64" {
            return Err(Error::failed("building the package", "the machine is no x86_64"));
        }
        let directory = top().join("target/tools");
        make_directory(&directory)?;
        let doing = format!("finding {}", directory.display());
        let tools = Self { directory: fs::canonicalize(directory).map_err(Error::io(doing))? };
        setup::ensure_tools(&MACHINE, &is_there)?;
        tools.ensure_python_packages()?;
        tools.ensure_packager()?;
        let versions = PYTHON_PACKAGES.join(", ").replace("==", " ");
        println!("   {versions}, {} {}", PACKAGER.0, PACKAGER.1);
        Ok(tools)
    }

    /// Returns the packager's file.
    pub(super) fn packager(&self) -> PathBuf {
        self.directory.join("cargo/bin").join(PACKAGER.0)
    }

    /// Begins a command of Python's packages; what they keep between runs stays in the directory.
    pub(super) fn python(&self, program: &str) -> Command {
        let programs = self.directory.join("python/bin");
        let mut command = Command::new(programs.join(program));
        let mut path: OsString = programs.into();
        if let Some(rest) = env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        command.env("PATH", path).env("PYTHONDONTWRITEBYTECODE", "1");
        for variable in ["XDG_CACHE_HOME", "ZIG_GLOBAL_CACHE_DIR", "CARGO_ZIGBUILD_CACHE_DIR"] {
            command.env(variable, self.directory.join("cache"));
        }
        command
    }

    /// Makes a private Python with exactly our packages, unless it is there.
    fn ensure_python_packages(&self) -> Result<()> {
        let directory = self.directory.join("python");
        let complete = directory.join("complete");
        let wanted = PYTHON_PACKAGES.join("\n");
        if fs::read_to_string(&complete).is_ok_and(|there| there == wanted) {
            return Ok(());
        }
        println!("   installing with pip: {}", PYTHON_PACKAGES.join(" "));
        let mut venv = Command::new(PYTHON);
        // rpm's modules are the machine's.
        venv.args(["-m", "venv", "--clear", "--system-site-packages"]).arg(&directory);
        succeed(venv, "making a private Python")?;
        let mut pip = self.python("pip");
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--ignore-installed"]);
        pip.args(PYTHON_PACKAGES);
        succeed(pip, "installing with pip")?;
        write(&complete, wanted)
    }

    /// Builds the packager unless it is there.
    fn ensure_packager(&self) -> Result<()> {
        let (name, version) = PACKAGER;
        let mut asked = Command::new(self.packager());
        let there = asked.arg("--version").stderr(Stdio::null()).output();
        let expected = format!("{name} {version}\n");
        if there.is_ok_and(|output| output.stdout == expected.as_bytes()) {
            return Ok(());
        }
        println!("   installing with cargo: {name} {version} (about a minute, once)");
        let mut install = cargo();
        // It packs a few files: built fast is better than built well.
        install.args(["install", "--quiet", "--locked", "--force", "--debug", "--no-track"]);
        install.args([name, "--version", version, "--root"]).arg(self.directory.join("cargo"));
        install.arg("--target-dir").arg(self.directory.join("cargo/build"));
        install.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
        succeed(install, &format!("installing {name}"))?;
        remove(&self.directory.join("cargo/build"))
    }
}

/// Tells whether the machine has a program, or its Python a module.
fn is_there(program: &str) -> bool {
    let Some(module) = program.strip_prefix("python3: ") else {
        return setup::has(program);
    };
    let mut python = Command::new(PYTHON);
    python.args(["-c", &format!("import {module}")]).stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

/// Returns the flags that keep this machine's directories out of a binary built from `sources`.
pub(super) fn flags(sources: &Path) -> OsString {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let directories = home.iter().map(|home| (home.as_path(), "/cargo"));
    let flags =
        directories.chain(iter::once((sources, "/dovecot-ark"))).map(|(directory, name)| {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.extend([directory.as_os_str(), "=".as_ref(), name.as_ref()]);
            flag
        });
    // What cargo splits CARGO_ENCODED_RUSTFLAGS by.
    flags.collect::<Vec<_>>().join(OsStr::new("\x1f"))
}
