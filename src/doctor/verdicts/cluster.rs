//! What must be equal on all nodes, and what must be on one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use crate::boot::restart::{self, DropIn};
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Check, Finding, or_ok};
use crate::dovecot::configuration::Settings;
use crate::messages::Message;
use crate::text::{cut, list};

/// How many differences are told one by one.
const MAX_TOLD: usize = 10;

/// How much of a value is shown, in characters.
const MAX_VALUE: usize = 60;

/// The setting that may differ, since each node may have addresses of its own.
const OWN: &str = "APP_DOVECOT_IP_LIST";

/// Assesses the nodes that have been looked at, as far as there are two.
pub(crate) fn assess(nodes: &[&Facts]) -> Vec<Finding> {
    if nodes.len() < 2 {
        return Vec::new();
    }
    let single = account(nodes).into_iter().chain(restarts(nodes)).collect();
    let copies = copies(nodes).into_iter().collect();
    [versions(nodes), configuration(nodes), settings(nodes), single, copies, alone(nodes)].concat()
}

/// What the nodes have of a thing.
enum Comparison {
    /// All that are known have this.
    Same(String),
    /// These differ, each with its nodes.
    Differing(String),
    /// Less than two are known.
    Nothing,
}

fn compare(nodes: &[&Facts], get: impl Fn(&Facts) -> Option<&str>) -> Comparison {
    let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for node in nodes {
        if let Some(value) = get(node) {
            values.entry(value.to_owned()).or_default().push(node.node());
        }
    }
    match (values.len(), values.pop_first()) {
        (1, Some((value, nodes))) if nodes.len() > 1 => Comparison::Same(value),
        (2.., Some(first)) => Comparison::Differing(told([first].into_iter().chain(values))),
        _ => Comparison::Nothing,
    }
}

fn told<'a>(values: impl Iterator<Item = (String, Vec<&'a str>)>) -> String {
    list(values.map(|(value, nodes)| format!("{value} on {}", nodes.join(" and "))))
}

fn versions(nodes: &[&Facts]) -> Vec<Finding> {
    let lifekeeper = compare(nodes, |facts| facts.installed.version.known().map(|v| &**v));
    let dovecot = compare(nodes, |facts| facts.installed.dovecot.known().map(|v| &**v));
    let kit = compare(nodes, |facts| Some(&facts.installed.kit));
    let all = [
        version((Check::LifeKeeper, "LifeKeeper"), lifekeeper, |versions| {
            Finding::error(Check::LifeKeeper, Message::DoctorLifeKeeperVersions)
                .what(format!("LifeKeeper's versions differ: {versions}"))
                .why("nodes of different versions are supported only while one upgrades them")
                .cure("upgrade LifeKeeper on the older nodes")
        }),
        version((Check::Dovecot, "Dovecot"), dovecot, |versions| {
            Finding::error(Check::Dovecot, Message::DoctorDovecotVersions)
                .what(format!("Dovecot's versions differ: {versions}"))
                .why(
                    "one version may not read the mail that another has touched, or not take its \
                     configuration",
                )
                .cure("install one version of Dovecot on all nodes")
        }),
        version((Check::Kit, "dovecot-ark"), kit, |versions| {
            Finding::warning(Check::Kit, Message::DoctorKitVersions)
                .what(format!("the kit's versions differ: {versions}"))
                .why("the nodes may judge Dovecot differently")
                .cure("install one version of the package dovecot-ark on all nodes")
        }),
    ];
    all.into_iter().flatten().collect()
}

fn version(
    (check, name): (Check, &str),
    compared: Comparison,
    differing: impl FnOnce(String) -> Finding,
) -> Option<Finding> {
    match compared {
        Comparison::Same(version) => {
            Some(Finding::ok(check, format!("all nodes have {name} {version}")))
        }
        Comparison::Differing(versions) => Some(differing(versions)),
        Comparison::Nothing => None,
    }
}

