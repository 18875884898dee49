//! Faults, as a client meets them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oci_sim::{Config, Delay, Delivery, Effect, Fault, Phase, Script, Sim};
use serde_json::json;

use crate::client::{Scene, signed};

#[test]
fn refusals_and_foreign_answers_perform_nothing() {
    for (effect, status, code) in [
        (Effect::status(503, "ServiceUnavailable", "later"), 503, "ServiceUnavailable"),
        (Effect::Throttle { retry_after: Some(7) }, 429, "TooManyRequests"),
        (
            Effect::Answer { status: 502, content_type: "text/html".into(), body: "<h1>".into() },
            502,
            "",
        ),
    ] {
        let scene = Scene::new(Config::default());
        scene.sim.fail(Fault::new("AttachVolume", 1, effect.clone()));
        let answer = scene.post("volumeAttachments", scene.attach_body());
        assert_eq!((answer.status, answer.code()), (status, code));
        assert_eq!(answer.header("opc-request-id").is_some(), status != 502);
        assert_eq!(answer.header("retry-after"), (status == 429).then_some("7"));
        assert_eq!(scene.sim.attachments().len(), 0);
        assert_eq!(scene.sim.requests()[0].faults, [effect]);
        scene.attach();
    }
}

#[test]
fn spoilt_answers_are_performed() {
    let list = |effect: Effect| {
        let scene = Scene::new(Config::default());
        scene.sim.fail(Fault::new("AttachVolume", 1, effect));
        let request = signed(
            scene.sim.credentials(),
            "POST",
            "/20160918/volumeAttachments",
            "h",
            Some(scene.attach_body().to_string()),
            &[],
            scene.sim.now(),
        );
        let answer = scene.sim.handle(request);
        assert_eq!(scene.sim.attachments().len(), 1);
        answer
    };
    assert!(matches!(list(Effect::DropAfter).delivery, Delivery::Reset));
    assert!(matches!(list(Effect::HalfBody).delivery, Delivery::Half(_)));
    assert_eq!(list(Effect::Delay(250)).after, Duration::from_millis(250));
    assert_eq!(list(Effect::Body("[".into())).whole().unwrap().into_body(), b"[");
    let other = Effect::Field { name: "volumeId".into(), value: json!("other") };
    let other = list(other).whole().unwrap().into_body();
    let other: serde_json::Value = serde_json::from_slice(&other).unwrap();
    assert_eq!((&other["volumeId"], &other["isReadOnly"]), (&json!("other"), &json!(false)));
    let html = list(Effect::ContentType("text/html".into())).whole().unwrap();
    assert_eq!(html.headers()["content-type"], "text/html");
}

#[test]
fn what_is_stuck_stays_and_what_fails_turns_back() {
    let scene = Scene::new(Config {
        attach_delay: Delay::Polls(0),
        detach_delay: Delay::Polls(0),
        ..Config::default()
    });
    scene.sim.fail(Fault::new("DetachVolume", 1, Effect::Fails));
    scene.sim.fail(Fault::new("DetachVolume", 2, Effect::Stuck));
    let path = scene.attach();
    let state = || scene.get(&path).text("lifecycleState");
    assert_eq!(state(), "ATTACHED");
    assert_eq!(scene.delete(&path).status, 204);
    assert_eq!(state(), "ATTACHED");
    assert_eq!(scene.delete(&path).status, 204);
    scene.sim.advance(Duration::from_secs(100_000));
    assert_eq!(state(), "DETACHING");
    scene.sim.clear_faults();
    assert_eq!(scene.delete(&path).code(), "IncorrectState");
}

#[test]
fn lists_lag_behind() {
    let scene = Scene::new(Config::default());
    scene.sim.fail(Fault::new("AttachVolume", 1, Effect::ListsLag(2)));
    scene.sim.fail(Fault::new("DetachVolume", 1, Effect::ListsLag(1)));
    let path = scene.attach();
    let list = format!("volumeAttachments?compartmentId={}", scene.sim.compartment());
    let state = || scene.get(&list).body[0]["lifecycleState"].clone();
    assert_eq!(scene.get(&path).text("lifecycleState"), "ATTACHED");
    assert_eq!([state(), state(), state()], [json!(null), json!(null), json!("ATTACHED")]);
    scene.delete(&path);
    assert_eq!(scene.get(&path).text("lifecycleState"), "DETACHED");
    assert_eq!([state(), state()], [json!("ATTACHED"), json!("DETACHED")]);
}

