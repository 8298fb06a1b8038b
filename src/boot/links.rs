//! Dovecot's start at boot: which symbolic links ask for it, taking it off, giving it back.
//!
//! Under systemd and under SysV init alike, the start at boot is nothing but symbolic links. They
//! are looked at, never a tool's answer. The distribution's tool takes them off, because it may
//! keep lists of its own; giving back puts the very links there that were found before.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::dovecot::unit::{self, Unit};
use crate::error::Error;
use crate::files::{self, if_there};
use crate::messages::Message;
use crate::system::System;
use crate::text::list;

/// Where systemd keeps what the administrator enabled, for good or until the next boot
/// (`systemctl enable --runtime`).
const ENABLED: [&str; 2] = ["etc/systemd/system", RUNTIME];

/// What holds until the next boot.
const RUNTIME: &str = "run/systemd/system";

/// The ends of the names of the directories whose links start a unit (systemd.unit(5)).
const PULLING: [&str; 3] = [".wants", ".requires", ".upholds"];

/// Where unit files are, the strongest directory first (systemd.unit(5)).
const UNITS: [&str; 6] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
    "etc/systemd/system.attached",
];

/// Where the directories of the run levels are: Debian, Red Hat, SUSE.
const LEVELS: [&str; 3] = ["etc", "etc/rc.d", "etc/init.d"];

/// The longest that a tool may take.
const LIMIT: Duration = Duration::from_mins(1);

/// Links, by their absolute path, and where they lead.
type Links = BTreeMap<String, String>;

/// Looks how a service is started at boot, and whether systemd listens in its place.
///
/// # Errors
///
/// When a directory that is there cannot be read.
pub(crate) fn look(system: &impl System, root: &Path, service: &str) -> Result<Boot, Error> {
    let boot = find(system, root, service)?;
    let [_, socket] = units(&boot.service);
    let is_waiting = |unit: &Unit| unit.triggers.contains(&socket);
    let socket_active = system.runs_systemd()
        && has_unit(root, &socket)
        && unit::look(system, &boot.service).unit().is_some_and(is_waiting);
    Ok(Boot { socket_active, ..boot })
}

/// Looks at the links alone; systemd is not asked.
///
/// # Errors
///
/// When a directory that is there cannot be read.
pub(crate) fn find(system: &impl System, root: &Path, service: &str) -> Result<Boot, Error> {
    let service = unit::bare(service);
    let mut links = Links::new();
    let pulls = |name: &str| PULLING.iter().any(|end| name.ends_with(end));
    for place in ENABLED {
        for directory in directories(root, place, pulls)? {
            let is_meant = |name: &str, _: &Path| units(service).iter().any(|unit| unit == name);
            collect(root, &directory, &mut links, is_meant)?;
        }
        let is_meant = |name: &str, target: &Path| is_alias(name, target, service);
        collect(root, &root.join(place), &mut links, is_meant)?;
    }
    for place in LEVELS {
        for directory in directories(root, place, is_level)? {
            collect(root, &directory, &mut links, |name, _| is_script_link(name, service))?;
        }
    }
    let [native, _] = units(service);
    let scripts = if system.runs_systemd() && has_unit(root, &native) {
        Scripts::Ignored
    } else {
        Scripts::Followed
    };
    Ok(Boot { service: service.to_owned(), links, socket_active: false, scripts })
}

/// How Dovecot was started at boot.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Boot {
    /// Its name as a service.
    pub(crate) service: String,
    /// The symbolic links that disabling may take away, and where they lead.
    #[serde(default)]
    pub(crate) links: BTreeMap<String, String>,
    /// Whether systemd listened in its place.
    #[serde(default)]
    pub(crate) socket_active: bool,
    /// Whether the links of the run levels count.
    #[serde(default)]
    pub(crate) scripts: Scripts,
}

/// What the links of the run levels, which lead to init scripts, mean on a node.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scripts {
    /// They start the service.
    #[default]
    Followed,
    /// systemd runs, and the service has a unit of its own, which comes before a script of the same
    /// name (systemd-sysv-generator(8)). Red Hat 7 has such links left from older versions, and no
    /// tool that takes them away.
    Ignored,
}

impl Boot {
    /// The links that start it, without those that only stop it, give it another name, or are
    /// ignored.
    pub(crate) fn starts(&self) -> Vec<&str> {
        let starts = |path: &&str| self.is_script_start(path) || self.is_unit_start(path);
        self.links.keys().map(String::as_str).filter(starts).collect()
    }

    /// Whether a link starts one of its units at boot.
    fn is_unit_start(&self, path: &str) -> bool {
        units(&self.service).iter().any(|unit| unit == name_of(path))
    }

