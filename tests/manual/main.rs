//! The manual pages against the program: what one says, the other must know.
//!
//! A page that says another number than the program is worse than none, and two pages in two
//! languages part company at the first change that somebody makes in one of them.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot read a page or the program ends there"
)]

mod found;
mod guide;
mod language;
mod links;
mod messages;
mod numbers;
mod page;
mod program;
mod readme;

use std::collections::BTreeSet;
use std::process::Command;

use dovecot_ark::doctor::finding::Check;
use dovecot_ark::dovecot::verdict::Verdict;
use page::{Item, LANGUAGES, Language, Page, root};

/// The reference pages, by their names in the directory `man`.
const MAIN: &str = "dovecot-ark.8";
const ACTIONS: &str = "dovecot-ark-actions.8";
const INSTALL: &str = "dovecot-ark-install.8";
const STATUS: &str = "dovecot-ark-status.8";
const DOCTOR: &str = "dovecot-ark-doctor.8";
const CONF: &str = "dovecot-ark.conf.5";
const REFERENCE: [&str; 6] = [MAIN, ACTIONS, INSTALL, STATUS, DOCTOR, CONF];

/// The other pages.
const GUIDE: &str = "dovecot-ark-guide.7";
const MESSAGES: &str = "dovecot-ark-messages.7";
const AGENT: &str = "ocf_dovecot-ark_dovecot.7";
const OTHERS: [&str; 3] = [GUIDE, MESSAGES, AGENT];

/// What checks the pages' macros. Each is in the package of the same name. Where one of them is
/// missing, its checks are left out.
const LINTERS: [&str; 2] = ["mandoc", "groff"];

/// The reference in one language.
struct Manual {
    language: Language,
    pages: Vec<Page>,
}

fn manuals() -> [Manual; 2] {
    LANGUAGES.map(|language| {
        let pages = REFERENCE.map(|name| Page::of(name, language));
        Manual { language, pages: pages.into() }
    })
}

impl Manual {
    fn page(&self, name: &str) -> &Page {
        let at = REFERENCE.iter().position(|it| *it == name);
        at.and_then(|at| self.pages.get(at)).expect("a page of the reference")
    }

    /// Of words in both languages, with a bar between them, those in this one.
    fn word<'a>(&self, both: &'a str) -> &'a str {
        let (english, japanese) = both.split_once('|').unwrap_or((both, both));
        if self.language == Language::English { english } else { japanese }
    }

    /// The items about a command's options.
    fn options_of(&self, command: &str) -> Vec<&Item> {
        let (page, heading) = place_of(command);
        let heading = self.word(heading);
        let about = |item: &&Item| {
            [&item.section, &item.subsection].contains(&&heading.to_owned())
                && item.heads.iter().any(|head| head.starts_with('-'))
        };
        self.page(page).items.iter().filter(about).collect()
    }
}

/// The page that a command's options are on, and the heading that they are under.
fn place_of(command: &str) -> (&'static str, &str) {
    match command {
        "quickCheck" | "restore" | "remove" | "recover" => {
            (ACTIONS, "Calling an action by hand|手動での呼び出し")
        }
        "install" => (INSTALL, "Options of install|install のオプション"),
        "uninstall" => (INSTALL, "Options of uninstall|uninstall のオプション"),
        "login-account" => (INSTALL, "login-account"),
        "status" => (STATUS, "OPTIONS|オプション"),
        "doctor" => (DOCTOR, "OPTIONS|オプション"),
        _ => (MAIN, command),
    }
}

/// A page's name as it is written: `dovecot-ark(8)` for `dovecot-ark.8`.
fn written(name: &str) -> String {
    let (name, section) = name.rsplit_once('.').expect("a section");
    format!("{name}({section})")
}

/// The options in a text: `--tag`, `-t`.
fn options_in(text: &str) -> BTreeSet<String> {
    let is_end = |c: char| c.is_whitespace() || "[]|,".contains(c);
    text.split(is_end).filter(|word| word.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn each_command_and_option_of_the_program_is_in_the_pages_and_no_other() {
    for manual in manuals() {
        let main = manual.page(MAIN);
        let section = manual.word("COMMANDS|コマンド");
        let headings = main.subsections.iter().filter(|(name, _)| name == section);
        let headings: Vec<&str> = headings.flat_map(|(_, name)| name.split(", ")).collect();
        assert_eq!(headings, program::commands(), "{}", main.file);
        for command in program::commands() {
            let (page, _) = place_of(&command);
            let paragraph = main.subsections.iter().map(|(_, name)| name.as_str());
            let paragraph = paragraph.into_iter().find(|it| it.split(", ").any(|it| it == command));
            let text = main.part(paragraph.expect("its heading"));
            let is_sent = page == MAIN || text.contains(&written(page));
            assert!(!text.is_empty() && is_sent, "{}: {command}: {text}", main.file);
            let items = manual.options_of(&command);
            let heads: Vec<&str> =
                items.iter().flat_map(|item| &item.heads).map(|h| &**h).collect();
            let told = options_in(&heads.join(" "));
            let options = program::options(&command);
            let known = options.iter().flat_map(|option| option.spellings.clone()).collect();
            assert_eq!(told, known, "{}: {command}", manual.page(page).file);
        }
    }
}

#[test]
fn the_help_of_a_command_names_the_page_that_has_its_options() {
    for command in program::commands() {
        let page = match &*command {
            "settings" => CONF,
            "ocf" => AGENT,
            "explain" | "completions" => continue,
            _ => place_of(&command).0,
        };
        let help = program::printed(&[&command, "--help"]);
        assert!(help.contains(&format!("See {}.", written(page))), "{command}: {help}");
    }
    assert!(program::printed(&["--help"]).contains(&format!("See {};", written(MAIN))));
}

#[test]
fn an_options_default_and_the_words_it_takes_are_in_the_pages() {
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
                    assert!(text.contains(word), "{:?}: {command}: {word}", manual.language);
                }
            }
        }
    }
}

