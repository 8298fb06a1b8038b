//! Dovecot as a service of the node, as the service manager and the links of a SysV init show it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Fact;
use crate::boot::links;
use crate::boot::restart::{self, DropIn};
use crate::command::Command;
use crate::dovecot::unit::{self, Manager};
use crate::system::System;

/// LifeKeeper's unit (SIOS's support article S981 on `lkstart`).
pub(crate) const LIFEKEEPER: &str = "lifekeeper.service";

/// The longest that systemd may take to tell of the units' files. It takes 10 ms, and 90 s when it
/// hangs.
const LIMIT: Duration = Duration::from_secs(5);

/// What is known of the service.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Service {
    pub(crate) name: String,
    /// Whether there is a command that starts and stops services.
    pub(crate) command: bool,
    /// How its two units are set up; `None` where systemd is not the service manager.
    pub(crate) units: Option<Fact<Units>>,
    /// The state of its unit; `None` where systemd is not the service manager, or tells nothing of
    /// the units either.
    pub(crate) state: Option<Fact<State>>,
    /// Which unit is stopped first when the node shuts down.
    #[serde(default)]
    pub(crate) shutdown: Shutdown,
    /// The kit's own drop-in by which systemd starts it again.
    #[serde(default)]
    pub(crate) drop_in: DropIn,
    /// Whether it has an init script.
    pub(crate) script: bool,
    /// The links by which an init script is run at boot; none that systemd ignores.
    pub(crate) links: Vec<String>,
    /// The command that takes such links away here.
    pub(crate) unlink: String,
}

/// The order in which systemd stops LifeKeeper and Dovecot.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Shutdown {
    /// systemd does not stop both, or does not tell.
    #[default]
    Unknown,
    /// LifeKeeper first, which takes Dovecot out of service itself.
    LifeKeeperFirst,
    /// Both at once.
    AtOnce,
}

/// A service and the socket that starts it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Units {
    pub(crate) service: Unit,
    pub(crate) socket: Unit,
}

/// State of the unit `NAME.service`, and what starts it besides LifeKeeper.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct State {
    /// `active`, `inactive`, …
    pub(crate) active: String,
    /// `running`, `dead`, …
    pub(crate) sub: String,
    /// The active units that trigger it.
    pub(crate) triggers: Vec<String>,
    /// The units that uphold it.
    pub(crate) upholders: Vec<String>,
}

/// The properties of a unit, as `systemctl show` names and prints them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Unit {
    /// `loaded`, `not-found`, `masked`, …
    pub(crate) load_state: String,
    /// `enabled`, `disabled`, `static`, …
    #[serde(rename = "UnitFileState")]
    pub(crate) file_state: String,
    pub(crate) fragment_path: String,
    /// When systemd itself restarts it.
    pub(crate) restart: String,
    /// Which processes systemd kills when it stops the unit.
    pub(crate) kill_mode: String,
    /// Units, except boot targets, whose start starts it. Earlier kits do not report them.
    #[serde(default)]
    pub(crate) pulled_in_by: Vec<String>,
}

/// The properties that name the units whose start starts this one (`systemd.unit(5)`, the inverse of
/// `Wants=`, `Requires=` and `BindsTo=`).
const PULLED_IN_BY: [&str; 3] = ["WantedBy", "RequiredBy", "BoundBy"];

impl Service {
    /// Looks at the service of this name.
    pub(crate) fn gather(system: &impl System, root: &Path, name: &str) -> Self {
        let name = unit::bare(name).to_owned();
        let has = |program: &str| system.program(program).is_some();
        let unlink = links::script_tool(system, &name).map_or_else(
            || format!("rm -f /etc/rc[2-5].d/S??{name} /etc/rc.d/rc[2-5].d/S??{name}"),
            |command| command.to_string(),
        );
        let boot = links::find(system, root, &name).unwrap_or_default();
        let scripts = ["etc/init.d", "etc/rc.d/init.d"];
        let units: Option<Fact<Units>> = system.runs_systemd().then(|| show(system, &name).into());
        // A systemd that hangs is asked once.
        let answers = units.as_ref().is_some_and(|units| units.known().is_some());
        Self {
            command: has("service") || has("systemctl"),
            state: answers.then(|| state(system, &name)).flatten(),
            shutdown: if answers { shutdown(system, &name) } else { Shutdown::Unknown },
            units,
            drop_in: restart::look(root, &name),
            script: scripts.iter().any(|directory| root.join(directory).join(&name).is_file()),
            links: boot.script_starts().into_iter().map(str::to_owned).collect(),
            unlink,
            name,
        }
    }

