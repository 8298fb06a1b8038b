//! What is said after the greeting to see a mailbox: LOGIN, EXAMINE, and nothing that changes one.
//!
//! The whole of it is a dialogue without a socket: it hears lines and says what to answer. The
//! password goes over TLS, or over a connection that does not leave the machine.

use std::fmt;
use std::time::Duration;

use super::endpoint::{Endpoint, Mode};
use super::greeting::Protocol;
use super::reply::{self, Reason, Reply};
use crate::secret::{HIDDEN, Secret};
use crate::text::seconds;

/// The ports on which mailboxes are looked at first: IMAP, because POP3 opens none but INBOX.
const FIRST: [u16; 2] = [143, 993];

/// The ports on which they are looked at where nothing else is listed.
const LAST: [u16; 2] = [110, 995];

/// Ports on which nobody can look at a mailbox: LMTP, SMTP, submission, `ManageSieve`.
const NEVER: [u16; 6] = [24, 25, 465, 587, 2000, 4190];

/// The mailbox to open, the account and the endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Visit {
    pub(crate) endpoint: Endpoint,
    pub(crate) user: String,
    pub(crate) password: Secret,
    /// The mailbox that must exist.
    pub(crate) mailbox: String,
    /// How long all of it may take, the connection and its greeting included.
    pub(crate) limit: Duration,
}

/// The entry of a list at which a mailbox is looked at: the first of IMAP's ports, else the first of
/// an unusual port, else the first of POP3's.
pub(crate) fn place(endpoints: &[Endpoint]) -> Option<&Endpoint> {
    let listens = || endpoints.iter().filter(|one| one.mode != Mode::Connect);
    let of = |ports: [u16; 2]| listens().find(|one| ports.contains(&one.port));
    let other = |one: &&Endpoint| !LAST.contains(&one.port) && !NEVER.contains(&one.port);
    of(FIRST).or_else(|| listens().find(other)).or_else(|| of(LAST))
}

/// What was asked of the server last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// To encrypt the connection.
    StartTls,
    /// To let the account in.
    Login,
    /// To open the mailbox.
    Examine,
}

/// Why a mailbox was not seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// The server accepted a command and did not answer within so long.
    Silent(Step, Duration),
    /// The server ended the connection instead of an answer, with these words if any.
    Closed(Step, Reason),
    /// The server said no.
    Refused(Step, Reason),
    /// The answer is none of the protocol.
    Foreign(Step, String),
    /// The encryption that was agreed on did not come about.
    Tls(String),
    /// It could not be tried.
    NotTried(String),
}

pub(crate) type Visited = Result<(), Trouble>;

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartTls => "STARTTLS",
            Self::Login => "LOGIN",
            Self::Examine => "EXAMINE",
        })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(step, limit) => write!(f, "{step}: no answer after {} s", seconds(*limit)),
            Self::Closed(step, reason) if reason.words.is_empty() => {
                write!(f, "{step}: closed without an answer")
            }
            Self::Closed(step, reason) | Self::Refused(step, reason) => {
                write!(f, "{step}: \"{}\"", reason.words)
            }
            Self::Foreign(step, words) => {
                write!(f, "{step}: no answer of a mail server: \"{words}\"")
            }
            Self::Tls(cause) => write!(f, "STARTTLS: {cause}"),
            Self::NotTried(cause) => f.write_str(cause),
        }
    }
}

/// Whether others can read a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wire {
    Encrypted,
    /// It goes to a loopback address.
    Loopback,
    /// Both its ends have one address of this machine.
    Own,
    /// It may go anywhere.
    Open,
}

pub(super) enum Next {
    Listen,
    /// Say this, which may hold the password.
    Say(Vec<u8>),
    /// Begin TLS, and tell when it may go on.
    Encrypt,
    End(Visited),
}

/// A visit on its way.
pub(super) struct Dialogue<'a> {
    visit: &'a Visit,
    pub(super) protocol: Protocol,
    wire: Wire,
    /// What was asked last.
    pub(super) step: Step,
    /// How many lines of the answer are still to come, in POP3.
    pending: u8,
}

