//! Dovecot as a service of the node: whether it can be started, starts by itself, or is started by
//! somebody else.
//!
//! A Dovecot that starts at boot runs on a standby beside the active one. So does one whose socket
//! unit listens: the first connection starts it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::facts::{Fact, Facts};
use super::finding::{Check, Finding};
use crate::boot::links;
use crate::command::Command;
use crate::dovecot::unit::{self, Manager};
use crate::system::System;

/// LifeKeeper's unit (SIOS's support article S981 on `lkstart`).
const LIFEKEEPER: &str = "lifekeeper.service";

/// The longest that systemd may take to tell of the units' files. It takes 10 ms, and 90 s when it
/// hangs.
const LIMIT: Duration = Duration::from_secs(5);

/// What is known of the service.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Service {
    /// Its name.
    pub(super) name: String,
    /// Whether there is a command that starts and stops services.
    pub(super) command: bool,
    /// How its two units are set up; `None` where systemd is not the service manager.
    pub(super) units: Option<Fact<Units>>,
    /// The state of its unit; `None` where systemd is not the service manager, or tells nothing of
    /// the units either.
    pub(super) state: Option<Fact<State>>,
    /// Who is stopped first when the node shuts down.
    #[serde(default)]
    pub(super) shutdown: Shutdown,
    /// Whether it has an init script.
    pub(super) script: bool,
    /// The links by which an init script is run at boot; none that systemd ignores.
    pub(super) links: Vec<String>,
    /// The command that takes such links away here.
    pub(super) unlink: String,
}

/// The order in which systemd stops LifeKeeper and Dovecot.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Shutdown {
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
pub(super) struct Units {
    /// `NAME.service`.
    pub(super) service: Unit,
    /// `NAME.socket`.
    pub(super) socket: Unit,
}

/// The state of the unit `NAME.service`, and who starts it but LifeKeeper.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct State {
    /// `active`, `inactive`, …
    pub(super) active: String,
    /// `running`, `dead`, …
    pub(super) sub: String,
    /// The active units that trigger it.
    pub(super) triggers: Vec<String>,
    /// The units that uphold it.
    pub(super) upholders: Vec<String>,
}

/// The properties of a unit, as `systemctl show` names and prints them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Unit {
    /// `loaded`, `not-found`, `masked`, …
    pub(super) load_state: String,
    /// `enabled`, `disabled`, `static`, …
    #[serde(rename = "UnitFileState")]
    pub(super) file_state: String,
    /// The file that it comes from.
    pub(super) fragment_path: String,
    /// When systemd itself starts it anew.
    pub(super) restart: String,
    /// Whom systemd kills when it stops.
    pub(super) kill_mode: String,
}

impl Service {
    /// Looks at the service of this name.
    pub(super) fn look(system: &impl System, root: &Path, name: &str) -> Self {
        let name = name.strip_suffix(".service").unwrap_or(name).to_owned();
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
            script: scripts.iter().any(|folder| root.join(folder).join(&name).is_file()),
            links: boot.script_starts().into_iter().map(str::to_owned).collect(),
            unlink,
            name,
        }
    }

    /// The unit `NAME.service`, if systemd has told of it.
    pub(super) fn unit(&self) -> Option<&Unit> {
        self.units.as_ref()?.known().map(|units| &units.service)
    }
}