    /// The unit `NAME.service`, if systemd reported it.
    pub(crate) fn unit(&self) -> Option<&Unit> {
        self.units.as_ref()?.known().map(|units| &units.service)
    }
}

fn show(system: &impl System, name: &str) -> Result<Units, String> {
    let systemctl = system.program("systemctl").ok_or("there is no systemctl")?;
    let properties = format!(
        "--property=LoadState,UnitFileState,FragmentPath,Restart,KillMode,{}",
        PULLED_IN_BY.join(",")
    );
    let [service, socket] = ["service", "socket"].map(|kind| format!("{name}.{kind}"));
    let command = Command::new(systemctl, &["show", &properties, &service, &socket]).asked();
    let ended = system.run(&command, LIMIT);
    // What is printed counts: systemd 219 fails for a property that a socket does not have.
    match parse(&ended.answer) {
        Some(units) => Ok(units),
        None if ended.succeeded() => Err(format!("`{command}`: its answer is not understood")),
        None => Err(format!("`{command}`: {ended}")),
    }
}

fn state(system: &impl System, name: &str) -> Option<Fact<State>> {
    match unit::look(system, name) {
        Manager::Absent => None,
        Manager::Unknown(cause) => Some(Fact::Unknown(cause)),
        Manager::Known(unit) => {
            let unit::Unit { active, sub, triggers, upholders, .. } = unit;
            Some(Fact::Known(State { active, sub, triggers, upholders }))
        }
    }
}

/// Reads whether LifeKeeper's unit comes after Dovecot's: systemd stops in the reverse order.
fn shutdown(system: &impl System, name: &str) -> Shutdown {
    let Some(systemctl) = system.program("systemctl") else { return Shutdown::Unknown };
    let words = ["show", "--property=LoadState,After", LIFEKEEPER];
    let answer = system.run(&Command::new(systemctl, &words).asked(), LIMIT).answer;
    let properties = restart::properties(&answer);
    let unit = unit::name(name);
    match (properties.get("LoadState"), properties.get("After")) {
        (Some(&"loaded"), Some(after)) if after.split_ascii_whitespace().any(|one| one == unit) => {
            Shutdown::LifeKeeperFirst
        }
        (Some(&"loaded"), _) => Shutdown::AtOnce,
        _ => Shutdown::Unknown,
    }
}

/// The units whose start starts this one. What is linked to the targets of the boot is enabled, and
/// told as such.
fn pulled_in_by(properties: &BTreeMap<&str, &str>) -> Vec<String> {
    let lists = PULLED_IN_BY.iter().filter_map(|name| properties.get(name));
    let units: BTreeSet<&str> = lists.flat_map(|list| list.split_ascii_whitespace()).collect();
    let is_boot = |unit: &&str| {
        ["multi-user.target", "graphical.target", "default.target", "sockets.target"].contains(unit)
    };
    units.into_iter().filter(|unit| !is_boot(unit)).map(str::to_owned).collect()
}

