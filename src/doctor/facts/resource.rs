//! The resource as LifeKeeper on one node knows it: its state, and what it needs below it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Fact;
use super::copies::Copies;
use crate::error::Error;
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::resources::Instance;
use crate::lifekeeper::state::State;
use crate::lifekeeper::tag::Tag;
use crate::system::System;

/// How many resources below this one are looked at.
const MAX_BELOW: usize = 100;

/// The resource, and its surroundings.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Resource {
    /// Its tag on this node.
    pub(crate) tag: String,
    /// How it is registered; `None` when it is not.
    pub(crate) registered: Fact<Option<Registered>>,
    /// The tags of the node's generic applications.
    pub(crate) applications: Vec<String>,
    /// The node's IP resources: their tags, and the addresses found in what they say.
    pub(crate) addresses: BTreeMap<String, BTreeSet<IpAddr>>,
    /// The tags of all resources below it.
    pub(crate) below: Fact<BTreeSet<String>>,
    /// The other systems to which it is extended, and its tag there.
    pub(crate) extended: Fact<BTreeMap<String, String>>,
    /// Where it is not registered: what the other systems have of its tag. Earlier kits do not report it.
    #[serde(default)]
    pub(crate) elsewhere: Elsewhere,
    pub(crate) copies: Copies,
}

/// The other systems by what they have of a tag.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Elsewhere {
    /// Those that have it, with its state there.
    pub(crate) found: BTreeMap<String, State>,
    /// Those that could not be asked.
    pub(crate) unknown: BTreeSet<String>,
}

/// A line of LifeKeeper's list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Registered {
    /// `gen` for the kit's.
    pub(crate) app: String,
    /// `app` for the kit's.
    pub(crate) kind: String,
    /// How LifeKeeper has it here.
    pub(crate) state: State,
}

impl Resource {
    /// Asks LifeKeeper, if it can be asked. After the first question without an answer it is not
    /// asked further.
    pub(crate) fn gather(
        system: &impl System,
        root: &Path,
        engine: Option<&LifeKeeper>,
        tag: &Tag,
    ) -> Self {
        let copies = Copies::gather(root, engine, tag);
        let Some(engine) = engine else {
            return Self::unknown(tag, copies, "LifeKeeper does not run here");
        };
        let all = match engine.instances(system, None) {
            Ok(all) => all,
            Err(cause) => return Self::unknown(tag, copies, &cause.to_string()),
        };
        let named = all.iter().find(|one| one.tag == tag.as_str());
        let below = match named {
            Some(_) => below(engine, system, tag),
            None => Ok(BTreeSet::new()),
        };
        let extended = match (named, &below) {
            (Some(_), Ok(_)) => extended(engine, system, tag).into(),
            (Some(_), Err(cause)) => Fact::Unknown(cause.to_string()),
            (None, _) => Fact::Known(BTreeMap::new()),
        };
        let of_kind = |app: &str, kind: &str| {
            let wanted = (app.to_owned(), kind.to_owned());
            all.iter().filter(move |one| (&one.app, &one.kind) == (&wanted.0, &wanted.1))
        };
        let addresses = |one: &Instance| {
            [&one.info, &one.id, &one.tag].into_iter().flat_map(|text| addresses_in(text)).collect()
        };
        Self {
            tag: tag.to_string(),
            registered: Fact::Known(named.map(|one| Registered {
                app: one.app.clone(),
                kind: one.kind.clone(),
                state: one.state,
            })),
            applications: of_kind("gen", "app").map(|one| one.tag.clone()).collect(),
            addresses: of_kind("comm", "ip").map(|one| (one.tag.clone(), addresses(one))).collect(),
            below: below.into(),
            extended,
            elsewhere: if named.is_none() {
                elsewhere(engine, system, tag)
            } else {
                Elsewhere::default()
            },
            copies,
        }
    }

    /// One of which LifeKeeper tells nothing, for this reason.
    fn unknown(tag: &Tag, copies: Copies, cause: &str) -> Self {
        Self {
            tag: tag.to_string(),
            registered: Fact::Unknown(cause.to_owned()),
            applications: Vec::new(),
            addresses: BTreeMap::new(),
            below: Fact::Unknown(cause.to_owned()),
            extended: Fact::Unknown(cause.to_owned()),
            elsewhere: Elsewhere::default(),
            copies,
        }
    }

    /// How it is registered, if it is.
    pub(crate) fn registration(&self) -> Option<&Registered> {
        self.registered.known()?.as_ref()
    }

