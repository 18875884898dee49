//! Directories of one name and what is mounted there, told by mount tables and sysfs of the tests' own.

use std::{fs, os::unix::fs::symlink, sync::Arc};

use clock::ManualClock;
use command::testing::Script;
use tempfile::TempDir;

use super::*;
use crate::{OciBlock, Settings};

/// A host whose kubelet has the directory `mounts/victimvol`.
struct Scene {
    driver: OciBlock,
    dir: TempDir,
}

/// What is mounted at the directory.
#[derive(Clone, Copy)]
enum At {
    Nothing,
    /// The disk of a session to this volume's target.
    DiskOf(&'static str),
    /// A disk that has gone, of which nothing shows.
    GoneDisk,
}

impl Scene {
    fn new(at: At) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (proc, sysfs) = (dir.path().join("proc"), dir.path().join("sys"));
        fs::create_dir_all(proc.join("self")).unwrap();
        fs::create_dir_all(sysfs.join("class/iscsi_session")).unwrap();
        fs::create_dir_all(dir.path().join("mounts/victimvol")).unwrap();
        let root = "1 0 8:1 / / rw - ext4 /dev/root rw\n";
        let mount = format!(
            "2 1 8:16 / {}/mounts/victimvol rw - ext4 /dev/none rw\n",
            fs::canonicalize(dir.path()).unwrap().display()
        );
        let table =
            if matches!(at, At::Nothing) { root.to_owned() } else { format!("{root}{mount}") };
        fs::write(proc.join("self/mountinfo"), table).unwrap();
        let (state_dir, run_dir) = (dir.path().join("state"), dir.path().join("run"));
        let settings = Settings { state_dir, run_dir, ..Settings::default() };
        let mut driver =
            OciBlock::new(settings, Arc::new(Script::default()), Arc::new(ManualClock::default()));
        driver.staging.host = disk::Host { proc, sysfs: sysfs.clone(), ..disk::Host::default() };
        driver.iscsi.sysfs = sysfs;
        driver.iscsi.disk = driver.staging.host.clone();
        let scene = Self { driver, dir };
        if let At::DiskOf(volume) = at {
            scene.open_session(volume);
        }
        scene
    }

    /// A session whose disk is 8:16.
    fn open_session(&self, volume: &str) {
        let sysfs = self.dir.path().join("sys");
        let session = sysfs.join("devices/host3/session1");
        let class = sysfs.join("class/iscsi_session/session1");
        let connection = session.join("connection1:0/iscsi_connection/connection1:0");
        let block = session.join("target3:0:0/3:0:0:1/block/sdb");
        for dir in [&class, &connection, &block] {
            fs::create_dir_all(dir).unwrap();
        }
        for (file, text) in [
            (class.join("targetname"), format!("iqn.x:{volume}")),
            (class.join("state"), "LOGGED_IN".into()),
            (connection.join("persistent_address"), "169.254.2.2".into()),
            (connection.join("persistent_port"), "3260".into()),
            (session.join("target3:0:0/3:0:0:1/state"), "running".into()),
            (session.join("target3:0:0/3:0:0:1/type"), "0".into()),
            (block.join("dev"), "8:16".into()),
            (block.join("size"), "32768".into()),
        ] {
            fs::write(file, text).unwrap();
        }
        symlink(session, class.join("device")).unwrap();
    }

    /// A record of the volume, which Kubernetes calls `name`.
    fn record(self, volume: &str, name: Option<&str>) -> Self {
        let device = Some(target(volume).device_path().display().to_string());
        let volume_record =
            VolumeRecord { device, name: name.map(str::to_owned), ..VolumeRecord::default() };
        VolumeRecords::new(&self.driver.staging.state_dir).write(volume, &volume_record).unwrap();
        self
    }

    fn damaged_record(self, volume: &str) -> Self {
        let scene = self.record(volume, None);
        fs::write(VolumeRecords::new(&scene.driver.staging.state_dir).path(volume), "x").unwrap();
        scene
    }

    fn note(self, volume: &str) -> Self {
        Sessions::new(&self.driver.staging.run_dir).note(volume, &[target(volume)]);
        self
    }

    #[track_caller]
    fn check(&self, expected: &str) {
        let dir = fs::canonicalize(self.dir.path()).unwrap().join("mounts/victimvol");
        let found = volume_at(
            &self.driver.staging,
            &self.driver.initiator(),
            &self.driver.staging.mounter(),
            &dir,
        )
        .unwrap();
        assert_eq!(found, expected);
    }
}

fn target(volume: &str) -> Target {
    let iqn = format!("iqn.x:{volume}").parse().unwrap();
    Target { address: "169.254.2.2".parse().unwrap(), port: 3260, iqn, lun: 1 }
}

const ALIAS: Option<&str> = Some("victimvol");

#[test]
fn the_mounted_disk_decides() {
    let both = |at| Scene::new(at).record("victimvol", None).record("x", ALIAS);
    both(At::DiskOf("x")).check("x");
    both(At::DiskOf("victimvol")).check("victimvol");
    // Also where the record says nothing, as that of a volume whose first call was killed.
    Scene::new(At::DiskOf("x")).record("victimvol", None).note("x").check("x");
    Scene::new(At::DiskOf("x")).record("victimvol", ALIAS).note("x").check("x");
    Scene::new(At::DiskOf("x")).damaged_record("victimvol").record("x", ALIAS).check("x");
    Scene::new(At::DiskOf("victimvol")).note("victimvol").record("x", ALIAS).check("victimvol");
    // Two that have had the name.
    Scene::new(At::DiskOf("x")).record("w", ALIAS).record("x", ALIAS).check("x");
    // A volume that has another name by now.
    Scene::new(At::DiskOf("x")).record("x", Some("other")).record("w", ALIAS).check("x");
}

#[test]
fn an_alias_does_not_outweigh_a_volumes_own_key() {
    for at in [At::Nothing, At::GoneDisk] {
        Scene::new(at).record("victimvol", None).record("x", ALIAS).check("victimvol");
        Scene::new(at).damaged_record("victimvol").record("x", ALIAS).check("victimvol");
        Scene::new(at).note("victimvol").record("x", ALIAS).check("victimvol");
        let noted = Scene::new(at).note("victimvol").record("x", ALIAS).note("x");
        noted.check("victimvol");
    }
    // Nothing is known of the mounted disk, and it is not that of the alias.
    Scene::new(At::DiskOf("victimvol")).record("x", ALIAS).check("victimvol");
    Scene::new(At::DiskOf("victimvol")).damaged_record("x").check("victimvol");
}

#[test]
fn an_alias_is_followed_where_nothing_else_has_the_name() {
    for at in [At::Nothing, At::GoneDisk] {
        Scene::new(at).check("victimvol");
        Scene::new(at).record("x", ALIAS).check("x");
        Scene::new(at).record("x", ALIAS).record("w", Some("other")).check("x");
        // Which of them is not known: none is touched.
        Scene::new(at).record("x", ALIAS).record("w", ALIAS).check("victimvol");
    }
}
