//! A node has one Dovecot for the kit: one master, and one tag that protects it.
//!
//! With a second master, a check takes one for the other, and remove ends both. With a second tag,
//! the remove of one resource stops the Dovecot that the other has in service.

use crate::doctor::facts::network::{DovecotPids, ForeignMaster, Writable};
use crate::doctor::facts::{Fact, Facts};
use crate::doctor::finding::{Check, Finding, or_ok};
use crate::dovecot::unit;
use crate::messages::Message;

/// Assesses the masters and the tags of one node.
pub(crate) fn assess(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![tags(facts)];
    // That the processes cannot be seen is said of the ports.
    if let Some(running) = facts.network.dovecot.known() {
        findings.extend(masters(facts, running));
    }
    findings
}

fn masters(facts: &Facts, running: &DovecotPids) -> Vec<Finding> {
    let (mut odd, well) = match running.masters.as_slice() {
        [] => (Vec::new(), "no master of Dovecot runs".to_owned()),
        [pid] => (Vec::new(), format!("one master of Dovecot runs: pid {pid}")),
        pids => (vec![several(facts, pids)], String::new()),
    };
    odd.extend(running.strangers.iter().map(|one| stranger(facts, running, one)));
    odd.extend(running.writable.iter().map(writable));
    or_ok(odd, Check::Master, well)
}

fn several(facts: &Facts, pids: &[i32]) -> Finding {
    let list =
        |separator: &str| pids.iter().map(i32::to_string).collect::<Vec<_>>().join(separator);
    let tag = &facts.resource.tag;
    let action = if facts.resource.is_in_service() {
        format!("dovecot-ark recover -t {tag}, which ends them all and starts one")
    } else {
        format!("dovecot-ark remove -t {tag}, which ends them all")
    };
    Finding::error(Check::Master, Message::DoctorSeveralMasters)
        .what(format!("{} masters of Dovecot run: pid {}", number(pids), list(", pid ")))
        .why("quickCheck takes one for the other, and remove ends them all")
        .cure(format!("{action}; or stop the one too many: ps -fp {}", list(",")))
}

/// How many there are, in words.
fn number<T>(of: &[T]) -> String {
    if of.len() == 2 { "two".to_owned() } else { of.len().to_string() }
}

/// A master whose program others than root can write, as an action tells of it once (ARK1107).
fn writable(Writable { process, program }: &Writable) -> Finding {
    Finding::warning(Check::Master, Message::DoctorWritableProgram)
        .what(format!("{process} runs {program}, which others than root can write"))
        .why("whoever can change that file becomes root when Dovecot is next started")
        .run(format!("chown root:root '{program}' && chmod 755 '{program}'"))
}

/// A master that is another unit's main process. remove leaves it alone, so LifeKeeper neither
/// stops it here nor starts it elsewhere. Beside the service's own master, or on a node where that is
/// to be stopped, it may be meant so, with a mail store of its own: a warning. Where Dovecot is to
/// serve and this is the only master, the checks take it for the protected one: an error.
fn stranger(facts: &Facts, running: &DovecotPids, one: &ForeignMaster) -> Finding {
    let ForeignMaster { pid, unit } = one;
    let service = format!("{}.service", facts.service.name);
    if facts.resource.is_in_service() && running.masters.is_empty() {
        return Finding::error(Check::Master, Message::DoctorOnlyStranger)
            .what(format!(
                "the only master of Dovecot, pid {pid}, belongs to {unit}, not to {service}"
            ))
            .why("LifeKeeper protects nothing: remove leaves this master alone, quickCheck counts it")
            .cure(format!(
                "set APP_DOVECOT_SERVICE in /etc/default/LifeKeeper to its unit, or stop it: {}",
                unit::disabled(unit)
            ));
    }
    let what = if let [own, ..] = running.masters.as_slice() {
        format!(
            "two masters of Dovecot run: pid {pid} belongs to {unit}, and pid {own} to {service}"
        )
    } else {
        format!("a master of Dovecot, pid {pid}, belongs to {unit}, not to {service}")
    };
    Finding::warning(Check::Master, Message::DoctorStranger)
        .what(what)
        .why(
            "quickCheck counts its master, remove leaves it alone; on the same mail store it would \
             run beside the Dovecot of another node",
        )
        .run(unit::disabled(unit))
        .and("unless its mail store and its ports are its own")
}