#[test]
fn a_wrong_clock_is_told_in_oracles_words() {
    let scene = Scene::new(Config::default());
    scene.sim.advance(Duration::from_secs(360));
    let behind = std::time::SystemTime::now();
    let call = || {
        let request =
            signed(scene.sim.credentials(), "GET", "/20160918/instances/x", "h", None, &[], behind);
        let body = scene.sim.handle(request).whole().unwrap().into_body();
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()
    };
    assert_eq!(call()["code"], "NotAuthenticated");
    assert!(
        call()["message"]
            .as_str()
            .unwrap()
            .contains("' is not within allowed clock skew. Current '")
    );
    scene.sim.turn_back(Duration::from_secs(720));
    assert_eq!(call()["code"], "NotAuthenticated");
    scene.sim.advance(Duration::from_secs(360));
    assert_eq!(call()["code"], "NotAuthorizedOrNotFound");
}

/// What comes back over a socket before the connection ends, and how it ends.
fn over_the_wire(effect: Effect) -> (String, Option<ErrorKind>) {
    let cloud = Sim::start(Config::default()).unwrap();
    crate::client::add_instance(&cloud, "node-1");
    cloud.fail(Fault::new("Metadata", 1, effect));
    let mut socket =
        TcpStream::connect(cloud.http_endpoint().trim_start_matches("http://")).unwrap();
    write!(
        socket,
        "GET /opc/v1/instance/canonicalRegionName HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut bytes = Vec::new();
    let end = socket.read_to_end(&mut bytes);
    (String::from_utf8(bytes).unwrap(), end.err().map(|error| error.kind()))
}

#[test]
fn connections_are_reset() {
    assert_eq!(
        over_the_wire(Effect::DropBefore),
        (String::new(), Some(ErrorKind::ConnectionReset))
    );
    assert_eq!(over_the_wire(Effect::DropAfter), (String::new(), Some(ErrorKind::ConnectionReset)));
    let (text, end) = over_the_wire(Effect::HalfBody);
    assert!(text.contains("content-length: 12\r\n") && text.ends_with("\r\n\r\nus-pho"), "{text}");
    assert_eq!(end, None);
    let (text, end) = over_the_wire(Effect::Delay(1));
    assert!(text.ends_with("\r\n\r\nus-phoenix-1"), "{text}");
    assert_eq!(end, None);
}

#[test]
fn the_hook_sees_requests_before_and_after() {
    let scene = Scene::new(Config::default());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&seen);
    scene.sim.on_request(move |event| {
        let mut seen = writer.lock().unwrap();
        seen.push((event.entry.number, event.phase, event.entry.operation, event.entry.status));
    });
    scene.attach();
    scene.get("nothing");
    assert_eq!(
        *seen.lock().unwrap(),
        [
            (1, Phase::Received, "AttachVolume", None),
            (1, Phase::Performed, "AttachVolume", Some(200)),
            (2, Phase::Received, "Unknown", None),
            (2, Phase::Performed, "Unknown", Some(404)),
        ]
    );
}

#[test]
fn the_example_script_is_a_script() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/script.json");
    let scene = Scene::new(Config::default());
    let added = Script::read(path.as_ref()).unwrap().play(&scene.sim).unwrap();
    assert_eq!(added.len(), 9);
    let answer = scene.post("volumeAttachments", scene.attach_body());
    assert_eq!(answer.text("message"), "Out of host capacity.");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.json");
    let check = |text: &str, reason: &str| {
        std::fs::write(&path, text).unwrap();
        let error = Script::read(&path).unwrap_err().to_string();
        assert_eq!(error, format!("cannot read the script {}: {reason}", path.display()));
    };
    check("{", "EOF while parsing an object at line 1 column 1");
    check(
        r#"{"fault":[]}"#,
        "unknown field `fault`, expected one of `instances`, `volumes`, `faults`, `resources`, `parent_resources`, \
         `clients`, `trusted_tokens`, `tokens` at line 1 column 8",
    );
}
