//! Calls an operation that `oci-iaas` does not have, of another service: Identity's
//! ListAvailabilityDomains. Its endpoint is `https://identity.<region>.oci.oraclecloud.com`:
//! `OCI_CLI_ENDPOINT=… cargo run --example another_service`
#![expect(clippy::print_stdout, reason = "its user reads the terminal")]

mod account;

use std::error::Error;

use account::variable;
use oci_iaas::{Call, ListOperation, Mismatch, Ocid, encode};
use oci_rest::ApiKey;

/// Lists the availability domains of the region, by the names that this tenancy has for them.
struct ListAvailabilityDomains<'a> {
    compartment: &'a Ocid,
}

#[derive(serde::Deserialize)]
struct AvailabilityDomain {
    name: String,
}

impl ListOperation for ListAvailabilityDomains<'_> {
    type Item = AvailabilityDomain;

    /// This list has one page only.
    fn call(&self, _: Option<&str>) -> Call {
        let compartment = encode(self.compartment.as_str());
        let path = format!("/20160918/availabilityDomains?compartmentId={compartment}");
        Call::request(http::Method::GET, path)
    }

    fn subject(&self) -> String {
        format!("compartment {}", self.compartment)
    }

    fn key<'a>(&self, item: &'a AvailabilityDomain) -> &'a str {
        &item.name
    }

    /// What is listed does not say where.
    fn check(&self, _: &AvailabilityDomain) -> Result<(), Mismatch> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (tenancy, user) = (variable("OCI_CLI_TENANCY")?, variable("OCI_CLI_USER")?);
    let client = account::client(ApiKey::new(&tenancy, &user, None, account::key()?)?)?;
    let compartment: Ocid = variable("OCI_COMPARTMENT")?.parse()?;
    for domain in client.list(&ListAvailabilityDomains { compartment: &compartment })? {
        println!("{}", domain.name);
    }
    Ok(())
}
