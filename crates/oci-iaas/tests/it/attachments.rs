//! Attachments of every kind and state, as Oracle documents them.

use expect_test::expect;
use oci_iaas::{AttachmentKind, AttachmentState, IscsiLoginState, VolumeAttachment};
use proptest::prelude::*;

use crate::answers::{check, decode};

#[test]
fn an_iscsi_attachment_has_its_target() {
    check::<VolumeAttachment>(
        sample!("volume-attachment-iscsi"),
        expect![[r#"
        VolumeAttachment { id: Ocid("ocid1.volumeattachment.oc1.phx.abyhqljrone"),
        instance_id: Ocid("ocid1.instance.oc1.phx.abyhqljrone"),
        volume_id: Ocid("ocid1.volume.oc1.phx.abyhqljrone"),
        availability_domain: "Uocm:PHX-AD-1",
        compartment_id: Ocid("ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"),
        lifecycle_state: Attached,
        device: None,
        display_name: Some("volumeattachment20261120120000"),
        is_read_only: Some(false),
        is_shareable: Some(false),
        is_multipath: Some(false),
        iscsi_login_state: None,
        kind: Iscsi(IscsiTarget { ipv4: Some(169.254.2.2),
        ipv6: None,
        iqn: Some("iqn.2015-12.com.oracleiaas:40b7ee03-883f-46c6-a951-63d2841d2195"),
        port: Some(3260),
        chap_username: None,
        chap_secret: None,
        multipath_devices: [] }) }
    "#]],
    );
}

#[test]
fn a_chap_secret_is_read_and_never_shown() {
    let answer = sample!("volume-attachment-iscsi-chap-multipath");
    check::<VolumeAttachment>(
        answer,
        expect![[r#"
        VolumeAttachment { id: Ocid("ocid1.volumeattachment.oc1.phx.abyhqljrone"),
        instance_id: Ocid("ocid1.instance.oc1.phx.abyhqljrone"),
        volume_id: Ocid("ocid1.volume.oc1.phx.abyhqljrone"),
        availability_domain: "Uocm:PHX-AD-1",
        compartment_id: Ocid("ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"),
        lifecycle_state: Attached,
        device: Some("/dev/oracleoci/oraclevdb"),
        display_name: Some("volumeattachment20261120120000"),
        is_read_only: Some(true),
        is_shareable: Some(true),
        is_multipath: Some(true),
        iscsi_login_state: Some(LoginSucceeded),
        kind: Iscsi(IscsiTarget { ipv4: Some(169.254.2.2),
        ipv6: Some(fd00:c1::a9fe:202),
        iqn: Some("iqn.2015-12.com.oracleiaas:40b7ee03-883f-46c6-a951-63d2841d2195"),
        port: Some(3260),
        chap_username: Some("ocid1.volume.oc1.phx.abyhqljrone"),
        chap_secret: Some(ChapSecret(***)),
        multipath_devices: [Portal { ipv4: Some(169.254.2.3),
        iqn: Some("iqn.2015-12.com.oracleiaas:40b7ee03-883f-46c6-a951-63d2841d2196"),
        port: Some(3260) },
        Portal { ipv4: Some(169.254.2.4),
        iqn: Some("iqn.2015-12.com.oracleiaas:40b7ee03-883f-46c6-a951-63d2841d2197"),
        port: None }] }) }
    "#]],
    );
    let AttachmentKind::Iscsi(target) = decode::<VolumeAttachment>(answer).kind else { panic!() };
    assert_eq!(target.chap_secret.unwrap().expose(), "MARKER-chap-secret");
}

#[test]
fn an_attachment_on_its_way_has_no_target_yet() {
    check::<VolumeAttachment>(
        sample!("volume-attachment-attaching"),
        expect![[r#"
        VolumeAttachment { id: Ocid("ocid1.volumeattachment.oc1.phx.abyhqljrone"),
        instance_id: Ocid("ocid1.instance.oc1.phx.abyhqljrone"),
        volume_id: Ocid("ocid1.volume.oc1.phx.abyhqljrone"),
        availability_domain: "Uocm:PHX-AD-1",
        compartment_id: Ocid("ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"),
        lifecycle_state: Attaching,
        device: None,
        display_name: None,
        is_read_only: None,
        is_shareable: None,
        is_multipath: None,
        iscsi_login_state: None,
        kind: Iscsi(IscsiTarget { ipv4: None,
        ipv6: None,
        iqn: None,
        port: None,
        chap_username: None,
        chap_secret: None,
        multipath_devices: [] }) }
    "#]],
    );
}

#[test]
fn a_paravirtualized_attachment_has_a_device() {
    check::<VolumeAttachment>(
        sample!("volume-attachment-paravirtualized"),
        expect![[r#"
        VolumeAttachment { id: Ocid("ocid1.volumeattachment.oc1.phx.abyhqljrone"),
        instance_id: Ocid("ocid1.instance.oc1.phx.abyhqljrone"),
        volume_id: Ocid("ocid1.volume.oc1.phx.abyhqljrone"),
        availability_domain: "Uocm:PHX-AD-1",
        compartment_id: Ocid("ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa"),
        lifecycle_state: Detaching,
        device: Some("/dev/oracleoci/oraclevdb"),
        display_name: Some("pvc-1"),
        is_read_only: Some(false),
        is_shareable: Some(false),
        is_multipath: Some(false),
        iscsi_login_state: None,
        kind: Paravirtualized }
    "#]],
    );
}

#[test]
fn unknown_kinds_and_states_are_values() {
    let [emulated, unknown] =
        &decode::<Vec<VolumeAttachment>>(sample!("volume-attachments-of-other-kinds"))[..]
    else {
        panic!()
    };
    assert_eq!(emulated.kind, AttachmentKind::Emulated);
    assert_eq!(unknown.kind, AttachmentKind::Unknown);
    assert_eq!(unknown.lifecycle_state, AttachmentState::Other("MIGRATING".into()));
    assert_eq!(unknown.lifecycle_state.to_string(), "MIGRATING");
    assert_eq!(unknown.iscsi_login_state, Some(IscsiLoginState::Other("DREAMING".into())));
}

#[test]
fn states_are_shown_as_the_api_spells_them() {
    for text in ["ATTACHING", "ATTACHED", "DETACHING", "DETACHED", "attached", ""] {
        let state = AttachmentState::from(text.to_owned());
        assert_eq!(state.to_string(), text);
        let known = !matches!(state, AttachmentState::Other(_));
        assert_eq!(known, text.ends_with("ED") || text.ends_with("ING"), "{text}");
    }
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn no_answer_panics(at in 0..2000_usize, text in "[\\[\\]{}\",:a-z0-9.-]{0,6}|null|true") {
            let answer = sample!("volume-attachment-iscsi-chap-multipath");
            let at = at % answer.len();
            let changed = format!("{}{text}{}", &answer[..at], &answer[at..]);
            if let Ok(attachment) = serde_json::from_str::<VolumeAttachment>(&changed) {
                let shown = format!("{attachment:?}");
                prop_assert!(!shown.contains("chap-secret"));
            }
        }
    }
}
