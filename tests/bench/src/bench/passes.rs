//! A comparison that is repeated until it gives the same result twice.
//!
//! A machine that others share changes its pace within minutes. Two passes in a row that agree were
//! measured while it did not; when no two agree, the machine was measured and not the kit.

use lab::Result;

use crate::samples::Spread;

/// How many passes are made at most.
const MOST: usize = 9;

/// Two passes agree when they differ by less than this share of the smaller one.
const SAME: f64 = 0.03;

/// The results of a comparison, in the order of its passes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Passes(Vec<f64>);

impl Passes {
    /// Makes passes until the last two agree, at most nine.
    pub(super) fn make(mut pass: impl FnMut() -> Result<f64>) -> Result<Self> {
        let mut passes = Self::default();
        while passes.agreed().is_none() && passes.count() < MOST {
            passes.0.push(pass()?);
        }
        Ok(passes)
    }

    /// The mean of the last two passes, if they agree.
    pub(super) fn agreed(&self) -> Option<f64> {
        let &[.., before, last] = self.0.as_slice() else { return None };
        let agree = (before - last).abs() < SAME * before.min(last);
        agree.then(|| f64::midpoint(before, last))
    }

    /// The median of all passes, agreed or not; no number when there are none.
    pub(super) fn median(&self) -> f64 {
        Spread::of(self.0.iter().copied()).map_or(f64::NAN, |spread| spread.median)
    }

    /// How many passes were made.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_end_as_soon_as_two_in_a_row_differ_by_less_than_three_percent() {
        for (results, count, agreed, median) in [
            (&[1.0, 1.02, 9.0][..], 2, Some(1.01), 1.01),
            (&[1.0, 1.0301, 1.0202], 3, Some(1.025_15), 1.0202),
            // The first and the third agree, and are not in a row.
            (&[1.0, 1.2, 1.0, 1.3, 1.0, 1.4, 1.0, 1.5, 1.51], 9, Some(1.505), 1.2),
            (&[1.0, 1.1, 1.0, 1.1, 1.0, 1.1, 1.0, 1.1, 1.05, 1.05], 9, None, 1.05),
        ] {
            let mut next = results.iter().copied();
            let passes = Passes::make(|| Ok(next.next().unwrap_or(f64::NAN))).expect("passes");
            let close = |one: f64, other: f64| (one - other).abs() < 1e-9;
            assert_eq!(passes.count(), count, "{passes:?}");
            let (seen, middle) = (passes.agreed(), passes.median());
            assert_eq!(seen.is_some(), agreed.is_some(), "{passes:?}");
            assert!(seen.zip(agreed).is_none_or(|(one, other)| close(one, other)), "{passes:?}");
            assert!(close(middle, median), "{passes:?}: {middle}");
        }
    }
}
