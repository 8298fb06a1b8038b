//! The status for a monitoring system: one line, performance data, and one of four exit statuses,
//! after the Monitoring Plugins Development Guidelines.

use super::Report;
use super::protection::{LocalState, OtherSystems, Protection};
use crate::cli;
use crate::dovecot::look::{Connection, Look};
use crate::dovecot::verdict::Verdict;
use crate::exit::Plugin;
use crate::lifekeeper::state::State;
use crate::messages::{Message, Remark};
use crate::probe::attempt::Attempt;
use crate::probe::endpoint::Endpoint;
use crate::text::{cut, one_line};

/// The longest part of the text before and behind its semicolon, in characters. With performance
/// data both fit into the 1024 bytes that old ways to a plugin carry.
const MAX_PART: usize = 200;

/// How many entries of the list may be told apart in the performance data, for the same reason.
const MAX_ENTRIES: usize = 8;

/// The plugin's result, and the line that it prints.
pub(super) fn plugin(report: &Report, limits: cli::Plugin) -> (Plugin, String) {
    let verdict = report.verdict();
    let (mut seen, said) = (seen(report), said(&report.protection, verdict));
    let first_end = first_end(&report.look);
    let mut found = judge(verdict, &report.protection);
    if let Some((days, endpoint)) = first_end {
        let worse = judge_certificate(days, limits);
        if worse != Plugin::Ok {
            let number = Message::Certificate.code();
            seen = format!("{number}: {}; {seen}", certificate(days, endpoint));
            found = found.max(worse);
        }
    }
    let text = [seen, said].map(|part| cut(&one_line(&part), MAX_PART)).join("; ");
    let days = first_end.map(|(days, _)| days_left(days, limits)).unwrap_or_default();
    (found, line(found, &text, &(performance(&report.look) + &days)))
}

/// The certificate that ends first, in whole days from now, and its entry.
fn first_end(look: &Look) -> Option<(i64, &Endpoint)> {
    let tried = look
        .connections
        .iter()
        .filter_map(|one| Some((one.attempt.as_ref().ok()?.certificate_days()?, &one.endpoint)));
    tried.min_by_key(|(days, _)| *days)
}

/// What follows from a certificate that ends in so many days. Without limits nothing: `doctor` warns.
fn judge_certificate(days: i64, limits: cli::Plugin) -> Plugin {
    let is_below = |limit: Option<u16>| limit.is_some_and(|limit| days < limit.into());
    match (is_below(limits.critical), is_below(limits.warning)) {
        (true, _) => Plugin::Critical,
        (false, true) => Plugin::Warning,
        (false, false) => Plugin::Ok,
    }
}

/// When a certificate ends, in words.
fn certificate(days: i64, endpoint: &Endpoint) -> String {
    let end = match days {
        ..=-1 => "has ended".to_owned(),
        0 => "ends within a day".to_owned(),
        1 => "ends in 1 day".to_owned(),
        _ => format!("ends in {days} days"),
    };
    format!("the certificate of {endpoint} {end}")
}

/// The days that the first certificate has left, with the limits as the guidelines write them: alert
/// below.
fn days_left(days: i64, limits: cli::Plugin) -> String {
    let range = |limit: Option<u16>| limit.map(|limit| format!("{limit}:")).unwrap_or_default();
    format!(" certificate_days={days};{};{}", range(limits.warning), range(limits.critical))
}

/// The line of a plugin that could not look.
pub(super) fn unknown(cause: &str) -> String {
    line(Plugin::Unknown, &cut(&one_line(cause), MAX_PART), "")
}

