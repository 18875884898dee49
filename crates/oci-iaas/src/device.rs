//! The consistent device paths of an instance.

use serde::Deserialize;

use crate::{Call, ListOperation, Mismatch, Ocid};

/// A device path that an attachment can take on an instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Device {
    /// The path, such as `/dev/oracleoci/oraclevdb`.
    pub name: String,
    /// Whether it is free.
    pub is_available: bool,
}

/// Lists the device paths of an instance.
#[derive(Clone, Copy, Debug)]
pub struct ListInstanceDevices<'a> {
    /// The instance.
    pub instance: &'a Ocid,
    /// Whether to list the free ones or the taken ones.
    pub available: bool,
}

impl ListOperation for ListInstanceDevices<'_> {
    type Item = Device;

    fn call(&self, page: Option<&str>) -> Call {
        Call::get(["instances", self.instance.as_str(), "devices"])
            .query("isAvailable", Some(if self.available { "true" } else { "false" }))
            .page(page)
    }

    fn subject(&self) -> String {
        format!("instance {}", self.instance)
    }

    fn key<'a>(&self, item: &'a Self::Item) -> &'a str {
        &item.name
    }

    fn check(&self, item: &Self::Item) -> Result<(), Mismatch> {
        Mismatch::unless_same("isAvailable", &self.available, &item.is_available)
    }
}
