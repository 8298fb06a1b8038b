//! Whether another program of the node may start Dovecot.
//!
//! What one of them starts on a standby runs beside the active Dovecot.

use crate::doctor::facts::foreign::Mention;
use crate::doctor::finding::{Check, Finding};
use crate::messages::Message;

/// Assesses the mentions.
pub(crate) fn assess(mentions: &[Mention]) -> Vec<Finding> {
    let why = "it may start Dovecot on a node where LifeKeeper has it out of service, and stop or \
               restart it where it is in service";
    let mut findings: Vec<Finding> = mentions
        .iter()
        .map(|Mention { program, file, starts, resource }| {
            let what = format!("{program} knows of Dovecot: {file}");
            match program.as_str() {
                "Pacemaker" => {
                    let what = resource.as_ref().map_or(what, |resource| {
                        format!("Dovecot is a resource of Pacemaker too, {resource}: {file}")
                    });
                    let why = "each engine would stop, start and move it behind the other's back: \
                               Dovecot may run on two nodes at once";
                    let cure = "leave it to one engine: here, crm_resource --list, then take it out of \
                                Pacemaker; or dovecot-ark uninstall, and leave it to Pacemaker";
                    Finding::error(Check::Supervisor, Message::DoctorSupervisor, what, why, cure)
                }
                "monit" if *starts => {
                    let cure = format!("take Dovecot out of {file}, then `monit reload`");
                    Finding::error(Check::Supervisor, Message::DoctorSupervisor, what, why, cure)
                }
                "monit" => Finding::warning(
                    Check::Supervisor,
                    Message::DoctorSupervisor,
                    what,
                    "a standby, where Dovecot does not run, would be reported as broken",
                    format!("take Dovecot out of {file}, then `monit reload`"),
                ),
                "cron" | "rc.local" | "keepalived" | "certbot" | "logrotate" => {
                    let what = format!("a file of {program} starts or restarts Dovecot: {file}");
                    let cure = format!(
                        "in {file}, restart it with `systemctl try-restart`, or let `doveadm \
                         reload` do: neither starts a Dovecot that is stopped"
                    );
                    if *starts {
                        Finding::error(Check::Supervisor, Message::DoctorStarter, what, why, cure)
                    } else {
                        let what = format!("{what} (it asks first whether it is active)");
                        Finding::warning(Check::Supervisor, Message::DoctorStarter, what, why, cure)
                    }
                }
                _ => {
                    let cure = format!("take Dovecot out of {file}, then `supervisorctl update`");
                    Finding::error(Check::Supervisor, Message::DoctorSupervisor, what, why, cure)
                }
            }
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(
            Check::Supervisor,
            "neither monit, supervisord nor Pacemaker has it, and no file of cron, rc.local, \
             keepalived, certbot or logrotate starts it",
        ));
    }
    findings
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