fn show(system: &impl System, name: &str) -> Result<Units, String> {
    let systemctl = system.program("systemctl").ok_or("there is no systemctl")?;
    let properties = "--property=LoadState,UnitFileState,FragmentPath,Restart,KillMode";
    let [service, socket] = ["service", "socket"].map(|kind| format!("{name}.{kind}"));
    let command = Command::new(systemctl, &["show", properties, &service, &socket]).asked();
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
    let property = |name: &str| {
        let mut lines = answer.lines().filter_map(|line| line.split_once('='));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let unit = unit::name(name);
    match (property("LoadState"), property("After")) {
        (Some("loaded"), Some(after)) if after.split_ascii_whitespace().any(|one| one == unit) => {
            Shutdown::LifeKeeperFirst
        }
        (Some("loaded"), _) => Shutdown::AtOnce,
        _ => Shutdown::Unknown,
    }
}

/// Reads the properties of the two units, which an empty line parts.
fn parse(answer: &str) -> Option<Units> {
    let mut blocks = answer.split("\n\n").filter(|block| !block.trim().is_empty()).map(|block| {
        let properties: BTreeMap<&str, &str> =
            block.lines().filter_map(|line| line.split_once('=')).collect();
        let get = |name: &str| properties.get(name).map_or_else(String::new, ToString::to_string);
        let unit = Unit {
            load_state: get("LoadState"),
            file_state: get("UnitFileState"),
            fragment_path: get("FragmentPath"),
            restart: get("Restart"),
            kill_mode: get("KillMode"),
        };
        Some(unit).filter(|unit| !unit.load_state.is_empty())
    });
    let units = Units { service: blocks.next()??, socket: blocks.next()?? };
    blocks.next().is_none().then_some(units)
}

/// Judges the service, its start at boot, and systemd as its supervisor.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let service = &facts.service;
    match &service.units {
        None => vec![startable(service), boot(service)],
        Some(Fact::Known(units)) => {
            let mut findings = vec![startable(service), boot(service)];
            findings.extend(service.state.iter().map(|state| triggered(&service.name, state)));
            findings.extend(supervised(&service.name, &units.service, service.state.as_ref()));
            findings.extend(stopped_first(&service.name, service.shutdown));
            findings
        }
        Some(Fact::Unknown(cause)) => vec![Finding::warning(
            Check::Service,
            format!("systemd does not tell of {}.service: {cause}", service.name),
            "whether Dovecot can be started, starts at boot or is restarted cannot be seen",
            format!("systemctl status {}.service", service.name),
        )],
    }
}

/// Whether a shutdown stops Dovecot behind LifeKeeper's back: quickCheck then excuses it, but for
/// three minutes only.
fn stopped_first(name: &str, shutdown: Shutdown) -> Option<Finding> {
    let unit = unit::name(name);
    let folder = format!("/etc/systemd/system/{LIFEKEEPER}.d");
    (shutdown == Shutdown::AtOnce).then(|| {
        Finding::warning(
            Check::Supervisor,
            format!("{LIFEKEEPER} is not ordered after {unit}"),
            "when the node shuts down, systemd stops Dovecot while LifeKeeper still checks it",
            format!(
                "mkdir -p {folder} && printf '[Unit]\\nAfter={unit}\\n' >{folder}/dovecot.conf && \
                 systemctl daemon-reload"
            ),
        )
    })
}

fn startable(service: &Service) -> Finding {
    let name = &service.name;
    let why = "restore starts Dovecot with this command and fails without it";
    let state = service.unit().map(|unit| unit.load_state.as_str());
    match (service.command, state) {
        (false, _) => Finding::error(
            Check::Service,
            "neither service nor systemctl is here",
            why,
            "install the package that has the command service",
        ),
        (true, Some("masked")) => Finding::error(
            Check::Service,
            format!("{name}.service is masked"),
            why,
            format!("systemctl unmask {name}.service"),
        ),
        (true, Some("not-found" | "bad-setting" | "error")) => Finding::error(
            Check::Service,
            format!("systemd has no usable {name}.service ({})", state.unwrap_or_default()),
            why,
            "install Dovecot, or set APP_DOVECOT_SERVICE in /etc/default/LifeKeeper to its service",
        ),
        (true, None) if service.units.is_none() && !service.script => Finding::error(
            Check::Service,
            format!("there is no init script {name}"),
            why,
            "install Dovecot, or set APP_DOVECOT_SERVICE in /etc/default/LifeKeeper to its service",
        ),
        (true, _) => {
            Finding::ok(Check::Service, format!("{name} is a service that can be started"))
        }
    }
}

fn boot(service: &Service) -> Finding {
    let why = "at boot Dovecot would start whether or not LifeKeeper wants it on this node, and on \
               a standby run beside the active one";
    if let Some(Fact::Known(units)) = &service.units {
        let all = [("service", &units.service), ("socket", &units.socket)];
        let name = |(kind, _): &(&str, &Unit)| format!("{}.{kind}", service.name);
        let enabled = |(_, unit): &&(&str, &Unit)| unit.file_state.starts_with("enabled");
        let names: Vec<String> = all.iter().filter(enabled).map(name).collect();
        if !names.is_empty() {
            let loaded = |(_, unit): &&(&str, &Unit)| unit.load_state != "not-found";
            let loaded: Vec<String> = all.iter().filter(loaded).map(name).collect();
            return Finding::error(
                Check::Boot,
                format!("enabled: {}", names.join(", ")),
                why,
                format!("systemctl disable {}", loaded.join(" ")),
            );
        }
    }
    if !service.links.is_empty() {
        let what = format!("the init script is run at boot: {}", service.links.join(", "));
        return Finding::error(Check::Boot, what, why, &service.unlink);
    }
    Finding::ok(Check::Boot, "Dovecot is not started at boot")
}

