//! One action on one resource of this node, whatever its kind; states are not touched here.
//!
//! A gen/app resource runs LifeKeeper's copies of its scripts, a comm/ip resource really adds an
//! address, a gen/filesys resource really mounts. Success rests on the exit status of a script, and
//! on looking for the other two.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::log::Entry;
use crate::node::Node;
use crate::script::Running;
use crate::state::Resource;
use crate::times;
use crate::wire::{Answer, Reply, say};

/// Where system programs are looked up.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What is done to a resource.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// Bring into service.
    Restore,
    /// Take out of service.
    Remove,
    /// Look whether it is in operation.
    QuickCheck,
    /// Repair on this node.
    Recover,
}

impl Action {
    /// LifeKeeper's word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Remove => "remove",
            Self::QuickCheck => "quickCheck",
            Self::Recover => "recover",
        }
    }
}

/// How an action ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// The resource is as wanted.
    Success,
    /// It is not.
    Failure,
    /// A quickCheck was killed by its alarm: no verdict.
    Hung,
    /// There is no such script.
    Absent,
}

/// Performs an action and tells the caller and the log.
pub(crate) fn perform(
    node: &Node,
    resource: &Resource,
    action: Action,
    reply: &mut Reply<'_>,
) -> Outcome {
    let (word, tag) = (action.word(), resource.tag.as_str());
    let told = matches!(action, Action::Restore | Action::Remove);
    let mut entry = Entry::engine("INFO", tag, "");
    (entry.program, entry.action, entry.component) = (word, word, "RKActionHandler");
    // C: the BEGIN and END lines of a restore; A: the same for remove, and all of them in the log.
    if told {
        let begin = format!("BEGIN {word} of \"{tag}\"");
        Entry { message: &begin, ..entry }.write(&node.place);
        say(reply, begin);
    }
    times::note(&node.place, &format!("begin {word} {tag}"));
    let outcome = match (resource.app.as_str(), resource.kind.as_str()) {
        ("comm", "ip") => address(resource, action, reply),
        ("gen", "filesys") => mount(resource, action, reply),
        _ => script(node, resource, action, reply),
    };
    times::note(&node.place, &format!("end {word} {tag} {outcome:?}"));
    let (level, how) = match outcome {
        Outcome::Success => ("INFO", "successful"),
        _ => ("ERROR", "failed"),
    };
    let end = format!("END {how} {word} of \"{tag}\"");
    if told || outcome == Outcome::Failure {
        Entry { level, message: &end, ..entry }.write(&node.place);
    }
    if told {
        say(reply, end);
    }
    outcome
}

/// Runs the copy of a script.
fn script(node: &Node, resource: &Resource, action: Action, reply: &mut Reply<'_>) -> Outcome {
    let (word, tag) = (action.word(), resource.tag.as_str());
    let path = node.place.script(word, tag);
    if !path.exists() {
        return Outcome::Absent;
    }
    let limit = match action {
        Action::QuickCheck => node.place.quick_check_limit(tag),
        _ => Duration::MAX,
    };
    let mut entry = Entry::engine("INFO", tag, "");
    (entry.program, entry.action, entry.component) = (word, word, "gen.app");
    let ended = Running::script(&path, tag, &resource.id).and_then(|running| {
        entry.pid = running.pid();
        running.follow(limit, &mut |answer| {
            if let Answer::Out(line) = &answer {
                Entry { message: line.trim_end_matches('\n'), ..entry }.write(&node.place);
            }
            reply(answer);
        })
    });
    let message = match ended {
        Ok(Some(status)) if status.success() => return Outcome::Success,
        Ok(Some(status)) => format!("{word} of \"{tag}\" ended with {status}"),
        Err(cause) => format!("running {}: {cause}", path.display()),
        Ok(None) => {
            entry.component = "RKActionHandler";
            // D: both lines.
            let message = format!("END failed {word} of \"{tag}\" due to a \"ALRM\" signal.");
            Entry { level: "NOTIFY", code: 1047, message: &message, ..entry }.write(&node.place);
            let message = format!("Script has hung checking \"{tag}\". Forcibly terminating.");
            Entry { level: "ERROR", message: &message, ..entry }.write(&node.place);
            return Outcome::Hung;
        }
    };
    Entry { level: "ERROR", message: &message, ..entry }.write(&node.place);
    Outcome::Failure
}

/// Adds, deletes or looks for an address; the info is `ADDRESS/PREFIX DEVICE`.
// A: everything but the fact that an IP resource is an address on a device.
fn address(resource: &Resource, action: Action, reply: &mut Reply<'_>) -> Outcome {
    let mut words = resource.info.split(' ');
    let (Some(address), Some(device)) = (words.next(), words.next()) else {
        return Outcome::Failure;
    };
    let bare = address.split('/').next().unwrap_or(address);
    let present = || {
        command("ip", &["-o", "addr", "show", "dev", device, "to", bare], &mut |_| ())
            .is_some_and(|text| !text.is_empty())
    };
    if action == Action::Remove {
        if present() {
            command("ip", &["addr", "del", address, "dev", device], reply);
        }
        return verdict(!present());
    }
    if action != Action::QuickCheck && !present() {
        command("ip", &["addr", "add", address, "dev", device], reply);
        // The neighbours learn of the move; where no program can tell them, their entry ages.
        command("arping", &["-A", "-c", "1", "-I", device, bare], &mut |_| ());
    }
    verdict(present())
}

/// Mounts, unmounts or looks for a mount; the id is the mount point, the info the source.
// A: as above; a directory is bound, anything else mounted. umount fails when busy, as it should.
fn mount(resource: &Resource, action: Action, reply: &mut Reply<'_>) -> Outcome {
    let (source, point) = (resource.info.as_str(), resource.id.as_str());
    let present = || {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        table.lines().any(|line| line.split(' ').nth(4) == Some(point))
    };
    if action == Action::Remove {
        if present() {
            command("umount", &[point], reply);
        }
        return verdict(!present());
    }
    if action != Action::QuickCheck && !present() {
        if Path::new(source).is_dir() {
            command("mount", &["--bind", source, point], reply);
        } else {
            command("mount", &[source, point], reply);
        }
    }
    verdict(present())
}

const fn verdict(wanted: bool) -> Outcome {
    if wanted { Outcome::Success } else { Outcome::Failure }
}

/// Runs a system program; tells its complaints and returns what it printed.
fn command(program: &str, words: &[&str], reply: &mut Reply<'_>) -> Option<String> {
    let found = PATH
        .split(':')
        .map(|directory| Path::new(directory).join(program))
        .find(|path| path.exists());
    let output = Command::new(found?).args(words).stdin(Stdio::null()).output();
    match output {
        Ok(output) => {
            reply(Answer::Out(String::from_utf8_lossy(&output.stderr).into_owned()));
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(cause) => {
            say(reply, format!("running {program}: {cause}"));
            None
        }
    }
}
