//! Completes the signature header of a package for rpm 4.11.
//!
//! The packager leaves out the MD5 sum of what follows and the size of the unpacked payload. rpm 4.11,
//! which RHEL 7 and SLES 12 carry, divides by that size to draw its progress: on a terminal it never
//! ends. Only this header is rebuilt; all other bytes stay as they are, and so do later rpms' sums.
//!
//! The crate `rpm` (0.23) reads these entries and adds none: it gives nobody a way to change a
//! signature header but to clear it. So does no program of rpm's own but by signing.
//!
//! The format is that of rpm's own manual, `docs/manual/format_v4.md`.

use lab::{Error, Result};

/// What comes before the signature header: its content has no meaning any more.
const LEAD: usize = 96;
/// Magic number, version and four reserved bytes.
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
/// Magic number, count of entries, size of their data.
const INTRO: usize = 16;
/// Tag, type, offset, count.
const ENTRY: usize = 16;

/// `RPMTAG_HEADERSIGNATURES`: says which entries belong together; these are all of them.
const REGION: u32 = 62;
/// `RPMSIGTAG_MD5`: of the main header and the payload.
const MD5: u32 = 1004;
/// `RPMSIGTAG_PAYLOADSIZE`: of the unpacked payload.
const PAYLOAD_SIZE: u32 = 1007;

/// Types of values: 32-bit numbers, bytes.
const INT32: u32 = 4;
const BIN: u32 = 7;

/// An entry of a header and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry<'a> {
    tag: u32,
    kind: u32,
    count: u32,
    data: &'a [u8],
}

/// A package taken apart.
struct Package<'a> {
    lead: &'a [u8],
    /// The entries of the signature header without its region, by their tags.
    signatures: Vec<Entry<'a>>,
    /// The main header and the payload.
    body: &'a [u8],
}

/// Returns the package with both entries, whatever it had of them; `md5` sums bytes up.
///
/// # Errors
///
/// When this is no package as the packager makes it, or there is no sum.
pub(super) fn completed(
    package: &[u8],
    md5: impl FnOnce(&[u8]) -> Result<[u8; 16]>,
) -> Result<Vec<u8>> {
    let mut parts = take_apart(package)?;
    let (sum, size) = (md5(parts.body)?, unpacked_size(parts.body)?);
    parts.signatures.retain(|entry| entry.tag != MD5 && entry.tag != PAYLOAD_SIZE);
    parts.signatures.extend([
        Entry { tag: MD5, kind: BIN, count: 16, data: &sum },
        Entry { tag: PAYLOAD_SIZE, kind: INT32, count: 1, data: &size },
    ]);
    parts.signatures.sort_by_key(|entry| entry.tag);
    let header = put_together(&parts.signatures)?;
    Ok([parts.lead, &header, parts.body].concat())
}

/// Reads both entries back and fails unless they are there and true.
///
/// # Errors
///
/// As [`completed`], and when an entry is missing or wrong.
pub(super) fn require_complete(
    package: &[u8],
    md5: impl FnOnce(&[u8]) -> Result<[u8; 16]>,
) -> Result<()> {
    let parts = take_apart(package)?;
    let data =
        |tag: u32| parts.signatures.iter().find(|entry| entry.tag == tag).map(|entry| entry.data);
    if data(MD5) != Some(&md5(parts.body)?) {
        return Err(wrong("tag 1004 is not the sum of header and payload"));
    }
    if data(PAYLOAD_SIZE) != Some(&unpacked_size(parts.body)?) {
        return Err(wrong("tag 1007 is not the size of the payload"));
    }
    Ok(())
}

/// Takes a package apart.
fn take_apart(package: &[u8]) -> Result<Package<'_>> {
    let (lead, rest) = package.split_at_checked(LEAD).ok_or_else(|| wrong("it is too short"))?;
    let (entries, store, length) = entries_of(rest)?;
    // The data of an entry ends where that of the next begins; the region's comes last.
    let region = entries.iter().find(|entry| entry.tag == REGION);
    let end = region.map_or(store.len(), |entry| entry.offset);
    let mut by_place: Vec<&Raw> = entries.iter().filter(|entry| entry.tag != REGION).collect();
    by_place.sort_by_key(|entry| entry.offset);
    let ends = by_place.iter().skip(1).map(|entry| entry.offset).chain([end]);
    let mut signatures = Vec::new();
    for (entry, end) in by_place.iter().zip(ends) {
        let data = store.get(entry.offset..end).ok_or_else(|| wrong("data lie outside"))?;
        let data = data.get(..entry.size(data)).ok_or_else(|| wrong("data are cut off"))?;
        signatures.push(Entry { tag: entry.tag, kind: entry.kind, count: entry.count, data });
    }
    // The main header begins at a multiple of eight.
    let body = rest.get(length.next_multiple_of(8)..).ok_or_else(|| wrong("there is no body"))?;
    if !body.starts_with(&MAGIC) {
        return Err(wrong("no main header follows the signature header"));
    }
    Ok(Package { lead, signatures, body })
}

