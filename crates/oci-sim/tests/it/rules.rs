//! Every status the API answers with, and when.

use std::time::Duration;

use oci_sim::{Config, Delay, NewInstance, NewVolume};
use serde_json::{Value, json};

use crate::client::{Scene, add_instance};

/// Changes a good attach request, or the scene, and says what comes of it.
#[track_caller]
fn attach(change: impl FnOnce(&Scene, &mut Value), status: u16, code: &str) {
    let scene = Scene::new(Config::default());
    let mut body = scene.attach_body();
    change(&scene, &mut body);
    let answer = scene.post("volumeAttachments", body);
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
}

fn set(field: &str, value: impl Into<Value>) -> impl FnOnce(&Scene, &mut Value) {
    let value = value.into();
    move |_, body| body[field] = value
}

#[test]
fn attach_requests_are_read_strictly() {
    attach(|_, _| (), 200, "");
    attach(set("type", "paravirtualized"), 200, "");
    attach(set("type", "emulated"), 200, "");
    attach(set("type", "service_determined"), 200, "");
    attach(set("useChap", true), 200, "");
    attach(set("isReadOnly", true), 200, "");
    attach(set("device", "/dev/oracleoci/oraclevdag"), 200, "");
    attach(set("type", "nvme"), 400, "InvalidParameter");
    attach(set("isPvEncryptionInTransitEnabled", true), 400, "InvalidParameter");
    attach(set("device", "/dev/oracleoci/oraclevda"), 400, "InvalidParameter");
    attach(set("device", "/dev/oracleoci/oraclevdah"), 400, "InvalidParameter");
    attach(set("device", "/dev/sdb"), 400, "InvalidParameter");
    attach(set("isReadOnly", "yes"), 400, "CannotParseRequest");
    attach(set("attachmentType", "iscsi"), 400, "CannotParseRequest");
    attach(|_, body| *body = json!([]), 400, "CannotParseRequest");
    for field in ["type", "instanceId", "volumeId"] {
        attach(
            |_, body| drop(body.as_object_mut().unwrap().remove(field)),
            400,
            "MissingParameter",
        );
    }
    attach(set("instanceId", "ocid1.instance.oc1.phx.x"), 404, "NotAuthorizedOrNotFound");
    attach(set("volumeId", "ocid1.volume.oc1.phx.x"), 404, "NotAuthorizedOrNotFound");
}

#[test]
fn instances_and_volumes_must_be_in_the_right_state() {
    for (state, status, code) in [
        ("STOPPED", 200, ""),
        ("PROVISIONING", 409, "IncorrectState"),
        ("TERMINATING", 409, "IncorrectState"),
        ("TERMINATED", 409, "IncorrectState"),
    ] {
        attach(|scene, _| scene.sim.set_instance_state(&scene.instance, state), status, code);
    }
    for (state, status, code) in [
        ("AVAILABLE", 200, ""),
        ("PROVISIONING", 409, "IncorrectState"),
        ("RESTORING", 409, "IncorrectState"),
        ("FAULTY", 409, "IncorrectState"),
        ("TERMINATING", 404, "NotAuthorizedOrNotFound"),
        ("TERMINATED", 404, "NotAuthorizedOrNotFound"),
    ] {
        let volume = NewVolume { lifecycle_state: Some(state.into()), ..NewVolume::default() };
        attach(|scene, body| body["volumeId"] = scene.sim.add_volume(volume).into(), status, code);
    }
}

#[test]
fn volume_and_instance_share_an_availability_domain() {
    let elsewhere =
        NewInstance { availability_domain: Some("Uocm:PHX-AD-2".into()), ..NewInstance::default() };
    attach(
        |scene, body| body["instanceId"] = scene.sim.add_instance(elsewhere).into(),
        400,
        "InvalidParameter",
    );
}

/// One attachment is there; what of a second, to the same or to another instance?
#[track_caller]
fn share(first: (bool, bool), second: (bool, bool), elsewhere: bool, status: u16, code: &str) {
    let scene = Scene::new(Config::default());
    let body = |(read_only, shareable): (bool, bool), instance: &str| {
        json!({"type": "iscsi", "instanceId": instance, "volumeId": scene.volume,
            "isReadOnly": read_only, "isShareable": shareable})
    };
    assert_eq!(scene.post("volumeAttachments", body(first, &scene.instance)).status, 200);
    let other = if elsewhere { add_instance(&scene.sim, "node-2") } else { scene.instance.clone() };
    let answer = scene.post("volumeAttachments", body(second, &other));
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
    if status == 409 {
        assert_eq!(answer.text("message"), format!("Volume {} currently attached.", scene.volume));
    }
}

