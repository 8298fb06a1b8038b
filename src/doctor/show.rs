//! The findings for a person, and all that was seen for a program.

use std::fmt::Write;

use serde::Serialize;

use super::facts::Facts;
use super::finding::{Finding, Level};
use super::peers::Node;
use crate::show;

/// What `doctor --local --json` says. This is what the nodes ask of each other.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Local<'a> {
    /// The node that was looked at.
    pub(super) node: &'a str,
    /// What was seen. This may change in each version.
    #[cfg_attr(test, schemars(with = "serde_json::Map<String, serde_json::Value>"))]
    pub(super) facts: &'a Facts,
    /// What follows.
    pub(super) findings: &'a [Finding],
}

/// What `doctor --json` says.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Cluster<'a> {
    /// The resource's tag on this node.
    tag: &'a str,
    /// The nodes, this one first.
    nodes: &'a [Node],
    /// What follows.
    findings: &'a [Finding],
    /// How many findings there are of each level.
    count: Count,
}

/// How many findings there are of each level.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Count {
    ok: usize,
    warning: usize,
    error: usize,
}

/// The document of all nodes.
pub(super) fn cluster<'a>(tag: &'a str, nodes: &'a [Node], findings: &'a [Finding]) -> Cluster<'a> {
    let count = |level| count(findings, level);
    let (ok, warning, error) = (count(Level::Ok), count(Level::Warning), count(Level::Error));
    Cluster { tag, nodes, findings, count: Count { ok, warning, error } }
}

/// How many findings have a level.
pub(super) fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level == level).count()
}

/// The findings by their nodes, in the order of the nodes' first appearance, and a count.
pub(super) fn as_text(findings: &[Finding]) -> String {
    let mut nodes: Vec<Option<&str>> = Vec::new();
    for finding in findings {
        if !nodes.contains(&finding.node.as_deref()) {
            nodes.push(finding.node.as_deref());
        }
    }
    let mut text = String::new();
    for node in nodes {
        let title = node.unwrap_or("all nodes");
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{title}:");
        for finding in findings.iter().filter(|finding| finding.node.as_deref() == node) {
            let number = finding.message.map(|message| format!("{}: ", message.code()));
            let (word, tone) = finding.level.shown();
            let word = show::toned(tone, &format!("{word:7}"));
            let _ = writeln!(text, "  {word}  {}{}", number.unwrap_or_default(), finding.what);
            for (word, line) in [("why: ", finding.why.clone()), ("cure:", finding.told_cure())] {
                if let Some(line) = line {
                    let _ = writeln!(text, "           {word} {line}");
                }
            }
        }
    }
    let _ = writeln!(
        text,
        "{} ok, {}, {}",
        count(findings, Level::Ok),
        plural(count(findings, Level::Warning), "warning"),
        plural(count(findings, Level::Error), "error")
    );
    text
}

fn plural(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Check;
    use super::*;
    use crate::messages::Message;
    use anstream::adapter::strip_str;

    fn findings() -> [Finding; 4] {
        [
            Finding::ok(Check::Boot, "not started at boot").on("node1"),
            Finding::error(Check::Boot, Message::DoctorEnabled)
                .what("enabled")
                .why("it matters")
                .cure("systemctl disable x")
                .on("node2"),
            Finding::warning(Check::Kit, Message::DoctorKitVersions)
                .what("differs")
                .why("they may differ")
                .cure("install"),
            Finding::ok(Check::State, "agrees").on("node1"),
        ]
    }

    #[test]
    fn a_person_reads_one_line_a_finding_by_node_and_what_to_do() {
        assert_eq!(
            strip_str(&as_text(&findings())).to_string(),
            "node1:\n  \
               ok       not started at boot\n  \
               ok       agrees\n\
             node2:\n  \
               error    ARK4207: enabled\n           \
                 why:  it matters\n           \
                 cure: systemctl disable x\n\
             all nodes:\n  \
               warning  ARK4603: differs\n           \
                 why:  they may differ\n           \
                 cure: install\n\
             2 ok, 1 warning, 1 error\n"
        );
        assert_eq!(as_text(&[]), "0 ok, 0 warnings, 0 errors\n");
    }
}
