//! The texts in Markdown: both languages have the same parts, links lead somewhere, pictures are described.

use std::fs;
use std::path::{Path, PathBuf};

use crate::messages::files;
use crate::page::root;

/// The texts that are there in both languages.
const PAIRS: [(&str, &str); 2] =
    [("README.md", "README.ja.md"), ("CONTRIBUTING.md", "CONTRIBUTING.ja.md")];

/// What a text consists of, without its words.
#[derive(Debug, Default, PartialEq)]
struct Shape {
    headings: Vec<usize>,
    rows: usize,
    items: usize,
    /// Lines of code without their comments.
    code: Vec<String>,
    /// Where links to files and pictures lead, in the English text's names.
    links: Vec<String>,
}

/// Every text: also those from which pages are made.
pub(crate) fn texts() -> Vec<PathBuf> {
    let top = fs::read_dir(root()).expect("the sources").map(|entry| entry.expect("a file").path());
    let mut texts: Vec<PathBuf> =
        top.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    for directory in ["pkg", "tests/bench"] {
        texts.extend(files(&root().join(directory), &[".md"]));
    }
    assert!(texts.len() >= 12, "{texts:?}");
    texts
}

/// The links of a text: whether each is a picture, its words, and where it leads.
fn links(text: &str) -> Vec<(bool, &str, &str)> {
    let ends = text.match_indices("](").filter_map(|(at, _)| {
        let (before, after) = text.split_at(at);
        let (head, words) = before.rsplit_once('[')?;
        Some((head.ends_with('!'), words, after.get(2..)?.split(')').next()?))
    });
    ends.collect()
}

/// The anchor that a heading gets: lower case, blanks as hyphens, no other punctuation.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_ー".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn shape(text: &str) -> Shape {
    let (mut shape, mut in_code) = (Shape::default(), false);
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            let code = line.split(" # ").next().unwrap_or_default().trim_end();
            shape.code.push(code.to_owned());
        } else if line.starts_with("    ") {
            shape.code.push(line.to_owned());
        } else if line.starts_with('#') {
            shape.headings.push(line.chars().take_while(|c| *c == '#').count());
        } else if line.starts_with('|') {
            shape.rows += 1;
        } else {
            let is_step = line.split_once(". ").is_some_and(|(n, _)| n.parse::<u8>().is_ok());
            shape.items += usize::from(is_step || line.starts_with("- "));
        }
    }
    let to_files = links(text).into_iter().map(|(_, _, to)| to).filter(|to| !to.starts_with('#'));
    let named = to_files.map(|to| to.replace(".ja.md", ".md"));
    // The first leads to the other language; sentences may order the others differently.
    shape.links = named.collect();
    shape.links.sort();
    shape
}

#[test]
fn both_languages_have_the_same_parts_in_the_same_order() {
    for (english, japanese) in PAIRS {
        let [first, second] = [english, japanese]
            .map(|name| shape(&fs::read_to_string(root().join(name)).expect(name)));
        assert_eq!(first, second, "{english}, {japanese}");
        assert!(first.headings.len() > 5, "{english}: {first:?}");
    }
}

#[test]
fn the_two_commands_are_in_each_of_them() {
    for (english, japanese) in PAIRS {
        for name in [english, japanese] {
            let shape = shape(&fs::read_to_string(root().join(name)).expect(name));
            for command in ["cargo xtask demo", "cargo xtask test"] {
                assert!(shape.code.iter().any(|line| line == command), "{name}: {command}");
            }
        }
    }
}

#[test]
fn each_link_leads_to_a_file_or_a_heading_and_each_picture_is_described() {
    for file in texts() {
        let text = fs::read_to_string(&file).expect("a text");
        let headings: Vec<String> = text
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| anchor(line.trim_start_matches('#').trim()))
            .collect();
        // A page that is made from another lies in the directory of what was measured.
        let is_template = file.ends_with("page.md");
        let base = if is_template { root().join("pkg/bench") } else { file.clone() };
        let base = if is_template { base.as_path() } else { base.parent().expect("a directory") };
        for (is_picture, words, to) in links(&text) {
            let leads = match to.strip_prefix('#') {
                Some(anchor) => headings.iter().any(|heading| heading == anchor),
                None => Path::new(base).join(to).exists(),
            };
            assert!(leads, "{}: {to}", file.display());
            let least = if is_picture { 20 } else { 1 };
            assert!(words.len() >= least, "{}: {to}: {words:?}", file.display());
        }
    }
}

#[test]
fn a_picture_without_words_and_a_heading_are_seen() {
    assert_eq!(links("![](a.svg) [b](#c)"), [(true, "", "a.svg"), (false, "b", "#c")]);
    assert_eq!(anchor("What was tried, and what was not"), "what-was-tried-and-what-was-not");
    assert_eq!(anchor("Pacemaker での利用"), "pacemaker-での利用");
}
