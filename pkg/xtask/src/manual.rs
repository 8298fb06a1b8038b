//! `cargo xtask manual`: the manual pages as HTML, below `target/html`, from the same sources.
//!
//! mandoc does the work. It gives Japanese headings no anchors, and knows nothing of links between
//! pages that are not installed: both are added here, and a link that leads nowhere is an error.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use lab::setup::{self, Tool};
use lab::{Error, Result};

use crate::cargo::{answer, top};
use crate::disk;

/// mandoc, which is in the package of the same name.
const MANDOC: [Tool; 1] = [Tool { program: "mandoc", apt: "mandoc", rpm: "mandoc" }];

/// Pages by their names in the directory `man`.
const PAGES: [&str; 9] = [
    "dovecot-ark-guide.7",
    "dovecot-ark-messages.7",
    "dovecot-ark.8",
    "dovecot-ark-actions.8",
    "dovecot-ark-install.8",
    "dovecot-ark-status.8",
    "dovecot-ark-doctor.8",
    "dovecot-ark.conf.5",
    "ocf_dovecot-ark_dovecot.7",
];

/// The page whose entries have numbers for anchors.
const MESSAGES: &str = "dovecot-ark-messages.7";

/// What makes a page readable on a screen and on paper.
const STYLE: &str = "<style>\n\
    body { max-width: 48rem; margin: 1rem auto; padding: 0 1rem; line-height: 1.6; \
    font-family: sans-serif; }\n\
    pre { background: #f3f3f3; padding: 0.6rem; line-height: 1.35; white-space: pre-wrap; \
    overflow-wrap: anywhere; }\n\
    code.Li, pre { font-family: monospace, monospace; font-size: 0.9em; }\n\
    code.Fl, table.Nm td:first-child { white-space: nowrap; }\n\
    dd:empty, dd[style], dt:empty { display: none; }\n\
    h1 { font-size: 1.3rem; border-bottom: 1px solid #999; } h2 { font-size: 1.1rem; }\n\
    a.permalink { color: inherit; text-decoration: none; }\n\
    dt, ol > li { margin-top: 0.6rem; } dt { font-weight: bold; } dd { margin-bottom: 0.4rem; }\n\
    dt.step { float: left; margin-top: 0; font-weight: normal; }\n\
    div.Bd-indent { margin: 0.4rem 2rem; } dd > pre { margin: 0.4rem 0; }\n</style>\n";

/// How mandoc names the parts of the manual, and how a Japanese page does.
const VOLUMES: [(&str, &str); 3] = [
    ("System Manager's Manual", "システム管理者マニュアル"),
    ("File Formats Manual", "ファイル形式"),
    ("Miscellaneous Information Manual", "その他の情報"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    English,
    Japanese,
}

/// A heading: its level, anchor and text.
struct Heading {
    level: char,
    anchor: String,
    text: String,
}

/// Writes all pages.
pub(crate) fn run() -> Result<()> {
    for (name, ..) in files() {
        let page = html(top(), &name)?;
        disk::write(&top().join("target/html").join(&name), &page)?;
        println!("   target/html/{name}: {} bytes", page.len());
    }
    Ok(())
}

/// Returns a page as HTML by the name of its file, such as `dovecot-ark.8.ja.html`.
pub(crate) fn html(sources: &Path, name: &str) -> Result<String> {
    let doing = format!("making {name}");
    let wanted = files().find(|(one, ..)| one == name);
    let (_, page, language) = wanted.ok_or_else(|| Error::failed(&*doing, "no such page"))?;
    setup::ensure_tools(&MANDOC, &setup::has)?;
    let english = rendered(sources, page)?;
    let anchors = headings(&english);
    let text = match language {
        Language::English => english,
        Language::Japanese => joined(&rendered(sources, &format!("ja/{page}"))?),
    };
    let entries = disk::text(&sources.join("man").join(MESSAGES))?;
    finished(&text, page, language, &anchors)
        .and_then(|text| numbered(&text, page, language, &entries))
        .and_then(|text| require_links(&text).map(|()| text))
        .map_err(|cause| Error::failed(doing, cause))
}

/// Lists the files of all pages: their names, the pages and their languages.
fn files() -> impl Iterator<Item = (String, &'static str, Language)> {
    let pages = PAGES.into_iter();
    let pages = pages
        .flat_map(|page| [Language::English, Language::Japanese].map(|language| (page, language)));
    pages.map(|(page, language)| (name_of(page, language), page, language))
}

/// Names a page's file.
fn name_of(page: &str, language: Language) -> String {
    match language {
        Language::English => format!("{page}.html"),
        Language::Japanese => format!("{page}.ja.html"),
    }
}

/// Has mandoc render a page; characters stand as they are instead of by their numbers.
fn rendered(sources: &Path, page: &str) -> Result<String> {
    let mut mandoc = Command::new("mandoc");
    mandoc.args(["-T", "html", "-I", "os=dovecot-ark"]).arg(sources.join("man").join(page));
    Ok(decoded(&answer(mandoc, &format!("rendering man/{page}"))?))
}

/// Replaces numeric references to characters beyond ASCII.
fn decoded(text: &str) -> String {
    let mut pieces = text.split("&#x");
    let mut decoded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let reference = piece.split_once(';').and_then(|(digits, after)| {
            let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            (!character.is_ascii()).then_some((character, after))
        });
        match reference {
            Some((character, after)) => {
                decoded.push(character);
                decoded.push_str(after);
            }
            None => decoded.extend(["&#x", piece]),
        }
    }
    decoded
}

