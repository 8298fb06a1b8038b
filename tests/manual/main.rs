//! The manual pages against the program: what one says, the other must know.
//!
//! A page that says another number than the program is worse than none, and two pages in two
//! languages part company at the first change that somebody makes in one of them.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot read a page or the program ends there"
)]

mod page;
mod program;

use std::collections::BTreeSet;
use std::process::Command;

use page::{GAP, Item, Page, root};

/// What checks the pages' macros. Each is in the package of the same name. Where one of them is
/// missing, its checks are left out.
const LINTERS: [&str; 2] = ["mandoc", "groff"];

/// A page, and the words for what both pages have.
struct Manual {
    page: Page,
    commands: &'static str,
    parameters: &'static str,
    files: &'static str,
    diagnostics: &'static str,
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
            diagnostics: "DIAGNOSTICS",
            synopsis: "SYNOPSIS",
            statuses: "EXIT STATUS",
            default: "Default: ",
        },
        Manual {
            page: Page::japanese(),
            commands: "コマンド",
            parameters: "パラメーター",
            files: "ファイル",
            diagnostics: "メッセージ",
            synopsis: "書式",
            statuses: "終了ステータス",
            default: "既定値: ",
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

/// Where a number stands in the program, in which items or parts of the pages, and in which words.
/// Where a heading is translated, both stand there with a bar between them.
struct Number {
    constant: (&'static str, &'static str),
    places: &'static [&'static str],
    english: &'static str,
    japanese: &'static str,
}

const fn number(
    constant: (&'static str, &'static str),
    places: &'static [&'static str],
    english: &'static str,
    japanese: &'static str,
) -> Number {
    Number { constant, places, english, japanese }
}

/// `{0}` and `{1}` are the numbers of the constant.
const NUMBERS: [Number; 21] = [
    number(
        ("settings.rs", "const ROUNDS"),
        &["APP_DOVECOT_RESTORE_CHECK_RETRY", "APP_DOVECOT_REMOVE_CHECK_RETRY"],
        "Range: {0} to {1}.",
        "範囲: {0}～{1}。",
    ),
    number(
        ("settings.rs", "const SECONDS"),
        &["APP_DOVECOT_RESTORE_WAIT", "APP_DOVECOT_REMOVE_WAIT"],
        "Range: {0} to {1}.",
        "範囲: {0}～{1}。",
    ),
    number(
        ("settings.rs", "const MAX_SERVICE_NAME"),
        &["APP_DOVECOT_SERVICE"],
        "at most {0} bytes",
        "{0} バイト以内",
    ),
    number(
        ("dovecot/endpoint.rs", "const MAX_TIMEOUT"),
        &["APP_DOVECOT_IP_LIST"],
        "1 to {0} seconds",
        "1～{0} 秒",
    ),
    number(
        ("dovecot/endpoint.rs", "const DEFAULT_TIMEOUT"),
        &["APP_DOVECOT_IP_LIST"],
        "left out, it is {0}.",
        "省略すると {0} 秒",
    ),
    number(
        ("cli.rs", "value_parser!(u32).range"),
        &["--quickcheck-timeout"],
        "{0} to {1} seconds",
        "{0}～{1} 秒",
    ),
    number(("lifekeeper/tag.rs", "const MAX_LENGTH"), &["-t"], "1 to {0} bytes", "1～{0} バイト"),
    number(("lifekeeper/tag.rs", "const MAX_NEW"), &["install"], "at most {0},", "{0} 文字以内"),
    number(
        ("actions/quick_check.rs", "const LIMIT"),
        &["quickCheck"],
        "ends after {0} seconds",
        "{0} 秒で終了ステータス",
    ),
    number(
        ("dovecot/checks.rs", "const LIMIT"),
        &["quickCheck"],
        "takes {0} seconds at most",
        "所要時間は最長 {0} 秒",
    ),
    number(
        ("dovecot/service.rs", "const STATUS_LIMIT"),
        &["quickCheck"],
        "not ended after {0} seconds",
        "{0} 秒以内に終了しない",
    ),
    number(("dovecot/service.rs", "const CHANGE_LIMIT"), &["restore"], "{0} seconds", "{0} 秒以内"),
    number(
        ("actions/remove.rs", "const TERM_WAIT"),
        &["remove"],
        "{0} seconds later SIGKILL",
        "{0} 秒後に SIGKILL",
    ),
    number(("actions/remove.rs", "const KILL_WAIT"), &["remove"], "{0} seconds for", "{0} 秒待つ"),
    number(
        ("actions/quick_check.rs", "const LIMIT"),
        &["What LifeKeeper calls|LifeKeeper による呼び出し"],
        "within {0} seconds, with a verdict",
        "{0} 秒以内に、判定を出して",
    ),
    number(
        ("actions/quick_check.rs", "const LIMIT"),
        &["Keys of LifeKeeper|LifeKeeper のキー"],
        "needs up to {0} seconds",
        "最長で {0} 秒を要する",
    ),
    number(
        ("actions/quick_check.rs", "const LIMIT"),
        &["COMING FROM THE ORIGINAL KIT|オリジナルキットからの移行", "CAVEATS|制限事項"],
        "within {0}",
        "{0} 秒以内に終了",
    ),
    number(
        ("dovecot/endpoint.rs", "const MAX_TIMEOUT"),
        &["CAVEATS|制限事項"],
        "a time-out is {0} seconds at most",
        "タイムアウトは最長 {0} 秒",
    ),
    number(
        ("dovecot/service.rs", "const CHANGE_LIMIT"),
        &["remove"],
        "a time-out of {0} seconds",
        "{0} 秒のタイムアウト",
    ),
    number(("lifekeeper/defaults.rs", "const MAX_FILE"), &["FILES|ファイル"], "{0} MiB", "{0} MiB"),
    number(("lifekeeper/defaults.rs", "const MAX_LINE"), &["FILES|ファイル"], "{0} KiB", "{0} KiB"),
];

