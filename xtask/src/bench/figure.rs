//! A measured figure and the bound that it should keep.

/// What was measured.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    /// The median of all rounds.
    pub(super) median: f64,
    /// The best round: the least disturbed one.
    pub(super) best: Option<f64>,
    /// The same in another unit.
    pub(super) also: Option<String>,
    pub(super) bound: Bound,
    /// What the driver in Go needs.
    pub(super) go: &'static str,
    /// What most of it is spent on, for the case that it is too much.
    pub(super) because: String,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    /// `1.9 × (best 1.7 ×; 1.2 ms)`
    pub(super) fn measured(&self) -> String {
        let best = self.best.map(|best| format!("best {}", self.shown(best)));
        let more: Vec<_> = best.into_iter().chain(self.also.clone()).collect();
        match &*more.join("; ") {
            "" => self.shown(self.median),
            more => format!("{} ({more})", self.shown(self.median)),
        }
    }

    /// `≤ 3 ×`
    pub(super) fn bound(&self) -> String {
        match self.bound {
            Bound::AtMost(most) => format!("≤ {}", self.shown(most)),
            Bound::AtLeast(least) => format!("≥ {}", self.shown(least)),
        }
    }

    /// How much is missing to the bound, if it is missed.
    pub(super) fn gap(&self) -> Option<f64> {
        let gap = match self.bound {
            Bound::AtMost(most) => self.median - most,
            Bound::AtLeast(least) => least - self.median,
        };
        (gap > 0.0).then_some(gap)
    }

    /// `met`, or by how much it is missed and why.
    pub(super) fn verdict(&self) -> String {
        match self.gap() {
            None => "met".to_owned(),
            Some(gap) => format!("missed by {} because {}", self.shown(gap), self.because),
        }
    }

    fn shown(&self, value: f64) -> String {
        let digits = match value.abs() {
            it if it.fract() == 0.0 => 0,
            it if it < 10.0 => 2,
            _ => 1,
        };
        format!("{value:.digits$} {}", self.unit).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(median: f64, bound: Bound, expected: [&str; 3]) {
        let figure = Figure {
            what: "size",
            unit: "MB",
            median,
            best: None,
            also: None,
            bound,
            go: "",
            because: "it is large".to_owned(),
        };
        assert_eq!([figure.measured(), figure.bound(), figure.verdict()], expected);
    }

    #[test]
    fn a_figure_tells_whether_it_keeps_its_bound() {
        check(3.0, Bound::AtMost(4.0), ["3 MB", "≤ 4 MB", "met"]);
        check(4.0, Bound::AtMost(4.0), ["4 MB", "≤ 4 MB", "met"]);
        let missed = "missed by 0.39 MB because it is large";
        check(4.39, Bound::AtMost(4.0), ["4.39 MB", "≤ 4 MB", missed]);
        check(99.02, Bound::AtLeast(95.0), ["99.0 MB", "≥ 95 MB", "met"]);
        let missed = "missed by 15 MB because it is large";
        check(80.0, Bound::AtLeast(95.0), ["80 MB", "≥ 95 MB", missed]);
    }

    #[test]
    fn the_best_round_and_another_unit_stand_in_brackets() {
        let figure = Figure {
            what: "time",
            unit: "×",
            median: 1.9,
            best: Some(1.75),
            also: Some("1.2 ms".to_owned()),
            bound: Bound::AtMost(3.0),
            go: "",
            because: String::new(),
        };
        assert_eq!(figure.measured(), "1.90 × (best 1.75 ×; 1.2 ms)");
    }
}
