//! What errors say, word by word.

use std::{sync::Arc, time::Duration};

use clock::{Deadline, ManualClock};
use expect_test::{Expect, expect};
use oci_iaas::{GetInstance, GetVnic, GetVolumeAttachment, ListSubnets};
use oci_rest::Client;

use crate::{
    answers::{ATTACHMENT, attachment},
    script::{Script, Step, api_key, chain, client, noon, ocid, ok, refuse, with},
};

#[track_caller]
fn check(step: Step, text: Expect) {
    let script = Script::endless(step);
    let client = client(&script, &Arc::new(ManualClock::at(noon())));
    let error = client.send(&GetVolumeAttachment { id: &ocid(ATTACHMENT) }).unwrap_err();
    text.assert_eq(&chain(&error));
}

fn plain(status: u16, body: &str) -> Step {
    Step::Answer { status, headers: vec![], body: body.to_owned() }
}

#[test]
fn a_401_tells_the_clock_skew_or_who_signed() {
    let refused = || refuse(401, "NotAuthenticated");
    check(
        with(refused(), "date", "Fri, 20 Nov 2026 12:06:52 GMT"),
        expect![
            "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 401 NotAuthenticated; this machine's clock is more than 5 minutes behind"
        ],
    );
    check(
        with(refused(), "date", "Fri, 20 Nov 2026 11:00:00 GMT"),
        expect![
            "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 401 NotAuthenticated; this machine's clock is more than 5 minutes ahead"
        ],
    );
    check(
        with(refused(), "date", "Fri, 20 Nov 2026 12:04:59 GMT"),
        expect![
            "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 401 NotAuthenticated: the service says so; signed as ocid1.user.oc1..u with the key 57:44:0d:65:0b:ab:1c:95:b8:b6:bb:b5:0c:b1:af:55: does OCI know that caller and key?"
        ],
    );
    check(
        refused(),
        expect![
            "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 401 NotAuthenticated: the service says so; signed as ocid1.user.oc1..u with the key 57:44:0d:65:0b:ab:1c:95:b8:b6:bb:b5:0c:b1:af:55: does OCI know that caller and key?"
        ],
    );
}

#[test]
fn an_endpoint_without_host_is_named() {
    let deadline = Deadline::after(&ManualClock::default(), Duration::from_secs(9));
    for (endpoint, text) in [
        (
            "iaas.example",
            "the endpoint iaas.example is not a URL such as \
             https://iaas.us-phoenix-1.oraclecloud.com",
        ),
        ("/x", "the endpoint /x is not a URL such as https://iaas.us-phoenix-1.oraclecloud.com"),
    ] {
        let (script, clock) = (Script::new([]), Arc::new(ManualClock::default()));
        let uri = endpoint.parse().unwrap();
        let client = Client::new(uri, Box::new(api_key()), script, clock, deadline);
        let error = client.send(&GetVolumeAttachment { id: &ocid(ATTACHMENT) }).unwrap_err();
        assert_eq!(chain(&error), text);
    }
}

#[test]
fn hidden_and_forbidden_name_the_right_to_ask_for() {
    check(
        refuse(404, "NotAuthorizedOrNotFound"),
        expect![
            "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 404 NotAuthorizedOrNotFound: the service says so; not found, or not permitted: needs the policy statement `Allow group <group> to read volume-attachments in compartment <compartment>`"
        ],
    );
    check(
        refuse(403, "NotAllowed"),
        expect![
            "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 403 NotAllowed: the service says so; needs the policy statement `Allow group <group> to read volume-attachments in compartment <compartment>`"
        ],
    );
    check(
        refuse(400, "RelatedResourceNotAuthorizedOrNotFound"),
        expect![
            "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 400 RelatedResourceNotAuthorizedOrNotFound: the service says so; not found, or not permitted: needs the policy statement `Allow group <group> to read volume-attachments in compartment <compartment>`"
        ],
    );
}

