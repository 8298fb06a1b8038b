//! `cargo xtask demo`: the kit's story on a private real Dovecot.
//!
//! Every action is called as LifeKeeper calls it, through its stub, and judged by what an operator
//! could see: exit status, processes, a login. One step that is not as expected fails the whole.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Error, IMAP, Init, Node, Result, STUBS, Suite, USERS};

use crate::cargo::{cargo, succeed};
use crate::heading::{heading, shown};
use crate::{cluster, kit, pacemaker, rpm};

/// What a login answers when it works.
const LOGGED_IN: &str = "logged in";

/// One line of the final table.
struct Row {
    init: Init,
    step: String,
    answer: String,
    expected: String,
    took: Duration,
}

impl Row {
    /// Tells whether the step answered as expected.
    fn is_well(&self) -> bool {
        self.answer == self.expected
    }

    /// Writes the line of the table.
    fn line(&self) -> String {
        format!(
            "{:<8} {:<34} {:<10} {:<10} {:>9}  {}",
            self.init.to_string(),
            self.step,
            self.answer,
            self.expected,
            shown(self.took),
            if self.is_well() { "ok" } else { "NOT AS EXPECTED" }
        )
    }
}

/// A node on the stage, and what it has shown so far.
struct Stage<'a> {
    node: &'a Node,
    rows: &'a mut Vec<Row>,
}

/// Builds a program in the profile of this one, saying so, and returns its binary.
fn build(package: &str) -> Result<PathBuf> {
    heading(&format!("building {package} (half a minute or so if it is the first time)"));
    let start = Instant::now();
    let mut command = cargo();
    // What is compiled is seen; the lab does the same without a word.
    command.args(["build", "--locked", "--package", package]);
    succeed(command, &format!("building {package}"))?;
    let binary = lab::program(package)?;
    println!("   built in {}", shown(start.elapsed()));
    Ok(binary)
}

/// Shows the story on a node of each kind, then a cluster's, and how long each part took.
///
/// The built binary lies on the nodes as the package lays it; the package itself is not built.
///
/// # Errors
///
/// When a node cannot be made, or a step was not as expected.
pub(crate) fn run() -> Result<()> {
    let mut times = Vec::new();
    let mut part = Instant::now();
    let mut done = |name: &'static str| {
        times.push((name, part.elapsed()));
        part = Instant::now();
    };
    let (binary, standin) = thread::scope(|scope| {
        heading("beside the building: packages and an image for the nodes (a minute or so, once)");
        let image = scope.spawn(|| lab::prepare(Suite::Bookworm));
        let built = build("dovecot-ark").and_then(|kit| Ok((kit, build("lifekeeper-standin")?)));
        image.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(built)
    })?;
    // It may install a program too: two at a time stand in each other's way.
    let kit = rpm::tree(&binary)?;
    done("building, and the image");
    actions(&kit)?;
    done("the four actions");
    cluster::show(&kit, &standin)?;
    done("a cluster's life");
    heading("how long it took");
    for (name, took) in &times {
        println!("{name:<24} {:>9}", shown(*took));
    }
    println!("{:<24} {:>9}", "all", shown(times.iter().map(|(_, took)| *took).sum()));
    Ok(())
}

/// Shows a cluster's life under Pacemaker.
pub(crate) fn pacemaker() -> Result<()> {
    let kit = rpm::tree(&build("dovecot-ark")?)?;
    heading("what nodes are made of (packages and an image, a minute or so, once)");
    lab::prepare(Suite::Pacemaker)?;
    pacemaker::show(&kit)
}

/// Shows the four actions on a node of each kind.
fn actions(kit: &Path) -> Result<()> {
    let started = Instant::now();
    let mut rows = Vec::new();
    for init in [Init::SysV, Init::Systemd] {
        heading(&format!("a clean node with {init}"));
        let start = Instant::now();
        let node = kit::node_on(kit, Suite::Bookworm, init)?;
        println!("   up after {}, Dovecot is stopped", shown(start.elapsed()));
        let mut stage = Stage { node: &node, rows: &mut rows };
        match init {
            Init::SysV => whole_story(&mut stage)?,
            Init::Systemd => short_story(&mut stage)?,
        }
    }
    heading("what was asked, and what came");
    println!("{:<8} {:<34} {:<10} {:<10} {:>9}", "node", "step", "answer", "expected", "time");
    for row in &rows {
        println!("{}", row.line());
    }
    let odd = rows.iter().filter(|row| !row.is_well()).count();
    println!("\n{} steps in {}", rows.len(), shown(started.elapsed()));
    if odd == 0 {
        return Ok(());
    }
    Err(Error::failed("showing the kit", format!("{odd} steps were not as expected")))
}