fn configuration(nodes: &[&Facts]) -> Vec<Finding> {
    let known: Vec<(&str, &Settings)> = nodes
        .iter()
        .filter_map(|facts| Some((facts.node(), facts.configuration.settings.known()?)))
        .collect();
    if known.len() < 2 {
        return Vec::new();
    }
    let differing = differences(&known, |_| true).map(|differences| {
        Finding::error(Check::Configuration, Message::DoctorConfigurations)
            .what(format!("Dovecot's configuration differs: {differences}"))
            .why("after a failover Dovecot would serve something else, or not start")
            .cure(
                "copy /etc/dovecot from the node that is right to the others (rsync -a), then \
                 `doveadm reload` where Dovecot runs; `doveconf -n` shows what holds",
            )
    });
    let same = "Dovecot's configuration is the same on all nodes";
    or_ok(differing.into_iter().collect(), Check::Configuration, same)
}

fn settings(nodes: &[&Facts]) -> Vec<Finding> {
    let all: Vec<_> = nodes.iter().map(|facts| (facts.node(), &facts.limits.settings)).collect();
    let differing = differences(&all, |key| key != OWN).map(|differences| {
        Finding::warning(Check::Settings, Message::DoctorSettings)
            .what(format!("the settings differ: {differences}"))
            .why("the nodes start, stop and check Dovecot differently")
            .cure("make the APP_DOVECOT_ lines of /etc/default/LifeKeeper equal on all nodes")
    });
    let same = format!("the settings are the same on all nodes ({OWN} may differ)");
    or_ok(differing.into_iter().collect(), Check::Settings, same)
}

/// Whether the login checks of all nodes use one account. Whether the passwords are one cannot be told
/// without them.
fn account(nodes: &[&Facts]) -> Option<Finding> {
    let compared = compare(nodes, |facts| facts.account.as_ref()?.user.known().map(|user| &**user));
    let Comparison::Differing(users) = compared else { return None };
    Some(
        Finding::warning(Check::Account, Message::DoctorAccounts)
            .what(format!("the login check's accounts differ: {users}"))
            .why("after a failover the check may not get in, and then it only warns")
            .cure("copy the file with the account from one node to the others (scp -p)"),
    )
}

/// Whether `install --restart` holds on all nodes or on none. Only nodes under systemd count: no other
/// can have it.
fn restarts(nodes: &[&Facts]) -> Option<Finding> {
    let nodes_with = compare(nodes, |facts| {
        facts.service.unit()?;
        Some(match facts.service.drop_in {
            DropIn::Ours => "set",
            DropIn::Absent => "not set",
            DropIn::Changed => "changed",
        })
    });
    let Comparison::Differing(told) = nodes_with else { return None };
    let service = nodes.first().map_or("dovecot", |facts| &*facts.service.name);
    let drop_in = restart::path(Path::new("/"), service);
    Some(
        Finding::warning(Check::Supervisor, Message::DoctorRestarts)
            .what(format!("systemd is not to start a Dovecot that died again on all nodes: {told}"))
            .why("after a failover a dead Dovecot waits for LifeKeeper's next check, or no longer does")
            .run(format!("dovecot-ark install --tag {} --restart", tag(nodes)))
            .and(format!(
                "with --standby where it stands by, on each node without it; or on the others rm {} \
                 and systemctl daemon-reload",
                drop_in.display()
            )),
    )
}

