//! The programs that LifeKeeper runs: its copies of the kit's stubs, the stubs, and what they call.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::finding::{Check, Finding};
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::tag::Tag;
use crate::text::checksum;

/// Where the package lays the stubs.
const FOLDER: &str = "usr/lib/dovecot-ark";

/// What the stubs call.
const PROGRAM: &str = "usr/sbin/dovecot-ark";

/// The stubs, as this version of the kit has them.
const TEXTS: [(&str, &str); 4] = [
    ("restore", include_str!("../../installer/restore")),
    ("remove", include_str!("../../installer/remove")),
    ("quickCheck", include_str!("../../installer/quickCheck")),
    ("recover", include_str!("../../installer/recover")),
];

/// How much of a file is read, in bytes; a stub has some hundred.
const MAX_FILE: u64 = 64 << 10;

/// The programs, by their actions.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Copies {
    /// What LifeKeeper keeps under the resource's tag, as far as it is there.
    pub(super) registered: BTreeMap<String, Program>,
    /// What the package laid, as far as it is there.
    pub(super) stubs: BTreeMap<String, Program>,
    /// Whether the kit's program itself is there to be run.
    pub(super) program: bool,
}

/// A file that is to be run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Program {
    /// Where it is.
    pub(super) path: String,
    /// Of its contents.
    pub(super) checksum: String,
    /// Whether it may be run.
    pub(super) executable: bool,
}

impl Copies {
    /// Looks at the files.
    pub(super) fn look(root: &Path, engine: Option<&LifeKeeper>, tag: &Tag) -> Self {
        let copies = engine.map(|engine| engine.copies(tag)).into_iter().flatten();
        let registered = copies.filter_map(|copy| {
            let path = copy.path?;
            let program = Program::look(root, path.strip_prefix(root).unwrap_or(&path))?;
            Some((copy.action.to_owned(), program))
        });
        let stub = |(action, _): (&str, &str)| {
            Some((action.to_owned(), Program::look(root, &Path::new(FOLDER).join(action))?))
        };
        Self {
            registered: registered.collect(),
            stubs: TEXTS.into_iter().filter_map(stub).collect(),
            program: is_executable(&root.join(PROGRAM)),
        }
    }

    /// Makes all copies and stubs this version's.
    #[cfg(test)]
    pub(super) fn make_ours(&mut self) {
        for (action, text) in TEXTS {
            for programs in [&mut self.registered, &mut self.stubs] {
                programs.get_mut(action).expect("a program").checksum = of(text.as_bytes());
            }
        }
    }
}

impl Program {
    /// Looks at a file; `None` when it cannot be read.
    fn look(root: &Path, name: &Path) -> Option<Self> {
        let path = root.join(name);
        // Opening a FIFO would wait for its writer.
        fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let mut bytes = Vec::new();
        File::open(&path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes)).ok()?;
        Some(Self {
            path: Path::new("/").join(name).display().to_string(),
            checksum: of(&bytes),
            executable: is_executable(&path),
        })
    }
}

fn is_executable(path: &Path) -> bool {
    let runs = |data: fs::Metadata| data.is_file() && data.permissions().mode() & 0o111 != 0;
    fs::metadata(path).is_ok_and(runs)
}

fn of(bytes: &[u8]) -> String {
    format!("{:016x}", checksum(bytes))
}

/// Judges the programs of one node.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let copies = &facts.resource.copies;
    let mut findings = stubs(copies);
    if facts.resource.registration().is_some() {
        let odd: Vec<Finding> = TEXTS
            .iter()
            .filter_map(|(action, text)| {
                odd_copy(action, text, copies.registered.get(*action), &facts.resource.tag)
            })
            .collect();
        if odd.is_empty() {
            findings
                .push(Finding::ok(Check::Copies, "LifeKeeper's four copies are the kit's stubs"));
        }
        findings.extend(odd);
    }
    findings
}

fn odd_copy(action: &str, text: &str, copy: Option<&Program>, tag: &str) -> Option<Finding> {
    let stub = format!("/{FOLDER}/{action}");
    let Some(copy) = copy else {
        let why = match action {
            "quickCheck" => "without it LifeKeeper never notices that Dovecot is dead",
            "recover" => "without it each fault of Dovecot leads to a failover",
            _ => "without it LifeKeeper can neither start nor stop Dovecot",
        };
        return Some(Finding::error(
            Check::Copies,
            format!("{tag} has no {action} here"),
            why,
            format!("delete the resource and create it anew: dovecot-ark install --tag {tag}"),
        ));
    };
    let path = &copy.path;
    if copy.checksum != of(text.as_bytes()) {
        return Some(Finding::error(
            Check::Copies,
            format!("{path} is not the kit's {action}"),
            "LifeKeeper runs this copy, and what it does nobody knows",
            format!("install -m 755 {stub} '{path}'"),
        ));
    }
    (!copy.executable).then(|| {
        Finding::error(
            Check::Copies,
            format!("{path} is not executable"),
            format!("LifeKeeper cannot run {action}"),
            format!("chmod 755 '{path}'"),
        )
    })
}

