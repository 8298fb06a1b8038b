//! The look at a mailbox: what no greeting shows.
//!
//! A greeting comes from a login process, and users need a mailbox. An account of the check's own
//! logs in and opens a mailbox that nobody delivers to. What fails is told apart, because a failover
//! cures a mail store that this node alone has lost, and neither a dead directory nor a full disk. A
//! wrong yes fails over for nothing, to a node with the same trouble; a wrong no leaves users in front
//! of a server that only greets. So a failure is a fault only where a login has succeeded on this
//! node since the cluster's last restore, and what cannot be known is a warning.
//!
//! The password is in no command line, log or output. Whatever can hang is a child with a limit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::debug;

use super::account::{self, Delay, Opinion};
use super::identity;
use super::instance::Instance;
use super::notes::Logins;
use super::saturation;
use super::store::{State, home, mail_directory, state_of};
use crate::command::CommandOutput;
use crate::probe::endpoint::{Depth, Endpoint};
use crate::probe::login::{self, Step, Trouble, Visit, Visited};
use crate::probe::reply::{self, Reason};
use crate::process::Process;
use crate::settings::{LoginFault, Settings};
use crate::system::System;
use crate::text::seconds;

/// How long after a restore by the cluster a store may be slow: the lock of a dead node held SELECT
/// for 124 s.
pub const GRACE: Duration = Duration::from_secs(150);

/// How long the search for the reason of a server's error may take: where the mail is, and what
/// state that file system is in.
pub const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// How long a second look at a mailbox may take. It is below the least delay of Dovecot's after a failed
/// login, 2 s (2.3.19, 2.4.1): where there is one, neither the login nor the question is answered.
pub const SECOND_TIME: Duration = Duration::from_millis(1500);

/// How long the same processes must hang before the store is blamed for them. A disk that is only busy
/// lets each of them go on in between.
pub const STUCK_TIME: Duration = Duration::from_secs(1);

/// How many pauses there are between the looks at them in that time.
const STUCK_PAUSES: u32 = 2;

/// What is said where LDAP or SQL does not serve Dovecot.
const NO_DATABASE: &str = "the authentication cannot ask its database";

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// The mail store does not answer.
    Hanging,
    /// The mail store is another one, is not mounted, or cannot be written.
    Lost,
    /// The disk, or the account's share of it, is full.
    Full,
    /// The authentication does not answer, or cannot ask its database.
    Authentication,
    /// The account is wrong, locked, or over a limit.
    Account,
    Unknown,
}

impl Kind {
    /// Whether it is the mail store, which another node may have.
    const fn is_store(self) -> bool {
        matches!(self, Self::Hanging | Self::Lost)
    }
}

/// What the look at a mailbox found.
#[must_use]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Finding {
    /// The mailbox was opened; its mail is in this directory, where that is known.
    Seen(Option<PathBuf>),
    /// The look could not be made, for this reason.
    Unmade(String),
    /// It failed, in these words.
    Failed(Kind, String),
}

/// What follows from it.
#[must_use]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Login {
    /// Nothing is wrong; the mail is in this directory, where that is known.
    Passed(Option<PathBuf>),
    /// Somebody should look.
    Warned(String),
    /// Users do not get at their mail here.
    Failed(String),
}

/// What is to be looked at, where that is asked for.
///
/// # Errors
///
/// Why it cannot be.
pub(crate) fn visit(root: &Path, settings: &Settings) -> Option<Result<Visit, String>> {
    (settings.probe == Depth::Login).then(|| {
        let place = login::place(&settings.endpoints);
        let endpoint = place.cloned().ok_or("no entry of the list speaks IMAP or POP3")?;
        let (user, password) = account::read(root, &settings.login.file)?;
        let (mailbox, limit) = (settings.login.mailbox.clone(), settings.login.timeout);
        Ok(Visit { endpoint, user, password, mailbox, limit })
    })
}

/// Questions that are asked while a login takes its time.
#[must_use]
pub(crate) struct Question<S: System> {
    begun: Duration,
    account: Option<S::Running>,
    undelayed: Option<S::Running>,
    services: Option<S::Running>,
}

