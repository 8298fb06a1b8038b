//! Completes a package: what it says of itself, and what rpm 4.11 asks for.
//!
//! cargo-generate-rpm 0.21 takes one text for the summary and the description, and knows no
//! changelog. Both are entries of the main header, which is therefore built again here, with the sums
//! and sizes in the signature header that speak of it. The payload stays as it is. Nothing is taken from
//! the clock: the changelog's day is that of the commit.
//!
//! In the signature header the packager leaves out the MD5 sum of what follows and the size of the
//! unpacked payload. rpm 4.11, which RHEL 7 and SLES 12 carry, divides by that size to draw its
//! progress: on a terminal it never ends.
//!
//! The crate `rpm` (0.23) reads these entries and adds none: it gives nobody a way to change a
//! signature header but to clear it. So does no program of rpm's own but by signing.

use lab::{Error, Result};

use super::digest::sum;
use super::header::{
    self, BIN, Entry, I18N, INT32, MAGIC, MAIN, SIGNATURES, STRINGS, index_of, word_of, wrong,
};

/// What comes before the signature header: its content has no meaning any more.
const LEAD: usize = 96;

/// `RPMTAG_DESCRIPTION`, and `RPMTAG_CHANGELOGTIME`, `RPMTAG_CHANGELOGNAME`, `RPMTAG_CHANGELOGTEXT`.
const DESCRIPTION: u32 = 1005;
const CHANGELOG: [u32; 3] = [1080, 1081, 1082];
/// `RPMSIGTAG_SHA1`, `RPMSIGTAG_SHA256`: of the main header.
const SHA1: u32 = 269;
const SHA256: u32 = 273;
/// `RPMSIGTAG_SIZE`, `RPMSIGTAG_MD5`: of the main header and the payload.
const SIZE: u32 = 1000;
const MD5: u32 = 1004;
/// `RPMSIGTAG_PAYLOADSIZE`: of the unpacked payload.
const PAYLOAD_SIZE: u32 = 1007;
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

/// A package taken apart.
struct Package<'a> {
    lead: &'a [u8],
    /// The entries of the signature header without its region, by their tags.
    signatures: Vec<Entry<'a>>,
    /// The main header and the payload.
    body: &'a [u8],
}

impl<'a> Package<'a> {
    fn read(package: &'a [u8]) -> Result<Self> {
        let parts = package.split_at_checked(LEAD);
        let (lead, rest) = parts.ok_or_else(|| wrong("it is too short"))?;
        let (signatures, length) = header::read(rest, SIGNATURES)?;
        let body = rest.get(length.next_multiple_of(8)..);
        let body = body.ok_or_else(|| wrong("there is no body"))?;
        if !body.starts_with(&MAGIC) {
            return Err(wrong("no main header follows the signature header"));
        }
        Ok(Self { lead, signatures, body })
    }

    fn whole(&self) -> Result<Vec<u8>> {
        let mut header = header::write(&self.signatures, SIGNATURES)?;
        // The main header begins at a multiple of eight.
        header.resize(header.len().next_multiple_of(8), 0);
        Ok([self.lead, &header, self.body].concat())
    }
}

