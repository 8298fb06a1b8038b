//! Reads and writes the headers of a package: an index of entries, and their data.
//!
//! The format is that of rpm's own manual, `docs/manual/format_v4.md`.

use lab::{Error, Result};

/// Magic number, version and four reserved bytes.
pub(super) const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
/// Magic number, count of entries, size of their data.
const INTRO: usize = 16;
/// Tag, type, offset, count.
const ENTRY: usize = 16;

/// Types of values: numbers of 16, 32 and 64 bits, a string, bytes, strings, strings by language.
const INT16: u32 = 3;
pub(super) const INT32: u32 = 4;
const INT64: u32 = 5;
pub(super) const STRING: u32 = 6;
pub(super) const BIN: u32 = 7;
pub(super) const STRINGS: u32 = 8;
pub(super) const I18N: u32 = 9;

/// Which header it is, `RPMTAG_HEADERSIGNATURES` or `RPMTAG_HEADERIMMUTABLE`: the tag of the entry that
/// says which entries belong together, all of them here.
pub(super) const SIGNATURES: u32 = 62;
pub(super) const MAIN: u32 = 63;

/// An entry of a header and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) tag: u32,
    pub(super) kind: u32,
    pub(super) count: u32,
    pub(super) data: &'a [u8],
}

/// Returns the entries of the header that begins here, without its region, and its length.
pub(super) fn read(header: &[u8], region: u32) -> Result<(Vec<Entry<'_>>, usize)> {
    let (index, store, length) = index_of(header)?;
    let entries = index.iter().filter(|entry| entry.tag != region).map(|entry| {
        let data = store.get(entry.offset..).and_then(|data| data.get(..entry.size(data)));
        let data = data.ok_or_else(|| wrong("data are cut off"))?;
        Ok(Entry { tag: entry.tag, kind: entry.kind, count: entry.count, data })
    });
    Ok((entries.collect::<Result<_>>()?, length))
}

/// Writes a header of these entries, which are in the order of their tags, and its region.
pub(super) fn write(entries: &[Entry<'_>], region: u32) -> Result<Vec<u8>> {
    let (mut index, mut store) = (Vec::new(), Vec::new());
    for entry in entries {
        store.resize(store.len().next_multiple_of(alignment(entry.kind)), 0);
        index.extend(words([entry.tag, entry.kind, word_of(store.len())?, entry.count]));
        store.extend_from_slice(entry.data);
    }
    let first = words([region, BIN, word_of(store.len())?, word_of(ENTRY)?]);
    let index = [&first[..], &index].concat();
    // The region's data are an entry whose offset says how far back its index begins.
    let back = word_of(index.len())?.wrapping_neg();
    store.extend(words([region, BIN, back, word_of(ENTRY)?]));
    let sizes = [word_of(index.len() / ENTRY)?, word_of(store.len())?].map(u32::to_be_bytes);
    Ok([&MAGIC[..], &sizes.concat(), &index, &store].concat())
}

/// Where data of a kind may begin: at a multiple of so many bytes.
fn alignment(kind: u32) -> usize {
    match kind {
        INT16 => 2,
        INT32 => 4,
        INT64 => 8,
        _ => 1,
    }
}

/// An entry as it stands in the index.
pub(super) struct Raw {
    pub(super) tag: u32,
    pub(super) kind: u32,
    pub(super) offset: usize,
    count: u32,
}

impl Raw {
    /// Returns how many bytes of `data` are the entry's; what is behind them is padding.
    fn size(&self, data: &[u8]) -> usize {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let strings = |count: usize| {
            let ends = data.iter().enumerate().filter(|(_, byte)| **byte == 0);
            // Each string with the zero that ends it.
            let last = ends.map(|(at, _)| at + 1).nth(count.wrapping_sub(1));
            if count == 0 { 0 } else { last.unwrap_or(usize::MAX) }
        };
        match self.kind {
            INT16 | INT32 | INT64 => count.saturating_mul(alignment(self.kind)),
            STRING => strings(1),
            STRINGS | I18N => strings(count),
            // Bytes and characters.
            _ => count,
        }
    }
}

/// Reads a header's index; returns it with the header's data and its length.
pub(super) fn index_of(header: &[u8]) -> Result<(Vec<Raw>, &[u8], usize)> {
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

/// Reads a number of 32 bits, the highest byte first.
pub(super) fn number(bytes: &[u8], at: usize) -> Result<u32> {
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

pub(super) fn word_of(size: usize) -> Result<u32> {
    u32::try_from(size).map_err(|_| wrong("a size is too large"))
}

pub(super) fn wrong(cause: &str) -> Error {
    Error::failed("reading the package's headers", cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_aligned_and_the_region_holds_every_entry() {
        let entry = |tag, kind, count, data| Entry { tag, kind, count, data };
        let entries = [
            entry(100, STRINGS, 2, &b"C\0en\0"[..]),
            entry(1004, I18N, 1, b"ab\0"),
            entry(1028, INT32, 1, &[0, 0, 1, 0]),
            entry(1030, INT16, 1, &[1, 2]),
            entry(1046, INT64, 1, &[0; 8]),
            entry(1117, STRING, 1, b"\0"),
            entry(1118, STRINGS, 0, b""),
            entry(5000, BIN, 3, &[9; 3]),
        ];
        let written = write(&entries, MAIN).expect("a header");
        let (index, store, length) = index_of(&written).expect("a header");
        assert_eq!(length, written.len());
        let mut last = 0;
        for one in index.iter().skip(1) {
            assert_eq!(one.offset % alignment(one.kind), 0, "tag {}", one.tag);
            assert!(one.offset >= last, "rpm refuses data that are not in the tags' order");
            last = one.offset;
        }
        assert_eq!((index[0].tag, index[0].offset), (63, store.len() - ENTRY));
        let back = number(store, store.len() - 8).expect("the trailer");
        assert_eq!(back, word_of(index.len() * ENTRY).expect("small").wrapping_neg());
        let (read, _) = read(&written, MAIN).expect("a header");
        assert_eq!(read, entries, "what was written is read");
    }
}