/// An entry as it stands in the index.
struct Raw {
    tag: u32,
    kind: u32,
    offset: usize,
    count: u32,
}

impl Raw {
    /// Returns how many bytes of `data` are the entry's; what is behind them is padding.
    fn size(&self, data: &[u8]) -> usize {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        match self.kind {
            INT32 => count.saturating_mul(4),
            BIN => count,
            // One string, with the zero that ends it.
            6 => data.iter().position(|byte| *byte == 0).map_or(usize::MAX, |zero| zero + 1),
            _ => data.len(),
        }
    }
}

/// Reads a header's index; returns it with the header's data and its length.
fn entries_of(header: &[u8]) -> Result<(Vec<Raw>, &[u8], usize)> {
    let cut_off = || wrong("a header is cut off");
    if !header.starts_with(&MAGIC) {
        return Err(wrong("there is no header"));
    }
    let number = |at: usize| size_of(number(header, at)?);
    let (count, size) = (number(MAGIC.len())?, number(MAGIC.len() + 4)?);
    let index = count.checked_mul(ENTRY).ok_or_else(cut_off)?;
    let length = size.checked_add(INTRO + index).ok_or_else(cut_off)?;
    let index = header.get(INTRO..INTRO + index).ok_or_else(cut_off)?;
    let store = header.get(INTRO + index.len()..length).ok_or_else(cut_off)?;
    let entries = index.chunks_exact(ENTRY).map(|entry| {
        let [tag, kind, offset, count] = [0, 4, 8, 12].map(|at| self::number(entry, at));
        Ok(Raw { tag: tag?, kind: kind?, offset: size_of(offset?)?, count: count? })
    });
    Ok((entries.collect::<Result<_>>()?, store, length))
}

/// Builds a header of these entries and its region, padded to a multiple of eight.
fn put_together(entries: &[Entry<'_>]) -> Result<Vec<u8>> {
    let (mut index, mut store) = (Vec::new(), Vec::new());
    for entry in entries {
        if entry.kind == INT32 {
            store.resize(store.len().next_multiple_of(4), 0);
        }
        index.extend(words([entry.tag, entry.kind, word_of(store.len())?, entry.count]));
        store.extend_from_slice(entry.data);
    }
    let region = words([REGION, BIN, word_of(store.len())?, word_of(ENTRY)?]);
    let index = [&region[..], &index].concat();
    // The region's data are an entry whose offset says how far back its index begins.
    let back = word_of(index.len())?.wrapping_neg();
    store.extend(words([REGION, BIN, back, word_of(ENTRY)?]));
    let sizes = [word_of(index.len() / ENTRY)?, word_of(store.len())?].map(u32::to_be_bytes);
    let mut header = [&MAGIC[..], &sizes.concat(), &index, &store].concat();
    header.resize(header.len().next_multiple_of(8), 0);
    Ok(header)
}

/// Returns the size of the payload before gzip, as gzip itself noted it at its end.
fn unpacked_size(body: &[u8]) -> Result<[u8; 4]> {
    let (_, _, length) = entries_of(body)?;
    let payload = body.get(length..).unwrap_or_default();
    let size = payload.last_chunk::<4>().filter(|_| payload.starts_with(&[0x1f, 0x8b]));
    let size = size.ok_or_else(|| wrong("the payload is not gzip's"))?;
    Ok(u32::from_le_bytes(*size).to_be_bytes())
}

/// Reads a number of 32 bits, the highest byte first.
fn number(bytes: &[u8], at: usize) -> Result<u32> {
    let four = bytes.get(at..).and_then(<[u8]>::first_chunk);
    four.map(|four| u32::from_be_bytes(*four)).ok_or_else(|| wrong("a number is cut off"))
}

/// Writes numbers, the highest byte first.
fn words(numbers: [u32; 4]) -> [u8; ENTRY] {
    let mut bytes = [0; ENTRY];
    for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
        place.copy_from_slice(&number.to_be_bytes());
    }
    bytes
}

