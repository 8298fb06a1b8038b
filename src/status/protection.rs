//! What LifeKeeper says of the resource, here and on the peers.
//!
//! It may be missing, stopped or hung: that is told, and nothing fails by it. Only one question
//! after the other is asked, each with a limit, so that all has an end.

use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::resources::Equivalent;
use crate::lifekeeper::state::State;
use crate::lifekeeper::tag::Tag;
use crate::system::System;

/// The longest that LifeKeeper may take for one answer. It takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// When no further peer is asked. A peer that hangs takes three answers' time at most.
const PEERS_LIMIT: Duration = Duration::from_secs(15);

/// What LifeKeeper says.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Protection {
    /// Whether it runs here; `None` when it does not say.
    pub(super) running: Option<bool>,
    /// Its name of this node.
    pub(super) node: Option<String>,
    /// The resource here.
    pub(super) here: LocalState,
    /// The resource on the other systems to which it was extended; or why they are not known.
    pub(super) peers: Result<Vec<Peer>, String>,
}

/// The resource on this node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum LocalState {
    /// It has this state.
    Known(State),
    /// Nothing protects Dovecot here, for this reason.
    Unprotected(String),
    /// Whether something does cannot be told, for this reason.
    NotKnown(String),
}

/// The resource on another system.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Peer {
    /// That system.
    pub(super) system: String,
    /// The tag there.
    pub(super) tag: String,
    /// Whether LifeKeeper calls that system alive; `None` when it was not asked.
    pub(super) alive: Option<bool>,
    /// The state there, or why it is not known.
    pub(super) state: Result<State, String>,
}

/// Where else than here the resource is in service.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum OtherSystems {
    /// On this system.
    On(String),
    /// On none.
    Nowhere,
    /// That cannot be told, for this reason.
    NotKnown(String),
}

impl Protection {
    /// Where else the resource is in service.
    pub(super) fn elsewhere(&self) -> OtherSystems {
        let peers = match &self.peers {
            Ok(peers) => peers,
            Err(cause) => return OtherSystems::NotKnown(cause.clone()),
        };
        let mut unknown = None;
        for Peer { system, state, .. } in peers {
            match state {
                Ok(state) if state.is_in_service() => return OtherSystems::On(system.clone()),
                Ok(_) => {}
                Err(cause) => unknown = Some(format!("{system}: {cause}")),
            }
        }
        unknown.map_or(OtherSystems::Nowhere, OtherSystems::NotKnown)
    }
}

/// Asks LifeKeeper for the resource. Takes at most 33 s.
pub(super) fn protection(system: &impl System, root: &Path, tag: &Tag) -> Protection {
    let start = system.now();
    let found = LifeKeeper::find(root).map(|found| found.within(PATIENCE));
    let running = found.and_then(|found| found.require_running(system).map(|()| found));
    let lifekeeper = match running {
        Ok(running) => running,
        Err(cause @ (Error::NoLifeKeeper(_) | Error::LifeKeeperDown)) => {
            let here = LocalState::Unprotected(cause.to_string());
            return Protection { running: Some(false), node: None, here, peers: Ok(Vec::new()) };
        }
        Err(cause) => {
            let here = LocalState::NotKnown(cause.to_string());
            return Protection { running: None, node: None, here, peers: Ok(Vec::new()) };
        }
    };
    let node = lifekeeper.node(system).ok();
    let here = match lifekeeper.instance(system, None, tag.as_str()) {
        Ok(Some(found)) => LocalState::Known(found.state),
        Ok(None) => {
            LocalState::Unprotected(format!("LifeKeeper has no resource {tag} on this node"))
        }
        Err(cause) => LocalState::NotKnown(cause.to_string()),
    };
    let known = match here {
        LocalState::Known(_) => lifekeeper.equivalents(system, tag),
        LocalState::Unprotected(_) | LocalState::NotKnown(_) => Ok(Vec::new()),
    };
    let peer = |one| peer(system, &lifekeeper, start, one);
    let peers = known.map(|known| known.into_iter().map(peer).collect());
    let peers = peers.map_err(|cause| cause.to_string());
    Protection { running: Some(true), node, here, peers }
}

