//! What install changed on this node, kept so that uninstall can give it back.
//!
//! It is written before the changes: a run that is killed between the two leaves a record that says
//! too much, never too little. What was once noted as the state before stays noted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::block::Entry;
use super::replace;
use super::restart::Restart;
use crate::boot::links::Boot;
use crate::error::Error;
use crate::files::{if_there, sync_directory};
use crate::lifekeeper::tag::Tag;
use crate::text::excerpt;

/// The record, below the root directory.
pub(super) const FILE: &str = "var/lib/dovecot-ark/install.toml";

/// How the file begins.
const HEAD: &str = "\
# What `dovecot-ark install` changed on this node. `dovecot-ark uninstall` reads it and gives it
# back.
";

/// The format that is written.
const FORMAT: i64 = 2;

/// The format that knew one service only: its `boot` is one table and not one for each service. It
/// is read, and written as [`FORMAT`] with the next change, so that an upgrade loses nothing.
const ONE_SERVICE: i64 = 1;

/// The record; `B` is what it says of the start at boot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record<B = Vec<Boot>> {
    format: i64,
    /// How each service was started at boot before.
    #[serde(default)]
    pub(crate) boot: B,
    #[serde(default)]
    pub(crate) settings: Written,
    /// The drop-ins that were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) restart: Vec<Restart>,
    /// The resources for which this node was prepared, by their tags.
    #[serde(default)]
    resources: BTreeMap<String, Prepared>,
}

/// What was written into LifeKeeper's defaults file.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    /// Whether the end of the file's last line had to be written too.
    #[serde(default)]
    pub(crate) ended_last_line: bool,
    /// The entries by their keys.
    #[serde(default)]
    pub(crate) written: BTreeMap<String, String>,
}

/// What was done for one resource.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Prepared {
    role: Role,
    /// The keys that were written for it alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    /// What was done to it, if other programs served it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taken: Option<TakeOver>,
}

/// How far a resource was taken over on this node.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakeOver {
    /// Whether it is marked OSU for a moment, and was ISP.
    #[serde(default)]
    pub(crate) paused: bool,
    /// Whether this node had been prepared for it before.
    #[serde(default)]
    pub(crate) prepared: bool,
}

/// What this node is to a resource.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// The resource was created here.
    Primary,
    /// It will be extended to here.
    Standby,
}

impl Default for Record {
    fn default() -> Self {
        let (boot, settings, restart, resources) = Default::default();
        Self { format: FORMAT, boot, settings, restart, resources }
    }
}

impl Record {
    /// Reads the record of this node, if there is one.
    ///
    /// # Errors
    ///
    /// When it cannot be read or understood.
    pub(super) fn read(root: &Path) -> Result<Option<Self>, Error> {
        let path = root.join(FILE);
        let text = if_there(fs::read_to_string(&path)).map_err(Error::file("reading", &path))?;
        text.map(|text| Self::parse(&text)).transpose().map_err(Error::file("reading", &path))
    }

