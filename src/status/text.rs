//! The status for people: the verdict, a row for each check, LifeKeeper's words.

use std::time::Duration;

use super::Report;
use super::look::{Connection, Look};
use super::protection::{Here, Peer, Protection};
use crate::dovecot::service::Status;
use crate::dovecot::verdict::Verdict;
use crate::text::one_line;

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
        Self { name: name.to_owned(), words: shortened(words, MAX_CAUSE) }
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
    lines.push(shortened(&lifekeeper(&report.protection), MAX_CAUSE));
    lines.extend(peers.into_iter().map(line));
    let warning = |cause: &String| format!("warning: {}", shortened(cause, MAX_CAUSE));
    lines.extend(report.warnings().iter().map(warning));
    lines.join("\n") + "\n"
}

/// Makes one line of a text, and cuts it where it is too long.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    let line = one_line(text);
    match line.char_indices().nth(longest) {
        None => line,
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
    }
}

fn verdict(report: &Report) -> String {
    let verdict = report.verdict();
    match (verdict, &report.action, &report.look.blind) {
        (_, Some(action), _) => format!("{}: {action} is running", verdict.word()),
        (Verdict::Unknown, _, Some(cause)) => format!("{}: {cause}", verdict.word()),
        _ => verdict.word().to_owned(),
    }
}

fn check_rows(look: &Look) -> Vec<Row> {
    let pids: Vec<_> = look.checks.masters.iter().map(|one| one.pid.to_string()).collect();
    let process = if pids.is_empty() {
        "not found".to_owned()
    } else {
        format!("found, pid {}", pids.join(", "))
    };
    let service = match &look.checks.status {
        Status::Alive => "alive".to_owned(),
        Status::Dead(cause) => format!("dead: {cause}"),
        Status::Unknown(cause) => format!("not known: {cause}"),
    };
    let mut rows = vec![Row::timed("process", Some(look.process_time), &process)];
    rows.extend(look.connections.iter().map(connection_row));
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

fn lifekeeper(protection: &Protection) -> String {
    let node = protection.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
    match &protection.here {
        Here::Known(state) => format!("LifeKeeper{node}: {}, {}", state.word(), state.meaning()),
        Here::Unprotected(cause) => format!("LifeKeeper{node}: nothing protects Dovecot: {cause}"),
        Here::NotKnown(cause) => format!("LifeKeeper{node}: not known: {cause}"),
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
    use crate::system::fake::Port;

    const SHORT: Duration = Duration::from_millis(10);

    #[track_caller]
    fn assert_text(scene: &Scene, lines: &[&str]) {
        let text = text(&scene.report());
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn all_that_is_known_stands_in_rows() {
        assert_text(
            &Scene::protected(),
            &[
                "dovecot: up",
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
                "warning: /etc/default/LifeKeeper line 1: APP_DOVECOT_WAIT=never: ready or fixed is \
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
    fn a_running_action_is_named() {
        let scene = Scene::protected();
        let _lock = scene.busy();
        let text = text(&scene.report());
        assert!(text.starts_with("dovecot: stopping: remove, pid 4242 is running\n"), "{text}");
        assert!(text.contains("  127.0.0.1:143         -  not tried: an action is running\n"));
    }

    #[test]
    fn the_pages_of_a_command_become_one_line_that_ends() {
        assert_eq!(shortened(" a\n\n b\x1b[m\n", 20), "a | b [m");
        assert_eq!(shortened(&"é".repeat(21), 20), format!("{}…", "é".repeat(20)));
        assert_eq!(shortened(&"é".repeat(20), 20), "é".repeat(20));
    }
}