#[test]
fn sharing_needs_the_consent_of_all() {
    let (alone, read, shared, both) = ((false, false), (true, false), (false, true), (true, true));
    share(alone, alone, true, 409, "Conflict");
    share(alone, alone, false, 409, "Conflict");
    share(alone, read, true, 409, "Conflict");
    share(alone, shared, true, 409, "Conflict");
    share(read, read, true, 200, "");
    share(read, alone, true, 409, "Conflict");
    share(read, shared, true, 409, "Conflict");
    share(shared, shared, true, 200, "");
    share(shared, shared, false, 409, "Conflict");
    share(shared, alone, true, 409, "Conflict");
    share(both, both, true, 200, "");
    share(both, shared, true, 409, "Conflict");
}

#[test]
fn passing_states_are_conflicts_that_pass() {
    let long = Delay::Time(Duration::from_secs(60));
    let scene = Scene::new(Config { attach_delay: long, detach_delay: long, ..Config::default() });
    let path = scene.attach();
    let check = |answer: crate::client::Answer| {
        assert_eq!((answer.status, answer.code()), (409, "IncorrectState"), "{answer:?}");
    };
    check(scene.post("volumeAttachments", scene.attach_body()));
    check(scene.delete(&path));
    scene.sim.advance(Duration::from_secs(60));
    assert_eq!(scene.delete(&path).status, 204);
    check(scene.delete(&path));
    check(scene.post("volumeAttachments", scene.attach_body()));
    scene.sim.advance(Duration::from_secs(60));
    assert_eq!(scene.delete(&path).code(), "NotAuthorizedOrNotFound");
    scene.attach();
}

#[test]
fn an_instance_has_32_block_volumes_at_most() {
    let scene = Scene::new(Config::default());
    let attach = || {
        let volume = scene.sim.add_volume(NewVolume::default());
        let body =
            json!({"type": "paravirtualized", "instanceId": scene.instance, "volumeId": volume});
        scene.post("volumeAttachments", body)
    };
    let devices: Vec<String> = (0..32).map(|_| attach().text("device")).collect();
    assert_eq!(
        (devices[0].as_str(), devices[31].as_str()),
        ("/dev/oracleoci/oraclevdb", "/dev/oracleoci/oraclevdag")
    );
    let answer = attach();
    assert_eq!((answer.status, answer.code()), (400, "LimitExceeded"));
    let free = scene.get(&format!("instances/{}/devices?isAvailable=true", scene.instance));
    assert_eq!(free.body, json!([]));
}

#[test]
fn device_paths_are_taken_once_per_instance() {
    let scene = Scene::new(Config::default());
    let attach = |instance: &str| {
        let volume = scene.sim.add_volume(NewVolume::default());
        scene.post("volumeAttachments", json!({"type": "iscsi", "instanceId": instance, "volumeId": volume, "device": "/dev/oracleoci/oraclevdc"}))
    };
    assert_eq!(attach(&scene.instance).status, 200);
    assert_eq!(attach(&scene.instance).code(), "InvalidParameter");
    assert_eq!(attach(&add_instance(&scene.sim, "node-2")).status, 200);
    let path = format!("instances/{}/devices?isAvailable=true&limit=2", scene.instance);
    let names = scene.get(&path).body;
    assert_eq!(names[0], json!({"name": "/dev/oracleoci/oraclevdb", "isAvailable": true}));
    assert_eq!(names[1], json!({"name": "/dev/oracleoci/oraclevdd", "isAvailable": true}));
}

#[test]
fn etags_protect_against_stragglers() {
    let scene = Scene::new(Config::default());
    let path = scene.attach();
    let attaching = scene.get(&path).header("etag").unwrap().to_owned();
    let detach = |etag: &str| {
        scene.call("DELETE", &format!("/20160918/{path}"), None, &[("if-match", etag)])
    };
    let answer = detach("other");
    assert_eq!((answer.status, answer.code()), (412, "NoEtagMatch"));
    assert_eq!(detach(&attaching).status, 204);
}

