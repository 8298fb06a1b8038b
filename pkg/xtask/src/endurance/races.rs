//! No master comes after a remove: it begins together with a restore, a start by somebody else, or
//! the death of the master.

use std::path::Path;

use lab::{End, Error, Race, Races, Result, Rival};

use super::Wanted;
use crate::heading::heading;
use crate::kit;

/// How many races there are when nothing is said.
pub(super) const COUNT: u32 = 200;

/// Holds races on a node of each kind that is wanted.
pub(super) fn run(binary: &Path, wanted: &Wanted) -> Result<()> {
    let mut broken = 0;
    for (place, share) in wanted.places.iter().zip(wanted.shares(wanted.places.len())) {
        heading(&format!("{place}: {share} removes that race with a restore, a start, a kill"));
        let node = kit::node_on(binary, place.0, place.1)?;
        let races = Races::on(&node)?;
        let mut ended = Vec::new();
        for number in 0..share {
            let race = races.hold(number)?;
            if matches!(race.end, End::Broken(_)) {
                println!("   race {number}: {race}");
                broken += 1;
            }
            ended.push(race);
        }
        for rival in Rival::ALL {
            println!("   {}", row(rival, &ended));
        }
    }
    if broken > 0 {
        return Err(Error::failed("racing", format!("{broken} races were lost")));
    }
    Ok(())
}

/// Counts the ends of the races with one rival.
fn row(rival: Rival, races: &[Race]) -> String {
    let mut counts = [0; 3];
    let [gone, later, broken] = &mut counts;
    for race in races.iter().filter(|race| race.rival == rival) {
        *match race.end {
            End::Gone => &mut *gone,
            End::Later(_) => &mut *later,
            End::Broken(_) => &mut *broken,
        } += 1;
    }
    format!("{rival:<8} {gone:>4} gone, {later:>4} started later, {broken:>4} lost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_the_ends_of_one_rival() {
        let race = |rival, end| Race { rival, lead: 0, end };
        let races = [
            race(Rival::Kill, End::Gone),
            race(Rival::Start, End::Later("it came later")),
            race(Rival::Start, End::Broken("a master".into())),
            race(Rival::Start, End::Gone),
        ];
        let cells = row(Rival::Start, &races);
        assert_eq!(
            cells.split_whitespace().collect::<Vec<_>>().join(" "),
            "start 1 gone, 1 started later, 1 lost"
        );
    }
}
