//! The `ins_*` commands: resources.

use std::collections::BTreeSet;
use std::fs;

use crate::creapphier::ACTIONS;
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::options::Options;
use crate::state::{Condition, Resource, State};
use crate::wire::{Reply, say};

/// `ins_create -a APP -r TYPE [-I INIT] [-v INFO] [-s SWITCHBACK] -t TAG -i ID`.
// A: -I does nothing; every resource is AUTORES_ISP.
pub(crate) fn create(node: &Node, options: &Options, _: &mut Reply<'_>) -> Result<()> {
    let (app, kind, tag) = (options.need('a')?, options.need('r')?, options.need('t')?);
    let fields = [app, kind, tag, options.need('i')?, options.get('v').unwrap_or_default()];
    let resource = Resource::new(fields, options.get('s').unwrap_or("INTELLIGENT"));
    node.change(|state| state.add(resource))
}

/// `ins_list [-fC] [-R TOP] [-a APP] [-r TYPE] [-t TAG] [-i ID]`.
pub(crate) fn list(node: &Node, options: &Options, reply: &mut Reply<'_>) -> Result<()> {
    for resource in select(&node.state(), options)? {
        let Resource { app, kind, tag, id, info, reason, switchback, .. } = &resource;
        let (state, priority) = (resource.state.word(), resource.priority.to_string());
        // C: system, app, type, tag, id, info, state. A: the fields after them.
        let known: [&str; 7] = [&node.name, app, kind, tag, id, info, &state];
        let fields = [&known[..], &[reason, "AUTORES_ISP", switchback, &priority]].concat();
        say(reply, options.join(&fields));
    }
    Ok(())
}

/// The options that narrow down which resources are meant.
const SELECTORS: [char; 5] = ['R', 'a', 'r', 't', 'i'];

/// The resources that the options mean; all if there are no options.
fn select(state: &State, options: &Options) -> Result<Vec<Resource>> {
    let mut found = state.resources.clone();
    found.retain(|resource| {
        options.get('R').is_none_or(|top| state.below(top).contains(&resource.tag))
            && options.admit('a', &resource.app)
            && options.admit('r', &resource.kind)
            && options.admit('t', &resource.tag)
            && options.admit('i', &resource.id)
    });
    match SELECTORS.iter().find_map(|letter| options.get(*letter)) {
        // C: not 0 when absent; D: 7 means so; A: that it is 7 here.
        Some(what) if found.is_empty() => {
            Err(Failure::Absent(format!("resource \"{what}\" does not exist")))
        }
        _ => Ok(found),
    }
}

/// `ins_setstate -t TAG -S ISP|ISU|OSU [-R REASON] [-A]`: no script runs.
pub(crate) fn setstate(node: &Node, options: &Options, _: &mut Reply<'_>) -> Result<()> {
    // D: OSF cannot be set by hand.
    let state = match options.need('S')? {
        "ISP" => Condition::ISP,
        "ISU" => Condition::ISU,
        "OSU" => Condition::OSU,
        other => return Err(Failure::Illegal(format!("state {other} cannot be set"))),
    };
    node.set(options.need('t')?, state, options.get('R').unwrap_or_default())
}

/// `ins_remove [-R ROOT] [-a APP] [-r TYPE] [-t TAG] [-i ID] [-v] …`: with all that depends on it.
pub(crate) fn remove(node: &Node, options: &Options, reply: &mut Reply<'_>) -> Result<()> {
    if !SELECTORS.iter().any(|letter| options.has(*letter)) {
        return Err(Failure::Syntax("what to remove is missing".into()));
    }
    // D: everything that depends on it goes as well.
    let state = node.state();
    let meant = select(&state, options)?;
    let tags: BTreeSet<String> =
        meant.iter().flat_map(|resource| state.above(&resource.tag)).collect();
    let tags = Vec::from_iter(tags);
    delete(node, &tags)?;
    for tag in tags.into_iter().filter(|_| options.has('v')) {
        say(reply, tag);
    }
    Ok(())
}

/// Deletes resources from this node, with their relations and the copies of their scripts.
// A: that the copies go, and that no remove script runs.
pub(crate) fn delete(node: &Node, tags: &[String]) -> Result<()> {
    node.change(|state| {
        state.resources.retain(|resource| !tags.contains(&resource.tag));
        state
            .dependencies
            .retain(|edge| !tags.contains(&edge.parent) && !tags.contains(&edge.child));
        Ok(())
    })?;
    for tag in tags {
        for action in ACTIONS {
            let _ = fs::remove_file(node.place.script(action, tag));
        }
    }
    Ok(())
}
