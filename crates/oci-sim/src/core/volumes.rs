//! Block volumes: create, get, list, update, delete.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{body, compartment, mandatory, time};
use crate::new_resources::NewVolume;
use crate::pages::{empty_page, page};
use crate::reply::{Refusal, Reply};
use crate::routes::Ask;
use crate::state::{State, Volume};

/// The body of CreateVolume and UpdateVolume, by the API's `CreateVolumeDetails` and `UpdateVolumeDetails`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Details {
    compartment_id: Option<String>,
    availability_domain: Option<String>,
    display_name: Option<String>,
    #[serde(rename = "sizeInGBs")]
    size_gb: Option<u64>,
    #[serde(rename = "vpusPerGB")]
    vpus_per_gb: Option<u64>,
    source_details: Option<Value>,
    volume_backup_id: Option<String>,
    #[serde(rename = "freeformTags")]
    _freeform_tags: Option<Map<String, Value>>,
    #[serde(rename = "definedTags")]
    _defined_tags: Option<Map<String, Value>>,
}

pub(crate) fn create(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let details: Details = body(ask)?;
    let compartment = mandatory(details.compartment_id, "compartmentId")?;
    let domain = mandatory(details.availability_domain, "availabilityDomain")?;
    if !state.compartments.contains(&compartment) {
        return Err(Refusal::not_found("compartment", &compartment));
    }
    if !(1..=3).any(|number| state.config.region.availability_domain(number) == domain) {
        return Err(Refusal::invalid(format!("{domain} is not an availability domain.")));
    }
    let size_gb = details.size_gb.unwrap_or(1024);
    check_size(size_gb)?;
    check_performance(details.vpus_per_gb)?;
    let backup = details.volume_backup_id.map(|id| json!({"type": "volumeBackup", "id": id}));
    let source_details = details.source_details.or(backup);
    check_source(source_details.as_ref())?;
    let new = NewVolume {
        display_name: details.display_name.unwrap_or_else(|| "volume".into()),
        size_gb,
        compartment: Some(compartment),
        availability_domain: Some(domain),
        vpus_per_gb: details.vpus_per_gb,
        source_details,
        ..NewVolume::default()
    };
    let id = state.add_volume(new, ask.now);
    provision(state, ask, &id);
    shown(state, &id)
}

pub(crate) fn show(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    if is_boot_volume(&ask.id) {
        return Err(Refusal::not_found("volume", &ask.id));
    }
    state.look_at_volume(ask.now, &ask.id);
    shown(state, &ask.id)
}

/// GetBootVolume: what has the OCID of a boot volume is one.
pub(crate) fn show_boot_volume(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    if !is_boot_volume(&ask.id) {
        return Err(Refusal::not_found("boot volume", &ask.id));
    }
    state.look_at_volume(ask.now, &ask.id);
    shown(state, &ask.id)
}

pub(crate) fn list(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let compartment = compartment(state, ask)?;
    if ask.twist.empty_page && ask.query.value("page").is_none() {
        return Ok(empty_page());
    }
    let wanted = state.volumes.iter().filter(|volume| {
        volume.compartment == compartment
            && !is_boot_volume(&volume.id)
            && ask.wants("displayName", &volume.display_name)
            && ask.wants("availabilityDomain", &volume.availability_domain)
            && ask.wants("lifecycleState", volume.life.state())
    });
    let items = wanted.map(|volume| (volume.serial, document(volume))).collect();
    page(items, &ask.query, state.config.page_size)
}

pub(crate) fn update(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let details: Details = body(ask)?;
    let volume = find(state, &ask.id)?;
    ask.check_etag(&etag(volume))?;
    check_available(volume)?;
    if details.compartment_id.is_some() || details.availability_domain.is_some() {
        return Err(Refusal::invalid("A volume stays where it is."));
    }
    if details.source_details.is_some() || details.volume_backup_id.is_some() {
        return Err(Refusal::invalid("A volume keeps its source."));
    }
    check_performance(details.vpus_per_gb)?;
    let size_gb = details.size_gb.unwrap_or(volume.size_gb);
    if size_gb < volume.size_gb {
        return Err(Refusal::invalid("A volume cannot become smaller."));
    }
    if size_gb > volume.size_gb {
        check_size(size_gb)?;
    }
    let changes = size_gb != volume.size_gb || details.vpus_per_gb.is_some();
    if let Some(volume) = state.volumes.iter_mut().find(|volume| volume.id == ask.id) {
        volume.updated = true;
        volume.life.touch();
        volume.disk_bytes = volume.disk_bytes.max(size_gb << 30);
        volume.size_gb = size_gb;
        volume.display_name = details.display_name.unwrap_or_else(|| volume.display_name.clone());
        volume.vpus_per_gb = details.vpus_per_gb.unwrap_or(volume.vpus_per_gb);
    }
    if changes {
        provision(state, ask, &ask.id);
    }
    shown(state, &ask.id)
}

