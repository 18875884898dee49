//! A node with credentials, the cloud, and a target that lets in who knows its secret.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};

use clock::SystemClock;
use command::{Command, Output, Runner};
use expect_test::{Expect, expect};
use oci_sim::{ApiKeyUser, Config, NewInstance, NewVolume, Running, Sim};
use tempfile::TempDir;

use super::*;
use crate::{
    Settings,
    device::Device,
    paths::with_all_portals,
    witness::{Recall, Witness},
};

const USE_CHAP: &str = r#""useChap":"true","#;
const MULTIPATH: &str = r#""multipath":"true","#;

/// A node with credentials, the cloud, and a target behind iscsiadm that lets in who knows its secret.
struct Scene {
    sim: Running,
    target: Target,
    attachment: String,
    wanted: Arc<Mutex<String>>,
    portal: Arc<Portal>,
    driver: OciBlock,
    _dir: TempDir,
}

/// iscsiadm, as far as node records and authentication go.
#[derive(Debug)]
struct Portal {
    dir: std::path::PathBuf,
    wanted: Arc<Mutex<String>>,
    ran: Mutex<Vec<String>>,
    /// A portal that does not answer.
    down: Mutex<Option<String>>,
}

impl Runner for Portal {
    fn run(&self, command: &Command) -> Result<Output, command::Error> {
        let line = command.to_string();
        let words: Vec<_> = line.split(' ').collect();
        let [_, _, _, _, iqn, _, portal, rest @ ..] = &*words else { panic!("{line}") };
        let verb = rest.get(1).unwrap_or(&rest[0]).trim_start_matches("--");
        let record = self.dir.join("nodes").join(iqn).join(portal.replace(':', ","));
        let code = match verb {
            "new" => {
                fs::create_dir_all(record.parent().unwrap()).unwrap();
                fs::write(record, "# END RECORD\n").unwrap();
                0
            }
            "delete" => fs::remove_file(record).map_or(21, |()| 0),
            "login" => {
                let wanted = format!("password = {}\n", self.wanted.lock().unwrap());
                if self.down.lock().unwrap().as_deref() == Some(*portal) {
                    8
                } else if fs::read_to_string(record).unwrap().contains(&wanted) {
                    self.open_session(iqn, portal);
                    0
                } else {
                    24
                }
            }
            _ => 0,
        };
        self.ran.lock().unwrap().push(verb.to_owned());
        Ok(Output { code, stdout: String::new(), stderr: String::new() })
    }
}

impl Portal {
    fn open_session(&self, iqn: &str, portal: &str) {
        let sessions = self.dir.join("sys/class/iscsi_session");
        let number = 1 + fs::read_dir(&sessions).map_or(0, Iterator::count);
        let session = self.dir.join(format!("sys/devices/host3/session{number}"));
        let class = sessions.join(format!("session{number}"));
        let connection = session.join("connection1:0/iscsi_connection/connection1:0");
        for dir in [&class, &connection] {
            fs::create_dir_all(dir).unwrap();
        }
        let (address, port) = portal.rsplit_once(':').unwrap();
        for (file, text) in [
            (class.join("targetname"), iqn),
            (class.join("state"), "LOGGED_IN"),
            (connection.join("persistent_address"), address),
            (connection.join("persistent_port"), port),
        ] {
            fs::write(file, text).unwrap();
        }
        symlink(session, class.join("device")).unwrap();
    }
}

fn user() -> ApiKeyUser {
    static USER: OnceLock<ApiKeyUser> = OnceLock::new();
    USER.get_or_init(|| ApiKeyUser::fresh().unwrap()).clone()
}

/// An attachment with or without CHAP, whose target wants its secret.
fn scene(use_chap: &str) -> Scene {
    scene_with(NewVolume::default(), use_chap)
}

/// An attachment with three portals.
fn multipath_scene(more: &str) -> Scene {
    let fast = NewVolume { vpus_per_gb: Some(30), ..NewVolume::default() };
    scene_with(fast, &format!("{MULTIPATH}{more}"))
}

fn scene_with(volume: NewVolume, use_chap: &str) -> Scene {
    let sim = Sim::start(Config { user: Some(user()), ..Config::default() }).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let node = NewInstance { display_name: "node-1".into(), ..NewInstance::default() };
    sim.add_instance(node);
    let volume = sim.add_volume(volume);
    write_config(&sim, dir.path());
    let wanted = Arc::new(Mutex::new(String::from("the secret")));
    let ran = Mutex::default();
    let portal = Arc::new(Portal {
        dir: dir.path().to_owned(),
        wanted: Arc::clone(&wanted),
        ran,
        down: Mutex::default(),
    });
    let mut driver =
        OciBlock::new(settings(&sim, dir.path()), portal.clone(), Arc::new(SystemClock));
    fs::create_dir_all(dir.path().join("sys/class")).unwrap();
    driver.iscsi.sysfs = dir.path().join("sys");
    driver.iscsi.nodes = vec![dir.path().join("nodes")];

    let path = crate::attach::attach(&driver, &options(&volume, use_chap), "node-1").unwrap();
    let Device::Iscsi(target) = Device::parse(&path).unwrap() else { panic!("{path:?}") };
    let attachment = sim.attachments()[0].id.clone();
    sim.set_chap_secret(&attachment, "the secret");
    Scene { sim, target, attachment, wanted, portal, driver, _dir: dir }
}

