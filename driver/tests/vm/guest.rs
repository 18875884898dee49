//! A clean node in a cloud of its own, for one case.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
};

use oci_sim::{ApiKeyUser, Config, NewInstance, NewVolume, Running, Sim};
use testbed::Place;

use crate::{
    shell::{sh, try_sh, wait_for},
    storage::Tgtd,
    volume::Volume,
};

/// The machine, with iscsid, tgtd and a cloud that exports what it attaches. Two instances of it are this
/// machine, `node-1` and `node-2`: they have records of their own, and the kernel in common.
pub(crate) struct Guest {
    pub(crate) sim: Running,
    pub(crate) storage: Arc<Tgtd>,
    iscsid: Mutex<Option<Child>>,
    /// One case at a time.
    _turn: MutexGuard<'static, ()>,
}

impl Guest {
    /// A node on which no volume has ever been, and a cloud with two instances.
    pub(crate) fn fresh() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        sh(&format!("rm -rf {}; mkdir -p {KUBELET} {CONTROLLER}", LEFT_BEHIND.join(" ")));
        let storage = Arc::new(Tgtd::start());
        let config =
            Config { storage: Some(storage.clone()), user: Some(user()), ..Config::default() };
        let sim = Sim::start(config).unwrap();
        for display_name in ["node-1", "node-2"] {
            let display_name = display_name.into();
            sim.add_instance(NewInstance { display_name, ..NewInstance::default() });
        }
        let guest = Self { sim, storage, iscsid: Mutex::default(), _turn: turn };
        guest.write_config();
        guest.start_iscsid();
        guest
    }

    /// A new volume, blank.
    pub(crate) fn volume(&self) -> Volume<'_> {
        self.volume_like(NewVolume::default())
    }

    /// A new volume; its disk is small whatever the API says.
    pub(crate) fn volume_like(&self, new: NewVolume) -> Volume<'_> {
        let new = NewVolume { disk_bytes: new.disk_bytes.or(Some(DISK_BYTES)), ..new };
        Volume { guest: self, ocid: self.sim.add_volume(new) }
    }

    /// Where the controller manager calls the driver.
    pub(crate) fn controller(&self) -> Place<'static> {
        let mut environment = self.environment("controller");
        environment.push(("OCI_FLEXD_CONFIG_DIRECTORY", CONTROLLER.into()));
        environment.push(("TRUSTED_CA_CERT_PATH", self.sim.ca_path().to_owned()));
        Place::here(Path::new(DRIVER), environment)
    }

    /// Where the kubelet of the `number`-th node calls the driver. The first uses all the driver's own places.
    pub(crate) fn node(&self, number: usize) -> Place<'static> {
        let environment = match number {
            1 => vec![("OCI_METADATA_BASE_URL", self.sim.metadata_url().into())],
            _ => self.environment(&format!("node-{number}")),
        };
        Place::here(Path::new(DRIVER), environment)
    }

    /// Starts iscsid if it does not run.
    pub(crate) fn start_iscsid(&self) {
        let mut iscsid = self.iscsid.lock().unwrap();
        if iscsid.is_none() {
            let log = fs::File::create("/tmp/iscsid.log").unwrap();
            let daemon = Command::new("iscsid")
                .arg("--foreground")
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn();
            *iscsid = Some(daemon.unwrap());
            wait_for("iscsiadm --mode session >/dev/null 2>&1 || [ $? = 21 ]");
        }
    }

    /// Ends iscsid without any farewell; sessions live on in the kernel.
    pub(crate) fn kill_iscsid(&self) {
        if let Some(mut daemon) = self.iscsid.lock().unwrap().take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    /// How many iSCSI sessions the kernel has.
    pub(crate) fn sessions(&self) -> usize {
        fs::read_dir("/sys/class/iscsi_session").map_or(0, Iterator::count)
    }

    fn environment(&self, host: &str) -> Vec<(&'static str, PathBuf)> {
        let dir = Path::new("/tmp/hosts").join(host);
        vec![
            ("OCI_FLEXD_DRIVER_LOG_DIR", dir.join("log")),
            ("OCI_FLEXD_STATE_DIRECTORY", dir.join("state")),
            ("OCI_FLEXD_RUN_DIRECTORY", dir.join("run")),
            ("OCI_METADATA_BASE_URL", self.sim.metadata_url().into()),
        ]
    }

    fn write_config(&self) {
        let user = self.sim.credentials();
        let key = user.private_key_pem.trim_end().replace('\n', "\n    ");
        let text = format!(
            "auth:\n  tenancy: {}\n  compartment: {}\n  user: {}\n  region: us-phoenix-1\n  \
             fingerprint: {}\n  key: |\n    {key}\nendpoints:\n  iaas: {}\n",
            user.tenancy,
            self.sim.compartment(),
            user.user,
            user.fingerprint,
            self.sim.endpoint(),
        );
        let path = Path::new(CONTROLLER).join("config.yaml");
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Takes everything away that a case can leave: mounts, device mapper's devices, sessions.
    fn clean(&self) {
        sh(&format!("ip link set node up; ip -n storage link set storage up
             grep -o ' {KUBELET}[^ ]*\\| /mnt[^ ]*' /proc/self/mountinfo | tac | xargs -r -n 1 umount -l
             dmsetup remove_all --force"));
        self.start_iscsid();
        wait_for(
            "iscsiadm --mode session --logout >/dev/null 2>&1
             [ -z \"$(ls /sys/class/iscsi_session)\" ]",
        );
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{}", sh(DIAGNOSIS));
        }
        self.clean();
        self.kill_iscsid();
    }
}

/// One user for all clouds: finding the primes of a key takes a while.
fn user() -> ApiKeyUser {
    static USER: OnceLock<ApiKeyUser> = OnceLock::new();
    USER.get_or_init(|| ApiKeyUser::fresh().unwrap()).clone()
}

static TURN: Mutex<()> = Mutex::new(());
/// Where kubelet keeps its volumes.
pub(crate) const KUBELET: &str = "/var/lib/kubelet";
const CONTROLLER: &str = "/tmp/controller";
const DRIVER: &str = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/oracle~oci/oci";
const LEFT_BEHIND: [&str; 8] = [
    KUBELET,
    CONTROLLER,
    "/tmp/hosts",
    "/etc/iscsi/nodes",
    "/etc/iscsi/send_targets",
    "/var/lib/oci-flexvolume-driver",
    "/run/oci-flexvolume-driver",
    "/var/log/oci-flexvolume-driver",
];
/// The least that xfs takes, and some.
const DISK_BYTES: u64 = 320 << 20;
const DIAGNOSIS: &str = "\
    echo '=== sessions'; iscsiadm -m session -P 3 2>&1 | grep -E 'Target|State|Attached|Portal'
    echo '=== mounts'; grep -E ' /var/lib/kubelet| /mnt' /proc/self/mountinfo
    echo '=== iscsid'; tail -n 20 /tmp/iscsid.log
    echo '=== kernel'; dmesg | tail -n 30
    for log in /var/log/oci-flexvolume-driver/*.log /tmp/hosts/*/log/*.log; do
        [ ! -e $log ] || { echo \"=== $log\"; tail -n 40 $log; }
    done; true";
