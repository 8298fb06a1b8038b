//! The resources that LifeKeeper knows, and what depends on what.
//!
//! Its lists have one item a line with fields that U+0001 splits (manual pages; shipped scripts).
//! What does not have this shape is never taken for "there is none": each question fails when its list
//! cannot be had or understood.

use super::installation::{LifeKeeper, garbage, is_system_name};
use super::state::State;
use super::tag::Tag;
use crate::command::End;
use crate::error::Error;
use crate::system::System;

/// Splits the fields of a line.
const SEPARATOR: char = '\u{1}';

/// The exit status of LifeKeeper's commands for what does not exist (manual pages).
const ABSENT: i32 = 7;

/// A resource on one system.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Instance {
    /// Its application; `gen` for the kit's.
    pub(crate) app: String,
    /// Its type; `app` for the kit's.
    pub(crate) kind: String,
    pub(crate) tag: String,
    pub(crate) id: String,
    /// What its kit noted about it.
    pub(crate) info: String,
    pub(crate) state: State,
}

/// The same resource on another system, which may know it by another tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Equivalent {
    pub(crate) system: String,
    pub(crate) tag: String,
}

impl LifeKeeper {
    /// Looks a resource up on this node, or on another with `there`. `None` when there is none.
    pub(crate) fn instance(
        &self,
        system: &impl System,
        there: Option<&str>,
        tag: &str,
    ) -> Result<Option<Instance>, Error> {
        let find = |answer: &str| parse(answer)?.into_iter().find(|one| one.tag == tag);
        let is_absent = || {
            let all = self.answer(system, "ins_list", &on(there))?;
            Ok(parse(&all).is_some_and(|found| found.iter().all(|one| one.tag != tag)))
        };
        let narrow = [on(there), vec!["-t", tag]].concat();
        self.narrow(system, ("ins_list", &narrow), find, is_absent)
    }

    /// Asks for a part of a list. `None` when LifeKeeper says that there is none, or `is_absent` does:
    /// some failures mean the same, and the whole list tells.
    fn narrow<T>(
        &self,
        system: &impl System,
        (program, words): (&str, &[&str]),
        read: impl Fn(&str) -> Option<T>,
        is_absent: impl Fn() -> Result<bool, Error>,
    ) -> Result<Option<T>, Error> {
        let ended = self.ask(system, program, words);
        let command = || self.command(program, words).to_string();
        match ended.end {
            End::Exited(0) => {
                read(&ended.answer).map(Some).ok_or_else(|| garbage(&command(), &ended.answer))
            }
            End::Exited(ABSENT) => Ok(None),
            End::Exited(_) if is_absent()? => Ok(None),
            _ => Err(Error::Command { command: command(), ended }),
        }
    }

    /// All resources on this node, or on another with `there`.
    pub(crate) fn instances(
        &self,
        system: &impl System,
        there: Option<&str>,
    ) -> Result<Vec<Instance>, Error> {
        let answer = self.answer(system, "ins_list", &on(there))?;
        parse(&answer).ok_or_else(|| garbage("ins_list", &answer))
    }

    /// The tags that depend on a resource, on this node, or on another with `there`.
    pub(crate) fn parents(
        &self,
        system: &impl System,
        there: Option<&str>,
        tag: &str,
    ) -> Result<Vec<String>, Error> {
        self.dependencies(system, there, "-c", tag)
    }

    /// The tags that a resource depends on, on this node, or on another with `there`.
    pub(crate) fn children(
        &self,
        system: &impl System,
        there: Option<&str>,
        tag: &str,
    ) -> Result<Vec<String>, Error> {
        self.dependencies(system, there, "-p", tag)
    }

