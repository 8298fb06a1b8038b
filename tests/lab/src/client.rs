//! A host beside the nodes, from which mail is read: what it sees is what users see.
//!
//! A socket belongs to the network of the thread that makes it, wherever it is used afterwards.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use nix::sched::{CloneFlags, setns};

use crate::error::{Error, Result};
use crate::imap::Imap;

/// The address that is where the service is, and its IMAP port.
pub const FLOATING: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)), 143);

/// The clients' host; a clone is the same host. It keeps its network in being, and nothing else.
#[derive(Clone, Debug)]
pub struct Client(Arc<File>);

impl Client {
    /// Takes a handle on the network that the host is in.
    pub(crate) fn at(network: File) -> Self {
        Self(Arc::new(network))
    }

    /// Moves the calling thread to the host's network, for good.
    pub(crate) fn enter(&self) -> io::Result<()> {
        Ok(setns(&*self.0, CloneFlags::CLONE_NEWNET)?)
    }

    /// Connects, at most for `limit`.
    ///
    /// # Errors
    ///
    /// When nothing accepts there in time.
    pub fn connect(&self, address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        thread::scope(|scope| {
            let visit = scope.spawn(|| {
                self.enter()?;
                TcpStream::connect_timeout(&address, limit)
            });
            visit.join().unwrap_or_else(|_| Err(io::Error::other("the visiting thread panicked")))
        })
    }

    /// Connects to the floating address and takes the greeting; `limit` is for each answer.
    ///
    /// # Errors
    ///
    /// When nothing accepts, or what greets is not a ready server.
    pub fn imap(&self, limit: Duration) -> Result<Imap> {
        let stream = self.connect(FLOATING, limit);
        let stream = stream.map_err(Error::io(format!("connecting to {FLOATING}")))?;
        Imap::greeted_within(stream, limit)
    }
}
