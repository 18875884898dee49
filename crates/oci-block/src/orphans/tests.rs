//! Sessions of several volumes, whose disks are gone from the kernel; disks in use are in the VM's suite.

use std::{
    fs,
    os::unix::fs::symlink,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use clock::{Clock, SystemClock};
use command::{Command, Output, Runner};
use flexvolume::{Driver as _, Options};
use iscsi::Target;
use tempfile::TempDir;

use super::*;
use crate::{OciBlock, Settings};

/// iscsiadm, as far as logging out goes.
#[derive(Debug, Default)]
struct Portal {
    sysfs: PathBuf,
    ran: Mutex<Vec<String>>,
    is_dead: Mutex<bool>,
}

impl Runner for Portal {
    fn run(&self, command: &Command) -> Result<Output, command::Error> {
        let line = command.to_string();
        let words: Vec<_> = line.split(' ').collect();
        let [_, _, _, _, iqn, _, _, rest @ ..] = &*words else { panic!("{line}") };
        let verb = rest.get(1).unwrap_or(&rest[0]).trim_start_matches("--");
        let (_, volume) = iqn.split_once(':').unwrap();
        self.ran.lock().unwrap().push(format!("{verb} {volume}"));
        let mut code = 0;
        if verb == "logout" && *self.is_dead.lock().unwrap() {
            code = 21;
        } else if verb == "logout" {
            let session = format!("class/iscsi_session/session-{volume}");
            fs::remove_dir_all(self.sysfs.join(session)).unwrap();
        }
        Ok(Output { code, stdout: String::new(), stderr: String::new() })
    }
}

struct Scene {
    driver: OciBlock,
    portal: Arc<Portal>,
    dir: TempDir,
}

impl Scene {
    /// A host with a session for each of these volumes.
    fn new(volumes: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sysfs = dir.path().join("sys");
        let portal = Arc::new(Portal { sysfs: sysfs.clone(), ..Portal::default() });
        let run_dir = dir.path().join("run");
        let settings = Settings { run_dir, ..Settings::default() };
        let mut driver = OciBlock::new(settings, portal.clone(), Arc::new(SystemClock));
        driver.iscsi.sysfs = sysfs;
        driver.iscsi.nodes = Vec::new();
        let scene = Self { driver, portal, dir };
        for volume in volumes {
            scene.open_session(volume);
        }
        scene
    }

    fn open_session(&self, volume: &str) {
        let sysfs = self.dir.path().join("sys");
        let session = sysfs.join(format!("devices/host3/session-{volume}"));
        let class = sysfs.join(format!("class/iscsi_session/session-{volume}"));
        let connection = session.join("connection1:0/iscsi_connection/connection1:0");
        for dir in [&class, &connection] {
            fs::create_dir_all(dir).unwrap();
        }
        for (file, text) in [
            (class.join("targetname"), &*format!("iqn.x:{volume}")),
            (class.join("state"), "LOGGED_IN"),
            (connection.join("persistent_address"), "169.254.2.2"),
            (connection.join("persistent_port"), "3260"),
        ] {
            fs::write(file, text).unwrap();
        }
        symlink(session, class.join("device")).unwrap();
    }

    fn sessions(&self) -> Sessions {
        Sessions::new(&self.driver.staging.run_dir)
    }

    /// The volume's sessions are ours, and were wanted so long ago.
    fn noted(&self, volume: &str, ago: Duration) {
        self.sessions().note(volume, &[target(volume)]);
        let file = self.driver.staging.run_dir.join("sessions").join(volume);
        let file = fs::File::options().append(true).open(file).unwrap();
        file.set_modified(SystemClock.now() - ago).unwrap();
    }

    /// What is run on the way of a call.
    fn end_one(&self) -> Vec<String> {
        end_one(&self.driver.staging, &self.driver.initiator());
        std::mem::take(&mut *self.portal.ran.lock().unwrap())
    }
}

fn target(volume: &str) -> Target {
    let iqn = format!("iqn.x:{volume}").parse().unwrap();
    Target { address: "169.254.2.2".parse().unwrap(), port: 3260, iqn, lun: 1 }
}

const LONG: Duration = Duration::from_secs(601);
const SHORT: Duration = Duration::from_secs(590);

#[test]
fn a_session_unused_for_long_is_ended_one_a_call() {
    let scene = Scene::new(&["a", "b"]);
    scene.noted("a", LONG);
    scene.noted("b", LONG);
    assert_eq!(scene.end_one(), ["logout a", "delete a"]);
    assert_eq!(scene.end_one(), ["logout b", "delete b"]);
    assert_eq!(scene.end_one(), [""; 0]);
    assert!(!scene.sessions().are_ours("a"));
}

#[test]
fn a_session_that_was_wanted_lately_stays() {
    let scene = Scene::new(&["a"]);
    scene.noted("a", SHORT);
    assert_eq!(scene.end_one(), [""; 0]);
}

#[test]
fn a_session_that_we_have_not_made_stays() {
    let scene = Scene::new(&["a", "strange"]);
    scene.noted("a", LONG);
    scene.end_one();
    assert_eq!(scene.end_one(), [""; 0]);
    assert!(scene.driver.initiator().session(&target("strange")).unwrap().is_some());
}

#[test]
fn a_volume_that_a_call_is_at_work_for_stays() {
    let scene = Scene::new(&["a"]);
    scene.noted("a", LONG);
    let lock = scene.driver.staging.lock("a", "mountdevice").unwrap();
    assert_eq!(scene.end_one(), [""; 0]);
    drop(lock);
    assert_eq!(scene.end_one(), ["logout a", "delete a"]);
}

#[test]
fn a_login_that_never_came_leaves_no_record() {
    let scene = Scene::new(&[]);
    fs::create_dir_all(scene.dir.path().join("sys/class")).unwrap();
    scene.noted("a", LONG);
    assert_eq!(scene.end_one(), ["delete a"]);
    assert!(!scene.sessions().are_ours("a"));
}

#[test]
fn a_call_that_has_failed_answers_at_once() {
    let scene = Scene::new(&["a"]);
    scene.noted("a", LONG);
    scene.driver.unmount_device(Path::new("/")).unwrap_err();
    let (device, options) = (Path::new("/dev/none"), Options::from_json(b"{}").unwrap());
    scene.driver.wait_for_attach(device, &options).unwrap_err();
    assert_eq!(*scene.portal.ran.lock().unwrap(), [""; 0]);
    assert_eq!(scene.end_one(), ["logout a", "delete a"]);
}

#[test]
fn what_cannot_be_ended_is_put_off() {
    let scene = Scene::new(&["a"]);
    scene.noted("a", LONG);
    *scene.portal.is_dead.lock().unwrap() = true;
    assert_eq!(scene.end_one(), ["logout a"]);
    assert_eq!(scene.end_one(), [""; 0]);
    assert!(scene.sessions().are_ours("a"));
}

#[test]
fn the_boot_volumes_session_stays_whatever_a_note_says() {
    let scene = Scene::new(&["a"]);
    let boot = Target { address: "169.254.0.2".parse().unwrap(), ..target("a") };
    scene.sessions().note("a", &[boot]);
    let file = scene.driver.staging.run_dir.join("sessions/a");
    let file = fs::File::options().append(true).open(file).unwrap();
    file.set_modified(SystemClock.now() - LONG).unwrap();
    assert_eq!(scene.end_one(), [""; 0]);
}

#[test]
fn a_node_record_that_another_tool_has_written_since_stays() {
    let mut scene = Scene::new(&["a"]);
    let nodes = scene.dir.path().join("nodes");
    fs::create_dir_all(nodes.join("iqn.x:a")).unwrap();
    let record = nodes.join("iqn.x:a/169.254.2.2,3260");
    fs::write(&record, "node.session.scan = auto\n# END RECORD\n").unwrap();
    scene.driver.iscsi.nodes = vec![nodes];
    scene.noted("a", LONG);
    assert_eq!(scene.end_one(), [""; 0]);
    assert!(record.exists() && !scene.sessions().are_ours("a"));
    assert!(scene.driver.initiator().session(&target("a")).unwrap().is_some());
}
