//! What many runs say together: their spread, and the line through a curve.

/// How some values are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// The smallest.
    pub(super) min: f64,
    /// A quarter of them is smaller.
    pub(super) lower: f64,
    /// Half of them is smaller.
    pub(super) median: f64,
    /// A quarter of them is larger.
    pub(super) upper: f64,
    /// The largest.
    pub(super) max: f64,
}

impl Spread {
    /// The spread of at least one value.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        Some(Self {
            min: *values.first()?,
            lower: quantile(&values, 1)?,
            median: quantile(&values, 2)?,
            upper: quantile(&values, 3)?,
            max: *values.last()?,
        })
    }
}

/// The value that so many quarters of the others lie below; between two values, their mean.
fn quantile(sorted: &[f64], quarters: usize) -> Option<f64> {
    let last = sorted.len().checked_sub(1)? * quarters;
    let (low, high) = (*sorted.get(last / 4)?, *sorted.get(last.div_ceil(4))?);
    Some(f64::midpoint(low, high))
}

/// A straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    /// Its value at 0.
    pub(super) base: f64,
    /// How much each further one adds.
    pub(super) slope: f64,
}

impl Line {
    /// The line of least squares through at least two points that do not stand above each other.
    pub(super) fn through(points: &[(f64, f64)]) -> Option<Self> {
        let mean = |pick: fn(&(f64, f64)) -> f64| {
            let (sum, count) =
                points.iter().fold((0.0, 0.0), |(sum, count), one| (sum + pick(one), count + 1.0));
            sum / count
        };
        let (x, y) = (mean(|one| one.0), mean(|one| one.1));
        let along: f64 = points.iter().map(|one| (one.0 - x) * (one.1 - y)).sum();
        let across: f64 = points.iter().map(|one| (one.0 - x).powi(2)).sum();
        let slope = along / across;
        slope.is_finite().then_some(Self { base: y - slope * x, slope })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn values_in_any_order_have_quarters() {
        let spread = Spread::of(vec![5.0, 1.0, 3.0, 2.0, 4.0]).expect("five values");
        let expected = Spread { min: 1.0, lower: 2.0, median: 3.0, upper: 4.0, max: 5.0 };
        assert_eq!(spread, expected);
        let one = Spread::of(vec![7.0]).expect("a value");
        assert_eq!((one.min.to_bits(), one.max.to_bits()), (7.0_f64.to_bits(), 7.0_f64.to_bits()));
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        let spread = Spread::of(vec![1.0, 2.0, 4.0, 8.0]).expect("four values");
        assert!(close(spread.median, 3.0), "{spread:?}");
        assert!(close(spread.lower, 1.5) && close(spread.upper, 6.0), "{spread:?}");
    }

    #[test]
    fn the_line_goes_through_points_on_it_and_between_others() {
        let exact = Line::through(&[(1.0, 5.0), (10.0, 23.0), (100.0, 203.0)]).expect("a line");
        assert!(close(exact.base, 3.0) && close(exact.slope, 2.0), "{exact:?}");
        let between = Line::through(&[(0.0, 1.0), (0.0, 3.0), (2.0, 5.0), (2.0, 7.0)]);
        let between = between.expect("a line");
        assert!(close(between.base, 2.0) && close(between.slope, 2.0), "{between:?}");
    }

    #[test]
    fn one_point_or_a_wall_of_them_has_no_line() {
        for points in [&[][..], &[(1.0, 1.0)], &[(1.0, 1.0), (1.0, 2.0)]] {
            assert_eq!(Line::through(points), None, "{points:?}");
        }
    }
}
