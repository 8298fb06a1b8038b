//! Messages that the server has acknowledged: none of them may ever be lost.
//!
//! A message whose acknowledgement never came may be there or not; only the others are looked for.

use std::process;
use std::time::Duration;

use crate::USERS;
use crate::client::Client;
use crate::error::Result;
use crate::imap::Imap;

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(2);

/// The acknowledged messages of one user, Bob, whom the poller does not use.
#[derive(Debug)]
pub struct Ledger {
    client: Client,
    tried: u32,
    acknowledged: Vec<String>,
}

impl Ledger {
    /// Opens an empty ledger; messages go to the floating address.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, tried: 0, acknowledged: Vec::new() }
    }

    /// Stores a message with an id of its own, in a session of its own.
    ///
    /// # Errors
    ///
    /// When it was not acknowledged.
    pub fn append(&mut self) -> Result<()> {
        self.tried += 1;
        let id = format!("<lab-{}-{}@example.com>", process::id(), self.tried);
        let message = format!(
            "From: alice@example.com\r\nTo: bob@example.com\r\nMessage-ID: {id}\r\n\
             Subject: message {}\r\n\r\nIt must not be lost.\r\n",
            self.tried
        );
        let mut session = self.login()?;
        session.append("INBOX", &message)?;
        self.acknowledged.push(id);
        // What comes after the acknowledgement does not matter.
        let _ = session.logout();
        Ok(())
    }

    /// Returns how many messages were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Lists the acknowledged messages that are not in the mailbox.
    ///
    /// # Errors
    ///
    /// When the mailbox cannot be read.
    pub fn missing(&self) -> Result<Vec<String>> {
        let there = self.login()?.message_ids("INBOX")?;
        Ok(self.acknowledged.iter().filter(|id| !there.contains(id)).cloned().collect())
    }

    fn login(&self) -> Result<Imap> {
        let (user, password) = USERS[1];
        let mut session = self.client.imap(ANSWER)?;
        session.login(user, password)?;
        Ok(session)
    }
}
