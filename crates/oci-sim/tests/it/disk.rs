//! Loop devices that come and go with paravirtualized attachments. Needs root and losetup (Debian package mount).

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use oci_sim::{Config, Effect, Fault, NewInstance, NewVolume};
use serde_json::json;
use tempfile::TempDir;

use crate::client::Scene;

struct Stage {
    scene: Scene,
    devices: PathBuf,
    folder: TempDir,
}

fn stage() -> Stage {
    assert!(which("losetup"), "losetup is missing: install the Debian package mount");
    let folder = tempfile::tempdir().unwrap();
    let config = Config { disk_folder: Some(folder.path().join("disks")), ..Config::default() };
    let mut scene = Scene::new(config);
    let devices = folder.path().join("node");
    let instance = NewInstance {
        display_name: "n".into(),
        device_folder: Some(devices.clone()),
        ..NewInstance::default()
    };
    scene.instance = scene.sim.add_instance(instance);
    scene.volume = scene.sim.add_volume(NewVolume {
        disk_bytes: Some(32 << 20),
        size_gb: 1,
        ..NewVolume::default()
    });
    Stage { scene, devices, folder }
}

impl Stage {
    /// Attaches paravirtualized; the attachment's path, and the disk's.
    fn attach(&self, read_only: bool) -> (String, PathBuf) {
        let scene = &self.scene;
        let body = json!({"type": "paravirtualized", "instanceId": scene.instance, "volumeId": scene.volume, "isReadOnly": read_only});
        let answer = scene.post("volumeAttachments", body);
        let path = format!("volumeAttachments/{}", answer.text("id"));
        assert_eq!(scene.get(&path).text("lifecycleState"), "ATTACHED");
        let device = answer.text("device");
        (path, self.devices.join(Path::new(&device).file_name().unwrap()))
    }

    fn detach(&self, path: &str) {
        assert_eq!(self.scene.delete(path).status, 204);
        assert_eq!(self.scene.get(path).text("lifecycleState"), "DETACHED");
    }
}

fn which(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn run(program: &str, args: &[&Path]) {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|_| panic!("{program} is missing"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

fn blockdev(question: &str, disk: &Path) -> u64 {
    let output = Command::new("blockdev").arg(question).arg(disk).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// Loop devices with their backing file in this folder.
fn loops(folder: &Path) -> usize {
    let output = Command::new("losetup")
        .args(["--list", "--noheadings", "--output", "BACK-FILE"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| Path::new(line.trim()).starts_with(folder)).count()
}

#[test]
fn a_disk_appears_and_disappears_and_keeps_its_bytes() {
    let stage = stage();
    let (path, disk) = stage.attach(false);
    assert_eq!(disk, stage.devices.join("oraclevdb"));
    fs::OpenOptions::new().write(true).open(&disk).unwrap().write_all(b"kept").unwrap();
    assert_eq!(loops(stage.folder.path()), 1);
    stage.detach(&path);
    assert_eq!((loops(stage.folder.path()), disk.symlink_metadata().is_err()), (0, true));
    let (path, disk) = stage.attach(true);
    let mut bytes = [0; 4];
    fs::File::open(&disk).unwrap().read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"kept");
    assert_eq!(blockdev("--getro", &disk), 1);
    stage.detach(&path);
    assert_eq!(stage.scene.sim.violations(), [""; 0]);
}

#[test]
fn detaching_a_mounted_disk_is_noticed() {
    let stage = stage();
    let (path, disk) = stage.attach(false);
    run("mkfs.ext4", &[Path::new("-q"), &disk]);
    let dir = stage.folder.path().join("mnt");
    fs::create_dir(&dir).unwrap();
    run("mount", &[&disk, &dir]);
    stage.detach(&path);
    run("umount", &[&dir]);
    let message = format!(
        "volume {} was detached from node n while its disk was in use: mounted at {}",
        stage.scene.volume,
        dir.display()
    );
    assert_eq!(stage.scene.sim.violations(), [message]);
}

#[test]
fn a_refused_detach_takes_nothing_away() {
    let stage = stage();
    let (path, disk) = stage.attach(false);
    stage.scene.sim.fail(Fault::new(
        "DetachVolume",
        1,
        Effect::status(500, "InternalServerError", "x"),
    ));
    assert_eq!(stage.scene.delete(&path).status, 500);
    assert!(disk.exists());
    stage.detach(&path);
}

#[test]
fn a_larger_volume_is_a_larger_disk() {
    let stage = stage();
    let (path, disk) = stage.attach(false);
    let size = || blockdev("--getsize64", &disk);
    assert_eq!(size(), 32 << 20);
    let volume = format!("volumes/{}", stage.scene.volume);
    let answer = stage.scene.put(&volume, json!({"sizeInGBs": 50}));
    assert_eq!((&*answer.text("lifecycleState"), size()), ("PROVISIONING", 32 << 20));
    let answer = stage.scene.get(&volume);
    assert_eq!((&*answer.text("lifecycleState"), size()), ("AVAILABLE", 50 << 30));
    stage.detach(&path);
}

#[test]
fn nothing_is_left_when_the_cloud_goes() {
    let stage = stage();
    let (_, disk) = stage.attach(false);
    drop(stage.scene);
    assert_eq!((loops(stage.folder.path()), disk.symlink_metadata().is_err()), (0, true));
}

#[test]
fn what_a_killed_run_left_is_removed() {
    let stage = stage();
    let (_, disk) = stage.attach(false);
    // as SIGKILL does: nothing is dropped
    std::mem::forget(stage.scene);
    assert_eq!((loops(stage.folder.path()), disk.exists()), (1, true));
    let config =
        Config { disk_folder: Some(stage.folder.path().join("disks")), ..Config::default() };
    drop(oci_sim::Sim::new(config).unwrap());
    assert_eq!(loops(stage.folder.path()), 0);
}
