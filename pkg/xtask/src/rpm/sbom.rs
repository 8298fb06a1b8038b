//! Writes the list of what is in the binary, in the form of `CycloneDX` 1.6.
//!
//! It is the dependency graph as cargo resolved it for the target, without what only helps to build:
//! macros and build scripts leave no code of their own. Rust's standard library is in the binary too.
//!
//! `cargo-cyclonedx` (0.5.7) lists the compiler of macros among the parts and the standard library not,
//! draws a serial number, so that no two lists of one build are the same, writes 1.5 at most, and lays
//! a file beside the manifest of each member of the workspace.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use lab::{Error, Result};
use serde_json::{Value, json};

use super::digest::sum;
use super::tools::Tools;
use crate::cargo::{self, answer, list, succeed, top};
use crate::disk::{read, text, write};

/// Holds a file to the schema, which the package brings: exit status 1 and the reason if it is not so.
const VALIDATE: &str = "\
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(str(error) if error else 0)
";

/// The kit's name in the list.
const MYSELF: &str = "dovecot-ark";
/// The standard library's.
const STD: &str = "std";

/// What gets into the binary, the kit included, by cargo's ids: a package, and the ids of what it needs.
type Graph<'a> = BTreeMap<&'a str, (&'a Value, Vec<&'a str>)>;

/// Writes the list of what `package` holds, and holds the list to its schema.
pub(super) fn write_list(tools: &Tools, package: &Path, made: &str, to: &Path) -> Result<()> {
    let known = cargo::dependencies(top())?;
    let graph = graph(&known)?;
    let mut components = components(&graph, &sums_of(&text(&top().join("Cargo.lock"))?));
    components.push(standard_library()?);
    let parts = components.len();
    let list = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "timestamp": made, "component": whole(&sum("sha256sum", &read(package)?)?) },
        "components": components,
        "dependencies": dependencies(&graph),
    });
    write(to, format!("{list:#}\n"))?;
    let mut validate = tools.python("python3");
    validate.args(["-c", VALIDATE]).arg(to);
    succeed(validate, &format!("holding {} to its schema", to.display()))?;
    println!("   {parts} parts in the binary, the standard library among them");
    Ok(())
}

/// Describes the package itself.
fn whole(sum: &str) -> Value {
    json!({
        "type": "application",
        "bom-ref": MYSELF,
        "name": MYSELF,
        "version": env!("CARGO_PKG_VERSION"),
        "licenses": [{ "expression": env!("CARGO_PKG_LICENSE") }],
        "purl": concat!("pkg:rpm/dovecot-ark@", env!("CARGO_PKG_VERSION"), "-1?arch=x86_64"),
        "hashes": [{ "alg": "SHA-256", "content": sum }],
    })
}

/// Describes Rust's standard library.
fn standard_library() -> Result<Value> {
    let mut rustc = Command::new("rustc");
    rustc.arg("--version").current_dir(top());
    let said = answer(rustc, "asking rustc for its version")?;
    let version = said.split_whitespace().nth(1).unwrap_or_default();
    Ok(json!({
        "type": "library",
        "bom-ref": STD,
        "name": STD,
        "version": version,
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
    }))
}

/// Lists the crates in the binary, by their names.
fn components(graph: &Graph<'_>, sums: &BTreeMap<(String, String), String>) -> Vec<Value> {
    let crates = graph.values().filter(|(package, _)| package["name"] != MYSELF);
    let described = crates.map(|(package, _)| {
        let [name, version, license] =
            ["name", "version", "license"].map(|key| package[key].as_str().unwrap_or_default());
        let sum = sums.get(&(name.to_owned(), version.to_owned()));
        let hash = |sum| json!({ "alg": "SHA-256", "content": sum });
        json!({
            "type": "library",
            "bom-ref": purl(package),
            "name": name,
            "version": version,
            "scope": "required",
            "purl": purl(package),
            // An older way of writing "or".
            "licenses": [{ "expression": license.replace('/', " OR ") }],
            "hashes": sum.map(hash).into_iter().collect::<Vec<_>>(),
        })
    });
    described.collect()
}

/// Lists what each of them needs, the kit first.
fn dependencies(graph: &Graph<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for (package, needs) in graph.values() {
        let mut names: Vec<String> =
            needs.iter().filter_map(|id| Some(purl(graph.get(id)?.0))).collect();
        if package["name"] == MYSELF {
            names.push(STD.to_owned());
            all.insert(0, json!({ "ref": MYSELF, "dependsOn": names }));
        } else {
            all.push(json!({ "ref": purl(package), "dependsOn": names }));
        }
    }
    all
}

