//! `lkcli`, in two dialects: nobody outside knows how its options are spelt.
//!
//! A: nearly all of it. C: `lkcli resource create|extend KIND --tag T`, `--dest`, `--switchback
//! intelligent`, `--target_priority`, status 0 or not. The dialects differ in spelling, in the
//! form of the help, and in what they lack, so that a caller must read the help and cannot guess.

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

/// An option: its meaning, its spelling in `plain` and in `gnu` (empty: missing there), its value.
type Spelling = (&'static str, &'static str, &'static str, &'static str, Need);

/// The commands: their words, and what they take.
const COMMANDS: &[(&str, &[Spelling])] = &[
    (
        "resource create gen",
        &[
            ("tag", "tag", "tag", "tag", Must),
            ("restore", "restore", "restore", "path", Must),
            ("remove", "remove", "remove", "path", Must),
            ("quickCheck", "quickCheck", "quickcheck", "path", May("")),
            ("recover", "recover", "recover", "path", May("")),
            ("info", "appInfo", "info", "text", May("")),
            ("switchback", "switchback", "switchback", "intelligent|automatic", May("intelligent")),
            // Only one of them can leave a new resource out of service.
            ("start", "", "in-service", "yes|no", May("yes")),
        ],
    ),
    (
        "resource create ip",
        &[
            ("tag", "tag", "tag", "tag", Must),
            ("address", "ipaddr", "ip-address", "address", Must),
            ("prefix", "netmask", "prefix", "bits", Must),
            ("device", "device", "interface", "device", Must),
        ],
    ),
    (
        "resource create filesys",
        &[
            ("tag", "tag", "tag", "tag", Must),
            ("source", "device", "source", "path", Must),
            ("point", "mount_point", "mount-point", "path", Must),
        ],
    ),
    ("resource extend gen", EXTEND),
    ("resource extend ip", EXTEND),
    ("resource extend filesys", EXTEND),
    ("resource delete", &[("tag", "tag", "tag", "tag", Must)]),
    (
        "dependency create",
        &[
            ("parent", "parent", "parent-tag", "tag", Must),
            ("child", "child", "child-tag", "tag", Must),
        ],
    ),
    ("status", &[]),
];

/// What extending takes, whatever the kind.
// D: the defaults, from the interface.
const EXTEND: &[Spelling] = &[
    ("tag", "tag", "tag", "tag", Must),
    ("dest", "dest", "dest", "system", Must),
    ("switchback", "switchback", "switchback", "intelligent|automatic", May("intelligent")),
    ("priority", "template_priority", "template-priority", "number", May("1")),
    ("target priority", "target_priority", "target-priority", "number", May("10")),
    ("target tag", "target_tag", "target-tag", "tag", May("")),
];

/// How options are spelt and refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Dialect {
    /// As perl's `Getopt::Long`: one dash will do, and the help is one line.
    Plain,
    /// As GNU programs: two dashes, `=` allowed, a table.
    Gnu,
}

impl Dialect {
    fn spell(self, spelling: &Spelling) -> &'static str {
        match self {
            Self::Plain => spelling.1,
            Self::Gnu => spelling.2,
        }
    }
}

/// What was given, by meaning.
type Given = BTreeMap<&'static str, String>;

/// Performs `lkcli …`, by the commands that LifeKeeper had before it.
///
/// # Errors
///
/// [`Failure::Syntax`] with the help for what is not understood, else those of the operation.
pub(crate) fn command(node: &'static Node, line: &[String], reply: &mut Reply<'_>) -> Result<()> {
    let dialect = std::fs::read_to_string(node.place.config("DIALECT"));
    let gnu = dialect.is_ok_and(|name| name.trim() == "gnu");
    let dialect = if gnu { Dialect::Gnu } else { Dialect::Plain };
    let text = line.join(" ") + " ";
    let matching = |(name, _): &&(&str, _)| text.starts_with(&format!("{name} "));
    let found = COMMANDS.iter().find(matching);
    let help = found.map_or_else(usage, |(name, spellings)| help(dialect, name, spellings));
    if line.iter().any(|word| word == "--help" || word == "-h") {
        say(reply, help);
        return Ok(());
    }
    let Some((name, spellings)) = found else { return Err(Failure::Syntax(help)) };
    let options = line.get(name.split(' ').count()..).unwrap_or_default();
    let given = read(dialect, spellings, options)
        .map_err(|cause| Failure::Syntax(format!("{cause}\n{help}")))?;
    run(node, name, &given, reply)
}