/// Asks for the resource on another system, if there is time.
fn peer(
    system: &impl System,
    lifekeeper: &LifeKeeper,
    start: Duration,
    Equivalent { system: name, tag }: Equivalent,
) -> Peer {
    let late = system.now().saturating_sub(start) >= PEERS_LIMIT;
    let alive = (!late).then(|| lifekeeper.is_alive(system, &name));
    let state = match alive {
        None => Err("not asked: LifeKeeper takes too long".to_owned()),
        Some(false) => Err("LifeKeeper does not call it alive".to_owned()),
        Some(true) => match lifekeeper.instance(system, Some(&name), &tag) {
            Ok(Some(found)) => Ok(found.state),
            Ok(None) => Err(format!("LifeKeeper has no resource {tag} there")),
            Err(cause) => Err(cause.to_string()),
        },
    };
    Peer { system: name, tag, alive, state }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::command::End;
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;

    const SHORT: Duration = Duration::from_millis(5);

    fn tag() -> Tag {
        Tag::parse("dovecot").expect("a tag")
    }

    fn instance(node: &str, tag: &str, state: &str) -> String {
        [node, "gen", "app", tag, tag, "", state, "reason"].join("\u{1}") + "\n"
    }

    /// Installs a LifeKeeper that knows the resource here as ISP, and on node2 under another tag.
    pub(in crate::status) fn install(root: &TestRoot, machine: &Machine) {
        root.write_program("opt/LifeKeeper/bin/ins_list");
        let say = |line: &str, text: &str| machine.answer(line, End::Exited(0), SHORT, text);
        say("lktest", "");
        say("lcduname", "node1\n");
        say("ins_list -t dovecot", &instance("node1", "dovecot", "ISP"));
        say("eqv_list -t dovecot", "node1\u{1}dovecot\u{1}node2\u{1}mail2\u{1}1\u{1}10\n");
        say("sys_getst -s node2", "ALIVE\n");
        say("ins_list -d node2 -t mail2", &instance("node2", "mail2", "OSU"));
    }

    fn ask(machine: &Machine, root: &TestRoot) -> Protection {
        protection(machine, root.path(), &tag())
    }

    #[test]
    fn the_resource_is_asked_for_here_and_by_its_own_tag_on_each_peer() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        install(&root, &machine);
        let found = ask(&machine, &root);
        assert_eq!((found.running, found.node.as_deref()), (Some(true), Some("node1")));
        assert_eq!(found.here, LocalState::Known(State::Isp));
        let peer = Peer {
            system: "node2".into(),
            tag: "mail2".into(),
            alive: Some(true),
            state: Ok(State::Osu),
        };
        assert_eq!(found.peers, Ok(vec![peer]));
        assert_eq!(found.elsewhere(), OtherSystems::Nowhere);
        assert!(machine.now() < Duration::from_millis(50), "{:?}", machine.now());
    }

    #[test]
    fn what_lifekeeper_cannot_say_is_told_and_no_error() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let missing = ask(&machine, &root);
        assert_eq!(missing.running, Some(false));
        let LocalState::Unprotected(cause) = missing.here else { panic!("{missing:?}") };
        assert!(cause.starts_with("looking for LifeKeeper: /opt/LifeKeeper has no "), "{cause}");
        assert_eq!(machine.deeds(), [""; 0]);

        for (line, end, text, running, here) in [
            (
                "lktest",
                End::Exited(1),
                "",
                Some(false),
                LocalState::Unprotected(Error::LifeKeeperDown.to_string()),
            ),
            (
                "lktest",
                End::NotRun("starting lktest: no such file".into()),
                "",
                None,
                LocalState::NotKnown("running `lktest`: starting lktest: no such file".into()),
            ),
            (
                "ins_list -t dovecot",
                End::Exited(7),
                "",
                Some(true),
                LocalState::Unprotected("LifeKeeper has no resource dovecot on this node".into()),
            ),
            (
                "ins_list -t dovecot",
                End::Exited(0),
                "what?",
                Some(true),
                LocalState::NotKnown(
                    "reading what `ins_list -t dovecot` says: \"what?\" is not understood".into(),
                ),
            ),
        ] {
            let (root, machine) = (TestRoot::new(), Machine::new());
            install(&root, &machine);
            machine.answer(line, end, SHORT, text);
            let found = ask(&machine, &root);
            assert_eq!((found.running, found.here), (running, here), "{line}");
            assert_eq!(found.peers, Ok(vec![]), "{line}");
        }
    }

    #[test]
    fn a_dead_peer_is_not_asked_and_a_silent_one_is_given_up() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        install(&root, &machine);
        machine.answer("sys_getst -s node2", End::Exited(0), SHORT, "DEAD\n");
        let found = ask(&machine, &root);
        let cause = "node2: LifeKeeper does not call it alive";
        assert_eq!(found.elsewhere(), OtherSystems::NotKnown(cause.into()));
        assert_eq!(machine.count("ins_list -d node2 -t mail2"), 0);

        install(&root, &machine);
        machine.answer("ins_list -d node2 -t mail2", End::Exited(0), Duration::MAX, "");
        let cause = "node2: running `ins_list -d node2 -t mail2`: no end after 5 s";
        assert_eq!(ask(&machine, &root).elsewhere(), OtherSystems::NotKnown(cause.into()));

        machine.answer("eqv_list -t dovecot", End::Exited(0), SHORT, "what?");
        let OtherSystems::NotKnown(cause) = ask(&machine, &root).elsewhere() else { panic!() };
        assert!(cause.contains("`eqv_list -t dovecot`"), "{cause}");

        machine.answer("eqv_list -t dovecot", End::Exited(1), SHORT, "");
        machine.answer("eqv_list", End::Exited(0), SHORT, "");
        assert_eq!(ask(&machine, &root).peers, Ok(vec![]), "it was not extended");
    }

    #[test]
    fn many_slow_peers_have_an_end_together() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        install(&root, &machine);
        let line = |n: u8| format!("node1\u{1}dovecot\u{1}node{n}\u{1}dovecot\n");
        let all: String = (2..=32).map(line).collect();
        machine.answer("eqv_list -t dovecot", End::Exited(0), SHORT, &all);
        let slow = Duration::from_millis(4900);
        machine.answer("sys_getst", End::Exited(0), slow, "ALIVE\n");
        machine.answer("ins_list", End::Exited(0), slow, &instance("any", "dovecot", "OSU"));
        let peers = ask(&machine, &root).peers.expect("peers");
        let last = peers.last().expect("31 peers");
        assert_eq!((last.alive, peers.len()), (None, 31));
        assert_eq!(last.state, Err("not asked: LifeKeeper takes too long".into()));
        assert!(machine.now() < Duration::from_secs(33), "{:?}", machine.now());
    }
}
