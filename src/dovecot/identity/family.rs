//! Who belongs to Dovecot, by the evidence that the head of this module names.

mod scan;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::programs::Programs;
use super::{MASTER, masters_of};
use crate::dovecot::cgroup::Group;
use crate::dovecot::configuration::{self, Listener};
use crate::dovecot::instance::{self, Instance};
use crate::dovecot::notes::Notes;
use crate::dovecot::unit::{self, Manager, Owner};
use crate::dovecot::{pid_file, places};
use crate::error::Error;
use crate::probe::endpoint::Endpoint;
use crate::process::Process;
use crate::settings::Settings;
use crate::system::System;
use scan::Scan;

/// What follows if nothing ends a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Weight {
    /// remove fails: it is Dovecot's without doubt.
    Fails,
    /// It is named in a warning.
    Warns,
}

/// A process of Dovecot's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Member {
    pub(crate) process: Process,
    pub(crate) weight: Weight,
}

/// Living processes of Dovecot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Family {
    pub(crate) masters: Vec<Process>,
    /// Children and orphans.
    pub(crate) others: Vec<Member>,
}

impl Family {
    pub(crate) fn is_gone(&self) -> bool {
        self.masters.is_empty() && self.others.is_empty()
    }

    /// Everybody, masters first.
    pub(crate) fn all(&self) -> Vec<Member> {
        let master = |process: &Process| Member { process: process.clone(), weight: Weight::Fails };
        self.masters.iter().map(master).chain(self.others.iter().cloned()).collect()
    }
}

/// Counts Dovecot's processes, from the first look to the last.
#[derive(Debug)]
pub(crate) struct Census<'a> {
    root: &'a Path,
    notes: &'a mut Notes,
    unit: String,
    /// The service's Dovecot, once it was asked for.
    instance: Option<Instance>,
    endpoints: &'a [Endpoint],
    /// The control groups of the service.
    pub(crate) groups: Vec<Group>,
    /// The directory of the control group that everybody was in.
    enclosure: Option<PathBuf>,
    seen: Vec<Member>,
    /// The pipes of living masters, by pid and start.
    pipes: BTreeMap<(i32, u64), BTreeSet<u64>>,
    /// Whose the masters are that were seen.
    owners: Vec<(Process, Owner)>,
    /// How long it has taken to ask for that.
    asking: Duration,
    /// Where Dovecot is to listen, once somebody was to be judged by it.
    listeners: Option<Vec<Listener>>,
    /// Where its base directory may be, once it was asked for.
    base: Option<Vec<PathBuf>>,
}

/// The longest that the questions whose the masters are may take together: a first one, and one before
/// each time that a remove ends what is left.
pub const OWNERS_LIMIT: Duration = unit::DETAIL_LIMIT.saturating_mul(3);

impl<'a> Census<'a> {
    /// The longest that all looks together wait for others: for Dovecot's listeners, for its base
    /// directory, for how the service starts it, each once, and for the units of masters.
    pub(crate) const LIMIT: Duration = configuration::LIMIT
        .saturating_add(configuration::LIMIT)
        .saturating_add(instance::LIMIT)
        .saturating_add(OWNERS_LIMIT);

    /// Begins with what was noted.
    pub(crate) fn new(
        system: &impl System,
        root: &'a Path,
        settings: &'a Settings,
        notes: &'a mut Notes,
    ) -> Self {
        let unit = unit::name(&settings.service);
        let groups =
            notes.masters.iter().filter_map(|note| Group::of_unit(note.group.as_deref()?, &unit));
        let groups = groups.filter(|group| !holds_us(system, group)).collect();
        Self {
            root,
            notes,
            endpoints: &settings.endpoints,
            groups,
            enclosure: None,
            unit,
            instance: None,
            seen: Vec::new(),
            pipes: BTreeMap::new(),
            owners: Vec::new(),
            asking: Duration::ZERO,
            listeners: None,
            base: None,
        }
    }

    /// Takes the unit's own name and its control group from what the service manager says.
    pub(crate) fn learn(&mut self, system: &impl System, manager: &Manager) {
        if let Some(unit) = manager.unit() {
            // It may have been asked for by an alias.
            self.unit.clone_from(&unit.name);
        }
        if let Some(group) = manager.unit().and_then(|unit| unit.group.clone())
            && !self.groups.contains(&group)
            && !holds_us(system, &group)
        {
            self.groups.push(group);
        }
    }

    /// Whether a master was seen before, or has left its pid file, whose family may still be dying.
    pub(crate) fn expects_more(&self) -> bool {
        !self.notes.masters.is_empty() || pid_file::is_there(self.root)
    }

