//! Puts Dovecot under LifeKeeper's protection on this node, and takes it out again.
//!
//! A plan is made first, so that what stands against it is found before anything is changed. Its
//! first step notes the others; a step that fails lets the earlier ones be undone. Who is killed
//! between two steps is called again, and the new plan holds what is left to do.

mod account;
pub(crate) mod block;
mod deletion;
mod hand_back;
mod lock;
mod pause;
mod peer;
mod plan;
mod programs;
pub(crate) mod record;
mod replace;
mod resource;
pub(crate) mod restart;
mod step;
mod step_back;
mod take_over;
mod uninstall;

use std::path::Path;

use log::info;

use crate::boot::links;
use crate::cli::Install;
use crate::dovecot::notes::Notes;
use crate::dovecot::{identity, pid_file, places, service};
use crate::error::{Error, refused};
use crate::exit::Exit;
use crate::lifekeeper::defaults;
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::tag::Tag;
use crate::log::Audience;
use crate::messages::{Message, Remark, error, warning};
use crate::system::System;
use crate::{settings, show};
use block::{Entry, Extent};
use deletion::Deletion;
use lock::InstallLock;
use plan::Plan;
use programs::Program;
use record::{Record, TakeOver};
use resource::{Failure, Resource};
use step::{Step, UNCHANGED};

pub(crate) use account::login_account;
pub(crate) use uninstall::uninstall;

/// Creates the resource, adds default settings, takes Dovecot's start at boot off.
///
/// # Errors
///
/// The reason why it was not done; nothing is changed then, or a line says what is.
pub(crate) fn install(system: &impl System, root: &Path, what: &Install) -> Result<Exit, Error> {
    let lifekeeper = LifeKeeper::find(root)?;
    let resource = Resource { system, root, lifekeeper: &lifekeeper, tag: &what.tag };
    if what.dry_run {
        let plan = plan::plan(&resource, what)?;
        let steps = plan.steps.iter().map(|step| step.planned("would"));
        let warnings = plan.warnings.iter().map(|warning| show::warned(warning) + "\n");
        let nothing = plan.steps.is_empty().then(|| "nothing to do\n".to_owned());
        let text: String = warnings.chain(steps).chain(nothing).collect();
        show::print(&format!("{text}{UNCHANGED}"))?;
        return Ok(Exit::Success);
    }
    logged("install", root, &what.tag, || {
        let _alone = InstallLock::take(system, root)?;
        tidy(root)?;
        programs::of(&resource).iter().try_for_each(Program::tidy)?;
        let plan = plan::plan(&resource, what)?;
        for warning in &plan.warnings {
            caution(warning);
        }
        if plan.steps.is_empty() {
            say("nothing to do");
            return Ok(());
        }
        apply(&resource, &plan)?;
        match resource.look()? {
            Some(now) => say(&format!("done: {} is {} on this node", what.tag, now.state)),
            None => say("done: this node is prepared"),
        }
        Ok(())
    })
}

/// Does a work whose steps and failure stand in the log too.
fn logged(
    action: &str,
    root: &Path,
    tag: &Tag,
    work: impl FnOnce() -> Result<(), Error>,
) -> Result<Exit, Error> {
    let (settings, _) = settings::read(root);
    crate::log::start(root, action, tag, settings.debug, Audience::File);
    work().map(|()| Exit::Success).inspect_err(|cause| error!(cause.message(), "{cause}"))
}

/// Tells a person, and the log. That nobody reads it must not stop a work half-way.
fn say(line: &str) {
    info!("{line}");
    let _ = show::print(&format!("{line}\n"));
}

/// Warns a person, and the log.
fn caution(remark: &Remark) {
    warning!(remark.message, "{remark}");
    let _ = show::print(&(show::warned(remark) + "\n"));
}

/// Takes away what a run that was killed has left.
fn tidy(root: &Path) -> Result<(), Error> {
    let record = root.join(record::FILE);
    replace::tidy(&root.join(defaults::FILE))?;
    replace::tidy(&record)?;
    if let Some(directory) = record.parent() {
        // Where there is a record, it is not empty and stays.
        let _ = std::fs::remove_dir(directory);
    }
    Ok(())
}

