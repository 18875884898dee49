//! A clean node in a cloud of its own, for one case.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
    thread,
};

use oci_sim::{ApiKeyUser, Config, NewInstance, NewVolume, Running, Sim};
use testbed::Place;

use crate::{
    hypervisor::Hypervisor,
    second::Second,
    shell::{run, sh, wait_for},
    storage::{Behind, Tgtd},
    volume::Volume,
};

/// The machine, with iscsid, tgtd and a cloud that exports what it attaches. Of its two instances `node-1` is
/// this machine, and `node-2` the one beside it.
pub(crate) struct Guest {
    pub(crate) sim: Running,
    pub(crate) storage: Arc<Tgtd>,
    pub(crate) hypervisor: Arc<Hypervisor>,
    iscsid: Mutex<Option<Child>>,
    /// From its first use on.
    second: OnceLock<Second>,
}

impl Guest {
    /// A node on which no volume has ever been, and a cloud with two instances.
    pub(crate) fn fresh() -> Self {
        Self::in_cloud(Config::default())
    }

    /// The same in a cloud that is set up in another way.
    pub(crate) fn in_cloud(config: Config) -> Self {
        // What a case that was killed may have left.
        sh("pkill -9 -x 'oci|iscsid|tgtd' || :");
        sh(&format!("rm -rf {}; mkdir -p {KUBELET} {CONTROLLER}", LEFT_BEHIND.join(" ")));
        let (storage, hypervisor) = (Arc::new(Tgtd::start()), Arc::new(Hypervisor::default()));
        hypervisor.clean();
        let behind = Arc::new(Behind { tgtd: storage.clone(), hypervisor: hypervisor.clone() });
        let config = Config { storage: Some(behind), user: Some(user()), ..config };
        let sim = Sim::start(config).unwrap();
        for (display_name, addresses) in INSTANCES {
            let display_name = display_name.into();
            let ocid = sim.add_instance(NewInstance { display_name, ..NewInstance::default() });
            storage.know(ocid, addresses);
        }
        let (iscsid, second) = (Mutex::default(), OnceLock::new());
        let guest = Self { sim, storage, hypervisor, iscsid, second };
        guest.write_config();
        guest.start_iscsid();
        if guest.sessions() > 0 {
            guest.clean();
        }
        guest
    }

