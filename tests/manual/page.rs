//! A manual page, read from its source: mdoc in English, man in Japanese.
//!
//! Only what the pages use is understood. A line that begins with another macro, and another
//! escape, end the test with their names, so that nothing is overlooked in silence.

use std::fs;
use std::path::Path;

/// What stands for a word in italics, which differs from case to case.
pub(crate) const GAP: char = '\u{1}';

/// The two languages of each page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Japanese,
}

/// Both, the one that the other is a translation of first.
pub(crate) const LANGUAGES: [Language; 2] = [Language::English, Language::Japanese];

/// An entry of a list: its heads, and what is said of them.
#[derive(Debug, Default)]
pub(crate) struct Item {
    pub(crate) section: String,
    pub(crate) subsection: String,
    /// Usually one.
    pub(crate) heads: Vec<String>,
    /// The heads, with a [`GAP`] for each word in italics.
    pub(crate) messages: Vec<String>,
    pub(crate) text: String,
}

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The file, below the project's directory.
    pub(crate) file: String,
    pub(crate) items: Vec<Item>,
    /// Each section and subsection with all its text.
    pub(crate) parts: Vec<(String, String)>,
    /// The subsections, each with its section before it.
    pub(crate) subsections: Vec<(String, String)>,
    /// What is shown as it stands: commands, lines of files, JSON.
    pub(crate) displays: Vec<Vec<String>>,
    /// The list entries around the place that is being read, the innermost last.
    open: Vec<Option<usize>>,
    section: String,
    subsection: String,
    in_display: bool,
}

/// The project's directory.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    /// Reads a page by its name in the directory `man`, such as `dovecot-ark.8`.
    pub(crate) fn of(name: &str, language: Language) -> Self {
        match language {
            Language::English => Self::of_mdoc(&format!("man/{name}")),
            Language::Japanese => Self::of_man(&format!("man/ja/{name}")),
        }
    }

    /// Reads a page in mdoc.
    fn of_mdoc(file: &str) -> Self {
        let mut page = Self::new(file);
        for line in page.lines() {
            page.mdoc(&line);
        }
        page
    }

    /// Reads a page in man.
    fn of_man(file: &str) -> Self {
        let mut page = Self::new(file);
        let mut head_follows = false;
        for line in page.lines() {
            head_follows = page.man(&line, head_follows);
        }
        page
    }

    fn new(file: &str) -> Self {
        Self { file: file.to_owned(), open: vec![None], ..Self::default() }
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(root().join(&self.file)).expect(&self.file);
        text.lines().map(str::to_owned).collect()
    }

    /// The text of the section or subsection with this heading.
    pub(crate) fn part(&self, heading: &str) -> &str {
        let found = self.parts.iter().find(|(name, _)| name == heading);
        let (_, text) = found.unwrap_or_else(|| panic!("{} has no heading {heading:?}", self.file));
        text
    }

    /// The text of a section with that of its subsections, or of a subsection.
    pub(crate) fn whole(&self, heading: &str) -> String {
        let mut whole = self.part(heading).to_owned();
        for (_, name) in self.subsections.iter().filter(|(section, _)| section == heading) {
            append(&mut whole, self.part(name));
        }
        whole
    }

    /// The item with this head.
    pub(crate) fn item(&self, head: &str) -> &Item {
        let found = self.items.iter().find(|item| item.heads.iter().any(|one| one == head));
        found.unwrap_or_else(|| panic!("{} has no item {head:?}", self.file))
    }

    /// All heads of a section, in their order; of its subsections too.
    pub(crate) fn heads(&self, section: &str) -> Vec<&str> {
        let items = self.items.iter().filter(|item| item.section == section);
        items.flat_map(|item| item.heads.iter().map(String::as_str)).collect()
    }

    fn heading(&mut self, name: String, is_section: bool) {
        if is_section {
            self.section.clone_from(&name);
            self.subsection.clear();
        } else {
            self.subsection.clone_from(&name);
            self.subsections.push((self.section.clone(), name.clone()));
        }
        self.parts.push((name, String::new()));
    }

    /// Begins an item, by its head with escapes. Heads without a text between them share the text.
    fn begin_item(&mut self, head: &str) {
        let innermost = self.open.last().copied().flatten();
        let at = match innermost.and_then(|at| Some((at, self.items.get(at)?))) {
            Some((at, item)) if item.text.is_empty() => at,
            _ => {
                let (section, subsection) = (self.section.clone(), self.subsection.clone());
                self.items.push(Item { section, subsection, ..Item::default() });
                self.items.len() - 1
            }
        };
        if let Some(item) = self.items.get_mut(at) {
            item.heads.push(plain(head));
            item.messages.push(with_gaps(head));
        }
        if let Some(innermost) = self.open.last_mut() {
            *innermost = Some(at);
        }
    }

    fn text(&mut self, line: &str) {
        if self.in_display
            && let Some(display) = self.displays.last_mut()
        {
            display.push(line.to_owned());
        }
        let item = self.open.iter().rev().flatten().next();
        if let Some(item) = item.and_then(|at| self.items.get_mut(*at)) {
            append(&mut item.text, line);
        }
        if let Some((_, text)) = self.parts.last_mut() {
            append(text, line);
        }
    }

    fn begin_display(&mut self) {
        self.in_display = true;
        self.displays.push(Vec::new());
    }

    /// Takes a line of an English page.
    fn mdoc(&mut self, line: &str) {
        let Some(words) = line.strip_prefix('.') else { return self.text(&plain(line)) };
        let (name, rest) = words.split_once(' ').unwrap_or((words, ""));
        match name {
            "Sh" | "Ss" => self.heading(plain(rest), name == "Sh"),
            "Bl" => self.open.push(None),
            "El" => drop(self.open.pop()),
            "It" => self.begin_item(&phrase(rest)),
            "Bd" => self.begin_display(),
            "Ed" => self.in_display = false,
            "Dl" => {
                self.begin_display();
                self.text(&plain(rest));
                self.in_display = false;
            }
            "Pp" | "Dd" | "Dt" | "Os" => {}
            "Nm" if rest.is_empty() => self.text("dovecot-ark"),
            _ if MACROS.contains(&name) => self.text(&plain(&phrase(words))),
            _ => panic!("{}: .{name} is not understood", self.file),
        }
    }

    /// Takes a line of a Japanese page; tells whether the next one is the head of an item.
    fn man(&mut self, line: &str, is_head: bool) -> bool {
        if is_head {
            self.begin_item(line);
            return false;
        }
        let Some(words) = line.strip_prefix('.') else {
            self.text(&plain(line));
            return false;
        };
        let (name, rest) = words.split_once(' ').unwrap_or((words, ""));
        match name {
            "SH" | "SS" => {
                self.open = vec![None];
                self.heading(plain(rest), name == "SH");
            }
            "TP" | "TQ" => return true,
            "IP" if !rest.is_empty() => self.begin_item(rest),
            "PP" => {
                if let Some(innermost) = self.open.last_mut() {
                    *innermost = None;
                }
            }
            "RS" => self.open.push(None),
            "RE" => drop(self.open.pop()),
            "nf" => self.begin_display(),
            "fi" => self.in_display = false,
            "IP" | "PD" | "TH" | "ad" | "in" | "nh" | "if" | "\\\"" => {}
            _ => panic!("{}: .{name} is not understood", self.file),
        }
        false
    }
}