    /// The other ends of the dependencies of a tag. Which field is parent and which is child is
    /// not documented, and need not be known: the other one is what was asked for.
    fn dependencies(
        &self,
        system: &impl System,
        there: Option<&str>,
        end: &str,
        tag: &str,
    ) -> Result<Vec<String>, Error> {
        let narrow = [on(there), vec![end, tag]].concat();
        let found = self.narrow(system, ("dep_list", &narrow), |it| others(it, tag), || Ok(false));
        found.map(Option::unwrap_or_default)
    }

    /// Where else a resource is known. Empty when it was not extended.
    pub(crate) fn equivalents(
        &self,
        system: &impl System,
        tag: &Tag,
    ) -> Result<Vec<Equivalent>, Error> {
        let is_absent = || {
            // Shipped scripts take any failure for "not extended".
            let all = self.answer(system, "eqv_list", &[])?;
            Ok(lines(&all).all(|line| fields(line).nth(1) != Some(tag.as_str())))
        };
        let narrow = ("eqv_list", &["-t", tag.as_str()][..]);
        let Some(mut all) = self.narrow(system, narrow, parse_equivalents, is_absent)? else {
            return Ok(Vec::new());
        };
        let me = self.node(system)?;
        all.retain(|one| one.system != me);
        Ok(all)
    }
}

/// The words that send a command to another system.
pub(crate) fn on(there: Option<&str>) -> Vec<&str> {
    there.map_or_else(Vec::new, |system| vec!["-d", system])
}

pub(crate) fn fields(line: &str) -> std::str::Split<'_, char> {
    line.split(SEPARATOR)
}

pub(crate) fn lines(answer: &str) -> impl Iterator<Item = &str> {
    answer.lines().filter(|line| !line.trim().is_empty())
}

/// Reads the list of resources; `None` when a line is none of it.
pub(crate) fn parse(answer: &str) -> Option<Vec<Instance>> {
    lines(answer)
        .map(|line| {
            let mut fields = line.split(SEPARATOR).map(str::to_owned);
            let _system = fields.next()?;
            let mut next = || fields.next();
            Some(Instance {
                app: next()?,
                kind: next()?,
                tag: next().filter(|tag| is_tag(tag))?,
                id: next()?,
                info: next()?,
                state: State::parse(&next()?)?,
            })
        })
        .collect()
}

/// Reads the list of equivalencies: two fields for this end, then two for the other. `None` when
/// a line is none of it.
pub(crate) fn parse_equivalents(answer: &str) -> Option<Vec<Equivalent>> {
    lines(answer)
        .map(|line| {
            let mut fields = fields(line).skip(2).map(str::to_owned);
            Some(Equivalent {
                system: fields.next().filter(|name| is_system_name(name))?,
                tag: fields.next().filter(|tag| is_tag(tag))?,
            })
        })
        .collect()
}

/// Reads the list of dependencies of a tag: the other ends. `None` when a line is none of it.
pub(crate) fn others(answer: &str, tag: &str) -> Option<Vec<String>> {
    lines(answer)
        .map(|line| {
            let mut fields = fields(line);
            let (one, two) = (fields.next()?, fields.next()?);
            match (one == tag, two == tag) {
                (true, false) => Some(two.to_owned()),
                (false, true) => Some(one.to_owned()),
                _ => None,
            }
        })
        .map(|other| other.filter(|tag| is_tag(tag)))
        .collect()
}

