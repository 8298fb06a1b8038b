//! Ranges, limits and times: the constants of the program, in the words of the pages.

use std::collections::BTreeSet;
use std::fs;

use crate::page::{Item, Page, root};
use crate::{Manual, manuals, options_in, program};

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
const NUMBERS: [Number; 53] = [
    number(
        ("settings/values.rs", "const ROUNDS"),
        &["APP_DOVECOT_RESTORE_CHECK_RETRY", "APP_DOVECOT_REMOVE_CHECK_RETRY"],
        "Range: {0} to {1}.",
        "範囲: {0}～{1}。",
    ),
    number(
        ("settings/values.rs", "const SECONDS"),
        &["APP_DOVECOT_RESTORE_WAIT", "APP_DOVECOT_REMOVE_WAIT"],
        "Range: {0} to {1}.",
        "範囲: {0}～{1}。",
    ),
    number(
        ("settings/values.rs", "const MAX_SERVICE_NAME"),
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
        ("dovecot/endpoint.rs", "const TLS_PORTS"),
        &["APP_DOVECOT_IP_LIST"],
        "on the ports {0}, {1} and {2},",
        "ポート {0}、{1}、{2} は TLS",
    ),
    number(
        ("system/real/probe.rs", "const PRIVILEGED"),
        &["What is said of a port|ポートに関する文言"],
        "from a port from {0} to {1},",
        "{0}～{1} のポート",
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
        "gives up after {0} seconds",
        "{0} 秒で打ち切って",
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
    number(
        ("dovecot/checks.rs", "const AGAIN"),
        &["quickCheck"],
        "every {0} seconds",
        "{0} 秒ごとに",
    ),
    number(
        ("dovecot/checks.rs", "const RETRY_TIME"),
        &["quickCheck"],
        "for up to {0} seconds",
        "最長 {0} 秒の間、再び接続",
    ),
    number(
        ("dovecot/checks.rs", "const FROZEN_TIME"),
        &["quickCheck"],
        "two looks, {0} second apart",
        "{0} 秒の間隔で 2 回",
    ),
    number(
        ("dovecot/load.rs", "const LIMIT"),
        &["quickCheck"],
        "within {0} seconds, nor a second time",
        "{0} 秒以内に応答せず",
    ),
    number(
        ("dovecot/checks.rs", "const DEAF_TIME"),
        &["quickCheck"],
        "nor a second time within {0},",
        "2 度目の問い合わせにも {0} 秒以内に",
    ),
    number(
        ("actions/quick_check.rs", "const MOTION_WAIT"),
        &["quickCheck"],
        "once more after {0} seconds",
        "{0} 秒後にもう一度確認",
    ),
    number(
        ("actions/excuse.rs", "const SHUTDOWN_TIME"),
        &["quickCheck"],
        "no fault for {0} seconds",
        "{0} 秒の間は、障害とみなさない",
    ),
    number(
        ("actions/excuse.rs", "const SHUTDOWN_TIME"),
        &["recover"],
        "same {0} seconds",
        "同じ {0} 秒の間",
    ),
    number(
        ("excerpt.rs", "const MAX_LINE"),
        &["quickCheck"],
        "at most {0} characters",
        "{0} 文字以内",
    ),
    number(
        ("actions/excuse.rs", "const STOP_TIME"),
        &["quickCheck"],
        "first seen stopping less than {0} seconds ago",
        "検出してから {0} 秒以内",
    ),
    number(
        ("dovecot/own_log.rs", "const RECENT"),
        &["quickCheck"],
        "logged in the last {0} seconds",
        "直前の {0} 秒間",
    ),
    number(
        ("actions/restore.rs", "const PAUSE"),
        &["restore"],
        "{0} seconds apart",
        "{0} 秒の間隔で 2 回続けて",
    ),
    number(
        ("actions/restore.rs", "const SLOW_PAUSE"),
        &["restore"],
        "pause is {0} seconds",
        "間隔は {0} 秒",
    ),
    number(
        ("dovecot/checks.rs", "const LIMIT"),
        &["What quickCheck waits for|quickCheck の待ち時間"],
        "take {0} seconds at most",
        "最長 {0} 秒",
    ),
    number(
        ("dovecot/endpoint.rs", "const MAX_TIMEOUT"),
        &["Entries of the list|接続先"],
        "1 to {0} seconds",
        "1～{0} 秒",
    ),
    number(
        ("dovecot/checks.rs", "const RETRY_TIME"),
        &["Entries that refused or broke off|接続を拒否したか打ち切った接続先"],
        "Up to {0} seconds",
        "最長 {0} 秒",
    ),
    number(
        ("dovecot/service.rs", "const STATUS_LIMIT"),
        &["The status command|状態確認コマンド"],
        "{0} seconds with",
        "含めて {0} 秒",
    ),
    number(
        ("dovecot/load.rs", "const LIMIT"),
        &["The master, whether its services are saturated or it answers at all|\
           マスターへの問い合わせ（サービスの飽和、および応答の有無）"],
        "{0} seconds",
        "{0} 秒",
    ),
    number(
        ("dovecot/checks.rs", "const FROZEN_TIME"),
        &["A master that is stopped|停止しているマスター"],
        "{0} second",
        "{0} 秒",
    ),
    number(
        ("dovecot/checks.rs", "const DEAF_TIME"),
        &["A master that did not answer|応答しなかったマスター"],
        "{0} seconds for a second answer",
        "2 度目の応答に {0} 秒",
    ),
    number(
        ("dovecot/configuration.rs", "const LIMIT"),
        &["A master that did not answer|応答しなかったマスター"],
        "and {0} for",
        "「doveconf」に {0} 秒",
    ),
    number(
        ("dovecot/unit.rs", "const CHECK_LIMIT"),
        &["The unit, after a fault|失敗した確認項目がある場合のユニットの状態"],
        "{0} second",
        "{0} 秒",
    ),
    number(
        ("actions/quick_check.rs", "const MOTION_WAIT"),
        &["A unit that is on its way|起動または停止などの途中にあるユニット"],
        "A pause of {0} seconds",
        "{0} 秒待ち",
    ),
    number(
        ("actions/quick_check.rs", "const MOTION_LOOK"),
        &["A unit that is on its way|起動または停止などの途中にあるユニット"],
        "at least {0} for the second look",
        "残りの時間（{0} 秒以上）",
    ),
    number(
        ("dovecot/unit.rs", "const CHECK_LIMIT"),
        &["A unit that is on its way|起動または停止などの途中にあるユニット"],
        "{0} for the unit",
        "ユニットの状態に {0} 秒",
    ),
    number(
        ("dovecot/load.rs", "const LIMIT"),
        &["quickCheck"],
        "for {0} seconds at most",
        "最長 {0} 秒で問い合わせる",
    ),
    number(("dovecot/service.rs", "const CHANGE_LIMIT"), &["restore"], "{0} seconds", "{0} 秒以内"),
    number(
        ("actions/remove.rs", "const TERM_WAIT"),
        &["remove"],
        "{0} seconds later SIGKILL",
        "{0} 秒後に SIGKILL",
    ),
    number(
        ("actions/remove.rs", "const KILL_WAIT"),
        &["remove"],
        "{0} seconds for that",
        "{0} 秒待つ",
    ),
    number(("actions/remove.rs", "const SETTLE"), &["remove"], "{0} seconds apart", "{0} 秒の間隔"),
    number(
        ("actions/remove.rs", "const FURTHER_STOP"),
        &["remove"],
        "for at most {0} seconds, and step",
        "最長 {0} 秒で停止",
    ),
    number(
        ("actions/remove.rs", "const FURTHER_STOP"),
        &["restore"],
        "for at most {0} seconds: otherwise",
        "最長 {0} 秒で実行",
    ),
    number(
        ("dovecot/service.rs", "const STATUS_LIMIT"),
        &["state of the service unknown: cause"],
        "within {0} seconds",
        "{0} 秒以内",
    ),
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

/// How the program adds up its longest times. Where it adds up otherwise, [`Longest`] and the pages
/// must follow.
const SUMS: [(&str, &str); 11] = [
    ("actions/recover.rs", "let look = instance::LIMIT + mistake::LIMIT + checks::LIMIT;"),
    ("actions/recover.rs", "look + remove::longest(settings) + restore::longest(settings)"),
    ("actions/remove.rs", "let before = unit::LIMIT + SETTLE * 2 + Census::LIMIT;"),
    ("actions/remove.rs", "SETTLE + unit::LIMIT * 2 + settings.remove_wait;"),
    ("actions/remove.rs", "let end = (KILL_TIME + SETTLE + unit::LIMIT) * ENDS;"),
    ("actions/remove.rs", "let end = end + unit::TRIGGERS_LIMIT + FURTHER_STOP + SETTLE;"),
    (
        "actions/remove.rs",
        "before + stop_time(settings) + unit::TRIGGERS_LIMIT + after_last_stop + end",
    ),
    (
        "actions/remove.rs",
        "service::CHANGE_LIMIT * long_stops + settings.remove_wait * settings.remove_rounds",
    ),
    (
        "actions/restore.rs",
        "let round = start + settings.restore_wait + checks::LIMIT + obstacles::LIMIT;",
    ),
    (
        "actions/restore.rs",
        "let clear = unit::LIMIT + Census::LIMIT + remove::KILL_TIME + remove::FURTHER_STOP;",
    ),
    ("actions/restore.rs", "before + round * settings.restore_rounds + own_log::LIMIT"),
];

/// The longest times of the actions with the default settings, in seconds: all but the rounds, and
/// the whole.
struct Longest {
    restore_besides: f64,
    /// A round without its wait.
    restore_round: f64,
    restore: f64,
    remove_besides: f64,
    stops: f64,
    remove: f64,
    recover_besides: f64,
    recover: f64,
    /// A question to systemd.
    unit: f64,
}

impl Longest {
    fn of_program() -> Self {
        let seconds = |file, definition| -> f64 { program::numbers(file, definition).iter().sum() };
        let settings = program::settings();
        let default = |key: &str| -> f64 {
            let (_, value) = settings.iter().find(|(one, _)| one == key).expect(key);
            value.parse().expect(key)
        };
        let checks = seconds("dovecot/checks.rs", "const LIMIT");
        let status = seconds("dovecot/service.rs", "const STATUS_LIMIT");
        let change = seconds("dovecot/service.rs", "const CHANGE_LIMIT");
        let term = seconds("actions/remove.rs", "const TERM_WAIT");
        let kill = term + seconds("actions/remove.rs", "const KILL_WAIT");
        let settle = seconds("actions/remove.rs", "const SETTLE");
        let further = seconds("actions/remove.rs", "const FURTHER_STOP");
        let (ends, long) = (
            seconds("actions/remove.rs", "const ENDS"),
            seconds("actions/remove.rs", "const LONG_STOPS"),
        );
        let mistake = seconds("dovecot/mistake.rs", "const LIMIT");
        let configuration = seconds("dovecot/configuration.rs", "const LIMIT");
        let own_log = seconds("dovecot/own_log.rs", "const LIMIT");
        // Two questions, each as long as a status; two details; and the pause.
        let unit = status * 2.0
            + seconds("dovecot/unit.rs", "const DETAIL_LIMIT") * 2.0
            + seconds("dovecot/unit.rs", "const AGAIN");
        let triggers = seconds("dovecot/unit.rs", "const TRIGGERS_LIMIT");
        // How the service starts Dovecot.
        let instance = seconds("dovecot/unit.rs", "const DETAIL_LIMIT");
        // Dovecot's listeners, its base directory, and the owners of masters.
        let census = configuration * 2.0
            + instance
            + seconds("dovecot/identity/family.rs", "const OWNERS_LIMIT");

        let restore_besides =
            checks + (unit + census + kill + further) + (instance + configuration) + own_log;
        let restore_round = status + change + checks + (mistake + configuration);
        let restore = restore_besides
            + (restore_round + default("APP_DOVECOT_RESTORE_WAIT"))
                * default("APP_DOVECOT_RESTORE_CHECK_RETRY");

        let rounds = default("APP_DOVECOT_REMOVE_CHECK_RETRY");
        let end = (kill + settle + unit) * ends + triggers + further + settle;
        let remove_besides =
            (unit + settle * 2.0 + census) + triggers + (settle + unit * 2.0) + end;
        let stops = change * rounds.min(long);
        let remove = remove_besides + stops + default("APP_DOVECOT_REMOVE_WAIT") * (rounds + 1.0);

        let recover_besides = instance + mistake + checks;
        let recover = recover_besides + remove + restore;
        Self {
            restore_besides,
            restore_round,
            restore,
            remove_besides,
            stops,
            remove,
            recover_besides,
            recover,
            unit,
        }
    }
}

#[test]
fn the_longest_times_are_those_of_the_program() {
    for (file, sum) in SUMS {
        let source = fs::read_to_string(root().join("src").join(file)).expect(file);
        assert!(source.contains(sum), "src/{file} adds up otherwise: {sum}");
    }
    let longest = Longest::of_program();
    let quick: f64 = program::numbers("actions/quick_check.rs", "const LIMIT").iter().sum();
    let (restore, remove, recover) =
        (longest.restore.ceil(), longest.remove.ceil(), longest.recover.ceil());
    for Manual { page, commands, .. } in manuals() {
        for (action, longest) in [("restore", restore), ("remove", remove), ("recover", recover)] {
            let text = page.part(action);
            let told = [format!("{longest} seconds at most"), format!("最長 {longest} 秒")];
            assert!(told.iter().any(|told| text.contains(told)), "{}: {told:?}", page.file);
        }
        let limits = if commands == "COMMANDS" { "TIME LIMITS" } else { "制限時間" };
        let told = page.part(limits).split(|c: char| !(c.is_ascii_digit() || c == '.'));
        let told: BTreeSet<&str> = told.map(|number| number.trim_matches('.')).collect();
        let besides = [longest.restore_besides.ceil(), longest.remove_besides.ceil()];
        let parts =
            [longest.restore_round, longest.stops, longest.unit, longest.recover_besides, quick];
        for number in [restore, remove, recover].into_iter().chain(besides).chain(parts) {
            let number = number.to_string();
            assert!(told.contains(&*number), "{}: {limits}: {number}", page.file);
        }
    }
}

/// Waits that are only begun where there is time for all of them: the sum of the program, and the
/// words of the pages.
#[test]
fn a_wait_that_is_skipped_needs_what_the_pages_say() {
    let seconds = |(file, name): (&str, &str)| -> f64 {
        program::numbers(file, &format!("const {name}:")).iter().sum()
    };
    let deaf = ("dovecot/checks.rs", "DEAF_TIME");
    let dump = ("dovecot/configuration.rs", "LIMIT");
    let motion = ["MOTION_WAIT", "MOTION_LOOK"].map(|name| ("actions/quick_check.rs", name));
    let unit = ("dovecot/unit.rs", "CHECK_LIMIT");
    let [pause, look] = motion;
    for (file, sum, parts, heads) in [
        (
            "dovecot/checks.rs",
            "DEAF_TIME.saturating_add(configuration::LIMIT)",
            vec![deaf, dump],
            ["A master that did not answer", "応答しなかったマスター"],
        ),
        (
            "actions/quick_check.rs",
            "end.saturating_sub(system.now() + pause + unit::CHECK_LIMIT)",
            vec![pause, look, unit],
            ["A unit that is on its way", "起動または停止などの途中にあるユニット"],
        ),
    ] {
        let source = fs::read_to_string(root().join("src").join(file)).expect(file);
        assert!(source.contains(sum), "src/{file} adds up otherwise: {sum}");
        let left: f64 = parts.into_iter().map(seconds).sum();
        for (Manual { page, .. }, head) in manuals().iter().zip(heads) {
            let text = &page.item(head).text;
            let told = [format!("where {left} are left"), format!("{left} 秒残っている場合")];
            assert!(told.iter().any(|told| text.contains(told)), "{}: {text}", page.file);
        }
    }
}
