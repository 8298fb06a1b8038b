//! Whether what must be installed is there, in a version that the kit knows.

use crate::doctor::facts::installed::{Installed, LICENCES};
use crate::doctor::facts::{Fact, Facts};
use crate::doctor::finding::{Check, Finding};
use crate::messages::Message;

/// Assesses what is installed.
pub(crate) fn assess(facts: &Facts) -> Vec<Finding> {
    let installed = &facts.installed;
    let mut findings = vec![lifekeeper(installed)];
    if installed.lifekeeper.known().is_some() {
        findings.push(if installed.licence {
            Finding::ok(Check::Licence, "LifeKeeper has a licence file")
        } else {
            Finding::warning(Check::Licence, Message::DoctorLicence)
                .what(format!("there is no licence file in /{LICENCES}"))
                .why("LifeKeeper does not start when its licence is missing or has ended")
                .run(installed.command("lkkeyins FILE"))
        });
    }
    findings.push(dovecot_version(&installed.dovecot));
    findings.extend(installed.unusable.iter().map(own_file));
    findings
}

/// A file or directory of the kit that an action does without: nobody is hurt by that alone, so it is
/// no error.
fn own_file(cause: &String) -> Finding {
    Finding::warning(Check::Kit, Message::DoctorOwnFiles)
        .what(cause)
        .why("the kit does without it: its log, or what one action must know of another, is lost")
        .cure("remove what does not belong to root alone, and find out who created it")
}

fn lifekeeper(installed: &Installed) -> Finding {
    match (&installed.lifekeeper, &installed.node, &installed.version) {
        (Fact::Unknown(cause), ..) => Finding::error(Check::LifeKeeper, Message::NoLifeKeeper)
            .what(cause)
            .why("nothing protects Dovecot on this node")
            .cure("install LifeKeeper, or set LKROOT in /etc/default/LifeKeeper to its directory"),
        (_, Fact::Unknown(cause), _) => Finding::error(Check::LifeKeeper, Message::LifeKeeperDown)
            .what(cause)
            .why("nothing protects Dovecot on this node, and the resource cannot be looked at")
            .run(installed.command("lkstart")),
        (_, _, Fact::Unknown(cause)) => Finding::warning(
            Check::LifeKeeper,
            Message::DoctorLifeKeeperVersion,
        )
        .what(format!("LifeKeeper runs in a version that is not known: {cause}"))
        .why(
            "all nodes must have the same version, and how long quickCheck may take depends \
             on it",
        )
        .run("rpm -q steeleye-lk"),
        (_, _, Fact::Known(version)) => {
            Finding::ok(Check::LifeKeeper, format!("LifeKeeper {version} runs"))
        }
    }
}

fn dovecot_version(version: &Fact<String>) -> Finding {
    match version {
        Fact::Unknown(cause) => Finding::error(Check::Dovecot, Message::DoctorNoDovecot)
            .what(cause)
            .why("a failover to this node fails")
            .cure("install Dovecot in the version that the other nodes have"),
        Fact::Known(version) if version.starts_with("1.") || version.starts_with("2.") => {
            Finding::ok(Check::Dovecot, format!("Dovecot {version} is installed"))
        }
        Fact::Known(version) => Finding::warning(Check::Dovecot, Message::DoctorUntried)
            .what(format!("Dovecot {version} is installed"))
            .why("the kit was tried with the versions 1 and 2")
            .cure("install a version that the kit knows, or try this one before it carries mail"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::healthy;
    use crate::doctor::finding::Level;

    fn unknown<T>(cause: &str) -> Fact<T> {
        Fact::Unknown(cause.into())
    }

    #[test]
    fn what_is_missing_or_down_is_an_error_and_an_unknown_version_a_warning() {
        type Change = fn(&mut Installed);
        let cases: [(Check, Level, &str, Change); 5] = [
            (Check::Kit, Level::Warning, "who created it", |i| {
                i.unusable = vec!["using /run/dovecot-ark: it belongs to user 1000".into()];
            }),
            (Check::LifeKeeper, Level::Error, "set LKROOT", |i| {
                i.lifekeeper = unknown("not there");
                i.node = unknown("not there");
            }),
            (Check::LifeKeeper, Level::Error, "/opt/LifeKeeper/bin/lkstart", |i| {
                i.node = unknown("down");
            }),
            (Check::LifeKeeper, Level::Warning, "rpm -q", |i| i.version = unknown("no rpm")),
            (Check::Licence, Level::Warning, "lkkeyins", |i| i.licence = false),
        ];
        for (check, level, cure, change) in cases {
            let mut facts = healthy("node1");
            change(&mut facts.installed);
            let findings = assess(&facts);
            let odd: Vec<_> = findings.iter().filter(|one| one.level != Level::Ok).collect();
            let [finding] = odd.as_slice() else { panic!("{findings:?}") };
            assert_eq!((finding.check, finding.level), (check, level));
            assert!(
                finding.told_cure().as_deref().is_some_and(|text| text.contains(cure)),
                "{finding:?}"
            );
        }
    }

    #[test]
    fn the_versions_of_dovecot_that_were_tried_are_known() {
        for (version, level) in [
            (Fact::Known("1.0.7".to_owned()), Level::Ok),
            (Fact::Known("2.3.19.1 (9b53102964)".to_owned()), Level::Ok),
            (Fact::Known("3.0.0".to_owned()), Level::Warning),
            (Fact::Known("Fatal: what?".to_owned()), Level::Warning),
            (unknown("there is no dovecot"), Level::Error),
        ] {
            assert_eq!(dovecot_version(&version).level, level, "{version:?}");
        }
    }
}
