//! Whether Dovecot accepts its configuration, and whether it listens where it is checked.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::doctor::facts::configuration::Configuration;
use crate::doctor::facts::network::{Place, PortProbe};
use crate::doctor::facts::{Fact, Facts};
use crate::doctor::finding::{Check, Finding, or_ok};
use crate::dovecot::configuration::{Listener, Opening};
use crate::messages::Message;
use crate::text::list;

/// Assesses the configuration of one node.
pub(crate) fn assess(facts: &Facts) -> Vec<Finding> {
    let Configuration { settings, listeners, mistake, missing, obstacles, .. } =
        &facts.configuration;
    if let Some(missing) = missing {
        let finding = Finding::error(Check::Configuration, Message::NotInstalled)
            .what(missing)
            .why("without Dovecot its configuration cannot be read, and restore fails here")
            .cure("install Dovecot in the version that the other nodes have");
        return vec![finding];
    }
    let broken = |cause: &String| {
        Finding::error(Check::Configuration, Message::DoctorBroken)
            .what(format!("Dovecot does not take its configuration: {cause}"))
            .why("a running Dovecot continues, but the next start fails, in a failover too")
            .run("doveconf -nx >/dev/null")
            .and("then fix the line that it names")
    };
    let settings = match (settings, mistake) {
        (Fact::Unknown(cause), _) => return vec![broken(cause)],
        (Fact::Known(_), Some(Fact::Known(mistake))) => broken(mistake),
        (Fact::Known(_), Some(Fact::Unknown(cause))) => {
            Finding::warning(Check::Configuration, Message::DoctorBrokenUnknown)
                .what(format!("whether Dovecot can read its configuration is not known: {cause}"))
                .why("the next start may hang or fail as this question did, on a failover too")
                .run("doveconf -nx >/dev/null")
                .and("a file that it names may be a FIFO, or on a dead mount")
        }
        (Fact::Known(_), None) => {
            Finding::ok(Check::Configuration, "Dovecot accepts its configuration")
        }
    };
    let mut findings = vec![settings];
    // What keeps Dovecot from writing its files.
    findings.extend(obstacles.iter().map(|obstacle| {
        Finding::error(Check::Dovecot, Message::DoctorUnwritable)
            .what(obstacle)
            .why("Dovecot cannot write its pid file or its log there, and does not start")
            .run("df -h; df -i")
            .and("make room there, or mount it writable")
    }));
    match listeners {
        Fact::Known(listeners) => {
            findings.extend(assess_listeners(listeners, &facts.network.places));
            findings.extend(missing_addresses(facts));
        }
        Fact::Unknown(cause) => findings.push(
            Finding::warning(Check::Listener, Message::DoctorListenerUnknown)
                .what(format!("it is unknown where Dovecot listens: {cause}"))
                .why(
                    "it is unknown before a start whether the checks of APP_DOVECOT_IP_LIST can \
                     succeed",
                )
                .run("dovecot -n")
                .and("and compare its addresses and ports with APP_DOVECOT_IP_LIST"),
        ),
    }
    findings
}

/// Why an entry that can never succeed matters.
const NEVER: &str =
    "each check of this entry fails, so LifeKeeper takes a healthy Dovecot for a failed one";

fn assess_listeners(listeners: &[Listener], places: &[Place]) -> Vec<Finding> {
    let odd = places.iter().filter_map(|place| uncovered(listeners, place)).collect();
    let listed = list(places.iter().map(|place| &place.name));
    let covered = format!("Dovecot is configured to listen at {listed}");
    or_ok(odd, Check::Listener, covered)
}

/// What is wrong when no listener covers an entry of the list.
fn uncovered(listeners: &[Listener], place: &Place) -> Option<Finding> {
    let Place { name, port, .. } = place;
    let same_port: Vec<&Listener> =
        listeners.iter().filter(|listener| listener.port == *port).collect();
    if same_port.is_empty() {
        let ports: BTreeSet<u16> = listeners.iter().map(|listener| listener.port).collect();
        let ports = if ports.is_empty() { "none".to_owned() } else { list(ports) };
        return Some(
            Finding::error(Check::Listener, Message::DoctorNoListener)
                .what(format!("{name}: Dovecot has no listener on port {port}, only on {ports}"))
                .why(NEVER)
                .cure(
                    "correct the port in APP_DOVECOT_IP_LIST, or add the protocol or an inet_listener \
                     to Dovecot's configuration",
                ),
        );
    }
    let covering = same_port.iter().filter(|listener| listener.covers(place.address));
    let openings: Vec<Opening> = covering.map(|listener| listener.opening).collect();
    if !openings.is_empty() {
        return misunderstood(place, &openings);
    }
    let addresses: Vec<String> =
        same_port.iter().flat_map(|listener| listener.addresses.clone()).collect();
    let family = match place.address {
        IpAddr::V4(_) => "IPv4: *",
        IpAddr::V6(_) => "IPv6: ::",
    };
    Some(
        Finding::error(Check::Listener, Message::DoctorListensElsewhere)
            .what(format!("{name}: Dovecot listens on this port at {} only", addresses.join(" ")))
            .why(NEVER)
            .cure(format!(
                "set `listen = *, ::` in Dovecot's configuration (all addresses of {family}); on EC2 \
                 with an Elastic IP it must listen on all addresses"
            )),
    )
}

