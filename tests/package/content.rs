//! What the package says of itself, and what it holds.

use lab::{ACTIONS, Init, STUBS};

use crate::kit::Kit;
use crate::packaged::{VERSION, assert_verified, bare, file, lay};

/// The directory of the pages in the sources.
const MAN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/man");

/// The pages, each with its section.
const PAGES: [(&str, &str); 9] = [
    ("dovecot-ark.8", "8"),
    ("dovecot-ark-actions.8", "8"),
    ("dovecot-ark-doctor.8", "8"),
    ("dovecot-ark-install.8", "8"),
    ("dovecot-ark-status.8", "8"),
    ("dovecot-ark.conf.5", "5"),
    ("dovecot-ark-guide.7", "7"),
    ("dovecot-ark-messages.7", "7"),
    ("ocf_dovecot-ark_dovecot.7", "7"),
];

/// Asks rpm about the package's file.
#[track_caller]
fn asked(kit: &Kit, query: &str) -> String {
    kit.sh(&format!("rpm -qp {query} {}", file(VERSION)))
}

#[test]
fn it_asks_for_nothing_that_a_node_may_lack() {
    let kit = bare(Init::SysV);
    let requires = asked(&kit, "--requires");
    for line in requires.lines() {
        let known = line == "/bin/sh"
            || line == "glibc >= 2.17"
            || line.starts_with("config(dovecot-ark) = ")
            || line.starts_with("rpmlib(");
        assert!(known, "{requires}");
        // What rpm itself must be able to do: nothing that 4.11 cannot.
        let old = ["CompressedFileNames", "FileDigests", "PayloadFilesHavePrefix"];
        assert!(
            !line.starts_with("rpmlib(") || old.iter().any(|what| line.contains(what)),
            "{line}"
        );
    }
    assert_eq!(asked(&kit, "--suggests"), "dovecot\n");
    for word in ["--recommends", "--conflicts", "--obsoletes", "--supplements", "--enhances"] {
        assert_eq!(asked(&kit, word), "", "{word}");
    }
    assert_eq!(
        asked(&kit, "--qf '%{PAYLOADCOMPRESSOR} %{LICENSE} %{ARCH}\\n'"),
        "gzip MIT x86_64\n"
    );
}

#[test]
fn it_says_what_it_is_and_what_has_changed_and_names_no_publisher() {
    let kit = bare(Init::SysV);
    let said = asked(&kit, "--qf '%{SUMMARY}\\n%{DESCRIPTION}\\n%{URL} %{VENDOR}\\n'");
    let (summary, rest) = said.split_once('\n').expect("a summary");
    assert!(!rest.starts_with(summary), "the description says more: {said}");
    for word in ["Application Recovery Kit", "SIOS LifeKeeper", "Pacemaker", "dovecot-ark-guide(7)"]
    {
        assert!(rest.contains(word), "{word}: {said}");
    }
    assert!(rest.lines().all(|line| line.chars().count() < 80), "{said}");
    assert!(said.ends_with("\n(none) (none)\n"), "{said}");
    let changes = asked(&kit, "--changelog");
    let (head, items) = changes.split_once('\n').expect("a head");
    assert!(head.ends_with(&format!(" dovecot-ark - {VERSION}-1")), "{head}");
    assert!(items.starts_with("Added:\n- "), "{items}");
}

#[test]
fn rpm_4_11_finds_the_two_tags_that_it_needs() {
    let kit = bare(Init::SysV);
    let tags = asked(&kit, "--qf '%{ARCHIVESIZE} %{SIGMD5}\\n'");
    let (size, sum) = tags.trim().split_once(' ').expect("two tags");
    let unpacked = kit.sh(&format!("rpm2archive - <{} | gzip -dc | wc -c", file(VERSION)));
    let (size, unpacked): (u64, u64) =
        (size.parse().expect("a size"), unpacked.trim().parse().expect("a size"));
    // The archive that rpm2archive makes is another kind of the same files.
    assert!(size > unpacked / 2 && size < unpacked * 2, "{size} is not like {unpacked}");
    assert_eq!(sum.len(), 32, "{tags}");
    let checked = kit.sh(&format!("rpm -Kv {}", file(VERSION)));
    assert!(checked.contains("MD5 digest: OK") && !checked.contains("BAD"), "{checked}");
    let checked = kit.sh(&format!("rpm -K {}", file(VERSION)));
    assert!(checked.ends_with("digests OK\n"), "{checked}");
}

