//! Gives back exactly what install changed.
//!
//! The resource goes first: as long as it is there, its actions need the settings. The record goes
//! last, so that who is killed half-way can be called again.

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::slice;

use super::block::{self, Entry, Extent};
use super::deletion::Deletion;
use super::programs::{self, Program};
use super::record::{self, Record, TakeOver};
use super::replace::Original;
use super::resource::{Owned, Resource};
use super::step::{Deed, UNCHANGED};
use super::step_back::Step;
use super::{
    InstallLock, caution, hand_back, logged, note_resumed, remove_entries, require_uninterrupted,
    say, tidy, watched,
};
use crate::boot::links::{self, GivenBack};
use crate::cli::Uninstall;
use crate::dovecot::identity;
use crate::error::{Error, refused};
use crate::exit::Exit;
use crate::files::below;
use crate::lifekeeper::defaults;
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::tag::Tag;
use crate::messages::{Message, Remark};
use crate::system::System;
use crate::{settings, show};

/// The changes, in their order.
#[derive(Debug, Default)]
struct Plan {
    steps: Vec<Step>,
    /// What stays, for a person to know.
    kept: Vec<Deed>,
    /// The record as it is.
    record: Record,
}

impl Plan {
    /// The plan for a person: what would, or will, be done and stay.
    fn lines(&self, modal: &str) -> String {
        if self.steps.is_empty() {
            return format!("{NOTHING}\n");
        }
        let steps = self.steps.iter().map(|step| step.deed().planned(modal));
        steps.chain(self.kept.iter().map(|kept| kept.planned(modal))).collect()
    }
}

/// Takes the resource out and gives back what install changed on this node.
///
/// # Errors
///
/// The reason why it was not done, or not to the end; then it may be called again.
pub(crate) fn uninstall(
    system: &impl System,
    root: &Path,
    what: &Uninstall,
) -> Result<Exit, Error> {
    if what.dry_run {
        let lines = make_plan(system, root, what)?.lines("would");
        show::print(&format!("{lines}{UNCHANGED}"))?;
        return Ok(Exit::Success);
    }
    logged("uninstall", root, &what.tag, || work(system, root, what))
}

fn work(system: &impl System, root: &Path, what: &Uninstall) -> Result<(), Error> {
    // No other run waits while a person thinks.
    let confirmed = if what.yes { None } else { Some(confirm(&make_plan(system, root, what)?)?) };
    let _alone = InstallLock::take(system, root)?;
    tidy(root)?;
    let mut plan = make_plan(system, root, what)?;
    if confirmed.is_some_and(|confirmed| confirmed != plan.lines(CONFIRMED)) {
        return Err(Error::refused(
            Message::ChangedMeanwhile,
            "uninstalling: what there is to do has changed since the question; nothing has been \
             changed, call it again",
        ));
    }
    if let Ok(lifekeeper) = LifeKeeper::find(root) {
        let resource = Resource { system, root, lifekeeper: &lifekeeper, tag: &what.tag };
        programs::of(&resource).iter().try_for_each(Program::tidy)?;
    }
    if plan.steps.is_empty() {
        say(NOTHING);
        return Ok(());
    }
    system.hold_interrupts();
    for step in &plan.steps {
        // Between OSU and ISP the run goes on: LifeKeeper does not watch Dovecot meanwhile.
        if !plan.record.is_paused(&what.tag) {
            require_uninterrupted(system, "uninstalling", AGAIN)?;
        }
        say(&step.deed().to_string());
        take(system, root, what, &mut plan.record, step)?;
    }
    for kept in &plan.kept {
        say(&kept.to_string());
    }
    say(&format!("done: {}", outcome(system, root, &what.tag, &plan)?));
    Ok(())
}

