//! Whether Dovecot takes its configuration, and whether it listens where it is checked.

use std::net::IpAddr;

use crate::doctor::facts::Facts;
use crate::doctor::facts::configuration::Configuration;
use crate::doctor::facts::fact::Fact;
use crate::doctor::facts::network::Place;
use crate::doctor::finding::{Check, Finding};
use crate::dovecot::configuration::Listener;
use crate::messages::Message;

/// Assesses the configuration of one node.
pub(crate) fn assess(facts: &Facts) -> Vec<Finding> {
    let Configuration { settings, listeners, mistake, missing } = &facts.configuration;
    if let Some(missing) = missing {
        let why = "without Dovecot its configuration cannot be read, and restore fails here";
        let cure = "install Dovecot in the version that the other nodes have";
        return vec![Finding::error(
            Check::Configuration,
            Message::NotInstalled,
            missing,
            why,
            cure,
        )];
    }
    let broken = |cause: &String| {
        Finding::error(
            Check::Configuration,
            Message::DoctorBroken,
            format!("Dovecot does not take its configuration: {cause}"),
            "a Dovecot that runs goes on, but the next start fails, on a failover too",
            "doveconf -nx >/dev/null  (then fix the line that it names)",
        )
    };
    let settings = match (settings, mistake) {
        (Fact::Unknown(cause), _) => return vec![broken(cause)],
        (Fact::Known(_), Some(Fact::Known(mistake))) => broken(mistake),
        (Fact::Known(_), Some(Fact::Unknown(cause))) => Finding::warning(
            Check::Configuration,
            Message::DoctorBrokenUnknown,
            format!("whether Dovecot can read its configuration is not known: {cause}"),
            "the next start may hang or fail as this question did, on a failover too",
            "doveconf -nx >/dev/null  (a file that it names may be a FIFO, or on a dead mount)",
        ),
        (Fact::Known(_), None) => {
            Finding::ok(Check::Configuration, "Dovecot takes its configuration")
        }
    };
    let listeners = match listeners {
        Fact::Known(listeners) => assess_listeners(listeners, &facts.network.places),
        Fact::Unknown(cause) => vec![Finding::warning(
            Check::Listener,
            Message::DoctorListenerUnknown,
            format!("where Dovecot is to listen is not known: {cause}"),
            "whether the checks of APP_DOVECOT_IP_LIST can succeed cannot be told before a start",
            "dovecot -n, and compare its addresses and ports with APP_DOVECOT_IP_LIST",
        )],
    };
    [vec![settings], listeners].concat()
}

fn assess_listeners(listeners: &[Listener], places: &[Place]) -> Vec<Finding> {
    let odd: Vec<Finding> = places.iter().filter_map(|place| uncovered(listeners, place)).collect();
    if !odd.is_empty() {
        return odd;
    }
    let listed: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
    vec![Finding::ok(Check::Listener, format!("Dovecot is to listen at {}", listed.join(", ")))]
}

/// What is wrong when no listener covers an entry of the list.
fn uncovered(listeners: &[Listener], place: &Place) -> Option<Finding> {
    let why =
        "each check of this entry fails, so LifeKeeper takes a healthy Dovecot for a failed one";
    let same_port: Vec<&Listener> =
        listeners.iter().filter(|listener| listener.port == place.port).collect();
    if same_port.is_empty() {
        let mut ports: Vec<u16> = listeners.iter().map(|listener| listener.port).collect();
        ports.sort_unstable();
        ports.dedup();
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        return Some(Finding::error(
            Check::Listener,
            Message::DoctorNoListener,
            format!(
                "{}: Dovecot has no listener on port {}, only on {}",
                place.name,
                place.port,
                if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }
            ),
            why,
            "correct the port in APP_DOVECOT_IP_LIST, or add the protocol or an inet_listener to \
             Dovecot's configuration",
        ));
    }
    if same_port.iter().any(|listener| listener.covers(place.address)) {
        return None;
    }
    let addresses: Vec<String> =
        same_port.iter().flat_map(|listener| listener.addresses.clone()).collect();
    let family = match place.address {
        IpAddr::V4(_) => "IPv4: *",
        IpAddr::V6(_) => "IPv6: ::",
    };
    Some(Finding::error(
        Check::Listener,
        Message::DoctorListensElsewhere,
        format!("{}: Dovecot listens on this port at {} only", place.name, addresses.join(" ")),
        why,
        format!(
            "set `listen = *, ::` in Dovecot's configuration (all addresses of {family}); on EC2 \
             with an Elastic IP it must listen on all addresses"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::healthy;
    use crate::doctor::finding::Level;

    fn listener(port: u16, addresses: &str) -> Listener {
        let addresses = addresses.split(' ').map(str::to_owned).collect();
        Listener { name: "imap-login imap".into(), port, addresses }
    }

    fn place(address: &str, port: u16) -> Place {
        let address: IpAddr = address.parse().expect(address);
        Place { name: format!("{address}:{port}"), address, port, seconds: 2 }
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
        assert!(finding.cure.as_deref().is_some_and(|cure| cure.starts_with("install Dovecot")));
    }

    #[test]
    fn listeners_that_cannot_be_told_are_a_warning() {
        let mut facts = healthy("node1");
        facts.configuration.listeners = Fact::Unknown("there is no doveconf".into());
        let levels: Vec<_> = assess(&facts).iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Ok, Level::Warning]);
    }
}
