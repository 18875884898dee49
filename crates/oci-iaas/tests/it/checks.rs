//! What each operation compares of its answer with what was asked.

use oci_iaas::{
    AttachVolume, AttachmentRequest, GetBootVolume, GetInstance, GetVcn, GetVnic, GetVolume,
    GetVolumeAttachment, ListInstanceDevices, ListInstances, ListOperation, ListSubnets,
    ListVnicAttachments, ListVolumeAttachments, ListVolumes, Ocid, Operation, UpdateVolume,
};
use serde_json::Value;

/// The one of `kind` in the samples, or another one.
fn ocid(kind: &str, unique: &str) -> Ocid {
    format!("ocid1.{kind}.oc1.phx.{unique}").parse().unwrap()
}

/// Decodes the sample, changed by `field=value`.
fn sample<T: serde::de::DeserializeOwned>(text: &str, change: &str) -> T {
    let mut answer: Value = serde_json::from_str(text).unwrap();
    if let Some((field, value)) = change.split_once('=') {
        answer[field] = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    }
    serde_json::from_value(answer).unwrap()
}

#[track_caller]
fn check<O: Operation>(operation: &O, text: &str, change: &str, expected: &str) {
    assert!(operation.check(&sample(text, "")).is_ok());
    let mismatch = operation.check(&sample(text, change)).unwrap_err();
    assert_eq!(mismatch.to_string(), expected);
}

#[track_caller]
fn check_item<O: ListOperation>(operation: &O, text: &str, change: &str, expected: &str) {
    assert!(operation.check(&sample(text, "")).is_ok());
    let mismatch = operation.check(&sample(text, change)).unwrap_err();
    assert_eq!(mismatch.to_string(), expected);
}

#[test]
fn one_thing_is_the_one_that_was_asked_for() {
    let other = |kind: &str| {
        let id = |unique| format!("ocid1.{kind}.oc1.phx.{unique}");
        let expected = format!("id is {}, and {} was asked for", id("other"), id("abyhqljrone"));
        (format!("id={}", id("other")), expected)
    };
    let (change, expected) = other("volume");
    let id = &ocid("volume", "abyhqljrone");
    check(&GetVolume { id }, sample!("volume"), &change, &expected);
    check(&GetBootVolume { id }, sample!("volume"), &change, &expected);
    let update = UpdateVolume { id, size_in_gbs: 60, if_match: None };
    check(&update, sample!("volume"), &change, &expected);
    let (change, expected) = other("instance");
    let id = &ocid("instance", "abyhqljrone");
    check(&GetInstance { id }, sample!("instance"), &change, &expected);
    let (change, expected) = other("vnic");
    check(&GetVnic { id: &ocid("vnic", "abyhqljrone") }, sample!("vnic"), &change, &expected);
    let (change, expected) = other("vcn");
    check(&GetVcn { id: &ocid("vcn", "abyhqljrone") }, sample!("vcn"), &change, &expected);
    let (change, expected) = other("volumeattachment");
    let get = GetVolumeAttachment { id: &ocid("volumeattachment", "abyhqljrone") };
    check(&get, sample!("volume-attachment-iscsi"), &change, &expected);
}

#[test]
fn what_was_attached_is_what_was_asked_for() {
    let (instance, volume) = (ocid("instance", "abyhqljrone"), ocid("volume", "abyhqljrone"));
    let plain = AttachmentRequest::Iscsi { use_chap: false };
    let iscsi = AttachVolume::new(&instance, &volume, plain, "t");
    let text = sample!("volume-attachment-iscsi");
    for (change, expected) in [
        (
            "volumeId=ocid1.volume.oc1.phx.x",
            "volumeId is ocid1.volume.oc1.phx.x, and ocid1.volume.oc1.phx.abyhqljrone was asked for",
        ),
        (
            "instanceId=ocid1.instance.oc1.phx.x",
            "instanceId is ocid1.instance.oc1.phx.x, and ocid1.instance.oc1.phx.abyhqljrone was \
             asked for",
        ),
        ("attachmentType=emulated", "attachmentType is emulated, and iscsi was asked for"),
        ("attachmentType=new", "attachmentType is of an unknown kind, and iscsi was asked for"),
    ] {
        check(&iscsi, text, change, expected);
    }
    let device = Some("/dev/oracleoci/oraclevdb");
    let paravirtualized = AttachmentRequest::Paravirtualized;
    let paravirtualized =
        AttachVolume { device, ..AttachVolume::new(&instance, &volume, paravirtualized, "t") };
    check(
        &paravirtualized,
        sample!("volume-attachment-paravirtualized"),
        "device=/dev/oracleoci/oraclevdx",
        "device is /dev/oracleoci/oraclevdx, and /dev/oracleoci/oraclevdb was asked for",
    );
    check(
        &paravirtualized,
        sample!("volume-attachment-paravirtualized"),
        "id=ocid1.volume.oc1.phx.x",
        "id is ocid1.volume.oc1.phx.x, and an OCID of kind volumeattachment was asked for",
    );
    let unknown = sample(sample!("volume-attachment-paravirtualized"), "device=null");
    assert!(paravirtualized.check(&unknown).is_ok());
}

