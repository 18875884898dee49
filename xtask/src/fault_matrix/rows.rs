//! The rows of the matrix, as data.

/// One fault, and what must come out.
pub(super) struct Row {
    /// The call it belongs to.
    pub(super) call: &'static str,
    pub(super) id: &'static str,
    pub(super) fault: &'static str,
    /// What must come out.
    pub(super) must: &'static str,
    /// Why no test can see it.
    pub(super) elsewhere: Option<&'static str>,
}

/// All rows, in the order of the page. A line is `# call` or `id | fault | must`, and
/// `id | fault | must | reason` where no test can see it.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    let mut call = "";
    ROWS.lines().filter_map(move |line| {
        if let Some(name) = line.strip_prefix("# ") {
            call = name;
            return None;
        }
        let mut parts = line.split(" | ");
        Some(Row {
            call,
            id: parts.next()?,
            fault: parts.next()?,
            must: parts.next()?,
            elsewhere: parts.next(),
        })
    })
}

pub(super) const FILE: &str = "xtask/src/fault_matrix/rows.txt";
const ROWS: &str = include_str!("rows.txt");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_is_a_row_of_its_own() {
        let lines = ROWS.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()).count();
        let ids: BTreeSet<_> = rows().map(|row| row.id).collect();
        assert_eq!((rows().count(), ids.len()), (lines, lines));
    }
}
