//! What was measured on: without it, no figure means anything.

use std::fs;
use std::thread;

use lab::Result;

use super::place::{Place, Tools};

/// The machine, its programs, and the day.
#[derive(Debug)]
pub(super) struct Machine {
    /// A line for each fact: its name and itself.
    pub(super) facts: Vec<(&'static str, String)>,
}

impl Machine {
    /// Looks at this machine, and at a node for the versions of what runs there.
    ///
    /// # Errors
    ///
    /// When the node does not answer.
    pub(super) fn look(place: &Place, tools: &Tools) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let first = |text: String| text.lines().next().unwrap_or("unknown").trim().to_owned();
        let cores = thread::available_parallelism().map_or(0, usize::from);
        let processor =
            value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".into());
        let memory = value(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let load = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
        Ok(Self {
            facts: vec![
                ("Date", first(place.sh("date -u +%F")?)),
                ("Processor", format!("{processor}, {cores} usable")),
                ("Memory", gibibytes(&memory)),
                ("Load before the run", load),
                ("Kernel", first(read("/proc/sys/kernel/osrelease"))),
                ("Node", first(place.sh(". /etc/os-release; echo \"$PRETTY_NAME\"")?)),
                ("Dovecot", first(place.sh("dovecot --version")?)),
                ("OCF agent", format!("resource-agents {}", tools.agent_version)),
            ],
        })
    }
}

/// The value of the first line of a name, as the kernel writes them: `name : value`.
fn value(text: &str, name: &str) -> Option<String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
    values.next().map(str::to_owned)
}

/// Writes a size that the kernel tells in `kB` in GiB.
fn gibibytes(text: &str) -> String {
    let size: Option<f64> = text.split(' ').next().and_then(|number| number.parse().ok());
    size.map_or_else(|| "unknown".to_owned(), |size| format!("{:.0} GiB", size / 1024.0 / 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lists_are_understood() {
        let text = "processor\t: 0\nmodel name\t: Fast 3000: the second\nmodel name\t: other\n";
        assert_eq!(value(text, "model name").as_deref(), Some("Fast 3000: the second"));
        assert_eq!(value(text, "bogus"), None);
        assert_eq!(gibibytes("24640000 kB"), "23 GiB");
        assert_eq!(gibibytes(""), "unknown");
    }
}
