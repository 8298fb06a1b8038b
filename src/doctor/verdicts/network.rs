//! Whether the addresses of the list are where Dovecot is, and the ports are Dovecot's.

use crate::doctor::facts::network::{DovecotPids, Place};
use crate::doctor::facts::{Fact, Facts};
use crate::doctor::finding::{Check, Finding, or_ok};
use crate::messages::Message;
use crate::system::sockets::{Holder, Socket};
use crate::text::list;

/// Assesses the addresses and the ports.
pub(crate) fn assess(facts: &Facts) -> Vec<Finding> {
    [assess_addresses(facts), assess_ports(facts)].concat()
}

fn assess_addresses(facts: &Facts) -> Vec<Finding> {
    let moving = facts.network.moving();
    let addresses = match &facts.network.addresses {
        Fact::Known(addresses) => addresses,
        Fact::Unknown(cause) => {
            let finding = Finding::warning(Check::Address, Message::DoctorAddressesUnknown)
                .what(format!("the addresses of this node cannot be listed: {cause}"))
                .why("it is unknown whether it has those of APP_DOVECOT_IP_LIST")
                .run("ip address");
            return vec![finding];
        }
    };
    if !facts.resource.is_in_service() || moving.is_empty() {
        return Vec::new();
    }
    let missing = moving.difference(addresses).map(|address| {
        let odd = Finding::error(Check::Address, Message::DoctorNoAddress)
            .what(format!("{address} of APP_DOVECOT_IP_LIST is not on this node"))
            .why("Dovecot is in service here, and each check of this address fails");
        match facts.resource.address_tags(*address).first() {
            Some(tag) => {
                odd.run(facts.installed.command(&format!("perform_action -t {tag} -a restore")))
            }
            None => odd.cure(format!("create an IP resource for {address} in LifeKeeper")),
        }
    });
    or_ok(missing.collect(), Check::Address, format!("on this node: {}", list(&moving)))
}

fn assess_ports(facts: &Facts) -> Vec<Finding> {
    let (sockets, dovecot) = match (&facts.network.sockets, &facts.network.dovecot) {
        (Fact::Known(sockets), Fact::Known(dovecot)) => (sockets, dovecot),
        (Fact::Unknown(cause), _) | (_, Fact::Unknown(cause)) => {
            let finding = Finding::warning(Check::Port, Message::DoctorPortsUnknown)
                .what(format!(
                    "which programs listen on the ports of APP_DOVECOT_IP_LIST is not known: {cause}"
                ))
                .why("another program on one of them keeps Dovecot from starting")
                .run("ss -ltnp");
            return vec![finding];
        }
    };
    let places = &facts.network.places;
    let tag = &facts.resource.tag;
    let odd = places.iter().filter_map(|place| odd_port(place, sockets, dovecot, tag));
    let who = if dovecot.masters.is_empty() { "nothing" } else { "Dovecot" };
    let listed = list(places.iter().map(|place| &place.name));
    or_ok(odd.collect(), Check::Port, format!("{who} listens at {listed}"))
}

