//! Answers as Oracle documents them, one file per shape, and how much less will do.

use expect_test::{Expect, expect};
use oci_iaas::{Device, Instance, Subnet, Vcn, Vnic, VnicAttachment, Volume, VolumeAttachment};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;

/// Compares the fields, one in a line.
#[track_caller]
pub(crate) fn check<T: DeserializeOwned + Debug>(answer: &str, expected: Expect) {
    expected.assert_eq(&format!("{:?}\n", decode::<T>(answer)).replace(", ", ",\n"));
}

#[test]
fn answers_have_what_look_ups_need() {
    check::<Volume>(
        sample!("volume"),
        expect![[r#"
        Volume { id: Ocid("ocid1.volume.oc1.phx.abyhqljrone"),
        compartment_id: Ocid("ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"),
        availability_domain: "Uocm:PHX-AD-1",
        lifecycle_state: Available,
        display_name: Some("data"),
        size_in_gbs: Some(50),
        size_in_mbs: Some(51200),
        source_details: Some(VolumeSource { kind: Some(VolumeBackup),
        id: Some("ocid1.volumebackup.oc1.phx.abyhqljrone") }),
        volume_backup_id: None }
    "#]],
    );
    check::<Instance>(
        sample!("instance"),
        expect![[r#"
        Instance { id: Ocid("ocid1.instance.oc1.phx.abyhqljrone"),
        compartment_id: Ocid("ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"),
        availability_domain: "Uocm:PHX-AD-1",
        lifecycle_state: Running,
        region: Some("phx"),
        shape: Some("VM.Standard.E4.Flex"),
        display_name: Some("k8s-worker-1"),
        launch_options: Some(LaunchOptions { remote_data_volume_type: Some("PARAVIRTUALIZED"),
        is_consistent_volume_naming_enabled: Some(true) }) }
    "#]],
    );
    check::<VnicAttachment>(
        sample!("vnic-attachment"),
        expect![[r#"
        VnicAttachment { id: Ocid("ocid1.vnicattachment.oc1.phx.abyhqljrone"),
        compartment_id: Ocid("ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"),
        instance_id: Ocid("ocid1.instance.oc1.phx.abyhqljrone"),
        lifecycle_state: Attached,
        vnic_id: Some(Ocid("ocid1.vnic.oc1.phx.abyhqljrone")),
        subnet_id: Some(Ocid("ocid1.subnet.oc1.phx.abyhqljrone")) }
    "#]],
    );
    check::<Vnic>(
        sample!("vnic"),
        expect![[r#"
        Vnic { id: Ocid("ocid1.vnic.oc1.phx.abyhqljrone"),
        compartment_id: Ocid("ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"),
        lifecycle_state: Available,
        display_name: Some("k8s-worker-1"),
        hostname_label: Some("k8s-worker-1"),
        is_primary: Some(true),
        private_ip: Some("10.0.3.6"),
        public_ip: None,
        ipv6_addresses: Some(["2603:c020:4000:1::1"]),
        subnet_id: Some(Ocid("ocid1.subnet.oc1.phx.abyhqljrone")) }
    "#]],
    );
    check::<Vcn>(
        sample!("vcn"),
        expect![[r#"
        Vcn { id: Ocid("ocid1.vcn.oc1.phx.abyhqljrone"),
        compartment_id: Ocid("ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"),
        lifecycle_state: Available,
        display_name: Some("cluster") }
    "#]],
    );
    check::<Subnet>(
        sample!("subnet"),
        expect![[r#"
        Subnet { id: Ocid("ocid1.subnet.oc1.phx.abyhqljrone"),
        compartment_id: Ocid("ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"),
        vcn_id: Ocid("ocid1.vcn.oc1.phx.abyhqljrone"),
        lifecycle_state: Updating,
        display_name: Some("workers") }
    "#]],
    );
    check::<Vec<Device>>(
        sample!("devices"),
        expect![[r#"
        [Device { name: "/dev/oracleoci/oraclevdb",
        is_available: false },
        Device { name: "/dev/oracleoci/oraclevdc",
        is_available: true }]
    "#]],
    );
}

#[track_caller]
fn check_source(changes: Value, expected: bool) {
    let mut answer: Value = serde_json::from_str(sample!("volume")).unwrap();
    answer["sourceDetails"] = Value::Null;
    for (name, value) in changes.as_object().unwrap() {
        answer[name] = value.clone();
    }
    assert_eq!(serde_json::from_value::<Volume>(answer).unwrap().has_source(), expected);
}

#[test]
fn whatever_the_api_names_is_a_source() {
    check_source(json!({}), false);
    check_source(json!({"volumeBackupId": null}), false);
    check_source(json!({"volumeBackupId": "ocid1.volumebackup.oc1.phx.b"}), true);
    for kind in ["volume", "volumeBackup", "volumeBackupDelta", "blockVolumeReplica"] {
        check_source(json!({"sourceDetails": {"type": kind, "id": "ocid1.x.oc1.phx.b"}}), true);
    }
    check_source(json!({"sourceDetails": {"type": "bootVolumeBackup"}}), true);
    check_source(json!({"sourceDetails": {"type": "aKindOfTheFuture", "more": 1}}), true);
    check_source(json!({"sourceDetails": {"type": null}}), true);
    check_source(json!({"sourceDetails": {}}), true);
}

/// Every field but the `mandatory` ones may be `null`, absent, or joined by unknown ones.
#[track_caller]
fn check_mandatory<T: DeserializeOwned + Debug>(answer: &str, mandatory: &[&str]) {
    let answer: Value = serde_json::from_str(answer).unwrap();
    for name in answer.as_object().unwrap().keys() {
        let mut absent = answer.clone();
        absent.as_object_mut().unwrap().remove(name);
        absent["unknown"] = Value::from("field");
        let mut null = answer.clone();
        null[name] = Value::Null;
        for changed in [absent, null] {
            let decoded = serde_json::from_value::<T>(changed);
            assert_eq!(decoded.is_err(), mandatory.contains(&name.as_str()), "{name}: {decoded:?}");
        }
    }
}

#[test]
fn little_is_mandatory() {
    let common = ["id", "compartmentId", "lifecycleState"];
    let placed = [&common[..], &["availabilityDomain"]].concat();
    let attachment = [&placed[..], &["attachmentType", "instanceId", "volumeId"]].concat();
    check_mandatory::<VolumeAttachment>(
        sample!("volume-attachment-iscsi-chap-multipath"),
        &attachment,
    );
    check_mandatory::<VolumeAttachment>(sample!("volume-attachment-paravirtualized"), &attachment);
    check_mandatory::<Volume>(sample!("volume"), &placed);
    check_mandatory::<Instance>(sample!("instance"), &placed);
    check_mandatory::<VnicAttachment>(
        sample!("vnic-attachment"),
        &[&common[..], &["instanceId"]].concat(),
    );
    check_mandatory::<Vnic>(sample!("vnic"), &common);
    check_mandatory::<Vcn>(sample!("vcn"), &common);
    check_mandatory::<Subnet>(sample!("subnet"), &[&common[..], &["vcnId"]].concat());
}

#[test]
fn an_answer_of_another_shape_is_an_error() {
    for answer in
        ["", "null", "[]", "{}", "\"text\"", "{\"code\":\"x\",\"message\":\"y\"}", "<html>"]
    {
        serde_json::from_str::<VolumeAttachment>(answer).unwrap_err();
        serde_json::from_str::<Instance>(answer).unwrap_err();
    }
    serde_json::from_str::<Vec<VolumeAttachment>>("{\"items\":[]}").unwrap_err();
    assert!(decode::<Vec<VolumeAttachment>>("[]").is_empty());
}

pub(crate) fn decode<T: DeserializeOwned>(answer: &str) -> T {
    serde_json::from_str(answer).unwrap()
}
