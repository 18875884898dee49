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
use expect_test::Expect;
use oci_sim::{ApiKeyUser, Config, NewInstance, NewVolume, Running, Sim};
use tempfile::TempDir;

use super::super::*;
use crate::{
    Settings, device::Device, paths::with_all_portals, volume_options::tests::parse_json,
    volume_record::RecordState,
};

/// A node with credentials, the cloud, and a target behind iscsiadm that lets in who knows its secret.
pub(super) struct Scene {
    pub(super) sim: Running,
    pub(super) target: Target,
    pub(super) attachment: String,
    pub(super) wanted: Arc<Mutex<String>>,
    pub(super) portal: Arc<Portal>,
    pub(super) driver: OciBlock,
    pub(super) _dir: TempDir,
}

/// iscsiadm, as far as node records and authentication go.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) dir: std::path::PathBuf,
    pub(super) wanted: Arc<Mutex<String>>,
    pub(super) ran: Mutex<Vec<String>>,
    /// A portal that does not answer.
    pub(super) down: Mutex<Option<String>>,
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
                let what = "node.name = iqn\nnode.conn[0].address = 169.254.2.2";
                fs::write(record, format!("{what}\n# END RECORD\n")).unwrap();
                0
            }
            "update" if line.contains("node.session.scan") => {
                let text = fs::read_to_string(&record).unwrap();
                fs::write(record, format!("node.session.scan = manual\n{text}")).unwrap();
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
        let unit = session.join("target3:0:0/3:0:0:1");
        for dir in [&class, &connection, &unit] {
            fs::create_dir_all(dir).unwrap();
        }
        let (address, port) = portal.rsplit_once(':').unwrap();
        for (file, text) in [
            (class.join("targetname"), iqn),
            (class.join("state"), "LOGGED_IN"),
            (connection.join("persistent_address"), address),
            (connection.join("persistent_port"), port),
            (unit.join("state"), "running"),
        ] {
            fs::write(file, text).unwrap();
        }
        symlink(session, class.join("device")).unwrap();
    }
}

pub(super) fn user() -> ApiKeyUser {
    static USER: OnceLock<ApiKeyUser> = OnceLock::new();
    USER.get_or_init(|| ApiKeyUser::fresh().unwrap()).clone()
}

/// An attachment with or without CHAP, whose target wants its secret.
pub(super) fn scene(use_chap: &str) -> Scene {
    scene_with(NewVolume::default(), use_chap)
}

/// An attachment with three portals.
pub(super) fn multipath_scene(more: &str) -> Scene {
    let fast = NewVolume { vpus_per_gb: Some(30), ..NewVolume::default() };
    scene_with(fast, &format!("{MULTIPATH}{more}"))
}

pub(super) fn scene_with(volume: NewVolume, use_chap: &str) -> Scene {
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

pub(super) fn settings(sim: &Running, dir: &Path) -> Settings {
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

pub(super) fn write_config(sim: &Running, dir: &Path) {
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

pub(super) fn options(volume: &str, more: &str) -> VolumeOptions<'static> {
    let json = format!(r#"{{{more}"kubernetes.io/pvOrVolumeName":"{volume}"}}"#);
    parse_json(&json).unwrap()
}

impl Scene {
    /// Logs in with these options: what iscsiadm was asked for, and the error.
    pub(super) fn log_in(&self, more: &str) -> String {
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
    pub(super) fn check(&self, more: &str, expected: &Expect) {
        expected.assert_eq(&self.log_in(more));
    }
}

pub(super) fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

impl Scene {
    /// The device with all its portals.
    pub(super) fn portals(&self, more: &str, recall: &RecordState) -> Result<Vec<String>, String> {
        let volume = self.sim.attachments()[0].volume_id.clone();
        let device = Device::Iscsi(self.target.clone());
        let all = with_all_portals(&self.driver, device, &options(&volume, more), recall);
        let all = all.map_err(|error| chain(&error))?;
        Ok(all.targets().iter().map(|target| target.portal().to_string()).collect())
    }
}

pub(super) const MULTIPATH: &str = r#""multipath":"true","#;