    /// Reads its text.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and in which line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            format: i64,
        }
        match understand::<Version>(text)?.format {
            ONE_SERVICE => understand::<Record<Option<Boot>>>(text).map(|old| Self {
                format: FORMAT,
                boot: Vec::from_iter(old.boot),
                settings: old.settings,
                restart: old.restart,
                resources: old.resources,
            }),
            FORMAT => understand(text),
            other => Err(format!("format {other} is not one that this version can read")),
        }
    }

    /// The text of its file.
    ///
    /// # Errors
    ///
    /// None is known.
    pub(crate) fn text(&self) -> Result<String, toml_edit::ser::Error> {
        toml_edit::ser::to_string_pretty(self).map(|text| format!("{HEAD}{text}"))
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(super) fn save(&self, root: &Path) -> Result<(), Error> {
        let path = root.join(FILE);
        let text = self.text().map_err(Error::file("writing", &path))?;
        replace::create(&path, text.as_bytes())
    }

    /// The entries that were written into LifeKeeper's defaults file.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let entry =
            |(key, text): (&String, &String)| Entry { key: key.clone(), text: text.clone() };
        self.settings.written.iter().map(entry).collect()
    }

    pub(crate) fn note_entries(&mut self, entries: &[Entry]) {
        let noted = entries.iter().map(|entry| (entry.key.clone(), entry.text.clone()));
        self.settings.written.extend(noted);
    }

    /// Notes how a service was started, unless that is noted already: then what is seen now is our
    /// own doing.
    pub(crate) fn note_boot(&mut self, boot: &Boot) {
        if self.boot.iter().all(|noted| noted.service != boot.service) {
            self.boot.push(boot.clone());
        }
    }

    /// Notes a drop-in, unless that of its service is noted already.
    pub(crate) fn note_restart(&mut self, restart: &Restart) {
        if self.restart.iter().all(|noted| noted.service != restart.service) {
            self.restart.push(restart.clone());
        }
    }

    /// The tags of the resources for which this node was prepared.
    pub(crate) fn tags(&self) -> Vec<String> {
        self.resources.keys().cloned().collect()
    }

    /// Whether this node was prepared for a resource.
    pub(crate) fn has(&self, tag: &Tag) -> bool {
        self.resources.contains_key(tag.as_str())
    }

    /// The keys that were written for one resource alone.
    pub(crate) fn keys(&self, tag: &Tag) -> Vec<String> {
        self.resources.get(tag.as_str()).map_or_else(Vec::new, |noted| noted.keys.clone())
    }

    /// Notes what this node is to a resource, and the keys that were written for it alone.
    pub(crate) fn note_resource(&mut self, tag: &Tag, role: Role, keys: &[String]) {
        let new = || Prepared { role, keys: Vec::new(), taken: None };
        let noted = self.resources.entry(tag.to_string()).or_insert_with(new);
        for key in keys {
            if !noted.keys.contains(key) {
                noted.keys.push(key.clone());
            }
        }
    }

    /// How far a resource was taken over on this node, if it was.
    pub(crate) fn taken(&self, tag: &Tag) -> Option<TakeOver> {
        self.resources.get(tag.as_str()).and_then(|noted| noted.taken)
    }

    /// Whether a resource is marked OSU for a moment, and was ISP.
    pub(crate) fn is_paused(&self, tag: &Tag) -> bool {
        self.taken(tag).is_some_and(|taken| taken.paused)
    }

    /// Notes how far a resource is taken over on this node, where that is prepared for it.
    pub(crate) fn note_taken(&mut self, tag: &Tag, taken: Option<TakeOver>) {
        if let Some(noted) = self.resources.get_mut(tag.as_str()) {
            noted.taken = taken;
        }
    }

    /// Forgets a resource and its own entries, while others stay.
    pub(crate) fn forget(&mut self, tag: &Tag) {
        for key in self.resources.remove(tag.as_str()).into_iter().flat_map(|noted| noted.keys) {
            self.settings.written.remove(&key);
        }
    }
}

/// Removes the file, and its directory if that is empty.
///
/// # Errors
///
/// When it is there and cannot be removed.
pub(super) fn remove(root: &Path) -> Result<(), Error> {
    let path = root.join(FILE);
    if_there(fs::remove_file(&path)).map_err(Error::file("removing", &path))?;
    if let Some(directory) = path.parent()
        && fs::remove_dir(directory).is_err()
        && directory.is_dir()
    {
        return sync_directory(&path);
    }
    Ok(())
}

/// The tags for which this node was prepared.
///
/// # Errors
///
/// As [`Record::read`].
pub(crate) fn tags(root: &Path) -> Result<Vec<String>, Error> {
    Record::read(root).map(|record| record.unwrap_or_default().tags())
}

/// Whether a resource of other scripts was put into the kit's hands on this node, or is about to be.
pub(crate) fn is_taken(root: &Path, tag: &Tag) -> bool {
    matches!(Record::read(root), Ok(Some(record)) if record.taken(tag).is_some())
}