#[test]
fn each_synopsis_has_each_option_of_the_pages_commands_and_no_other() {
    for manual in manuals() {
        for name in REFERENCE.into_iter().filter(|name| *name != CONF) {
            let page = manual.page(name);
            let told = options_in(page.part(manual.word("SYNOPSIS|書式")));
            let commands = program::commands();
            let commands = commands.iter().filter(|command| place_of(command).0 == name);
            let options = commands.flat_map(|command| program::options(command));
            let options: Vec<Vec<String>> = options.map(|option| option.spellings).collect();
            for spellings in &options {
                let is_told = spellings.iter().any(|spelling| told.contains(spelling));
                assert!(is_told, "{}: {spellings:?}", page.file);
            }
            let known: BTreeSet<String> = options.into_iter().flatten().collect();
            assert!(told.is_subset(&known), "{}: {told:?}", page.file);
        }
    }
}

#[test]
fn each_parameter_is_in_the_pages_with_its_default_and_no_other() {
    let known = program::settings();
    for manual in manuals() {
        let page = manual.page(CONF);
        let told = page.heads(manual.word("PARAMETERS|パラメーター"));
        let told: Vec<&str> = told.into_iter().filter(|h| h.starts_with("APP_DOVECOT_")).collect();
        let keys: Vec<&str> = known.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(told, keys, "{}", page.file);
        for (key, default) in &known {
            let text = &page.item(key).text;
            let said = text.split_once(manual.word("Default: |初期値: ")).map(|(_, said)| said);
            assert!(
                said.is_some_and(|said| said.contains(default)),
                "{}: {key}: {text}",
                page.file
            );
        }
    }
}

#[test]
fn the_words_that_a_parameter_takes_are_those_of_the_program() {
    let program = program::words();
    let mut told = 0;
    for manual in manuals() {
        let page = manual.page(CONF);
        let section = manual.word("PARAMETERS|パラメーター");
        for item in page.items.iter().filter(|item| item.section == section) {
            let range = item.text.split_once(manual.word("Range: |範囲: "));
            let range = range.and_then(|(_, range)| range.split(['.', '。']).next());
            let words = range.and_then(|range| range.split_once(manual.word(" or | または ")));
            let Some((one, other)) = words else { continue };
            let refusal = format!("{one} or {other} is expected");
            assert!(program.contains(&refusal), "{}: {refusal}", page.file);
            told += 1;
        }
    }
    assert_eq!(told, 8, "debug, probe, the fault of a login and wait in both pages");
}

#[test]
fn what_install_writes_is_in_the_pages() {
    let (written, settings) = (program::written(), program::settings());
    let keys = |pairs: &[(String, String)]| -> Vec<String> {
        pairs.iter().map(|(key, _)| key.clone()).collect()
    };
    assert!(keys(&settings).starts_with(&keys(&written)), "{written:?}");
    assert_eq!(written.len(), 7, "then the pages say another number");
    for manual in manuals() {
        let first = manual.word("first seven|最初の 7 つ");
        let page = manual.page(INSTALL);
        assert!(page.part("install").contains(first), "{}: {first}", page.file);
        let page = manual.page(CONF);
        for (key, value) in written.iter().filter(|pair| !settings.contains(pair)) {
            let text = &page.item(key).text;
            let told =
                [format!("install writes {value}"), format!("install は {value} を書き込む")];
            assert!(told.iter().any(|told| text.contains(told)), "{}: {told:?}", page.file);
        }
    }
}

/// The pages that show a document for programs, each with how many fields it shows at least.
const DOCUMENTS: [(&str, usize); 3] = [(STATUS, 25), (DOCTOR, 15), (CONF, 10)];

