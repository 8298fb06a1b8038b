//! Talks to a node over its own network, from this process.
//!
//! A socket belongs to the network of the thread that makes it, wherever it is used afterwards.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::error::Result;
use crate::imap::Imap;
use crate::node::Node;

/// Longest wait for a connection; a full backlog would hold it for minutes.
pub(crate) const CONNECT: Duration = Duration::from_secs(3);
/// Dovecot's plain-text IMAP port on a node.
pub const IMAP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 143);

impl Node {
    /// Connects from inside the node, at most 3 s.
    ///
    /// # Errors
    ///
    /// When nothing accepts there.
    pub fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.namespaces.inside(|| TcpStream::connect_timeout(&address, CONNECT))
    }

    /// Listens inside the node.
    ///
    /// # Errors
    ///
    /// When the address is taken or not the node's.
    pub fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.namespaces.inside(|| TcpListener::bind(address))
    }

    /// Connects to the IMAP port and takes the greeting.
    ///
    /// # Errors
    ///
    /// When nothing accepts, or what greets is not a ready server.
    pub fn imap(&self) -> Result<Imap> {
        let stream =
            self.connect(IMAP).map_err(crate::Error::io(format!("connecting to {IMAP}")))?;
        Imap::greeted(stream)
    }
}
