//! The account of the login check: its file, and what the authentication says of it.
//!
//! The password is in no command line, log or output.

use std::fs::OpenOptions;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::instance::Instance;
use crate::command::{Command, CommandOutput, End};
use crate::files::{self, below};
use crate::probe::endpoint::Endpoint;
use crate::probe::login;
use crate::probe::socket::VISITOR;
use crate::secret::Secret;
use crate::system::System;
use crate::text::one_line;

/// The longest file with an account that is read, in bytes.
const MAX_FILE: u64 = 1024;

/// Exit status of doveadm for an account that is refused (`EX_NOPERM`; seen with 2.3.19 and 2.4.1).
const REFUSED: i32 = 77;

/// Reads the account and its password: one line, `user:password`, in a file that root alone can
/// read.
///
/// # Errors
///
/// A sentence that names the file and what is wrong with it, and shows nothing of what is in it.
pub(crate) fn read(root: &Path, file: &Path) -> Result<(String, Secret), String> {
    let path = below(root, file);
    let wrong = |cause: &dyn std::fmt::Display| format!("{}: {cause}", file.display());
    let opened = files::open_own(&path, OpenOptions::new().read(true)).map_err(|e| wrong(&e))?;
    let mode = opened.metadata().map_err(|e| wrong(&e))?.mode() & 0o7777;
    if mode & 0o177 != 0 {
        return Err(wrong(&format!("others may read it, its mode is {mode:o} and must be 600")));
    }
    let mut text = String::new();
    opened.take(MAX_FILE).read_to_string(&mut text).map_err(|e| wrong(&e))?;
    let line = text.trim_end_matches(['\n', '\r']);
    let (user, password) =
        line.split_once(':').ok_or_else(|| wrong(&"one line user:password is expected"))?;
    let user = login::word(user).map_err(|e| wrong(&format!("the user: {e}")))?;
    let password = login::word(password).map_err(|e| wrong(&format!("the password: {e}")))?;
    Ok((user, Secret::new(password)))
}

/// Says what is wrong with the name of an account, if anything is. Dovecot looks names up in lower
/// case and takes no other characters than these by its defaults (`auth_username_format`,
/// `auth_username_chars`); at the beginning a hyphen would be an option of its tools.
pub(crate) fn user_name(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-@".contains(&b);
    let user = login::word(text)?;
    if user.bytes().all(allowed) && !user.starts_with('-') {
        Ok(user)
    } else {
        Err("a user of lower-case letters, digits and . _ - @ is expected".into())
    }
}

/// The address from which a visit comes, as Dovecot sees it: an address of this node is reached from
/// itself. Dovecot delays all logins of an address from which others have failed, so the question
/// beside a visit must be one from the same: answered at once, it would make a store that hangs of
/// that delay.
pub(crate) fn origin(endpoint: &Endpoint) -> IpAddr {
    match endpoint.address {
        IpAddr::V4(address) if address.is_loopback() => VISITOR.into(),
        address => address,
    }
}

/// From where the account of the check would log in, if an entry of the list speaks its protocols.
pub(crate) fn origin_of(endpoints: &[Endpoint]) -> Option<IpAddr> {
    login::place(endpoints).map(origin)
}

/// Whether a question to the authentication is delayed after failed logins from its address, and counts
/// there itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Delay {
    /// As each login.
    AsLogins,
    /// Never (`no-penalty`; tried with 2.3.19 and 2.4.1).
    Never,
}

/// The command that asks the authentication by itself whether it lets an account in.
pub(crate) fn test(
    system: &impl System,
    instance: &Instance,
    (user, password): (&str, &Secret),
    (from, delay): (IpAddr, Delay),
) -> Option<Command> {
    let address = format!("rip={from}");
    let mut words = vec!["auth", "test", "-x", "service=imap", "-x", &address];
    if delay == Delay::Never {
        words.extend(["-x", "no-penalty"]);
    }
    words.push(user);
    let command = instance.command(system, "doveadm", &words)?;
    Some(command.told(password.clone()))
}

