//! A stand-in for SIOS LifeKeeper for Linux, for tests: its documented commands and its engine.
//!
//! LifeKeeper cannot be had for a test. This program plays as much of it, on two nodes, as public
//! documents and public code tell, and is the harshest reading of what they do not tell: scripts
//! get an empty environment, no standard input, and are waited for as long as they hold their
//! outputs. Each behaviour carries a mark in a comment:
//!
//! * `D:` documented by the maker;
//! * `C:` seen in public code or in a picture of the real thing;
//! * `A:` assumed: whatever the text does not know. A test must not rest on it alone.
//!
//! Marks of whole areas, beyond those in the code:
//!
//! * A: a confirmed failover, quorum and storage fencing do not exist: when all paths between two
//!   live nodes are cut, both bring the hierarchy in (a split brain). When the paths come back,
//!   neither gives way; the log says so as EMERG.
//! * A: a node that starts waits for its peer as long as a silent path may live, then brings in what
//!   it had in service, unless the peer has it. Of two that both had it, the first to start gets it.
//! * A: `lkstop` does not hand resources over; the peer does not take over from a node that left on
//!   purpose, and it brings its resources back when it starts.
//! * A: quickChecks run one after the other, beside a restore or remove in progress.
//! * A: engine processes that die are not started anew. The peer sees a dead node.
//!
//! `lifekeeper-standin lay [--no-lkcli] [--lkroot DIR]` makes the tree under LKROOT with the program
//! and its names; where there is no `lkcli`, `lifekeeper-standin lkcli …` stands for what a person
//! does in the graphical interface. What the stand-in adds to the real thing:
//!
//! * `$LKROOT/config/UNAME` is the node's name, `VERSION` the version that is played,
//!   and `halt` what is run to halt the node. Without it, the node is rebooted when
//!   LKROOT is the usual directory; elsewhere only the engine dies.
//! * Where `$LKROOT/config/times` is there, each action's begin and end and each peer's death is added
//!   to it, with microseconds.
//! * Times in the defaults file may be fractions. `STANDIN_FAILED_REMOVE=OSF` there chooses between
//!   two documents about a remove that fails by hand: the state stays (absent), or becomes OSF.
//! * The environment variables `LK_DEFAULTS` and `LK_LOG` name other files than
//!   `/etc/default/LifeKeeper` and `/var/log/lifekeeper.log`.

mod action;
mod admin;
mod check;
mod client;
mod commands;
mod creapphier;
mod engine;
mod error;
mod extend;
mod heartbeat;
mod hierarchy;
mod lay;
mod lcdi;
mod lkcli;
mod log;
mod node;
mod options;
mod place;
mod remote;
mod script;
mod state;
mod times;
mod wire;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// The program's own name; its first argument then is the command's.
const NAME: &str = "lifekeeper-standin";

/// Runs the command under whose name the program was called.
#[must_use]
pub fn run() -> ExitCode {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let mut words: Vec<String> = words.collect();
    if let Some(first) = words.first_mut() {
        *first = Path::new(first).file_name().unwrap_or_default().to_string_lossy().into_owned();
    }
    if words.first().is_some_and(|name| name == NAME) {
        words.remove(0);
    }
    client::run(&words).map_or_else(
        |failure| {
            let name = words.first().map_or(NAME, String::as_str);
            let _ = writeln!(std::io::stderr(), "{name}: {failure}");
            ExitCode::from(failure.exit())
        },
        ExitCode::from,
    )
}
