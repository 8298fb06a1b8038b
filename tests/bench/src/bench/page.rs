//! Writes what was measured: a page in Markdown, and its pictures.

use std::fs;
use std::path::Path;

use lab::{Error, Result};

use super::Seen;
use super::compare::{
    BARE, CHANGES, CHECK, CONNECT, ENTRIES, GREETING, KIT, LEAST, LOGIN, OCF, PGREP, PROCESSES,
    SCAN, SHELL, SILENT, STOPPED, named,
};
use super::limits::Limit;
use crate::draw::{self, Bar};
use crate::samples::{row, shown};

/// The page, with a name in braces where each table comes.
const PAGE: &str = include_str!("page.md");
/// Who is shown, and the colour of each.
const WHO: [(&str, usize); 7] =
    [(KIT, 0), (LOGIN, 0), (STOPPED, 0), (SHELL, 1), (OCF, 2), (LEAST, 3), (BARE, 3)];
/// Whose the colours are.
const COLOURS: [&str; 4] = ["kit", "original", "OCF agent", "bare, least"];
/// The pictures, and what is in them.
const PICTURES: [(&str, &str, &[&str]); 2] = [
    ("check.svg", "One check of a healthy Dovecot (medians; whiskers: quartiles)", &[CHECK]),
    ("changes.svg", "recover, restore, remove (medians; whiskers: quartiles)", &CHANGES),
];

/// Writes the page and its pictures, and returns the page.
pub(super) fn write(seen: &Seen, limits: &[Limit], directory: &Path) -> Result<String> {
    let mut facts = "| measured on | |\n| --- | --- |\n".to_owned();
    for (name, fact) in seen.facts.lines().filter_map(|line| line.split_once(": ")) {
        row(&mut facts, [name, fact]);
    }
    let mut held = "| what | measured | at most | |\n| --- | --: | --: | --- |\n".to_owned();
    for limit in limits {
        row(&mut held, limit.cells());
    }
    let mut page = PAGE.replace("{facts}", &facts).replace("{limits}", &held);
    for (file, title, whats) in PICTURES {
        let (tables, bars) = compared(seen, whats)?;
        draw::bars(&directory.join(file), title, "wall time", &COLOURS, &bars)?;
        page = page.replace(&format!("{{{file}}}"), tables.trim_end());
    }
    let among = growth(seen, &[KIT, SCAN, PGREP], &PROCESSES)?;
    let listed = growth(seen, &[GREETING, CONNECT, SILENT], &ENTRIES)?;
    page = page.replace("{growth}", &format!("{among}\n{}", listed.trim_end()));
    let file = directory.join("README.md");
    fs::write(&file, &page).map_err(Error::io(format!("writing {}", file.display())))?;
    Ok(page)
}

/// The tables and bars of some actions in each place.
fn compared(seen: &Seen, whats: &[&str]) -> Result<(String, Vec<Bar>)> {
    let (mut tables, mut bars) = (String::new(), Vec::new());
    for (place, what) in
        seen.places.iter().flat_map(|one| whats.iter().map(move |what| (one, what)))
    {
        let name = format!("{what}, {}", place.init);
        let head = ["median", "min", "quartiles", "max", "CPU", "memory", "runs"];
        row(&mut tables, [name.as_str()].into_iter().chain(head));
        row(&mut tables, ["---"].into_iter().chain(["--:"; 7]));
        bars.push(Bar { name, ..Bar::default() });
        for (who, colour) in WHO {
            let name = named(who, what);
            let Some(runs) = place.samples.0.get(&name) else { continue };
            let wall = place.samples.spread(&name, |run| run.wall)?;
            let cpu = place.samples.spread(&name, |run| run.tree)?.median;
            let memory = place.samples.spread(&name, |run| run.memory)?.median;
            let cells = [
                who.to_owned(),
                shown(wall.median),
                shown(wall.min),
                format!("{} - {}", shown(wall.lower), shown(wall.upper)),
                shown(wall.max),
                shown(cpu),
                format!("{memory:.1} MiB"),
                runs.len().to_string(),
            ];
            row(&mut tables, cells);
            bars.push(Bar {
                name: who.to_owned(),
                parts: vec![(colour, wall.median)],
                whisker: Some((wall.lower, wall.upper)),
                figure: shown(wall.median),
            });
        }
        tables.push('\n');
    }
    Ok((tables, bars))
}

/// The table of what grows.
fn growth(seen: &Seen, who: &[&str], sizes: &[u32]) -> Result<String> {
    let mut table = String::new();
    row(
        &mut table,
        ["wall time at".to_owned()].into_iter().chain(sizes.iter().map(u32::to_string)),
    );
    row(&mut table, ["---"].into_iter().chain(sizes.iter().map(|_| "--:")));
    for who in who {
        let times = sizes.iter().map(|size| seen.once.wall(&named(who, size)).map(shown));
        let times: Vec<String> = times.collect::<Result<_>>()?;
        row(&mut table, [(*who).to_owned()].into_iter().chain(times));
    }
    Ok(table)
}
