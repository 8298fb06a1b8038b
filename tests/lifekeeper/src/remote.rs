//! Commands, by `lcdremexec`, and files over the communication paths.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use crate::error::{Failure, Result};
use crate::node::{Node, hold};
use crate::options::Options;
use crate::script::{Errors, PROGRAMS, Running};
use crate::wire::{Reply, Request};

/// `lcdremexec [-e] -d DEST [-t SECONDS] -- CMD ARGS`, performed by the destination.
pub(crate) fn lcdremexec(node: &Node, options: &Options, reply: &mut Reply<'_>) -> Result<()> {
    // D: the synopsis, the remote status, merged output unless -e, the shell on this node.
    options.need('d')?;
    let limit = match options.get('t').map(str::parse) {
        None => node.place.remote_limit(),
        Some(Ok(seconds)) => Duration::from_secs(seconds),
        Some(Err(_)) => return Err(Failure::Syntax("-t takes seconds".into())),
    };
    if options.rest.is_empty() {
        return Err(Failure::Syntax("usage: lcdremexec [-e] -d DEST [-t SECONDS] -- CMD".into()));
    }
    let errors = if options.has('e') { Errors::Apart } else { Errors::Merged };
    // A: the words are joined by blanks and go to the shell there as well.
    let line = options.rest.join(" ");
    let running = Running::shell(&line, &node.place.root, errors);
    let ended = running.and_then(|running| running.follow(limit, reply));
    let doing = format!("running {line}");
    match ended.map_err(Failure::io(doing.as_str()))? {
        Some(status) if status.success() => Ok(()),
        Some(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            Err(Failure::Status(code.unwrap_or(1)))
        }
        // A: the status and the words of a time-out.
        None => Err(Failure::System(format!("{doing}: it took too long"))),
    }
}

/// Copies a file with its permissions to a system, which may be this one.
pub(crate) fn copy(node: &Node, from: &Path, system: &str, to: &Path) -> Result<()> {
    let doing = || format!("copying {} to {system}:{}", from.display(), to.display());
    let read = fs::read(from).and_then(|bytes| Ok((bytes, fs::metadata(from)?)));
    let (bytes, metadata) = read.map_err(Failure::io(doing()))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if system == node.name {
        return store(node, to, mode, &bytes);
    }
    let request = Request::Store { path: to.to_owned(), mode, bytes };
    match node.ask(system, &request, &mut |_| ())? {
        0 => Ok(()),
        _ => Err(Failure::System(format!("{}: it cannot be written there", doing()))),
    }
}

/// Writes a file with its permissions; the old one may be a script that runs, and is let go.
pub(crate) fn store(node: &Node, path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    // A path that is not absolute is below this node's LKROOT.
    let path = node.place.root.join(path);
    let write = || -> io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let _alone = hold(&PROGRAMS);
        let _ = fs::remove_file(&path);
        let mut file = File::options().create_new(true).write(true).mode(mode).open(&path)?;
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))
    };
    write().map_err(Failure::io(format!("writing {}", path.display())))
}