#[test]
fn its_files_are_where_and_as_they_must_be() {
    let kit = bare(Init::Systemd);
    lay(&kit.node);
    assert_verified(&kit, VERSION);
    let listed = kit.sh("rpm -ql dovecot-ark | xargs stat -c '%a %U:%G %n' | sort -k 3");
    let expected = [
        "644 root:root /etc/logrotate.d/dovecot-ark",
        "755 root:root /usr/lib/dovecot-ark/quickCheck",
        "755 root:root /usr/lib/dovecot-ark/recover",
        "755 root:root /usr/lib/dovecot-ark/remove",
        "755 root:root /usr/lib/dovecot-ark/restore",
        "755 root:root /usr/lib/ocf/resource.d/dovecot-ark/dovecot",
        "644 root:root /usr/lib/tmpfiles.d/dovecot-ark.conf",
        "755 root:root /usr/sbin/dovecot-ark",
        "644 root:root /usr/share/bash-completion/completions/dovecot-ark",
        "644 root:root /usr/share/doc/dovecot-ark/CHANGELOG.md",
        "644 root:root /usr/share/doc/dovecot-ark/README.ja.md",
        "644 root:root /usr/share/doc/dovecot-ark/README.md",
        "644 root:root /usr/share/dovecot-ark/schema/doctor-local.json",
        "644 root:root /usr/share/dovecot-ark/schema/doctor.json",
        "644 root:root /usr/share/dovecot-ark/schema/settings.json",
        "644 root:root /usr/share/dovecot-ark/schema/status.json",
        "644 root:root /usr/share/fish/vendor_completions.d/dovecot-ark.fish",
        "644 root:root /usr/share/licenses/dovecot-ark/LICENSE",
        "644 root:root /usr/share/zsh/site-functions/_dovecot-ark",
    ];
    let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
    for (page, section) in PAGES {
        expected.extend(["", "ja/"].map(|language| {
            format!("644 root:root /usr/share/man/{language}man{section}/{page}.gz")
        }));
        expected.extend(["", ".ja"].map(|language| {
            format!("644 root:root /usr/share/doc/dovecot-ark/{page}{language}.html")
        }));
    }
    expected.sort();
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, expected);
    assert_eq!(kit.sh("rpm -qc dovecot-ark"), "/etc/logrotate.d/dovecot-ark\n");
    assert_eq!(kit.sh("stat -c '%a %F' /run/dovecot-ark"), "755 directory\n", "made at once");
    for shell in ["bash-completion/completions/dovecot-ark", "zsh/site-functions/_dovecot-ark"] {
        assert!(kit.sh(&format!("cat /usr/share/{shell}")).contains("quickCheck"), "{shell}");
    }
    kit.sh("bash -n /usr/share/bash-completion/completions/dovecot-ark");
    for (page, section) in PAGES {
        for language in ["", "ja/"] {
            let packed =
                kit.sh(&format!("gzip -dc /usr/share/man/{language}man{section}/{page}.gz"));
            let source = std::fs::read_to_string(format!("{MAN}/{language}{page}"));
            assert!(
                packed == source.expect(page),
                "{language}{page}: not the page of these sources"
            );
        }
    }
    let said = kit.sh("dovecot-ark --version");
    assert_eq!(said, format!("dovecot-ark {VERSION}\n"));
    for directory in [env!("CARGO_MANIFEST_DIR"), ".cargo/registry"] {
        let lines = kit.sh(&format!("grep -acF '{directory}' /usr/sbin/dovecot-ark || true"));
        assert_eq!(lines, "0\n", "the builder's {directory} is in the binary");
    }
    for action in ACTIONS {
        let stub = kit.sh(&format!("cat {STUBS}/{action}"));
        assert!(stub.ends_with(&format!("exec /usr/sbin/dovecot-ark {action} \"$@\"\n")), "{stub}");
    }
}

#[test]
fn its_scripts_are_scripts_and_end_well() {
    let kit = bare(Init::SysV);
    let scripts = asked(&kit, "--scripts");
    for script in ["postinstall", "preuninstall", "postuninstall"] {
        assert!(scripts.contains(&format!("{script} scriptlet")), "{scripts}");
    }
    assert_eq!(scripts.matches("scriptlet").count(), 3, "{scripts}");
    assert_eq!(scripts.matches("\nexit 0\n").count(), 3, "{scripts}");
    // They look and tell; what runs is left alone.
    for word in ["service dovecot", "systemctl", "lkcli", "perform_action", "kill", "dovecot stop"]
    {
        assert!(!scripts.contains(word), "{word}: {scripts}");
    }
}
