//! What keeps Dovecot from starting, however often one tries.
//!
//! Looked for only after a start has failed: none of it is a reason not to try.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statvfs::{FsFlags, statvfs};

use super::configuration::{self, Listener};
use super::identity::{Census, Family};
use super::instance::Instance;
use super::mistake;
use super::notes::Notes;
use super::places::Places;
use crate::error::Error;
use crate::files::below;
use crate::messages::{Message, Remark};
use crate::process::Process;
use crate::settings::Settings;
use crate::system::System;

/// The longest that the look may take.
pub(crate) const LIMIT: Duration = mistake::LIMIT.saturating_add(configuration::LIMIT);

/// Lists the obstacles, each as a sentence; empty when none is seen.
///
/// # Errors
///
/// Any error from reading the process table.
pub(crate) fn look(
    system: &impl System,
    settings: &Settings,
    root: &Path,
    (instance, places): (&Instance, &Places),
    notes: &mut Notes,
) -> Result<Vec<Remark>, Error> {
    if let Some(missing) = instance.missing(system) {
        return Ok(vec![Remark::new(Message::NotInstalled, missing)]);
    }
    if let Some(mistake) = mistake::look(system, instance).mistake() {
        let text = format!("its configuration is broken: {mistake}");
        return Ok(vec![Remark::new(Message::Configuration, text)]);
    }
    // Before 2.0 nobody tells where it would listen.
    let listeners = configuration::listeners(system, instance).unwrap_or_default();
    let directories = unwritable_directories(root, places);
    let own = Census::new(system, root, settings, notes).take(system)?;
    let addresses = missing_addresses(&system.addresses(), &listeners).into_iter();
    let addresses = addresses.map(|address| {
        let text = format!(
            "{address} is not an address of this node (is the IP resource below this one in service?)"
        );
        Remark::new(Message::NoAddress, text)
    });
    Ok([directories, addresses.collect(), taken_ports(system, &own, &listeners)].concat())
}

/// The directories in which no file can be made, and why.
pub(crate) fn unwritable_directories(root: &Path, places: &Places) -> Vec<Remark> {
    // What logs to a device makes no file there.
    let log = places.log.as_deref().filter(|log| !log.starts_with("/dev"));
    let log = log.and_then(Path::parent);
    let mut full: Vec<Remark> = Vec::new();
    let mut tell = |text: String| full.push(Remark::new(Message::Full, text));
    for directory in places.base.iter().map(PathBuf::as_path).chain(log) {
        // Where none is, Dovecot makes it, or says why it cannot.
        let Ok(left) = statvfs(&below(root, directory)) else { continue };
        let directory = directory.display();
        // Some file systems have no count of files.
        if left.flags().contains(FsFlags::ST_RDONLY) {
            tell(format!("the file system of {directory} is read-only"));
            continue;
        }
        match (left.blocks_free(), left.files(), left.files_free()) {
            // Some have no count of blocks either.
            (0, _, _) if left.blocks() > 0 => {
                tell(format!("no space is left on the file system of {directory}"));
            }
            (_, 1.., 0) => tell(format!("no inode is left on the file system of {directory}")),
            _ => {}
        }
    }
    full
}

/// The addresses that Dovecot would listen on and a node with these `own` does not have; none where
/// its own are not known.
pub(crate) fn missing_addresses(own: &BTreeSet<IpAddr>, listeners: &[Listener]) -> Vec<IpAddr> {
    let wanted: BTreeSet<IpAddr> = listeners
        .iter()
        .flat_map(|listener| &listener.addresses)
        .filter_map(|word| configuration::ip(word))
        // Of the loopback network a node has each address, and shows one.
        .filter(|address| !address.is_unspecified() && !address.is_loopback())
        .collect();
    wanted.into_iter().filter(|address| !own.is_empty() && !own.contains(address)).collect()
}