    /// A new volume, blank.
    pub(crate) fn volume(&self) -> Volume<'_> {
        self.volume_like(NewVolume::default())
    }

    /// A new volume; its disk is small whatever the API says.
    pub(crate) fn volume_like(&self, new: NewVolume) -> Volume<'_> {
        let new = NewVolume { disk_bytes: new.disk_bytes.or(Some(DISK_BYTES)), ..new };
        Volume { guest: self, ocid: self.sim.add_volume(new), set: &[] }
    }

    /// A new volume whose attachments are paravirtualized.
    pub(crate) fn paravirtualized(&self, new: &NewVolume) -> Volume<'_> {
        Volume { set: &[("attachmentType", "paravirtualized")], ..self.volume_like(new.clone()) }
    }

    /// Where the controller manager calls the driver.
    pub(crate) fn controller(&self) -> Place<'static> {
        let mut environment = self.environment("controller");
        environment.push(("OCI_FLEXD_CONFIG_DIRECTORY", CONTROLLER.into()));
        environment.push(("TRUSTED_CA_CERT_PATH", self.sim.ca_path().to_owned()));
        Place::here(Path::new(DRIVER), environment)
    }

    /// Where the kubelet of a node calls the driver, which uses all its own places there.
    pub(crate) fn node(&self, number: usize) -> Place<'static> {
        match number {
            1 => {
                let metadata = vec![("OCI_METADATA_BASE_URL", self.sim.metadata_url().into())];
                Place::here(Path::new(DRIVER), metadata)
            }
            _ => self.second().place(),
        }
    }

    /// The second node, on which no volume has ever been either.
    pub(crate) fn second(&self) -> &Second {
        self.second.get_or_init(Second::fresh)
    }

    /// Runs a script on a node, which must succeed; what it prints.
    #[track_caller]
    pub(crate) fn sh(&self, number: usize, script: &str) -> String {
        let mut shell = self.node(number).tool("sh");
        run(shell.args(["-c", script]), script)
    }

    /// The first node, with a `config.yaml` of its own.
    pub(crate) fn node_with_credentials(&self) -> Place<'static> {
        let environment = vec![
            ("OCI_METADATA_BASE_URL", self.sim.metadata_url().into()),
            ("OCI_FLEXD_CONFIG_DIRECTORY", CONTROLLER.into()),
            ("TRUSTED_CA_CERT_PATH", self.sim.ca_path().to_owned()),
        ];
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

    /// Lets nothing through to the portal any more; it is as if its packets were dropped.
    pub(crate) fn filter(&self, device: &str) {
        sh(&format!("ip -n storage route add blackhole {}/32 table local", address(device)));
    }

    /// Lets everything through again.
    pub(crate) fn unfilter(&self, device: &str) {
        sh(&format!("ip -n storage route del blackhole {}/32 table local", address(device)));
    }

    /// From now on I/O of a node to a lost session fails after this time; the driver's own records say two
    /// minutes.
    pub(crate) fn give_up_after(&self, number: usize, seconds: u32) {
        let all = "/sys/class/iscsi_session/*/recovery_tmo";
        self.sh(number, &format!("for it in {all}; do echo {seconds} >$it; done"));
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
        let path = Path::new(CONTROLLER).join("config.yaml");
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        file.unwrap().write_all(self.sim.driver_config().as_bytes()).unwrap();
    }

    /// Takes everything away that a case can leave: mounts, device mapper's devices, sessions.
    fn clean(&self) {
        // A case may have ended it, or held it up.
        self.storage.restart();
        sh(&format!("ip link set node up; ip -n storage link set storage up
             dmsetup remove_all --force; losetup --detach-all
             ip -n storage route flush type blackhole table local
             pgrep -x systemd-udevd >/dev/null || /lib/systemd/systemd-udevd --daemon --resolve-names=never
             {UNMOUNT_ALL}"));
        self.start_iscsid();
        self.hypervisor.clean();
        wait_for(LOGOUT_ALL);
        if let Some(second) = self.second.get() {
            second.clean();
        }
    }
}

/// Into the output of the failing case.
#[expect(clippy::print_stdout, reason = "what libtest shows of a case that fails")]
pub(crate) fn show(text: &str) {
    println!("{text}");
}

impl Drop for Guest {
    fn drop(&mut self) {
        if thread::panicking() {
            show(&sh(DIAGNOSIS));
            if let Some(second) = self.second.get() {
                show(&second.try_sh(DIAGNOSIS).unwrap_or_else(|why| why));
            }
            // Two panics at once would hide the first; the next case cleans what is left.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| self.clean()));
        } else {
            self.clean();
        }
        self.kill_iscsid();
    }
}

/// The portal's address in a device path.
fn address(device: &str) -> &str {
    device.split("/ip-").nth(1).unwrap().split(':').next().unwrap()
}

/// One user for all cases: finding the primes of a key takes a while.
fn user() -> ApiKeyUser {
    let path = "/tmp/api-key.pem";
    match fs::read_to_string(path) {
        Ok(pem) => {
            ApiKeyUser::from_pem("ocid1.tenancy.oc1..vm", "ocid1.user.oc1..vm", &pem).unwrap()
        }
        Err(_) => {
            let user = ApiKeyUser::fresh().unwrap();
            fs::write(path, &user.private_key_pem).unwrap();
            user
        }
    }
}

/// The two instances, and where the storage sees them come from.
const INSTANCES: [(&str, &[&str]); 2] =
    [("node-1", &["169.254.200.2", "fd00:c1::2"]), ("node-2", &["169.254.201.2"])];
/// Where kubelet keeps its volumes.
pub(crate) const KUBELET: &str = "/var/lib/kubelet";
const CONTROLLER: &str = "/tmp/controller";
pub(crate) const DRIVER: &str =
    "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/oracle~oci/oci";
pub(crate) const LEFT_BEHIND: [&str; 9] = [
    KUBELET,
    CONTROLLER,
    "/tmp/hosts",
    "/etc/iscsi/nodes",
    "/etc/iscsi/send_targets",
    "/var/lib/oci-flexvolume-driver",
    "/run/oci-flexvolume-driver",
    "/var/log/oci-flexvolume-driver",
    // Links that udev has not made it does not take away.
    "/dev/oracleoci",
];
/// Takes every mount of a volume away.
pub(crate) const UNMOUNT_ALL: &str = "\
    grep -o ' /var/lib/kubelet[^ ]*\\| /mnt[^ ]*' /proc/self/mountinfo | tac | xargs -r -n 1 umount -l";
/// Ends every session; fails while there are any.
pub(crate) const LOGOUT_ALL: &str = "\
    iscsiadm --mode session --logout >/dev/null 2>&1
    [ -z \"$(ls /sys/class/iscsi_session)\" ]";
/// Small, because a proof that it is blank reads all of it.
const DISK_BYTES: u64 = 16 << 20;
const DIAGNOSIS: &str = "\
    sed 's/.*:/=== /' /etc/iscsi/initiatorname.iscsi
    echo '=== sessions'; iscsiadm -m session -P 3 2>&1 | grep -E 'Target|State|Attached|Portal'
    echo '=== mounts'; grep -E ' /var/lib/kubelet| /mnt' /proc/self/mountinfo
    echo '=== iscsid'; tail -n 20 /tmp/iscsid.log
    echo '=== kernel'; dmesg | tail -n 30
    for log in /var/log/oci-flexvolume-driver/*.log /tmp/hosts/*/log/*.log; do
        [ ! -e $log ] || { echo \"=== $log\"; tail -n 40 $log; }
    done; true";
