//! The account of the login check on a node: the lab's first user, with a mailbox that nobody delivers to.

/// The setting that lets the check log in.
pub(crate) const PROBE: &str = "APP_DOVECOT_PROBE=login\n";

/// The script that gives a node the account, and the mailbox; Dovecot must run.
pub(crate) fn script() -> String {
    let (user, password) = lab::USERS[0];
    format!(
        "install -d -m 755 /etc/dovecot-ark
         (umask 077 && echo '{user}:{password}' >/etc/dovecot-ark/login)
         doveadm mailbox create -u {user} dovecot-ark"
    )
}
