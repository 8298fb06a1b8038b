//! `cargo xtask logins`: the login check where a directory has the accounts, of LDAP or SQL.
//!
//! Each directory serves, refuses connections, and is silent: once where the check's account is in it,
//! and once where it is in a passwd-file before it, as `login-account` advises. A failover cures none of
//! it, so no check may be a fault; where the account is before the directory, none may even warn.

use std::time::{Duration, Instant};

use lab::kit::{self, ORIGINAL};
use lab::{DEFAULTS, Error, Finished, Init, Node, Result, Suite};

use crate::heading::{heading, shown};

/// Above what any check may take, LifeKeeper's limit before 9.1.
const GRANTED: Duration = Duration::from_secs(22);

/// What every node gets: the check's account, and no user of the lab's own.
const ACCOUNT: &str = "\
     install -d -m 755 /etc/dovecot-ark
     (umask 077; echo 'ark:ark-secret' >/etc/dovecot-ark/login)
     echo 'ark:{PLAIN}ark-secret' >/etc/dovecot/users";

/// A server that has the accounts.
struct Directory {
    name: &'static str,
    /// Makes it, with the check's account in it, and what Dovecot asks it by, `/etc/dovecot/lab.conf`.
    make: &'static str,
    driver: &'static str,
    start: &'static str,
    /// Prints the pids of the server's processes, its first one first.
    pids: &'static str,
}

const LDAP: Directory = Directory {
    name: "OpenLDAP",
    make: "install -d -o openldap -g openldap /run/lab /var/lib/lab
         cat >/etc/ldap/lab.conf <<'END'
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
pidfile /run/lab/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix \"dc=example,dc=com\"
directory /var/lib/lab
access to attrs=userPassword by anonymous auth
access to * by * read
END
         slapadd -f /etc/ldap/lab.conf <<'END'
dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: example

dn: uid=ark,dc=example,dc=com
objectClass: account
objectClass: simpleSecurityObject
uid: ark
userPassword: ark-secret
END
         chown -R openldap:openldap /var/lib/lab
         cat >/etc/dovecot/lab.conf <<'END'
hosts = 127.0.0.1
base = dc=example,dc=com
auth_bind = yes
auth_bind_userdn = uid=%u,dc=example,dc=com
END",
    driver: "ldap",
    start: "slapd -h ldap://127.0.0.1:389 -f /etc/ldap/lab.conf -u openldap -g openldap; sleep 1",
    pids: "cat /run/lab/slapd.pid",
};

const SQL: Directory = Directory {
    name: "PostgreSQL",
    make: "[ -d /etc/postgresql/15/main ] || pg_createcluster 15 main
         pg_ctlcluster 15 main start
         runuser -u postgres -- psql -qc \"create role dovecot login password 'lab';
             create table users (userid text, password text);
             insert into users values ('ark', '{PLAIN}ark-secret');
             grant select on users to dovecot\"
         pg_ctlcluster 15 main stop
         cat >/etc/dovecot/lab.conf <<'END'
driver = pgsql
connect = host=127.0.0.1 dbname=postgres user=dovecot password=lab
password_query = SELECT userid AS user, password FROM users WHERE userid = '%u'
END",
    driver: "sql",
    start: "pg_ctlcluster 15 main start",
    pids: "p=$(head -n 1 /var/lib/postgresql/15/main/postmaster.pid); echo $p; ps -o pid= --ppid $p",
};

/// What a check said, of the kit's two depths and of the original.
struct Row {
    place: String,
    login: Said,
    others: [Said; 2],
}

struct Said {
    status: Option<i32>,
    cause: String,
    took: Duration,
}

impl Said {
    fn of(ended: &Finished) -> Self {
        let line = ended.stderr.lines().last().unwrap_or_default();
        let cause = line.split_once(":dovecot:").map_or("", |(_, cause)| cause);
        Self { status: ended.status, cause: cause.to_owned(), took: ended.took }
    }

    fn cells(&self) -> String {
        let status = self.status.map_or("none".to_owned(), |status| status.to_string());
        format!("{status} in {:.2} s", self.took.as_secs_f64())
    }
}

