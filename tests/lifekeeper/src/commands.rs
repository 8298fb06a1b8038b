//! Which command the engine performs how, here or, with `-d`, on another system.

use crate::error::{Failure, Result};
use crate::node::Node;
use crate::options::Options;
use crate::wire::{Reply, Request};
use crate::{creapphier, engine, extend, hierarchy, lcdi, lkcli, remote};

/// A command on the state of one system.
type Perform = fn(&'static Node, &Options, &mut Reply<'_>) -> Result<()>;

/// The commands, with their options.
pub(crate) const COMMANDS: &[(&str, &str, Perform)] = &[
    // D: the letters, from the manual pages. A: those of net_list and sys_list.
    ("creapphier", "", creapphier::command),
    ("dep_create", "d:p:c:", lcdi::relations::dep_create),
    ("dep_list", "d:f:p:c:", lcdi::relations::dep_list),
    ("dep_remove", "d:p:c:", lcdi::relations::dep_remove),
    ("eqv_list", "d:t:e:f:", lcdi::relations::eqv_list),
    ("extmgrDoExtend.pl", "p:f:", extend::command),
    ("ins_create", "d:a:r:I:v:s:t:i:", lcdi::instances::create),
    ("ins_list", "d:f:R:a:r:t:i:", lcdi::instances::list),
    ("ins_remove", "d:R:a:r:t:i:vINGU", lcdi::instances::remove),
    ("ins_setstate", "d:t:S:R:A", lcdi::instances::setstate),
    ("lcdremexec", "ed:t:", remote::lcdremexec),
    ("lkstop", "fnr", engine::stop),
    ("net_create", "d:n:r:l:s:p:", lcdi::systems::net_create),
    ("net_list", "d:f:s:", lcdi::systems::net_list),
    ("perform_action", "Gsbnt:a:", hierarchy::command),
    ("sys_create", "d:s:", lcdi::systems::sys_create),
    ("sys_getst", "d:s:", lcdi::systems::sys_getst),
    ("sys_list", "d:", lcdi::systems::sys_list),
];

/// A command line.
pub(crate) fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|&word| word.to_owned()).collect()
}

/// Performs a command.
pub(crate) fn perform(node: &'static Node, words: &[String], reply: &mut Reply<'_>) -> Result<()> {
    let (name, rest) =
        words.split_first().ok_or_else(|| Failure::Syntax("a command is missing".into()))?;
    if name == "lkcli" {
        return lkcli::command(node, rest, reply);
    }
    let Some((_, letters, command)) = COMMANDS.iter().find(|(known, ..)| known == name) else {
        return Err(Failure::Syntax(format!("{name}: this command is not played")));
    };
    let options = Options::read(rest, letters)?;
    match options.get('d').filter(|system| *system != node.name) {
        // D: -d runs the command against that system's state. There it names itself.
        Some(system) => node.step(system, &Request::Command(words.to_vec()), reply),
        None => command(node, &options, reply),
    }
}
