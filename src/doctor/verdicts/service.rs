//! Whether Dovecot can be started, starts by itself, or is started by somebody else.
//!
//! A Dovecot that starts at boot runs on a standby beside the active one. So does one whose socket
//! unit listens: the first connection starts it.

use std::path::Path;

use crate::boot::restart::{self, DropIn};
use crate::doctor::facts::service::{LIFEKEEPER, Service, Shutdown, State, Unit};
use crate::doctor::facts::{Fact, Facts};
use crate::doctor::finding::{Check, Finding, or_ok};
use crate::dovecot::unit;
use crate::messages::Message;

/// Assesses the service, its start at boot, and systemd as its supervisor.
pub(crate) fn assess(facts: &Facts) -> Vec<Finding> {
    let service = &facts.service;
    let name = &service.name;
    if let Some(Fact::Unknown(cause)) = &service.units {
        let finding = Finding::warning(Check::Service, Message::DoctorUnitUnknown)
            .what(format!("systemd does not report {name}.service: {cause}"))
            .why("whether Dovecot can be started, starts at boot or is restarted cannot be seen")
            .run(format!("systemctl status {name}.service"));
        return vec![finding];
    }
    let mut findings = vec![startable(service), boot(service)];
    if let Some(unit) = service.unit() {
        findings.extend(service.state.iter().map(|state| triggered(name, state)));
        findings.extend(supervised(service, unit));
        findings.extend(stopped_first(name, service.shutdown));
    }
    findings
}

/// Whether a shutdown stops Dovecot behind LifeKeeper's back: quickCheck then excuses it, but for
/// three minutes only.
fn stopped_first(name: &str, shutdown: Shutdown) -> Option<Finding> {
    let unit = unit::name(name);
    (shutdown == Shutdown::AtOnce).then(|| {
        Finding::warning(Check::Supervisor, Message::DoctorOrder)
            .what(format!("{LIFEKEEPER} is not ordered after {unit}"))
            .why("when the node shuts down, systemd stops Dovecot while LifeKeeper still checks it")
            .run(drop_in(LIFEKEEPER, "dovecot", &format!("[Unit]\\nAfter={unit}")))
    })
}

/// The command that writes a drop-in of a unit.
fn drop_in(unit: &str, file: &str, lines: &str) -> String {
    let directory = format!("/etc/systemd/system/{unit}.d");
    format!(
        "mkdir -p {directory} && printf '{lines}\\n' >{directory}/{file}.conf && systemctl daemon-reload"
    )
}

fn startable(service: &Service) -> Finding {
    let name = &service.name;
    let why = "restore starts Dovecot with this command and fails without it";
    let install =
        "install Dovecot, or set APP_DOVECOT_SERVICE in /etc/default/LifeKeeper to its service";
    match (service.command, service.unit().map(|unit| unit.load_state.as_str())) {
        (false, _) => Finding::error(Check::Service, Message::DoctorNoCommand)
            .what("neither service nor systemctl is here")
            .why(why)
            .cure("install the package that has the command service"),
        (true, Some("masked")) => Finding::error(Check::Service, Message::DoctorMasked)
            .what(format!("{name}.service is masked"))
            .why(why)
            .run(format!("systemctl unmask {name}.service")),
        (true, Some(state @ ("not-found" | "bad-setting" | "error"))) => {
            Finding::error(Check::Service, Message::DoctorNoUnit)
                .what(format!("systemd has no usable {name}.service ({state})"))
                .why(why)
                .cure(install)
        }
        (true, None) if service.units.is_none() && !service.script => {
            Finding::error(Check::Service, Message::DoctorNoScript)
                .what(format!("there is no init script {name}"))
                .why(why)
                .cure(install)
        }
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
        let names = |counts: fn(&Unit) -> bool| -> Vec<String> {
            let counted = all.iter().filter(|(_, unit)| counts(unit));
            counted.map(|(kind, _)| format!("{}.{kind}", service.name)).collect()
        };
        let enabled = names(|unit| unit.file_state.starts_with("enabled"));
        if !enabled.is_empty() {
            let loaded = names(|unit| unit.load_state != "not-found");
            return Finding::error(Check::Boot, Message::DoctorEnabled)
                .what(format!("enabled: {}", enabled.join(", ")))
                .why(why)
                .run(format!("systemctl disable {}", loaded.join(" ")));
        }
    }
    if !service.links.is_empty() {
        return Finding::error(Check::Boot, Message::DoctorBootLinks)
            .what(format!("the init script is run at boot: {}", service.links.join(", ")))
            .why(why)
            .run(&service.unlink);
    }
    Finding::ok(Check::Boot, "Dovecot is not started at boot")
}