/// How LifeKeeper has a resource that was given back; otherwise whether Dovecot runs now, as it is seen.
fn outcome(system: &impl System, root: &Path, tag: &Tag, plan: &Plan) -> Result<String, Error> {
    let gives = |step: &Step| matches!(step, Step::GiveBack(_));
    if plan.steps.iter().any(gives)
        && let Some(found) = LifeKeeper::find(root)?.instance(system, None, tag.as_str())?
    {
        let (tag, state) = (found.tag, found.state);
        return Ok(format!("{tag} is {state} on this node, with the programs it had before"));
    }
    let stopped =
        |step: &Step| matches!(step, Step::TakeOut { state, .. } if state.is_in_service());
    let masters = identity::living_masters(system, root)?;
    let (settings, _) = settings::read(root);
    Ok(match masters.first() {
        Some(master) => format!("Dovecot runs on this node, unprotected: {master}"),
        None if plan.steps.iter().any(stopped) => format!(
            "Dovecot is stopped; to use it without LifeKeeper: service {} start",
            settings.service
        ),
        None => "Dovecot is stopped on this node".into(),
    })
}

/// Said when there is no resource and no record.
const NOTHING: &str =
    "nothing to do: no such resource of this kit, and nothing noted for it on this node";

/// What to do after an interrupted run.
const AGAIN: &str = "; run it again to do the rest";

/// How the plan is told that a person confirms.
const CONFIRMED: &str = "will";

/// Asks a person, unless there is nothing to do. Returns what is confirmed.
fn confirm(plan: &Plan) -> Result<String, Error> {
    let lines = plan.lines(CONFIRMED);
    if plan.steps.is_empty() {
        return Ok(lines);
    }
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        let cause = "uninstalling: standard input is not a terminal; use --yes or --dry-run";
        return Err(Error::refused(Message::NobodyToAsk, cause));
    }
    show::print(&format!("{lines}Go on? [y/N] "))?;
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    read.map_err(Error::file("reading", Path::new("/dev/stdin")))?;
    if ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        Ok(lines)
    } else {
        let cause = "uninstalling: not confirmed; nothing has been changed";
        Err(Error::refused(Message::NotConfirmed, cause))
    }
}