/// What is found, from what the checks say and what LifeKeeper says:
///
/// | LifeKeeper | up | degraded | failed | stopped |
/// | --- | --- | --- | --- | --- |
/// | ISP here | OK | WARNING | CRITICAL | CRITICAL |
/// | ISU here | WARNING | WARNING | CRITICAL | CRITICAL |
/// | ISP or ISU here, and on a peer too | CRITICAL | CRITICAL | CRITICAL | CRITICAL |
/// | OSU here, in service on a peer | CRITICAL | CRITICAL | CRITICAL | OK |
/// | OSF or ILLSTATE here, in service on a peer | CRITICAL | CRITICAL | CRITICAL | WARNING |
/// | OSU here, in service nowhere, or a peer does not tell | WARNING | WARNING | WARNING | WARNING |
/// | OSF here, in service nowhere, or a peer does not tell | CRITICAL | CRITICAL | CRITICAL | CRITICAL |
/// | ILLSTATE here, in service nowhere, or a peer does not tell | WARNING | WARNING | CRITICAL | CRITICAL |
/// | missing, stopped, silent, or without the resource | WARNING | WARNING | CRITICAL | CRITICAL |
///
/// While an action of the kit runs it is WARNING: what is seen then is on its way to something
/// else, and every action has an end. UNKNOWN is left for what keeps the plugin from looking.
pub(super) fn judge(verdict: Verdict, protection: &Protection) -> Plugin {
    let elsewhere = matches!(protection.elsewhere(), OtherSystems::On(_));
    match (&protection.here, verdict) {
        (_, Verdict::Unknown) => Plugin::Unknown,
        _ if verdict.is_changing() => Plugin::Warning,
        (LocalState::Known(State::Isp | State::Isu), _) if elsewhere => Plugin::Critical,
        (LocalState::Known(State::Isp), Verdict::Up) => Plugin::Ok,
        (LocalState::Known(State::Osu), Verdict::Stopped) if elsewhere => Plugin::Ok,
        (LocalState::Known(_), Verdict::Stopped) if elsewhere => Plugin::Warning,
        (LocalState::Known(_), _) if elsewhere => Plugin::Critical,
        (LocalState::Known(State::Osu), _) => Plugin::Warning,
        (LocalState::Known(State::Osf), _) => Plugin::Critical,
        _ if verdict.is_up() => Plugin::Warning,
        _ => Plugin::Critical,
    }
}

/// What the checks saw, behind the numbers under which the log and `dovecot-ark explain` have it. What a
/// stop came from, only the last action tells.
fn seen(report: &Report) -> String {
    let verdict = report.verdict();
    let last = report.last().map(|words| format!(", last action: {words}"));
    match (verdict, &report.action) {
        (_, Some(action)) => format!("{}: {action} is running", verdict.word()),
        (Verdict::Degraded, _) => {
            format!("degraded: {}", Remark::numbered(&report.look.warnings()).join("; "))
        }
        (Verdict::Failed | Verdict::Unknown, _) => {
            let number = Message::Fault.code();
            format!("{}: {number}: {}", verdict.word(), report.causes().join("; "))
        }
        (Verdict::Stopped, _) => format!("{}{}", verdict.word(), last.unwrap_or_default()),
        _ => verdict.word().to_owned(),
    }
}

/// What LifeKeeper says to it.
fn said(protection: &Protection, verdict: Verdict) -> String {
    let node = protection.node.as_deref().unwrap_or("this node");
    let state = match &protection.here {
        LocalState::Known(state) => *state,
        LocalState::Unprotected(cause) => return format!("nothing protects it: {cause}"),
        LocalState::NotKnown(cause) => {
            return format!("whether it is protected is not known: {cause}");
        }
    };
    let (word, meaning) = (state.word(), state.meaning());
    let runs = verdict.is_up() || verdict == Verdict::Failed;
    match (state.is_in_service(), protection.elsewhere()) {
        (true, OtherSystems::On(other)) => {
            format!("in service on {node} and on {other} at the same time")
        }
        (true, _) if state == State::Isp => format!("in service on {node}"),
        (true, _) => format!("{meaning} ({word}) on {node}"),
        (false, OtherSystems::On(other)) if runs => {
            format!("it must not run on {node}: in service on {other}")
        }
        (false, OtherSystems::On(other)) if state == State::Osu => {
            format!("standby, in service on {other}")
        }
        (false, OtherSystems::On(other)) => {
            format!("{meaning} ({word}) on {node}, in service on {other}")
        }
        (false, OtherSystems::Nowhere) => {
            format!("{meaning} ({word}) on {node}, in service nowhere")
        }
        (false, OtherSystems::NotKnown(cause)) => {
            format!("{meaning} ({word}) on {node}, and perhaps in service elsewhere: {cause}")
        }
    }
}