fn stubs(copies: &Copies) -> Vec<Finding> {
    let cure = "install the package dovecot-ark again (rpm -V dovecot-ark shows what is odd)";
    let why = "what LifeKeeper runs calls it, and a new resource is made of it";
    let mut unusable = Vec::new();
    let mut edited = Vec::new();
    if !copies.program {
        unusable.push(format!("/{PROGRAM}"));
    }
    for (action, text) in TEXTS {
        match copies.stubs.get(action) {
            Some(Program { checksum, executable: true, .. }) => {
                if *checksum != of(text.as_bytes()) {
                    edited.push(format!("/{FOLDER}/{action}"));
                }
            }
            _ => unusable.push(format!("/{FOLDER}/{action}")),
        }
    }
    let mut findings = Vec::new();
    if !unusable.is_empty() {
        let what = format!("missing or not executable: {}", unusable.join(", "));
        findings.push(Finding::error(Check::Stubs, what, why, cure));
    }
    if !edited.is_empty() {
        let what = format!("not as the package laid it: {}", edited.join(", "));
        findings.push(Finding::warning(Check::Stubs, what, why, cure));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(Check::Stubs, "the kit's four stubs and its program are there"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::healthy;
    use super::super::finding::Level;
    use super::*;
    use crate::test_root::TestRoot;

    #[test]
    fn files_are_known_by_their_contents_and_their_mode() {
        let root = TestRoot::new();
        root.write_program("opt/LifeKeeper/bin/ins_list");
        root.write(&format!("{FOLDER}/restore"), TEXTS[0].1);
        root.write_program(&format!("{FOLDER}/remove"));
        let copy = "opt/LifeKeeper/subsys/gen/resources/app/recovery/!recover/mail";
        root.write(copy, TEXTS[3].1);
        let engine = LifeKeeper::find(root.path()).expect("LifeKeeper");
        let tag = Tag::parse("mail").expect("a tag");
        let copies = Copies::look(root.path(), Some(&engine), &tag);
        let runs = |action: &str| copies.stubs.get(action).map(|program| program.executable);
        assert_eq!(["restore", "remove", "recover"].map(runs), [Some(false), Some(true), None]);
        assert_eq!(copies.registered["recover"].path, format!("/{copy}"));
        assert_eq!(copies.registered["recover"].checksum, of(TEXTS[3].1.as_bytes()));
        assert_eq!(copies.registered.get("restore"), None);
        assert!(!copies.program);
        assert_eq!(Copies::look(root.path(), None, &tag).registered.len(), 0);
    }

    #[test]
    fn a_copy_that_is_missing_changed_or_cannot_be_run_is_an_error() {
        type Change = fn(&mut Copies);
        fn restore(copies: &mut Copies) -> &mut Program {
            copies.registered.get_mut("restore").expect("a copy")
        }
        let path = "/opt/LifeKeeper/subsys/gen/resources/app/actions/!restore/dovecot";
        let cases: [(&str, String, Change); 3] = [
            ("has no restore", "delete the resource".into(), |c| {
                c.registered.remove("restore");
            }),
            (
                "is not the kit's restore",
                format!("install -m 755 /usr/lib/dovecot-ark/restore '{path}'"),
                |c| restore(c).checksum = "0".into(),
            ),
            ("is not executable", format!("chmod 755 '{path}'"), |c| restore(c).executable = false),
        ];
        for (what, cure, change) in cases {
            let mut facts = healthy("node1");
            change(&mut facts.resource.copies);
            let findings = judge(&facts);
            let odd: Vec<_> = findings.iter().filter(|one| one.level != Level::Ok).collect();
            let [finding] = odd.as_slice() else { panic!("{findings:?}") };
            assert_eq!((finding.check, finding.level), (Check::Copies, Level::Error));
            assert!(finding.what.contains(what), "{}", finding.what);
            assert!(finding.cure.as_deref().is_some_and(|text| text.starts_with(&cure)));
        }
    }

    #[test]
    fn a_stub_that_cannot_be_run_is_an_error_and_an_edited_one_a_warning() {
        type Change = fn(&mut Copies);
        let cases: [(Level, &str, Change); 4] = [
            (Level::Error, "missing or not executable: /usr/sbin/dovecot-ark", |c| {
                c.program = false;
            }),
            (Level::Error, "executable: /usr/lib/dovecot-ark/quickCheck", |c| {
                c.stubs.remove("quickCheck");
            }),
            (Level::Error, "executable: /usr/lib/dovecot-ark/remove", |c| {
                c.stubs.get_mut("remove").expect("a stub").executable = false;
            }),
            (Level::Warning, "not as the package laid it: /usr/lib/dovecot-ark/recover", |c| {
                c.stubs.get_mut("recover").expect("a stub").checksum = "0".into();
            }),
        ];
        for (level, what, change) in cases {
            let mut copies = healthy("node1").resource.copies;
            change(&mut copies);
            let findings = stubs(&copies);
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(finding.level, level);
            assert!(finding.what.ends_with(what), "{}", finding.what);
        }
    }
}
