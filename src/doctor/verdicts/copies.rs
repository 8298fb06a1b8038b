//! Whether LifeKeeper can run the kit's programs, and runs those and no others.

use crate::doctor::facts::Facts;
use crate::doctor::facts::copies::{Copies, DIRECTORY, Program, TEXTS};
use crate::doctor::finding::{Check, Finding, or_ok};
use crate::files::PROGRAM;
use crate::lifekeeper::copies::cure;
use crate::messages::Message;

/// Assesses the programs of one node.
pub(crate) fn assess(facts: &Facts) -> Vec<Finding> {
    let copies = &facts.resource.copies;
    let mut findings = stubs(copies);
    if facts.resource.registration().is_none() {
        return findings;
    }
    if copies.are_others() {
        findings.push(others(facts, copies));
    } else {
        let odd = TEXTS.iter().filter_map(|(action, text)| {
            odd_copy(action, text, copies.registered.get(*action), &facts.resource.tag)
        });
        let ours = "LifeKeeper's four copies are the kit's stubs";
        findings.extend(or_ok(odd.collect(), Check::Copies, ours));
    }
    findings
}

/// Another kit's resource. Where it stands by, its programs are replaced from the node that has it in
/// service.
fn others(facts: &Facts, copies: &Copies) -> Finding {
    let tag = &facts.resource.tag;
    let install = format!("dovecot-ark install --tag {tag} --take-over");
    let odd = Finding::error(Check::Copies, Message::DoctorForeignCopy)
        .what(format!("{tag} has other programs than the kit's: {}", copies.foreign().join(", ")))
        .why("LifeKeeper runs these, whose behaviour is unknown");
    if facts.resource.is_in_service() {
        odd.run(install).and("Dovecot goes on; uninstall gives the other scripts back")
    } else {
        odd.cure(format!("{install} on the node where it is in service, or here if it is nowhere"))
    }
}

fn odd_copy(action: &str, text: &str, copy: Option<&Program>, tag: &str) -> Option<Finding> {
    let Some(copy) = copy else {
        let why = match action {
            "quickCheck" => "without it LifeKeeper never notices that Dovecot is down",
            "recover" => "without it each fault of Dovecot leads to a failover",
            _ => "without it LifeKeeper can neither start nor stop Dovecot",
        };
        return Some(
            Finding::error(Check::Copies, Message::DoctorNoCopy)
                .what(format!("{tag} has no {action} here"))
                .why(why)
                .run(format!("dovecot-ark install --tag {tag}"))
                .and("after the resource was deleted in LifeKeeper"),
        );
    };
    let path = &copy.path;
    if !copy.holds(text) {
        return Some(
            Finding::error(Check::Copies, Message::DoctorForeignCopy)
                .what(format!("{path} is not the kit's {action}"))
                .why("LifeKeeper runs this copy, whose behaviour is unknown")
                .run(cure(action, path)),
        );
    }
    (!copy.executable).then(|| {
        Finding::error(Check::Copies, Message::DoctorCopyMode)
            .what(format!("{path} is not executable"))
            .why(format!("LifeKeeper cannot run {action}"))
            .run(format!("chmod 755 '{path}'"))
    })
}

