//! The configuration of other programs that may start Dovecot: supervisors that name it, and files
//! with commands, of which only one that starts or restarts it counts.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files;

/// The other cluster engine.
const PACEMAKER: &str = "Pacemaker";

/// A program, and what says whether a text of it counts, and whether it starts Dovecot.
type Reader<'a> = (&'a str, fn(&str) -> Option<bool>);

/// Each program and kind of file with commands, and where such files are.
const PLACES: [(Reader<'_>, &[&str]); 8] = [
    (("monit", mentioned), &["etc/monitrc", "etc/monit.conf", "etc/monit.d", "etc/monit"]),
    (("supervisord", mentioned), &["etc/supervisord.conf", "etc/supervisord.d", "etc/supervisor"]),
    ((PACEMAKER, mentioned), &["var/lib/pacemaker/cib/cib.xml"]),
    (
        ("cron", commanded),
        &[
            "etc/crontab",
            "etc/anacrontab",
            "etc/cron.d",
            "etc/cron.hourly",
            "etc/cron.daily",
            "etc/cron.weekly",
            "etc/cron.monthly",
            "var/spool/cron",
        ],
    ),
    (("rc.local", commanded), &["etc/rc.local", "etc/rc.d/rc.local"]),
    (("keepalived", commanded), &["etc/keepalived"]),
    (
        ("certbot", commanded),
        &["etc/letsencrypt/renewal-hooks", "etc/letsencrypt/renewal", "etc/letsencrypt/cli.ini"],
    ),
    (("logrotate", commanded), &["etc/logrotate.conf", "etc/logrotate.d"]),
];

/// The verbs of service commands that also start what is stopped. `try-restart` and `reload` do not.
const VERBS: [&str; 4] = ["start", "restart", "reload-or-restart", "force-restart"];

/// A directory of what is not in effect (Debian's monit).
const NOT_IN_EFFECT: &str = "conf-available";

/// How deep directories are looked into.
const MAX_DEPTH: usize = 3;

/// How many entries of a directory are looked at.
const MAX_ENTRIES: usize = 500;

/// How much of a file is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// A file of another program's configuration that names Dovecot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Mention {
    pub(crate) program: String,
    pub(crate) file: String,
    /// Whether the file also says that something is to be started.
    pub(crate) starts: bool,
    /// Dovecot's resource, where the program is another cluster engine: its name and its agent. The
    /// kit did not look for it before 0.2.
    #[serde(default)]
    pub(crate) resource: Option<String>,
}

/// Looks for files that name Dovecot outside of comments.
pub(crate) fn gather(root: &Path) -> Vec<Mention> {
    let mut mentions = Vec::new();
    for (reader, places) in PLACES {
        for place in places {
            walk(root, Path::new(place), reader, MAX_DEPTH, &mut mentions);
        }
    }
    mentions
}

fn walk(root: &Path, place: &Path, reader: Reader<'_>, depth: usize, mentions: &mut Vec<Mention>) {
    let (program, judge) = reader;
    let path = root.join(place);
    let Ok(data) = fs::metadata(&path) else { return };
    if data.is_dir() && depth > 0 && !place.ends_with(NOT_IN_EFFECT) {
        let entries = fs::read_dir(&path).into_iter().flatten().flatten().take(MAX_ENTRIES);
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            walk(root, &place.join(name), reader, depth - 1, mentions);
        }
    } else if data.is_file() {
        let Ok(text) = files::read_regular(&path, MAX_FILE) else { return };
        let text = String::from_utf8_lossy(&text);
        if let Some(starts) = judge(&text) {
            let resource = (program == PACEMAKER).then(|| resource(&text)).flatten();
            let (program, file) = (program.to_owned(), format!("/{}", place.display()));
            mentions.push(Mention { program, file, starts, resource });
        }
    }
}

/// Whether a text names Dovecot, and if so, whether it speaks of starting too.
fn mentioned(text: &str) -> Option<bool> {
    let lines = || text.lines().filter(|line| !line.trim_start().starts_with(['#', ';']));
    let names = |line: &str| line.to_ascii_lowercase().contains("dovecot");
    let starts = |line: &str| line.to_ascii_lowercase().contains("start");
    lines().any(names).then(|| lines().any(starts))
}

/// The first resource of Pacemaker's configuration that is a Dovecot, as `crm_mon(8)` writes it: `mail
/// (ocf:dovecot-ark:dovecot)`. Its agent, or the unit or script that it starts, has that name.
fn resource(cib: &str) -> Option<String> {
    let is_resource = |one: &&str| one.starts_with("primitive ") || one.starts_with("template ");
    cib.split('<').filter(is_resource).find_map(|element| {
        let (element, _) = element.split_once('>')?;
        let value = |name: &str| {
            let (_, rest) = element.split_once(&format!(" {name}=\""))?;
            rest.split_once('"').map(|(value, _)| value)
        };
        let (class, kind) = (value("class")?, value("type")?);
        let is_dovecot = matches!(kind.split(['.', '@']).next(), Some("dovecot"));
        let provider = value("provider").map(|name| format!(":{name}")).unwrap_or_default();
        is_dovecot.then(|| format!("{} ({class}{provider}:{kind})", value("id").unwrap_or(kind)))
    })
}