/// Joins lines outside of `<pre>`: no blank between two Japanese characters or after a full stop.
///
/// In `<pre>` mandoc adds a break before each line that begins with a blank; they are taken out. A
/// step's number gets a class, so that it can share a line with the step's text.
fn joined(text: &str) -> String {
    let (mut joined, mut in_pre) = (String::new(), false);
    for line in text.lines() {
        in_pre |= line.contains("<pre>");
        let is_japanese = |c: char| !c.is_ascii();
        if in_pre && line == "<br/>" {
            continue;
        }
        let words = if in_pre { line } else { line.trim_start() };
        let last = joined.trim_end_matches('\n').chars().last();
        let meets = last.is_some_and(is_japanese) && words.starts_with(is_japanese);
        let is_text = !words.starts_with('<')
            || ["<b>", "<i>"].map(|tag| words.starts_with(tag)) != [false; 2];
        if !in_pre && (meets || last == Some('。') && is_text) {
            joined.truncate(joined.trim_end_matches('\n').len());
        }
        let step = words
            .strip_prefix("<dt>")
            .filter(|step| step.starts_with(|c: char| c.is_ascii_digit()));
        match step.filter(|step| step.ends_with(".</dt>")) {
            Some(step) => joined.extend(["<dt class=\"step\">", step]),
            None => joined.push_str(words),
        }
        joined.push('\n');
        in_pre &= !line.contains("</pre>");
    }
    joined.replace("。 ", "。")
}

/// Finds the headings of a page with the anchors that mandoc gave them.
fn headings(text: &str) -> Vec<Heading> {
    let pieces = text.split("<h").skip(1).filter_map(|piece| {
        let level = piece.chars().next().filter(|level| ['1', '2'].contains(level))?;
        let (tag, rest) = piece.split_once('>')?;
        let (inside, _) = rest.split_once("</h")?;
        let anchor = tag.split_once("id=\"").and_then(|(_, id)| id.split_once('"'));
        let anchor = anchor.map_or_else(String::new, |(anchor, _)| anchor.to_owned());
        Some(Heading { level, anchor, text: without_tags(inside) })
    });
    pieces.collect()
}

