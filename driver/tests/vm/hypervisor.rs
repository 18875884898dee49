//! The hypervisor of the first machine: qemu's own monitor, by which disks come and go while the machine runs.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process,
    sync::{Mutex, MutexGuard, PoisonError},
};

use oci_sim::VirtualDisk;
use serde_json::{Value, json};

/// What is plugged in. The way to qemu is opened when it is needed first: most cases do without.
#[derive(Debug, Default)]
pub(crate) struct Hypervisor(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    monitor: Option<Monitor>,
    /// All volumes that were ever plugged in; the place is the volume's number.
    volumes: Vec<String>,
    /// Those that are.
    plugged: Vec<VirtualDisk>,
}

impl Hypervisor {
    /// The disk comes. The data of its volume are what they were; at first they are zeros.
    pub(crate) fn plug(&self, disk: &VirtualDisk) -> Result<(), String> {
        let mut state = self.state();
        let number = match state.number(&disk.volume) {
            Some(number) => number,
            None => {
                let number = state.volumes.len();
                state.monitor().create(&name(number), disk.bytes)?;
                state.volumes.push(disk.volume.clone());
                number
            }
        };
        state.monitor().plug(disk, number)?;
        state.plugged.push(disk.clone());
        Ok(())
    }

    /// The disk goes at once, which is an error if it was in use.
    pub(crate) fn unplug(&self, disk: &VirtualDisk) -> Result<(), String> {
        let in_use = self.is_in_use(&disk.volume);
        self.pull(&disk.volume);
        if in_use { Err(format!("{} was pulled while it was in use", disk.volume)) } else { Ok(()) }
    }

    /// The volume has this size; the kernel is not told.
    pub(crate) fn grow(&self, volume: &str, bytes: u64) -> Result<(), String> {
        let mut state = self.state();
        let Some(number) = state.number(volume) else { return Ok(()) };
        let Some(disk) = state.plugged.iter_mut().find(|it| it.volume == volume) else {
            return Ok(());
        };
        if disk.bytes >= bytes {
            return Ok(());
        }
        disk.bytes = bytes;
        let resize = json!({ "node-name": name(number), "size": bytes });
        state.monitor().execute("block_resize", resize).map(drop)
    }

    /// Takes the volume's disk away, whatever the API says and whatever uses it; with what is returned, `plug` brings
    /// it back.
    pub(crate) fn pull(&self, volume: &str) -> VirtualDisk {
        let mut state = self.state();
        let number = state.number(volume).unwrap();
        let at = state.plugged.iter().position(|it| it.volume == volume).unwrap();
        let disk = state.plugged.remove(at);
        state.monitor().unplug(&name(number)).unwrap();
        disk
    }

    /// Takes every disk away, also those of a case that was killed.
    pub(crate) fn clean(&self) {
        let mut state = self.state();
        if state.monitor.is_none() && !fs::exists(LINKS).unwrap() {
            return;
        }
        let disks = json!({ "path": "/machine/peripheral" });
        let all = state.monitor().execute("qom-list", disks).unwrap();
        let names = all.as_array().unwrap().iter().filter_map(|it| it["name"].as_str());
        for name in names.filter_map(|it| it.strip_prefix(DISK)) {
            state.monitor().unplug(name).unwrap();
        }
        state.plugged.clear();
    }

    /// Whether the kernel gives the disk to no other process.
    fn is_in_use(&self, volume: &str) -> bool {
        let number = self.state().number(volume).unwrap();
        let is_it = |disk: &PathBuf| {
            let page = fs::read(disk.join("device/vpd_pg80")).unwrap_or_default();
            page.ends_with(serial(number).as_bytes())
        };
        let disks = fs::read_dir("/sys/block").unwrap().map(|it| it.unwrap().path());
        let disk = disks.filter(is_it).map(|it| Path::new("/dev").join(it.file_name().unwrap()));
        disk.map(|it| File::options().read(true).custom_flags(O_EXCL).open(it))
            .any(|it| it.is_err_and(|error| error.kind() == ErrorKind::ResourceBusy))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number(&self, volume: &str) -> Option<usize> {
        self.volumes.iter().position(|it| it == volume)
    }

    fn monitor(&mut self) -> &mut Monitor {
        self.monitor.get_or_insert_with(Monitor::open)
    }
}

/// qemu's monitor, in its JSON protocol (docs/interop/qmp-spec.txt of qemu).
#[derive(Debug)]
struct Monitor {
    port: BufReader<File>,
    commands: u32,
    /// What happened meanwhile.
    events: Vec<Value>,
}

impl Monitor {
    fn open() -> Self {
        let port = File::options().read(true).write(true).open(PORT).unwrap_or_else(|error| {
            panic!("this case needs qemu (vm-test --machine qemu): {PORT}: {error}")
        });
        let mut monitor = Self { port: BufReader::new(port), commands: 0, events: Vec::new() };
        // It says no the second time, and there is but one connection for all cases.
        let _ = monitor.execute("qmp_capabilities", json!({}));
        monitor
    }

