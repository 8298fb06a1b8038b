//! What holds for any input of `src/install`.

use std::collections::{BTreeMap, BTreeSet};

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

/// Holds for any record: it is refused in one printable line, or it is written as it was read, and
/// what is noted is read again, beside all that was noted before.
pub fn record(file: &[u8]) {
    let text = String::from_utf8_lossy(file).into_owned();
    let mut record = match Record::parse(&text) {
        Ok(record) => record,
        Err(cause) => {
            assert!(cause.len() < 4096, "{} bytes", cause.len());
            assert!(!cause.contains(char::is_control), "{cause:?}");
            return;
        }
    };
    let is_kept = |record: &Record| {
        let written = record.text().unwrap_or_default();
        assert_eq!(Record::parse(&written).as_ref(), Ok(record), "{text:?} became {written:?}");
    };
    is_kept(&record);
    let (entries, boot_before, tags) = (record.entries(), record.boot.clone(), record.tags());
    let links = BTreeMap::from([("/etc/rc2.d/S01dovecot".to_owned(), "x\"\n".to_owned())]);
    let service = "dovecot".into();
    let boot = Boot { service, links, socket_active: true, ..Boot::default() };
    let entry = Entry { key: "APP_X".into(), text: "# X: \"x\"\nAPP_X=1\n".into() };
    let Ok(tag) = Tag::parse("mail.one two") else { return };
    let keys = ["APP_X".to_owned()];
    record.note_entries(std::slice::from_ref(&entry));
    record.note_boot(&boot);
    record.note_resource(&tag, Role::Primary, &keys);
    is_kept(&record);
    let is_new = boot_before.iter().all(|noted| noted.service != boot.service);
    let expected = [boot_before, if is_new { vec![boot] } else { Vec::new() }].concat();
    assert_eq!(record.boot, expected, "{text:?}");
    assert!(record.keys(&tag).contains(&keys[0]), "{text:?}");
    let texts = |entries: Vec<Entry>| entries.into_iter().map(|one| (one.key, one.text));
    let mut expected: BTreeMap<String, String> = texts(entries).collect();
    expected.extend(texts(vec![entry]));
    assert_eq!(texts(record.entries()).collect::<BTreeMap<_, _>>(), expected, "{text:?}");
    let mut expected = BTreeSet::from_iter(tags);
    expected.insert(tag.to_string());
    assert_eq!(record.tags().into_iter().collect::<BTreeSet<_>>(), expected, "{text:?}");
    record.forget(&tag);
    assert!(!record.tags().iter().any(|one| one == tag.as_str()) && record.keys(&tag).is_empty());
}
