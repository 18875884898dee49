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
    /// What the cases measured.
    pub(super) figures: Vec<String>,
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

    /// Reads to the end, a line at a time; calls `boot` when the guest wants a second one beside it.
    pub(super) fn follow(
        mut self,
        said: impl BufRead,
        mut boot: impl FnMut() -> Result<()>,
    ) -> Result<Verdict> {
        let mut verdict = Verdict::default();
        for line in said.split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\r');
            writeln!(self.log, "{line}")?;
            if line == BOOT {
                boot()?;
            } else if let Some(line) = verdict.take(line) {
                println!("{:7.1} s  {line}", self.clock.elapsed().as_secs_f64());
            }
        }
        Ok(verdict)
    }
}

impl Verdict {
    /// Reads one line; what of it is for people.
    fn take<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "ROW" => self.rows.push(rest.to_owned()),
            "FIGURE" => {
                self.figures.push(rest.to_owned());
                return Some(rest);
            }
            "CASE" => {
                let (name, result) = rest.rsplit_once(' ').unwrap_or((rest, ""));
                if result == "ok" {
                    self.passed += 1;
                } else {
                    self.failed += 1;
                    self.failures.push((name.to_owned(), String::new()));
                }
                return Some(rest);
            }
            "LOG" => {
                if let Some((_, text)) = self.failures.last_mut() {
                    text.push_str(rest);
                    text.push('\n');
                }
                return Some(rest);
            }
            "VERDICT" => self.exit = rest.parse().ok(),
            _ => return Some(line),
        }
        None
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

const BOOT: &str = "BOOT node-2";

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
            "FIGURE 2 ms\nCASE a ok\nCASE b::c FAILED\nLOG no disk\nLOG \nROW {}\nVERDICT 1\n",
        );
        let expected = Verdict {
            exit: Some(1),
            passed: 1,
            failed: 1,
            figures: vec!["2 ms".into()],
            rows: vec!["{}".into()],
            failures: vec![("b::c".into(), "no disk\n\n".into())],
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_guest_that_fell_silent_has_none() {
        assert_eq!(verdict("CASE a ok\n").exit, None);
        assert_eq!(verdict("VERDICT \n").exit, None);
    }

    #[test]
    fn what_else_is_said_is_shown_and_counts_nothing() {
        let mut verdict = Verdict::default();
        let line = "[    1.0] reboot: Power down";
        assert_eq!(verdict.take(line), Some(line));
        assert_eq!(verdict, Verdict::default());
    }
}