/// Does the steps; when one fails, or the program is asked to end, undoes those before it. A run that ended
/// at once would leave a resource that is taken over OSU, and LifeKeeper would not watch Dovecot.
fn apply<S: System>(resource: &Resource<'_, S>, plan: &Plan) -> Result<(), Error> {
    let masters = identity::living_masters(resource.system, resource.root)?.len();
    let mut begun = Vec::new();
    resource.system.hold_interrupts();
    for step in &plan.steps {
        let done = require_uninterrupted(resource.system, "installing", "").and_then(|()| {
            say(&step.deed().to_string());
            take(resource, plan, step, &mut begun)
        });
        if let Err(cause) = done {
            say("undoing what was done");
            for step in begun.into_iter().rev() {
                if let Err(further) = undo(resource, plan, masters, step) {
                    let step = step.deed();
                    warning!(Message::NotUndone, "undoing \"{step}\": {further}");
                    return Err(refused!(
                        Message::NotUndone,
                        "{cause}\nThis could not be undone: {step}: {further}\nWhat is left is \
                         noted in /{}; `dovecot-ark uninstall --tag {}` takes it back.",
                        record::FILE,
                        resource.tag
                    ));
                }
            }
            return Err(cause);
        }
    }
    Ok(())
}

/// Makes sure that the program was not asked to end.
///
/// # Errors
///
/// That it was, with `advice` behind it.
fn require_uninterrupted(system: &impl System, doing: &str, advice: &str) -> Result<(), Error> {
    if system.is_interrupted() {
        Err(refused!(Message::Interrupted, "{doing}: interrupted by a signal{advice}"))
    } else {
        Ok(())
    }
}

/// Takes a step. It is added to those that are `begun` unless what it should make is somebody
/// else's.
fn take<'a, S: System>(
    resource: &Resource<'_, S>,
    plan: &Plan,
    step: &'a Step,
    begun: &mut Vec<&'a Step>,
) -> Result<(), Error> {
    let Resource { system, root, .. } = *resource;
    if let Step::Depend(edge) = step
        && resource.depends(edge)?
    {
        return Ok(());
    }
    begun.push(step);
    match step {
        Step::Note => plan.record.save(root),
        Step::Entries { entries, .. } => plan.file.replace(&block::add(&plan.file.bytes, entries)),
        Step::Boot(boot) => links::disable(system, root, boot),
        Step::Restart(restart) => restart.write(system, root),
        Step::Create(command, start) => {
            resource.create(command, *start).map_err(|failure| match failure {
                Failure::Ours(cause) => cause,
                Failure::Theirs(cause) => {
                    begun.pop();
                    cause
                }
            })
        }
        Step::Depend(edge) => resource.depend(edge),
        Step::Peer(peer) => peer.take_over(resource),
        Step::Pause => resource.pause(|| require_uninterrupted(system, "installing", "")),
        Step::Programs(programs) => programs.iter().try_for_each(Program::replace),
        Step::Check => resource.try_quick_check(),
        Step::Resume => {
            resource.resume()?;
            note_resumed(resource, &plan.record)
        }
    }
}

/// Notes that the resource is ISP again.
fn note_resumed<S: System>(resource: &Resource<'_, S>, record: &Record) -> Result<(), Error> {
    let mut record = record.clone();
    let taken = record.taken(resource.tag).map(|taken| TakeOver { paused: false, ..taken });
    record.note_taken(resource.tag, taken);
    record.save(resource.root)
}

