//! Tags, files and machines as they must not be: each gets its own clear words, and nothing changes.

use lab::{DEFAULTS, LKROOT};

use crate::kit::{Dialect, Init, Kit, RECORD};

/// What is wrong: in words, the script that makes it so, the one that mends it, and what must be
/// told of it.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// Makes each case, insists that install refuses in these words and changes nothing, and mends it.
/// A run that hangs is killed by the lab and has no exit status.
fn assert_refused(kit: &Kit, options: &[&str], cases: &[Case]) {
    let words = [&["install"], options].concat();
    let start = kit.tree();
    let mut told: Vec<(String, &str)> = Vec::new();
    for (what, sabotage, mend, expected) in cases {
        kit.sh(sabotage);
        let before = kit.tree();
        let ended = kit.ark(&words);
        assert_eq!(ended.status, Some(1), "{what}: {ended:#?}");
        println!("{what}: {}", ended.stderr.trim());
        let cause = ended.stderr.lines().find(|line| line.starts_with("dovecot-ark: "));
        let cause = cause.unwrap_or_else(|| panic!("{what}: {ended:#?}")).to_owned();
        for word in *expected {
            assert!(ended.stderr.contains(word), "{what}: {word}: {ended:#?}");
        }
        kit.assert_as(&before, what);
        kit.sh(mend);
        kit.assert_as(&start, &format!("{what}, mended"));
        assert_eq!(kit.state("dovecot"), None, "{what}");
        if let Some((_, other)) = told.iter().find(|(old, _)| *old == cause) {
            panic!("{what} and {other} are told in the same words: {cause}");
        }
        told.push((cause, what));
    }
}

#[test]
fn a_hostile_tag_is_a_wrong_command_line() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    let start = kit.tree();
    let long = "x".repeat(300);
    for tag in [
        "",
        "a/b",
        "/etc/passwd",
        "..",
        ".",
        "../../../../etc/default/LifeKeeper",
        "a b",
        " a",
        "a\nb",
        "a\n",
        "a\tb",
        "a:b",
        "a;reboot",
        "$(reboot)",
        "`reboot`",
        "a'b",
        "a\"b",
        "a\\b",
        "a*",
        "-a",
        "--help",
        "post-büro",
        "郵便",
        "a\u{7f}",
        &long,
    ] {
        let ended = kit.ark(&["install", "--no-start", &format!("--tag={tag}")]);
        assert_eq!(ended.status, Some(2), "{tag:?}: {ended:#?}");
        assert!(ended.stderr.contains("--tag"), "{tag:?}: {ended:#?}");
        kit.assert_untouched(&start, tag);
        // The tag of a resource that is there may be another LifeKeeper's idea, but it is no path.
        let ended = kit.ark(&["uninstall", "--yes", &format!("--tag={tag}")]);
        assert!(matches!(ended.status, Some(0 | 2)), "{tag:?}: {ended:#?}");
        kit.assert_untouched(&start, tag);
    }
    let odd = kit.node.sh("dovecot-ark install --no-start --tag \"$(printf 'a\\377')\"");
    assert_eq!(odd.expect("a script").status, Some(2), "a tag that is no UTF-8");
    let child = kit.ark(&["install", "--no-start", "--depends-on", "../vmail"]);
    assert_eq!(child.status, Some(1), "{child:#?}");
    kit.assert_untouched(&start, "a child that cannot be");
}

