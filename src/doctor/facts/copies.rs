//! The programs that LifeKeeper runs: its copies of the kit's stubs, the stubs, and what they call.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files;
use crate::install::record;
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::tag::Tag;
use crate::text::checksum;

/// Where the package lays the stubs.
pub(crate) const DIRECTORY: &str = "usr/lib/dovecot-ark";

/// The stubs, as this version of the kit has them.
pub(crate) const TEXTS: [(&str, &str); 4] = [
    ("restore", include_str!("../../../installer/restore")),
    ("remove", include_str!("../../../installer/remove")),
    ("quickCheck", include_str!("../../../installer/quickCheck")),
    ("recover", include_str!("../../../installer/recover")),
];

/// How much of a file is read, in bytes; a stub has some hundred.
const MAX_FILE: u64 = 64 << 10;

/// The programs, by their actions.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Copies {
    /// What LifeKeeper keeps under the resource's tag, as far as it is there.
    pub(crate) registered: BTreeMap<String, Program>,
    /// What the package laid, as far as it is there.
    pub(crate) stubs: BTreeMap<String, Program>,
    /// Whether the kit's program itself is there to be run.
    pub(crate) program: bool,
    /// Whether install has taken the resource over, or a run that was killed was about to. Earlier
    /// kits do not tell.
    #[serde(default)]
    pub(crate) taken: bool,
}

/// A file that is to be run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Program {
    pub(crate) path: String,
    pub(crate) checksum: String,
    pub(crate) executable: bool,
}

impl Copies {
    /// Looks at the files.
    pub(crate) fn gather(root: &Path, engine: Option<&LifeKeeper>, tag: &Tag) -> Self {
        let copies = engine.map(|engine| engine.copies(tag)).into_iter().flatten();
        let registered = copies.filter_map(|copy| {
            let path = copy.path?;
            let program = Program::gather(root, path.strip_prefix(root).unwrap_or(&path))?;
            Some((copy.action.to_owned(), program))
        });
        let stub = |(action, _): (&str, &str)| {
            Some((action.to_owned(), Program::gather(root, &Path::new(DIRECTORY).join(action))?))
        };
        Self {
            registered: registered.collect(),
            stubs: TEXTS.into_iter().filter_map(stub).collect(),
            program: is_executable(&files::below(root, Path::new(files::PROGRAM))),
            taken: record::is_taken(root, tag),
        }
    }

    /// The copies that are not this version's, by their actions.
    pub(crate) fn foreign(&self) -> Vec<&str> {
        let is_foreign = |(action, text): &(&str, &str)| {
            self.registered.get(*action).is_some_and(|copy| !copy.holds(text))
        };
        TEXTS.into_iter().filter(is_foreign).map(|(action, _)| action).collect()
    }

    /// Whether `install --take-over` is what they need: all four are there, and none is the kit's, or
    /// a run that took them over was killed. A copy of the kit's that somebody has edited is none: taken
    /// over, it would be given back by uninstall.
    pub(crate) fn are_others(&self) -> bool {
        let foreign = self.foreign().len();
        self.registered.len() == TEXTS.len()
            && (foreign == TEXTS.len() || foreign > 0 && self.taken)
    }

    /// Makes all copies and stubs this version's.
    #[cfg(test)]
    pub(crate) fn make_ours(&mut self) {
        for (action, text) in TEXTS {
            for programs in [&mut self.registered, &mut self.stubs] {
                programs.get_mut(action).expect("a program").checksum = of(text.as_bytes());
            }
        }
    }
}

impl Program {
    /// Whether it contains this text.
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.checksum == of(text.as_bytes())
    }

    /// Looks at a file; `None` when it cannot be read.
    fn gather(root: &Path, name: &Path) -> Option<Self> {
        let path = root.join(name);
        let bytes = files::read_regular(&path, MAX_FILE).ok()?;
        Some(Self {
            path: Path::new("/").join(name).display().to_string(),
            checksum: of(&bytes),
            executable: is_executable(&path),
        })
    }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| files::is_program(&data))
}

fn of(bytes: &[u8]) -> String {
    format!("{:016x}", checksum(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;

    #[test]
    fn files_are_known_by_their_contents_and_their_mode() {
        let root = TestRoot::new();
        root.write_program("opt/LifeKeeper/bin/ins_list");
        root.write(&format!("{DIRECTORY}/restore"), TEXTS[0].1);
        root.write_program(&format!("{DIRECTORY}/remove"));
        let copy = "opt/LifeKeeper/subsys/gen/resources/app/recovery/!recover/mail";
        root.write(copy, TEXTS[3].1);
        let engine = LifeKeeper::find(root.path()).expect("LifeKeeper");
        let tag = Tag::parse("mail").expect("a tag");
        let copies = Copies::gather(root.path(), Some(&engine), &tag);
        let runs = |action: &str| copies.stubs.get(action).map(|program| program.executable);
        assert_eq!(["restore", "remove", "recover"].map(runs), [Some(false), Some(true), None]);
        assert_eq!(copies.registered["recover"].path, format!("/{copy}"));
        assert_eq!(copies.registered["recover"].checksum, of(TEXTS[3].1.as_bytes()));
        assert_eq!(copies.registered.get("restore"), None);
        assert!(!copies.program);
        assert_eq!(Copies::gather(root.path(), None, &tag).registered.len(), 0);
    }
}
