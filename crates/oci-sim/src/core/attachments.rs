//! Volume attachments: attach, get, list, detach, and how they are shown.

use serde_json::{Value, json};

use super::{attach, compartment, time};
use crate::pages::{empty_page, page};
use crate::reply::{Refusal, Reply};
use crate::routes::Ask;
use crate::state::{Attachment, Lag, State, Target};

pub(crate) fn attach(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let id = attach::begin(state, ask)?;
    shown(state, &id)
}

pub(crate) fn show(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    state.look_at_attachments(ask.now, |attachment| attachment.id == ask.id);
    let mut reply = shown(state, &ask.id)?;
    reply.headers.retain(|(name, _)| *name == "etag");
    Ok(reply)
}

pub(crate) fn list(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let compartment = compartment(state, ask)?;
    if ask.twist.empty_page && ask.query.value("page").is_none() {
        return Ok(empty_page());
    }
    let wanted = |attachment: &Attachment| {
        attachment.compartment == compartment
            && ask.wants("instanceId", &attachment.instance_id)
            && ask.wants("volumeId", &attachment.volume_id)
            && ask.wants("availabilityDomain", &attachment.availability_domain)
    };
    state.look_at_attachments(ask.now, wanted);
    let mut items = Vec::new();
    for attachment in state.attachments.iter_mut().filter(|attachment| wanted(attachment)) {
        items.extend(listed(attachment).map(|document| (attachment.serial, document)));
    }
    page(items, &ask.query, state.config.page_size)
}

pub(crate) fn detach(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let delay = state.config.detach_delay;
    let not_found = || Refusal::not_found("volume attachment", &ask.id);
    let index = state.attachments.iter().position(|it| it.id == ask.id).ok_or_else(not_found)?;
    let work = {
        let attachment = state.attachments.get(index).ok_or_else(not_found)?;
        ask.check_etag(&etag(attachment))?;
        match attachment.life.state() {
            "ATTACHED" => {}
            "DETACHED" => return Err(not_found()),
            passing => {
                let message = format!("Volume attachment {} is {passing}.", ask.id);
                return Err(Refusal::incorrect_state(message));
            }
        }
        let attachment = attachment.clone();
        if let Some(disks) = &mut state.disks {
            disks.note_use(&attachment);
        }
        state.begin_work("DetachVolume", &ask.id, "DETACHED", ask.now)
    };
    let attachment = state.attachments.get_mut(index).ok_or_else(not_found)?;
    if ask.twist.lists_lag > 0 {
        let shown = Some(document(attachment));
        attachment.lag = Some(Lag { lists_left: ask.twist.lists_lag, shown });
    }
    attachment.work_request.clone_from(&work);
    let goal = if ask.twist.fails { "ATTACHED" } else { "DETACHED" };
    attachment.life.pass("DETACHING", goal, ask.due(delay));
    Ok(Reply::no_content().header("opc-work-request-id", work))
}

fn shown(state: &State, id: &str) -> Result<Reply, Refusal> {
    let found = state.attachments.iter().find(|attachment| attachment.id == id);
    let attachment = found.ok_or_else(|| Refusal::not_found("volume attachment", id))?;
    Ok(Reply::ok(document(attachment))
        .header("etag", etag(attachment))
        .header("opc-work-request-id", &attachment.work_request))
}

/// What a list shows of it now; less by one is what lists lag behind.
fn listed(attachment: &mut Attachment) -> Option<Value> {
    match &mut attachment.lag {
        Some(Lag { lists_left, shown }) if *lists_left > 0 => {
            *lists_left -= 1;
            shown.clone()
        }
        _ => Some(document(attachment)),
    }
}

fn etag(attachment: &Attachment) -> String {
    format!("{}-{}", attachment.serial, attachment.life.version())
}

fn document(attachment: &Attachment) -> Value {
    let mut document = json!({
        "attachmentType": attachment.attachment_type,
        "availabilityDomain": attachment.availability_domain,
        "compartmentId": attachment.compartment,
        "device": attachment.device,
        "displayName": attachment.display_name,
        "id": attachment.id,
        "instanceId": attachment.instance_id,
        "isMultipath": attachment.target.as_ref().map(|target| target.multipath),
        "isPvEncryptionInTransitEnabled": attachment.pv_encrypted,
        "isReadOnly": attachment.is_read_only,
        "isShareable": attachment.is_shareable,
        "isVolumeCreatedDuringLaunch": false,
        "iscsiLoginState": null,
        "lifecycleState": attachment.life.state(),
        "timeCreated": time(attachment.created),
        "volumeId": attachment.volume_id,
    });
    if let (Some(target), Some(fields)) = (&attachment.target, document.as_object_mut()) {
        fields.extend(target_fields(
            target,
            attachment.life.state() != "ATTACHING",
            &attachment.volume_id,
        ));
    }
    document
}

/// Where to log in; while ATTACHING it is not known yet.
fn target_fields(target: &Target, known: bool, volume: &str) -> serde_json::Map<String, Value> {
    let known = known.then_some(target);
    let secret = known.and_then(|target| target.chap_secret.as_ref());
    let portals = target.portals();
    let others = portals.iter().skip(1);
    let others = others.map(|it| json!({"ipv4": it.ip(), "iqn": target.iqn, "port": it.port()}));
    let fields = json!({
        "chapSecret": secret,
        "chapUsername": secret.map(|_| volume),
        "encryptionInTransitType": "NONE",
        "ipv4": known.and_then(|_| portals.first()).map(|it| it.ip()),
        "ipv6": null,
        "iqn": known.map(|target| &target.iqn),
        "isAgentAutoIscsiLoginEnabled": target.auto_login,
        "multipathDevices": known.map(|_| others.collect::<Vec<Value>>()),
        "port": known.and_then(|_| portals.first()).map(|it| it.port()),
    });
    if let Value::Object(fields) = fields { fields } else { serde_json::Map::new() }
}
