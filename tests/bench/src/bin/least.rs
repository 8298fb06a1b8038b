//! The least that a check can be which asks the service and hears Dovecot: it starts
//! `service dovecot status`, reads the greeting on the IMAP port beside it, takes its leave, and waits
//! for the command. It looks at nothing, and limits no wait. What a check takes beyond it is the
//! check's own; what it takes beyond the command alone is the machine's and Dovecot's.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, ExitCode};

/// Dovecot's IMAP port.
const IMAP: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 143);

fn main() -> io::Result<ExitCode> {
    let mut status = Command::new("service").args(["dovecot", "status"]).spawn()?;
    let mut connection = BufReader::new(TcpStream::connect(IMAP)?);
    let mut greeting = String::new();
    connection.read_line(&mut greeting)?;
    connection.get_mut().write_all(b"a LOGOUT\r\n")?;
    let well = status.wait()?.success() && greeting.starts_with("* OK");
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
