//! A run of the program: the command line, the log, the dispatch, and the exit status.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};

use crate::actions::{self, Action};
use crate::cli::{self, Cli, Command, Format, Resource};
use crate::dovecot::notes;
use crate::dovecot::store::State;
use crate::error::Error;
use crate::exit::{Agent, Exit};
use crate::log::{self, Audience};
use crate::messages::{Message, Remark, error, warning};
use crate::ocf::{self, Call, Verb};
use crate::stderr::Stderr;
use crate::system::real::Machine;
use crate::text::{escaped, harmless, one_line, seconds};
use crate::{completions, doctor, explain, install, settings, show, status};

/// All files are read below this directory.
const ROOT: &str = "/";

/// Reads the command line, runs the command, and returns the exit status.
#[must_use]
pub fn run() -> ExitCode {
    let machine = Machine::new();
    let root = Path::new(ROOT);
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors. Where they cannot be printed, the status speaks.
            if error.use_stderr() {
                if is_plugin(std::env::args_os()) {
                    let text = error.render().to_string();
                    let first = text.lines().next().unwrap_or_default();
                    return status::untold(first.trim_start_matches("error: ")).into();
                }
                let colour = AutoStream::choice(&io::stderr());
                let text = usage(&error, std::env::args_os(), colour);
                let _ = Stderr::default().write_all(text.as_bytes());
                return Exit::Usage.into();
            }
            let _ = error.print();
            return Exit::Success.into();
        }
    };
    show::choose(cli.color);
    if cli.verbose {
        log::be_verbose();
    }
    match &cli.command {
        Command::Doctor(_) => log::start_without_file("doctor"),
        Command::Status(_) => log::start_without_file("status"),
        Command::Settings(_) => log::start_without_file("settings"),
        _ => {}
    }
    let as_root = |doing, work: &dyn Fn() -> Result<Exit, Error>| {
        told(machine.require_root(doing).and_then(|()| work()))
    };
    let exit = match cli.command {
        Command::QuickCheck(resource) => perform(Action::QuickCheck, &resource, &machine),
        Command::Restore(resource) => perform(Action::Restore, &resource, &machine),
        Command::Remove(resource) => perform(Action::Remove, &resource, &machine),
        Command::Recover(resource) => perform(Action::Recover, &resource, &machine),
        Command::Install(what) => {
            as_root("installing", &|| install::install(&machine, root, &what))
        }
        Command::Uninstall(what) => {
            as_root("uninstalling", &|| install::uninstall(&machine, root, &what))
        }
        Command::Doctor(how) => {
            as_root("looking at the preconditions", &|| doctor::doctor(&machine, root, &how))
        }
        Command::Status(how) => show_status(&how, &machine),
        Command::Settings(how) => told(show::settings(root, &how).map(|()| Exit::Success)),
        Command::LoginAccount(how) => {
            as_root("making an account", &|| install::login_account(&machine, root, &how))
        }
        Command::Explain { number } => told(explain::explain(number).map(|()| Exit::Success)),
        Command::LookAtStore { directory } => {
            told(show::print(&State::of(&directory).word()).map(|()| Exit::Success))
        }
        Command::Ocf(what) => Exit::Agent(serve_agent(&what.action, &machine)),
        Command::Completions { shell: Some(shell), .. } => {
            told(completions::script(shell).map(|()| Exit::Success))
        }
        Command::Completions { .. } => {
            told(completions::tags(&machine, root).map(|()| Exit::Success))
        }
    };
    exit.into()
}

/// What is wrong with a command line. Clap repeats its words, and its own colours cannot be told from
/// those in a word.
fn usage(
    error: &clap::Error,
    mut words: impl Iterator<Item = OsString>,
    colour: ColorChoice,
) -> String {
    let is_odd = words.any(|word| word.to_str().is_none_or(|word| escaped(word) != word));
    let text = error.render();
    harmless(&match colour {
        _ if is_odd => text.to_string(),
        ColorChoice::Never => text.to_string(),
        _ => text.ansi().to_string(),
    })
}

/// Whether a command line that is wrong was meant for a monitoring system.
fn is_plugin(words: impl Iterator<Item = OsString>) -> bool {
    let words: Vec<OsString> = words.skip(1).collect();
    let has_form = |word: &OsString| {
        let word = word.to_string_lossy();
        word == "--format" || word.starts_with("--format=")
    };
    words.first().is_some_and(|verb| verb == "status") && words.iter().any(has_form)
}

/// Tells a person why something did not work.
fn told(outcome: Result<Exit, Error>) -> Exit {
    outcome.unwrap_or_else(|cause| {
        let _ = Stderr::default().write_all(complaint(&cause).as_bytes());
        Exit::Failure
    })
}

/// A failure in one line; what other programs said in it moves no cursor.
fn complaint(cause: &Error) -> String {
    format!("dovecot-ark: {}: {}\n", cause.message().code(), one_line(&cause.to_string()))
}

/// Shows the status, and ends at its limit if anything hangs.
fn show_status(how: &cli::Status, machine: &Machine) -> Exit {
    let limit = how.plugin.timeout.map_or(status::LIMIT, |limit| Duration::from_secs(limit.into()));
    let say = match how.format {
        Some(Format::Nagios) => |limit| {
            let _ = status::untold(&ocf::numbered(Message::GaveUp, &given_up(limit)));
        },
        None => |limit| {
            let _ = told(Err(Error::refused(Message::GaveUp, given_up(limit))));
        },
    };
    // Where the kernel gives no alarm, each thing that is waited for has its own limit.
    let _ = machine.end_after(limit, status::failure(how), say);
    machine.watch();
    let shown = machine
        .require_root("showing the status")
        .and_then(|()| status::status(machine, Path::new(ROOT), how));
    told(shown.or_else(|cause| status::without(how, cause)))
}

