//! The order of a mountdevice, on real disks: what is claimed, locked and recorded when a program runs.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use clock::ManualClock;
use command::{Command, Output, Runner, SystemRunner};
use flexvolume::Options;

use super::*;
use crate::{
    Settings,
    loop_disk::{LoopDisk, SIZE, host_programs},
};

/// This host's programs; what is so when one of them begins is noted.
#[derive(Debug)]
struct Watched {
    host: SystemRunner,
    run_dir: PathBuf,
    records: VolumeRecords,
    seen: Mutex<Vec<Seen>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    line: String,
    /// Another call would have to wait.
    is_locked: bool,
    /// The program holds the lock too, and would outlive the driver with it.
    is_inherited: bool,
    /// The record says that a format has begun.
    is_noted: bool,
}

impl Watched {
    fn look(&self, command: &Command) -> Seen {
        Seen {
            line: command.to_string(),
            is_locked: VolumeLock::try_acquire(&self.run_dir, VOLUME, "look").unwrap().is_none(),
            is_inherited: inherits(&self.run_dir.join("lock").join(VOLUME)),
            is_noted: matches!(
                self.records.read(VOLUME),
                RecordState::Known(VolumeRecord { formatting: Some(_), fs_uuid: None, .. })
            ),
        }
    }
}

impl Runner for Watched {
    fn run(&self, command: &Command) -> Result<Output, command::Error> {
        let seen = self.look(command);
        self.seen.lock().unwrap().push(seen);
        self.host.run(command)
    }
}

/// Whether programs that this process starts keep `path` open.
fn inherits(path: &Path) -> bool {
    const CLOEXEC: u32 = 0o2_000_000;
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let mut open = open.filter(|it| fs::read_link(it.path()).is_ok_and(|link| link == path));
    open.any(|it| {
        let info = Path::new("/proc/self/fdinfo").join(it.file_name());
        let info = fs::read_to_string(info).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default();
        u32::from_str_radix(flags.trim(), 8).is_ok_and(|flags| flags & CLOEXEC == 0)
    })
}

/// A volume on a loop device, and a host that has never seen it.
struct Scene {
    driver: OciBlock,
    runner: Arc<Watched>,
    disk: LoopDisk,
}

impl Scene {
    fn new() -> Self {
        let disk = LoopDisk::new();
        let settings = Settings {
            run_dir: disk.dir.path().join("run"),
            state_dir: disk.dir.path().join("state"),
            ..Settings::default()
        };
        let runner = Arc::new(Watched {
            host: host_programs(),
            run_dir: settings.run_dir.clone(),
            records: VolumeRecords::new(&settings.state_dir),
            seen: Mutex::default(),
        });
        let driver = OciBlock::new(settings, runner.clone(), Arc::new(ManualClock::default()));
        Self { driver, runner, disk }
    }

    /// Everything of mountdevice behind the search for the disk.
    fn mount(&self, options: &str) -> Result<(), Error> {
        let options = Options::from_json(options.as_bytes()).unwrap();
        let options = VolumeOptions::parse(&options)?;
        let lock = self.driver.staging.lock(VOLUME, "mountdevice")?;
        let records = VolumeRecords::new(&self.driver.staging.state_dir);
        let recall = records.read(VOLUME);
        let identity = crate::identity::prove_identity(VOLUME, &self.disk.disk, &recall, &records)?;
        let mounting = Mounting {
            staging: &self.driver.staging,
            name: options.name,
            refuse_restored: &|| refuse_restored(&self.driver, options.name),
            volume: VOLUME,
            device: &Device::Paravirtualized("/dev/oracleoci/oraclevdb".into()),
            dir: &self.disk.mount_point(),
            wanted: &options.wanted,
            lock: &lock,
            disk: &self.disk.disk,
            identity: &identity,
            recall: &recall,
            records: &records,
            mounter: &self.driver.staging.mounter(),
        };
        mounting.run()
    }

    fn seen(&self) -> Vec<Seen> {
        self.runner.seen.lock().unwrap().clone()
    }

    fn record(&self, record: &VolumeRecord) {
        VolumeRecords::new(&self.driver.staging.state_dir).write(VOLUME, record).unwrap();
    }