fn stubs(copies: &Copies) -> Vec<Finding> {
    let mut unusable = Vec::new();
    let mut edited = Vec::new();
    if !copies.program {
        unusable.push(PROGRAM.to_owned());
    }
    for (action, text) in TEXTS {
        match copies.stubs.get(action) {
            Some(stub) if stub.executable && stub.holds(text) => {}
            Some(stub) if stub.executable => edited.push(format!("/{DIRECTORY}/{action}")),
            _ => unusable.push(format!("/{DIRECTORY}/{action}")),
        }
    }
    let unusable = (!unusable.is_empty()).then(|| {
        Finding::error(Check::Stubs, Message::DoctorStubs)
            .what(format!("missing or not executable: {}", unusable.join(", ")))
    });
    let edited = (!edited.is_empty()).then(|| {
        Finding::warning(Check::Stubs, Message::DoctorStubsEdited)
            .what(format!("not as the package laid it: {}", edited.join(", ")))
    });
    let odd = unusable.into_iter().chain(edited).map(|odd| {
        odd.why("what LifeKeeper runs calls it, and a new resource is made of it")
            .run("rpm -V dovecot-ark")
            .and("shows what is odd; install the package again")
    });
    or_ok(odd.collect(), Check::Stubs, "the kit's four stubs and its program are there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::healthy;
    use crate::doctor::finding::Level;

    #[test]
    fn a_copy_that_is_missing_changed_or_cannot_be_run_is_an_error() {
        type Change = fn(&mut Copies);
        fn restore(copies: &mut Copies) -> &mut Program {
            copies.registered.get_mut("restore").expect("a copy")
        }
        let path = "/opt/LifeKeeper/subsys/gen/resources/app/actions/!restore/dovecot";
        let cases: [(&str, String, Change); 3] = [
            ("has no restore", "dovecot-ark install --tag dovecot  (after".into(), |c| {
                c.registered.remove("restore");
            }),
            (
                "is not the kit's restore",
                format!("install -m 755 /usr/lib/dovecot-ark/restore '{path}'"),
                |c| restore(c).checksum = "0".into(),
            ),
            ("is not executable", format!("chmod 755 '{path}'"), |c| restore(c).executable = false),
        ];
        for (what, cure, change) in cases {
            let mut facts = healthy("node1");
            change(&mut facts.resource.copies);
            let findings = assess(&facts);
            let odd: Vec<_> = findings.iter().filter(|one| one.level != Level::Ok).collect();
            let [finding] = odd.as_slice() else { panic!("{findings:?}") };
            assert_eq!((finding.check, finding.level), (Check::Copies, Level::Error));
            assert!(finding.what.contains(what), "{}", finding.what);
            assert!(finding.told_cure().as_deref().is_some_and(|text| text.starts_with(&cure)));
        }
    }

    #[test]
    fn a_resource_of_other_scripts_is_one_error_and_to_be_taken_over() {
        let all = "dovecot has other programs than the kit's: restore, remove, quickCheck, recover";
        let install = "dovecot-ark install --tag dovecot --take-over";
        for (odd, taken, what, cure) in [
            (&["restore", "remove", "quickCheck", "recover"][..], false, all, install),
            (&["recover"], true, "dovecot has other programs than the kit's: recover", install),
            (&["recover"], false, "!recover/dovecot is not the kit's recover", "install -m 755"),
        ] {
            let mut facts = healthy("node1");
            let copies = &mut facts.resource.copies;
            copies.taken = taken;
            for action in odd {
                copies.registered.get_mut(*action).expect("a copy").checksum = "0".into();
            }
            let finding = |facts: &Facts| {
                let odd = assess(facts).into_iter().filter(|one| one.level != Level::Ok);
                let [finding]: [_; 1] = odd.collect::<Vec<_>>().try_into().expect("one finding");
                assert_eq!(finding.message, Some(Message::DoctorForeignCopy), "{finding:?}");
                assert!(finding.what.ends_with(what), "{finding:?}");
                finding.told_cure().unwrap_or_default()
            };
            let told = finding(&facts);
            assert!(told.starts_with(cure), "{told}");
            facts.resource.stand_by();
            let told = finding(&facts);
            assert!(told.starts_with(cure), "{told}");
            assert_eq!(told.contains("on the node where it is in service"), cure == install);
        }
        let mut facts = healthy("node1");
        for copy in facts.resource.copies.registered.values_mut() {
            copy.checksum = "0".into();
        }
        facts.resource.copies.registered.remove("recover");
        let odd = assess(&facts).into_iter().filter(|one| one.level != Level::Ok).count();
        assert_eq!(odd, 4, "taking it over needs all four");
    }

    #[test]
    fn a_stub_that_cannot_be_run_is_an_error_and_an_edited_one_a_warning() {
        type Change = fn(&mut Copies);
        let cases: [(Level, &str, Change); 4] = [
            (Level::Error, "missing or not executable: /usr/sbin/dovecot-ark", |c| {
                c.program = false;
            }),
            (Level::Error, "executable: /usr/lib/dovecot-ark/quickCheck", |c| {
                c.stubs.remove("quickCheck");
            }),
            (Level::Error, "executable: /usr/lib/dovecot-ark/remove", |c| {
                c.stubs.get_mut("remove").expect("a stub").executable = false;
            }),
            (Level::Warning, "not as the package laid it: /usr/lib/dovecot-ark/recover", |c| {
                c.stubs.get_mut("recover").expect("a stub").checksum = "0".into();
            }),
        ];
        for (level, what, change) in cases {
            let mut copies = healthy("node1").resource.copies;
            change(&mut copies);
            let findings = stubs(&copies);
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(finding.level, level);
            assert!(finding.what.ends_with(what), "{}", finding.what);
        }
    }
}
