//! Node records that this driver has not written: an administrator's, or those of a discovery.
//!
//! The driver's own say `node.session.scan = manual`, which open-iscsi does by itself nowhere. `iscsiadm --op new`
//! puts a record that is there back to the defaults, so a foreign one is kept, and put back when the login fails.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
};

use zeroize::Zeroizing;

use crate::{
    Initiator, Target,
    iscsiadm::SCAN,
    node_record::{has_setting, records, write},
};

/// A record as it was.
pub(crate) struct ForeignRecord {
    nodes: PathBuf,
    path: PathBuf,
    text: Zeroizing<String>,
}

impl Initiator {
    /// Whether there is a node record of `target` at its portal, by this driver or foreign.
    pub fn has_record(&self, target: &Target) -> bool {
        let found = self.host.nodes.iter().map(|nodes| records(nodes, target));
        found.flatten().any(|records| !records.is_empty())
    }

    /// Whether there is one that this driver has not written, and must not remove unless asked to log out.
    pub fn has_foreign_record(&self, target: &Target) -> bool {
        !self.foreign_records(target).is_empty()
    }

    pub(crate) fn foreign_records(&self, target: &Target) -> Vec<ForeignRecord> {
        let mut found = Vec::new();
        for nodes in &self.host.nodes {
            for path in records(nodes, target).unwrap_or_default() {
                let Ok(text) = fs::read_to_string(&path).map(Zeroizing::new) else { continue };
                if !has_setting(&text, SCAN) {
                    found.push(ForeignRecord { nodes: nodes.clone(), path, text });
                }
            }
        }
        found
    }

    /// Makes the records what they were.
    pub(crate) fn put_back(&self, target: &Target, records: &[ForeignRecord]) {
        for record in records {
            if let Err(error) = record.put_back(target) {
                log::warn!("{} is not as it was: {error}", record.path.display());
            }
        }
    }
}

impl ForeignRecord {
    fn put_back(&self, target: &Target) -> io::Result<()> {
        if fs::read_to_string(&self.path).map(Zeroizing::new).is_ok_and(|now| now == self.text) {
            return Ok(());
        }
        if let Some(dir) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        write(&self.nodes, &self.path, target, &self.text)
    }
}