    /// Whether everybody was in one control group of the service, which the kernel has removed since:
    /// it removes none in which a process is, and whoever is forked is in its parent's. That proves
    /// more than any look at the process table, which is not read in one moment.
    pub(crate) fn has_lost_its_group(&self) -> bool {
        let is_absent = |directory: &PathBuf| {
            directory.symlink_metadata().is_err_and(|cause| cause.kind() == ErrorKind::NotFound)
        };
        self.enclosure.as_ref().is_some_and(is_absent)
    }

    /// Notes the masters for later looks and actions.
    pub(crate) fn remember(&mut self, system: &impl System, family: &Family) {
        let pids: Vec<i32> = family.all().iter().map(|member| member.process.pid).collect();
        self.enclosure = self.groups.iter().find_map(|group| group.directory_of(self.root, &pids));
        self.notes.remember(system, self.root, &self.unit, &family.masters);
    }

    /// Forgets all masters, when nothing of them is left.
    pub(crate) fn erase(&mut self) {
        self.notes.erase(self.root);
    }

    /// Removes a `master.pid` in Dovecot's base directory that names another process.
    pub(crate) fn clear_pid_file(&mut self, system: &impl System) {
        let base = self.base(system);
        let strangers: Vec<Process> = self.strangers().collect();
        pid_file::clear(system, self.root, &base, self.notes, &strangers);
    }

    /// Where the file may be. One that names a master of ours was written by it, so that is Dovecot's
    /// base directory, and nobody is asked: an answer takes 15 ms, or 5 s where it hangs. It is not the
    /// one that a stop goes by only if `base_dir` was changed since this master began.
    fn base(&mut self, system: &impl System) -> Vec<PathBuf> {
        let named = pid_file::master(system, self.root, self.notes);
        let mut ours = self.seen.iter().filter(|one| one.process.name == MASTER);
        if named.is_some_and(|named| ours.any(|one| one.process.is(&named))) {
            return places::usual();
        }
        let instance = self.instance(system).clone();
        self.base.get_or_insert_with(|| places::places(system, &instance).base).clone()
    }

    fn instance(&mut self, system: &impl System) -> &Instance {
        let Self { root, unit, notes, .. } = self;
        self.instance.get_or_insert_with(|| Instance::find(system, root, unit, notes))
    }

    /// The masters of other units, which are left alone.
    pub(crate) fn strangers(&self) -> impl Iterator<Item = Process> {
        let of_another = |(_, owner): &&(Process, Owner)| *owner == Owner::AnotherUnit;
        self.owners.iter().filter(of_another).map(|(process, _)| process.clone())
    }

    /// Has the next look ask again whose the masters are of which systemd did not tell.
    pub(crate) fn doubt(&mut self) {
        self.owners.retain(|(_, owner)| *owner != Owner::Unanswered);
    }

    /// Looks who is alive. Who was seen once counts until it is dead, even when it can no longer
    /// be told what it runs: a process that hangs in the kernel while it ends has no executable.
    ///
    /// # Errors
    ///
    /// Any error from reading the process table.
    pub(crate) fn take(&mut self, system: &impl System) -> Result<Family, Error> {
        let table = system.processes()?;
        let mut namesakes = Vec::new();
        // ProcessEntry, and ended before it could be looked at: its children are orphans.
        let mut ended = Vec::new();
        for listed in table.iter().filter(|listed| listed.name == MASTER) {
            match system.inspect(listed.pid) {
                Some(process) if !process.is_dead() => namesakes.push(process),
                Some(_) | None => ended.push(listed.pid),
            }
        }
        let seen_as_master = |process: &Process| {
            let before =
                |member: &Member| member.process.is(process) && member.process.name == MASTER;
            process.name == MASTER && process.executable.is_none() && self.seen.iter().any(before)
        };
        let (dying, namesakes): (Vec<Process>, Vec<Process>) =
            namesakes.into_iter().partition(seen_as_master);
        let mut all = masters_of(system, self.notes, namesakes.into_iter());
        all.extend(dying);
        self.learn_owners(system, &all);
        let (strangers, masters): (Vec<Process>, Vec<Process>) =
            all.into_iter().partition(|master| self.strangers().any(|one| one.is(master)));
        // What belongs to a master of another unit, by pid, session and parent.
        let is_strangers = |pids: [i32; 3]| strangers.iter().any(|one| pids.contains(&one.pid));
        let noted = self.notes.masters.iter().filter_map(|note| note.program.as_deref());
        let of_masters = masters.iter().filter_map(|master| master.executable.as_deref());
        let mut scan = Scan {
            programs: Programs::look(self.root, of_masters.chain(noted)),
            census: self,
            system,
            table: &table,
            ended: &ended,
            masters: &masters,
            listeners: OnceCell::new(),
        };
        let mut others: Vec<Member> = table
            .iter()
            .filter(|listed| !listed.zombie && listed.pid > 1)
            .filter(|listed| {
                !is_strangers([listed.pid, listed.session, listed.parent])
                    && !masters.iter().any(|one| one.pid == listed.pid)
            })
            .filter_map(|listed| scan.member(listed))
            .collect();
        for old in &self.seen {
            let known = masters.iter().chain(others.iter().map(|other| &other.process));
            let known = known.into_iter().any(|one| one.is(&old.process));
            if let Some(now) = system.inspect(old.process.pid)
                && now.is(&old.process)
                && !now.is_dead()
                && !known
                && !is_strangers([now.pid, now.session, now.parent])
            {
                others.push(Member { process: now, weight: old.weight });
            }
        }
        for other in &mut others {
            // What it was seen to run first is what counts.
            if let Some(old) = self.seen.iter().find(|old| old.process.is(&other.process))
                && old.weight == Weight::Fails
            {
                other.weight = Weight::Fails;
            }
        }
        let family = Family { masters, others };
        let all = family.all();
        // Whoever was begun elsewhere has children elsewhere.
        let is_new = |one: &&Member| !self.seen.iter().any(|old| old.process.is(&one.process));
        if self.enclosure.is_some()
            && all.iter().filter(is_new).any(|one| !self.holds(system, one.process.pid))
        {
            self.enclosure = None;
        }
        self.seen = all;
        Ok(family)
    }