/// Asks the authentication by itself whether it accepts the account, and the master which of its
/// services are full; does not wait for the answers.
pub(crate) fn ask<S: System>(system: &S, instance: &Instance, visit: &Visit) -> Question<S> {
    let login = (visit.user.as_str(), &visit.password);
    let test = |delay| {
        let command =
            account::test(system, instance, login, (account::origin(&visit.endpoint), delay));
        command.map(|command| system.start(&command))
    };
    let (account, undelayed) = (test(Delay::AsLogins), test(Delay::Never));
    let services = saturation::service_status(system, instance);
    let services = services.map(|command| system.start(&command));
    Question { begun: system.now(), account, undelayed, services }
}

/// What a visit is judged by: its trouble, and what Dovecot and a child say beside it. All of it ends
/// at `end`.
#[derive(Debug)]
pub(crate) struct Inquiry<'a, S> {
    pub(crate) system: &'a S,
    pub(crate) root: &'a Path,
    pub(crate) instance: &'a Instance,
    pub(crate) visit: &'a Visit,
    pub(crate) end: Duration,
}

impl<S: System> Inquiry<'_, S> {
    /// Says what a visit found. Takes at most [`LOOK_LIMIT`] beyond the visit's own limit.
    pub(crate) fn judge(&self, visited: Visited, question: Option<Question<S>>) -> Finding {
        let visited = match (visited, question) {
            (Err(trouble @ Trouble::Silent(Step::Login, _)), Some(question)) => {
                return self.hear(question, &trouble);
            }
            (visited, question) => {
                if let Some(question) = question {
                    forget(self.system, question);
                }
                visited
            }
        };
        let Err(trouble) = visited else { return self.opened() };
        match &trouble {
            Trouble::Silent(Step::Examine, _) => {
                failed(Kind::Hanging, "the mail store does not answer", &trouble)
            }
            Trouble::Refused(Step::Examine, reason) if reply::is_missing(reason) => {
                let name = &self.visit.mailbox;
                let head = format!(
                    "no mailbox {name}, the mail store is a different one or is not mounted"
                );
                failed(Kind::Lost, &head, &trouble)
            }
            Trouble::Refused(_, reason) => self.refused(reason, &trouble),
            Trouble::Silent(..) | Trouble::Closed(..) | Trouble::Foreign(..) | Trouble::Tls(_) => {
                failed(Kind::Unknown, "the login check failed", &trouble)
            }
            Trouble::NotTried(cause) => Finding::Unmade(cause.clone()),
        }
    }

    /// A mailbox that opens, and may be in a read-only store all the same: Dovecot 2.4 opens one without
    /// writing. A wrong yes moves users who can read their mail, so the store must have been writable
    /// when a login succeeded, and be the directory that Dovecot names; a home may be read-only for
    /// good. A wrong no lets all delivery wait until somebody notices. A child looks where the mail was
    /// at the last success; where that is read-only, Dovecot is asked where the mail is now, because who
    /// has moved it may have made what is left read-only.
    fn opened(&self) -> Finding {
        let known = Logins::read(self.system, self.root).store;
        let now = self.system.now();
        let limit = self.end.min(now + LOOK_LIMIT).saturating_sub(now);
        let is_writable =
            |store: &PathBuf| state_of(self.system, store, limit) != Some(State::ReadOnly);
        if known.as_ref().is_some_and(is_writable) {
            return Finding::Seen(known);
        }
        match self.look(mail_directory) {
            Some((_, Some(State::ReadOnly))) => {
                let words =
                    "the mail store is read-only: its mail can be read, and none be delivered";
                Finding::Failed(Kind::Lost, words.into())
            }
            seen => Finding::Seen(seen.map(|(store, _)| store)),
        }
    }

    /// A refusal: by its code (RFC 5530, RFC 2449, RFC 3206).
    fn refused(&self, reason: &Reason, trouble: &Trouble) -> Finding {
        let (kind, head) = match reason.code.as_str() {
            "OVERQUOTA" => (Kind::Full, "the account's mailbox is full"),
            "LIMIT" | "INUSE" | "IN-USE" | "LOGIN-DELAY" => {
                (Kind::Account, "the account has reached a limit")
            }
            "AUTHENTICATIONFAILED"
            | "AUTHORIZATIONFAILED"
            | "AUTH"
            | "EXPIRED"
            | "PRIVACYREQUIRED"
            | "CONTACTADMIN" => (Kind::Account, "the account is refused"),
            "UNAVAILABLE" => (Kind::Authentication, NO_DATABASE),
            "SERVERBUG" | "SYS/TEMP" | "SYS/PERM" => match self.state() {
                Some(State::ReadOnly) => (Kind::Lost, "the mail store is read-only"),
                Some(State::Missing) => (Kind::Lost, "the mail store is not there"),
                Some(State::Full) => (Kind::Full, "the mail store is full"),
                Some(State::Fine) | None => (Kind::Unknown, "Dovecot has an error of its own"),
            },
            _ => (Kind::Unknown, "the login check failed"),
        };
        failed(kind, head, trouble)
    }

    /// Hears what was asked beside a login without an answer. Only an authentication that accepts the
    /// account leaves nobody but the mail store, and only where it did so in the first half of the time:
    /// a directory that has come back late leaves the login none of it. A wrong yes fails over for a
    /// directory that was slow, a wrong no waits for the next check. And the service that opens the
    /// store must have room: a full one lets each further login wait, and a failover would throw out all
    /// who fill it. Where most of those hang in the kernel themselves, it is the store that fills it.
    fn hear(&self, question: Question<S>, trouble: &Trouble) -> Finding {
        let (system, endpoint) = (self.system, &self.visit.endpoint);
        let Question { begun, account, undelayed, services } = question;
        // The visit has had its time, and they have had the same but for the moment before.
        let limit = system.now().min(self.end).saturating_sub(begun);
        let account = account.map(|running| system.finish(running, limit / 2));
        let undelayed = undelayed.map(|running| system.finish(running, limit / 2));
        let services = services.map(|running| system.finish(running, limit));
        let told = |ended: &Option<CommandOutput>| {
            ended.as_ref().map_or_else(|| "no doveadm".into(), |ended| ended.end.to_string())
        };
        debug!(
            "`doveadm auth test`: {}; undelayed: {}; `doveadm service status`: {}",
            told(&account),
            told(&undelayed),
            told(&services)
        );
        let full =
            services.map(|ended| saturation::full_services(&ended.answer)).unwrap_or_default();
        let service = service_of(self.visit);
        let is_full = || full.contains_key(service) && !hanging(system, service).are_most();
        let opinion = |ended: Option<CommandOutput>| ended.as_ref().map(account::opinion);
        let saturated = format!("saturated: all processes of {service} are in use");
        let delayed = format!("Dovecot delays {} after wrong passwords", account::origin(endpoint));
        let (kind, head) = match (opinion(account), opinion(undelayed)) {
            (Some(Opinion::Accepts), _) if is_full() => (Kind::Account, &*saturated),
            (Some(Opinion::Accepts), _) => {
                (Kind::Hanging, "the mail store does not answer, the account is accepted")
            }
            (Some(Opinion::Silent), Some(Opinion::Accepts)) => (Kind::Account, &*delayed),
            (Some(Opinion::Refuses), _) | (Some(Opinion::Silent), Some(Opinion::Refuses)) => {
                (Kind::Account, "the account is refused")
            }
            (Some(Opinion::Failing), _) | (Some(Opinion::Silent), Some(Opinion::Failing)) => {
                (Kind::Authentication, NO_DATABASE)
            }
            (Some(Opinion::Silent), _) => {
                (Kind::Authentication, "the authentication does not answer")
            }
            (Some(Opinion::Unknown(_)) | None, _) => {
                (Kind::Unknown, "the authentication cannot be asked by itself")
            }
        };
        failed(kind, head, trouble)
    }

    /// Looks once more before a silent LOGIN is called the fault of a store, of which these are the
    /// words.
    ///
    /// Dovecot delays a login by what its address has failed before, and the question comes half a
    /// second later: a login of others from there that succeeds in between ends the delay, and the
    /// answer seems to leave nobody but the store. Now the question goes first, and the login some
    /// milliseconds behind it. A wrong yes throws out all users where somebody guesses passwords through
    /// a webmail on this node; a wrong no is a warning, and the next check looks again.
    pub(crate) fn confirm(&self, words: String) -> Login {
        let system = self.system;
        if self.end.saturating_sub(system.now()) < SECOND_TIME {
            return Login::Failed(words);
        }
        let visit = Visit { limit: SECOND_TIME, ..self.visit.clone() };
        let question = ask(system, self.instance, &visit);
        let (place, how) = (std::slice::from_ref(&visit.endpoint), (Depth::Login, Some(&visit)));
        let attempts = system.probe(place, how, SECOND_TIME, &mut |_| ());
        let visited = attempts.into_iter().find_map(|attempt| attempt.visited);
        if let Some(Err(trouble @ Trouble::Silent(Step::Login, _))) = visited {
            return match (Inquiry { visit: &visit, ..*self }).hear(question, &trouble) {
                Finding::Failed(kind, cause) if !kind.is_store() => Login::Warned(cause),
                _ => Login::Failed(words),
            };
        }
        forget(system, question);
        if visited == Some(Ok(())) {
            Login::Warned(format!("the second login succeeded; the first: {words}"))
        } else {
            Login::Failed(words)
        }
    }

    /// Looks at the account's mail, or at its home; `None` where that does not answer in time.
    fn state(&self) -> Option<State> {
        self.look(|answer| mail_directory(answer).or_else(|| home(answer)))?.1
    }

    /// Asks Dovecot about the account, and looks at the directory that `find` reads in its answer.
    fn look(&self, find: impl Fn(&str) -> Option<PathBuf>) -> Option<(PathBuf, Option<State>)> {
        let system = self.system;
        let end = self.end.min(system.now() + LOOK_LIMIT);
        let left = || end.saturating_sub(system.now());
        let words = ["user", &self.visit.user];
        let command = self.instance.command(system, "doveadm", &words)?.asked();
        let directory = find(&system.run(&command, left()).answer)?;
        let state = state_of(system, &directory, left());
        Some((directory, state))
    }
}

