//! Whether LifeKeeper protects Dovecot: the resource, its state, and what it depends on.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::copies;
use crate::doctor::facts::resource::{Registered, Resource};
use crate::doctor::facts::{Fact, Facts};
use crate::doctor::finding::{Check, Finding};
use crate::lifekeeper::state::State;
use crate::messages::Message;
use crate::text::list;

/// Assesses the resource on one node.
pub(crate) fn assess(facts: &Facts) -> Vec<Finding> {
    let resource = &facts.resource;
    let mut findings = Vec::new();
    match &resource.registered {
        Fact::Known(Some(registered)) => {
            findings.push(kind(resource, registered));
            findings.push(state(facts, registered.state));
        }
        Fact::Known(None) => findings.push(unregistered(resource)),
        // That LifeKeeper does not run is judged elsewhere.
        Fact::Unknown(_) if facts.installed.node.known().is_none() => {}
        Fact::Unknown(cause) => findings.push(
            Finding::error(Check::Resource, Message::DoctorResourceUnknown)
                .what(format!("LifeKeeper does not list its resources: {cause}"))
                .why("whether and how Dovecot is protected cannot be seen")
                .run(facts.installed.command("ins_list")),
        ),
    }
    findings.extend(copies::assess(facts));
    if resource.registration().is_some() {
        findings.extend(dependencies(facts));
    }
    findings
}

fn kind(Resource { tag, applications, .. }: &Resource, registered: &Registered) -> Finding {
    let Registered { app, kind, .. } = registered;
    if (app.as_str(), kind.as_str()) == ("gen", "app") {
        return Finding::ok(Check::Resource, format!("LifeKeeper has the resource {tag}"));
    }
    let others = if applications.is_empty() { "TAG".to_owned() } else { applications.join("|") };
    Finding::error(Check::Resource, Message::DoctorOtherKind)
        .what(format!("{tag} is of the kind {app}/{kind}, not gen/app"))
        .why("it is another kit's resource, and runs other programs than this kit's")
        .run("dovecot-ark install --tag ANOTHER-TAG")
        .and(format!("or doctor --tag {others}"))
}

/// The cure is a command that a person may type without a second look. Where another node has the
/// resource, or may have it, `install` without `--standby` would start a second Dovecot.
fn unregistered(Resource { tag, applications, elsewhere, .. }: &Resource) -> Finding {
    let known = match applications.as_slice() {
        [] => "there is no generic application here".to_owned(),
        tags => format!("generic applications here: {}", tags.join(", ")),
    };
    let unprotected = Finding::warning(Check::Resource, Message::DoctorNoResource)
        .what(format!("LifeKeeper has no resource {tag} on this node; {known}"))
        .why("Dovecot is not protected on this node, and not moved to it");
    if let Some((node, state)) = elsewhere.found.first_key_value() {
        return unprotected.cure(format!(
            "{node} has it ({state}): in LifeKeeper on {node}, extend {tag} to this node; never run \
             `dovecot-ark install` here without --standby"
        ));
    }
    let install = format!("dovecot-ark install --tag {tag}");
    if !elsewhere.unknown.is_empty() {
        let nodes = list(&elsewhere.unknown);
        return unprotected.cure(format!(
            "find out whether {nodes} has it: if so, extend it from there; only if not, `{install}`"
        ));
    }
    let unprotected = unprotected.run(install);
    if applications.is_empty() {
        return unprotected;
    }
    unprotected.and(
        "where one of those has other scripts for Dovecot: dovecot-ark install --tag ITS-TAG \
         --take-over",
    )
}

/// Whether the state agrees with what runs.
fn state(facts: &Facts, state: State) -> Finding {
    let tag = &facts.resource.tag;
    let in_service = facts.resource.is_in_service();
    match (state, facts.network.serves()) {
        (_, Some(true)) if !in_service => {
            Finding::error(Check::State, Message::DoctorRunsOutOfService)
                .what(format!(
                    "Dovecot runs, and LifeKeeper has {tag} out of service here ({state})"
                ))
                .why("it may run on two nodes at once and damage the mail that they share")
                .run(format!("dovecot-ark remove -t {tag}"))
        }
        (_, Some(false)) if in_service => Finding::warning(Check::State, Message::DoctorNotRunning)
            .what(format!(
                "LifeKeeper has {tag} in service here ({state}), and Dovecot does not run"
            ))
            .why("there is no mail until LifeKeeper's next check recovers it")
            .run(format!("dovecot-ark recover -t {tag}")),
        (State::Osf | State::Illstate, _) => {
            Finding::warning(Check::State, Message::DoctorResourceFailed)
                .what(format!("LifeKeeper calls {tag} failed here ({state})"))
                .why("what made it fail here may make it fail again")
                .cure("read /var/log/dovecot-ark.log and /var/log/lifekeeper.log for the reason")
        }
        (_, serves) => {
            let dovecot = match serves {
                Some(true) => "Dovecot runs",
                Some(false) => "Dovecot does not run",
                None => "whether Dovecot runs is not known",
            };
            let what = format!("LifeKeeper has {tag} in state {state}, and {dovecot}");
            Finding::ok(Check::State, what)
        }
    }
}

