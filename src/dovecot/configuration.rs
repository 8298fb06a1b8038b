//! Dovecot's configuration as Dovecot itself reads it: `doveconf`, or `dovecot -n` before 2.0.
//!
//! The dump is flattened to one entry a setting, so that two nodes can be compared. Nothing of it
//! is lost: what is not understood becomes an entry as it stands. Secrets are not in it: `doveconf`
//! hides them unless it is asked with `-P`, and what else looks like one is hidden here.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::instance::Instance;
use crate::system::System;

/// The longest that a dump may take. It takes 20 ms.
pub const LIMIT: Duration = Duration::from_secs(3);

/// The longest path of a section, in bytes; real ones have some hundred. What stands in a section
/// below is told as if it stood in this one: else the paths of nested sections fill the memory.
pub(crate) const MAX_PATH: usize = 512;

/// The most listeners, and the most words of a list, that are looked at. Real ones have some ten.
pub(crate) const ENOUGH: usize = 1000;

/// What replaces a secret.
pub(crate) const HIDDEN: &str = "# hidden";

/// Settings that differ from Dovecot's defaults: `service imap-login/inet_listener imap/port` and
/// its value.
pub(crate) type Settings = BTreeMap<String, String>;

/// A TCP port on which Dovecot is to listen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Listener {
    /// The service and the listener's own name.
    pub(crate) name: String,
    pub(crate) port: u16,
    /// The addresses, as they are written: `*`, `::`, an address or a name.
    pub(crate) addresses: Vec<String>,
    #[serde(default)]
    pub(crate) opening: Opening,
}

/// What a listener does first with a client.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Opening {
    /// It greets, or speaks a protocol in which the client begins.
    #[default]
    Plain,
    /// It waits for the client's TLS (`ssl = yes`).
    Tls,
    /// It waits for the header of a load balancer (`haproxy = yes`).
    Proxied,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on port {} of {}", self.name, self.port, self.addresses.join(" "))
    }
}

impl Listener {
    /// Whether it accepts connections to an address. A name may mean any.
    pub(crate) fn covers(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|word| match (word.as_str(), ip(word)) {
            ("*", _) => address.is_ipv4(),
            (_, Some(listed)) if listed.is_unspecified() => listed.is_ipv4() == address.is_ipv4(),
            (_, Some(listed)) => listed == address,
            (_, None) => true,
        })
    }

    /// Whether it lists this very address. The kernel prefers such a socket to one on all addresses.
    pub(crate) fn lists(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|word| ip(word) == Some(address))
    }

    pub(crate) fn service(&self) -> &str {
        self.name.split(' ').next().unwrap_or_default()
    }
}