fn failed(kind: Kind, head: &str, trouble: &Trouble) -> Finding {
    Finding::Failed(kind, format!("{head}: {trouble}"))
}

/// Dovecot's service that opens the mailbox.
fn service_of(visit: &Visit) -> &'static str {
    if [110, 995].contains(&visit.endpoint.port) { "pop3" } else { "imap" }
}

/// What follows for the mail store where no login could be tried because the service that greets is full.
/// A store that hangs fills it: each client waits for a process that waits for the store. A wrong yes moves
/// users from a server that only has many, so most processes behind it must be the same that hang in the
/// kernel, at each of three looks; a wrong no calls a dead store saturated for ever.
pub(crate) fn behind_full(
    system: &impl System,
    root: &Path,
    settings: &Settings,
    full: &[(Endpoint, String)],
    end: Duration,
) -> Option<Login> {
    let visit = visit(root, settings)?.ok()?;
    let (_, greeting) = full.iter().find(|(endpoint, _)| visit.endpoint.is_same_place(endpoint))?;
    let service = service_of(&visit);
    let mut hang = hanging(system, service);
    let pause = STUCK_TIME / STUCK_PAUSES;
    for _ in 0..STUCK_PAUSES {
        if !hang.are_most() || system.now() + pause > end {
            return None;
        }
        system.sleep(pause);
        let now = hanging(system, service);
        hang = Hanging { pids: &hang.pids & &now.pids, ..now };
    }
    let words = format!(
        "the mail store does not answer: most processes of {service} hang in the kernel, and all of \
         {greeting} are in use"
    );
    hang.are_most()
        .then(|| weigh(system, root, settings.login.fault, Finding::Failed(Kind::Hanging, words)))
}

