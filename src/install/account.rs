//! `login-account`: makes the account of the login check on this node.
//!
//! The password is drawn from the kernel and stands in one file that root alone can read; no command
//! line and no output shows it. Dovecot needs a hash of it, which an administrator puts where the
//! accounts of the site are: the kit changes nothing of Dovecot's configuration. A mailbox is made
//! where Dovecot runs and has the account; elsewhere the mail store may be another one.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use nix::sys::stat::makedev;

use super::replace::{Existing, create_secret};
use crate::cli::LoginAccount;
use crate::command::{Command, CommandOutput, End};
use crate::dovecot::account::{self, Delay, Opinion};
use crate::dovecot::configuration;
use crate::dovecot::identity;
use crate::dovecot::instance::Instance;
use crate::dovecot::notes::Notes;
use crate::error::{Error, refused};
use crate::exit::Exit;
use crate::files::below;
use crate::messages::Message;
use crate::probe::endpoint::Depth;
use crate::probe::socket::VISITOR;
use crate::secret::Secret;
use crate::settings::{self, Settings};
use crate::show;
use crate::system::System;
use crate::text::one_line;

/// The account where none is named.
const USER: &str = "dovecot-ark";

/// The kernel's random numbers (`random(4)`), and the numbers of the device.
const DEVICE: (&str, u64, u64) = ("/dev/urandom", 1, 9);

/// How many random bytes a password is made of.
const BYTES: usize = 24;

/// The scheme of the hash, which Dovecot has had since 2.0. It is fast, because each check makes
/// Dovecot compute it; a slow one protects what somebody can guess, and nobody guesses 24 bytes.
const SCHEME: &str = "SSHA512";

/// Where the account stands for Dovecot, if an administrator follows what is printed.
const PASSWD_FILE: &str = "/etc/dovecot/dovecot-ark.passwd";

/// Said where Dovecot lets the account in.
const ACCEPTED: &str = "lets the account in";

/// Said of a mailbox that was made now.
const MADE: &str = "made";

/// Said of a mailbox that was there.
const EXISTS: &str = "exists";

/// The longest that Dovecot may take for each answer. With a mail store that hangs there is none.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest that Dovecot delays a login after failed ones, 15 s (2.3.19), and the login.
const LONGEST_DELAY: Duration = Duration::from_secs(20);

/// The account, and what became of its file.
struct Account {
    user: String,
    password: Secret,
    file: &'static str,
}

/// What Dovecot has of the account.
#[derive(Default)]
struct Known {
    /// Whether it lets the account in, in words.
    accepted: String,
    /// Whether it knows where the account's mail is.
    has_home: bool,
    /// What became of the mailbox, in words.
    mailbox: String,
}

impl Known {
    /// Whether nothing is left to do: it lets the account in, and the mailbox is there.
    fn is_complete(&self) -> bool {
        self.accepted == ACCEPTED && [MADE, EXISTS].contains(&&*self.mailbox)
    }
}

/// Writes the file with the account, makes the mailbox where that can be done, and prints what is
/// left to do. Takes at most 85 s where Dovecot hangs.
///
/// # Errors
///
/// Why no file was written; nothing is changed then.
pub(crate) fn login_account(
    system: &impl System,
    root: &Path,
    how: &LoginAccount,
) -> Result<Exit, Error> {
    show::print(&make(system, root, how)?).map(|()| Exit::Success)
}

/// Makes the account, and returns what is to be said of it.
fn make(system: &impl System, root: &Path, how: &LoginAccount) -> Result<String, Error> {
    let (settings, report) = settings::read(root);
    let account = write(root, &settings.login.file, how)?;
    let instance = Instance::find(system, root, &settings.service, &Notes::read(system, root));
    let known = if identity::living_masters(system, root)?.is_empty() {
        let words = "was not asked, because it does not run here";
        let mailbox = "not made, because Dovecot does not run here";
        Known { accepted: words.into(), has_home: false, mailbox: mailbox.into() }
    } else {
        know(system, &instance, &settings, &account)
    };
    let mut text = String::new();
    for warning in report.warnings.iter().filter(|warning| warning.text.contains("_LOGIN_")) {
        let _ = writeln!(text, "{}", show::warned(warning));
    }
    text += &state(&settings, &account, &known);
    if how.keep && known.is_complete() {
        text += "\nDovecot needs nothing more on this node.\n";
    } else {
        text += &advice(system, &instance, &account, known.has_home, &settings);
    }
    text += &elsewhere(&settings, &account);
    // Whatever Dovecot's tools say, it is not shown.
    Ok(account.password.hidden_in(&text))
}

