//! The program: its help, its settings, and what it can print.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::page::root;

/// An option of a command, as the help shows it.
#[derive(Debug)]
pub(crate) struct HelpOption {
    /// `-t` and `--tag`.
    pub(crate) spellings: Vec<String>,
    /// Its default and the words it takes.
    pub(crate) words: Vec<String>,
}

/// What the program prints on standard output.
pub(crate) fn printed(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dovecot-ark"));
    let output = command.args(arguments).output().expect("running the program");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The names of the commands.
pub(crate) fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    // That of clap, which both pages name beside `--help`.
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|it| *it != "help");
    names.map(str::to_owned).collect()
}

/// The options that every command takes: each page names them once, before the commands.
pub(crate) const COMMON: [&str; 4] = ["--color", "--help", "--verbose", "-v"];

/// The options of a command alone.
pub(crate) fn options(command: &str) -> Vec<HelpOption> {
    let mut options: Vec<HelpOption> = Vec::new();
    for line in printed(&[command, "--help"]).lines().map(str::trim) {
        if line.starts_with('-') && !line.starts_with("- ") {
            let spellings = line.split([' ', ',']).take_while(|word| !word.starts_with('<'));
            let spellings = spellings.filter(|word| word.starts_with('-')).map(str::to_owned);
            options.push(HelpOption { spellings: spellings.collect(), words: Vec::new() });
        }
        if let Some(option) = options.last_mut() {
            let inside = |from, to| Some(line.split_once(from)?.1.split_once(to)?.0.to_owned());
            option.words.extend(inside("[default: ", "]"));
            option.words.extend(line.strip_prefix("- ").and_then(|_| inside("- ", ":")));
        }
    }
    options.retain(|option| {
        option.spellings.iter().all(|spelling| !COMMON.contains(&spelling.as_str()))
    });
    options
}

/// The keys of the settings, each with its default.
pub(crate) fn settings() -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&printed(&["settings", "--json"])).expect("JSON");
    let text = |row: &Value, name: &str| Some(row.get(name)?.as_str()?.to_owned());
    let rows = report.get("settings").and_then(Value::as_array).expect("settings");
    rows.iter()
        .map(|row| {
            // On a node of a cluster the file would speak.
            assert_eq!(
                text(row, "source").as_deref(),
                Some("default"),
                "{row}: set on this machine"
            );
            text(row, "key").zip(text(row, "value")).expect("a key and its value")
        })
        .collect()
}

/// The entries that `install` writes, each key with its value.
pub(crate) fn written() -> Vec<(String, String)> {
    let file = root().join("installer/defaults");
    let text = fs::read_to_string(&file).expect("the entries");
    let entries = text.lines().filter(|line| !line.starts_with('#'));
    let entries = entries.map(|line| line.split_once('=').expect("an entry"));
    entries.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect()
}

/// The keys of the documents for programs, after the schemas that are shipped.
pub(crate) fn json_keys() -> BTreeSet<String> {
    fn keys(schema: &Value, known: &mut BTreeSet<String>) {
        let inner = schema.as_object().into_iter().flatten();
        for (key, value) in inner {
            if key == "properties" {
                known.extend(value.as_object().into_iter().flatten().map(|(name, _)| name.clone()));
            }
            keys(value, known);
        }
    }
    let mut known = BTreeSet::new();
    for file in fs::read_dir(root().join("pkg/schema")).expect("the schemas") {
        let text = fs::read_to_string(file.expect("a schema").path()).expect("a schema");
        keys(&serde_json::from_str(&text).expect("a schema"), &mut known);
    }
    known
}

/// What the program can print, as its file has it: the pieces of its messages in any order.
pub(crate) fn words() -> String {
    let file = fs::read(env!("CARGO_BIN_EXE_dovecot-ark")).expect("the program");
    // The page that `explain` prints is in it too, and would hold anything to itself.
    let page = fs::read_to_string(root().join("man/dovecot-ark-messages.7")).expect("the page");
    let words = String::from_utf8_lossy(&file);
    assert!(words.contains(&page), "the page of messages is part of the program");
    words.replace(&page, "")
}
