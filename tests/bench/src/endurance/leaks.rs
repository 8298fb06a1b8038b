//! Nothing grows: a healthy Dovecot is checked ten thousand times in a row.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Error, Node, Result};

use super::{LOG, Place, SETTINGS, Tools, checks, no_alarm};
use crate::samples::{Sample, Spread};

/// Checks before the first look, so that what is made once is there.
const FIRST: u32 = 100;
/// How many of the first and of the last checks are compared.
const COMPARED: usize = 100;
/// How much the memory of the first and of the last may differ, in MiB, their median and their most: a
/// check lies at other addresses each time, so that the kernel maps some pages more or less.
const SAME: [f64; 2] = [0.0625, 0.25];
/// How long what a check has set going may take to settle: a login process ends.
const SETTLED: Duration = Duration::from_secs(15);
/// Prints the files below the directories and their bytes, then the descriptors of processes. Dovecot's
/// own log grows with each client; what a check adds to it is measured as its cost.
const LOOK: &str = r#"
for directory in /run/dovecot-ark /run /tmp /var/log /srv/vmail; do
	find "$directory" -type f ! -path /var/log/dovecot.log -printf '%s\n' | {
		count=0 bytes=0
		while read -r size; do count=$((count + 1)) bytes=$((bytes + size)); done
		echo "files in $directory	$count"
		echo "bytes in $directory	$bytes"
	}
done
for process; do
	echo "descriptors of ${process#*:}	$(ls "/proc/${process%%:*}/fd" | wc -l)"
done"#;

/// What is on a node, counted.
type Stock = BTreeMap<String, u64>;

/// Checks a Dovecot that is well, and compares the node before and after.
pub(super) fn run(tools: &Tools, place: Place, count: u32) -> Result<()> {
    watch(&tools.serving(place, SETTINGS)?, place, count)
}

/// Checks the Dovecot of a node, and compares before and after.
pub(super) fn watch(node: &Node, place: Place, count: u32) -> Result<()> {
    checks(node, FIRST, "0")?;
    thread::sleep(Duration::from_secs(2));
    let before = stock(node)?;
    let checks = checks(node, count, "0")?;
    let started = Instant::now();
    let mut changes = differences(&before, &stock(node)?);
    while !changes.is_empty() && started.elapsed() < SETTLED {
        thread::sleep(Duration::from_millis(500));
        changes = differences(&before, &stock(node)?);
    }
    println!("{} kinds of things counted before and after", before.len());
    no_alarm(node, &checks)?;
    let failed = |cause| Err(Error::failed(format!("checking {count} times, {}", place.0), cause));
    if !changes.is_empty() {
        return failed(changes.join("; "));
    }
    let memory = |checks: &[Sample]| Spread::of(checks.iter().map(|check| check.memory));
    let (first, last) =
        (checks.get(..COMPARED), checks.get(checks.len().saturating_sub(COMPARED)..));
    if let Some((first, last)) = first.and_then(memory).zip(last.and_then(memory)) {
        let [median, most] = [(first.median, last.median), (first.max, last.max)];
        println!("memory of the first and last {COMPARED}: {median:?} MiB, most {most:?} MiB");
        if [median, most].iter().zip(SAME).any(|((one, other), same)| (one - other).abs() > same) {
            return failed("the memory of a check is another one now".to_owned());
        }
    }
    Ok(())
}

/// Counts what is on the node.
fn stock(node: &Node) -> Result<Stock> {
    let mut stock = Stock::new();
    let mut count = |what: String, number| *stock.entry(what).or_default() += number;
    for process in node.processes()? {
        count(format!("processes {}", process.comm), 1);
    }
    let dovecot = node.dovecot()?.into_iter().map(|one| format!("{}:{}", one.pid, one.comm));
    let dovecot: Vec<String> = dovecot.collect();
    let argv =
        ["/bin/sh", "-c", LOOK, "look"].into_iter().chain(dovecot.iter().map(String::as_str));
    let counted = node.run(&argv.collect::<Vec<_>>())?.succeeded("counting")?.stdout;
    for line in counted.lines() {
        let number = line.split_once('\t').and_then(|(what, n)| Some((what, n.parse().ok()?)));
        let (what, number) =
            number.ok_or_else(|| Error::failed("counting", format!("garbled: {line:?}")))?;
        count(what.to_owned(), number);
    }
    count(format!("bytes of {LOG}"), u64::try_from(node.read(LOG)?.len()).unwrap_or(u64::MAX));
    Ok(stock)
}

/// Lists what is not the same.
fn differences(before: &Stock, after: &Stock) -> Vec<String> {
    let new = after.keys().filter(|name| !before.contains_key(*name));
    let row = |name: &String| {
        let [was, is] = [before, after].map(|stock| stock.get(name).copied().unwrap_or_default());
        (was != is).then(|| format!("{name}: {was} before, {is} after"))
    };
    before.keys().chain(new).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_as_before_is_told() {
        let before: Stock = [("a".into(), 1), ("b".into(), 2), ("c".into(), 3)].into();
        let after: Stock = [("a".into(), 1), ("b".into(), 3), ("d".into(), 4)].into();
        let changes = ["b: 2 before, 3 after", "c: 3 before, 0 after", "d: 0 before, 4 after"];
        assert_eq!(differences(&before, &after), changes);
    }
}
