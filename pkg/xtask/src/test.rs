//! `cargo xtask test`: all that must hold before a change is taken.
//!
//! The cheap checks come first and the first failure ends the run, so that the last line names the
//! one thing to look at.

use std::env;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::setup::Tool;
use lab::{Error, Result};

use crate::beside::Beside;
use crate::cargo::{cargo, succeed};
use crate::heading::{heading, shown};

/// Tests on nodes mostly wait: more of them at once than there are processors.
const NODES: &[&str] = &["--", "--test-threads=4"];

/// The rows of the faults wait longest: for time-outs, and for stops of what is frozen.
const FAULTS: &[&str] = &["--", "--test-threads=8"];

/// Clusters have heartbeats, which a machine that is too busy would miss.
const CLUSTERS: &[&str] = &["--", "--test-threads=2"];

/// What checks the macros of the manual pages, and the shells that complete; the tests leave out what
/// is missing.
const LINTERS: [Tool; 4] = [
    Tool { program: "mandoc", apt: "mandoc", rpm: "mandoc" },
    Tool { program: "groff", apt: "groff", rpm: "groff" },
    Tool { program: "zsh", apt: "zsh", rpm: "zsh" },
    Tool { program: "fish", apt: "fish", rpm: "fish" },
];

/// What one step leaves for another.
#[derive(Default)]
struct Run {
    images: Option<Beside>,
    package: Option<Beside>,
    /// How long that ran, set by the step that waits for its end.
    ran: Option<Duration>,
}

/// A step: its name, and what does it.
type Step = (&'static str, fn(&mut Run) -> Result<()>);

/// The steps, cheapest first.
const STEPS: [Step; 18] = [
    ("machine", |_| machine()),
    ("images, begun", |run| {
        // They are fetched and unpacked while compilers have the processors most of the time.
        run.images = Some(Beside::xtask(&["images"])?);
        Ok(())
    }),
    ("format", |_| subcommand(&["fmt", "--all", "--check"])),
    ("lints", |_| {
        subcommand(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    }),
    ("documentation", |_| documentation()),
    ("unit tests", |_| subcommand(&["test", "--workspace", "--bins", "--lib", "--locked"])),
    ("manual", |_| suite("manual", &[])),
    ("completion", |_| suite("completion", &[])),
    ("package, begun", |run| {
        // Its compiler is busy for minutes in which the tests on nodes mostly wait.
        run.package = Some(package()?);
        Ok(())
    }),
    ("images of the nodes", |run| {
        let Some(images) = run.images.take() else { return lab::prepare_for_tests() };
        run.ran = Some(images.finish()?);
        Ok(())
    }),
    ("tests of the lab", |_| {
        subcommand(&["test", "--workspace", "--exclude", "dovecot-ark", "--test", "*", "--locked"])
    }),
    ("tests on nodes", |_| suite("real", NODES)),
    ("tests of the faults", |_| suite("faults", FAULTS)),
    ("tests of the installation", |_| suite("install", NODES)),
    ("package, built twice", |run| {
        run.ran = Some(run.package.take().map_or_else(package, Ok)?.finish()?);
        Ok(())
    }),
    ("tests on clusters", |_| suite("cluster", CLUSTERS)),
    ("tests under Pacemaker", |_| suite("pacemaker", CLUSTERS)),
    ("tests of the package", |_| suite("package", NODES)),
];

fn package() -> Result<Beside> {
    Beside::xtask(&["rpm", "--check"])
}

/// Runs all steps, up to the first that fails.
pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    let mut times: Vec<(&str, String)> = Vec::new();
    let mut run = Run::default();
    for (number, (name, step)) in STEPS.iter().enumerate() {
        heading(&format!("{}/{} {name}", number + 1, STEPS.len()));
        let start = Instant::now();
        let done = step(&mut run);
        let took = start.elapsed();
        if let Err(error) = done {
            let doing = format!("step \"{name}\" failed after {}", shown(took));
            return Err(Error::failed(doing, error.to_string()));
        }
        let time = time(took, run.ran.take());
        println!("   {name}: passed, {}", time.trim_start());
        times.push((name, time));
    }
    heading("summary");
    for (name, time) in times {
        println!("   {name:<26} {time}");
    }
    println!("all {} steps passed in {}", STEPS.len(), shown(started.elapsed()));
    Ok(())
}

/// Writes how long a step took, and how long what it waited for had run beside the others.
fn time(took: Duration, beside: Option<Duration>) -> String {
    let took = format!("{:>10}", shown(took));
    match beside {
        Some(ran) => format!("{took} of waiting for {} beside other steps", shown(ran)),
        None => took,
    }
}

/// Makes the machine ready: packages for the nodes, components of the toolchain.
fn machine() -> Result<()> {
    lab::setup::ensure()?;
    lab::setup::ensure_tools(&LINTERS, &lab::setup::has)?;
    for (component, word) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if has_subcommand(word) {
            continue;
        }
        println!("   installing with rustup: {component}");
        let mut rustup = Command::new("rustup");
        rustup.args(["component", "add", component]);
        succeed(rustup, &format!("adding {component} to the Rust toolchain with rustup"))?;
    }
    Ok(())
}

/// Tells whether cargo knows a subcommand.
fn has_subcommand(word: &str) -> bool {
    let mut command = cargo();
    command.args([word, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a subcommand of cargo, after showing it.
fn subcommand(arguments: &[&str]) -> Result<()> {
    println!("$ cargo {}", arguments.join(" "));
    let mut command = cargo();
    command.args(arguments);
    succeed(command, &format!("running cargo {}", arguments.join(" ")))
}

/// Runs one of the kit's own suites.
fn suite(name: &str, threads: &[&str]) -> Result<()> {
    subcommand(
        &[&["test", "--package", "dovecot-ark", "--test", name, "--locked"], threads].concat(),
    )
}

/// Builds the documentation with every warning an error.
fn documentation() -> Result<()> {
    let words = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"];
    println!("$ RUSTDOCFLAGS='-D warnings' cargo {}", words.join(" "));
    let mut flags = env::var("RUSTDOCFLAGS").unwrap_or_default();
    flags.push_str(" -D warnings");
    let mut command = cargo();
    command.args(words).env("RUSTDOCFLAGS", flags.trim_start());
    succeed(command, "running cargo doc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_what_ran_beside_other_steps_is_told() {
        let short = Duration::from_micros(500);
        assert_eq!(time(short, None), "    0.5 ms");
        let beside = time(short, Some(Duration::from_secs(441)));
        assert_eq!(beside, "    0.5 ms of waiting for 441.00 s beside other steps");
    }
}
