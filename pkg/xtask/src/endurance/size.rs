//! What a check takes on a node that is large: many processes, and a long list.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Error, Result};

use super::{GRANTED, LOG, SYSV, checks, refused, serving, set, times};
use crate::heading::heading;

/// How many processes there are beside Dovecot's, how many entries in the list, and how often it is
/// checked.
const SIZES: [(u32, u32, usize); 6] =
    [(0, 1, 50), (1000, 1, 50), (10_000, 1, 50), (0, 100, 10), (0, 500, 10), (10_000, 500, 10)];
/// Until a crowd of processes is there.
const GATHERED: Duration = Duration::from_mins(1);
/// Between two checks, in seconds: of a long list the login processes end after it.
const PAUSE: &str = "0.5";
/// Forks so many processes that sleep, then says so: the cheapest that there are.
const CROWD: &str = "\
for (1 .. $ARGV[0]) { my $pid = fork // die qq(no room for a crowd: $!); if (!$pid) { sleep; exit } }
open my $there, q(>), q(/tmp/there);
sleep";

/// Checks a Dovecot that is well on nodes of each size.
pub(super) fn run(binary: &Path) -> Result<()> {
    heading(&format!("{SYSV}: quickCheck on a node that is large, probe greeting"));
    let node = serving(binary, SYSV, "")?;
    println!("{:>9} {:>8} {:>7}   its times", "processes", "entries", "checks");
    for (processes, entries, rounds) in SIZES {
        let addresses = (0..entries).map(|n| format!("127.0.{}.{}:143:15", n / 250, n % 250 + 1));
        let list = addresses.collect::<Vec<_>>().join(" ");
        set(&node, &format!("APP_DOVECOT_PROBE=greeting\nAPP_DOVECOT_IP_LIST='{list}'\n"))?;
        let crowd = node.spawn(&["/usr/bin/perl", "-e", CROWD, &processes.to_string()])?;
        let start = Instant::now();
        while !node.exists("/tmp/there")? {
            if start.elapsed() > GATHERED {
                return Err(Error::Late { doing: "making a crowd".into(), limit: GATHERED });
            }
            thread::sleep(Duration::from_millis(20));
        }
        let checks = checks(&node, rounds, PAUSE)?;
        crowd.kill();
        node.remove_file("/tmp/there")?;
        println!("{processes:>9} {entries:>8} {rounds:>7}   {}", times(&checks));
        if refused(&checks) > 0 || checks.iter().any(|check| check.took > GRANTED) {
            let log = node.read(LOG)?;
            let line = log.lines().next_back().unwrap_or_default();
            let cause = format!("a false alarm, or too late: {line}");
            return Err(Error::failed("checking on a large node", cause));
        }
    }
    Ok(())
}