#[test]
fn an_element_is_one_of_those_that_were_asked_for() {
    let compartment =
        "ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa";
    let compartment = &compartment.parse().unwrap();
    let (instance, volume) = (&ocid("instance", "abyhqljrone"), &ocid("volume", "abyhqljrone"));
    let elsewhere = "compartmentId=ocid1.compartment.oc1..x";
    let in_another =
        format!("compartmentId is ocid1.compartment.oc1..x, and {compartment} was asked for");
    let instances = ListInstances { compartment, display_name: Some("k8s-worker-1") };
    check_item(&instances, sample!("instance"), elsewhere, &in_another);
    let named = |asked: &str, answered: &str| {
        format!("displayName is {answered}, and {asked} was asked for")
    };
    check_item(&instances, sample!("instance"), "displayName=x", &named("k8s-worker-1", "x"));
    check_item(&instances, sample!("instance"), "displayName=null", &named("k8s-worker-1", ""));
    let volumes = ListVolumes { compartment, display_name: Some("data") };
    check_item(&volumes, sample!("volume"), elsewhere, &in_another);
    check_item(&volumes, sample!("volume"), "displayName=Data", &named("data", "Data"));
    let subnets = ListSubnets { compartment, vcn: &ocid("vcn", "abyhqljrone") };
    check_item(&subnets, sample!("subnet"), elsewhere, &in_another);
    check_item(
        &subnets,
        sample!("subnet"),
        "vcnId=ocid1.vcn.oc1.phx.x",
        "vcnId is ocid1.vcn.oc1.phx.x, and ocid1.vcn.oc1.phx.abyhqljrone was asked for",
    );
    let of_another = "instanceId is ocid1.instance.oc1.phx.x, and \
                      ocid1.instance.oc1.phx.abyhqljrone was asked for";
    let other = "instanceId=ocid1.instance.oc1.phx.x";
    let vnics = ListVnicAttachments { compartment, instance: Some(instance) };
    check_item(&vnics, sample!("vnic-attachment"), other, of_another);
    let attachments =
        ListVolumeAttachments { compartment, instance: Some(instance), volume: Some(volume) };
    check_item(&attachments, sample!("volume-attachment-iscsi"), other, of_another);
    check_item(
        &attachments,
        sample!("volume-attachment-iscsi"),
        "volumeId=ocid1.volume.oc1.phx.x",
        "volumeId is ocid1.volume.oc1.phx.x, and ocid1.volume.oc1.phx.abyhqljrone was asked for",
    );
    let another_kind = |field: &str, kind: &str| {
        let expected =
            format!("{field} is ocid1.vcn.oc1.phx.x, and an OCID of kind {kind} was asked for");
        (format!("{field}=ocid1.vcn.oc1.phx.x"), expected)
    };
    let (change, expected) = another_kind("id", "instance");
    check_item(&instances, sample!("instance"), &change, &expected);
    let (change, expected) = another_kind("id", "volume");
    check_item(&volumes, sample!("volume"), &change, &expected);
    let (change, expected) = another_kind("id", "volumeattachment");
    check_item(&attachments, sample!("volume-attachment-iscsi"), &change, &expected);
    let (change, expected) = another_kind("instanceId", "instance");
    let all = ListVolumeAttachments { compartment, instance: None, volume: None };
    check_item(&all, sample!("volume-attachment-iscsi"), &change, &expected);
    let (change, expected) = another_kind("volumeId", "volume or bootvolume");
    let all = ListVolumeAttachments { compartment, instance: None, volume: None };
    check_item(&all, sample!("volume-attachment-iscsi"), &change, &expected);
    let (change, expected) = another_kind("instanceId", "instance");
    let all = ListVnicAttachments { compartment, instance: None };
    check_item(&all, sample!("vnic-attachment"), &change, &expected);
    let free = ListInstanceDevices { instance, available: true };
    check_item(
        &free,
        r#"{"name": "/dev/oracleoci/oraclevdc", "isAvailable": true}"#,
        "isAvailable=false",
        "isAvailable is false, and true was asked for",
    );
}
