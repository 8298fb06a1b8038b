//! The copies that LifeKeeper keeps of a resource's four programs.

use std::fmt::Display;
use std::path::PathBuf;

use super::installation::LifeKeeper;
use super::tag::Tag;
use crate::files::PROGRAMS;

/// The actions, and the directory below which LifeKeeper keeps the copies of each.
const DIRECTORIES: [(&str, &str); 4] = [
    ("restore", "actions"),
    ("remove", "actions"),
    ("quickCheck", "actions"),
    ("recover", "recovery"),
];

/// The copy of one action's program.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    pub(crate) action: &'static str,
    pub(crate) path: Option<PathBuf>,
}

impl LifeKeeper {
    /// Looks where the four copies are. Shipped scripts spell a directory `resources`, some manuals
    /// `Resources`; whichever exists is taken.
    pub(crate) fn copies(&self, tag: &Tag) -> [Copy; 4] {
        DIRECTORIES.map(|(action, directory)| Copy {
            action,
            path: ["resources", "Resources"]
                .map(|word| {
                    self.path(&format!("subsys/gen/{word}/app/{directory}/!{action}/{tag}"))
                })
                .into_iter()
                .find(|path| path.is_file()),
        })
    }
}

/// The command that puts the kit's program in the place of a copy.
pub(crate) fn cure(action: &str, copy: impl Display) -> String {
    format!("install -m 755 {PROGRAMS}/{action} '{copy}'")
}
