//! The findings for a person, and all that was seen for a program.

use std::fmt::Write;

use serde::Serialize;

use super::facts::Facts;
use super::finding::{Finding, Level};
use super::peers::{FORMAT, KIT, Node};

/// What `--local --json` prints; see the head of this module's parent.
#[derive(Serialize)]
pub(super) struct Local<'a> {
    format: u64,
    kit: &'static str,
    node: &'a str,
    facts: &'a Facts,
    findings: &'a [Finding],
}

/// What `--json` prints; see the head of this module's parent.
#[derive(Serialize)]
pub(super) struct Whole<'a> {
    format: u64,
    kit: &'static str,
    tag: &'a str,
    nodes: &'a [Node],
    findings: &'a [Finding],
    errors: usize,
    warnings: usize,
}

/// The document of one node.
pub(super) fn local<'a>(facts: &'a Facts, findings: &'a [Finding]) -> Local<'a> {
    Local { format: FORMAT, kit: KIT, node: facts.node(), facts, findings }
}

/// The document of all nodes.
pub(super) fn whole<'a>(tag: &'a str, nodes: &'a [Node], findings: &'a [Finding]) -> Whole<'a> {
    let errors = count(findings, Level::Error);
    let warnings = count(findings, Level::Warning);
    Whole { format: FORMAT, kit: KIT, tag, nodes, findings, errors, warnings }
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
            let (word, what) = (finding.level.word(), &finding.what);
            let _ = writeln!(text, "  {word:7}  {}{what}", number.unwrap_or_default());
            for (word, line) in [("why: ", &finding.why), ("cure:", &finding.cure)] {
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
    use super::super::facts::healthy;
    use super::super::finding::Check;
    use super::*;
    use crate::messages::Message;
    use serde_json::Value;

    fn findings() -> [Finding; 4] {
        [
            Finding::ok(Check::Boot, "not started at boot").on("node1"),
            Finding::error(
                Check::Boot,
                Message::DoctorEnabled,
                "enabled",
                "it matters",
                "systemctl disable x",
            )
            .on("node2"),
            Finding::warning(
                Check::Kit,
                Message::DoctorKitVersions,
                "differs",
                "they may differ",
                "install",
            ),
            Finding::ok(Check::State, "agrees").on("node1"),
        ]
    }

    #[test]
    fn a_person_reads_one_line_a_finding_by_node_and_what_to_do() {
        assert_eq!(
            as_text(&findings()),
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

    #[test]
    fn a_program_reads_documents_of_a_shape_that_stays() {
        let (facts, findings) = (healthy("node1"), findings());
        let keys = |value: &Value| -> Vec<String> {
            value.as_object().expect("an object").keys().cloned().collect()
        };
        let document = serde_json::to_value(local(&facts, &findings)).expect("a document");
        assert_eq!(keys(&document), ["facts", "findings", "format", "kit", "node"]);
        assert_eq!((&document["format"], &document["node"]), (&1.into(), &"node1".into()));
        assert_eq!(
            keys(&document["facts"]),
            [
                "certificates",
                "checks",
                "configuration",
                "foreign",
                "installed",
                "limits",
                "network",
                "resource",
                "service",
                "tags"
            ]
        );
        let finding = &document["findings"][1];
        assert_eq!(keys(finding), ["check", "cure", "level", "node", "number", "what", "why"]);
        assert_eq!((&finding["level"], &finding["number"]), (&"error".into(), &"ARK4207".into()));
        assert_eq!(document["findings"][0]["cure"], Value::Null);

        let node = Node { name: "node1".into(), alive: true, reached: true, facts: Some(facts) };
        let document = serde_json::to_value(whole("mail", &[node], &findings)).expect("a document");
        let expected = ["errors", "findings", "format", "kit", "nodes", "tag", "warnings"];
        assert_eq!(keys(&document), expected);
        assert_eq!((&document["errors"], &document["warnings"]), (&1.into(), &1.into()));
        assert_eq!(keys(&document["nodes"][0]), ["alive", "facts", "node", "reached"]);
    }
}
