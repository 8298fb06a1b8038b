//! Lays the tree of a LifeKeeper that is installed: this program under all its names.
//!
//! The program is copied and the links are relative, so a tree can be laid from outside a node.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::commands::COMMANDS;
use crate::error::{Failure, Result};
use crate::place::Place;

/// Lays the tree: `--dialect none|plain|gnu [--lkroot DIR]`.
pub(crate) fn lay(place: &Place, words: &[String]) -> Result<()> {
    let (mut root, mut dialect) = (place.root.clone(), None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match (word.as_str(), words.next()) {
            ("--lkroot", Some(folder)) => root = folder.into(),
            ("--dialect", Some(name)) if ["none", "plain", "gnu"].contains(&name.as_str()) => {
                dialect = Some(name);
            }
            _ => return Err(Failure::Syntax(format!("lay: unknown argument {word}"))),
        }
    }
    let Some(dialect) = dialect else {
        return Err(Failure::Syntax("lay: --dialect none|plain|gnu is missing".into()));
    };
    write(&root, dialect).map_err(Failure::io(format!("laying {}", root.display())))
}

fn write(root: &Path, dialect: &str) -> std::io::Result<()> {
    // C: these folders exist.
    for folder in [
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
        fs::create_dir_all(root.join(folder))?;
    }
    let program = Path::new("sbin").join(crate::NAME);
    // The old one may run.
    let _ = fs::remove_file(root.join(&program));
    fs::copy("/proc/self/exe", root.join(&program))?;
    // D: lkcli came with 9.5.0.
    let _ = fs::remove_file(root.join("bin/lkcli"));
    let lkcli = Some("lkcli").filter(|_| dialect != "none");
    let others = ["lcduname", "lkstart", "lktest"].into_iter().chain(lkcli);
    for name in COMMANDS.iter().map(|(name, ..)| *name).chain(others) {
        let (folder, up) = match name {
            "creapphier" => ("lkadm/subsys/gen/app/bin", "../../../../.."),
            "extmgrDoExtend.pl" => ("lkadm/bin", "../.."),
            _ => ("bin", ".."),
        };
        let link = root.join(folder).join(name);
        let _ = fs::remove_file(&link);
        symlink(Path::new(up).join(&program), link)?;
    }
    fs::write(root.join("config/DIALECT"), dialect)?;
    if !root.join("config/VERSION").exists() {
        let version = if dialect == "none" { "9.3.2" } else { "9.9.0" };
        fs::write(root.join("config/VERSION"), version)?;
    }
    Ok(())
}
