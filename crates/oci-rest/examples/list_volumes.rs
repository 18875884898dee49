//! Lists the block volumes of a compartment:
//!
//! ```sh
//! export OCI_CLI_TENANCY=ocid1.tenancy… OCI_CLI_USER=ocid1.user… OCI_CLI_REGION=us-phoenix-1
//! export OCI_CLI_KEY_FILE=~/.oci/oci_api_key.pem OCI_COMPARTMENT=ocid1.compartment…
//! cargo run --example list_volumes
//! ```
#![expect(clippy::print_stdout, reason = "its user reads the terminal")]

mod account;

use std::error::Error;

use account::variable;
use oci_iaas::{ListVolumes, Ocid};
use oci_rest::ApiKey;

fn main() -> Result<(), Box<dyn Error>> {
    let (tenancy, user) = (variable("OCI_CLI_TENANCY")?, variable("OCI_CLI_USER")?);
    let client = account::client(ApiKey::new(&tenancy, &user, None, account::key()?)?)?;
    let compartment: Ocid = variable("OCI_COMPARTMENT")?.parse()?;
    for volume in client.list(&ListVolumes { compartment: &compartment, display_name: None })? {
        let name = volume.display_name.unwrap_or_default();
        let size = volume.size_in_gbs.unwrap_or_default();
        println!("{name}: {size} GiB, {}, {}", volume.lifecycle_state, volume.id);
    }
    Ok(())
}