fn make_plan(system: &impl System, root: &Path, what: &Uninstall) -> Result<Plan, Error> {
    let record = Record::read(root)?.unwrap_or_default();
    let taken = record.taken(&what.tag);
    let mut plan = Plan::default();
    match LifeKeeper::find(root) {
        Ok(lifekeeper) => {
            let resource = Resource { system, root, lifekeeper: &lifekeeper, tag: &what.tag };
            if let Some(taken) = taken {
                let back = hand_back::plan(&resource, what, taken)?;
                plan.steps.extend(back.steps);
                plan.kept.extend(back.kept);
            } else if what.hand_back {
                hand_back::require_nothing(&resource)?;
                return Ok(plan);
            } else if let Some(step) = taking_out(&resource, what, &record)? {
                plan.steps.push(step);
                let children = lifekeeper.children(system, None, what.tag.as_str())?;
                if !children.is_empty() {
                    let what = format!("what it depended on: {}", children.join(", "));
                    plan.kept.push(Deed::new("keeping", "keep", what));
                }
            }
        }
        // With LifeKeeper itself gone, there is no resource any more. Taken wrongly for gone, it would
        // come back with a resource whose programs have gone with the package, and halt the node; a wrong
        // no costs an operator the removal of a directory.
        Err(Error::NoLifeKeeper(directory)) => {
            if record.has(&what.tag)
                && let Some(trace) = LifeKeeper::trace(root, &directory)
            {
                return Err(refused!(
                    Message::NotTakenOut,
                    "taking the resource {} out of LifeKeeper: its commands are not there, and \
                     {trace}; mount it, or remove that if LifeKeeper is gone for good, and run this \
                     again",
                    what.tag
                ));
            }
        }
        Err(cause) => return Err(cause),
    }
    if !record.has(&what.tag) {
        return Ok(Plan { record, ..plan });
    }
    // Also of one that was deleted since.
    if programs::are_kept(root, &what.tag, taken.is_some()) {
        plan.steps.push(Step::ForgetPrograms);
    }
    if what.hand_back && taken.is_some_and(|taken| taken.prepared) {
        plan.steps.push(Step::ForgetTaking);
        return Ok(Plan { record, ..plan });
    }
    let is_last = record.tags().len() == 1;
    let mut entries = record.entries();
    if !is_last {
        let keys = record.keys(&what.tag);
        entries.retain(|entry| keys.contains(&entry.key));
    }
    let extent = match (is_last, record.settings.ended_last_line) {
        (false, _) => Extent::Entries,
        (true, false) => Extent::Block,
        (true, true) => Extent::BlockAndNewline,
    };
    if let Some(file) = defaults_file(root)? {
        let without = block::remove(&file.bytes, &entries, extent);
        let kept = if is_last { own_keys(&without, &entries) } else { Vec::new() };
        if without != file.bytes {
            // What was changed since stays, and is named among what is kept.
            let is_unchanged = |entry: &Entry| {
                block::remove(&file.bytes, slice::from_ref(entry), Extent::Entries) != file.bytes
            };
            entries.retain(is_unchanged);
            plan.steps.push(Step::Entries(entries, extent));
        }
        if !kept.is_empty() {
            let what = format!("in /{}: {}", defaults::FILE, kept.join(", "));
            plan.kept.push(Deed::new("keeping", "keep", what));
        }
    }
    if is_last {
        plan.steps.extend(record.restart.iter().cloned().map(Step::Restart));
        for changed in record.restart.iter().filter(|restart| restart.is_changed(root)) {
            let what = format!("{}, which was changed since", changed.path());
            plan.kept.push(Deed::new("keeping", "keep", what));
        }
        plan.steps.extend(record.boot.iter().cloned().map(Step::Boot));
        plan.kept.extend(kept_account(root));
    }
    plan.steps.push(if is_last { Step::RemoveRecord } else { Step::Forget });
    Ok(Plan { record, ..plan })
}

/// The file with the account of the login check, if there is one. It is not uninstall's to remove, since
/// `login-account` may have been told to use an account of the site; but it holds a password.
fn kept_account(root: &Path) -> Option<Deed> {
    let file = settings::read(root).0.login.file;
    below(root, &file).symlink_metadata().ok()?;
    let what = format!(
        "{}, a password; remove it, and the account from Dovecot, if nothing else uses it",
        file.display()
    );
    Some(Deed::new("keeping", "keep", what))
}

