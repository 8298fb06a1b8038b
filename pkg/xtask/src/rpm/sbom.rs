//! Writes the list of what is in the binary, in the form of `CycloneDX` 1.6.
//!
//! It is the dependency graph as cargo resolved it for the target, without what only helps to build:
//! macros and build scripts leave no code of their own. Rust's standard library is in the binary too.
//!
//! `cargo-cyclonedx` (0.5.7) lists the compiler of macros among the parts and the standard library not,
//! draws a serial number, so that no two lists of one build are the same, writes 1.5 at most, and lays
//! a file beside the manifest of each member of the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use lab::{Error, Result};
use serde_json::{Value, json};

use super::tools::Tools;
use super::{digest, text, write};
use crate::cargo::{answer, list, manifest, succeed, top};

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

/// A resolved dependency graph, by cargo's ids.
struct Graph<'a> {
    /// All packages but macros.
    packages: BTreeMap<&'a str, &'a Value>,
    /// What each of them needs at run time.
    needs: BTreeMap<&'a str, Vec<&'a str>>,
    /// The kit.
    root: &'a str,
    /// What gets into its binary.
    reached: BTreeSet<&'a str>,
}

/// Writes the list of what `package` holds, and holds the list to its schema.
///
/// # Errors
///
/// When cargo cannot tell, the file cannot be written, or is not valid.
pub(super) fn write_list(tools: &Tools, package: &Path, made: &str, to: &Path) -> Result<()> {
    let manifest = manifest(top())?;
    let mut components = components(&manifest, &sums_of(&text(&top().join("Cargo.lock"))?))?;
    components.push(standard_library()?);
    let parts = components.len();
    let list = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "timestamp": made, "component": whole(&digest::sha256_of(package)?) },
        "components": components,
        "dependencies": dependencies(&manifest)?,
    });
    let text = serde_json::to_string_pretty(&list)
        .map_err(|cause| Error::failed(format!("writing {}", to.display()), cause.to_string()))?;
    write(to, format!("{text}\n").as_bytes())?;
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
fn components(manifest: &Value, sums: &BTreeMap<(String, String), String>) -> Result<Vec<Value>> {
    let graph = Graph::of(manifest)?;
    let described = graph.reached.iter().filter_map(|id| graph.packages.get(id)).map(|package| {
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
    Ok(described.collect())
}

/// Lists what each of them needs.
fn dependencies(manifest: &Value) -> Result<Vec<Value>> {
    let graph = Graph::of(manifest)?;
    let purls = |ids: &[&str]| -> Vec<String> {
        ids.iter().filter_map(|id| graph.packages.get(id)).map(|package| purl(package)).collect()
    };
    let mut of_myself = purls(&graph.needs_of(graph.root));
    of_myself.push(STD.to_owned());
    let mut all = vec![json!({ "ref": MYSELF, "dependsOn": of_myself })];
    for id in &graph.reached {
        let name = purls(&[id]).concat();
        all.push(json!({ "ref": name, "dependsOn": purls(&graph.needs_of(id)) }));
    }
    Ok(all)
}

impl<'a> Graph<'a> {
    /// Reads the graph, and walks from the kit to all that gets into its binary.
    fn of(manifest: &'a Value) -> Result<Self> {
        let (mut packages, mut needs) = (BTreeMap::new(), BTreeMap::new());
        let mut root = None;
        for package in list(manifest, "/packages") {
            let id = package["id"].as_str().unwrap_or_default();
            if package["name"] == MYSELF {
                root = Some(id);
            }
            if !is_macro(package) {
                packages.insert(id, package);
            }
        }
        for node in list(manifest, "/resolve/nodes") {
            let normal = list(node, "/deps")
                .filter(|dep| is_normal(dep))
                .filter_map(|dep| dep["pkg"].as_str());
            needs.insert(node["id"].as_str().unwrap_or_default(), normal.collect::<Vec<_>>());
        }
        let root = root.ok_or_else(|| {
            Error::failed("reading what cargo resolved", format!("{MYSELF} is not in it"))
        })?;
        let mut graph = Self { packages, needs, root, reached: BTreeSet::new() };
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            let new = graph.needs_of(id);
            open.extend(new.into_iter().filter(|id| graph.reached.insert(*id)));
        }
        Ok(graph)
    }

    /// Lists what a package needs that gets into the binary.
    fn needs_of(&self, id: &str) -> Vec<&'a str> {
        let needs = self.needs.get(id).into_iter().flatten();
        needs.copied().filter(|id| self.packages.contains_key(id)).collect()
    }
}

/// Tells whether a package runs inside the compiler.
fn is_macro(package: &Value) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets
        .filter_map(|target| target["kind"].as_array())
        .flatten()
        .any(|kind| kind == "proc-macro")
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
        let listed = components(&manifest, &sums).expect("a list");
        let names: Vec<&str> = listed.iter().filter_map(|part| part["name"].as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(listed[0]["hashes"][0]["content"], "ab");
        assert_eq!(listed[0]["purl"], "pkg:cargo/a@1.0.0%2Bx");
        assert_eq!(listed[1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        let edges = dependencies(&manifest).expect("the edges");
        assert_eq!(edges[0], json!({ "ref": MYSELF, "dependsOn": ["pkg:cargo/a@1.0.0%2Bx", STD] }));
        assert_eq!(edges.len(), 3);
    }

    #[test]
    fn a_graph_without_the_kit_is_an_error() {
        assert!(Graph::of(&json!({})).is_err());
    }
}
