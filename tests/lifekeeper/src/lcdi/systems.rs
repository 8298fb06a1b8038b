//! The `sys_*` and `net_*` commands: systems and the paths to them.

#![expect(clippy::unnecessary_wraps, reason = "all LCDI commands have one signature")]

use std::net::IpAddr;

use crate::engine;
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::options::Options;
use crate::state::CommPath;
use crate::wire::{Reply, say};

/// `sys_create -d ME -s REMOTE`.
pub(crate) fn sys_create(node: &Node, options: &Options, _: &mut Reply<'_>) -> Result<()> {
    let system = options.need('s')?.to_owned();
    node.change(|state| {
        if system == node.name || state.systems.contains(&system) {
            return Err(Failure::Exists(format!("system \"{system}\" already exists")));
        }
        state.systems.push(system);
        Ok(())
    })
}

/// `sys_list`: this system, then the others.
// A: the order and that a line is a name.
pub(crate) fn sys_list(node: &Node, _: &Options, reply: &mut Reply<'_>) -> Result<()> {
    say(reply, node.name.as_str());
    for system in node.state().systems {
        say(reply, system);
    }
    Ok(())
}

/// `sys_getst -s SYSTEM`.
pub(crate) fn sys_getst(node: &Node, options: &Options, reply: &mut Reply<'_>) -> Result<()> {
    let system = options.need('s')?;
    if system != node.name && !node.state().systems.iter().any(|known| known == system) {
        return Err(Failure::Absent(format!("system \"{system}\" does not exist")));
    }
    // D: the two words. A: that they are printed, and nothing else, with exit status 0.
    say(reply, node.system_state(system));
    Ok(())
}

/// `net_create -d ME -n TCP -r REMOTEIP -l LOCALIP -s REMOTE [-p PRIORITY]`.
pub(crate) fn net_create(node: &'static Node, options: &Options, _: &mut Reply<'_>) -> Result<()> {
    if options.need('n')? != "TCP" {
        return Err(Failure::Illegal("-n: TCP is the only device played".into()));
    }
    let address = |letter| {
        let text = options.need(letter)?;
        let parsed: std::result::Result<IpAddr, _> = text.parse();
        parsed.map_err(|_| Failure::Illegal(format!("-{letter}: {text} is no address")))
    };
    let path = CommPath {
        system: options.need('s')?.to_owned(),
        local: address('l')?.to_string(),
        remote: address('r')?.to_string(),
        priority: options.get('p').and_then(|text| text.parse().ok()).unwrap_or(1),
    };
    node.change(|state| {
        if !state.systems.contains(&path.system) {
            return Err(Failure::Absent(format!("system \"{}\" does not exist", path.system)));
        }
        if state.paths.iter().any(|old| (&old.local, &old.remote) == (&path.local, &path.remote)) {
            return Err(Failure::Exists("the communication path already exists".into()));
        }
        state.paths.push(path.clone());
        Ok(())
    })?;
    engine::open(node, path);
    Ok(())
}

/// `net_list [-s SYSTEM]`.
pub(crate) fn net_list(node: &Node, options: &Options, reply: &mut Reply<'_>) -> Result<()> {
    for path in node.state().paths.iter().filter(|path| options.admit('s', &path.system)) {
        // C: field 2 is laddr/raddr (counted from 0, as in the other lists: A). A: the rest.
        let ends = format!("{}/{}", path.local, path.remote);
        let priority = path.priority.to_string();
        let fields = [&path.system, "TCP", &ends, node.path_state(path), &priority];
        say(reply, options.join(&fields));
    }
    Ok(())
}
