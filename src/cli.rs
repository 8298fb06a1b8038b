//! The command line.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::dovecot::account::user_name;
use crate::dovecot::store::LOOK_VERB;
use crate::lifekeeper::new_resource::Switchback;
use crate::lifekeeper::tag::Tag;
use crate::messages::Message;

/// Time limits for quickCheck that can be set in LifeKeeper, in seconds.
pub const QUICKCHECK_TIMEOUT: RangeInclusive<i64> = 20..=3600;

/// Time limits for the plugin, in seconds; the status ends after 60 by itself.
pub const PLUGIN_TIMEOUT: RangeInclusive<i64> = 1..=60;

/// Days before its expiry from which a certificate can be reported.
pub const CERTIFICATE_DAYS: RangeInclusive<i64> = 0..=3650;

/// Dovecot under SIOS LifeKeeper for Linux.
#[derive(Debug, Parser)]
#[command(name = "dovecot-ark", version, about)]
#[command(after_help = "See dovecot-ark(8); begin with dovecot-ark-guide(7).")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to use colours; `NO_COLOR` is respected
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Show on standard error what the command does and asks, in detail
    #[arg(short = 'v', long, global = true)]
    pub(crate) verbose: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check whether Dovecot is in operation
    #[command(name = "quickCheck")]
    QuickCheck(Resource),
    /// Bring Dovecot into service
    Restore(Resource),
    /// Take Dovecot out of service
    Remove(Resource),
    /// Repair Dovecot on this node: remove, then restore
    Recover(Resource),
    /// Create the resource, write default settings, disable Dovecot's start at boot
    Install(Install),
    /// Delete the resource and restore exactly what install changed
    Uninstall(Uninstall),
    /// Check the preconditions on every node and print cures; changes nothing
    Doctor(Doctor),
    /// Show the result of the checks and LifeKeeper's state; changes nothing
    Status(Status),
    /// Show each parameter, its value, and where it comes from
    Settings(Settings),
    /// Create the account for the login check: password, file and mailbox
    LoginAccount(LoginAccount),
    /// Explain a warning or error by its number: meaning, cause and cure
    Explain {
        /// The number, such as ARK1101
        #[arg(value_parser = Message::parse)]
        number: Message,
    },
    /// Print the state of a directory's file system
    #[command(name = LOOK_VERB, hide = true)]
    LookAtStore {
        /// The directory
        directory: PathBuf,
    },
    /// Perform an action of the resource agent, for Pacemaker
    Ocf(Ocf),
    /// Print a shell completion script
    Completions {
        /// The shell
        #[arg(value_enum, required_unless_present = "tags")]
        shell: Option<Shell>,
        /// Print the tags that a shell offers
        #[arg(long, hide = true, conflicts_with = "shell")]
        tags: bool,
    },
}

/// The resource an action is for.
#[derive(Args, Debug)]
#[command(after_help = "Further arguments are accepted and ignored. See dovecot-ark-actions(8).")]
pub(crate) struct Resource {
    /// The resource's tag
    #[arg(short = 't', long, value_parser = Tag::parse, overrides_with = "tag")]
    pub(crate) tag: Tag,
    /// The resource's id
    #[arg(short = 'i', long, overrides_with = "id")]
    id: Option<OsString>,
}

/// What to install, and how.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option without a value")]
#[command(after_help = "See dovecot-ark-install(8).")]
pub(crate) struct Install {
    /// The resource's tag
    #[arg(long, value_parser = Tag::parse_new, default_value = "dovecot")]
    pub(crate) tag: Tag,
    /// Whether the resource moves back automatically after a failover
    #[arg(long, value_enum, default_value_t = Switchback::Intelligent)]
    pub(crate) switchback: Switchback,
    /// Do not bring the resource into service
    #[arg(long)]
    pub(crate) no_start: bool,
    /// Tag of a resource that Dovecot depends on; can be repeated
    #[arg(long, value_name = "TAG", value_parser = Tag::parse)]
    pub(crate) depends_on: Vec<Tag>,
    /// LifeKeeper's time limit for quickCheck, 20 to 3600
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(QUICKCHECK_TIMEOUT))]
    pub(crate) quickcheck_timeout: Option<u32>,
    /// Prepare a node to which the resource will be extended
    #[arg(long, conflicts_with_all = ["switchback", "no_start", "depends_on"])]
    pub(crate) standby: bool,
    /// Take over a resource of other scripts, on all nodes; Dovecot keeps running
    #[arg(long, conflicts_with_all = ["switchback", "no_start"])]
    pub(crate) take_over: bool,
    /// Let systemd restart a Dovecot that died, without asking LifeKeeper
    #[arg(long)]
    pub(crate) restart: bool,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What to uninstall, and how.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option without a value")]
