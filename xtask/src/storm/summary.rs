//! A storm in figures.

use std::time::Duration;

use testbed::Aftermath;

/// What one storm has shown.
pub(super) struct Summary<'a> {
    pub(super) name: &'a str,
    pub(super) arrived: usize,
    pub(super) most_requests: usize,
    looks: (usize, usize),
    all: usize,
    refused: usize,
    first_second: usize,
    /// The busiest one after the crowd of the beginning.
    busiest_second: usize,
    middle: Duration,
    last: Duration,
}

impl<'a> Summary<'a> {
    pub(super) fn of(name: &'a str, storm: &Aftermath) -> Self {
        let looks: Vec<usize> = sorted(storm.costs.iter().map(|it| it.looks));
        let took: Vec<Duration> = sorted(storm.answers.iter().map(|it| it.took));
        let seconds = seconds(storm);
        Self {
            name,
            arrived: storm.answers.iter().filter(|it| it.is_success()).count().min(storm.attached),
            most_requests: storm.costs.iter().map(|it| it.requests).max().unwrap_or_default(),
            looks: (middle(&looks), looks.last().copied().unwrap_or_default()),
            all: storm.requests.len(),
            refused: storm.requests.iter().filter(|it| it.is_refused).count(),
            first_second: seconds.iter().take(CROWD).copied().max().unwrap_or_default(),
            busiest_second: seconds.iter().skip(CROWD).copied().max().unwrap_or_default(),
            middle: middle(&took),
            last: took.last().copied().unwrap_or_default(),
        }
    }
}

/// Markdown that can be read as it is: a column for each storm.
pub(super) fn table(storms: &[Summary<'_>]) -> String {
    let row = |what: &str, cell: &dyn Fn(&Summary<'_>) -> String| {
        let cells: String = storms.iter().map(|it| format!(" {:<20} |", cell(it))).collect();
        format!("| {what:<46} |{cells}\n")
    };
    let rule: String = storms.iter().map(|_| format!("{}|", "-".repeat(22))).collect();
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    [
        row("", &|it| it.name.to_owned()),
        format!("|{}|{rule}\n", "-".repeat(48)),
        row("arrived, in one call each", &|it| it.arrived.to_string()),
        row("requests per attach, at most", &|it| it.most_requests.to_string()),
        row("looks per attach, median (at most)", &|it| format!("{} ({})", it.looks.0, it.looks.1)),
        row("requests in all", &|it| it.all.to_string()),
        row("of them answered by 429", &|it| it.refused.to_string()),
        row("busiest second of the first three", &|it| it.first_second.to_string()),
        row("busiest second after them", &|it| it.busiest_second.to_string()),
        row("attach, median", &|it| seconds(it.middle)),
        row("attach, last", &|it| seconds(it.last)),
    ]
    .concat()
}

/// Requests in each second.
fn seconds(storm: &Aftermath) -> Vec<usize> {
    let mut seconds = Vec::new();
    for it in &storm.requests {
        let second = usize::try_from(it.at.as_secs()).unwrap_or_default();
        seconds.resize(seconds.len().max(second + 1), 0);
        if let Some(count) = seconds.get_mut(second) {
            *count += 1;
        }
    }
    seconds
}

fn sorted<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values
}

fn middle<T: Copy + Default>(sorted: &[T]) -> T {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Seconds that the crowd of the beginning may take.
const CROWD: usize = 3;
