//! The block of default entries in LifeKeeper's defaults file: adding it, taking it out.
//!
//! Both are pure functions of the file's bytes. All bytes outside the block stay as they are.

use crate::lifekeeper::defaults::key_of;

/// The first line of the block.
const BEGIN: &str =
    "# BEGIN dovecot-ark: written by `dovecot-ark install`; values may be changed\n";

/// The last line of the block.
const END: &str = "# END dovecot-ark\n";

/// How the block's first and last line begin, whatever became of their ends.
const MARKS: [&str; 2] = ["# BEGIN dovecot-ark", "# END dovecot-ark"];

/// The entries that install writes, with their comments.
const DEFAULTS: &str = include_str!("../../installer/defaults");

/// An assignment and the comment above it, as they are in the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// All its lines, each with its end.
    pub(crate) text: String,
}

/// The default entries.
pub(crate) fn defaults() -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut text = String::new();
    for line in DEFAULTS.split_inclusive('\n') {
        text.push_str(line);
        if let Some(key) = key_of(line.as_bytes()) {
            entries.push(Entry { key, text: std::mem::take(&mut text) });
        }
    }
    entries
}

/// Returns the file with the entries in its block, which is made at the end if it is not there.
pub(crate) fn add(file: &[u8], entries: &[Entry]) -> Vec<u8> {
    let new: String = entries.iter().map(|entry| entry.text.as_str()).collect();
    let lines = lines(file);
    if let Some((_, end)) = block(&lines) {
        let (before, after) = lines.split_at(end);
        return [before.concat(), new.into_bytes(), after.concat()].concat();
    }
    let newline = if lacks_newline(file) { "\n" } else { "" };
    [file, newline.as_bytes(), BEGIN.as_bytes(), new.as_bytes(), END.as_bytes()].concat()
}

/// Whether the file has the block.
pub(crate) fn is_in(file: &[u8]) -> bool {
    block(&lines(file)).is_some()
}

/// Whether the file's last line has no end, so that adding must end it.
pub(crate) fn lacks_newline(file: &[u8]) -> bool {
    file.last().is_some_and(|last| *last != b'\n')
}

/// How much is to be taken out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Extent {
    /// These entries; the block and its others stay.
    Entries,
    /// These entries and the block's marks.
    Block,
    /// The same, and the end of the line before, if adding wrote it and nothing follows.
    BlockAndNewline,
}

/// Returns the file without those entries of the block that still read as they were written.
pub(crate) fn remove(file: &[u8], entries: &[Entry], extent: Extent) -> Vec<u8> {
    let lines = lines(file);
    let Some((begin, end)) = block(&lines) else { return file.to_vec() };
    let (before, rest) = lines.split_at(begin);
    let (inside, after) = rest.split_at(end + 1 - begin);
    let mut inside = inside.to_vec();
    for entry in entries {
        let entry = self::lines(entry.text.as_bytes());
        if entry.is_empty() {
            // Somebody has emptied it in the record.
            continue;
        }
        if let Some(at) = inside.windows(entry.len()).position(|window| window == entry) {
            inside.drain(at..at + entry.len());
        }
    }
    let mut before = before.concat();
    if extent != Extent::Entries {
        inside.retain(|line| !is_mark(line));
        let last = inside.is_empty() && after.is_empty();
        if extent == Extent::BlockAndNewline && last && before.ends_with(b"\n") {
            before.pop();
        }
    }
    [before, inside.concat(), after.concat()].concat()
}

/// The places of the block's first and last line. A first line that lost its last, or the other
/// way round, is somebody's text.
fn block(lines: &[&[u8]]) -> Option<(usize, usize)> {
    let [first, last] = MARKS.map(str::as_bytes);
    let mut begin = None;
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with(first) {
            begin = Some(at);
        } else if line.starts_with(last) && begin.is_some() {
            return begin.zip(Some(at));
        }
    }
    None
}

fn is_mark(line: &[u8]) -> bool {
    MARKS.iter().any(|mark| line.starts_with(mark.as_bytes()))
}

