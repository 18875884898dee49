//! OCIDs, the identifiers of Oracle Cloud Infrastructure, and how a volume's short name becomes one.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Region;

/// An identifier such as `ocid1.volume.oc1.phx.abyhqljr…`: version, kind, realm, region (empty for
/// tenancies, compartments and users) and a unique part, joined by dots. The oldest tenancies have
/// colons instead.
///
/// More than [`kind`](Self::kind), [`realm`](Self::realm) and [`region`](Self::region) must not be
/// read out of it, and it is compared as it was given.
///
/// ```
/// use oci_iaas::Ocid;
///
/// let volume: Ocid = "ocid1.volume.oc1.phx.abyhqljr".parse()?;
/// assert_eq!((volume.kind(), volume.realm(), volume.region()), ("volume", "oc1", Some("phx")));
/// let tenancy: Ocid = "ocid1.tenancy.oc1..aaaaaaaa".parse()?;
/// assert_eq!(tenancy.region(), None);
/// # Ok::<(), oci_iaas::ParseOcidError>(())
/// ```
///
/// Source: Oracle, "Resource Identifiers".
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ocid(String);

impl Ocid {
    /// The OCID of the volume that is called `name`: either a whole OCID, which is used as it is,
    /// or the last part of the OCID of a volume of `region`.
    ///
    /// # Errors
    /// If `name` is neither. Such a name may still be a display name.
    pub fn volume(region: &Region, name: &str) -> Result<Self, ParseOcidError> {
        if name.starts_with(PREFIX) && name.contains(SEPARATORS) {
            return name.parse();
        }
        if name.is_empty() {
            return Err(ParseOcidError::Empty);
        }
        if !name.bytes().all(is_part_character) {
            return Err(ParseOcidError::NotTheLastPart);
        }
        format!("ocid1.volume.{}.{}.{name}", region.realm(), region.ocid_part()).parse()
    }

    /// The kind of resource: `volume`, `bootvolume`, `instance`, …
    #[must_use]
    pub fn kind(&self) -> &str {
        self.part(1)
    }

    /// The realm: `oc1`, …
    #[must_use]
    pub fn realm(&self) -> &str {
        self.part(2)
    }

    /// The region as OCIDs spell it, `phx` or `eu-frankfurt-1`; `None` for resources of all regions.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        Some(self.part(3)).filter(|region| !region.is_empty())
    }

    /// The last part: the volume's name in Kubernetes, if that is short.
    #[must_use]
    pub fn unique(&self) -> &str {
        self.0.rsplit(SEPARATORS).next().unwrap_or_default()
    }

    /// The whole OCID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(&self, index: usize) -> &str {
        self.0.split(SEPARATORS).nth(index).unwrap_or_default()
    }
}

impl FromStr for Ocid {
    type Err = ParseOcidError;

    fn from_str(text: &str) -> Result<Self, ParseOcidError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Ocid {
    type Error = ParseOcidError;

    fn try_from(text: String) -> Result<Self, ParseOcidError> {
        if text.is_empty() {
            return Err(ParseOcidError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(ParseOcidError::TooLong);
        }
        let parts: Vec<&str> = text.split(SEPARATORS).collect();
        let [version, kind, realm, _region, .., unique] = parts.as_slice() else {
            return Err(ParseOcidError::Malformed);
        };
        let complete = [version, kind, realm, unique].iter().all(|part| !part.is_empty());
        let clean = parts.iter().all(|part| part.bytes().all(is_part_character));
        if version.starts_with(PREFIX) && complete && clean {
            Ok(Self(text))
        } else {
            Err(ParseOcidError::Malformed)
        }
    }
}

impl From<Ocid> for String {
    fn from(ocid: Ocid) -> Self {
        ocid.0
    }
}

impl AsRef<str> for Ocid {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ocid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no OCID. It names the rule and never quotes the text, which the caller knows and
/// which may be anything, even a key pasted into the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseOcidError {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// The text, or the OCID that a name would make, is too long.
    #[error("an OCID has at most {MAX_LENGTH} characters")]
    TooLong,
    /// The text has not the form of an OCID.
    #[error(
        "an OCID looks like ocid1.<type>.<realm>.[<region>].<unique>, of letters, digits, '-' and '_'"
    )]
    Malformed,
    /// The name of a volume is neither an OCID nor a part of one.
    #[error(
        "a volume is named by its OCID or by the last part of it, of letters, digits, '-' and '_'"
    )]
    NotTheLastPart,
}

fn is_part_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

const PREFIX: &str = "ocid";
const SEPARATORS: [char; 2] = ['.', ':'];
/// What the API takes as an OCID.
const MAX_LENGTH: usize = 255;