/// The text of an item by its head, of an option, or of a part by its heading.
fn text_at<'a>(page: &'a Page, place: &str) -> &'a str {
    let is_it = |item: &&Item| {
        item.heads.iter().any(|head| head == place || options_in(head).contains(place))
    };
    match page.items.iter().find(is_it) {
        // An action's name is both the head of an item and a heading, and the heading is meant.
        Some(item) if !page.parts.iter().any(|(heading, _)| heading == place) => &item.text,
        _ => page.part(place),
    }
}

#[test]
fn each_range_and_limit_is_in_both_pages() {
    for manual in manuals() {
        for Number { constant: (file, definition), places, english, japanese } in NUMBERS {
            let numbers = program::numbers(file, definition);
            let is_english = manual.commands == "COMMANDS";
            let mut words = if is_english { english } else { japanese }.to_owned();
            for (n, number) in numbers.iter().enumerate() {
                words = words.replace(&format!("{{{n}}}"), &number.to_string());
            }
            for place in places {
                let (first, second) = place.split_once('|').unwrap_or((place, place));
                let place = if is_english { first } else { second };
                let text = text_at(&manual.page, place);
                assert!(
                    text.contains(&words),
                    "{}: {place}: src/{file} has {definition} {numbers:?}, expected {words:?} in \
                     {text}",
                    manual.page.file
                );
            }
        }
    }
}

#[test]
fn the_longest_times_are_those_of_the_program() {
    let seconds = |file, definition| -> u64 { program::numbers(file, definition).iter().sum() };
    let default = |key: &str| -> u64 {
        let settings = program::settings();
        let (_, value) = settings.into_iter().find(|(one, _)| one == key).expect(key);
        value.parse().expect(key)
    };
    let checks = seconds("dovecot/checks.rs", "const LIMIT");
    let status = seconds("dovecot/service.rs", "const STATUS_LIMIT");
    let change = seconds("dovecot/service.rs", "const CHANGE_LIMIT");
    let kill = seconds("actions/remove.rs", "const TERM_WAIT")
        + seconds("actions/remove.rs", "const KILL_WAIT");
    let round = status + change + default("APP_DOVECOT_RESTORE_WAIT") + checks;
    let restore = checks + kill + round * default("APP_DOVECOT_RESTORE_CHECK_RETRY");
    let remove = (change + default("APP_DOVECOT_REMOVE_WAIT"))
        * default("APP_DOVECOT_REMOVE_CHECK_RETRY")
        + kill;
    for Manual { page, .. } in manuals() {
        for (action, longest) in [("restore", restore), ("remove", remove)] {
            let text = page.part(action);
            let told = [format!("{longest} seconds at most"), format!("最長 {longest} 秒")];
            assert!(told.iter().any(|told| text.contains(told)), "{}: {told:?}", page.file);
        }
    }
}

#[test]
fn each_message_in_the_pages_is_one_of_the_program() {
    let source = program::source();
    for Manual { page, diagnostics, .. } in manuals() {
        let items = page.items.iter().filter(|item| item.section == diagnostics);
        for message in items.flat_map(|item| &item.messages) {
            let pieces = message.split([GAP]).flat_map(|piece| piece.split([':', ';', '(', ')']));
            for piece in pieces.map(|piece| piece.trim_matches([' ', ',', '.', '`'])) {
                // A short one would be found anywhere.
                if piece.len() >= 6 {
                    assert!(source.contains(piece), "{}: {message:?}: {piece:?}", page.file);
                }
            }
        }
    }
}

#[test]
fn both_pages_have_the_same_things_in_the_same_order() {
    let [english, japanese] = manuals();
    let things = |manual: &Manual| {
        let items = manual.page.items.iter();
        let messages = items.filter(|item| item.section == manual.diagnostics);
        let messages: Vec<String> = messages.flat_map(|item| item.messages.clone()).collect();
        let heads = [manual.parameters, manual.files, manual.statuses, "JSON"]
            .map(|section| manual.page.heads(section).join("\n"));
        (heads, messages)
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

#[test]
fn the_pages_are_clean_to_mandoc_and_groff() {
    let checks: [&[&str]; 4] = [
        &["mandoc", "-T", "lint", "-W", "style", "man/dovecot-ark.8"],
        &["groff", "-mandoc", "-T", "utf8", "-ww", "-z", "man/dovecot-ark.8"],
        &["mandoc", "-T", "lint", "-W", "warning", "man/ja/dovecot-ark.8"],
        &["groff", "-man", "-K", "utf8", "-T", "utf8", "-ww", "-z", "man/ja/dovecot-ark.8"],
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