/// Undoes a step that was taken, or was begun and failed. Before the first of them, so many
/// `masters` of Dovecot ran.
fn undo<S: System>(
    resource: &Resource<'_, S>,
    plan: &Plan,
    masters: usize,
    step: &Step,
) -> Result<(), Error> {
    let Resource { system, root, tag, .. } = *resource;
    match step {
        Step::Note => match &plan.noted {
            Some(record) => record.save(root),
            None => record::remove(root),
        },
        Step::Entries { entries, newline } => {
            let extent = match (block::is_in(&plan.file.bytes), newline) {
                (true, _) => Extent::Entries,
                (false, true) => Extent::BlockAndNewline,
                (false, false) => Extent::Block,
            };
            remove_entries(root, entries, extent)
        }
        Step::Boot(boot) => links::give_back(system, root, boot).map(drop),
        Step::Restart(restart) => restart.remove(system, root),
        Step::Create(..) => {
            let deletion = resource.lifekeeper.deletion(system, tag.as_str());
            let deletion = deletion.map_or(Deletion::InsRemove, Deletion::Lkcli);
            resource.take_out(&deletion)?;
            give_dovecot_back(system, root, masters)
        }
        Step::Depend(edge) if resource.depends(edge)? => resource.undepend(edge),
        Step::Depend(_) | Step::Check => Ok(()),
        // One that was taken over before this run stays so: with its old programs back, and its start
        // at boot, two Dovecots would run after its next boot. What else this run did there is small.
        Step::Peer(peer) if !peer.replaces_programs() => {
            say(&format!("{}: it was taken over before, and stays so", peer.node));
            Ok(())
        }
        Step::Peer(peer) => peer.hand_back(resource),
        Step::Pause => give_service_back(resource),
        Step::Programs(programs) => {
            let given_back = programs.iter().try_for_each(Program::give_back);
            watched(resource, &plan.record, given_back)?;
            programs::forget(root, tag)
        }
        // Only where the programs are to be given back.
        Step::Resume => resource.pause(|| Ok(())),
    }
}

/// Where something failed while the resource is marked OSU, marks it ISP again: Dovecot must be watched,
/// by whichever programs.
fn watched<S: System>(
    resource: &Resource<'_, S>,
    record: &Record,
    done: Result<(), Error>,
) -> Result<(), Error> {
    if done.is_err() && record.is_paused(resource.tag) {
        give_service_back(resource)?;
    }
    done
}

/// Lets LifeKeeper watch the resource again, unless it is in service elsewhere.
fn give_service_back<S: System>(resource: &Resource<'_, S>) -> Result<(), Error> {
    if let Some(node) = resource.serves_elsewhere()? {
        say(&format!("{} is now in service on {node}, and stays OSU here", resource.tag));
        return Ok(());
    }
    resource.resume()
}

/// Lets Dovecot run again, or no longer, as before the resource was created.
fn give_dovecot_back(system: &impl System, root: &Path, masters: usize) -> Result<(), Error> {
    let (settings, _) = settings::read(root);
    match (masters, identity::living_masters(system, root)?.len()) {
        (0, 1..) => {
            let limit = service::CHANGE_LIMIT;
            let notes = Notes::read(system, root);
            pid_file::clear(system, root, &places::usual(), &notes, &[]);
            service::stop(system, root, &settings, limit, &mut || {});
        }
        (1.., 0) => {
            service::start(system, root, &settings, service::CHANGE_LIMIT);
        }
        _ => {}
    }
    Ok(())
}