#[test]
fn every_operation_is_named_as_in_the_api() {
    let script = Script::endless(refuse(404, "NotAuthorizedOrNotFound"));
    let client = client(&script, &Arc::new(ManualClock::at(noon())));
    let (instance, vnic) = (ocid("ocid1.instance.oc1.phx.i"), ocid("ocid1.vnic.oc1.phx.n"));
    let (compartment, vcn) = (ocid("ocid1.compartment.oc1..c"), ocid("ocid1.vcn.oc1.phx.v"));
    let texts = [
        chain(&client.send(&GetInstance { id: &instance }).unwrap_err()),
        chain(&client.send(&GetVnic { id: &vnic }).unwrap_err()),
        chain(&client.list(&ListSubnets { compartment: &compartment, vcn: &vcn }).unwrap_err()),
    ];
    expect![[r#"
        GetInstance of instance ocid1.instance.oc1.phx.i at iaas.example: 404 NotAuthorizedOrNotFound: the service says so; not found, or not permitted: needs the policy statement `Allow group <group> to read instances in compartment <compartment>`
        GetVnic of VNIC ocid1.vnic.oc1.phx.n at iaas.example: 404 NotAuthorizedOrNotFound: the service says so; not found, or not permitted: needs the policy statement `Allow group <group> to read vnics in compartment <compartment>`
        ListSubnets of VCN ocid1.vcn.oc1.phx.v, compartment ocid1.compartment.oc1..c at iaas.example: 404 NotAuthorizedOrNotFound: the service says so; not found, or not permitted: needs the policy statement `Allow group <group> to read subnets in compartment <compartment>`
    "#]]
    .assert_eq(&(texts.join("\n") + "\n"));
}

#[test]
fn foreign_texts_are_cut_and_cleaned() {
    check(
        plain(400, "<html>\r\n<h1>\x1b[31mBad\u{7f} Gateway</h1>"),
        expect![
            "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 400: <html> <h1> [31mBad Gateway</h1>"
        ],
    );
    check(
        plain(301, ""),
        expect![
            "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 301"
        ],
    );

    let text_of = |step| {
        let script = Script::endless(step);
        let client = client(&script, &Arc::new(ManualClock::at(noon())));
        client.send(&GetVolumeAttachment { id: &ocid(ATTACHMENT) }).unwrap_err().to_string()
    };
    assert_eq!(text_of(plain(400, &"é".repeat(5000))).matches('é').count(), 100);
    let json = format!(r#"{{"code":"C","message":"{}"}}"#, "x".repeat(5000));
    assert_eq!(
        text_of(plain(400, &json)).matches('x').count(),
        1024 + text_of(plain(400, "")).matches('x').count()
    );
    let script = Script::endless(with(plain(400, ""), "opc-request-id", "y".repeat(5000)));
    let client = client(&script, &Arc::new(ManualClock::at(noon())));
    let error = client.send(&GetVolumeAttachment { id: &ocid(ATTACHMENT) }).unwrap_err();
    assert_eq!(error.request_id(), Some(&*"y".repeat(200)));
}

/// Kubernetes counts equal events and shows each other one anew.
#[test]
fn the_same_cause_gives_the_same_text() {
    let id = "0123456789ABCDEF0123456789ABCDEF";
    let body = format!(
        r#"{{"code":"C","message":"no volume x at 2026-11-20T12:00:00.123Z (opc-request-id: {id}/{id})."}}"#
    );
    check(
        with(plain(400, &body), "opc-request-id", format!("{id}/{id}")),
        expect![
            "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 400 C: no volume x at …"
        ],
    );
}

#[test]
fn not_found_is_said_once() {
    let body = r#"{"code":"NotAuthorizedOrNotFound","message":"Authorization failed or requested resource not found."}"#;
    check(
        plain(404, body),
        expect![
            "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 404 NotAuthorizedOrNotFound: Authorization failed or requested resource not found; if it is there, it needs the policy statement `Allow group <group> to read volume-attachments in compartment <compartment>`"
        ],
    );
}

/// `serde_json` quotes what it does not like; a CHAP secret must not get out that way.
#[test]
fn a_broken_answer_is_not_quoted() {
    for body in [
        attachment("ATTACHED").replace("\"port\":3260", "\"port\":\"MARKER\""),
        attachment("ATTACHED").replace("\"port\":3260", "\"chapSecret\":[\"MARKER\"]"),
        attachment("ATTACHED").replace("\"port\":3260", "\"chapSecret\":\"MARKER"),
    ] {
        let script = Script::endless(ok(body));
        let client = client(&script, &Arc::new(ManualClock::at(noon())));
        let error = client.send(&GetVolumeAttachment { id: &ocid(ATTACHMENT) }).unwrap_err();
        let text = format!("{} {error:?}", chain(&error));
        assert!(text.contains("incomplete answer") && !text.contains("MARKER"), "{text}");
    }
}
