//! A mail store that hangs: a file system in user space whose server hears all and answers nothing.
//!
//! Who waits for such an answer cannot be killed, as with a dead disk or NFS server. The kernel lets
//! everybody go when the server ends: at the latest with its node, so nothing is ever left hanging.

use std::io::Write;
use std::net::TcpStream;

use lab::Running;

use crate::scene::Scene;

/// Speaks the least of the protocol (`linux/fuse.h`, 7.19): answers the first request, INIT, with its
/// own version and no options, and writes down the kind of each further one.
const SERVER: &str = r#"
[ -e /dev/fuse ] || mknod /dev/fuse c 10 229
exec 3<>/dev/fuse
mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0,allow_other none /srv/vmail &
# Before there is a mount there is nothing to read.
until [ "$number" ]; do
	number=$(dd bs=135168 count=1 <&3 | od -An -v -tx1 -j8 -N8 | sed 's/ /\\x/g')
done
{
	printf '\x28\0\0\0' # the length of all, and no error
	printf '\0\0\0\0'
	printf %b $number
	printf '\x07\0\0\0\x13\0\0\0' # the version
	printf '\0\0\0\0\0\0\0\0\0\0\0\0' # nothing special
	printf '\0\x10\0\0' # the longest write
} >/tmp/init
dd if=/tmp/init bs=40 count=1 >&3
while dd bs=135168 count=1 <&3 | od -An -tu4 -j4 -N4 >>/tmp/kinds; do :; done"#;

/// The kind of request that asks for a name.
const LOOKUP: &str = "grep -qx ' *1' /tmp/kinds";

/// The server, and the session of a user that waits for it.
#[derive(Debug)]
pub(crate) struct Stuck {
    /// The process of that session.
    pub(crate) pid: u32,
    server: Running,
    _client: TcpStream,
}

impl Stuck {
    /// Lets it go.
    pub(crate) fn thaw(self) {
        self.server.kill();
    }
}

/// Lets the mail store hang, and a user log in who gets no further.
pub(crate) fn hang_mail_store(scene: &Scene) -> Stuck {
    let server = scene.node.spawn(&["/bin/bash", "-c", SERVER]).expect("a file system's server");
    scene.until("no file system", || {
        scene.node.sh("grep -q ' /srv/vmail fuse' /proc/self/mounts").expect("a look").success()
    });
    let mut client = scene.node.connect(lab::IMAP).expect("a connection");
    let (user, password) = lab::USERS[0];
    client.write_all(format!("a LOGIN {user} {password}\r\n").as_bytes()).expect("a login");
    scene.until("nobody asks the mail store", || scene.node.sh(LOOKUP).expect("a look").success());
    let all = scene.dovecot();
    let session = all.iter().find(|process| process.comm == "imap").expect("a session");
    Stuck { pid: session.pid, server, _client: client }
}
