//! The instance metadata service: v2 for those who ask right, v1 for old clients.
//!
//! Source: "Getting Instance Metadata", Oracle's Compute documentation.

use http::Response;
use http::request::Parts;
use serde_json::{Value, json};

use crate::core::instances::SHAPE;
use crate::core::networks::MAC_ADDRESS;
use crate::reply::set;
use crate::sim::{Sim, locked};
use crate::state::{Instance, State};

/// Where a metadata request leads: the instance it is about, if the path says, the version, and the rest of the path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    instance: Option<&'a str>,
    version: &'a str,
    rest: &'a str,
}

impl<'a> Path<'a> {
    /// Reads `/opc/v2/…` and `/<instance OCID>/opc/v2/…`; none if it is no path of the metadata service.
    pub(crate) fn read(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let (instance, path) = match path.split_once('/') {
            Some((first, rest)) if first.starts_with("ocid1.instance.") => (Some(first), rest),
            _ => (None, path),
        };
        let (version, rest) = path.strip_prefix("opc/")?.split_once('/')?;
        Some(Self { instance, version, rest: rest.strip_suffix('/').unwrap_or(rest) })
    }
}

/// Answers a request to the metadata service.
pub(crate) fn answer(sim: &Sim, path: &Path<'_>, request: &Parts) -> Response<Vec<u8>> {
    let state = &*locked(&sim.state);
    let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host"];
    if forwarded.iter().any(|name| request.headers.contains_key(*name)) {
        return text(403, "Forwarded requests are refused.");
    }
    let bearer = request.headers.get("authorization").and_then(|value| value.to_str().ok());
    if path.version == "v2" && bearer != Some("Bearer Oracle") {
        return text(401, "The header Authorization: Bearer Oracle is missing.");
    }
    if !matches!(path.version, "v1" | "v2") || request.method != http::Method::GET {
        return text(404, "Not found.");
    }
    let id = path.instance.or(state.metadata_instance.as_deref());
    let Some(instance) = id.and_then(|id| state.instance(id)) else {
        return text(404, "There is no instance.");
    };
    match path.rest {
        "instance" => document(&instance_document(state, instance)),
        "vnics" => document(&vnics(instance)),
        other => match other.split_once('/') {
            Some(("instance", field)) => part(&instance_document(state, instance), field),
            Some(("identity", name)) => {
                match sim.identity(&instance.id, &instance.compartment, name) {
                    Some(pem) => text(200, &pem),
                    None => text(404, "Not found."),
                }
            }
            _ => text(404, "Not found."),
        },
    }
}

fn instance_document(state: &State, instance: &Instance) -> Value {
    let region = &state.config.region;
    json!({
        "availabilityDomain": instance.availability_domain,
        "faultDomain": "FAULT-DOMAIN-1",
        "compartmentId": instance.compartment,
        "displayName": instance.display_name,
        "hostname": instance.vnic.hostname_label.as_deref().unwrap_or(&instance.display_name),
        "id": instance.id,
        "image": "ocid1.image.oc1.phx.aaaaimage",
        "metadata": {},
        "region": region.short(),
        "canonicalRegionName": region.id,
        "ociAdName": instance.availability_domain.rsplit(':').next().unwrap_or_default().to_lowercase(),
        "regionInfo": {
            "realmKey": region.realm,
            "realmDomainComponent": region.domain,
            "regionKey": region.key.to_uppercase(),
            "regionIdentifier": region.id,
        },
        "shape": SHAPE,
        "shapeConfig": {"ocpus": 2.0, "memoryInGBs": 16.0, "maxVnicAttachments": 2},
        "state": "Running",
        "timeCreated": milliseconds(instance.created),
        "tenantId": state.tenancy,
    })
}

fn vnics(instance: &Instance) -> Value {
    json!([{
        "vnicId": instance.vnic.id,
        "privateIp": instance.vnic.private_ip,
        "vlanTag": 11,
        "macAddr": MAC_ADDRESS,
        "virtualRouterIp": "10.0.0.1",
        "subnetCidrBlock": "10.0.0.0/16",
    }])
}

/// A single value, deeper ones by further slashes: plain text if it is a string.
fn part(whole: &Value, path: &str) -> Response<Vec<u8>> {
    match path.split('/').try_fold(whole, |value, name| value.get(name)) {
        Some(Value::String(value)) => text(200, value),
        Some(value) => document(value),
        None => text(404, "Not found."),
    }
}

fn document(value: &Value) -> Response<Vec<u8>> {
    let mut response = text(200, &value.to_string());
    set(&mut response, "content-type", "application/json");
    response
}

fn text(status: u16, text: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(text.as_bytes().to_vec());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    set(&mut response, "content-type", "text/plain");
    response
}

/// Unlike the API, metadata gives times as milliseconds since 1970.
fn milliseconds(time: std::time::SystemTime) -> u64 {
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, read: Option<(Option<&str>, &str, &str)>) {
        let path = Path::read(path).map(|path| (path.instance, path.version, path.rest));
        assert_eq!(path, read);
    }

    #[test]
    fn paths_of_the_metadata_service() {
        check("/opc/v2/instance/", Some((None, "v2", "instance")));
        check("/opc/v2/instance/region", Some((None, "v2", "instance/region")));
        check("/opc/v1/vnics/", Some((None, "v1", "vnics")));
        check(
            "/ocid1.instance.oc1.phx.a/opc/v2/instance",
            Some((Some("ocid1.instance.oc1.phx.a"), "v2", "instance")),
        );
        check("/20160918/instances", None);
        check("/opc/v2", None);
    }
}
