//! A small IMAP client, since sessions of logged-in users are what a fault may cut.
//!
//! Each answer has a limit in time and in length, so a frozen or babbling server fails a test and
//! never hangs it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::stream::Stream;

/// Usual longest wait for one answer; Dovecot's own longest pause before one is 10 s.
const ANSWER: Duration = Duration::from_secs(15);
/// Longest line taken, in bytes; Dovecot's longest, the capabilities, has about 300.
const LINE: u64 = 8192;

/// A connection that has been greeted; dropping it cuts it without a word.
#[derive(Debug)]
pub struct Imap {
    reader: BufReader<Stream>,
    greeting: String,
    tags: u32,
    limit: Duration,
}

impl Imap {
    /// Takes the greeting from a fresh connection; each answer may take 15 s.
    ///
    /// # Errors
    ///
    /// When there is none in time, or it is not that of a ready server.
    pub fn greeted(stream: impl Into<Stream>) -> Result<Self> {
        Self::greeted_within(stream, ANSWER)
    }

    /// Takes the greeting from a fresh connection; each answer may take `limit`.
    pub(crate) fn greeted_within(stream: impl Into<Stream>, limit: Duration) -> Result<Self> {
        let (stream, doing) = (stream.into(), "setting a socket's limit");
        stream.socket().set_read_timeout(Some(limit)).map_err(Error::io(doing))?;
        stream.socket().set_write_timeout(Some(limit)).map_err(Error::io(doing))?;
        let (reader, greeting) = (BufReader::new(stream), String::new());
        let mut client = Self { reader, greeting, tags: 0, limit };
        client.greeting = client.line()?;
        if is_ready(&client.greeting) {
            return Ok(client);
        }
        Err(Error::failed("waiting for the IMAP greeting", client.greeting))
    }

    /// Returns the greeting.
    #[must_use]
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Logs in.
    ///
    /// # Errors
    ///
    /// When the server refuses or does not answer.
    pub fn login(&mut self, user: &str, password: &str) -> Result<()> {
        self.command(&format!("LOGIN {user} {password}")).map(drop)
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn noop(&mut self) -> Result<()> {
        self.command("NOOP").map(drop)
    }

    /// Says good-bye.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub fn logout(mut self) -> Result<()> {
        self.command("LOGOUT").map(drop)
    }

    /// Enters IDLE: from now on the session only listens, until [`Imap::done`].
    ///
    /// # Errors
    ///
    /// When the server does not agree.
    pub fn idle(&mut self) -> Result<()> {
        let tag = self.send("IDLE")?;
        let answer = self.line()?;
        if answer.starts_with('+') {
            return Ok(());
        }
        Err(Error::failed(format!("sending {tag} IDLE"), answer))
    }

    /// Leaves IDLE.
    ///
    /// # Errors
    ///
    /// When the server does not agree.
    pub fn done(&mut self) -> Result<()> {
        let tag = format!("a{}", self.tags);
        self.write("DONE")?;
        self.answer(&tag, "DONE").map(drop)
    }

    /// Stores a message; when this returns, the server has taken it in charge.
    ///
    /// # Errors
    ///
    /// When the server refuses or does not answer; it may have stored the message all the same.
    pub fn append(&mut self, mailbox: &str, message: &str) -> Result<()> {
        let text = format!("APPEND {mailbox} {{{}}}", message.len());
        let tag = self.send(&text)?;
        let ready = self.line()?;
        if !ready.starts_with('+') {
            return Err(Error::failed(format!("sending {text}"), ready));
        }
        self.write(message)?;
        self.answer(&tag, &text).map(drop)
    }

    /// Lists the Message-IDs in a mailbox, and selects it.
    pub(crate) fn message_ids(&mut self, mailbox: &str) -> Result<Vec<String>> {
        let state = self.command(&format!("SELECT {mailbox}"))?;
        if state.iter().any(|line| line == "* 0 EXISTS") {
            return Ok(Vec::new());
        }
        let lines = self.command("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")?;
        let ids = lines.iter().filter_map(|line| line.strip_prefix("Message-ID: "));
        Ok(ids.map(str::to_owned).collect())
    }

    /// Sends a command and returns the untagged lines before its OK.
    ///
    /// # Errors
    ///
    /// When the answer is not OK, or there is none in time.
    pub fn command(&mut self, text: &str) -> Result<Vec<String>> {
        let tag = self.send(text)?;
        self.answer(&tag, text)
    }