#[test]
fn each_field_of_json_in_the_pages_is_one_of_the_program() {
    let known = program::json_keys();
    for manual in manuals() {
        for (name, least) in DOCUMENTS {
            let page = manual.page(name);
            let fields = page.part("JSON").split("\":");
            let fields = fields.filter_map(|before| before.rsplit('"').next());
            let fields: BTreeSet<&str> = fields.filter(|name| !name.contains(' ')).collect();
            assert!(fields.len() >= least, "{}: {fields:?}", page.file);
            let unknown: Vec<&str> = fields.into_iter().filter(|it| !known.contains(*it)).collect();
            assert_eq!(unknown, Vec::<&str>::new(), "{}", page.file);
        }
    }
}

#[test]
fn the_verdicts_of_status_are_those_of_the_program() {
    let known = Verdict::ALL.map(Verdict::word);
    for manual in manuals() {
        let page = manual.page(STATUS);
        let (_, told) = page.part("JSON").split_once("\"verdict\": ").expect("the verdict");
        let (told, _) = told.split_once(',').expect("its end");
        let told: Vec<&str> = told.split('|').map(|word| word.trim_matches([' ', '"'])).collect();
        assert_eq!(told, known, "{}", page.file);
        assert_eq!(page.heads(manual.word("VERDICTS|判定")), known, "{}", page.file);
    }
}

#[test]
fn each_state_of_the_plugins_table_is_explained() {
    for manual in manuals() {
        let page = manual.page(STATUS);
        let table = page.displays.iter().find(|lines| lines[0].starts_with("LifeKeeper says"));
        let rows = table.expect("the table").iter().skip(1);
        let states = rows.filter_map(|row| row.split([' ', ',']).next());
        let text = page.part(manual.word("MONITORING PLUGIN|監視プラグイン"));
        let text = text.split_once("nothing").expect("the end of the table").1;
        let mut told = BTreeSet::new();
        for state in states.filter(|state| state.bytes().all(|byte| byte.is_ascii_uppercase())) {
            let explained = format!("{state}{}", manual.word(": | は"));
            assert!(text.contains(&explained), "{}: {state}", page.file);
            told.insert(state);
        }
        assert_eq!(told.len(), 4, "{told:?}");
    }
}

#[test]
fn the_names_of_doctors_checks_are_those_of_the_program() {
    let word = |check| serde_json::to_value(check).expect("a name").as_str().map(str::to_owned);
    let known: BTreeSet<String> = Check::ALL.into_iter().filter_map(word).collect();
    for manual in manuals() {
        let page = manual.page(DOCTOR);
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
fn the_pages_have_the_same_things_in_the_same_order_in_both_languages() {
    let [english, japanese] = manuals();
    for (english, japanese) in english.pages.iter().zip(&japanese.pages) {
        let file = &japanese.file;
        assert_eq!(english.parts.len(), japanese.parts.len(), "{file}: sections and subsections");
        let heads = |page: &Page| -> Vec<String> {
            page.items.iter().flat_map(|item| item.heads.clone()).collect()
        };
        let (heads, translated) = (heads(english), heads(japanese));
        assert_eq!(heads.len(), translated.len(), "{file}: items");
        for (head, translated) in heads.iter().zip(&translated) {
            // The entry of a list has its number or its bullet in one language alone.
            let is_same =
                head.is_empty() || !translated.is_ascii() || head.eq_ignore_ascii_case(translated);
            assert!(is_same, "{file}: {head:?}, {translated:?}");
        }
    }
}

#[test]
fn what_is_to_be_typed_or_read_as_it_stands_is_the_same_in_both_languages() {
    let [english, japanese] = manuals();
    for (english, japanese) in english.pages.iter().zip(&japanese.pages) {
        assert_eq!(english.displays, japanese.displays, "{}", japanese.file);
    }
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
    for file in [format!("man/{AGENT}"), format!("man/ja/{AGENT}")] {
        let page = std::fs::read_to_string(root().join(&file)).expect(&file).replace('\\', "");
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
    let english = "mandoc -T lint -W style man/{}; groff -mandoc -T utf8 -ww -z man/{}";
    let japanese =
        "mandoc -T lint -W warning man/ja/{}; groff -man -K utf8 -T utf8 -ww -z man/ja/{}";
    let missing = LINTERS.into_iter().filter(|tool| Command::new(tool).arg("-h").output().is_err());
    let missing: Vec<&str> = missing.collect();
    let checks = REFERENCE.into_iter().chain(OTHERS).flat_map(|page| {
        let checks = [english, japanese].map(|checks| checks.replace("{}", page)).join("; ");
        checks.split("; ").map(str::to_owned).collect::<Vec<_>>()
    });
    for check in checks {
        let (program, arguments) = check.split_once(' ').expect("a command line");
        if missing.contains(&program) {
            eprintln!("left out, because {program} is not installed: {check}");
            continue;
        }
        let mut command = Command::new(program);
        command.args(arguments.split(' ')).current_dir(root());
        let output = command.output().expect("the linter");
        let said = [output.stdout, output.stderr].concat();
        assert_eq!(String::from_utf8_lossy(&said), "", "{check}");
    }
}
