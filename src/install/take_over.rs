//! What it takes to put a resource that other programs serve, such as those of the original kit,
//! into this kit's hands while Dovecot goes on.
//!
//! The standby nodes come first: nothing runs their programs. On the node that serves, LifeKeeper
//! leaves the resource alone while its programs are replaced, and the new quickCheck must have said
//! that Dovecot is in operation before LifeKeeper calls it: one that said otherwise would restart
//! it.

use std::path::Path;

use super::block;
use super::peer::Peer;
use super::plan::Step;
use super::programs;
use super::record::{Record, Taken};
use super::resource::{Resource, is_application};
use crate::cli::Install;
use crate::dovecot::checks::{self, Care};
use crate::dovecot::identity;
use crate::dovecot::notes::Notes;
use crate::error::Error;
use crate::lifekeeper::defaults;
use crate::lifekeeper::resources::Instance;
use crate::lifekeeper::state::State;
use crate::settings::{self, Settings};
use crate::system::System;

/// The steps, and what was found of the resource.
pub(super) struct Plan {
    pub(super) found: Instance,
    pub(super) steps: Vec<Step>,
    pub(super) warnings: Vec<String>,
}

/// Plans the taking over of a resource, and notes it in the record. The defaults file will hold
/// `file`.
///
/// # Errors
///
/// Whatever stands against it.
pub(super) fn plan<S: System>(
    resource: &Resource<'_, S>,
    root: &Path,
    what: &Install,
    file: &[u8],
    record: &mut Record,
    prepared: Option<&Record>,
) -> Result<Plan, Error> {
    let Resource { system, lifekeeper, tag } = *resource;
    let refuse = |cause: String| Err(Error::Refused(format!("taking {tag} over: {cause}")));
    let Some(found) = resource.look()? else {
        return refuse(
            "LifeKeeper has no such resource; leave --take-over off to create it".into(),
        );
    };
    if !is_application(&found) {
        return refuse(format!("it is of type {}/{}, not gen/app", found.app, found.kind));
    }
    let all = programs::of(lifekeeper, root, tag);
    for action in ["restore", "remove", "quickCheck", "recover"] {
        if all.iter().all(|program| program.action != action) {
            return refuse(format!("it has no program for {action}, and all four are needed"));
        }
    }
    let mut foreign = Vec::new();
    for program in &all {
        if !program.is_ours()? {
            foreign.push(program.clone());
        }
    }
    let noted = record.taken(tag);
    if foreign.is_empty() && noted.is_none() && !what.standby {
        return refuse("it is this kit's already; leave --take-over off".into());
    }
    let taken = noted.unwrap_or_else(|| Taken {
        paused: false,
        prepared: prepared
            .is_some_and(|record| record.tags().iter().any(|one| one == tag.as_str())),
    });
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
    let serves = match plan.found.state {
        State::Isp => true,
        _ if taken.paused && is_served => true,
        _ => {
            if taken.paused {
                plan.warnings.push(format!(
                    "{tag} was marked OSU by a run that was killed, and Dovecot does not run here; \
                     bring it into service: perform_action -t {tag} -a restore"
                ));
            }
            false
        }
    };
    let changes = !foreign.is_empty() || serves && taken.paused;
    record.note_taken(tag, Some(Taken { paused: serves && changes, ..taken }));
    if serves && changes {
        require_operation(resource, root, file)?;
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
    let Resource { system, lifekeeper, tag } = *resource;
    for other in lifekeeper.equivalents(system, tag)? {
        let node = &other.system;
        if !lifekeeper.is_alive(system, node) {
            return Err(Error::Refused(format!(
                "taking {tag} over: LifeKeeper does not call {node} alive, and all nodes of the \
                 resource must be"
            )));
        }
        let seconds = what.quickcheck_timeout;
        let options = seconds.map_or(String::new(), |it| format!(" --quickcheck-timeout={it}"));
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
fn require_operation<S: System>(
    resource: &Resource<'_, S>,
    root: &Path,
    file: &[u8],
) -> Result<(), Error> {
    let system = resource.system;
    let found = defaults::from_bytes(file, settings::PREFIX, &settings::KEYS);
    let (settings, _): (Settings, _) = settings::understand(found);
    let notes = Notes::read(system, root);
    let checks = checks::check(system, &settings, root, &notes, Care::Twice, checks::LIMIT)?;
    if checks.in_operation() {
        return Ok(());
    }
    let tag = resource.tag;
    Err(Error::Refused(format!(
        "taking {tag} over: this kit would call Dovecot out of operation, and LifeKeeper would \
         recover it: {}; fix that, or write {}=connect, which asks for a connection alone as the \
         original kit",
        checks.causes().join("; "),
        settings::PROBE
    )))
}

/// What the defaults file will hold.
pub(super) fn file_after(file: &[u8], steps: &[Step]) -> Vec<u8> {
    let entries = steps.iter().find_map(|step| match step {
        Step::Entries { entries, .. } => Some(entries),
        _ => None,
    });
    entries.map_or_else(|| file.to_vec(), |entries| block::add(file, entries))
}