    /// Whether a process is in a control group of the service.
    fn holds(&self, system: &impl System, pid: i32) -> bool {
        !self.groups.is_empty()
            && system
                .control_groups(pid)
                .is_some_and(|groups| self.groups.iter().any(|group| group.holds(&groups)))
    }

    /// Learns whose masters are that are not known yet. One that listens where the service is to listen is
    /// the service's Dovecot, whatever has started it: to leave it alone would mean two masters on one mail
    /// store. Without an answer it counts as the service's until it is asked for again, and is ended as
    /// such if that is not answered either: a wrong no would leave a second master, a wrong yes ends
    /// another Dovecot while systemd is deaf.
    fn learn_owners(&mut self, system: &impl System, masters: &[Process]) {
        let is_known = |master: &&Process| self.owners.iter().any(|(known, _)| known.is(master));
        let new: Vec<Process> = masters.iter().filter(|one| !is_known(one)).cloned().collect();
        if new.is_empty() {
            return;
        }
        let begun = system.now();
        let owners = if self.asking + unit::DETAIL_LIMIT > OWNERS_LIMIT {
            vec![Owner::Unanswered; new.len()]
        } else {
            unit::owners(system, &self.unit, &new)
        };
        self.asking += system.now().saturating_sub(begun);
        for (master, owner) in new.into_iter().zip(owners) {
            let is_listening = owner == Owner::AnotherUnit
                && system
                    .listening(master.pid, &system.roots_listeners())
                    .into_iter()
                    .any(|socket| self.is_listener(system, socket));
            self.owners.push((master, if is_listening { Owner::Ours } else { owner }));
        }
    }

    /// Whether a socket is one of Dovecot's listeners; where Dovecot does not tell these, whether
    /// it is one of the checked addresses.
    fn is_listener(&mut self, system: &impl System, socket: SocketAddr) -> bool {
        let instance = self.instance(system).clone();
        let listeners = self
            .listeners
            .get_or_insert_with(|| configuration::listeners(system, &instance).unwrap_or_default());
        if listeners.is_empty() {
            return self.endpoints.iter().any(|endpoint| {
                endpoint.port == socket.port()
                    && (socket.ip().is_unspecified() || endpoint.address == socket.ip())
            });
        }
        listeners.iter().any(|one| one.port == socket.port() && one.covers(socket.ip()))
    }
}

/// Whether this program itself is in a group, called by the unit: then that tells nothing of others.
fn holds_us(system: &impl System, group: &Group) -> bool {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    system.control_groups(own).is_some_and(|groups| group.holds(&groups))
}

#[cfg(test)]
mod tests {
    use super::Weight::{Fails, Warns};
    use super::*;
    use crate::dovecot::identity::{living_masters, masters};
    use crate::process::PipeEnd;
    use crate::system::fake::{FakeUnit, MASTER, Machine, Program, child, master, pipes_of};
    use crate::test_root::TestRoot;

    const GROUP: &str = "0::/system.slice/dovecot.service\n";

    fn listed(machine: &Machine) -> Vec<i32> {
        let masters = masters(machine, &Notes::default()).expect("the process table");
        masters.iter().map(|process| process.pid).collect()
    }

    /// Notes the master, and kills it.
    fn noted_and_killed(machine: &Machine, root: &TestRoot) -> Notes {
        let mut notes = Notes::default();
        let master = machine.inspect(MASTER).expect("the master");
        notes.remember(machine, root.path(), "dovecot", &[master]);
        machine.state().end(MASTER);
        notes
    }