    /// Those of them that lead to an init script.
    pub(crate) fn script_starts(&self) -> Vec<&str> {
        self.starts().into_iter().filter(|path| self.is_script_start(path)).collect()
    }

    /// Whether a link runs an init script at boot. The run levels 0 and 6 end the node.
    fn is_script_start(&self, path: &str) -> bool {
        let name = name_of(path);
        self.scripts == Scripts::Followed
            && is_script_link(name, &self.service)
            && name.starts_with('S')
            && !["/rc0.d/", "/rc6.d/"].iter().any(|level| path.contains(level))
    }

    /// Whether there is nothing to take off.
    pub(crate) fn is_off(&self) -> bool {
        self.starts().is_empty() && !self.socket_active
    }
}

/// Takes the start at boot off, and lets systemd no longer listen in the service's place.
///
/// # Errors
///
/// When it is still there afterwards; the message has the words of the tools.
pub(crate) fn disable(system: &impl System, root: &Path, boot: &Boot) -> Result<(), Error> {
    let mut said = Vec::new();
    let mut run = |command: Command| {
        let ended = system.run(&command, LIMIT);
        if !ended.succeeded() {
            said.push(format!("`{command}`: {ended}"));
        }
    };
    let [service, socket] = &units(&boot.service);
    let both = [service.as_str(), socket];
    let units: Vec<&str> = both.into_iter().filter(|unit| has_unit(root, unit)).collect();
    if !units.is_empty() && !boot.starts().is_empty() {
        systemctl(system, &[&["disable"], units.as_slice()].concat()).map(&mut run);
        // Without the option it leaves these links alone.
        if boot.starts().iter().any(|path| path.trim_start_matches('/').starts_with(RUNTIME)) {
            systemctl(system, &[&["disable", "--runtime"], units.as_slice()].concat())
                .map(&mut run);
        }
    }
    if boot.socket_active {
        systemctl(system, &["stop", socket]).map(&mut run);
    }
    // What systemctl leaves, such as a link to a unit that is gone; what is in the record alone.
    let left = find(system, root, &boot.service)?.links;
    let is_noted = |path: &&String| boot.links.contains_key(*path) && boot.is_unit_start(path);
    for path in left.keys().filter(is_noted) {
        remove_link(&files::below(root, Path::new(path)))?;
    }
    // Where systemd knows the service, it has told the tool of the scripts already.
    if !find(system, root, &boot.service)?.script_starts().is_empty() {
        script_tool(system, &boot.service).map(&mut run);
    }
    let left = look(system, root, &boot.service)?;
    if left.is_off() {
        return Ok(());
    }
    said.insert(0, format!("still there: {}", describe(&left)));
    let text = format!("disabling {}'s start at boot: {}", boot.service, said.join("; "));
    Err(Error::refused(Message::BootNotDisabled, text))
}

/// Restores the links that were found before, unless the start at boot was changed since. What has a
/// link's name by now is left alone: it is a file, or leads elsewhere, by an administrator's choice. A
/// wrong yes would destroy that for good; a wrong no leaves a start at boot to be set by hand.
///
/// # Errors
///
/// When a link cannot be put back.
pub(crate) fn give_back(
    system: &impl System,
    root: &Path,
    before: &Boot,
) -> Result<GivenBack, Error> {
    let now = look(system, root, &before.service)?;
    if now.starts().iter().any(|path| !before.links.contains_key(*path)) {
        return Ok(GivenBack::SetSince);
    }
    // The tool has left links that stop it; another name is an administrator's choice.
    let is_tools = |path: &&String| {
        let name = name_of(path);
        is_script_link(name, &before.service)
            && name.starts_with('K')
            && !before.links.contains_key(*path)
    };
    for path in now.links.keys().filter(is_tools) {
        remove_link(&files::below(root, Path::new(path)))?;
    }
    let mut given_back = GivenBack::AsBefore;
    for (path, target) in &before.links {
        if now.links.get(path) == Some(target) {
            continue;
        }
        let path = files::below(root, Path::new(path));
        if path.symlink_metadata().is_ok() {
            given_back = GivenBack::SetSince;
            continue;
        }
        link(&path, target).map_err(Error::file("linking", &path))?;
        files::sync_directory(&path)?;
    }
    if system.runs_systemd() && now.links != before.links {
        systemctl(system, &["daemon-reload"]).map(|command| system.run(&command, LIMIT));
    }
    if before.socket_active && !now.socket_active {
        let [_, socket] = units(&before.service);
        systemctl(system, &["start", &socket]).map(|command| system.run(&command, LIMIT));
    }
    Ok(given_back)
}

