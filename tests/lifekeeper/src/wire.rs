//! What is said over the engine's socket and between the nodes: one line of JSON each.
//!
//! A request is one line; answers follow until an exit status ends them. Nobody is asked who they
//! are: whoever reaches the port runs commands as root, so it belongs in a test's network only.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::state::Resource;

/// The port of the communication paths.
// D: 7365/tcp.
pub(crate) const PORT: u16 = 7365;

/// How often a reader looks whether it should still wait.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// What is asked of an engine.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Request {
    /// Perform a command.
    Command(Vec<String>),
    /// Bring a resource into service, as a step of an operation that holds the lock.
    Restore(String),
    /// Take a resource out of service, as such a step.
    Remove(String),
    /// Make a resource that is extended to this node.
    Adopt(Resource),
    /// Write a file; a path that is not absolute is below LKROOT.
    Store { path: PathBuf, mode: u32, bytes: Vec<u8> },
    /// A heartbeat, which is answered with one.
    Beat(Beat),
    /// Take the administrative lock here.
    Lock(String),
    /// Give the administrative lock back.
    Unlock(String),
    /// A peer stops on purpose: its silence is no death.
    Leave(Beat),
}

/// What an engine answers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Answer {
    /// Text for standard output.
    Out(String),
    /// Text for standard error.
    Err(String),
    /// The answer to a heartbeat.
    Beat(Beat),
    /// The end, and the exit status.
    Exit(u8),
}

/// What a node says of itself in a heartbeat.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Beat {
    pub(crate) system: String,
    /// When its engine started, in milliseconds; tells one run from the next.
    pub(crate) incarnation: u64,
    /// The tags of what it has in service.
    pub(crate) in_service: Vec<String>,
}

/// Where the answers to a request go.
pub(crate) type Reply<'a> = dyn FnMut(Answer) + 'a;

/// Answers with a line for standard output.
pub(crate) fn say(reply: &mut Reply<'_>, line: impl Into<String>) {
    reply(Answer::Out(line.into() + "\n"));
}

/// Connects to a node; its kernel answers even where its engine is slow.
pub(crate) fn connect(address: &str, limit: Duration) -> io::Result<TcpStream> {
    let address = address.parse().map_err(io::Error::other)?;
    let stream = TcpStream::connect_timeout(&SocketAddr::new(address, PORT), limit)?;
    stream.set_read_timeout(Some(LOOK))?;
    stream.set_write_timeout(Some(limit))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Writes one message.
pub(crate) fn send(mut stream: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Reads a request.
pub(crate) fn receive(stream: impl Read) -> io::Result<Request> {
    let mut line = Vec::new();
    BufReader::new(stream).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}

/// Sends a request and passes the answers on; returns the exit status.
///
/// # Errors
///
/// Any error of the stream, its early end, and [`ErrorKind::TimedOut`] once `patient` says no. The
/// stream must have a read time-out for that.
pub(crate) fn ask<S>(
    stream: &S,
    request: &Request,
    reply: &mut Reply<'_>,
    patient: &dyn Fn() -> bool,
) -> io::Result<u8>
where
    for<'a> &'a S: Read + Write,
{
    send(stream, request)?;
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        match reader.read_until(b'\n', &mut line) {
            Ok(_) if line.ends_with(b"\n") => {
                match serde_json::from_slice(&line)? {
                    Answer::Exit(status) => return Ok(status),
                    answer => reply(answer),
                }
                line.clear();
            }
            Ok(_) => return Err(ErrorKind::UnexpectedEof.into()),
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => {
                if !patient() {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(cause) => return Err(cause),
        }
    }
}