/// The processes of a service that a master started, and those that hang in the kernel.
struct Hanging {
    pids: BTreeSet<i32>,
    all: usize,
}

impl Hanging {
    fn are_most(&self) -> bool {
        self.pids.len() * 2 > self.all
    }
}

/// Looks which processes of this name that a master started hang in the kernel. Others count for
/// nothing: whoever calls vfork(2) is in state D as long as its child likes, so any user could make a
/// hanging store of a full service.
fn hanging(system: &impl System, name: &str) -> Hanging {
    let is_masters = |process: &Process| {
        let parent = system.inspect(process.parent);
        parent.is_some_and(|parent| parent.name == identity::MASTER && parent.is_roots())
    };
    let pids = system.named(name).unwrap_or_default();
    let processes = pids.into_iter().filter_map(|pid| system.inspect(pid)).filter(is_masters);
    let processes: Vec<Process> = processes.collect();
    let hang = processes.iter().filter(|process| process.state == 'D');
    Hanging { pids: hang.map(|process| process.pid).collect(), all: processes.len() }
}

fn forget<S: System>(system: &S, question: Question<S>) {
    let Question { account, undelayed, services, .. } = question;
    for running in account.into_iter().chain(undelayed).chain(services) {
        let _ = system.finish(running, Duration::ZERO);
    }
}

