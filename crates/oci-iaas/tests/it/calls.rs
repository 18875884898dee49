//! What each operation puts into its request.

use oci_iaas::{
    AttachVolume, AttachmentRequest, Call, DetachVolume, GetBootVolume, GetInstance, GetVcn,
    GetVnic, GetVolume, GetVolumeAttachment, ListInstanceDevices, ListInstances, ListOperation,
    ListSubnets, ListVnicAttachments, ListVolumeAttachments, ListVolumes, Ocid, Operation,
    UpdateVolume,
};

fn ocid(kind: &str) -> Ocid {
    format!("ocid1.{kind}.oc1.phx.a").parse().unwrap()
}

fn compartment() -> Ocid {
    "ocid1.compartment.oc1..a".parse().unwrap()
}

/// Compares request line, headers and body.
#[track_caller]
fn check(call: Call, expected: &[&str]) {
    let mut shown = vec![format!("{} {}", call.method, call.path_and_query)];
    shown.extend(call.if_match.map(|it| format!("if-match: {it}")));
    shown.extend(call.retry_token.map(|it| format!("opc-retry-token: {it}")));
    shown.extend(call.body);
    assert_eq!(shown, expected);
}

#[test]
fn one_thing_is_looked_at_by_its_id() {
    check(
        GetVolumeAttachment { id: &ocid("volumeattachment") }.call(),
        &["GET /20160918/volumeAttachments/ocid1.volumeattachment.oc1.phx.a"],
    );
    check(
        GetVolume { id: &ocid("volume") }.call(),
        &["GET /20160918/volumes/ocid1.volume.oc1.phx.a"],
    );
    check(
        GetBootVolume { id: &ocid("bootvolume") }.call(),
        &["GET /20160918/bootVolumes/ocid1.bootvolume.oc1.phx.a"],
    );
    check(
        GetInstance { id: &ocid("instance") }.call(),
        &["GET /20160918/instances/ocid1.instance.oc1.phx.a"],
    );
    check(GetVnic { id: &ocid("vnic") }.call(), &["GET /20160918/vnics/ocid1.vnic.oc1.phx.a"]);
    check(GetVcn { id: &ocid("vcn") }.call(), &["GET /20160918/vcns/ocid1.vcn.oc1.phx.a"]);
}

#[test]
fn volumes_are_listed_by_name() {
    let compartment = compartment();
    let all = ListVolumes { compartment: &compartment, display_name: None };
    check(
        all.call(None),
        &["GET /20160918/volumes?compartmentId=ocid1.compartment.oc1..a&limit=1000"],
    );
    check(
        ListVolumes { display_name: Some("my data"), ..all }.call(Some("NEXT+")),
        &[
            "GET /20160918/volumes?compartmentId=ocid1.compartment.oc1..a&displayName=my%20data&limit=1000&page=NEXT%2B",
        ],
    );
}

#[test]
fn attachments_are_listed_by_instance_or_volume() {
    let (compartment, instance, volume) = (compartment(), ocid("instance"), ocid("volume"));
    let all = ListVolumeAttachments { compartment: &compartment, instance: None, volume: None };
    check(
        all.call(None),
        &["GET /20160918/volumeAttachments?compartmentId=ocid1.compartment.oc1..a&limit=1000"],
    );
    check(
        ListVolumeAttachments { instance: Some(&instance), ..all }.call(None),
        &[
            "GET /20160918/volumeAttachments?compartmentId=ocid1.compartment.oc1..a&instanceId=ocid1.instance.oc1.phx.a&limit=1000",
        ],
    );
    let both = ListVolumeAttachments { instance: Some(&instance), volume: Some(&volume), ..all };
    check(
        both.call(Some("NEXT+/==")),
        &[
            "GET /20160918/volumeAttachments?compartmentId=ocid1.compartment.oc1..a&instanceId=ocid1.instance.oc1.phx.a&volumeId=ocid1.volume.oc1.phx.a&limit=1000&page=NEXT%2B%2F%3D%3D",
        ],
    );
}

