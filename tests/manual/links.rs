//! Where one page sends its reader: the other page is there, and so is the heading.

use std::fs;
use std::path::Path;

use crate::page::{LANGUAGES, Language, Page, root};
use crate::{GUIDE, MESSAGES, OTHERS, REFERENCE};

/// A page's name as a page writes it, and where it is found: `dovecot-ark.conf(5)`.
#[derive(Debug, PartialEq)]
struct Link<'a> {
    /// The name of its file.
    file: String,
    before: &'a str,
    after: &'a str,
}

/// What a page's name begins with.
const NAMES: [&str; 2] = ["dovecot-ark", "ocf_dovecot-ark"];

/// The links of a text to pages of the kit.
fn links(text: &str) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    for (at, _) in text.match_indices('(') {
        let (head, tail) = (&text[..at], &text[at + 1..]);
        let mut rest = tail.chars();
        let (Some(section), Some(')')) = (rest.next().filter(char::is_ascii_digit), rest.next())
        else {
            continue;
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let before = head.trim_end_matches(is_name);
        let name = &head[before.len()..];
        if NAMES.iter().any(|begin| name.starts_with(begin)) {
            let file = format!("{name}.{section}");
            links.push(Link { file, before: before.trim_end(), after: rest.as_str() });
        }
    }
    links
}

/// Whether a word is the number of a message.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix("ARK").filter(|digits| digits.len() == 4);
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A page's source as one line of text, `.Xr` written out.
fn flat(source: &str) -> String {
    let lines = source.lines().map(|line| match line.strip_prefix(".Xr ") {
        Some(words) => {
            let mut words = words.split(' ');
            let (name, section) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            format!("{name}({section}){}", words.collect::<String>())
        }
        None => line.to_owned(),
    });
    let text = lines.collect::<Vec<_>>().join(" ");
    text.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "")
}

#[test]
fn each_page_of_the_kit_that_a_page_names_is_there_in_the_same_language() {
    let mut told = 0;
    for name in REFERENCE.into_iter().chain(OTHERS) {
        for directory in ["man", "man/ja"] {
            let source = root().join(directory).join(name);
            let text = flat(&fs::read_to_string(&source).expect("a page"));
            for link in links(&text) {
                let page = root().join(directory).join(&link.file);
                assert!(page.is_file(), "{}: {}", source.display(), link.file);
                told += 1;
            }
        }
    }
    assert!(told > 100, "{told} links: they are not found any more");
}

#[test]
fn each_page_is_named_by_the_first_one() {
    for directory in ["man", "man/ja"] {
        let text = fs::read_to_string(root().join(directory).join(REFERENCE[0])).expect("a page");
        let text = flat(&text);
        let named: Vec<String> = links(&text).into_iter().map(|link| link.file).collect();
        for name in REFERENCE.iter().skip(1).chain(&OTHERS) {
            assert!(named.iter().any(|it| it == name), "{directory}: {name}");
        }
    }
}

/// `FILES in dovecot-ark(8)`, and in Japanese the heading in corner brackets behind the name.
#[test]
fn each_heading_of_another_page_that_a_page_names_is_there() {
    let mut told = [0, 0];
    for (language, directory) in LANGUAGES.into_iter().zip(["man", "man/ja"]) {
        for name in REFERENCE.into_iter().chain(OTHERS) {
            let source = Path::new(directory).join(name);
            let text = flat(&fs::read_to_string(root().join(&source)).expect("a page"));
            for link in links(&text) {
                let headings = |file: &str| -> Vec<String> {
                    let page = Page::of(file, language);
                    page.parts.into_iter().map(|(heading, _)| heading).collect()
                };
                let is_there = match language {
                    Language::English => {
                        let Some(before) = link.before.strip_suffix(" in") else { continue };
                        let is_it = |heading: &String| before.ends_with(&**heading);
                        // Or an entry of the messages; that its number is there is held elsewhere.
                        let is_number = before.rsplit(' ').next().is_some_and(is_number);
                        is_number || headings(&link.file).iter().any(is_it)
                    }
                    Language::Japanese => {
                        let heading = link.after.trim_start().strip_prefix("の「");
                        let Some((heading, _)) = heading.and_then(|it| it.split_once('」')) else {
                            continue;
                        };
                        headings(&link.file).iter().any(|it| it == heading)
                    }
                };
                let around: String = link.before.chars().rev().take(40).collect();
                let around: String = around.chars().rev().collect();
                assert!(is_there, "{}: {around} {}", source.display(), link.file);
                told[usize::from(language == Language::Japanese)] += 1;
            }
        }
    }
    assert!(told.iter().all(|links| *links >= 8), "{told:?}: they are not found any more");
}

/// A heading of the page itself: behind `.Sx`, and in Japanese in corner brackets.
#[test]
fn each_heading_of_its_own_that_a_page_names_is_there() {
    let mut told = [0, 0];
    for (language, directory) in LANGUAGES.into_iter().zip(["man", "man/ja"]) {
        for name in REFERENCE.into_iter().chain([GUIDE, MESSAGES]) {
            let source = Path::new(directory).join(name);
            let text = fs::read_to_string(root().join(&source)).expect("a page");
            let page = Page::of(name, language);
            let named: Vec<&str> = match language {
                Language::English => {
                    let lines = text.lines().filter_map(|line| line.strip_prefix(".Sx "));
                    lines.map(|line| line.trim_end_matches([' ', '.', ',', ':', ';'])).collect()
                }
                Language::Japanese => {
                    // What stands behind another page's name is that page's.
                    let ends = text.match_indices("」を参照").map(|(at, _)| &text[..at]);
                    let own = ends.filter_map(|before| before.rsplit_once('「'));
                    let own = own.filter(|(before, _)| !before.ends_with(") の"));
                    own.map(|(_, heading)| heading).collect()
                }
            };
            for heading in named {
                let is_there = page.parts.iter().any(|(it, _)| it == heading);
                assert!(is_there, "{}: {heading}", source.display());
                told[usize::from(language == Language::Japanese)] += 1;
            }
        }
    }
    assert!(told.iter().all(|headings| *headings >= 10), "{told:?}: they are not found any more");
}

#[test]
fn a_link_is_found_in_a_text_and_behind_a_macro() {
    let text = flat("see FILES in dovecot\\-ark(8)\n.Xr dovecot-ark.conf 5 ,\nls(1)");
    let found: Vec<(String, &str)> =
        links(&text).into_iter().map(|link| (link.file, link.before)).collect();
    assert_eq!(found[0], ("dovecot-ark.8".to_owned(), "see FILES in"));
    assert_eq!(found[1].0, "dovecot-ark.conf.5");
    assert_eq!(found.len(), 2);
}