fn odd_port(
    place: &Place,
    sockets: &[Socket],
    dovecot: &DovecotPids,
    tag: &str,
) -> Option<Finding> {
    let here: Vec<&Socket> =
        sockets.iter().filter(|one| one.accepts(place.address, place.port)).collect();
    let holders: Vec<&Holder> = here.iter().flat_map(|socket| &socket.holders).collect();
    let is_dovecots = |holder: &&Holder| {
        dovecot.masters.contains(&holder.pid) || dovecot.others.contains(&holder.pid)
    };
    let who = match holders.first() {
        Some(holder) => format!("pid {} ({})", holder.pid, holder.name),
        None => "a process that cannot be seen".to_owned(),
    };
    let name = &place.name;
    let runs = !dovecot.masters.is_empty();
    match holders.first() {
        _ if here.is_empty() && runs => Some(
            Finding::error(Check::Port, Message::DoctorNobodyListens)
                .what(format!("Dovecot runs, and nothing listens at {name}"))
                .why("quickCheck fails at this entry, and LifeKeeper recovers or moves Dovecot")
                .run("ss -ltnp | grep dovecot")
                .and("and correct APP_DOVECOT_IP_LIST or Dovecot's configuration"),
        ),
        _ if here.is_empty() => None,
        Some(_) if runs && !holders.iter().any(is_dovecots) => Some(
            Finding::error(Check::Port, Message::DoctorForeignPort)
                .what(format!("{name} is held by {who}, which is not Dovecot's"))
                .why("the checks of this entry say nothing of Dovecot")
                .cure("stop that program, or give it another port"),
        ),
        _ if runs => None,
        Some(holder) if is_dovecots(holder) => Some(
            Finding::error(Check::Port, Message::DoctorPortLeft)
                .what(format!("{name} is held by {who}, which an earlier Dovecot left behind"))
                .why("Dovecot can start only after it has ended; restore terminates it")
                .run(format!("dovecot-ark remove -t {tag}")),
        ),
        // The service manager: the socket unit itself is judged elsewhere.
        Some(holder) if holder.pid == 1 => None,
        _ => Some(
            Finding::error(Check::Port, Message::DoctorPortTaken)
                .what(format!("{name} is held by {who}, and Dovecot does not run"))
                .why("one port that is taken keeps Dovecot from starting at all")
                .cure("stop that program, or give it another port"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::doctor::facts::healthy;
    use crate::doctor::facts::network::PortProbe;
    use crate::doctor::finding::Level;

    fn socket(address: &str, pid: i32, name: &str) -> Socket {
        let holders = vec![Holder { pid, name: name.into() }];
        Socket { address: address.parse().expect(address), port: 143, holders }
    }

    #[test]
    fn a_port_must_be_dovecots_while_it_runs_and_free_while_it_does_not() {
        let place = Place {
            name: "x:143".into(),
            address: [127, 0, 0, 1].into(),
            port: 143,
            seconds: 2,
            asked: PortProbe::Greeting,
        };
        let runs = DovecotPids { masters: vec![100], others: vec![101], ..DovecotPids::default() };
        let orphans = DovecotPids { masters: vec![], ..runs.clone() };
        let gone = DovecotPids::default();
        for (case, dovecot, sockets, what) in [
            ("free", &gone, vec![], None),
            ("served", &runs, vec![socket("0.0.0.0", 100, "dovecot")], None),
            ("served by a child", &runs, vec![socket("127.0.0.1", 101, "imap-login")], None),
            ("another address", &gone, vec![socket("192.0.2.1", 7, "python3")], None),
            ("a stranger", &gone, vec![socket("0.0.0.0", 7, "python3")], Some("pid 7 (python3)")),
            ("an orphan", &orphans, vec![socket("::", 101, "imap-login")], Some("left behind")),
            ("a socket unit", &gone, vec![socket("::", 1, "systemd")], None),
            ("not served", &runs, vec![], Some("nothing listens at x:143")),
            ("not Dovecot's", &runs, vec![socket("127.0.0.1", 7, "nc")], Some("is not Dovecot's")),
            (
                "a hidden holder",
                &gone,
                vec![Socket { holders: vec![], ..socket("0.0.0.0", 7, "x") }],
                Some("a process that cannot be seen"),
            ),
        ] {
            let finding = odd_port(&place, &sockets, dovecot, "mail");
            assert_eq!(finding.is_some(), what.is_some(), "{case}: {finding:?}");
            if let Some((finding, what)) = finding.zip(what) {
                assert_eq!(finding.level, Level::Error, "{case}");
                assert!(finding.what.contains(what), "{case}: {}", finding.what);
            }
        }
    }

    #[test]
    fn a_moving_address_must_be_where_dovecot_is_in_service() {
        let mut facts = healthy("node1");
        assert_eq!(assess_addresses(&facts).first().map(|one| one.level), Some(Level::Ok));
        facts.network.addresses = Fact::Known(BTreeSet::from([[127, 0, 0, 1].into()]));
        let findings = assess_addresses(&facts);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(finding.level, Level::Error);
        let cure = "/opt/LifeKeeper/bin/perform_action -t ip-mail -a restore";
        assert_eq!(finding.told_cure().as_deref(), Some(cure));

        facts.resource.stand_by();
        assert_eq!(assess_addresses(&facts), []);
    }
}