/// Plays all, and prints a table.
///
/// # Errors
///
/// When a node cannot be made, or a check of the kit's is a fault or takes too long.
pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    heading("building the kit, and the image with OpenLDAP and PostgreSQL");
    let binary = lab::program("dovecot-ark")?;
    lab::prepare(Suite::Directories)?;
    let mut rows = Vec::new();
    for directory in [LDAP, SQL] {
        heading(directory.name);
        play(&binary, &directory, &mut rows)?;
    }
    heading(
        "the login check where a directory has the accounts; the greeting's and the original's",
    );
    for Row { place, login, others: [greeting, original] } in &rows {
        println!("{place}");
        println!("    login:    {}  {}", login.cells(), login.cause);
        println!("    greeting: {}   original: {}", greeting.cells(), original.cells());
    }
    println!("\n{} rows in {}", rows.len(), shown(started.elapsed()));
    let wrong = |row: &&Row| row.login.status != Some(0) || row.login.took > GRANTED;
    let warned = |row: &&Row| row.place.contains("before it") && !row.login.cause.is_empty();
    let misnamed = |row: &&Row| row.login.cause.contains("the account is refused");
    let all = rows.iter().filter(wrong).chain(rows.iter().filter(warned));
    let all = all.chain(rows.iter().filter(misnamed)).map(|row| row.place.as_str());
    let all: Vec<&str> = all.collect();
    if all.is_empty() { Ok(()) } else { Err(Error::failed("checking", all.join("; "))) }
}

/// Plays one directory on a node of its own.
fn play(binary: &std::path::Path, directory: &Directory, rows: &mut Vec<Row>) -> Result<()> {
    let node = kit::node_on(binary, Suite::Directories, Init::SysV)?;
    node.copy_original()?;
    let sh = |script: &str| node.sh(script)?.succeeded(format!("running {script}"));
    sh(ACCOUNT)?;
    sh(directory.make)?;
    for (account, first) in [("in it", ""), ("before it", PASSWD_FILE)] {
        sh(directory.start)?;
        node.write("/etc/dovecot/local.conf", &configuration(directory, first))?;
        probe(&node, "login")?;
        node.act("restore")?.succeeded("starting Dovecot")?;
        sh("doveadm mailbox create -u ark dovecot-ark 2>/dev/null || true")?;
        let mut look = |state: &str| -> Result<()> {
            let place = format!("{}, the account {account}: {state}", directory.name);
            let row = look(&node, place)?;
            println!("   {}: {}", row.place, row.login.cells());
            rows.push(row);
            Ok(())
        };
        look("it serves")?;
        // Nothing has failed yet, so the check is armed: only the kind of failure excuses it.
        let known = node.read("/run/dovecot-ark/.login")?;
        if !known.contains("\"armed\":true") {
            return Err(Error::failed("arming the check", known));
        }
        let each =
            |signal: &str| format!("for p in $({}); do kill -{signal} $p; done", directory.pids);
        sh(&each("STOP"))?;
        look("it is silent")?;
        sh(&each("CONT"))?;
        let first = format!(
            "set -- $({}); kill -INT $1; while kill -0 $1 2>/dev/null; do sleep 0.1; done",
            directory.pids
        );
        sh(&first)?;
        look("it refuses connections")?;
        node.act("remove")?.succeeded("stopping Dovecot")?;
    }
    Ok(())
}

/// A passwd-file with the account, which is asked first.
const PASSWD_FILE: &str = "passdb {\n  driver = passwd-file\n  args = /etc/dovecot/users\n}\n";

/// Dovecot's configuration, with this before the directory.
fn configuration(directory: &Directory, first: &str) -> String {
    format!(
        "log_path = /var/log/dovecot.log\ndisable_plaintext_auth = no\n\
         mail_location = maildir:~/Maildir\n{first}\
         passdb {{\n  driver = {}\n  args = /etc/dovecot/lab.conf\n}}\n\
         userdb {{\n  driver = static\n  \
         args = uid=vmail gid=vmail home=/srv/vmail/%u allow_all_users=yes\n}}\n",
        directory.driver
    )
}

fn probe(node: &Node, depth: &str) -> Result<()> {
    node.write(DEFAULTS, &format!("APP_DOVECOT_PROBE={depth}\n"))
}

/// Checks once by each.
fn look(node: &Node, place: String) -> Result<Row> {
    probe(node, "login")?;
    let login = Said::of(&node.act("quickCheck")?);
    probe(node, "greeting")?;
    let greeting = Said::of(&node.act("quickCheck")?);
    let words = [&format!("{ORIGINAL}/quickCheck"), "-t", "dovecot", "-i", "dovecot"];
    let original = Said::of(&node.spawn(&words)?.wait(GRANTED)?);
    probe(node, "login")?;
    Ok(Row { place, login, others: [greeting, original] })
}