    /// The refusal, with what varies from run to run made constant, of a call that has written nothing.
    #[track_caller]
    fn refusal(&self, options: &str) -> String {
        let before = self.disk.bytes();
        let error = self.mount(options).unwrap_err().to_string();
        assert!(before == self.disk.bytes(), "written: {error}");
        let error = error.replace(self.disk.device(), "DISK");
        error.replace(self.disk.dir.path().to_str().unwrap(), "DIR")
    }
}

#[test]
fn no_program_looks_at_a_disk_that_something_uses() {
    let scene = Scene::new();
    let _user = scene.disk.disk.claim(Access::Write).unwrap();
    let refusal = scene.refusal(OPTIONS);
    assert!(refusal.starts_with("DISK is in use"), "{refusal}");
    assert_eq!(scene.seen(), []);
}

#[test]
fn mkfs_runs_under_the_volumes_lock_and_behind_a_durable_note() {
    let scene = Scene::new();
    scene.mount(OPTIONS).unwrap();
    let formats =
        |seen: &Seen| seen.line.starts_with("mkfs") && seen.line.contains(scene.disk.device());
    let formats: Vec<_> = scene.seen().into_iter().filter(formats).collect();
    assert!(!formats.is_empty());
    for it in formats {
        assert!(it.is_locked && it.is_inherited && it.is_noted, "{it:?}");
    }
}

#[test]
fn every_program_that_works_on_the_disk_holds_the_lock_with_the_driver() {
    let scene = Scene::new();
    scene.mount(OPTIONS).unwrap();
    let without: Vec<_> =
        scene.seen().into_iter().filter(|it| !(it.is_locked && it.is_inherited)).collect();
    assert_eq!(without, []);
}

#[test]
fn a_disk_that_is_smaller_than_it_was_is_refused() {
    let scene = Scene::new();
    scene.record(&VolumeRecord { size: SIZE + 512, ..VolumeRecord::default() });
    assert_eq!(
        scene.refusal(OPTIONS),
        "the disk at DISK is not the one that was seen before for volume aaaa: the size in bytes was \
         335544832 and is 335544320; check the attachment, and delete DIR/state/volumes/aaaa.json if \
         the change was meant"
            .replace("aaaa", VOLUME)
    );
}

#[test]
fn what_has_held_a_file_system_is_not_formatted_when_it_reads_blank() {
    let scene = Scene::new();
    scene.record(&VolumeRecord {
        size: SIZE,
        fs_uuid: Some("4f1f".into()),
        ..VolumeRecord::default()
    });
    assert!(scene.refusal(OPTIONS).contains("now reads blank; it is not formatted again"));
}

#[test]
fn a_record_that_cannot_be_made_out_forbids_a_format() {
    let scene = Scene::new();
    scene.record(&VolumeRecord::default());
    let path = scene.disk.dir.path().join(format!("state/volumes/{VOLUME}.json"));
    fs::write(path, "torn").unwrap();
    let refusal = scene.refusal(OPTIONS);
    assert!(refusal.contains("is damaged"), "{refusal}");
}

#[test]
fn a_format_that_cannot_be_noted_does_not_begin() {
    let scene = Scene::new();
    let volumes = scene.disk.dir.path().join("state/volumes");
    fs::create_dir_all(volumes.parent().unwrap()).unwrap();
    fs::write(volumes, "in the way").unwrap();
    let refusal = scene.refusal(OPTIONS);
    assert!(scene.seen().iter().all(|it| !it.line.contains("mkfs")), "{refusal}");
}

#[test]
fn a_pod_that_only_reads_has_nothing_formatted() {
    let scene = Scene::new();
    let options = OPTIONS.replace("}", r#","kubernetes.io/readwrite":"ro"}"#);
    let refusal = scene.refusal(&options);
    assert_eq!(
        refusal,
        "the disk at DISK is blank and the pod asks for it read-only; nothing was formatted"
    );
}

const VOLUME: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OPTIONS: &str = concat!(
    r#"{"kubernetes.io/pvOrVolumeName":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","#,
    r#""attachmentType":"paravirtualized"}"#
);