/// Writes the file, or reads the one that is there.
fn write(root: &Path, file: &Path, how: &LoginAccount) -> Result<Account, Error> {
    let path = below(root, file);
    let old = fs::symlink_metadata(&path).is_ok().then(|| account::read(root, file));
    match (old, how.keep, how.overwrite) {
        (None, true, _) => Err(refused!(
            Message::AccountNotKept,
            "keeping the account: there is no {}; without --keep a new one is made",
            file.display()
        )),
        (Some(old), true, _) => {
            let (user, password) = old.map_err(|cause| {
                refused!(Message::AccountNotKept, "keeping the account: {cause}")
            })?;
            account::user_name(&user).map_err(|cause| {
                refused!(
                    Message::AccountNotKept,
                    "keeping the account: {}: {cause}",
                    file.display()
                )
            })?;
            Ok(Account { user, password, file: "kept as it is" })
        }
        (Some(_), false, false) => Err(refused!(
            Message::AccountExists,
            "writing {}: it exists; --keep uses its account, --overwrite makes a new password",
            file.display()
        )),
        (old, false, _) => {
            // A new password is for the account that was there, unless another one is named.
            let before = old.and_then(Result::ok).map(|(user, _)| user);
            let before = before.filter(|user| account::user_name(user).is_ok());
            let user = how.user.clone().or(before).unwrap_or_else(|| USER.to_owned());
            let password = draw()?;
            let line = format!("{user}:{}\n", password.reveal());
            let existing = if how.overwrite { Existing::Replace } else { Existing::Refuse };
            create_secret(&path, line.as_bytes(), existing)?;
            Ok(Account { user, password, file: "written with a new password" })
        }
    }
}

/// A password that nobody can guess. A file in the place of the device would be a password that
/// somebody knows.
fn draw() -> Result<Secret, Error> {
    let (path, major, minor) = DEVICE;
    let drawn = (|| {
        let mut device = File::open(path)?;
        let data = device.metadata()?;
        if !data.file_type().is_char_device() || data.rdev() != makedev(major, minor) {
            return Err(io::Error::other("it is not the kernel's device of random numbers"));
        }
        let mut bytes = [0; BYTES];
        device.read_exact(&mut bytes)?;
        Ok(bytes)
    })();
    let bytes: [u8; BYTES] =
        drawn.map_err(Error::file("drawing a password from", Path::new(path)))?;
    let mut password = String::with_capacity(2 * BYTES);
    for byte in bytes {
        let _ = write!(password, "{byte:02x}");
    }
    Ok(Secret::new(password))
}

/// Asks a Dovecot that runs what it has of the account, and makes the mailbox.
fn know(
    system: &impl System,
    instance: &Instance,
    settings: &Settings,
    account: &Account,
) -> Known {
    let Account { user, password, .. } = account;
    let test = |delay, limit| {
        let from = (VISITOR.into(), delay);
        let command = account::test(system, instance, (user, password), from);
        command.map(|command| account::opinion(&system.run(&command, limit)))
    };
    let accepted = match test(Delay::Never, LIMIT) {
        Some(Opinion::Accepts) => {
            // A success ends the delay that checks with a wrong password have brought about.
            let _ = test(Delay::AsLogins, LONGEST_DELAY);
            ACCEPTED.to_owned()
        }
        Some(Opinion::Refuses) => "does not have the account with this password yet".to_owned(),
        Some(Opinion::Failing) => "cannot ask its database".to_owned(),
        Some(Opinion::Silent) => format!("did not answer within {} s", LIMIT.as_secs()),
        Some(Opinion::Unknown(cause)) => format!("could not be asked: {cause}"),
        None => "could not be asked: there is no doveadm".to_owned(),
    };
    let run = |words: &[&str]| {
        instance.command(system, "doveadm", words).map(|command| system.run(&command, LIMIT))
    };
    let has_home = run(&["user", user]).is_some_and(|ended| ended.succeeded());
    let mailbox = if has_home {
        let made = run(&["mailbox", "create", "-u", user, "--", &settings.login.mailbox]);
        mailbox(made.as_ref())
    } else {
        "not made, because Dovecot does not have the account yet".to_owned()
    };
    Known { accepted, has_home, mailbox }
}

