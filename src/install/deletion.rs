//! Takes a resource out of service and deletes it, and leaves what it depended on alone.

use std::fs;

use super::caution;
use super::resource::{Edge, LIST_LIMIT, MOVE_LIMIT, Resource, There, calls_kit};
use crate::command::Command;
use crate::error::{Error, refused};
use crate::lifekeeper::resources::{Equivalent, on};
use crate::messages::{Message, Remark};
use crate::system::System;

impl<S: System> Resource<'_, S> {
    /// Where it is.
    ///
    /// # Errors
    ///
    /// When LifeKeeper does not tell.
    pub(super) fn places(&self) -> Result<Places, Error> {
        let (mut alive, mut silent) = (Vec::new(), Vec::new());
        for other in self.lifekeeper.equivalents(self.system, self.tag)? {
            match self.there(&other)? {
                There::Dead => {
                    let Equivalent { system, tag } = other;
                    silent.push(format!("{tag} on {system}, which does not answer"));
                }
                There::Alive(Some(_)) => alive.push((Some(other.system), other.tag)),
                There::Alive(None) => {}
            }
        }
        alive.push((None, self.tag.to_string()));
        Ok(Places { alive, silent })
    }

    /// Takes it out of service and deletes it, on all systems that can be reached; what it
    /// depended on stays. Returns where it could not be deleted, in words. Where it is still there,
    /// it depends on that as before.
    ///
    /// # Errors
    ///
    /// When LifeKeeper refuses a step, or still shows the resource here.
    pub(super) fn take_out(&self, by: &Deletion) -> Result<Vec<String>, Error> {
        let Some(found) = self.look()? else { return Ok(Vec::new()) };
        let Places { alive, silent: mut left } = self.places()?;
        // Asked for first: where a list cannot be had, Dovecot goes on.
        let mut edges = Vec::new();
        for (there, parent) in &alive {
            for child in self.lifekeeper.children(self.system, there.as_deref(), parent)? {
                edges.push(Edge { there: there.clone(), parent: parent.clone(), child });
            }
        }
        if found.state.is_in_service() {
            self.perform("remove")?;
            if self.look()?.is_some_and(|now| now.state.is_in_service()) {
                let tag = self.tag;
                return Err(refused!(
                    Message::NotOutOfService,
                    "taking {tag} out of service: it still is"
                ));
            }
        }
        let deleted = self.delete(by, &alive, &edges);
        self.put_back(&edges);
        deleted?;
        for (there, tag) in alive {
            if self.lifekeeper.instance(self.system, there.as_deref(), &tag)?.is_none() {
                continue;
            }
            match there {
                None => {
                    return Err(refused!(Message::NotDeleted, "deleting {tag}: it is still there"));
                }
                Some(there) => left.push(format!("{tag} on {there}")),
            }
        }
        self.tidy()?;
        Ok(left)
    }

    /// Deletes it on these systems. Without its dependencies it stands alone: nothing else can be
    /// deleted with it.
    fn delete(
        &self,
        by: &Deletion,
        alive: &[(Option<String>, String)],
        edges: &[Edge],
    ) -> Result<(), Error> {
        edges.iter().try_for_each(|edge| self.undepend(edge))?;
        match by {
            Deletion::Lkcli(command) => self.require_success(command, MOVE_LIMIT),
            Deletion::InsRemove => alive.iter().try_for_each(|(there, tag)| {
                let words = [on(there.as_deref()), vec!["-t", tag]].concat();
                self.succeed("ins_remove", &words, LIST_LIMIT)
            }),
        }
    }

    /// Puts dependencies back where the resource was not deleted: brought into service again without
    /// them, it would start Dovecot without its address and its mail store. Warns of those that cannot
    /// be put back.
    fn put_back(&self, edges: &[Edge]) {
        for edge in edges {
            let Edge { there, parent, child } = edge;
            let is_wanted = || -> Result<bool, Error> {
                let found = self.lifekeeper.instance(self.system, there.as_deref(), parent)?;
                Ok(found.is_some() && !self.depends(edge)?)
            };
            let done = is_wanted().and_then(|it| if it { self.depend(edge) } else { Ok(()) });
            if let Err(cause) = done {
                let on = there.as_ref().map_or(String::new(), |node| format!(" on {node}"));
                let text = format!(
                    "{parent} no longer depends on {child}{on}: {cause}; if it is to be in service \
                     again, make it depend on that first"
                );
                caution(&Remark::new(Message::NotUndone, text));
            }
        }
    }

    /// Removes copies of ours that LifeKeeper left.
    fn tidy(&self) -> Result<(), Error> {
        for copy in self.lifekeeper.copies(self.tag) {
            if let Some(path) = copy.path
                && calls_kit(&path, copy.action)?
            {
                fs::remove_file(&path).map_err(Error::file("removing", &path))?;
            }
        }
        Ok(())
    }
}

/// Where a resource is.
pub(super) struct Places {
    /// The systems that can be asked, this one last, and its tag there.
    pub(super) alive: Vec<(Option<String>, String)>,
    /// Where it may be too, in words.
    silent: Vec<String>,
}

/// How a resource is deleted.
#[derive(Clone, Debug)]
pub(super) enum Deletion {
    /// On all systems at once.
    Lkcli(Command),
    /// System by system, with LifeKeeper's low-level command.
    InsRemove,
}
