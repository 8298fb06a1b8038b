//! `creapphier`: makes a gen/app resource of four scripts, as the graphical interface does.
//!
//! What is registered are copies: a later change of the originals is not seen.

use std::path::Path;

use crate::admin::AdminLock;
use crate::error::{Failure, Result};
use crate::hierarchy;
use crate::lcdi::instances;
use crate::node::Node;
use crate::options::Options;
use crate::remote;
use crate::state::Resource;
use crate::wire::{Reply, say};

/// The actions of the four scripts.
pub(crate) const ACTIONS: [&str; 4] = ["restore", "remove", "quickCheck", "recover"];

/// `creapphier SYSTEM RESTORE REMOVE TAG INFO SWITCHBACK QUICKCHECK RECOVER Yes|No`.
///
/// # Errors
///
/// [`Failure::Illegal`] for a field that the graphical interface refuses, [`Failure::Exists`] for a
/// tag that is taken, [`Failure::System`] when a script cannot be copied or restore fails.
pub(crate) fn command(node: &Node, options: &Options, reply: &mut Reply<'_>) -> Result<()> {
    // C: the nine arguments and their order.
    let words: Vec<&str> = options.rest.iter().map(String::as_str).collect();
    let &[system, restore, remove, tag, info, switchback, quick_check, recover, start] =
        words.as_slice()
    else {
        return Err(Failure::Syntax(
            "usage: creapphier SYSTEM RESTORE REMOVE TAG INFO SWITCHBACK QUICKCHECK RECOVER Yes|No"
                .into(),
        ));
    };
    let only = |text: &str, marks: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
    };
    let path = |text: &str| text.starts_with('/') && only(text, "-_!./");
    for (what, text, valid) in [
        ("system", system, system == node.name),
        // C: letters, digits and these. D: the first character and the length.
        ("tag", tag, only(tag, "-_./") && !tag.starts_with(['.', '/'])),
        ("tag", tag, (1..=256).contains(&tag.len())),
        ("application info", info, only(info, "-_./= ")),
        ("switchback", switchback, ["intelligent", "automatic"].contains(&switchback)),
        ("restore", restore, path(restore)),
        ("remove", remove, path(remove)),
        ("quickCheck", quick_check, quick_check.is_empty() || path(quick_check)),
        ("recover", recover, recover.is_empty() || path(recover)),
        ("start", start, ["Yes", "No"].contains(&start)),
    ] {
        if !valid {
            return Err(Failure::Illegal(format!("{what} \"{text}\" is not allowed")));
        }
    }
    let scripts = [restore, remove, quick_check, recover];
    let _lock = AdminLock::take(node, tag)?;
    // C: every line from BEGIN to END. A: what is said of a failure.
    say(reply, format!("BEGIN create of \"{tag}\""));
    say(reply, format!("creating resource \"{tag}\""));
    // C: the id of a gen/app resource is its tag.
    let resource = Resource::new(["gen", "app", tag, tag, info], switchback);
    node.change(|state| state.add(resource))?;
    for (action, path) in ACTIONS.iter().zip(scripts).filter(|(_, path)| !path.is_empty()) {
        let to = node.place.script(action, tag);
        if let Err(failure) = remote::copy(node, Path::new(path), &node.name, &to) {
            instances::delete(node, &[tag.to_owned()])?;
            return Err(failure);
        }
    }
    say(reply, format!("resource \"{tag}\" successfully created"));
    if start == "Yes" {
        say(reply, format!("restoring resource \"{tag}\""));
        if let Err(failure) = hierarchy::restore(node, tag, reply) {
            say(reply, format!("END failed create of \"{tag}\""));
            return Err(failure);
        }
        say(reply, format!("resource \"{tag}\" restored"));
    }
    say(reply, format!("END successful create of \"{tag}\""));
    Ok(())
}
