//! What holds for any input of `src/install`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::boot::links::Boot;
use crate::install::block::*;
use crate::install::record::*;
use crate::lifekeeper::tag::Tag;

/// Holds for any file, and any of the default entries: what is added alone and removed leaves the
/// file as it was; what is added stands in the block, holds, and does not change what surrounds it.
pub fn block(file: &[u8]) {
    let choice = file.len();
    let entries: Vec<Entry> = defaults()
        .into_iter()
        .enumerate()
        .filter_map(|(n, entry)| (choice >> n & 1 == 0).then_some(entry))
        .collect();
    let added = add(file, &entries);
    assert!(is_in(&added) && !lacks_newline(&added) || is_in(file), "the block is there");
    assert_eq!(remove(file, &[], Extent::Entries), file, "nothing was asked for");
    let stranger = Entry { key: "X".into(), text: String::new() };
    assert_eq!(remove(file, &[stranger], Extent::Entries), file, "there is nothing of it");
    if is_in(file) {
        let new: usize = entries.iter().map(|entry| entry.text.len()).sum();
        assert_eq!(added.len(), file.len() + new);
        let gone = remove(&added, &entries, Extent::Entries);
        assert_eq!(gone.len(), file.len(), "as much is removed as was added");
        let sorted = |bytes: &[u8]| {
            let mut lines: Vec<Vec<u8>> = lines(bytes).into_iter().map(<[u8]>::to_vec).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&gone), sorted(file), "and no other line");
    } else {
        assert!(added.starts_with(file), "the file stays, and the block follows");
        let newline = lacks_newline(file);
        let extent = if newline { Extent::BlockAndNewline } else { Extent::Block };
        assert_eq!(remove(&added, &entries, extent), file);
        // Half of it first, as for one of two resources.
        let (half, rest) = entries.split_at(entries.len() / 2);
        assert_eq!(remove(&remove(&added, half, Extent::Entries), rest, extent), file);
        let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let mut read = crate::lifekeeper::defaults::from_bytes(&added, "APP_DOVECOT_", &keys);
        for entry in &entries {
            let last = entry.text.lines().last().unwrap_or_default();
            let value = read.take(&entry.key).map(|found| found.value).unwrap_or_default();
            let written = [format!("{}={value}", entry.key), format!("{}=\"{value}\"", entry.key)];
            assert!(written.iter().any(|line| line == last), "{last:?} holds, not {value:?}");
        }
    }
}

/// Holds for any file: it is refused in one printable line, or it is written as it was read, and
/// what is noted is read again, beside all that was noted before.
pub fn record(file: &[u8]) {
    let text = String::from_utf8_lossy(file).into_owned();
    let mut record = match Record::parse(PathBuf::from("record"), Some(text.clone())) {
        Ok(record) => record,
        Err(cause) => {
            let cause = cause.to_string();
            assert!(cause.len() < 4096, "{} bytes", cause.len());
            assert!(!cause.contains(char::is_control), "{cause:?}");
            return;
        }
    };
    assert!(!record.is_changed(), "{text:?} became {:?}", record.document.to_string());
    let once = record.document.to_string();
    let twice = Record::parse(PathBuf::from("record"), Some(once.clone()));
    assert_eq!(twice.ok().map(|record| record.document.to_string()), Some(once));
    let (entries, boot_before, tags) = (record.entries(), record.boot(), record.tags());
    let links = BTreeMap::from([("/etc/rc2.d/S01dovecot".to_owned(), "x\"\n".to_owned())]);
    let boot = Boot { service: "dovecot".into(), links, socket_active: true };
    let entry = Entry { key: "APP_X".into(), text: "# X: \"x\"\nAPP_X=1\n".into() };
    let Ok(tag) = Tag::parse("mail.one two") else { return };
    let keys = ["APP_X".to_owned()];
    record.note_entries(std::slice::from_ref(&entry));
    record.note_newline();
    record.note_boot(&boot);
    record.note_resource(&tag, Role::Primary, &keys);
    let written = record.document.to_string();
    let read = Record::parse(PathBuf::from("record"), Some(written.clone()));
    assert!(read.is_ok(), "{text:?} became {written:?}: {read:?}");
    let Ok(mut read) = read else { return };
    assert!(read.newline(), "{written}");
    let mut now = read.boot();
    if boot_before.is_none()
        && let Some(now) = &mut now
    {
        // Links without a service were nobody's note.
        now.links.retain(|path, _| boot.links.contains_key(path));
    }
    assert_eq!(now, boot_before.or(Some(boot)), "{written}");
    assert!(read.keys(&tag).contains(&keys[0]), "{written}");
    let texts = |entries: Vec<Entry>| entries.into_iter().map(|one| (one.key, one.text));
    let mut expected: BTreeMap<String, String> = texts(entries).collect();
    expected.extend(texts(vec![entry]));
    assert_eq!(texts(read.entries()).collect::<BTreeMap<_, _>>(), expected, "{written}");
    let mut expected = BTreeSet::from_iter(tags);
    expected.insert(tag.to_string());
    assert_eq!(read.tags().into_iter().collect::<BTreeSet<_>>(), expected, "{written}");
    read.forget(&tag);
    assert!(!read.tags().iter().any(|one| one == tag.as_str()) && read.keys(&tag).is_empty());
}
