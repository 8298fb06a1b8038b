//! A node with kit and LifeKeeper, and what each test asks of both.

use std::path::Path;

use lab::{ACTIONS, DEFAULTS, LKROOT, STUBS, Tree};

pub(crate) use lab::{Dialect, Finished, Init, Node};

/// All that an installation may touch, and much that it must not.
pub(crate) const DIRECTORIES: [&str; 4] =
    ["/etc", "/var/lib", "/opt/LifeKeeper/config", "/opt/LifeKeeper/subsys"];

/// The kit's record of what it changed.
pub(crate) const RECORD: &str = "/var/lib/dovecot-ark/install.toml";

/// A resource that needs nothing and does nothing, for others to depend on.
pub(crate) const CHILD: &str = "vmail";

/// A node with the kit and LifeKeeper, which protects nothing, and a Dovecot that starts at boot.
pub(crate) struct Kit {
    pub(crate) node: Node,
    pub(crate) dialect: Dialect,
}

impl Kit {
    pub(crate) fn new(init: Init, dialect: Dialect) -> Self {
        let node = Node::start(init).expect("starting a node");
        node.install(Path::new(env!("CARGO_BIN_EXE_dovecot-ark"))).expect("laying the kit");
        let standin = lab::program("lifekeeper-standin").expect("the stand-in");
        node.lay_lifekeeper(&standin, dialect).expect("laying LifeKeeper");
        let kit = Self { node, dialect };
        match init {
            Init::SysV => kit.sh("update-rc.d dovecot enable"),
            Init::Systemd => kit.sh("systemctl enable --quiet dovecot.service dovecot.socket"),
        };
        kit
    }

    /// Makes a resource of LifeKeeper that is in service and does nothing.
    pub(crate) fn create_dummy(&self, tag: &str) {
        let create = format!("{LKROOT}/lkadm/subsys/gen/app/bin/creapphier");
        let words = format!("/bin/true /bin/true {tag} '' intelligent '' '' Yes");
        self.sh(&format!("{create} $({LKROOT}/bin/lcduname) {words}"));
    }

    /// Makes a resource of the kit's four programs as a person does, and leaves it out of service.
    pub(crate) fn create_by_hand(&self, tag: &str) {
        self.create_of(STUBS, tag, "No");
    }

    /// Makes a resource of the four programs of a directory; `start` is Yes or No.
    pub(crate) fn create_of(&self, directory: &str, tag: &str, start: &str) {
        let [check, restore, remove, recover] =
            ACTIONS.map(|action| format!("{directory}/{action}"));
        let create = format!("{LKROOT}/lkadm/subsys/gen/app/bin/creapphier");
        let words = format!("{restore} {remove} {tag} '' intelligent {check} {recover} {start}");
        self.sh(&format!("{create} $({LKROOT}/bin/lcduname) {words}"));
    }

    /// Runs the kit.
    pub(crate) fn ark(&self, words: &[&str]) -> Finished {
        let words = [&["/usr/sbin/dovecot-ark"], words].concat();
        self.node.run(&words).expect("running the kit")
    }

    /// Installs, and returns what was said.
    #[track_caller]
    pub(crate) fn install(&self, options: &str) -> String {
        let options: Vec<&str> = options.split_whitespace().collect();
        self.done(&[&["install"], options.as_slice()].concat())
    }

    /// Uninstalls, in the way that this LifeKeeper allows, and returns what was said.
    #[track_caller]
    pub(crate) fn uninstall(&self, options: &str) -> String {
        self.done(&self.uninstalling(options))
    }

    /// The words that uninstall without a question, in the way that this LifeKeeper allows.
    pub(crate) fn uninstalling<'a>(&self, options: &'a str) -> Vec<&'a str> {
        let mut words = vec!["uninstall", "--yes"];
        if self.dialect == Dialect::None {
            words.push("--use-ins-remove");
        }
        words.extend(options.split_whitespace());
        words
    }

    /// Runs the kit, insists on success, and returns what was said.
    #[track_caller]
    pub(crate) fn done(&self, words: &[&str]) -> String {
        let ended = self.ark(words);
        assert_eq!(ended.status, Some(0), "{words:?}: {ended:#?}");
        assert_eq!(ended.stderr, "", "{words:?}");
        ended.stdout
    }

    /// Runs the kit, insists that it refuses, and returns its words on standard error.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) -> String {
        let ended = self.ark(words);
        assert_eq!(ended.status, Some(1), "{words:?}: {ended:#?}");
        assert!(ended.stderr.starts_with("dovecot-ark: "), "{words:?}: {ended:#?}");
        ended.stderr
    }

    /// Runs a shell script that must succeed; returns what it prints.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        let ended = self.node.sh(script).expect("running a script");
        assert_eq!(ended.status, Some(0), "{script}: {ended:#?}");
        ended.stdout
    }

    /// Runs a command of LifeKeeper that must succeed.
    #[track_caller]
    pub(crate) fn lifekeeper(&self, line: &str) -> String {
        self.sh(&format!("{LKROOT}/bin/{line}"))
    }

    /// The state of a resource; none when LifeKeeper has no such.
    pub(crate) fn state(&self, tag: &str) -> Option<String> {
        let listed = self.node.sh(&format!("{LKROOT}/bin/ins_list -f: -t {tag}"));
        let listed = listed.expect("running a script");
        assert!(matches!(listed.status, Some(0 | 7)), "{listed:?}");
        listed.stdout.split(':').nth(6).map(str::to_owned)
    }

    /// LifeKeeper's defaults file.
    pub(crate) fn defaults(&self) -> String {
        self.node.read(DEFAULTS).expect("the defaults file")
    }

    /// The links that start Dovecot at boot.
    pub(crate) fn boot(&self) -> String {
        self.sh("find /etc/rc?.d /etc/systemd/system /run/systemd/system -type l \
             '(' -name 'S??dovecot' -o -name 'dovecot.*' ')' 2>/dev/null | sort")
    }

    /// All that an installation may touch, as it is now.
    pub(crate) fn tree(&self) -> Tree {
        self.node.tree(&DIRECTORIES).expect("looking at the node")
    }

    /// Insists that all is as it was.
    #[track_caller]
    pub(crate) fn assert_as(&self, before: &Tree, doing: &str) {
        let changes = before.changes(&self.tree());
        assert!(changes.is_empty(), "{doing}: {changes:#?}");
    }

    /// Insists that nothing was even written anew.
    #[track_caller]
    pub(crate) fn assert_untouched(&self, before: &Tree, doing: &str) {
        let writes = before.writes(&self.tree());
        assert!(writes.is_empty(), "{doing}: {writes:#?}");
    }
}
