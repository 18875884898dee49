//! What the guest says on its console.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use indicatif::ProgressBar;

/// Shows what the guest says, and keeps all of it.
pub(super) struct Console {
    log: File,
    clock: ProgressBar,
    /// Stands before what is shown.
    name: String,
}

/// What a guest asks for on its console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The name of its next case, as a line; an empty one if there is none.
    Case,
    /// A second guest beside it, the node-2 of its cases.
    Second,
}

/// What came out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The suite's exit status; none if the guest did not get so far.
    pub(super) exit: Option<i32>,
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// What the cases measured.
    pub(super) figures: Vec<String>,
    /// What the cases saw of the fault matrix.
    rows: Vec<String>,
    /// What failing cases said, by name.
    failures: Vec<(String, String)>,
}

impl Console {
    pub(super) fn new(log: &Path, name: String) -> Result<Self> {
        let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        Ok(Self { log, clock: ProgressBar::hidden(), name })
    }

    /// Reads to the end, a line at a time; calls `grant` when the guest asks for something.
    pub(super) fn follow(
        mut self,
        said: impl Iterator<Item = io::Result<Vec<u8>>>,
        mut grant: impl FnMut(Wish) -> Result<()>,
    ) -> Result<Verdict> {
        let mut verdict = Verdict::default();
        for line in said {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\r');
            writeln!(self.log, "{line}")?;
            if let Some(wish) = Wish::read(line) {
                grant(wish)?;
            } else if let Some(line) = verdict.take(line) {
                println!("{:7.1} s  {}{line}", self.clock.elapsed().as_secs_f64(), self.name);
            }
        }
        Ok(verdict)
    }
}

impl Wish {
    fn read(line: &str) -> Option<Self> {
        match line {
            "NEXT" => Some(Self::Case),
            "BOOT node-2" => Some(Self::Second),
            _ => None,
        }
    }
}

impl Verdict {
    /// What two guests have seen; they agree on an exit status only if both have one.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.exit = self.exit.zip(other.exit).map(|(one, two)| one.max(two));
        self.passed += other.passed;
        self.failed += other.failed;
        self.figures.extend(other.figures);
        self.rows.extend(other.rows);
        self.failures.extend(other.failures);
        self
    }

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

#[cfg(test)]
mod tests {
    use std::io::BufRead as _;

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
    fn two_guests_have_one_verdict() {
        let one = verdict("CASE a ok\nROW {1}\nVERDICT 0\n");
        let two = verdict("FIGURE 2 ms\nCASE b FAILED\nLOG no disk\nROW {2}\nVERDICT 1\n");
        let expected = Verdict {
            exit: Some(1),
            passed: 1,
            failed: 1,
            figures: vec!["2 ms".into()],
            rows: vec!["{1}".into(), "{2}".into()],
            failures: vec![("b".into(), "no disk\n".into())],
        };
        assert_eq!(one.and(two), expected);
    }

    #[test]
    fn one_guest_that_fell_silent_is_enough_to_have_none() {
        let silent = || verdict("CASE a ok\n");
        assert_eq!(silent().and(verdict("VERDICT 0\n")).exit, None);
        assert_eq!(verdict("VERDICT 1\n").and(silent()).exit, None);
    }

    #[test]
    fn what_is_asked_for_is_granted_and_not_shown() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let console = Console::new(log.path(), String::new()).unwrap();
        let mut wishes = Vec::new();
        let said = "NEXT\r\nBOOT node-2\r\nCASE a ok\r\nNEXT\r\nVERDICT 0\r\n";
        let lines = io::Cursor::new(said).split(b'\n');
        let verdict = console.follow(lines, |wish| {
            wishes.push(wish);
            Ok(())
        });
        assert_eq!(verdict.unwrap(), Verdict { exit: Some(0), passed: 1, ..Verdict::default() });
        assert_eq!(wishes, [Wish::Case, Wish::Second, Wish::Case]);
    }

    #[test]
    fn what_else_is_said_is_shown_and_counts_nothing() {
        let mut verdict = Verdict::default();
        let line = "[    1.0] reboot: Power down";
        assert_eq!(verdict.take(line), Some(line));
        assert_eq!(verdict, Verdict::default());
    }
}
