//! Ranges, limits and times: the constants of the program, in the words of the pages.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use dovecot_ark::actions::{excuse, quick_check, recover, remove, restore, signals};
use dovecot_ark::dovecot::{checks, configuration, login, own_log, saturation, service, unit};
use dovecot_ark::lifekeeper::{defaults, tag};
use dovecot_ark::probe::endpoint;
use dovecot_ark::settings::{Settings, values};
use dovecot_ark::{cli, text};

use crate::page::{Item, Language, Page};
use crate::{ACTIONS, CONF, INSTALL, manuals, options_in};

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

/// Numbers of the program, on which page, in which items or parts of it, and in which words.
/// Where a heading is translated, both stand there with a bar between them.
struct Number {
    numbers: Vec<f64>,
    page: &'static str,
    places: &'static [&'static str],
    english: &'static str,
    japanese: &'static str,
}

fn number(
    numbers: Vec<f64>,
    page: &'static str,
    places: &'static [&'static str],
    english: &'static str,
    japanese: &'static str,
) -> Number {
    Number { numbers, page, places, english, japanese }
}

/// `{0}` and `{1}` are the numbers.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn all() -> Vec<Number> {
    vec![
        number(
            values::ROUNDS.numbers(),
            CONF,
            &["APP_DOVECOT_RESTORE_CHECK_RETRY", "APP_DOVECOT_REMOVE_CHECK_RETRY"],
            "Range: {0} to {1}.",
            "範囲: {0}～{1}。",
        ),
        number(
            values::SECONDS.numbers(),
            CONF,
            &["APP_DOVECOT_RESTORE_WAIT", "APP_DOVECOT_REMOVE_WAIT"],
            "Range: {0} to {1}.",
            "範囲: {0}～{1}。",
        ),
        number(
            values::MAX_SERVICE_NAME.numbers(),
            CONF,
            &["APP_DOVECOT_SERVICE"],
            "at most {0} bytes",
            "{0} バイト以内",
        ),
        number(
            endpoint::MAX_TIMEOUT.numbers(),
            CONF,
            &["APP_DOVECOT_IP_LIST"],
            "1 to {0} seconds",
            "1～{0} 秒",
        ),
        number(
            endpoint::DEFAULT_TIMEOUT.numbers(),
            CONF,
            &["APP_DOVECOT_IP_LIST"],
            "left out, it is {0}.",
            "省略すると {0} 秒",
        ),
        number(
            endpoint::TLS_PORTS.numbers(),
            CONF,
            &["APP_DOVECOT_IP_LIST"],
            "on the ports {0}, {1} and {2},",
            "ポート {0}、{1}、{2} は TLS",
        ),
        number(
            cli::QUICKCHECK_TIMEOUT.numbers(),
            INSTALL,
            &["--quickcheck-timeout"],
            "{0} to {1} seconds",
            "{0}～{1} 秒",
        ),
        number(tag::MAX_LENGTH.numbers(), ACTIONS, &["-t"], "1 to {0} bytes", "1～{0} バイト"),
        number(tag::MAX_NEW.numbers(), INSTALL, &["--tag"], "at most {0},", "{0} 文字以内"),
        number(
            quick_check::LIMIT.numbers(),
            ACTIONS,
            &["quickCheck"],
            "gives up after {0} seconds",
            "{0} 秒で打ち切って",
        ),
        number(
            checks::LIMIT.numbers(),
            ACTIONS,
            &["quickCheck"],
            "never more than {0} seconds",
            "所要時間は最長 {0} 秒",
        ),
        number(
            service::STATUS_LIMIT.numbers(),
            ACTIONS,
            &["quickCheck"],
            "not ended after {0} seconds",
            "{0} 秒以内に終了しない",
        ),
        number(
            checks::AGAIN.numbers(),
            ACTIONS,
            &["quickCheck"],
            "every {0} seconds",
            "{0} 秒ごとに",
        ),
        number(
            checks::RETRY_TIME.numbers(),
            ACTIONS,
            &["quickCheck"],
            "for up to {0} seconds",
            "最長 {0} 秒の間、再び接続",
        ),
        number(
            checks::FROZEN_TIME.numbers(),
            ACTIONS,
            &["quickCheck"],
            "two looks, {0} second apart",
            "{0} 秒の間隔で 2 回",
        ),
        number(
            saturation::LIMIT.numbers(),
            ACTIONS,
            &["quickCheck"],
            "within {0} seconds, nor a second time",
            "{0} 秒以内に応答せず",
        ),
        number(
            checks::DEAF_TIME.numbers(),
            ACTIONS,
            &["quickCheck"],
            "nor a second time within {0},",
            "2 度目の問い合わせにも {0} 秒以内に",
        ),
        number(
            quick_check::MOTION_WAIT.numbers(),
            ACTIONS,
            &["quickCheck"],
            "once more after {0} seconds",
            "{0} 秒後にもう一度確認",
        ),
        number(
            excuse::SHUTDOWN_TIME.numbers(),
            ACTIONS,
            &["quickCheck"],
            "no fault for {0} seconds",
            "{0} 秒の間は、障害とみなさない",
        ),
        number(
            excuse::SHUTDOWN_TIME.numbers(),
            ACTIONS,
            &["recover"],
            "same {0} seconds",
            "同じ {0} 秒の間",
        ),
        number(
            text::MAX_LINE.numbers(),
            ACTIONS,
            &["quickCheck"],
            "at most {0} characters",
            "{0} 文字以内",
        ),
        number(
            excuse::STOP_TIME.numbers(),
            ACTIONS,
            &["quickCheck"],
            "first seen stopping less than {0} seconds ago",
            "検出してから {0} 秒以内",
        ),
        number(
            own_log::RECENT.numbers(),
            ACTIONS,
            &["quickCheck"],
            "logged a reason in the last {0} seconds",
            "直前の {0} 秒間",
        ),
        number(
            restore::PAUSE.numbers(),
            ACTIONS,
            &["restore"],
            "{0} seconds apart",
            "{0} 秒の間隔で 2 回続けて",
        ),
        number(
            restore::SLOW_PAUSE.numbers(),
            ACTIONS,
            &["restore"],
            "pause is {0} seconds",
            "間隔は {0} 秒",
        ),
        number(
            checks::LIMIT.numbers(),
            ACTIONS,
            &["What quickCheck waits for|quickCheck の待ち時間"],
            "take {0} seconds at most",
            "最長 {0} 秒",
        ),
        number(
            endpoint::MAX_TIMEOUT.numbers(),
            ACTIONS,
            &["Entries of the list|接続先"],
            "1 to {0} seconds",
            "1～{0} 秒",
        ),
        number(
            checks::RETRY_TIME.numbers(),
            ACTIONS,
            &["Entries that refused or broke off|接続を拒否したか打ち切った接続先"],
            "Up to {0} seconds",
            "最長 {0} 秒",
        ),
        number(
            checks::UNVISITED_TIME.numbers(),
            ACTIONS,
            &["The entry at which the login is made, without one, if that did not reach it|\
           ログインでは到達できなかった接続先への、ログインなしの接続"],
            "{0} second.",
            "{0} 秒。",
        ),
        number(
            login::STUCK_TIME.numbers(),
            ACTIONS,
            &["The processes behind a saturated login service, instead of a login|\
           ログインの代わりに行う、飽和したログインサービスの先のプロセスの確認"],
            "{0} second,",
            "{0} 秒。",
        ),
        number(
            service::STATUS_LIMIT.numbers(),
            ACTIONS,
            &["The status command|状態確認コマンド"],
            "{0} seconds with",
            "含めて {0} 秒",
        ),
        number(
            saturation::LIMIT.numbers(),
            ACTIONS,
            &["The master, whether its services are saturated or it answers at all|\
           マスターへの問い合わせ（サービスの飽和、および応答の有無）"],
            "{0} seconds",
            "{0} 秒",
        ),
        number(
            checks::FROZEN_TIME.numbers(),
            ACTIONS,
            &["A master that is stopped|停止しているマスター"],
            "{0} second",
            "{0} 秒",
        ),
        number(
            checks::DEAF_TIME.numbers(),
            ACTIONS,
            &["A master that did not answer|応答しなかったマスター"],
            "{0} seconds for a second answer",
            "2 度目の応答に {0} 秒",
        ),
        number(
            configuration::LIMIT.numbers(),
            ACTIONS,
            &["A master that did not answer|応答しなかったマスター"],
            "and {0} for",
            "「doveconf」に {0} 秒",
        ),
        number(
            unit::CHECK_LIMIT.numbers(),
            ACTIONS,
            &["The unit, after a fault|失敗した確認項目がある場合のユニットの状態"],
            "{0} second",
            "{0} 秒",
        ),
        number(
            quick_check::MOTION_WAIT.numbers(),
            ACTIONS,
            &["A unit that is on its way|起動または停止などの途中にあるユニット"],
            "A pause of {0} seconds",
            "{0} 秒待ち",
        ),
        number(
            quick_check::MOTION_LOOK.numbers(),
            ACTIONS,
            &["A unit that is on its way|起動または停止などの途中にあるユニット"],
            "at least {0} for the second look",
            "残りの時間（{0} 秒以上）",
        ),
        number(
            unit::CHECK_LIMIT.numbers(),
            ACTIONS,
            &["A unit that is on its way|起動または停止などの途中にあるユニット"],
            "{0} for the unit",
            "ユニットの状態に {0} 秒",
        ),
        number(
            saturation::LIMIT.numbers(),
            ACTIONS,
            &["quickCheck"],
            "for {0} seconds at most",
            "最長 {0} 秒で問い合わせる",
        ),
        number(service::CHANGE_LIMIT.numbers(), ACTIONS, &["restore"], "{0} seconds", "{0} 秒以内"),
        number(
            signals::TERM_WAIT.numbers(),
            ACTIONS,
            &["remove"],
            "{0} seconds later SIGKILL",
            "{0} 秒後に SIGKILL",
        ),
        number(
            signals::KILL_WAIT.numbers(),
            ACTIONS,
            &["remove"],
            "{0} seconds for that",
            "{0} 秒待つ",
        ),
        number(remove::SETTLE.numbers(), ACTIONS, &["remove"], "{0} seconds apart", "{0} 秒の間隔"),
        number(
            remove::FURTHER_STOP.numbers(),
            ACTIONS,
            &["remove"],
            "for at most {0} seconds, and step",
            "最長 {0} 秒で停止",
        ),
        number(
            remove::FURTHER_STOP.numbers(),
            ACTIONS,
            &["restore"],
            "for at most {0} seconds: otherwise",
            "最長 {0} 秒で実行",
        ),
        number(
            quick_check::LIMIT.numbers(),
            ACTIONS,
            &["What LifeKeeper calls|LifeKeeper による呼び出し"],
            "within {0} seconds, with a verdict",
            "{0} 秒以内に、判定を出して",
        ),
        number(
            quick_check::LIMIT.numbers(),
            CONF,
            &["KEYS OF LIFEKEEPER|LifeKeeper のキー"],
            "needs up to {0} seconds",
            "最長で {0} 秒を要する",
        ),
        number(
            quick_check::LIMIT.numbers(),
            INSTALL,
            &["COMING FROM THE ORIGINAL KIT|オリジナルキットからの移行"],
            "within {0}",
            "{0} 秒以内に終了",
        ),
        number(
            quick_check::LIMIT.numbers(),
            CONF,
            &["APP_DOVECOT_IP_LIST"],
            "must end within {0};",
            "{0} 秒以内に終了しなければ",
        ),
        number(
            service::CHANGE_LIMIT.numbers(),
            ACTIONS,
            &["remove"],
            "a time-out of {0} seconds",
            "{0} 秒のタイムアウト",
        ),
        number(
            (defaults::MAX_FILE >> 20).numbers(),
            CONF,
            &["DESCRIPTION|説明"],
            "{0} MiB",
            "{0} MiB",
        ),
        number(
            (defaults::MAX_LINE >> 10).numbers(),
            CONF,
            &["DESCRIPTION|説明"],
            "{0} KiB",
            "{0} KiB",
        ),
    ]
}

