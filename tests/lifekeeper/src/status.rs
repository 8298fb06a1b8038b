//! `lcdstatus`: what people read.

use crate::error::Result;
use crate::node::Node;
use crate::options::Options;
use crate::state::{Resource, State};
use crate::wire::{Reply, say};

/// `lcdstatus [-q] [-e] [-r ROOT] [-u]`.
pub(crate) fn show(node: &Node, options: &Options, reply: &mut Reply<'_>) -> Result<()> {
    let state = node.state();
    let roots = match options.get('r') {
        Some(root) => vec![state.resource(root)?.tag.clone()],
        None => state.roots(&state.all()),
    };
    if options.has('q') || options.has('e') {
        let backup = if options.has('e') { "  BACKUP" } else { "" };
        // C: the header, and how children are indented. A: the widths, and what -e and -u add.
        say(reply, format!("LOCAL      TAG        ID         STATE     PRIO  PRIMARY{backup}"));
        for root in &roots {
            row(node, &state, root, 0, options, reply)?;
        }
        say(reply, "");
        say(reply, "MACHINE  NETWORK ADDRESSES/DEVICE            STATE     PRIO");
        for path in &state.paths {
            let (ends, alive) = (path.ends(), node.path_state(path));
            let (system, priority) = (&path.system, path.priority);
            say(reply, format!("{system:<7}  TCP     {ends:<27} {alive:<9} {priority}"));
        }
        return Ok(());
    }
    for root in &roots {
        say(reply, "ROOT of RESOURCE HIERARCHY");
        for tag in state.below(root) {
            long(&state, state.resource(&tag)?, reply);
        }
    }
    say(reply, "The following LifeKeeper machines are known:");
    for system in std::iter::once(&node.name).chain(&state.systems) {
        say(reply, format!("        machine={system}      state={}", node.system_state(system)));
    }
    if !state.flags.is_empty() {
        say(reply, "The following LifeKeeper flags are on:");
        state.flags.iter().for_each(|flag| say(reply, format!("        {flag}")));
    }
    // D: the sentence with its other value. A: this one.
    say(reply, "The shutdown strategy is set to: do not switchover.");
    Ok(())
}

/// A line of the short form, and those of what is below.
fn row(
    node: &Node,
    state: &State,
    tag: &str,
    depth: usize,
    options: &Options,
    reply: &mut Reply<'_>,
) -> Result<()> {
    let Resource { id, state: condition, priority, other, .. } = state.resource(tag)?;
    let local = node.name.as_str();
    let (primary, backup) = match other {
        None => (local, ""),
        Some(other) if other.priority < *priority => (other.system.as_str(), local),
        Some(other) => (local, other.system.as_str()),
    };
    let backup = if options.has('e') { format!("  {backup}") } else { String::new() };
    let shown = format!("{}{tag}", "  ".repeat(depth));
    let state_word = condition.word();
    let line = format!(
        "{local:<9}  {shown:<9}  {id:<9}  {state_word:<7} {priority:>6}  {primary}{backup}"
    );
    say(reply, line.trim_end());
    let children = state.children(tag);
    children.iter().try_for_each(|child| row(node, state, child, depth + 1, options, reply))
}

/// A resource in the long form.
fn long(state: &State, resource: &Resource, reply: &mut Reply<'_>) {
    // D: the lines and their order.
    let Resource { app, kind, tag, id, info, reason, .. } = resource;
    say(reply, format!("{tag}: id={id} app={app} type={kind} state={}", resource.state.word()));
    // A: every resource is AUTORES_ISP.
    let init = "(AUTORES_ISP) automatic restore to IN-SERVICE by LifeKeeper";
    say(reply, format!("        initialize={init}"));
    say(reply, format!("        info={info}"));
    say(reply, format!("        reason={reason}"));
    let (children, parents) = (state.children(tag), state.parents(tag));
    if !children.is_empty() {
        say(reply, format!("        depends on resources: {}", children.join(",")));
    }
    if !parents.is_empty() {
        say(reply, format!("        these resources are dependent: {}", parents.join(",")));
    }
    say(reply, format!("        Local priority = {}", resource.priority));
    if let Some(other) = &resource.other {
        let there = format!("\"{}\" on \"{}\"", other.tag, other.system);
        let priority = other.priority;
        say(reply, format!("        SHARED equivalency with {there}, priority = {priority}"));
        say(reply, "                FAILOVER ALLOWED");
    }
}
