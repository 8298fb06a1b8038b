//! File systems that hang: in user space, with a server that hears all and is silent when it wants to be.
//!
//! Who waits for such an answer cannot be killed, as with a dead disk or NFS server. The kernel lets
//! everybody go when the server ends: at the latest with its node, so nothing is ever left hanging.

use std::io::Write;
use std::net::TcpStream;

use lab::Running;

use crate::scene::Scene;

/// The server, in Perl.
const SERVER: &str = include_str!("silent.pl");

/// Where it lies on a node.
pub(crate) const LAID: &str = "/usr/local/lib/silent.pl";

/// The kind of request that asks for a name.
pub(crate) const LOOKUP: u32 = 1;

/// What is said when a descriptor is closed.
pub(crate) const FLUSH: u32 = 25;

/// The requests that the server answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answers {
    /// None at all.
    Nothing,
    /// All but the one that closes a file.
    AllButFlush,
}

/// A file system whose server is silent; it ends with this value.
#[derive(Debug)]
pub(crate) struct Silent {
    server: Running,
    /// The file in which it writes down the kinds of the requests.
    kinds: String,
}

impl Silent {
    /// Mounts it, as its owner's.
    pub(crate) fn mount(scene: &Scene, point: &str, owner: u32, answers: Answers) -> Self {
        lay(scene);
        let answered = match answers {
            Answers::Nothing => "^$".to_owned(),
            Answers::AllButFlush => format!("^(?!{FLUSH}$)"),
        };
        let owner = owner.to_string();
        let kinds = format!("{point}.kinds");
        let words = ["/usr/bin/perl", LAID, point, &owner, &kinds, &answered];
        let server = scene.node.spawn(&words).expect("a file system's server");
        let look = format!("grep -q ' {point} fuse' /proc/self/mounts");
        scene.until("no file system", || scene.node.sh(&look).expect("a look").success());
        Self { server, kinds }
    }

    /// Waits until somebody asks for this.
    #[track_caller]
    pub(crate) fn is_asked(&self, scene: &Scene, kind: u32) {
        let look = format!("grep -qx {kind} {}", self.kinds);
        scene.until("nobody asks", || scene.node.sh(&look).expect("a look").success());
    }

    /// Lets all go who wait.
    pub(crate) fn end(self) {
        self.server.kill();
    }
}

/// Lays the server on the node, and the device, which anybody may use.
pub(crate) fn lay(scene: &Scene) {
    scene.node.write(LAID, SERVER).expect("laying a file system's server");
    scene.sh("[ -e /dev/fuse ] || mknod /dev/fuse c 10 229; chmod 666 /dev/fuse");
}

/// The server, and the session of a user that waits for it.
#[derive(Debug)]
pub(crate) struct Stuck {
    /// The process of that session.
    pub(crate) pid: u32,
    store: Silent,
    _client: TcpStream,
}

impl Stuck {
    /// Lets it go.
    pub(crate) fn thaw(self) {
        self.store.end();
    }
}

/// Lets the mail store hang, and a user log in who gets no further.
pub(crate) fn hang_mail_store(scene: &Scene) -> Stuck {
    let store = Silent::mount(scene, "/srv/vmail", 0, Answers::Nothing);
    let mut client = scene.node.connect(lab::IMAP).expect("a connection");
    let (user, password) = lab::USERS[0];
    client.write_all(format!("a LOGIN {user} {password}\r\n").as_bytes()).expect("a login");
    store.is_asked(scene, LOOKUP);
    let all = scene.dovecot();
    let session = all.iter().find(|process| process.comm == "imap").expect("a session");
    Stuck { pid: session.pid, store, _client: client }
}