/// Whether a text has a command that starts or restarts Dovecot, and if so, whether nothing in it asks
/// before whether Dovecot is active. A wrong yes has somebody read a file; a wrong no lets a standby
/// run beside the active node.
fn commanded(text: &str) -> Option<bool> {
    let lines = || text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let is_dovecot = |word: &str| {
        let name = word.rsplit('/').next().unwrap_or(word);
        matches!(name, "dovecot" | "dovecot.service" | "rcdovecot")
    };
    let starts = |command: &str| {
        let words = || command.split(|c: char| c.is_whitespace() || "\"'()=`".contains(c));
        words().any(is_dovecot) && words().any(|word| VERBS.contains(&word))
    };
    let is_guarded = || lines().any(|line| line.contains("is-active"));
    lines().flat_map(|line| line.split([';', '&', '|'])).any(starts).then(|| !is_guarded())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;

    #[test]
    fn a_command_counts_where_it_would_start_a_stopped_dovecot() {
        for (text, expected) in [
            ("0 3 * * * root systemctl restart dovecot\n", Some(true)),
            ("renew_hook = systemctl restart dovecot.service", Some(true)),
            ("  postrotate\n    /etc/init.d/dovecot restart >/dev/null\n", Some(true)),
            ("notify_master \"/usr/bin/systemctl start dovecot\"", Some(true)),
            ("service postfix reload; service dovecot start", Some(true)),
            ("systemctl is-active dovecot && systemctl restart dovecot", Some(false)),
            ("# systemctl restart dovecot", None),
            ("systemctl try-restart dovecot", None),
            ("systemctl reload dovecot", None),
            ("doveadm reload; systemctl restart nginx", None),
            ("systemctl restart dovecot-exporter", None),
            ("", None),
        ] {
            assert_eq!(commanded(text), expected, "{text}");
        }
        let root = TestRoot::new();
        root.write("etc/cron.d/mail", "0 3 * * * root service dovecot restart\n");
        root.write("etc/logrotate.d/dovecot", "postrotate\n doveadm log reopen\n");
        root.write("etc/letsencrypt/renewal-hooks/deploy/x", "systemctl restart dovecot\n");
        let found: Vec<String> = gather(root.path())
            .into_iter()
            .map(|one| format!("{} {}", one.program, one.file))
            .collect();
        let hook = "certbot /etc/letsencrypt/renewal-hooks/deploy/x";
        assert_eq!(found, ["cron /etc/cron.d/mail", hook]);
    }

    #[test]
    fn a_resource_of_pacemaker_that_is_a_dovecot_is_named_with_its_agent() {
        for (cib, expected) in [
            (
                r#"<primitive id="ip-dovecot" class="ocf" provider="heartbeat" type="IPaddr2"/>
                   <primitive class="ocf" provider="dovecot-ark" type="dovecot" id="mail"><op/>"#,
                Some("mail (ocf:dovecot-ark:dovecot)"),
            ),
            (r#"<primitive id="a" class="systemd" type="dovecot"/>"#, Some("a (systemd:dovecot)")),
            (
                r#"<template id="t" class="service" type="dovecot.service">"#,
                Some("t (service:dovecot.service)"),
            ),
            (r#"<primitive id="dovecot" class="ocf" provider="x" type="Filesystem"/>"#, None),
            (r#"<primitive id="a" class="systemd" type="dovecot-exporter"/>"#, None),
            (r#"<primitive id="a" class="systemd" type="dovecot"#, None),
            ("", None),
        ] {
            assert_eq!(resource(cib).as_deref(), expected, "{cib}");
        }
    }

    #[test]
    fn files_that_name_dovecot_are_found_and_comments_are_not() {
        let root = TestRoot::new();
        root.write("etc/monitrc", "include /etc/monit.d/*\n# check process dovecot\n");
        root.write(
            "etc/monit.d/mail",
            "check process Dovecot with pidfile x\n  start program = y\n",
        );
        root.write("etc/monit/conf-enabled/mail", "check host dovecot with address 127.0.0.1\n");
        root.write("etc/monit/conf-available/dovecot", "check process dovecot\n");
        root.write("etc/monit.d/ssh", "check process sshd\n start program = x\n");
        root.write("etc/monit.d/a/b/c/d/deep", "dovecot\n");
        root.write("var/lib/pacemaker/cib/cib.xml", "<primitive type=\"dovecot\"/>\n");
        let found: Vec<String> = gather(root.path())
            .iter()
            .map(|one| format!("{} {} {}", one.program, one.file, one.starts))
            .collect();
        assert_eq!(
            found,
            [
                "monit /etc/monit.d/mail true",
                "monit /etc/monit/conf-enabled/mail false",
                "Pacemaker /var/lib/pacemaker/cib/cib.xml false",
            ]
        );
        assert_eq!(gather(TestRoot::new().path()), []);
    }
}