/// What became of the start at boot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum GivenBack {
    /// It is as it was before.
    AsBefore,
    /// It was set since, and what was set was left alone.
    SetSince,
}

/// The state in words.
pub(crate) fn describe(boot: &Boot) -> String {
    let socket = boot.socket_active.then(|| format!("{}.socket is listening", boot.service));
    list(boot.starts().into_iter().map(str::to_owned).chain(socket))
}

fn units(service: &str) -> [String; 2] {
    [format!("{service}.service"), format!("{service}.socket")]
}

/// Whether a unit has a file: of its name or, where an `@` is in it, of its template's.
fn has_unit(root: &Path, unit: &str) -> bool {
    let template =
        |(name, rest): (&str, &str)| Some(format!("{name}@.{}", rest.rsplit_once('.')?.1));
    let names = [Some(unit.to_owned()), unit.split_once('@').and_then(template)];
    let is_there = |name: &String| UNITS.iter().any(|place| root.join(place).join(name).exists());
    names.iter().flatten().any(is_there)
}

/// A command of systemctl, which edits the links by itself where systemd does not run.
fn systemctl(system: &impl System, arguments: &[&str]) -> Option<Command> {
    let command = Command::new(system.program("systemctl")?, arguments);
    Some(if system.runs_systemd() {
        command
    } else {
        command.with("SYSTEMD_OFFLINE", "1".to_owned())
    })
}

/// The distribution's command that takes a script off the run levels.
pub(crate) fn script_tool(system: &impl System, service: &str) -> Option<Command> {
    [
        ("chkconfig", [service, "off"]),
        ("update-rc.d", [service, "disable"]),
        ("insserv", ["-r", service]),
    ]
    .into_iter()
    .find_map(|(tool, arguments)| Some(Command::new(system.program(tool)?, &arguments)))
}

/// `rc0.d` to `rc6.d`, `rcS.d`, SUSE's `boot.d`.
fn is_level(name: &str) -> bool {
    name == "boot.d"
        || name
            .strip_prefix("rc")
            .and_then(|rest| rest.strip_suffix(".d"))
            .is_some_and(|level| level.len() == 1 && level.chars().all(|c| "0123456S".contains(c)))
}

/// Whether a link gives one of the service's units another name (`Alias=`, systemd.unit(5)):
/// `systemctl disable` takes it away too.
fn is_alias(name: &str, target: &Path, service: &str) -> bool {
    let leads_to = target.file_name().unwrap_or_default();
    units(service).iter().any(|unit| leads_to == unit.as_str() && name != unit)
}

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// `S20dovecot`, `K01dovecot`.
fn is_script_link(name: &str, service: &str) -> bool {
    let Some(rest) = name.strip_suffix(service) else { return false };
    let mut rest = rest.chars();
    matches!(rest.next(), Some('S' | 'K'))
        && rest.as_str().len() == 2
        && rest.all(|c| c.is_ascii_digit())
}

/// The real directories of a directory whose names match; a link to one is another name of the same.
fn directories(
    root: &Path,
    place: &str,
    matches: impl Fn(&str) -> bool,
) -> Result<Vec<PathBuf>, Error> {
    let entries = entries(&root.join(place))?;
    let is_meant = |entry: &fs::DirEntry| {
        entry.file_type().is_ok_and(|kind| kind.is_dir())
            && matches(&entry.file_name().to_string_lossy())
    };
    Ok(entries.into_iter().filter(is_meant).map(|entry| entry.path()).collect())
}

fn collect(
    root: &Path,
    directory: &Path,
    links: &mut Links,
    matches: impl Fn(&str, &Path) -> bool,
) -> Result<(), Error> {
    for entry in entries(directory)? {
        if let Ok(target) = fs::read_link(entry.path())
            && matches(&entry.file_name().to_string_lossy(), &target)
        {
            let path = entry.path();
            let path = path.strip_prefix(root).unwrap_or(&path);
            let path = format!("/{}", path.display());
            links.insert(path, target.display().to_string());
        }
    }
    Ok(())
}

/// What is in a directory; nothing when there is none.
fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>, Error> {
    match if_there(fs::read_dir(directory).and_then(Iterator::collect)) {
        // SUSE has a link here to a directory that is looked at by itself.
        Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => Ok(Vec::new()),
        listed => listed.map(Option::unwrap_or_default).map_err(Error::file("reading", directory)),
    }
}

fn remove_link(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).map_err(Error::file("removing", path))?;
    files::sync_directory(path)
}

