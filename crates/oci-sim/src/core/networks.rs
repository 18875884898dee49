//! VNICs and their attachments, the VCN and its subnet.

use serde_json::{Value, json};

use super::{Items, compartment, time};
use crate::pages::{empty_page, page};
use crate::reply::{Refusal, Reply};
use crate::routes::Ask;
use crate::state::{Instance, Network, State};

pub(crate) fn list_vnic_attachments(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let compartment = compartment(state, ask)?;
    if ask.twist.empty_page && ask.query.value("page").is_none() {
        return Ok(empty_page());
    }
    let wanted = state.instances.iter().filter(|instance| {
        instance.compartment == compartment
            && ask.wants("instanceId", &instance.id)
            && ask.wants("vnicId", &instance.vnic.id)
            && ask.wants("availabilityDomain", &instance.availability_domain)
    });
    let items: Items = wanted.map(|it| (it.serial, attachment(it))).collect();
    page(items, &ask.query, state.config.page_size)
}

pub(crate) fn show_vnic_attachment(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let mut all = state.instances.iter();
    let found = all.find(|instance| instance.vnic.attachment == ask.id);
    let instance = found.ok_or_else(|| Refusal::not_found("VNIC attachment", &ask.id))?;
    Ok(Reply::ok(attachment(instance)).header("etag", format!("{}-1", instance.serial)))
}

pub(crate) fn show_vnic(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let found = state.instances.iter().find(|instance| instance.vnic.id == ask.id);
    let instance = found.ok_or_else(|| Refusal::not_found("VNIC", &ask.id))?;
    Ok(Reply::ok(vnic(instance)).header("etag", format!("{}-1", instance.serial)))
}

pub(crate) fn show_vcn(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let found = state.networks.iter().find(|network| network.vcn == ask.id);
    let network = found.ok_or_else(|| Refusal::not_found("VCN", &ask.id))?;
    Ok(Reply::ok(vcn(network)).header("etag", format!("{}-1", network.serial)))
}

pub(crate) fn list_subnets(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let compartment = compartment(state, ask)?;
    let wanted = state.networks.iter().filter(|network| {
        network.compartment == compartment
            && ask.wants("vcnId", &network.vcn)
            && ask.wants("displayName", "subnet")
            && ask.wants("lifecycleState", "AVAILABLE")
    });
    let items: Items = wanted.map(|it| (it.serial, subnet(it))).collect();
    page(items, &ask.query, state.config.page_size)
}

fn attachment(instance: &Instance) -> Value {
    json!({
        "availabilityDomain": instance.availability_domain,
        "compartmentId": instance.compartment,
        "displayName": null,
        "id": instance.vnic.attachment,
        "instanceId": instance.id,
        "lifecycleState": "ATTACHED",
        "nicIndex": 0,
        "subnetId": instance.vnic.subnet,
        "timeCreated": time(instance.created),
        "vlanTag": 11,
        "vnicId": instance.vnic.id,
    })
}

fn vnic(instance: &Instance) -> Value {
    let vnic = &instance.vnic;
    let mut document = json!({
        "availabilityDomain": instance.availability_domain,
        "compartmentId": instance.compartment,
        "displayName": instance.display_name,
        "hostnameLabel": vnic.hostname_label,
        "id": vnic.id,
        "isPrimary": true,
        "lifecycleState": "AVAILABLE",
        "macAddress": MAC_ADDRESS,
        "nsgIds": [],
        "privateIp": vnic.private_ip,
        "publicIp": vnic.public_ip,
        "skipSourceDestCheck": false,
        "subnetId": vnic.subnet,
        "timeCreated": time(instance.created),
    });
    if let (Some(address), Some(fields)) = (&vnic.ipv6, document.as_object_mut()) {
        fields.insert("ipv6Addresses".into(), json!([address]));
    }
    document
}

fn vcn(network: &Network) -> Value {
    json!({
        "cidrBlock": "10.0.0.0/16",
        "cidrBlocks": ["10.0.0.0/16"],
        "compartmentId": network.compartment,
        "displayName": "vcn",
        "id": network.vcn,
        "lifecycleState": "AVAILABLE",
        "timeCreated": time(network.created),
    })
}

fn subnet(network: &Network) -> Value {
    json!({
        "cidrBlock": "10.0.0.0/16",
        "compartmentId": network.compartment,
        "displayName": "subnet",
        "id": network.subnet,
        "lifecycleState": "AVAILABLE",
        "routeTableId": "ocid1.routetable.oc1.phx.aaaaroutes",
        "timeCreated": time(network.created),
        "vcnId": network.vcn,
        "virtualRouterIp": "10.0.0.1",
        "virtualRouterMac": "00:00:17:00:00:01",
    })
}

/// Every VNIC has it; no frame is ever sent here.
pub(crate) const MAC_ADDRESS: &str = "00:00:17:00:00:02";