/// Whether an active unit waits to start the service: its socket for a client, a timer for its
/// moment.
fn triggered(name: &str, state: &Fact<State>) -> Finding {
    let triggers = match state {
        Fact::Known(state) => &state.triggers,
        Fact::Unknown(cause) => {
            return Finding::warning(
                Check::Socket,
                format!("systemd does not tell the state of {name}.service: {cause}"),
                "whether a socket or another unit starts Dovecot cannot be seen",
                format!("systemctl show -p TriggeredBy,UpheldBy {name}.service"),
            );
        }
    };
    if triggers.is_empty() {
        return Finding::ok(Check::Socket, "no socket and no other unit starts Dovecot");
    }
    let is_socket = |unit: &String| unit.ends_with(".socket");
    let event = match (triggers.iter().any(is_socket), triggers.iter().all(is_socket)) {
        (true, true) => "the next client",
        (true, false) => "the next client or the next event",
        (false, _) => "the next event",
    };
    Finding::error(
        Check::Socket,
        format!(
            "{} {} active",
            triggers.join(", "),
            if triggers.len() == 1 { "is" } else { "are" }
        ),
        format!("{event} would start Dovecot, also where LifeKeeper has it out of service"),
        format!("systemctl disable --now {}", triggers.join(" ")),
    )
}

