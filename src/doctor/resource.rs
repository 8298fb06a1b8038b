//! The resource as LifeKeeper on one node knows it: its state, and what it needs below it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::copies::{self, Copies};
use super::facts::{Fact, Facts};
use super::finding::{Check, Finding};
use crate::error::Error;
use crate::lifekeeper::installation::LifeKeeper;
use crate::lifekeeper::resources::Instance;
use crate::lifekeeper::tag::Tag;
use crate::system::System;

/// How many resources below this one are looked at.
const MAX_BELOW: usize = 100;

/// The resource, and its surroundings.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Resource {
    /// Its tag on this node.
    pub(super) tag: String,
    /// How it is registered; `None` when it is not.
    pub(super) registered: Fact<Option<Registered>>,
    /// The tags of the node's generic applications.
    pub(super) applications: Vec<String>,
    /// The node's IP resources: their tags, and the addresses found in what they say.
    pub(super) addresses: BTreeMap<String, BTreeSet<IpAddr>>,
    /// The tags of all resources below it.
    pub(super) below: Fact<BTreeSet<String>>,
    /// The other systems to which it is extended, and its tag there.
    pub(super) extended: Fact<BTreeMap<String, String>>,
    /// The programs that LifeKeeper runs.
    pub(super) copies: Copies,
}

/// A line of LifeKeeper's list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Registered {
    /// `gen` for the kit's.
    pub(super) app: String,
    /// `app` for the kit's.
    pub(super) kind: String,
    /// ISP, OSU, OSF, ISU or ILLSTATE.
    pub(super) state: String,
}

impl Resource {
    /// Asks LifeKeeper, if it can be asked. After the first question without an answer it is not
    /// asked further.
    pub(super) fn look(
        system: &impl System,
        root: &Path,
        engine: Option<&LifeKeeper>,
        tag: &Tag,
    ) -> Self {
        let copies = Copies::look(root, engine, tag);
        let Some(engine) = engine else {
            return Self::unknown(tag, copies, "LifeKeeper does not run here");
        };
        let all = match engine.instances(system) {
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
                state: one.state.clone(),
            })),
            applications: of_kind("gen", "app").map(|one| one.tag.clone()).collect(),
            addresses: of_kind("comm", "ip").map(|one| (one.tag.clone(), addresses(one))).collect(),
            below: below.into(),
            extended,
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
            copies,
        }
    }

    /// How it is registered, if it is.
    pub(super) fn registration(&self) -> Option<&Registered> {
        self.registered.known()?.as_ref()
    }

    /// Whether LifeKeeper has it in service here.
    pub(super) fn is_in_service(&self) -> bool {
        self.registration().is_some_and(|one| ["ISP", "ISU"].contains(&one.state.as_str()))
    }

    /// The tags of the IP resources that have an address.
    pub(super) fn address_tags(&self, address: IpAddr) -> Vec<&str> {
        let has = |(_, addresses): &(&String, &BTreeSet<IpAddr>)| addresses.contains(&address);
        self.addresses.iter().filter(has).map(|(tag, _)| tag.as_str()).collect()
    }

    /// Puts it out of service.
    #[cfg(test)]
    pub(super) fn stand_by(&mut self) {
        let (app, kind, state) = ("gen".into(), "app".into(), "OSU".into());
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

/// Judges the resource on one node.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let resource = &facts.resource;
    let registered = match &resource.registered {
        Fact::Known(Some(registered)) => registered,
        // That LifeKeeper does not run is judged elsewhere.
        Fact::Unknown(_) if facts.installed.node.known().is_none() => {
            return copies::judge(facts);
        }
        Fact::Unknown(cause) => {
            let finding = Finding::error(
                Check::Resource,
                format!("LifeKeeper does not tell of its resources: {cause}"),
                "whether and how Dovecot is protected cannot be seen",
                facts.installed.command("ins_list"),
            );
            return [vec![finding], copies::judge(facts)].concat();
        }
        Fact::Known(None) => {
            return [vec![unregistered(resource)], copies::judge(facts)].concat();
        }
    };
    let mut findings = Vec::new();
    let tag = &resource.tag;
    if (registered.app.as_str(), registered.kind.as_str()) == ("gen", "app") {
        findings.push(Finding::ok(Check::Resource, format!("LifeKeeper has the resource {tag}")));
    } else {
        findings.push(Finding::error(
            Check::Resource,
            format!("{tag} is of the kind {}/{}, not gen/app", registered.app, registered.kind),
            "it is another kit's resource, and runs other programs than this kit's",
            format!(
                "dovecot-ark install --tag ANOTHER-Check::Tag, or doctor --tag {}",
                others(resource)
            ),
        ));
    }
    findings.push(state(facts, &registered.state));
    findings.extend(copies::judge(facts));
    findings.extend(dependencies(facts));
    findings
}