fn run(node: &'static Node, name: &str, given: &Given, reply: &mut Reply<'_>) -> Result<()> {
    let get = |meaning: &str| given.get(meaning).map_or("", String::as_str);
    let (tag, switchback) = (get("tag"), get("switchback"));
    let mut perform = |line: &[&str]| perform(node, &words(line), reply);
    match name {
        "resource create gen" => {
            let create = ["creapphier", &node.name, get("restore"), get("remove"), tag];
            let start = match get("start") {
                "yes" => "Yes",
                "no" => "No",
                other => other,
            };
            let more = [get("info"), switchback, get("quickCheck"), get("recover"), start];
            perform(&[&create[..], &more].concat())
        }
        "resource create ip" => {
            let info = format!("{}/{} {}", get("address"), get("prefix"), get("device"));
            let id = format!("IP-{}", get("address"));
            perform(&["ins_create", "-a", "comm", "-r", "ip", "-t", tag, "-i", &id, "-v", &info])?;
            perform(&["perform_action", "-t", tag, "-a", "restore"])
        }
        "resource create filesys" => {
            let create = ["ins_create", "-a", "gen", "-r", "filesys", "-t", tag];
            perform(&[&create[..], &["-i", get("point"), "-v", get("source")]].concat())?;
            perform(&["perform_action", "-t", tag, "-a", "restore"])
        }
        "resource delete" => {
            // A: that remove runs first, and that both systems forget it.
            perform(&["perform_action", "-t", tag, "-a", "remove"])?;
            if let Some(other) = node.resource(tag)?.other {
                let remove = words(&["perform_action", "-t", &other.tag, "-a", "remove"]);
                node.step(&other.system, &Request::Command(remove), &mut |_| ())?;
                perform(&["ins_remove", "-d", &other.system, "-t", &other.tag])?;
            }
            perform(&["ins_remove", "-t", tag])
        }
        "dependency create" => {
            let (parent, child) = (get("parent"), get("child"));
            perform(&["dep_create", "-p", parent, "-c", child])?;
            // C: the interface creates a dependency on every server.
            let state = node.state();
            let Some(other) = &state.resource(child)?.other else { return Ok(()) };
            let parent = state.there(parent);
            perform(&["dep_create", "-d", &other.system, "-p", parent, "-c", &other.tag])
        }
        "status" => perform(&["lcdstatus"]),
        _ => {
            let bundle = format!("\"{}\",\"\"", get("target tag"));
            let extend = ["extmgrDoExtend.pl", "-p", get("priority"), "--", tag, get("dest")];
            let more = [get("target priority"), switchback, &bundle];
            perform(&[&extend[..], &more].concat())
        }
    }
}

/// The help without a command.
fn usage() -> String {
    let names: Vec<_> = COMMANDS.iter().map(|(name, _)| format!("  lkcli {name}\n")).collect();
    format!("Usage: lkcli COMMAND [OPTIONS]\n{}", names.concat())
}

/// The help of a command.
fn help(dialect: Dialect, name: &str, spellings: &[Spelling]) -> String {
    let mut text = match dialect {
        Dialect::Plain => format!("Usage: lkcli {name}"),
        Dialect::Gnu => format!("usage: lkcli {name} [options]\n\noptions:\n  -h, --help\n"),
    };
    for spelling in spellings.iter().filter(|one| !dialect.spell(one).is_empty()) {
        let (option, value) = (dialect.spell(spelling), spelling.3);
        let line = match (dialect, spelling.4) {
            (Dialect::Plain, Must) => format!(" --{option} <{value}>"),
            (Dialect::Plain, May(_)) => format!(" [--{option} <{value}>]"),
            (Dialect::Gnu, Must) => format!("  --{option}={value}  (required)\n"),
            (Dialect::Gnu, May(_)) => format!("  --{option}={value}\n"),
        };
        text.push_str(&line);
    }
    text
}

/// Reads the options of a command, by meaning; an unknown or missing one is an error.
fn read(
    dialect: Dialect,
    spellings: &[Spelling],
    words: &[String],
) -> std::result::Result<Given, String> {
    let mut given = Given::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let bare = word
            .strip_prefix("--")
            .or_else(|| word.strip_prefix('-').filter(|_| dialect == Dialect::Plain));
        let (option, glued) = match bare.unwrap_or_default().split_once('=') {
            Some((option, value)) => (option, Some(value.to_owned())),
            None => (bare.unwrap_or_default(), None),
        };
        let known = |one: &&Spelling| !option.is_empty() && dialect.spell(one) == option;
        let Some((meaning, ..)) = spellings.iter().find(known) else {
            return Err(match dialect {
                Dialect::Plain => format!("Unknown option: {}", bare.unwrap_or(word)),
                Dialect::Gnu => format!("lkcli: error: unrecognized arguments: {word}"),
            });
        };
        let value = glued.or_else(|| words.next().cloned());
        let value = value.ok_or_else(|| format!("Option {option} requires an argument"))?;
        given.insert(meaning, value);
    }
    for spelling in spellings {
        match spelling {
            (meaning, ..) if given.contains_key(meaning) => (),
            (meaning, .., May(usual)) => drop(given.insert(meaning, (*usual).to_owned())),
            (.., Must) => return Err(format!("--{} is required", dialect.spell(spelling))),
        }
    }
    Ok(given)
}
