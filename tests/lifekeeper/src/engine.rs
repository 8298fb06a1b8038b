//! The engine: one process per node that owns the state, answers commands and keeps watch.
//!
//! It is the state's only writer. When it starts it asks its peer first, so that what moved away
//! while it was down does not run twice.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};
use std::{env, process, thread};

use crate::action::{Action, Outcome, perform};
use crate::admin::{self, AdminLock};
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::options::Options;
use crate::place::Place;
use crate::state::{CommPath, Condition};
use crate::wire::{Answer, LOOK, PORT, Reply, Request, receive, send};
use crate::{check, commands, heartbeat, hierarchy, remote};

/// How long an address that is not there yet is waited for between two tries.
const RETRY: Duration = Duration::from_millis(200);

/// Runs the engine until it is told to stop.
///
/// # Errors
///
/// [`Failure::System`] when it cannot start; [`Failure::Exists`] when one runs already.
pub(crate) fn run(place: Place) -> Result<()> {
    // A caller that already leads a session keeps it.
    let _ = nix::unistd::setsid();
    env::set_current_dir("/").map_err(Failure::io("entering /"))?;
    let pid_file = place.config("lcd.pid");
    let doing = || format!("opening {}", pid_file.display());
    let file = File::options().create(true).write(true).truncate(false).open(&pid_file);
    let mut file = file.map_err(Failure::io(doing()))?;
    file.try_lock().map_err(|_| Failure::Exists("LifeKeeper is already running".into()))?;
    let pid = format!("{}\n", process::id());
    let written = file.set_len(0).and_then(|()| file.write_all(pid.as_bytes()));
    written.map_err(Failure::io(doing()))?;

    let node: &'static Node = Box::leak(Box::new(Node::load(place)?));
    // What was in service before is down or to be proven: restore is harmless to what is up.
    node.change(|state| {
        for resource in &mut state.resources {
            if resource.state.in_service() {
                resource.state = Condition::OSU;
            }
        }
        Ok(())
    })?;
    let _ = fs::remove_file(node.place.config("LK_INITDONE"));
    serve_commands(node)?;
    for path in node.state().paths {
        open(node, path);
    }
    node.log("NOTIFY", "", "LifeKeeper starts");
    initialize(node);
    if !node.leaving() {
        // C: the marker of a finished start.
        fs::write(node.place.config("LK_INITDONE"), "")
            .map_err(Failure::io("marking the start"))?;
        // A check that hangs must not keep the engine from ending.
        thread::spawn(|| check::watch(node));
    }
    while node.place.socket().exists() {
        thread::sleep(RETRY);
    }
    // Whoever asked for the end is still to be answered.
    thread::sleep(RETRY);
    Ok(())
}

/// Brings in service what this node had, unless the peer has it.
fn initialize(node: &Node) {
    let begin = Instant::now();
    let waiting = || node.state().systems.iter().any(|system| !node.alive(system));
    while waiting() && begin.elapsed() < node.place.beat_limit() && !node.leaving() {
        thread::sleep(LOOK / 2);
    }
    let Ok(_lock) = AdminLock::take(node, "initialize") else {
        return node.log("ERROR", "", "starting: the administrative lock is held");
    };
    let state = node.state();
    let mut ours = Vec::new();
    for resource in state.resources.iter().filter(|resource| resource.wanted) {
        let tag = &resource.tag;
        // D: AUTOMATIC switchback brings it home. A: at the start of the node with the higher
        // priority, and that INTELLIGENT leaves it where it is.
        let stays = resource.other.as_ref().filter(|other| {
            let home = resource.switchback == "AUTOMATIC" && resource.priority < other.priority;
            node.up_there(other) && !home
        });
        if let Some(other) = stays {
            let reason = format!("in service on \"{}\"", other.system);
            node.log("NOTIFY", tag, &format!("\"{tag}\" is {reason}"));
            let _ = node.set(tag, Condition::OSU, &reason);
        } else {
            ours.push(tag.clone());
        }
    }
    for root in state.roots(&ours) {
        if let Err(cause) = hierarchy::restore(node, &root, &mut |_| ()) {
            node.log("ERROR", &root, &format!("initializing \"{root}\": {cause}"));
        }
    }
}