/// Whether an active unit waits to start the service: its socket for a client, a timer for its
/// moment.
fn triggered(name: &str, state: &Fact<State>) -> Finding {
    let triggers = match state {
        Fact::Known(state) => &state.triggers,
        Fact::Unknown(cause) => {
            return Finding::warning(Check::Socket, Message::DoctorStateUnknown)
                .what(format!("systemd does not report the state of {name}.service: {cause}"))
                .why("whether a socket or another unit starts Dovecot cannot be seen")
                .run(format!("systemctl show -p TriggeredBy,UpheldBy {name}.service"));
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
    let are = if triggers.len() == 1 { "is" } else { "are" };
    Finding::error(Check::Socket, Message::DoctorTriggered)
        .what(format!("{} {are} active", triggers.join(", ")))
        .why(format!("{event} would start Dovecot, also where LifeKeeper has it out of service"))
        .run(unit::disabled(&triggers.join(" ")))
}

/// Whether systemd starts it by itself. The kit's own drop-in was asked for, and is well while it
/// holds; one that does not hold misleads whoever relies on it.
fn supervised(service: &Service, unit: &Unit) -> Vec<Finding> {
    let Service { name, state, .. } = service;
    let (unit_name, restart) = (unit::name(name), &unit.restart);
    let is_own = service.drop_in == DropIn::Ours;
    let mut findings = Vec::new();
    if let Some(Fact::Known(state)) = state
        && !state.upholders.is_empty()
    {
        // One that is not active now is none the better: it starts Dovecot when it becomes active.
        let upholders = state.upholders.join(" ");
        findings.push(
            Finding::error(Check::Supervisor, Message::DoctorUpheld)
                .what(format!("{name}.service is upheld by {upholders}"))
                .why("systemd starts Dovecot again as soon as it is stopped, and remove fails")
                .cure(format!(
                    "remove Upholds={name}.service from {upholders} (systemctl cat {upholders}), \
                     then systemctl daemon-reload"
                )),
        );
    }
    if !unit.pulled_in_by.is_empty() {
        let others = unit.pulled_in_by.join(" ");
        findings.push(
            Finding::warning(Check::Supervisor, Message::DoctorPulledIn)
                .what(format!("{name}.service is started together with {others}"))
                .why(
                    "starting one of them starts Dovecot, even if LifeKeeper has it out of service",
                )
                .cure(format!(
                    "remove {name}.service from Wants=, Requires= and BindsTo= of {others} \
                     (systemctl cat {others}), then systemctl daemon-reload"
                )),
        );
    }
    if is_own && restart != restart::POLICY {
        let file = restart::path(Path::new("/"), name);
        findings.push(
            Finding::warning(Check::Supervisor, Message::DoctorOwnRestart)
                .what(format!(
                    "{name}.service has Restart={restart}, not as {} says",
                    file.display()
                ))
                .why("systemd does not start a Dovecot that died again as install --restart has set it")
                .run("systemctl daemon-reload")
                .and(format!("or remove what else sets it: systemctl cat {name}")),
        );
    } else if !is_own && !["", "no"].contains(&restart.as_str()) {
        findings.push(
            Finding::warning(Check::Supervisor, Message::DoctorRestart)
                .what(format!("{name}.service has Restart={restart}"))
                .why("systemd restarts Dovecot while LifeKeeper recovers it or moves it elsewhere")
                .run(drop_in(&unit_name, "zz-restart", "[Service]\\nRestart=no")),
        );
    }
    if unit.kill_mode == "none" {
        findings.push(
            Finding::warning(Check::Supervisor, Message::DoctorKillMode)
                .what(format!("{name}.service has KillMode=none"))
                .why("sessions live on for up to 30 s after a stop, with mailboxes open and ports taken")
                .run(drop_in(&unit_name, "zz-kill-mode", "[Service]\\nKillMode=control-group")),
        );
    }
    let well = if is_own {
        "systemd starts a Dovecot that died again, as install --restart has set it"
    } else {
        "systemd leaves Dovecot's restart to LifeKeeper"
    };
    or_ok(findings, Check::Supervisor, well)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::service::Units;
    use crate::doctor::finding::Level;

    fn unit(load: &str, enabled: &str) -> Unit {
        Unit {
            load_state: load.into(),
            file_state: enabled.into(),
            fragment_path: "/usr/lib/systemd/system/dovecot.service".into(),
            restart: "no".into(),
            kill_mode: "control-group".into(),
            pulled_in_by: Vec::new(),
        }
    }

    fn service(units: Option<Units>) -> Service {
        Service {
            name: "dovecot".into(),
            command: true,
            state: units.is_some().then(|| Fact::Known(State::default())),
            units: units.map(Fact::Known),
            shutdown: Shutdown::Unknown,
            drop_in: DropIn::Absent,
            script: true,
            links: Vec::new(),
            unlink: "chkconfig dovecot off".into(),
        }
    }

    fn healthy() -> Units {
        Units { service: unit("loaded", "disabled"), socket: unit("loaded", "disabled") }
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
            assert_eq!((finding.level, finding.told_cure().as_deref()), (level, cure), "{case}");
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
            assert_eq!(finding.told_cure().as_deref(), Some("chkconfig dovecot off"));
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
            assert!(finding.why.as_deref().unwrap_or_default().starts_with(event), "{triggers}");
            let cure = format!("systemctl disable {triggers}; systemctl stop {triggers}");
            assert_eq!(finding.told_cure(), (level == Level::Error).then_some(cure));
        }
        let unknown = triggered("dovecot", &Fact::Unknown("no end after 5 s".into()));
        assert_eq!(unknown.level, Level::Warning);
    }

    #[test]
    fn lifekeeper_that_is_not_stopped_before_dovecot_is_a_warning_with_a_drop_in_as_cure() {
        assert!(stopped_first("dovecot", Shutdown::LifeKeeperFirst).is_none());
        let finding = stopped_first("dovecot", Shutdown::AtOnce).expect("a finding");
        assert_eq!(finding.level, Level::Warning);
        assert_eq!(
            finding.told_cure().as_deref(),
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
        let mut facts = crate::doctor::facts::healthy("node1");
        facts.service.units = Some(Fact::Unknown("no end after 5 s".into()));
        let levels: Vec<_> = assess(&facts).iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Warning]);
    }

    #[test]
    fn a_unit_whose_start_starts_dovecot_is_a_warning() {
        let mut own = unit("loaded", "disabled");
        assert_eq!(supervised(&service(None), &own)[0].level, Level::Ok);
        own.pulled_in_by = vec!["webmail.service".into()];
        let found = supervised(&service(None), &own);
        assert_eq!(found[0].level, Level::Warning);
        assert_eq!(found[0].what, "dovecot.service is started together with webmail.service");
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
            let findings = supervised(&service(None), &unit);
            let found: Vec<String> = findings.iter().filter_map(Finding::told_cure).collect();
            assert_eq!(found.len(), cures.len(), "{findings:?}");
            for (found, line) in found.iter().zip(cures) {
                assert!(found.contains(&format!("'[Service]\\n{line}\\n'")), "{found}");
            }
        }
        let upholders = vec!["mail.target".to_owned()];
        let state = Fact::Known(State { upholders, ..State::default() });
        let upheld = Service { state: Some(state), ..service(None) };
        let findings = supervised(&upheld, &unit("loaded", "disabled"));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!(
            (finding.level, &*finding.what),
            (Level::Error, "dovecot.service is upheld by mail.target")
        );
    }

    #[test]
    fn the_kits_own_drop_in_is_well_while_it_holds() {
        for (drop_in, restart, level, what) in [
            (DropIn::Ours, "on-failure", Level::Ok, "systemd starts a Dovecot that died again"),
            (
                DropIn::Ours,
                "no",
                Level::Warning,
                "dovecot.service has Restart=no, not as /etc/systemd",
            ),
            (
                DropIn::Ours,
                "always",
                Level::Warning,
                "dovecot.service has Restart=always, not as /etc",
            ),
            (
                DropIn::Changed,
                "on-failure",
                Level::Warning,
                "dovecot.service has Restart=on-failure",
            ),
            (
                DropIn::Absent,
                "on-failure",
                Level::Warning,
                "dovecot.service has Restart=on-failure",
            ),
            (DropIn::Absent, "no", Level::Ok, "systemd leaves Dovecot's restart to LifeKeeper"),
        ] {
            let unit = Unit { restart: restart.into(), ..unit("loaded", "disabled") };
            let findings = supervised(&Service { drop_in, ..service(None) }, &unit);
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            let as_told = finding.level == level && finding.what.starts_with(what);
            assert!(as_told, "{drop_in:?}, {restart}: {finding:?}");
        }
    }
}
