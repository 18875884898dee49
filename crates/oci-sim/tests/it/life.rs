//! Attachments and volumes in the course of time.

use std::time::Duration;

use oci_sim::{Config, Delay, Effect, Fault, NewInstance, NewVolume};
use serde_json::json;

use crate::client::{Scene, add_instance};

fn seconds(seconds: u64) -> Delay {
    Delay::Time(Duration::from_secs(seconds))
}

#[test]
fn an_attachment_lives_by_the_clock() {
    let start = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let config = Config {
        attach_delay: seconds(3),
        detach_delay: seconds(2),
        keep_gone: Duration::from_secs(60),
        stopped_at: Some(start),
        ..Config::default()
    };
    let scene = Scene::new(config);
    let path = scene.attach();
    let state = || scene.get(&path).text("lifecycleState");
    assert_eq!(state(), "ATTACHING");
    scene.sim.advance(Duration::from_millis(2999));
    assert_eq!(state(), "ATTACHING");
    scene.sim.advance(Duration::from_millis(1));
    assert_eq!(state(), "ATTACHED");
    scene.delete(&path);
    assert_eq!(state(), "DETACHING");
    scene.sim.advance(Duration::from_secs(2));
    assert_eq!(state(), "DETACHED");
    let list = format!(
        "volumeAttachments?compartmentId={}&volumeId={}",
        scene.sim.compartment(),
        scene.volume
    );
    assert_eq!(scene.get(&list).body[0]["lifecycleState"], "DETACHED");
    scene.sim.advance(Duration::from_secs(60));
    assert_eq!(scene.get(&path).status, 404);
    assert_eq!(scene.get(&list).body, json!([]));
}

#[test]
fn an_attachment_lives_by_polls() {
    let config = Config {
        attach_delay: Delay::Polls(2),
        detach_delay: Delay::Polls(0),
        ..Config::default()
    };
    let scene = Scene::new(config);
    let path = scene.attach();
    let states: Vec<String> = (0..3).map(|_| scene.get(&path).text("lifecycleState")).collect();
    assert_eq!(states, ["ATTACHING", "ATTACHING", "ATTACHED"]);
    scene.delete(&path);
    assert_eq!(scene.get(&path).text("lifecycleState"), "DETACHED");
}

#[test]
fn the_way_to_the_disk_is_known_when_attached() {
    let scene = Scene::new(Config { attach_delay: Delay::Polls(1), ..Config::default() });
    let volume = scene.sim.add_volume(NewVolume { vpus_per_gb: Some(30), ..NewVolume::default() });
    let body =
        json!({"type": "iscsi", "instanceId": scene.instance, "volumeId": volume, "useChap": true});
    let answer = scene.post("volumeAttachments", body);
    let fields = ["ipv4", "iqn", "port", "chapUsername", "chapSecret", "multipathDevices"];
    assert!(fields.iter().all(|field| answer.body[field].is_null()), "{answer:?}");
    assert!(answer.header("etag").is_some() && answer.header("opc-work-request-id").is_some());
    let path = format!("volumeAttachments/{}", answer.text("id"));
    scene.get(&path);
    let attached = scene.get(&path).body;
    assert_eq!((&attached["ipv4"], &attached["port"]), (&json!("169.254.2.2"), &json!(3260)));
    assert_eq!(
        (&attached["attachmentType"], &attached["isMultipath"]),
        (&json!("iscsi"), &json!(true))
    );
    assert!(attached["iqn"].as_str().unwrap().starts_with("iqn.2015-12.com.oracleiaas:"));
    assert_eq!(attached["chapUsername"], volume);
    assert_eq!(attached["chapSecret"].as_str().unwrap().len(), 16);
    assert_eq!(attached["multipathDevices"][0]["ipv4"], "169.254.3.2");
    let second = scene.sim.add_volume(NewVolume::default());
    let body = json!({"type": "iscsi", "instanceId": scene.instance, "volumeId": second});
    let path = format!("volumeAttachments/{}", scene.post("volumeAttachments", body).text("id"));
    scene.get(&path);
    let attached = scene.get(&path).body;
    assert_eq!(attached["ipv4"], "169.254.2.3");
    assert!(attached["chapSecret"].is_null());
}

#[test]
fn paravirtualized_disks_have_a_path_and_no_target() {
    let scene = Scene::new(Config::default());
    let mut body = scene.attach_body();
    body["type"] = "paravirtualized".into();
    let path = format!("volumeAttachments/{}", scene.post("volumeAttachments", body).text("id"));
    let attached = scene.get(&path).body;
    assert_eq!(attached["device"], "/dev/oracleoci/oraclevdb");
    assert!(attached.get("iqn").is_none(), "{attached}");
}

#[test]
fn work_requests_tell_why_an_attach_failed() {
    let scene = Scene::new(Config { attach_delay: Delay::Polls(0), ..Config::default() });
    scene.sim.fail(Fault::new("AttachVolume", 1, Effect::Fails));
    let answer = scene.post("volumeAttachments", scene.attach_body());
    let work = format!("workRequests/{}", answer.header("opc-work-request-id").unwrap());
    assert_eq!(scene.get(&work).text("status"), "IN_PROGRESS");
    assert_eq!(scene.get(&format!("{work}/errors")).body, json!([]));
    let path = format!("volumeAttachments/{}", answer.text("id"));
    assert_eq!(scene.get(&path).text("lifecycleState"), "DETACHED");
    assert_eq!(scene.get(&work).text("status"), "FAILED");
    let errors = scene.get(&format!("{work}/errors")).body;
    let message = format!("The volume attachment {} could not become ATTACHED.", answer.text("id"));
    assert_eq!(errors[0]["message"], message);
    let path = scene.attach();
    assert_eq!(scene.get(&path).text("lifecycleState"), "ATTACHED");
}

