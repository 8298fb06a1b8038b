//! A node with the kit on it, and what each test asks of both.

pub(crate) use lab::{Finished, Imap, Init, Node, Process};

/// A node with the kit installed, its settings file empty, and Dovecot stopped.
pub(crate) struct Kit {
    pub(crate) node: Node,
}

impl Kit {
    pub(crate) fn new(init: Init) -> Self {
        Self::on(Node::start(init).expect("starting a node"))
    }

    pub(crate) fn on(node: Node) -> Self {
        crate::lay(&node);
        let kit = Self { node };
        kit.set("LKROOT=/opt/LifeKeeper\n");
        kit
    }

    /// Writes the settings file.
    pub(crate) fn set(&self, text: &str) {
        self.node.write("/etc/default/LifeKeeper", text).expect("writing the settings");
    }

    /// Calls an action as LifeKeeper does, through its stub.
    pub(crate) fn act(&self, action: &str) -> Finished {
        self.node.act(action).expect("calling an action")
    }

    /// Calls an action and insists on its exit status.
    #[track_caller]
    pub(crate) fn expect(&self, action: &str, status: i32) -> Finished {
        let ended = self.act(action);
        assert_eq!(ended.status, Some(status), "{action}: {ended:?}\n{}", self.dovecots_log());
        ended
    }

    /// Runs a shell script that must succeed; returns what it prints.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        let ended = self.node.sh(script).expect("running a script");
        assert_eq!(ended.status, Some(0), "{script}: {ended:?}");
        ended.stdout
    }

    /// Keeps Dovecot from starting by something that only Dovecot itself finds out.
    pub(crate) fn keep_from_starting(&self) {
        let path = "/etc/dovecot/local.conf";
        self.node.append(path, "base_dir = /etc/hostname/x\n").expect("changing it");
    }

    /// The pid of the master, which must run.
    #[track_caller]
    pub(crate) fn master(&self) -> u32 {
        self.node.master().expect("reading the process table").expect("a master")
    }

    /// Kills the master, and waits until it is dead: that takes the kernel a moment.
    #[track_caller]
    pub(crate) fn kill_master(&self) -> u32 {
        let master = self.master();
        self.node.signal(master, "KILL").expect("a signal");
        for _ in 0..200 {
            if self.dovecot().iter().all(|process| process.pid != master) {
                return master;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("pid {master} outlives SIGKILL");
    }

    /// Whatever runs of Dovecot, zombies left out.
    pub(crate) fn dovecot(&self) -> Vec<Process> {
        let mut all = self.node.dovecot().expect("reading the process table");
        all.retain(|process| process.state != 'Z');
        all
    }

    /// Insists that no process of Dovecot is left and nobody listens on its port.
    #[track_caller]
    pub(crate) fn assert_gone(&self) {
        assert_eq!(self.dovecot(), []);
        assert!(self.node.connect(lab::IMAP).is_err(), "somebody listens on the IMAP port");
    }

    /// Insists that a user can log in; returns the session.
    #[track_caller]
    pub(crate) fn log_in(&self) -> Imap {
        let mut session = self.node.imap().expect("a greeting");
        let (user, password) = lab::USERS[0];
        session.login(user, password).expect("a login");
        session
    }

    /// The kit's own log.
    pub(crate) fn log(&self) -> String {
        self.node.read("/var/log/dovecot-ark.log").expect("reading the log")
    }

    fn dovecots_log(&self) -> String {
        self.node.read("/var/log/dovecot.log").unwrap_or_default()
    }
}
