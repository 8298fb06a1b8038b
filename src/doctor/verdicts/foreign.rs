//! Whether another program of the node may start Dovecot.
//!
//! What one of them starts on a standby runs beside the active Dovecot.

use crate::doctor::facts::foreign::Mention;
use crate::doctor::finding::{Check, Finding, or_ok};
use crate::messages::Message;

/// What a start by another program does.
const STARTS: &str = "it may start Dovecot on a node where LifeKeeper has it out of service, and stop \
                      or restart it where it is in service";

/// Assesses the mentions.
pub(crate) fn assess(mentions: &[Mention]) -> Vec<Finding> {
    or_ok(
        mentions.iter().map(assess_one).collect(),
        Check::Supervisor,
        "neither monit, supervisord nor Pacemaker has it, and no file of cron, rc.local, \
         keepalived, certbot or logrotate starts it",
    )
}

fn assess_one(Mention { program, file, starts, resource }: &Mention) -> Finding {
    let level = if *starts { Finding::error } else { Finding::warning };
    let known = format!("{program} knows of Dovecot: {file}");
    match program.as_str() {
        "Pacemaker" => Finding::error(Check::Supervisor, Message::DoctorSupervisor)
            .what(resource.as_ref().map_or(known, |resource| {
                format!("Dovecot is a resource of Pacemaker too, {resource}: {file}")
            }))
            .why(
                "each engine would stop, start and move it behind the other's back: Dovecot may run \
                 on two nodes at once",
            )
            .cure(
                "leave it to one engine: here, crm_resource --list, then take it out of Pacemaker; \
                 or dovecot-ark uninstall, and leave it to Pacemaker",
            ),
        "monit" => level(Check::Supervisor, Message::DoctorSupervisor)
            .what(known)
            .why(if *starts {
                STARTS
            } else {
                "a standby, where Dovecot does not run, would be reported as broken"
            })
            .cure(format!("take Dovecot out of {file}, then `monit reload`")),
        "cron" | "rc.local" | "keepalived" | "certbot" | "logrotate" => {
            let asks = if *starts { "" } else { " (it asks first whether it is active)" };
            level(Check::Supervisor, Message::DoctorStarter)
                .what(format!("a file of {program} starts or restarts Dovecot: {file}{asks}"))
                .why(STARTS)
                .cure(format!(
                    "in {file}, restart it with `systemctl try-restart`, or let `doveadm reload` do: \
                     neither starts a Dovecot that is stopped"
                ))
        }
        _ => Finding::error(Check::Supervisor, Message::DoctorSupervisor)
            .what(known)
            .why(STARTS)
            .cure(format!("take Dovecot out of {file}, then `supervisorctl update`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    #[test]
    fn who_may_start_dovecot_is_an_error_and_who_only_watches_a_warning() {
        for (program, starts, level) in [
            ("monit", true, Level::Error),
            ("monit", false, Level::Warning),
            ("supervisord", false, Level::Error),
            ("Pacemaker", false, Level::Error),
            ("cron", true, Level::Error),
            ("certbot", false, Level::Warning),
        ] {
            let (program, file) = (program.to_owned(), "/etc/x".to_owned());
            let mention = Mention { program, file, starts, resource: None };
            let findings = assess(std::slice::from_ref(&mention));
            assert_eq!((findings.len(), findings[0].level), (1, level), "{mention:?}");
        }
        assert_eq!(assess(&[])[0].level, Level::Ok);
        let mention = Mention {
            program: "Pacemaker".into(),
            file: "/x".into(),
            starts: false,
            resource: Some("mail (systemd:dovecot)".into()),
        };
        let what = "Dovecot is a resource of Pacemaker too, mail (systemd:dovecot): /x";
        assert_eq!(assess(&[mention])[0].what, what);
    }
}
