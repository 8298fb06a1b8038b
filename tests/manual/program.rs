//! The program: its help, its settings, and what its source says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::page::root;

/// An option of a command, as the help shows it.
#[derive(Debug)]
pub(crate) struct Choice {
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
    names.filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

/// The options of a command, but not the one for help.
pub(crate) fn options(command: &str) -> Vec<Choice> {
    let mut options: Vec<Choice> = Vec::new();
    for line in printed(&[command, "--help"]).lines().map(str::trim) {
        if line.starts_with('-') && !line.starts_with("- ") {
            let spellings = line.split([' ', ',']).take_while(|word| !word.starts_with('<'));
            let spellings = spellings.filter(|word| word.starts_with('-')).map(str::to_owned);
            options.push(Choice { spellings: spellings.collect(), words: Vec::new() });
        }
        if let Some(option) = options.last_mut() {
            let inside = |from, to| Some(line.split_once(from)?.1.split_once(to)?.0.to_owned());
            option.words.extend(inside("[default: ", "]"));
            option.words.extend(line.strip_prefix("- ").and_then(|_| inside("- ", ":")));
        }
    }
    options.retain(|option| option.spellings.iter().all(|spelling| spelling != "--help"));
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

/// The numbers in the definition of a constant: `RangeInclusive<u32> = 1..=100`,
/// `Duration::from_secs(5)`, `range(20..=3600)`. Times are in seconds.
pub(crate) fn numbers(file: &str, definition: &str) -> Vec<f64> {
    let source = fs::read_to_string(root().join("src").join(file)).expect(file);
    let (_, found) = source.split_once(definition).unwrap_or_else(|| {
        panic!("src/{file} has no {definition}");
    });
    let (_, value) = found.split_once(['=', '(']).expect(definition);
    let value = value.split([';', ')']).next().unwrap_or_default();
    let (units, in_a) = match value {
        _ if value.contains("from_mins") => (60.0, 1.0),
        _ if value.contains("from_millis") => (1.0, 1000.0),
        _ => (1.0, 1.0),
    };
    // 17_500 is one number.
    let value = value.replace('_', "");
    let digits = value.split(|c: char| !c.is_ascii_digit());
    digits.filter_map(|digits| digits.parse().ok()).map(|n: f64| n * units / in_a).collect()
}

/// The words for the verdicts of `status`.
pub(crate) fn verdicts() -> Vec<String> {
    let source = fs::read_to_string(root().join("src/dovecot/verdict.rs")).expect("the verdicts");
    let (_, words) = source.split_once("const fn word(self)").expect("their words");
    let (words, _) = words.split_once("\n    }\n").expect("the end of them");
    let arms = words.split("=> \"").skip(1);
    arms.filter_map(|arm| Some(arm.split_once('"')?.0.to_owned())).collect()
}

/// The entries that `install` writes, each key with its value.
pub(crate) fn written() -> Vec<(String, String)> {
    let file = root().join("installer/defaults");
    let text = fs::read_to_string(&file).expect("the entries");
    let entries = text.lines().filter(|line| !line.starts_with('#'));
    let entries = entries.map(|line| line.split_once('=').expect("an entry"));
    entries.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect()
}

/// All of the program's source but its tests, a string that goes on in the next line as one.
pub(crate) fn source() -> String {
    let mut text = String::new();
    for file in files(&root().join("src")) {
        let source = fs::read_to_string(&file).expect("a source file");
        let code = source.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let mut pieces = code.split("\\\n");
        text.push_str(pieces.next().unwrap_or_default());
        pieces.for_each(|piece| text.push_str(piece.trim_start()));
    }
    text.replace("\\\"", "\"")
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the source");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { [path].into() }).collect()
}
