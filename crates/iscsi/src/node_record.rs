//! Node records as open-iscsi keeps them: files that iscsiadm writes, and that hold the credentials of a session.
//!
//! A value that is given to iscsiadm can be read by everybody in the process table, so credentials are written into
//! the file. `nodes/IQN/ADDRESS,PORT` is such a file, or a folder with one file for each interface; when the portal
//! was discovered, its group's number is appended to the name. The folder `nodes` is in `/etc/iscsi` or, in Oracle
//! Linux and SUSE, in `/var/lib/iscsi`.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{Chap, Error, Initiator, Target, iscsiadm::STARTUP, target::parse_address};

impl Initiator {
    /// Puts `chap` into every record of `target`. Each is replaced as a whole, readable by root only.
    ///
    /// # Errors
    /// There is no record, or one cannot be replaced.
    pub(crate) fn write_credentials(&self, target: &Target, chap: &Chap) -> Result<(), Error> {
        let failed = |path: &Path, source| Error::Credentials {
            target: target.clone(),
            path: path.to_owned(),
            source,
        };
        let mut missing = true;
        for nodes in &self.host.nodes {
            for path in records(nodes, target).map_err(|source| failed(nodes, source))? {
                replace(nodes, &path, target, chap).map_err(|source| failed(&path, source))?;
                missing = false;
            }
        }
        if missing { Err(Error::NoRecord { target: target.clone() }) } else { Ok(()) }
    }

    /// Whether there are records of `target`, and none of them logs in at boot.
    pub(crate) fn is_manual(&self, target: &Target) -> bool {
        let mut texts = Vec::new();
        for nodes in &self.host.nodes {
            let Ok(records) = records(nodes, target) else { return false };
            for record in records {
                let Ok(text) = fs::read_to_string(record) else { return false };
                texts.push(Zeroizing::new(text));
            }
        }
        !texts.is_empty() && texts.iter().all(|text| has_setting(text, STARTUP))
    }

    /// Removes what a killed [`Self::write_credentials`] may have left.
    pub(crate) fn forget_credentials(&self, target: &Target) {
        for nodes in &self.host.nodes {
            match draft(nodes, target).and_then(fs::remove_file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    log::warn!(
                        "credentials of {target} may be left beside {}: {error}",
                        nodes.display()
                    );
                }
                _ => {}
            }
        }
    }
}

/// The files of all records for the target at its portal.
pub(crate) fn records(nodes: &Path, target: &Target) -> io::Result<Vec<PathBuf>> {
    let mut records = Vec::new();
    for entry in at_portal(nodes, target)? {
        if entry.is_dir() { records.extend(entries(&entry)?) } else { records.push(entry) }
    }
    Ok(records)
}

/// The files and folders that are named after the target and its portal.
pub(crate) fn at_portal(nodes: &Path, target: &Target) -> io::Result<Vec<PathBuf>> {
    let mut found = entries(&nodes.join(target.iqn.as_ref()))?;
    found.retain(|entry| portal_of(entry) == Some(target.portal()));
    Ok(found)
}

/// What a folder holds; nothing if there is no such folder.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The portal that a record is named after.
fn portal_of(record: &Path) -> Option<SocketAddr> {
    let mut parts = record.file_name()?.to_str()?.split(',');
    let address = parse_address(parts.next()?)?;
    Some(SocketAddr::new(address, parts.next()?.parse().ok()?))
}

fn replace(nodes: &Path, record: &Path, target: &Target, chap: &Chap) -> io::Result<()> {
    let old = Zeroizing::new(fs::read_to_string(record)?);
    write(nodes, record, target, &with_settings(&old, &chap.settings()))
}

