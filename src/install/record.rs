//! What install changed on this node, kept so that uninstall can give it back.
//!
//! It is written before the changes: whoever is killed between the two leaves a record that says
//! too much, never too little. What was once noted as the state before stays noted. A person may
//! write comments into it; they survive.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, value};

use super::block::Entry;
use super::replace;
use crate::boot::links::Boot;
use crate::error::Error;
use crate::files::sync_folder;
use crate::lifekeeper::tag::Tag;
use crate::text::excerpt;

/// The record, below the root folder.
pub(super) const FILE: &str = "var/lib/dovecot-ark/install.toml";

/// The record when nothing was changed yet.
const EMPTY: &str = "\
# What `dovecot-ark install` changed on this node. `dovecot-ark uninstall` reads it and gives it
# back. Comments may be added.
format = 1
";

/// The one version of the format.
const FORMAT: i64 = 1;

/// What this node is to a resource.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// The resource was created here.
    Primary,
    /// It will be extended to here.
    Standby,
}

impl Role {
    const fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
        }
    }
}

/// The record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    path: PathBuf,
    pub(crate) document: DocumentMut,
    /// As it stands in the file; none when there is no file.
    stored: Option<String>,
    /// The same as the document would be written, which has other line ends than some editors.
    unchanged: Option<String>,
}

impl Record {
    /// Reads the record of this node; an empty one when there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be read or understood.
    pub(super) fn read(root: &Path) -> Result<Self, Error> {
        let path = root.join(FILE);
        let failed = || Error::file("reading", &path);
        let stored = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(failed()(cause.to_string())),
        };
        Self::parse(path, stored)
    }

    /// Reads the record that is stored at a path.
    pub(crate) fn parse(path: PathBuf, stored: Option<String>) -> Result<Self, Error> {
        let failed = || Error::file("reading", &path);
        let text = stored.as_deref().unwrap_or(EMPTY);
        let document: DocumentMut =
            text.parse().map_err(|cause: toml_edit::TomlError| failed()(one_line(&cause)))?;
        if document.get("format").and_then(Item::as_integer) != Some(FORMAT) {
            return Err(failed()("format = 1 is expected".to_owned()));
        }
        if let Some(name) = misshapen(&document) {
            return Err(failed()(format!("[{name}] must be a table")));
        }
        let unchanged = stored.as_ref().map(|_| document.to_string());
        Ok(Self { path, document, stored, unchanged })
    }

    /// Whether it says what the file does not say yet.
    pub(crate) fn is_changed(&self) -> bool {
        self.unchanged.as_deref() != Some(&self.document.to_string())
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(super) fn save(&mut self) -> Result<(), Error> {
        if self.is_changed() {
            let text = self.document.to_string();
            replace::create(&self.path, text.as_bytes())?;
            self.unchanged = Some(text.clone());
            self.stored = Some(text);
        }
        Ok(())
    }

    /// Puts this record in the place of a later one.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(super) fn put_back(&self) -> Result<(), Error> {
        match &self.stored {
            Some(text) => replace::create(&self.path, text.as_bytes()),
            None => self.remove(),
        }
    }

    /// Removes the file, and its folder when nobody else has put something there.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be removed.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        match fs::remove_file(&self.path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(Error::file("removing", &self.path)(cause));
            }
            Err(_) | Ok(()) => {}
        }
        if let Some(folder) = self.path.parent()
            && fs::remove_dir(folder).is_err()
            && folder.is_dir()
        {
            return sync_folder(&self.path);
        }
        Ok(())
    }

    /// The entries that were written into LifeKeeper's defaults file.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let written = self.table("settings").and_then(|table| table.get("written")?.as_table());
        let entry = |(key, text): (&str, &Item)| {
            Some(Entry { key: key.to_owned(), text: text.as_str()?.to_owned() })
        };
        written.into_iter().flat_map(|table| table.iter().filter_map(entry)).collect()
    }

    /// Notes entries.
    pub(crate) fn note_entries(&mut self, entries: &[Entry]) {
        let settings = table_in(self.document.as_table_mut(), "settings");
        if let Some(written) = settings.and_then(|table| table_in(table, "written")) {
            for entry in entries {
                set(written, &entry.key, value(entry.text.as_str()));
            }
        }
    }

    /// Whether the end of the file's last line had to be written too.
    pub(crate) fn newline(&self) -> bool {
        let noted =
            self.table("settings").and_then(|table| table.get("ended_last_line")?.as_bool());
        noted.unwrap_or(false)
    }

    /// Notes that it had to be.
    pub(crate) fn note_newline(&mut self) {
        if let Some(settings) = table_in(self.document.as_table_mut(), "settings") {
            set(settings, "ended_last_line", value(true));
        }
    }

    /// How Dovecot was started at boot before.
    pub(crate) fn boot(&self) -> Option<Boot> {
        let table = self.table("boot")?;
        let link =
            |(path, target): (&str, &Item)| Some((path.to_owned(), target.as_str()?.to_owned()));
        let links = table.get("links").and_then(Item::as_table);
        Some(Boot {
            service: table.get("service")?.as_str()?.to_owned(),
            links: links.into_iter().flat_map(|links| links.iter().filter_map(link)).collect(),
            socket_active: table.get("socket_active").and_then(Item::as_bool).unwrap_or(false),
        })
    }

    /// Notes how it was, unless that is noted already: then what is seen now is our own doing.
    pub(crate) fn note_boot(&mut self, boot: &Boot) {
        if self.boot().is_some() {
            return;
        }
        let Some(table) = table_in(self.document.as_table_mut(), "boot") else { return };
        set(table, "service", value(boot.service.as_str()));
        set(table, "socket_active", value(boot.socket_active));
        if let Some(links) = table_in(table, "links") {
            for (path, target) in &boot.links {
                set(links, path, value(target.as_str()));
            }
        }
    }

    /// The tags of the resources for which this node was prepared.
    pub(crate) fn tags(&self) -> Vec<String> {
        let tags = self.table("resources").into_iter().flat_map(Table::iter);
        tags.map(|(tag, _)| tag.to_owned()).collect()
    }

    /// The keys that were written for one resource alone.
    pub(crate) fn keys(&self, tag: &Tag) -> Vec<String> {
        let keys = || self.table("resources")?.get(tag.as_str())?.get("keys")?.as_array();
        let keys = keys().into_iter().flat_map(toml_edit::Array::iter);
        keys.filter_map(|key| Some(key.as_str()?.to_owned())).collect()
    }

    /// Notes what this node is to a resource, and the keys that were written for it alone.
    pub(crate) fn note_resource(&mut self, tag: &Tag, role: Role, keys: &[String]) {
        let mut all = self.keys(tag);
        all.extend(keys.iter().filter(|key| !all.contains(key)).cloned().collect::<Vec<_>>());
        let Some(resources) = table_in(self.document.as_table_mut(), "resources") else { return };
        resources.set_implicit(true);
        let Some(table) = table_in(resources, tag.as_str()) else { return };
        if !table.contains_key("role") {
            set(table, "role", value(role.word()));
        }
        if !all.is_empty() {
            set(table, "keys", value(all.iter().map(String::as_str).collect::<toml_edit::Array>()));
        }
    }

    /// Forgets a resource and its own entries, while others stay.
    pub(crate) fn forget(&mut self, tag: &Tag) {
        let keys = self.keys(tag);
        if let Some(resources) = self.document.get_mut("resources").and_then(Item::as_table_mut) {
            resources.remove(tag.as_str());
        }
        let settings = self.document.get_mut("settings").and_then(Item::as_table_mut);
        if let Some(written) =
            settings.and_then(|table| table.get_mut("written")).and_then(Item::as_table_mut)
        {
            for key in keys {
                written.remove(&key);
            }
        }
    }

    fn table(&self, name: &str) -> Option<&Table> {
        self.document.get(name)?.as_table()
    }
}