/// Reads TOML. What is wrong is told in one line, without the words of the file around it.
fn understand<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    toml_edit::de::from_str(text).map_err(|cause| {
        let picture = cause.to_string();
        let place =
            picture.lines().next().and_then(|line| line.strip_prefix("TOML parse error at "));
        let message: Vec<String> = cause.message().lines().map(excerpt).collect();
        format!("{}: {}", place.unwrap_or("as a whole"), message.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;
    use crate::test_bytes::{self, pieces};
    use crate::test_root::TestRoot;
    use proptest::prelude::*;

    fn tag(name: &str) -> Tag {
        Tag::parse(name).expect("a tag")
    }

    fn entry(key: &str) -> Entry {
        Entry { key: key.into(), text: format!("# \"{key}\"\n{key}=1\n") }
    }

    fn boot() -> Boot {
        let link = ("/etc/rc2.d/S01dovecot".to_owned(), "../init.d/dovecot".to_owned());
        Boot {
            service: "dovecot".into(),
            links: BTreeMap::from([link]),
            socket_active: true,
            ..Boot::default()
        }
    }

    fn full(root: &TestRoot) -> Record {
        let mut record = Record::default();
        record.note_entries(&[entry("X"), entry("mail_TIMEOUT")]);
        record.settings.ended_last_line = true;
        record.note_boot(&boot());
        record.note_resource(&tag("mail"), Role::Primary, &["mail_TIMEOUT".into()]);
        record.note_resource(&tag("other"), Role::Standby, &[]);
        record.save(root.path()).expect("writing it");
        record
    }

    #[test]
    fn what_is_noted_is_read_again() {
        let root = TestRoot::new();
        let record = full(&root);
        assert_eq!(Record::read(root.path()).expect("the record"), Some(record));
        let text = fs::read_to_string(root.path().join(FILE)).expect("its text");
        for line in ["[[boot]]", "[settings.written]", "[resources.mail]", "role = \"standby\""] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }

    #[test]
    fn the_state_before_stays_the_one_that_was_noted_first() {
        let root = TestRoot::new();
        let mut record = full(&root);
        record.note_boot(&Boot { service: "dovecot".into(), ..Boot::default() });
        record.note_resource(&tag("mail"), Role::Standby, &["mail_TIMEOUT".into()]);
        record.note_entries(&[entry("X")]);
        assert_eq!(Record::read(root.path()).expect("the record"), Some(record));
    }

    #[test]
    fn a_second_service_is_noted_beside_the_first() {
        let root = TestRoot::new();
        let mut record = full(&root);
        let second = Boot { service: "dovecot-two".into(), ..boot() };
        record.note_boot(&second);
        record.save(root.path()).expect("writing it");
        let read = Record::read(root.path()).expect("reading it").expect("the record");
        assert_eq!(read.boot, [boot(), second]);
    }

    #[test]
    fn a_record_of_an_older_kit_says_the_same() {
        let root = TestRoot::new();
        let record = full(&root);
        root.write(FILE, include_str!("../../tests/fuzz/seeds/record/one-service"));
        assert_eq!(Record::read(root.path()).expect("the record"), Some(record));
    }

    #[test]
    fn a_resource_is_forgotten_with_what_is_its_alone() {
        let root = TestRoot::new();
        let mut record = full(&root);
        record.forget(&tag("mail"));
        assert_eq!((record.tags(), record.entries()), (vec!["other".to_owned()], vec![entry("X")]));
        remove(root.path()).expect("removing it");
        assert!(!root.path().join("var/lib/dovecot-ark").exists());
        remove(root.path()).expect("it may be gone");
    }

    #[test]
    fn a_record_that_is_not_understood_is_named() {
        for (text, reason) in [
            ("format = 1\n[", "line 2, column 2: "),
            ("format = 1\n\u{1b}x", "line 2, column 3: key with no value"),
            ("", "missing field `format`"),
            ("format = 3", "format 3 is not one that this version can read"),
            ("format = 2\nboot = 3", "line 2, column 8: invalid type: integer `3`"),
            ("format = 1\n[boot]\n", "line 2, column 1: missing field `service`"),
            ("format = 2\n[settings]\nwritten = 'x'", "line 3, column 11: invalid type: string"),
            ("format = 2\n[resources]\nmail = 1", "line 3, column 8: invalid type: integer `1`"),
            ("format = 2\nnext = 1", "line 2, column 1: unknown field `next`"),
        ] {
            let root = TestRoot::new();
            root.write(FILE, text);
            let error = Record::read(root.path()).expect_err(text).to_string();
            assert!(error.contains("install.toml: ") && error.contains(reason), "{text}: {error}");
        }
    }

    /// What a record is made of.
    const WORDS: &[&str] = &[
        "format = 1\n",
        "format = 1\n[settings]\n",
        "[boot]\n",
        "[[boot]]\n",
        "[boot]\nservice = 'x'\nsocket_active = false\n",
        "[boot.links]\n",
        "[settings.written]\n",
        "[resources.mail]\n",
        "[resources]\n",
        "role = \"primary\"",
        "keys = [\"X\"]",
        "service = 'dovecot'\n",
        "socket_active = true\n",
        "ended_last_line = true\n",
        "X = \"X=1\\n\"\n",
        "\"",
        "'",
        "[",
        "]",
        "{",
        "}",
        "=",
        ".",
        "\n",
        "\n",
        "#",
        "\r\n",
        "mail",
        "links",
        "boot.",
        "resources.",
        "true",
        "1",
        ",",
    ];

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn any_file_is_refused_in_a_line_or_kept_with_what_is_noted(file in pieces(WORDS, 6)) {
            for format in [b"format = 1\n", b"format = 2\n"] {
                invariants::record(&[format.as_slice(), &file].concat());
            }
            invariants::record(&file);
        }

        #[test]
        fn whatever_words_are_noted_are_read_again(
            texts in prop::collection::btree_map(any::<String>(), any::<String>(), 0..3),
            links in prop::collection::btree_map(any::<String>(), any::<String>(), 0..3),
            (service, name) in (any::<String>(), "[a-z./ é]{1,9}"),
            keys in prop::collection::btree_set(any::<String>(), 0..3),
            socket_active: bool,
        ) {
            let mut record = Record::default();
            let entries: Vec<Entry> =
                texts.into_iter().map(|(key, text)| Entry { key, text }).collect();
            record.note_entries(&entries);
            record.note_boot(&Boot { service, links, socket_active, ..Boot::default() });
            record.note_resource(&tag(&name), Role::Standby, &Vec::from_iter(keys));
            let text = record.text().expect("its text");
            prop_assert_eq!(Record::parse(&text), Ok(record), "{}", text);
        }
    }
}
