//! The status for people: the verdict, a row for each check, LifeKeeper's words.

use std::time::Duration;

use super::protection::{LocalState, Peer, Protection};
use super::{Report, plugin};
use crate::dovecot::login::Login;
use crate::dovecot::look::{Connection, Look};
use crate::dovecot::service::Status;
use crate::dovecot::verdict::Verdict;
use crate::exit::Plugin;
use crate::log::readable;
use crate::messages::Remark;
use crate::show::{self, Tone};
use crate::text::{cut, list, one_line};

/// The longest cause that is shown, in characters. The words of a service command may fill pages;
/// the JSON form has all that is kept of them.
const MAX_CAUSE: usize = 300;

/// What is known of one thing.
struct Row {
    name: String,
    words: String,
}

impl Row {
    fn new(name: &str, words: &str) -> Self {
        Self { name: name.to_owned(), words: cut(&one_line(words), MAX_CAUSE) }
    }

    /// A row with a column for the time that something took, if it was done.
    fn timed(name: &str, took: Option<Duration>, words: &str) -> Self {
        let time = took.map_or("-".to_owned(), |took| format!("{:.3} s", took.as_secs_f64()));
        let Self { name, words } = Self::new(name, words);
        Self { name, words: format!("{time:>8}  {words}") }
    }
}

/// Writes the status, with an end of line after each.
pub(super) fn text(report: &Report) -> String {
    let checks = check_rows(&report.look);
    let peers = peer_rows(report);
    let width = |rows: &[Row]| rows.iter().map(|row| row.name.chars().count()).max();
    let width = width(&checks).max(width(&peers)).unwrap_or_default();
    let line = |row: Row| format!("  {:width$}  {}", row.name, row.words);

    let mut lines = vec![format!("{}: {}", report.tag, verdict(report))];
    lines.extend(checks.into_iter().map(line));
    lines.extend(report.last().map(|words| format!("last action: {}", cut(&words, MAX_CAUSE))));
    lines.push(cut(&one_line(&lifekeeper(&report.protection)), MAX_CAUSE));
    lines.extend(peers.into_iter().map(line));
    let warning = |remark: &Remark| {
        let text = cut(&one_line(&remark.text), MAX_CAUSE);
        show::warned(&Remark { text, ..*remark })
    };
    lines.extend(report.warnings().iter().map(warning));
    lines.join("\n") + "\n"
}

fn verdict(report: &Report) -> String {
    let verdict = report.verdict();
    let since = report.since.as_deref().map(readable).map(|time| format!(" since {time}"));
    let word = show::toned(tone(report), verdict.word()) + &since.unwrap_or_default();
    match (verdict, &report.action, &report.look.blind) {
        (_, Some(action), _) => format!("{word}: {action} is running"),
        (Verdict::Unknown, _, Some(cause)) => format!("{word}: {cause}"),
        _ => word,
    }
}

/// How the verdict looks: as a monitoring system would judge it, so that a standby is no alarm.
fn tone(report: &Report) -> Tone {
    match plugin::judge(report.verdict(), &report.protection) {
        Plugin::Ok => Tone::Good,
        Plugin::Warning | Plugin::Unknown => Tone::Odd,
        Plugin::Critical => Tone::Bad,
    }
}

fn check_rows(look: &Look) -> Vec<Row> {
    let process = match list(look.checks.masters.iter().map(|one| one.pid)) {
        none if none.is_empty() => "not found".to_owned(),
        pids => format!("found, pid {pids}"),
    };
    let service = match &look.checks.status {
        Status::Alive => "alive".to_owned(),
        Status::Dead(cause) => format!("dead: {cause}"),
        Status::Unknown(cause) => format!("not known: {cause}"),
    };
    let mut rows = vec![Row::timed("process", Some(look.process_time), &process)];
    rows.extend(look.connections.iter().map(connection_row));
    rows.extend(look.checks.login.as_ref().map(login_row));
    rows.push(Row::timed("service", Some(look.service_time), &service));
    rows
}

fn connection_row(Connection { endpoint, attempt }: &Connection) -> Row {
    let words = match attempt.as_ref().map(|tried| &tried.outcome) {
        Ok(Ok(())) => "connected".to_owned(),
        Ok(Err(cause)) if cause.tells_nothing() => cause.to_string(),
        Ok(Err(cause)) => format!("failed: {cause}"),
        Err(cause) => format!("not tried: {cause}"),
    };
    let took = attempt.as_ref().ok().map(|tried| tried.took);
    Row::timed(&endpoint.to_string(), took, &words)
}

fn login_row(login: &Login) -> Row {
    let words = match login {
        Login::Passed(_) => "passed".to_owned(),
        Login::Warned(cause) => format!("no fault: {cause}"),
        Login::Failed(cause) => format!("failed: {cause}"),
    };
    Row::timed("login", None, &words)
}

fn lifekeeper(protection: &Protection) -> String {
    let node = protection.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
    match &protection.here {
        LocalState::Known(state) => {
            format!("LifeKeeper{node}: {}, {}", state.word(), state.meaning())
        }
        LocalState::Unprotected(cause) => {
            format!("LifeKeeper{node}: nothing protects Dovecot: {cause}")
        }
        LocalState::NotKnown(cause) => format!("LifeKeeper{node}: not known: {cause}"),
    }
}

