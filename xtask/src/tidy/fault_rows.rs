//! Rows of the fault matrix: each is named by a test, so that a missing one shows before the whole suite has run.

use std::collections::BTreeSet;

use crate::fault_matrix::needed;

/// The rows that no test names, of all `literals` in tests.
pub(super) fn complaints(literals: &BTreeSet<String>) -> Vec<String> {
    let unseen = needed().filter(|id| !literals.contains(*id));
    unseen
        .map(|id| format!("xtask/src/fault_matrix/rows.txt: no test names the row {id}"))
        .collect()
}

/// What of a source file may name a row: its short literals.
pub(super) fn literals(source: &str) -> impl Iterator<Item = String> {
    let words = source.split('"').filter(|it| it.len() <= 4 && it.is_ascii());
    words.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_no_test_names_is_complained_of() {
        let all: BTreeSet<_> = needed().map(str::to_owned).collect();
        assert_eq!(complaints(&all), Vec::<String>::new());
        let mut some = all;
        some.remove("X3");
        let complaint = "xtask/src/fault_matrix/rows.txt: no test names the row X3";
        assert_eq!(complaints(&some), [complaint]);
        let named: Vec<_> = literals(r#"FaultRow::new("X3", "the log is a folder")"#).collect();
        assert_eq!(named, ["X3", ", ", ")"]);
    }
}
