//! What it takes to put a resource that other programs serve, such as those of the original kit,
//! into this kit's hands while Dovecot goes on.
//!
//! The standby nodes come first: nothing runs their programs. On the node that serves, LifeKeeper
//! leaves the resource alone while its programs are replaced, and the new quickCheck must have said
//! that Dovecot is in operation before LifeKeeper calls it: one that said otherwise would restart
//! it.

use super::block;
use super::peer::Peer;
use super::programs;
use super::record::{Record, TakeOver};
use super::resource::{Resource, is_application};
use super::step::Step;
use crate::cli::Install;
use crate::dovecot::checks::{self, Thoroughness};
use crate::dovecot::identity;
use crate::dovecot::notes::Notes;
use crate::error::{Error, refused};
use crate::lifekeeper::copies::Copy;
use crate::lifekeeper::defaults;
use crate::lifekeeper::resources::Instance;
use crate::lifekeeper::state::State;
use crate::messages::{Message, Remark};
use crate::settings::{self, Settings};
use crate::system::System;

/// The steps, and what was found of the resource.
pub(super) struct Plan {
    pub(super) found: Instance,
    pub(super) steps: Vec<Step>,
    pub(super) warnings: Vec<Remark>,
}

/// Plans the taking over of a resource, and notes it in the record. The defaults file will hold
/// `file`.
///
/// # Errors
///
/// Whatever stands against it.
pub(super) fn plan<S: System>(
    resource: &Resource<'_, S>,
    what: &Install,
    file: &[u8],
    record: &mut Record,
    prepared: Option<&Record>,
) -> Result<Plan, Error> {
    let Resource { system, root, lifekeeper, tag } = *resource;
    let refuse = |cause: String| Err(refused!(Message::NotTakenOver, "taking {tag} over: {cause}"));
    let Some(found) = resource.look()? else {
        return refuse(
            "LifeKeeper has no such resource; leave --take-over off to create it".into(),
        );
    };
    if !is_application(&found) {
        return refuse(format!("it is of type {}/{}, not gen/app", found.app, found.kind));
    }
    if let Some(Copy { action, .. }) = lifekeeper.copies(tag).iter().find(|it| it.path.is_none()) {
        return refuse(format!("it has no program for {action}, and all four are needed"));
    }
    let all = programs::of(resource);
    let (ours, foreign) = programs::parted(&all)?;
    let noted = record.taken(tag);
    if let ([_, ..], [odd, ..], None) = (&*ours, &*foreign, noted) {
        // No old ones would be kept for ours: the resource could not be given back.
        return refuse(format!(
            "{} of its programs are this kit's already; make all of them so: {}",
            ours.len(),
            odd.cure()
        ));
    }
    if foreign.is_empty() && noted.is_none() && !what.standby {
        return refuse("it is this kit's already; leave --take-over off".into());
    }
    let prepared = prepared.is_some_and(|record| record.has(tag));
    let taken = noted.unwrap_or(TakeOver { paused: false, prepared });
    let mut plan = Plan { found, steps: Vec::new(), warnings: Vec::new() };
    if what.standby {
        if plan.found.state.is_in_service() {
            return refuse("it is in service on this node; leave --standby off".into());
        }
        if !foreign.is_empty() {
            record.note_taken(tag, Some(taken));
            plan.steps.push(Step::Programs(foreign));
        }
        return Ok(plan);
    }
    match plan.found.state {
        State::Isp | State::Osu | State::Osf => {}
        state => return refuse(format!("it is {state}; bring it into service, or take it out")),
    }
    if let Some(node) = resource.serves_elsewhere()? {
        return refuse(format!("it is in service on {node}; run this there"));
    }
    take_over_elsewhere(resource, what, &mut plan)?;
    let is_served = !identity::living_masters(system, root)?.is_empty();
    let serves = plan.found.state == State::Isp || taken.paused && is_served;
    if taken.paused && !serves {
        let text = format!(
            "{tag} was marked OSU by a run that was killed, and Dovecot does not run here; bring it \
             into service: perform_action -t {tag} -a restore"
        );
        plan.warnings.push(Remark::new(Message::LeftMarked, text));
    }
    let changes = !foreign.is_empty() || serves && taken.paused;
    record.note_taken(tag, Some(TakeOver { paused: serves && changes, ..taken }));
    if serves && changes {
        require_operation(resource, file)?;
        plan.steps.extend([Step::Pause, Step::Programs(all), Step::Check, Step::Resume]);
    } else if changes {
        plan.steps.push(Step::Programs(foreign));
    }
    Ok(plan)
}