/// A text without tags, in one line.
fn without_tags(text: &str) -> String {
    let pieces = text.split('<').enumerate();
    let pieces = pieces.map(|(n, piece)| match (n, piece.split_once('>')) {
        (0, _) | (_, None) => piece,
        (_, Some((_, after))) => after,
    });
    pieces.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Adds what mandoc leaves out: anchors, contents, links to the other pages, style.
fn finished(
    text: &str,
    page: &str,
    language: Language,
    anchors: &[Heading],
) -> std::result::Result<String, String> {
    let own = headings(text);
    if own.len() != anchors.len() {
        return Err(format!("{} headings, in English {}", own.len(), anchors.len()));
    }
    let (before, mut body) = text
        .split_once("<div class=\"manual-text\">")
        .map(|(before, body)| (before.to_owned(), body.to_owned()))
        .ok_or("mandoc's output has no text")?;
    if language == Language::Japanese {
        body = anchored(&body, anchors)?;
        for (Heading { text, .. }, Heading { anchor, .. }) in own.iter().zip(anchors) {
            let link = format!("「<a href=\"#{anchor}\">{text}</a>」");
            body = body.replace(&format!("「{text}」"), &link);
        }
    }
    let contents = own.iter().zip(anchors).map(|(Heading { level, text, .. }, to)| {
        let indent = if *level == '1' { "" } else { "&#x2003;" };
        let anchor = &to.anchor;
        format!("{indent}<a href=\"#{anchor}\">{text}</a><br>\n")
    });
    let contents: String = contents.collect();
    for other in PAGES.into_iter().filter(|other| *other != page) {
        let said = other.rsplit_once('.').map(|(name, section)| format!("{name}({section})"));
        let said = said.unwrap_or_default();
        let link = format!("<a href=\"{}\">{said}</a>", name_of(other, language));
        body = body.replace(&said, &link);
    }
    let (tongue, other, switch) = match language {
        Language::English => ("en", Language::Japanese, "日本語"),
        Language::Japanese => ("ja", Language::English, "English"),
    };
    let before = before.replace("<html>", &format!("<html lang=\"{tongue}\">"));
    let before = before.replace("</head>", &format!("{STYLE}</head>"));
    let before = match language {
        Language::English => before,
        Language::Japanese => VOLUMES.iter().fold(without_comments(&before), |text, (from, to)| {
            text.replace(&format!(">{from}<"), &format!(">{to}<"))
        }),
    };
    let switch = format!("<p><a href=\"{}\">{switch}</a></p>\n", name_of(page, other));
    Ok(format!("{before}{switch}<p>{contents}</p>\n<div class=\"manual-text\">{body}"))
}

/// Makes each number of a message an anchor in its entry, and a link to that elsewhere. `entries` is
/// the source of the page that has them.
fn numbered(
    text: &str,
    page: &str,
    language: Language,
    entries: &str,
) -> std::result::Result<String, String> {
    let file = if page == MESSAGES { String::new() } else { name_of(MESSAGES, language) };
    let mut pieces = text.split("ARK");
    let mut numbered = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.get(..4).filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        let Some((digits, after)) = digits.zip(piece.get(4..)) else {
            numbered.extend(["ARK", piece]);
            continue;
        };
        // mandoc takes the whole word: `ARK1001:`, and `ARK1001:~2` for one more head.
        let anchor = after.strip_prefix(':').filter(|rest| rest.starts_with(['"', '~']));
        if let Some(rest) = anchor {
            numbered.extend(["ARK", digits, rest]);
        } else if after.starts_with(':') || numbered.ends_with(|c: char| c.is_alphanumeric()) {
            numbered.extend(["ARK", piece]);
        } else if entries.contains(&format!("\"ARK{digits}: ")) {
            let link = format!("<a href=\"{file}#ARK{digits}\">ARK{digits}</a>");
            numbered.extend([link.as_str(), after]);
        } else {
            return Err(format!("ARK{digits} has no entry in {MESSAGES}"));
        }
    }
    Ok(numbered)
}

/// A text without comments, which mandoc takes from the source for the reader of the HTML.
fn without_comments(text: &str) -> String {
    let mut pieces = text.split("<!--");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once("-->").map_or("", |(_, after)| after))
}

/// Gives the headings these anchors, in their order.
fn anchored(body: &str, anchors: &[Heading]) -> std::result::Result<String, String> {
    let mut anchors = anchors.iter();
    let mut pieces = body.split("<h");
    let mut anchored = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let parts = piece.split_once('>').and_then(|(tag, rest)| {
            let (inside, after) = rest.split_once("</h")?;
            Some((tag.chars().next().filter(|level| ['1', '2'].contains(level))?, inside, after))
        });
        let Some((level, inside, after)) = parts else {
            anchored.extend(["<h", piece]);
            continue;
        };
        let text = without_tags(inside);
        let to = anchors.next().ok_or_else(|| format!("the heading {text} has no anchor"))?;
        let (class, to) = (if level == '1' { "Sh" } else { "Ss" }, &to.anchor);
        let link = format!("<a class=\"permalink\" href=\"#{to}\">{text}</a>");
        anchored.extend([format!("<h{level} class=\"{class}\" id=\"{to}\">{link}</h{after}")]);
    }
    Ok(anchored)
}

/// Fails when a link leads to no anchor of the page and to no other page.
fn require_links(text: &str) -> std::result::Result<(), String> {
    let anchors: BTreeSet<&str> = values(text, " id=\"").collect();
    let files: BTreeSet<String> = files().map(|(name, ..)| name).collect();
    let leads = |link: &&str| match link.strip_prefix('#') {
        Some(anchor) => anchors.contains(anchor),
        // That the entry is there was seen when the link was made.
        None => files.contains(link.split_once("#ARK").map_or(*link, |(file, _)| file)),
    };
    match values(text, "href=\"").find(|link| !leads(link)) {
        Some(link) => Err(format!("the link {link} leads nowhere")),
        None => Ok(()),
    }
}

