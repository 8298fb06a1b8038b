//! The command line as real shells complete it: bash, zsh and fish, each asked for what it offers.
//!
//! The script is the program's own. Only the path of the program in it is that of the build, and the
//! list of resources comes from a program in LifeKeeper's place. A shell that is not installed is left
//! out, with a word about it.

#![expect(clippy::expect_used, reason = "a test that cannot run a shell ends there")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program that was built.
const ARK: &str = env!("CARGO_BIN_EXE_dovecot-ark");

/// Prints what bash's completion of the words after the script answers to the last of them, as
/// readline calls it.
const BASH: &str = r#"
. "$1"; shift
eval "set -- dovecot-ark $1"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
function_of() { while [ "$1" != -F ]; do shift; done; echo "$2"; }
"$(function_of $(complete -p dovecot-ark))" dovecot-ark "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// Lets an interactive zsh in a terminal of its own complete a line, and prints each match.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty z zsh -f -i
line() { local l; while zpty -r z l; do [[ $l == *$1* ]] && return; done }
zpty -w z "PS1=; PS2=; stty -echo; TERM=dumb; fpath=('$1' \$fpath); autoload -U compinit; compinit -u -D; echo RE''ADY"
line READY
zpty -w z '
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return $?; fi
  local -a hits; builtin compadd -A hits "$@"
  for hit in $hits; do print -r -- "HIT $hit TIH"; done
  builtin compadd "$@"
}
finish() { print -r -- LA""ST; zle .kill-whole-line }
zle -N finish; bindkey "^X" finish; bindkey "^I" complete-word; echo RE""ADY'
line READY
zpty -w -n z "dovecot-ark $2"$'\t'$'\x18'
while zpty -r z l; do
  while [[ $l == *'HIT '*' TIH'* ]]; do m=${${l#*HIT }%% TIH*}; print -r -- $m; l=${l#* TIH}; done
  [[ $l == *LAST* ]] && break
done
zpty -d z
"#;

/// Prints what fish offers for a line.
const FISH: &str = r#"source $argv[1]; complete -C "dovecot-ark $argv[2]" | string split -f1 \t"#;

/// A directory with each shell's script, and LifeKeeper's list of resources.
struct Scene(PathBuf);

impl Scene {
    fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(directory.join("bin")).expect("a directory");
        let scene = Self(directory);
        for shell in ["bash", "zsh", "fish"] {
            let printed = Command::new(ARK).args(["completions", shell]).output().expect("a run");
            let script = String::from_utf8(printed.stdout).expect("text");
            let file = if shell == "zsh" { "_dovecot-ark" } else { shell };
            let script = script.replace("/usr/sbin/dovecot-ark", ARK);
            fs::write(scene.0.join(file), script).expect("writing the script");
        }
        let list = scene.0.join("bin/ins_list");
        let line = |tag: &str| format!("n\\001gen\\001app\\001{tag}\\001i\\001\\001ISP\\001\\n");
        let tags = ["dovecot", "ip-192.0.2.10", "$(touch evil)", "vmail"].map(line).concat();
        fs::write(&list, format!("#!/bin/sh\nprintf '{tags}'\n")).expect("a program");
        fs::set_permissions(&list, fs::Permissions::from_mode(0o755)).expect("its mode");
        scene
    }

    /// What a shell offers for the last word of a line; `None` where the shell is not installed.
    fn offers(&self, shell: &str, line: &str) -> Option<BTreeSet<String>> {
        let mut command = Command::new("timeout");
        command.args(["20", shell]);
        match shell {
            "bash" => command.args(["--norc", "-c", BASH, "x"]).arg(self.0.join("bash")),
            "zsh" => command.args(["-f", "-c", ZSH, "x"]).arg(&self.0),
            _ => command.args(["--no-config", "-c", FISH]).arg(self.0.join("fish")),
        };
        let quoted = if shell == "bash" && line.ends_with(' ') { " ''" } else { "" };
        command.arg(format!("{line}{quoted}")).env("LKROOT", &self.0).current_dir(&self.0);
        let output = command.stdin(Stdio::null()).output().expect("running a shell");
        if output.status.code() == Some(127) {
            eprintln!("left out, because {shell} is not installed");
            return None;
        }
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!self.0.join("evil").exists(), "{shell}: a tag was run");
        Some(text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect())
    }
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[track_caller]
fn completes(shell: &str) {
    let scene = Scene::new(shell);
    for (line, words) in [
        ("un", &["uninstall"][..]),
        ("install --sw", &["--switchback"]),
        ("install --switchback ", &["intelligent", "automatic"]),
        ("install --no-start --depends-on ", &["dovecot", "ip-192.0.2.10", "vmail"]),
        ("uninstall --tag v", &["vmail"]),
        ("status -t d", &["dovecot"]),
        ("recover -t ip", &["ip-192.0.2.10"]),
        ("completions f", &["fish"]),
        ("install --quickcheck-timeout ", &[]),
    ] {
        let Some(offers) = scene.offers(shell, line) else { return };
        assert_eq!(offers, set(words), "{shell}: dovecot-ark {line}");
    }
    for command in ["install", "uninstall", "doctor", "status"] {
        let Some(offers) = scene.offers(shell, &format!("{command} --")) else { return };
        assert!(offers.contains("--tag") && !offers.contains("--tags"), "{shell}: {offers:?}");
    }
}

#[test]
fn bash_completes_commands_options_and_tags() {
    completes("bash");
}

#[test]
fn zsh_completes_commands_options_and_tags() {
    completes("zsh");
}

#[test]
fn fish_completes_commands_options_and_tags() {
    completes("fish");
}
