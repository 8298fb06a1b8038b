//! Repairs Dovecot on this node: remove, then restore.

use std::path::Path;
use std::time::Duration;

use super::consequence::fault as fault_of;
use super::{excuse, remove, restore};
use crate::dovecot::checks::{self, Thoroughness};
use crate::dovecot::instance::{self, Instance};
use crate::dovecot::notes::{Logins, Notes, Reason};
use crate::dovecot::service::{self, Status};
use crate::dovecot::unit::{self, Manager};
use crate::dovecot::verdict::Verdict;
use crate::dovecot::{login, mistake, saturation};
use crate::error::Error;
use crate::messages::{Message, warning};
use crate::probe::endpoint::Depth;
use crate::probe::login::place;
use crate::settings::{Login, LoginFault, Settings};
use crate::system::System;

/// Stops Dovecot and starts it again. The verdict is that of restore: where something outlived
/// its SIGKILL, a Dovecot that serves is still better than a failover, in which the same remove
/// would fail again and halt the node.
///
/// A Dovecot that serves and could not be started again is left alone: with a broken configuration,
/// or a service manager that cannot be asked, stopping it would turn a warning into an outage. What
/// its status says does not count: Debian's init script reads the configuration for it, and says 3
/// where that is broken. A wrong yes leaves users served and a warning at each recover; a wrong no
/// throws them out and nobody comes back. While the node shuts down nothing is changed: systemd
/// refuses to start anything, and a reboot would become a failover.
///
/// # Errors
///
/// Those of restore.
pub(super) fn recover(
    system: &impl System,
    settings: &Settings,
    root: &Path,
    notes: &mut Notes,
) -> Result<(), Error> {
    let unit = unit::ask_with_shutdown(system, &settings.service);
    let asked = service::ask(system, settings);
    let instance = Instance::find(system, root, &settings.service, notes);
    let mistake = mistake::look(system, &instance).mistake();
    let manager = unit.answer_within(system, service::STATUS_LIMIT);
    let status = service::status(system, asked, service::STATUS_LIMIT);
    if let Some(plea) = excuse::plea(&manager).filter(|plea| plea.reason == Reason::Shutdown)
        && excuse::holds(system, root, plea.reason)
    {
        warning!(Message::ShuttingDown, "nothing is changed: {}", plea.words);
        return Ok(());
    }
    let silence = match (manager, status) {
        (Manager::Unknown(cause), _) | (_, Status::Unknown(cause)) => Some(cause),
        _ => None,
    };
    if let Some(cause) = mistake.or(silence)
        && checks::check(system, settings, root, notes, Thoroughness::Twice, checks::LIMIT)?
            .serves()
    {
        warning!(
            Message::LeftRunning,
            "Dovecot is in operation and left running: it could not start again: {cause}"
        );
        return Ok(());
    }
    if let Err(cause) = remove::remove(system, settings, root, notes) {
        warning!(cause.message(), "{cause}");
    }
    restore::restore(system, settings, root, notes)?;
    log_in(system, settings, root, notes)
}

/// Looks at a mailbox where that is asked for. Without it a store that hangs here would be restarted
/// at each check and never fail over. It fails only for a store that was seen here before: another
/// node has a directory, a full disk and an account of the same kind.
fn log_in(
    system: &impl System,
    settings: &Settings,
    root: &Path,
    notes: &Notes,
) -> Result<(), Error> {
    if settings.probe != Depth::Login {
        return Ok(());
    }
    let login = &settings.login;
    let fault = if login.fault == LoginFault::Any { LoginFault::Store } else { login.fault };
    let endpoints = place(&settings.endpoints).cloned().into_iter().collect();
    let settings =
        Settings { endpoints, login: Login { fault, ..login.clone() }, ..settings.clone() };
    let limits = (LOGIN_LIMIT, checks::RETRY_TIME);
    let instance = || Instance::find(system, root, &settings.service, notes);
    let answers = checks::answers(system, &settings, root, limits, &instance);
    if let Some(question) = answers.question {
        saturation::forget(system, question);
    }
    match answers.login {
        Some(login::Login::Failed(words)) => return Err(fault_of(Verdict::Failed, &[words])),
        Some(login::Login::Warned(words)) => warning!(Message::Login, "{words}"),
        Some(login::Login::Passed(store)) => Logins::arm(system, root, store),
        None => {}
    }
    Ok(())
}

/// The longest that the look at a mailbox may take: a second try, and the search for a reason.
pub const LOGIN_LIMIT: Duration = Duration::from_secs(15);

/// The longest that `recover` may take before it takes Dovecot out of service; the manager is asked
/// meanwhile, with the same limit.
pub const LOOK: Duration =
    instance::LIMIT.saturating_add(mistake::LIMIT).saturating_add(checks::LIMIT);

/// The longest that `recover` may take.
#[must_use]
pub fn longest(settings: &Settings) -> Duration {
    let login = if settings.probe == Depth::Login { LOGIN_LIMIT } else { Duration::ZERO };
    LOOK + remove::longest(settings) + restore::longest(settings) + login
}

#[cfg(test)]
mod tests {
    use super::{Duration, Error, Notes, Settings};
    use crate::command::End;
    use crate::process::Process;
    use crate::system::System;
    use crate::system::fake::{FakeUnit, MASTER, Machine, Port, child, words};
    use crate::test_root::TestRoot;

    fn recover(machine: &Machine, settings: &Settings) -> Result<(), Error> {
        super::recover(machine, settings, TestRoot::new().path(), &mut Notes::default())
    }