#[test]
fn a_volume_is_busy_while_it_grows() {
    let scene = Scene::new(Config { volume_delay: seconds(5), ..Config::default() });
    let path = format!("volumes/{}", scene.volume);
    assert_eq!(scene.put(&path, json!({"sizeInGBs": 60})).text("lifecycleState"), "PROVISIONING");
    assert_eq!(scene.put(&path, json!({"sizeInGBs": 70})).code(), "IncorrectState");
    assert_eq!(scene.post("volumeAttachments", scene.attach_body()).code(), "IncorrectState");
    scene.sim.advance(Duration::from_secs(5));
    assert_eq!(scene.get(&path).text("lifecycleState"), "AVAILABLE");
    scene.attach();
}

#[test]
fn a_volume_shows_what_it_was_made_from() {
    let scene = Scene::new(Config::default());
    let source = |changes: serde_json::Value| {
        let mut body = json!({
            "compartmentId": scene.sim.compartment(),
            "availabilityDomain": "Uocm:PHX-AD-1",
        });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let answer = scene.post("volumes", body);
        match answer.status {
            200 => answer.body["sourceDetails"].clone(),
            _ => answer.code().into(),
        }
    };
    assert_eq!(source(json!({})), json!(null));
    let clone = json!({"type": "volume", "id": scene.volume});
    assert_eq!(source(json!({"sourceDetails": clone})), clone);
    let backup = json!({"type": "volumeBackup", "id": "ocid1.volumebackup.oc1.phx.b"});
    assert_eq!(source(json!({"volumeBackupId": "ocid1.volumebackup.oc1.phx.b"})), backup);
    assert_eq!(source(json!({"sourceDetails": {"type": "air"}})), "InvalidParameter");
    let volume = NewVolume { source_details: Some(backup.clone()), ..NewVolume::default() };
    let path = format!("volumes/{}", scene.sim.add_volume(volume));
    assert_eq!(scene.get(&path).body["sourceDetails"], backup);
}

#[test]
fn instances_have_a_vnic_in_a_network() {
    let scene = Scene::new(Config::default());
    let compartment = scene.sim.compartment();
    let elsewhere = scene.sim.add_network(None);
    let second = scene.sim.add_instance(NewInstance {
        display_name: "node-2".into(),
        hostname_label: Some("n2".into()),
        private_ip: Some("10.0.0.77".into()),
        public_ip: Some("192.0.2.7".into()),
        ipv6: Some("fd00::7".into()),
        subnet: Some(elsewhere.subnet.clone()),
        ..NewInstance::default()
    });
    let found =
        scene.get(&format!("instances?compartmentId={compartment}&displayName=node-2")).body;
    assert_eq!((found.as_array().unwrap().len(), &found[0]["id"]), (1, &json!(second)));
    let attachments =
        scene.get(&format!("vnicAttachments?compartmentId={compartment}&instanceId={second}")).body;
    let vnic = scene.get(&format!("vnics/{}", attachments[0]["vnicId"].as_str().unwrap())).body;
    assert_eq!(vnic["hostnameLabel"], "n2");
    assert_eq!((&vnic["privateIp"], &vnic["publicIp"]), (&json!("10.0.0.77"), &json!("192.0.2.7")));
    assert_eq!(vnic["ipv6Addresses"], json!(["fd00::7"]));
    assert_eq!(vnic["subnetId"], elsewhere.subnet);
    let subnets =
        scene.get(&format!("subnets?compartmentId={compartment}&vcnId={}", elsewhere.vcn)).body;
    assert_eq!(
        (subnets.as_array().unwrap().len(), &subnets[0]["id"]),
        (1, &json!(elsewhere.subnet))
    );
    assert_eq!(scene.get(&format!("vcns/{}", elsewhere.vcn)).text("id"), elsewhere.vcn);
    let domains = scene.get(&format!("availabilityDomains/?compartmentId={compartment}")).body;
    assert_eq!(
        (domains.as_array().unwrap().len(), &domains[2]["name"]),
        (3, &json!("Uocm:PHX-AD-3"))
    );
}

#[test]
fn many_at_once_get_one_attachment() {
    let scene = Scene::new(Config::default());
    let nodes: Vec<String> =
        (0..16).map(|number| add_instance(&scene.sim, &format!("n{number}"))).collect();
    let attached = std::thread::scope(|scope| {
        let attach = |node| {
            let body = json!({"type": "iscsi", "instanceId": node, "volumeId": scene.volume});
            scene.post("volumeAttachments", body).status
        };
        let calls: Vec<_> = nodes.iter().map(|node| scope.spawn(move || attach(node))).collect();
        let statuses = calls.into_iter().map(|call| call.join().unwrap());
        statuses.filter(|status| *status == 200).count()
    });
    assert_eq!((attached, scene.sim.attachments().len()), (1, 1));
    assert_eq!(scene.sim.requests().len(), 16);
    assert!(scene.sim.requests().iter().zip(1..).all(|(entry, number)| entry.number == number));
}
