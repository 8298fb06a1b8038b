//! The administrator's own command line for creating a resource, for a LifeKeeper that speaks a
//! dialect of its own.
//!
//! Words split by blanks, no shell. `{tag}`, `{restore}`, `{remove}`, `{quickCheck}`, `{recover}`,
//! `{info}`, `{switchback}` and `{node}` stand for what they name; `{start:A|B}` is A when the
//! resource is to be brought into service, else B.

use std::fmt;

use super::new_resource::{NewResource, Start};
use crate::text::excerpt;

/// What must stand somewhere in it: without them the resource would not be the one asked for.
const NEEDED: [&str; 5] = ["tag", "restore", "remove", "quickCheck", "recover"];

/// What may stand in it beside.
const ALLOWED: [&str; 3] = ["info", "switchback", "node"];

/// A command line with places to fill.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Template(Vec<String>);

impl Template {
    /// Reads a command line.
    ///
    /// # Errors
    ///
    /// A sentence that names what is missing or unknown.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(odd) = text.chars().find(|c| c.is_control() && *c != '\t') {
            return Err(format!("it has no control characters, not {odd:?}"));
        }
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let names: Vec<&str> = words.iter().flat_map(|word| names(word)).collect();
        if let Some(missing) = NEEDED.iter().find(|name| !names.contains(name)) {
            return Err(format!("{{{missing}}} is missing"));
        }
        let known = |name: &str| {
            NEEDED.contains(&name)
                || ALLOWED.contains(&name)
                || name.strip_prefix("start:").is_some_and(|words| words.contains('|'))
        };
        match (names.iter().find(|name| !known(name)), words.first()) {
            (Some(unknown), _) => Err(format!("{{{}}} is unknown", excerpt(unknown))),
            (None, Some(program)) if program.contains('{') => {
                Err("it must begin with the name of a program".into())
            }
            _ => Ok(Self(words)),
        }
    }

    pub(super) fn fill(&self, node: &str, wanted: &NewResource<'_>) -> Vec<String> {
        let value = |name: &str| match (name, name.strip_prefix("start:")) {
            (_, Some(words)) => {
                let (yes, no) = words.split_once('|').unwrap_or((words, ""));
                if wanted.start == Start::Now { yes.to_owned() } else { no.to_owned() }
            }
            ("tag", _) => wanted.tag.to_string(),
            ("info", _) => wanted.info.to_owned(),
            ("switchback", _) => wanted.switchback.word().to_owned(),
            ("node", _) => node.to_owned(),
            (action, _) => wanted.program(action),
        };
        let fill = |word: &String| {
            names(word).fold(word.clone(), |filled, name| {
                filled.replace(&format!("{{{name}}}"), &value(name))
            })
        };
        self.0.iter().map(fill).collect()
    }
}

/// The names in braces.
fn names(word: &str) -> impl Iterator<Item = &str> {
    word.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::new_resource::Switchback;
    use super::super::tag::Tag;
    use super::*;

    const LINE: &str = "mkgen -n {node} --name={tag} {restore} {remove} {quickCheck} {recover} \
        {start:--up|--down} -s {switchback}";

    #[test]
    fn the_places_are_filled_and_nothing_is_expanded() {
        let tag = Tag::parse("mail").expect("a tag");
        let switchback = Switchback::Intelligent;
        let wanted =
            NewResource { tag: &tag, programs: "/p", info: "i", switchback, start: Start::Later };
        let filled = Template::parse(LINE).expect("a template").fill("n1", &wanted);
        assert_eq!(
            filled.join(" "),
            "mkgen -n n1 --name=mail /p/restore /p/remove /p/quickCheck /p/recover --down -s \
             intelligent"
        );
    }

    #[test]
    fn what_would_not_create_the_resource_is_refused() {
        for (line, reason) in [
            ("", "{tag} is missing"),
            ("x {tag} {restore} {remove} {quickCheck}", "{recover} is missing"),
            (&format!("{LINE} {{date}}"), "{date} is unknown"),
            (&format!("{LINE} \u{7}"), "it has no control characters, not '\\u{7}'"),
            (&format!("{LINE} {{start:yes}}"), "{start:yes} is unknown"),
            (&format!("{{tag}} {LINE}"), "it must begin with the name of a program"),
        ] {
            assert_eq!(Template::parse(line), Err(reason.to_owned()), "{line}");
        }
        assert_eq!(Template::parse(LINE).expect("a template").to_string(), LINE);
    }
}