impl<'a> Dialogue<'a> {
    /// Begins behind the greeting; says what comes first.
    pub(super) fn begin(
        visit: &'a Visit,
        protocol: Protocol,
        greeting: &[u8],
        wire: Wire,
    ) -> (Self, Next) {
        let mut dialogue = Self { visit, protocol, wire, step: Step::StartTls, pending: 0 };
        let is_in = |word: &[u8]| greeting.windows(word.len()).any(|part| part == word);
        let next = match protocol {
            Protocol::Imap if greeting.to_ascii_uppercase().starts_with(b"* PREAUTH") => {
                untried("the server lets everybody in")
            }
            Protocol::Imap | Protocol::Pop3 => match wire {
                Wire::Loopback if !is_in(b"LOGINDISABLED") => dialogue.log_in(),
                Wire::Encrypted => dialogue.log_in(),
                Wire::Loopback | Wire::Own | Wire::Open => dialogue.start_tls(),
            },
            Protocol::Smtp | Protocol::ManageSieve => {
                untried(&format!("no mailbox can be opened by {protocol}"))
            }
        };
        (dialogue, next)
    }

    /// Continues over TLS.
    pub(super) fn encrypted(&mut self) -> Next {
        self.wire = Wire::Encrypted;
        self.log_in()
    }

    /// Hears a line, without its end.
    pub(super) fn hear(&mut self, line: &[u8]) -> Next {
        let reply = match self.protocol {
            Protocol::Imap => reply::imap(line, self.tag()),
            _ => reply::pop3(line),
        };
        let hidden = |reason: Reason| Reason { words: self.shown(line), ..reason };
        match (self.step, reply) {
            (_, Reply::Part) => Next::Listen,
            (step, Reply::Bye(reason)) => Next::End(Err(Trouble::Closed(step, hidden(reason)))),
            (step, Reply::Foreign(_)) => Next::End(Err(Trouble::Foreign(step, self.shown(line)))),
            (Step::StartTls, Reply::Done) => Next::Encrypt,
            // Dovecot itself calls such a connection secured.
            (Step::StartTls, Reply::Refused(_)) if self.wire == Wire::Own => self.log_in(),
            (Step::StartTls, Reply::Refused(reason)) => {
                let words = hidden(reason).words;
                untried(&format!("no TLS, so the password is not sent: \"{words}\""))
            }
            (Step::Login, Reply::Refused(reason))
                // The name alone is refused by POP3 for no other reason.
                if self.wire != Wire::Encrypted
                    && (reason.code == "PRIVACYREQUIRED" || self.pending > 0) =>
            {
                self.start_tls()
            }
            (step, Reply::Refused(reason)) => Next::End(Err(Trouble::Refused(step, hidden(reason)))),
            (Step::Login, Reply::Done) if self.pending > 0 => {
                self.pending -= 1;
                let password = self.visit.password.reveal();
                Next::Say(format!("PASS {password}\r\n").into_bytes())
            }
            (Step::Login, Reply::Done) if self.protocol == Protocol::Imap => {
                self.step = Step::Examine;
                let mailbox = quoted(&self.visit.mailbox);
                Next::Say(format!("{} EXAMINE {mailbox}\r\n", self.tag()).into_bytes())
            }
            (Step::Login | Step::Examine, Reply::Done) => Next::End(Ok(())),
        }
    }

    /// The words of a line for people, without the password, as it is and as it was sent: it is taken
    /// out before the line is cut, or the part before the cut would stay.
    fn shown(&self, line: &[u8]) -> String {
        let password = &self.visit.password;
        let text = String::from_utf8_lossy(line).replace(&quoted(password.reveal()), HIDDEN);
        let text = password.hidden_in(&text);
        let behind_tag = text.split_once(' ').map_or("", |(_, rest)| rest);
        let begins = ["*", self.tag()].contains(&text.split(' ').next().unwrap_or_default());
        reply::shown(if self.protocol == Protocol::Imap && begins { behind_tag } else { &text })
    }

    /// The tag of the command that was sent.
    const fn tag(&self) -> &'static str {
        match self.step {
            Step::StartTls => "t",
            Step::Login => "l",
            Step::Examine => "e",
        }
    }

    fn start_tls(&mut self) -> Next {
        self.step = Step::StartTls;
        Next::Say(match self.protocol {
            Protocol::Imap => b"t STARTTLS\r\n".to_vec(),
            _ => b"STLS\r\n".to_vec(),
        })
    }

    fn log_in(&mut self) -> Next {
        self.step = Step::Login;
        let Visit { user, password, .. } = self.visit;
        let words = if self.protocol == Protocol::Imap {
            format!("l LOGIN {} {}\r\n", quoted(user), quoted(password.reveal()))
        } else {
            self.pending = 1;
            format!("USER {user}\r\n")
        };
        Next::Say(words.into_bytes())
    }
}

fn untried(cause: &str) -> Next {
    Next::End(Err(Trouble::NotTried(cause.to_owned())))
}

