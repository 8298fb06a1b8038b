//! What `man -k` and `whatis` find: man-db reads the line behind NAME of each page, in both languages.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::page::root;
use crate::{OTHERS, REFERENCE};

/// Runs a program, insists on success, and returns what it printed.
fn output(command: &mut Command) -> Vec<u8> {
    let output = command.env("LC_ALL", "C.UTF-8").output().expect("running a program");
    assert!(output.status.success(), "{command:?}: {output:?}");
    output.stdout
}

/// Lays the pages as the package does.
fn lay(to: &Path) {
    for name in REFERENCE.into_iter().chain(OTHERS) {
        let (_, section) = name.rsplit_once('.').expect("a section");
        for language in ["", "ja"] {
            let directory = to.join(language).join(format!("man{section}"));
            fs::create_dir_all(&directory).expect("making a directory");
            let page = root().join("man").join(language).join(name);
            let packed = output(Command::new("gzip").arg("-9nc").arg(page));
            fs::write(directory.join(format!("{name}.gz")), packed).expect("writing a page");
        }
    }
}

#[test]
fn each_page_is_found_by_its_name_and_by_a_word_in_both_languages() {
    if Command::new("mandb").arg("--version").output().is_err() {
        eprintln!("left out, because man-db is not installed");
        return;
    }
    let directory = std::env::temp_dir().join(format!("dovecot-ark-man-{}", std::process::id()));
    lay(&directory);
    for (language, word) in [("", "dovecot"), ("ja", "LifeKeeper")] {
        let pages = directory.join(language);
        output(Command::new("mandb").args(["-u", "-c", "-q"]).arg(&pages));
        let ask = |program: &str, word: &str| {
            let mut command = Command::new(program);
            command.arg("-l").arg("-M").arg(&pages).arg(word);
            String::from_utf8(output(&mut command)).expect("text")
        };
        let listed = ask("apropos", word);
        for page in REFERENCE.into_iter().chain(OTHERS) {
            let (name, section) = page.rsplit_once('.').expect("a section");
            let line = ask("whatis", name);
            let (head, summary) = line.split_once(" - ").expect("a summary");
            assert_eq!(head.split_whitespace().collect::<String>(), format!("{name}({section})"));
            // What does not fit on a line of a terminal is cut off.
            assert!(line.trim_end().len() < 80 || !language.is_empty(), "{line}");
            assert!(!summary.trim().is_empty(), "{line}");
            assert!(listed.contains(&line) || language == "ja", "{page}: {listed}");
        }
        assert!(listed.lines().count() >= 5, "{listed}");
    }
    fs::remove_dir_all(&directory).expect("removing it");
}
