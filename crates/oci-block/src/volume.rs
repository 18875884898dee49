//! Which volume is meant: from the name that kubelet passes to an OCID.

use flexvolume::{Options, OptionsError};
use oci_iaas::{Ocid, ParseOcidError, Region};

/// A volume, as the caller and the options of a call name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VolumeName<'a> {
    /// The name of the persistent volume, or of the volume in its pod.
    pub(crate) name: &'a str,
    /// The option `volumeId`: the OCID, where the name is not part of it.
    id: Option<&'a str>,
}

impl<'a> VolumeName<'a> {
    /// Reads the options of a call.
    ///
    /// # Errors
    /// They name no volume.
    pub(crate) fn from_options(options: &'a Options) -> Result<Self, OptionsError> {
        let id = options.get(VOLUME_ID).map(str::trim).filter(|it| !it.is_empty());
        Ok(Self { name: options.volume_name()?, id })
    }

    /// What is, or is part of, the OCID.
    pub(crate) fn given(&self) -> &'a str {
        self.id.unwrap_or(self.name)
    }

    /// The volume's OCID.
    ///
    /// # Errors
    /// The name can be no part of an OCID, or the OCID is that of something else.
    pub(crate) fn ocid(&self, region: &Region) -> Result<Ocid, VolumeNameError> {
        match self.id {
            Some(id) => whole_ocid(id),
            None => volume_ocid(self.name, region),
        }
    }

    /// As [`Self::ocid`], as far as that can be told without a region.
    pub(crate) fn check(self) -> Result<Self, VolumeNameError> {
        self.id.map(whole_ocid).transpose()?;
        Ok(self)
    }

    /// The same, if it leads to a volume: before anything is asked for, because the service answers an OCID that
    /// cannot exist as if a right were missing.
    ///
    /// # Errors
    /// The name cannot be the last part of an OCID.
    pub(crate) fn for_the_api(self) -> Result<Self, VolumeNameError> {
        match self.id {
            Some(id) => whole_ocid(id)?,
            None if self.name.contains(['.', ':']) => named_ocid(self.name.parse(), self.name)?,
            None if is_unique_part(self.name) => return Ok(self),
            None => return Err(VolumeNameError { name: self.name.to_owned(), why: NOT_UNIQUE }),
        };
        Ok(self)
    }

    /// The OCID of a volume that can be changed as block volumes are.
    ///
    /// # Errors
    /// As [`Self::ocid`], and for a boot volume.
    pub(crate) fn block_volume(&self, region: &Region) -> Result<Ocid, VolumeNameError> {
        let why = "it is a boot volume, which this driver attaches but does not change";
        match self.ocid(region)? {
            it if it.kind() == BOOT_VOLUME => Err(VolumeNameError { name: it.to_string(), why }),
            it => Ok(it),
        }
    }

    /// As [`volume_key`].
    pub(crate) fn key(&self) -> Result<&'a str, VolumeNameError> {
        volume_key(self.given())
    }

    /// What Kubernetes calls the volume, where that does not lead to the volume by itself.
    pub(crate) fn alias(&self) -> Option<&'a str> {
        self.id.map(|_| self.name)
    }

    /// What an attachment is called so that detach, which is given only the name, finds it; nothing
    /// where the name leads to the volume by itself.
    pub(crate) fn mark(&self) -> Option<String> {
        self.alias().map(mark)
    }
}

/// The attachment's display name for the volume that Kubernetes calls `name`: what kubelet calls it
/// in `volumesInUse`.
pub(crate) fn mark(name: &str) -> String {
    format!("{DRIVER}/{name}")
}

/// The name in the display name that [`mark`] makes.
pub(crate) fn marked(display_name: &str) -> Option<&str> {
    display_name.strip_prefix(DRIVER)?.strip_prefix('/')
}

/// The OCID behind a PV or volume name: the last part of the OCID, or the whole of it.
///
/// Pod volume names are DNS labels, too short for an OCID and without dots, so the short form is the
/// documented one; region and realm are then those of the master.
///
/// # Errors
/// The name can be no part of an OCID, or is an OCID of something else.
pub(crate) fn volume_ocid(name: &str, region: &Region) -> Result<Ocid, VolumeNameError> {
    named_ocid(Ocid::volume(region, name), name)
}

/// Whether a name may be the last part of an OCID: those that the service gives have 60 lower-case letters and
/// digits. Names that are given by hand are shorter, or have hyphens (`pvc-<uuid>`).
pub(crate) fn is_unique_part(name: &str) -> bool {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    name.len() >= SHORTEST_PART && name.bytes().all(plain)
}

fn named_ocid(ocid: Result<Ocid, ParseOcidError>, name: &str) -> Result<Ocid, VolumeNameError> {
    let why = "it is neither a volume's OCID nor the last part of one (letters and digits only)";
    let ocid = ocid.map_err(|_| VolumeNameError { name: name.to_owned(), why })?;
    of_a_volume(ocid, name)
}