/// What became of a mailbox. Of one that exists doveadm has nothing but words (2.3.19, 2.4.1).
fn mailbox(made: Option<&CommandOutput>) -> String {
    match made {
        Some(ended) if ended.succeeded() => MADE.to_owned(),
        Some(ended) if ended.output.contains("already exists") => EXISTS.to_owned(),
        Some(CommandOutput { end: End::TimedOut(limit), .. }) => format!(
            "not made, because there was no answer within {} s; does the mail store hang?",
            limit.as_secs()
        ),
        Some(ended) => format!("not made: {}", one_line(&ended.to_string())),
        None => "not made: there is no doveadm".to_owned(),
    }
}

/// What was done, and how it stands.
fn state(settings: &Settings, account: &Account, known: &Known) -> String {
    let Account { user, file, .. } = account;
    let login = &settings.login;
    let mut text = format!(
        "{}: {file}; account {user}, readable by root alone\n\
         Dovecot: {}\n\
         mailbox {}: {}\n",
        login.file.display(),
        known.accepted,
        login.mailbox,
        known.mailbox
    );
    if known.mailbox.starts_with("not made") {
        text += "  where Dovecot runs and has the account: dovecot-ark login-account --keep\n";
    }
    if settings.probe != Depth::Login {
        text += "the check does not log in yet: change the line APP_DOVECOT_PROBE of \
                 /etc/default/LifeKeeper to APP_DOVECOT_PROBE=login, on each node\n";
    }
    text
}

/// A form of Dovecot's configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    /// Up to 2.3.
    Before,
    /// From 2.4 on.
    Since,
}

impl Form {
    /// The form of the Dovecot that is installed; both where it does not tell its version.
    fn of(system: &impl System, instance: &Instance) -> Vec<Self> {
        let ask = instance.command(system, "dovecot", &["--version"]).map(Command::asked);
        let answer = ask.map(|command| system.run(&command, LIMIT).answer).unwrap_or_default();
        match Self::of_version(&answer) {
            Some(form) => vec![form],
            None => vec![Self::Before, Self::Since],
        }
    }

    fn of_version(version: &str) -> Option<Self> {
        let mut numbers = version.trim().split('.');
        let major: u32 = numbers.next()?.parse().ok()?;
        let minor: u32 = numbers.next()?.parse().ok()?;
        Some(if (major, minor) < (2, 4) { Self::Before } else { Self::Since })
    }

    /// A section that names the file of the account.
    fn section(self, name: &str) -> String {
        let (name, file) = match self {
            Self::Before => (name.to_owned(), "args = username_format=%u"),
            Self::Since => (format!("{name} {USER}"), "passwd_file_path ="),
        };
        format!("{name} {{\n  driver = passwd-file\n  {file} {PASSWD_FILE}\n}}\n")
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Before => "Dovecot 2.3 and before",
            Self::Since => "Dovecot 2.4",
        }
    }
}