/// LifeKeeper's defaults file, if there is one. One that is there and cannot be looked at is an error:
/// the record, which alone knows what to take out, would be removed.
fn defaults_file(root: &Path) -> Result<Option<Original>, Error> {
    let path = root.join(defaults::FILE);
    if path.symlink_metadata().is_err_and(|cause| cause.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    Original::read(&path).map(Some)
}

/// The keys of the kit that a file sets: its parameters, and those of these entries.
fn own_keys(file: &[u8], entries: &[Entry]) -> Vec<String> {
    let keys = block::lines(file).into_iter().filter_map(defaults::key_of);
    let is_own = |key: &String| {
        key.starts_with(settings::PREFIX) || entries.iter().any(|entry| entry.key == *key)
    };
    keys.filter(is_own).collect()
}

/// The step that takes the resource out, if it is there and this kit's. One of others of which nothing
/// is noted here is none of uninstall's: the run on another node has given it back, or it never was this
/// kit's. A wrong refusal hurts who uninstalls node by node; a wrong "nothing to do" would leave a
/// resource without its programs when the package is erased, so none of its copies may be this kit's.
///
/// Refused while another resource depends on it, on any node that is alive: each node has dependencies of
/// its own, and LifeKeeper deletes with it what depends on it. Going on wrongly hurts the users of that
/// resource; a wrong refusal costs an operator a look. A node that is not alive is not asked: nothing is
/// deleted there.
fn taking_out<S: System>(
    resource: &Resource<'_, S>,
    what: &Uninstall,
    record: &Record,
) -> Result<Option<Step>, Error> {
    let Resource { system, lifekeeper, tag, .. } = *resource;
    lifekeeper.require_running(system)?;
    let found = match resource.owned()? {
        Owned::Nobody => return Ok(None),
        Owned::Ours(found) => found,
        Owned::Foreign(_) if !record.has(tag) && hand_back::has_nothing(resource)? => {
            return Ok(None);
        }
        Owned::Foreign(cause) => {
            return Err(refused!(
                Message::ForeignResource,
                "uninstalling {tag}: LifeKeeper has one that is not this kit's: {cause}; delete it \
                 in LifeKeeper if it is not needed, or give it this kit's programs with install \
                 --take-over, then run this again"
            ));
        }
    };
    let refuse = |cause: String| {
        Err(refused!(Message::NotTakenOut, "taking the resource {tag} out of LifeKeeper: {cause}"))
    };
    for (there, tag) in resource.places()?.alive {
        let parents = lifekeeper.parents(system, there.as_deref(), &tag)?.join(", ");
        if parents.is_empty() {
            continue;
        }
        return refuse(match there {
            None => format!("{parents} depends on it; remove that dependency first"),
            Some(node) => {
                format!("{parents} depends on it on {node}; remove that dependency first")
            }
        });
    }
    if !found.state.is_in_service()
        && let Some(node) = resource.serves_elsewhere()?
    {
        return refuse(format!(
            "it is in service on {node}; run this there first, and here after it"
        ));
    }
    let by = match lifekeeper.deletion(system, tag.as_str()) {
        _ if what.use_ins_remove => Deletion::InsRemove,
        Ok(command) => Deletion::Lkcli(command),
        Err(reason) => {
            return refuse(format!(
                "{reason}; delete it in LifeKeeper's graphical interface and run this again, or \
                 say --use-ins-remove"
            ));
        }
    };
    Ok(Some(Step::TakeOut { tag: tag.to_string(), state: found.state, by }))
}

fn take<S: System>(
    system: &S,
    root: &Path,
    what: &Uninstall,
    record: &mut Record,
    step: &Step,
) -> Result<(), Error> {
    let tag = &what.tag;
    let at_lifekeeper = |work: &dyn Fn(&Resource<'_, S>) -> Result<(), Error>| {
        let lifekeeper = LifeKeeper::find(root)?;
        work(&Resource { system, root, lifekeeper: &lifekeeper, tag })
    };
    match step {
        Step::TakeOut { by, .. } => at_lifekeeper(&|resource| {
            for left in resource.take_out(by)? {
                caution(&Remark::new(Message::LeftElsewhere, format!("still there: {left}")));
            }
            Ok(())
        }),
        Step::Entries(entries, extent) => remove_entries(root, entries, *extent),
        Step::Boot(boot) => {
            if links::give_back(system, root, boot)? == GivenBack::SetSince {
                let text = "the start at boot has been changed since install; what was set is left as it is";
                caution(&Remark::new(Message::BootSetSince, text));
            }
            Ok(())
        }
        Step::Restart(restart) => restart.remove(system, root),
        Step::Peer(peer) => at_lifekeeper(&|resource| {
            if let Err(cause) = peer.hand_back(resource) {
                let (node, tag) = (&peer.node, &peer.tag);
                let text = format!(
                    "{tag} is not given back on {node}: {cause}; run dovecot-ark uninstall --tag \
                     {tag} there"
                );
                caution(&Remark::new(Message::LeftTaken, text));
            }
            Ok(())
        }),
        Step::Note => {
            let taken = record.taken(tag).map(|taken| TakeOver { paused: true, ..taken });
            record.note_taken(tag, taken);
            record.save(root)
        }
        Step::Pause => at_lifekeeper(&|resource| {
            let go_on = || require_uninterrupted(system, "uninstalling", AGAIN);
            watched(resource, record, resource.pause(go_on))
        }),
        Step::GiveBack(programs) => at_lifekeeper(&|resource| {
            watched(resource, record, programs.iter().try_for_each(Program::give_back))
        }),
        Step::Resume => at_lifekeeper(&|resource| {
            resource.resume()?;
            note_resumed(resource, record)
        }),
        Step::ForgetPrograms => programs::forget(root, tag),
        Step::ForgetTaking => {
            record.note_taken(tag, None);
            record.save(root)
        }
        Step::Forget => {
            record.forget(tag);
            record.save(root)
        }
        Step::RemoveRecord => record::remove(root),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::End;
    use crate::install::tests::node;
    use crate::system::fake::{Machine, State, words};
    use crate::test_root::TestRoot;

    /// What `uninstall` is asked for.
    fn wanted() -> Uninstall {
        let tag = Tag::parse("dovecot").expect("a tag");
        Uninstall { tag, dry_run: false, yes: true, use_ins_remove: true, hand_back: false }
    }

    /// Says what a list of LifeKeeper has: fields that a colon splits here. An empty one does not exist.
    fn list(state: &mut State, line: &str, lines: &str) {
        let end = End::Exited(if lines.is_empty() { 7 } else { 0 });
        state.answer(line, end, Duration::from_millis(5), &lines.replace(':', "\u{1}"));
    }

    /// A node whose resource stands by, and is called mail on node2.
    fn protected() -> (TestRoot, Machine) {
        let (root, machine) = node();
        for (action, above) in [
            ("restore", "actions"),
            ("remove", "actions"),
            ("quickCheck", "actions"),
            ("recover", "recovery"),
        ] {
            let copy = format!("opt/LifeKeeper/subsys/gen/resources/app/{above}/!{action}/dovecot");
            root.write(&copy, &format!("exec /usr/sbin/dovecot-ark {action} \"$@\"\n"));
        }
        for (line, lines) in [
            ("ins_list -t dovecot", "node1:gen:app:dovecot:id::OSU:\n"),
            ("ins_list -d node2 -t mail", "node2:gen:app:mail:id::OSU:\n"),
            ("eqv_list -t dovecot", "node1:dovecot:node2:mail:SHARED\n"),
            ("sys_getst -s node2", "ALIVE\n"),
            ("dep_list", ""),
        ] {
            list(&mut machine.state(), line, lines);
        }
        (root, machine)
    }

    #[test]
    fn a_resource_on_which_another_depends_on_any_living_node_is_not_taken_out() {
        let (root, machine) = protected();
        let planned =
            || make_plan(&machine, root.path(), &wanted()).map(|plan| plan.lines("would"));
        for (ask, parent, told) in [
            ("dep_list -c dovecot", "web:dovecot\n", "web depends on it; remove"),
            ("dep_list -d node2 -c mail", "web:mail\n", "web depends on it on node2; remove"),
        ] {
            list(&mut machine.state(), ask, parent);
            let error = planned().expect_err(ask).to_string();
            assert!(error.contains(told), "{error}");
            let asks = |deed: &String| deed.contains("_list") || deed.contains("getst");
            let tested = |deed: &String| asks(deed) || deed == "lktest" || deed == "lcduname";
            assert!(machine.deeds().iter().all(tested), "{:?}", machine.deeds());
            if ask.contains("node2") {
                list(&mut machine.state(), "sys_getst -s node2", "DEAD\n");
            } else {
                list(&mut machine.state(), ask, "");
            }
            assert!(planned().expect("a plan").contains("out of LifeKeeper"), "{ask}");
        }
    }

    #[test]
    fn a_node_that_has_just_died_is_left_out_once_it_is_called_dead() {
        let (root, machine) = protected();
        let ask = "ins_list -d node2 -t mail";
        machine.complain(ask, End::Exited(9), "no answer");
        machine.complain("ins_list -d node2", End::Exited(9), "no answer");
        let mut asked = 0;
        machine.effect(ask, move |it| {
            asked += 1;
            if asked == 40 {
                list(it, "sys_getst -s node2", "DEAD\n");
            }
        });
        let planned = || make_plan(&machine, root.path(), &wanted());
        assert!(planned().expect("a plan").lines("would").contains("out of LifeKeeper"));
        let asked = machine.deeds().iter().filter(|deed| *deed == ask).count();
        assert_eq!(asked, 40);

        list(&mut machine.state(), "sys_getst -s node2", "ALIVE\n");
        let begin = machine.now();
        let error = planned().expect_err("node2 may have what depends on it").to_string();
        assert!(error.starts_with("running `ins_list -d node2`"), "{error}");
        let waited = machine.now().saturating_sub(begin);
        assert!((30..40).contains(&waited.as_secs()), "{waited:?}");
    }

    #[test]
    fn a_resource_that_could_not_be_deleted_depends_on_what_it_did() {
        let (root, machine) = protected();
        for (there, tag) in [("", "dovecot"), ("-d node2 ", "mail")] {
            let (ask, edge) = (format!("dep_list {there}-p {tag}"), format!("-p {tag} -c vmail"));
            let shown = format!("{tag}:vmail\n");
            list(&mut machine.state(), &ask, &shown);
            let none = ask.clone();
            machine.effect(&format!("dep_remove {there}{edge}"), move |it| list(it, &none, ""));
            let create = format!("dep_create {there}{edge}");
            machine.effect(&create, move |it| list(it, &ask, &shown));
            list(&mut machine.state(), &create, "done");
        }
        let taken_out = || {
            let error = work(&machine, root.path(), &wanted()).expect_err("it is still there");
            (error.to_string(), machine.deeds())
        };
        // LifeKeeper deletes the one on node2, and refuses that on this node.
        machine
            .effect("ins_remove -d node2 -t mail", |it| list(it, "ins_list -d node2 -t mail", ""));
        machine.complain("ins_remove -t dovecot", End::Exited(1), "no");
        let (error, deeds) = taken_out();
        assert!(error.starts_with("running `ins_remove -t dovecot`"), "{error}");
        let created: Vec<_> = deeds.iter().filter(|deed| deed.starts_with("dep_create")).collect();
        assert_eq!(created, ["dep_create -p dovecot -c vmail"], "{deeds:?}");

        let line = "dep_create -p dovecot -c vmail";
        machine.effect(line, |_| {});
        machine.complain(line, End::Exited(1), "no");
        taken_out();
        let told = words().join("\n");
        assert!(told.contains("dovecot no longer depends on vmail: running `dep_create"), "{told}");

        // Where a list cannot be had, Dovecot goes on.
        list(&mut machine.state(), "ins_list -t dovecot", "node1:gen:app:dovecot:id::ISP:\n");
        list(&mut machine.state(), "ins_list -d node2 -t mail", "node2:gen:app:mail:id::OSU:\n");
        machine.complain("dep_list -d node2 -p mail", End::Exited(1), "no");
        let (error, deeds) = taken_out();
        assert!(error.starts_with("running `dep_list -d node2 -p mail`"), "{error}");
        assert!(!deeds.iter().any(|deed| deed.starts_with("perform_action")), "{deeds:?}");
    }

    #[test]
    fn a_lifekeeper_that_is_only_not_mounted_is_not_gone() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let mut record = Record::default();
        record.note_resource(&wanted().tag, record::Role::Standby, &[]);
        record.save(root.path()).expect("writing it");
        let refused = |told: &str| {
            let error = work(&machine, root.path(), &wanted()).expect_err(told).to_string();
            assert!(error.contains(told) && error.contains("mount it"), "{error}");
            assert!(root.path().join(record::FILE).exists(), "nothing is lost");
        };
        root.write("etc/fstab", "# x /opt y\n/dev/a / ext4\nUUID=b  /opt  xfs\n");
        root.write("proc/self/mounts", "/dev/a / ext4 rw 0 0\n");
        refused("its commands are not there, and /opt of /etc/fstab is not mounted");
        root.write("proc/self/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /opt xfs rw 0 0\n");
        let directory = root.path().join("opt/LifeKeeper");
        std::fs::create_dir_all(&directory).expect("a mount point");
        refused("its commands are not there, and /opt/LifeKeeper is");
        std::fs::remove_dir(&directory).expect("it is gone");
        work(&machine, root.path(), &wanted()).expect("done");
        assert!(!root.path().join(record::FILE).exists());
    }

    #[test]
    fn the_lock_is_not_held_while_a_person_is_asked() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let what = Uninstall { yes: false, ..wanted() };
        let mut record = Record::default();
        record.note_resource(&what.tag, record::Role::Standby, &[]);
        record.save(root.path()).expect("writing it");
        let other = InstallLock::take(&machine, root.path()).expect("another run");
        // The tests have no terminal: whoever would ask is told so, before any lock.
        let error = work(&machine, root.path(), &what).expect_err("nobody is there").to_string();
        assert!(error.contains("standard input is not a terminal"), "{error}");
        assert_eq!(machine.now(), Duration::ZERO);
        drop(other);
        work(&machine, root.path(), &Uninstall { yes: true, ..what }).expect("done");
        assert!(!root.path().join(record::FILE).exists());
    }

    #[test]
    fn a_settings_file_that_cannot_be_looked_at_does_not_count_as_given_back() {
        let root = TestRoot::new();
        assert!(defaults_file(root.path()).expect("it may be gone").is_none());
        root.write("real", "A=1\n");
        root.write(defaults::FILE, "A=1\n");
        assert!(defaults_file(root.path()).expect("the file").is_some());
        let path = root.path().join(defaults::FILE);
        std::fs::remove_file(&path).expect("taking the file away");
        std::os::unix::fs::symlink(root.path().join("real"), &path).expect("a link in its place");
        let error = defaults_file(root.path()).expect_err("a link").to_string();
        assert!(error.contains("it is a symbolic link"), "{error}");
    }

    #[test]
    fn what_was_changed_since_and_what_install_never_wrote_is_named_as_kept() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let what = wanted();
        let mut record = Record::default();
        record.note_entries(&block::defaults());
        record.note_resource(&what.tag, record::Role::Standby, &[]);
        record.save(root.path()).expect("writing it");
        let file = String::from_utf8(block::add(b"LKROOT=/x\n", &block::defaults())).expect("text");
        let changed = file.replace("DEBUG=0", "DEBUG=1") + "APP_DOVECOT_WAIT=fixed\n";
        let planned = |file: &str| {
            root.write(defaults::FILE, file);
            make_plan(&machine, root.path(), &what).expect("a plan").lines("would")
        };
        let kept = "would keep in /etc/default/LifeKeeper: APP_DOVECOT_DEBUG, APP_DOVECOT_WAIT\n";
        assert!(planned(&changed).ends_with(kept), "{}", planned(&changed));
        let twice = planned(&changed).matches("APP_DOVECOT_DEBUG").count();
        assert_eq!(twice, 1, "it is kept, and not taken out: {}", planned(&changed));
        assert!(!planned(&file).contains("keep"), "{}", planned(&file));
        root.write("etc/dovecot-ark/login", "ark:x\n");
        let login =
            "would keep /etc/dovecot-ark/login, a password; remove it, and the account from";
        assert!(planned(&file).contains(login), "{}", planned(&file));
    }
}
