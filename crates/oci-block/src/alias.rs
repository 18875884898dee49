//! Under which further names of Kubernetes an attachment goes, where neither the name nor the attachment's
//! display name tells: it was made by hand, or under another name.
//!
//! One file for each name, in the state directory of the host that attached: an attachment outlives a reboot.

use std::{
    io,
    path::{Path, PathBuf},
};

use oci_iaas::{Ocid, VolumeAttachment};
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::private_dir::{Lasting, PrivateDir};

/// A name that stands for an attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Alias {
    name: String,
    volume: Ocid,
    attachment: Ocid,
}

/// All that are noted on this host.
#[derive(Debug)]
pub(crate) struct Aliases {
    state_dir: PathBuf,
}

impl Aliases {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned() }
    }

    /// Notes that the volume `name` is behind the attachment; durable when it returns.
    ///
    /// # Errors
    /// The note cannot be written.
    pub(crate) fn note(&self, name: &str, attachment: &VolumeAttachment) -> io::Result<()> {
        if self.leads_to(name, attachment) {
            return Ok(());
        }
        let (volume, id) = (attachment.volume_id.clone(), attachment.id.clone());
        let alias = Alias { name: name.to_owned(), volume, attachment: id };
        let dir = PrivateDir::make(&self.state_dir, ALIASES)?;
        dir.write(&file(name), &serde_json::to_vec(&alias)?, Lasting::Durable)
    }

    /// Whether `name` was noted for this very attachment. A damaged note says nothing.
    pub(crate) fn leads_to(&self, name: &str, attachment: &VolumeAttachment) -> bool {
        let alias = self.dir().and_then(|dir| read(&dir, &file(name)));
        alias.is_some_and(|it| it.name == name && it.is_of(attachment))
    }

    /// The names that are noted for the attachment.
    pub(crate) fn names_of(&self, attachment: &VolumeAttachment) -> Vec<String> {
        let Some(dir) = self.dir() else { return Vec::new() };
        let files = dir.names().unwrap_or_default();
        let aliases = files.iter().filter_map(|file| read(&dir, file));
        aliases.filter(|it| it.is_of(attachment)).map(|it| it.name).collect()
    }

    /// Forgets an attachment that has ended. What cannot be removed does no harm: no attachment comes
    /// back.
    pub(crate) fn forget(&self, attachment: &VolumeAttachment) {
        let Some(dir) = self.dir() else { return };
        for name in self.names_of(attachment) {
            let _ = dir.remove(&file(&name));
        }
    }

    fn dir(&self) -> Option<PrivateDir> {
        PrivateDir::existing(&self.state_dir, ALIASES).ok().flatten()
    }
}

impl Alias {
    fn is_of(&self, attachment: &VolumeAttachment) -> bool {
        self.attachment == attachment.id && self.volume == attachment.volume_id
    }
}

fn read(dir: &PrivateDir, file: &str) -> Option<Alias> {
    serde_json::from_slice(&dir.read(file).ok()?).ok()
}

/// Names may be anything, so a digest names the file.
fn file(name: &str) -> String {
    let digest = digest::digest(&digest::SHA256, name.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}.json")
}

const ALIASES: &str = "aliases";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn attachment(id: &str, volume: &str) -> VolumeAttachment {
        serde_json::from_value(serde_json::json!({
            "attachmentType": "iscsi",
            "id": format!("ocid1.volumeattachment.oc1.phx.{id}"),
            "instanceId": "ocid1.instance.oc1.phx.i",
            "volumeId": format!("ocid1.volume.oc1.phx.{volume}"),
            "availabilityDomain": "AD-1",
            "compartmentId": "ocid1.compartment.oc1..c",
            "lifecycleState": "ATTACHED",
        }))
        .unwrap()
    }

    #[test]
    fn a_name_leads_to_the_attachment_it_was_noted_for_and_to_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let aliases = Aliases::new(dir.path());
        let (a, b) = (attachment("a", "v"), attachment("b", "v"));
        assert!(!aliases.leads_to("../pv/1", &a));
        aliases.note("../pv/1", &a).unwrap();
        aliases.note("../pv/1", &a).unwrap();
        aliases.note("pv-2", &a).unwrap();
        assert!(aliases.leads_to("../pv/1", &a) && aliases.leads_to("pv-2", &a));
        assert!(!aliases.leads_to("pv-3", &a) && !aliases.leads_to("../pv/1", &b));
        assert!(!aliases.leads_to("../pv/1", &attachment("a", "w")));
        let mut names = aliases.names_of(&a);
        names.sort_unstable();
        assert_eq!(names, ["../pv/1", "pv-2"]);
        assert_eq!(aliases.names_of(&b), [""; 0]);

        aliases.note("pv-2", &b).unwrap();
        aliases.forget(&a);
        assert!(!aliases.leads_to("../pv/1", &a) && aliases.leads_to("pv-2", &b));
    }

    #[test]
    fn a_damaged_note_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let aliases = Aliases::new(dir.path());
        let a = attachment("a", "v");
        aliases.note("pv", &a).unwrap();
        let path = dir.path().join(ALIASES).join(file("pv"));
        let whole = fs::read(&path).unwrap();
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            assert!(!aliases.leads_to("pv", &a), "cut at {end}");
            assert_eq!(aliases.names_of(&a), [""; 0]);
        }
    }
}