/// What is left to do in Dovecot's configuration.
fn advice(
    system: &impl System,
    instance: &Instance,
    account: &Account,
    has_home: bool,
    settings: &Settings,
) -> String {
    let Account { user, password, .. } = account;
    let file = settings.login.file.display();
    let hash = hash(system, instance, password);
    let forms = Form::of(system, instance);
    let sections = |name: &str| {
        let titled = |form: &Form| match forms.as_slice() {
            [_] => form.section(name),
            _ => format!("# {}\n{}", form.title(), form.section(name)),
        };
        forms.iter().map(titled).collect::<Vec<_>>().join("\n")
    };
    let shown = hash.as_deref().unwrap_or("HASH");
    let (uid, gid) = owner(system, instance);
    let home = if has_home { "::::::".to_owned() } else { format!(":{uid}:{gid}::HOME::") };
    let mut text = format!(
        "\nDovecot must have the account on each node. Add {PASSWD_FILE},\n\
         owner root, group dovecot, mode 640, of this line:\n\n{user}:{shown}{home}\n\n"
    );
    if hash.is_none() {
        let _ = write!(
            text,
            "HASH is what this prints where Dovecot is installed:\n\n\
             cut -d: -f2- {file} | sed p | doveadm pw -s {SCHEME}\n\n"
        );
    }
    let _ = write!(
        text,
        "and name it in Dovecot's configuration before all other passdb sections, so that the check\n\
         does not depend on LDAP or SQL:\n\n{}\n",
        sections("passdb")
    );
    if !has_home {
        let _ = write!(
            text,
            "With a static userdb these three fields are not read and may stay empty. Otherwise HOME is\n\
             a directory of its own on the mail store, {uid} and {gid} are the owner of the mail there,\n\
             and the file is named before all other userdb sections, too:\n\n{}\n",
            sections("userdb")
        );
    }
    let _ = write!(
        text,
        "If accounts can be in LDAP or SQL alone, store {{{SCHEME}}}… of that line there as the\n\
         password (userPassword); for passwords that the directory itself verifies (auth_bind):\n\n\
         ldappasswd -x -D ADMIN -W -T <(cut -d: -f2- {file} | tr -d '\\n') DN\n\n\
         Then each check depends on that directory or database, and warns while it is down.\n",
    );
    text
}

/// What is left to do on the other nodes.
fn elsewhere(settings: &Settings, account: &Account) -> String {
    let file = &settings.login.file;
    let (directory, file) = (file.parent().unwrap_or(Path::new("/")).display(), file.display());
    format!(
        "\nThe other nodes need the same file with the same password, and Dovecot the account there,\n\
         too; this copies the file:\n\n\
         ssh NODE mkdir -p {directory} && scp -p {file} NODE:{file}\n\n\
         Deliver no mail to {}. `dovecot-ark doctor` checks the account on all nodes.\n",
        account.user
    )
}

/// The hash of the password, by Dovecot's own tool, which is told it twice as a person would be.
fn hash(system: &impl System, instance: &Instance, password: &Secret) -> Option<String> {
    let twice = Secret::new(format!("{0}\n{0}", password.reveal()));
    let command = instance.command(system, "doveadm", &["pw", "-s", SCHEME])?;
    let ended = system.run(&command.told(twice).asked(), LIMIT);
    let hash = ended.answer.trim();
    let is_hash = hash.strip_prefix(&format!("{{{SCHEME}}}")).is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
    });
    (ended.succeeded() && is_hash).then(|| hash.to_owned())
}

