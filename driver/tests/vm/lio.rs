//! Another target than tgt: LIO, which is the kernel's own, and grows a unit under its sessions.

use oci_sim::NewVolume;
use testbed::{seen_to_succeed, success};

use crate::{
    guest::Guest,
    shell::{sh, wait_for},
    volume::Volume,
    wait_for_attach::iqn,
};

/// The target of one volume, in the place of tgt's.
struct Lio {
    disk: String,
}

impl Lio {
    /// Ends tgtd, and exports the volume's file by the same name at the same portal.
    fn takes_over(volume: &Volume<'_>, device: &str) -> Self {
        let storage = &volume.guest.storage;
        let file = storage.file(&volume.ocid).display().to_string();
        storage.kill();
        let disk = sh(&format!("losetup -f --show {file}"));
        let (bytes, iqn) = (sh(&format!("blockdev --getsize64 {disk}")), iqn(device));
        // Its sockets are in the network of the process that makes the portal.
        sh(&format!(
            "modprobe iscsi_target_mod && modprobe target_core_file
            mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
            exec nsenter --net=/run/netns/storage sh -e -c '
                cd {CONFIG}
                mkdir -p {CORE}
                echo fd_dev_name={disk},fd_dev_size={bytes},fd_buffered_io=1 >{CORE}/control
                echo 1 >{CORE}/enable
                echo 12345678 >{CORE}/wwn/vpd_unit_serial
                mkdir -p iscsi/{iqn}/tpgt_1/lun/lun_1
                cd iscsi/{iqn}/tpgt_1
                ln -s {CONFIG}/{CORE} lun/lun_1/unit
                echo 0 >attrib/authentication; echo 1 >attrib/generate_node_acls
                echo 1 >attrib/cache_dynamic_acls; echo 0 >attrib/demo_mode_write_protect
                mkdir np/169.254.2.2:3260
                echo 1 >enable'"
        ));
        Self { disk }
    }

    /// tgt comes back to what is left.
    fn goes(self, volume: &Volume<'_>, device: &str) {
        let (disk, iqn) = (self.disk, iqn(device));
        sh(&format!(
            "cd {CONFIG}/iscsi/{iqn}/tpgt_1 && echo 0 >enable && rmdir np/* && rm lun/lun_1/unit &&
            rmdir lun/lun_1 && cd {CONFIG} && rmdir iscsi/{iqn}/tpgt_1 iscsi/{iqn} iscsi {CORE} &&
            losetup --detach {disk}"
        ));
        volume.guest.storage.restart();
    }
}

#[test]
fn a_volume_lives_and_grows_on_a_target_in_the_kernel() {
    let guest = Guest::fresh();
    let volume = guest.volume_like(NewVolume { disk_bytes: Some(GIB), ..NewVolume::default() });
    let device = volume.attached(1);
    let lio = Lio::takes_over(&volume, &device);
    success(&volume.wait(&device));
    let name = Volume::disk(&device);
    assert_eq!(sh(&format!("cat /sys/block/{name}/device/vendor")), "LIO-ORG");
    success(&volume.mount(&device));
    let dir = volume.dir();
    sh(&format!("echo letter >{dir}/letter"));

    // The unit grows while it is mounted, without a new session.
    let file = guest.storage.file(&volume.ocid).display().to_string();
    sh(&format!("truncate -s {} {file}; losetup --set-capacity {}", 2 * GIB, lio.disk));
    let answer = volume.expand(&device, 2 * GIB);
    seen_to_succeed("E7", "ext4 on LIO, which grows the unit under the session", &answer);
    assert_eq!(sh(&format!("blockdev --getsize64 /dev/{name}")), (2 * GIB).to_string());
    assert!(volume.room() > GIB * 19 / 10);

    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
    sh(&format!("e2fsck -fn {}", lio.disk));
    success(&volume.mount(&device));
    assert_eq!(sh(&format!("cat {dir}/letter")), "letter");
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
    wait_for("[ -z \"$(ls /sys/class/iscsi_session)\" ]");
    lio.goes(&volume, &device);
    success(&volume.detach(1));
    assert_eq!(guest.sim.violations(), [""; 0]);
}

const CONFIG: &str = "/sys/kernel/config/target";
const CORE: &str = "core/fileio_0/volume";
const GIB: u64 = 1 << 30;
