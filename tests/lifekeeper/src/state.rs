//! What a node knows of its resources and its peer, and the file that keeps it.
//!
//! One JSON file, written beside itself, synced and renamed: a power cut leaves the old or the new
//! one. Only the engine writes it. The file's form is the stand-in's own (A); the words in it are
//! LifeKeeper's.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Failure, Result};

/// A resource's state, by LifeKeeper's names.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(clippy::upper_case_acronyms, reason = "LifeKeeper's words")]
pub(crate) enum Condition {
    /// In service, protected.
    ISP,
    /// In service, unprotected.
    ISU,
    /// Out of service on purpose.
    OSU,
    /// Out of service, failed.
    OSF,
}

impl Condition {
    /// The word for it.
    pub(crate) fn word(self) -> String {
        format!("{self:?}")
    }

    /// Whether the resource is up.
    pub(crate) fn in_service(self) -> bool {
        matches!(self, Self::ISP | Self::ISU)
    }
}

/// A resource on this node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Resource {
    /// The application: `gen`, `comm`.
    pub(crate) app: String,
    /// The type: `app`, `ip`, `filesys`.
    pub(crate) kind: String,
    pub(crate) tag: String,
    /// What it stands for.
    pub(crate) id: String,
    pub(crate) info: String,
    pub(crate) state: Condition,
    pub(crate) reason: String,
    /// `INTELLIGENT` or `AUTOMATIC`.
    pub(crate) switchback: String,
    /// Its priority on this node; lower is higher.
    pub(crate) priority: u32,
    /// What stands for it on the other node, once it is extended.
    pub(crate) other: Option<Counterpart>,
    /// Whether it comes into service when this node starts.
    pub(crate) wanted: bool,
}

impl Resource {
    /// A resource that is out of service and on this node only.
    pub(crate) fn new([app, kind, tag, id, info]: [&str; 5], switchback: &str) -> Self {
        Self {
            app: app.to_owned(),
            kind: kind.to_owned(),
            tag: tag.to_owned(),
            id: id.to_owned(),
            info: info.to_owned(),
            // A: the state before any is set is ILLSTATE; here it is OSU.
            state: Condition::OSU,
            reason: String::new(),
            switchback: switchback.to_uppercase(),
            priority: 1,
            other: None,
            wanted: false,
        }
    }
}

/// A resource's counterpart on the other system.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Counterpart {
    pub(crate) system: String,
    pub(crate) tag: String,
    pub(crate) priority: u32,
}

/// A communication path.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct CommPath {
    pub(crate) system: String,
    pub(crate) local: String,
    pub(crate) remote: String,
    /// Lower is used first.
    pub(crate) priority: u32,
}

/// A dependency: the parent needs the child.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Dependency {
    pub(crate) parent: String,
    pub(crate) child: String,
}

/// Everything that survives a power cut.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct State {
    /// The other systems.
    pub(crate) systems: Vec<String>,
    /// The ways to them.
    pub(crate) paths: Vec<CommPath>,
    pub(crate) resources: Vec<Resource>,
    /// What needs what.
    pub(crate) dependencies: Vec<Dependency>,
}

impl State {
    /// Reads the file; one that is not there is an empty state.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let doing = format!("reading {}", path.display());
        match fs::read(path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            read => {
                read.and_then(|text| Ok(serde_json::from_slice(&text)?)).map_err(Failure::io(doing))
            }
        }
    }

    /// Writes the file so that a power cut leaves the old or the new one.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let temporary = path.with_extension("new");
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
        };
        write().map_err(Failure::io(format!("writing {}", path.display())))
    }

    /// Adds a resource.
    ///
    /// # Errors
    ///
    /// [`Failure::Exists`] when its tag or its id is taken.
    pub(crate) fn add(&mut self, new: Resource) -> Result<()> {
        let same = |old: &Resource| {
            old.tag == new.tag || (&old.app, &old.kind, &old.id) == (&new.app, &new.kind, &new.id)
        };
        if self.resources.iter().any(same) {
            return Err(Failure::Exists(format!("resource \"{}\" already exists", new.tag)));
        }
        self.resources.push(new);
        Ok(())
    }

    /// Finds a resource by its tag.
    pub(crate) fn resource(&self, tag: &str) -> Result<&Resource> {
        let found = self.resources.iter().find(|resource| resource.tag == tag);
        found.ok_or_else(|| Failure::Absent(format!("resource \"{tag}\" does not exist")))
    }

    /// Finds a resource by its tag, to change it.
    pub(crate) fn resource_mut(&mut self, tag: &str) -> Result<&mut Resource> {
        let found = self.resources.iter_mut().find(|resource| resource.tag == tag);
        found.ok_or_else(|| Failure::Absent(format!("resource \"{tag}\" does not exist")))
    }

    /// The resource's tag on the other system; the same if it is not extended.
    pub(crate) fn there<'a>(&'a self, tag: &'a str) -> &'a str {
        let other = self.resource(tag).ok().and_then(|resource| resource.other.as_ref());
        other.map_or(tag, |other| &other.tag)
    }

    /// The resources that this one needs.
    pub(crate) fn children(&self, tag: &str) -> Vec<String> {
        let edges = self.dependencies.iter().filter(|edge| edge.parent == tag);
        edges.map(|edge| edge.child.clone()).collect()
    }

    /// The resources that need this one.
    pub(crate) fn parents(&self, tag: &str) -> Vec<String> {
        let edges = self.dependencies.iter().filter(|edge| edge.child == tag);
        edges.map(|edge| edge.parent.clone()).collect()
    }

    /// The resource and all below it, each before what it needs.
    pub(crate) fn below(&self, tag: &str) -> Vec<String> {
        self.closure(tag, |tag| self.children(tag))
    }

    /// The resource and all above it, each before what it needs.
    pub(crate) fn above(&self, tag: &str) -> Vec<String> {
        self.closure(tag, |tag| self.parents(tag))
    }

    /// The whole hierarchy around a resource, each before what it needs.
    pub(crate) fn hierarchy(&self, tag: &str) -> Vec<String> {
        self.closure(tag, |tag| [self.parents(tag), self.children(tag)].concat())
    }

    /// All resources, each before what it needs.
    pub(crate) fn all(&self) -> Vec<String> {
        self.top_down(&self.resources.iter().map(|resource| resource.tag.clone()).collect())
    }

    /// The tags that nothing in the set needs.
    pub(crate) fn roots(&self, set: &[String]) -> Vec<String> {
        let free = |tag: &&String| !self.parents(tag).iter().any(|parent| set.contains(parent));
        set.iter().filter(free).cloned().collect()
    }

    fn closure(&self, tag: &str, near: impl Fn(&str) -> Vec<String>) -> Vec<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![tag.to_owned()];
        while let Some(tag) = open.pop() {
            if found.insert(tag.clone()) {
                open.extend(near(&tag));
            }
        }
        self.top_down(&found)
    }

    fn top_down(&self, set: &BTreeSet<String>) -> Vec<String> {
        let mut order: Vec<String> = Vec::new();
        // dep_create refuses a circle, so there is always a next one.
        while let Some(next) = set.iter().find(|tag| {
            let waits = |parent: &String| set.contains(parent) && !order.contains(parent);
            !order.contains(tag) && !self.parents(tag).iter().any(waits)
        }) {
            order.push(next.clone());
        }
        order
    }
}