#[command(after_help = "See dovecot-ark-install(8).")]
pub(crate) struct Uninstall {
    /// The resource's tag
    #[arg(long, value_parser = Tag::parse, default_value = "dovecot")]
    pub(crate) tag: Tag,
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
    /// Delete the resource with LifeKeeper's low-level command if lkcli cannot
    #[arg(long)]
    pub(crate) use_ins_remove: bool,
    /// Give a resource that was taken over back on this node only, for another node
    #[arg(long, hide = true)]
    pub(crate) hand_back: bool,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Which nodes to check.
#[derive(Args, Clone, Debug)]
#[command(after_help = "See dovecot-ark-doctor(8).")]
pub(crate) struct Doctor {
    /// The resource's tag
    #[arg(short = 't', long, value_parser = Tag::parse, default_value = "dovecot")]
    pub(crate) tag: Tag,
    /// Check this node only
    #[arg(long)]
    pub(crate) local: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to show, and to whom.
#[derive(Args, Clone, Debug)]
#[command(after_help = "See dovecot-ark-status(8).")]
pub(crate) struct Status {
    /// The resource's tag
    #[arg(short = 't', long, value_parser = Tag::parse, default_value = "dovecot")]
    pub(crate) tag: Tag,
    /// Print JSON
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Print in another format
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) plugin: Plugin,
}

/// Limits that a monitoring system sets for the plugin.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Plugin {
    /// Give up with UNKNOWN after this time, 1 to 60
    #[arg(long, value_name = "SECONDS", requires = "format", value_parser = clap::value_parser!(u8).range(PLUGIN_TIMEOUT))]
    pub(crate) timeout: Option<u8>,
    /// WARNING if a certificate expires in fewer days, 0 to 3650
    #[arg(short = 'w', long, value_name = "DAYS", requires = "format", value_parser = clap::value_parser!(u16).range(CERTIFICATE_DAYS))]
    pub(crate) warning: Option<u16>,
    /// CRITICAL if a certificate expires in fewer days, 0 to 3650
    #[arg(short = 'c', long, value_name = "DAYS", requires = "format", value_parser = clap::value_parser!(u16).range(CERTIFICATE_DAYS))]
    pub(crate) critical: Option<u16>,
}

/// Formats of the status besides text and JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// One line, performance data and exit status of a monitoring plugin.
    Nagios,
}

/// Which account to create.
#[derive(Args, Clone, Debug)]
#[command(after_help = "See dovecot-ark-install(8).")]
pub(crate) struct LoginAccount {
    /// Name of the account; by default the one in the file, or dovecot-ark
    #[arg(long, value_parser = user_name)]
    pub(crate) user: Option<String>,
    /// Create a new password even if the file exists
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Use the account in the file without changing it
    #[arg(long, conflicts_with_all = ["user", "overwrite"])]
    pub(crate) keep: bool,
}

/// How to show the settings.
#[derive(Args, Debug)]
#[command(after_help = "See dovecot-ark.conf(5).")]
pub(crate) struct Settings {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The action that the cluster engine asks for.
#[derive(Args, Debug)]
#[command(after_help = "See ocf_dovecot-ark_dovecot(7).")]
pub(crate) struct Ocf {
    /// start, stop, monitor, validate-all or meta-data; parameters are in the environment
    pub(crate) action: String,
}

/// A shell that completes command lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Shell {
    /// GNU Bash.
    Bash,
    /// The Z shell.
    Zsh,
    /// The friendly interactive shell.
    Fish,
}

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or the help that was asked for.
    pub(crate) fn read(words: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut words: Vec<OsString> = words.collect();
        if let Some((verb, further)) = words.get(1..).and_then(|rest| rest.split_first())
            && let Some(command) = action(verb)
        {
            let known = known_options(further);
            // Clap builds all commands before it reads a word, which takes a fifteenth of a check: it is
            // there to say what is wrong.
            if let Some(resource) = Resource::of(&known) {
                return Ok(Self { command: command(resource), color: Color::Auto, verbose: false });
            }
            words.truncate(2);
            words.extend(known);
        }
        Self::try_parse_from(words)
    }
}

/// The action that LifeKeeper calls by this word.
fn action(verb: &OsStr) -> Option<fn(Resource) -> Command> {
    Some(match verb.to_str()? {
        "quickCheck" => Command::QuickCheck,
        "restore" => Command::Restore,
        "remove" => Command::Remove,
        "recover" => Command::Recover,
        _ => return None,
    })
}

