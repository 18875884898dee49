//! What a volume was made from: one that comes from a backup, another volume or an image holds data, and is never
//! formatted, however blank it reads.
//!
//! Only the API knows it. attach has just looked at the volume, and leaves a note for a node that shares its state
//! directory; a node with `config.yaml` asks by itself. Decision 23 says what was weighed.

use std::io;

use oci_iaas::Volume;

use crate::{
    OciBlock,
    cloud::{Cloud, QUERY_BUDGET},
    error::Error,
    private_dir::{Lasting, PrivateDir},
    refusal::Refusal,
    settings::is_there,
    volume::{BOOT_VOLUME, VolumeName},
};

/// Leaves a note for mountdevice on this host, if the volume was made from something. That it cannot is no reason
/// not to attach.
pub(crate) fn note(driver: &OciBlock, volume: &Volume) {
    let Some(origin) = origin(volume) else { return };
    let noted = PrivateDir::make(&driver.staging.state_dir, ORIGINS)
        .and_then(|dir| dir.write(volume.id.unique(), origin.as_bytes(), Lasting::Durable));
    noted.unwrap_or_else(|error| {
        log::warn!("{} comes from {origin}, not noted: {error}", volume.id)
    });
}

/// Refuses a volume that was made from something. Where neither a note nor the API tells, it is not refused.
///
/// # Errors
/// It was, or the note cannot be read.
pub(crate) fn refuse_restored(driver: &OciBlock, name: VolumeName<'_>) -> Result<(), Error> {
    let volume = name.key()?;
    let noted = noted(driver, volume).map_err(|error| Refusal::RecordUnreadable {
        volume: volume.to_owned(),
        record: driver.staging.state_dir.join(ORIGINS).join(volume),
        why: error.to_string(),
    })?;
    match noted.or_else(|| asked(driver, name)) {
        Some(origin) => Err(Refusal::Restored { volume: volume.to_owned(), origin }.into()),
        None => Ok(()),
    }
}

fn noted(driver: &OciBlock, volume: &str) -> io::Result<Option<String>> {
    let Some(dir) = PrivateDir::existing(&driver.staging.state_dir, ORIGINS)? else {
        return Ok(None);
    };
    match dir.read(volume) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn asked(driver: &OciBlock, name: VolumeName<'_>) -> Option<String> {
    if !is_there(&driver.settings.config) {
        log::info!(
            "what volume {} was made from is not known: this node has no config.yaml",
            name.given()
        );
        return None;
    }
    let look = || -> Result<Volume, Error> {
        let cloud = Cloud::open(driver, QUERY_BUDGET, name.given())?;
        let id = name.ocid(cloud.region())?;
        cloud.volume(&id)
    };
    match look() {
        Ok(volume) => origin(&volume),
        Err(error) => {
            log::warn!("what volume {} was made from is not known: {error}", name.given());
            None
        }
    }
}

/// What the volume was made from, in words.
fn origin(volume: &Volume) -> Option<String> {
    if volume.id.kind() == BOOT_VOLUME {
        return Some("an image, as a boot volume".to_owned());
    }
    if !volume.has_source() {
        return None;
    }
    let source = volume.source_details.as_ref();
    let kind = source.and_then(|it| it.kind.as_ref()).map(ToString::to_string);
    let backup = || volume.volume_backup_id.as_ref().map(ToString::to_string);
    let id = source.and_then(|it| it.id.clone()).or_else(backup);
    let words: Vec<_> = [kind, id].into_iter().flatten().collect();
    Some(if words.is_empty() { "another volume or a backup".to_owned() } else { words.join(" ") })
}

const ORIGINS: &str = "origins";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(more: Value, expected: Option<&str>) {
        let mut volume = json!({
            "id": "ocid1.volume.oc1.phx.a", "compartmentId": "ocid1.compartment.oc1..c",
            "availabilityDomain": "ad", "lifecycleState": "AVAILABLE",
        });
        volume.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let volume = serde_json::from_value(volume).unwrap();
        assert_eq!(origin(&volume).as_deref(), expected);
    }

    #[test]
    fn whatever_the_api_names_as_a_source_is_one() {
        check(json!({}), None);
        check(json!({"sourceDetails": null}), None);
        check(
            json!({"sourceDetails": {"type": "volumeBackup", "id": "ocid1.volumebackup.oc1.phx.b"}}),
            Some("volumeBackup ocid1.volumebackup.oc1.phx.b"),
        );
        check(json!({"sourceDetails": {"type": "of the future"}}), Some("of the future"));
        check(json!({"sourceDetails": {}}), Some("another volume or a backup"));
        check(
            json!({"volumeBackupId": "ocid1.volumebackup.oc1.phx.b"}),
            Some("ocid1.volumebackup.oc1.phx.b"),
        );
        check(json!({"id": "ocid1.bootvolume.oc1.phx.a"}), Some("an image, as a boot volume"));
    }
}
