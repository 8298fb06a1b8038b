//! Lays the tree of a LifeKeeper that is installed: this program under all its names.
//!
//! The program is copied and the links are relative, so a tree can be laid from outside a node.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::commands::COMMANDS;
use crate::error::{Failure, Result};
use crate::place::Place;

/// Lays the tree: `[--no-lkcli] [--lkroot DIR]`.
pub(crate) fn lay(place: &Place, words: &[String]) -> Result<()> {
    let (mut root, mut lkcli) = (place.root.clone(), Some("lkcli"));
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--no-lkcli" => lkcli = None,
            "--lkroot" => root = words.next().ok_or_else(|| unknown(word))?.into(),
            _ => return Err(unknown(word)),
        }
    }
    write(&root, lkcli).map_err(Failure::io(format!("laying {}", root.display())))
}

fn unknown(word: &str) -> Failure {
    Failure::Syntax(format!("lay: unknown argument, or one without its value: {word}"))
}

fn write(root: &Path, lkcli: Option<&str>) -> std::io::Result<()> {
    // C: these directories exist.
    for directory in [
        "bin",
        "config",
        "events",
        "lkadm/bin",
        "lkadm/subsys/gen/app/bin",
        "sbin",
        "subsys/gen/resources/app/actions/!quickCheck",
        "subsys/gen/resources/app/actions/!remove",
        "subsys/gen/resources/app/actions/!restore",
        "subsys/gen/resources/app/recovery/!recover",
    ] {
        fs::create_dir_all(root.join(directory))?;
    }
    let program = Path::new("sbin").join(crate::NAME);
    // The old one may run.
    let _ = fs::remove_file(root.join(&program));
    fs::copy("/proc/self/exe", root.join(&program))?;
    // D: lkcli came with 9.5.0.
    let _ = fs::remove_file(root.join("bin/lkcli"));
    let others = ["lcduname", "lkstart", "lktest"].into_iter().chain(lkcli);
    for name in COMMANDS.iter().map(|(name, ..)| *name).chain(others) {
        let (directory, up) = match name {
            "creapphier" => ("lkadm/subsys/gen/app/bin", "../../../../.."),
            "extmgrDoExtend.pl" => ("lkadm/bin", "../.."),
            _ => ("bin", ".."),
        };
        let link = root.join(directory).join(name);
        let _ = fs::remove_file(&link);
        symlink(Path::new(up).join(&program), link)?;
    }
    if !root.join("config/VERSION").exists() {
        let version = if lkcli.is_none() { "9.3.2" } else { "9.9.0" };
        fs::write(root.join("config/VERSION"), version)?;
    }
    Ok(())
}
