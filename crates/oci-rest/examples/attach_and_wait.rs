//! Attaches a volume to an instance, waits until it is there, and detaches it again:
//! `cargo run --example attach_and_wait -- <instance OCID> <volume OCID>`
#![expect(clippy::print_stdout, reason = "its user reads the terminal")]

mod account;

use std::{env, error::Error};

use account::variable;
use oci_iaas::{AttachVolume, AttachmentKind, AttachmentRequest, DetachVolume, Ocid};
use oci_rest::ApiKey;

fn main() -> Result<(), Box<dyn Error>> {
    let mut ids = env::args().skip(1).map(|id| id.parse::<Ocid>());
    let (Some(instance), Some(volume)) = (ids.next(), ids.next()) else {
        return Err("two OCIDs are needed: of an instance and of a volume".into());
    };
    let (instance, volume) = (instance?, volume?);
    let (tenancy, user) = (variable("OCI_CLI_TENANCY")?, variable("OCI_CLI_USER")?);
    let client = account::client(ApiKey::new(&tenancy, &user, None, account::key()?)?)?;

    // The same token makes a repetition harmless, even one by another process: make it of what you
    // are about, for instance of the name of your job.
    let retry_token = format!("attach-{}", volume.unique().get(..40).unwrap_or(volume.unique()));
    let iscsi = AttachmentRequest::Iscsi { use_chap: false };
    let begun = client.send(&AttachVolume::new(&instance, &volume, iscsi, &retry_token))?;
    println!("{}", begun.lifecycle_state);

    let attached = client.wait_for_attached(&begun.id)?;
    match &attached.kind {
        AttachmentKind::Iscsi(target) => println!(
            "{}: log in to {} at {}:{}",
            attached.lifecycle_state,
            target.iqn.as_deref().unwrap_or_default(),
            target.ipv4.map(|ip| ip.to_string()).unwrap_or_default(),
            target.port.unwrap_or_default(),
        ),
        _ => println!("{}: the disk is there", attached.lifecycle_state),
    }

    client.send(&DetachVolume { id: &attached.id, if_match: None })?;
    println!("{:?}", client.wait_for_detached(&attached.id)?);
    Ok(())
}