impl Resource {
    /// Reads what [`known_options`] has left; nothing if anything is wrong with it.
    fn of(known: &[OsString]) -> Option<Self> {
        let value = |name: &str| {
            let after = |word: &'_ OsString| {
                word.as_bytes().strip_prefix(name.as_bytes()).map(<[u8]>::to_vec)
            };
            known.iter().find_map(after).map(OsString::from_vec)
        };
        Some(Self { tag: Tag::parse(value("--tag=")?.to_str()?).ok()?, id: value("--id=") })
    }
}

/// Keeps what an action knows of its arguments. LifeKeeper may pass more, in any order, and that
/// must never stop an action. Help is only what comes first: an unknown option must not end an
/// action with success. A value that is glued to a short name counts only where there is no other:
/// `-timeout 30` beside `-t TAG` is an unknown option.
fn known_options(words: &[OsString]) -> Vec<OsString> {
    if let Some(help) = words.first().filter(|word| *word == "-h" || *word == "--help") {
        return vec![help.clone()];
    }
    let options = [("-t", "--tag"), ("-i", "--id")];
    let mut values: [[Option<&OsStr>; 2]; 2] = [[None; 2]; 2];
    let mut rest = words.iter();
    while let Some(word) = rest.next().filter(|word| *word != "--") {
        let after = |name: &[u8]| word.as_bytes().strip_prefix(name).map(OsStr::from_bytes);
        for ((short, long), [plain, glued]) in options.iter().zip(&mut values) {
            if word == short || word == long {
                *plain = rest.next().map(OsString::as_os_str).or(*plain);
            } else if let Some(value) = after(&[long.as_bytes(), b"="].concat()) {
                *plain = Some(value);
            } else if let Some(value) = after(short.as_bytes()) {
                *glued = Some(value);
            }
        }
    }
    let both = options.iter().zip(values);
    both.filter_map(|((_, long), [plain, glued])| {
        // In this form a value may begin with a hyphen.
        let value = plain.or(glued)?.as_bytes();
        Some(OsString::from_vec([long.as_bytes(), b"=", value].concat()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(std::iter::once("dovecot-ark").chain(line.split(' ')).map(OsString::from))
    }

    fn tag(line: &str) -> Result<String, clap::Error> {
        match read(line)?.command {
            Command::QuickCheck(resource)
            | Command::Restore(resource)
            | Command::Remove(resource)
            | Command::Recover(resource) => Ok(resource.tag.to_string()),
            other => panic!("{line} is no action: {other:?}"),
        }
    }

    #[test]
    fn an_action_takes_its_tag_wherever_it_stands() {
        for line in [
            "quickCheck -t T -i I",
            "restore -i I -t T",
            "remove -tT -iI",
            "recover --tag T --id I",
            "recover --tag=T",
            "restore -t T -i I -d -n",
            "restore -d -t T -i I",
            "restore -d node2 -t T -i I --force --mode=x",
            "restore word -x -t T -i I word",
            "restore -x -y -z -t T",
            "restore -t other -t T -i I",
            "restore -t T -i I -- -t other",
            "restore -t T -h",
            "restore -t T -i -x",
            "restore -t T -i",
            "restore -t T -i I -timeout 30",
            "restore -timeout 30 --tag=T -i I",
            "restore -i I -ignore -tT",
            "restore -i -t -t T",
        ] {
            assert_eq!(tag(line).unwrap_or_else(|e| panic!("{line}: {e}")), "T", "{line}");
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let (verb, further) = words.split_first().expect("an action");
            let clap =
                ["dovecot-ark".into(), verb.clone()].into_iter().chain(known_options(further));
            let clap = Cli::try_parse_from(clap).expect("clap reads the same");
            assert_eq!(format!("{:?}", read(line)), format!("{:?}", Ok::<_, ()>(clap)), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error() {
        for line in [
            "restore",
            "restore -i I",
            "restore -t",
            "stop -t T",
            "QuickCheck -t T",
            "settings x",
            "completions",
            "completions sh",
            "explain",
            "explain ARK9999",
            "explain 134607",
        ] {
            let error = tag(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        assert_eq!(tag("restore -t ").expect_err("an empty tag").exit_code(), 2);
        assert_eq!(tag("restore -t -x").expect("a tag").as_str(), "-x");
    }

    #[test]
    fn a_typo_is_answered_with_what_was_meant() {
        for (line, meant) in [
            ("instal", "install"),
            ("quickcheck -t T", "quickCheck"),
            ("install --dryrun", "--dry-run"),
            ("status --format nagio", "nagios"),
        ] {
            let error = read(line).expect_err(line).to_string();
            assert!(error.contains(&format!("'{meant}'")), "{line}: {error}");
        }
    }

    #[test]
    fn help_is_what_was_asked_for_first() {
        for line in
            ["help", "help install", "--help", "restore --help", "restore -h -t T", "--version"]
        {
            assert_eq!(read(line).expect_err(line).exit_code(), 0, "{line}");
        }
    }
}
