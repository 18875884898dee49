//! What the guest says on its console.

use std::{
    fs::{self, File},
    io::{BufRead, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use indicatif::ProgressBar;

/// Shows what the guest says, and keeps all of it.
pub(super) struct Console {
    log: File,
    clock: ProgressBar,
}

/// What came out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The suite's exit status; none if the guest did not get so far.
    pub(super) exit: Option<i32>,
    pub(super) passed: u32,
    pub(super) failed: u32,
    /// What the cases saw of the fault matrix.
    rows: Vec<String>,
    /// What failing cases said, by name.
    failures: Vec<(String, String)>,
}

impl Console {
    pub(super) fn new(log: &Path) -> Result<Self> {
        let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        Ok(Self { log, clock: ProgressBar::hidden() })
    }

    /// Reads to the end, a line at a time.
    pub(super) fn follow(mut self, said: impl BufRead) -> Result<Verdict> {
        let mut verdict = Verdict::default();
        for line in said.split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\r');
            writeln!(self.log, "{line}")?;
            if verdict.take(line) {
                println!("{:7.1} s  {line}", self.clock.elapsed().as_secs_f64());
            }
        }
        Ok(verdict)
    }
}

impl Verdict {
    /// Reads one line; whether it is for people.
    fn take(&mut self, line: &str) -> bool {
        if let Some(row) = line.strip_prefix("ROW ") {
            self.rows.push(row.to_owned());
            return false;
        }
        if let Some(code) = line.strip_prefix("EXIT=") {
            self.exit = code.parse().ok();
            return false;
        }
        if let Some(counts) = line.strip_prefix("test result: ") {
            // `ok. 3 passed; 0 failed; …`, said again on the host
            let count = |what: &str| {
                let part = counts.split([';', '.']).find_map(|it| it.trim().strip_suffix(what));
                part.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
            };
            (self.passed, self.failed) = (count("passed"), count("failed"));
            return false;
        }
        let name = line.strip_prefix("---- ").and_then(|it| it.strip_suffix(" stdout ----"));
        if let Some(name) = name {
            self.failures.push((name.to_owned(), String::new()));
        } else if line == "failures:" {
            // The list of names at the end.
        } else if let Some((_, text)) = self.failures.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
        true
    }

    pub(super) fn write_rows(&self, folder: &Path) -> Result<()> {
        let text: String = self.rows.iter().map(|row| format!("{row}\n")).collect();
        Ok(fs::write(folder.join("vm.jsonl"), text)?)
    }

    /// A file for each case that failed; those of an earlier run are removed.
    pub(super) fn write_failures(&self, folder: &Path) -> Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        for (name, text) in &self.failures {
            fs::write(folder.join(format!("{}.log", name.replace("::", "."))), text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> Verdict {
        let mut verdict = Verdict::default();
        text.lines().for_each(|line| {
            verdict.take(line);
        });
        verdict
    }

    #[test]
    fn a_guest_that_got_to_its_end_has_a_verdict() {
        let seen = verdict(
            "running 2 tests\ntest a ... ok\ntest b ... ok\ntest result: ok. 2 passed; 0 failed; 0 ignored\nROW {}\nEXIT=0\n",
        );
        assert_eq!((seen.exit, seen.passed, seen.failed), (Some(0), 2, 0));
        assert_eq!(seen.rows, ["{}"]);
    }

    #[test]
    fn a_guest_that_fell_silent_has_none() {
        assert_eq!(verdict("running 2 tests\ntest a ... ok\n").exit, None);
        assert_eq!(verdict("EXIT=\n").exit, None);
    }

    #[test]
    fn what_a_failing_case_said_is_kept_under_its_name() {
        let seen = verdict(
            "failures:\n\n---- a::b stdout ----\nno disk\n\n---- c stdout ----\nno session\nfailures:\n",
        );
        let text = |text: &str| text.to_owned();
        assert_eq!(
            seen.failures,
            [(text("a::b"), text("no disk\n\n")), (text("c"), text("no session\n"))]
        );
    }
}
