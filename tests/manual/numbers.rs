//! Ranges, limits and times: the constants of the program, in the words of the pages.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use dovecot_ark::actions::{excuse, quick_check, recover, remove, restore};
use dovecot_ark::dovecot::{checks, configuration, own_log, saturation, service, unit};
use dovecot_ark::lifekeeper::{defaults, tag};
use dovecot_ark::probe::endpoint;
use dovecot_ark::settings::{Settings, values};
use dovecot_ark::{cli, text};

use crate::page::{Item, Page};
use crate::{Manual, manuals, options_in};

/// A value of the program as the numbers that a page names; times are in seconds.
trait Value {
    fn numbers(&self) -> Vec<f64>;
}

impl Value for Duration {
    fn numbers(&self) -> Vec<f64> {
        vec![self.as_secs_f64()]
    }
}

impl<T: Copy + Into<i64>> Value for RangeInclusive<T> {
    fn numbers(&self) -> Vec<f64> {
        [*self.start(), *self.end()].map(|end| number_of(end.into())).to_vec()
    }
}

impl Value for usize {
    fn numbers(&self) -> Vec<f64> {
        vec![number_of(i64::try_from(*self).expect("a number of a page is small"))]
    }
}

impl Value for u64 {
    fn numbers(&self) -> Vec<f64> {
        vec![number_of(i64::try_from(*self).expect("a number of a page is small"))]
    }
}

impl<const N: usize> Value for [u16; N] {
    fn numbers(&self) -> Vec<f64> {
        self.iter().map(|one| f64::from(*one)).collect()
    }
}

fn number_of(number: i64) -> f64 {
    f64::from(i32::try_from(number).expect("a number of a page is small"))
}

/// Numbers of the program, in which items or parts of the pages, and in which words.
/// Where a heading is translated, both stand there with a bar between them.
struct Number {
    numbers: Vec<f64>,
    places: &'static [&'static str],
    english: &'static str,
    japanese: &'static str,
}

fn number(
    numbers: Vec<f64>,
    places: &'static [&'static str],
    english: &'static str,
    japanese: &'static str,
) -> Number {
    Number { numbers, places, english, japanese }
}