/// An address as it is written, without the brackets of IPv6.
pub(super) fn ip(word: &str) -> Option<IpAddr> {
    word.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The settings that differ from Dovecot's defaults.
///
/// # Errors
///
/// Why there are none, in Dovecot's own words: the file and the line of a mistake.
pub(crate) fn settings(system: &impl System, instance: &Instance) -> Result<Settings, String> {
    let has_doveconf = instance.command(system, "doveconf", &[]).is_some();
    let tool = if has_doveconf { "doveconf" } else { "dovecot" };
    ask(system, instance, tool, &["-n"]).map(|dump| flatten(&dump))
}

/// The names of the files of keys, by the names of their settings, where a dump hides them: 2.0 to 2.3
/// do unless they are asked for secrets. Nothing else of that answer is kept.
pub(crate) fn hidden_key_files(system: &impl System, instance: &Instance) -> Settings {
    let told = ask(system, instance, "doveconf", &["-n", "-P"]).map(|dump| flatten(&dump));
    let mut told = told.unwrap_or_default();
    told.retain(|name, value| name.ends_with("_key") && value.starts_with('<'));
    told
}

/// The TCP ports on which Dovecot is to listen with this configuration.
///
/// # Errors
///
/// Why they cannot be told; before 2.0 they cannot.
pub(crate) fn listeners(
    system: &impl System,
    instance: &Instance,
) -> Result<Vec<Listener>, String> {
    let names = ["protocols", "listen", "ssl", "service"];
    values(system, instance, &names).map(|settings| listeners_in(&settings))
}

/// Settings by their names, also those that have their defaults: 2.4 leaves these out of `-a`.
///
/// # Errors
///
/// Why they cannot be told; before 2.0 they cannot.
pub(crate) fn values(
    system: &impl System,
    instance: &Instance,
    names: &[&str],
) -> Result<Settings, String> {
    ask(system, instance, "doveconf", names).map(|dump| flatten(&dump))
}

fn ask(
    system: &impl System,
    instance: &Instance,
    tool: &str,
    arguments: &[&str],
) -> Result<String, String> {
    let command = instance.command(system, tool, arguments).ok_or_else(|| {
        let directories = crate::system::PROGRAM_DIRECTORIES.join(", ");
        format!("there is no {tool} beside Dovecot or in {directories}")
    })?;
    let command = command.asked();
    let ended = system.run(&command, LIMIT);
    log::debug!("`{command}`: {}", ended.end);
    if ended.succeeded() { Ok(ended.answer) } else { Err(format!("`{command}`: {ended}")) }
}

/// Reads a dump in the form of 2.x, `name = value` in sections of braces, and in that of 1.x,
/// `name: value` in sections of deeper indentation.
pub(crate) fn flatten(dump: &str) -> Settings {
    let mut entries = Entries::default();
    // The open sections: the indentation of their first line, their path, and what closes them.
    let mut open: Vec<(usize, String, Closing)> = Vec::new();
    for line in dump.lines() {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        while open
            .last()
            .is_some_and(|(at, _, closing)| *closing == Closing::Indentation && *at >= indent)
        {
            open.pop();
        }
        let path = |name: &str| match open.last() {
            Some((_, path, _)) => format!("{path}/{name}"),
            None => name.to_owned(),
        };
        if text == "}" {
            open.pop();
        } else if let Some((name, value)) = text.split_once(" =").filter(|(name, _)| is_name(name))
        {
            entries.insert(&path(name), value.trim());
        } else if let Some((name, closing)) = section(text) {
            // The section itself is an entry: an empty one means something too.
            let name = entries.insert(&path(name), "{}");
            let outer = || open.last().map_or_else(String::new, |(_, path, _)| path.clone());
            let path = if name.len() <= MAX_PATH { name } else { outer() };
            open.push((indent, path, closing));
        } else if let Some((name, value)) = text.split_once(": ").filter(|(name, _)| is_name(name))
        {
            entries.insert(&path(name), value.trim());
        } else {
            // The rest of a value that goes on may hold a password too.
            entries.insert(&path(if is_secret("", text) { HIDDEN } else { text }), "");
        }
    }
    entries.settings
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Closing {
    /// A brace, as in 2.x.
    Brace,
    /// The next line that is not indented deeper, as in 1.x.
    Indentation,
}

/// The name of a section that a line opens, and what closes it.
fn section(text: &str) -> Option<(&str, Closing)> {
    let braced = text.strip_suffix('{').map(|name| (name.trim_end(), Closing::Brace));
    braced.or_else(|| Some((text.strip_suffix(':')?, Closing::Indentation)))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains([' ', '{', '"'])
}

#[derive(Default)]
struct Entries {
    settings: Settings,
    /// How often a name came that was there.
    again: BTreeMap<String, usize>,
}

impl Entries {
    /// Adds an entry, under a name with a number if there is one of this name.
    fn insert(&mut self, name: &str, value: &str) -> String {
        let value = if is_secret(name, value) { HIDDEN } else { value };
        let mut free = name.to_owned();
        while self.settings.contains_key(&free) {
            // The numbers up to here are taken: who began anew each time would never end.
            let again = self.again.entry(name.to_owned()).or_insert(1);
            *again += 1;
            free = format!("{name} ({again})");
        }
        self.settings.insert(free.clone(), value.to_owned());
        free
    }
}

/// Whether a value must not be shown: a password in a setting's name or in its value.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    let value = value.to_ascii_lowercase();
    let names = ["password", "_pass", "secret", "api_key", "api_header", "nonce"];
    let values = ["password=", "pass=", "secret="];
    !value.is_empty()
        && (name == "pass"
            || names.iter().any(|word| name.ends_with(word))
            || values.iter().any(|word| value.contains(word)))
}

/// The listeners of the enabled protocols, from `protocols`, `listen` and `service`.
pub(crate) fn listeners_in(settings: &Settings) -> Vec<Listener> {
    let protocols = words(settings, "protocols");
    let has_tls = settings.get("ssl").is_none_or(|value| value != "no");
    let everywhere = words(settings, "listen");
    let mut listeners = Vec::new();
    for (name, value) in settings {
        if listeners.len() == ENOUGH {
            break;
        }
        let Some((place, port)) = name.strip_suffix("/port").zip(value.parse().ok()) else {
            continue;
        };
        let Some((service, listener)) = place.split_once("/inet_listener") else { continue };
        let protocol = settings.get(&format!("{service}/protocol")).map_or("", String::as_str);
        if port == 0 || !(protocol.is_empty() || protocols.iter().any(|one| one == protocol)) {
            continue;
        }
        let says_yes =
            |key: &str| settings.get(&format!("{place}/{key}")).is_some_and(|value| value == "yes");
        if says_yes("ssl") && !has_tls {
            // With `ssl = no` Dovecot does not open it (seen with 2.3.19 and 2.4.1).
            continue;
        }
        // Its own addresses are `address` up to 2.3, then `listen`.
        let own = ["address", "listen"].map(|key| words(settings, &format!("{place}/{key}")));
        let own = own.into_iter().find(|addresses| !addresses.is_empty());
        listeners.push(Listener {
            name: format!("{}{listener}", service.trim_start_matches("service ")),
            port,
            addresses: own.unwrap_or_else(|| everywhere.clone()),
            opening: match (says_yes("haproxy"), says_yes("ssl")) {
                (true, _) => Opening::Proxied,
                (false, true) => Opening::Tls,
                (false, false) => Opening::Plain,
            },
        });
    }
    listeners
}

/// A list: words that blanks and commas split, or in a section of 2.4 the names that say yes.
pub(crate) fn words(settings: &Settings, name: &str) -> Vec<String> {
    let inside = format!("{name}/");
    let listed = settings.get(name).into_iter().flat_map(|value| value.split([' ', ',', '"']));
    let chosen = settings
        .range(inside.clone()..)
        .map_while(|(key, value)| Some((key.strip_prefix(&inside)?, value)))
        .filter(|(word, value)| *value == "yes" && !word.contains('/') && !word.contains(" ("))
        .map(|(word, _)| word);
    let words = listed.chain(chosen).filter(|word| !["", "{}"].contains(word));
    words.take(ENOUGH).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;
    use crate::test_bytes::{self, pieces};
    use proptest::prelude::*;

    const V2_3: &str = r#"
# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf
# Hostname: node1
disable_plaintext_auth = no
login_greeting = "a { b } # c"
namespace inbox {
  inbox = yes
  location =
  mailbox Drafts {
    special_use = \Drafts
  }
  mailbox "Sent Messages" {
    special_use = \Sent
  }
  prefix =
}
passdb {
  args = /etc/dovecot/users
  driver = passwd-file
}
passdb {
  args = /etc/dovecot/sql.conf.ext
  driver = sql
}
plugin {
  quota_rule = *:storage=1G
}
ssl_key = # hidden, use -P to show it
remote 10.0.0.0/8 {
  disable_plaintext_auth = yes
}
"#;

    const V1: &str = "
# 1.0.7: /etc/dovecot.conf
protocols: imap pop3
login_greeting: a: b
auth default:
  passdb:
    driver: pam
  userdb:
    driver: passwd
plugin:
  quota: maildir
";

    /// `doveconf protocols listen service`, shortened.
    const LISTENERS_2_3: &str = "
service imap-login {
  inet_listener imap {
    address =
    port = 143
  }
  inet_listener imaps {
    address = 192.0.2.10 ::1
    port = 993
  }
  protocol = imap
}
service pop3-login {
  inet_listener pop3 {
    port = 110
  }
  inet_listener pop3s {
    port = 0
  }
  protocol = pop3
}
service auth {
  inet_listener {
    port = 12345
  }
  protocol =
}
service submission-login {
  inet_listener submission {
    port = 587
  }
  protocol = submission
}
protocols =  imap pop3
listen = *, ::
";

    const LISTENERS_2_4: &str = "
protocols {
  imap = yes
  pop3 = yes
  lmtp = no
}
listen = * ::
service imap-login {
  protocol = imap
  inet_listener imap {
    port = 143
  }
  inet_listener imaps {
    port = 993
    ssl = yes
    listen = 192.0.2.10 ::1
  }
}
service pop3-login {
  protocol = pop3
  inet_listener pop3 {
    port = 110
  }
}
service lmtp {
  protocol = lmtp
  inet_listener lmtp {
    port = 24
  }
}
service auth {
  inet_listener {
    port = 12345
  }
}
";

    fn shown(dump: &str) -> Vec<String> {
        flatten(dump).iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn a_dump_of_2_3_becomes_one_entry_a_setting() {
        assert_eq!(
            shown(V2_3),
            [
                "disable_plaintext_auth: no",
                "login_greeting: \"a { b } # c\"",
                "namespace inbox: {}",
                "namespace inbox/inbox: yes",
                "namespace inbox/location: ",
                "namespace inbox/mailbox \"Sent Messages\": {}",
                "namespace inbox/mailbox \"Sent Messages\"/special_use: \\Sent",
                "namespace inbox/mailbox Drafts: {}",
                "namespace inbox/mailbox Drafts/special_use: \\Drafts",
                "namespace inbox/prefix: ",
                "passdb: {}",
                "passdb (2): {}",
                "passdb (2)/args: /etc/dovecot/sql.conf.ext",
                "passdb (2)/driver: sql",
                "passdb/args: /etc/dovecot/users",
                "passdb/driver: passwd-file",
                "plugin: {}",
                "plugin/quota_rule: *:storage=1G",
                "remote 10.0.0.0/8: {}",
                "remote 10.0.0.0/8/disable_plaintext_auth: yes",
                "ssl_key: # hidden, use -P to show it",
            ]
        );
    }

    #[test]
    fn a_dump_of_1_2_is_read_by_its_indentation() {
        assert_eq!(
            shown(V1),
            [
                "auth default: {}",
                "auth default/passdb: {}",
                "auth default/passdb/driver: pam",
                "auth default/userdb: {}",
                "auth default/userdb/driver: passwd",
                "login_greeting: a: b",
                "plugin: {}",
                "plugin/quota: maildir",
                "protocols: imap pop3",
            ]
        );
    }

    #[test]
    fn what_is_no_dump_is_kept_as_it_stands() {
        assert_eq!(shown("}\n}\nwhat?\n= 3\n{\n"), [": {}", "= 3: ", "what?: "]);
        assert_eq!(shown(""), Vec::<String>::new());
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden() {
        for (line, value) in [
            ("mysql_password = x", HIDDEN),
            ("doveadm_api_key = x", HIDDEN),
            ("connect = host=db user=mail password=x", HIDDEN),
            ("args = url=http://host/?Pass=x", HIDDEN),
            ("auth_policy_server_api_header = Authorization: Basic x", HIDDEN),
            ("pass = x", HIDDEN),
            ("auth_bind_bypass = yes", "yes"),
            ("imapc_password = ", ""),
            ("imapc_password = # hidden, use -P to show it", HIDDEN),
            ("args = scheme=PLAIN /etc/dovecot/users", "scheme=PLAIN /etc/dovecot/users"),
            ("driver = passwd-file", "passwd-file"),
        ] {
            assert_eq!(flatten(line).into_values().next().as_deref(), Some(value), "{line}");
        }
        let twice = "mysql_password = x\nmysql_password = y\nargs = 1\n  password=z\n";
        let shown = shown(twice);
        assert_eq!(
            shown,
            ["# hidden: ", "args: 1", "mysql_password: # hidden", "mysql_password (2): # hidden"]
        );
    }

    #[test]
    fn listeners_of_enabled_protocols_are_found_with_their_addresses() {
        for dump in [LISTENERS_2_3, LISTENERS_2_4] {
            let found: Vec<String> = listeners_in(&flatten(dump))
                .iter()
                .map(|one| format!("{} {} {}", one.name, one.port, one.addresses.join("+")))
                .collect();
            assert_eq!(
                found,
                [
                    "auth 12345 *+::",
                    "imap-login imap 143 *+::",
                    "imap-login imaps 993 192.0.2.10+::1",
                    "pop3-login pop3 110 *+::",
                ],
                "{dump}"
            );
        }
    }

    #[test]
    fn what_a_listener_does_first_is_told_and_without_tls_its_listeners_are_none() {
        let listeners = "inet_listener a {\nport = 143\n}\ninet_listener b {\nport = 993\nssl = yes\n}\n\
             inet_listener c {\nport = 144\nhaproxy = yes\nssl = yes\n}\n";
        let openings = |ssl: &str| -> Vec<(u16, Opening)> {
            let dump = format!("listen = *\n{ssl}service imap-login {{\n{listeners}}}\n");
            listeners_in(&flatten(&dump)).iter().map(|one| (one.port, one.opening)).collect()
        };
        let all = [(143, Opening::Plain), (993, Opening::Tls), (144, Opening::Proxied)];
        for ssl in ["", "ssl = yes\n", "ssl = required\n"] {
            assert_eq!(openings(ssl), all, "{ssl}");
        }
        assert_eq!(openings("ssl = no\n"), [(143, Opening::Plain)]);
    }

    #[test]
    fn what_stands_deeper_in_a_section_is_no_word_of_a_list() {
        let dump = "listen {\n  a = yes\n  b {\n    c = yes\n  }\n}\n";
        assert_eq!(words(&flatten(dump), "listen"), ["a"]);
    }

    #[test]
    fn a_listener_covers_its_addresses_and_each_family_apart() {
        for (addresses, address, covered) in [
            ("*", "192.0.2.1", true),
            ("0.0.0.0", "192.0.2.1", true),
            ("*", "::1", false),
            ("::", "2001:db8::1", true),
            ("[::]", "2001:db8::1", true),
            ("::", "127.0.0.1", false),
            ("127.0.0.1 192.0.2.1", "192.0.2.1", true),
            ("127.0.0.1", "192.0.2.1", false),
            ("mail.example.com", "192.0.2.1", true),
            ("", "192.0.2.1", false),
        ] {
            let words = addresses.split(' ').filter(|word| !word.is_empty());
            let addresses = words.map(str::to_owned).collect();
            let opening = Opening::Plain;
            let listener = Listener { name: "x".into(), port: 143, addresses, opening };
            let address = address.parse().expect(address);
            assert_eq!(listener.covers(address), covered, "{listener:?} {address}");
            assert!(covered || !listener.lists(address), "{listener:?} {address}");
        }
    }

    #[test]
    fn a_dump_that_repeats_or_nests_without_end_takes_neither_time_nor_memory() {
        let lines = 5_000;
        for dump in ["a\n", "a {\n", "a:\n", "a = b\n"].map(|line| line.repeat(lines)) {
            assert_eq!(flatten(&dump).len(), lines, "{dump:.9}");
        }
        let deeper: Vec<String> = (0..2_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        let longest = flatten(&deeper.concat()).into_keys().map(|name| name.len()).max();
        assert!(longest < Some(MAX_PATH + 20), "{longest:?}");
        let listener = "inet_listener x {\nport = 1\n}\n".repeat(2_000);
        let dump = format!("listen = {}\nservice x {{\n{listener}}}\n", "x ".repeat(2_000));
        let listeners = listeners_in(&flatten(&dump));
        assert_eq!(listeners.len(), ENOUGH);
        assert!(listeners.iter().all(|one| one.addresses.len() == ENOUGH));
    }

    /// What dumps are made of.
    const WORDS: &[&str] = &[
        "\n",
        "\n",
        "\n  ",
        "\n    ",
        " = ",
        " =",
        ": ",
        ":",
        " {",
        "{",
        "}",
        "\n}",
        "#",
        "\"",
        "service ",
        "imap",
        "inet_listener",
        "/",
        "port = 143",
        "port: 110",
        "protocol = imap",
        "protocols = imap",
        "listen = * ::",
        "listen = 192.0.2.1",
        "yes",
        "password",
        "password=x",
        "secret = x",
        "a",
        "a (2)",
        "\na\n",
        "\nb = x\n",
        "\nc {\n",
        "\n  d:\n",
        " (2)",
        "passdb {",
        "\t",
        "\r\n",
        "\u{3000}",
    ];

    /// A name, and a value or what stands in the section.
    #[derive(Clone, Debug)]
    enum Node {
        Setting(String),
        Section(BTreeMap<String, Node>),
    }

    fn nodes() -> impl Strategy<Value = BTreeMap<String, Node>> {
        let name = || "[a-z]{1,6}( [a-z]{1,6})?";
        let setting = "[a-z0-9/*.]{1,8}( [a-z]{1,4})?".prop_map(Node::Setting);
        let node = setting.prop_recursive(4, 30, 5, move |node| {
            prop::collection::btree_map(name(), node, 0..5).prop_map(Node::Section)
        });
        prop::collection::btree_map("[a-z_]{1,8}", node, 0..6)
    }

    /// Writes a dump as 2.x or as 1.x, and the entries that it has.
    fn write(
        nodes: &BTreeMap<String, Node>,
        closing: Closing,
        path: &str,
        out: &mut (Vec<String>, Settings),
    ) {
        let indent = "  ".repeat(path.matches('/').count());
        for (name, node) in nodes {
            match node {
                Node::Setting(value) => {
                    let name = name.replace(' ', "_");
                    let sign = if closing == Closing::Brace { " =" } else { ":" };
                    out.0.push(format!("{indent}{name}{sign} {value}"));
                    out.1.insert(format!("{path}{name}"), value.clone());
                }
                Node::Section(inside) => {
                    let sign = if closing == Closing::Brace { " {" } else { ":" };
                    out.0.push(format!("{indent}{name}{sign}"));
                    out.1.insert(format!("{path}{name}"), "{}".into());
                    write(inside, closing, &format!("{path}{name}/"), out);
                    if closing == Closing::Brace {
                        out.0.push(format!("{indent}}}"));
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn any_dump_has_an_entry_for_each_line_and_no_password(dump in pieces(WORDS, 40)) {
            invariants::configuration(&dump);
        }

        #[test]
        fn a_dump_in_either_form_becomes_the_entries_that_were_written(nodes in nodes()) {
            for closing in [Closing::Brace, Closing::Indentation] {
                let mut written = (Vec::new(), Settings::new());
                write(&nodes, closing, "", &mut written);
                let dump = written.0.join("\n");
                prop_assert_eq!(flatten(&dump), written.1, "{}", dump);
            }
        }
    }
}