#[test]
fn a_settings_file_that_cannot_be_kept_as_it_is_is_refused() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    assert_refused(
        &kit,
        &["--no-start"],
        &[
            (
                "missing",
                "mv /etc/default/LifeKeeper /run/lk",
                "mv /run/lk /etc/default/LifeKeeper",
                &[DEFAULTS, "No such file"],
            ),
            (
                "a symbolic link",
                "mv /etc/default/LifeKeeper /etc/default/real; ln -s real /etc/default/LifeKeeper",
                "mv /etc/default/real /etc/default/LifeKeeper",
                &[DEFAULTS, "symbolic link"],
            ),
            (
                "a directory",
                "mv /etc/default/LifeKeeper /run/lk; mkdir /etc/default/LifeKeeper",
                "rmdir /etc/default/LifeKeeper; mv /run/lk /etc/default/LifeKeeper",
                &[DEFAULTS, "a directory"],
            ),
            (
                "a FIFO",
                "mv /etc/default/LifeKeeper /run/lk; mkfifo /etc/default/LifeKeeper",
                "mv /run/lk /etc/default/LifeKeeper",
                &[DEFAULTS, "regular file"],
            ),
            (
                "carriage returns",
                "cp -p /etc/default/LifeKeeper /run/lk; sed -i 's/$/\\r/' /etc/default/LifeKeeper",
                "cp -p /run/lk /etc/default/LifeKeeper",
                &[DEFAULTS, "carriage return", "sed -i"],
            ),
            (
                "one carriage return in its last line",
                "cp -p /etc/default/LifeKeeper /run/lk; printf 'X=1\\r\\n' >>/etc/default/LifeKeeper",
                "cp -p /run/lk /etc/default/LifeKeeper",
                &[DEFAULTS, "carriage return", "line 6"],
            ),
            (
                "larger than 8 MiB",
                "cp -p /etc/default/LifeKeeper /run/lk
                 yes '# noise' | head -c 8400000 >>/etc/default/LifeKeeper",
                "cp -p /run/lk /etc/default/LifeKeeper",
                &[DEFAULTS, "8 MiB"],
            ),
            (
                "on a file system that is read-only",
                "mount --bind /etc/default /etc/default; mount -o remount,ro,bind /etc/default",
                "umount /etc/default",
                &["/etc/default", "Read-only"],
            ),
            (
                "on a file system that is full",
                "mkdir /run/d; cp -a /etc/default/. /run/d/
                 mount -t tmpfs -o size=64k,mode=755 tmpfs /etc/default
                 cp -a /run/d/. /etc/default/
                 head -c 1M /dev/zero >/etc/default/filler 2>/dev/null || true",
                "umount /etc/default; rm -r /run/d",
                &["/etc/default", "No space left"],
            ),
        ],
    );
}

#[test]
fn a_record_that_cannot_be_read_or_written_is_refused_by_both() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    let cases: [Case; 7] = [
        (
            "nonsense",
            "mkdir /var/lib/dovecot-ark; echo 'nonsense {{' >/var/lib/dovecot-ark/install.toml",
            "rm -r /var/lib/dovecot-ark",
            &[RECORD, "reading"],
        ),
        (
            "a format of the future",
            "mkdir /var/lib/dovecot-ark; echo 'format = 99' >/var/lib/dovecot-ark/install.toml",
            "rm -r /var/lib/dovecot-ark",
            &[RECORD, "format"],
        ),
        (
            "a table that is none",
            "mkdir /var/lib/dovecot-ark
             printf 'format = 1\\nboot = 3\\n' >/var/lib/dovecot-ark/install.toml",
            "rm -r /var/lib/dovecot-ark",
            &[RECORD, "line 2, column 8"],
        ),
        (
            "no text",
            "mkdir /var/lib/dovecot-ark; printf '\\377' >/var/lib/dovecot-ark/install.toml",
            "rm -r /var/lib/dovecot-ark",
            &[RECORD, "UTF-8"],
        ),
        (
            "a directory",
            "mkdir -p /var/lib/dovecot-ark/install.toml",
            "rm -r /var/lib/dovecot-ark",
            &[RECORD, "directory"],
        ),
        (
            "below a file",
            "echo mine >/var/lib/dovecot-ark",
            "rm /var/lib/dovecot-ark",
            &["/var/lib/dovecot-ark"],
        ),
        (
            "on a file system that is read-only",
            "mount --bind /var/lib /var/lib; mount -o remount,ro,bind /var/lib",
            "umount /var/lib",
            &["/var/lib/dovecot-ark", "Read-only"],
        ),
    ];
    assert_refused(&kit, &["--no-start"], &cases);
    // What is there cannot be read, so nobody knows what is to be given back.
    for (what, sabotage, mend, expected) in cases.iter().take(5) {
        kit.sh(sabotage);
        let before = kit.tree();
        let said = kit.refused(&kit.uninstalling(""));
        assert!(expected.iter().all(|word| said.contains(word)), "{what}: {said}");
        kit.assert_as(&before, what);
        kit.sh(mend);
    }
}