/// Everything in quotes behind this name of an attribute.
fn values<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(name).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn japanese_lines_are_joined_without_a_blank_and_others_stay() {
        assert_eq!(joined("あ。\n    い IMAP\n    う\n"), "あ。い IMAP\nう\n");
        assert_eq!(joined("<pre>a\n<br/>\n  あ\nい</pre>\n"), "<pre>a\n  あ\nい</pre>\n");
        assert_eq!(joined("あ。\n<b>い</b>\n<p>う\n"), "あ。<b>い</b>\n<p>う\n");
        assert_eq!(joined("<dt>2.</dt>\n"), "<dt class=\"step\">2.</dt>\n");
        assert_eq!(decoded("&#x3042;&#x27;&lt;"), "あ&#x27;&lt;");
    }

    #[test]
    fn a_number_is_an_anchor_in_its_entry_and_a_link_elsewhere() {
        let entries = ".It Sy \"ARK1101: x\"";
        let of = |text: &str, page| numbered(text, page, Language::Japanese, entries);
        let entry = "<dt id=\"ARK1101:\"><a href=\"#ARK1101:~2\"><b>ARK1101: x";
        let made = "<dt id=\"ARK1101\"><a href=\"#ARK1101~2\"><b>ARK1101: x";
        assert_eq!(of(entry, MESSAGES), Ok(made.to_owned()));
        let link = |file: &str| Ok(format!("<a href=\"{file}#ARK1101\">ARK1101</a>、"));
        assert_eq!(of("ARK1101、", MESSAGES), link(""));
        assert_eq!(of("ARK1101、", PAGES[2]), link("dovecot-ark-messages.7.ja.html"));
        assert!(of("ARK1102", MESSAGES).is_err());
    }

    #[test]
    fn a_japanese_page_gets_the_english_anchors_and_links() {
        let english = headings("<h1 class=\"Sh\" id=\"FILES\"><a href=\"#FILES\">FILES</a></h1>");
        let text = "<html><head></head><div class=\"manual-text\">\
                    <h1 class=\"Sh\">ファイル</h1>「ファイル」、dovecot-ark(8)";
        let made = finished(text, "dovecot-ark-guide.7", Language::Japanese, &english);
        let made = made.expect("a page");
        for words in [
            "<h1 class=\"Sh\" id=\"FILES\">",
            "「<a href=\"#FILES\">ファイル</a>」",
            "<a href=\"dovecot-ark.8.ja.html\">dovecot-ark(8)</a>",
        ] {
            assert!(made.contains(words), "{words}: {made}");
        }
        assert_eq!(require_links(&made), Ok(()));
        let broken = made.replace("id=\"FILES\"", "");
        assert_eq!(require_links(&broken), Err("the link #FILES leads nowhere".to_owned()));
    }

    #[test]
    fn each_link_of_each_page_has_one_anchor_and_both_languages_have_the_same_headings() {
        let text = |name: &str| html(top(), name).expect(name);
        let pages: Vec<(String, String)> =
            files().map(|(name, ..)| (name.clone(), text(&name))).collect();
        let anchors = |name: &str| {
            let page = pages.iter().find(|page| page.0 == name);
            page.map(|(_, text)| values(text, " id=\"").collect::<Vec<_>>())
        };
        let mut links = 0;
        for (name, text) in &pages {
            for link in values(text, " href=\"") {
                let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
                let anchors = anchors(if file.is_empty() { name } else { file });
                let anchors = anchors.unwrap_or_else(|| panic!("{name}: {link}: no such page"));
                let there = anchors.iter().filter(|there| **there == anchor).count();
                assert_eq!(there, usize::from(!anchor.is_empty()), "{name}: {link}");
                links += 1;
            }
        }
        assert!(links > 1000, "{links} links: they are not found any more");
        for page in PAGES {
            let [english, japanese] = [Language::English, Language::Japanese].map(|language| {
                let name = name_of(page, language);
                let (_, text) = pages.iter().find(|page| page.0 == name).expect("a page");
                let anchors = headings(text).into_iter().map(|heading| heading.anchor);
                let numbers = values(text, " id=\"").filter(|id| id.starts_with("ARK"));
                anchors.chain(numbers.map(str::to_owned)).collect::<Vec<_>>()
            });
            assert_eq!(english, japanese, "{page}");
            assert!(english.len() > 5, "{page}: {english:?}");
        }
    }
}
