//! The manual pages against the program: what one says, the other must know.
//!
//! A page that says another number than the program is worse than none, and two pages in two
//! languages part company at the first change that somebody makes in one of them.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot read a page or the program ends there"
)]

mod guide;
mod language;
mod messages;
mod numbers;
mod page;
mod program;
mod readme;

use std::collections::BTreeSet;
use std::process::Command;

use dovecot_ark::doctor::finding::Check;
use dovecot_ark::dovecot::verdict::Verdict;
use page::{Item, Page, root};

/// The pages of the resource agent.
const AGENT: &str = "man/ocf_dovecot-ark_dovecot.7";
const AGENT_JA: &str = "man/ja/ocf_dovecot-ark_dovecot.7";

/// What checks the pages' macros. Each is in the package of the same name. Where one of them is
/// missing, its checks are left out.
const LINTERS: [&str; 2] = ["mandoc", "groff"];

/// A page, and the words for what both pages have.
struct Manual {
    page: Page,
    commands: &'static str,
    parameters: &'static str,
    files: &'static str,
    synopsis: &'static str,
    statuses: &'static str,
    default: &'static str,
}

fn manuals() -> [Manual; 2] {
    [
        Manual {
            page: Page::english(),
            commands: "COMMANDS",
            parameters: "PARAMETERS",
            files: "FILES",
            synopsis: "SYNOPSIS",
            statuses: "EXIT STATUS",
            default: "Default: ",
        },
        Manual {
            page: Page::japanese(),
            commands: "コマンド",
            parameters: "パラメーター",
            files: "ファイル",
            synopsis: "書式",
            statuses: "終了ステータス",
            default: "初期値: ",
        },
    ]
}

impl Manual {
    /// The items about a command's options.
    fn options_of(&self, command: &str) -> Vec<&Item> {
        let about = |item: &&Item| {
            item.section == self.commands
                && item.subsection.split(", ").any(|name| name == command)
                && item.heads.iter().any(|head| head.starts_with('-'))
        };
        self.page.items.iter().filter(about).collect()
    }
}

