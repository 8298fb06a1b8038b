//! The page of the messages against the program's numbers: an entry for each, in both languages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use dovecot_ark::dovecot::service;
use dovecot_ark::messages::Message;
use dovecot_ark::probe::socket;

use crate::page::{GAP, Item, LANGUAGES, Page, root};
use crate::program;

fn pages() -> [Page; 2] {
    LANGUAGES.map(|language| Page::of("dovecot-ark-messages.7", language))
}

/// The entries that have a number.
fn entries(page: &Page) -> Vec<&Item> {
    let is_numbered = |item: &&Item| item.heads.iter().any(|head| head.starts_with("ARK"));
    page.items.iter().filter(is_numbered).collect()
}

/// The numbers in a text.
fn numbers_in(text: &str) -> BTreeSet<String> {
    let digits = |rest: &str| -> String { rest.chars().take_while(char::is_ascii_digit).collect() };
    let found = text.split("ARK").skip(1).map(digits).filter(|digits| !digits.is_empty());
    found.map(|digits| format!("ARK{digits}")).collect()
}

/// All files below a directory whose names end so.
pub(crate) fn files(directory: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("one").path());
    let of = |path: PathBuf| match path.is_dir() {
        true => files(&path, ends),
        false if ends.iter().any(|end| path.to_string_lossy().ends_with(end)) => vec![path],
        false => Vec::new(),
    };
    entries.flat_map(of).collect()
}

#[test]
fn each_number_has_one_entry_in_both_pages_in_their_order_and_no_other_has() {
    let known: Vec<&str> = Message::ALL.iter().map(|message| message.code()).collect();
    for page in pages() {
        let mut told = Vec::new();
        for item in entries(&page) {
            let (number, _) = item.heads[0].split_once(": ").expect("a number and its words");
            for head in &item.heads {
                assert!(head.starts_with(&format!("{number}: ")), "{}: {head}", page.file);
            }
            assert!(!item.text.is_empty(), "{}: {number} says nothing", page.file);
            told.push(number);
        }
        assert_eq!(told, known, "{}", page.file);
    }
}

#[test]
fn a_number_that_a_page_names_is_one_of_the_program() {
    let known: BTreeSet<String> =
        Message::ALL.iter().map(|message| message.code().to_owned()).collect();
    for file in files(&root().join("man"), &[".7", ".8", ".5"]) {
        let told = numbers_in(&fs::read_to_string(&file).expect("a page"));
        assert!(told.is_subset(&known), "{}: {:?}", file.display(), told.difference(&known));
    }
}

/// Otherwise its entry would explain what nobody can see.
#[test]
fn each_number_is_used_by_the_program() {
    let sources = files(&root().join("src"), &[".rs"]);
    let sources = sources.iter().filter(|path| !path.ends_with("messages.rs"));
    let sources: String = sources.map(|path| fs::read_to_string(path).expect("a source")).collect();
    for message in Message::ALL {
        let name = format!("Message::{message:?}");
        let is_end = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric());
        assert!(sources.split(&name).skip(1).any(is_end), "{} {name}", message.code());
    }
}

#[test]
fn the_words_of_each_entry_are_those_of_the_program() {
    let words = program::words();
    for page in pages() {
        let mut others = Vec::new();
        for message in page.items.iter().flat_map(|item| &item.messages) {
            let pieces = message.split([GAP]).flat_map(|piece| piece.split([':', ';', '(', ')']));
            let pieces = pieces.map(|piece| piece.trim_matches([' ', ',', '.', '`', '"']));
            // A short one would be found anywhere.
            let odd = pieces.filter(|piece| piece.len() >= 6 && !words.contains(piece));
            others.extend(odd.map(|piece| format!("{piece:?} of {message:?}")));
        }
        assert_eq!(others, Vec::<String>::new(), "{}", page.file);
    }
}

#[test]
fn both_pages_of_messages_have_the_same_things_in_the_same_order() {
    let [english, japanese] = pages();
    let heads = |page: &Page| -> Vec<String> {
        page.items.iter().flat_map(|item| item.messages.clone()).collect()
    };
    assert_eq!(heads(&english), heads(&japanese));
    assert_eq!(english.parts.len(), japanese.parts.len(), "sections and subsections");
    assert_eq!(english.displays, japanese.displays);
    for (one, other) in english.items.iter().zip(&japanese.items) {
        assert_eq!(numbers_in(&one.text), numbers_in(&other.text), "{:?}", one.heads);
    }
}

#[test]
fn the_numbers_in_the_entries_are_those_of_the_program() {
    let (first, last) = (socket::PRIVILEGED.start(), socket::PRIVILEGED.end());
    let limit = service::STATUS_LIMIT.as_secs();
    for (message, told) in [
        (
            Message::NotChecked,
            [format!("from a port from {first} to {last},"), format!("{first}～{last} のポート")],
        ),
        (Message::ServiceUnknown, [format!("within {limit} seconds"), format!("{limit} 秒以内")]),
    ] {
        let number = format!("{}: ", message.code());
        for (page, told) in pages().iter().zip(told) {
            let item = entries(page).into_iter().find(|item| item.heads[0].starts_with(&number));
            assert!(item.is_some_and(|item| item.text.contains(&told)), "{}: {told}", page.file);
        }
    }
}

#[test]
fn explain_prints_the_entry_of_the_page() {
    let printed = program::printed(&["explain", "ark1206"]);
    assert!(printed.starts_with("ARK1206: starting Dovecot: port <n> is taken by <process>\n\n"));
    let text = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("Stop that program, or give it another port."), "{text}");
}
