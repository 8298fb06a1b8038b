//! Which Dovecot the service runs: its program, and the configuration file that it is given.
//!
//! A service may start Dovecot with `-c FILE`, or from a directory of its own. What Dovecot's tools
//! say counts only for the program and the file that they were asked about: a mistake in a file that
//! nobody reads keeps nothing from starting.
//!
//! The sources, in this order: the command line of the running master; the unit's `ExecStart`; the
//! init script with its file of defaults. All of them are root's own. Nothing of this is read in a
//! check that passes.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::identity;
use super::notes::Notes;
use super::start_line::{StartLine, Started, started};
use super::unit::{self, bare};
use crate::command::Command;
use crate::files::{self, below};
use crate::process::Process;
use crate::system::{PROGRAM_DIRECTORIES, System};

/// The longest that [`Instance::find`] waits: for systemd.
pub(crate) const LIMIT: Duration = unit::DETAIL_LIMIT;

/// The name of Dovecot's program.
const DOVECOT: &str = "dovecot";

/// Where init scripts are, and jobs of upstart.
const SCRIPTS: [&str; 2] = ["etc/init.d", "etc/rc.d/init.d"];

/// Where init scripts read their defaults.
const DEFAULTS: [&str; 2] = ["etc/default", "etc/sysconfig"];

/// How much of a script is read, in bytes. Debian's has 5 KiB.
const MAX_SCRIPT: u64 = 64 << 10;

/// The Dovecot that the service runs, or would start.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Instance {
    root: PathBuf,
    program: Option<PathBuf>,
    /// The file that it is given; without one Dovecot reads its default.
    file: Option<PathBuf>,
    origin: Origin,
}

/// How much is known of the service.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Origin {
    #[default]
    Unknown,
    /// Its master runs.
    Master,
    /// What starts it was read.
    Service,
    NoService,
}

/// A command line of Dovecot.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Line {
    program: Option<PathBuf>,
    file: Option<PathBuf>,
}

impl Instance {
    /// Finds it; takes at most [`LIMIT`]. With two masters the service's files decide.
    pub(crate) fn find(system: &impl System, root: &Path, service: &str, notes: &Notes) -> Self {
        let unit = unit::name(service);
        let masters = identity::masters(system, notes).unwrap_or_default();
        if let [master] = unit::own(system, &unit, masters).as_slice() {
            return Self::of_master(system, root, master);
        }
        let started = started(system, service);
        let line = match &started {
            Some(Started::By(line)) => read_unit(root, line),
            _ => Line::default(),
        };
        let script = script(root, service);
        let (line, origin) = match (line.program.is_some(), &started, script) {
            (true, ..) | (false, Some(Started::By(_)), None) => (line, Origin::Service),
            (false, _, Some(script)) => (read_script(root, service, &script), Origin::Service),
            (false, Some(Started::NotFound), None) => (line, Origin::NoService),
            (false, None, None) if !system.runs_systemd() && !has_job(root, service) => {
                (line, Origin::NoService)
            }
            (false, None, None) => (line, Origin::Unknown),
        };
        Self { root: root.into(), program: line.program, file: line.file, origin }
    }

    /// The one that the first of some masters is; without one, that of the usual places.
    pub(crate) fn of_masters(system: &impl System, root: &Path, masters: &[Process]) -> Self {
        masters.first().map_or_else(Self::default, |one| Self::of_master(system, root, one))
    }

    /// The one that a proven master is; reads its command line.
    pub(crate) fn of_master(system: &impl System, root: &Path, master: &Process) -> Self {
        let words = system.words(master);
        // The first word may be anything; the file that it runs is root's alone.
        let line = Line::options(words.iter().skip(1).map(String::as_str));
        Self {
            root: root.into(),
            program: master.executable.clone(),
            file: line.file,
            origin: Origin::Master,
        }
    }

    /// A command of one of its tools about its configuration file; `None` where there is no such
    /// tool. Beside a Dovecot that was not installed by the distribution, the distribution's tool is
    /// another Dovecot's.
    pub(crate) fn command(
        &self,
        system: &impl System,
        tool: &str,
        arguments: &[&str],
    ) -> Option<Command> {
        let program = self.tool(system, tool)?;
        let file = self.file.as_ref().map(|file| file.to_string_lossy());
        let words: Vec<&str> =
            file.iter().flat_map(|file| ["-c", file]).chain(arguments.iter().copied()).collect();
        Some(Command::new(program, &words))
    }

