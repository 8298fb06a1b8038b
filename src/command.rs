//! Commands, and what became of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::secret::Secret;
use crate::text::seconds;

/// A program and its arguments; no shell in between.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Command {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    capture: Capture,
    start: Start,
    input: Option<Secret>,
}

/// When a command begins to do what it is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Start {
    /// As soon as it is started.
    AtOnce,
    /// When it is released: if its starter dies before, it does nothing.
    Released,
}

/// What is kept of what a command prints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Capture {
    /// The end of standard output and standard error, for the log.
    Words,
    /// Standard output by itself, up to 1 MiB, because somebody reads it; and the end of standard
    /// error.
    Answer,
    /// The end of standard error alone: standard output holds secrets, so nobody reads it, and the
    /// command leaves no core.
    Errors,
}

impl Command {
    /// Names a program by its full path, and its arguments.
    pub(crate) fn new(program: PathBuf, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let (environment, capture, start) = (Vec::new(), Capture::Words, Start::AtOnce);
        Self { program, arguments, environment, capture, start, input: None }
    }

    /// The same command, asked for its answer.
    pub(crate) fn asked(self) -> Self {
        Self { capture: Capture::Answer, ..self }
    }

    /// The same command, of which only what went wrong is read: its answer holds secrets.
    pub(crate) fn secret(self) -> Self {
        Self { capture: Capture::Errors, ..self }
    }

    /// The same command, which waits to be released.
    pub(crate) fn waiting(self) -> Self {
        Self { start: Start::Released, ..self }
    }

    /// The same command, which is told a password as the one line of its standard input, and leaves
    /// no core.
    pub(crate) fn told(self, password: Secret) -> Self {
        Self { input: Some(password), ..self }
    }

    /// The secret line of its standard input.
    pub(crate) const fn input(&self) -> Option<&Secret> {
        self.input.as_ref()
    }

    /// When it begins.
    pub(crate) const fn begins(&self) -> Start {
        self.start
    }

    /// The same command with one more variable in its environment.
    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Variables in addition to, or instead of, those that all commands have.
    pub(crate) fn environment(&self) -> &[(&'static str, String)] {
        &self.environment
    }

    /// What is kept of what it prints.
    pub(crate) const fn capture(&self) -> Capture {
        self.capture
    }

    /// The program's full path.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// What follows the program's name.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        f.write_str(&name.to_string_lossy())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

/// How a command ended, and the end of what it printed.
#[must_use]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CommandOutput {
    pub(crate) end: End,
    /// The end of its standard output and standard error, in the order printed; of standard error
    /// alone when it was asked for its answer, or its answer is secret.
    pub(crate) output: String,
    /// Its answer, empty unless it was asked.
    pub(crate) answer: String,
}

impl CommandOutput {
    /// Whether it ended by itself with exit status 0.
    pub(crate) fn succeeded(&self) -> bool {
        self.end == End::Exited(0)
    }
}

/// How a command ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// By itself, with this exit status.
    Exited(i32),
    /// By this signal, which was not ours.
    Signalled(i32),
    /// It had not ended after so long and was killed.
    TimedOut(Duration),
    /// It could not even be started, or not be waited for.
    NotRun(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Signalled(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut(limit) => write!(f, "no end after {} s", seconds(*limit)),
            Self::NotRun(cause) => f.write_str(cause),
        }
    }
}

impl fmt::Display for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)?;
        let words = match self.output.trim() {
            "" => self.answer.trim(),
            words => words,
        };
        if words.is_empty() { Ok(()) } else { write!(f, ": {words}") }
    }
}
