//! Extending a hierarchy to the other system, over the communication path.
//!
//! Only instances, dependencies, equivalencies and the registered scripts travel: whether the
//! target has what the scripts need, nobody checks.

use crate::admin::AdminLock;
use crate::commands::words;
use crate::creapphier::ACTIONS;
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::options::Options;
use crate::remote;
use crate::state::{Condition, Counterpart, Resource};
use crate::wire::{Reply, Request, say};

/// `extmgrDoExtend.pl -p1 -f, TAG SYSTEM PRIORITY SWITCHBACK BUNDLE`: extends the hierarchy around
/// a resource, as far as it is not on the target yet.
///
/// # Errors
///
/// [`Failure::Illegal`] unless the resource is ISP, [`Failure::Exists`] when nothing is left to
/// extend, [`Failure::Communication`] when the target is not alive, and its own refusals.
pub(crate) fn command(node: &Node, options: &Options, reply: &mut Reply<'_>) -> Result<()> {
    // C: the command line.
    let rest: Vec<&str> = options.rest.iter().map(String::as_str).collect();
    let &[tag, system, target_priority, switchback, bundle] = rest.as_slice() else {
        return Err(Failure::Syntax(
            "usage: extmgrDoExtend.pl -p1 -f, TAG SYSTEM PRIORITY SWITCHBACK BUNDLE".into(),
        ));
    };
    // A: the bundle of a gen/app resource is "TAG","INFO"; what is empty is as here.
    let mut fields = bundle.split(options.get('f').unwrap_or(","));
    let mut next = || fields.next().unwrap_or_default().trim_matches('"');
    let extension = Extension {
        tag,
        system,
        switchback,
        priority: number(options.get('p').unwrap_or("1"))?,
        target_priority: number(target_priority)?,
        target_tag: next(),
        target_info: next(),
    };
    let resource = node.resource(tag)?;
    let _lock = AdminLock::take(node, tag)?;
    // C: the lines, in their order. A: those of a refusal.
    say(reply, "Building independent resource list");
    say(reply, "Checking existence of extend and canextend scripts");
    say(reply, format!("Checking extendability for {tag}"));
    // C and D: the template must be in service.
    if resource.state != Condition::ISP {
        return Err(Failure::Illegal(format!("\"{tag}\" is not in service")));
    }
    if system == node.name || !node.alive(system) {
        return Err(Failure::unreachable(system));
    }
    let state = node.state();
    let mut todo = state.hierarchy(tag);
    todo.retain(|tag| state.resource(tag).is_ok_and(|resource| resource.other.is_none()));
    if todo.is_empty() {
        return Err(Failure::Exists(format!("\"{tag}\" is already extended to \"{system}\"")));
    }
    say(reply, "Pre Extend checks were successful");
    say(reply, format!("Extending resource instances for {tag}"));
    for one in todo.iter().rev() {
        say(reply, format!("BEGIN extend of \"{one}\""));
        if let Err(failure) = replicate(node, state.resource(one)?, &extension, reply) {
            say(reply, format!("END failed extend of \"{one}\""));
            return Err(failure);
        }
        say(reply, format!("END successful extend of \"{one}\""));
    }
    say(reply, "Creating dependencies");
    let state = node.state();
    for edge in &state.dependencies {
        if todo.contains(&edge.parent) || todo.contains(&edge.child) {
            let (parent, child) = (state.there(&edge.parent), state.there(&edge.child));
            let create = words(&["dep_create", "-p", parent, "-c", child]);
            node.step(system, &Request::Command(create), reply)?;
        }
    }
    for line in [
        "Setting switchback type for hierarchy",
        "Creating equivalencies",
        &format!("LifeKeeper Admin Lock ({tag}) Released"),
        "Hierarchy successfully extended",
        "Verifying Integrity of Extended Hierarchy",
        &format!("Examining hierarchy on {system}"),
        "Hierarchy Verification Finished",
    ] {
        say(reply, line);
    }
    Ok(())
}

/// How resources are extended.
struct Extension<'a> {
    tag: &'a str,
    system: &'a str,
    switchback: &'a str,
    priority: u32,
    target_priority: u32,
    target_tag: &'a str,
    target_info: &'a str,
}

/// Reads a priority.
fn number(text: &str) -> Result<u32> {
    // D: 1 to 1024.
    let number = text.parse().ok().filter(|number| (1..=1024).contains(number));
    number.ok_or_else(|| Failure::Illegal(format!("priority {text} is not 1 to 1024")))
}

/// Makes one resource on the target, with its scripts, and the equivalency on both.
fn replicate(
    node: &Node,
    resource: &Resource,
    extension: &Extension<'_>,
    reply: &mut Reply<'_>,
) -> Result<()> {
    let (tag, system, priority) = (&resource.tag, extension.system, extension.priority);
    let target_priority = extension.target_priority;
    let own = |given| Some(given).filter(|text: &&str| *tag == extension.tag && !text.is_empty());
    let other = own(extension.target_tag).unwrap_or(tag);
    let info = own(extension.target_info).unwrap_or(&resource.info);
    let scripted = resource.kind == "app";
    let id = if scripted { other } else { &resource.id };
    let place = [&resource.app, &resource.kind, other, id, info];
    let mut theirs = Resource::new(place, extension.switchback);
    theirs.priority = target_priority;
    theirs.other = Some(Counterpart { system: node.name.clone(), tag: tag.clone(), priority });
    node.step(system, &Request::Adopt(theirs), reply)?;
    for action in ACTIONS.iter().filter(|_| scripted) {
        // A: LKROOT is the same there; a test's two directories differ, so the path is relative to it.
        let (from, to) = (node.place.script(action, tag), node.place.script(action, other));
        let to = to.strip_prefix(&node.place.root).unwrap_or(&to);
        if from.exists() {
            remote::copy(node, &from, system, to)?;
        }
    }
    node.change(|state| {
        let ours = state.resource_mut(tag)?;
        ours.switchback = extension.switchback.to_uppercase();
        ours.priority = priority;
        ours.other = Some(Counterpart {
            system: system.to_owned(),
            tag: other.to_owned(),
            priority: target_priority,
        });
        Ok(())
    })
}