/// Whether a field can be a tag: one that would break a line of the log is none.
fn is_tag(word: &str) -> bool {
    !word.is_empty() && !word.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;
    use crate::test_bytes::{self, pieces};
    use proptest::prelude::*;

    #[test]
    fn a_list_is_read_and_its_later_fields_are_let_alone() {
        let line =
            "node1\u{1}gen\u{1}app\u{1}dovecot\u{1}dovecot\u{1}a: b\u{1}ISP\u{1}reason\u{1}x";
        let found = parse(&format!("{line}\n")).expect("a list");
        let [instance] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((&*instance.app, &*instance.kind), ("gen", "app"));
        assert_eq!((&*instance.tag, &*instance.id), ("dovecot", "dovecot"));
        assert_eq!((&*instance.info, instance.state), ("a: b", State::Isp));
        assert_eq!(parse("\n"), Some(vec![]));
    }

    #[test]
    fn what_is_no_list_is_not_taken_for_an_empty_one() {
        for text in [
            "LifeKeeper does not appear to be running.",
            "node1:gen:app:dovecot:dovecot::ISP",
            "node1\u{1}gen\u{1}app\u{1}dovecot\u{1}dovecot\u{1}",
            "node1\u{1}gen\u{1}app\u{1}dovecot\u{1}dovecot\u{1}\u{1}WELL",
            "node1\u{1}gen\u{1}app\u{1}\u{1}dovecot\u{1}\u{1}ISP",
            "node1\u{1}gen\u{1}app\u{1}\u{1b}[2J\u{1}dovecot\u{1}\u{1}ISP",
            "\u{0}\u{1}\u{2}",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    /// What the lists are made of.
    const WORDS: &[&str] = &[
        "\u{1}",
        "\u{1}",
        "\u{1}",
        "\n",
        "\r\n",
        " ",
        "node1",
        "node2",
        "gen",
        "app",
        "dovecot",
        "ip",
        "ISP",
        "OSU",
        "ILLSTATE",
        "node1\u{1}gen\u{1}app\u{1}mail\u{1}mail\u{1}\u{1}ISP\u{1}\n",
        "node1\u{1}mail\u{1}node2\u{1}mail2\u{1}SHARED\n",
        "mail\u{1}ip\n",
        "mail\u{1}mail\n",
        "-",
        "\u{1b}",
    ];

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn any_answer_is_no_list_or_has_exactly_its_lines(answer in pieces(WORDS, 20)) {
            invariants::resources(&answer);
        }

        #[test]
        fn a_list_is_read_as_it_is_written(
            rows in prop::collection::vec(
                ("[ -~é]{0,6}", "[ -~é]{1,6}", "[ -~é]{0,6}", 0..5_usize, "[a-z][a-z0-9.-]{0,9}"),
                0..5,
            ),
            blank in "( *\n){0,2}",
        ) {
            let states = [State::Isp, State::Isu, State::Osf, State::Osu, State::Illstate];
            let instance = |(app, tag, info, state, _): &(String, String, String, usize, String)| {
                Instance {
                    app: app.clone(),
                    kind: "k".into(),
                    tag: tag.clone(),
                    id: "i".into(),
                    info: info.clone(),
                    state: states[*state],
                }
            };
            let instances: Vec<Instance> = rows.iter().map(instance).collect();
            let written = instances.iter().map(|one| {
                let fields = ["n", &one.app, &one.kind, &one.tag, &one.id, &one.info, one.state.word()];
                format!("{}\u{1}reason\n{blank}", fields.join("\u{1}"))
            });
            prop_assert_eq!(parse(&written.collect::<String>()), Some(instances));
            let lines: Vec<String> = rows
                .iter()
                .map(|(_, tag, _, _, node)| format!("n\u{1}t\u{1}{node}\u{1}{tag}\u{1}SHARED\n"))
                .collect();
            let ends = rows.iter().map(|(_, tag, _, _, node)| {
                Equivalent { system: node.clone(), tag: tag.clone() }
            });
            prop_assert_eq!(parse_equivalents(&lines.concat()), Some(ends.collect()));
            let tags: Vec<String> = rows.into_iter().map(|row| format!("{}x", row.1)).collect();
            let down: Vec<String> = tags.iter().map(|tag| format!("y\u{1}{tag}\n")).collect();
            let up: Vec<String> = tags.iter().map(|tag| format!("{tag}\u{1}y\n")).collect();
            prop_assert_eq!(others(&down.concat(), "y"), Some(tags.clone()));
            prop_assert_eq!(others(&up.concat(), "y"), Some(tags));
        }
    }
}