/// The owner of all mail, if Dovecot's configuration has one.
fn owner(system: &impl System, instance: &Instance) -> (String, String) {
    let known =
        configuration::values(system, instance, &["mail_uid", "mail_gid"]).unwrap_or_default();
    let value = |name: &str, other: &str| {
        let value = known.get(name).filter(|value| !value.is_empty());
        value.map_or_else(|| other.to_owned(), Clone::clone)
    };
    (value("mail_uid", "UID"), value("mail_gid", "GID"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const FILE: &str = "etc/dovecot-ark/login";

    const NEW: LoginAccount = LoginAccount { user: None, overwrite: false, keep: false };

    fn root() -> TestRoot {
        let root = TestRoot::new();
        root.write("etc/default/LifeKeeper", "APP_DOVECOT_PROBE=greeting\n");
        root
    }

    fn keep() -> LoginAccount {
        LoginAccount { keep: true, ..NEW }
    }

    fn overwrite() -> LoginAccount {
        LoginAccount { overwrite: true, ..NEW }
    }

    fn password(root: &TestRoot) -> String {
        let text = fs::read_to_string(root.path().join(FILE)).expect("the file");
        let (_, password) = text.trim_end().split_once(':').expect("an account");
        password.to_owned()
    }

    fn refused(root: &TestRoot, how: &LoginAccount) -> String {
        make(&Machine::new(), root.path(), how).expect_err("a refusal").to_string()
    }

    /// A Dovecot that runs, whose doveadm ends so.
    fn machine(test: i32, user: i32, create: (i32, &str)) -> Machine {
        let machine = Machine::running();
        machine.state().programs.extend(["doveadm", "doveconf", "dovecot"]);
        let short = Duration::from_millis(10);
        let name = "dovecot-ark";
        let line =
            format!("doveadm auth test -x service=imap -x rip=127.0.0.143 -x no-penalty {name}");
        machine.answer(&line, End::Exited(test), short, "");
        machine.answer(&line.replace("-x no-penalty ", ""), End::Exited(test), short, "");
        machine.answer(&format!("doveadm user {name}"), End::Exited(user), short, "");
        let line = format!("doveadm mailbox create -u {name} -- dovecot-ark");
        machine.complain(&line, End::Exited(create.0), create.1);
        machine.answer("doveadm pw -s SSHA512", End::Exited(0), short, "{SSHA512}a+b/c=\n");
        machine.answer("dovecot --version", End::Exited(0), short, "2.4.1-4 (7d8c0e5759)\n");
        let line = "doveconf mail_uid mail_gid";
        machine.answer(line, End::Exited(0), short, "mail_uid = vmail\nmail_gid =\n");
        machine
    }

    #[test]
    fn the_password_is_random_for_root_alone_and_in_nothing_but_the_file() {
        let root = root();
        let mut seen = Vec::new();
        for how in [NEW, overwrite()] {
            let machine = machine(77, 67, (0, ""));
            let text = make(&machine, root.path(), &how).expect("an account");
            let password = password(&root);
            assert_eq!((password.len(), seen.contains(&password)), (48, false));
            let shown = [&text, &machine.deeds().concat()].map(|text| text.contains(&password));
            assert_eq!(shown, [false, false], "{text}");
            seen.push(password);
        }
        let data = fs::metadata(root.path().join(FILE)).expect("the file");
        assert_eq!(data.permissions().mode() & 0o7777, 0o600);
        account::read(root.path(), Path::new("/etc/dovecot-ark/login")).expect("an account");
    }

    #[test]
    fn a_file_that_exists_is_kept_or_replaced_only_if_it_is_told() {
        let root = root();
        assert_eq!(
            refused(&root, &keep()),
            "keeping the account: there is no /etc/dovecot-ark/login; without --keep a new one is made"
        );
        let named = LoginAccount { user: Some("ark@example.com".into()), ..NEW };
        make(&Machine::new(), root.path(), &named).expect("an account");
        let before = password(&root);
        assert_eq!(
            refused(&root, &NEW),
            "writing /etc/dovecot-ark/login: it exists; --keep uses its account, --overwrite makes \
             a new password"
        );
        let text = make(&Machine::new(), root.path(), &keep()).expect("the same");
        assert!(text.contains("login: kept as it is; account ark@example.com, "), "{text}");
        assert_eq!(password(&root), before);
        make(&Machine::new(), root.path(), &overwrite()).expect("another password");
        let text = fs::read_to_string(root.path().join(FILE)).expect("the file");
        assert!(text.starts_with("ark@example.com:") && !text.contains(&before), "{text}");
        for (line, cause) in [
            ("a*:sesame", "/etc/dovecot-ark/login: a user of lower-case letters"),
            ("sesame", "/etc/dovecot-ark/login: one line user:password is expected"),
        ] {
            root.write(FILE, line);
            let error = refused(&root, &keep());
            assert!(error.contains(cause) && !error.contains("sesame"), "{error}");
        }
    }

    #[test]
    fn the_directory_must_be_roots_own_and_is_made_where_it_is_missing() {
        let root = root();
        let directory = root.path().join("etc/dovecot-ark");
        symlink("/tmp", &directory).expect("a link");
        let error = refused(&root, &NEW);
        assert!(error.ends_with("etc/dovecot-ark: it is no directory"), "{error}");
        fs::remove_file(&directory).expect("no link");
        fs::create_dir(&directory).expect("a directory");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).expect("a mode");
        let error = refused(&root, &NEW);
        assert!(error.ends_with("others may write it, its mode is 777"), "{error}");
        root.write("etc/default/LifeKeeper", "APP_DOVECOT_LOGIN_FILE=/none/such/login\n");
        let error = refused(&root, &NEW);
        assert!(error.starts_with("making ") && error.contains("No such file"), "{error}");
    }

    #[test]
    fn the_mailbox_is_made_where_dovecot_has_the_account_and_else_it_is_said() {
        let exists = "Error: Can't create mailbox dovecot-ark: Mailbox already exists";
        for (test, user, create, accepted, mailbox) in [
            (0, 0, (0, ""), "lets the account in", "made\n"),
            (0, 0, (65, exists), "lets the account in", "exists\n"),
            (0, 0, (75, "Error: x"), "lets the account in", "not made: exit status 75: Error: x\n"),
            (
                77,
                67,
                (0, ""),
                "does not have the account",
                "not made, because Dovecot does not have",
            ),
            (75, 67, (0, ""), "could not be asked: exit status 75", "not made, because"),
        ] {
            let (root, machine) = (root(), machine(test, user, create));
            let text = make(&machine, root.path(), &NEW).expect("an account");
            assert!(text.contains(&format!("\nDovecot: {accepted}")), "{text}");
            assert!(text.contains(&format!("\nmailbox dovecot-ark: {mailbox}")), "{text}");
            assert_eq!(machine.count("doveadm mailbox create -u dovecot-ark -- dovecot-ark"), {
                usize::from(user == 0)
            });
            // Where Dovecot has the home, it is not asked for.
            let line = if user == 0 { "::::::\n" } else { ":vmail:GID::HOME::\n" };
            let line = format!("\ndovecot-ark:{{SSHA512}}a+b/c={line}");
            assert!(text.contains(&line), "{text}");
            assert_eq!(text.contains("\nuserdb dovecot-ark {\n"), user != 0, "{text}");
        }
        let (root, machine) = (root(), Machine::new());
        let text = make(&machine, root.path(), &NEW).expect("an account");
        assert!(text.contains("not made, because Dovecot does not run here\n"), "{text}");
        assert!(text.contains("\ndovecot-ark:HASH:UID:GID::HOME::\n"), "{text}");
        assert!(text.contains("# Dovecot 2.3 and before\npassdb {\n"), "{text}");
        assert!(text.contains("# Dovecot 2.4\npassdb dovecot-ark {\n"), "{text}");
        assert_eq!(machine.count("doveadm"), 0, "no command may start a stopped Dovecot");
    }

    #[test]
    fn where_nothing_is_left_to_do_the_set_up_is_not_printed_again() {
        let exists = "Error: Can't create mailbox dovecot-ark: Mailbox already exists";
        for (test, create, is_complete) in [
            (0, (0, ""), true),
            (0, (65, exists), true),
            (77, (0, ""), false),
            (0, (75, "x"), false),
        ] {
            let root = root();
            make(&Machine::new(), root.path(), &NEW).expect("an account");
            let text = make(&machine(test, 0, create), root.path(), &keep()).expect("the same");
            let done = text.contains("\nDovecot needs nothing more on this node.\n");
            assert_eq!((done, text.contains("passdb")), (is_complete, !is_complete), "{text}");
            assert!(text.contains("\nssh NODE mkdir -p /etc/dovecot-ark && scp -p "), "{text}");
        }
    }

    #[test]
    fn a_hash_is_believed_only_if_it_is_one_of_the_scheme() {
        for (answer, line) in [
            ("{SSHA512}abc=\n", "{SSHA512}abc="),
            ("{PLAIN}sesame\n", "HASH"),
            ("{SSHA512}\n", "HASH"),
            ("{SSHA512}a\nb\n", "HASH"),
            ("", "HASH"),
        ] {
            let (root, machine) = (root(), machine(0, 0, (0, "")));
            let short = Duration::from_millis(10);
            machine.answer("doveadm pw -s SSHA512", End::Exited(0), short, answer);
            let text = make(&machine, root.path(), &NEW).expect("an account");
            assert!(text.contains(&format!("\ndovecot-ark:{line}::::::\n")), "{text}");
        }
    }

    #[test]
    fn each_version_of_dovecot_has_its_form() {
        for (version, form) in [
            ("2.3.19.1 (9b53102964)\n", Some(Form::Before)),
            ("1.0.7", Some(Form::Before)),
            ("2.4.1-4 (7d8c0e5759)", Some(Form::Since)),
            ("2.10", Some(Form::Since)),
            ("3.0", Some(Form::Since)),
            ("dovecot", None),
            ("", None),
        ] {
            assert_eq!(Form::of_version(version), form, "{version:?}");
        }
    }
}