fn settings(sim: &Running, dir: &Path) -> Settings {
    let vars = [
        ("OCI_FLEXD_DRIVER_DIRECTORY", dir.as_os_str().to_owned()),
        ("OCI_FLEXD_STATE_DIRECTORY", dir.join("state").into()),
        ("OCI_FLEXD_RUN_DIRECTORY", dir.join("run").into()),
        ("OCI_METADATA_BASE_URL", sim.metadata_url().into()),
        ("TRUSTED_CA_CERT_PATH", sim.ca_path().into()),
    ];
    Settings::from_vars(|name| -> Option<OsString> {
        vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    })
}

fn write_config(sim: &Running, dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let user = sim.credentials();
    let key = user.private_key_pem.trim_end().replace('\n', "\n    ");
    let text = format!(
        "auth:\n  tenancy: {}\n  compartment: {}\n  user: {}\n  region: us-phoenix-1\n  key: |\n    \
         {key}\nendpoints:\n  iaas: {}\n",
        user.tenancy,
        sim.compartment(),
        user.user,
        sim.endpoint(),
    );
    let path = dir.join("config.yaml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn options(volume: &str, more: &str) -> Options {
    let json = format!(r#"{{{more}"kubernetes.io/pvOrVolumeName":"{volume}"}}"#);
    Options::from_json(json.as_bytes()).unwrap()
}

impl Scene {
    /// Logs in with these options: what iscsiadm was asked for, and the error.
    fn log_in(&self, more: &str) -> String {
        let volume = self.sim.attachments()[0].volume_id.clone();
        let initiator = self.driver.initiator();
        let outcome = self.driver.log_in(&initiator, &self.target, &options(&volume, more));
        let ran = std::mem::take(&mut *self.portal.ran.lock().unwrap()).join(" ");
        let outcome = match outcome {
            Ok(()) => "logged in".to_owned(),
            Err(error) => chain(&error),
        };
        assert!(!outcome.contains("secret\n") && !outcome.contains("the secret"), "{outcome}");
        format!("{outcome}\nran: {ran}\n")
            .replace(&self.target.to_string(), "TARGET")
            .replace(&self.attachment, "ATTACHMENT")
    }

    #[track_caller]
    fn check(&self, more: &str, expected: &Expect) {
        expected.assert_eq(&self.log_in(more));
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

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
fn a_session_that_works_asks_nobody() {
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
            "TARGET wants CHAP credentials, and this node knows none: put config.yaml beside the \
             driver on this node too, so that it can read them from the API\n"
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
fn the_option_is_yes_or_no() {
    assert_eq!(
        scene("").log_in(r#""useChap":"CHAP","#),
        "the option useChap is `CHAP`; it may be true or false (the default)\nran: \n"
    );
}

impl Scene {
    /// The device with all its portals.
    fn portals(&self, more: &str, recall: &Recall) -> Result<Vec<String>, String> {
        let volume = self.sim.attachments()[0].volume_id.clone();
        let device = Device::Iscsi(self.target.clone());
        let all = with_all_portals(&self.driver, device, &options(&volume, more), recall);
        let all = all.map_err(|error| chain(&error))?;
        Ok(all.targets().iter().map(|target| target.portal().to_string()).collect())
    }
}

#[test]
fn the_portals_of_a_multipath_volume_come_from_the_api_and_then_from_the_record() {
    let scene = multipath_scene("");
    let three = ["169.254.2.2:3260", "169.254.3.2:3260", "169.254.4.2:3260"];
    assert_eq!(scene.portals(MULTIPATH, &Recall::Nothing).unwrap(), three);
    assert_eq!(scene.portals("", &Recall::Nothing).unwrap(), three[..1]);

    let other = Target { address: "169.254.3.2".parse().unwrap(), ..scene.target.clone() };
    let record = |device: &Target| {
        let path = |target: &Target| target.device_path().display().to_string();
        let device = Some(path(device));
        Recall::Seen(Witness { device, paths: vec![path(&other)], ..Witness::default() })
    };
    let before = scene.sim.requests().len();
    assert_eq!(scene.portals(MULTIPATH, &record(&scene.target)).unwrap(), three[..2]);
    assert_eq!(scene.sim.requests().len(), before);
    // The record is of an earlier attachment.
    assert_eq!(scene.portals(MULTIPATH, &record(&other)).unwrap(), three);
}

#[test]
fn without_credentials_the_portal_is_asked_for_the_others() {
    let scene = multipath_scene("");
    fs::remove_file(&scene.driver.settings.config).unwrap();
    let answer = format!("169.254.2.2:3260,1 {0}\n169.254.9.9:3260,1 {0}\n", scene.target.iqn);
    let line =
        "iscsiadm --mode discovery --type sendtargets --op nonpersistent --portal 169.254.2.2:3260";
    let script = command::testing::Script::default().expect(line, 0, &answer);
    let driver = OciBlock { runner: Arc::new(script), ..scene.driver };
    let scene = Scene { driver, ..scene };
    let portals = scene.portals(MULTIPATH, &Recall::Nothing).unwrap();
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
        let device = with_all_portals(driver, device, &options, &Recall::Nothing).unwrap();
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