/// Takes entries out that still read as they were written.
fn remove_entries(root: &Path, entries: &[Entry], extent: Extent) -> Result<(), Error> {
    let file = replace::Original::read(&root.join(defaults::FILE))?;
    let without = block::remove(&file.bytes, entries, extent);
    if without == file.bytes { Ok(()) } else { file.replace(&without) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::command::End;
    use crate::install::resource::Edge;
    use crate::lifekeeper::new_resource::{Start, Switchback};
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;

    /// LifeKeeper's settings without the kit's.
    const SETTINGS: &str = "LKROOT=/opt/LifeKeeper\n";

    /// A node with a LifeKeeper that has no resources, where nothing is installed.
    pub(super) fn node() -> (TestRoot, Machine) {
        node_with(Machine::new())
    }

    /// The same node on this machine.
    pub(super) fn node_with(machine: Machine) -> (TestRoot, Machine) {
        let root = TestRoot::new();
        root.write(defaults::FILE, SETTINGS);
        for name in ["bin/ins_list", "lkadm/subsys/gen/app/bin/creapphier"] {
            root.write_program(&format!("opt/LifeKeeper/{name}"));
        }
        for name in ["restore", "remove", "quickCheck", "recover"] {
            root.write_program(&format!("usr/lib/dovecot-ark/{name}"));
        }
        for (line, status, answer) in [
            ("lktest", 0, ""),
            ("lcduname", 0, "node1\n"),
            ("sys_list", 0, "node1\n"),
            ("ins_list", 0, ""),
            ("ins_list -t dovecot", 7, ""),
            ("eqv_list -t dovecot", 7, ""),
            ("dep_list -p dovecot", 7, ""),
            ("creapphier", 0, ""),
            ("dep_remove", 0, ""),
            ("ins_remove", 0, ""),
        ] {
            machine.answer(line, End::Exited(status), Duration::from_millis(5), answer);
        }
        (root, machine)
    }

    /// What `install` is asked for.
    pub(super) fn wanted() -> Install {
        Install {
            tag: Tag::parse("dovecot").expect("a tag"),
            switchback: Switchback::Intelligent,
            no_start: true,
            depends_on: Vec::new(),
            quickcheck_timeout: None,
            standby: false,
            take_over: false,
            restart: false,
            dry_run: false,
        }
    }

    /// Lets LifeKeeper show a resource of the tag that is out of service.
    fn show_resource(machine: &Machine) {
        let line = ["node1", "gen", "app", "dovecot", "id", "", "OSU", "", "\n"].join("\u{1}");
        let (end, took) = (End::Exited(0), Duration::from_millis(5));
        machine.answer("ins_list -t dovecot", end, took, &line);
    }

    /// Plans, lets something happen, and applies the plan; returns the error.
    fn applied(
        root: &TestRoot,
        machine: &Machine,
        what: &Install,
        meanwhile: impl FnOnce(),
    ) -> String {
        let lifekeeper = LifeKeeper::find(root.path()).expect("LifeKeeper");
        let (root, tag) = (root.path(), &what.tag);
        let resource = Resource { system: machine, root, lifekeeper: &lifekeeper, tag };
        let plan = plan::plan(&resource, what).expect("a plan");
        meanwhile();
        let done = apply(&resource, &plan);
        done.map_or_else(|cause| cause.to_string(), |()| String::new())
    }

    /// Undoes one step of a plan that was made when nothing was installed.
    fn undone(
        root: &TestRoot,
        machine: &Machine,
        meanwhile: impl FnOnce(),
        step: &Step,
    ) -> Result<(), Error> {
        let (lifekeeper, what) = (LifeKeeper::find(root.path()).expect("LifeKeeper"), wanted());
        let (root, tag) = (root.path(), &what.tag);
        let resource = Resource { system: machine, root, lifekeeper: &lifekeeper, tag };
        let plan = plan::plan(&resource, &what).expect("a plan");
        meanwhile();
        undo(&resource, &plan, 0, step)
    }

    fn settings(root: &TestRoot) -> String {
        fs::read_to_string(root.path().join(defaults::FILE)).expect("the settings")
    }

    fn has_record(root: &TestRoot) -> bool {
        root.path().join(record::FILE).exists()
    }

    #[test]
    fn what_is_applied_is_noted_and_is_not_planned_again() {
        let (root, machine) = node();
        let what = Install { standby: true, ..wanted() };
        assert_eq!(applied(&root, &machine, &what, || {}), "");
        assert!(has_record(&root) && block::is_in(settings(&root).as_bytes()));
        let lifekeeper = LifeKeeper::find(root.path()).expect("LifeKeeper");
        let (root, tag) = (root.path(), &what.tag);
        let resource = Resource { system: &machine, root, lifekeeper: &lifekeeper, tag };
        let again = plan::plan(&resource, &what).expect("a plan");
        assert!(again.steps.is_empty(), "{:?}", again.steps);
    }

    #[test]
    fn a_creation_of_which_nothing_is_seen_undoes_all() {
        let (root, machine) = node();
        let error = applied(&root, &machine, &wanted(), || {});
        assert!(error.contains("ins_list does not show it; `creapphier node1"), "{error}");
        assert_eq!((settings(&root).as_str(), has_record(&root)), (SETTINGS, false));
    }

    #[test]
    fn a_start_that_failed_is_told_by_its_cause_before_the_words_of_lifekeeper() {
        let (root, machine) = node();
        let took = Duration::from_millis(5);
        let line = ["node1", "gen", "app", "dovecot", "id", "", "OSF", "", "\n"].join("\u{1}");
        machine.complain("creapphier", End::Exited(1), "a page of words");
        let programs = "/usr/lib/dovecot-ark";
        let creation = format!(
            "creapphier node1 {programs}/restore {programs}/remove dovecot dovecot-ark intelligent \
             {programs}/quickCheck {programs}/recover No"
        );
        machine.effect(&creation, move |machine| {
            machine.answer("ins_list -t dovecot", End::Exited(0), took, &line);
        });
        let era = machine.state().era.clone();
        let fault = format!(
            r#"{{"action":"restore","tag":"dovecot","outcome":{{"failed":"no port"}},"since":1,"at":999999999,"era":"{era}"}}"#
        );
        root.write("run/dovecot-ark/.fault", &fault);
        let error = applied(&root, &machine, &wanted(), || {});
        let told = "it could not be brought into service; no port; `creapphier node1 ";
        assert!(error.contains(told) && !error.contains("a page"), "{error}");
    }

    #[test]
    fn a_resource_that_came_up_after_the_plan_is_left_alone() {
        let (root, machine) = node();
        let error = applied(&root, &machine, &wanted(), || show_resource(&machine));
        assert!(error.contains("another one was created meanwhile"), "{error}");
        let changes = ["creapphier", "perform_action", "ins_remove", "dep_remove"];
        let changes = |deed: &String| changes.iter().any(|program| deed.starts_with(program));
        assert!(!machine.deeds().iter().any(changes), "{:?}", machine.deeds());
        assert_eq!((settings(&root).as_str(), has_record(&root)), (SETTINGS, false));
    }

    #[test]
    fn a_key_that_was_added_after_the_plan_is_not_doubled() {
        let (root, machine) = node();
        let theirs = format!("{SETTINGS}APP_DOVECOT_DEBUG=1\n");
        let error = applied(&root, &machine, &wanted(), || root.write(defaults::FILE, &theirs));
        assert!(error.ends_with("another program changed it; try again"), "{error}");
        assert_eq!((settings(&root), has_record(&root)), (theirs, false));
    }

    #[test]
    fn each_step_is_undone() {
        let (root, machine) = node();
        let record = root.path().join(record::FILE);
        let write = || root.write(record::FILE, "format = 2\n");
        undone(&root, &machine, write, &Step::Note).expect("removing the record");
        assert!(!record.exists());

        let entries = block::defaults();
        let added = String::from_utf8(block::add(SETTINGS.as_bytes(), &entries)).expect("text");
        let step = Step::Entries { entries, newline: false };
        undone(&root, &machine, || root.write(defaults::FILE, &added), &step).expect("removing");
        assert_eq!(settings(&root), SETTINGS);

        let link = ("/etc/rc2.d/S01dovecot".to_owned(), "../init.d/dovecot".to_owned());
        let boot =
            links::Boot { service: "dovecot".into(), links: [link].into(), ..Default::default() };
        undone(&root, &machine, || {}, &Step::Boot(boot)).expect("linking it again");
        let target = fs::read_link(root.path().join("etc/rc2.d/S01dovecot")).expect("the link");
        assert_eq!(target, Path::new("../init.d/dovecot"));

        let edge = Edge { there: None, parent: "dovecot".into(), child: "vmail".into() };
        let (end, took) = (End::Exited(0), Duration::from_millis(5));
        let step = Step::Depend(edge);
        let depends = || machine.answer("dep_list -p dovecot", end, took, "dovecot\u{1}vmail\n");
        undone(&root, &machine, depends, &step).expect("taking it off");
        assert_eq!(machine.count("dep_remove -p dovecot -c vmail"), 1);

        let create = Step::Create(crate::command::Command::new("/x".into(), &[]), Start::Later);
        let error = undone(&root, &machine, || show_resource(&machine), &create);
        // The machine's LifeKeeper shows it for ever.
        let error = error.expect_err("it does not go").to_string();
        assert_eq!(error, "deleting dovecot: it is still there");
        assert_eq!(machine.count("ins_remove -t dovecot"), 1, "{:?}", machine.deeds());
    }
}