/// How many masters there are and how many connections came about, and how long each check took:
/// of the connections the longest, and the first of them each. `U` is what was not tried.
fn performance(look: &Look) -> String {
    let tried: Vec<&Attempt> =
        look.connections.iter().filter_map(|one| one.attempt.as_ref().ok()).collect();
    let all = look.connections.len();
    let (connected, longest) = match tried.iter().map(|attempt| attempt.took).max() {
        None => ("U".to_owned(), "U".to_owned()),
        Some(longest) => {
            let connected = tried.iter().filter(|attempt| attempt.outcome.is_ok()).count();
            (connected.to_string(), seconds(longest))
        }
    };
    let processes = look.checks.masters.len();
    let (process_time, service_time) = (seconds(look.process_time), seconds(look.service_time));
    let each = |one: &Connection| {
        let time =
            one.attempt.as_ref().map_or_else(|_| "U".to_owned(), |tried| seconds(tried.took));
        format!(" '{}'={time};;;0", one.endpoint)
    };
    let each: String = look.connections.iter().take(MAX_ENTRIES).map(each).collect();
    format!(
        "processes={processes};;;0 process_time={process_time};;;0 \
         connections={connected};;;0;{all} connection_time={longest};;;0 \
         service_time={service_time};;;0{each}"
    )
}

fn seconds(time: std::time::Duration) -> String {
    format!("{:.6}s", time.as_secs_f64())
}

/// The bar is the beginning of the performance data, and can be nothing else.
fn line(found: Plugin, text: &str, performance: &str) -> String {
    let word = match found {
        Plugin::Ok => "OK",
        Plugin::Warning => "WARNING",
        Plugin::Critical => "CRITICAL",
        Plugin::Unknown => "UNKNOWN",
    };
    let text = text.replace('|', "/");
    let bar = if performance.is_empty() { "" } else { " | " };
    format!("DOVECOT {word} - {text}{bar}{performance}\n")
}

#[cfg(test)]
mod tests {
    use super::super::protection::Peer;
    use super::super::tests::Scene;
    use super::*;
    use crate::command::End;
    use crate::dovecot::history::{self, Outcome};
    use crate::system::fake::Port;
    use std::time::Duration;

    const VERDICTS: [Verdict; 4] =
        [Verdict::Up, Verdict::Degraded, Verdict::Failed, Verdict::Stopped];

    fn peer(state: Result<State, String>) -> Peer {
        let (system, tag) = ("node2".into(), "dovecot".into());
        Peer { system, tag, alive: Some(state.is_ok()), state }
    }

    fn protection(here: LocalState, peers: Vec<Peer>) -> Protection {
        Protection { running: Some(true), node: Some("node1".into()), here, peers: Ok(peers) }
    }

    #[test]
    fn the_table_holds() {
        use Plugin::{Critical, Ok as Fine, Warning};
        use State::{Illstate, Isp, Isu, Osf, Osu};
        let dead = || vec![peer(Err("dead".into()))];
        let is = |state: State| vec![peer(Ok(state))];
        let known = LocalState::Known;
        let cause = || String::from("cause");
        let rows = [
            (known(Isp), vec![], [Fine, Warning, Critical, Critical]),
            (known(Isp), is(Osu), [Fine, Warning, Critical, Critical]),
            (known(Isp), is(Osf), [Fine, Warning, Critical, Critical]),
            (known(Isp), dead(), [Fine, Warning, Critical, Critical]),
            (known(Isu), is(Osu), [Warning, Warning, Critical, Critical]),
            (known(Isp), is(Isp), [Critical; 4]),
            (known(Isu), is(Isp), [Critical; 4]),
            (known(Osu), is(Isp), [Critical, Critical, Critical, Fine]),
            (known(Osu), is(Isu), [Critical, Critical, Critical, Fine]),
            (known(Osf), is(Isp), [Critical, Critical, Critical, Warning]),
            (known(Illstate), is(Isp), [Critical, Critical, Critical, Warning]),
            (known(Osu), vec![], [Warning; 4]),
            (known(Osu), is(Osu), [Warning; 4]),
            (known(Osu), is(Osf), [Warning; 4]),
            (known(Osu), dead(), [Warning; 4]),
            (known(Osu), [dead(), is(Isp)].concat(), [Critical, Critical, Critical, Fine]),
            (known(Osf), vec![], [Critical; 4]),
            (known(Osf), is(Osu), [Critical; 4]),
            (known(Osf), dead(), [Critical; 4]),
            (known(Illstate), is(Osu), [Warning, Warning, Critical, Critical]),
            (known(Illstate), dead(), [Warning, Warning, Critical, Critical]),
            (LocalState::Unprotected(cause()), vec![], [Warning, Warning, Critical, Critical]),
            (LocalState::NotKnown(cause()), vec![], [Warning, Warning, Critical, Critical]),
        ];
        for (here, peers, expected) in rows {
            let all = protection(here, peers);
            assert_eq!(VERDICTS.map(|verdict| judge(verdict, &all)), expected, "{all:?}");
            assert_eq!(judge(Verdict::Starting, &all), Warning, "{all:?}");
            assert_eq!(judge(Verdict::Stopping, &all), Warning, "{all:?}");
            assert_eq!(judge(Verdict::Unknown, &all), Plugin::Unknown, "{all:?}");
        }
        let lost = Protection { peers: Err(cause()), ..protection(known(Osu), vec![]) };
        assert_eq!(VERDICTS.map(|verdict| judge(verdict, &lost)), [Warning; 4]);
    }

