//! Puts Dovecot under LifeKeeper's protection on this node, and takes it out again.
//!
//! A plan is made first, so that what stands against it is found before anything is changed. Its
//! first step notes the others; a step that fails lets the earlier ones be undone. Who is killed
//! between two steps is called again, and the new plan holds what is left to do.

mod alone;
pub(crate) mod block;
mod plan;
pub(crate) mod record;
mod replace;
mod resource;
mod uninstall;

use std::path::Path;

use log::{error, info, warn};

use crate::boot::links;
use crate::cli::Install;
use crate::dovecot::notes::Notes;
use crate::dovecot::{identity, pid_file, places, service};
use crate::error::Error;
use crate::exit::Exit;
use crate::lifekeeper::defaults;
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::tag::Tag;
use crate::log::Audience;
use crate::settings;
use crate::show;
use crate::system::System;
use alone::Alone;
use block::{Entry, Extent};
use plan::{Plan, Step};
use record::Record;
use resource::{Deletion, Failure, Resource};

pub(crate) use uninstall::uninstall;

/// Creates the resource, adds default settings, takes Dovecot's start at boot off.
///
/// # Errors
///
/// The reason why it was not done; nothing is changed then, or a line says what is.
pub(crate) fn install(system: &impl System, root: &Path, what: &Install) -> Result<Exit, Error> {
    let lifekeeper = LifeKeeper::find(root)?;
    let resource = Resource { system, lifekeeper: &lifekeeper, tag: &what.tag };
    if what.dry_run {
        let plan = plan::plan(&resource, root, what)?;
        let steps = plan.steps.iter().map(|step| format!("{step}\n"));
        let warnings = plan.warnings.iter().map(|warning| format!("warning: {warning}\n"));
        let text: String = warnings.chain(steps).collect();
        show::print(if plan.steps.is_empty() { "nothing to do\n" } else { &text })?;
        return Ok(Exit::Success);
    }
    logged("install", root, &what.tag, || {
        let _alone = Alone::take(system, root)?;
        tidy(root)?;
        let mut plan = plan::plan(&resource, root, what)?;
        for warning in &plan.warnings {
            say(&format!("warning: {warning}"));
        }
        if plan.steps.is_empty() {
            say("nothing to do");
            return Ok(());
        }
        apply(&resource, root, &mut plan)?;
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
    work().map(|()| Exit::Success).inspect_err(|cause| error!("{cause}"))
}

/// Tells a person, and the log. That nobody reads it must not stop a work half-way.
fn say(line: &str) {
    info!("{line}");
    let _ = show::print(&format!("{line}\n"));
}

/// Takes away what a run that was killed has left.
fn tidy(root: &Path) -> Result<(), Error> {
    let record = root.join(record::FILE);
    replace::tidy(&root.join(defaults::FILE))?;
    replace::tidy(&record)?;
    if let Some(folder) = record.parent() {
        // Where there is a record, it is not empty and stays.
        let _ = std::fs::remove_dir(folder);
    }
    Ok(())
}

/// What undoing must know of the time before.
struct Before {
    record: Option<Record>,
    had_block: bool,
    /// How many masters of Dovecot ran.
    masters: usize,
}

/// Does the steps; when one fails, undoes those before it.
fn apply<S: System>(resource: &Resource<'_, S>, root: &Path, plan: &mut Plan) -> Result<(), Error> {
    let before = Before {
        record: plan.noted.take(),
        had_block: block::is_in(&plan::read_defaults(root)?.bytes),
        masters: identity::living_masters(resource.system, root)?.len(),
    };
    let Plan { steps, record, .. } = plan;
    let mut begun = Vec::new();
    for step in steps.iter() {
        say(&step.to_string());
        if let Err(cause) = take(resource, root, record, step, &mut begun) {
            say("undoing what was done");
            for step in begun.into_iter().rev() {
                if let Err(further) = undo(resource, root, &before, step) {
                    warn!("undoing \"{step}\": {further}");
                    return Err(Error::Refused(format!(
                        "{cause}\nThis could not be undone: {step}: {further}\nWhat is left is \
                         noted in /{}; `dovecot-ark uninstall --tag {}` takes it back.",
                        record::FILE,
                        resource.tag
                    )));
                }
            }
            return Err(cause);
        }
    }
    Ok(())
}

/// Takes a step. It is added to those that are `begun` unless what it should make is somebody
/// else's.
fn take<'a, S: System>(
    resource: &Resource<'_, S>,
    root: &Path,
    record: &Record,
    step: &'a Step,
    begun: &mut Vec<&'a Step>,
) -> Result<(), Error> {
    if let Step::Depend(edge) = step
        && resource.depends(edge)?
    {
        return Ok(());
    }
    begun.push(step);
    match step {
        Step::Note => record.save(root),
        Step::Entries { entries, .. } => add_entries(root, entries),
        Step::Boot(boot) => links::disable(resource.system, root, boot),
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
    }
}

/// Undoes a step that was taken, or was begun and failed.
fn undo<S: System>(
    resource: &Resource<'_, S>,
    root: &Path,
    before: &Before,
    step: &Step,
) -> Result<(), Error> {
    match step {
        Step::Note => match &before.record {
            Some(record) => record.save(root),
            None => record::remove(root),
        },
        Step::Entries { entries, newline } => {
            let extent = match (before.had_block, newline) {
                (true, _) => Extent::Entries,
                (false, true) => Extent::BlockAndNewline,
                (false, false) => Extent::Block,
            };
            remove_entries(root, entries, extent)
        }
        Step::Boot(boot) => links::give_back(resource.system, root, boot).map(drop),
        Step::Create(..) => {
            let tag = resource.tag.as_str();
            let deletion = resource.lifekeeper.deletion(resource.system, tag);
            let deletion = deletion.map_or(Deletion::InsRemove, Deletion::Lkcli);
            resource.take_out(&deletion)?;
            give_dovecot_back(resource.system, root, before.masters)
        }
        Step::Depend(edge) if resource.depends(edge)? => resource.undepend(edge),
        Step::Depend(_) => Ok(()),
    }
}

/// Lets Dovecot run again, or no longer, as before the resource was created.
fn give_dovecot_back(system: &impl System, root: &Path, masters: usize) -> Result<(), Error> {
    let (settings, _) = settings::read(root);
    match (masters, identity::living_masters(system, root)?.len()) {
        (0, 1..) => {
            let limit = service::CHANGE_LIMIT;
            let notes = Notes::read(system, root);
            pid_file::clear(system, root, &places::usual(), &notes, &[]);
            service::stop(system, root, &settings.service, limit, &mut || {});
        }
        (1.., 0) => {
            service::start(system, root, &settings.service);
        }
        _ => {}
    }
    Ok(())
}

fn add_entries(root: &Path, entries: &[Entry]) -> Result<(), Error> {
    let file = plan::read_defaults(root)?;
    file.replace(&block::add(&file.bytes, entries))
}

/// Takes entries out that still read as they were written.
fn remove_entries(root: &Path, entries: &[Entry], extent: Extent) -> Result<(), Error> {
    let file = replace::Original::read(&root.join(defaults::FILE))?;
    let without = block::remove(&file.bytes, entries, extent);
    if without == file.bytes { Ok(()) } else { file.replace(&without) }
}