/// The settings that differ, each with the value that each node has, the first of them one by one.
fn differences(all: &[(&str, &Settings)], counts: impl Fn(&str) -> bool) -> Option<String> {
    let names: BTreeSet<&String> = all.iter().flat_map(|(_, settings)| settings.keys()).collect();
    let has_settings = |name: &str| {
        let inside = format!("{name}/");
        let next = |(_, settings): &(&str, &Settings)| {
            settings.range(inside.clone()..).next().is_some_and(|(key, _)| key.starts_with(&inside))
        };
        all.iter().any(next)
    };
    let mut differences = Vec::new();
    for name in names.into_iter().filter(|name| counts(name)) {
        let mut values: BTreeMap<Option<&String>, Vec<&str>> = BTreeMap::new();
        for (node, settings) in all {
            values.entry(settings.get(name)).or_default().push(node);
        }
        // A section that is missing shows in its settings.
        let is_section = values.keys().flatten().all(|value| *value == "{}");
        if values.len() < 2 || is_section && has_settings(name) {
            continue;
        }
        let shown = |value: Option<&String>| match value.map(String::as_str) {
            None => "not set".to_owned(),
            Some("") => "empty".to_owned(),
            Some(value) => cut(value, MAX_VALUE),
        };
        let values = values.into_iter().rev().map(|(value, nodes)| (shown(value), nodes));
        differences.push(format!("{name} is {}", told(values)));
    }
    let more = differences.len().saturating_sub(MAX_TOLD);
    differences.truncate(MAX_TOLD);
    if more > 0 {
        differences.push(format!("and {more} more"));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}

fn copies(nodes: &[&Facts]) -> Option<Finding> {
    let registered: Vec<&Facts> =
        nodes.iter().copied().filter(|facts| facts.resource.registration().is_some()).collect();
    if registered.len() < 2 {
        return None;
    }
    let actions: BTreeSet<&String> =
        registered.iter().flat_map(|facts| facts.resource.copies.registered.keys()).collect();
    let differs = |action: &&str| {
        let copies = registered.iter().map(|facts| facts.resource.copies.registered.get(*action));
        copies.map(|copy| copy.map(|copy| &copy.checksum)).collect::<BTreeSet<_>>().len() > 1
    };
    let differing: Vec<&str> = actions.into_iter().map(String::as_str).filter(differs).collect();
    if differing.is_empty() {
        let same = "LifeKeeper's copies are the same on all nodes";
        return Some(Finding::ok(Check::Copies, same));
    }
    let odd = Finding::error(Check::Copies, Message::DoctorCopies)
        .what(format!("LifeKeeper's copies differ between the nodes: {}", differing.join(", ")))
        .why("an action does one thing on one node and another on the next");
    Some(if registered.iter().any(|facts| facts.resource.copies.are_others()) {
        odd.run(format!("dovecot-ark install --tag {} --take-over", tag(nodes)))
            .and("on the node where it is in service; it replaces them on all nodes")
    } else {
        odd.cure(
            "on each node with an odd copy: install -m 755 /usr/lib/dovecot-ark/ACTION and the path \
             of the copy, as said there",
        )
    })
}

/// The tag on the node that was asked.
fn tag<'a>(nodes: &[&'a Facts]) -> &'a str {
    nodes.first().map_or("TAG", |facts| &*facts.resource.tag)
}

