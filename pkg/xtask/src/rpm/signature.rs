//! Completes the signature header of a package for rpm 4.11.
//!
//! The packager leaves out the MD5 sum of what follows and the size of the unpacked payload. rpm 4.11,
//! which RHEL 7 and SLES 12 carry, divides by that size to draw its progress: on a terminal it never
//! ends. Only this header is rebuilt; all other bytes stay as they are, and so do later rpms' sums.
//!
//! The crate `rpm` (0.23) reads these entries and adds none: it gives nobody a way to change a
//! signature header but to clear it. So does no program of rpm's own but by signing.

use lab::Result;

use super::header::{self, BIN, Entry, INT32, MAGIC, Region, index_of, wrong};

/// What comes before the signature header: its content has no meaning any more.
const LEAD: usize = 96;

/// `RPMSIGTAG_MD5`: of the main header and the payload.
pub(super) const MD5: u32 = 1004;
/// `RPMSIGTAG_PAYLOADSIZE`: of the unpacked payload.
pub(super) const PAYLOAD_SIZE: u32 = 1007;

/// A package taken apart.
pub(super) struct Package<'a> {
    pub(super) lead: &'a [u8],
    /// The entries of the signature header without its region, by their tags.
    pub(super) signatures: Vec<Entry<'a>>,
    /// The main header and the payload.
    pub(super) body: &'a [u8],
}

impl Package<'_> {
    /// Puts the package together again.
    ///
    /// # Errors
    ///
    /// When its signature header is too large.
    pub(super) fn whole(&self) -> Result<Vec<u8>> {
        let mut header = header::write(&self.signatures, Region::Signatures)?;
        // The main header begins at a multiple of eight.
        header.resize(header.len().next_multiple_of(8), 0);
        Ok([self.lead, &header, self.body].concat())
    }
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
    parts.whole()
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
///
/// # Errors
///
/// When it is no package.
pub(super) fn take_apart(package: &[u8]) -> Result<Package<'_>> {
    let (lead, rest) = package.split_at_checked(LEAD).ok_or_else(|| wrong("it is too short"))?;
    let (signatures, length) = header::read(rest, Region::Signatures)?;
    let body = rest.get(length.next_multiple_of(8)..).ok_or_else(|| wrong("there is no body"))?;
    if !body.starts_with(&MAGIC) {
        return Err(wrong("no main header follows the signature header"));
    }
    Ok(Package { lead, signatures, body })
}

/// Returns the size of the payload before gzip, as gzip itself noted it at its end.
fn unpacked_size(body: &[u8]) -> Result<[u8; 4]> {
    let (_, _, length) = index_of(body)?;
    let payload = body.get(length..).unwrap_or_default();
    let size = payload.last_chunk::<4>().filter(|_| payload.starts_with(&[0x1f, 0x8b]));
    let size = size.ok_or_else(|| wrong("the payload is not gzip's"))?;
    Ok(u32::from_le_bytes(*size).to_be_bytes())
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
        let main = header::write(&[], Region::Main).expect("a small header");
        let payload = [0x1f, 0x8b, 9, 9, 9, 0x39, 0x30, 0, 0];
        let body = [&main[..], &payload].concat();
        let package = Package { lead: &[1; LEAD], signatures: entries.to_vec(), body: &body };
        package.whole().expect("a small header")
    }

    #[test]
    fn the_missing_tags_are_added_and_all_else_stays() {
        let before = package();
        let after = completed(&before, sum).expect("a package");
        let (old, new) = (take_apart(&before).expect("old"), take_apart(&after).expect("new"));
        assert_eq!((old.lead, old.body), (new.lead, new.body));
        assert_eq!((after.len() - new.body.len()) % 8, 0, "the main header begins at one of eight");
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
