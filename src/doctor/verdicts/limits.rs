//! The arithmetic of time: can an action end before LifeKeeper ends it?
//!
//! A quickCheck that LifeKeeper ends itself is no fault to it: a check that hangs switches the
//! protection off.

use crate::doctor::facts::Facts;
use crate::doctor::facts::limits::{INTERVAL_KEY, Limits, REMOTE_KEY};
use crate::doctor::finding::{Check, Finding, or_ok};
use crate::lifekeeper::installation::{Version, quick_check_keys};
use crate::messages::Message;

/// What LifeKeeper's limit is when nobody sets it, in seconds (manual).
const REMOTE_USUAL: u64 = 900;

/// The time between two checks when nobody sets it, in seconds (manual).
const INTERVAL_USUAL: u64 = 120;

/// Assesses the settings and the limits of one node.
pub(crate) fn assess(facts: &Facts) -> Vec<Finding> {
    let limits = &facts.limits;
    let has_lifekeeper = facts.installed.lifekeeper.known().is_some();
    let odd = limits.warnings.iter().map(|warning| setting(warning, has_lifekeeper));
    let understood = "all APP_DOVECOT_ settings are understood";
    let mut findings = or_ok(odd.collect(), Check::Settings, understood);
    if !has_lifekeeper {
        // Nobody calls the actions here: their times are held against nothing.
        return findings;
    }
    findings.extend(quick_check(limits, facts.installed.lifekeeper_version()));
    findings.push(remote(limits));
    findings.push(interval(limits));
    findings
}

/// One warning of the settings. Without the whole file all that was set is gone, the list of ports too,
/// and the checks may say up of ports that nobody uses: a wrong warning hurts the users of those that are
/// not checked, a wrong error only who looks. Where no LifeKeeper is, there need be no file.
fn setting(warning: &str, has_lifekeeper: bool) -> Finding {
    if has_lifekeeper && warning.starts_with(Message::NoSettings.code()) {
        return Finding::error(Check::Settings, Message::DoctorSetting)
            .what(warning)
            .why("only 127.0.0.1:143 is checked, and only for a connection")
            .cure(
                "restore /etc/default/LifeKeeper, which LifeKeeper needs too: a regular file of root",
            );
    }
    Finding::warning(Check::Settings, Message::DoctorSetting)
        .what(warning)
        .why("the kit uses another value than the one that was meant")
        .cure("correct /etc/default/LifeKeeper; `dovecot-ark settings` shows what holds")
}

/// How long a dead Dovecot goes unnoticed: on average half of the time between two checks.
fn interval(limits: &Limits) -> Finding {
    let seconds = match limits.set.get(INTERVAL_KEY).map(|value| (value, value.parse::<u64>())) {
        None => INTERVAL_USUAL,
        Some((_, Ok(seconds @ 1..))) => seconds,
        Some((value, _)) => {
            return Finding::warning(Check::TimeLimit, Message::DoctorNoSeconds)
                .what(format!("{INTERVAL_KEY}={value} is no number of seconds"))
                .why("how often LifeKeeper checks its resources is not known")
                .cure(format!("set {INTERVAL_KEY}={INTERVAL_USUAL} in /etc/default/LifeKeeper"));
        }
    };
    Finding::ok(
        Check::TimeLimit,
        format!(
            "LifeKeeper checks every {seconds} s ({INTERVAL_KEY}): a dead Dovecot goes unnoticed for \
             {} s on average; a check takes Dovecot 20 ms of processor time for each entry",
            seconds.div_ceil(2)
        ),
    )
}

/// Whether LifeKeeper grants quickCheck the time it may take.
fn quick_check(limits: &Limits, version: Option<Version>) -> Vec<Finding> {
    let keys = quick_check_keys(&limits.converted_tag);
    let read = version.map(|version| version.quick_check_key(&limits.converted_tag));
    // Where the version is not known, whichever key is set may be the one that is read.
    let is_read = |key: &&String| read.as_ref().is_none_or(|read| read == *key);
    let mut findings = Vec::new();
    let mut granted = Vec::new();
    for (key, value) in keys.iter().filter(is_read).filter_map(|key| limits.set.get_key_value(key))
    {
        match value.parse::<u64>() {
            Ok(seconds @ 1..) => {
                granted.push(format!("{key}={seconds}"));
                findings.extend(too_short(limits, key, seconds));
            }
            _ => findings.push(
                Finding::warning(Check::TimeLimit, Message::DoctorNoSeconds)
                    .what(format!("{key}={value} is no number of seconds"))
                    .why(
                        "what LifeKeeper makes of it, and how long quickCheck may take, is not known",
                    )
                    .cure(format!("set {key}=22 in /etc/default/LifeKeeper, or take the line out")),
            ),
        }
    }
    if let Some((read, version)) = read.as_ref().zip(version) {
        let unread = keys.iter().filter(|key| *key != read && limits.set.contains_key(*key));
        findings.extend(unread.map(|key| {
            Finding::warning(Check::TimeLimit, Message::DoctorUnreadKey)
                .what(format!("{key} is set, and LifeKeeper {version} does not read it"))
                .why("the limit that was meant has no effect")
                .cure(format!("rename it to {read} in /etc/default/LifeKeeper"))
        }));
    }
    let usual = version.and_then(Version::quick_check_default);
    let granted = match (granted.as_slice(), usual, version) {
        ([], Some(usual), _) => format!("LifeKeeper allows {usual} s"),
        ([], None, Some(_)) => "LifeKeeper sets no limit".to_owned(),
        ([], None, None) => "LifeKeeper allows 22 s (up to 9.0.2) or has no limit".to_owned(),
        (keys, ..) => keys.join(", "),
    };
    let (checks, quick_check) = (limits.checks, limits.quick_check);
    let took =
        format!("the checks take at most {checks} s and quickCheck {quick_check} s; {granted}");
    or_ok(findings, Check::TimeLimit, took)
}

