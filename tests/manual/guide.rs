//! The guide against the program: it repeats some of its facts.

use std::collections::BTreeSet;
use std::process::Command;

use dovecot_ark::actions::{quick_check, recover, remove, restore};
use dovecot_ark::cli;
use dovecot_ark::lifekeeper::tag;
use dovecot_ark::settings::Settings;

use crate::page::{GAP, Item, Language, Page};
use crate::{GUIDE, options_in, program};

/// The guide, and the words for what it has in both languages.
struct Guide {
    page: Page,
    parameters: &'static str,
    times: &'static str,
    specification: &'static str,
    failures: &'static str,
    paged: &'static str,
    /// Where the kit is taken out, and where the mail store is watched.
    ends: (&'static str, &'static str),
    default: &'static str,
    second: &'static str,
}

fn guides() -> [Guide; 2] {
    [
        Guide {
            page: Page::of(GUIDE, Language::English),
            parameters: "PARAMETERS",
            times: "TIME LIMITS",
            specification: "SPECIFICATION",
            failures: "WHAT HAPPENS IN A FAILURE",
            paged: "When you are paged",
            ends: ("TAKING THE KIT OUT", "WATCHING THE MAIL STORE"),
            default: "Default: ",
            second: " seconds.",
        },
        Guide {
            page: Page::of(GUIDE, Language::Japanese),
            parameters: "パラメーター",
            times: "制限時間",
            specification: "仕様",
            failures: "障害時の動作",
            paged: "障害の通知を受けたとき",
            ends: ("取り外し", "メールストアの監視"),
            default: "初期値: ",
            second: " 秒。",
        },
    ]
}

impl Guide {
    /// The item with this head in a section.
    fn item(&self, section: &str, head: &str) -> &Item {
        let of = |item: &&Item| item.section == section && item.heads.iter().any(|it| it == head);
        let found = self.page.items.iter().find(of);
        found.unwrap_or_else(|| panic!("{}: {section} has no item {head:?}", self.page.file))
    }

    /// The items that are messages of the program.
    fn messages(&self) -> impl Iterator<Item = &str> {
        let items = self.page.items.iter();
        let items =
            items.filter(|item| item.section == self.failures && !item.subsection.is_empty());
        let heads = items.flat_map(|item| &item.messages).map(String::as_str);
        // A step of a list has a number or nothing.
        heads.filter(|head| head.contains(char::is_alphabetic))
    }
}

#[test]
fn each_parameter_is_in_the_guide_with_its_default_and_no_other() {
    let known = program::settings();
    for guide in guides() {
        let keys: Vec<&str> = known.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(guide.page.heads(guide.parameters), keys, "{}", guide.page.file);
        for (key, default) in &known {
            let text = &guide.item(guide.parameters, key).text;
            let said = text.split_once(guide.default).map(|(_, said)| said);
            let said = said.map(|said| said.trim_end_matches(['.', '。']));
            assert_eq!(said, Some(default.as_str()), "{}: {key}", guide.page.file);
        }
    }
}

#[test]
fn the_guides_longest_times_are_those_of_the_program() {
    let settings = Settings::default();
    let longest = [
        ("quickCheck", quick_check::LIMIT),
        ("restore", restore::longest(&settings)),
        ("remove", remove::longest(&settings)),
        ("recover", recover::longest(&settings)),
    ];
    for guide in guides() {
        let actions = longest.map(|(action, _)| action);
        assert_eq!(guide.page.heads(guide.times), actions, "{}", guide.page.file);
        for (action, longest) in longest {
            let expected = format!("{}{}", longest.as_secs_f64().ceil(), guide.second);
            let text = &guide.item(guide.times, action).text;
            assert!(text.starts_with(&expected), "{}: {action}: {text}", guide.page.file);
        }
        let least = cli::QUICKCHECK_TIMEOUT.start();
        let told = [format!("below {least} seconds"), format!("{least} 秒より短い制限")];
        let text = guide.page.part(guide.times);
        assert!(told.iter().any(|told| text.contains(told)), "{}: {text}", guide.page.file);
    }
}