fn supervised(name: &str, unit: &Unit, state: Option<&Fact<State>>) -> Vec<Finding> {
    let cure = |file: &str, line: &str| {
        let folder = format!("/etc/systemd/system/{name}.service.d");
        format!(
            "mkdir -p {folder} && printf '[Service]\\n{line}\\n' >{folder}/zz-{file}.conf && \
             systemctl daemon-reload"
        )
    };
    let mut findings = Vec::new();
    if let Some(state) = state.and_then(Fact::known)
        && !state.upholders.is_empty()
    {
        // One that is not active now is none the better: it starts Dovecot when it becomes active.
        let upholders = state.upholders.join(" ");
        findings.push(Finding::error(
            Check::Supervisor,
            format!("{name}.service is upheld by {upholders}"),
            "systemd starts Dovecot again as soon as it is stopped, and remove fails",
            format!(
                "remove Upholds={name}.service from {upholders} (systemctl cat {upholders}), then \
                 systemctl daemon-reload"
            ),
        ));
    }
    if !["", "no"].contains(&unit.restart.as_str()) {
        findings.push(Finding::warning(
            Check::Supervisor,
            format!("{name}.service has Restart={}", unit.restart),
            "systemd starts Dovecot anew while LifeKeeper recovers it or moves it elsewhere",
            cure("restart", "Restart=no"),
        ));
    }
    if unit.kill_mode == "none" {
        findings.push(Finding::warning(
            Check::Supervisor,
            format!("{name}.service has KillMode=none"),
            "sessions live on for up to 30 s after a stop, with mailboxes open and ports taken",
            cure("kill-mode", "KillMode=control-group"),
        ));
    }
    if findings.is_empty() {
        findings
            .push(Finding::ok(Check::Supervisor, "systemd leaves Dovecot's restart to LifeKeeper"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::command::End;
    use crate::system::fake::{FakeUnit, Machine};
    use crate::test_root::TestRoot;

    fn unit(load: &str, enabled: &str) -> Unit {
        Unit {
            load_state: load.into(),
            file_state: enabled.into(),
            fragment_path: "/usr/lib/systemd/system/dovecot.service".into(),
            restart: "no".into(),
            kill_mode: "control-group".into(),
        }
    }

    fn service(units: Option<Units>) -> Service {
        Service {
            name: "dovecot".into(),
            command: true,
            state: units.is_some().then(|| Fact::Known(State::default())),
            units: units.map(Fact::Known),
            shutdown: Shutdown::Unknown,
            script: true,
            links: Vec::new(),
            unlink: "chkconfig dovecot off".into(),
        }
    }

    fn healthy() -> Units {
        Units { service: unit("loaded", "disabled"), socket: unit("loaded", "disabled") }
    }

    #[test]
    fn the_answer_of_systemctl_is_read_and_what_is_none_is_refused() {
        let answer = "Restart=no\nKillMode=control-group\nLoadState=loaded\n\
            FragmentPath=/lib/systemd/system/dovecot.service\nUnitFileState=disabled\n\n\
            LoadState=not-found\nFragmentPath=\nUnitFileState=\n";
        let units = parse(answer).expect("two units");
        assert_eq!((&*units.service.restart, &*units.service.load_state), ("no", "loaded"));
        assert_eq!(units.service.fragment_path, "/lib/systemd/system/dovecot.service");
        assert_eq!((&*units.socket.load_state, &*units.socket.restart), ("not-found", ""));
        for garbage in ["", "\n\n", "x", "LoadState=loaded\n", "x=1\n\ny=2\n", &answer.repeat(2)] {
            assert!(parse(garbage).is_none(), "{garbage:?}");
        }
    }

    #[test]
    fn links_and_the_command_that_takes_them_away_are_those_that_install_sees() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        for folder in ["etc/rc3.d", "etc/systemd/system/multi-user.target.wants"] {
            std::fs::create_dir_all(root.path().join(folder)).expect("a folder");
        }
        for link in ["rc3.d/S01dovecot", "systemd/system/multi-user.target.wants/dovecot.service"] {
            let link = root.path().join("etc").join(link);
            std::os::unix::fs::symlink("../x", link).expect("a link");
        }
        let service = Service::look(&machine, root.path(), "dovecot.service");
        assert_eq!(service.links, ["/etc/rc3.d/S01dovecot"]);
        assert!(service.unlink.starts_with("rm -f /etc/rc[2-5].d/S??dovecot "));
        machine.state().programs.extend(["update-rc.d", "insserv"]);
        let service = Service::look(&machine, root.path(), "dovecot");
        assert_eq!(service.unlink, "update-rc.d dovecot disable");
    }

    #[test]
    fn a_start_at_boot_is_an_error_with_the_command_that_takes_it_back() {
        type Change = fn(&mut Units);
        let both = "systemctl disable dovecot.service dovecot.socket";
        let cases: [(&'static str, Level, Option<&str>, Change); 5] = [
            ("disabled", Level::Ok, None, |_| ()),
            ("the service", Level::Error, Some(both), |u| {
                u.service.file_state = "enabled".into();
            }),
            ("the socket", Level::Error, Some(both), |u| {
                u.socket.file_state = "enabled-runtime".into();
            }),
            ("no socket", Level::Error, Some("systemctl disable dovecot.service"), |u| {
                u.service.file_state = "enabled".into();
                u.socket.load_state = "not-found".into();
            }),
            ("static", Level::Ok, None, |u| u.service.file_state = "static".into()),
        ];
        for (case, level, cure, change) in cases {
            let mut units = healthy();
            change(&mut units);
            let finding = boot(&service(Some(units)));
            assert_eq!((finding.level, finding.cure.as_deref()), (level, cure), "{case}");
        }
    }

    #[test]
    fn links_count_where_no_unit_stands_before_the_script() {
        let generated = Units {
            service: Unit {
                fragment_path: "/run/systemd/generator.late/dovecot.service".into(),
                ..unit("loaded", "generated")
            },
            socket: unit("not-found", ""),
        };
        for units in [None, Some(generated)] {
            let mut service = service(units);
            assert_eq!(boot(&service).level, Level::Ok);
            service.links = vec!["/etc/rc3.d/S01dovecot".into()];
            let finding = boot(&service);
            assert_eq!(finding.cure.as_deref(), Some("chkconfig dovecot off"));
            assert!(finding.what.contains("/etc/rc3.d/S01dovecot"), "{}", finding.what);
        }
    }

    #[test]
    fn an_active_trigger_is_an_error_with_what_it_waits_for() {
        let names = |names: &str| names.split_whitespace().map(str::to_owned).collect();
        for (triggers, level, what, event) in [
            ("", Level::Ok, "no socket and no other unit starts Dovecot", ""),
            ("dovecot.socket", Level::Error, "dovecot.socket is active", "the next client would"),
            ("mail.timer", Level::Error, "mail.timer is active", "the next event would"),
            (
                "dovecot.socket mail.path",
                Level::Error,
                "dovecot.socket, mail.path are active",
                "the next client or the next event would",
            ),
        ] {
            let state = Fact::Known(State { triggers: names(triggers), ..State::default() });
            let finding = triggered("dovecot", &state);
            assert_eq!((finding.level, &*finding.what), (level, what));
            assert!(finding.why.unwrap_or_default().starts_with(event), "{triggers}");
            let cure = format!("systemctl disable --now {triggers}");
            assert_eq!(finding.cure, (level == Level::Error).then_some(cure));
        }
        let unknown = triggered("dovecot", &Fact::Unknown("no end after 5 s".into()));
        assert_eq!(unknown.level, Level::Warning);
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
                    --property=LoadState,UnitFileState,FragmentPath,Restart,KillMode \
                    dovecot.service dovecot.socket";
        machine.answer(line, End::Exited(1), Duration::ZERO, files);
        let service = Service::look(&machine, TestRoot::new().path(), "dovecot");
        assert_eq!(service.unit().map(|unit| &*unit.load_state), Some("loaded"));
        let state = service.state.as_ref().and_then(Fact::known).expect("the state");
        assert_eq!(
            (&*state.active, state.triggers.as_slice()),
            ("active", &["dovecot.socket".into()][..])
        );

        // One that hangs is not asked a second time.
        machine.answer(line, End::TimedOut(LIMIT), LIMIT, "");
        let start = machine.now();
        let service = Service::look(&machine, TestRoot::new().path(), "dovecot");
        assert!(matches!(service.units, Some(Fact::Unknown(_))) && service.state.is_none());
        assert!(machine.now().saturating_sub(start) <= LIMIT);
    }

    #[test]
    fn lifekeeper_that_is_not_stopped_before_dovecot_is_a_warning_with_a_drop_in_as_cure() {
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
        assert!(stopped_first("dovecot", Shutdown::LifeKeeperFirst).is_none());
        let finding = stopped_first("dovecot", Shutdown::AtOnce).expect("a finding");
        assert_eq!(finding.level, Level::Warning);
        assert_eq!(
            finding.cure.as_deref(),
            Some(
                "mkdir -p /etc/systemd/system/lifekeeper.service.d && printf \
                 '[Unit]\\nAfter=dovecot.service\\n' \
                 >/etc/systemd/system/lifekeeper.service.d/dovecot.conf && systemctl daemon-reload"
            )
        );
    }

    #[test]
    fn a_service_that_cannot_be_started_is_an_error() {
        for (case, level, service) in [
            ("a unit", Level::Ok, service(Some(healthy()))),
            ("a script", Level::Ok, service(None)),
            ("no script", Level::Error, Service { script: false, ..service(None) }),
            ("no command", Level::Error, Service { command: false, ..service(None) }),
            (
                "no unit",
                Level::Error,
                service(Some(Units { service: unit("not-found", ""), ..healthy() })),
            ),
            (
                "masked",
                Level::Error,
                service(Some(Units { service: unit("masked", "masked"), ..healthy() })),
            ),
        ] {
            assert_eq!(startable(&service).level, level, "{case}");
        }
    }

    #[test]
    fn of_a_systemd_that_tells_nothing_nothing_is_said_to_be_well() {
        let mut facts = super::super::facts::tests::healthy("node1");
        facts.service.units = Some(Fact::Unknown("no end after 5 s".into()));
        let levels: Vec<_> = judge(&facts).iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Warning]);
    }

    #[test]
    fn a_systemd_that_interferes_is_a_warning_with_a_drop_in_as_cure() {
        for (restart, kill_mode, cures) in [
            ("no", "control-group", vec![]),
            ("", "", vec![]),
            ("on-failure", "control-group", vec!["Restart=no"]),
            ("always", "none", vec!["Restart=no", "KillMode=control-group"]),
            ("no", "mixed", vec![]),
        ] {
            let unit = Unit {
                restart: restart.into(),
                kill_mode: kill_mode.into(),
                ..unit("loaded", "disabled")
            };
            let findings = supervised("dovecot", &unit, None);
            let found: Vec<&str> = findings.iter().filter_map(|one| one.cure.as_deref()).collect();
            assert_eq!(found.len(), cures.len(), "{findings:?}");
            for (found, line) in found.iter().zip(cures) {
                assert!(found.contains(&format!("'[Service]\\n{line}\\n'")), "{found}");
            }
        }
        let upholders = vec!["mail.target".to_owned()];
        let state = Fact::Known(State { upholders, ..State::default() });
        let findings = supervised("dovecot", &unit("loaded", "disabled"), Some(&state));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(
            (finding.level, &*finding.what),
            (Level::Error, "dovecot.service is upheld by mail.target")
        );
    }
}