/// Reads the properties of the two units, which an empty line parts.
fn parse(answer: &str) -> Option<Units> {
    let mut blocks = answer.split("\n\n").filter(|block| !block.trim().is_empty()).map(|block| {
        let properties = restart::properties(block);
        let get = |name: &str| properties.get(name).map_or_else(String::new, ToString::to_string);
        let unit = Unit {
            load_state: get("LoadState"),
            file_state: get("UnitFileState"),
            fragment_path: get("FragmentPath"),
            restart: get("Restart"),
            kill_mode: get("KillMode"),
            pulled_in_by: pulled_in_by(&properties),
        };
        Some(unit).filter(|unit| !unit.load_state.is_empty())
    });
    let units = Units { service: blocks.next()??, socket: blocks.next()?? };
    blocks.next().is_none().then_some(units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::system::fake::{FakeUnit, Machine};
    use crate::test_root::TestRoot;

    #[test]
    fn the_answer_of_systemctl_is_read_and_what_is_none_is_refused() {
        let answer = "Restart=no\nKillMode=control-group\nLoadState=loaded\n\
                      WantedBy=multi-user.target mail.service\nRequiredBy=webmail.service\n\
            FragmentPath=/lib/systemd/system/dovecot.service\nUnitFileState=disabled\n\n\
            LoadState=not-found\nFragmentPath=\nUnitFileState=\n";
        let units = parse(answer).expect("two units");
        assert_eq!((&*units.service.restart, &*units.service.load_state), ("no", "loaded"));
        assert_eq!(units.service.fragment_path, "/lib/systemd/system/dovecot.service");
        assert_eq!(units.service.pulled_in_by, ["mail.service", "webmail.service"]);
        assert_eq!((&*units.socket.load_state, &*units.socket.restart), ("not-found", ""));
        for garbage in ["", "\n\n", "x", "LoadState=loaded\n", "x=1\n\ny=2\n", &answer.repeat(2)] {
            assert!(parse(garbage).is_none(), "{garbage:?}");
        }
    }

    #[test]
    fn links_and_the_command_that_takes_them_away_are_those_that_install_sees() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        for directory in ["etc/rc3.d", "etc/systemd/system/multi-user.target.wants"] {
            std::fs::create_dir_all(root.path().join(directory)).expect("a directory");
        }
        for link in ["rc3.d/S01dovecot", "systemd/system/multi-user.target.wants/dovecot.service"] {
            let link = root.path().join("etc").join(link);
            std::os::unix::fs::symlink("../x", link).expect("a link");
        }
        let service = Service::gather(&machine, root.path(), "dovecot.service");
        assert_eq!(service.links, ["/etc/rc3.d/S01dovecot"]);
        assert!(service.unlink.starts_with("rm -f /etc/rc[2-5].d/S??dovecot "));
        machine.state().programs.extend(["update-rc.d", "insserv"]);
        let service = Service::gather(&machine, root.path(), "dovecot");
        assert_eq!(service.unlink, "update-rc.d dovecot disable");
    }

    #[test]
    fn the_state_is_read_where_remove_reads_it_and_a_failing_status_of_an_old_systemd_is_no_fault()
    {
        let machine = Machine::running();
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        machine.state().unit = FakeUnit { socket: true, ..FakeUnit::default() };
        let files = "LoadState=loaded\nUnitFileState=disabled\n\nLoadState=loaded\n";
        let line = "systemctl show \
                    --property=LoadState,UnitFileState,FragmentPath,Restart,KillMode,WantedBy,RequiredBy,BoundBy \
                    dovecot.service dovecot.socket";
        machine.answer(line, End::Exited(1), Duration::ZERO, files);
        let service = Service::gather(&machine, TestRoot::new().path(), "dovecot");
        assert_eq!(service.unit().map(|unit| &*unit.load_state), Some("loaded"));
        let state = service.state.as_ref().and_then(Fact::known).expect("the state");
        assert_eq!(
            (&*state.active, state.triggers.as_slice()),
            ("active", &["dovecot.socket".into()][..])
        );

        // One that hangs is not asked a second time.
        machine.answer(line, End::TimedOut(LIMIT), LIMIT, "");
        let start = machine.now();
        let service = Service::gather(&machine, TestRoot::new().path(), "dovecot");
        assert!(matches!(service.units, Some(Fact::Unknown(_))) && service.state.is_none());
        assert!(machine.now().saturating_sub(start) <= LIMIT);
    }

    #[test]
    fn lifekeeper_is_stopped_first_where_its_unit_comes_after_dovecots() {
        let asked = |answer: &str| {
            let machine = Machine::running();
            machine.state().systemd = true;
            machine.state().programs.push("systemctl");
            let line = "systemctl show --property=LoadState,After lifekeeper.service";
            machine.answer(line, End::Exited(0), Duration::ZERO, answer);
            shutdown(&machine, "dovecot")
        };
        assert_eq!(asked("LoadState=not-found\nAfter=\n"), Shutdown::Unknown);
        assert_eq!(asked(""), Shutdown::Unknown);
        let after = "After=basic.target dovecot.service x.slice\nLoadState=loaded\n";
        assert_eq!(asked(after), Shutdown::LifeKeeperFirst);
        assert_eq!(asked(&after.replace("dovecot", "mydovecot")), Shutdown::AtOnce);
    }
}
