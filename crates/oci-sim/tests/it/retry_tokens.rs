//! `opc-retry-token`: nothing happens twice.

use std::time::Duration;

use oci_sim::{Config, Effect, Fault, NewVolume};
use serde_json::{Value, json};

use crate::client::{Answer, Scene};

fn post(scene: &Scene, body: Value, token: &str) -> Answer {
    scene.call("POST", "/20160918/volumeAttachments", Some(body), &[("opc-retry-token", token)])
}

#[test]
fn the_same_request_again_gets_the_same_answer() {
    let scene = Scene::new(Config::default());
    let first = post(&scene, scene.attach_body(), "t");
    assert_eq!(first.status, 200);
    let again = post(&scene, scene.attach_body(), "t");
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_ne!(again.header("opc-request-id"), first.header("opc-request-id"));
    assert_eq!(scene.sim.attachments().len(), 1);
    assert_eq!(scene.sim.requests()[1].retry_token.as_deref(), Some("t"));
}

#[test]
fn the_order_of_fields_does_not_matter() {
    let scene = Scene::new(Config::default());
    let text = |body: &str| body.replace('I', &scene.instance).replace('V', &scene.volume);
    let call = |body: String| {
        let at = scene.sim.now();
        let headers = [("opc-retry-token", "t")];
        let request = crate::client::signed(
            scene.sim.credentials(),
            "POST",
            "/20160918/volumeAttachments",
            "h",
            Some(body),
            &headers,
            at,
        );
        scene.sim.handle(request).whole().unwrap().into_body()
    };
    let first = call(text(r#"{"type":"iscsi","instanceId":"I","volumeId":"V"}"#));
    let again = call(text(r#"{ "volumeId": "V", "type": "iscsi", "instanceId": "I" }"#));
    assert_eq!(first, again);
}

#[test]
fn a_token_is_good_for_one_request() {
    let scene = Scene::new(Config::default());
    post(&scene, scene.attach_body(), "t");
    let other = scene.sim.add_volume(NewVolume::default());
    let mut body = scene.attach_body();
    body["volumeId"] = other.into();
    let answer = post(&scene, body.clone(), "t");
    assert_eq!((answer.status, answer.code()), (409, "InvalidatedRetryToken"));
    assert_eq!(post(&scene, body, "t2").status, 200);
    for token in ["", &"x".repeat(65)] {
        assert_eq!(post(&scene, scene.attach_body(), token).code(), "InvalidParameter");
    }
}

#[test]
fn a_token_dies_with_its_resource() {
    let scene = Scene::new(Config::default());
    let id = post(&scene, scene.attach_body(), "t").text("id");
    scene.delete(&format!("volumeAttachments/{id}"));
    assert_eq!(post(&scene, scene.attach_body(), "t").code(), "InvalidatedRetryToken");
    let body =
        json!({"compartmentId": scene.sim.compartment(), "availabilityDomain": "Uocm:PHX-AD-1"});
    let create =
        || scene.call("POST", "/20160918/volumes", Some(body.clone()), &[("opc-retry-token", "v")]);
    let id = create().text("id");
    assert_eq!(create().text("id"), id);
    scene.put(&format!("volumes/{id}"), json!({"displayName": "other"}));
    assert_eq!(create().code(), "InvalidatedRetryToken");
}

#[test]
fn a_token_lives_for_a_day() {
    let scene = Scene::new(Config::default());
    post(&scene, scene.attach_body(), "t");
    scene.sim.advance(Duration::from_secs(24 * 3600 - 1));
    assert_eq!(post(&scene, scene.attach_body(), "t").status, 200);
    scene.sim.advance(Duration::from_secs(1));
    assert_eq!(post(&scene, scene.attach_body(), "t").code(), "Conflict");
}

#[test]
fn refusals_are_not_remembered() {
    let scene = Scene::new(Config::default());
    scene.sim.set_instance_state(&scene.instance, "PROVISIONING");
    assert_eq!(post(&scene, scene.attach_body(), "t").status, 409);
    scene.sim.set_instance_state(&scene.instance, "RUNNING");
    assert_eq!(post(&scene, scene.attach_body(), "t").status, 200);
}

#[test]
fn a_proxy_that_repeats_does_harm_only_without_a_token() {
    for (token, status, code) in [(Some("t"), 200, ""), (None, 409, "Conflict")] {
        let scene = Scene::new(Config::default());
        scene.sim.fail(Fault::new("AttachVolume", 1, Effect::Twice));
        let headers: Vec<(&str, &str)> =
            token.map(|token| ("opc-retry-token", token)).into_iter().collect();
        let answer =
            scene.call("POST", "/20160918/volumeAttachments", Some(scene.attach_body()), &headers);
        assert_eq!((answer.status, answer.code()), (status, code));
        assert_eq!(scene.sim.attachments().len(), 1);
    }
}