/// What is wrong when a listener that covers an entry does not do first what the entry asks for.
fn misunderstood(place: &Place, openings: &[Opening]) -> Option<Finding> {
    let name = &place.name;
    let (what, mark) = match (place.asked, openings) {
        (PortProbe::Greeting, [Opening::Tls]) => {
            ("Dovecot waits for TLS there (ssl = yes)", "tls:")
        }
        (PortProbe::Tls, [Opening::Plain]) => ("Dovecot speaks no TLS there at once", "plain:"),
        (PortProbe::Greeting | PortProbe::Tls, [Opening::Proxied]) => {
            ("Dovecot waits for a load balancer there (haproxy = yes)", "connect:")
        }
        // With several listeners it is not known which of them the kernel chooses.
        _ => return None,
    };
    let entry = name.split_once(':').filter(|(mark, _)| ["plain", "tls"].contains(mark));
    let entry = entry.map_or(name.as_str(), |(_, entry)| entry);
    Some(
        Finding::error(Check::Listener, Message::DoctorMisunderstood)
            .what(format!("{name}: {what}"))
            .why(NEVER)
            .cure(format!(
                "write {mark}{entry} in APP_DOVECOT_IP_LIST, or change Dovecot's configuration"
            )),
    )
}

/// The addresses that Dovecot is to listen on and this node does not have. Where the resource stands
/// by they may come with it: only those that no resource below brings are told then.
fn missing_addresses(facts: &Facts) -> Vec<Finding> {
    let in_service = facts.resource.is_in_service();
    let findings = facts.configuration.lacking.iter().filter_map(|address| {
        let comes = facts.resource.address_tags(*address).first().copied();
        if comes.is_some() && !in_service {
            return None;
        }
        let level = if in_service { Finding::error } else { Finding::warning };
        let odd = level(Check::Listener, Message::DoctorListenAddress)
            .what(format!("{address} in Dovecot's `listen` is not an address of this node"))
            .why("Dovecot does not start at all without one of its addresses");
        Some(match comes {
            Some(tag) => {
                odd.run(facts.installed.command(&format!("perform_action -t {tag} -a restore")))
            }
            None => odd.cure(format!(
                "listen = *, :: in Dovecot's configuration, or create an IP resource for {address} \
                 and let the resource depend on it"
            )),
        })
    });
    findings.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::healthy;
    use crate::doctor::finding::Level;
    use crate::lifekeeper::state::State;

    fn listener(port: u16, addresses: &str) -> Listener {
        let addresses = addresses.split(' ').map(str::to_owned).collect();
        Listener { name: "imap-login imap".into(), port, addresses, opening: Opening::Plain }
    }

    fn place(address: &str, port: u16) -> Place {
        let address: IpAddr = address.parse().expect(address);
        let (name, asked) = (format!("{address}:{port}"), PortProbe::Greeting);
        Place { name, address, port, seconds: 2, asked }
    }

    #[test]
    fn an_entry_that_no_listener_covers_is_an_error_that_says_what_there_is() {
        let all = [listener(143, "* ::"), listener(993, "192.0.2.10")];
        for (address, port, what) in [
            ("127.0.0.1", 143, None),
            ("::1", 143, None),
            ("192.0.2.10", 993, None),
            ("127.0.0.1", 993, Some("listens on this port at 192.0.2.10 only")),
            ("::1", 993, Some("at 192.0.2.10 only")),
            ("127.0.0.1", 110, Some("no listener on port 110, only on 143, 993")),
        ] {
            let finding = uncovered(&all, &place(address, port));
            assert_eq!(finding.is_some(), what.is_some(), "{address} {port}: {finding:?}");
            if let Some((finding, what)) = finding.zip(what) {
                assert_eq!((finding.level, finding.check), (Level::Error, Check::Listener));
                assert!(finding.what.contains(what), "{}", finding.what);
            }
        }
        let none = uncovered(&[], &place("127.0.0.1", 143)).expect("an error");
        assert!(none.what.ends_with("only on none"), "{}", none.what);
    }

    #[test]
    fn an_entry_that_asks_for_what_a_listener_does_not_do_first_is_an_error() {
        use Opening::{Plain, Proxied, Tls};
        let of = |opening, asked, mark: &str| {
            let listener = Listener { opening, ..listener(1143, "*") };
            let name = format!("{mark}127.0.0.1:1143");
            uncovered(&[listener], &Place { name, asked, ..place("127.0.0.1", 1143) })
        };
        for (opening, asked, mark, cure) in [
            (Plain, PortProbe::Greeting, "", None),
            (Tls, PortProbe::Tls, "tls:", None),
            (Tls, PortProbe::Connection, "", None),
            (Tls, PortProbe::Greeting, "", Some("write tls:127.0.0.1:1143 in APP")),
            (Plain, PortProbe::Tls, "tls:", Some("write plain:127.0.0.1:1143 in APP")),
            (Proxied, PortProbe::Greeting, "", Some("write connect:127.0.0.1:1143 in APP")),
        ] {
            let finding = of(opening, asked, mark);
            let told = finding.as_ref().and_then(Finding::told_cure);
            assert_eq!(told.is_some(), cure.is_some(), "{opening:?} {asked:?}");
            assert!(
                told.clone().unwrap_or_default().starts_with(cure.unwrap_or_default()),
                "{told:?}"
            );
        }
        let two = [listener(1143, "*"), Listener { opening: Tls, ..listener(1143, "127.0.0.1") }];
        assert_eq!(uncovered(&two, &place("127.0.0.1", 1143)), None, "which of them is not known");
    }

    #[test]
    fn an_address_that_dovecot_is_to_listen_on_must_be_here_or_come_with_the_resource() {
        let mut facts = healthy("node1");
        let found = |facts: &Facts, address: &str| {
            let mut facts = facts.clone();
            facts.configuration.lacking = vec![address.parse().expect(address)];
            missing_addresses(&facts).first().map(|one| one.level)
        };
        assert_eq!(missing_addresses(&facts), [], "all are here");
        assert_eq!(
            found(&facts, "192.0.2.99"),
            Some(Level::Error),
            "in service, and nobody has it"
        );
        facts.resource.addresses.insert("ip-99".into(), ["192.0.2.99".parse().expect("it")].into());
        assert_eq!(found(&facts, "192.0.2.99"), Some(Level::Error), "its resource is not up");
        if let Fact::Known(Some(one)) = &mut facts.resource.registered {
            one.state = State::Osu;
        }
        assert_eq!(found(&facts, "192.0.2.99"), None, "it comes with the resource");
        assert_eq!(found(&facts, "192.0.2.98"), Some(Level::Warning));
    }

    #[test]
    fn a_directory_that_nobody_can_write_to_is_an_error() {
        let mut facts = healthy("node1");
        facts.configuration.obstacles = vec!["the file system of /run/dovecot is read-only".into()];
        let found = assess(&facts);
        let errors = found.iter().filter(|one| one.level == Level::Error);
        assert_eq!(
            errors.map(|one| one.what.as_str()).collect::<Vec<_>>(),
            facts.configuration.obstacles
        );
    }

    #[test]
    fn a_configuration_that_dovecot_refuses_is_one_error_in_its_own_words() {
        let mut facts = healthy("node1");
        let words = "`doveconf -n`: exit status 89: doveconf: Fatal: Error in configuration file \
                     /etc/dovecot/local.conf line 3: Garbage after '{'";
        facts.configuration.settings = Fact::Unknown(words.into());
        let findings = assess(&facts);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.level, Level::Error);
        assert!(finding.what.contains("local.conf line 3"), "{}", finding.what);
    }

    #[test]
    fn a_file_that_a_setting_names_and_is_not_there_is_an_error() {
        let mut facts = healthy("node1");
        let first = |facts: &Facts| assess(facts).remove(0);
        facts.configuration.mistake = Some(Fact::Known("file F line 15: ssl_dh: no".into()));
        let finding = first(&facts);
        assert_eq!(finding.level, Level::Error);
        assert!(finding.what.ends_with("F line 15: ssl_dh: no"), "{}", finding.what);
        facts.configuration.mistake = Some(Fact::Unknown("no end after 5 s".into()));
        assert_eq!(first(&facts).level, Level::Warning);
    }

    #[test]
    fn a_dovecot_that_is_not_installed_is_one_error_and_its_cure_is_to_install_it() {
        let mut facts = healthy("node1");
        facts.configuration.missing = Some("Dovecot is not installed: x".into());
        facts.configuration.settings = Fact::Unknown("there is no doveconf".into());
        let findings = assess(&facts);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.level, Level::Error);
        assert!(
            finding.told_cure().as_deref().is_some_and(|cure| cure.starts_with("install Dovecot"))
        );
    }

    #[test]
    fn listeners_that_cannot_be_told_are_a_warning() {
        let mut facts = healthy("node1");
        facts.configuration.listeners = Fact::Unknown("there is no doveconf".into());
        let levels: Vec<_> = assess(&facts).iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Ok, Level::Warning]);
    }
}