/// Reads what cargo resolved, and walks from the kit to all that gets into its binary.
fn graph(manifest: &Value) -> Result<Graph<'_>> {
    let packages = list(manifest, "/packages").filter(|package| !is_macro(package));
    let packages: BTreeMap<&str, &Value> =
        packages.map(|package| (id_of(package), package)).collect();
    let nodes: BTreeMap<&str, &Value> =
        list(manifest, "/resolve/nodes").map(|node| (id_of(node), node)).collect();
    let root = packages.iter().find(|(_, package)| package["name"] == MYSELF);
    let (root, _) = root.ok_or_else(|| {
        Error::failed("reading what cargo resolved", format!("{MYSELF} is not in it"))
    })?;
    let (mut graph, mut open) = (Graph::new(), vec![*root]);
    while let Some(id) = open.pop() {
        let (Some(package), false) = (packages.get(id).copied(), graph.contains_key(id)) else {
            continue;
        };
        let needs = nodes.get(id).into_iter().flat_map(|node| list(node, "/deps"));
        let needs = needs.filter(|need| is_normal(need)).filter_map(|need| need["pkg"].as_str());
        let needs: Vec<&str> = needs.filter(|id| packages.contains_key(id)).collect();
        open.extend(&needs);
        graph.insert(id, (package, needs));
    }
    Ok(graph)
}

fn id_of(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_default()
}

/// Tells whether a package runs inside the compiler.
fn is_macro(package: &Value) -> bool {
    let mut kinds = list(package, "/targets").flat_map(|target| list(target, "/kind"));
    kinds.any(|kind| kind == "proc-macro")
}

/// Tells whether a dependency is one of the program, not of its build or its tests.
fn is_normal(dependency: &Value) -> bool {
    list(dependency, "/dep_kinds").any(|kind| kind["kind"].is_null())
}

/// Names a crate as the lists of known weaknesses do.
fn purl(package: &Value) -> String {
    let [name, version] = ["name", "version"].map(|key| package[key].as_str().unwrap_or_default());
    // The one sign of a version that a URL reads otherwise.
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

/// Reads the checksums of a lock file, by name and version.
fn sums_of(lock: &str) -> BTreeMap<(String, String), String> {
    let blocks = lock.split("[[package]]").skip(1);
    let field = |block: &str, key: &str| {
        let value = |line: &str| line.strip_prefix(key)?.strip_prefix(" = ").map(str::to_owned);
        block.lines().find_map(value).map(|value| value.trim_matches('"').to_owned())
    };
    let sum = |block| {
        Some(((field(block, "name")?, field(block, "version")?), field(block, "checksum")?))
    };
    blocks.filter_map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kit that needs `a`, which needs `b`; a macro, a test tool and what they need.
    fn manifest() -> Value {
        let package = |name: &str, kind: &str| {
            json!({ "id": name, "name": name, "version": "1.0.0+x", "license": "MIT/Apache-2.0",
                    "targets": [{ "kind": [kind] }] })
        };
        let need = |id: &str, kind: Value| json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] });
        json!({
            "packages": [package(MYSELF, "bin"), package("a", "lib"), package("b", "lib"),
                         package("derive", "proc-macro"), package("syn", "lib"), package("t", "lib")],
            "resolve": { "nodes": [
                { "id": MYSELF, "deps": [need("a", Value::Null), need("derive", Value::Null),
                                         need("t", json!("dev"))] },
                { "id": "a", "deps": [need("b", Value::Null)] },
                { "id": "b", "deps": [] },
                { "id": "derive", "deps": [need("syn", Value::Null)] },
            ] },
        })
    }

    #[test]
    fn only_what_is_in_the_binary_is_listed() {
        let sums = sums_of("[[package]]\nname = \"a\"\nversion = \"1.0.0+x\"\nchecksum = \"ab\"\n");
        let manifest = manifest();
        let graph = graph(&manifest).expect("a graph");
        let listed = components(&graph, &sums);
        let names: Vec<&str> = listed.iter().filter_map(|part| part["name"].as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(listed[0]["hashes"][0]["content"], "ab");
        assert_eq!(listed[0]["purl"], "pkg:cargo/a@1.0.0%2Bx");
        assert_eq!(listed[1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        let edges = dependencies(&graph);
        assert_eq!(edges[0], json!({ "ref": MYSELF, "dependsOn": ["pkg:cargo/a@1.0.0%2Bx", STD] }));
        assert_eq!(edges.len(), 3);
    }

    #[test]
    fn a_graph_without_the_kit_is_an_error() {
        assert!(graph(&json!({})).is_err());
    }
}