    /// Whether LifeKeeper has it in service here.
    pub(crate) fn is_in_service(&self) -> bool {
        self.registration().is_some_and(|one| one.state.is_in_service())
    }

    /// Whether it is known to stand by here.
    pub(crate) fn stands_by(&self) -> bool {
        self.registration().is_some_and(|one| one.state == State::Osu)
    }

    /// The tags of the IP resources that have an address.
    pub(crate) fn address_tags(&self, address: IpAddr) -> Vec<&str> {
        let has = |(_, addresses): &(&String, &BTreeSet<IpAddr>)| addresses.contains(&address);
        self.addresses.iter().filter(has).map(|(tag, _)| tag.as_str()).collect()
    }

    /// Puts it out of service.
    #[cfg(test)]
    pub(crate) fn stand_by(&mut self) {
        let (app, kind, state) = ("gen".into(), "app".into(), State::Osu);
        self.registered = Fact::Known(Some(Registered { app, kind, state }));
    }
}

/// The other systems that know the resource, and its tag there.
fn extended(
    engine: &LifeKeeper,
    system: &impl System,
    tag: &Tag,
) -> Result<BTreeMap<String, String>, Error> {
    let all = engine.equivalents(system, tag)?;
    Ok(all.into_iter().map(|there| (there.system, there.tag)).collect())
}

/// What the other systems have of a tag. Where they cannot even be listed, one that is not known may have
/// it.
fn elsewhere(engine: &LifeKeeper, system: &impl System, tag: &Tag) -> Elsewhere {
    let Ok(asked) = engine.elsewhere(system, |one| one.tag == tag.as_str()) else {
        let unknown = ["another node".to_owned()].into();
        return Elsewhere { unknown, ..Elsewhere::default() };
    };
    Elsewhere {
        found: asked.found.into_iter().map(|(node, found)| (node, found.state)).collect(),
        unknown: asked.unknown.into_iter().map(|(node, _)| node).collect(),
    }
}

/// The tags of all resources below one, however deep.
fn below(engine: &LifeKeeper, system: &impl System, tag: &Tag) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    let mut left = vec![tag.as_str().to_owned()];
    while let Some(parent) = left.pop() {
        for child in engine.children(system, None, &parent)? {
            if found.len() < MAX_BELOW && found.insert(child.clone()) {
                left.push(child);
            }
        }
    }
    Ok(found)
}

/// The addresses that stand in a text of whatever form: `IP-192.0.2.10`, `eth0:192.0.2.10/24`.
fn addresses_in(text: &str) -> BTreeSet<IpAddr> {
    let is_v4 = |c: char| c.is_ascii_digit() || c == '.';
    let is_v6 = |c: char| c.is_ascii_hexdigit() || ":.".contains(c);
    let v4 = text.split(|c| !is_v4(c)).filter_map(|word| word.parse().ok()).map(IpAddr::V4);
    let v6 = text.split(|c| !is_v6(c)).filter_map(|word| word.parse().ok()).map(IpAddr::V6);
    v4.chain(v6).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::End;
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;

    #[test]
    fn where_the_other_systems_cannot_be_listed_one_of_them_may_have_it() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        root.write_program("opt/LifeKeeper/bin/ins_list");
        let answer = |line, status, words| {
            machine.answer(line, End::Exited(status), Duration::from_millis(5), words);
        };
        answer("lcduname", 0, "node1\n");
        answer("sys_list", 0, "node1\n");
        let engine = LifeKeeper::find(root.path()).expect("LifeKeeper");
        let tag = Tag::parse("dovecot").expect("a tag");
        let unknown = || elsewhere(&engine, &machine, &tag).unknown.into_iter().collect::<Vec<_>>();
        assert_eq!(unknown(), [""; 0], "there is no other");
        answer("sys_list", 1, "x");
        assert_eq!(unknown(), ["another node"]);
    }

    #[test]
    fn addresses_are_found_in_whatever_form_they_stand() {
        for (text, addresses) in [
            ("IP-192.0.2.10", "192.0.2.10"),
            ("node1 eth0 192.0.2.10 fffffc00", "192.0.2.10"),
            ("eth0:192.0.2.10/24", "192.0.2.10"),
            ("eth0\u{2}2001:db8::1\u{2}64", "2001:db8::1"),
            ("192.0.2.100", "192.0.2.100"),
            ("1.2.3", ""),
            ("mail", ""),
            ("", ""),
        ] {
            let found: Vec<String> = addresses_in(text).iter().map(IpAddr::to_string).collect();
            assert_eq!(found.join(" "), addresses, "{text:?}");
        }
    }
}
