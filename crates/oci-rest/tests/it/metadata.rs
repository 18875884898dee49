//! The metadata service.

use std::{sync::Arc, time::Duration};

use clock::{Clock, ManualClock};
use oci_rest::{Direct, Fault, Metadata, Phase, Transport};

use crate::script::{Script, Step, chain, fail, ok, refuse};

/// The result ("ok" or the chain of the error), the requests, and the time it took.
fn run(base: Option<&str>, script: &Arc<Script>) -> (String, Vec<String>, Duration) {
    let clock = Arc::new(ManualClock::default());
    let transport = Arc::clone(script) as Arc<dyn Transport>;
    let result = Metadata::new(base, transport, Arc::clone(&clock) as Arc<dyn Clock>).instance();
    let text = result.as_ref().map_or_else(chain, |found| {
        format!("{} in {}", found.display_name.as_deref().unwrap_or("?"), found.region().unwrap())
    });
    let requests = script.requests(|request| {
        assert!(request.extensions().get::<Direct>().is_some(), "it may go through a proxy");
        let token = request.headers().get("authorization").map_or("", |it| it.to_str().unwrap());
        format!("{} {token}", request.uri()).trim_end().to_owned()
    });
    (text, requests, clock.monotonic())
}

#[track_caller]
fn check(base: Option<&str>, steps: Vec<Step>, outcome: &str, requests: &[&str]) {
    let (text, seen, took) = run(base, &Script::new(steps));
    assert_eq!(text, outcome);
    assert_eq!(seen, requests);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

const INSTANCE: &str = include_str!("../../testdata/instance-metadata.json");
const OLD: &str = r#"{"id":"ocid1.instance.oc1.phx.i","compartmentId":"ocid1.tenancy.oc1..t",
    "region":"phx","availabilityDomain":"EMIr:PHX-AD-1"}"#;
const V2: &str = "http://169.254.169.254/opc/v2/instance/ Bearer Oracle";
const V1: &str = "http://169.254.169.254/opc/v1/instance/";

#[test]
fn version_2_is_asked_with_its_token() {
    check(None, vec![ok(INSTANCE)], "my-node in us-phoenix-1", &[V2]);
    check(None, vec![ok(OLD)], "? in us-phoenix-1", &[V2]);
}

#[test]
fn a_moment_of_trouble_is_waited_out() {
    for step in [
        refuse(404, "x"),
        refuse(429, "x"),
        refuse(503, "x"),
        fail(Phase::Connect, Fault::Timeout),
        fail(Phase::Exchange, Fault::Lost),
    ] {
        let steps = vec![step.clone(), step, ok(INSTANCE)];
        check(None, steps, "my-node in us-phoenix-1", &[V2; 3]);
    }
}

#[test]
fn version_1_is_the_fallback() {
    let steps = vec![refuse(404, "x"), refuse(404, "x"), refuse(404, "x"), ok(OLD)];
    check(None, steps, "? in us-phoenix-1", &[V2, V2, V2, V1]);
    check(None, vec![refuse(401, "x"), ok(OLD)], "? in us-phoenix-1", &[V2, V1]);
}

#[test]
fn another_base_is_taken_as_it_is() {
    let v1 = "http://127.0.0.1:8080/opc/v1";
    check(Some(v1), vec![ok(OLD)], "? in us-phoenix-1", &[&format!("{v1}/instance/")]);
    let v2 = "http://127.0.0.1:8080/opc/v2";
    let request = format!("{v2}/instance/ Bearer Oracle");
    check(Some(&format!("{v2}/")), vec![ok(OLD)], "? in us-phoenix-1", &[&request]);
    check(
        Some("no url at all"),
        vec![],
        "instance metadata at no url at all/instance/: this is not a URL that ends in /opc/v2 or \
         /opc/v1",
        &[],
    );
}

#[test]
fn other_clouds_and_no_cloud_are_told_apart() {
    for foreign in ["<html>", "{}", "", r#"{"instanceId":"i-0123","region":"us-east-1"}"#] {
        check(
            None,
            vec![ok(foreign)],
            "instance metadata at http://169.254.169.254/opc/v2/instance/: something answers, but \
             not as OCI does: fields such as compartmentId are missing; this seems to be another \
             cloud",
            &[V2],
        );
    }
    check(
        None,
        vec![refuse(403, "x"), refuse(403, "x")],
        "instance metadata at http://169.254.169.254/opc/v1/instance/: the service answers 403; is \
         this an instance of OCI?",
        &[V2, V1],
    );
    let (text, _, took) = run(None, &Script::endless(fail(Phase::Connect, Fault::Unreachable)));
    assert_eq!(
        text,
        "instance metadata at http://169.254.169.254/opc/v2/instance/: no answer; is this an \
         instance of OCI?: iaas.example: unreachable while connecting"
    );
    assert!(took <= Duration::from_secs(1), "{took:?}");
    let (_, requests, took) = run(None, &Script::endless(refuse(500, "x")));
    assert_eq!(requests, [V2, V2, V2, V1, V1, V1]);
    assert!(took < Duration::from_secs(5), "{took:?}");
}
