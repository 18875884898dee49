//! What a test has seen of a row of the fault matrix.

use std::{
    env,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    process, thread,
};

use serde_json::json;

use crate::Answer;

/// One observation for `docs/fault-matrix.md`: a fault was made, a call was seen to end.
///
/// ```no_run
/// # fn example(node: &testbed::Place<'_>) -> std::io::Result<()> {
/// let mut row = testbed::FaultRow::new("M8", "swap on the disk");
/// row.shows(&node.call(&["unmountdevice", "/mnt/volume"])?);
/// // … the assertions; if one fails, or nothing was shown, the row says FAIL
/// # Ok(())
/// # }
/// ```
///
/// The rows stand in `xtask/src/fault_matrix/rows.txt`. Observations go, one line of JSON each, to the
/// folder that the variable `FAULT_MATRIX` names, as `cargo xtask test` and `cargo xtask vm-test` set
/// it; without it there is no record, and the test is the same.
#[derive(Debug)]
pub struct FaultRow {
    row: &'static str,
    done: String,
    /// What came out, and the message shown.
    shown: Option<(String, String)>,
    folder: Option<PathBuf>,
}

impl FaultRow {
    /// `row` as in the matrix; `done` says what was done to the system.
    #[expect(clippy::disallowed_methods, reason = "told by the task that runs the tests")]
    pub fn new(row: &'static str, done: impl Into<String>) -> Self {
        let folder = env::var_os("FAULT_MATRIX").map(PathBuf::from);
        Self { row, done: done.into(), shown: None, folder }
    }

    /// The answer of the call under test; the last one shown counts.
    pub fn shows(&mut self, answer: &Answer) {
        let status = answer.field("status").unwrap_or_else(|| "no JSON object".into());
        self.saw(&status, &answer.message());
    }

    /// An outcome that is not one answer, such as "40 points, 0 losses".
    pub fn saw(&mut self, outcome: &str, message: &str) {
        self.shown = Some((outcome.to_owned(), message.to_owned()));
    }

    fn write(&self, folder: &Path) -> std::io::Result<()> {
        let (outcome, message) = self.shown.clone().unwrap_or_default();
        let passed = self.shown.is_some() && !thread::panicking();
        let done = &self.done;
        let line = json!({
            "row": self.row, "done": done, "outcome": outcome, "message": message, "passed": passed,
        });
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.jsonl", process::id()));
        // One write a record: tests run side by side.
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)?
            .write_all(format!("{line}\n").as_bytes())
    }
}

impl Drop for FaultRow {
    fn drop(&mut self) {
        let Some(folder) = &self.folder else { return };
        let written = self.write(folder);
        // Two panics at once would hide the first.
        assert!(written.is_ok() || thread::panicking(), "no record in {folder:?}: {written:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, panic};

    use super::*;

    /// The record of a test that does `what` with its row.
    fn recorded(what: impl FnOnce(&mut FaultRow) + panic::UnwindSafe) -> String {
        let dir = tempfile::tempdir().unwrap();
        let folder = Some(dir.path().to_owned());
        let mut row = FaultRow { row: "M8", done: "swap".into(), shown: None, folder };
        let _ = panic::catch_unwind(move || what(&mut row));
        fs::read_to_string(dir.path().join(format!("{}.jsonl", process::id()))).unwrap()
    }

    #[test]
    fn a_row_passes_if_something_was_seen_and_nothing_failed() {
        let line = |outcome: &str, passed: bool| {
            format!(
                "{{\"done\":\"swap\",\"message\":\"\",\"outcome\":\"{outcome}\",\
                 \"passed\":{passed},\"row\":\"M8\"}}\n"
            )
        };
        assert_eq!(recorded(|row| row.saw("Failure", "")), line("Failure", true));
        assert_eq!(recorded(|_| ()), line("", false));
        let fails = |row: &mut FaultRow| {
            row.saw("Success", "");
            panic::resume_unwind(Box::new("a failed assertion"));
        };
        assert_eq!(recorded(fails), line("Success", false));
    }
}
