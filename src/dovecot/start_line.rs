//! How systemd starts Dovecot: the command line in its unit, and where its variables are from.

use log::debug;

use super::unit::{DETAIL_LIMIT, name, property};
use crate::command::Command;
use crate::system::System;

/// How systemd starts a unit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Started {
    By(StartLine),
    NotFound,
}

/// The last command line of a unit's `ExecStart`, as it is written, and where its variables are from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct StartLine {
    /// The words, separated by blanks.
    pub(crate) words: String,
    /// What `Environment=` sets, one `NAME=value` a line.
    pub(crate) environment: String,
    /// The paths of `EnvironmentFile=`; what they set comes last, and counts.
    pub(crate) files: Vec<String>,
}

/// Asks how a service is started, at most [`DETAIL_LIMIT`]; `None` where systemd is not there or does
/// not tell.
pub(crate) fn started(system: &impl System, service: &str) -> Option<Started> {
    let systemctl = system.program("systemctl").filter(|_| system.runs_systemd())?;
    let words = ["show", "-p", "LoadState,ExecStart,Environment,EnvironmentFiles", &name(service)];
    let command = Command::new(systemctl, &words).asked();
    let ended = system.run(&command, DETAIL_LIMIT);
    debug!("`{command}`: {}: {}", ended.end, ended.answer.trim());
    read_start(&ended.answer)
}

/// Reads `ExecStart={ path=… ; argv[]=… ; ignore_errors=… }`, as systemd 219 and 252 print it, and
/// `EnvironmentFiles=PATH (ignore_errors=…)`, whose name had no s in old ones.
fn read_start(answer: &str) -> Option<Started> {
    if property(answer, "LoadState") == Some("not-found") {
        return Some(Started::NotFound);
    }
    let line = answer.lines().rfind(|line| line.starts_with("ExecStart="))?;
    let (_, words) = line.split_once("argv[]=")?;
    let (words, _) = words.split_once(" ; ")?;
    let file = |line: &str| {
        let file = line.strip_prefix("EnvironmentFile")?;
        let (path, _) = file.trim_start_matches('s').strip_prefix('=')?.rsplit_once(" (")?;
        Some(path.to_owned())
    };
    Some(Started::By(StartLine {
        words: words.to_owned(),
        environment: assignments(property(answer, "Environment").unwrap_or_default()),
        files: answer.lines().filter_map(file).collect(),
    }))
}

/// Puts the assignments of `Environment=` on lines of their own: one with a blank is in double quotes,
/// and a backslash stands before a quote that is meant.
fn assignments(printed: &str) -> String {
    let mut lines = String::new();
    let mut is_quoted = false;
    let mut letters = printed.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '\\' => lines.extend(letters.next()),
            ' ' if !is_quoted => lines.push('\n'),
            _ => lines.push(letter),
        }
    }
    lines
}