    #[test]
    fn what_lifekeeper_says_is_told_in_words() {
        use State::{Illstate, Isp, Isu, Osf, Osu};
        let is = |state: State| vec![peer(Ok(state))];
        let known = LocalState::Known;
        let (up, stopped) = (Verdict::Up, Verdict::Stopped);
        for (here, peers, verdict, words) in [
            (known(Isp), is(Osu), up, "in service on node1"),
            (known(Isp), is(Isp), up, "in service on node1 and on node2 at the same time"),
            (known(Isu), vec![], up, "in service, unprotected (ISU) on node1"),
            (known(Osu), is(Isp), stopped, "standby, in service on node2"),
            (known(Osu), is(Isp), up, "it must not run on node1: in service on node2"),
            (
                known(Osf),
                is(Isp),
                stopped,
                "out of service after a failure (OSF) on node1, in service on node2",
            ),
            (
                known(Osu),
                vec![],
                up,
                "out of service on purpose (OSU) on node1, in service nowhere",
            ),
            (
                known(Osf),
                vec![peer(Err("LifeKeeper does not call it alive".into()))],
                stopped,
                "out of service after a failure (OSF) on node1, and perhaps in service elsewhere: \
                 node2: LifeKeeper does not call it alive",
            ),
            (
                known(Illstate),
                is(Osu),
                up,
                "no state set yet (ILLSTATE) on node1, in service nowhere",
            ),
            (
                LocalState::Unprotected("no cause".into()),
                vec![],
                up,
                "nothing protects it: no cause",
            ),
            (
                LocalState::NotKnown("no cause".into()),
                vec![],
                up,
                "whether it is protected is not known: no cause",
            ),
        ] {
            assert_eq!(said(&protection(here, peers), verdict), words);
        }
    }

    #[track_caller]
    fn assert_line(scene: &Scene, found: Plugin, expected: &str) {
        let (plugin, line) = plugin(&scene.report(), cli::Plugin::default());
        assert_eq!((plugin, &*line), (found, &*format!("{expected}\n")));
    }

    #[test]
    fn the_line_has_a_text_and_the_numbers() {
        let scene = Scene::protected();
        assert_line(
            &scene,
            Plugin::Ok,
            "DOVECOT OK - up; in service on node1 | processes=1;;;0 process_time=0.000000s;;;0 \
             connections=1;;;0;1 connection_time=0.001000s;;;0 service_time=0.010000s;;;0 \
             '127.0.0.1:143'=0.001000s;;;0",
        );

        let list = "APP_DOVECOT_IP_LIST='127.0.0.1:143:2 192.0.2.1:993:2'\n";
        scene.root.write("etc/default/LifeKeeper", list);
        scene.machine.state().ports.insert(993, Port::Silent);
        assert_line(
            &scene,
            Plugin::Critical,
            "DOVECOT CRITICAL - failed: ARK1101: 192.0.2.1:993: no connection after 2 s; in service on node1 \
             | processes=1;;;0 process_time=0.000000s;;;0 connections=1;;;0;2 \
             connection_time=2.000000s;;;0 service_time=0.010000s;;;0 \
             '127.0.0.1:143'=0.001000s;;;0 '192.0.2.1:993'=2.000000s;;;0",
        );

        let scene = Scene::protected();
        scene.machine.reply("status", |_| (End::Exited(0), Duration::MAX));
        assert_line(
            &scene,
            Plugin::Warning,
            "DOVECOT WARNING - degraded: ARK1109: no status, the verdict rests on process and ports: \
             `service dovecot status`: no end after 5 s; in service on node1 | processes=1;;;0 process_time=0.000000s;;;0 connections=1;;;0;1 \
             connection_time=0.001000s;;;0 service_time=5.000000s;;;0 \
             '127.0.0.1:143'=0.001000s;;;0",
        );
    }