    /// Reads one line, without its end.
    ///
    /// # Errors
    ///
    /// When the connection ends, nothing comes in time, or the line is too long.
    pub fn line(&mut self) -> Result<String> {
        let start = Instant::now();
        let mut bytes = Vec::new();
        self.reader
            .by_ref()
            .take(LINE)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| late(error, start.elapsed()))?;
        if bytes.last() == Some(&b'\n') {
            return Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned());
        }
        let cause = if bytes.is_empty() { "the server hung up" } else { "the line never ends" };
        Err(Error::failed("reading from the IMAP server", cause))
    }

    /// Sends a command under a new tag, and returns the tag.
    fn send(&mut self, text: &str) -> Result<String> {
        self.tags += 1;
        let tag = format!("a{}", self.tags);
        self.write(&format!("{tag} {text}"))?;
        Ok(tag)
    }

    /// Sends one line.
    fn write(&mut self, line: &str) -> Result<()> {
        let sent = self.reader.get_mut().write_all(format!("{line}\r\n").as_bytes());
        sent.map_err(Error::io("writing to the IMAP server"))
    }

    /// Reads lines up to the one with `tag`; `text` is what it answers.
    fn answer(&mut self, tag: &str, text: &str) -> Result<Vec<String>> {
        let start = Instant::now();
        let mut untagged = Vec::new();
        while start.elapsed() < self.limit {
            let line = self.line()?;
            match line.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) {
                Some(rest) if rest.starts_with("OK") => return Ok(untagged),
                Some(rest) => return Err(Error::failed(format!("sending {text}"), rest)),
                None => untagged.push(line),
            }
        }
        Err(Error::Late { doing: format!("waiting for the answer to {text}"), limit: self.limit })
    }
}

/// Tells a ready server's greeting from a refusal and from Dovecot's apology for a slow start.
fn is_ready(greeting: &str) -> bool {
    (greeting.starts_with("* OK") || greeting.starts_with("* PREAUTH"))
        && !greeting.contains("Waiting for authentication process")
}

/// Tells a silent server from a broken connection.
fn late(error: io::Error, limit: Duration) -> Error {
    let doing = "reading from the IMAP server";
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            Error::Late { doing: doing.into(), limit }
        }
        _ => Error::io(doing)(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::thread;

    /// Serves `script` to one client and returns what that client makes of the greeting.
    fn served(script: &'static str) -> Result<Imap> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.write_all(script.as_bytes()).expect("a listening client");
            stream.shutdown(Shutdown::Write).expect("a hang-up");
            let _ = io::copy(&mut stream, &mut io::sink());
        });
        Imap::greeted(TcpStream::connect(address).expect("a connection"))
    }

    #[test]
    fn only_a_ready_server_greets() {
        let cases = [
            ("* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n", None),
            ("* PREAUTH hello\r\n", None),
            ("* BYE Auth process broken\r\n", Some("* BYE Auth process broken")),
            (
                "* OK Waiting for authentication process to respond..\r\n",
                Some("* OK Waiting for authentication process to respond.."),
            ),
            ("", Some("the server hung up")),
            ("* OK", Some("the line never ends")),
        ];
        for (script, refusal) in cases {
            let answer = served(script).err().map(|error| error.to_string());
            match (answer, refusal) {
                (None, None) => {}
                (Some(error), Some(cause)) => {
                    assert!(error.ends_with(cause), "{script:?}: {error}");
                }
                (answer, _) => panic!("{script:?}: {answer:?}"),
            }
        }
    }

    #[test]
    fn message_ids_are_read_out_of_the_headers_and_an_empty_mailbox_has_none() {
        let script = "* OK ready\r\n* 1 EXISTS\r\na1 OK done\r\n\
            * 1 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID)] {23}\r\nMessage-ID: <one@x>\r\n\r\n)\r\n\
            a2 OK done\r\n* 0 EXISTS\r\na3 OK done\r\n";
        let mut client = served(script).expect("a greeting");
        assert_eq!(client.message_ids("INBOX").expect("a list"), ["<one@x>"]);
        assert_eq!(client.message_ids("INBOX").expect("a list"), [""; 0]);
    }

    #[test]
    fn an_answer_is_the_lines_up_to_its_tag() {
        let script = "* OK ready\r\n* 1 EXISTS\r\na1 OK done\r\na2 NO no such user\r\n";
        let mut client = served(script).expect("a greeting");
        assert_eq!(client.command("NOOP").expect("an answer"), ["* 1 EXISTS"]);
        let error = client.login("x", "y").expect_err("a refusal").to_string();
        assert_eq!(error, "sending LOGIN x y: NO no such user");
    }
}