pub(crate) fn delete(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let delay = state.config.volume_delay;
    let volume = find(state, &ask.id)?;
    ask.check_etag(&etag(volume))?;
    if state.attachments.iter().any(|it| it.volume_id == ask.id && it.is_live()) {
        return Err(Refusal::conflict(format!("Volume {} currently attached.", ask.id)));
    }
    check_available(volume)?;
    if let Some(volume) = state.volumes.iter_mut().find(|volume| volume.id == ask.id) {
        volume.life.pass("TERMINATING", "TERMINATED", ask.due(delay));
        if let Some(disks) = &mut state.disks {
            disks.delete(volume);
        }
    }
    Ok(Reply::no_content())
}

/// The volume is PROVISIONING, and AVAILABLE later.
fn provision(state: &mut State, ask: &Ask, id: &str) {
    let delay = state.config.volume_delay;
    if let Some(volume) = state.volumes.iter_mut().find(|volume| volume.id == id) {
        let goal = if ask.twist.fails { "FAULTY" } else { "AVAILABLE" };
        volume.life.pass("PROVISIONING", goal, ask.due(delay));
    }
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a Volume, Refusal> {
    let found = state.volumes.iter().find(|volume| volume.id == id);
    found.ok_or_else(|| Refusal::not_found("volume", id))
}

fn is_boot_volume(id: &str) -> bool {
    id.starts_with("ocid1.bootvolume.")
}

fn check_available(volume: &Volume) -> Result<(), Refusal> {
    match volume.life.state() {
        "AVAILABLE" | "FAULTY" => Ok(()),
        "TERMINATED" => Err(Refusal::not_found("volume", &volume.id)),
        other => Err(Refusal::incorrect_state(format!("Volume {} is {other}.", volume.id))),
    }
}

fn check_size(size_gb: u64) -> Result<(), Refusal> {
    if (50..=32768).contains(&size_gb) {
        return Ok(());
    }
    Err(Refusal::invalid("sizeInGBs must be between 50 and 32768."))
}

fn check_performance(vpus: Option<u64>) -> Result<(), Refusal> {
    match vpus {
        Some(vpus) if vpus > 120 || vpus % 10 != 0 => {
            Err(Refusal::invalid("vpusPerGB must be 0, 10, 20 and so on up to 120."))
        }
        _ => Ok(()),
    }
}

fn check_source(source: Option<&Value>) -> Result<(), Refusal> {
    match source.map(|it| it["type"].as_str().unwrap_or_default()) {
        None | Some("volume" | "volumeBackup" | "volumeBackupDelta" | "blockVolumeReplica") => {
            Ok(())
        }
        Some(other) => Err(Refusal::invalid(format!("sourceDetails has no type {other}."))),
    }
}

fn shown(state: &State, id: &str) -> Result<Reply, Refusal> {
    let volume = find(state, id)?;
    Ok(Reply::ok(document(volume)).header("etag", etag(volume)))
}

fn etag(volume: &Volume) -> String {
    format!("{}-{}", volume.serial, volume.life.version())
}

fn document(volume: &Volume) -> Value {
    json!({
        "availabilityDomain": volume.availability_domain,
        "compartmentId": volume.compartment,
        "definedTags": {},
        "displayName": volume.display_name,
        "freeformTags": {},
        "id": volume.id,
        "isAutoTuneEnabled": false,
        "isHydrated": true,
        "kmsKeyId": null,
        "lifecycleState": volume.life.state(),
        "sizeInGBs": volume.size_gb,
        "sizeInMBs": volume.size_gb * 1024,
        "sourceDetails": volume.source_details,
        "timeCreated": time(volume.created),
        "volumeGroupId": null,
        "vpusPerGB": volume.vpus_per_gb,
    })
}