    #[test]
    fn what_was_not_tried_has_no_number() {
        let untried = "connections=U;;;0;1 connection_time=U;;;0 service_time=0.010000s;;;0 \
                       '127.0.0.1:143'=U;;;0";
        let scene = Scene::protected();
        let _lock = scene.busy();
        assert_line(
            &scene,
            Plugin::Warning,
            &format!(
                "DOVECOT WARNING - stopping: remove, pid 4242 is running; in service on node1 | \
                 processes=1;;;0 process_time=0.000000s;;;0 {untried}"
            ),
        );
        let (found, line) = plugin(&Scene::stopped().report(), cli::Plugin::default());
        assert_eq!(found, Plugin::Critical);
        assert!(
            line.starts_with("DOVECOT CRITICAL - stopped; nothing protects it: looking"),
            "{line}"
        );
        assert!(
            line.ends_with(&format!(" | processes=0;;;0 process_time=0.000000s;;;0 {untried}\n"))
        );
    }

    #[test]
    fn a_certificate_that_ends_is_judged_by_the_limits_that_were_given() {
        use Plugin::{Critical, Ok as Fine, Warning};
        let limits = |warning, critical| cli::Plugin { timeout: None, warning, critical };
        for (days, given, found, range) in [
            (13, limits(None, None), Fine, ";;"),
            (14, limits(Some(14), Some(7)), Fine, ";14:;7:"),
            (13, limits(Some(14), Some(7)), Warning, ";14:;7:"),
            (6, limits(Some(14), Some(7)), Critical, ";14:;7:"),
            (-1, limits(Some(0), None), Warning, ";0:;"),
            (6, limits(None, Some(7)), Critical, ";;7:"),
        ] {
            assert_eq!(judge_certificate(days, given), found, "{days} {given:?}");
            assert_eq!(days_left(days, given), format!(" certificate_days={days}{range}"));
        }
        let scene = Scene::protected();
        let mut report = scene.report();
        let tried = report.look.connections[0].attempt.as_mut().expect("a try");
        tried.certificate = Some(3 * 24 * 60 * 60 + 5);
        let (found, line) = plugin(&report, limits(Some(14), None));
        let words =
            "DOVECOT WARNING - ARK1113: the certificate of 127.0.0.1:143 ends in 3 days; up; in";
        assert!(found == Warning && line.starts_with(words), "{line}");
        assert!(line.ends_with(" certificate_days=3;14:;\n"), "{line}");
        let (found, line) = plugin(&report, cli::Plugin::default());
        assert!(found == Fine && line.starts_with("DOVECOT OK - up; in"), "{line}");
        let tried = report.look.connections[0].attempt.as_mut().expect("a try");
        tried.certificate = Some(-1);
        let (_, line) = plugin(&report, limits(Some(0), None));
        assert!(line.contains("the certificate of 127.0.0.1:143 has ended; up"), "{line}");
    }

    #[test]
    fn what_a_stop_came_from_is_told() {
        let scene = Scene::protected();
        scene.machine.change(100, |master| master.state = 'Z');
        let (tag, root) = ("dovecot", scene.root.path());
        let fault = Outcome::Failed("no greeting".into());
        history::note(&scene.machine, root, "recover", tag, fault);
        let (found, line) = plugin(&scene.report(), cli::Plugin::default());
        assert_eq!(found, Plugin::Critical);
        assert!(
            line.starts_with("DOVECOT CRITICAL - stopped, last action: recover failed 20"),
            "{line}"
        );
        assert!(line.contains(": no greeting; in service on node1 | "), "{line}");
    }

    #[test]
    fn a_line_is_one_line_with_one_bar_and_fits_into_a_kilobyte() {
        let scene = Scene::protected();
        let pages = "a|b\n".repeat(1000);
        let long = "x".repeat(1000);
        scene.machine.reply("status", move |_| (End::NotRun(pages.clone()), Duration::ZERO));
        scene.machine.answer("ins_list -t dovecot", End::NotRun(long), Duration::ZERO, "");
        let (_, line) = plugin(&scene.report(), cli::Plugin::default());
        assert_eq!((line.matches('|').count(), line.lines().count()), (1, 1), "{line}");
        assert!(line.len() < 1024, "{}", line.len());
        assert_eq!(unknown("a|b\nc"), "DOVECOT UNKNOWN - a/b / c\n");
    }
}
