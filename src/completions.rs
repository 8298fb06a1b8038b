//! What makes a shell complete this command line, and the tags that it offers.
//!
//! The scripts are `clap_complete`'s, set right in two things. Its script for bash spells the program's
//! name in two ways where that has a hyphen (4.6), and completes nothing behind a command then: the
//! spelling that its function carries is kept. And it offers files for each value, of which this
//! program takes none: LifeKeeper's tags are offered for a tag, and nothing for the rest.
//! `clap_complete`'s other way, in which the program itself answers where `COMPLETE` is in the
//! environment, is none for a program that LifeKeeper runs: a variable would take the place of an
//! action.

use std::path::Path;
use std::time::Duration;

use clap::{CommandFactory, ValueEnum};
use clap_complete::{generate, shells};

use crate::cli::{Cli, Shell};
use crate::error::Error;
use crate::lifekeeper::installation::LifeKeeper;
use crate::show::print;
use crate::system::System;
use crate::text::is_plain;

/// What prints LifeKeeper's tags for a shell. The package's own path: a shell that completes runs
/// nothing that lies in a user's directory.
const TAGS: &str = "/usr/sbin/dovecot-ark completions --tags 2>/dev/null";

/// The options that only a program gives.
const HIDDEN: [&str; 2] = ["tags", "hand-back"];

/// How long a person may wait for the tags.
const LIMIT: Duration = Duration::from_secs(2);

/// Prints the script of a shell.
///
/// # Errors
///
/// As [`print()`].
pub(crate) fn script(shell: Shell) -> Result<(), Error> {
    print(&completed_by(shell))
}

/// Prints the tags of LifeKeeper's resources here, one a line; none if LifeKeeper lists none.
/// A shell may take what is special in a word for its own: a tag with such a character, which
/// LifeKeeper's interface does not take either, is left out.
///
/// # Errors
///
/// As [`print()`].
pub(crate) fn tags(system: &impl System, root: &Path) -> Result<(), Error> {
    let found =
        LifeKeeper::find(root).and_then(|found| found.within(LIMIT).instances(system, None));
    let tags = found.unwrap_or_default().into_iter().map(|one| one.tag);
    print(&tags.filter(|tag| is_offered(tag)).map(|tag| tag + "\n").collect::<String>())
}

fn is_offered(tag: &str) -> bool {
    !tag.starts_with('-') && is_plain(tag)
}

/// Writes the script of a shell.
fn completed_by(shell: Shell) -> String {
    let (mut command, mut script) = (Cli::command(), Vec::new());
    let name = command.get_name().to_owned();
    let (generator, set_right): (_, fn(&str) -> String) = match shell {
        Shell::Bash => (shells::Shell::Bash, bash),
        Shell::Zsh => (shells::Shell::Zsh, zsh),
        Shell::Fish => (shells::Shell::Fish, fish),
    };
    generate(generator, &mut command, name, &mut script);
    set_right(&String::from_utf8_lossy(&script))
}

fn bash(script: &str) -> String {
    let script = script
        .replace("dovecot__subcmd__ark", "dovecot__ark")
        .replace(" -o bashdefault -o default", "");
    let script = HIDDEN.iter().fold(script, |script, it| script.replace(&format!(" --{it}"), ""));
    let (mut fixed, mut option) = (String::new(), "");
    for line in script.lines() {
        let text = line.trim();
        if text.starts_with('-') && text.ends_with(')') {
            option = text.trim_end_matches(')');
        }
        let words = match (text.contains("compgen -f"), is_tags(option)) {
            (false, _) => None,
            (true, true) => Some(format!("$(compgen -W \"$({TAGS})\" -- \"${{cur}}\")")),
            (true, false) => Some(String::new()),
        };
        let indent = line.len() - line.trim_start().len();
        match words {
            Some(words) => fixed.extend([&" ".repeat(indent), "COMPREPLY=(", &words, ")\n"]),
            None => fixed.extend([line, "\n"]),
        }
    }
    fixed
}

fn zsh(script: &str) -> String {
    let is_hidden = |line: &str| HIDDEN.iter().any(|it| line.contains(&format!("--{it}[")));
    let lines = script.lines().filter(|line| !is_hidden(line));
    let lines = lines.map(|line| {
        line.replace(":TAG:_default", ":TAG:_dovecot-ark_tags").replace(":_default", ": ") + "\n"
    });
    let script: String = lines.collect();
    let function = format!(
        "_dovecot-ark_tags() {{\n    local -a tags\n    tags=(${{(f)\"$({TAGS})\"}})\n    \
         compadd -a tags\n}}\n\n"
    );
    script.replacen("_dovecot-ark() {", &(function + "_dovecot-ark() {"), 1)
}

fn fish(script: &str) -> String {
    let is_hidden = |line: &str| HIDDEN.iter().any(|it| line.contains(&format!("-l {it}")));
    let lines = script.lines().filter(|line| !is_hidden(line));
    let lines = lines.map(|line| match line.ends_with(" -r") {
        true if line.contains("-l tag ") || line.contains("-l depends-on ") => {
            format!("{line} -f -a \"({TAGS})\"\n")
        }
        true => format!("{line} -f\n"),
        false => format!("{line}\n"),
    });
    // clap_complete leaves out the words of an argument that is no option.
    let shells = Shell::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let shells: Vec<String> = shells.map(|shell| shell.get_name().to_owned()).collect();
    format!(
        "complete -c dovecot-ark -f\n{}complete -c dovecot-ark -n \
         \"__fish_dovecot_ark_using_subcommand completions\" -a \"{}\"\n",
        lines.collect::<String>(),
        shells.join(" ")
    )
}

fn is_tags(option: &str) -> bool {
    ["--tag", "-t", "--depends-on"].contains(&option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_a_shell_could_run_is_not_offered() {
        for (tag, plain) in
            [("ip-192.0.2.10", true), ("a/b_c", true), ("$(reboot)", false), ("-x", false)]
        {
            assert_eq!(is_offered(tag), plain, "{tag}");
        }
        assert!(["`x`", "a b", "a;b", "\u{202e}x", "é"].iter().all(|tag| !is_offered(tag)));
    }

    #[test]
    fn no_shell_offers_files_or_what_only_a_script_asks_for() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = completed_by(shell);
            assert!(script.contains(TAGS), "{shell:?}: {script}");
            let rest = script.replace(TAGS, "");
            for word in [
                "compgen -f",
                "_default'",
                "--tags",
                "-l tags",
                "hand-back",
                "dovecot__subcmd__ark",
            ] {
                assert!(!rest.contains(word), "{shell:?}: {word}");
            }
        }
    }
}
