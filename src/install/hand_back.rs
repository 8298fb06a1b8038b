//! How a resource that was taken over is given back to the programs that it had before, while
//! Dovecot goes on.

use super::peer::Peer;
use super::programs::{self, Program};
use super::record::TakeOver;
use super::resource::{Resource, is_application};
use super::step::Deed;
use super::step_back::Step;
use crate::cli::Uninstall;
use crate::dovecot::identity;
use crate::error::{Error, refused};
use crate::lifekeeper::state::State;
use crate::messages::Message;
use crate::system::System;

/// The steps, and what stays.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) kept: Vec<Deed>,
}

/// Plans it. Where the resource is in service, all nodes give it back; elsewhere this node alone.
///
/// # Errors
///
/// Whatever stands against it.
pub(super) fn plan<S: System>(
    resource: &Resource<'_, S>,
    what: &Uninstall,
    taken: TakeOver,
) -> Result<Plan, Error> {
    let Resource { system, root, lifekeeper, tag } = *resource;
    lifekeeper.require_running(system)?;
    let mut plan = Plan::default();
    let Some(found) = resource.look()? else { return Ok(plan) };
    let ours = if is_application(&found) { ours(resource)? } else { Vec::new() };
    for program in &ours {
        // Looked at before anything is changed.
        program.kept()?;
    }
    let leads = found.state == State::Isp || taken.paused;
    if what.hand_back && found.state.is_in_service() {
        return Err(refused!(
            Message::NotGivenBack,
            "giving {tag} back: it is in service on this node; run dovecot-ark uninstall here"
        ));
    }
    if leads && !what.hand_back {
        elsewhere(resource, &mut plan)?;
    }
    let serves = match found.state {
        State::Isp => true,
        State::Osu => taken.paused && !identity::living_masters(system, root)?.is_empty(),
        _ => false,
    };
    if serves && (taken.paused || !ours.is_empty()) {
        plan.steps.extend([Step::Note, Step::Pause, Step::GiveBack(ours), Step::Resume]);
    } else if !ours.is_empty() {
        plan.steps.push(Step::GiveBack(ours));
    }
    Ok(plan)
}

/// Makes sure that nothing of this kit's is here, where nothing is noted of it.
///
/// # Errors
///
/// When LifeKeeper's copies call this kit: no old ones are kept for them.
pub(super) fn require_nothing<S: System>(resource: &Resource<'_, S>) -> Result<(), Error> {
    if has_nothing(resource)? {
        return Ok(());
    }
    let tag = resource.tag;
    // Where it was extended to since it was taken over, LifeKeeper has copied the kit's.
    let cause = "its programs here are this kit's, and no old ones are kept; take it off this node in \
                 LifeKeeper and extend it to it again";
    Err(refused!(Message::NotGivenBack, "giving {tag} back: {cause}"))
}

/// Whether none of LifeKeeper's copies here calls this kit.
///
/// # Errors
///
/// When one cannot be read.
pub(super) fn has_nothing<S>(resource: &Resource<'_, S>) -> Result<bool, Error> {
    ours(resource).map(|ours| ours.is_empty())
}

/// Adds the other nodes.
fn elsewhere<S: System>(resource: &Resource<'_, S>, plan: &mut Plan) -> Result<(), Error> {
    let Resource { system, lifekeeper, tag, .. } = *resource;
    for other in lifekeeper.equivalents(system, tag)? {
        let (node, tag) = (&other.system, &other.tag);
        if lifekeeper.is_alive(system, node) {
            plan.steps.push(Step::Peer(Peer::new(node, tag, String::new())?));
        } else {
            let what = format!(
                "{tag} on {node}, which LifeKeeper does not call alive; when it is back, run \
                 dovecot-ark uninstall --tag {tag} there"
            );
            plan.kept.push(Deed::new("keeping", "keep", what));
        }
    }
    Ok(())
}

/// Those that call this kit.
fn ours<S>(resource: &Resource<'_, S>) -> Result<Vec<Program>, Error> {
    programs::parted(&programs::of(resource)).map(|(ours, _)| ours)
}
