//! What the API server says about a node.

use serde::Deserialize;

/// A node of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KubeNode {
    /// `spec.providerID` as it is, with or without a scheme; see [`instance_id`].
    pub provider_id: Option<String>,
    /// The condition Ready: `Unknown`, which means that kubelet is not heard any more, is not
    /// ready. `None` if there is no such condition.
    pub ready: Option<bool>,
    /// `status.volumesInUse`: unique names such as `flexvolume-oracle/oci/<volume>` that kubelet
    /// has mounted or is about to mount.
    pub volumes_in_use: Vec<String>,
    /// Addresses of type `InternalIP`.
    pub internal_addresses: Vec<String>,
    /// Addresses of type `ExternalIP`.
    pub external_addresses: Vec<String>,
    /// Whether the node was declared dead with the taint `node.kubernetes.io/out-of-service`.
    pub out_of_service: bool,
}

/// The instance's OCID in a provider id: what is left without `oci://`, which only some versions of
/// the cloud controller manager write.
pub fn instance_id(provider_id: &str) -> &str {
    provider_id.trim().strip_prefix("oci://").unwrap_or(provider_id.trim())
}

/// Reads the API server's answer. `None` if it is not a Node.
pub(crate) fn parse(json: &[u8], name: &str) -> Result<KubeNode, &'static str> {
    let node = serde_json::from_slice(json).ok().filter(|node: &Node| node.kind == "Node");
    let node = node.ok_or("this is not a Node of Kubernetes")?;
    if node.metadata.is_none_or(|it| it.name != name) {
        return Err("this is not the Node that was asked for");
    }
    let (spec, status) = (node.spec.unwrap_or_default(), node.status.unwrap_or_default());
    let ready = status.conditions.iter().flatten().find(|it| it.kind == "Ready");
    let addresses = |kind| {
        let wanted = status.addresses.iter().flatten().filter(move |it| it.kind == kind);
        wanted.map(|it| it.address.clone()).collect()
    };
    Ok(KubeNode {
        provider_id: spec.provider_id.filter(|it| !it.is_empty()),
        ready: ready.map(|it| it.status == "True"),
        internal_addresses: addresses("InternalIP"),
        external_addresses: addresses("ExternalIP"),
        volumes_in_use: status.volumes_in_use.unwrap_or_default(),
        out_of_service: spec.taints.iter().flatten().any(|it| it.key == OUT_OF_SERVICE),
    })
}

/// Go writes empty lists as `null` or leaves them out.
#[derive(Deserialize)]
struct Node {
    kind: String,
    metadata: Option<Metadata>,
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(rename = "providerID")]
    provider_id: Option<String>,
    taints: Option<Vec<Taint>>,
}

#[derive(Deserialize)]
struct Taint {
    key: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    conditions: Option<Vec<Condition>>,
    addresses: Option<Vec<Address>>,
    volumes_in_use: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

#[derive(Deserialize)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, node: Option<KubeNode>) {
        assert_eq!(parse(json.as_bytes(), "worker-1").ok(), node);
    }

    #[test]
    fn a_node_is_read() {
        check(
            include_str!("../testdata/node.json"),
            Some(KubeNode {
                provider_id: Some("oci://ocid1.instance.oc1.phx.abc".into()),
                ready: Some(true),
                volumes_in_use: vec!["flexvolume-oracle/oci/abyhqljr".into()],
                internal_addresses: vec!["10.0.0.4".into(), "fd00::4".into()],
                external_addresses: vec!["192.0.2.4".into()],
                out_of_service: false,
            }),
        );
    }

    #[test]
    fn what_is_missing_is_empty() {
        check(r#"{"kind":"Node","metadata":{"name":"worker-1"}}"#, Some(KubeNode::default()));
        check(
            r#"{"kind":"Node","metadata":{"name":"worker-1"},"spec":{"providerID":"","taints":null},
                "status":{"conditions":null}}"#,
            Some(KubeNode::default()),
        );
    }

    #[test]
    fn an_unknown_condition_is_not_ready_and_a_taint_is_seen() {
        check(
            r#"{"kind":"Node","metadata":{"name":"worker-1"},"spec":{"taints":[{"key":"node.kubernetes.io/out-of-service"}]},
                "status":{"conditions":[{"type":"Ready","status":"Unknown"}]}}"#,
            Some(KubeNode { ready: Some(false), out_of_service: true, ..KubeNode::default() }),
        );
    }

    #[test]
    fn other_documents_are_no_nodes() {
        for json in ["", "{}", r#"{"kind":"Status"}"#, r#"{"kind":"Node","spec":{"#, "[]", "<html>"]
        {
            check(json, None);
        }
    }

    #[test]
    fn another_node_is_not_the_one_asked_for() {
        for metadata in ["", r#","metadata":{}"#, r#","metadata":{"name":"worker-10"}"#] {
            check(&format!(r#"{{"kind":"Node"{metadata}}}"#), None);
        }
    }

    #[test]
    fn the_scheme_of_a_provider_id_is_cut_off() {
        for id in ["oci://ocid1.instance.a", "ocid1.instance.a", " oci://ocid1.instance.a\n"] {
            assert_eq!(instance_id(id), "ocid1.instance.a");
        }
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn no_answer_panics(
                at: prop::sample::Index,
                cut in 0..9_usize,
                text in "[\\[\\]{}\",:a-z0-9.-]{0,6}|null|true",
            ) {
                let answer = include_str!("../testdata/node.json");
                let at = at.index(answer.len());
                let end = (at + cut).min(answer.len());
                if let (Some(head), Some(tail)) = (answer.get(..at), answer.get(end..)) {
                    let _ = parse(format!("{head}{text}{tail}").as_bytes(), "worker-1");
                }
            }

            #[test]
            fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
                let _ = parse(&bytes, "worker-1");
            }
        }
    }
}
