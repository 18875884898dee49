//! AttachVolume: who may have which volume, and what an attachment begins with.

use serde::Deserialize;

use super::instances::{device_names, is_taken};
use super::{body, mandatory};
use crate::ids;
use crate::lifecycle::Life;
use crate::reply::Refusal;
use crate::routes::Ask;
use crate::state::{Attachment, Instance, Lag, State, Target, Volume};

/// The body, by the API's `AttachVolumeDetails` and its subtypes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Details {
    r#type: Option<String>,
    instance_id: Option<String>,
    volume_id: Option<String>,
    device: Option<String>,
    display_name: Option<String>,
    is_read_only: Option<bool>,
    is_shareable: Option<bool>,
    use_chap: Option<bool>,
    is_agent_auto_iscsi_login_enabled: Option<bool>,
    encryption_in_transit_type: Option<String>,
    is_pv_encryption_in_transit_enabled: Option<bool>,
}

/// Makes the attachment, ATTACHING, and its work request; the id of the attachment.
pub(crate) fn begin(state: &mut State, ask: &Ask) -> Result<String, Refusal> {
    let details: Details = body(ask)?;
    let kind = kind(&details)?;
    let instance_id = mandatory(details.instance_id.as_deref(), "instanceId")?;
    let volume_id = mandatory(details.volume_id.as_deref(), "volumeId")?;
    let instance = state
        .instance(instance_id)
        .ok_or_else(|| Refusal::not_found("instance", instance_id))?
        .clone();
    let volume = state.volumes.iter().find(|volume| volume.id == volume_id);
    let volume = volume.ok_or_else(|| Refusal::not_found("volume", volume_id))?.clone();
    check_states(&instance, &volume)?;
    check_sharing(state, &details, &instance, &volume)?;
    check_limit(state, &instance)?;
    let device = device(state, &details, kind, &instance)?;
    let target = (kind == "iscsi").then(|| target(state, &details, &instance, &volume));
    let id = state.ocid("volumeattachment");
    let attachment = Attachment {
        id: id.clone(),
        instance_id: instance.id,
        volume_id: volume.id,
        lifecycle_state: "ATTACHING",
        attachment_type: kind,
        device,
        display_name: details.display_name.unwrap_or_else(|| default_name(ask)),
        is_read_only: details.is_read_only.unwrap_or(false),
        is_shareable: details.is_shareable.unwrap_or(false),
        serial: state.next_serial(),
        created: ask.now,
        compartment: instance.compartment,
        availability_domain: instance.availability_domain,
        life: life(state, ask),
        gone_since: None,
        work_request: state.begin_work("AttachVolume", &id, "ATTACHED", ask.now),
        target,
        pv_encrypted: details.is_pv_encryption_in_transit_enabled.unwrap_or(false),
        lag: (ask.twist.lists_lag > 0)
            .then_some(Lag { lists_left: ask.twist.lists_lag, shown: None }),
    };
    state.attachments.push(attachment);
    Ok(id)
}

fn life(state: &State, ask: &Ask) -> Life<&'static str> {
    let mut life = Life::new("ATTACHING");
    let goal = if ask.twist.fails { "DETACHED" } else { "ATTACHED" };
    life.pass("ATTACHING", goal, ask.due(state.config.attach_delay));
    life
}

fn default_name(ask: &Ask) -> String {
    format!("volumeattachment{}", super::time(ask.now).replace(['-', ':', 'T', 'Z', '.'], ""))
}

fn kind(details: &Details) -> Result<&'static str, Refusal> {
    let iscsi_only = details.use_chap.is_some()
        || details.is_agent_auto_iscsi_login_enabled.is_some()
        || details.encryption_in_transit_type.is_some();
    match mandatory(details.r#type.as_deref(), "type")? {
        "iscsi" | "service_determined" if details.is_pv_encryption_in_transit_enabled.is_none() => {
            Ok("iscsi")
        }
        "paravirtualized" if !iscsi_only => Ok("paravirtualized"),
        "emulated" if !iscsi_only => Ok("emulated"),
        kind @ ("iscsi" | "service_determined" | "paravirtualized" | "emulated") => {
            Err(Refusal::invalid(format!("the body has a field that type {kind} does not have")))
        }
        kind => Err(Refusal::invalid(format!("type {kind} is not known"))),
    }
}

