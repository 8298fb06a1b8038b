//! Libraries of a few lines that a program on a node is told to preload.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::{Mutex, PoisonError};

use crate::scene::Scene;

/// What has been built, by its name.
static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// Lays the library that is built from `NAME.c` on the node, as `/tmp/NAME.so`.
pub(crate) fn lay(scene: &Scene, name: &str) {
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let library = built.entry(name.to_owned()).or_insert_with(|| build(name));
    scene.node.copy_in(library, &format!("/tmp/{name}.so")).expect("laying a library");
}

fn build(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/faults/{name}.c"));
    let file = format!("{name}-{}.so", process::id());
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
    assert!(compile.status().expect("a C compiler").success());
    library
}