/// Adds what is to be done on the other nodes; all of them must be alive.
fn take_over_elsewhere<S: System>(
    resource: &Resource<'_, S>,
    what: &Install,
    plan: &mut Plan,
) -> Result<(), Error> {
    let Resource { system, lifekeeper, tag, .. } = *resource;
    for other in lifekeeper.equivalents(system, tag)? {
        let node = &other.system;
        if !lifekeeper.is_alive(system, node) {
            return Err(refused!(
                Message::NotTakenOver,
                "taking {tag} over: LifeKeeper does not call {node} alive, and all nodes of the \
                 resource must be"
            ));
        }
        let seconds = what.quickcheck_timeout;
        let mut options = seconds.map_or(String::new(), |it| format!(" --quickcheck-timeout={it}"));
        if what.restart {
            options.push_str(" --restart");
        }
        let mut peer = Peer::new(node, &other.tag, options)?;
        plan.warnings.extend(peer.ask(resource)?);
        if !peer.plan.is_empty() {
            plan.steps.push(Step::Peer(peer));
        }
    }
    Ok(())
}

/// Makes sure that the new quickCheck will find Dovecot in operation, with the defaults file as it
/// will be. A wrong no costs a person a look at the parameters; a wrong yes costs the users their
/// connections, for LifeKeeper would call recover.
fn require_operation<S: System>(resource: &Resource<'_, S>, file: &[u8]) -> Result<(), Error> {
    let Resource { system, root, tag, .. } = *resource;
    let found = defaults::from_bytes(file, settings::PREFIX, &settings::KEYS);
    let (settings, _): (Settings, _) = settings::understand(found);
    let notes = Notes::read(system, root);
    let checks =
        checks::check(system, &settings, root, &notes, Thoroughness::Twice, checks::LIMIT)?;
    if checks.in_operation() {
        return Ok(());
    }
    Err(refused!(
        Message::TakenForFault,
        "taking {tag} over: this kit would call Dovecot out of operation, and LifeKeeper would \
         recover it: {}; fix that, or write {}=connect, which asks for a connection alone as the \
         original kit",
        checks.causes().join("; "),
        settings::PROBE
    ))
}

