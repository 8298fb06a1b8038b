//! A resource's tag: the name that LifeKeeper passes with `-t`.

use std::fmt::{self, Write};

use crate::text::checksum;

/// The longest tag, in bytes (LifeKeeper 8 manual: 256 characters).
pub const MAX_LENGTH: usize = 256;

/// The longest tag of a new resource.
pub const MAX_NEW: usize = 63;

/// The longest file name that a tag becomes; Linux takes 255 bytes.
const MAX_FILE_NAME: usize = 200;

/// A tag as LifeKeeper may give it. What it may consist of has changed between versions, so only
/// what would break a log line or a file name is refused here.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Tag(String);

impl Tag {
    /// Takes a tag from the command line.
    ///
    /// # Errors
    ///
    /// A sentence when it is empty, longer than 256 bytes, or holds a control character.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("a tag is not empty".into())
        } else if text.len() > MAX_LENGTH {
            Err(format!("a tag has at most {MAX_LENGTH} bytes, not {}", text.len()))
        } else if text.chars().any(char::is_control) {
            Err("a tag has no control characters".into())
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// Takes a tag for a new resource: letters, digits, `-` and `_`, at most 63 of them, a letter
    /// or digit first. Versions of LifeKeeper differ in what else they take, and a tag becomes a
    /// file name and a part of variables' names.
    ///
    /// # Errors
    ///
    /// A sentence that names what is wrong.
    pub(crate) fn parse_new(text: &str) -> Result<Self, String> {
        let tag = Self::parse(text)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if let Some(odd) = text.chars().find(|c| !allowed(*c)) {
            Err(format!("a new tag has letters, digits, - and _, not {odd:?}"))
        } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            Err("a new tag begins with a letter or digit".into())
        } else if text.len() > MAX_NEW {
            Err(format!("a new tag has at most {MAX_NEW} characters, not {}", text.len()))
        } else {
            Ok(tag)
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// CONVTAG: the tag with every character that is not a letter or digit replaced by `_`, as
    /// LifeKeeper names a resource's own keys in its defaults file.
    pub(crate) fn converted(&self) -> String {
        self.0.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
    }

    /// A file name of its own for each tag: letters, digits, `-`, `_` and inner dots stay, other
    /// bytes become `%XX`; a very long one is cut and ends in a checksum of the whole.
    pub(crate) fn file_name(&self) -> String {
        let mut name = String::new();
        for (n, byte) in self.0.bytes().enumerate() {
            if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || (byte == b'.' && n > 0) {
                name.push(char::from(byte));
            } else {
                // Writing into a string cannot fail.
                let _ = write!(name, "%{byte:02X}");
            }
        }
        if name.len() > MAX_FILE_NAME {
            name.truncate(MAX_FILE_NAME);
            name = format!("{name}%{:016x}", checksum(self.0.as_bytes()));
        }
        name
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_tag_that_breaks_a_log_line_is_refused() {
        for (tag, reason) in [
            ("", "is not empty"),
            ("a\nb", "control characters"),
            ("a\x1bb", "control characters"),
            (&*"x".repeat(257), "at most 256 bytes, not 257"),
        ] {
            let error = Tag::parse(tag).expect_err(tag);
            assert!(error.contains(reason), "{tag:?}: {error}");
        }
        for tag in ["dovecot", "mail-1.example.com", "a/b", "メール", &"x".repeat(256)] {
            assert_eq!(Tag::parse(tag).expect(tag).to_string(), tag);
        }
    }

    #[test]
    fn a_new_tag_is_what_every_version_takes() {
        for tag in ["dovecot", "Mail-1_a", "9", &"x".repeat(63)] {
            assert_eq!(Tag::parse_new(tag).expect(tag).as_str(), tag);
        }
        for (tag, reason) in [
            ("a/b", "not '/'"),
            ("..", "not '.'"),
            ("a b", "not ' '"),
            ("a\nb", "control characters"),
            (&*"x".repeat(64), "at most 63 characters, not 64"),
            (&*"x".repeat(300), "at most 256 bytes, not 300"),
            ("メール", "not 'メ'"),
            ("-x", "begins with a letter or digit"),
            ("", "is not empty"),
            ("a;b", "not ';'"),
        ] {
            let error = Tag::parse_new(tag).expect_err(tag);
            assert!(error.contains(reason), "{tag:?}: {error}");
        }
        assert_eq!(Tag::parse("mail-1.example").expect("a tag").converted(), "mail_1_example");
    }

    #[test]
    fn a_plain_tag_is_its_own_file_name() {
        for (tag, name) in [
            ("dovecot", "dovecot"),
            ("Mail-1_a.b", "Mail-1_a.b"),
            (".a", "%2Ea"),
            ("a/b c", "a%2Fb%20c"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(Tag::parse(tag).expect(tag).file_name(), name);
        }
        let longest = "x".repeat(MAX_FILE_NAME);
        assert_eq!(Tag::parse(&longest).expect("a tag").file_name(), longest);
    }

    #[test]
    fn different_tags_have_different_file_names_that_any_directory_takes() {
        let long = "x".repeat(255);
        let tags = [
            "a-b",
            "a_b",
            "a.b",
            "a/b",
            "a%2Fb",
            "..",
            ".",
            "../a",
            "A-B",
            &format!("{long}y"),
            &format!("{long}z"),
            &"/".repeat(256),
        ];
        let names: HashSet<_> =
            tags.iter().map(|tag| Tag::parse(tag).expect(tag).file_name()).collect();
        assert_eq!(names.len(), tags.len(), "{names:?}");
        for name in names {
            assert!(name.len() < 250 && !name.contains('/') && !name.starts_with('.'), "{name}");
        }
    }
}