/// Whether each moving address of the list is an IP resource below this one.
fn dependencies(facts: &Facts) -> Vec<Finding> {
    let tag = &facts.resource.tag;
    let below = match &facts.resource.below {
        Fact::Known(below) => below,
        Fact::Unknown(cause) => {
            let finding = Finding::warning(Check::Dependency, Message::DoctorDependenciesUnknown)
                .what(format!("what is below {tag} is not known: {cause}"))
                .why("an address that does not come before Dovecot makes its start or its check fail")
                .run(facts.installed.command(&format!("dep_list -p {tag}")));
            return vec![finding];
        }
    };
    facts.network.moving().into_iter().map(|address| dependency(facts, below, address)).collect()
}

fn dependency(facts: &Facts, below: &BTreeSet<String>, address: IpAddr) -> Finding {
    let tag = &facts.resource.tag;
    let depend = |on: &str| facts.installed.command(&format!("dep_create -p {tag} -c {on}"));
    let tags = facts.resource.address_tags(address);
    match (tags.iter().find(|one| below.contains(**one)), tags.first()) {
        (Some(ip), _) => {
            Finding::ok(Check::Dependency, format!("{address} comes with {ip}, below {tag}"))
        }
        (None, Some(ip)) => Finding::error(Check::Dependency, Message::DoctorNoDependency)
            .what(format!("{tag} does not depend on {ip}, which has {address}"))
            .why("LifeKeeper may start Dovecot before the address is there, or on another node")
            .run(depend(ip)),
        (None, None) => Finding::warning(Check::Dependency, Message::DoctorNoIpResource)
            .what(format!("no IP resource of this node has {address} of APP_DOVECOT_IP_LIST"))
            .why("an address that does not move with Dovecot is missing on the other nodes")
            .cure(format!(
                "create an IP resource for {address} in LifeKeeper, then `{}`",
                depend("ITS-TAG")
            )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::healthy;
    use crate::doctor::facts::network::DovecotPids;
    use crate::doctor::facts::resource::Registered;
    use crate::doctor::finding::Level;

    fn set_state(facts: &mut Facts, state: State) {
        facts.resource.stand_by();
        if let Fact::Known(Some(registered)) = &mut facts.resource.registered {
            registered.state = state;
        }
    }

    #[test]
    fn the_state_must_agree_with_what_runs() {
        for (named, masters, level) in [
            (State::Isp, vec![100], Level::Ok),
            (State::Isu, vec![100], Level::Ok),
            (State::Osu, vec![], Level::Ok),
            (State::Osu, vec![100], Level::Error),
            (State::Osf, vec![100], Level::Error),
            (State::Osf, vec![], Level::Warning),
            (State::Illstate, vec![], Level::Warning),
            (State::Isp, vec![], Level::Warning),
        ] {
            let mut facts = healthy("node1");
            set_state(&mut facts, named);
            facts.network.dovecot = Fact::Known(DovecotPids { masters, ..DovecotPids::default() });
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
            assert!(
                finding.told_cure().as_deref().unwrap_or_default().starts_with(cure),
                "{finding:?}"
            );
        }
    }

    #[test]
    fn a_resource_that_is_missing_or_another_kits_is_told_with_what_there_is() {
        let mut facts = healthy("node1");
        facts.resource.applications = vec!["mail".into(), "www".into()];
        facts.resource.registered = Fact::Known(None);
        let findings = assess(&facts);
        let finding = findings.first().expect("a finding");
        assert_eq!((finding.check, finding.level), (Check::Resource, Level::Warning));
        assert!(finding.what.ends_with("generic applications here: mail, www"), "{finding:?}");
        let cure = finding.told_cure().unwrap_or_default();
        assert!(cure.contains("dovecot-ark install --tag ITS-TAG --take-over"), "{cure}");

        let (app, kind, state) = ("comm".into(), "ip".into(), State::Isp);
        facts.resource.registered = Fact::Known(Some(Registered { app, kind, state }));
        let findings = assess(&facts);
        let finding = findings.first().expect("a finding");
        assert_eq!((finding.check, finding.level), (Check::Resource, Level::Error));
        assert!(finding.what.contains("comm/ip"), "{finding:?}");
    }

    #[test]
    fn install_is_the_cure_only_where_no_other_node_has_the_resource() {
        let mut facts = healthy("node2");
        facts.resource.applications.clear();
        facts.resource.registered = Fact::Known(None);
        let cure =
            |facts: &Facts| assess(facts).first().and_then(Finding::told_cure).expect("a cure");
        assert_eq!(cure(&facts), "dovecot-ark install --tag dovecot");
        facts.resource.elsewhere.unknown.insert("node3".into());
        let told = cure(&facts);
        assert!(told.starts_with("find out whether node3 has it"), "{told}");
        facts.resource.elsewhere.found.insert("node1".into(), State::Isp);
        let told = cure(&facts);
        assert!(told.starts_with("node1 has it (ISP): in LifeKeeper on node1, extend"), "{told}");
        assert!(!told.contains("install --tag"), "{told}");
    }

    #[test]
    fn a_list_that_cannot_be_had_is_an_error_only_where_lifekeeper_runs() {
        let mut facts = healthy("node1");
        facts.resource.registered = Fact::Unknown("ins_list: garbage".into());
        assert_eq!(assess(&facts).first().map(|one| one.check), Some(Check::Resource));
        facts.installed.node = Fact::Unknown("down".into());
        assert!(assess(&facts).iter().all(|one| one.check != Check::Resource));
    }
}
