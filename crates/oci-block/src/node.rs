//! Which instance a Kubernetes node is.

use std::{collections::BTreeMap, net::IpAddr};

use kube_node::KubeNode;
use oci_iaas::{
    AttachmentState, GetInstance, GetVnic, Instance, InstanceState, ListInstances, ListSubnets,
    ListVnicAttachments, Ocid, Vnic, VnicAttachment,
};

use crate::{
    cloud::Cloud,
    error::Error,
    remembered::{Found, recall, remember},
};

/// A node, as both sides know it.
#[derive(Debug)]
pub(crate) struct Node {
    /// The instance.
    pub(crate) instance: Instance,
    /// What Kubernetes says of it, where Kubernetes can be asked.
    pub(crate) kube: Option<KubeNode>,
}

/// Finds the instance of the node called `name`.
///
/// The ways, in order: the name is an instance's OCID; Kubernetes knows the node's provider id; an
/// instance has the display name; a VNIC has the host name or the address. A name that is an address is
/// compared with addresses only.
///
/// # Errors
/// None or several instances fit, or a service did not answer.
pub(crate) fn find_node(cloud: &Cloud, name: &str) -> Result<Node, Error> {
    if let Ok(id) = name.parse::<Ocid>()
        && id.kind() == INSTANCE
    {
        return Ok(Node { instance: known(cloud, name, id)?, kube: None });
    }
    let kube = cloud.kube_node(name)?;
    let provider_id = kube.as_ref().and_then(|node| node.provider_id.as_deref());
    let instance = match provider_id {
        Some(provider_id) => {
            let id = kube_node::instance_id(provider_id).parse::<Ocid>().ok();
            let id = id.filter(|id| id.kind() == INSTANCE).ok_or_else(|| Error::ProviderId {
                node: name.to_owned(),
                provider_id: provider_id.to_owned(),
            })?;
            known(cloud, name, id)?
        }
        None => by_name(cloud, name)?,
    };
    Ok(Node { instance, kube })
}

/// The instance that the node is said to be.
fn known(cloud: &Cloud, node: &str, id: Ocid) -> Result<Instance, Error> {
    match instance(cloud, &id) {
        Err(Error::Api(source)) if source.is_not_found() => {
            Err(Error::InstanceUnseen { node: node.to_owned(), instance: id, source })
        }
        found => found,
    }
}

fn instance(cloud: &Cloud, id: &Ocid) -> Result<Instance, Error> {
    Ok(cloud.client.send(&GetInstance { id })?)
}

fn by_name(cloud: &Cloud, name: &str) -> Result<Instance, Error> {
    let compartment = cloud.compartment()?;
    let mut found = Vec::new();
    if address(name).is_none() {
        let list = ListInstances { compartment: &compartment, display_name: Some(name) };
        found = cloud.client.list(&list)?;
        found.retain(exists);
    }
    if found.is_empty() {
        if let Some(instance) = remembered(cloud, &compartment, name)? {
            return Ok(instance);
        }
        found = by_vnic(cloud, &compartment, name)?;
    }
    match <[Instance; 1]>::try_from(found) {
        Ok([instance]) => Ok(instance),
        Err(found) if found.is_empty() => {
            Err(Error::NodeUnknown { node: name.to_owned(), compartment: compartment.to_string() })
        }
        Err(found) => {
            let all: Vec<_> = found.iter().map(|it| it.id.to_string()).collect();
            Err(Error::NodeAmbiguous { node: name.to_owned(), instances: all.join(", ") })
        }
    }
}

/// The instance by which the node was found a short time ago, if that VNIC is still attached to it
/// and still answers to the name.
fn remembered(cloud: &Cloud, compartment: &Ocid, name: &str) -> Result<Option<Instance>, Error> {
    let Some(found) = recall(cloud.run_dir(), name, &*cloud.clock) else { return Ok(None) };
    let instance_id = Some(&found.instance);
    let list = ListVnicAttachments { compartment, instance: instance_id };
    let attached = cloud.client.list(&list)?.into_iter().any(|it| {
        it.lifecycle_state == AttachmentState::Attached && it.vnic_id.as_ref() == Some(&found.vnic)
    });
    if !attached || !answers_to(&cloud.client.send(&GetVnic { id: &found.vnic })?, name) {
        return Ok(None);
    }
    Ok(Some(instance(cloud, &found.instance)?).filter(exists))
}