/// Makes a link, and its directory, which systemctl removes when it is empty.
fn link(path: &Path, target: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    symlink(target, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;

    const WANTED: &str = "etc/systemd/system/multi-user.target.wants/dovecot.service";

    fn root(links: &[&str]) -> TestRoot {
        let root = TestRoot::new();
        for path in links {
            let path = root.path().join(path);
            link(&path, "../target").expect("a link");
        }
        root
    }

    fn with_systemctl() -> Machine {
        let machine = Machine::new();
        machine.state().programs.push("systemctl");
        machine.answer("systemctl", crate::command::End::Exited(0), Duration::ZERO, "");
        machine
    }

    fn boot(root: &TestRoot) -> Boot {
        look(&Machine::new(), root.path(), "dovecot").expect("looking")
    }

    #[test]
    fn a_service_may_be_named_with_its_suffix() {
        let root = root(&[WANTED, "etc/rc3.d/S20dovecot"]);
        let with = look(&Machine::new(), root.path(), "dovecot.service").expect("looking");
        assert_eq!(with, boot(&root));
        assert_eq!(with.starts().len(), 2);
    }

    #[test]
    fn what_is_enabled_until_the_next_boot_is_disabled_with_the_option_for_it() {
        let link = "run/systemd/system/multi-user.target.wants/dovecot.service";
        let root = root(&[link]);
        root.write("lib/systemd/system/dovecot.service", "");
        let machine = with_systemctl();
        let before = boot(&root);
        assert_eq!(before.starts(), [format!("/{link}")]);
        disable(&machine, root.path(), &before).expect("disabling");
        let disables =
            ["systemctl disable dovecot.service", "systemctl disable --runtime dovecot.service"];
        assert_eq!(machine.deeds(), disables);
    }

    #[test]
    fn what_no_tool_disables_is_removed_and_given_back() {
        let instance = "etc/systemd/system/multi-user.target.wants/dovecot@mail.service";
        let dangling = "etc/systemd/system/sockets.target.wants/dovecot.socket";
        for (service, link, disables) in [
            ("dovecot@mail", instance, &["systemctl disable dovecot@mail.service"][..]),
            ("dovecot", dangling, &[]),
        ] {
            let root = root(&[link]);
            root.write("usr/lib/systemd/system/dovecot@.service", "");
            let machine = with_systemctl();
            let before = look(&machine, root.path(), service).expect("looking");
            assert_eq!(before.starts(), [format!("/{link}")]);
            disable(&machine, root.path(), &before).expect("disabling");
            assert!(look(&machine, root.path(), service).expect("looking").is_off(), "{link}");
            assert_eq!(machine.deeds(), disables, "{link}");
            give_back(&machine, root.path(), &before).expect("giving back");
            assert_eq!(look(&machine, root.path(), service).expect("looking"), before);
        }
        let root = root(&["etc/rc3.d/S20dovecot"]);
        let error = disable(&Machine::new(), root.path(), &boot(&root)).expect_err("no tool");
        assert!(error.to_string().ends_with("still there: /etc/rc3.d/S20dovecot"), "{error}");
    }

    #[test]
    fn all_links_of_the_service_are_found_and_no_others() {
        let root = root(&[
            WANTED,
            "etc/systemd/system/sockets.target.wants/dovecot.socket",
            "etc/systemd/system/x.target.requires/dovecot.service",
            "etc/systemd/system/x.target.upholds/dovecot.service",
            "run/systemd/system/x.target.wants/dovecot.service",
            "run/systemd/generator/x.target.wants/dovecot.service",
            "etc/systemd/system/multi-user.target.wants/dovecot-x.service",
            "etc/rc3.d/S20dovecot",
            "etc/rc.d/rc5.d/K01dovecot",
            "etc/rc3.d/S20dovecot-x",
            "etc/rc3.d/S20xdovecot",
            "etc/rc3.d/dovecot",
            "etc/rc9.d/S20dovecot",
            "etc/rc6.d/S20dovecot",
        ]);
        let boot = boot(&root);
        assert_eq!(boot.links.len(), 8, "{:?}", boot.links);
        assert_eq!(boot.script_starts(), ["/etc/rc3.d/S20dovecot"]);
        assert_eq!(
            describe(&boot),
            "/etc/rc3.d/S20dovecot, /etc/systemd/system/multi-user.target.wants/dovecot.service, \
             /etc/systemd/system/sockets.target.wants/dovecot.socket, \
             /etc/systemd/system/x.target.requires/dovecot.service, \
             /etc/systemd/system/x.target.upholds/dovecot.service, \
             /run/systemd/system/x.target.wants/dovecot.service"
        );
    }

    #[test]
    fn a_directory_that_is_a_link_to_another_is_not_counted_twice() {
        let root = root(&["etc/rc.d/rc3.d/S20dovecot"]);
        symlink("rc.d/rc3.d", root.path().join("etc/rc3.d")).expect("a link");
        assert_eq!(boot(&root).starts(), ["/etc/rc.d/rc3.d/S20dovecot"]);
    }

    #[test]
    fn the_links_come_back_as_they_were_and_those_of_the_tools_go() {
        let root = root(&[WANTED, "etc/rc3.d/S20dovecot"]);
        let before = boot(&root);
        for path in [WANTED, "etc/rc3.d/S20dovecot"] {
            fs::remove_file(root.path().join(path)).expect("disabling");
        }
        fs::remove_dir(root.path().join(WANTED).parent().expect("a directory"))
            .expect("it is empty");
        link(&root.path().join("etc/rc3.d/K80dovecot"), "x").expect("a tool's link");
        assert!(boot(&root).is_off());
        let machine = Machine::new();
        let done = give_back(&machine, root.path(), &before).expect("giving back");
        assert_eq!((done, boot(&root)), (GivenBack::AsBefore, before.clone()));
        let again = give_back(&machine, root.path(), &before).expect("nothing to do");
        assert_eq!(again, GivenBack::AsBefore);
    }

    #[test]
    fn another_name_is_given_back_and_starts_nothing() {
        let alias = "etc/systemd/system/imap.service";
        let root = root(&[WANTED, "etc/systemd/system/other.service"]);
        let path = root.path().join(alias);
        link(&path, "/usr/lib/systemd/system/dovecot.service").expect("an alias");
        let before = boot(&root);
        assert_eq!((before.links.len(), before.starts()), (2, vec![&*format!("/{WANTED}")]));
        for path in [alias, WANTED] {
            fs::remove_file(root.path().join(path)).expect("disabling");
        }
        give_back(&Machine::new(), root.path(), &before).expect("giving back");
        assert_eq!(boot(&root), before);
        // An administrator adds the name again after it was disabled.
        let without = Boot { links: Links::new(), ..before };
        fs::remove_file(root.path().join(WANTED)).expect("disabling");
        give_back(&Machine::new(), root.path(), &without).expect("nothing to do");
        assert!(path.symlink_metadata().is_ok(), "their name stays");
    }

    #[test]
    fn links_of_a_script_that_systemd_ignores_are_no_obstacle() {
        let root = root(&["etc/rc.d/rc3.d/S65dovecot"]);
        root.write("usr/lib/systemd/system/dovecot.service", "");
        assert!(!boot(&root).is_off(), "where systemd does not run they count");
        let machine = Machine::new();
        machine.state().systemd = true;
        let ignored = look(&machine, root.path(), "dovecot").expect("looking");
        assert!(ignored.is_off() && ignored.links.len() == 1, "{ignored:?}");
        disable(&machine, root.path(), &ignored).expect("nothing is to be disabled");
        fs::remove_file(root.path().join("usr/lib/systemd/system/dovecot.service")).expect("it");
        let followed = look(&machine, root.path(), "dovecot").expect("looking");
        assert_eq!(followed.starts(), ["/etc/rc.d/rc3.d/S65dovecot"]);
    }

    #[test]
    fn what_has_a_links_name_by_now_is_left_alone() {
        let root = root(&[WANTED, "etc/rc3.d/S20dovecot"]);
        let before = boot(&root);
        let (file, elsewhere) =
            (root.path().join(WANTED), root.path().join("etc/rc3.d/S20dovecot"));
        for path in [&file, &elsewhere] {
            fs::remove_file(path).expect("disabled");
        }
        root.write(WANTED, "[Unit]\n");
        let done = give_back(&Machine::new(), root.path(), &before).expect("leaving it");
        assert_eq!(done, GivenBack::SetSince);
        assert_eq!(fs::read_to_string(&file).expect("their file"), "[Unit]\n");
        assert_eq!(fs::read_link(&elsewhere).expect("the other"), Path::new("../target"));
    }

    #[test]
    fn what_somebody_set_since_stays() {
        let root = root(&["etc/rc3.d/K80dovecot"]);
        let before = boot(&root);
        link(&root.path().join("etc/rc3.d/S20dovecot"), "x").expect("their link");
        let done = give_back(&Machine::new(), root.path(), &before).expect("leaving it");
        assert_eq!(
            (done, boot(&root).starts()),
            (GivenBack::SetSince, vec!["/etc/rc3.d/S20dovecot"])
        );
    }
}
