//! Read-only is read-only: the driver writes nothing, and what the kernel would write is said.

use testbed::{Cluster, FaultRow};

use crate::support::{Kubelet, cluster, failure, failure_with, success};

fn options(cluster: &Cluster, fs_type: &str, mode: &str) -> String {
    cluster.options(&[("kubernetes.io/fsType", fs_type), ("kubernetes.io/readwrite", mode)])
}

/// A disk that refuses writes until this is dropped. The kernel would keep the loop device so, for the
/// next one who takes it.
struct Refusing<'a>(&'a Kubelet<'a>, &'a str);

impl<'a> Refusing<'a> {
    fn new(kubelet: &'a Kubelet<'a>, device: &'a str) -> Self {
        kubelet.sh(&format!("blockdev --setro {device}"));
        Self(kubelet, device)
    }
}

impl Drop for Refusing<'_> {
    fn drop(&mut self) {
        self.0.sh(&format!("blockdev --setrw {}", self.1));
    }
}

#[test]
fn a_blank_disk_stays_blank() {
    let mut row = FaultRow::new("M7", "a blank disk, readwrite=ro; then ro among mountOptions");
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let device = kubelet.attach(&options(&cluster, "ext4", "rw"));
    let before = kubelet.contents(&device);
    let disk = kubelet.sh(&format!("readlink -f {device}"));
    let blank = format!(
        "the disk at {disk} is blank and the pod asks for it read-only; nothing was formatted"
    );
    for options in
        [options(&cluster, "xfs", "ro"), cluster.options(&[("mountOptions", "noatime,ro")])]
    {
        let answer = kubelet.mount(&device, &options);
        row.shows(&answer);
        failure(&answer, &blank);
    }
    // The device itself may be the one that refuses: a volume attached read-only.
    let _refusing = Refusing::new(&kubelet, &device);
    let answer = kubelet.mount(&device, &options(&cluster, "ext4", "rw"));
    assert!(answer.message().contains(&disk), "{answer:?}");
    failure_with(&answer, &["is read-only: it can only be mounted read-only"]);
    assert_eq!(kubelet.contents(&device), before);
}

