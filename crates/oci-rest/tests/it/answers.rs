//! Bodies of answers, as Oracle documents them.

pub(crate) const ATTACHMENT: &str = "ocid1.volumeattachment.oc1.phx.a";

/// An iSCSI attachment.
pub(crate) fn attachment(state: &str) -> String {
    format!(
        r#"{{"attachmentType":"iscsi","id":"{ATTACHMENT}","instanceId":"ocid1.instance.oc1.phx.i",
        "volumeId":"ocid1.volume.oc1.phx.v","availabilityDomain":"Uocm:PHX-AD-1",
        "compartmentId":"ocid1.compartment.oc1..c","lifecycleState":"{state}",
        "timeCreated":"2026-11-20T12:00:00.000Z","ipv4":"169.254.2.2",
        "iqn":"iqn.2015-12.com.oracleiaas:40b7ee03","port":3260}}"#
    )
}