#[test]
fn look_ups_are_lists() {
    let (compartment, instance, vcn) = (compartment(), ocid("instance"), ocid("vcn"));
    let all = ListInstances { compartment: &compartment, display_name: None };
    check(
        all.call(None),
        &["GET /20160918/instances?compartmentId=ocid1.compartment.oc1..a&limit=1000"],
    );
    let named = ListInstances { display_name: Some("Knoten eins & größer/2"), ..all };
    check(
        named.call(Some("2")),
        &[
            "GET /20160918/instances?compartmentId=ocid1.compartment.oc1..a&displayName=Knoten%20eins%20%26%20gr%C3%B6%C3%9Fer%2F2&limit=1000&page=2",
        ],
    );
    let all = ListVnicAttachments { compartment: &compartment, instance: None };
    check(
        all.call(None),
        &["GET /20160918/vnicAttachments?compartmentId=ocid1.compartment.oc1..a&limit=1000"],
    );
    check(
        ListVnicAttachments { instance: Some(&instance), ..all }.call(Some("")),
        &[
            "GET /20160918/vnicAttachments?compartmentId=ocid1.compartment.oc1..a&instanceId=ocid1.instance.oc1.phx.a&limit=1000&page=",
        ],
    );
    check(
        ListSubnets { compartment: &compartment, vcn: &vcn }.call(None),
        &[
            "GET /20160918/subnets?compartmentId=ocid1.compartment.oc1..a&vcnId=ocid1.vcn.oc1.phx.a&limit=1000",
        ],
    );
    let free = ListInstanceDevices { instance: &instance, available: true };
    check(
        free.call(None),
        &["GET /20160918/instances/ocid1.instance.oc1.phx.a/devices?isAvailable=true&limit=1000"],
    );
    check(
        ListInstanceDevices { available: false, ..free }.call(None),
        &["GET /20160918/instances/ocid1.instance.oc1.phx.a/devices?isAvailable=false&limit=1000"],
    );
}

#[test]
fn attaching_omits_what_is_absent() {
    let (instance, volume) = (ocid("instance"), ocid("volume"));
    let attach = AttachVolume {
        instance: &instance,
        volume: &volume,
        kind: AttachmentRequest::Iscsi { use_chap: false },
        device: None,
        display_name: None,
        read_only: false,
        shareable: false,
        retry_token: "0123456789abcdef",
    };
    check(
        attach.call(),
        &[
            "POST /20160918/volumeAttachments",
            "opc-retry-token: 0123456789abcdef",
            r#"{"instanceId":"ocid1.instance.oc1.phx.a","isReadOnly":false,"type":"iscsi","useChap":false,"volumeId":"ocid1.volume.oc1.phx.a"}"#,
        ],
    );
    check(
        AttachVolume {
            kind: AttachmentRequest::Iscsi { use_chap: true },
            display_name: Some("\"größe\"\n"),
            read_only: true,
            shareable: true,
            ..attach
        }
        .call(),
        &[
            "POST /20160918/volumeAttachments",
            "opc-retry-token: 0123456789abcdef",
            r#"{"displayName":"\"größe\"\n","instanceId":"ocid1.instance.oc1.phx.a","isReadOnly":true,"isShareable":true,"type":"iscsi","useChap":true,"volumeId":"ocid1.volume.oc1.phx.a"}"#,
        ],
    );
    check(
        AttachVolume {
            kind: AttachmentRequest::Paravirtualized,
            device: Some("/dev/oracleoci/oraclevdb"),
            ..attach
        }
        .call(),
        &[
            "POST /20160918/volumeAttachments",
            "opc-retry-token: 0123456789abcdef",
            r#"{"device":"/dev/oracleoci/oraclevdb","instanceId":"ocid1.instance.oc1.phx.a","isReadOnly":false,"type":"paravirtualized","volumeId":"ocid1.volume.oc1.phx.a"}"#,
        ],
    );
}

#[test]
fn detaching_may_insist_on_a_version() {
    let id = ocid("volumeattachment");
    check(
        DetachVolume { id: &id, if_match: None }.call(),
        &["DELETE /20160918/volumeAttachments/ocid1.volumeattachment.oc1.phx.a"],
    );
    check(
        DetachVolume { id: &id, if_match: Some("2f0b6d1e") }.call(),
        &[
            "DELETE /20160918/volumeAttachments/ocid1.volumeattachment.oc1.phx.a",
            "if-match: 2f0b6d1e",
        ],
    );
}

/// An answer without a body counts as `null`.
#[test]
fn detaching_answers_nothing() {
    serde_json::from_str::<<DetachVolume<'_> as Operation>::Output>("null").unwrap();
}

#[test]
fn a_volume_is_given_a_size_in_gib() {
    let id = ocid("volume");
    check(
        UpdateVolume { id: &id, size_in_gbs: 60, if_match: Some("2f0b6d1e") }.call(),
        &[
            "PUT /20160918/volumes/ocid1.volume.oc1.phx.a",
            "if-match: 2f0b6d1e",
            r#"{"sizeInGBs":60}"#,
        ],
    );
}
