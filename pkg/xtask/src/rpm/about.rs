//! What a package says of itself beyond what the packager can write: a description and the changes.
//!
//! cargo-generate-rpm 0.21 takes one text for the summary and the description, and knows no
//! changelog. Both are entries of the main header, which is therefore built again here, with the sums
//! and sizes in the signature header that speak of it. The payload stays as it is. Nothing is taken from
//! the clock: the changelog's day is that of the commit.

use lab::{Error, Result};

use super::header::{self, Entry, I18N, INT32, Region, STRINGS, word_of, wrong};
use super::signature::{MD5, PAYLOAD_SIZE, take_apart};

/// `RPMTAG_DESCRIPTION`, and `RPMTAG_CHANGELOGTIME`, `RPMTAG_CHANGELOGNAME`, `RPMTAG_CHANGELOGTEXT`.
const DESCRIPTION: u32 = 1005;
const CHANGELOG: [u32; 3] = [1080, 1081, 1082];
/// `RPMSIGTAG_SHA1`, `RPMSIGTAG_SHA256`: of the main header. `RPMSIGTAG_SIZE`: of it and the payload.
const SHA1: u32 = 269;
const SHA256: u32 = 273;
const SIZE: u32 = 1000;
/// `RPMSIGTAG_RESERVEDSPACE`: room for a signature.
const RESERVED: u32 = 1008;

/// Seconds of a day, and noon, which is the same day wherever rpm shows it.
const DAY: u32 = 86_400;
const NOON: u32 = 43_200;

/// What a package says of itself.
#[derive(Debug, PartialEq)]
pub(super) struct About {
    /// Lines of at most 79 characters.
    pub(super) description: String,
    /// Who packed which version, such as `Example Corp. - 1.0.0-1`.
    pub(super) head: String,
    /// The version's section of the changelog.
    pub(super) changes: String,
    /// When the commit was made, in seconds.
    pub(super) time: u32,
}

/// How bytes are summed up, as hexadecimal digits.
pub(super) struct Sums {
    pub(super) sha1: Sum,
    pub(super) sha256: Sum,
}

/// Sums bytes up.
type Sum = fn(&[u8]) -> Result<String>;

/// Returns the package with description and changelog; its MD5 sum is no more that of its content.
///
/// # Errors
///
/// When this is no package as the packager makes it, or there is no sum.
pub(super) fn described(package: &[u8], about: &About, sums: &Sums) -> Result<Vec<u8>> {
    let mut parts = take_apart(package)?;
    let (mut entries, length) = header::read(parts.body, Region::Main)?;
    let (before, payload) = parts.body.split_at_checked(length).unwrap_or((parts.body, &[]));
    if header::write(&entries, Region::Main)? != before {
        return Err(wrong("the main header is not as it would be written here"));
    }
    let text = |text: &str| [text.as_bytes(), b"\0"].concat();
    let (description, name, changes) =
        (text(&about.description), text(&about.head), text(&about.changes));
    let day = (about.time - about.time % DAY + NOON).to_be_bytes();
    entries.retain(|entry| entry.tag != DESCRIPTION && !CHANGELOG.contains(&entry.tag));
    let entry = |tag, kind, data| Entry { tag, kind, count: 1, data };
    let [time_tag, name_tag, text_tag] = CHANGELOG;
    entries.extend([
        entry(DESCRIPTION, I18N, &description),
        entry(time_tag, INT32, &day),
        entry(name_tag, STRINGS, &name),
        entry(text_tag, STRINGS, &changes),
    ]);
    entries.sort_by_key(|entry| entry.tag);
    let header = header::write(&entries, Region::Main)?;
    let body = [&header, payload].concat();
    let (sha1, sha256) = (text(&(sums.sha1)(&header)?), text(&(sums.sha256)(&header)?));
    let size = word_of(body.len())?.to_be_bytes();
    for entry in &mut parts.signatures {
        entry.data = match entry.tag {
            SHA1 => &sha1,
            SHA256 => &sha256,
            SIZE => &size,
            // The sum is made when all else is there, the payload is the same, the room is empty.
            MD5 | PAYLOAD_SIZE | RESERVED => entry.data,
            other => return Err(wrong(&format!("signature tag {other} is not known here"))),
        };
    }
    parts.body = &body;
    parts.whole()
}