/// `{0}` and `{1}` are the numbers.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn all() -> Vec<Number> {
    vec![
        number(
            values::ROUNDS.numbers(),
            &["APP_DOVECOT_RESTORE_CHECK_RETRY", "APP_DOVECOT_REMOVE_CHECK_RETRY"],
            "Range: {0} to {1}.",
            "範囲: {0}～{1}。",
        ),
        number(
            values::SECONDS.numbers(),
            &["APP_DOVECOT_RESTORE_WAIT", "APP_DOVECOT_REMOVE_WAIT"],
            "Range: {0} to {1}.",
            "範囲: {0}～{1}。",
        ),
        number(
            values::MAX_SERVICE_NAME.numbers(),
            &["APP_DOVECOT_SERVICE"],
            "at most {0} bytes",
            "{0} バイト以内",
        ),
        number(
            endpoint::MAX_TIMEOUT.numbers(),
            &["APP_DOVECOT_IP_LIST"],
            "1 to {0} seconds",
            "1～{0} 秒",
        ),
        number(
            endpoint::DEFAULT_TIMEOUT.numbers(),
            &["APP_DOVECOT_IP_LIST"],
            "left out, it is {0}.",
            "省略すると {0} 秒",
        ),
        number(
            endpoint::TLS_PORTS.numbers(),
            &["APP_DOVECOT_IP_LIST"],
            "on the ports {0}, {1} and {2},",
            "ポート {0}、{1}、{2} は TLS",
        ),
        number(
            cli::QUICKCHECK_TIMEOUT.numbers(),
            &["--quickcheck-timeout"],
            "{0} to {1} seconds",
            "{0}～{1} 秒",
        ),
        number(tag::MAX_LENGTH.numbers(), &["-t"], "1 to {0} bytes", "1～{0} バイト"),
        number(tag::MAX_NEW.numbers(), &["install"], "at most {0},", "{0} 文字以内"),
        number(
            quick_check::LIMIT.numbers(),
            &["quickCheck"],
            "gives up after {0} seconds",
            "{0} 秒で打ち切って",
        ),
        number(
            checks::LIMIT.numbers(),
            &["quickCheck"],
            "takes {0} seconds at most",
            "所要時間は最長 {0} 秒",
        ),
        number(
            service::STATUS_LIMIT.numbers(),
            &["quickCheck"],
            "not ended after {0} seconds",
            "{0} 秒以内に終了しない",
        ),
        number(checks::AGAIN.numbers(), &["quickCheck"], "every {0} seconds", "{0} 秒ごとに"),
        number(
            checks::RETRY_TIME.numbers(),
            &["quickCheck"],
            "for up to {0} seconds",
            "最長 {0} 秒の間、再び接続",
        ),
        number(
            checks::FROZEN_TIME.numbers(),
            &["quickCheck"],
            "two looks, {0} second apart",
            "{0} 秒の間隔で 2 回",
        ),
        number(
            saturation::LIMIT.numbers(),
            &["quickCheck"],
            "within {0} seconds, nor a second time",
            "{0} 秒以内に応答せず",
        ),
        number(
            checks::DEAF_TIME.numbers(),
            &["quickCheck"],
            "nor a second time within {0},",
            "2 度目の問い合わせにも {0} 秒以内に",
        ),
        number(
            quick_check::MOTION_WAIT.numbers(),
            &["quickCheck"],
            "once more after {0} seconds",
            "{0} 秒後にもう一度確認",
        ),
        number(
            excuse::SHUTDOWN_TIME.numbers(),
            &["quickCheck"],
            "no fault for {0} seconds",
            "{0} 秒の間は、障害とみなさない",
        ),
        number(
            excuse::SHUTDOWN_TIME.numbers(),
            &["recover"],
            "same {0} seconds",
            "同じ {0} 秒の間",
        ),
        number(text::MAX_LINE.numbers(), &["quickCheck"], "at most {0} characters", "{0} 文字以内"),
        number(
            excuse::STOP_TIME.numbers(),
            &["quickCheck"],
            "first seen stopping less than {0} seconds ago",
            "検出してから {0} 秒以内",
        ),
        number(
            own_log::RECENT.numbers(),
            &["quickCheck"],
            "logged in the last {0} seconds",
            "直前の {0} 秒間",
        ),
        number(
            restore::PAUSE.numbers(),
            &["restore"],
            "{0} seconds apart",
            "{0} 秒の間隔で 2 回続けて",
        ),
        number(
            restore::SLOW_PAUSE.numbers(),
            &["restore"],
            "pause is {0} seconds",
            "間隔は {0} 秒",
        ),
        number(
            checks::LIMIT.numbers(),
            &["What quickCheck waits for|quickCheck の待ち時間"],
            "take {0} seconds at most",
            "最長 {0} 秒",
        ),
        number(
            endpoint::MAX_TIMEOUT.numbers(),
            &["Entries of the list|接続先"],
            "1 to {0} seconds",
            "1～{0} 秒",
        ),
        number(
            checks::RETRY_TIME.numbers(),
            &["Entries that refused or broke off|接続を拒否したか打ち切った接続先"],
            "Up to {0} seconds",
            "最長 {0} 秒",
        ),
        number(
            service::STATUS_LIMIT.numbers(),
            &["The status command|状態確認コマンド"],
            "{0} seconds with",
            "含めて {0} 秒",
        ),
        number(
            saturation::LIMIT.numbers(),
            &["The master, whether its services are saturated or it answers at all|\
           マスターへの問い合わせ（サービスの飽和、および応答の有無）"],
            "{0} seconds",
            "{0} 秒",
        ),
        number(
            checks::FROZEN_TIME.numbers(),
            &["A master that is stopped|停止しているマスター"],
            "{0} second",
            "{0} 秒",
        ),
        number(
            checks::DEAF_TIME.numbers(),
            &["A master that did not answer|応答しなかったマスター"],
            "{0} seconds for a second answer",
            "2 度目の応答に {0} 秒",
        ),
        number(
            configuration::LIMIT.numbers(),
            &["A master that did not answer|応答しなかったマスター"],
            "and {0} for",
            "「doveconf」に {0} 秒",
        ),
        number(
            unit::CHECK_LIMIT.numbers(),
            &["The unit, after a fault|失敗した確認項目がある場合のユニットの状態"],
            "{0} second",
            "{0} 秒",
        ),
        number(
            quick_check::MOTION_WAIT.numbers(),
            &["A unit that is on its way|起動または停止などの途中にあるユニット"],
            "A pause of {0} seconds",
            "{0} 秒待ち",
        ),
        number(
            quick_check::MOTION_LOOK.numbers(),
            &["A unit that is on its way|起動または停止などの途中にあるユニット"],
            "at least {0} for the second look",
            "残りの時間（{0} 秒以上）",
        ),
        number(
            unit::CHECK_LIMIT.numbers(),
            &["A unit that is on its way|起動または停止などの途中にあるユニット"],
            "{0} for the unit",
            "ユニットの状態に {0} 秒",
        ),
        number(
            saturation::LIMIT.numbers(),
            &["quickCheck"],
            "for {0} seconds at most",
            "最長 {0} 秒で問い合わせる",
        ),
        number(service::CHANGE_LIMIT.numbers(), &["restore"], "{0} seconds", "{0} 秒以内"),
        number(
            remove::TERM_WAIT.numbers(),
            &["remove"],
            "{0} seconds later SIGKILL",
            "{0} 秒後に SIGKILL",
        ),
        number(remove::KILL_WAIT.numbers(), &["remove"], "{0} seconds for that", "{0} 秒待つ"),
        number(remove::SETTLE.numbers(), &["remove"], "{0} seconds apart", "{0} 秒の間隔"),
        number(
            remove::FURTHER_STOP.numbers(),
            &["remove"],
            "for at most {0} seconds, and step",
            "最長 {0} 秒で停止",
        ),
        number(
            remove::FURTHER_STOP.numbers(),
            &["restore"],
            "for at most {0} seconds: otherwise",
            "最長 {0} 秒で実行",
        ),
        number(
            quick_check::LIMIT.numbers(),
            &["What LifeKeeper calls|LifeKeeper による呼び出し"],
            "within {0} seconds, with a verdict",
            "{0} 秒以内に、判定を出して",
        ),
        number(
            quick_check::LIMIT.numbers(),
            &["Keys of LifeKeeper|LifeKeeper のキー"],
            "needs up to {0} seconds",
            "最長で {0} 秒を要する",
        ),
        number(
            quick_check::LIMIT.numbers(),
            &["COMING FROM THE ORIGINAL KIT|オリジナルキットからの移行", "CAVEATS|制限事項"],
            "within {0}",
            "{0} 秒以内に終了",
        ),
        number(
            endpoint::MAX_TIMEOUT.numbers(),
            &["CAVEATS|制限事項"],
            "a time-out is {0} seconds at most",
            "タイムアウトは最長 {0} 秒",
        ),
        number(
            service::CHANGE_LIMIT.numbers(),
            &["remove"],
            "a time-out of {0} seconds",
            "{0} 秒のタイムアウト",
        ),
        number((defaults::MAX_FILE >> 20).numbers(), &["FILES|ファイル"], "{0} MiB", "{0} MiB"),
        number((defaults::MAX_LINE >> 10).numbers(), &["FILES|ファイル"], "{0} KiB", "{0} KiB"),
    ]
}

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
        for Number { numbers, places, english, japanese } in all() {
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
                    "{}: {place}: the program has {numbers:?}, expected {words:?} in {text}",
                    manual.page.file
                );
            }
        }
    }
}