/// The tags for which this node was prepared.
///
/// # Errors
///
/// As [`Record::read`].
pub(crate) fn tags(root: &Path) -> Result<Vec<String>, Error> {
    Record::read(root).map(|record| record.tags())
}

/// A table's subtable, made when it is not there; [`Record::read`] has seen to it that what is
/// there is a table.
fn table_in<'a>(parent: &'a mut Table, name: &str) -> Option<&'a mut Table> {
    parent.entry(name).or_insert_with(toml_edit::table).as_table_mut()
}

/// The place of what the record does not hold as it should.
fn misshapen(document: &DocumentMut) -> Option<String> {
    let inner = [("settings", "written"), ("boot", "links")];
    let is_odd = |item: Option<&Item>| item.is_some_and(|item| !item.is_table());
    for name in ["settings", "boot", "resources"] {
        if is_odd(document.get(name)) {
            return Some(name.to_owned());
        }
    }
    for (outer, name) in inner {
        if is_odd(document.get(outer).and_then(|table| table.get(name))) {
            return Some(format!("{outer}.{name}"));
        }
    }
    let resources = document.get("resources").and_then(Item::as_table);
    let mut resources = resources.into_iter().flat_map(Table::iter);
    resources
        .find(|(_, item)| !item.is_table())
        .map(|(tag, _)| format!("resources.{}", excerpt(tag)))
}

/// Sets a value; what equals it stays, with the comments around it.
fn set(table: &mut Table, key: &str, new: Item) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            if let Some(new) = new.as_value()
                && old.to_string().trim() != new.to_string().trim()
            {
                let decor = old.decor().clone();
                *old = new.clone();
                *old.decor_mut() = decor;
            }
        }
        None => {
            table.insert(key, new);
        }
    }
}