pub(crate) fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;
    use crate::lifekeeper::defaults::FILE;
    use crate::probe::endpoint::Depth;
    use crate::settings::{self, Settings, Source};
    use crate::test_bytes::{self, pieces};
    use crate::test_root::TestRoot;
    use proptest::prelude::*;

    fn entry(key: &str) -> Entry {
        Entry { key: key.into(), text: format!("# {key}: what it means\n{key}=1\n") }
    }

    #[test]
    fn the_shipped_entries_are_the_defaults_but_for_the_probe_with_a_comment_each() {
        let entries = defaults();
        let root = TestRoot::new();
        root.write(FILE, &String::from_utf8(add(b"", &entries)).expect("text"));
        let (settings, report) = settings::read(root.path());
        let expected = Settings { probe: Depth::Greeting, ..Settings::default() };
        assert_eq!((settings, &report.warnings), (expected, &vec![]));
        let set: Vec<_> = report.settings.iter().filter(|row| row.source == Source::File).collect();
        assert_eq!(set.len(), entries.len(), "{set:?}");
        for entry in entries {
            let (comment, line) = entry.text.split_once('\n').expect("two lines");
            assert!(comment.starts_with(&format!("# {}: ", entry.key)), "{comment}");
            let value = line.trim().split_once('=').expect("an assignment").1.trim_matches('"');
            let default = match entry.key.as_str() {
                "APP_DOVECOT_PROBE" => "default connect, written by install: greeting".to_owned(),
                _ => format!("default {value}"),
            };
            assert!(comment.ends_with(&format!("; {default}")), "{comment}: {value}");
        }
    }

    #[test]
    fn what_is_added_and_removed_leaves_the_file_as_it_was() {
        let half = "# BEGIN dovecot-ark\nA=1\n";
        let odd = ["# END dovecot-ark\n", half, "# END dovecot-ark\n# BEGIN dovecot-ark\nA=1"];
        let plain = ["", "\n", "A=1\n", "A=1", "A=1\n\n\n", "A=1\r\n", "\u{0}\u{ff}"];
        for file in plain.into_iter().chain(odd) {
            let extent = if lacks_newline(file.as_bytes()) {
                Extent::BlockAndNewline
            } else {
                Extent::Block
            };
            let entries = [entry("X"), entry("Y")];
            let added = add(file.as_bytes(), &entries);
            assert!(added.starts_with(file.as_bytes()), "{file:?}");
            let back = remove(&added, &entries, extent);
            assert_eq!(back, file.as_bytes(), "{file:?}");
        }
    }

    #[test]
    fn a_second_addition_goes_into_the_same_block() {
        let one = add(b"A=1", &[entry("X")]);
        let two = add(&[&one, "B=1\n".as_bytes()].concat(), &[entry("Y")]);
        let text = String::from_utf8(two.clone()).expect("text");
        assert_eq!(
            text,
            format!("A=1\n{BEGIN}# X: what it means\nX=1\n# Y: what it means\nY=1\n{END}B=1\n")
        );
        let half = remove(&two, &[entry("X")], Extent::Entries);
        assert_eq!(
            half,
            add(b"A=1", &[entry("Y")]).into_iter().chain(*b"B=1\n").collect::<Vec<_>>()
        );
        assert_eq!(remove(&half, &[entry("Y")], Extent::BlockAndNewline), b"A=1\nB=1\n");
    }

    #[test]
    fn what_somebody_changed_in_the_block_stays() {
        let added = String::from_utf8(add(b"A=1\n", &[entry("X"), entry("Y")])).expect("text");
        let changed = added.replace("X=1", "X=2").replace(END, "MINE=3\n# END dovecot-ark");
        let back = remove(changed.as_bytes(), &[entry("X"), entry("Y")], Extent::Block);
        let expected = "A=1\n# X: what it means\nX=2\nMINE=3\n";
        assert_eq!(String::from_utf8(back).expect("text"), expected);
    }

    #[test]
    fn a_block_that_lost_a_mark_is_left_alone() {
        for file in [format!("{BEGIN}X=1\n"), format!("X=1\n{END}"), format!("{END}{BEGIN}")] {
            assert_eq!(remove(file.as_bytes(), &[entry("X")], Extent::Block), file.as_bytes());
        }
    }

    #[test]
    fn an_entry_that_somebody_emptied_in_the_record_is_nowhere() {
        let added = add(b"A=1\n", &[entry("X")]);
        let empty = Entry { key: "Y".into(), text: String::new() };
        assert_eq!(remove(&added, std::slice::from_ref(&empty), Extent::Entries), added);
        assert_eq!(remove(&added, &[empty, entry("X")], Extent::Block), b"A=1\n");
    }

    /// What the file is made of.
    const WORDS: &[&str] = &[
        "# BEGIN dovecot-ark",
        "# END dovecot-ark",
        BEGIN,
        END,
        "\n",
        "\n",
        "\r\n",
        "LKROOT=/opt/LifeKeeper",
        "APP_DOVECOT_DEBUG=1",
        "APP_DOVECOT_DEBUG=0\n",
        "# APP_DOVECOT_DEBUG",
        "\0",
        "'",
        " ",
    ];

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn whatever_the_file_is_what_is_added_and_removed_leaves_it_as_it_was(file in pieces(WORDS, 40)) {
            invariants::block(&file);
        }
    }
}