    /// Whether it is older than 2.0, which brought doveconf.
    pub(crate) fn is_before_2(&self, system: &impl System) -> bool {
        self.tool(system, "doveconf").is_none() && self.tool(system, DOVECOT).is_some()
    }

    fn tool(&self, system: &impl System, name: &str) -> Option<PathBuf> {
        let own = self.program.as_deref().and_then(Path::parent);
        let Some(own) =
            own.filter(|own| PROGRAM_DIRECTORIES.iter().all(|usual| *own != Path::new(usual)))
        else {
            return system.program(name);
        };
        // /opt/dovecot/sbin/dovecot, /opt/dovecot/bin/doveconf
        let directories = [Some(own.to_owned()), own.parent().map(|prefix| prefix.join("bin"))];
        let mut paths = directories.into_iter().flatten().map(|directory| directory.join(name));
        paths.find(|path| files::is_program_of_root(&below(&self.root, path)))
    }

    /// Says that Dovecot is not installed, if that is certain: what the service starts is not there,
    /// or there is neither such a service nor Dovecot's program in a usual place. One in an unusual
    /// place has a service that names it. A wrong yes would take a node's further tries; a wrong no
    /// costs some seconds and a message that does not help.
    pub(crate) fn missing(&self, system: &impl System) -> Option<String> {
        match (self.origin, &self.program) {
            (Origin::Service, Some(program)) => {
                let found = std::fs::metadata(below(&self.root, program));
                let is_absent = found.is_err_and(|cause| cause.kind() == ErrorKind::NotFound);
                is_absent
                    .then(|| format!("Dovecot is not installed: there is no {}", program.display()))
            }
            (Origin::NoService, _) if system.program(DOVECOT).is_none() => {
                let directories = PROGRAM_DIRECTORIES.join(", ");
                Some(format!(
                    "Dovecot is not installed: there is no such service, and no dovecot in {directories}"
                ))
            }
            _ => None,
        }
    }
}

impl Line {
    /// Reads a command line in which Dovecot's program may come after others.
    fn read<'a>(mut words: impl Iterator<Item = &'a str>) -> Self {
        let is_dovecot = |word: &&str| {
            let path = Path::new(*word);
            path.is_absolute() && path.file_name().is_some_and(|name| name == DOVECOT)
        };
        match words.find(is_dovecot) {
            Some(program) => Self { program: Some(program.into()), ..Self::options(words) },
            None => Self::default(),
        }
    }

    /// Reads the options, up to the first word that is none: the last `-c` counts, as for
    /// `getopt(3)`. A file that cannot be told, because its name is relative or a variable, is none.
    fn options<'a>(mut words: impl Iterator<Item = &'a str>) -> Self {
        let mut line = Self::default();
        while let Some(flags) = words.next().and_then(|word| word.strip_prefix('-')) {
            // `-Fc FILE` is one, `--exec` is none.
            let are_flags = |text: &str| text.bytes().all(|flag| flag.is_ascii_alphabetic());
            if let Some((_, value)) = flags.split_once('c').filter(|(flags, _)| are_flags(flags)) {
                let file = if value.is_empty() { words.next() } else { Some(value) };
                line.file = file.filter(|file| file.starts_with('/')).map(PathBuf::from);
            }
        }
        line
    }
}

/// The text of the service's init script.
fn script(root: &Path, service: &str) -> Option<String> {
    SCRIPTS.iter().find_map(|directory| own_text(&root.join(directory).join(bare(service))))
}

/// Whether upstart has a job of this name.
fn has_job(root: &Path, service: &str) -> bool {
    root.join("etc/init").join(format!("{}.conf", bare(service))).exists()
}