/// Where the mistake is and what it is, without the words of the file that its picture shows.
fn one_line(cause: &toml_edit::TomlError) -> String {
    let picture = cause.to_string();
    let place = picture.lines().next().unwrap_or_default();
    let message: Vec<String> = cause.message().lines().map(excerpt).collect();
    format!("{place}: {}", message.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
        Boot { service: "dovecot".into(), links: BTreeMap::from([link]), socket_active: true }
    }

    fn full(root: &TestRoot) -> Record {
        let mut record = Record::read(root.path()).expect("an empty record");
        record.note_entries(&[entry("X"), entry("mail_TIMEOUT")]);
        record.note_newline();
        record.note_boot(&boot());
        record.note_resource(&tag("mail"), Role::Primary, &["mail_TIMEOUT".into()]);
        record.note_resource(&tag("other"), Role::Standby, &[]);
        record.save().expect("writing it");
        record
    }

    #[test]
    fn what_is_noted_is_read_again() {
        let root = TestRoot::new();
        full(&root);
        let record = Record::read(root.path()).expect("the record");
        assert_eq!(record.entries(), [entry("X"), entry("mail_TIMEOUT")]);
        assert_eq!((record.newline(), record.boot()), (true, Some(boot())));
        assert_eq!(record.tags(), ["mail", "other"]);
        assert_eq!(record.keys(&tag("mail")), ["mail_TIMEOUT"]);
        assert!(!record.is_changed());
    }

    #[test]
    fn the_state_before_stays_the_one_that_was_noted_first() {
        let root = TestRoot::new();
        let mut record = full(&root);
        record.note_boot(&Boot::default());
        record.note_resource(&tag("mail"), Role::Standby, &["mail_TIMEOUT".into()]);
        record.note_entries(&[entry("X")]);
        assert!(!record.is_changed(), "{}", record.document);
    }

    #[test]
    fn an_editor_with_other_line_ends_changes_nothing() {
        let root = TestRoot::new();
        full(&root);
        let text = fs::read_to_string(root.path().join(FILE)).expect("the text");
        let text = text.replace('\n', "\r\n");
        root.write(FILE, &text);
        let mut record = Record::read(root.path()).expect("the record");
        assert!(!record.is_changed());
        record.save().expect("nothing to write");
        assert_eq!(fs::read_to_string(root.path().join(FILE)).expect("the text"), text);
        record.note_resource(&tag("third"), Role::Primary, &[]);
        assert!(record.is_changed());
    }

    #[test]
    fn comments_survive_what_is_noted_later() {
        let root = TestRoot::new();
        full(&root);
        let text = fs::read_to_string(root.path().join(FILE)).expect("the text");
        let text = text.replace("[boot]", "# Asked for by the night shift.\n[boot] # here");
        let text = text.replace("role = \"primary\"", "role = \"primary\" # the first");
        root.write(FILE, &text);
        let mut record = Record::read(root.path()).expect("the record");
        record.note_resource(&tag("third"), Role::Primary, &[]);
        record.note_entries(&[entry("X"), entry("Y")]);
        record.save().expect("writing it");
        let now = fs::read_to_string(root.path().join(FILE)).expect("the text");
        for words in ["# Asked for by the night shift.\n[boot] # here", "\"primary\" # the first"] {
            assert!(now.contains(words), "{now}");
        }
        assert!(now.contains("[resources.third]"), "{now}");
    }

    #[test]
    fn a_resource_is_forgotten_with_what_is_its_alone() {
        let root = TestRoot::new();
        let mut record = full(&root);
        record.forget(&tag("mail"));
        assert_eq!((record.tags(), record.entries()), (vec!["other".to_owned()], vec![entry("X")]));
        record.remove().expect("removing it");
        assert!(!root.path().join("var/lib/dovecot-ark").exists());
        record.remove().expect("it may be gone");
    }

    #[test]
    fn a_record_that_is_not_understood_is_named() {
        for (text, reason) in [
            ("format = 1\n[", "TOML parse error at line 2, column 2: "),
            ("format = 1\n\u{1b}x", "TOML parse error at line 2, column 3: key with no value"),
            ("", "format = 1 is expected"),
            ("format = 2", "format = 1 is expected"),
            ("format = 1\nboot = 3", "[boot] must be a table"),
            ("format = 1\n[settings]\nwritten = 'x'", "[settings.written] must be a table"),
            ("format = 1\n[resources]\nmail = 1", "[resources.mail] must be a table"),
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
            invariants::record(&[b"format = 1\n".as_slice(), &file].concat());
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
            let path = PathBuf::from("record");
            let mut record = Record::parse(path.clone(), None).expect("an empty record");
            let entries: Vec<Entry> =
                texts.into_iter().map(|(key, text)| Entry { key, text }).collect();
            let (boot, keys) = (Boot { service, links, socket_active }, Vec::from_iter(keys));
            record.note_entries(&entries);
            record.note_boot(&boot);
            record.note_resource(&tag(&name), Role::Standby, &keys);
            let text = record.document.to_string();
            let read = Record::parse(path, Some(text.clone())).expect("the record");
            prop_assert_eq!(read.entries(), entries, "{}", text);
            prop_assert_eq!((read.boot(), read.tags()), (Some(boot), vec![name.clone()]), "{}", text);
            prop_assert_eq!((read.keys(&tag(&name)), read.is_changed()), (keys, false), "{}", text);
        }
    }
}