/// What may be on one node alone: the masters, the service, the moving addresses.
fn alone(nodes: &[&Facts]) -> Vec<Finding> {
    let names = |counts: &dyn Fn(&Facts) -> bool| -> Vec<&str> {
        nodes.iter().filter(|facts| counts(facts)).map(|facts| facts.node()).collect()
    };
    let several = |counts: &dyn Fn(&Facts) -> bool| -> Option<String> {
        let names = names(counts);
        (names.len() > 1).then(|| names.join(", "))
    };
    let serves = |facts: &Facts| facts.network.serves() == Some(true);
    let is_in_service = |facts: &Facts| facts.resource.is_in_service();
    let tag = tag(nodes);
    let serving = several(&serves).map(|names_of_all| {
        let twice = Finding::error(Check::State, Message::DoctorRunsTwice)
            .what(format!("Dovecot runs on more than one node: {names_of_all}"))
            .why("two Dovecots on the same mail damage it");
        let stray = names(&|facts| serves(facts) && !is_in_service(facts));
        if stray.is_empty() {
            // Each is where LifeKeeper has it in service, which the next finding is about.
            return twice.cure("take it out of service on all nodes but one, see ARK4608");
        }
        twice
            .run(format!("dovecot-ark remove -t {tag}"))
            .and(format!("on {}, where LifeKeeper has it out of service", stray.join(" and ")))
    });
    let in_service = several(&is_in_service).map(|names_of_all| {
        // A node whose addresses are not known may be the one that has them all.
        let lacks_address = |facts: &Facts| {
            let moving = facts.network.moving();
            facts.network.addresses.known().is_some_and(|all| !moving.is_subset(all))
        };
        let wrong = names(&|facts| is_in_service(facts) && lacks_address(facts));
        let all = names(&is_in_service);
        let place = if wrong.is_empty() || wrong.len() == all.len() {
            format!("on one of {}", all.join(" and "))
        } else {
            format!("on {}, which lacks an address that moves with it", wrong.join(" and "))
        };
        Finding::error(Check::State, Message::DoctorInServiceTwice)
            .what(format!("LifeKeeper has it in service on more than one node: {names_of_all}"))
            .why("the nodes have lost sight of each other, and both serve")
            .run(format!("perform_action -t {tag} -a remove"))
            .and(place)
    });
    let twice = serving.into_iter().chain(in_service).collect();
    let mut findings = or_ok(twice, Check::State, "Dovecot runs on no more than one node");
    let moving: BTreeSet<IpAddr> = nodes.iter().flat_map(|facts| facts.network.moving()).collect();
    findings.extend(moving.into_iter().filter_map(|address| {
        let has = |facts: &Facts| {
            facts.network.addresses.known().is_some_and(|all| all.contains(&address))
        };
        let names = several(&has)?;
        Some(
            Finding::error(Check::Address, Message::DoctorAddressTwice)
                .what(format!("{address} is on more than one node: {names}"))
                .why("clients reach now one and now the other")
                .run(format!("ip address del {address}/PREFIX dev DEVICE"))
                .and("on the node where LifeKeeper has it not"),
        )
    }));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::network::DovecotPids;
    use crate::doctor::facts::{Fact, healthy};
    use crate::doctor::finding::Level;

    /// Node 1 in service, node 2 standing by.
    fn pair() -> [Facts; 2] {
        let mut standby = healthy("node2");
        standby.resource.stand_by();
        standby.network.dovecot = Fact::Known(DovecotPids::default());
        standby.network.addresses = Fact::Known(BTreeSet::from([[127, 0, 0, 1].into()]));
        [healthy("node1"), standby]
    }

    fn odd(nodes: &[Facts]) -> Vec<Finding> {
        let nodes: Vec<&Facts> = nodes.iter().collect();
        assess(&nodes).into_iter().filter(|finding| finding.level != Level::Ok).collect()
    }

    #[test]
    fn two_healthy_nodes_agree_and_one_has_nobody_to_agree_with() {
        let nodes = pair();
        assert_eq!(odd(&nodes), []);
        assert_eq!(assess(&[&nodes[0]]), []);
    }

    #[test]
    fn the_cure_of_a_second_one_has_the_tag_and_the_node() {
        let cure = |nodes: &[Facts]| odd(nodes)[0].told_cure().expect("a cure");
        let mut nodes = pair();
        nodes[1].network.dovecot = nodes[0].network.dovecot.clone();
        let told = cure(&nodes);
        assert!(told.starts_with("dovecot-ark remove -t dovecot"), "{told}");
        assert!(told.contains("on node2, where LifeKeeper has it out of service"), "{told}");
        nodes[1].resource = healthy("node2").resource;
        assert!(cure(&nodes).contains("on all nodes but one, see ARK4608"), "{}", cure(&nodes));

        let mut nodes = pair();
        nodes[1].resource = healthy("node2").resource;
        let told = cure(&nodes);
        assert!(told.starts_with("perform_action -t dovecot -a remove"), "{told}");
        assert!(told.contains("on node2, which lacks an address"), "{told}");
        nodes[1].network.addresses = Fact::Unknown("x".into());
        assert!(cure(&nodes).contains("on one of node1 and node2"), "{}", cure(&nodes));
        nodes[1].network.addresses = nodes[0].network.addresses.clone();
        assert!(cure(&nodes).contains("on one of node1 and node2"), "{}", cure(&nodes));
    }

    #[test]
    fn what_differs_is_named_with_its_nodes() {
        type Change = fn(&mut Facts);
        let cases: [(Check, Level, &str, Change); 12] = [
            (Check::Supervisor, Level::Warning, "not set on node1, set on node2", |there| {
                there.service.drop_in = DropIn::Ours;
            }),
            (Check::Supervisor, Level::Warning, "changed on node2, not set on node1", |there| {
                there.service.drop_in = DropIn::Changed;
            }),
            (Check::Account, Level::Warning, "ark on node1, other on node2", |there| {
                let account = there.account.as_mut().expect("an account");
                account.user = Fact::Known("other".into());
            }),
            (Check::LifeKeeper, Level::Error, "9.8.1 on node2, 9.9.0 on node1", |there| {
                there.installed.version = Fact::Known("9.8.1".into());
            }),
            (Check::Dovecot, Level::Error, "on node2", |there| {
                there.installed.dovecot = Fact::Known("2.4.1-4 (7d8c0e5759)".into());
            }),
            (Check::Kit, Level::Warning, "99.0 on node2", |there| {
                there.installed.kit = "99.0".into();
            }),
            (
                Check::Configuration,
                Level::Error,
                "mail_location is maildir:~/Maildir on node1, not set on node2",
                |there| {
                    if let Fact::Known(settings) = &mut there.configuration.settings {
                        settings.remove("mail_location");
                    }
                },
            ),
            (
                Check::Settings,
                Level::Warning,
                "APP_DOVECOT_WAIT is ready on node1, fixed on node2",
                |there| {
                    there.limits.settings.insert("APP_DOVECOT_WAIT".into(), "fixed".into());
                },
            ),
            (Check::Copies, Level::Error, "restore", |there| {
                let copy = there.resource.copies.registered.get_mut("restore");
                copy.expect("a copy").checksum = "0".into();
            }),
            (Check::State, Level::Error, "runs on more than one node: node1, node2", |there| {
                there.network.dovecot =
                    Fact::Known(DovecotPids { masters: vec![7], ..DovecotPids::default() });
            }),
            (Check::State, Level::Error, "in service on more than one node", |there| {
                there.resource = healthy("node2").resource;
            }),
            (Check::Address, Level::Error, "192.0.2.10 is on more than one node", |there| {
                there.network.addresses = healthy("node2").network.addresses;
            }),
        ];
        for (check, level, what, change) in cases {
            let mut nodes = pair();
            change(&mut nodes[1]);
            let findings = odd(&nodes);
            let [finding] = findings.as_slice() else { panic!("{check:?}: {findings:?}") };
            assert_eq!((finding.check, finding.level), (check, level));
            assert!(finding.what.contains(what), "{}", finding.what);
        }
    }

    #[test]
    fn where_one_node_has_other_scripts_the_resource_is_to_be_taken_over() {
        let mut nodes = pair();
        for copy in nodes[1].resource.copies.registered.values_mut() {
            copy.checksum = "0".into();
        }
        let findings = odd(&nodes);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.message, Some(Message::DoctorCopies));
        let cure = finding.told_cure().unwrap_or_default();
        assert!(cure.starts_with("dovecot-ark install --tag dovecot --take-over"), "{cure}");
    }

    #[test]
    fn the_addresses_in_the_list_may_differ_and_what_is_not_known_is_not_compared() {
        let mut nodes = pair();
        nodes[1].limits.settings.insert(OWN.into(), "192.0.2.2:143:2".into());
        nodes[1].installed.version = Fact::Unknown("no rpm".into());
        nodes[1].configuration.settings = Fact::Unknown("broken".into());
        nodes[1].resource.registered = Fact::Known(None);
        nodes[1].service.drop_in = DropIn::Ours;
        nodes[1].service.units = None;
        assert_eq!(odd(&nodes), []);
        for node in &mut nodes {
            node.service = healthy("node1").service;
            node.service.drop_in = DropIn::Ours;
        }
        assert_eq!(odd(&nodes), []);
    }

    #[test]
    fn ten_differences_are_told_and_the_rest_is_counted() {
        let settings = |n: usize| -> Settings {
            (0..n).map(|n| (format!("s{n:02}"), "é".repeat(100))).collect()
        };
        let (one, two) = (settings(12), settings(0));
        let text = differences(&[("node1", &one), ("node2", &two)], |_| true).expect("some");
        assert!(text.ends_with("; and 2 more") && text.contains("s09"), "{text}");
        assert!(text.contains(&format!("s00 is {}… on node1, not set on node2", "é".repeat(60))));
    }

    #[test]
    fn a_missing_section_shows_in_its_settings_or_in_itself_when_it_has_none() {
        let settings = |entries: &[(&str, &str)]| -> Settings {
            entries.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let one = settings(&[("passdb pam", "{}"), ("userdb", "{}"), ("userdb/driver", "x")]);
        let found = differences(&[("node1", &one), ("node2", &settings(&[]))], |_| true);
        let told = "passdb pam is {} on node1, not set on node2; \
                    userdb/driver is x on node1, not set on node2";
        assert_eq!(found.as_deref(), Some(told));
    }

    #[test]
    fn three_nodes_are_grouped_by_what_they_have() {
        let mut third = pair()[1].clone();
        third.installed.node = Fact::Known("node3".into());
        let [first, second] = pair();
        let mut nodes = [first, second, third];
        nodes[0].installed.version = Fact::Known("9.8.1".into());
        let findings = odd(&nodes);
        assert!(findings[0].what.ends_with("9.8.1 on node1, 9.9.0 on node2 and node3"));
    }
}