#[test]
fn a_node_that_lacks_something_is_refused() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    assert_refused(
        &kit,
        &["--no-start"],
        &[
            (
                "Dovecot is missing",
                "mv /usr/sbin/dovecot /run/dovecot-binary",
                "mv /run/dovecot-binary /usr/sbin/dovecot",
                &["Dovecot", "/usr/sbin"],
            ),
            (
                "one of the kit's programs is missing",
                "mv /usr/lib/dovecot-ark/recover /run/recover",
                "mv /run/recover /usr/lib/dovecot-ark/recover",
                &["/usr/lib/dovecot-ark/recover"],
            ),
            (
                "one of the kit's programs is no program",
                "chmod a-x /usr/lib/dovecot-ark/remove",
                "chmod a+x /usr/lib/dovecot-ark/remove",
                &["/usr/lib/dovecot-ark/remove"],
            ),
            (
                "LifeKeeper is elsewhere",
                "mv /opt/LifeKeeper/bin /opt/LifeKeeper/sbin.old",
                "mv /opt/LifeKeeper/sbin.old /opt/LifeKeeper/bin",
                &["LifeKeeper", LKROOT, "LKROOT"],
            ),
            (
                "neither lkcli nor creapphier is there",
                "mv /opt/LifeKeeper/lkadm/subsys/gen/app/bin/creapphier /run/",
                "mv /run/creapphier /opt/LifeKeeper/lkadm/subsys/gen/app/bin/",
                &["creapphier", "/usr/lib/dovecot-ark/quickCheck", "intelligent", "graphical"],
            ),
        ],
    );
}

#[test]
fn a_lifekeeper_that_does_not_run_is_refused_by_both() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    kit.install("--no-start");
    kit.lifekeeper("lkstop");
    let before = kit.tree();
    let said = kit.refused(&kit.uninstalling(""));
    assert!(said.contains("LifeKeeper") && said.contains("lkstart"), "{said}");
    kit.assert_as(&before, "uninstall while LifeKeeper is down");
    let said = kit.refused(&["install", "--tag", "another"]);
    assert!(said.contains("LifeKeeper") && said.contains("lkstart"), "{said}");
    kit.assert_as(&before, "install while LifeKeeper is down");
    kit.lifekeeper("lkstart -w");
    kit.uninstall("");
}

#[test]
fn only_root_may() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    let start = kit.tree();
    let mut cases = vec![vec!["install"], vec!["install", "--standby"], kit.uninstalling("")];
    kit.install("--no-start --tag other");
    cases.push(kit.uninstalling("--tag other"));
    let installed = kit.tree();
    for words in cases {
        let nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"];
        let argv = [&nobody[..], &["/usr/sbin/dovecot-ark"], words.as_slice()].concat();
        let ended = kit.node.run(&argv).expect("running the kit");
        assert_eq!(ended.status, Some(1), "{words:?}: {ended:#?}");
        assert!(ended.stderr.starts_with("dovecot-ark: "), "{words:?}: {ended:#?}");
        assert!(ended.stderr.contains("root"), "{words:?}: {ended:#?}");
        kit.assert_untouched(&installed, "by nobody");
    }
    kit.uninstall("--tag other");
    kit.assert_as(&start, "by root");
}

#[test]
fn a_foreign_resource_of_the_same_tag_is_left_alone_by_both() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    kit.create_dummy("dovecot");
    kit.lifekeeper("ins_create -a comm -r ip -t mail -i IP-192.0.2.10 -v '192.0.2.10/24 lo'");
    let start = kit.tree();
    for (tag, words) in [("dovecot", ["dovecot", "!"]), ("mail", ["mail", "comm/ip"])] {
        let said = kit.refused(&["install", "--tag", tag]);
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        kit.assert_untouched(&start, tag);
        // Uninstalling has nothing to do: the original kit's resource that was given back is no error.
        let said = kit.uninstall(&format!("--tag {tag}"));
        assert!(said.contains("nothing to do: no such resource of this kit"), "{said}");
        kit.assert_untouched(&start, tag);
    }
}