/// Why the program gives up after so long.
fn given_up(limit: Duration) -> String {
    format!("no result after {} s: giving up", seconds(limit))
}

/// Logs that the program gives up.
fn log_end(limit: Duration) {
    error!(Message::GaveUp, "{}", given_up(limit));
}

/// Performs an action of the resource agent.
fn serve_agent(action: &str, machine: &Machine) -> Agent {
    let root = Path::new(ROOT);
    let Some(verb) = Verb::parse(action) else {
        ocf::tell(&format!("there is no action {action}"));
        return Agent::NoSuchAction;
    };
    if verb == Verb::MetaData {
        let _ = told(show::print(&ocf::metadata()).map(|()| Exit::Success));
        return Agent::Success;
    }
    let call = Call::hear(verb, machine, |name| env::var(name).ok());
    if let (Verb::Monitor, Some(left)) = (verb, call.settings.left(machine)) {
        // Where the kernel gives no alarm, each thing that is waited for has its own limit.
        let limit = left.min(actions::QUICK_CHECK_LIMIT);
        let _ = machine.end_after(limit, Exit::Agent(Agent::Failed), log_end);
    }
    if let Err(cause) = machine.require_root("performing an action") {
        ocf::tell(&ocf::numbered(cause.message(), &cause.to_string()));
        return Agent::NotPermitted;
    }
    call.log(root);
    std::panic::set_hook(Box::new(|panic| {
        error!(Message::Internal, "internal error: {panic}");
        std::process::exit(Agent::Failed.status().into());
    }));
    let answer = call.perform(machine, root);
    if let Some(reason) = answer.told() {
        ocf::tell(&reason);
    }
    answer.status
}

fn perform(action: Action, resource: &Resource, machine: &Machine) -> Exit {
    let root = Path::new(ROOT);
    // Before anything that could wait.
    let alarm = match action {
        Action::QuickCheck => machine.end_after(actions::QUICK_CHECK_LIMIT, Exit::Failure, log_end),
        Action::Restore | Action::Remove | Action::Recover => Ok(()),
    };
    let (settings, report) = settings::read(root);
    log::start(root, action, &resource.tag, settings.debug, Audience::LifeKeeper);
    std::panic::set_hook(Box::new(|panic| {
        error!(Message::Internal, "internal error: {panic}");
        std::process::exit(Exit::Failure.status().into());
    }));
    if let Err(cause) = alarm {
        warning!(Message::Unwatched, "starting the watch over quickCheck's end: {cause}");
    }
    // Checks are made again and again, and would say the same each time.
    if action != Action::QuickCheck || notes::are_news(root, &Remark::texts(&report.warnings)) {
        for warning in &report.warnings {
            warning!(warning.message, "{warning}");
        }
    }
    let outcome = machine
        .require_root("performing an action")
        .and_then(|()| actions::perform(action, Some(&resource.tag), machine, &settings, root));
    match outcome {
        Ok(()) => Exit::Success,
        Err(cause) => {
            error!(cause.message(), "{cause}");
            Exit::Failure
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_command_line_of_a_plugin_is_told_from_others() {
        let is_plugin = |line: &str| {
            super::is_plugin(std::iter::once("x").chain(line.split(' ')).map(OsString::from))
        };
        for line in ["status --format nagios --x", "status --format=nagios -t", "status --format x"]
        {
            assert!(is_plugin(line), "{line}");
        }
        for line in ["status --json --x", "doctor --format nagios", "", "restore status --format"] {
            assert!(!is_plugin(line), "{line}");
        }
    }

    #[test]
    fn a_word_of_the_command_line_that_is_not_to_be_printed_is_repeated_as_its_escape() {
        for word in ["\u{202e}1011KRA", "\u{1b}[31mARK1", "\u{9b}2J", "\u{1b}]0;x\u{7}"] {
            let words = || ["dovecot-ark", "explain", word].map(OsString::from).into_iter();
            let error = Cli::read(words()).expect_err("no number");
            let text = usage(&error, words(), ColorChoice::Always);
            assert!(!text.contains(['\u{202e}', '\u{1b}', '\u{9b}', '\u{7}']), "{text:?}");
            assert!(text.contains("no message has this number"), "{text:?}");
        }
        let words = || ["dovecot-ark", "explain", "ARK1"].map(OsString::from).into_iter();
        let error = Cli::read(words()).expect_err("no number");
        assert!(usage(&error, words(), ColorChoice::Always).contains("\u{1b}["));
        assert!(!usage(&error, words(), ColorChoice::Never).contains('\u{1b}'));
    }

    #[test]
    fn what_other_programs_say_reaches_the_terminal_as_one_safe_line() {
        let cause = Error::refused(
            Message::Command,
            "running `lkcli`: exit status 1: \x1b]0;x\x07\nno such tag\n",
        );
        let line = "dovecot-ark: ARK1005: running `lkcli`: exit status 1: \\u{1b}]0;x\\u{7} | no such tag\n";
        assert_eq!(complaint(&cause), line);
    }
}
