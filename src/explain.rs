//! What a message means, as the manual page has it.
//!
//! The page is part of the program, so that the words stand in one place, and a node without the
//! package's documentation can be asked too.

use crate::error::Error;
use crate::messages::Message;
use crate::show::print;

/// The page, in mdoc.
const PAGE: &str = include_str!("../man/dovecot-ark-messages.7");

/// The longest line that is printed, in characters.
const WIDTH: usize = 78;

/// Escapes of the page, and what they stand for; a typeface marks what differs from case to case.
const ESCAPES: [(&str, &str); 7] = [
    ("\\fI", "<"),
    ("\\fP", ">"),
    ("\\-", "-"),
    ("\\&", ""),
    ("\\(aq", "'"),
    ("\\(ga", "`"),
    ("\\(dq", "\""),
];

/// Prints the entry of a message: its words, its meaning and its cure.
///
/// # Errors
///
/// [`Error::Output`] when it cannot be printed.
pub(crate) fn explain(message: Message) -> Result<(), Error> {
    print(&entry(message.code()))
}

/// The entry of a number, wrapped.
fn entry(code: &str) -> String {
    let head = format!(".It Sy \"{code}: ");
    let lines = PAGE.lines().skip_while(|line| !line.starts_with(&head));
    let heads = lines.clone().take_while(|line| line.starts_with(&head));
    let mut entry: Vec<String> = heads
        .map(|line| plain(line.trim_start_matches(".It Sy ").trim_matches('"')))
        .flat_map(|line| wrapped(&line, "", "  "))
        .collect();
    let body = lines.skip_while(|line| line.starts_with(&head));
    let body = body.take_while(|line| !line.starts_with(".It ") && !line.starts_with(".El"));
    let words: Vec<String> = body.map(said).collect();
    entry.push(String::new());
    entry.extend(wrapped(&words.join(" "), "  ", "  "));
    entry.join("\n") + "\n"
}

/// The words of a line of the page. Of a macro's words, punctuation at the end belongs to the text.
fn said(line: &str) -> String {
    let Some((name, words)) = line.strip_prefix('.').and_then(|line| line.split_once(' ')) else {
        return plain(line);
    };
    let last = words.rsplit_once(' ').filter(|(_, last)| [",", ".", ";", ":", ")"].contains(last));
    let (words, end) = last.unwrap_or((words, ""));
    // Words that quote a command themselves are not put into quotes once more.
    let mark = if name == "Ql" && !words.contains("\\(ga") { "`" } else { "" };
    format!("{mark}{}{mark}{end}", plain(words))
}

fn plain(text: &str) -> String {
    ESCAPES.iter().fold(text.to_owned(), |text, (escape, is)| text.replace(escape, is))
}

/// Breaks a text into lines, the first and the further ones with these indents.
fn wrapped(text: &str, first: &str, further: &str) -> Vec<String> {
    let (mut lines, mut line, mut is_empty) = (Vec::new(), first.to_owned(), true);
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, further.to_owned()));
            is_empty = true;
        }
        line.push_str(if is_empty { "" } else { " " });
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_has_an_entry_without_a_trace_of_the_pages_macros() {
        for message in Message::ALL {
            let entry = entry(message.code());
            let (head, body) = entry.split_once("\n\n").expect("a head and a body");
            assert!(head.starts_with(&format!("{}: ", message.code())), "{message:?}: {entry}");
            assert!(body.trim().len() > 10, "{message:?}: {entry}");
            let is_macro = |line: &str| line.trim_start().starts_with('.');
            assert!(!entry.contains('\\') && !entry.lines().any(is_macro), "{entry}");
            assert!(entry.lines().all(|line| line.chars().count() <= WIDTH), "{entry}");
        }
    }

    #[test]
    fn the_words_of_a_macro_keep_their_punctuation() {
        for (line, words) in [
            (".Ql doveconf \\-nx >/dev/null ;", "`doveconf -nx >/dev/null`;"),
            (".Pa /proc .", "/proc."),
            ("Dovecot\\(aqs own", "Dovecot's own"),
            (".Ql connect:\\&", "`connect:`"),
            (
                ".Ql \\(gaservice x status\\(ga: exit status 3 .",
                "`service x status`: exit status 3.",
            ),
        ] {
            assert_eq!(said(line), words, "{line}");
        }
    }
}