    fn family(machine: &Machine, notes: &mut Notes) -> Family {
        let (root, settings) = (TestRoot::new(), Settings::default());
        let mut census = Census::new(machine, root.path(), &settings, notes);
        census.take(machine).expect("the process table")
    }

    #[test]
    fn the_pid_file_that_is_cleared_is_that_of_the_services_own_configuration() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        machine.state().programs.push("doveconf");
        machine.show(MASTER, |more| more.words = ["dovecot", "-c/d.conf"].map(Into::into).into());
        let question = "doveconf -c /d.conf base_dir log_path instance_name";
        let took = Duration::from_millis(7);
        machine.answer(question, crate::command::End::Exited(0), took, "base_dir = /srv/run\n");
        machine.add(child(50, "sleep"), 1, 50);
        root.write("srv/run/master.pid", "50");
        root.write("run/dovecot/master.pid", "50");
        let (settings, mut notes) = (Settings::default(), Notes::default());
        let mut census = Census::new(&machine, root.path(), &settings, &mut notes);
        census.clear_pid_file(&machine);
        census.clear_pid_file(&machine);
        assert!(!root.path().join("srv/run/master.pid").exists());
        assert!(root.path().join("run/dovecot/master.pid").exists(), "another instance's");
        assert_eq!(machine.count(question), 1, "it is asked once");
    }

    #[test]
    fn nobody_is_asked_where_the_pid_file_is_that_names_the_master() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        machine.state().programs.push("doveconf");
        root.write("run/dovecot/master.pid", &MASTER.to_string());
        machine.add(child(50, "sleep"), 1, 50);
        root.write("var/run/dovecot/master.pid", "50");
        let (settings, mut notes) = (Settings::default(), Notes::default());
        let mut census = Census::new(&machine, root.path(), &settings, &mut notes);
        census.take(&machine).expect("the process table");
        census.clear_pid_file(&machine);
        assert!(root.path().join("run/dovecot/master.pid").exists());
        assert!(!root.path().join("var/run/dovecot/master.pid").exists());
        assert_eq!(machine.deeds(), Vec::<String>::new());
    }

    fn others(machine: &Machine, notes: &mut Notes) -> Vec<(i32, Weight)> {
        let family = family(machine, notes);
        family.others.iter().map(|one| (one.process.pid, one.weight)).collect()
    }

    #[test]
    fn only_a_real_master_counts() {
        type Change = fn(&Machine);
        fn process(change: impl FnOnce(&mut Process)) -> impl FnOnce(&Machine) {
            |machine| machine.change(100, change)
        }
        let cases: [(&str, bool, Change); 19] = [
            ("a master", true, |_| ()),
            ("a frozen one", true, |m| process(|p| p.state = 'T')(m)),
            ("one from /usr/local", true, |m| {
                process(|p| p.executable = Some("/usr/local/sbin/dovecot".into()))(m);
            }),
            ("a zombie", false, |m| process(|p| p.state = 'Z')(m)),
            ("another user's", false, |m| process(|p| p.users = [1000; 3])(m)),
            ("a setuid program's", false, |m| process(|p| p.users = [1000, 0, 0])(m)),
            ("one that was root", false, |m| process(|p| p.users = [0, 0, 1000])(m)),
            ("one in a container's namespaces", false, |m| {
                process(|p| p.same_namespaces = false)(m);
            }),
            ("one in a container's root", false, |m| m.show(100, |more| more.elsewhere = true)),
            ("one whose file others may write", true, |m| {
                m.show(100, |more| more.open_file = true);
            }),
            ("one whose file others may write and nobody read", false, |m| {
                m.show(100, |more| more.open_file = true);
                m.show(100, |more| more.program = Program::Unreadable);
            }),
            ("one whose file was moved aside", true, |m| {
                process(|p| p.executable = Some("/usr/sbin/dovecot.old".into()))(m);
            }),
            ("one whose file cannot be read", true, |m| {
                m.show(100, |more| more.program = Program::Unreadable);
            }),
            ("a tool of that name", false, |m| {
                process(|p| p.executable = Some("/opt/mon/dovecot".into()))(m);
                m.show(100, |more| more.program = Program::Other);
            }),
            ("an interpreter that cannot be read", false, |m| {
                process(|p| p.executable = Some("/usr/bin/perl5.36".into()))(m);
                m.show(100, |more| more.program = Program::Unreadable);
            }),
            ("the kit", false, |m| process(|p| p.name = "dovecot-ark".into())(m)),
            ("an editor", false, |m| process(|p| p.name = "vim".into())(m)),
            ("a 1.x auth process", false, |m| process(|p| p.name = "dovecot-auth".into())(m)),
            ("one that is about to end", false, |m| process(|p| p.executable = None)(m)),
        ];
        for (case, counts, change) in cases {
            let machine = Machine::new();
            machine.add(master(100), 1, 100);
            change(&machine);
            assert_eq!(!listed(&machine).is_empty(), counts, "{case}");
            let family = family(&machine, &mut Notes::default());
            assert_eq!(!family.masters.is_empty(), counts, "{case}, by all callers");
        }
    }

    #[test]
    fn who_is_about_to_end_is_a_master_if_it_was_seen_as_one() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        let mut notes = Notes::default();
        let settings = Settings::default();
        let mut census = Census::new(&machine, root.path(), &settings, &mut notes);
        assert_eq!(census.take(&machine).expect("the table").masters.len(), 1);
        machine.change(MASTER, |master| master.executable = None);
        machine.add(Process { executable: None, ..master(200) }, 1, 200);
        let masters_now = census.take(&machine).expect("the table").masters;
        assert_eq!(masters_now.iter().map(|one| one.pid).collect::<Vec<_>>(), [MASTER]);

        let machine = Machine::running();
        let master = machine.inspect(MASTER).expect("the master");
        notes.remember(&machine, root.path(), "dovecot", &[master]);
        machine.change(MASTER, |master| master.executable = None);
        assert_eq!(masters(&machine, &notes).expect("the table").len(), 1);
        machine.change(MASTER, |master| master.started += 1);
        assert_eq!(masters(&machine, &notes).expect("the table").len(), 0, "another process");
    }

    #[test]
    fn a_child_that_was_just_forked_is_no_second_master() {
        let machine = Machine::new();
        machine.add(master(100), 1, 100);
        machine.add(master(101), 100, 100);
        machine.add(master(102), 1, 102);
        // Of a master in the foreground, and one whose parent is not to be seen.
        machine.add(master(103), 100, 80);
        machine.add(master(104), 1, 100);
        assert_eq!(listed(&machine), [100, 102]);
        let family = family(&machine, &mut Notes::default());
        let masters: Vec<i32> = family.masters.iter().map(|one| one.pid).collect();
        let others: Vec<i32> = family.others.iter().map(|one| one.process.pid).collect();
        assert_eq!((masters, others), (vec![100, 102], vec![101, 103, 104]));
        let living = living_masters(&machine, TestRoot::new().path()).expect("the table");
        assert_eq!(living.len(), 2);
    }

    #[test]
    fn the_family_is_master_children_and_orphans_and_nobody_else() {
        let machine = Machine::new();
        machine.add(master(100), 1, 100);
        machine.add(child(101, "imap"), 100, 100);
        machine.add(child(102, "imap-login"), 100, 100);
        // Of a master 90 that is dead.
        machine.add(child(103, "imap"), 1, 90);
        // A delivery agent of a mail transfer agent 80, and one whose caller has gone.
        machine.add(Process { name: "postfix".into(), ..child(80, "../../sbin/postfix") }, 1, 80);
        machine.add(child(104, "deliver"), 80, 80);
        machine.add(child(105, "dovecot-lda"), 1, 70);
        // A container's, a script in the master's session, a program of another package.
        machine.add(child(106, "imap"), 1, 90);
        machine.show(106, |more| more.elsewhere = true);
        machine.add(Process { same_namespaces: false, ..child(107, "imap") }, 1, 0);
        machine.add(Process { executable: Some("/bin/sh".into()), ..child(108, "sh") }, 100, 100);
        machine.add(Process { state: 'Z', ..child(109, "imap") }, 100, 100);
        let other =
            Process { executable: Some("/opt/x/lib/dovecot/imap".into()), ..child(110, "x") };
        machine.add(other, 1, 90);

        let family = others(&machine, &mut Notes::default());
        assert_eq!(family, [(101, Fails), (102, Fails), (103, Warns), (108, Warns)]);
    }

    #[test]
    fn programs_of_dovecot_that_somebody_else_runs_are_not_its_processes() {
        let machine = Machine::new();
        machine.add(master(100), 1, 100);
        // A user's own imap over ssh, and the daemon of a test that leads its own session.
        machine.add(Process { name: "sshd".into(), ..child(80, "../../sbin/sshd") }, 1, 80);
        machine.add(child(110, "imap"), 80, 80);
        machine.add(child(111, "imap"), 1, 111);
        // One whose session is not to be seen, and one without a master's pipes: its caller, a
        // mail transfer agent, has gone.
        machine.add(child(112, "imap"), 1, 0);
        machine.add(child(113, "imap"), 1, 70);
        machine.show(113, |more| more.pipes.clear());
        machine.add(child(114, "imap"), 1, 70);
        machine.show(114, |more| more.pipes = vec![pipes_of(70)[0], (6, pipes_of(70)[0].1)]);
        machine.add(child(115, "imap"), 1, 70);
        machine.show(115, |more| {
            for (_, pipe) in &mut more.pipes {
                pipe.end = PipeEnd::Read;
            }
        });
        machine.state().programs.push("doveadm");
        assert_eq!(others(&machine, &mut Notes::default()), []);
        // Dovecot 1.x, which has no doveadm, gives its children no pipes.
        machine.state().programs.retain(|name| *name != "doveadm");
        assert_eq!(others(&machine, &mut Notes::default()), [(113, Weight::Warns)]);
    }

    #[test]
    fn a_master_that_leads_no_session_has_children_and_shares_its_session_with_strangers() {
        let machine = Machine::new();
        machine.add(Process { name: "bash".into(), ..child(80, "../../bin/bash") }, 1, 80);
        machine.add(master(100), 80, 80);
        machine.add(child(101, "log"), 100, 80);
        machine.add(Process { name: "vim".into(), ..child(102, "../../bin/vim") }, 80, 80);
        assert_eq!(listed(&machine), [100]);
        assert_eq!(others(&machine, &mut Notes::default()), [(101, Weight::Fails)]);
    }

    #[test]
    fn the_session_of_a_noted_master_is_known_after_its_death_and_its_number_alone_is_nothing() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        // An own build of imap, and a script in a session of its own that has kept the pipes.
        let own = Process { executable: Some("/opt/site/imap".into()), ..child(102, "imap") };
        machine.add(own, MASTER, MASTER);
        machine.add(
            Process { executable: Some("/bin/sh".into()), ..child(103, "sh") },
            102,
            MASTER,
        );
        machine.add(Process { executable: Some("/bin/sh".into()), ..child(104, "sh") }, 1, 104);
        machine.show(104, |more| more.pipes = pipes_of(MASTER));
        // Somebody whose session has the number by chance.
        machine.add(Process { executable: Some("/bin/sh".into()), ..child(105, "sh") }, 1, MASTER);
        machine.show(105, |more| more.pipes.clear());
        // Of Dovecot 1.x, which gives its children no pipes.
        machine.add(child(106, "imap"), 1, MASTER);
        machine.show(106, |more| more.pipes.clear());
        let mut notes = noted_and_killed(&machine, &root);
        let expected = [(101, Fails), (102, Warns), (103, Warns), (104, Warns), (106, Fails)];
        assert_eq!(others(&machine, &mut notes), expected);
        let unknown = others(&machine, &mut Notes::default());
        assert_eq!(unknown, [(101, Warns), (106, Warns)], "nothing was noted");

        // Somebody has got the master's number, and runs Dovecot's imap himself.
        let machine = Machine::running();
        let mut notes = noted_and_killed(&machine, &root);
        machine.state().end(101);
        machine.add(Process { name: "sshd".into(), ..child(100, "../../sbin/sshd") }, 1, 100);
        machine.show(100, |more| more.pipes.clear());
        machine.add(child(107, "imap"), 100, 100);
        machine.show(107, |more| more.pipes.clear());
        assert_eq!(others(&machine, &mut notes), []);
    }

    #[test]
    fn whoever_holds_a_pipe_of_a_living_master_is_of_its_family() {
        let machine = Machine::running();
        machine.add(Process { executable: Some("/bin/sh".into()), ..child(102, "sh") }, 1, 102);
        machine.show(102, |more| more.pipes = pipes_of(MASTER));
        machine.add(Process { executable: Some("/bin/sh".into()), ..child(103, "sh") }, 1, 103);
        machine.show(103, |more| more.pipes = pipes_of(7));
        machine.add(Process { executable: Some("/bin/sh".into()), ..child(104, "sh") }, 1, 104);
        machine.show(104, |more| more.pipes.clear());
        assert_eq!(others(&machine, &mut Notes::default()), [(101, Fails), (102, Warns)]);
    }

    #[test]
    fn the_control_group_holds_whoever_is_in_it_and_a_stopped_units_empty_one_nobody() {
        let machine = Machine::new();
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        machine.add(Process { executable: Some("/bin/sh".into()), ..child(50, "sh") }, 1, 50);
        machine.show(50, |more| {
            more.pipes.clear();
            more.groups = GROUP.into();
        });
        machine.add(Process { executable: Some("/bin/sh".into()), ..child(51, "sh") }, 1, 51);
        machine.show(51, |more| more.groups = "0::/system.slice/cron.service\n".into());
        let (root, settings, mut notes) = (TestRoot::new(), Settings::default(), Notes::default());
        let mut census = Census::new(&machine, root.path(), &settings, &mut notes);
        let mut members = |active| {
            machine.state().unit = FakeUnit { active, ..FakeUnit::default() };
            census.learn(&machine, &unit::look(&machine, "dovecot"));
            let family = census.take(&machine).expect("the table");
            family.others.iter().map(|one| one.process.pid).collect::<Vec<_>>()
        };
        assert_eq!(members(Some("inactive")), [0; 0]);
        assert_eq!(members(Some("active")), [50]);
        assert_eq!(members(Some("inactive")), [50], "who was learnt is not forgotten");
        machine.show(1, |more| more.groups = GROUP.into());
        assert_eq!(members(Some("active")), [50], "and pid 1 is never one");
    }

    #[test]
    fn the_control_group_that_holds_this_program_proves_nothing() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        machine.show(MASTER, |more| more.groups = GROUP.into());
        let mut notes = noted_and_killed(&machine, &root);
        machine.state().end(101);
        let own = i32::try_from(std::process::id()).expect("a pid");
        for pid in [50, own] {
            let sh = Process { executable: Some("/bin/sh".into()), ..child(pid, "sh") };
            machine.add(sh, 1, pid);
            machine.show(pid, |more| {
                more.pipes.clear();
                more.groups = GROUP.into();
            });
        }
        let settings = Settings::default();
        let mut census = Census::new(&machine, root.path(), &settings, &mut notes);
        machine.state().unit = FakeUnit { active: Some("active"), ..FakeUnit::default() };
        census.learn(&machine, &unit::look(&machine, "dovecot"));
        assert!(census.groups.is_empty());
        assert!(census.take(&machine).expect("the table").is_gone());
    }

    #[test]
    fn a_master_of_another_unit_is_no_part_of_it_with_all_its_children() {
        let machine = Machine::running();
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        let show = |pid: i32| format!("MainPID={pid}\nId=second.service\nActiveState=active\n");
        let line = "systemctl show -p Id,ActiveState,SubState,Job,MainPID,ControlGroup,TriggeredBy,\
                    UpheldBy,Result,Restart second.service dovecot.service";
        machine.answer(line, crate::command::End::Exited(0), Duration::ZERO, &show(200));
        machine.add(master(200), 1, 200);
        machine.add(child(201, "imap"), 200, 200);
        machine.show(200, |more| more.groups = "0::/system.slice/second.service\n".into());
        machine.show(MASTER, |more| more.groups = GROUP.into());
        let (root, settings, mut notes) = (TestRoot::new(), Settings::default(), Notes::default());
        let mut census = Census::new(&machine, root.path(), &settings, &mut notes);
        let family = census.take(&machine).expect("the table");
        let pids =
            |family: &Family| family.all().iter().map(|one| one.process.pid).collect::<Vec<_>>();
        assert_eq!(pids(&family), [100, 101]);
        assert_eq!(census.strangers().map(|one| one.pid).collect::<Vec<_>>(), [200]);

        // It listens where ours would.
        machine.show(200, |more| more.sockets = vec!["0.0.0.0:143".parse().expect("a socket")]);
        let mut census = Census::new(&machine, root.path(), &settings, &mut notes);
        assert_eq!(census.take(&machine).expect("the table").masters.len(), 2);
        machine.show(200, |more| more.sockets.clear());

        // One that a program of another unit has started is nobody else's.
        machine.answer(line, crate::command::End::Exited(0), Duration::ZERO, &show(77));
        let mut census = Census::new(&machine, root.path(), &settings, &mut notes);
        assert_eq!(pids(&census.take(&machine).expect("the table")), [100, 200, 101, 201]);
    }

    #[test]
    fn systemd_is_asked_once_for_the_units_of_all_masters_and_again_where_it_did_not_answer() {
        let machine = Machine::new();
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        let pids = [200, 201, 202, 203, 204];
        for pid in pids {
            machine.add(master(pid), 1, pid);
            machine.add(child(pid + 100, "imap"), pid, pid);
            let groups = format!("0::/system.slice/dovecot@{pid}.service\n");
            machine.show(pid, |more| more.groups = groups);
        }
        let (root, settings, mut notes) = (TestRoot::new(), Settings::default(), Notes::default());
        let mut census = Census::new(&machine, root.path(), &settings, &mut notes);
        let mut seen = |doubts: bool| {
            if doubts {
                census.doubt();
            }
            let family = census.take(&machine).expect("the process table");
            (family.masters.len(), family.others.len(), machine.deeds().len())
        };
        machine.answer("systemctl", crate::command::End::Exited(0), Duration::MAX, "");
        assert_eq!(seen(false), (5, 5, 1), "they count as the service's");
        assert_eq!(seen(false), (5, 5, 1), "and systemd is not asked at each look");
        let shown = |pid| format!("Id=dovecot@{pid}.service\nMainPID={pid}\n\n");
        let told = pids.map(shown).concat();
        machine.answer("systemctl", crate::command::End::Exited(0), Duration::ZERO, &told);
        assert_eq!(seen(true), (0, 0, 2), "with all that was seen of them");
        assert_eq!(seen(true), (0, 0, 2));
    }

    #[test]
    fn a_systemd_that_is_deaf_takes_no_more_than_its_time_for_the_units_of_masters() {
        let machine = Machine::new();
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        machine.answer("systemctl", crate::command::End::Exited(0), Duration::MAX, "");
        machine.add(master(200), 1, 200);
        machine.show(200, |more| more.groups = "0::/system.slice/x.service\n".into());
        let (root, settings, mut notes) = (TestRoot::new(), Settings::default(), Notes::default());
        let mut census = Census::new(&machine, root.path(), &settings, &mut notes);
        for _ in 0..9 {
            census.doubt();
            assert_eq!(census.take(&machine).expect("the table").masters.len(), 1);
        }
        assert!(machine.now() <= OWNERS_LIMIT, "{:?}", machine.now());
    }

    #[test]
    fn who_holds_one_of_dovecots_ports_and_runs_its_program_is_its_own() {
        let machine = Machine::new();
        machine.state().programs.push("doveadm");
        let socket = |text: &str| vec![text.parse().expect(text)];
        // In a session of its own, so nothing else tells.
        machine.add(child(50, "imap-login"), 1, 50);
        machine.show(50, |more| more.sockets = socket("0.0.0.0:143"));
        machine.add(child(51, "imap-login"), 1, 51);
        machine.show(51, |more| more.sockets = socket("0.0.0.0:144"));
        machine.add(Process { executable: Some("/usr/bin/nc".into()), ..child(52, "nc") }, 1, 52);
        machine.show(52, |more| more.sockets = socket("127.0.0.1:143"));
        assert_eq!(others(&machine, &mut Notes::default()), [(50, Weight::Warns)]);
        machine.show(50, |more| more.sockets = socket("192.0.2.1:143"));
        assert_eq!(others(&machine, &mut Notes::default()), [], "on another address");

        // Dovecot tells where it listens.
        machine.state().programs.push("doveconf");
        let dump = "protocols = imap\nlisten = 192.0.2.1\nservice imap-login {\n  inet_listener \
                    imap {\n    port = 144\n  }\n}\n";
        machine.answer("doveconf", crate::command::End::Exited(0), Duration::ZERO, dump);
        machine.show(50, |more| more.sockets = socket("192.0.2.1:143"));
        machine.show(51, |more| more.sockets = socket("192.0.2.1:144"));
        assert_eq!(others(&machine, &mut Notes::default()), [(51, Weight::Warns)]);
        machine.show(51, |more| more.sockets = socket("192.0.2.2:144"));
        assert_eq!(others(&machine, &mut Notes::default()), [], "on another address");
    }

    #[test]
    fn a_zombie_leader_leads_nobody() {
        let machine = Machine::new();
        machine.add(Process { state: 'Z', ..master(100) }, 1, 100);
        machine.add(child(101, "imap"), 1, 100);
        let family = family(&machine, &mut Notes::default());
        assert_eq!((family.masters.len(), family.others.len()), (0, 1));
    }

    #[test]
    fn the_children_of_a_master_that_ends_between_two_readings_are_not_overlooked() {
        let machine = Machine::running();
        let zombie = machine.inspect(100).map(|master| Process { state: 'Z', ..master });
        for now in [None, zombie] {
            machine.state().since.insert(100, now);
            let family = family(&machine, &mut Notes::default());
            assert_eq!((family.masters.len(), family.others.len()), (0, 1));
        }
    }

    #[test]
    fn whoever_has_got_the_number_of_a_child_since_the_table_was_read_is_no_member() {
        let machine = Machine::running();
        machine.show(101, |more| more.pipes.clear());
        let sh = Process { executable: Some("/bin/sh".into()), started: 2, ..child(101, "sh") };
        machine.state().since.insert(101, Some(sh));
        assert_eq!(others(&machine, &mut Notes::default()), []);
    }

    #[test]
    fn who_was_seen_counts_until_it_is_dead_and_its_pid_is_not_its_name() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        let (settings, mut notes) = (Settings::default(), Notes::default());
        let mut census = Census::new(&machine, root.path(), &settings, &mut notes);
        let mut weights = || {
            let family = census.take(&machine).expect("the process table");
            family.others.iter().map(|one| one.weight).collect::<Vec<_>>()
        };
        assert_eq!(weights(), [Weight::Fails]);
        machine.state().end(MASTER);
        // It hangs in the kernel while it ends: no executable and no descriptors any more.
        machine.change(101, |process| {
            process.executable = None;
            process.state = 'D';
        });
        machine.show(101, |more| more.pipes.clear());
        assert_eq!(weights(), [Weight::Fails], "it was seen to be Dovecot's");
        // It has ended, and somebody else got its pid.
        machine.change(101, |process| process.started += 1);
        assert_eq!(weights(), []);
    }
}