#[track_caller]
fn check_untouched(fs_type: &str) {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let (rw, ro) = (options(&cluster, fs_type, "rw"), options(&cluster, fs_type, "ro"));
    let device = kubelet.attach(&rw);
    success(&kubelet.mount(&device, &rw));
    kubelet.sh(r#"echo kept > "$0/file""#);
    success(&kubelet.unmount());
    let before = kubelet.contents(&device);
    for _ in 0..2 {
        success(&kubelet.mount(&device, &ro));
        assert_eq!(kubelet.sh(r#"cat "$0/file""#), "kept");
        kubelet.sh(r#"! touch "$0/other" 2>/dev/null"#);
    }
    success(&kubelet.unmount());
    assert_eq!(kubelet.contents(&device), before, "{fs_type}");
}

#[test]
fn a_clean_file_system_is_not_changed_by_a_read_only_mount() {
    check_untouched("ext4");
    check_untouched("ext3");
    // The kernel's xfs clears the part of its log that comes next, unless the device refuses writes.
}

/// Mounts, writes, and leaves the disk as it is in the middle of it: with a journal to be replayed.
#[track_caller]
fn crash(kubelet: &Kubelet<'_>, device: &str, options: &str) {
    success(&kubelet.mount(device, options));
    let disk = kubelet.sh(&format!("readlink -f {device}"));
    let image = kubelet.cluster.dir().join("crashed");
    let image = image.display();
    kubelet.sh(&format!(
        r#"echo kept > "$0/file" && sync --file-system "$0" && echo late > "$0/late" &&
           sync "$0/late" && dd if={disk} iflag=direct of={image} bs=1M status=none"#
    ));
    success(&kubelet.unmount());
    kubelet.sh(&format!("dd if={image} of={disk} bs=1M conv=fsync status=none"));
}

#[track_caller]
fn check_dirty(fs_type: &str, is_dirty: &str) {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let (rw, ro) = (options(&cluster, fs_type, "rw"), options(&cluster, fs_type, "ro"));
    let device = kubelet.attach(&rw);

    let mut row = FaultRow::new("M12", format!("{fs_type}, dirty journal, rw"));
    crash(&kubelet, &device, &rw);
    kubelet.sh(&format!("disk={device}; {is_dirty}"));
    let answer = kubelet.mount(&device, &rw);
    row.shows(&answer);
    success(&answer);
    assert_eq!(kubelet.sh(r#"cat "$0/file" "$0/late""#), "kept\nlate");
    success(&kubelet.unmount());

    let mut row = FaultRow::new("M12", format!("{fs_type}, dirty journal, ro"));
    crash(&kubelet, &device, &rw);
    let answer = kubelet.mount(&device, &ro);
    row.shows(&answer);
    success(&answer);
    assert_eq!(kubelet.sh(r#"cat "$0/file" "$0/late""#), "kept\nlate");
    success(&kubelet.unmount());

    let mut row =
        FaultRow::new("M12", format!("{fs_type}, dirty journal, ro, the device read-only too"));
    crash(&kubelet, &device, &rw);
    let _refusing = Refusing::new(&kubelet, &device);
    let before = kubelet.contents(&device);
    failure_with(&kubelet.mount(&device, &rw), &["ead-only"]);
    let answer = kubelet.mount(&device, &ro);
    row.shows(&answer);
    success(&answer);
    let mounted = kubelet.sh(r#"grep -F " $0 " /proc/self/mountinfo"#);
    assert!(mounted.contains("norecovery"), "{mounted}");
    success(&kubelet.unmount());
    assert_eq!(kubelet.contents(&device), before);
    let log = cluster.node(1).folder("OCI_FLEXD_DRIVER_LOG_DIR").unwrap().clone();
    let log = kubelet.sh(&format!("cat {}/*.log", log.display()));
    assert!(log.contains("its journal is not replayed"), "{log}");
}

#[test]
fn a_dirty_journal_is_replayed_if_the_disk_may_be_written() {
    check_dirty("ext4", "dumpe2fs -h $disk 2>/dev/null | grep -q needs_recovery");
    check_dirty("xfs", "xfs_logprint -t $disk | grep -q DIRTY");
}

/// kubelet's bind mount for a pod, and the read-only one that the container of a pod that reads is given.
const READER: &str = r#"
    pod="${0%/plugins/*}/pods/5c1e/volumes/oracle~oci/v"; mkdir -p "$pod" "$pod-container"
    mount --bind "$0" "$pod" && mount -o bind,remount "$(readlink -f DEVICE)" "$pod"
    mount --bind "$pod" "$pod-container" && mount -o remount,bind,ro "$pod-container""#;
const READS_ONLY: &str =
    r#"! touch "${0%/plugins/*}/pods/5c1e/volumes/oracle~oci/v-container/file" 2>&1"#;

/// The first pod reads. For the second one kubelet calls waitforattach, and mountdevice no more.
#[test]
fn a_pod_that_writes_may_come_after_one_that_reads() {
    for fs_type in ["ext4", "xfs"] {
        let cluster = cluster();
        let kubelet = Kubelet { cluster: &cluster, number: 1 };
        let (rw, ro) = (options(&cluster, fs_type, "rw"), options(&cluster, fs_type, "ro"));
        let device = kubelet.attach(&rw);
        let wait =
            |options: &str| cluster.node(1).call(&["waitforattach", &device, options]).unwrap();
        success(&kubelet.mount(&device, &rw));
        success(&kubelet.unmount());
        success(&kubelet.mount(&device, &ro));
        kubelet.sh(&READER.replace("DEVICE", &device));

        success(&wait(&ro));
        kubelet.sh(r#"! touch "$0/file" 2>&1"#);
        let ro_option =
            cluster.options(&[("kubernetes.io/fsType", fs_type), ("mountOptions", "ro")]);
        success(&wait(&ro_option));
        kubelet.sh(r#"! touch "$0/file" 2>&1"#);

        success(&wait(&rw));
        kubelet.sh(r#"touch "$0/file""#);
        kubelet.sh(READS_ONLY);
        // Nothing becomes read-only under a pod that writes.
        for answer in
            [wait(&ro), kubelet.mount(&device, &ro), wait(&rw), kubelet.mount(&device, &rw)]
        {
            success(&answer);
            kubelet.sh(r#"touch "$0/file""#);
        }
        failure_with(&kubelet.mount(&device, &ro_option), &["is a mount point of", "not of"]);
        kubelet.sh(r#"umount "${0%/plugins/*}"/pods/5c1e/volumes/oracle~oci/*"#);
        success(&kubelet.unmount());
        // Called again with what it was not asked for before.
        success(&kubelet.mount(&device, &ro));
        success(&kubelet.mount(&device, &rw));
        kubelet.sh(r#"touch "$0/file""#);
    }
}

#[test]
fn what_keeps_a_mount_read_only_is_named() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let (rw, ro) = (options(&cluster, "ext4", "rw"), options(&cluster, "ext4", "ro"));
    let device = kubelet.attach(&rw);
    let wait = |options: &str| cluster.node(1).call(&["waitforattach", &device, options]).unwrap();
    success(&kubelet.mount(&device, &rw));
    success(&kubelet.unmount());
    success(&kubelet.mount(&device, &ro));
    kubelet.sh(&READER.replace("DEVICE", &device));
    let still = |why: &str| {
        let answer = wait(&rw);
        let all = [
            "is mounted read-only at",
            why,
            "let what uses it end",
            "pods/5c1e/volumes/oracle~oci/v",
        ];
        failure_with(&answer, &all);
        kubelet.sh(r#"! touch "$0/file" 2>&1"#);
    };

    let refusing = Refusing::new(&kubelet, &device);
    still("the disk itself refuses writes");
    drop(refusing);

    kubelet.sh(r#"mkdir -p "$0-other" && mount --bind "$0" "$0-other""#);
    // A folder of kubelet's own is none of a stranger's.
    success(&wait(&ro));
    kubelet.sh(r#"umount "$0-other"; mkdir -p /tmp/stranger; mount --bind "$0" /tmp/stranger"#);
    still("it is also mounted at /tmp/stranger");
    kubelet.sh("umount /tmp/stranger; rmdir /tmp/stranger");

    // The superblock's state: not left in order.
    kubelet.sh(&format!(r"printf '\0\0' | dd of={device} bs=1 seek=1082 conv=notrunc status=none"));
    still("it is not marked clean, and must be checked before");
    kubelet.sh(&format!(r"printf '\1\0' | dd of={device} bs=1 seek=1082 conv=notrunc status=none"));
    success(&wait(&rw));
    kubelet.sh(r#"touch "$0/file""#);
}

#[test]
fn a_file_system_that_has_gone_read_only_is_named() {
    let mut row = FaultRow::new("B4", "an error in ext4 with errors=remount-ro; mountdevice again");
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[("mountOptions", "errors=remount-ro")]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    let disk = kubelet.sh(&format!("readlink -f {device}"));
    let name = disk.rsplit('/').next().unwrap();
    kubelet.sh(&format!("echo test > /sys/fs/ext4/{name}/trigger_fs_error"));
    let answer = kubelet.mount(&device, &options);
    row.shows(&answer);
    failure_with(&answer, &["has failed", "it has counted"]);
    // What did not reach the disk is said once; then the next mount begins with a check.
    failure_with(&kubelet.unmount(), &["may be lost"]);
    success(&kubelet.unmount());
    // Without a check the count of errors stays on the disk.
    let reading = cluster.options(&[("kubernetes.io/readwrite", "ro")]);
    for _ in 0..2 {
        success(&kubelet.mount(&device, &reading));
    }
    success(&kubelet.unmount());
    success(&kubelet.mount(&device, &options));
    kubelet.sh(r#"touch "$0/file""#);
}