/// What the authentication by itself says of an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Opinion {
    Accepts,
    Refuses,
    /// It cannot ask its database.
    Failing,
    Silent,
    /// It cannot be asked, for this reason.
    Unknown(String),
}

/// What the end of [`test()`] says.
pub(crate) fn opinion(ended: &CommandOutput) -> Opinion {
    match ended.end {
        End::Exited(0) => Opinion::Accepts,
        End::Exited(REFUSED) if is_temporary(&ended.output) => Opinion::Failing,
        End::Exited(REFUSED) => Opinion::Refuses,
        End::TimedOut(_) => Opinion::Silent,
        _ => Opinion::Unknown(one_line(&ended.to_string())),
    }
}

/// Whether a refusal is one that passes: among the fields that doveadm prints, a line each, is
/// `code=temp_fail` (seen with 2.3.19), or `temp` before it.
fn is_temporary(output: &str) -> bool {
    output.lines().any(|line| ["code=temp_fail", "temp"].contains(&line.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_root::TestRoot;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    const FILE: &str = "etc/dovecot-ark/login";

    fn read(text: &str, mode: u32) -> Result<(String, Secret), String> {
        let root = TestRoot::new();
        root.write(FILE, text);
        let path = root.path().join(FILE);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
        super::read(root.path(), Path::new("/etc/dovecot-ark/login"))
    }

    #[test]
    fn an_account_is_one_line_that_root_alone_can_read_and_no_refusal_shows_it() {
        let (user, password) = read("ark@example.com:a:b\n", 0o600).expect("an account");
        assert_eq!((user.as_str(), password.reveal()), ("ark@example.com", "a:b"));
        for (text, mode, cause) in [
            ("ark:sesame", 0o640, "others may read it, its mode is 640 and must be 600"),
            ("ark:sesame", 0o602, "others may write it"),
            ("sesame", 0o600, "one line user:password is expected"),
            ("ark:", 0o600, "the password: it is empty"),
            (":sesame", 0o600, "the user: it is empty"),
            ("ark:sesame\nmore", 0o600, "the password: it holds a character"),
        ] {
            let error = read(text, mode).expect_err(cause);
            assert!(error.starts_with("/etc/dovecot-ark/login: "), "{error}");
            assert!(error.contains(cause) && !error.contains("sesame"), "{error}");
        }
    }

    #[test]
    fn a_user_is_what_dovecot_takes_by_its_defaults_and_no_option() {
        for user in ["dovecot-ark", "ark_1.x@mail.example.com"] {
            assert_eq!(user_name(user).as_deref(), Ok(user));
        }
        for user in ["-a", "Ark", "a*", "a?", "a:b", "a\"b", "a/b", "a+b"] {
            let error = user_name(user).expect_err(user);
            assert_eq!(error, "a user of lower-case letters, digits and . _ - @ is expected");
        }
        assert_eq!(user_name("").expect_err("none"), "it is empty");
    }

    #[test]
    fn a_database_that_is_down_is_no_refusal() {
        let failed = "passdb: ark auth failed\nextra fields:\n";
        for (end, fields, expected) in [
            (0, "", Opinion::Accepts),
            (REFUSED, "", Opinion::Refuses),
            (REFUSED, "  user=temp\n", Opinion::Refuses),
            (REFUSED, "  code=temp_fail\n", Opinion::Failing),
            (REFUSED, "  temp\n", Opinion::Failing),
        ] {
            let (end, output) = (End::Exited(end), format!("{failed}{fields}"));
            let ended = CommandOutput { end, output, answer: String::new() };
            assert_eq!(opinion(&ended), expected, "{fields:?}");
        }
    }

    #[test]
    fn the_question_beside_a_login_comes_from_where_the_login_comes() {
        for (entry, from) in
            [("127.0.0.1:143", "127.0.0.143"), ("[::1]:143", "::1"), ("192.0.2.1:143", "192.0.2.1")]
        {
            let endpoint = Endpoint::parse(entry).expect("an entry");
            assert_eq!(origin(&endpoint).to_string(), from, "{entry}");
        }
    }
}
