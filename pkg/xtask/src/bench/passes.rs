//! A comparison that is repeated until it gives the same result twice.
//!
//! A machine that others share changes its pace within minutes. Two passes in a row that agree were
//! measured while it did not; when no two agree, the machine was measured and not the kit.

use lab::Result;

use super::statistics::Spread;

/// How many passes are made at most.
const MOST: usize = 9;

/// Two passes agree when they differ by less than this share of the smaller one.
const SAME: f64 = 0.03;

/// The results of a comparison, in the order of its passes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Passes(Vec<f64>);

impl Passes {
    /// Makes passes until the last two agree, at most nine.
    ///
    /// # Errors
    ///
    /// When a pass fails.
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
        Spread::of(self.0.clone()).map_or(f64::NAN, |spread| spread.median)
    }

    /// How many passes were made.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes passes with these results.
    fn made(results: &[f64]) -> Passes {
        let mut results = results.iter().copied();
        let next = || results.next().ok_or_else(|| lab::Error::failed("comparing", "no more"));
        Passes::make(next).expect("enough results")
    }

    #[test]
    fn passes_end_as_soon_as_two_in_a_row_agree() {
        for (results, count, agreed) in [
            (&[1.0, 1.02, 9.0][..], 2, 1.01),
            (&[1.0, 1.1, 1.08, 9.0], 3, 1.09),
            // The first and the third agree, and are not in a row.
            (&[1.0, 1.2, 1.0, 1.3, 1.0, 1.4, 1.0, 1.5, 1.51], 9, 1.505),
        ] {
            let passes = made(results);
            assert_eq!(passes.count(), count, "{passes:?}");
            let value = passes.agreed().expect("they agree");
            assert!((value - agreed).abs() < 1e-9, "{passes:?}: {value}");
        }
    }

    #[test]
    fn nine_passes_of_which_no_two_agree_are_the_last() {
        let passes = made(&[1.0, 1.1, 1.0, 1.1, 1.0, 1.1, 1.0, 1.1, 1.05, 1.05]);
        assert_eq!((passes.count(), passes.agreed()), (9, None));
        assert!((passes.median() - 1.05).abs() < 1e-9, "{passes:?}");
    }

    #[test]
    fn neither_three_percent_nor_no_number_agrees() {
        for results in [&[][..], &[1.0], &[1.0, 1.0301], &[f64::NAN, f64::NAN]] {
            assert_eq!(Passes(results.to_vec()).agreed(), None, "{results:?}");
        }
        assert!(Passes::default().median().is_nan());
    }

    #[test]
    fn a_pass_that_fails_is_an_error() {
        let error = Passes::make(|| Err(lab::Error::failed("timing", "exit status 1")));
        assert_eq!(error.expect_err("it failed").to_string(), "timing: exit status 1");
    }
}