fn others(resource: &Resource) -> String {
    if resource.applications.is_empty() {
        "TAG".to_owned()
    } else {
        resource.applications.join("|")
    }
}

fn unregistered(resource: &Resource) -> Finding {
    let known = match resource.applications.as_slice() {
        [] => "there is no generic application here".to_owned(),
        tags => format!("generic applications here: {}", tags.join(", ")),
    };
    Finding::warning(
        Check::Resource,
        format!("LifeKeeper has no resource {} on this node; {known}", resource.tag),
        "Dovecot is not protected on this node, and not moved to it",
        format!("dovecot-ark install --tag {}, or extend the resource to this node", resource.tag),
    )
}

/// Whether the state agrees with what runs.
fn state(facts: &Facts, state: &str) -> Finding {
    let tag = &facts.resource.tag;
    let in_service = facts.resource.is_in_service();
    match (state, facts.network.serves()) {
        (_, Some(true)) if !in_service => Finding::error(
            Check::State,
            format!("Dovecot runs, and LifeKeeper has {tag} out of service here ({state})"),
            "it may run on two nodes at once and spoil the mail that they share",
            format!("dovecot-ark remove -t {tag}"),
        ),
        (_, Some(false)) if in_service => Finding::warning(
            Check::State,
            format!("LifeKeeper has {tag} in service here ({state}), and Dovecot does not run"),
            "there is no mail until LifeKeeper's next check recovers it",
            format!("dovecot-ark recover -t {tag}"),
        ),
        ("OSF" | "ILLSTATE", _) => Finding::warning(
            Check::State,
            format!("LifeKeeper calls {tag} failed here ({state})"),
            "what made it fail here may make it fail again",
            "read /var/log/dovecot-ark.log and /var/log/lifekeeper.log for the reason",
        ),
        (_, serves) => {
            let dovecot = match serves {
                Some(true) => "Dovecot runs",
                Some(false) => "Dovecot does not run",
                None => "whether Dovecot runs is not known",
            };
            Finding::ok(
                Check::State,
                format!("LifeKeeper has {tag} in state {state}, and {dovecot}"),
            )
        }
    }
}

/// Whether each moving address of the list is an IP resource below this one.
fn dependencies(facts: &Facts) -> Vec<Finding> {
    let resource = &facts.resource;
    let below = match &resource.below {
        Fact::Known(below) => below,
        Fact::Unknown(cause) => {
            return vec![Finding::warning(
                Check::Dependency,
                format!("what is below {} is not known: {cause}", resource.tag),
                "an address that does not come before Dovecot makes its start or its check fail",
                facts.installed.command(&format!("dep_list -p {}", resource.tag)),
            )];
        }
    };
    let places = facts.network.places.iter().filter(|place| place.moves());
    let addresses: BTreeSet<IpAddr> = places.map(|place| place.address).collect();
    let dependency = |address: &IpAddr| dependency(facts, below, *address);
    addresses.iter().map(dependency).collect()
}