/// Joins lines as they are filled: no blank where Japanese goes on.
fn append(text: &mut String, line: &str) {
    if text.chars().last().is_some_and(|last| last.is_ascii()) {
        text.push(' ');
    }
    text.push_str(line);
}

/// The words of an mdoc line without its macros, escapes as they stand; `Fl` is a hyphen.
fn phrase(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line.trim();
    let mut hyphen = "";
    while !rest.is_empty() {
        let quoted = rest.strip_prefix('"').and_then(|inside| inside.split_once('"'));
        let (word, after) = quoted.or_else(|| rest.split_once(' ')).unwrap_or((rest, ""));
        rest = after.trim_start();
        if quoted.is_none() && MACROS.contains(&word) {
            hyphen = if word == "Fl" { "-" } else { "" };
        } else if [",", ".", ":", ";", ")"].contains(&word) {
            text.push_str(word);
        } else {
            let blank = if text.is_empty() { "" } else { " " };
            text.extend([blank, hyphen, word]);
            hyphen = "";
        }
    }
    text
}

/// The macros that stand within a line.
const MACROS: [&str; 15] =
    ["Ar", "Cm", "Dq", "Em", "Ev", "Fl", "Ic", "Nd", "Nm", "Op", "Pa", "Ql", "Sx", "Sy", "Va"];

/// What the escapes mean; the last ones only change the typeface.
const ESCAPES: [(&str, &str); 11] = [
    ("-", "-"),
    ("&", ""),
    ("e", "\\"),
    ("(aq", "'"),
    ("(ga", "`"),
    ("(dq", "\""),
    ("(bu", "•"),
    ("fB", ""),
    ("fI", ""),
    ("fP", ""),
    ("fR", ""),
];

/// A text without its escapes.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        let known = ESCAPES.iter().find_map(|(name, is)| Some((escape.strip_prefix(name)?, is)));
        let (after, is) = known.unwrap_or_else(|| panic!("what is \\{escape}?"));
        plain.extend([before, is]);
        rest = after;
    }
    plain + rest
}

/// A text without its escapes, and a [`GAP`] for each word in italics.
fn with_gaps(text: &str) -> String {
    let mut words = text.split("\\fI");
    let mut gapped = plain(words.next().unwrap_or_default());
    for word in words {
        gapped.push(GAP);
        gapped.push_str(&plain(
            word.split_once("\\f").map_or("", |(_, after)| after.get(1..).unwrap_or_default()),
        ));
    }
    gapped
}