    /// A file for a volume's data.
    fn create(&mut self, file: &str, bytes: u64) -> Result<(), String> {
        let options = json!({ "driver": "file", "filename": file, "size": bytes });
        self.execute("blockdev-create", json!({ "job-id": file, "options": options }))?;
        self.wait_for("JOB_STATUS_CHANGE", &json!({ "id": file, "status": "concluded" }));
        let jobs = self.execute("query-jobs", json!({}))?;
        self.execute("job-dismiss", json!({ "id": file }))?;
        match jobs.as_array().into_iter().flatten().find_map(|job| job.get("error")) {
            Some(error) => Err(format!("cannot make {file}: {error}")),
            None => Ok(()),
        }
    }

    fn plug(&mut self, disk: &VirtualDisk, number: usize) -> Result<(), String> {
        let name = name(number);
        let file = json!({ "driver": "file", "filename": name });
        let data = json!({
            "driver": "raw", "node-name": name, "file": file, "read-only": disk.is_read_only,
        });
        self.execute("blockdev-add", data)?;
        let device = json!({
            "driver": "scsi-hd", "id": format!("{DISK}{name}"), "drive": name,
            "bus": "volumes.0", "channel": 0, "scsi-id": 0, "lun": lun(&disk.device),
            "vendor": "ORACLE", "product": "BlockVolume",
            "serial": serial(number), "wwn": WWN | u64::from(process::id()) << 8 | number as u64,
        });
        self.execute("device_add", device).map(drop)
    }

    fn unplug(&mut self, name: &str) -> Result<(), String> {
        let id = format!("{DISK}{name}");
        self.execute("device_del", json!({ "id": id }))?;
        self.wait_for("DEVICE_DELETED", &json!({ "device": id }));
        self.execute("blockdev-del", json!({ "node-name": name })).map(drop)
    }

    /// Has qemu do something; what it returns.
    fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, String> {
        self.commands += 1;
        let id = json!([process::id(), self.commands]);
        let request = json!({ "execute": command, "arguments": arguments, "id": id });
        self.port.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
        loop {
            let mut answer = self.read();
            if answer["id"] != id {
                continue;
            }
            return match answer.get("error") {
                Some(error) => Err(format!("{command}: {error}")),
                None => Ok(answer["return"].take()),
            };
        }
    }

    /// Waits for an event of this name with all that is in `data`.
    fn wait_for(&mut self, name: &str, data: &Value) {
        let has = |event: &Value| {
            let mut wanted = data.as_object().unwrap().iter();
            event["event"] == name && wanted.all(|(key, value)| event["data"][key] == *value)
        };
        while !self.events.iter().any(has) {
            self.read();
        }
        self.events.clear();
    }

    /// Events are noted, too.
    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.port.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        if said.get("event").is_some() {
            self.events.push(said.clone());
        }
        said
    }
}

/// What the volume is called in qemu, and its file: no other case has such a one.
fn name(number: usize) -> String {
    format!("volume-{}-{number}", process::id())
}

/// oraclevda, the boot volume's, is LUN 1.
fn lun(device: &str) -> usize {
    let letters = device.strip_prefix("/dev/oracleoci/oraclevd").unwrap();
    letters.bytes().fold(0, |number, letter| number * 26 + usize::from(letter - b'a') + 1)
}

/// The first twenty letters are a part of other names of the disk, too.
fn serial(number: usize) -> String {
    format!("60{:06x}{number:08x}", process::id())
}

const PORT: &str = "/dev/virtio-ports/hypervisor";
/// Where udev makes links to the disks.
const LINKS: &str = "/dev/oracleoci";
const DISK: &str = "disk-";
/// Of the kind that IEEE registers (NAA 5).
const WWN: u64 = 0x5 << 60;
/// open(2): on a block device, only if no process has it so already.
const O_EXCL: i32 = 0o200;