/// Listens and beats on a communication path from now on.
pub(crate) fn open(node: &'static Node, path: CommPath) {
    let local = path.local.clone();
    thread::spawn(move || {
        while !node.leaving() {
            // Another path may listen here already, or the address comes later.
            let Ok(listener) = TcpListener::bind((local.as_str(), PORT)) else {
                thread::sleep(RETRY);
                continue;
            };
            for stream in listener.incoming().flatten() {
                let _ = stream.set_nodelay(true);
                thread::spawn(move || serve(node, &stream));
            }
        }
    });
    thread::spawn(move || heartbeat::watch(node, &path));
}

/// Takes commands on the socket in LKROOT.
fn serve_commands(node: &'static Node) -> Result<()> {
    let path = node.place.socket();
    let _ = fs::remove_file(&path);
    let doing = format!("listening on {}", path.display());
    let listener = UnixListener::bind(&path).map_err(Failure::io(doing))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(node, &stream));
        }
    });
    Ok(())
}

/// Answers one request.
fn serve<S>(node: &'static Node, stream: &S)
where
    for<'a> &'a S: Read + Write,
{
    let Ok(request) = receive(stream) else { return };
    if node.leaving() && matches!(request, Request::Beat(_)) {
        return;
    }
    // A caller that has gone away does not stop what it began.
    let mut reply = |answer: Answer| drop(send(stream, &answer));
    let status = match answer(node, request, &mut reply) {
        Ok(()) => 0,
        Err(Failure::Status(status)) => status,
        Err(failure) => {
            reply(Answer::Err(format!("{failure}\n")));
            failure.exit()
        }
    };
    reply(Answer::Exit(status));
}

fn answer(node: &'static Node, request: Request, reply: &mut Reply<'_>) -> Result<()> {
    match request {
        Request::Command(words) => commands::perform(node, &words, reply)?,
        Request::Restore(tag) => hierarchy::restore(node, &tag, reply)?,
        Request::Remove(tag) => hierarchy::remove(node, &tag, reply)?,
        Request::Adopt(resource) => node.change(|state| state.add(resource))?,
        Request::Store { path, mode, bytes } => remote::store(node, &path, mode, &bytes)?,
        Request::Beat(beat) => {
            heartbeat::hear(node, &beat);
            reply(Answer::Beat(node.beat()));
        }
        Request::Lock(flag) if admin::take_here(node, &flag) => (),
        Request::Lock(_) => return Err(Failure::Exists("the lock is held".into())),
        Request::Unlock(flag) => admin::give_back(node, &flag),
        Request::Leave(beat) => heartbeat::leave(node, &beat),
    }
    Ok(())
}

/// `lkstop [-f|-n|-r]`: tells the peer, and takes resources out unless `-f` leaves them running.
pub(crate) fn stop(node: &Node, options: &Options, _: &mut Reply<'_>) -> Result<()> {
    // D: -f leaves the applications running. A: -n and -r as none.
    if !options.has('f') {
        let _lock = AdminLock::take(node, "stop")?;
        // A: the peer does not take over, and the next start brings these back here.
        for tag in node.state().all() {
            let resource = node.resource(&tag)?;
            if resource.state.in_service()
                && perform(node, &resource, Action::Remove, &mut |_| ()) == Outcome::Success
            {
                node.change(|state| {
                    state.resource_mut(&tag)?.state = Condition::OSU;
                    Ok(())
                })?;
            }
        }
    }
    node.live(|live| live.leaving = true);
    for system in node.state().systems {
        let _ = node.ask(&system, &Request::Leave(node.beat()), &mut |_| ());
    }
    node.log("NOTIFY", "", "LifeKeeper stops");
    let _ = fs::remove_file(node.place.config("LK_INITDONE"));
    let _ = fs::remove_file(node.place.socket());
    Ok(())
}