/// The ports that somebody else has, who is no Dovecot and no systemd that hands them over.
fn taken_ports(system: &impl System, own: &Family, listeners: &[Listener]) -> Vec<Remark> {
    let own = own.all();
    let hands_over = |process: &Process| process.pid == 1 && system.runs_systemd();
    let is_other =
        |process: &Process| !hands_over(process) && !own.iter().any(|one| one.process.is(process));
    let mut taken = Vec::new();
    for listener in listeners {
        let holders = system.listeners(listener.port);
        let in_the_way = |(address, process): &&(IpAddr, Process)| {
            is_other(process) && (address.is_unspecified() || listener.covers(*address))
        };
        if let Some((_, other)) = holders.iter().find(in_the_way) {
            let text = format!("port {} is taken by {other}", listener.port);
            let told = Remark::new(Message::PortTaken, text);
            if !taken.contains(&told) {
                taken.push(told);
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::system::fake::{Machine, child};
    use crate::test_root::TestRoot;

    const DUMP: &str = "protocols = imap\nlisten = 192.0.2.9 [2001:db8::1]\n\
        service imap-login {\n  protocol = imap\n  inet_listener imap {\n    port = 143\n  }\n}\n";

    fn machine(dump: &str) -> Machine {
        let machine = Machine::new();
        machine.state().programs.push("doveconf");
        machine.answer("doveconf", End::Exited(0), Duration::from_millis(7), dump);
        machine
    }

    fn seen(machine: &Machine) -> Vec<String> {
        let places = Places { base: vec!["/".into()], log: None, tag: "dovecot".into() };
        let (root, notes) = (TestRoot::new(), &mut Notes::default());
        let instance = Instance::find(machine, root.path(), "dovecot", notes);
        look(machine, &Settings::default(), root.path(), (&instance, &places), notes)
            .map(|found| Remark::texts(&found))
            .expect("looking")
    }

    #[test]
    fn an_address_that_the_node_lacks_is_named_with_the_resource_that_should_bring_it() {
        let machine = machine(DUMP);
        machine.state().addresses =
            ["127.0.0.1", "2001:db8::1"].map(|a| a.parse().expect(a)).into();
        let words = "192.0.2.9 is not an address of this node (is the IP resource below this one in \
                     service?)";
        assert_eq!(seen(&machine), [words]);
        machine.state().addresses.insert("192.0.2.9".parse().expect("an address"));
        assert_eq!(seen(&machine), Vec::<String>::new());
        let machine = self::machine(&DUMP.replace("192.0.2.9", "127.0.0.2"));
        machine.state().addresses =
            ["127.0.0.1", "2001:db8::1"].map(|a| a.parse().expect(a)).into();
        assert_eq!(seen(&machine), Vec::<String>::new(), "it can be bound");
    }

    #[test]
    fn a_port_that_somebody_else_has_is_named_with_him() {
        let machine = machine(&DUMP.replace("192.0.2.9 [2001:db8::1]", "*, ::"));
        let any: IpAddr = [0, 0, 0, 0].into();
        machine.state().listeners.insert(143, vec![(any, child(50, "perl"))]);
        assert_eq!(seen(&machine), ["port 143 is taken by pid 50 (perl, state S)"]);
        machine.state().systemd = true;
        machine.state().listeners.insert(143, vec![(any, child(1, "systemd"))]);
        assert_eq!(seen(&machine), Vec::<String>::new(), "it hands the port over");
        machine.state().start_dovecot();
        let own = child(101, "log");
        machine.state().listeners.insert(143, vec![(any, own)]);
        assert_eq!(seen(&machine), Vec::<String>::new(), "Dovecot's own processes are in no way");
    }

    #[test]
    fn a_port_on_another_address_is_in_nobodys_way() {
        let machine = machine(&DUMP.replace("192.0.2.9 [2001:db8::1]", "127.0.0.1"));
        for (address, taken) in [("192.0.2.1", 0), ("127.0.0.1", 1), ("0.0.0.0", 1), ("::", 1)] {
            let address = address.parse().expect(address);
            machine.state().listeners.insert(143, vec![(address, child(50, "perl"))]);
            assert_eq!(seen(&machine).len(), taken, "{address}");
        }
    }

    #[test]
    fn a_mistake_in_the_configuration_is_all_that_is_told() {
        let machine = machine(DUMP);
        machine.complain("doveconf -nx", End::Exited(89), "doveconf: Fatal: line 2: Garbage");
        assert_eq!(seen(&machine), ["its configuration is broken: line 2: Garbage"]);
    }

    #[test]
    fn a_dovecot_that_is_not_installed_is_all_that_is_told() {
        let machine = Machine::new();
        machine.state().programs.retain(|program| *program != "dovecot");
        let seen = seen(&machine);
        let [words] = seen.as_slice() else { panic!("{seen:?}") };
        assert!(words.starts_with("Dovecot is not installed: "), "{words}");
    }

    #[test]
    fn where_nobody_tells_nothing_is_in_the_way() {
        assert_eq!(seen(&Machine::new()), Vec::<String>::new());
        assert_eq!(seen(&machine("garbage {{{\n}}}\n")), Vec::<String>::new());
    }
}
