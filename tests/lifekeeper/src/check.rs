//! The check loop, local recovery, and failover after a failure that could not be repaired.
//!
//! A quickCheck without a verdict is no fault: that is the trap a kit must not fall into. A failed
//! remove during a failover halts the node, for the other one is about to start the same thing.

use std::process::{self, Command};
use std::time::Instant;

use crate::action::{Action, Outcome, perform};
use crate::admin::AdminLock;
use crate::error::Result;
use crate::log::Entry;
use crate::node::Node;
use crate::place::ROOT;
use crate::state::Condition;
use crate::wire::{LOOK, Request};

/// Checks all resources in service at every interval until the engine ends.
pub(crate) fn watch(node: &Node) {
    let mut last = Instant::now();
    while !node.leaving() {
        if last.elapsed() < node.place.check_interval() {
            std::thread::sleep(LOOK / 2);
            continue;
        }
        last = Instant::now();
        // A: one after the other, and beside a restore or remove that runs: no lock is taken.
        for resource in node.state().resources {
            if is_protected(node, &resource.tag)
                && perform(node, &resource, Action::QuickCheck, &mut |_| ()) == Outcome::Failure
                && let Err(cause) = repair(node, &resource.tag)
            {
                node.log("ERROR", &resource.tag, &format!("recovering: {cause}"));
            }
        }
    }
}

fn is_protected(node: &Node, tag: &str) -> bool {
    !node.leaving() && node.resource(tag).is_ok_and(|now| now.state == Condition::ISP)
}

/// Recovers a resource here, once, or else fails over.
fn repair(node: &Node, tag: &str) -> Result<()> {
    let _lock = AdminLock::take(node, tag)?;
    if !is_protected(node, tag) {
        return Ok(());
    }
    // D: recover once; where it is missing or fails, failover.
    node.log("NOTIFY", tag, &format!("attempting local recovery of \"{tag}\""));
    if perform(node, &node.resource(tag)?, Action::Recover, &mut |_| ()) == Outcome::Success {
        node.log("NOTIFY", tag, &format!("local recovery of \"{tag}\" has succeeded"));
        return Ok(());
    }
    node.log("ERROR", tag, &format!("local recovery of \"{tag}\" has failed"));
    fail_over(node, tag)
}

/// Takes the hierarchy out here, from the top down, and has the other node bring it in.
fn fail_over(node: &Node, tag: &str) -> Result<()> {
    let state = node.state();
    let other = node.resource(tag)?.other.filter(|other| node.alive(&other.system));
    // D: from the top parent downwards. A: with nowhere to go, what is below stays in service.
    let going = if other.is_none() { state.above(tag) } else { state.hierarchy(tag) };
    for tag in &going {
        let resource = node.resource(tag)?;
        if resource.state == Condition::OSU {
            continue;
        }
        if perform(node, &resource, Action::Remove, &mut |_| ()) != Outcome::Success {
            halt(node, tag);
        }
        node.set(tag, Condition::OSU, "removed for failover")?;
    }
    node.set(tag, Condition::OSF, "local recovery has failed")?;
    let Some(other) = other else {
        node.log("ERROR", tag, &format!("failover of \"{tag}\": no other system is alive"));
        return Ok(());
    };
    // D: bottom-up on the other system; a failure there is the end.
    node.log("NOTIFY", tag, &format!("failover of \"{tag}\" to \"{}\"", other.system));
    for root in state.roots(&going) {
        let step = Request::Restore(state.there(&root).to_owned());
        node.step(&other.system, &step, &mut |_| ())?;
    }
    Ok(())
}

/// Halts the node: the hook if there is one, else the kernel; never returns.
fn halt(node: &Node, tag: &str) -> ! {
    // D: the line, and that the node goes down.
    let message = format!("failed to remove resource '{tag}'. SYSTEM HALTED.");
    let mut entry = Entry::engine("EMERG", tag, &message);
    (entry.component, entry.code) = ("lcd.recover", 4788);
    entry.write(&node.place);
    let hook = node.place.config("halt");
    // Only an installation in the usual directory owns the machine; a test's directory does not.
    let halted = if hook.exists() {
        Command::new(&hook).status()
    } else if node.place.root.as_os_str() == ROOT {
        Command::new("/sbin/reboot").arg("-f").status()
    } else {
        process::exit(1)
    };
    if let Err(cause) = halted {
        node.log("EMERG", tag, &format!("running {}: {cause}", hook.display()));
    }
    process::exit(1)
}
