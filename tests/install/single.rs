//! One Dovecot a node: what doctor and status say of a second one, and of whatever else starts it.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::schema::document;

use crate::kit::{Dialect, Init, Kit, RECORD};

/// The configuration of another Dovecot, which listens nowhere.
const OTHER: &str = "/etc/dovecot/other.conf";

/// How long a Dovecot may take to be one master and its children.
const WAIT: Duration = Duration::from_secs(10);

impl Kit {
    /// A node whose Dovecot is in service.
    fn serving(init: Init) -> Self {
        let kit = Self::new(init, Dialect::Guess);
        kit.install("");
        let settings = "base_dir = /run/other\nlog_path = /run/other.log\nssl = no\nprotocols =\n";
        kit.node.write(OTHER, settings).expect("a configuration");
        kit
    }

    /// What doctor finds on this node under the name of a check: levels, and all words.
    #[track_caller]
    fn found(&self, check: &str) -> Vec<(String, String)> {
        let ended = self.ark(&["doctor", "--local", "--json"]);
        let document = document("doctor-local", &ended.stdout);
        let findings = document.get("findings").and_then(Value::as_array).expect("findings");
        let text = |finding: &Value, name: &str| {
            finding.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let errors = findings.iter().filter(|one| text(one, "level") == "error").count();
        assert_eq!(ended.status, Some(i32::from(errors > 0)), "{document:#}");
        let is_it = |one: &&Value| text(one, "check") == check;
        let words = |one: &Value| {
            let told =
                ["/what", "/why", "/cure/hint", "/cure/command"].map(|place| one.pointer(place));
            told.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        };
        findings.iter().filter(is_it).map(|one| (text(one, "level"), words(one))).collect()
    }

    /// Insists that a check has one finding of this level with these words; returns all of its words.
    #[track_caller]
    fn assert_found(&self, check: &str, level: &str, words: &[&str]) -> String {
        let found = self.found(check);
        let [(seen, text)] = found.as_slice() else { panic!("{check}: {found:#?}") };
        assert!(seen == level && words.iter().all(|word| text.contains(word)), "{found:#?}");
        text.clone()
    }

    /// The pids of the masters that status shows, once there are so many: a child that was just
    /// forked has its master's name.
    #[track_caller]
    fn masters(&self, count: usize) -> Vec<i64> {
        let start = Instant::now();
        loop {
            let ended = self.ark(&["status", "--json"]);
            let document = document("status", &ended.stdout);
            let pids =
                document.pointer("/checks/process/pids").and_then(Value::as_array).expect("pids");
            if pids.len() == count {
                return pids.iter().filter_map(Value::as_i64).collect();
            }
            assert!(start.elapsed() < WAIT, "not {count} masters: {document:#}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn f54_two_masters_are_an_error_of_doctor_a_warning_of_status_and_no_fault() {
    for init in [Init::SysV, Init::Systemd] {
        let kit = Kit::serving(init);
        kit.assert_found("master", "ok", &["one master of Dovecot runs: pid "]);
        kit.sh(&format!("dovecot -c {OTHER}"));
        let mut pids = kit.masters(2);
        pids.sort_unstable();
        let [one, two] = pids.as_slice() else { panic!("{pids:?}") };
        let words = format!("two masters of Dovecot run: pid {one}, pid {two}");
        let cure = "dovecot-ark recover -t dovecot";
        kit.assert_found("master", "error", &[&words, "remove ends them all", cure]);

        let status = kit.done(&["status"]);
        assert!(status.starts_with("dovecot: degraded\n"), "{init}: {status}");
        assert!(status.contains(&format!("\nwarning: ARK1110: {words} (")), "{init}: {status}");
        let status = kit.done(&["status", "--json"]);
        assert!(status.contains(&words), "{init}: {status}");
        let monitored = kit.ark(&["status", "--format", "nagios"]);
        let line = format!("DOVECOT WARNING - degraded: ARK1110: {words}");
        assert!(
            monitored.status == Some(1) && monitored.stdout.starts_with(&line),
            "{monitored:?}"
        );

        // master.pid names the service's own, and nobody looks further.
        let checked = kit.ark(&["quickCheck", "-t", "dovecot"]);
        assert_eq!((checked.status, &*checked.stderr), (Some(0), ""), "{init}");
        // Without that file they look at all; an init script calls Dovecot dead without it.
        if init == Init::Systemd {
            kit.sh("rm /run/dovecot/master.pid");
            let checked = kit.ark(&["quickCheck", "-t", "dovecot"]);
            assert_eq!(checked.status, Some(0), "{init}: {checked:?}");
            assert!(checked.stderr.contains("verdict degraded: exit status 0"), "{checked:?}");
        }

        kit.sh(cure);
        kit.assert_found("master", "ok", &["one master of Dovecot runs: pid "]);
        assert!(kit.done(&["status"]).starts_with("dovecot: up since "), "{init}");
    }
}

#[test]
fn f54_a_master_of_another_unit_is_named_with_it() {
    let kit = Kit::serving(Init::Systemd);
    let unit = format!("[Service]\nExecStart=/usr/sbin/dovecot -F -c {OTHER}\n");
    kit.node.write("/etc/systemd/system/second.service", &unit).expect("a unit");
    let own = kit.masters(1);
    kit.sh("systemctl daemon-reload; systemctl start second.service");
    let both = kit.masters(2);
    let second = both.iter().find(|pid| !own.contains(pid)).expect("the second").to_string();
    let words = format!("two masters of Dovecot run: pid {second} belongs to second.service, and");
    kit.assert_found(
        "master",
        "warning",
        &[&words, "systemctl disable second.service; systemctl stop second.service"],
    );
    // Status knows no units, but pids.
    assert!(kit.done(&["status"]).contains("warning: ARK1110: two masters of Dovecot run: pid "));

    kit.sh("systemctl stop dovecot.service");
    let words = [&*format!("the only master of Dovecot, pid {second}, belongs to second.service")];
    kit.assert_found("master", "error", &words);
    kit.lifekeeper("perform_action -t dovecot -a remove");
    assert_eq!(kit.masters(1), [second.parse::<i64>().expect("a pid")], "remove leaves it alone");
    kit.assert_found("master", "warning", &["a master of Dovecot", &second, "second.service"]);
}

#[test]
fn f76_whatever_would_start_dovecot_is_an_error_of_doctor() {
    let kit = Kit::new(Init::Systemd, Dialect::Guess);
    kit.install("--no-start");
    kit.assert_found("socket", "ok", &["no socket and no other unit starts Dovecot"]);
    let timer = "[Timer]\nOnCalendar=2099-01-01\nUnit=dovecot.service\n";
    kit.node.write("/etc/systemd/system/mail.timer", timer).expect("a unit");
    kit.sh("systemctl daemon-reload");
    for (unit, event) in [("dovecot.socket", "the next client"), ("mail.timer", "the next event")] {
        kit.sh(&format!("systemctl start {unit}"));
        let why = format!("{event} would start Dovecot");
        let words = kit.assert_found("socket", "error", &[&format!("{unit} is active"), &why]);
        kit.sh(words.lines().last().expect("a cure"));
        kit.assert_found("socket", "ok", &[]);
    }
    let target = "[Unit]\nUpholds=dovecot.service\n";
    kit.node.write("/etc/systemd/system/mail.target", target).expect("a unit");
    kit.sh("systemctl daemon-reload; systemctl start mail.target");
    let found = kit.found("supervisor");
    let is_it = |(level, words): &(String, String)| {
        level == "error" && words.starts_with("dovecot.service is upheld by mail.target\n")
    };
    assert!(found.iter().any(is_it), "{found:#?}");
}

#[test]
fn f54_two_tags_of_an_older_kit_are_an_error_of_doctor_with_the_way_out() {
    let kit = Kit::new(Init::SysV, Dialect::Guess);
    kit.assert_found("tag", "ok", &["install has noted no tag"]);
    kit.install("--no-start");
    kit.assert_found("tag", "ok", &["one tag, dovecot"]);
    kit.node.append(RECORD, "\n[resources.mail2]\nrole = \"primary\"\n").expect("writing");
    let what = "this node is prepared for two tags: dovecot, mail2";
    let words = kit.assert_found("tag", "error", &[what, "the remove of one resource stops"]);
    let cure = words.lines().last().expect("a cure");
    assert_eq!(cure, "dovecot-ark uninstall --tag mail2");
    kit.sh(&format!("{cure} --yes"));
    kit.assert_found("tag", "ok", &["one tag, dovecot"]);
    kit.node.append(RECORD, "[").expect("writing");
    kit.assert_found("tag", "warning", &["install.toml"]);
}
