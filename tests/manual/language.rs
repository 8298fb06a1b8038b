//! The words that are not to come back: in the pages, in all texts, and in what the program says.
//!
//! They are correct English and odd: a reader whose English is not his own stumbles over them at
//! night, and the field has a plain term for each.

use std::fs;
use std::path::PathBuf;

use crate::messages::files;
use crate::page::root;
use crate::readme::texts;

/// What is not to be said, and what is said instead.
const BANNED: [(&str, &str); 23] = [
    ("folder", "directory"),
    ("folders", "directories"),
    ("anew", "again"),
    ("mend", "fix"),
    ("slip", "typo"),
    ("only root may", "must be run as root"),
    ("not only root may", "others than root can"),
    ("it is looked", "X checks"),
    ("taken off", "disabled, removed"),
    ("lie below", "depend, the other way round"),
    ("lies below", "depends, the other way round"),
    ("nobody listens", "nothing listens"),
    ("cannot be told", "it is unknown whether"),
    ("failover neither", "nor after a failover"),
    ("most start commands", "maximum number of start commands"),
    ("most stop commands", "maximum number of stop commands"),
    ("before each other", "before all other"),
    ("mail store is another", "is a different one"),
    ("takes its configuration", "accepts its configuration"),
    ("make the file", "create the file"),
    ("for nothing", "without cause"),
    ("spoil", "damage"),
    ("spoils", "damages"),
];

/// The banned words in a text, as whole words, in whatever case.
fn found(text: &str) -> Vec<&'static str> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let text = format!(" {} ", words.join(" "));
    let is_in = |banned: &&(&str, &str)| text.contains(&format!(" {} ", banned.0));
    BANNED.iter().filter(is_in).map(|(banned, _)| *banned).collect()
}

/// What a source says in words: its strings, without comments and tests. Names that a string takes
/// its values from, `{folder}`, are none.
fn said(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let text = lines.collect::<Vec<_>>().join("\n").replace("\\\\", "").replace("\\\"", "'");
    let text = text.replace("'\"'", "' '");
    let strings = text.split('"').skip(1).step_by(2);
    strings.map(without_names).filter(|words| words.contains(' ')).collect()
}

fn without_names(text: &str) -> String {
    let mut pieces = text.split('{');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |told, piece| told + piece.split_once('}').map_or(piece, |(_, after)| after))
}

#[test]
fn the_odd_words_do_not_come_back_to_the_pages() {
    let pages = files(&root().join("man"), &[".5", ".7", ".8"]);
    for file in pages.iter().chain(&texts()) {
        let text = fs::read_to_string(file).expect("a page").replace("\\fI", " ");
        assert_eq!(found(&text), Vec::<&str>::new(), "{}", file.display());
    }
}

#[test]
fn the_odd_words_do_not_come_back_to_what_the_program_says() {
    let sources = files(&root().join("src"), &[".rs"]);
    // What is built for tests alone.
    let of_tests = ["src/system/fake", "src/test_root.rs", "src/test_bytes.rs"];
    let is_said = |path: &&PathBuf| !of_tests.iter().any(|one| path.starts_with(root().join(one)));
    let mut told = 0;
    for file in sources.iter().filter(is_said) {
        for words in said(&fs::read_to_string(file).expect("a source")) {
            assert_eq!(found(&words), Vec::<&str>::new(), "{}: {words}", file.display());
            told += 1;
        }
    }
    assert!(told > 500, "{told} strings: they are not found any more");
}

#[test]
fn a_banned_word_is_found_in_a_string_and_not_in_a_name_or_comment() {
    let source =
        "// a folder\nlet x = format!(\"in the folder {folder}\");\nlet y = \"{folder} is x\";";
    let found: Vec<_> = said(source).iter().map(|words| found(words)).collect();
    assert_eq!(found, [vec!["folder"], vec![]]);
}
