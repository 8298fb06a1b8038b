//! The command that creates a Generic Application resource, as this LifeKeeper wants it.
//!
//! In this order: what the administrator wrote, `lkcli` when its help shows all that is needed,
//! `creapphier` (the interface's own program, as screenshots of it show). A command that would be
//! a guess is not made.

use super::installation::LifeKeeper;
use super::lkcli::{Help, HelpOption};
use super::new_resource::{NewResource, Start};
use super::template::Template;
use crate::command::Command;
use crate::system::System;

/// Where the interface's own program for Generic Applications is.
const CREAPPHIER: &str = "lkadm/subsys/gen/app/bin/creapphier";

const CREATE: [&str; 3] = ["resource", "create", "gen"];

impl LifeKeeper {
    /// Makes the command that creates a resource.
    ///
    /// # Errors
    ///
    /// Why none can be made, a sentence for each way.
    pub(crate) fn creation(
        &self,
        system: &impl System,
        node: &str,
        wanted: &NewResource<'_>,
        template: Option<&Template>,
    ) -> Result<Command, Vec<String>> {
        if let Some(template) = template {
            let words = template.fill(node, wanted);
            let (program, arguments) = words.split_first().ok_or_else(Vec::new)?;
            return Ok(self.full_command(program, arguments));
        }
        let by_lkcli = self.help(system, &CREATE).and_then(|help| arguments(&help, wanted));
        let lkcli = match by_lkcli {
            Ok(arguments) => return Ok(self.full_command("lkcli", &arguments)),
            Err(reason) => reason,
        };
        if let Some(program) = self.program(CREAPPHIER) {
            let start = if wanted.start == Start::Now { "Yes" } else { "No" };
            let [restore, remove, check, recover] =
                ["restore", "remove", "quickCheck", "recover"].map(|name| wanted.program(name));
            let switchback = wanted.switchback.word();
            let before = [node, &restore, &remove, wanted.tag.as_str(), wanted.info, switchback];
            let words = [&before[..], &[&check, &recover, start]].concat();
            return Ok(self.command(&program.to_string_lossy(), &words));
        }
        Err(vec![lkcli, format!("{}/{CREAPPHIER} is not there", self.directory().display())])
    }

    /// Makes the command that deletes a resource on all systems.
    ///
    /// # Errors
    ///
    /// A sentence that says why lkcli cannot be used for it.
    pub(crate) fn deletion(&self, system: &impl System, tag: &str) -> Result<Command, String> {
        let words = ["resource", "delete"];
        let help = self.help(system, &words)?;
        let option = help
            .find(&["tag"])
            .ok_or("the help of `lkcli resource delete` does not show an option for the tag")?;
        met(&help, &[option], "lkcli resource delete")?;
        Ok(self.command("lkcli", &[&words[..], &[&option.spelling, tag]].concat()))
    }

    fn full_command(&self, program: &str, arguments: &[String]) -> Command {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.command(program, &arguments)
    }
}

/// The words for lkcli.
fn arguments(help: &Help, wanted: &NewResource<'_>) -> Result<Vec<String>, String> {
    let find = |names: &[&str], meaning: &str| {
        let missing = || format!("the help of `lkcli resource create gen` shows no {meaning}");
        help.find(names).ok_or_else(missing)
    };
    let mut given: Vec<(&HelpOption, String)> =
        vec![(find(&["tag"], "option for the tag")?, wanted.tag.to_string())];
    for action in ["restore", "remove", "quickCheck", "recover"] {
        let name = action.to_ascii_lowercase();
        let option = find(&[&name], &format!("option for the {action} program"))?;
        given.push((option, wanted.program(action)));
    }
    let switchback = find(&["switchback"], "option for the switchback")?;
    let word = wanted.switchback.word();
    let spelt = switchback.word(word).ok_or_else(|| format!("lkcli knows no switchback {word}"))?;
    given.push((switchback, spelt));
    if let Some(info) = help.find(&["info", "appinfo"]) {
        given.push((info, wanted.info.to_owned()));
    }
    let start = help.find(&["inservice"]);
    let word = if wanted.start == Start::Now { "yes" } else { "no" };
    match start.and_then(|option| Some((option, listed(option, word)?))) {
        Some(start) => given.push(start),
        // What it does without is seen afterwards, and can be caught up on.
        None if wanted.start == Start::Now => {}
        None => {
            return Err("the help of `lkcli resource create gen` shows no option that \
                 leaves a resource out of service"
                .into());
        }
    }
    let options: Vec<&HelpOption> = given.iter().map(|(option, _)| *option).collect();
    met(help, &options, "lkcli resource create gen")?;
    let words = given.into_iter().flat_map(|(option, value)| [option.spelling.clone(), value]);
    Ok(CREATE.map(str::to_owned).into_iter().chain(words).collect())
}

/// The word, if the help lists it.
fn listed(option: &HelpOption, word: &str) -> Option<String> {
    option.word(word).filter(|_| !option.words.is_empty())
}

fn met(help: &Help, given: &[&HelpOption], command: &str) -> Result<(), String> {
    match help.unmet(given) {
        Some(more) => Err(format!("`{command}` asks for {}, which is unknown", more.spelling)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::new_resource::Switchback;
    use super::super::tag::Tag;
    use super::*;

    /// A guess, as the stand-in of the tests makes it.
    const HELP: &str = "Usage: lkcli resource create gen --tag <tag> --restore <path> \
        --remove <path> [--quickCheck <path>] [--recover <path>] [--appInfo <text>] \
        [--switchback <intelligent|automatic>] [--in_service <yes|no>]";

    fn line(help: &str, start: Start) -> Result<String, String> {
        let tag = Tag::parse("mail").expect("a tag");
        let switchback = Switchback::Automatic;
        let wanted = NewResource { tag: &tag, programs: "/p", info: "i", switchback, start };
        arguments(&Help::parse(help), &wanted).map(|words| words.join(" "))
    }

    #[test]
    fn lkcli_is_used_as_its_help_says() {
        assert_eq!(
            line(HELP, Start::Later).as_deref(),
            Ok("resource create gen --tag mail --restore /p/restore --remove /p/remove \
                --quickCheck /p/quickCheck --recover /p/recover --switchback automatic \
                --appInfo i --in_service no")
        );
        let least = HELP.replace("[--appInfo <text>] ", "").replace(" [--in_service <yes|no>]", "");
        assert_eq!(
            line(&least, Start::Now).as_deref(),
            Ok("resource create gen --tag mail --restore /p/restore --remove /p/remove \
                --quickCheck /p/quickCheck --recover /p/recover --switchback automatic")
        );
    }

    #[test]
    fn lkcli_is_not_used_when_its_help_leaves_a_doubt() {
        for (help, start, reason) in [
            (HELP.replace("in_service", "start"), Start::Later, "leaves a resource out of service"),
            (HELP.replace("yes|no", "bool"), Start::Later, "leaves a resource out of service"),
            (HELP.replace("--recover", "--repair"), Start::Now, "for the recover program"),
            (HELP.replace("automatic", "auto"), Start::Now, "lkcli knows no switchback automatic"),
            (HELP.replace("[--app", "--kind <x> [--app"), Start::Now, "asks for --kind"),
            ("lkcli: unknown command: gen".to_owned(), Start::Now, "no option for the tag"),
            (String::new(), Start::Now, "no option for the tag"),
        ] {
            let refused = line(&help, start).expect_err(&help);
            assert!(refused.contains(reason), "{help}: {refused}");
        }
    }
}