fn own_text(path: &Path) -> Option<String> {
    let file = files::open_own(path, OpenOptions::new().read(true)).ok()?;
    let mut text = Vec::new();
    file.take(MAX_SCRIPT).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Reads how a unit starts Dovecot. A variable that is a word of its own is as many words as its value
/// has; one that nobody sets is none (`systemd.service(5)`).
fn read_unit(root: &Path, line: &StartLine) -> Line {
    let mut variables = Variables::default();
    variables.read_literally(&line.environment);
    for text in line.files.iter().filter_map(|file| own_text(&below(root, Path::new(file)))) {
        variables.read_literally(&text);
    }
    let mut words = Vec::new();
    for word in line.words.split_ascii_whitespace() {
        match word.strip_prefix('$').filter(|name| !name.starts_with(['{', '$'])) {
            Some(name) => {
                let value = variables.0.get(name).map_or("", String::as_str);
                words.extend(value.split_ascii_whitespace().map(str::to_owned));
            }
            None => words.push(variables.expand(word).unwrap_or_else(|| word.to_owned())),
        }
    }
    Line::read(words.iter().map(String::as_str))
}

/// Reads how an init script starts Dovecot: plain assignments, those of its file of defaults, and the
/// last command that gives Dovecot a file. What needs a shell to be understood is not.
fn read_script(root: &Path, service: &str, script: &str) -> Line {
    let script = script.replace("\\\n", " ");
    let mut variables = Variables::default();
    variables.read(&script);
    for directory in DEFAULTS {
        if let Some(text) = own_text(&root.join(directory).join(bare(service))) {
            variables.read(&text);
        }
    }
    let mut found = Line::default();
    let commands = script.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    for command in commands.filter(|line| assignment(line).is_none()) {
        let words: Vec<String> = command
            .split_ascii_whitespace()
            .filter_map(|word| variables.expand(word.trim_matches('"')))
            .flat_map(|word| word.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let line = Line::read(words.iter().map(String::as_str));
        if line.program.is_some() && (line.file.is_some() || found.file.is_none()) {
            found = line;
        }
    }
    found
}

/// The variables of a script that are plain words.
#[derive(Debug, Default)]
struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Takes the assignments that stand at the beginning of a line: others depend on something.
    fn read(&mut self, text: &str) {
        for (name, value) in text.lines().filter_map(assignment) {
            let value = value.trim();
            let quoted = |sign| value.strip_prefix(sign)?.split_once(sign).map(|(inner, _)| inner);
            let plain = value.split([' ', '\t', ';', '#']).next().unwrap_or_default();
            let value = match quoted('\'') {
                Some(literal) => Some(literal.to_owned()),
                None => self.expand(quoted('"').unwrap_or(plain)),
            };
            match value {
                Some(value) => self.0.insert(name.to_owned(), value),
                None => self.0.remove(name),
            };
        }
    }

    /// Takes the assignments in which no sign means anything but quotes around the value
    /// (`systemd.exec(5)`, `EnvironmentFile=`).
    fn read_literally(&mut self, text: &str) {
        for (name, value) in text.lines().map(str::trim).filter_map(assignment) {
            let value = value.trim();
            let unquoted = |sign| value.strip_prefix(sign)?.strip_suffix(sign);
            let value = unquoted('"').or_else(|| unquoted('\'')).unwrap_or(value);
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Puts the values in; `None` where one is not known, or a shell would do more.
    fn expand(&self, text: &str) -> Option<String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let (name, next) = if let Some(braced) = after.strip_prefix('{') {
                braced.split_once('}')?
            } else {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                after.split_at(end.unwrap_or(after.len()))
            };
            expanded.push_str(self.0.get(name)?);
            rest = next;
        }
        expanded.push_str(rest);
        (!expanded.contains('`')).then_some(expanded)
    }
}

/// The name and the value of a line that assigns one.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::system::fake::{MASTER, Machine};
    use crate::test_root::TestRoot;
    use std::fs;

    const MILLIS: Duration = Duration::from_millis(8);

    /// Debian's init script, shortened.
    const SCRIPT: &str = r#"#! /bin/sh
NAME=dovecot
DAEMON=/usr/sbin/dovecot
DAEMON_ARGS=""
CONF=/etc/dovecot/${NAME}.conf
# other -c /etc/comment.conf
[ -r /etc/default/$NAME ] && . /etc/default/$NAME
[ -x "$DAEMON" ] || exit 0
PIDBASE=${PIDBASE:-`doveconf -n -c ${CONF} -h base_dir`}
PIDFILE=${PIDBASE:-/var/run/dovecot}/master.pid
    start-stop-daemon --start --quiet --pidfile $PIDFILE --exec $DAEMON --test -- -c ${CONF} > /dev/null \
        || return 1
    start-stop-daemon --start --quiet --pidfile $PIDFILE --exec $DAEMON -- -c ${CONF} \
        $DAEMON_ARGS \
        || return 2
    start-stop-daemon --stop --quiet --pidfile $PIDFILE --name ${DAEMON##*/}
    status_of_proc -p $PIDFILE $DAEMON $NAME && exit 0 || exit $?
"#;

    fn find(machine: &Machine, root: &TestRoot) -> Instance {
        Instance::find(machine, root.path(), "dovecot", &Notes::default())
    }

    fn line(machine: &Machine, instance: &Instance) -> Option<String> {
        instance.command(machine, "doveconf", &["-n"]).map(|command| command.to_string())
    }

    fn with_doveconf(machine: Machine) -> Machine {
        machine.state().programs.push("doveconf");
        machine
    }

    #[test]
    fn the_running_master_says_which_file_it_was_given() {
        for (words, told) in [
            (&["dovecot", "-F", "-c", "/srv/d.conf"][..], "doveconf -c /srv/d.conf -n"),
            (&["dovecot", "-F", "-c/srv/d.conf"], "doveconf -c /srv/d.conf -n"),
            (&["dovecot", "-Fc", "/srv/d.conf"], "doveconf -c /srv/d.conf -n"),
            (&["dovecot", "-c", "/a.conf", "-c", "/b.conf"], "doveconf -c /b.conf -n"),
            (&["dovecot", "-c", "d.conf"], "doveconf -n"),
            (&["dovecot", "-c"], "doveconf -n"),
            (&["dovecot", "stop", "-c", "/d.conf"], "doveconf -n"),
            (&[], "doveconf -n"),
        ] {
            let machine = with_doveconf(Machine::running());
            machine.show(MASTER, |more| {
                more.words = words.iter().map(ToString::to_string).collect();
            });
            let found = find(&machine, &TestRoot::new());
            assert_eq!(line(&machine, &found).as_deref(), Some(told), "{words:?}");
            assert_eq!(machine.deeds(), Vec::<String>::new(), "nothing is asked");
        }
    }

    #[test]
    fn of_two_masters_none_is_believed() {
        let machine = with_doveconf(Machine::running());
        machine.show(MASTER, |more| more.words = vec!["dovecot".into(), "-c/a.conf".into()]);
        machine.add(crate::system::fake::master(200), 1, 200);
        let found = find(&machine, &TestRoot::new());
        assert_eq!(line(&machine, &found).as_deref(), Some("doveconf -n"));
    }

    #[test]
    fn a_stopped_unit_says_it_in_its_start_command() {
        for (start, told) in [
            ("/usr/sbin/dovecot -F -c /srv/d.conf", "doveconf -c /srv/d.conf -n"),
            ("/usr/bin/nice -n 5 /usr/sbin/dovecot -c /srv/d.conf", "doveconf -c /srv/d.conf -n"),
            ("/usr/sbin/dovecot -F $OPTIONS", "doveconf -c /srv/o.conf -n"),
            ("/usr/sbin/dovecot -F $NOTHING -c /srv/d.conf", "doveconf -c /srv/d.conf -n"),
            ("/usr/sbin/dovecot -F -c ${DIR}/d.conf", "doveconf -c /etc/a b/d.conf -n"),
            ("/usr/sbin/dovecot -F -c ${NOTHING}/d.conf", "doveconf -n"),
            ("/usr/sbin/dovecot -F", "doveconf -n"),
        ] {
            let machine = with_doveconf(Machine::new());
            machine.state().systemd = true;
            machine.state().programs.push("systemctl");
            let answer = format!(
                "LoadState=loaded\nExecStart={{ path=/x ; argv[]={start} ; ignore_errors=no ; \
                 start_time=[n/a] }}\nEnvironment=X=1 \"Q=\\\"\" \"DIR=/etc/a b\" OPTIONS=-x\n\
                 EnvironmentFiles=/etc/sysconfig/dovecot (ignore_errors=yes)\n\
                 EnvironmentFile=/etc/nothing (ignore_errors=no)\n"
            );
            machine.answer("systemctl", End::Exited(0), MILLIS, &answer);
            let (found, root) = (Instance::find, TestRoot::new());
            root.write("etc/sysconfig/dovecot", "# of the site\nOPTIONS=\"-v -c /srv/o.conf\"\n");
            let found = found(&machine, root.path(), "dovecot.service", &Notes::default());
            assert_eq!(line(&machine, &found).as_deref(), Some(told), "{start}");
            assert_eq!(machine.deeds().len(), 1, "one question");
            let gone = "Dovecot is not installed: there is no /usr/sbin/dovecot";
            assert_eq!(found.missing(&machine).as_deref(), Some(gone));
            root.write("usr/sbin/dovecot", "");
            assert_eq!(found.missing(&machine), None);
        }
    }

    #[test]
    fn an_init_script_says_it_with_its_file_of_defaults() {
        let told = |script: &str, defaults: &str| {
            let (machine, root) = (with_doveconf(Machine::new()), TestRoot::new());
            root.write("etc/init.d/dovecot", script);
            root.write("etc/default/dovecot", defaults);
            line(&machine, &find(&machine, &root)).expect("a doveconf")
        };
        for (defaults, file) in [
            ("", "-c /etc/dovecot/dovecot.conf"),
            ("CONF=/srv/d.conf\n", "-c /srv/d.conf"),
            ("#CONF=/srv/d.conf\nENABLED=1\n", "-c /etc/dovecot/dovecot.conf"),
            ("DAEMON_ARGS='-c /srv/e.conf'\n", "-c /srv/e.conf"),
        ] {
            assert_eq!(told(SCRIPT, defaults), format!("doveconf {file} -n"), "{defaults}");
        }
        let rhel = "exec=\"/usr/sbin/dovecot\"\n[ -f /etc/x ] && . /etc/x\nstart() {\n    daemon \
                    --pidfile $pidfile $exec $OPTIONS\n}\n";
        assert_eq!(told(rhel, "OPTIONS=\"-c /srv/d.conf\""), "doveconf -c /srv/d.conf -n");
        for odd in ["", "\u{0}$${", "CONF=`x`\n$DAEMON -c $CONF", "/usr/sbin/dovecot -c ${X:-/y}"] {
            assert_eq!(told(odd, "X"), "doveconf -n", "{odd:?}");
        }
    }

    #[test]
    fn a_script_or_a_program_that_others_may_write_is_not_believed() {
        use std::os::unix::fs::PermissionsExt;
        let open = |root: &TestRoot, name: &str, mode| {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(root.path().join(name), mode).expect("a mode");
        };
        let (machine, root) = (with_doveconf(Machine::new()), TestRoot::new());
        root.write("etc/init.d/dovecot", "/usr/sbin/dovecot -c /srv/d.conf\n");
        open(&root, "etc/init.d/dovecot", 0o757);
        assert_eq!(line(&machine, &find(&machine, &root)).as_deref(), Some("doveconf -n"));
        root.write("etc/init.d/dovecot", "/opt/d/sbin/dovecot\n");
        open(&root, "etc/init.d/dovecot", 0o755);
        let found = find(&machine, &root);
        assert_eq!(line(&machine, &found), None, "the distribution's is another Dovecot's");
        root.write("opt/d/bin/doveconf", "");
        open(&root, "opt/d/bin/doveconf", 0o755);
        let command = found.command(&machine, "doveconf", &[]).expect("its own");
        assert_eq!(command.program(), Path::new("/opt/d/bin/doveconf"));
        open(&root, "opt/d/bin/doveconf", 0o775);
        assert_eq!(line(&machine, &found), None);
    }

    #[test]
    fn dovecot_is_missing_where_neither_a_service_nor_a_program_is() {
        let (machine, root) = (Machine::new(), TestRoot::new());
        assert_eq!(find(&machine, &root).missing(&machine), None, "there is a program");
        machine.state().programs.retain(|program| *program != "dovecot");
        let words = find(&machine, &root).missing(&machine).expect("it is not here");
        assert!(words.starts_with("Dovecot is not installed: there is no such service"), "{words}");
        // Scripts of other places.
        for (path, text) in [
            ("etc/init.d/dovecot", "exec /opt/start-mail\n"),
            ("etc/rc.d/init.d/dovecot", ""),
            ("etc/init/dovecot.conf", ""),
        ] {
            let root = TestRoot::new();
            root.write(path, text);
            assert_eq!(find(&machine, &root).missing(&machine), None, "{path}");
        }
        machine.state().systemd = true;
        assert_eq!(find(&machine, &root).missing(&machine), None, "systemd does not tell");
        machine.state().programs.push("systemctl");
        machine.answer("systemctl", End::Exited(0), MILLIS, "LoadState=not-found\n");
        assert!(find(&machine, &root).missing(&machine).is_some());
        machine.answer("systemctl", End::Exited(0), MILLIS, "LoadState=masked\n");
        assert_eq!(find(&machine, &root).missing(&machine), None);
    }
}