#[test]
fn what_is_not_there_is_not_found() {
    let scene = Scene::new(Config::default());
    for path in [
        "instances/x",
        "instances/x/devices",
        "volumes/x",
        "volumeAttachments/x",
        "vnics/x",
        "vcns/x",
        "vnicAttachments/x",
        "workRequests/x",
        "workRequests/x/errors",
        "volumes?compartmentId=x",
        "nothing",
    ] {
        let answer = scene.get(path);
        assert_eq!((answer.status, answer.code()), (404, "NotAuthorizedOrNotFound"), "{path}");
    }
    assert_eq!(scene.delete("volumeAttachments/x").code(), "NotAuthorizedOrNotFound");
    assert_eq!(scene.delete("volumes/x").code(), "NotAuthorizedOrNotFound");
    for (path, code) in [
        ("instances", "MissingParameter"),
        ("instances?compartmentID=x", "InvalidParameter"),
        ("volumeAttachments?compartmentId=", "MissingParameter"),
    ] {
        let answer = scene.get(path);
        assert_eq!((answer.status, answer.code()), (400, code), "{path}");
    }
    let answer = scene.put("volumeAttachments/x", json!({}));
    assert_eq!((answer.status, answer.code()), (405, "MethodNotAllowed"));
}

#[test]
fn only_signed_requests_are_performed() {
    let scene = Scene::new(Config::default());
    let unsigned = http::Request::get(format!("/20160918/instances/{}", scene.instance));
    let response = scene.sim.handle(unsigned.body(Vec::new()).unwrap()).whole().unwrap();
    assert_eq!(response.status(), 401);
    assert!(
        response.headers().contains_key("date")
            && response.headers().contains_key("opc-request-id")
    );
    assert!(String::from_utf8(response.into_body()).unwrap().contains("NotAuthenticated"));
    let log = scene.sim.requests();
    assert_eq!((log.len(), log[0].is_signed, log[0].status), (1, false, Some(401)));
}

#[test]
fn every_answer_names_the_request() {
    let scene = Scene::new(Config::default());
    for path in [format!("instances/{}", scene.instance), "instances/x".into()] {
        let path = format!("/20160918/{path}");
        let answer = scene.call("GET", &path, None, &[("opc-request-id", "MINE")]);
        let id = answer.header("opc-request-id").unwrap();
        assert!(id.starts_with("MINE/"), "{id}");
        assert_eq!(scene.sim.requests().last().unwrap().request_id.as_deref(), Some(id));
        assert!(httpdate::parse_http_date(answer.header("date").unwrap()).is_ok());
    }
}

#[test]
fn volumes_are_made_and_changed_within_bounds() {
    let scene = Scene::new(Config::default());
    let good = json!({"compartmentId": scene.sim.compartment(), "availabilityDomain": "Uocm:PHX-AD-1", "sizeInGBs": 50});
    let create = |field: &str, value: Value, status: u16, code: &str| {
        let mut body = good.clone();
        body[field] = value;
        let answer = scene.post("volumes", body);
        assert_eq!((answer.status, answer.code()), (status, code), "{field}");
    };
    create("displayName", json!("x"), 200, "");
    create("sizeInGBs", json!(49), 400, "InvalidParameter");
    create("sizeInGBs", json!(32769), 400, "InvalidParameter");
    create("vpusPerGB", json!(15), 400, "InvalidParameter");
    create("availabilityDomain", json!("Uocm:PHX-AD-9"), 400, "InvalidParameter");
    create("compartmentId", json!("x"), 404, "NotAuthorizedOrNotFound");
    create("size", json!(50), 400, "CannotParseRequest");
    let path = format!("volumes/{}", scene.volume);
    let update = |body: Value, status: u16, code: &str| {
        let answer = scene.put(&path, body.clone());
        assert_eq!((answer.status, answer.code()), (status, code), "{body}");
    };
    update(json!({"sizeInGBs": 49}), 400, "InvalidParameter");
    update(json!({"sizeInGBs": 32769}), 400, "InvalidParameter");
    update(json!({"availabilityDomain": "Uocm:PHX-AD-2"}), 400, "InvalidParameter");
    update(json!({"sizeInGBs": 60, "displayName": "larger"}), 200, "");
    let volume = scene.get(&path).body;
    assert_eq!(
        (&volume["sizeInGBs"], &volume["sizeInMBs"], &volume["displayName"]),
        (&json!(60), &json!(61440), &json!("larger"))
    );
    let attachment = scene.attach();
    assert_eq!(scene.delete(&path).code(), "Conflict");
    scene.delete(&attachment);
    assert_eq!(scene.delete(&path).status, 204);
    assert_eq!(scene.get(&path).text("lifecycleState"), "TERMINATED");
    assert_eq!(scene.delete(&path).status, 404);
}