#[test]
fn the_guides_rounds_tag_and_exit_statuses_are_those_of_the_program() {
    let settings = program::settings();
    let rounds_of = |action: &str| {
        let key = format!("APP_DOVECOT_{}_CHECK_RETRY", action.to_uppercase());
        let found = settings.iter().find(|(name, _)| *name == key);
        found.map(|(_, default)| default).expect("a setting")
    };
    for guide in guides() {
        let file = &guide.page.file;
        for action in ["restore", "remove"] {
            let rounds = rounds_of(action);
            let text = &guide.page.item(action).text;
            let told = [format!("at most {rounds} times"), format!("最大 {rounds} 回")];
            assert!(told.iter().any(|told| text.contains(told)), "{file}: {action}: {text}");
        }
        let text = guide.page.part(guide.specification);
        let told = [format!("at most {},", tag::MAX_NEW), format!("{} 文字以内", tag::MAX_NEW)];
        assert!(told.iter().any(|told| text.contains(told)), "{file}: {text}");
    }
    let status = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dovecot-ark"));
        command.args(arguments).output().expect("running the program").status.code()
    };
    assert_eq!(status(&["settings"]), Some(0), "success");
    assert_eq!(status(&["no-command"]), Some(2), "a wrong command line");
}

#[test]
fn each_command_line_of_the_guide_is_one_of_the_program() {
    for guide in guides() {
        let lines = guide.page.displays.iter().flatten();
        let lines: Vec<&str> =
            lines.filter_map(|line| line.strip_prefix("# dovecot-ark ")).collect();
        assert!(lines.len() > 10, "{}: {lines:?}", guide.page.file);
        for line in lines {
            let command = line.split_whitespace().next().unwrap_or_default();
            assert!(program::commands().iter().any(|it| it == command), "{command}");
            let known = program::options(command).into_iter().flat_map(|one| one.spellings);
            let known: BTreeSet<String> = known.collect();
            let told = options_in(line);
            assert!(told.is_subset(&known), "{}: {line}: {told:?}", guide.page.file);
        }
    }
}

#[test]
fn each_message_of_the_guide_is_one_of_the_program() {
    let words = program::words();
    for guide in guides() {
        let mut told = 0;
        for message in guide.messages() {
            told += 1;
            for piece in message.split([GAP, ':']).map(|piece| piece.trim_matches([' ', '`'])) {
                assert!(words.contains(piece), "{}: {message:?}: {piece:?}", guide.page.file);
            }
        }
        assert_eq!(told, 6, "{}", guide.page.file);
    }
}

#[test]
fn where_the_guide_stops_lifekeeper_it_starts_it_again() {
    for guide in guides() {
        let displays = guide.page.displays.iter();
        let first: Vec<&str> = displays.filter_map(|lines| Some(lines.first()?.as_str())).collect();
        let is = |line: &str, command: &str| line.contains(&format!("/bin/{command}"));
        let stops = first.iter().position(|line| is(line, "lkstop")).expect("a stop");
        assert!(is(first[stops + 1], "lkstart"), "{}: {}", guide.page.file, first[stops + 1]);
    }
}

#[test]
fn what_is_left_of_the_kit_is_named_where_the_guide_takes_it_out() {
    let (settings, words) = (program::settings(), program::words());
    let default = |key: &str| settings.iter().find(|(name, _)| name == key).map(|(_, it)| &**it);
    let login = default("APP_DOVECOT_LOGIN_FILE").expect("its default");
    let accounts = "/etc/dovecot/dovecot-ark.passwd";
    assert!(words.contains(accounts), "login-account names another file");
    for guide in guides() {
        let (stays, login_check) = guide.ends;
        for file in [login, accounts, "/var/log/dovecot-ark.log"] {
            assert!(guide.page.part(stays).contains(file), "{}: {file}", guide.page.file);
        }
        // What doctor says to the lists of the guide is in the guide.
        assert!(guide.page.part(login_check).contains("ARK4119"), "{}", guide.page.file);
    }
}

#[test]
fn who_is_paged_is_told_what_a_resource_in_service_needs_and_what_another_one() {
    for guide in guides() {
        let text = guide.page.part(guide.paged);
        let places = [" recover -t dovecot", "perform_action -t dovecot -a restore"];
        let places = places.map(|command| text.find(command).expect(command));
        let (isp, osf) = (text.find("ISP").expect("ISP"), text.find("OSF").expect("OSF"));
        assert!(isp < places[0] && places[0] < osf && osf < places[1], "{text}");
    }
}

#[test]
fn both_guides_have_the_same_things_in_the_same_order() {
    let [english, japanese] = guides();
    assert_eq!(english.page.displays, japanese.page.displays);
    assert_eq!(english.page.parts.len(), japanese.page.parts.len(), "sections and subsections");
    assert_eq!(english.page.items.len(), japanese.page.items.len(), "items");
    assert_eq!(english.messages().collect::<Vec<_>>(), japanese.messages().collect::<Vec<_>>());
}
