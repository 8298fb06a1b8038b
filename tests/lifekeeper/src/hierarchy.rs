//! Bringing hierarchies into service and taking them out.
//!
//! What is needed comes first on the way in and last on the way out. A resource that is in service
//! elsewhere is taken out there before it is brought in here, so that it is never up twice. Whoever
//! calls a function here holds the administrative lock.

use crate::action::{Action, Outcome, perform};
use crate::admin::AdminLock;
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::options::Options;
use crate::state::Condition;
use crate::wire::{Reply, Request, say};

/// `perform_action [-G] [-s] [-b] [-n] -t TAG -a restore|remove [-- args]`.
pub(crate) fn command(node: &Node, options: &Options, reply: &mut Reply<'_>) -> Result<()> {
    // D: the synopsis. A: -s and -b both mean no farther than below; -G and -n nothing.
    let (tag, action) = (options.need('t')?, options.need('a')?);
    node.resource(tag)?;
    let _lock = AdminLock::take(node, tag)?;
    match action {
        "restore" if options.has('s') || options.has('b') => bring_in(node, tag, reply),
        "restore" => restore(node, tag, reply),
        "remove" => remove(node, tag, reply),
        _ => Err(Failure::Illegal(format!("action {action} of \"{tag}\" is unknown"))),
    }
}

/// Brings a resource into service, with all below it and all above it.
///
/// Nothing happens when it is in service.
///
/// # Errors
///
/// [`Failure::System`] when a script fails; its resource is then OSF and the rest stays as it is.
/// Also when a counterpart cannot be taken out: then nothing more is done.
pub(crate) fn restore(node: &Node, tag: &str, reply: &mut Reply<'_>) -> Result<()> {
    // D: nothing if already ISP; below first; the hierarchy above as well.
    if node.resource(tag)?.state.in_service() {
        say(reply, format!("resource \"{tag}\" is already in service"));
        return Ok(());
    }
    bring_in(node, tag, reply)?;
    let above = node.state().above(tag);
    above.iter().rev().try_for_each(|parent| bring_in(node, parent, reply))
}

/// Brings a resource into service, with all below it only.
fn bring_in(node: &Node, tag: &str, reply: &mut Reply<'_>) -> Result<()> {
    for tag in node.state().below(tag).iter().rev() {
        let resource = node.resource(tag)?;
        if resource.state.in_service() {
            continue;
        }
        if let Some(other) = resource.other.as_ref().filter(|other| node.up_there(other)) {
            // D: a counterpart that is active elsewhere is removed there first.
            node.step(&other.system, &Request::Remove(other.tag.clone()), reply)?;
        }
        if perform(node, &resource, Action::Restore, reply) != Outcome::Success {
            // D: a failed restore makes the resource OSF and the operation stops.
            node.set(tag, Condition::OSF, "restore action has failed")?;
            return Err(Failure::System(format!("restore of \"{tag}\" has failed")));
        }
        // C: the reason's words.
        node.set(tag, Condition::ISP, "restore action has succeeded")?;
    }
    Ok(())
}

/// Takes a resource out of service, after all above it.
///
/// Nothing happens to what is out of service on purpose.
///
/// # Errors
///
/// [`Failure::System`] when a script fails; no further resource is touched.
pub(crate) fn remove(node: &Node, tag: &str, reply: &mut Reply<'_>) -> Result<()> {
    node.resource(tag)?;
    // D: remove acts on everything above, parents first.
    for tag in node.state().above(tag) {
        let resource = node.resource(&tag)?;
        if resource.state == Condition::OSU {
            continue;
        }
        if perform(node, &resource, Action::Remove, reply) != Outcome::Success {
            // D twice over: the FAQ says that the states stay, the kit's reference document that
            // the resource becomes OSF. A: the first, unless the defaults file has this key.
            if node.place.key("STANDIN_FAILED_REMOVE").as_deref() == Some("OSF") {
                node.set(&tag, Condition::OSF, "remove action has failed")?;
            }
            return Err(Failure::System(format!("remove of \"{tag}\" has failed")));
        }
        node.set(&tag, Condition::OSU, "remove action has succeeded")?;
    }
    Ok(())
}