/// Takes the section of a version out of `CHANGELOG.md`: its headings as lines, its items as they are.
///
/// # Errors
///
/// When there is none, or it is empty.
pub(super) fn changes(changelog: &str, version: &str) -> Result<String> {
    let heading = format!("## {version}");
    let lines = changelog.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("## "));
    let mut text = String::new();
    for line in lines.filter(|line| !line.is_empty()) {
        match line.strip_prefix("### ") {
            Some(heading) => text.extend([heading, ":"]),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    if text.is_empty() {
        let cause = format!("there is no section \"{heading}\", or it is empty");
        return Err(Error::failed("reading CHANGELOG.md", cause));
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::signature;
    use super::*;

    const ABOUT: &str = "One line.\nAnother.";

    fn about() -> About {
        About {
            description: ABOUT.into(),
            head: "Example Corp. - 1.0.0-1".into(),
            changes: "Added:\n- a thing".into(),
            time: 10 * DAY + 7,
        }
    }

    /// Sums that tell how long was what they summed up.
    #[expect(clippy::unnecessary_wraps, reason = "it stands for a program, which can fail")]
    fn counted(bytes: &[u8]) -> Result<String> {
        Ok(format!("{:040}", bytes.len()))
    }

    fn package(extra: Option<u32>) -> Vec<u8> {
        let entry = |tag, kind, count, data| Entry { tag, kind, count, data };
        let sum = [&[b'0'; 40][..], b"\0"].concat();
        let mut signatures = vec![
            entry(SHA1, 6, 1, &sum[..]),
            entry(SHA256, 6, 1, &sum[..]),
            entry(SIZE, INT32, 1, &[0, 0, 1, 0]),
        ];
        signatures.extend(extra.map(|tag| entry(tag, 7, 1, &[0][..])));
        let main = [
            entry(1000, 6, 1, &b"x\0"[..]),
            entry(1004, I18N, 1, b"summary\0"),
            entry(DESCRIPTION, I18N, 1, b"summary\0"),
            entry(1030, 3, 2, &[1, 2, 3, 4]),
            entry(1117, STRINGS, 2, b"a\0b\0"),
        ];
        let main = header::write(&main, Region::Main).expect("a small header");
        let body = [&main[..], &[0x1f, 0x8b, 9, 9, 9, 0x39, 0x30, 0, 0]].concat();
        signature::Package { lead: &[1; 96], signatures, body: &body }.whole().expect("a package")
    }

    #[test]
    fn the_description_and_the_changes_are_added_and_all_else_stays() {
        let before = package(None);
        let sums = Sums { sha1: counted, sha256: counted };
        let after = described(&before, &about(), &sums).expect("a package");
        let (old, new) = (take_apart(&before).expect("old"), take_apart(&after).expect("new"));
        let (entries, length) = header::read(new.body, Region::Main).expect("a header");
        let data = |tag| entries.iter().find(|entry| entry.tag == tag).map(|entry| entry.data);
        assert_eq!(data(DESCRIPTION), Some(format!("{ABOUT}\0").as_bytes()));
        assert_eq!(data(1080), Some(&(10 * DAY + NOON).to_be_bytes()[..]));
        assert_eq!(data(1081), Some(&b"Example Corp. - 1.0.0-1\0"[..]));
        assert_eq!(data(1082), Some(&b"Added:\n- a thing\0"[..]));
        assert_eq!((data(1004), data(1117)), (Some(&b"summary\0"[..]), Some(&b"a\0b\0"[..])));
        assert_eq!(new.body[length..], old.body[old.body.len() - 9..], "the payload");
        let sum = |tag| new.signatures.iter().find(|one| one.tag == tag).map(|one| one.data);
        let expected = format!("{length:040}\0");
        assert_eq!(
            (sum(SHA1), sum(SHA256)),
            (Some(expected.as_bytes()), Some(expected.as_bytes()))
        );
        let size = word_of(new.body.len()).expect("small").to_be_bytes();
        assert_eq!(sum(SIZE), Some(&size[..]));
        assert_eq!(described(&after, &about(), &sums).expect("again"), after, "twice is once");
    }

    #[test]
    fn a_sum_that_is_not_known_is_refused() {
        let sums = Sums { sha1: counted, sha256: counted };
        let refused = described(&package(Some(277)), &about(), &sums).expect_err("another sum");
        assert!(refused.to_string().contains("tag 277"), "{refused}");
    }

    #[test]
    fn the_changes_are_those_of_the_version() {
        let text = "# Changelog\n\n## 2\n\n### Added\n\n- one\n  more\n\n### Fixed\n\n- two\n\n## 1\n\n- x\n";
        assert_eq!(changes(text, "2").expect("it"), "Added:\n- one\n  more\nFixed:\n- two");
        assert_eq!(changes(text, "1").expect("it"), "- x");
        assert!(changes(text, "3").expect_err("none").to_string().contains("\"## 3\""));
        let own = include_str!("../../../../CHANGELOG.md");
        assert!(changes(own, env!("CARGO_PKG_VERSION")).expect("ours").starts_with("Added:\n- "));
    }
}