fn dependency(facts: &Facts, below: &BTreeSet<String>, address: IpAddr) -> Finding {
    let tag = &facts.resource.tag;
    let tags = facts.resource.address_tags(address);
    match (tags.iter().find(|one| below.contains(**one)), tags.first()) {
        (Some(ip), _) => {
            Finding::ok(Check::Dependency, format!("{address} comes with {ip}, below {tag}"))
        }
        (None, Some(ip)) => Finding::error(
            Check::Dependency,
            format!("{tag} does not depend on {ip}, which has {address}"),
            "LifeKeeper may start Dovecot before the address is there, or on another node",
            facts.installed.command(&format!("dep_create -p {tag} -c {ip}")),
        ),
        (None, None) => Finding::warning(
            Check::Dependency,
            format!("no IP resource of this node has {address} of APP_DOVECOT_IP_LIST"),
            "an address that does not move with Dovecot is missing on the other nodes",
            format!(
                "create an IP resource for {address} in LifeKeeper, then `{}`",
                facts.installed.command(&format!("dep_create -p {tag} -c ITS-TAG"))
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::healthy;
    use super::super::finding::Level;
    use super::super::network::Running;
    use super::*;

    fn set_state(facts: &mut Facts, state: &str) {
        facts.resource.stand_by();
        if let Fact::Known(Some(registered)) = &mut facts.resource.registered {
            registered.state = state.into();
        }
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

    #[test]
    fn the_state_must_agree_with_what_runs() {
        for (named, masters, level) in [
            ("ISP", vec![100], Level::Ok),
            ("ISU", vec![100], Level::Ok),
            ("OSU", vec![], Level::Ok),
            ("OSU", vec![100], Level::Error),
            ("OSF", vec![100], Level::Error),
            ("OSF", vec![], Level::Warning),
            ("ILLSTATE", vec![], Level::Warning),
            ("ISP", vec![], Level::Warning),
        ] {
            let mut facts = healthy("node1");
            set_state(&mut facts, named);
            facts.network.dovecot = Fact::Known(Running { masters, ..Running::default() });
            assert_eq!(state(&facts, named).level, level, "{named} {:?}", facts.network.dovecot);
        }
    }

    #[test]
    fn an_address_that_is_not_below_is_an_error_with_the_command_that_puts_it_there() {
        type Change = fn(&mut Resource);
        let cases: [(Level, &str, Change); 3] = [
            (Level::Ok, "", |_| ()),
            (Level::Error, "/opt/LifeKeeper/bin/dep_create -p dovecot -c ip-mail", |resource| {
                resource.below = Fact::Known(BTreeSet::from(["vmail".to_owned()]));
            }),
            (Level::Warning, "create an IP resource for 192.0.2.10", |resource| {
                resource.addresses.clear();
            }),
        ];
        for (level, cure, change) in cases {
            let mut facts = healthy("node1");
            change(&mut facts.resource);
            let findings = dependencies(&facts);
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(finding.level, level);
            assert!(finding.cure.as_deref().unwrap_or_default().starts_with(cure), "{finding:?}");
        }
    }

    #[test]
    fn a_resource_that_is_missing_or_another_kits_is_told_with_what_there_is() {
        let mut facts = healthy("node1");
        facts.resource.applications = vec!["mail".into(), "www".into()];
        facts.resource.registered = Fact::Known(None);
        let findings = judge(&facts);
        let finding = findings.first().expect("a finding");
        assert_eq!((finding.check, finding.level), (Check::Resource, Level::Warning));
        assert!(finding.what.ends_with("generic applications here: mail, www"), "{finding:?}");

        let (app, kind, state) = ("comm".into(), "ip".into(), "ISP".into());
        facts.resource.registered = Fact::Known(Some(Registered { app, kind, state }));
        let findings = judge(&facts);
        let finding = findings.first().expect("a finding");
        assert_eq!((finding.check, finding.level), (Check::Resource, Level::Error));
        assert!(finding.what.contains("comm/ip"), "{finding:?}");
    }

    #[test]
    fn a_list_that_cannot_be_had_is_an_error_only_where_lifekeeper_runs() {
        let mut facts = healthy("node1");
        facts.resource.registered = Fact::Unknown("ins_list: garbage".into());
        assert_eq!(judge(&facts).first().map(|one| one.check), Some(Check::Resource));
        facts.installed.node = Fact::Unknown("down".into());
        assert!(judge(&facts).iter().all(|one| one.check != Check::Resource));
    }
}