fn too_short(limits: &Limits, key: &str, seconds: u64) -> Option<Finding> {
    let cure = format!("set {key}=22 in /etc/default/LifeKeeper");
    if seconds <= limits.checks {
        Some(
            Finding::error(Check::TimeLimit, Message::DoctorShortChecks)
                .what(format!("{key}={seconds}, and the checks may take {} s", limits.checks))
                .why("LifeKeeper takes a check that it had to end for no fault: nothing is protected then")
                .cure(format!("{cure}, or shorten the time-outs in APP_DOVECOT_IP_LIST")),
        )
    } else if seconds <= limits.quick_check {
        let limit = limits.quick_check;
        Some(
            Finding::warning(Check::TimeLimit, Message::DoctorShortQuickCheck)
                .what(format!("{key}={seconds}, and quickCheck ends itself after {limit} s"))
                .why("on a node where everything hangs, LifeKeeper ends the check before its verdict")
                .cure(cure),
        )
    } else {
        None
    }
}

/// Whether a switchover can end before LifeKeeper gives it up.
fn remote(limits: &Limits) -> Finding {
    let needed = limits.switchover;
    let set = limits.set.get(REMOTE_KEY);
    let odd = match set.map_or(Some(REMOTE_USUAL), |value| value.parse().ok()) {
        Some(granted) if granted > needed => {
            return Finding::ok(
                Check::TimeLimit,
                format!("remove and restore take at most {needed} s, {REMOTE_KEY} is {granted} s"),
            );
        }
        Some(granted) => Finding::warning(Check::TimeLimit, Message::DoctorShortSwitchover).what(
            format!("remove and restore may take {needed} s, and {REMOTE_KEY} is {granted} s"),
        ),
        None => Finding::warning(Check::TimeLimit, Message::DoctorNoSeconds).what(format!(
            "{REMOTE_KEY}={} is no number of seconds",
            set.map_or("", String::as_str)
        )),
    };
    odd.why("LifeKeeper gives up a switchover that takes longer, and it fails").cure(format!(
        "set {REMOTE_KEY}={} in /etc/default/LifeKeeper, or fewer rounds and shorter waits",
        needed + 60
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::{Fact, healthy};
    use crate::doctor::finding::Level;
    use crate::lifekeeper::defaults;
    use crate::lifekeeper::tag::Tag;
    use crate::settings;
    use crate::test_root::TestRoot;

    fn limits(file: &str) -> Limits {
        let root = TestRoot::new();
        root.write(defaults::FILE, file);
        let (settings, report) = settings::read(root.path());
        Limits::gather(root.path(), &Tag::parse("mail-1").expect("a tag"), &settings, report)
    }

    /// A file, LifeKeeper's version, what is found, and a word of it.
    type Case = (&'static str, Option<&'static str>, Level, &'static str);

    #[test]
    fn a_settings_file_that_cannot_be_read_is_an_error_where_lifekeeper_is_and_a_typo_is_none() {
        let mut facts = healthy("node1");
        let missing = "ARK2001: reading /etc/default/LifeKeeper: x; the defaults hold";
        let first = |facts: &Facts| assess(facts).into_iter().next().expect("a finding");
        facts.limits.warnings = vec![missing.to_owned()];
        let finding = first(&facts);
        assert_eq!((finding.level, &*finding.what), (Level::Error, missing));
        assert!(finding.told_cure().is_some_and(|cure| cure.starts_with("restore /etc")));
        facts.installed.lifekeeper = Fact::Unknown("x".into());
        assert_eq!(first(&facts).level, Level::Warning, "Pacemaker's node has no such file");
        let mut facts = healthy("node1");
        facts.limits.warnings = vec!["ARK2002: x".to_owned()];
        assert_eq!(first(&facts).level, Level::Warning);
    }

    #[test]
    fn without_lifekeeper_no_time_is_held_against_its_limits() {
        let mut facts = healthy("node1");
        let of_time = |facts: &Facts| assess(facts).iter().any(|one| one.check == Check::TimeLimit);
        assert!(of_time(&facts));
        facts.installed.lifekeeper = Fact::Unknown("looking for LifeKeeper".into());
        assert!(!of_time(&facts));
        assert!(assess(&facts).iter().any(|one| one.check == Check::Settings));
    }

    #[test]
    fn the_time_between_two_checks_is_told_with_what_it_means() {
        let mut facts = healthy("node1");
        let told = |facts: &Facts| {
            let found = interval(&facts.limits);
            (found.level, found.what)
        };
        let (level, what) = told(&facts);
        assert!(level == Level::Ok && what.contains("every 120 s") && what.contains("for 60 s on"));
        facts.limits.set.insert(INTERVAL_KEY.into(), "5".into());
        assert!(told(&facts).1.contains("every 5 s") && told(&facts).1.contains("for 3 s on"));
        for garbage in ["0", "x", ""] {
            facts.limits.set.insert(INTERVAL_KEY.into(), garbage.into());
            assert_eq!(told(&facts).0, Level::Warning, "{garbage}");
        }
    }

    #[test]
    fn a_limit_that_ends_the_checks_is_an_error_and_one_that_ends_quick_check_a_warning() {
        const LIST: &str = "APP_DOVECOT_IP_LIST=127.0.0.1:143:15\n";
        let cases: [Case; 14] = [
            ("", Some("8.1.2"), Level::Ok, "LifeKeeper allows 22 s"),
            ("", Some("9.1.0"), Level::Ok, "LifeKeeper sets no limit"),
            ("", None, Level::Ok, "22 s (up to 9.0.2) or has no limit"),
            ("mail_1_TIMEOUT=22", Some("9.0.2"), Level::Ok, "mail_1_TIMEOUT=22"),
            ("mail_1_TIMEOUT=19", Some("9.0.2"), Level::Ok, "mail_1_TIMEOUT=19"),
            ("mail_1_TIMEOUT=18", Some("9.0.2"), Level::Warning, "ends itself after 18 s"),
            ("mail_1_TIMEOUT=15", Some("9.0.2"), Level::Warning, "ends itself"),
            ("mail_1_TIMEOUT=5", Some("9.0.2"), Level::Error, "the checks may take 14 s"),
            ("mail_1_QUICKCHECK_TIMEOUT=15", Some("9.9.0"), Level::Warning, "=15"),
            ("mail_1_QUICKCHECK_TIMEOUT=5", Some("9.0.2"), Level::Warning, "9.0.2 does not read"),
            ("mail_1_TIMEOUT=5", Some("9.1.0"), Level::Warning, "9.1.0 does not read it"),
            ("mail_1_TIMEOUT=5", None, Level::Error, "mail_1_TIMEOUT=5"),
            ("mail_1_TIMEOUT=2m", Some("9.0.2"), Level::Warning, "no number of seconds"),
            ("mail_1_TIMEOUT=0", Some("9.0.2"), Level::Warning, "no number of seconds"),
        ];
        for (file, version, level, what) in cases {
            let version = version.and_then(Version::parse);
            let findings = quick_check(&limits(file), version);
            let [finding] = findings.as_slice() else { panic!("{file}: {findings:?}") };
            assert_eq!(finding.level, level, "{file}: {finding:?}");
            assert!(finding.what.contains(what), "{file}: {}", finding.what);
        }
        for (seconds, level) in [(18, Level::Error), (22, Level::Ok)] {
            let file = format!("{LIST}mail_1_TIMEOUT={seconds}");
            let findings = quick_check(&limits(&file), Version::parse("9.0.2"));
            assert_eq!(findings[0].level, level, "{file}");
        }
    }

    #[test]
    fn a_switchover_must_end_before_lifekeeper_gives_it_up() {
        for (file, level) in [
            ("", Level::Ok),
            ("REMOTETIMEOUT=900", Level::Ok),
            ("REMOTETIMEOUT=300", Level::Warning),
            ("REMOTETIMEOUT=soon", Level::Warning),
            ("APP_DOVECOT_RESTORE_CHECK_RETRY=10", Level::Warning),
        ] {
            assert_eq!(remote(&limits(file)).level, level, "{file}");
        }
    }

    #[test]
    fn what_is_not_understood_of_the_settings_is_a_warning_each() {
        let mut facts = healthy("node1");
        facts.limits = limits("APP_DOVECOT_DEBUG=yes\nAPP_DOVECOT_IPLIST=127.0.0.1:143\n");
        let findings = assess(&facts);
        let odd: Vec<_> = findings.iter().filter(|one| one.check == Check::Settings).collect();
        assert_eq!(odd.len(), 2, "{findings:?}");
        assert!(odd.iter().all(|one| one.level == Level::Warning));
        assert!(odd[0].what.contains("line 2") || odd[1].what.contains("line 2"), "{odd:?}");
    }
}
