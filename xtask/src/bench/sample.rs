//! Many measurements of one thing.

/// The values of all rounds, sorted.
#[derive(Debug)]
pub(super) struct Sample(Vec<f64>);

impl Sample {
    /// The middle value: what disturbs some rounds does not move it. NaN of nothing.
    pub(super) fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The smallest value. NaN of nothing.
    pub(super) fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// The largest value. NaN of nothing.
    pub(super) fn most(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbed_round_does_not_move_the_median() {
        let sample: Sample = [2.0, 90.0, 1.0, 3.0, 2.5].into_iter().collect();
        assert_eq!([sample.least(), sample.median(), sample.most()], [1.0, 2.5, 90.0]);
    }

    #[test]
    fn nothing_has_no_median() {
        assert!(Sample::from_iter([]).median().is_nan());
    }
}
