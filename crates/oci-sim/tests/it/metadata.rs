//! The metadata service, as an instance sees it.

use http::Request;
use oci_sim::{Config, NewInstance};

use crate::client::{Scene, add_instance};

#[track_caller]
fn check(scene: &Scene, path: &str, headers: &[(&str, &str)], status: u16, body: &str) {
    let request = headers
        .iter()
        .fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    let response = scene.sim.handle(request.body(Vec::new()).unwrap()).whole().unwrap();
    let text = String::from_utf8(response.body().clone()).unwrap();
    assert_eq!((response.status().as_u16(), text.as_str()), (status, body), "{path}");
}

const BEARER: (&str, &str) = ("authorization", "Bearer Oracle");

#[test]
fn version_two_wants_its_header() {
    let scene = Scene::new(Config::default());
    let missing = "The header Authorization: Bearer Oracle is missing.";
    check(&scene, "/opc/v2/instance/region", &[BEARER], 200, "phx");
    check(&scene, "/opc/v2/instance/region", &[], 401, missing);
    check(&scene, "/opc/v2/instance/region", &[("authorization", "Bearer other")], 401, missing);
    check(&scene, "/opc/v1/instance/region", &[], 200, "phx");
    check(&scene, "/opc/v3/instance/region", &[BEARER], 404, "Not found.");
    for name in ["forwarded", "x-forwarded-for", "x-forwarded-host"] {
        check(
            &scene,
            "/opc/v2/instance/region",
            &[BEARER, (name, "x")],
            403,
            "Forwarded requests are refused.",
        );
    }
}

#[test]
fn fields_are_text_or_documents() {
    let scene = Scene::new(Config::default());
    let v2 = |path: &str, status: u16, body: &str| {
        check(&scene, &format!("/opc/v2/{path}"), &[BEARER], status, body)
    };
    v2("instance/id", 200, &scene.instance);
    v2("instance/compartmentId", 200, &scene.sim.compartment());
    v2("instance/canonicalRegionName", 200, "us-phoenix-1");
    v2(
        "instance/regionInfo",
        200,
        r#"{"realmDomainComponent":"oraclecloud.com","realmKey":"oc1","regionIdentifier":"us-phoenix-1","regionKey":"PHX"}"#,
    );
    v2("instance/regionInfo/realmKey", 200, "oc1");
    v2("instance/none", 404, "Not found.");
    v2("other", 404, "Not found.");
}

#[test]
fn each_instance_sees_itself() {
    let scene = Scene::new(Config::default());
    let second = add_instance(&scene.sim, "node-2");
    check(&scene, &format!("/{second}/opc/v2/instance/id"), &[BEARER], 200, &second);
    check(&scene, "/opc/v2/instance/displayName", &[BEARER], 200, "node-1");
    scene.sim.set_metadata_instance(&second);
    check(&scene, "/opc/v2/instance/displayName", &[BEARER], 200, "node-2");
    check(
        &scene,
        "/ocid1.instance.none/opc/v2/instance/id",
        &[BEARER],
        404,
        "There is no instance.",
    );
}

#[test]
fn documents_have_the_fields_of_the_real_one() {
    let scene = Scene::new(Config::default());
    let named = scene.sim.add_instance(NewInstance {
        hostname_label: Some("n2".into()),
        private_ip: Some("10.0.0.9".into()),
        ..NewInstance::default()
    });
    let answer = |path: &str| {
        let request = Request::get(format!("/{named}/opc/v2/{path}/"))
            .header("authorization", "Bearer Oracle");
        let body = scene.sim.handle(request.body(Vec::new()).unwrap()).whole().unwrap().into_body();
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()
    };
    let instance = answer("instance");
    assert_eq!((&instance["id"], &instance["hostname"]), (&named.as_str().into(), &"n2".into()));
    assert!(instance["timeCreated"].is_u64() && instance["state"] == "Running");
    assert_eq!(answer("vnics")[0]["privateIp"], "10.0.0.9");
}