fn check_states(instance: &Instance, volume: &Volume) -> Result<(), Refusal> {
    if !matches!(instance.state.as_str(), "RUNNING" | "STOPPED") {
        let message = format!("Instance {} is {}.", instance.id, instance.state);
        return Err(Refusal::incorrect_state(message));
    }
    match volume.life.state() {
        "AVAILABLE" => {}
        "TERMINATING" | "TERMINATED" => return Err(Refusal::not_found("volume", &volume.id)),
        other => return Err(Refusal::incorrect_state(format!("Volume {} is {other}.", volume.id))),
    }
    if instance.availability_domain != volume.availability_domain {
        return Err(Refusal::invalid(format!(
            "The volume is in {}, the instance in {}.",
            volume.availability_domain, instance.availability_domain
        )));
    }
    Ok(())
}

/// Others may have the volume too only if all read only, or all agreed to share; never one instance twice.
fn check_sharing(
    state: &State,
    details: &Details,
    instance: &Instance,
    volume: &Volume,
) -> Result<(), Refusal> {
    let read_only = details.is_read_only.unwrap_or(false);
    let shareable = details.is_shareable.unwrap_or(false);
    for other in state.attachments.iter().filter(|it| it.volume_id == volume.id && it.is_live()) {
        let both = (read_only && other.is_read_only)
            || (shareable && other.is_shareable && read_only == other.is_read_only);
        if both && other.instance_id != instance.id {
            continue;
        }
        return Err(match other.life.state() {
            "ATTACHED" => Refusal::conflict(format!("Volume {} currently attached.", volume.id)),
            passing => Refusal::incorrect_state(format!("Volume {} is {passing}.", volume.id)),
        });
    }
    Ok(())
}

fn check_limit(state: &State, instance: &Instance) -> Result<(), Refusal> {
    let limit = state.config.attachment_limit;
    let live = state.attachments.iter().filter(|it| it.instance_id == instance.id && it.is_live());
    if live.count() < limit {
        return Ok(());
    }
    let message =
        format!("Instance {} has the most block volumes it can have: {limit}.", instance.id);
    Err(Refusal::new(400, "LimitExceeded", message))
}

/// The device path asked for, if it is one and free; for paravirtualized disks the first free one if none was asked for.
fn device(
    state: &State,
    details: &Details,
    kind: &str,
    instance: &Instance,
) -> Result<Option<String>, Refusal> {
    let Some(wanted) = &details.device else {
        let mut free = device_names().filter(|name| !is_taken(state, &instance.id, name));
        return Ok(if kind == "paravirtualized" { free.next() } else { None });
    };
    if !device_names().any(|name| name == *wanted) {
        return Err(Refusal::invalid(format!("{wanted} is not a device path for volumes.")));
    }
    if is_taken(state, &instance.id, wanted) {
        return Err(Refusal::invalid(format!("The device path {wanted} is in use.")));
    }
    Ok(Some(wanted.clone()))
}

fn target(state: &State, details: &Details, instance: &Instance, volume: &Volume) -> Target {
    let here = state.attachments.iter().filter(|it| it.instance_id == instance.id && it.is_live());
    let taken: Vec<u8> = here.filter_map(|it| Some(it.target.as_ref()?.address)).collect();
    Target {
        address: (2..=u8::MAX).find(|number| !taken.contains(number)).unwrap_or(u8::MAX),
        iqn: format!("iqn.2015-12.com.oracleiaas:{}", ids::uuid()),
        chap_secret: details.use_chap.unwrap_or(false).then(|| ids::unique(16)),
        multipath: volume.vpus_per_gb >= 30,
        auto_login: details.is_agent_auto_iscsi_login_enabled.unwrap_or(false),
    }
}
