//! expandvolume: the volume has at least the size asked for when the call has ended well.

use std::{iter, time::Duration};

use oci_iaas::{GetVolume, Ocid, UpdateVolume, Volume, VolumeState};
use oci_rest::Tagged;

use crate::{
    OciBlock,
    cloud::{CHANGE_BUDGET, Cloud},
    error::Error,
    expand_error::ExpandError,
    volume::VolumeName,
};

/// Makes the volume larger through the API, and tells the size that it has then, in bytes.
///
/// A volume is grown by whole GiB, so the size asked for is rounded up; one that is large enough
/// already is a success. Ends within [`CHANGE_BUDGET`]; a growth that takes longer is waited for by the
/// next call.
pub(crate) fn expand_volume(
    driver: &OciBlock,
    name: VolumeName<'_>,
    new_bytes: u64,
) -> Result<u64, Error> {
    let name = name.for_the_api()?;
    let cloud = Cloud::open(driver, CHANGE_BUDGET, name.given())?;
    let volume = name.block_volume(cloud.region())?;
    let _lock = driver.staging.lock_if_possible(volume.unique(), "expandvolume")?;
    Expanding { cloud: &cloud, volume: &volume, asked: new_bytes.div_ceil(GIB) }.settle()
}

/// One volume on its way to a size.
struct Expanding<'a> {
    cloud: &'a Cloud,
    volume: &'a Ocid,
    /// in GiB
    asked: u64,
}

impl Expanding<'_> {
    /// Observes and acts until the volume is available and large enough.
    fn settle(&self) -> Result<u64, Error> {
        let longer = |wait: &Duration| Some((*wait * 2).min(LONGEST));
        let mut waits = iter::successors(Some(SHORTEST), longer);
        loop {
            let seen = self.cloud.client.send_tagged(&GetVolume { id: self.volume })?;
            let size = self.size(&seen.value)?;
            let state = &seen.value.lifecycle_state;
            let changed = match state {
                VolumeState::Available if size >= self.asked.saturating_mul(GIB) => {
                    return Ok(size);
                }
                VolumeState::Available => self.update(&seen, size)?,
                VolumeState::Provisioning | VolumeState::Restoring => false,
                _ => {
                    let volume = self.volume.to_string();
                    return Err(ExpandError::State { volume, state: state.clone() }.into());
                }
            };
            // What has just been changed is looked at soon.
            let wait = if changed { SHORTEST } else { waits.next().unwrap_or(LONGEST) };
            if !self.cloud.wait_if_in_time(wait) {
                let (volume, state) = (self.volume.to_string(), state.clone());
                return Err(ExpandError::StillGrowing { volume, state, asked: self.asked }.into());
            }
        }
    }

    /// Asks for the size, unless the volume has changed since it was `seen`; whether it was
    /// accepted.
    fn update(&self, seen: &Tagged<Volume>, size: u64) -> Result<bool, Error> {
        let (id, size_in_gbs, if_match) = (self.volume, self.asked, seen.etag.as_deref());
        match self.cloud.client.send(&UpdateVolume { id, size_in_gbs, if_match }) {
            Ok(_) => Ok(true),
            // Another change was faster, or this one was carried out and its answer lost.
            Err(error) if matches!(error.status(), Some(409 | 412)) && !is_final(&error) => {
                log::info!("volume {id} cannot be changed yet: {error}");
                Ok(false)
            }
            Err(source) => {
                let (volume, has) = (id.to_string(), size / GIB);
                Err(ExpandError::Refused { volume, has, asked: self.asked, source }.into())
            }
        }
    }

    fn size(&self, volume: &Volume) -> Result<u64, ExpandError> {
        let unknown = || ExpandError::SizeUnknown { volume: self.volume.to_string() };
        volume.size().ok_or_else(unknown)
    }
}

/// Conflicts that no waiting ends.
fn is_final(error: &oci_rest::Error) -> bool {
    matches!(error.code(), Some("LimitExceeded" | "QuotaExceeded"))
}

const GIB: u64 = 1 << 30;
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(5);
