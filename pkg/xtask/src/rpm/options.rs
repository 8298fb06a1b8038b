//! The options of `cargo xtask rpm`: who publishes the package.

/// What is asked for, and who is named in the header; who is not named is not in it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    /// The package is built twice and compared.
    pub(super) check: bool,
    url: Option<String>,
    vendor: Option<String>,
}

impl Options {
    /// Understands `[--check] [--url URL] [--vendor NAME]`, each at most once, in any order.
    ///
    /// A URL is one of http or https without blanks, a name one line of visible characters.
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--check" if !options.check => options.check = true,
                "--url" if options.url.is_none() => {
                    let url = words.next().filter(|url| is_url(url))?;
                    options.url = Some((*url).to_owned());
                }
                "--vendor" if options.vendor.is_none() => {
                    let name = words.next().filter(|name| is_name(name))?;
                    options.vendor = Some((*name).to_owned());
                }
                _ => return None,
            }
        }
        Some(options)
    }

    /// Says it to the packager, in TOML.
    pub(super) fn metadata(&self) -> String {
        let line = |key: &str, value: &Option<String>| {
            let value = value.as_ref()?.replace('\\', "\\\\").replace('"', "\\\"");
            Some(format!("{key} = \"{value}\"\n"))
        };
        [line("url", &self.url), line("vendor", &self.vendor)].into_iter().flatten().collect()
    }

    /// Names who made the package, for its changelog.
    pub(super) fn packager(&self) -> &str {
        self.vendor.as_deref().unwrap_or("dovecot-ark")
    }
}

fn is_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_graphic()))
}

fn is_name(name: &str) -> bool {
    name.trim() == name
        && !name.is_empty()
        && !name.starts_with('-')
        && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_publisher_is_named_where_it_is_given_and_nowhere_else() {
        let plain = Options::read(&[]).expect("no options");
        assert_eq!((plain.metadata().as_str(), plain.packager()), ("", "dovecot-ark"));
        let words =
            ["--vendor", "Example \"E\" Corp.", "--check", "--url", "https://example.com/ark"];
        let named = Options::read(&words).expect("all options");
        let expected = "url = \"https://example.com/ark\"\nvendor = \"Example \\\"E\\\" Corp.\"\n";
        assert_eq!(named.metadata(), expected);
        assert!(named.check && !plain.check);
        assert_eq!(named.packager(), "Example \"E\" Corp.");
    }

    #[test]
    fn what_is_no_option_url_or_name_is_refused() {
        for words in [
            &["--url"][..],
            &["--url", "example.com"],
            &["--url", "https://"],
            &["--url", "https://example.com/a b"],
            &["--vendor", ""],
            &["--vendor", "a\nb"],
            &["--vendor", "--check"],
            &["--check", "--check"],
            &["--url", "http://a", "--url", "http://b"],
            &["--sign"],
        ] {
            assert_eq!(Options::read(words), None, "{words:?}");
        }
    }
}