    #[test]
    fn it_removes_and_then_restores() {
        let machine = Machine::running();
        recover(&machine, &Settings::default()).expect("success");
        let commands: Vec<_> =
            machine.deeds().into_iter().filter(|deed| deed.starts_with("service")).collect();
        assert_eq!(
            commands,
            [
                "service dovecot status",
                "service dovecot stop",
                "service dovecot status",
                "service dovecot start",
                "service dovecot status",
                "service dovecot status"
            ]
        );
        assert_ne!(machine.masters(), [MASTER], "it is another master");
    }

    /// A machine under systemd, whose unit and status answer as told.
    fn under_systemd(unit: FakeUnit, status: i32) -> Machine {
        let machine = Machine::running();
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        machine.state().unit = unit;
        machine.reply("status", move |_| (End::Exited(status), Duration::from_millis(10)));
        machine
    }

    #[test]
    fn what_serves_is_left_running_while_the_service_manager_cannot_be_asked() {
        let silent = || FakeUnit { silent: true, ..FakeUnit::default() };
        let machine = under_systemd(silent(), 1);
        recover(&machine, &Settings::default()).expect("it serves");
        assert_eq!(machine.masters(), [MASTER]);
        let warned = words().concat();
        let cause = "could not start again: `systemctl show dovecot.service`: exit status 1";
        assert!(warned.ends_with(cause), "{warned}");

        let machine = under_systemd(silent(), 1);
        machine.state().ports.insert(143, Port::Refusing);
        recover(&machine, &Settings::default()).expect_err("it does not serve");
        assert_ne!(machine.masters(), [MASTER], "what does not serve is not spared");

        // Without systemd, where even a status command cannot be run.
        let machine = Machine::running();
        machine.reply("status", |_| (End::Exited(254), Duration::from_millis(10)));
        recover(&machine, &Settings::default()).expect("it serves");
        assert_eq!(machine.masters(), [MASTER]);
    }

    #[test]
    fn while_the_node_shuts_down_nothing_is_changed_for_three_minutes() {
        let machine = under_systemd(FakeUnit::default(), 3);
        machine.state().shutdown = true;
        machine.state().stop_dovecot();
        let root = TestRoot::new();
        let recover = || {
            let notes = &mut Notes::default();
            super::recover(&machine, &Settings::default(), root.path(), notes)
        };
        recover().expect("no fault");
        let changed = || machine.count("service dovecot start") + machine.count("KILL 100");
        assert_eq!((changed(), machine.masters()), (0, vec![]));
        machine.sleep(Duration::from_secs(179));
        recover().expect("no fault");
        assert_eq!(changed(), 0);
        machine.sleep(Duration::from_secs(1));
        let _ = recover();
        assert!(changed() > 0, "a shutdown that hangs must fail over");
    }

    #[test]
    fn a_dovecot_that_serves_and_could_not_start_again_is_left_running() {
        let machine = Machine::running();
        machine.state().programs.push("doveconf");
        machine.complain("doveconf", End::Exited(89), "doveconf: Fatal: /etc/x line 2: Garbage");
        recover(&machine, &Settings::default()).expect("it serves");
        assert_eq!((machine.masters(), machine.count("service dovecot stop")), (vec![MASTER], 0));
        assert_eq!(
            words(),
            ["WARN: Dovecot is in operation and left running: it could not start again: /etc/x \
              line 2: Garbage"]
        );
        machine.reply("status", |_| (End::Exited(3), Duration::from_millis(10)));
        recover(&machine, &Settings::default()).expect("it serves, whatever its script says");
        assert_eq!(machine.count("service dovecot stop"), 0);
        machine.state().ports.insert(143, crate::system::fake::Port::Refusing);
        recover(&machine, &Settings::default()).expect_err("it does not serve");
        assert_eq!(machine.count("service dovecot stop"), 1);
    }

    #[test]
    fn it_ends_with_a_login_and_fails_for_a_store_that_was_seen_here_before() {
        use crate::dovecot::notes::Logins;
        use crate::probe::login::{Step, Trouble};
        let settings = Settings { probe: super::Depth::Login, ..Settings::default() };
        for (armed, trouble, fails) in [
            (true, None, false),
            (true, Some(Trouble::Silent(Step::Examine, Duration::ZERO)), true),
            (false, Some(Trouble::Silent(Step::Examine, Duration::ZERO)), false),
            (true, Some(Trouble::NotTried("x".into())), false),
        ] {
            let (root, machine) = (TestRoot::new(), Machine::running());
            root.write("etc/dovecot-ark/login", "ark:sesame\n");
            let path = root.path().join("etc/dovecot-ark/login");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(path, mode).expect("a mode");
            if armed {
                Logins::arm(&machine, root.path(), None);
            }
            machine.state().visit = trouble.clone();
            let ended = super::recover(&machine, &settings, root.path(), &mut Notes::default());
            assert_eq!(ended.is_err(), fails, "{armed} {trouble:?}: {:?} {ended:?}", words());
            assert_eq!(machine.count("log in"), 1, "restore does not log in");
        }
    }

    #[test]
    fn a_restore_that_fails_makes_it_fail() {
        let machine = Machine::running();
        machine.reply("start", |_| (End::Exited(1), Duration::from_millis(50)));
        let error = recover(&machine, &Settings::default()).expect_err("it never starts");
        assert!(error.to_string().starts_with("starting Dovecot: "), "{error}");
    }

    #[test]
    fn a_remove_that_fails_is_told_and_the_restore_decides() {
        let machine = Machine::running();
        machine.add(Process { state: 'D', ..child(102, "imap") }, MASTER, MASTER);
        recover(&machine, &Settings::default()).expect("a new master serves");
        assert!(words().iter().any(|line| line.contains("still running after SIGKILL: pid 102")));
    }
}