/// What the defaults file will hold.
pub(super) fn file_after(file: &[u8], steps: &[Step]) -> Vec<u8> {
    let entries = steps.iter().find_map(|step| match step {
        Step::Entries { entries, .. } => Some(entries),
        _ => None,
    });
    entries.map_or_else(|| file.to_vec(), |entries| block::add(file, entries))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::Duration;

    use super::*;
    use crate::cli::Uninstall;
    use crate::command::{Command, End};
    use crate::install::{self, record};
    use crate::lifekeeper::installation::LifeKeeper;
    use crate::lifekeeper::tag::Tag;
    use crate::process::Process;
    use crate::system::fake::{Machine, Port, child};
    use crate::test_root::TestRoot;

    const TOOK: Duration = Duration::from_millis(5);
    const REASON: &str = "dovecot-ark: the programs of the resource are replaced";
    const REASON_AFTER: &str = "in service all the time; its programs were replaced";
    const TEXTS: [(&str, &str); 4] = [
        ("restore", include_str!("../../installer/restore")),
        ("remove", include_str!("../../installer/remove")),
        ("quickCheck", include_str!("../../installer/quickCheck")),
        ("recover", include_str!("../../installer/recover")),
    ];
    /// Bytes that are no UTF-8.
    const OLD: &[u8] = b"#!/bin/bash\n# \x83\x81\x81[\x83\x8b\nservice dovecot start\n";

    fn copy(action: &str) -> String {
        let directory = if action == "recover" { "recovery" } else { "actions" };
        format!("opt/LifeKeeper/subsys/gen/resources/app/{directory}/!{action}/dovecot")
    }

    fn listed(state: &str, tag: &str) -> String {
        ["node1", "gen", "app", tag, "id", "", state, "", "\n"].join("\u{1}")
    }

    fn mark(state: &str) -> String {
        let reason = if state == "ISP" { REASON_AFTER } else { REASON };
        format!("ins_setstate -t dovecot -S {state} -R {reason}")
    }

    fn lay_old(root: &TestRoot, action: &str) {
        root.write(&copy(action), "");
        let path = root.path().join(copy(action));
        fs::write(&path, OLD).expect("the old one");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).expect("a mode");
    }

    /// A node whose Dovecot another kit protects.
    fn node() -> (TestRoot, Machine) {
        let (root, machine) = install::tests::node_with(Machine::running());
        for (action, text) in TEXTS {
            lay_old(&root, action);
            root.write_program(&format!("usr/lib/dovecot-ark/{action}"));
            fs::write(root.path().join(format!("usr/lib/dovecot-ark/{action}")), text)
                .expect("ours");
        }
        machine.answer("ins_list -t dovecot", End::Exited(0), TOOK, &listed("ISP", "dovecot"));
        for state in ["ISP", "OSU"] {
            machine.answer(&mark(state), End::Exited(0), TOOK, "");
            machine.effect(&mark(state), move |machine| {
                let line = listed(state, "dovecot");
                machine.answer("ins_list -t dovecot", End::Exited(0), TOOK, &line);
            });
        }
        (root, machine)
    }

    fn wanted() -> Install {
        Install { take_over: true, no_start: false, ..install::tests::wanted() }
    }

    fn take_over(root: &TestRoot, machine: &Machine, what: &Install) -> Result<(), String> {
        let done = install::install(machine, root.path(), what);
        done.map(drop).map_err(|cause| cause.to_string())
    }

    fn give_back(root: &TestRoot, machine: &Machine, hand_back: bool) -> Result<(), String> {
        let tag = Tag::parse("dovecot").expect("a tag");
        let what = Uninstall { tag, dry_run: false, yes: true, use_ins_remove: false, hand_back };
        let done = install::uninstall(machine, root.path(), &what);
        done.map(drop).map_err(|cause| cause.to_string())
    }

    /// What LifeKeeper shows.
    fn state(machine: &Machine) -> String {
        let command = Command::new("/x/ins_list".into(), &["-t", "dovecot"]);
        let ended = machine.run(&command, TOOK * 2);
        ended.answer.split('\u{1}').nth(6).unwrap_or_default().to_owned()
    }

    /// What is left of the node when all is as it was.
    fn assert_untouched(root: &TestRoot, machine: &Machine, doing: &str) {
        for (action, _) in TEXTS {
            let path = root.path().join(copy(action));
            let mode = fs::metadata(&path).expect("the copy").permissions().mode() & 0o7777;
            assert_eq!((fs::read(&path).expect("it"), mode), (OLD.to_vec(), 0o750), "{doing}");
        }
        assert_eq!(state(machine), "ISP", "{doing}");
        assert!(!root.path().join("var/lib/dovecot-ark").exists(), "{doing}");
        let settings = fs::read_to_string(root.path().join(defaults::FILE)).expect("the settings");
        assert_eq!(settings, "LKROOT=/opt/LifeKeeper\n", "{doing}");
        assert_eq!(machine.masters(), [100], "{doing}");
    }

    #[test]
    fn all_is_done_in_its_order_and_given_back_byte_for_byte() {
        let (root, machine) = node();
        take_over(&root, &machine, &wanted()).expect("taken over");
        for (action, text) in TEXTS {
            let path = root.path().join(copy(action));
            assert_eq!(fs::read_to_string(&path).expect("it"), text);
            assert_eq!(fs::metadata(&path).expect("it").permissions().mode() & 0o7777, 0o755);
        }
        let deeds = machine.deeds();
        let at = |deed: &str| deeds.iter().position(|one| *one == deed).expect(deed);
        let order =
            [mark("OSU"), "dovecot -t dovecot -i id".to_owned(), mark("ISP")].map(|it| at(&it));
        assert!(order.is_sorted(), "{deeds:#?}");
        let noted = Record::read(root.path()).expect("it").expect("a record");
        assert_eq!(noted.taken(&wanted().tag), Some(TakeOver { paused: false, prepared: false }));

        let marks = machine.count(&mark("OSU"));
        take_over(&root, &machine, &wanted()).expect("nothing to do");
        assert_eq!(machine.count(&mark("OSU")), marks, "it is left alone");
        give_back(&root, &machine, false).expect("given back");
        assert_untouched(&root, &machine, "given back");
    }

    #[test]
    fn a_resource_of_others_of_which_nothing_is_noted_is_nothing_to_give_back() {
        let (root, machine) = node();
        give_back(&root, &machine, false).expect("given back by the run on another node");
        assert_untouched(&root, &machine, "nothing to do");
        let (action, text) = TEXTS[1];
        fs::write(root.path().join(copy(action)), text).expect("one of ours among them");
        let error = give_back(&root, &machine, false).expect_err("a refusal");
        assert!(
            error.starts_with("uninstalling dovecot: LifeKeeper has one that is not"),
            "{error}"
        );
        assert!(!error.contains("choose another tag"), "that is install's advice: {error}");
    }

    #[test]
    fn whatever_fails_all_before_it_is_undone() {
        type Break = fn(&TestRoot, &Machine);
        let kept: Break = |root, _| {
            root.write("var/lib/dovecot-ark/taken-over/dovecot/recover/x", "in the way");
        };
        let cases: [(&str, Break, &str); 5] = [
            (
                "the mark is refused",
                |_, machine| machine.complain(&mark("OSU"), End::Exited(3), "no"),
                "ins_setstate",
            ),
            (
                "the mark is not seen",
                |_, machine| machine.effect(&mark("OSU"), |_| {}),
                "marking dovecot OSU: LifeKeeper has it ISP",
            ),
            ("one is not kept", kept, "recover: Is a directory"),
            (
                "the check fails",
                |_, machine| machine.answer("dovecot -t dovecot -i id", End::Exited(1), TOOK, "no"),
                "checking Dovecot with the new quickCheck: exit status 1: no",
            ),
            (
                "a check hangs",
                |_, machine| {
                    machine.add(Process { users: [0; 3], ..child(70, "bash") }, 1, 70);
                    let words = vec!["/bin/bash".into(), format!("/{}", copy("quickCheck"))];
                    machine.show(70, |more| more.words = words);
                },
                "waiting for the quickCheck of dovecot: pid 70 (bash, state S) still runs after 120 s",
            ),
        ];
        for (doing, set, cause) in cases {
            let (root, machine) = node();
            set(&root, &machine);
            let error = take_over(&root, &machine, &wanted()).expect_err(doing);
            assert!(error.contains(cause), "{doing}: {error}");
            let left = root.path().join("var/lib/dovecot-ark/taken-over/dovecot/recover");
            let _ = fs::remove_dir_all(left.ancestors().nth(3).unwrap_or(&left));
            assert_untouched(&root, &machine, doing);
        }
    }

    #[test]
    fn a_run_that_is_asked_to_end_undoes_what_it_has_done_whenever_that_is() {
        let (mut finished, mut undone) = (0, 0);
        for at in 0..200 {
            let (root, machine) = node();
            machine.state().interrupted = Some(Duration::from_millis(at * 7));
            match take_over(&root, &machine, &wanted()) {
                // It came too late.
                Ok(()) => finished += 1,
                Err(cause) => {
                    assert!(cause.ends_with(": interrupted by a signal"), "{at}: {cause}");
                    assert_untouched(&root, &machine, &format!("interrupted at {at}"));
                    undone += 1;
                }
            }
            assert_eq!(state(&machine), "ISP", "{at}");
        }
        assert!(finished > 0 && undone > 20, "{finished} finished, {undone} undone");
    }

    #[test]
    fn a_giving_back_that_is_asked_to_end_leaves_nobody_unwatched_and_is_finished_by_the_next() {
        let mut stopped = 0;
        for at in 0..200 {
            let (root, machine) = node();
            take_over(&root, &machine, &wanted()).expect("taken over");
            machine.state().interrupted = Some(machine.now() + Duration::from_millis(at * 7));
            if let Err(cause) = give_back(&root, &machine, false) {
                assert!(cause.contains("interrupted by a signal; run it again"), "{at}: {cause}");
                assert_eq!(state(&machine), "ISP", "{at}");
                stopped += 1;
            }
            machine.state().interrupted = None;
            give_back(&root, &machine, false).expect("the rest");
            assert_untouched(&root, &machine, &format!("interrupted at {at}"));
        }
        assert!(stopped > 0, "none was stopped");
    }

    #[test]
    fn a_check_that_runs_is_waited_for() {
        let (root, machine) = node();
        machine.add(Process { users: [0; 3], ..child(70, "bash") }, 1, 70);
        let words = vec!["/bin/bash".into(), format!("/{}", copy("quickCheck"))];
        machine.show(70, |more| more.words = words);
        machine.state().after(Duration::from_secs(5), |machine| machine.end(70));
        take_over(&root, &machine, &wanted()).expect("taken over");
        assert!(machine.now() >= Duration::from_millis(5500), "{:?}", machine.now());
    }

    #[test]
    fn what_stands_against_it_is_named_before_anything_is_changed() {
        type Break = fn(&TestRoot, &Machine);
        let cases: [(Break, &str); 9] = [
            (
                |_, machine| machine.answer("ins_list -t dovecot", End::Exited(7), TOOK, ""),
                "LifeKeeper has no such resource; leave",
            ),
            (
                |_, machine| {
                    let line = listed("ISP", "dovecot").replace("\u{1}app\u{1}", "\u{1}ip\u{1}");
                    machine.answer("ins_list -t dovecot", End::Exited(0), TOOK, &line);
                },
                "it is of type gen/ip, not gen/app",
            ),
            (
                |root, _| fs::remove_file(root.path().join(copy("recover"))).expect("it"),
                "no program for recover, and all four",
            ),
            (
                |root, _| {
                    let path = root.path().join(copy("remove"));
                    fs::rename(&path, path.with_extension("real")).expect("another place");
                    symlink(path.with_extension("real"), &path).expect("a link");
                },
                "!remove/dovecot: it is a symbolic link; nothing is changed there",
            ),
            (
                |root, _| TEXTS.iter().for_each(|(action, text)| root.write(&copy(action), text)),
                "it is this kit's already; leave --take-over off",
            ),
            (
                |_, machine| {
                    machine.answer(
                        "ins_list -t dovecot",
                        End::Exited(0),
                        TOOK,
                        &listed("ISU", "dovecot"),
                    );
                },
                "it is ISU; bring it into service",
            ),
            (
                |_, machine| {
                    machine.state().ports.insert(143, Port::Refusing);
                },
                "LifeKeeper would recover it: 127.0.0.1:143: connection refused; fix that",
            ),
            (|_, machine| extended(machine, "DEAD"), "LifeKeeper does not call node2 alive"),
            (
                |_, machine| {
                    extended(machine, "ALIVE");
                    machine.answer(
                        "ins_list -d node2 -t mail",
                        End::Exited(0),
                        TOOK,
                        &listed("ISP", "mail"),
                    );
                },
                "it is in service on node2; run this there",
            ),
        ];
        for (set, cause) in cases {
            let (root, machine) = node();
            set(&root, &machine);
            let error = take_over(&root, &machine, &wanted()).expect_err(cause);
            assert!(error.contains(cause), "{cause}: {error}");
            let marks =
                machine.deeds().iter().filter(|deed| deed.starts_with("ins_setstate")).count();
            assert_eq!((marks, root.path().join(record::FILE).exists()), (0, false), "{cause}");
        }
    }

    /// Lets LifeKeeper show the resource on another node as `mail`, out of service.
    fn extended(machine: &Machine, node: &str) {
        let line = ["node1", "dovecot", "node2", "mail", "SHARED", "\n"].join("\u{1}");
        machine.answer("eqv_list -t dovecot", End::Exited(0), TOOK, &line);
        machine.answer("sys_getst -s node2", End::Exited(0), TOOK, node);
        machine.answer("ins_list -d node2 -t mail", End::Exited(0), TOOK, &listed("OSU", "mail"));
    }

    fn remote(words: &str) -> String {
        format!("lcdremexec -d node2 -t 300 -- /usr/sbin/dovecot-ark {words}")
    }

    #[test]
    fn another_node_is_asked_before_and_takes_its_part_first() {
        let (root, machine) = node();
        extended(&machine, "ALIVE");
        let take = remote("install --take-over --standby --tag=mail");
        let ask = format!("{take} --dry-run");
        let missing = "sh: 1: /usr/sbin/dovecot-ark: not found";
        machine.answer(&ask, End::Exited(127), TOOK, missing);
        let error = take_over(&root, &machine, &wanted()).expect_err("no kit there");
        assert!(error.contains(missing) && error.ends_with("must be there"), "{error}");
        assert_untouched(&root, &machine, "no kit there");

        machine.answer(&ask, End::Exited(0), TOOK, "lost connection\n");
        let error = take_over(&root, &machine, &wanted()).expect_err("nothing was said");
        assert!(error.contains("node2 did not say what it would do"), "{error}");
        assert_untouched(&root, &machine, "an answer that was lost");

        let planned =
            "would replace LifeKeeper's copies by this kit's: restore\nnothing was changed\n";
        machine.answer(&ask, End::Exited(0), TOOK, planned);
        let (back, fails) = (remote("uninstall --yes --hand-back --tag=mail"), "dovecot-ark: full");
        machine.answer(&back, End::Exited(0), TOOK, "");
        machine.answer(&take, End::Exited(1), TOOK, fails);
        let error = take_over(&root, &machine, &wanted()).expect_err("it fails there");
        assert!(error.contains("exit status 1: full;"), "{error}");
        assert_eq!(machine.count(&back), 1, "it is undone there too");
        assert_untouched(&root, &machine, "it failed there");

        machine.answer(&take, End::Exited(0), TOOK, "done\n");
        take_over(&root, &machine, &wanted()).expect("taken over");
        let deeds = machine.deeds();
        let at = |deed: &str| deeds.iter().rposition(|one| one == deed);
        assert!(at(&take) < at(&mark("OSU")), "{deeds:#?}");
        machine.answer(&back, End::Exited(1), TOOK, fails);
        give_back(&root, &machine, false).expect("given back, with a warning");
        assert_eq!(machine.count(&back), 2);
        assert_untouched(&root, &machine, "given back");
    }

    #[test]
    fn a_node_that_was_taken_over_before_stays_so_when_a_later_run_fails() {
        let (root, machine) = node();
        extended(&machine, "ALIVE");
        let take = remote("install --take-over --standby --tag=mail");
        let (ask, back) =
            (format!("{take} --dry-run"), remote("uninstall --yes --hand-back --tag=mail"));
        machine.answer(&ask, End::Exited(0), TOOK, "nothing to do\nnothing was changed\n");
        take_over(&root, &machine, &wanted()).expect("taken over");
        machine.answer(&ask, End::Exited(0), TOOK, "would add to x: y\nnothing was changed\n");
        machine.answer(&take, End::Exited(1), TOOK, "dovecot-ark: full");
        machine.answer(&back, End::Exited(0), TOOK, "");
        let error = take_over(&root, &machine, &wanted()).expect_err("it fails there");
        assert!(error.contains("exit status 1: full;"), "{error}");
        assert_eq!(machine.count(&back), 0, "its start at boot would come back");
    }

    #[test]
    fn a_new_resource_in_the_place_of_one_that_was_taken_over_is_this_kits() {
        let (root, machine) = node();
        take_over(&root, &machine, &wanted()).expect("taken over");
        machine.answer("ins_list -t dovecot", End::Exited(7), TOOK, "");
        let lifekeeper = LifeKeeper::find(root.path()).expect("LifeKeeper");
        let what = Install { take_over: false, ..wanted() };
        let (root, tag) = (root.path(), &what.tag);
        let resource = Resource { system: &machine, root, lifekeeper: &lifekeeper, tag };
        let plan = install::plan::plan(&resource, &what).expect("a plan");
        assert!(matches!(plan.steps.first(), Some(Step::Note)), "{:?}", plan.steps);
        assert_eq!(plan.record.taken(tag), None, "uninstall would give it the old programs");
    }

    #[test]
    fn a_resource_of_both_kits_is_not_taken_over_for_it_could_not_be_given_back() {
        let (root, machine) = node();
        let (_, ours) = TEXTS[0];
        root.write(&copy("restore"), ours);
        let error = take_over(&root, &machine, &wanted()).expect_err("nothing is kept of it");
        let told = "1 of its programs are this kit's already; make all of them so: install -m 755";
        assert!(error.contains(told), "{error}");
        assert!(!root.path().join(record::FILE).exists());
    }

    #[test]
    fn what_was_taken_over_and_is_gone_is_forgotten_on_a_standby_too() {
        let (root, machine) = node();
        machine.answer("ins_list -t dovecot", End::Exited(0), TOOK, &listed("OSU", "dovecot"));
        let standby = Install { standby: true, ..wanted() };
        take_over(&root, &machine, &standby).expect("taken over");
        machine.answer("ins_list -t dovecot", End::Exited(7), TOOK, "");
        let prepare = Install { take_over: false, ..standby };
        take_over(&root, &machine, &prepare).expect("prepared");
        let record = Record::read(root.path()).expect("it").expect("a record");
        assert_eq!(record.taken(&prepare.tag), None, "one that comes now is not the old one");
        // What was kept of the old one goes with the rest.
        give_back(&root, &machine, false).expect("uninstalled");
        assert!(!root.path().join("var/lib/dovecot-ark/taken-over").exists());
    }

    #[test]
    fn on_a_standby_the_programs_alone_are_replaced_and_another_node_may_ask_for_them_back() {
        let (root, machine) = node();
        let standby = Install { standby: true, ..wanted() };
        let error = take_over(&root, &machine, &standby).expect_err("it serves");
        assert!(error.contains("it is in service on this node; leave --standby off"), "{error}");
        machine.answer("ins_list -t dovecot", End::Exited(0), TOOK, &listed("OSU", "dovecot"));
        take_over(&root, &machine, &standby).expect("taken over");
        assert_eq!(machine.count(&mark("OSU")) + machine.count(&mark("ISP")), 0);
        let (_, ours) = TEXTS[0];
        assert_eq!(fs::read_to_string(root.path().join(copy("restore"))).expect("it"), ours);
        give_back(&root, &machine, true).expect("given back");
        machine.answer("ins_list -t dovecot", End::Exited(0), TOOK, &listed("ISP", "dovecot"));
        assert_untouched(&root, &machine, "given back");
        give_back(&root, &machine, true).expect("nothing to do");
        root.write(&copy("restore"), ours);
        let error = give_back(&root, &machine, true).expect_err("whose is it?");
        assert!(error.contains("no old ones are kept"), "{error}");
    }

    #[test]
    fn a_node_that_was_prepared_before_stays_so_when_another_asks_for_the_programs_back() {
        let (root, machine) = node();
        machine.answer("ins_list -t dovecot", End::Exited(0), TOOK, &listed("OSU", "dovecot"));
        let standby = Install { standby: true, take_over: false, ..wanted() };
        take_over(&root, &machine, &standby).expect("prepared");
        let prepared = fs::read_to_string(root.path().join(record::FILE)).expect("the record");
        take_over(&root, &machine, &Install { take_over: true, ..standby }).expect("taken over");
        give_back(&root, &machine, true).expect("given back");
        let now = fs::read_to_string(root.path().join(record::FILE)).expect("the record");
        assert_eq!(now, prepared);
        assert_eq!(fs::read(root.path().join(copy("restore"))).expect("it"), OLD);
    }

    #[test]
    fn a_run_that_was_killed_while_the_resource_is_osu_is_finished_or_taken_back() {
        for back in [false, true] {
            let (root, machine) = node();
            take_over(&root, &machine, &wanted()).expect("taken over");
            let mut noted = Record::read(root.path()).expect("it").expect("a record");
            noted.note_taken(&wanted().tag, Some(TakeOver { paused: true, prepared: false }));
            noted.save(root.path()).expect("as the killed run left it");
            lay_old(&root, "recover");
            machine.answer("ins_list -t dovecot", End::Exited(0), TOOK, &listed("OSU", "dovecot"));
            if back {
                give_back(&root, &machine, false).expect("taken back");
                assert_untouched(&root, &machine, "taken back");
                continue;
            }
            take_over(&root, &machine, &wanted()).expect("finished");
            assert_eq!(state(&machine), "ISP");
            let noted = Record::read(root.path()).expect("it").expect("a record");
            assert_eq!(
                noted.taken(&wanted().tag),
                Some(TakeOver { paused: false, prepared: false })
            );
        }
    }

    #[test]
    fn a_resource_that_was_left_osu_and_has_no_dovecot_any_more_stays_so() {
        let (root, machine) = node();
        take_over(&root, &machine, &wanted()).expect("taken over");
        let mut noted = Record::read(root.path()).expect("it").expect("a record");
        noted.note_taken(&wanted().tag, Some(TakeOver { paused: true, prepared: false }));
        noted.save(root.path()).expect("as the killed run left it");
        machine.answer("ins_list -t dovecot", End::Exited(0), TOOK, &listed("OSU", "dovecot"));
        machine.state().stop_dovecot();
        let before = machine.count(&mark("ISP"));
        take_over(&root, &machine, &wanted()).expect("with a warning");
        assert_eq!(machine.count(&mark("ISP")), before, "it may have been taken out of service");
        give_back(&root, &machine, false).expect("given back");
        assert_eq!(machine.count(&mark("ISP")), before);
        assert_eq!(fs::read(root.path().join(copy("restore"))).expect("it"), OLD);
    }
}
