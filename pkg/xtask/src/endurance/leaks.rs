//! Nothing grows: a healthy Dovecot is checked ten thousand times in a row.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Error, Node, Result};

use super::{Check, LOG, Place, SETTLED, SYSTEMD, SYSV, checks, refused, serving, succeed, times};
use crate::heading::{heading, shown};

/// Where, and how often.
const PLACES: [(Place, usize); 2] = [(SYSV, 10_000), (SYSTEMD, 1000)];
/// Checks before the first look, so that what is made once is there.
const FIRST: usize = 100;
/// How many of the first and of the last checks are compared.
const COMPARED: usize = 100;
/// How much the memory of the first and of the last may differ, in KiB, their median and their most: a
/// check lies at other addresses each time, so that the kernel maps some pages more or less.
const SAME: [u64; 2] = [64, 256];
const SETTINGS: &str = "\
APP_DOVECOT_PROBE=greeting
APP_DOVECOT_IP_LIST=\"127.0.0.1:143:5 127.0.0.1:993:5\"
";
/// Prints the files below the folders and their bytes, then the descriptors of processes. Dovecot's
/// own log grows with each client; what a check adds to it is measured as its cost.
const LOOK: &str = r#"
for folder in /run/dovecot-ark /run /tmp /var/log; do
	find "$folder" -type f ! -path /var/log/dovecot.log -printf '%s\n' | {
		count=0 bytes=0
		while read -r size; do count=$((count + 1)) bytes=$((bytes + size)); done
		echo "files in $folder	$count"
		echo "bytes in $folder	$bytes"
	}
done
for process; do
	echo "descriptors of ${process#*:}	$(ls "/proc/${process%%:*}/fd" | wc -l)"
done"#;

/// What is on a node, counted.
type Stock = BTreeMap<String, u64>;

/// Checks a Dovecot that is well in each place, and compares the node before and after.
pub(super) fn run(binary: &Path) -> Result<()> {
    for (place, rounds) in PLACES {
        heading(&format!("{place}: {rounds} quickChecks in a row"));
        let doing = || format!("checking {rounds} times, {place}");
        let node = serving(binary, place, SETTINGS)?;
        checks(&node, FIRST, "0")?;
        thread::sleep(Duration::from_secs(2));
        let before = stock(&node)?;
        let started = Instant::now();
        let checks = checks(&node, rounds, "0")?;
        let took = started.elapsed();
        let after = settled(&node, &before)?;
        let growth = report(&before, &after);
        println!("their times: {}; all in {}", times(&checks), shown(took));
        let memory = [
            peaks(checks.get(..COMPARED).unwrap_or_default()),
            peaks(checks.get(checks.len().saturating_sub(COMPARED)..).unwrap_or_default()),
        ];
        for (name, [median, most]) in ["first", "last"].iter().zip(memory) {
            println!("memory of the {name} {COMPARED}: median {median} KiB, most {most} KiB");
        }
        if refused(&checks) > 0 {
            let log = node.read(LOG)?;
            let line = log.lines().next_back().unwrap_or_default();
            return Err(Error::failed(
                doing(),
                format!("{} false alarms: {line}", refused(&checks)),
            ));
        }
        if !growth.is_empty() {
            return Err(Error::failed(doing(), growth.join("; ")));
        }
        let [first, last] = memory;
        let differs = |((first, last), same): ((u64, u64), u64)| first.abs_diff(last) > same;
        if first.into_iter().zip(last).zip(SAME).any(differs) {
            return Err(Error::failed(doing(), "the memory of a check is another one now"));
        }
    }
    Ok(())
}

/// Counts what is on the node.
fn stock(node: &Node) -> Result<Stock> {
    let mut stock = Stock::new();
    let mut count = |what: String, number| *stock.entry(what).or_default() += number;
    for process in node.processes()? {
        count("processes".to_owned(), 1);
        count(format!("processes {}", process.comm), 1);
    }
    let mut argv = vec!["/bin/sh".to_owned(), "-c".to_owned(), LOOK.to_owned(), "look".to_owned()];
    let dovecot = node.dovecot()?;
    argv.extend(dovecot.iter().map(|process| format!("{}:{}", process.pid, process.comm)));
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    for line in succeed(node, &argv)?.lines() {
        let number = line.split_once('\t').and_then(|(what, n)| Some((what, n.parse().ok()?)));
        let (what, number) =
            number.ok_or_else(|| Error::failed("counting", format!("garbled: {line:?}")))?;
        count(what.to_owned(), number);
    }
    count(format!("bytes of {LOG}"), u64::try_from(node.read(LOG)?.len()).unwrap_or(u64::MAX));
    Ok(stock)
}

/// Counts again until it is as before, or the time for that is over.
fn settled(node: &Node, before: &Stock) -> Result<Stock> {
    let start = Instant::now();
    loop {
        let after = stock(node)?;
        if &after == before || start.elapsed() > SETTLED {
            return Ok(after);
        }
        thread::sleep(Duration::from_millis(500));
    }
}

/// Prints both, and returns what is not the same.
fn report(before: &Stock, after: &Stock) -> Vec<String> {
    println!("{:<32} {:>10} {:>10}", "what there is", "before", "after");
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let mut growth = Vec::new();
    for name in names {
        let [was, is] = [before, after].map(|stock| stock.get(name).copied().unwrap_or_default());
        println!("{name:<32} {was:>10} {is:>10}");
        if was != is {
            growth.push(format!("{name}: {was} before, {is} after"));
        }
    }
    growth
}

/// The median and the most of the memory that checks had.
fn peaks(checks: &[Check]) -> [u64; 2] {
    let mut peaks: Vec<u64> = checks.iter().map(|check| check.peak).collect();
    peaks.sort_unstable();
    [peaks.get(peaks.len() / 2), peaks.last()].map(|peak| peak.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_as_before_is_told() {
        let before: Stock = [("a".into(), 1), ("b".into(), 2), ("c".into(), 3)].into();
        let after: Stock = [("a".into(), 1), ("b".into(), 3), ("d".into(), 4)].into();
        let growth = ["b: 2 before, 3 after", "c: 3 before, 0 after", "d: 0 before, 4 after"];
        assert_eq!(report(&before, &after), growth);
        assert_eq!(report(&before, &before), [""; 0]);
    }
}
