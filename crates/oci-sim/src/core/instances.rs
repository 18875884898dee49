//! GetInstance, ListInstances and ListInstanceDevices.

use serde_json::{Value, json};

use super::{Items, compartment, time};
use crate::pages::{empty_page, page};
use crate::reply::{Refusal, Reply};
use crate::routes::Ask;
use crate::state::{Instance, State};

pub(crate) fn show(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let found = state.instance(&ask.id).ok_or_else(|| Refusal::not_found("instance", &ask.id))?;
    Ok(Reply::ok(document(state, found)).header("etag", format!("{}-1", found.serial)))
}

pub(crate) fn list(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let compartment = compartment(state, ask)?;
    if ask.twist.empty_page && ask.query.value("page").is_none() {
        return Ok(empty_page());
    }
    let wanted = state.instances.iter().filter(|instance| {
        instance.compartment == compartment
            && ask.wants("displayName", &instance.display_name)
            && ask.wants("availabilityDomain", &instance.availability_domain)
            && ask.wants("lifecycleState", &instance.state)
    });
    let items: Items = wanted.map(|it| (it.serial, document(state, it))).collect();
    page(items, &ask.query, state.config.page_size)
}

pub(crate) fn devices(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    if state.instance(&ask.id).is_none() {
        return Err(Refusal::not_found("instance", &ask.id));
    }
    let mut items = Items::new();
    for (serial, name) in (1..).zip(device_names()) {
        let available = !is_taken(state, &ask.id, &name);
        if ask.wants("name", &name) && ask.wants("isAvailable", &available.to_string()) {
            items.push((serial, json!({"name": name, "isAvailable": available})));
        }
    }
    page(items, &ask.query, state.config.page_size)
}

/// A live attachment of the instance has this device path.
pub(crate) fn is_taken(state: &State, instance: &str, device: &str) -> bool {
    let mut here = state.attachments.iter().filter(|it| it.instance_id == instance && it.is_live());
    here.any(|attachment| attachment.device.as_deref() == Some(device))
}

/// The consistent device paths for data volumes: `/dev/oracleoci/oraclevdb` to `…ag`.
pub(crate) fn device_names() -> impl Iterator<Item = String> {
    let single = ('b'..='z').map(|letter| letter.to_string());
    let double = ('a'..='g').map(|letter| format!("a{letter}"));
    single.chain(double).map(|letters| format!("/dev/oracleoci/oraclevd{letters}"))
}

fn document(state: &State, instance: &Instance) -> Value {
    json!({
        "availabilityDomain": instance.availability_domain,
        "compartmentId": instance.compartment,
        "definedTags": {},
        "displayName": instance.display_name,
        "faultDomain": "FAULT-DOMAIN-1",
        "freeformTags": {},
        "id": instance.id,
        "imageId": "ocid1.image.oc1.phx.aaaaimage",
        "launchMode": "PARAVIRTUALIZED",
        "launchOptions": {
            "bootVolumeType": "PARAVIRTUALIZED",
            "firmware": "UEFI_64",
            "isConsistentVolumeNamingEnabled": true,
            "networkType": "PARAVIRTUALIZED",
            "remoteDataVolumeType": "PARAVIRTUALIZED",
        },
        "lifecycleState": instance.state,
        "metadata": {},
        "region": state.config.region.short(),
        "shape": SHAPE,
        "shapeConfig": {"ocpus": 2.0, "memoryInGBs": 16.0, "maxVnicAttachments": 2},
        "timeCreated": time(instance.created),
        "timeMaintenanceRebootDue": null,
    })
}

/// The shape of every instance.
pub(crate) const SHAPE: &str = "VM.Standard.E4.Flex";
