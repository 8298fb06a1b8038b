//! What a command does before the engine is asked, or where there is no engine to ask.
//!
//! All that needs the state is sent to the engine as it stands and the answers are passed on.

use std::io::{Write, stderr, stdout};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::error::{Failure, Result};
use crate::log::Entry;
use crate::place::Place;
use crate::wire::{Answer, LOOK, Request, ask};
use crate::{engine, lay};

/// What a command says when there is no engine.
// C: lcdstatus prints it.
const DOWN: &str = "LifeKeeper does not appear to be running.";

/// How long an engine may take to open its socket.
const START: Duration = Duration::from_mins(1);

/// Runs a command and returns its exit status.
pub(crate) fn run(words: &[String]) -> Result<u8> {
    let place = Place::find();
    let (name, rest) = words
        .split_first()
        .ok_or_else(|| Failure::Syntax("a command is missing, for instance lay".into()))?;
    match name.as_str() {
        "lay" => lay::lay(&place, rest).map(|()| 0),
        "engine" => engine::run(place.clone()).map(|()| 0).inspect_err(|cause| {
            // Nobody reads an engine's standard error.
            Entry::engine("EMERG", "", &cause.to_string()).write(&place);
        }),
        "lcduname" => print(&place.uname()),
        "lktest" => match running(&place) {
            // D: exit 0 and process lines when up; A: their form and the other status.
            Some(pid) => print(&format!("F S UID PID PPID CMD\n4 S root {pid} 1 lcd")),
            None => Ok(1),
        },
        "lkstart" => start(&place, rest),
        "lkstop" => stop(&place, words),
        _ => forward(&place, words),
    }
}

fn print(line: &str) -> Result<u8> {
    writeln!(stdout(), "{line}").map_err(Failure::io("writing to standard output"))?;
    Ok(0)
}

/// The engine's process, if it answers.
fn running(place: &Place) -> Option<String> {
    UnixStream::connect(place.socket()).ok()?;
    let pid = fs::read_to_string(place.config("lcd.pid")).ok()?;
    Some(pid.trim().to_owned())
}

/// Starts the engine; with `-w` waits until it has brought in what is its own.
fn start(place: &Place, words: &[String]) -> Result<u8> {
    let patient = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["-w"] => true,
        _ => return Err(Failure::Syntax("usage: lkstart [-w]".into())),
    };
    if running(place).is_some() {
        // A: starting twice is no error.
        return print("LifeKeeper is already running.");
    }
    Command::new("/proc/self/exe")
        .arg0(crate::NAME)
        .arg("engine")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Failure::io("starting the engine"))?;
    let begin = Instant::now();
    while running(place).is_none() {
        if begin.elapsed() > START {
            return Err(Failure::System("starting the engine: it opens no socket".into()));
        }
        thread::sleep(LOOK / 4);
    }
    while patient && !place.config("LK_INITDONE").exists() && running(place).is_some() {
        thread::sleep(LOOK / 4);
    }
    Ok(0)
}

/// Stops the engine and waits for its end.
fn stop(place: &Place, words: &[String]) -> Result<u8> {
    let Some(pid) = running(place) else {
        return print(DOWN);
    };
    let status = forward(place, words)?;
    let process = Path::new("/proc").join(pid).join("exe");
    while status == 0 && process.exists() {
        thread::sleep(LOOK / 4);
    }
    Ok(status)
}

/// Has the engine perform a command.
fn forward(place: &Place, words: &[String]) -> Result<u8> {
    let Ok(stream) = UnixStream::connect(place.socket()) else {
        return Err(Failure::Communication(DOWN.into()));
    };
    let mut reply = |answer| {
        // A reader that has gone away does not stop the command.
        let _ = match answer {
            Answer::Out(text) => stdout().write_all(text.as_bytes()),
            Answer::Err(text) => stderr().write_all(text.as_bytes()),
            Answer::Beat(_) | Answer::Exit(_) => Ok(()),
        };
        let _ = stdout().flush();
    };
    let request = Request::Command(words.to_vec());
    ask(&stream, &request, &mut reply, &|| true).map_err(Failure::io("asking the engine"))
}