/// The text of an item by its head, of an option, or of a part by its heading.
fn text_at(page: &Page, place: &str) -> String {
    let is_it = |item: &&Item| {
        item.heads.iter().any(|head| head == place || options_in(head).contains(place))
    };
    match page.items.iter().find(is_it) {
        // An action's name is both the head of an item and a heading, and the heading is meant.
        Some(item) if !page.parts.iter().any(|(heading, _)| heading == place) => item.text.clone(),
        _ => page.whole(place),
    }
}

#[test]
fn each_range_and_limit_is_in_the_pages() {
    let mut missing = Vec::new();
    for manual in manuals() {
        for Number { numbers, page, places, english, japanese } in all() {
            let page = manual.page(page);
            let words = [english, japanese][usize::from(manual.language == Language::Japanese)];
            let mut words = words.to_owned();
            for (n, number) in numbers.iter().enumerate() {
                words = words.replace(&format!("{{{n}}}"), &number.to_string());
            }
            let places = places.iter().filter(|place| {
                let text = text_at(page, manual.word(place));
                !text.contains(&words)
            });
            missing.extend(places.map(|place| {
                format!("{}: {place}: the program has {numbers:?}: {words:?}", page.file)
            }));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
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
    for manual in manuals() {
        let page = manual.page(ACTIONS);
        for (action, longest) in longest {
            let text = page.part(action);
            let told = [format!("{longest} seconds at most"), format!("最長 {longest} 秒")];
            assert!(told.iter().any(|told| text.contains(told)), "{}: {told:?}", page.file);
        }
        let limits = page.part(manual.word("TIME LIMITS|制限時間"));
        let told = limits.split(|c: char| !(c.is_ascii_digit() || c == '.'));
        let told: BTreeSet<&str> = told.map(|number| number.trim_matches('.')).collect();
        for number in &parts {
            let number = number.to_string();
            assert!(told.contains(&*number), "{}: {number}: {limits}", page.file);
        }
    }
}

/// Waits that are only begun where there is time for all of them.
#[test]
fn a_wait_that_is_skipped_needs_what_the_pages_say() {
    for (wait, head) in [
        (checks::DEAF_WAIT, "A master that did not answer|応答しなかったマスター"),
        (quick_check::MOTION, "A unit that is on its way|起動または停止などの途中にあるユニット"),
    ] {
        let left = wait.as_secs_f64();
        for manual in manuals() {
            let page = manual.page(ACTIONS);
            let text = &page.item(manual.word(head)).text;
            let told = [format!("where {left} are left"), format!("{left} 秒残っている場合")];
            assert!(told.iter().any(|told| text.contains(told)), "{}: {text}", page.file);
        }
    }
}