#[test]
fn what_the_caller_brings_along_makes_no_difference() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    let start = kit.tree();
    kit.install("--no-start");
    let installed = kit.tree();
    kit.uninstall("");
    kit.sh("mkdir -p /run/evil
         for name in rpm lkcli ins_list creapphier update-rc.d systemctl dovecot service; do
             printf '#!/bin/sh\\ntouch /run/evil/ran-$0\\nexit 1\\n' >/run/evil/$name
             chmod 755 /run/evil/$name
         done");
    for (what, how) in [
        ("a path of its own", "PATH=/run/evil dovecot-ark"),
        ("no environment", "env -i /usr/sbin/dovecot-ark"),
        ("a strict umask", "umask 077; dovecot-ark"),
        ("a careless umask", "umask 000; dovecot-ark"),
        ("a directory that is gone", "mkdir /run/gone; cd /run/gone; rmdir /run/gone; dovecot-ark"),
        ("closed streams", "dovecot-ark >&- 2>&- <&-"),
        ("a full standard output", "dovecot-ark >/dev/full"),
        ("a reader that has gone away", "sleep 0.1 | true; dovecot-ark | true"),
        ("another language", "LC_ALL=ja_JP.UTF-8 LANG=ja_JP.UTF-8 dovecot-ark"),
        ("ignored signals", "trap '' CHLD PIPE HUP; dovecot-ark"),
        ("a relative LKROOT", "LKROOT=opt/LifeKeeper dovecot-ark"),
    ] {
        for (words, tree) in [
            ("install --no-start".to_owned(), &installed),
            (kit.uninstalling("").join(" "), &start),
        ] {
            let script = how.replace("dovecot-ark", &format!("/usr/sbin/dovecot-ark {words}"));
            let script = script.replace("/usr/sbin//usr/sbin/", "/usr/sbin/");
            let ended = kit.node.sh(&script).expect("a script");
            assert_eq!(ended.status, Some(0), "{what}: {script}: {ended:#?}");
            kit.assert_as(tree, &format!("{what}: {script}"));
        }
    }
    assert_eq!(kit.sh("ls /run/evil | grep ran || true"), "", "what the caller's PATH names ran");
}

#[test]
fn a_log_that_cannot_be_written_stops_nobody() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    let start = kit.tree();
    for (sabotage, mend) in [
        ("mkdir /var/log/dovecot-ark.log", "rmdir /var/log/dovecot-ark.log"),
        ("mkfifo /var/log/dovecot-ark.log", "rm /var/log/dovecot-ark.log"),
        ("ln -s /etc/passwd /var/log/dovecot-ark.log", "rm /var/log/dovecot-ark.log"),
        ("mount -t tmpfs -o ro tmpfs /var/log", "umount /var/log"),
    ] {
        kit.sh(&format!("rm -f /var/log/dovecot-ark.log; {sabotage}"));
        kit.install("--no-start");
        kit.uninstall("");
        kit.assert_as(&start, sabotage);
        kit.sh(mend);
    }
}

#[test]
fn an_odd_settings_file_comes_back_byte_for_byte() {
    let kit = Kit::new(Init::SysV, Dialect::None);
    for (what, make) in [
        ("5 MB", "yes '# five megabytes' | head -c 5000000 >/etc/default/LifeKeeper"),
        ("empty", ": >/etc/default/LifeKeeper"),
        ("without a final newline", "printf 'A=1' >/etc/default/LifeKeeper"),
        ("one newline", "echo >/etc/default/LifeKeeper"),
        ("newlines at the end", "printf 'A=1\\n\\n\\n' >/etc/default/LifeKeeper"),
        ("no text", "head -c 100000 /dev/urandom | tr -d '\\r' >/etc/default/LifeKeeper"),
        ("one endless line", "head -c 1000000 /dev/zero >/etc/default/LifeKeeper"),
        ("half a block", "printf '# BEGIN dovecot-ark\\nX=1\\n' >/etc/default/LifeKeeper"),
        ("the end of a block", "printf '# END dovecot-ark\\nX=1\\n' >/etc/default/LifeKeeper"),
        ("blocks", "printf '# BEGIN a\\n# END a\\n' >/etc/default/LifeKeeper"),
        ("read-only for root", "chmod 0400 /etc/default/LifeKeeper"),
    ] {
        kit.sh(make);
        let start = kit.tree();
        for options in ["--no-start", "--standby"] {
            kit.install(options);
            let size = kit.sh(&format!("tail -c 2000 {DEFAULTS} | grep -c ^APP_DOVECOT_ || true"));
            assert_ne!(size, "0\n", "{what}: the entries are at the end");
            let before = kit.tree();
            let again = kit.install(options);
            assert!(again.contains("nothing to do"), "{what}: {again}");
            kit.assert_untouched(&before, what);
            kit.uninstall("");
            kit.assert_as(&start, &format!("{what}, {options}"));
        }
    }
}