fn peer_rows(report: &Report) -> Vec<Row> {
    let peers = match &report.protection.peers {
        Ok(peers) => peers,
        Err(cause) => return vec![Row::new("peers", &format!("not known: {cause}"))],
    };
    let row = |peer: &Peer| {
        let same = peer.tag == report.tag.as_str();
        let tag = if same { String::new() } else { format!(", there with tag {}", peer.tag) };
        let words = match &peer.state {
            Ok(state) => format!("{}, {}{tag}", state.word(), state.meaning()),
            Err(cause) => format!("not known: {cause}{tag}"),
        };
        Row::new(&peer.system, &words)
    };
    peers.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::Scene;
    use super::*;
    use crate::command::End;
    use crate::dovecot::history::{self, Outcome};
    use crate::system::fake::Port;

    const SHORT: Duration = Duration::from_millis(10);

    /// What is seen where no colours are.
    fn plain(report: &Report) -> String {
        anstream::adapter::strip_str(&text(report)).to_string()
    }

    #[track_caller]
    fn assert_text(scene: &Scene, lines: &[&str]) {
        let mut report = scene.report();
        if let Some(since) = &mut report.since {
            "2026-11-29T03:10:02+09:00".clone_into(since);
        }
        let text = plain(&report);
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn all_that_is_known_stands_in_rows() {
        assert_text(
            &Scene::protected(),
            &[
                "dovecot: up since 2026-11-29 03:10:02",
                "  process         0.000 s  found, pid 100",
                "  127.0.0.1:143   0.001 s  connected",
                "  service         0.010 s  alive",
                "LifeKeeper on node1: ISP, in service, protected",
                "  node2          OSU, out of service on purpose, there with tag mail2",
            ],
        );
    }

    #[test]
    fn what_is_wrong_stands_where_it_was_seen() {
        let scene = Scene::protected();
        scene.root.write("etc/default/LifeKeeper", "APP_DOVECOT_WAIT=never\n");
        scene.machine.state().ports.insert(143, Port::Refusing);
        scene.machine.reply("status", |_| (End::Exited(3), SHORT));
        scene.say("sys_getst -s node2", "DEAD\n");
        assert_text(
            &scene,
            &[
                "dovecot: failed",
                "  process         0.000 s  found, pid 100",
                "  127.0.0.1:143   0.001 s  failed: connection refused",
                "  service         0.010 s  dead: `service dovecot status`: exit status 3",
                "LifeKeeper on node1: ISP, in service, protected",
                "  node2          not known: LifeKeeper does not call it alive, there with tag mail2",
                "warning: ARK2006: /etc/default/LifeKeeper line 1: APP_DOVECOT_WAIT=never: ready or fixed is \
                 expected; ready is used",
            ],
        );
    }

    #[test]
    fn a_stopped_dovecot_that_nothing_protects_is_told_too() {
        let scene = Scene::stopped();
        scene.root.write("etc/default/LifeKeeper", "");
        let cause = "looking for LifeKeeper: /opt/LifeKeeper has no bin/ins_list; is LifeKeeper \
                     installed, and is LKROOT in /etc/default/LifeKeeper right?";
        assert_text(
            &scene,
            &[
                "dovecot: stopped",
                "  process         0.000 s  not found",
                "  127.0.0.1:143         -  not tried: no process",
                "  service         0.010 s  dead: `service dovecot status`: exit status 3",
                &format!("LifeKeeper: nothing protects Dovecot: {cause}"),
            ],
        );
    }

    #[test]
    fn the_last_action_and_the_time_of_a_fault_are_told() {
        let scene = Scene::stopped();
        let text = |outcome| {
            history::note(&scene.machine, scene.root.path(), "recover", "dovecot", outcome);
            plain(&scene.report())
        };
        let killed = text(Outcome::Begun);
        assert!(killed.starts_with("dovecot: stopped\n"), "{killed}");
        let line = |text: &str, word: &str| {
            text.lines().any(|line| line.starts_with("last action: recover") && line.contains(word))
        };
        assert!(line(&killed, ", was killed"), "{killed}");
        let failed = text(Outcome::Failed("starting Dovecot: \u{202e}x".into()));
        assert!(failed.starts_with("dovecot: stopped since 20"), "{failed}");
        assert!(line(&failed, ": starting Dovecot: \\u{202e}x"), "{failed}");
        assert!(line(&text(Outcome::Done), " succeeded 20"));
    }

    #[test]
    fn a_look_at_a_mailbox_has_a_row() {
        let row = |login: Login| login_row(&login).words;
        assert_eq!(row(Login::Passed(None)), "       -  passed");
        assert_eq!(row(Login::Warned("x".into())), "       -  no fault: x");
        assert_eq!(row(Login::Failed("x".into())), "       -  failed: x");
        let scene = Scene::protected();
        scene.root.write("etc/default/LifeKeeper", "APP_DOVECOT_PROBE=login\n");
        let text = text(&scene.report());
        assert!(
            text.contains("\n  login                 -  no fault: no login was tried: "),
            "{text}"
        );
    }

    #[test]
    fn a_running_action_is_named() {
        let scene = Scene::protected();
        let _lock = scene.busy();
        let text = plain(&scene.report());
        assert!(text.starts_with("dovecot: stopping: remove, pid 4242 is running\n"), "{text}");
        assert!(text.contains("  127.0.0.1:143         -  not tried: an action is running\n"));
    }
}
