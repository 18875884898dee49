//! Whose credentials a session gets, and through which portals.

use std::{fs, sync::Arc};

use expect_test::expect;
use oci_sim::NewInstance;

use super::*;
use crate::{
    device::Device,
    paths::with_all_portals,
    volume_record::{RecordState, VolumeRecord, VolumeRecords},
};
use scene::*;

mod scene;

const USE_CHAP: &str = r#""useChap":"true","#;

#[test]
fn credentials_come_from_the_api() {
    scene(USE_CHAP).check(
        USE_CHAP,
        &expect![[r#"
            logged in
            ran: new update login
        "#]],
    );
}

#[test]
fn a_target_that_wants_them_gets_them_without_the_option() {
    scene(USE_CHAP).check(
        "",
        &expect![[r#"
            logged in
            ran: new update login delete new update login
        "#]],
    );
}

#[test]
fn a_secret_that_changes_meanwhile_is_read_again() {
    let scene = scene(USE_CHAP);
    let (sim, attachment) = (Arc::clone(scene.sim.sim()), scene.attachment.clone());
    let wanted = Arc::clone(&scene.wanted);
    // After the first answer of the API, as if the attachment had been made anew.
    scene.sim.on_request(move |event| {
        if event.phase == oci_sim::Phase::Performed
            && event.entry.operation == "ListVolumeAttachments"
        {
            sim.set_chap_secret(&attachment, "another");
            "another".clone_into(&mut wanted.lock().unwrap());
        }
    });
    scene.check(
        USE_CHAP,
        &expect![[r#"
            logged in
            ran: new update login delete new update login
        "#]],
    );
}

#[test]
fn a_secret_that_stays_wrong_is_tried_once() {
    let scene = scene(USE_CHAP);
    "something else".clone_into(&mut scene.wanted.lock().unwrap());
    scene.check(
        USE_CHAP,
        &expect![[r#"
            cannot log in to TARGET: the target wants other CHAP credentials (iscsiadm exit code 24)
            ran: new update login delete
        "#]],
    );
}

#[test]
fn a_session_that_works_asks_for_nothing() {
    let scene = scene(USE_CHAP);
    scene.log_in(USE_CHAP);
    let before = scene.sim.requests().len();
    scene.check(
        USE_CHAP,
        &expect![[r#"
            logged in
            ran: update
        "#]],
    );
    assert_eq!(scene.sim.requests().len(), before);
}

#[test]
fn a_node_without_credentials_takes_the_volumes_secrets_or_says_what_is_missing() {
    let scene = scene(USE_CHAP);
    fs::remove_file(&scene.driver.settings.config).unwrap();
    for more in [USE_CHAP, ""] {
        assert!(scene.log_in(more).starts_with(
            "TARGET wants CHAP credentials, and this node knows none: put config.yaml in its \
             place on this node too, so that it can read them from the API\n"
        ));
    }
    let secrets = r#""kubernetes.io/secret/chapUsername":"dm9sdW1l",
        "kubernetes.io/secret/chapSecret":"dGhlIHNlY3JldA==","#;
    scene.check(
        &format!("{USE_CHAP}{secrets}"),
        &expect![[r#"
            logged in
            ran: new update login
        "#]],
    );
}

#[test]
fn an_attachment_without_chap_is_said_to_be_so() {
    let scene = scene("");
    scene.check(
        USE_CHAP,
        &expect![[r#"
            attachment ATTACHMENT was made without CHAP and the option useChap is true; detach the volume and let the driver attach it
            ran: 
        "#]],
    );
    let options = options(&scene.sim.attachments()[0].volume_id, USE_CHAP);
    let error = crate::attach::attach(&scene.driver, &options, "node-1").unwrap_err();
    assert!(chain(&error).contains("was made without CHAP"), "{error}");
}

#[test]
fn the_attachment_of_another_instance_is_not_ours() {
    let scene = scene(USE_CHAP);
    let other = scene.sim.add_instance(NewInstance::default());
    scene.sim.set_metadata_instance(&other);
    scene.check(
        USE_CHAP,
        &expect![[r#"
            the API shows no single attachment of the volume to this instance with TARGET; check that it is attached here
            ran: 
        "#]],
    );
}

#[test]
fn the_portals_of_a_multipath_volume_come_from_the_api_and_then_from_the_record() {
    let scene = multipath_scene("");
    let three = ["169.254.2.2:3260", "169.254.3.2:3260", "169.254.4.2:3260"];
    assert_eq!(scene.portals(MULTIPATH, &RecordState::Absent).unwrap(), three);
    assert_eq!(scene.portals("", &RecordState::Absent).unwrap(), three[..1]);

    let other = Target { address: "169.254.3.2".parse().unwrap(), ..scene.target.clone() };
    let record = |device: &Target| {
        let path = |target: &Target| target.device_path().display().to_string();
        let device = Some(path(device));
        RecordState::Known(VolumeRecord {
            device,
            paths: vec![path(&other)],
            ..VolumeRecord::default()
        })
    };
    let before = scene.sim.requests().len();
    assert_eq!(scene.portals(MULTIPATH, &record(&scene.target)).unwrap(), three[..2]);
    assert_eq!(scene.sim.requests().len(), before);
    // The record is of an earlier attachment.
    assert_eq!(scene.portals(MULTIPATH, &record(&other)).unwrap(), three);
}

#[test]
fn without_credentials_the_portal_is_asked_for_the_others() {
    let mut scene = multipath_scene("");
    fs::remove_file(&scene.driver.settings.config).unwrap();
    let answer = format!("169.254.2.2:3260,1 {0}\n169.254.9.9:3260,1 {0}\n", scene.target.iqn);
    let line =
        "iscsiadm --mode discovery --type sendtargets --op nonpersistent --portal 169.254.2.2:3260";
    let script = command::testing::Script::default().expect(line, 0, &answer);
    scene.driver.staging.runner = Arc::new(script);
    let portals = scene.portals(MULTIPATH, &RecordState::Absent).unwrap();
    assert_eq!(portals, ["169.254.2.2:3260", "169.254.9.9:3260"]);
}

#[test]
fn an_attachment_with_several_paths_needs_the_option() {
    let scene = multipath_scene("");
    let options = options(&scene.sim.attachments()[0].volume_id, "");
    let error = crate::attach::attach(&scene.driver, &options, "node-1").unwrap_err();
    assert_eq!(
        chain(&error).replace(&scene.attachment, "ATTACHMENT"),
        "attachment ATTACHMENT has several paths (isMultipath), which its nodes are not told: set the \
         volume's option multipath to \"true\", and have multipathd running on the nodes"
    );
}

#[test]
fn all_paths_are_logged_in_to_and_one_may_be_down() {
    for (down, works) in [(None, 3), (Some("169.254.3.2:3260"), 2), (Some("169.254.2.2:3260"), 2)] {
        let scene = multipath_scene(USE_CHAP);
        *scene.portal.down.lock().unwrap() = down.map(str::to_owned);
        let volume = scene.sim.attachments()[0].volume_id.clone();
        let options = options(&volume, &format!("{MULTIPATH}{USE_CHAP}"));
        let device = Device::Iscsi(scene.target.clone());
        let driver = &scene.driver;
        let device = with_all_portals(driver, device, &options, &RecordState::Absent).unwrap();
        let requests = scene.sim.requests().len();
        let initiator = driver.initiator();
        driver.log_in_paths(&initiator, device.targets(), &options).unwrap();
        let sessions =
            device.targets().iter().filter(|it| initiator.session(it).unwrap().is_some());
        assert_eq!(sessions.count(), works);
        // One question for all of them.
        let asked = &scene.sim.requests()[requests..];
        let lists = asked.iter().filter(|it| it.operation == "ListVolumeAttachments");
        assert_eq!(lists.count(), 1);
    }
}

/// The notes of sessions and the records of volumes on the scene's host.
fn noted(scene: &Scene) -> (Vec<String>, usize) {
    let settings = &scene.driver.settings;
    let records = VolumeRecords::new(&settings.state_dir).others("");
    (Sessions::new(&settings.run_dir).volumes(), records.len())
}

#[test]
fn a_login_that_makes_nothing_leaves_no_note_and_no_record() {
    let key = |scene: &Scene| {
        let ocid = scene.sim.attachments()[0].volume_id.clone();
        ocid.rsplit('.').next().unwrap().to_owned()
    };
    type Refuse = fn(&Scene);
    let refused: [(&str, Refuse); 4] = [
        ("the node has no credentials", |scene| {
            fs::remove_file(&scene.driver.settings.config).unwrap();
        }),
        ("the secret is wrong", |scene| {
            "something else".clone_into(&mut scene.wanted.lock().unwrap());
        }),
        ("the portal is down", |scene| {
            *scene.portal.down.lock().unwrap() = Some("169.254.2.2:3260".into());
        }),
        ("the attachment is another instance's", |scene| {
            let other = scene.sim.add_instance(NewInstance::default());
            scene.sim.set_metadata_instance(&other);
        }),
    ];
    for (what, refuse) in refused {
        let scene = scene(USE_CHAP);
        refuse(&scene);
        let volume = scene.sim.attachments()[0].volume_id.clone();
        let options = options(&volume, USE_CHAP);
        let device = scene.target.device_path();
        crate::wait_for_attach::wait_for_attach(&scene.driver, &device, &options).unwrap_err();
        assert_eq!(noted(&scene), (vec![], 0), "{what}");

        // One that was noted by an earlier call stays.
        let sessions = Sessions::new(&scene.driver.settings.run_dir);
        sessions.note(&key(&scene), std::slice::from_ref(&scene.target));
        crate::wait_for_attach::wait_for_attach(&scene.driver, &device, &options).unwrap_err();
        assert_eq!(noted(&scene), (vec![key(&scene)], 0), "{what}");
    }
    let scene = scene(USE_CHAP);
    scene.log_in(USE_CHAP);
    assert_eq!(noted(&scene), (vec![key(&scene)], 0));
}

#[test]
fn what_another_tool_has_made_is_not_noted() {
    let scene = scene(USE_CHAP);
    let record = scene.portal.dir.join("nodes").join(scene.target.iqn.as_ref());
    fs::create_dir_all(&record).unwrap();
    let record = record.join("169.254.2.2,3260");
    let text = "node.name = iqn\nnode.conn[0].address = 169.254.2.2\nnode.session.scan = auto\nnode.session.auth.username = other\n# END RECORD\n";
    fs::write(&record, text).unwrap();
    *scene.portal.down.lock().unwrap() = Some("169.254.2.2:3260".into());
    scene.log_in(USE_CHAP);
    assert_eq!(
        (fs::read_to_string(&record).unwrap(), noted(&scene)),
        (text.to_owned(), (vec![], 0))
    );

    // Nor is a session.
    *scene.portal.down.lock().unwrap() = None;
    assert!(scene.log_in(USE_CHAP).starts_with("logged in"));
    assert_eq!(noted(&scene), (vec![], 0));
    assert!(scene.log_in(USE_CHAP).starts_with("logged in"));
    assert_eq!(noted(&scene), (vec![], 0));
}
