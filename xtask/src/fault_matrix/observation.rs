//! What a test has seen of a row: a line of JSON, written by `testbed::FaultRow`.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Observation {
    pub(super) row: String,
    /// What was done to the system.
    pub(super) done: String,
    pub(super) outcome: String,
    pub(super) message: String,
    pub(super) passed: bool,
    /// Where the test ran.
    #[serde(skip)]
    pub(super) machine: &'static str,
}

/// All observations below `folder`, none if there was no run; ordered, whichever test was faster.
pub(super) fn read(folder: &Path, machine: &'static str) -> Result<Vec<Observation>> {
    let mut seen = Vec::new();
    if folder.exists() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let text = fs::read_to_string(&path)?;
            let at = || format!("cannot read {}", path.display());
            seen.extend(parse(&text, machine).with_context(at)?);
        }
    }
    seen.sort_by(|a, b| (&a.row, &a.done).cmp(&(&b.row, &b.done)));
    Ok(seen)
}

fn parse(text: &str, machine: &'static str) -> Result<Vec<Observation>> {
    let observation = |line| Ok(Observation { machine, ..serde_json::from_str(line)? });
    text.lines().map(observation).collect()
}
