//! What hangs on one node moves once, and what no other node has either moves nothing.

use lab::hangs::{Hang, play, prepare};
use lab::stage::Stage;

/// A short limit for a stop, in seconds, brings the signals early that end who waits for the store.
const STOP: u32 = 3;

#[test]
fn a_store_that_hangs_moves_once_and_stays_and_a_silent_directory_moves_nothing() {
    let kit = lab::program("dovecot-ark").expect("the kit");
    let standin = lab::program("lifekeeper-standin").expect("the stand-in");
    let mut stage = Stage::set(&kit, &standin).expect("starting the cluster");
    prepare(&stage.cluster, STOP).expect("letting the check log in");
    for hang in [Hang::Store, Hang::Directory] {
        let downtime = play(&mut stage, hang).expect("what moves");
        println!("{}: no mail for {:.1} s", hang.title(), downtime.as_secs_f64());
    }
    stage.end().expect("each message, and one master");
}
