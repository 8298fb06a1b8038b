//! What a check takes on a node that is large: many processes, and a long list.

use std::thread;
use std::time::{Duration, Instant};

use lab::{DEFAULTS, Error, Result};

use super::{Place, Tools, checks, no_alarm};

/// How many processes there are beside Dovecot's, and how many entries in the list.
const SIZES: [(u32, u32); 5] = [(0, 1), (10_000, 1), (0, 100), (0, 500), (10_000, 500)];
/// When a quickCheck has ended, whatever hangs; in seconds.
const GRANTED: f64 = 18.0;
/// Until a crowd of processes is there.
const GATHERED: Duration = Duration::from_mins(1);
/// Between two checks, in seconds: of a long list the login processes end after it.
const PAUSE: &str = "0.5";
/// Forks so many processes that sleep, then says so: the cheapest that there are.
const CROWD: &str = "\
for (1 .. $ARGV[0]) { my $pid = fork // die qq(no room for a crowd: $!); if (!$pid) { sleep; exit } }
open my $there, q(>), q(/tmp/there);
sleep";

/// Checks a Dovecot that is well on nodes of each size; long lists a fifth as often.
pub(super) fn run(tools: &Tools, place: Place, count: u32) -> Result<()> {
    let node = tools.serving(place, "")?;
    for (processes, entries) in SIZES {
        println!("{processes} processes, {entries} entries");
        let addresses = (0..entries).map(|n| format!("127.0.{}.{}:143:15", n / 250, n % 250 + 1));
        let list = addresses.collect::<Vec<_>>().join(" ");
        let settings = format!("APP_DOVECOT_PROBE=greeting\nAPP_DOVECOT_IP_LIST='{list}'\n");
        node.write(DEFAULTS, &settings)?;
        let crowd = node.spawn(&["/usr/bin/perl", "-e", CROWD, &processes.to_string()])?;
        let start = Instant::now();
        while !node.exists("/tmp/there")? {
            if start.elapsed() > GATHERED {
                return Err(Error::Late { doing: "making a crowd".into(), limit: GATHERED });
            }
            thread::sleep(Duration::from_millis(20));
        }
        let count = if entries > 1 { count.div_ceil(5) } else { count };
        let checks = checks(&node, count, PAUSE)?;
        crowd.kill();
        node.remove_file("/tmp/there")?;
        no_alarm(&node, &checks)?;
        if checks.iter().any(|check| check.wall > GRANTED) {
            return Err(Error::failed("checking on a large node", "a check took too long"));
        }
    }
    Ok(())
}