fn whole_ocid(id: &str) -> Result<Ocid, VolumeNameError> {
    match id.parse::<Ocid>() {
        Ok(ocid) => of_a_volume(ocid, id),
        Err(_) => Err(VolumeNameError {
            name: id.to_owned(),
            why: "the option volumeId is the whole OCID of a volume, ocid1.volume.…",
        }),
    }
}

fn of_a_volume(ocid: Ocid, name: &str) -> Result<Ocid, VolumeNameError> {
    if matches!(ocid.kind(), VOLUME | BOOT_VOLUME) {
        return Ok(ocid);
    }
    let why = "it is the OCID of something else; a volume's begins ocid1.volume.";
    Err(VolumeNameError { name: name.to_owned(), why })
}

/// A file name for what is kept of a volume on this host: the last part of its OCID.
pub(crate) fn volume_key(name: &str) -> Result<&str, VolumeNameError> {
    let key = name.rsplit('.').next().unwrap_or(name);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if key.is_empty() || key.len() > 128 || !key.chars().all(plain) {
        let why = "a volume's name has only letters, digits, `-` and `_` after its last dot";
        return Err(VolumeNameError { name: name.to_owned(), why });
    }
    Ok(key)
}

/// The option with the volume's OCID.
pub(crate) const VOLUME_ID: &str = "volumeId";
/// The driver's name in Kubernetes.
pub(crate) const DRIVER: &str = "oracle/oci";
/// A boot volume can be attached as a data disk of another instance.
pub(crate) const BOOT_VOLUME: &str = "bootvolume";
const VOLUME: &str = "volume";
const SHORTEST_PART: usize = 20;
const NOT_UNIQUE: &str = "the last part of a volume's OCID has 60 lower-case letters and digits \
    (abyhqljr… of ocid1.volume.oc1.phx.abyhqljr…); name the volume by it, or give the whole OCID in the option \
    volumeId";

/// A name that stands for no volume.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` names no volume: {why}")]
pub struct VolumeNameError {
    name: String,
    why: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(region: &str, name: &str, expected: &str) {
        let region = Region::parse(region).unwrap();
        let shown = match volume_ocid(name, &region) {
            Ok(ocid) => ocid.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_last_part_becomes_an_ocid_of_the_masters_region() {
        check("phx", "aaaaaa", "ocid1.volume.oc1.phx.aaaaaa");
        check("us-ashburn-1", "aaaaaa", "ocid1.volume.oc1.iad.aaaaaa");
        check("fra", "aaaaaa", "ocid1.volume.oc1.eu-frankfurt-1.aaaaaa");
        check("lhr", "aaaaaa", "ocid1.volume.oc1.uk-london-1.aaaaaa");
        check("us-langley-1", "aaaaaa", "ocid1.volume.oc2.us-langley-1.aaaaaa");
    }

    #[test]
    fn a_whole_ocid_is_taken_as_it_is() {
        let other_region = "ocid1.volume.oc1.eu-frankfurt-1.aaaaaa";
        check("phx", other_region, other_region);
        let boot = "ocid1.bootvolume.oc1.phx.aaaaaa";
        check("phx", boot, boot);
    }

    #[test]
    fn what_is_no_volume_is_refused() {
        check(
            "phx",
            "ocid1.instance.oc1.phx.aaaa",
            "`ocid1.instance.oc1.phx.aaaa` names no volume: it is the OCID of something else; a \
             volume's begins ocid1.volume.",
        );
        check(
            "phx",
            "../../etc",
            "`../../etc` names no volume: it is neither a volume's OCID nor the last part of one \
             (letters and digits only)",
        );
    }

    #[test]
    fn names_that_people_give_are_no_parts_of_an_ocid() {
        for part in
            ["abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q", &*"a".repeat(20)]
        {
            assert!(is_unique_part(part), "{part}");
        }
        for name in [
            "",
            "data",
            "my-volume",
            "mysql-persistent-storage",
            "pvc-6a1e0c5e-8f0b-4c47-9a53-0c4a1b5f8d11",
            "postgresdatavolume1",
            "ABYHQLJRGVTTNLX73NMRWFAUX7KCVZFS3S66IZVXF2H4LGVYNDSDSNOIWR5Q",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa_a",
            "ääääääääääääääääääääääää",
        ] {
            assert!(!is_unique_part(name), "{name}");
        }
    }

    #[test]
    fn short_and_whole_names_share_their_key() {
        assert_eq!(volume_key("ocid1.volume.oc1.phx.aaaa").unwrap(), "aaaa");
        assert_eq!(volume_key("aaaa").unwrap(), "aaaa");
        for hostile in ["", ".", "a/b", "..", "a\0b", "ocid1.volume.oc1.phx."] {
            assert!(volume_key(hostile).is_err(), "{hostile:?}");
        }
    }
}