/// Replaces a record as a whole, readable by root only.
pub(crate) fn write(nodes: &Path, record: &Path, target: &Target, text: &str) -> io::Result<()> {
    let draft = draft(nodes, target)?;
    // Also a foreign one: a file that others opened must not get the secret.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&draft, record));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

/// Where a record is written before it takes its place: on the same file system, but where iscsiadm looks for none.
fn draft(nodes: &Path, target: &Target) -> io::Result<PathBuf> {
    let nodes = fs::canonicalize(nodes)?;
    let name = format!(".{},{},{}.new", target.iqn, target.address, target.port);
    Ok(nodes.parent().unwrap_or(&nodes).join(name))
}

/// Whether the record has the setting, and with no other value.
pub(crate) fn has_setting(record: &str, (name, value): (&str, &str)) -> bool {
    let settings = record.lines().filter_map(|line| line.split_once('='));
    let mut values = settings.filter(|(it, _)| it.trim() == name).peekable();
    values.peek().is_some() && values.all(|(_, it)| it.trim() == value)
}

/// The record's text with each setting at its value, once, and without those that have none.
fn with_settings(record: &str, settings: &[(&str, &str)]) -> Zeroizing<String> {
    let is_ours = |line: &str| {
        line.split_once('=').is_some_and(|(name, _)| settings.iter().any(|it| it.0 == name.trim()))
    };
    let longest = settings.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>();
    // As large as it gets: a text that moves would leave a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(record.len() + longest + 1));
    let mut put = |line: &[&str]| line.iter().for_each(|part| text.push_str(part));
    let end = record.lines().position(|line| line.trim() == END).unwrap_or(usize::MAX);
    for line in record.lines().take(end).filter(|line| !is_ours(line)) {
        put(&[line, "\n"]);
    }
    for (name, value) in settings.iter().filter(|(_, value)| !value.is_empty()) {
        put(&[name, " = ", value, "\n"]);
    }
    for line in record.lines().skip(end) {
        put(&[line, "\n"]);
    }
    text
}

/// The last line of a record.
pub(crate) const END: &str = "# END RECORD";

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(record: &str, expected: &Expect) {
        let chap = Chap::new("volume", "s3cret = #1").unwrap();
        expected.assert_eq(&with_settings(record, &chap.settings()));
    }

    #[test]
    fn credentials_take_the_place_of_others() {
        check(
            "# BEGIN RECORD 2.1.8\nnode.startup = manual\nnode.session.auth.authmethod = None\n\
             node.session.auth.username = before\nnode.session.auth.password=old\n\
             node.session.auth.username_in = them\nnode.session.auth.password_in = mutual\n# END RECORD\n",
            &expect![[r#"
                # BEGIN RECORD 2.1.8
                node.startup = manual
                node.session.auth.authmethod = CHAP
                node.session.auth.username = volume
                node.session.auth.password = s3cret = #1
                # END RECORD
            "#]],
        );
    }

    #[test]
    fn a_record_without_an_end_gets_them_last() {
        check(
            "node.startup = manual",
            &expect![[r#"
                node.startup = manual
                node.session.auth.authmethod = CHAP
                node.session.auth.username = volume
                node.session.auth.password = s3cret = #1
            "#]],
        );
    }

    #[test]
    fn only_a_record_that_says_so_starts_manually() {
        for (record, manual) in [
            ("node.name = x\nnode.startup = manual\nnode.conn[0].startup = automatic\n", true),
            ("node.startup=manual", true),
            ("node.startup = automatic\n", false),
            ("node.startup = onboot\n", false),
            ("node.startup = automatic\nnode.startup = manual\n", false),
            ("node.startup = manual\nnode.startup = automatic\n", false),
            ("node.name = x\n", false),
            ("", false),
        ] {
            assert_eq!(has_setting(record, STARTUP), manual, "{record:?}");
        }
    }

    #[test]
    fn records_are_known_by_their_portal() {
        let dir = tempfile::tempdir().unwrap();
        let iqn = "iqn.2015-12.com.oracleiaas:1f2e";
        for file in [
            "169.254.2.2,3260",
            "169.254.2.20,3260",
            "169.254.2.2,3261",
            "fd00:c1::2,3260,1/default",
            "fd00:c1::2,3260,1/second",
            "odd",
        ] {
            let path = dir.path().join(iqn).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = |address: &str| {
            let iqn = iqn.parse().unwrap();
            let target = Target { address: address.parse().unwrap(), port: 3260, iqn, lun: 1 };
            let mut found: Vec<_> = records(dir.path(), &target)
                .unwrap()
                .iter()
                .map(|it| it.strip_prefix(dir.path().join(target.iqn.as_ref())).unwrap().to_owned())
                .collect();
            found.sort();
            found
        };
        assert_eq!(found("169.254.2.2"), [Path::new("169.254.2.2,3260")]);
        assert_eq!(found("169.254.2.3"), Vec::<PathBuf>::new());
        assert_eq!(
            found("fd00:c1::2"),
            ["fd00:c1::2,3260,1/default", "fd00:c1::2,3260,1/second"].map(Path::new)
        );
    }
}