/// A quoted string of IMAP; what it may not hold was refused when it was read.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Says what is wrong with a word that is to be sent to a server, if anything is: it must be one
/// word of printable ASCII.
pub(crate) fn word(text: &str) -> Result<String, String> {
    const LONGEST: usize = 255;
    if text.is_empty() {
        Err("it is empty".into())
    } else if text.len() > LONGEST {
        Err(format!("it has more than {LONGEST} bytes"))
    } else if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("it holds a character that is not printable ASCII, or a blank".into())
    }
}

/// The lines of what a server says, of which only so much is kept as is listened to.
#[derive(Default)]
pub(super) struct Lines {
    /// What has been heard of a line that has not ended.
    pub(super) heard: Vec<u8>,
    /// Whether the rest of the line is passed over.
    skips: bool,
}

impl Lines {
    /// The next line that has ended, or is longer than is listened to; `None` when more must come.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let end = self.heard.iter().position(|byte| *byte == b'\n');
            let is_long = self.heard.len() >= reply::MAX_LINE;
            let length = end.map(|end| end + 1).or(is_long.then_some(self.heard.len()))?;
            let line: Vec<u8> = self.heard.drain(..length).collect();
            let skipped = std::mem::replace(&mut self.skips, end.is_none());
            if !skipped {
                return Some(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit() -> Visit {
        Visit {
            endpoint: Endpoint::default(),
            user: "ark@example.com".into(),
            password: Secret::new("pass\"word\\".into()),
            mailbox: "dovecot-ark".into(),
            limit: Duration::from_secs(8),
        }
    }

    fn told(next: &Next) -> String {
        match next {
            Next::Listen => "listen".into(),
            Next::Say(words) => String::from_utf8_lossy(words).trim_end().to_owned(),
            Next::Encrypt => "encrypt".into(),
            Next::End(Ok(())) => "seen".into(),
            Next::End(Err(trouble)) => trouble.to_string(),
        }
    }

    /// What is said to a server that says these lines; `TLS` stands for its handshake.
    fn play(protocol: Protocol, wire: Wire, lines: &[&str]) -> Vec<String> {
        let visit = visit();
        let (greeting, rest) = lines.split_first().expect("a greeting");
        let (mut dialogue, next) = Dialogue::begin(&visit, protocol, greeting.as_bytes(), wire);
        let mut said = vec![told(&next)];
        for line in rest {
            let next = match *line {
                "TLS" => dialogue.encrypted(),
                line => dialogue.hear(line.as_bytes()),
            };
            said.push(told(&next));
        }
        said
    }

    const LOGIN: &str = r#"l LOGIN "ark@example.com" "pass\"word\\""#;
    const EXAMINE: &str = r#"e EXAMINE "dovecot-ark""#;

    #[test]
    fn a_mailbox_is_seen_over_loopback_without_and_elsewhere_behind_tls() {
        use Protocol::Imap;
        let all = ["* OK hello", "l OK in", "* 0 EXISTS", "e OK [READ-ONLY] done"];
        for wire in [Wire::Loopback, Wire::Encrypted] {
            assert_eq!(play(Imap, wire, &all), [LOGIN, EXAMINE, "listen", "seen"], "{wire:?}");
        }
        let all = ["* OK hello", "t OK go", "TLS", "l OK in", "e OK done"];
        let said = ["t STARTTLS", "encrypt", LOGIN, EXAMINE, "seen"];
        assert_eq!(play(Imap, Wire::Open, &all), said);
        // Where a server wants it, or says so too late.
        let all = ["* OK [CAPABILITY STARTTLS LOGINDISABLED] x", "t OK go", "TLS"];
        assert_eq!(play(Imap, Wire::Loopback, &all), ["t STARTTLS", "encrypt", LOGIN]);
        let all = ["* OK x", "* BAD [ALERT] x", "l NO [PRIVACYREQUIRED] x", "t OK go", "TLS"];
        assert_eq!(
            play(Imap, Wire::Loopback, &all),
            [LOGIN, "listen", "t STARTTLS", "encrypt", LOGIN]
        );
        // A server without TLS: only an address of this machine's own is told the password.
        let all = ["* OK x", "t BAD no TLS"];
        assert_eq!(play(Imap, Wire::Own, &all), ["t STARTTLS", LOGIN]);
        let [_, end] = &play(Imap, Wire::Open, &all)[..] else { panic!("two") };
        assert_eq!(end, "no TLS, so the password is not sent: \"BAD no TLS\"");
    }

    #[test]
    fn pop3_is_a_login_alone() {
        let all = ["+OK hello", "+OK", "+OK Logged in."];
        let said = ["USER ark@example.com", "PASS pass\"word\\", "seen"];
        assert_eq!(play(Protocol::Pop3, Wire::Loopback, &all), said);
        let all = ["+OK hello", "+OK go", "TLS"];
        let said = ["STLS", "encrypt", "USER ark@example.com"];
        assert_eq!(play(Protocol::Pop3, Wire::Open, &all), said);
        let all = ["+OK hello", "-ERR [AUTH] Plaintext authentication disallowed", "+OK", "TLS"];
        let said = ["USER ark@example.com", "STLS", "encrypt", "USER ark@example.com"];
        assert_eq!(play(Protocol::Pop3, Wire::Loopback, &all), said);
        let all = ["+OK hello", "+OK", "-ERR [AUTH] no"];
        let end = play(Protocol::Pop3, Wire::Loopback, &all).pop();
        assert_eq!(end.as_deref(), Some("LOGIN: \"-ERR [AUTH] no\""));
    }

    #[test]
    fn each_trouble_names_its_step_and_no_word_of_the_servers_shows_the_password() {
        use Protocol::{Imap, ManageSieve};
        for (protocol, lines, end) in [
            (Imap, &["* OK x", "l NO [LIMIT] x"][..], "LOGIN: \"NO [LIMIT] x\""),
            (Imap, &["* OK x", "l OK x", "e NO gone"], "EXAMINE: \"NO gone\""),
            (Imap, &["* OK x", "* BYE Shutting down"], "LOGIN: \"BYE Shutting down\""),
            (Imap, &["* OK x", "x"], "LOGIN: no answer of a mail server: \"x\""),
            (Imap, &["* OK x", "l NO pass\"word\\?"], "LOGIN: \"NO (the password)?\""),
            (Imap, &["* PREAUTH x"], "the server lets everybody in"),
            (ManageSieve, &["x"], "no mailbox can be opened by ManageSieve"),
        ] {
            let said = play(protocol, Wire::Loopback, lines);
            assert_eq!(said.last().map(String::as_str), Some(end), "{lines:?}");
        }
        assert!(!format!("{:?}", visit()).contains("word\\"));
        // Neither where a server says it as it was sent, nor where its words are cut within it.
        let refused = |words: &str| {
            let said = play(Imap, Wire::Loopback, &["* OK x", &format!("l NO {words}")]);
            said.last().cloned().unwrap_or_default()
        };
        assert_eq!(refused(r#"[X] "pass\"word\\" ?"#), "LOGIN: \"NO [X] (the password) ?\"");
        let said = refused(&format!("{} pass\"word\\", "x".repeat(70)));
        assert!(said.contains("xxx (the") && !said.contains("pass\""), "{said}");
    }

    #[test]
    fn imap_comes_first_whatever_the_order_and_pop3_last() {
        let place = |list: &[&str]| {
            let list: Vec<_> = list.iter().map(|one| Endpoint::parse(one).expect(one)).collect();
            super::place(&list).map(ToString::to_string)
        };
        for (list, chosen) in [
            (
                &["127.0.0.1:110", "127.0.0.1:587", "192.0.2.1:993", "127.0.0.1:143"][..],
                Some("192.0.2.1:993"),
            ),
            (&["127.0.0.1:110", "127.0.0.1:1143"], Some("127.0.0.1:1143")),
            (&["127.0.0.1:4190", "[::1]:995"], Some("[::1]:995")),
            (&["connect:127.0.0.1:143", "127.0.0.1:24"], None),
        ] {
            assert_eq!(place(list).as_deref(), chosen, "{list:?}");
        }
    }

    #[test]
    fn lines_come_one_by_one_and_of_a_long_one_only_its_beginning() {
        let mut lines = Lines::default();
        lines.heard.extend(b"a\r\nb\nc");
        let mut next = || lines.next().map(|line| String::from_utf8_lossy(&line).into_owned());
        assert_eq!([next(), next(), next()], [Some("a\r\n".into()), Some("b\n".into()), None]);
        let mut lines = Lines::default();
        lines.heard.extend(vec![b'x'; reply::MAX_LINE]);
        assert_eq!(lines.next().map(|line| line.len()), Some(reply::MAX_LINE));
        lines.heard.extend(b"the rest of it\nnext\n");
        assert_eq!(lines.next().as_deref(), Some(b"next\n".as_slice()));
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_its_reason() {
        assert_eq!(word("a\"b\\c"), Ok("a\"b\\c".into()));
        for (text, cause) in [("", "empty"), ("a b", "a blank"), ("é", "ASCII"), ("a\n", "ASCII")]
        {
            assert!(word(text).expect_err(text).contains(cause), "{text:?}");
        }
        assert!(word(&"x".repeat(256)).is_err());
    }
}
