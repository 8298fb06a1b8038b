//! A remove keeps its word: whatever runs or starts meanwhile, nothing of Dovecot is left after it.
//!
//! `cargo xtask endurance removes` and `races` do the same thousands of times.

use std::time::Duration;

use lab::{End, Means, Races, Removal};

use crate::kit::Kit;

on_each_node!(
    nothing_is_left_of_a_dovecot_with_ten_clients,
    no_master_comes_after_a_remove_that_raced,
);

/// How often Dovecot is removed.
const REMOVES: usize = 6;
/// With a restore and a start there is a race where Dovecot runs before, and one where it does not.
const RACES: u32 = 5;
/// A process that comes back is expected within this; the thousands are watched for longer.
const LATER: Duration = Duration::from_millis(200);

fn nothing_is_left_of_a_dovecot_with_ten_clients(kit: &Kit) {
    for means in Means::ALL.into_iter().cycle().take(REMOVES) {
        let removal = Removal::perform(&kit.node, means, LATER).expect("a remove");
        assert_eq!(removal.failure, None, "by {means}");
    }
}

fn no_master_comes_after_a_remove_that_raced(kit: &Kit) {
    let races = Races::on(&kit.node).expect("a node to race on");
    for number in 0..RACES {
        let race = races.hold(number).expect("a race");
        assert!(!matches!(race.end, End::Broken(_)), "{race}\n{}", kit.log());
    }
}