#[test]
fn the_longest_times_are_those_of_the_program() {
    let settings = Settings::default();
    let longest = [
        ("restore", restore::longest(&settings)),
        ("remove", remove::longest(&settings)),
        ("recover", recover::longest(&settings)),
    ]
    .map(|(action, longest)| (action, longest.as_secs_f64().ceil()));
    let exact = [restore::round(), remove::stops(&settings), unit::LIMIT, recover::LOOK];
    let exact = exact.into_iter().chain([quick_check::LIMIT]).map(|part| part.as_secs_f64());
    let rounded = [restore::besides(), remove::besides()].map(|part| part.as_secs_f64().ceil());
    let parts: Vec<f64> = exact.chain(rounded).chain(longest.map(|(_, longest)| longest)).collect();
    for Manual { page, commands, .. } in manuals() {
        for (action, longest) in longest {
            let text = page.part(action);
            let told = [format!("{longest} seconds at most"), format!("最長 {longest} 秒")];
            assert!(told.iter().any(|told| text.contains(told)), "{}: {told:?}", page.file);
        }
        let limits = if commands == "COMMANDS" { "TIME LIMITS" } else { "制限時間" };
        let told = page.part(limits).split(|c: char| !(c.is_ascii_digit() || c == '.'));
        let told: BTreeSet<&str> = told.map(|number| number.trim_matches('.')).collect();
        for number in &parts {
            let number = number.to_string();
            assert!(told.contains(&*number), "{}: {limits}: {number}", page.file);
        }
    }
}

/// Waits that are only begun where there is time for all of them.
#[test]
fn a_wait_that_is_skipped_needs_what_the_pages_say() {
    for (wait, heads) in [
        (checks::DEAF_WAIT, ["A master that did not answer", "応答しなかったマスター"]),
        (
            quick_check::MOTION,
            ["A unit that is on its way", "起動または停止などの途中にあるユニット"],
        ),
    ] {
        let left = wait.as_secs_f64();
        for (Manual { page, .. }, head) in manuals().iter().zip(heads) {
            let text = &page.item(head).text;
            let told = [format!("where {left} are left"), format!("{left} 秒残っている場合")];
            assert!(told.iter().any(|told| text.contains(told)), "{}: {text}", page.file);
        }
    }
}