/// One request for each VNIC of the compartment (and network, if configured).
fn by_vnic(cloud: &Cloud, compartment: &Ocid, name: &str) -> Result<Vec<Instance>, Error> {
    let subnets = subnets(cloud, compartment)?;
    let in_network = |it: &VnicAttachment| match (&subnets, &it.subnet_id) {
        (Some(subnets), Some(subnet)) => subnets.contains(subnet),
        (Some(_), None) => false,
        (None, _) => true,
    };
    // By instance, which may have several VNICs with the same name.
    let mut vnics: BTreeMap<Ocid, Ocid> = BTreeMap::new();
    for attachment in cloud.client.list(&ListVnicAttachments { compartment, instance: None })? {
        let attached = attachment.lifecycle_state == AttachmentState::Attached;
        let (true, Some(id)) = (attached && in_network(&attachment), &attachment.vnic_id) else {
            continue;
        };
        let vnic = match cloud.client.send(&GetVnic { id }) {
            Ok(vnic) => vnic,
            // It has gone since the list was made.
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error.into()),
        };
        if answers_to(&vnic, name) {
            vnics.insert(attachment.instance_id, id.clone());
        }
    }
    let instances: Result<Vec<_>, _> = vnics.keys().map(|id| instance(cloud, id)).collect();
    let instances: Vec<_> = instances?.into_iter().filter(exists).collect();
    if let [only] = &*instances
        && let Some(vnic) = vnics.remove(&only.id)
    {
        let found = Found { instance: only.id.clone(), vnic };
        remember(cloud.run_dir(), name, &found);
    }
    Ok(instances)
}

fn subnets(cloud: &Cloud, compartment: &Ocid) -> Result<Option<Vec<Ocid>>, Error> {
    let Some(vcn) = cloud.vcn() else { return Ok(None) };
    let subnets = cloud.client.list(&ListSubnets { compartment, vcn })?;
    Ok(Some(subnets.into_iter().map(|it| it.id).collect()))
}

/// Whether a node of that name may be the one with this VNIC: by address, or by host name up to a dot.
fn answers_to(vnic: &Vnic, name: &str) -> bool {
    let addresses = [vnic.private_ip.as_ref(), vnic.public_ip.as_ref()];
    let mut addresses = addresses.into_iter().flatten().chain(vnic.ipv6_addresses.iter().flatten());
    if let Some(wanted) = address(name) {
        return addresses.any(|it| address(it) == Some(wanted));
    }
    let host = name.split('.').next().unwrap_or(name);
    vnic.hostname_label.as_ref().is_some_and(|label| label.eq_ignore_ascii_case(host))
}

/// The address that a text is, of which IPv6 knows several spellings.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(|it: IpAddr| it.to_canonical())
}

fn exists(instance: &Instance) -> bool {
    let gone = [InstanceState::Terminating, InstanceState::Terminated];
    !gone.contains(&instance.lifecycle_state)
}

const INSTANCE: &str = "instance";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: bool) {
        let vnic: Vnic = serde_json::from_value(serde_json::json!({
            "id": "ocid1.vnic.oc1.phx.n",
            "compartmentId": "ocid1.compartment.oc1..c",
            "lifecycleState": "AVAILABLE",
            "hostnameLabel": "10",
            "privateIp": "10.0.0.9",
            "publicIp": "192.0.2.7",
            "ipv6Addresses": ["2001:db8:0:0::7", "::ffff:10.0.0.77"],
        }))
        .unwrap();
        assert_eq!(answers_to(&vnic, name), expected, "{name}");
    }

    #[test]
    fn a_name_that_is_an_address_is_compared_with_addresses_only() {
        check("10.0.0.9", true);
        check("192.0.2.7", true);
        check("10.0.0.5", false);
        check("10.0.0.77", true);
        for same in ["2001:db8::7", "2001:DB8::0007", "2001:db8:0:0:0:0:0:7"] {
            check(same, true);
        }
        check("2001:db8::8", false);
    }

    #[test]
    fn any_other_name_is_compared_with_the_host_name() {
        check("10", true);
        check("10.sub.vcn.oraclevcn.com", true);
        check("10.0.0", true);
        check("1", false);
        check("10-0-0-9", false);
    }
}
