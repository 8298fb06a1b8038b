//! The `dep_*` and `eqv_*` commands: what needs what, and what stands for what on the other system.

#![expect(clippy::unnecessary_wraps, reason = "all LCDI commands have one signature")]

use crate::error::{Failure, Result};
use crate::node::Node;
use crate::options::Options;
use crate::state::{Dependency, Resource};
use crate::wire::{Reply, say};

/// `dep_create -p PARENT -c CHILD`: on this system only.
pub(crate) fn dep_create(node: &Node, options: &Options, _: &mut Reply<'_>) -> Result<()> {
    let (parent, child) = (options.need('p')?.to_owned(), options.need('c')?.to_owned());
    node.change(|state| {
        // D: both must exist on that system.
        state.resource(&parent)?;
        state.resource(&child)?;
        if state.below(&child).contains(&parent) {
            return Err(Failure::Illegal(format!("\"{child}\" depends on \"{parent}\"")));
        }
        let new = Dependency { parent, child };
        if state.dependencies.contains(&new) {
            return Err(Failure::Exists("the dependency already exists".into()));
        }
        state.dependencies.push(new);
        Ok(())
    })
}

/// `dep_remove -p PARENT -c CHILD`.
pub(crate) fn dep_remove(node: &Node, options: &Options, _: &mut Reply<'_>) -> Result<()> {
    let old =
        Dependency { parent: options.need('p')?.to_owned(), child: options.need('c')?.to_owned() };
    node.change(|state| {
        let at = state.dependencies.iter().position(|edge| *edge == old);
        let at = at.ok_or_else(|| Failure::Absent("the dependency does not exist".into()))?;
        state.dependencies.remove(at);
        Ok(())
    })
}

/// `dep_list [-fC] [-p PARENT] [-c CHILD]`.
pub(crate) fn dep_list(node: &Node, options: &Options, reply: &mut Reply<'_>) -> Result<()> {
    for Dependency { parent, child } in node.state().dependencies {
        if options.admit('p', &parent) && options.admit('c', &child) {
            // A: parent, then child.
            say(reply, options.join(&[&parent, &child]));
        }
    }
    Ok(())
}

/// `eqv_list [-t TAG] [-e SHARED] [-fC]`.
pub(crate) fn eqv_list(node: &Node, options: &Options, reply: &mut Reply<'_>) -> Result<()> {
    let mut extended = node.state().resources;
    extended.retain(|resource| resource.other.is_some() && options.admit('t', &resource.tag));
    if let (Some(tag), true) = (options.get('t'), extended.is_empty()) {
        // C: not 0 when not extended.
        return Err(Failure::Absent(format!("resource \"{tag}\" is not extended")));
    }
    for Resource { tag, priority, other, .. } in &extended {
        let Some(other) = other else { continue };
        // C: the other system and tag are the fields 2 and 3. A: all others, and SHARED only.
        let (here, there) = (priority.to_string(), other.priority.to_string());
        let fields = [&node.name, tag, &other.system, &other.tag, &here, &there, "SHARED"];
        say(reply, options.join(&fields));
    }
    Ok(())
}
