//! The third probe: the list of signatures that `wipefs` would remove.

use std::{fmt, time::Duration};

use command::{Command, Output, Runner};

use crate::{Disk, Error};

/// One signature of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) offset: u64,
    pub(crate) uuid: Option<String>,
    pub(crate) fs_type: String,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.fs_type, self.offset)
    }
}

/// Asks wipefs. Its parsable form is older than its JSON: Oracle Linux 7 has only the former.
pub(crate) fn list(disk: &Disk, runner: &dyn Runner) -> Result<Vec<Listed>, Error> {
    let command = Command::new(WIPEFS, LIMIT).args(["--no-act", "--parsable"]).arg(disk.path());
    let output = runner.run(&command).map_err(|source| Error::Program {
        path: disk.path().to_owned(),
        program: WIPEFS,
        source,
    })?;
    listed(&output).ok_or_else(|| Error::no_answer(disk, WIPEFS, &output))
}

/// The list; `None` if it is no answer.
fn listed(output: &Output) -> Option<Vec<Listed>> {
    if !output.success() || !output.stderr.trim().is_empty() {
        return None;
    }
    output
        .stdout
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(parse)
        .collect()
}

/// `0x438,UUID,label,ext4`, in which the label may be anything.
fn parse(line: &str) -> Option<Listed> {
    let (offset, rest) = line.split_once(',')?;
    let (uuid, rest) = rest.split_once(',')?;
    let (_label, fs_type) = rest.rsplit_once(',')?;
    Some(Listed {
        offset: u64::from_str_radix(offset.strip_prefix("0x")?, 16).ok()?,
        uuid: (!uuid.is_empty()).then(|| uuid.to_owned()),
        fs_type: fs_type.to_owned(),
    })
}

const WIPEFS: &str = "wipefs";
const LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: i32, stdout: &str, stderr: &str, expected: Option<&[&str]>) {
        let output = Output { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
        let found = listed(&output).map(|list| list.iter().map(Listed::to_string).collect());
        assert_eq!(
            found,
            expected.map(|list| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
        );
    }

    #[test]
    fn recorded_lists_are_understood() {
        check(0, "", "", Some(&[]));
        check(
            0,
            include_str!("../testdata/wipefs/luks-over-ext4.txt"),
            "",
            Some(&["crypto_LUKS at offset 0", "ext4 at offset 1080"]),
        );
        check(
            0,
            include_str!("../testdata/wipefs/gpt.txt"),
            "",
            Some(&["gpt at offset 512", "gpt at offset 67108352", "PMBR at offset 510"]),
        );
    }

    #[test]
    fn the_header_of_older_versions_is_skipped() {
        check(0, "# offset,uuid,label,type\n0x0,,,xfs\n", "", Some(&["xfs at offset 0"]));
    }

    #[test]
    fn a_label_may_hold_commas() {
        let listed = parse("0x438,1-2,a,b\\x20c,ext4").unwrap();
        assert_eq!((listed.uuid.as_deref(), &*listed.fs_type), (Some("1-2"), "ext4"));
    }

    #[test]
    fn anything_odd_is_no_answer() {
        for line in ["x", "0x438", "0x438,uuid", "0x438,uuid,ext4", "438,,,ext4", "0xzz,,,ext4"] {
            check(0, line, "", None);
        }
        check(1, "", "", None);
        check(0, "", "wipefs: error: /dev/sdb: Input/output error", None);
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn every_line_is_a_signature_or_there_is_no_answer(
                stdout in "((0x)?[0-9a-f]{0,17},[^,\n]{0,6},\\PC{0,6},[a-z0-9]{0,5}\n|[^\n]{0,9}\n){0,5}",
            ) {
                let lines = stdout.lines().filter(|it| !it.is_empty() && !it.starts_with('#')).count();
                let list = listed(&Output { code: 0, stdout, stderr: String::new() });
                prop_assert!(list.is_none_or(|list| list.len() == lines));
            }

            #[test]
            fn what_is_listed_is_read(
                offset: u64,
                uuid in "[0-9a-f-]{0,36}",
                label in "[^\n]{0,12}",
                fs_type in "[a-z0-9_]{1,12}",
            ) {
                let listed = parse(&format!("{offset:#x},{uuid},{label},{fs_type}")).unwrap();
                prop_assert_eq!(listed.offset, offset);
                prop_assert_eq!(listed.uuid.unwrap_or_default(), uuid);
                prop_assert_eq!(listed.fs_type, fs_type);
            }
        }
    }
}
