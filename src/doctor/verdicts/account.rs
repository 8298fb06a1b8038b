//! Whether the login check can log in, and what its failures would do.

use crate::doctor::facts::Fact;
use crate::doctor::facts::account::Account;
use crate::doctor::finding::{Check, Finding};
use crate::messages::Message;
use crate::probe::socket::VISITOR;

/// What a check without an account misses.
const BLIND: &str = "each check warns, and a mail store that hangs or is not mounted is not seen";

/// Assesses the account, where the check logs in.
pub(crate) fn assess(account: Option<&Account>) -> Vec<Finding> {
    let Some(account) = account else { return Vec::new() };
    [Some(usable(account)), banned(account), delayed(account)].into_iter().flatten().collect()
}

/// A wrong ok leaves a check blind that somebody relies on, on a standby until its failover; a wrong
/// error has somebody look at an account. So a file that is refused is an error on a standby too.
fn usable(account: &Account) -> Finding {
    let user = match &account.user {
        Fact::Known(user) => user,
        Fact::Unknown(cause) => {
            return Finding::error(Check::Account, Message::DoctorNoAccount)
                .what(format!("the login check has no account: {cause}"))
                .why(BLIND)
                .run("dovecot-ark login-account")
                .and("or copy the file from another node");
        }
    };
    let named = format!("the login check's account {user} in {}", account.file);
    match &account.accepted {
        Some(Fact::Known(true)) => {
            Finding::ok(Check::Account, format!("{named}: Dovecot lets it in"))
        }
        Some(Fact::Known(false)) => Finding::error(Check::Account, Message::DoctorAccountRefused)
            .what(format!("{named}: Dovecot refuses it"))
            .why(BLIND)
            .run("dovecot-ark login-account --keep")
            .and("and give Dovecot the account that it shows"),
        Some(Fact::Unknown(cause)) => {
            Finding::warning(Check::Account, Message::DoctorAccountUnknown)
                .what(format!("{named}: whether Dovecot lets it in is not known: {cause}"))
                .why(BLIND)
                .cure("see why the authentication does not answer")
        }
        None => Finding::ok(
            Check::Account,
            format!("{named}: only root can read it; Dovecot does not run here and was not asked"),
        ),
    }
}

/// An address that is banned cannot connect: the check would call the port dead.
fn banned(account: &Account) -> Option<Finding> {
    let from = account.from.filter(|_| !account.jails.is_empty())?;
    let jails = account.jails.join(", ");
    Some(Finding::warning(Check::Account, Message::DoctorAccountBanned)
.what(format!("fail2ban counts the login check's address {from}: {jails}"))
.why("a wrong password would ban the address, and the check would then call the port dead")
.cure(format!("add {from} to ignoreip in the section [DEFAULT] of /etc/fail2ban/jail.local")))
}

/// From its own address of loopback nobody but the check logs in.
fn delayed(account: &Account) -> Option<Finding> {
    let from = account.from.filter(|from| *from != VISITOR && account.delayed == Some(true))?;
    Some(
        Finding::warning(Check::Account, Message::DoctorAccountDelayed)
            .what(format!("Dovecot delays the login check when others from {from} fail to log in"))
            .why("after wrong passwords of a webmail on this node the check warns without cause")
            .cure(format!(
                "list 127.0.0.1:143 before that entry in APP_DOVECOT_IP_LIST, or add {from} to \
                 login_trusted_networks"
            )),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    fn account() -> Account {
        Account {
            file: "/etc/dovecot-ark/login".into(),
            user: Fact::Known("ark".into()),
            accepted: Some(Fact::Known(true)),
            from: Some(VISITOR.into()),
            delayed: Some(true),
            jails: Vec::new(),
        }
    }

    #[test]
    fn an_account_that_dovecot_refuses_or_others_can_read_is_an_error() {
        let ark = || Fact::Known("ark".to_owned());
        for (user, accepted, level, words) in [
            (ark(), Some(Fact::Known(true)), Level::Ok, "Dovecot lets it in"),
            (ark(), None, Level::Ok, "was not asked"),
            (ark(), Some(Fact::Known(false)), Level::Error, "refuses it"),
            (ark(), Some(Fact::Unknown("x".into())), Level::Warning, "is not known: x"),
            (Fact::Unknown("its mode is 640".into()), None, Level::Error, ": its mode is 640"),
        ] {
            let seen = Account { user, accepted, ..account() };
            let findings = assess(Some(&seen));
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.what.ends_with(words), "{finding:?}");
        }
        assert_eq!(assess(None), []);
    }

    #[test]
    fn who_counts_the_address_is_told() {
        let seen = Account { jails: vec!["dovecot".into(), "mail".into()], ..account() };
        let [_, banned] = &assess(Some(&seen))[..] else { panic!("{seen:?}") };
        assert_eq!(
            banned.what,
            "fail2ban counts the login check's address 127.0.0.143: dovecot, mail"
        );
        let elsewhere = Account { from: "192.0.2.1".parse().ok(), ..account() };
        let [_, delayed] = &assess(Some(&elsewhere))[..] else { panic!("{elsewhere:?}") };
        assert!(delayed.what.contains("when others from 192.0.2.1 fail"), "{delayed:?}");
        let trusted = Account { delayed: Some(false), ..elsewhere };
        assert_eq!(assess(Some(&trusted)).len(), 1);
    }
}
