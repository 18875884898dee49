//! Regions: keys, identifiers, realms and the endpoints they have.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Ocid;

/// A region, known to this crate or not.
///
/// ```
/// use oci_iaas::Region;
///
/// let frankfurt = Region::parse("FRA")?;
/// assert_eq!((frankfurt.id(), frankfurt.realm()), ("eu-frankfurt-1", "oc1"));
/// let government = Region::parse("us-gov-ashburn-1")?;
/// assert_eq!(government.iaas_endpoint(), "https://iaas.us-gov-ashburn-1.oraclegovcloud.com");
/// let newer = Region::parse("xx-nowhere-1")?; // than the table of this crate
/// assert_eq!(newer.iaas_endpoint(), "https://iaas.xx-nowhere-1.oraclecloud.com");
/// # Ok::<(), oci_iaas::ParseRegionError>(())
/// ```
///
/// Source: Oracle, "Regions and Availability Domains", and the tables of Oracle's SDKs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    id: String,
    key: Option<String>,
    realm: String,
    domain: String,
}

impl Region {
    /// The region named by its key or identifier, in any case: `phx`, `us-phoenix-1`.
    ///
    /// The table of this crate ages, so an unknown name is taken as the identifier of a region of
    /// realm oc1. An identifier with a domain, `us-somewhere-1.example.com`, brings its own domain.
    ///
    /// # Errors
    /// If `name` cannot be part of a host name.
    pub fn parse(name: &str) -> Result<Self, ParseRegionError> {
        let name = label(name, "region")?;
        if let Some(region) = known(&name) {
            return Ok(region);
        }
        let (id, domain) = name.split_once('.').unwrap_or((&name, DEFAULT_DOMAIN));
        Ok(Self {
            id: id.to_owned(),
            key: None,
            realm: DEFAULT_REALM.to_owned(),
            domain: domain.to_owned(),
        })
    }

    /// The region that the metadata service or `OCI_REGION_METADATA` describes: the best source,
    /// right in every realm.
    ///
    /// # Errors
    /// If a field cannot be part of a host name.
    pub fn from_metadata(info: &RegionInfo) -> Result<Self, ParseRegionError> {
        Ok(Self {
            id: label(&info.region_identifier, "regionIdentifier")?,
            key: Some(label(&info.region_key, "regionKey")?),
            realm: label(&info.realm_key, "realmKey")?,
            domain: label(&info.realm_domain_component, "realmDomainComponent")?,
        })
    }

    /// The region in which a resource is, or `None` if its OCID names none.
    #[must_use]
    pub fn of(ocid: &Ocid) -> Option<Self> {
        let region = Self::parse(ocid.region()?).ok()?;
        if region.realm == ocid.realm() {
            return Some(region);
        }
        let domain = table().find(|row| row.realm == ocid.realm()).map(|row| row.domain);
        Some(Self {
            realm: ocid.realm().to_owned(),
            domain: domain.unwrap_or(DEFAULT_DOMAIN).to_owned(),
            ..region
        })
    }

    /// The identifier: `us-phoenix-1`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key, in lower case: `phx`. A region that is not in the table has none.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The realm: `oc1`.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The region as OCIDs spell it: the key for the two oldest regions, the identifier for all
    /// others.
    #[must_use]
    pub fn ocid_part(&self) -> &str {
        match self.id.as_str() {
            "us-phoenix-1" => "phx",
            "us-ashburn-1" => "iad",
            id => id,
        }
    }

    /// Where the Core Services API answers: `https://iaas.us-phoenix-1.oraclecloud.com`.
    #[must_use]
    pub fn iaas_endpoint(&self) -> String {
        format!("https://iaas.{}.{}", self.id, self.domain)
    }

    /// Where instances get their tokens: `https://auth.us-phoenix-1.oraclecloud.com`.
    #[must_use]
    pub fn auth_endpoint(&self) -> String {
        format!("https://auth.{}.{}", self.id, self.domain)
    }
}

impl FromStr for Region {
    type Err = ParseRegionError;

    fn from_str(name: &str) -> Result<Self, ParseRegionError> {
        Self::parse(name)
    }
}

/// Shows the identifier.
impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

/// `regionInfo` of the metadata service, which is also the JSON of `OCI_REGION_METADATA`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionInfo {
    /// The realm: `oc1`.
    pub realm_key: String,
    /// Its domain: `oraclecloud.com`.
    pub realm_domain_component: String,
    /// The region's key, in upper case: `PHX`.
    pub region_key: String,
    /// The region's identifier: `us-phoenix-1`.
    pub region_identifier: String,
}

/// A region's name that cannot be part of a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {field} is not a name such as us-phoenix-1 or phx, of at most {MAX_LENGTH} letters, digits and '-'"
)]
pub struct ParseRegionError {
    field: &'static str,
}

/// Checks that `text` is one label of a host name or several, and lowers its case.
fn label(text: &str, field: &'static str) -> Result<String, ParseRegionError> {
    let text = text.trim().to_ascii_lowercase();
    let fits = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if text.len() <= MAX_LENGTH && text.split('.').all(fits) {
        Ok(text)
    } else {
        Err(ParseRegionError { field })
    }
}

fn known(name: &str) -> Option<Region> {
    let row = table().find(|row| row.id == name || row.key == name)?;
    Some(Region {
        id: row.id.to_owned(),
        key: Some(row.key.to_owned()),
        realm: row.realm.to_owned(),
        domain: row.domain.to_owned(),
    })
}

struct Row {
    id: &'static str,
    key: &'static str,
    realm: &'static str,
    domain: &'static str,
}

fn table() -> impl Iterator<Item = Row> {
    include_str!("regions.txt").lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut words = line.split_whitespace();
        let mut word = || words.next();
        Some(Row { id: word()?, key: word()?, realm: word()?, domain: word()? })
    })
}

const DEFAULT_REALM: &str = "oc1";
const DEFAULT_DOMAIN: &str = "oraclecloud.com";
const MAX_LENGTH: usize = 200;