/// Shows everything once.
fn whole_story(stage: &mut Stage<'_>) -> Result<()> {
    stage.command("dovecot-ark settings", &["dovecot-ark", "settings"], 0)?;
    stage.action("quickCheck", "stopped", 1)?;
    stage.action("restore", "stopped", 0)?;
    let before = stage.node.master()?;
    stage.action("restore", "running", 0)?;
    stage.same_master(before)?;
    stage.action("quickCheck", "running", 0)?;
    stage.login();
    stage.action("remove", "running", 0)?;
    stage.nothing_left()?;
    stage.action("remove", "stopped", 0)?;
    stage.action("restore", "stopped", 0)?;
    repair(stage)
}

/// Shows start, repair and stop.
fn short_story(stage: &mut Stage<'_>) -> Result<()> {
    stage.action("quickCheck", "stopped", 1)?;
    stage.action("restore", "stopped", 0)?;
    stage.action("quickCheck", "running", 0)?;
    stage.login();
    repair(stage)?;
    stage.action("remove", "running", 0)?;
    stage.nothing_left()
}

/// Kills the running master, and has it repaired.
fn repair(stage: &mut Stage<'_>) -> Result<()> {
    stage.kill_master()?;
    stage.action("quickCheck", "killed", 1)?;
    stage.action("recover", "killed", 0)?;
    stage.action("quickCheck", "running", 0)?;
    stage.login();
    Ok(())
}

impl Stage<'_> {
    /// Calls an action through its stub; `state` is Dovecot's before.
    fn action(&mut self, action: &str, state: &str, expected: i32) -> Result<()> {
        let stub = format!("{STUBS}/{action}");
        let argv = [stub.as_str(), "-t", "dovecot", "-i", "dovecot"];
        self.command(&format!("{action} ({state})"), &argv, expected)
    }

    /// Runs a command and shows its words, output and exit status.
    fn command(&mut self, step: &str, argv: &[&str], expected: i32) -> Result<()> {
        println!("\n$ {}", argv.join(" "));
        let done = self.node.run(argv)?;
        for line in done.stdout.lines().chain(done.stderr.lines()) {
            println!("  | {line}");
        }
        let answer = done.status.map_or("killed".into(), |status| status.to_string());
        self.note(step, answer, expected.to_string(), done.took);
        Ok(())
    }

    /// Logs in over IMAP as a user of the node.
    fn login(&mut self) {
        let (user, password) = USERS[0];
        println!("\n$ IMAP LOGIN {user} at {IMAP}");
        let start = Instant::now();
        let session = self.node.imap().and_then(|mut client| {
            println!("  | {}", client.greeting());
            client.login(user, password)?;
            client.logout()
        });
        let took = start.elapsed();
        let answer = match session {
            Ok(()) => LOGGED_IN.to_owned(),
            Err(error) => error.to_string(),
        };
        self.note("IMAP login", answer, LOGGED_IN.to_owned(), took);
    }

    /// Kills the master as no one may: no warning, no clean-up.
    fn kill_master(&mut self) -> Result<()> {
        let Some(master) = self.node.master()? else {
            return Err(Error::failed("killing Dovecot's master", "it does not run"));
        };
        println!("\n$ kill -9 {master}    # Dovecot's master");
        self.node.signal(master, "KILL")
    }

    /// Notes whether the master is still the one of `before`.
    fn same_master(&mut self, before: Option<u32>) -> Result<()> {
        let pid = |master: Option<u32>| master.map_or("none".into(), |pid| format!("pid {pid}"));
        let (answer, expected) = (pid(self.node.master()?), pid(before));
        self.note("the master is untouched", answer, expected, Duration::ZERO);
        Ok(())
    }

    /// Notes how many of Dovecot's processes are left.
    fn nothing_left(&mut self) -> Result<()> {
        let processes = self.node.dovecot()?;
        let left = processes.iter().filter(|process| process.state != 'Z').count();
        self.note("processes of Dovecot left", left.to_string(), "0".into(), Duration::ZERO);
        Ok(())
    }

    /// Keeps a step for the table and says how it went.
    fn note(&mut self, step: &str, answer: String, expected: String, took: Duration) {
        let row = Row { init: self.node.init(), step: step.into(), answer, expected, took };
        let verdict = if row.is_well() { "as expected" } else { "NOT AS EXPECTED" };
        println!("  {step}: {} - {verdict}, {}", row.answer, shown(took));
        self.rows.push(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_says_whether_the_answer_was_the_expected_one() {
        let row = |answer: &str| Row {
            init: Init::SysV,
            step: "quickCheck (stopped)".into(),
            answer: answer.into(),
            expected: "1".into(),
            took: Duration::from_millis(12),
        };
        let line = row("1").line();
        assert!(
            line.starts_with("SysV     quickCheck (stopped) ") && line.ends_with("ok"),
            "{line}"
        );
        assert!(row("0").line().ends_with("NOT AS EXPECTED"));
    }
}
