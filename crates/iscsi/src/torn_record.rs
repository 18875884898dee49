//! Node records that iscsiadm cannot read, and that stand in the way.
//!
//! iscsiadm writes a record in its place. When it is killed there, or power fails, the record is empty, cut off, or
//! of NUL bytes. Then every `--op new` fails, `--op update` and `--op delete` do not find it, and an iscsid that
//! starts anew takes an empty name and portal from it and gives its session up, which with no record at all it keeps.
//! Records of other targets that are like that do no harm. (open-iscsi 2.1.8, `usr/idbm.c`, `usr/iscsid.c`; tried.)

use std::{fs, io, path::Path, time::Duration};

use zeroize::Zeroizing;

use crate::{
    Error, Initiator, Target,
    node_record::{END, at_portal, records},
};

impl Initiator {
    /// Removes what holds no record of `target` at its portal, but has the name of one; files and empty folders.
    /// What cannot be removed is for iscsiadm to complain of.
    pub(crate) fn remove_torn_records(&self, target: &Target) {
        for nodes in &self.host.nodes {
            if let Err(error) = self.remove_torn_in(nodes, target) {
                log::warn!("node records of {target} in {} may be torn: {error}", nodes.display());
            }
        }
    }

    /// Removes all records of `target` at its portal, whatever they say; whether there were any. Only for a target
    /// without a session, whose record would be replaced if iscsiadm could.
    ///
    /// # Errors
    /// One cannot be found or removed.
    pub(crate) fn remove_records(&self, target: &Target) -> Result<bool, Error> {
        let failed = |path: &Path, source| Error::StaleRecord {
            target: target.clone(),
            path: path.to_owned(),
            source,
        };
        let mut found = false;
        for nodes in &self.host.nodes {
            for record in records(nodes, target).map_err(|source| failed(nodes, source))? {
                fs::remove_file(&record).map_err(|source| failed(&record, source))?;
                log::warn!("removed {}, which iscsiadm could not replace", record.display());
                found = true;
            }
        }
        self.remove_torn_records(target);
        Ok(found)
    }

    fn remove_torn_in(&self, nodes: &Path, target: &Target) -> io::Result<()> {
        let mut torn = records(nodes, target)?;
        torn.retain(|record| is_torn(record));
        if !torn.is_empty() {
            self.clock.sleep(WRITING);
        }
        for record in torn.iter().filter(|record| is_torn(record)) {
            fs::remove_file(record)?;
            log::warn!("removed {}, which was not a whole node record", record.display());
        }
        for folder in at_portal(nodes, target)?.iter().filter(|it| it.is_dir()) {
            remove_empty(folder)?;
        }
        remove_empty(&nodes.join(target.iqn.as_ref()))
    }
}

/// Whether the file reads, but not as a record.
fn is_torn(record: &Path) -> bool {
    fs::read(record).map(Zeroizing::new).is_ok_and(|bytes| !is_whole(&bytes))
}

/// Whether the text has come to its end, all of it has reached the disk, and it says what it is a record of: without
/// that, as when it was edited, it does the same harm.
fn is_whole(record: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(record) else { return false };
    let says = |name: &str| {
        let mut settings = text.lines().filter_map(|line| line.split_once('='));
        settings.any(|(it, value)| it.trim() == name && !value.trim().is_empty())
    };
    !text.contains('\0')
        && text.lines().any(|line| line.trim() == END)
        && WHAT.iter().all(|it| says(it))
}

fn remove_empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error) if !EXPECTED.contains(&error.kind()) => Err(error),
        _ => Ok(()),
    }
}

/// What iscsiadm knows a record by, beside the name of its file.
const WHAT: [&str; 2] = ["node.name", "node.conn[0].address"];
/// It holds something, or is not there.
const EXPECTED: [io::ErrorKind; 2] = [io::ErrorKind::DirectoryNotEmpty, io::ErrorKind::NotFound];
/// How long an iscsiadm that is still at work may take from the beginning of a record to its end.
const WRITING: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "# BEGIN RECORD 2.1.8\nnode.name = iqn.x:1f2e\n\
        node.conn[0].address = 169.254.2.2\n# END RECORD\n";

    #[test]
    fn a_record_is_whole_when_all_of_it_is_there() {
        assert!(is_whole(WHOLE.as_bytes()));
        let mut nul_inside = WHOLE.as_bytes().to_vec();
        nul_inside[25] = 0;
        assert!(!is_whole(&nul_inside));
        assert!(!is_whole(&[0; 4096]));
        assert!(!is_whole(b"\xff\n# END RECORD\n"));
        for line in ["node.name = iqn.x:1f2e\n", "node.conn[0].address = 169.254.2.2\n"] {
            let commented = WHOLE.replace(line, &format!("#{line}"));
            assert!(
                !is_whole(WHOLE.replace(line, "").as_bytes()) && !is_whole(commented.as_bytes())
            );
        }
        for end in 0..WHOLE.len() - 1 {
            assert!(!is_whole(&WHOLE.as_bytes()[..end]), "cut off at {end}");
        }
    }
}