/// The options in a text: `--tag`, `-t`.
fn options_in(text: &str) -> BTreeSet<String> {
    let is_end = |c: char| c.is_whitespace() || "[]|,".contains(c);
    text.split(is_end).filter(|word| word.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn each_command_and_option_of_the_program_is_in_both_pages_and_no_other() {
    for manual in manuals() {
        let file = manual.page.file;
        let headings =
            manual.page.subsections.iter().filter(|(section, _)| section == manual.commands);
        let headings: BTreeSet<&str> = headings.flat_map(|(_, name)| name.split(", ")).collect();
        let commands = program::commands();
        assert_eq!(headings, commands.iter().map(String::as_str).collect(), "{file}");
        for command in program::commands() {
            let items = manual.options_of(&command);
            let heads: Vec<&str> =
                items.iter().flat_map(|item| &item.heads).map(|h| &**h).collect();
            let told = options_in(&heads.join(" "));
            let options = program::options(&command);
            let known = options.iter().flat_map(|option| option.spellings.clone()).collect();
            assert_eq!(told, known, "{file}: {command}");
            assert!(!manual.page.part(&command).is_empty(), "{file}: {command} has no text");
        }
    }
}

#[test]
fn an_options_default_and_the_words_it_takes_are_in_both_pages() {
    for manual in manuals() {
        for command in program::commands() {
            for option in program::options(&command) {
                let about = |item: &&Item| {
                    let told = options_in(&item.heads.join(" "));
                    option.spellings.iter().any(|spelling| told.contains(spelling))
                };
                let item = manual.options_of(&command).into_iter().find(about).expect("its item");
                for word in &option.words {
                    let text = format!("{} {}", item.heads.join(" "), item.text);
                    assert!(text.contains(word), "{}: {command}: {word}", manual.page.file);
                }
            }
        }
    }
}

#[test]
fn the_synopsis_has_each_option_and_no_other() {
    for manual in manuals() {
        let told = options_in(manual.page.part(manual.synopsis));
        let options =
            program::commands().into_iter().flat_map(|command| program::options(&command));
        let options: Vec<Vec<String>> = options.map(|option| option.spellings).collect();
        for spellings in &options {
            let is_told = spellings.iter().any(|spelling| told.contains(spelling));
            assert!(is_told, "{}: {spellings:?}", manual.page.file);
        }
        let known: BTreeSet<String> = options.into_iter().flatten().collect();
        assert!(told.is_subset(&known), "{}: {told:?}", manual.page.file);
    }
}

#[test]
fn each_parameter_is_in_both_pages_with_its_default_and_no_other() {
    let known = program::settings();
    for manual in manuals() {
        let file = manual.page.file;
        let told = manual.page.heads(manual.parameters);
        let told: Vec<&str> = told.into_iter().filter(|h| h.starts_with("APP_DOVECOT_")).collect();
        let keys: Vec<&str> = known.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(told, keys, "{file}");
        for (key, default) in &known {
            let text = &manual.page.item(key).text;
            let said = text.split_once(manual.default).map(|(_, said)| said);
            assert!(said.is_some_and(|said| said.contains(default)), "{file}: {key}: {text}");
        }
    }
}

#[test]
fn the_words_that_a_parameter_takes_are_those_of_the_program() {
    let program = program::words();
    let mut told = 0;
    for Manual { page, parameters, .. } in manuals() {
        for item in page.items.iter().filter(|item| item.section == parameters) {
            let range = ["Range: ", "範囲: "].iter().find_map(|head| item.text.split_once(head));
            let range = range.and_then(|(_, range)| range.split(['.', '。']).next());
            let words = range.and_then(|range| {
                range.split_once(" or ").or_else(|| range.split_once(" または "))
            });
            let Some((one, other)) = words else { continue };
            let refusal = format!("{one} or {other} is expected");
            assert!(program.contains(&refusal), "{}: {refusal}", page.file);
            told += 1;
        }
    }
    assert_eq!(told, 8, "debug, probe, the fault of a login and wait in both pages");
}

#[test]
fn what_install_writes_is_in_both_pages() {
    let (written, settings) = (program::written(), program::settings());
    let keys = |pairs: &[(String, String)]| -> Vec<String> {
        pairs.iter().map(|(key, _)| key.clone()).collect()
    };
    assert!(keys(&settings).starts_with(&keys(&written)), "{written:?}");
    assert_eq!(written.len(), 7, "then the pages say another number");
    for (Manual { page, .. }, first) in manuals().iter().zip(["first seven", "最初の 7 つ"]) {
        assert!(page.part("install").contains(first), "{}: {first}", page.file);
        for (key, value) in written.iter().filter(|pair| !settings.contains(pair)) {
            let text = &page.item(key).text;
            let told =
                [format!("install writes {value}"), format!("install は {value} を書き込む")];
            assert!(told.iter().any(|told| text.contains(told)), "{}: {told:?}", page.file);
        }
    }
}

#[test]
fn each_field_of_json_in_the_pages_is_one_of_the_program() {
    let known = program::json_keys();
    for Manual { page, .. } in manuals() {
        let fields = page.part("JSON").split("\":").filter_map(|before| before.rsplit('"').next());
        let fields: BTreeSet<&str> = fields.filter(|name| !name.contains(' ')).collect();
        assert!(fields.len() > 30, "{}: {fields:?}", page.file);
        let unknown: Vec<&str> = fields.into_iter().filter(|it| !known.contains(*it)).collect();
        assert_eq!(unknown, Vec::<&str>::new(), "{}", page.file);
    }
}

#[test]
fn the_verdicts_of_status_are_those_of_the_program() {
    let known = Verdict::ALL.map(Verdict::word);
    for Manual { page, commands, .. } in manuals() {
        let (_, told) = page.part("JSON").split_once("\"verdict\": ").expect("the verdict");
        let (told, _) = told.split_once(',').expect("its end");
        let told: Vec<&str> = told.split(" | ").map(|word| word.trim_matches('"')).collect();
        assert_eq!(told, known, "{}", page.file);
        let items = page.items.iter().filter(|item| item.section == commands);
        let items = items.filter(|item| item.subsection == "status");
        let heads = items.flat_map(|item| &item.heads).filter(|head| !head.starts_with('-'));
        assert_eq!(heads.collect::<Vec<_>>(), known.iter().collect::<Vec<_>>(), "{}", page.file);
    }
}

#[test]
fn the_names_of_doctors_checks_are_those_of_the_program() {
    let word = |check| serde_json::to_value(check).expect("a name").as_str().map(str::to_owned);
    let known: BTreeSet<String> = Check::ALL.into_iter().filter_map(word).collect();
    for Manual { page, .. } in manuals() {
        let (_, told) = page.part("JSON").split_once("lifekeeper, ").expect("the list");
        let (told, _) = told.split_once("peer").expect("its end");
        let told = told.split(", ").map(str::trim).filter(|name| is_name(name));
        let told = told.chain(["lifekeeper", "peer"]).map(str::to_owned);
        assert_eq!(told.collect::<BTreeSet<_>>(), known, "{}", page.file);
    }
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

#[test]
fn both_pages_have_the_same_things_in_the_same_order() {
    let [english, japanese] = manuals();
    let things = |manual: &Manual| {
        [manual.parameters, manual.files, manual.statuses, "JSON"]
            .map(|section| manual.page.heads(section).join("\n"))
    };
    assert_eq!(things(&english), things(&japanese));
    let parts = |manual: &Manual| manual.page.parts.len();
    assert_eq!(parts(&english), parts(&japanese), "sections and subsections");
    assert_eq!(english.page.items.len(), japanese.page.items.len(), "items");
}

#[test]
fn what_is_to_be_typed_or_read_as_it_stands_is_the_same_in_both_pages() {
    let [english, japanese] = manuals().map(|manual| manual.page.displays);
    assert_eq!(english, japanese);
}

/// The values of an attribute in the agent's own description.
fn told(metadata: &str, attribute: &str) -> BTreeSet<String> {
    let begin = format!("{attribute}=\"");
    let parts = metadata.split(&begin).skip(1);
    parts.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

#[test]
fn the_agents_pages_have_its_parameters_and_the_times_of_its_actions() {
    let mut agent = Command::new(env!("CARGO_BIN_EXE_dovecot-ark"));
    let output = agent.args(["ocf", "meta-data"]).output().expect("the agent");
    let metadata = String::from_utf8_lossy(&output.stdout);
    for file in [AGENT, AGENT_JA] {
        let page = std::fs::read_to_string(root().join(file)).expect(file).replace('\\', "");
        for name in told(&metadata, "parameter name") {
            assert!(page.contains(&name), "{file}: {name}");
        }
        for time in told(&metadata, "timeout").into_iter().filter(|time| *time != "10s") {
            assert!(page.contains(&format!("timeout={time}")), "{file}: {time}");
        }
        for status in [0, 1, 2, 3, 4, 5, 6, 7, 190] {
            let heads = [format!("\n.It {status}\n"), format!("\n.TP\n{status}\n")];
            assert!(heads.iter().any(|head| page.contains(head)), "{file}: {status}");
        }
    }
    assert!(!told(&metadata, "parameter name").is_empty(), "{metadata}");
}

#[test]
fn the_pages_are_clean_to_mandoc_and_groff() {
    let checks: [&[&str]; 16] = [
        &["mandoc", "-T", "lint", "-W", "style", "man/dovecot-ark.8"],
        &["groff", "-mandoc", "-T", "utf8", "-ww", "-z", "man/dovecot-ark.8"],
        &["mandoc", "-T", "lint", "-W", "warning", "man/ja/dovecot-ark.8"],
        &["groff", "-man", "-K", "utf8", "-T", "utf8", "-ww", "-z", "man/ja/dovecot-ark.8"],
        &["mandoc", "-T", "lint", "-W", "warning", AGENT],
        &["groff", "-mandoc", "-T", "utf8", "-ww", "-z", AGENT],
        &["mandoc", "-T", "lint", "-W", "warning", AGENT_JA],
        &["groff", "-man", "-K", "utf8", "-T", "utf8", "-ww", "-z", AGENT_JA],
        &["mandoc", "-T", "lint", "-W", "style", "man/dovecot-ark-guide.7"],
        &["groff", "-mandoc", "-T", "utf8", "-ww", "-z", "man/dovecot-ark-guide.7"],
        &["mandoc", "-T", "lint", "-W", "warning", "man/ja/dovecot-ark-guide.7"],
        &["groff", "-man", "-K", "utf8", "-T", "utf8", "-ww", "-z", "man/ja/dovecot-ark-guide.7"],
        &["mandoc", "-T", "lint", "-W", "style", "man/dovecot-ark-messages.7"],
        &["groff", "-mandoc", "-T", "utf8", "-ww", "-z", "man/dovecot-ark-messages.7"],
        &["mandoc", "-T", "lint", "-W", "warning", "man/ja/dovecot-ark-messages.7"],
        &[
            "groff",
            "-man",
            "-K",
            "utf8",
            "-T",
            "utf8",
            "-ww",
            "-z",
            "man/ja/dovecot-ark-messages.7",
        ],
    ];
    let missing = LINTERS.into_iter().filter(|tool| Command::new(tool).arg("-h").output().is_err());
    let missing: Vec<&str> = missing.collect();
    for check in checks {
        let Some((program, arguments)) = check.split_first() else { continue };
        if missing.contains(program) {
            eprintln!("left out, because {program} is not installed: {}", check.join(" "));
            continue;
        }
        let mut command = Command::new(program);
        let output = command.args(arguments).current_dir(root()).output().expect(program);
        let said = [output.stdout, output.stderr].concat();
        assert_eq!(String::from_utf8_lossy(&said), "", "{}", check.join(" "));
    }
}
