//! The second probe: libblkid's probing, through `blkid -p`.

use std::{fmt, time::Duration};

use command::{Command, Output, Runner};

use crate::{Disk, Error};

/// What blkid says of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Exit code 2 without output. It says so of blank disks, of unknown data, and of disks it
    /// could not read: worth something only beside a complete reading.
    Nothing,
    /// Several signatures, and no way to choose.
    Ambivalent,
    /// Something.
    Found(Probe),
}

/// The values of interest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) fs_type: Option<String>,
    pub(crate) usage: Option<String>,
    pub(crate) uuid: Option<String>,
    pub(crate) partition_table: Option<String>,
}

impl Probe {
    /// The type, if it is a file system on the whole disk and nothing else.
    pub(crate) fn file_system(&self) -> Option<&str> {
        let is_file_system =
            self.usage.as_deref() == Some("filesystem") && self.partition_table.is_none();
        self.fs_type.as_deref().filter(|_| is_file_system)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.fs_type, &self.partition_table) {
            (Some(fs_type), Some(table)) => write!(f, "{fs_type} and a {table} partition table"),
            (Some(fs_type), None) => f.write_str(fs_type),
            (None, Some(table)) => write!(f, "a {table} partition table"),
            (None, None) => f.write_str("something without a type"),
        }
    }
}

/// Asks blkid while `work` is done: both wait for the disk most of the time.
pub(crate) fn probe_while(
    disk: &Disk,
    runner: &dyn Runner,
    mut work: impl FnMut() -> Result<(), Error>,
) -> Result<Verdict, Error> {
    // `-p` goes to the device and past every cache.
    let command = Command::new(BLKID, LIMIT).args(["-p", "-o", "export"]).arg(disk.path());
    let mut done = Ok(());
    let output = runner.run_beside(&command, &mut || done = work());
    done?;
    answer(disk, output)
}

/// Asks blkid for file systems of the kinds that the driver mounts, as if nothing else could be there.
pub(crate) fn probe_mountable(disk: &Disk, runner: &dyn Runner) -> Result<Verdict, Error> {
    let command = Command::new(BLKID, LIMIT).args(["-p", "-n", "ext2,ext3,ext4,xfs"]);
    let command = command.args(["-o", "export"]).arg(disk.path());
    answer(disk, runner.run(&command))
}

fn answer(disk: &Disk, output: Result<Output, command::Error>) -> Result<Verdict, Error> {
    let path = || disk.path().to_owned();
    let output =
        output.map_err(|source| Error::Program { path: path(), program: BLKID, source })?;
    verdict(&output).ok_or_else(|| Error::no_answer(disk, BLKID, &output))
}

/// What the answer means; `None` if it is no answer.
fn verdict(output: &Output) -> Option<Verdict> {
    let is_silent = output.stdout.trim().is_empty() && output.stderr.trim().is_empty();
    match output.code {
        0 => parse(&output.stdout).map(Verdict::Found),
        2 if is_silent => Some(Verdict::Nothing),
        8 => Some(Verdict::Ambivalent),
        _ => None,
    }
}

/// `KEY=value` lines, values with backslash escapes.
fn parse(text: &str) -> Option<Probe> {
    let mut probe = Probe::default();
    let mut lines = 0;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (key, value) = line.split_once('=')?;
        let slot = match key {
            "TYPE" => &mut probe.fs_type,
            "USAGE" => &mut probe.usage,
            "UUID" => &mut probe.uuid,
            "PTTYPE" => &mut probe.partition_table,
            _ => &mut None,
        };
        *slot = Some(value.replace('\\', "")).filter(|value| !value.is_empty());
        lines += 1;
    }
    (lines > 0).then_some(probe)
}

const BLKID: &str = "blkid";
const LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: i32, stdout: &str, stderr: &str, expected: Option<Verdict>) {
        let output = Output { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
        assert_eq!(verdict(&output), expected);
    }

    fn found(text: &str) -> String {
        parse(text).unwrap().to_string()
    }

    #[test]
    fn recorded_answers_are_understood() {
        let ext4 = parse(include_str!("../testdata/blkid/ext4.txt")).unwrap();
        assert_eq!(ext4.file_system(), Some("ext4"));
        assert_eq!(ext4.uuid.as_deref(), Some("11111111-2222-3333-4444-555555555555"));
        let luks = parse(include_str!("../testdata/blkid/luks-over-ext4.txt")).unwrap();
        assert_eq!((luks.file_system(), &*luks.to_string()), (None, "crypto_LUKS"));
        assert_eq!(found(include_str!("../testdata/blkid/swap.txt")), "swap");
        assert_eq!(found(include_str!("../testdata/blkid/gpt.txt")), "a gpt partition table");
    }

    #[test]
    fn a_partition_table_beside_a_file_system_is_no_file_system() {
        let probe = parse("TYPE=ext4\nUSAGE=filesystem\nPTTYPE=dos\n").unwrap();
        assert_eq!(probe.file_system(), None);
        assert_eq!(probe.to_string(), "ext4 and a dos partition table");
    }

    #[test]
    fn only_a_silent_2_is_nothing() {
        check(2, "", "", Some(Verdict::Nothing));
        check(2, "\n", " ", Some(Verdict::Nothing));
        check(2, "", "blkid: error: /dev/sdb: Input/output error", None);
        check(2, "TYPE=ext4\n", "", None);
    }

    #[test]
    fn ambivalence_is_an_answer() {
        check(8, "", "ambivalent result", Some(Verdict::Ambivalent));
    }

    #[test]
    fn every_other_code_is_no_answer() {
        for code in (-1..256).filter(|code| ![0, 2, 8].contains(code)) {
            check(code, "", "", None);
            check(code, "TYPE=ext4\nUSAGE=filesystem\n", "", None);
        }
    }

    #[test]
    fn success_without_values_is_no_answer() {
        check(0, "", "", None);
        check(0, "no values here\n", "", None);
        check(0, "DEVNAME=/dev/sdb\n", "", Some(Verdict::Found(Probe::default())));
        assert_eq!(found("DEVNAME=/dev/sdb\n"), "something without a type");
        assert_eq!(found("TYPE=\n"), "something without a type");
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn only_silence_is_nothing(
                code in prop_oneof![Just(0), Just(2), Just(8), any::<i32>()],
                stdout in "((TYPE|UUID|USAGE|PTTYPE|[A-Z]{1,4})=\\PC{0,9}\n|[^=]{0,6}\n?){0,6}",
                stderr in "\\PC{0,9}|[ \n]{0,3}",
            ) {
                let nothing = code == 2 && stdout.trim().is_empty() && stderr.trim().is_empty();
                let verdict = verdict(&Output { code, stdout, stderr });
                prop_assert_eq!(verdict == Some(Verdict::Nothing), nothing);
                if let Some(Verdict::Found(probe)) = verdict {
                    prop_assert_eq!(code, 0);
                    prop_assert!(!probe.to_string().is_empty());
                }
            }
        }
    }
}