/// Whether install has noted one tag at most. An older kit noted as many as it was told.
fn tags(facts: &Facts) -> Finding {
    let tags = match &facts.tags {
        Fact::Known(tags) => tags,
        Fact::Unknown(cause) => {
            return Finding::warning(Check::Tag, Message::DoctorRecord)
                .what(format!("what install has changed here is not known: {cause}"))
                .why("install refuses, and uninstall cannot give it back")
                .cure("fix that file, or restore it from a backup");
        }
    };
    match tags.as_slice() {
        [] => Finding::ok(Check::Tag, "install has noted no tag on this node"),
        [tag] => Finding::ok(Check::Tag, format!("this node is prepared for one tag, {tag}")),
        [first, ..] => {
            let asked = &facts.resource.tag;
            let kept = if tags.contains(asked) { asked } else { first };
            let others = tags.iter().filter(|tag| *tag != kept);
            let commands: Vec<String> =
                others.map(|tag| format!("dovecot-ark uninstall --tag {tag}")).collect();
            let (count, tags) = (number(tags), tags.join(", "));
            Finding::error(Check::Tag, Message::DoctorSeveralTags)
                .what(format!("this node is prepared for {count} tags: {tags}"))
                .why("the remove of one resource stops the Dovecot that the other has in service")
                .run(commands.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::healthy;
    use crate::doctor::finding::Level;

    fn running(masters: &[i32], strangers: &[i32]) -> DovecotPids {
        let stranger = |pid: &i32| ForeignMaster { pid: *pid, unit: "second.service".into() };
        let strangers = strangers.iter().map(stranger).collect();
        DovecotPids { masters: masters.to_vec(), strangers, ..DovecotPids::default() }
    }

    #[test]
    fn a_second_master_is_an_error_and_one_of_another_unit_only_where_it_is_the_only_one() {
        use Level::{Error, Ok, Warning};
        let ends = "dovecot-ark recover -t dovecot, which ends them all and starts one; \
                    or stop the one too many: ps -fp 100,200";
        let other = "systemctl disable second.service; systemctl stop second.service";
        for (own, strangers, level, what, cure) in [
            (&[][..], &[][..], Ok, "no master of Dovecot runs", ""),
            (&[100], &[], Ok, "one master of Dovecot runs: pid 100", ""),
            (&[100, 200], &[], Error, "two masters of Dovecot run: pid 100, pid 200", ends),
            (
                &[1, 2, 3],
                &[],
                Error,
                "3 masters of Dovecot run: pid 1, pid 2, pid 3",
                "ps -fp 1,2,3",
            ),
            (
                &[100],
                &[200],
                Warning,
                "two masters of Dovecot run: pid 200 belongs to second.service, and pid 100 to dovecot.service",
                other,
            ),
            (
                &[],
                &[200],
                Error,
                "the only master of Dovecot, pid 200, belongs to second.service, not to \
                 dovecot.service",
                "APP_DOVECOT_SERVICE",
            ),
        ] {
            let findings = masters(&healthy("node1"), &running(own, strangers));
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.what.contains(what), "{finding:?}");
            assert!(
                finding.told_cure().as_deref().unwrap_or_default().contains(cure),
                "{finding:?}"
            );
        }
        let mut facts = healthy("node1");
        facts.resource.stand_by();
        let findings = masters(&facts, &running(&[], &[200]));
        assert_eq!(findings[0].level, Warning, "it is to be stopped here anyway");
        let findings = masters(&facts, &running(&[100, 200], &[300]));
        assert_eq!(findings.len(), 2);
        let (process, program) = ("pid 100 (dovecot)".into(), "/usr/sbin/dovecot".into());
        let writable = vec![Writable { process, program }];
        let loose = masters(&facts, &DovecotPids { writable, ..running(&[100], &[]) });
        let what = "pid 100 (dovecot) runs /usr/sbin/dovecot, which others than root can write";
        assert_eq!((loose[0].level, &*loose[0].what), (Warning, what));
        let cure = findings[0].told_cure().unwrap_or_default();
        assert!(cure.starts_with("dovecot-ark remove -t dovecot, which ends them all;"), "{cure}");
    }

    #[test]
    fn a_second_tag_is_an_error_with_the_command_that_takes_it_out() {
        for (noted, level, cure) in [
            (&[][..], Level::Ok, None),
            (&["mail"], Level::Ok, None),
            (&["dovecot", "mail2"], Level::Error, Some("dovecot-ark uninstall --tag mail2")),
            (&["a", "dovecot"], Level::Error, Some("dovecot-ark uninstall --tag a")),
            (
                &["a", "b", "c"],
                Level::Error,
                Some("dovecot-ark uninstall --tag b; dovecot-ark uninstall --tag c"),
            ),
        ] {
            let mut facts = healthy("node1");
            facts.tags = Fact::Known(noted.iter().map(|&tag| tag.to_owned()).collect());
            let finding = tags(&facts);
            assert_eq!((finding.level, finding.told_cure().as_deref()), (level, cure), "{noted:?}");
            assert!(noted.iter().all(|tag| finding.what.contains(tag)), "{finding:?}");
        }
        let mut facts = healthy("node1");
        facts.tags = Fact::Unknown("reading install.toml: [boot] must be a table".into());
        assert_eq!(tags(&facts).level, Level::Warning);
    }
}
