//! No master comes after a remove: it begins together with a restore, a start by somebody else, or
//! the death of the master.

use std::collections::BTreeMap;

use lab::{End, Error, Races, Result, kit};

use super::{Place, Tools};

/// Holds races on a node.
pub(super) fn run(tools: &Tools, place: Place, count: u32) -> Result<()> {
    let node = kit::node_on(&tools.kit, place.1, place.2)?;
    let races = Races::on(&node)?;
    let mut ends: BTreeMap<_, [u32; 3]> = BTreeMap::new();
    for number in 0..count {
        let race = races.hold(number)?;
        let [gone, later, lost] = ends.entry(race.rival).or_default();
        match race.end {
            End::Gone => *gone += 1,
            End::Later(_) => *later += 1,
            End::Broken(_) => {
                println!("race {number}: {race}");
                *lost += 1;
            }
        }
    }
    for (rival, [gone, later, lost]) in &ends {
        println!("{rival}: {gone} gone, {later} started later, {lost} lost");
    }
    match ends.values().map(|[.., lost]| lost).sum() {
        0 => Ok(()),
        lost => Err(Error::failed("racing", format!("{lost} races were lost"))),
    }
}
