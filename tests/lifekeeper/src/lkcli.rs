//! `lkcli`, as one might guess it: nobody outside knows how its options are spelt.
//!
//! A: nearly all of it, the help above all. C: `lkcli resource create KIND --tag T`, `--switchback
//! intelligent`, one dash for two (so perl's `Getopt::Long`), status 0 or not. That the kit gets on with
//! this guess proves that it follows a help, and nothing about the real `lkcli`. What the kit does not
//! ask of it is not played.

use std::collections::BTreeMap;

use crate::commands::{perform, words};
use crate::error::{Failure, Result};
use crate::node::Node;
use crate::wire::{Reply, Request, say};

/// Whether an option must be given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Need {
    Must,
    /// What it is when it is not given.
    May(&'static str),
}
use Need::{May, Must};

/// An option: its name and its value.
type Spelling = (&'static str, &'static str, Need);

/// The commands: their words, and what they take.
const COMMANDS: &[(&str, &[Spelling])] = &[
    (
        "resource create gen",
        &[
            ("tag", "tag", Must),
            ("restore", "path", Must),
            ("remove", "path", Must),
            ("quickCheck", "path", May("")),
            ("recover", "path", May("")),
            ("appInfo", "text", May("")),
            ("switchback", "intelligent|automatic", May("intelligent")),
            ("in_service", "yes|no", May("yes")),
        ],
    ),
    ("resource delete", &[("tag", "tag", Must)]),
];

/// What was given, by option.
type Given = BTreeMap<&'static str, String>;

/// Performs `lkcli …`, by the commands that LifeKeeper had before it.
///
/// # Errors
///
/// [`Failure::Syntax`] with the help for what is not understood, else those of the operation.
pub(crate) fn command(node: &'static Node, line: &[String], reply: &mut Reply<'_>) -> Result<()> {
    let text = line.join(" ") + " ";
    let matching = |(name, _): &&(&str, _)| text.starts_with(&format!("{name} "));
    let found = COMMANDS.iter().find(matching);
    let help = found.map_or_else(usage, |(name, spellings)| help(name, spellings));
    if line.iter().any(|word| word == "--help" || word == "-h") {
        say(reply, help);
        return Ok(());
    }
    let Some((name, spellings)) = found else { return Err(Failure::Syntax(help)) };
    let options = line.get(name.split(' ').count()..).unwrap_or_default();
    let given =
        read(spellings, options).map_err(|cause| Failure::Syntax(format!("{cause}\n{help}")))?;
    run(node, name, &given, reply)
}

fn run(node: &'static Node, name: &str, given: &Given, reply: &mut Reply<'_>) -> Result<()> {
    let get = |option: &str| given.get(option).map_or("", String::as_str);
    let tag = get("tag");
    let mut perform = |line: &[&str]| perform(node, &words(line), reply);
    if name == "resource delete" {
        // A: that remove runs first, and that both systems forget it.
        perform(&["perform_action", "-t", tag, "-a", "remove"])?;
        if let Some(other) = node.resource(tag)?.other {
            let remove = words(&["perform_action", "-t", &other.tag, "-a", "remove"]);
            node.step(&other.system, &Request::Command(remove), &mut |_| ())?;
            perform(&["ins_remove", "-d", &other.system, "-t", &other.tag])?;
        }
        return perform(&["ins_remove", "-t", tag]);
    }
    let create = ["creapphier", &node.name, get("restore"), get("remove"), tag];
    let start = match get("in_service") {
        "yes" => "Yes",
        "no" => "No",
        other => other,
    };
    let more = [get("appInfo"), get("switchback"), get("quickCheck"), get("recover"), start];
    perform(&[&create[..], &more].concat())
}

/// The help without a command.
fn usage() -> String {
    let names: Vec<_> = COMMANDS.iter().map(|(name, _)| format!("  lkcli {name}\n")).collect();
    format!("Usage: lkcli COMMAND [OPTIONS]\n{}", names.concat())
}

/// The help of a command.
fn help(name: &str, spellings: &[Spelling]) -> String {
    let options = spellings.iter().map(|(option, value, need)| match need {
        Must => format!(" --{option} <{value}>"),
        May(_) => format!(" [--{option} <{value}>]"),
    });
    format!("Usage: lkcli {name}{}", options.collect::<String>())
}

/// Reads the options of a command; an unknown or missing one is an error.
fn read(spellings: &[Spelling], words: &[String]) -> std::result::Result<Given, String> {
    let mut given = Given::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let bare = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or(word);
        let (name, glued) = match bare.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (bare, None),
        };
        let known = spellings.iter().find(|(option, ..)| word.starts_with('-') && *option == name);
        let Some((option, ..)) = known else { return Err(format!("Unknown option: {bare}")) };
        let value = glued.or_else(|| words.next().cloned());
        let value = value.ok_or_else(|| format!("Option {option} requires an argument"))?;
        given.insert(option, value);
    }
    for (option, _, need) in spellings {
        match need {
            _ if given.contains_key(option) => (),
            May(usual) => drop(given.insert(option, (*usual).to_owned())),
            Must => return Err(format!("--{option} is required")),
        }
    }
    Ok(given)
}