/// Weighs what was found. A standby with the same trouble never arms, so nothing fails over to and
/// fro.
pub(crate) fn weigh(
    system: &impl System,
    root: &Path,
    fault: LoginFault,
    finding: Finding,
) -> Login {
    let (kind, words) = match finding {
        Finding::Seen(store) => return Login::Passed(store),
        Finding::Unmade(cause) => return Login::Warned(format!("no login was tried: {cause}")),
        Finding::Failed(kind, words) => (kind, words),
    };
    let counts = match fault {
        LoginFault::Store => kind.is_store(),
        LoginFault::Any => true,
        LoginFault::Never => false,
    };
    if !counts {
        return Login::Warned(words);
    }
    let known = Logins::read(system, root);
    let is_young = known.age(system).is_some_and(|age| age < GRACE);
    if !known.armed {
        Login::Warned(format!(
            "{words} (no check by LifeKeeper has logged in here since the last restore)"
        ))
    } else if kind == Kind::Hanging && is_young {
        Login::Warned(format!("{words} (less than {} s after restore)", seconds(GRACE)))
    } else {
        Login::Failed(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::dovecot::checks;
    use crate::dovecot::notes::Notes;
    use crate::secret::Secret;
    use crate::system::fake::{MASTER, Machine, Port, child};
    use crate::system::{KILL_WAIT, KillBudget};
    use crate::test_root::TestRoot;

    fn visit() -> Visit {
        let endpoint = Endpoint::default();
        let (user, mailbox) = ("ark".into(), "dovecot-ark".into());
        let limit = Duration::from_secs(8);
        Visit { endpoint, user, password: Secret::new("sesame".into()), mailbox, limit }
    }

    fn inquiry<'a>(
        system: &'a Machine,
        root: &'a Path,
        (instance, visit): (&'a Instance, &'a Visit),
        end: Duration,
    ) -> Inquiry<'a, Machine> {
        Inquiry { system, root, instance, visit, end }
    }

    /// Settings that ask for a login, with an account.
    fn asking_for_a_login(root: &TestRoot) -> Settings {
        let mut settings = Settings { probe: Depth::Login, ..Settings::default() };
        root.write("account", "ark:sesame\n");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(root.path().join("account"), mode).expect("a mode");
        settings.login.file = "/account".into();
        settings
    }

    #[test]
    fn a_place_that_lets_in_all_but_the_address_of_logins_serves() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        let settings = asking_for_a_login(&root);
        let checks = || {
            let (care, limit) = (checks::Thoroughness::Once, checks::LIMIT);
            checks::check(&machine, &settings, root.path(), &Notes::default(), care, limit)
                .expect("the checks")
        };
        machine.state().ports.insert(143, Port::Barred);
        let found = checks();
        assert!(found.in_operation(), "{:?}", found.causes());
        let told = "no login was tried: 127.0.0.1:143 cannot be reached from 127.0.0.143: \
                    connection refused";
        assert_eq!(found.login, Some(Login::Warned(told.into())));
        machine.state().ports.insert(143, Port::Refusing);
        assert_eq!(checks().causes(), ["127.0.0.1:143: connection refused"]);
    }

    #[test]
    fn a_full_service_is_a_store_that_hangs_where_the_same_processes_hang_all_the_time() {
        let hangs = |flickers: bool, states: [char; 3]| {
            let (root, machine) = (TestRoot::new(), Machine::running());
            let settings = asking_for_a_login(&root);
            Logins::arm(&machine, root.path(), None);
            machine.state().processes.retain(|one| one.process.name != "imap");
            for (pid, state) in (300..).zip(states) {
                machine.add(Process { state, ..child(pid, "imap") }, MASTER, MASTER);
            }
            if flickers {
                machine.state().after(Duration::from_millis(700), |state| {
                    for one in &mut state.processes {
                        match one.process.pid {
                            300 => one.process.state = 'S',
                            302 => one.process.state = 'D',
                            _ => {}
                        }
                    }
                });
            }
            let full = [(settings.endpoints[0].clone(), "imap-login".to_owned())];
            let end = machine.now() + Duration::from_secs(5);
            behind_full(&machine, root.path(), &settings, &full, end)
        };
        let found = hangs(false, ['D', 'D', 'S']);
        let Some(Login::Failed(words)) = found else { panic!("{found:?}") };
        assert!(
            words.starts_with("the mail store does not answer: most processes of imap"),
            "{words}"
        );
        assert_eq!(hangs(true, ['D', 'D', 'S']), None, "others hang now: the disk is busy");
        assert_eq!(hangs(false, ['D', 'S', 'S']), None, "most do not");
    }

    /// What is found where `doveadm auth test` ends so, if a login is silent.
    fn found(machine: &Machine, trouble: Trouble) -> (Kind, String) {
        let (instance, visit) = (Instance::default(), visit());
        let question = matches!(trouble, Trouble::Silent(..)).then(|| {
            let question = ask(machine, &instance, &visit);
            machine.sleep(Duration::from_millis(7500));
            question
        });
        let end = machine.now() + Duration::from_secs(5);
        let root = TestRoot::new();
        match inquiry(machine, root.path(), (&instance, &visit), end).judge(Err(trouble), question)
        {
            Finding::Failed(kind, words) => (kind, words),
            other => panic!("{other:?}"),
        }
    }

    const TEST: &str = "doveadm auth test -x service=imap -x rip=127.0.0.143 ark";
    const UNDELAYED: &str =
        "doveadm auth test -x service=imap -x rip=127.0.0.143 -x no-penalty ark";

    #[test]
    fn a_silent_login_is_the_store_only_where_the_account_is_accepted_and_a_process_is_free() {
        let silent = || Trouble::Silent(Step::Login, Duration::from_secs(8));
        let full = "name: imap\nprocess_count: 3\nprocess_avail: 0\nprocess_limit: 3\n";
        let short = Duration::from_millis(10);
        let (late, long) = (Duration::from_secs(5), Duration::from_mins(1));
        for (end, took, undelayed, services, kind) in [
            (End::Exited(0), short, (0, short), "", Kind::Hanging),
            (End::Exited(0), short, (0, short), full, Kind::Account),
            (End::Exited(77), short, (77, short), "", Kind::Account),
            (End::Exited(0), long, (0, long), "", Kind::Authentication),
            // The directory has come back.
            (End::Exited(0), late, (0, late), "", Kind::Authentication),
            // Others have failed to log in from the same address, or the account itself has.
            (End::Exited(0), long, (0, short), "", Kind::Account),
            (End::Exited(0), long, (77, short), "", Kind::Account),
            (End::Exited(75), short, (75, short), "", Kind::Unknown),
        ] {
            let machine = Machine::running();
            machine.state().programs.push("doveadm");
            machine.answer(TEST, end.clone(), took, "");
            machine.answer(UNDELAYED, End::Exited(undelayed.0), undelayed.1, "");
            machine.answer("doveadm service status", End::Exited(0), short, services);
            assert_eq!(found(&machine, silent()).0, kind, "{end:?} {took:?} {services:?}");
            assert!(!machine.deeds().concat().contains("sesame"), "{:?}", machine.deeds());
        }
    }

    #[test]
    fn a_full_service_hangs_only_by_processes_that_a_master_started() {
        let full = "name: imap\nprocess_count: 3\nprocess_avail: 0\nprocess_limit: 3\n";
        let short = Duration::from_millis(10);
        for (parent, kind) in [(MASTER, Kind::Hanging), (1, Kind::Account)] {
            let machine = Machine::running();
            machine.state().programs.push("doveadm");
            machine.answer(TEST, End::Exited(0), short, "");
            machine.answer(UNDELAYED, End::Exited(0), short, "");
            machine.answer("doveadm service status", End::Exited(0), short, full);
            machine.add(child(200, "imap"), MASTER, MASTER);
            for pid in [201, 202] {
                let process = Process { state: 'D', ..child(pid, "imap") };
                machine.add(process, parent, pid);
            }
            let trouble = Trouble::Silent(Step::Login, Duration::from_secs(8));
            assert_eq!(found(&machine, trouble).0, kind, "{parent}");
        }
    }

    #[test]
    fn a_silent_login_is_the_store_only_if_the_next_one_is_silent_too_and_is_not_delayed() {
        let (short, long) = (Duration::from_millis(10), Duration::from_secs(2));
        let silent = || Some(Trouble::Silent(Step::Login, Duration::from_secs(8)));
        let closed = Some(Trouble::Closed(Step::Login, Reason::default()));
        for (next, took, left, words) in [
            (silent(), short, 9, None),
            (silent(), long, 9, Some("Dovecot delays 127.0.0.143 after wrong passwords: LOGIN")),
            (None, short, 9, Some("the second login succeeded; the first: x")),
            (closed, short, 9, None),
            (None, short, 1, None),
        ] {
            let machine = Machine::running();
            machine.state().programs.push("doveadm");
            machine.state().visit = next.clone();
            machine.answer(TEST, End::Exited(0), took, "");
            machine.answer(UNDELAYED, End::Exited(0), short, "");
            machine.answer("doveadm service status", End::Exited(0), short, "");
            let end = machine.now() + Duration::from_secs(left);
            let both = (&Instance::default(), &visit());
            match inquiry(&machine, Path::new("/"), both, end).confirm("x".into()) {
                Login::Failed(cause) => assert_eq!((cause.as_str(), words), ("x", None)),
                Login::Warned(cause) => {
                    assert!(words.is_some_and(|words| cause.starts_with(words)), "{cause}");
                }
                other @ Login::Passed(_) => panic!("{other:?}"),
            }
            assert!(machine.now() <= end, "{next:?}");
        }
    }

    #[test]
    fn a_refusal_is_judged_by_its_code_and_an_error_by_a_look_at_the_store() {
        let refused = |step, code: &str| {
            let reason = Reason { code: code.into(), words: format!("NO [{code}] x") };
            Trouble::Refused(step, reason)
        };
        for (step, code, state, kind) in [
            (Step::Examine, "NONEXISTENT", "", Kind::Lost),
            (Step::Examine, "SERVERBUG", "read-only", Kind::Lost),
            (Step::Examine, "SERVERBUG", "full", Kind::Full),
            (Step::Login, "SERVERBUG", "missing", Kind::Lost),
            (Step::Login, "SERVERBUG", "fine", Kind::Unknown),
            (Step::Examine, "OVERQUOTA", "", Kind::Full),
            (Step::Login, "AUTHENTICATIONFAILED", "", Kind::Account),
            (Step::Login, "LIMIT", "", Kind::Account),
            (Step::Login, "UNAVAILABLE", "", Kind::Authentication),
            (Step::Examine, "", "", Kind::Unknown),
        ] {
            let machine = Machine::running();
            machine.state().programs.push("doveadm");
            let short = Duration::from_millis(10);
            let home = "field\tvalue\nhome\t/srv/ark\nmail\tmaildir:~/Maildir\n";
            machine.answer("doveadm user ark", End::Exited(0), short, home);
            machine.answer("exe look-at-store /srv/ark/Maildir", End::Exited(0), short, state);
            assert_eq!(found(&machine, refused(step, code)).0, kind, "{step} {code} {state}");
        }
    }

    #[test]
    fn what_was_asked_beside_a_refused_login_ends_in_the_time_of_all_killed_commands() {
        let machine = Machine::running();
        machine.state().programs.push("doveadm");
        machine.answer("doveadm", End::Exited(0), Duration::from_mins(1), "");
        machine.state().stuck = Some(KillBudget::default());
        let (instance, visit) = (Instance::default(), visit());
        let question = Some(ask(&machine, &instance, &visit));
        let refused = Err(Trouble::Refused(Step::Login, Reason::default()));
        let both = (&instance, &visit);
        let _ = inquiry(&machine, Path::new("/"), both, Duration::MAX).judge(refused, question);
        let ended = machine.now();
        assert!(ended >= KILL_WAIT && ended < KILL_WAIT * 2, "three commands: {ended:?}");
    }

    #[test]
    fn a_read_only_store_whose_mailbox_opens_is_a_fault_where_it_was_writable_and_dovecot_names_it()
    {
        let (root, machine) = (TestRoot::new(), Machine::running());
        machine.state().programs.push("doveadm");
        let answer = |line: &str, text: &str| {
            machine.answer(line, End::Exited(0), Duration::from_millis(10), text);
        };
        let asked = |line: &str| machine.deeds().iter().filter(|deed| **deed == line).count();
        let seen = || {
            let both = (&Instance::default(), &visit());
            let end = machine.now() + Duration::from_secs(5);
            inquiry(&machine, root.path(), both, end).judge(Ok(()), None)
        };
        let (user, mail) = ("doveadm user ark", "exe look-at-store /srv/ark/Maildir");
        answer(user, "home\t/srv/ark\nmail_path\t/srv/ark/Maildir\n");
        answer(mail, "read-only");
        let is_lost = |finding: &Finding| matches!(finding, Finding::Failed(Kind::Lost, _));
        let never_written = seen();
        assert!(is_lost(&never_written));
        let login = weigh(&machine, root.path(), LoginFault::Store, never_written);
        assert!(matches!(login, Login::Warned(_)), "so it was from the beginning: {login:?}");
        answer(mail, "fine");
        let store = Some(PathBuf::from("/srv/ark/Maildir"));
        assert_eq!(seen(), Finding::Seen(store.clone()));
        Logins::arm(&machine, root.path(), store.clone());
        let before = asked(user);
        assert_eq!((seen(), asked(user)), (Finding::Seen(store), before), "a child is enough");
        answer(mail, "read-only");
        let login = weigh(&machine, root.path(), LoginFault::Store, seen());
        assert!(matches!(login, Login::Failed(_)), "{login:?}");
        // What is left where the mail was, and a home, may be read-only for good.
        answer(user, "mail\tmaildir:/new\n");
        answer("exe look-at-store /new", "fine");
        assert_eq!(seen(), Finding::Seen(Some("/new".into())));
        answer(user, "home\t/srv/ark\n");
        answer("exe look-at-store /srv/ark", "read-only");
        assert_eq!(seen(), Finding::Seen(None));
    }

    #[test]
    fn a_failure_is_a_fault_only_behind_a_success_and_when_another_node_may_cure_it() {
        let (root, machine) = (TestRoot::new(), Machine::running());
        let failed = |kind, fault| {
            let found = Finding::Failed(kind, "x".into());
            matches!(weigh(&machine, root.path(), fault, found), Login::Failed(_))
        };
        let is_fault = |kind| failed(kind, LoginFault::Store);
        assert!(!is_fault(Kind::Hanging), "none has succeeded");
        Logins::restored(&machine, root.path());
        Logins::arm(&machine, root.path(), None);
        assert!(!is_fault(Kind::Hanging) && is_fault(Kind::Lost), "a lock of a dead node");
        machine.sleep(GRACE);
        for kind in [Kind::Full, Kind::Authentication, Kind::Account, Kind::Unknown] {
            assert!(!is_fault(kind) && failed(kind, LoginFault::Any), "{kind:?}");
        }
        assert!(is_fault(Kind::Hanging) && !failed(Kind::Lost, LoginFault::Never));
        Logins::restored(&machine, root.path());
        assert!(!is_fault(Kind::Lost), "a restore forgets what succeeded before it");
        Logins::arm(&machine, root.path(), None);
        machine.state().era = "another boot".into();
        assert!(!is_fault(Kind::Lost));
    }

    #[test]
    fn what_succeeded_before_a_restart_counts_after_it_and_not_after_a_later_start() {
        for (pause, counts) in [(2, true), (59, true), (60, false), (3600, false)] {
            let (root, machine) = (TestRoot::new(), Machine::running());
            let hangs = || {
                let found = Finding::Failed(Kind::Hanging, "x".into());
                weigh(&machine, root.path(), LoginFault::Store, found)
            };
            Logins::restarted(&machine, root.path());
            Logins::stopped(&machine, root.path());
            Logins::restarted(&machine, root.path());
            assert!(matches!(hangs(), Login::Warned(_)), "none has succeeded");
            Logins::arm(&machine, root.path(), None);
            Logins::stopped(&machine, root.path());
            machine.sleep(Duration::from_secs(pause));
            Logins::restarted(&machine, root.path());
            assert_eq!(matches!(hangs(), Login::Failed(_)), counts, "{pause} s");
        }
    }
}