fn size_of(number: u32) -> Result<usize> {
    usize::try_from(number).map_err(|_| wrong("a size is too large"))
}

fn word_of(size: usize) -> Result<u32> {
    u32::try_from(size).map_err(|_| wrong("a size is too large"))
}

fn wrong(cause: &str) -> Error {
    Error::failed("reading the package's signature header", cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: [u8; 16] = [7; 16];

    #[expect(clippy::unnecessary_wraps, reason = "it stands for a program, which can fail")]
    fn sum(bytes: &[u8]) -> Result<[u8; 16]> {
        assert!(bytes.starts_with(&MAGIC), "the main header is part of the sum");
        Ok(SUM)
    }

    /// A package with a string, a number and reserved bytes in its signature header.
    fn package() -> Vec<u8> {
        let entries = [
            Entry { tag: 269, kind: 6, count: 1, data: b"abc\0" },
            Entry { tag: 273, kind: 6, count: 1, data: b"de\0" },
            Entry { tag: 1000, kind: INT32, count: 1, data: &[0, 0, 1, 0] },
            Entry { tag: 1008, kind: BIN, count: 5, data: &[0; 5] },
        ];
        let signatures = put_together(&entries).expect("a small header");
        let main = put_together(&[]).expect("a small header");
        let payload = [0x1f, 0x8b, 9, 9, 9, 0x39, 0x30, 0, 0];
        [&[1; LEAD][..], &signatures, &main, &payload].concat()
    }

    #[test]
    fn the_missing_tags_are_added_and_all_else_stays() {
        let before = package();
        let after = completed(&before, sum).expect("a package");
        let (old, new) = (take_apart(&before).expect("old"), take_apart(&after).expect("new"));
        assert_eq!((old.lead, old.body), (new.lead, new.body));
        let tags: Vec<u32> = new.signatures.iter().map(|entry| entry.tag).collect();
        assert_eq!(tags, [269, 273, 1000, MD5, PAYLOAD_SIZE, 1008]);
        for entry in &old.signatures {
            assert!(new.signatures.contains(entry), "{entry:?}");
        }
        let size = new.signatures.iter().find(|entry| entry.tag == PAYLOAD_SIZE);
        assert_eq!(size.expect("the size").data, 12345_u32.to_be_bytes());
        require_complete(&after, sum).expect("a complete package");
        assert_eq!(
            completed(&after, sum).expect("again"),
            after,
            "completing twice changes nothing"
        );
    }

    #[test]
    fn numbers_are_aligned_and_the_region_holds_every_entry() {
        let after = completed(&package(), sum).expect("a package");
        let (entries, store, length) = entries_of(&after[LEAD..]).expect("a header");
        let mut last = 0;
        for entry in entries.iter().skip(1) {
            assert!(entry.kind != INT32 || entry.offset % 4 == 0, "tag {}", entry.tag);
            assert!(entry.offset >= last, "rpm refuses data that are not in the tags' order");
            last = entry.offset;
        }
        assert_eq!((entries[0].tag, entries[0].offset), (REGION, store.len() - ENTRY));
        let back = number(store, store.len() - 8).expect("the trailer");
        assert_eq!(back, word_of(entries.len() * ENTRY).expect("small").wrapping_neg());
        assert_eq!((LEAD + length.next_multiple_of(8)) % 8, 0);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let other = |_: &[u8]| Ok([8; 16]);
        let complete = completed(&package(), sum).expect("a package");
        let text = |checked: Result<()>| checked.expect_err("an incomplete package").to_string();
        assert!(text(require_complete(&package(), sum)).contains("tag 1004"));
        assert!(text(require_complete(&complete, other)).contains("tag 1004"));
        let mut longer = complete;
        let last = longer.len() - 1;
        longer[last] ^= 1;
        assert!(text(require_complete(&longer, sum)).contains("tag 1007"));
    }

    #[test]
    fn what_is_no_package_is_refused() {
        let whole = package();
        for length in [0, LEAD, LEAD + 12, LEAD + 40, LEAD + 130] {
            assert!(completed(&whole[..length], sum).is_err(), "{length} bytes");
        }
        assert!(completed(&[0; 4096], sum).is_err());
        let mut zstd = whole;
        let payload = zstd.len() - 9;
        zstd[payload] = 0x28;
        assert!(completed(&zstd, sum).expect_err("no gzip").to_string().contains("gzip"));
    }
}