/// Returns the package with description and changelog, whatever it had of them, and with true sums.
///
/// # Errors
///
/// When this is no package as the packager makes it, or there is no sum.
pub(super) fn completed(package: &[u8], about: &About) -> Result<Vec<u8>> {
    let mut parts = Package::read(package)?;
    let (mut entries, length) = header::read(parts.body, MAIN)?;
    let (before, payload) = parts.body.split_at_checked(length).unwrap_or((parts.body, &[]));
    if header::write(&entries, MAIN)? != before {
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
    let header = header::write(&entries, MAIN)?;
    let body = [&header, payload].concat();

    let (sha1, sha256) = (text(&sum("sha1sum", &header)?), text(&sum("sha256sum", &header)?));
    let (size, md5) = (word_of(body.len())?.to_be_bytes(), md5(&body)?);
    let unpacked = unpacked_size(&body)?;
    parts.signatures.retain(|entry| entry.tag != MD5 && entry.tag != PAYLOAD_SIZE);
    for entry in &mut parts.signatures {
        entry.data = match entry.tag {
            SHA1 => &sha1,
            SHA256 => &sha256,
            SIZE => &size,
            RESERVED => entry.data,
            other => return Err(wrong(&format!("signature tag {other} is not known here"))),
        };
    }
    parts.signatures.extend([
        Entry { count: 16, ..entry(MD5, BIN, &md5) },
        entry(PAYLOAD_SIZE, INT32, &unpacked),
    ]);
    parts.signatures.sort_by_key(|entry| entry.tag);
    parts.body = &body;
    parts.whole()
}

/// Reads back what rpm 4.11 needs, and fails unless it is there and true.
pub(super) fn require_complete(package: &[u8]) -> Result<()> {
    let parts = Package::read(package)?;
    let data = |tag| parts.signatures.iter().find(|entry| entry.tag == tag).map(|entry| entry.data);
    if data(MD5) != Some(&md5(parts.body)?) {
        return Err(wrong("tag 1004 is not the sum of header and payload"));
    }
    if data(PAYLOAD_SIZE) != Some(&unpacked_size(parts.body)?) {
        return Err(wrong("tag 1007 is not the size of the payload"));
    }
    Ok(())
}

/// Sums bytes up with MD5, which rpm 4.11 asks for and nobody trusts.
fn md5(bytes: &[u8]) -> Result<[u8; 16]> {
    let sum = sum("md5sum", bytes)?;
    let number = u128::from_str_radix(&sum, 16);
    number.map(u128::to_be_bytes).map_err(|_| Error::failed("running md5sum", sum))
}

/// Returns the size of the payload before gzip, as gzip itself noted it at its end.
fn unpacked_size(body: &[u8]) -> Result<[u8; 4]> {
    let (_, _, length) = index_of(body)?;
    let payload = body.get(length..).unwrap_or_default();
    let size = payload.last_chunk::<4>().filter(|_| payload.starts_with(&[0x1f, 0x8b]));
    let size = size.ok_or_else(|| wrong("the payload is not gzip's"))?;
    Ok(u32::from_le_bytes(*size).to_be_bytes())
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
    use super::*;

    const ABOUT: &str = "One line.\nAnother.";
    /// What the packager leaves in the place of a sum.
    const NO_SUM: &[u8] = b"0\0";

    fn about() -> About {
        About {
            description: ABOUT.into(),
            head: "Example Corp. - 1.0.0-1".into(),
            changes: "Added:\n- a thing".into(),
            time: 10 * DAY + 7,
        }
    }

    /// A package of the packager's, with this entry in its signature header.
    fn package(extra: u32) -> Vec<u8> {
        let entry = |tag, kind, count, data| Entry { tag, kind, count, data };
        let signatures = vec![
            entry(SHA1, 6, 1, NO_SUM),
            entry(SHA256, 6, 1, NO_SUM),
            entry(SIZE, INT32, 1, &[0, 0, 1, 0]),
            entry(extra, BIN, 5, &[0; 5]),
        ];
        let main = [
            entry(1000, 6, 1, &b"x\0"[..]),
            entry(1004, I18N, 1, b"summary\0"),
            entry(DESCRIPTION, I18N, 1, b"summary\0"),
            entry(1030, 3, 2, &[1, 2, 3, 4]),
            entry(1117, STRINGS, 2, b"a\0b\0"),
        ];
        let main = header::write(&main, MAIN).expect("a small header");
        let body = [&main[..], &[0x1f, 0x8b, 9, 9, 9, 0x39, 0x30, 0, 0]].concat();
        Package { lead: &[1; LEAD], signatures, body: &body }.whole().expect("a package")
    }

    #[test]
    fn what_is_missing_is_added_and_all_else_stays() {
        let before = package(RESERVED);
        let after = completed(&before, &about()).expect("a package");
        let (old, new) =
            (Package::read(&before).expect("old"), Package::read(&after).expect("new"));
        let (entries, length) = header::read(new.body, MAIN).expect("a header");
        let data = |tag| entries.iter().find(|entry| entry.tag == tag).map(|entry| entry.data);
        assert_eq!(data(DESCRIPTION), Some(format!("{ABOUT}\0").as_bytes()));
        assert_eq!(data(1080), Some(&(10 * DAY + NOON).to_be_bytes()[..]));
        assert_eq!(data(1081), Some(&b"Example Corp. - 1.0.0-1\0"[..]));
        assert_eq!(data(1082), Some(&b"Added:\n- a thing\0"[..]));
        assert_eq!((data(1004), data(1117)), (Some(&b"summary\0"[..]), Some(&b"a\0b\0"[..])));
        assert_eq!(new.body[length..], old.body[old.body.len() - 9..], "the payload");
        assert_eq!(new.lead, old.lead);
        assert_eq!((after.len() - new.body.len()) % 8, 0, "the main header begins at one of eight");

        let tags: Vec<u32> = new.signatures.iter().map(|entry| entry.tag).collect();
        assert_eq!(tags, [SHA1, SHA256, SIZE, MD5, PAYLOAD_SIZE, RESERVED]);
        let signed = |tag| new.signatures.iter().find(|one| one.tag == tag).map(|one| one.data);
        for (tag, program) in [(SHA1, "sha1sum"), (SHA256, "sha256sum")] {
            let expected = format!("{}\0", sum(program, &new.body[..length]).expect(program));
            assert_eq!(signed(tag), Some(expected.as_bytes()));
        }
        let size = word_of(new.body.len()).expect("small").to_be_bytes();
        assert_eq!(signed(SIZE), Some(&size[..]));
        assert_eq!(signed(PAYLOAD_SIZE), Some(&12345_u32.to_be_bytes()[..]));
        assert_eq!(signed(RESERVED), Some(&[0; 5][..]));
        require_complete(&after).expect("a complete package");
        assert_eq!(completed(&after, &about()).expect("again"), after, "twice is once");
    }

    #[test]
    fn a_sum_that_is_not_known_is_refused() {
        let refused = completed(&package(277), &about()).expect_err("another sum");
        assert!(refused.to_string().contains("tag 277"), "{refused}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let text = |package: &[u8]| require_complete(package).expect_err("incomplete").to_string();
        assert!(text(&package(RESERVED)).contains("tag 1004"));
        let complete = completed(&package(RESERVED), &about()).expect("a package");
        let mut parts = Package::read(&complete).expect("a package");
        for entry in parts.signatures.iter_mut().filter(|entry| entry.tag == PAYLOAD_SIZE) {
            entry.data = &[9; 4];
        }
        assert!(text(&parts.whole().expect("a package")).contains("tag 1007"));
        let mut other = complete.clone();
        *other.last_mut().expect("a byte") ^= 1;
        assert!(text(&other).contains("tag 1004"));
    }

    #[test]
    fn what_is_no_package_is_refused() {
        let whole = package(RESERVED);
        for length in [0, LEAD, LEAD + 12, LEAD + 40, LEAD + 130, whole.len() - 19] {
            assert!(completed(&whole[..length], &about()).is_err(), "{length} bytes");
        }
        assert!(completed(&[0; 4096], &about()).is_err());
        let mut zstd = whole;
        let payload = zstd.len() - 9;
        zstd[payload] = 0x28;
        let refused = completed(&zstd, &about()).expect_err("no gzip");
        assert!(refused.to_string().contains("gzip"), "{refused}");
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
