//! A device path that leads to another volume's disk.

use std::{fs, os::unix::fs::symlink};

use oci_sim::NewVolume;

use crate::support::{Kubelet, cluster, failure_with, success};

#[test]
fn a_path_that_leads_to_another_disk_is_noticed() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    success(&kubelet.unmount());

    // A second volume takes the path of the first, as after a reboot.
    let other =
        cluster.sim.add_volume(NewVolume { disk_bytes: Some(320 << 20), ..NewVolume::default() });
    let other_name = other.rsplit('.').next().unwrap();
    let other_options = cluster.options(&[("kubernetes.io/pvOrVolumeName", other_name)]);
    let other_device = kubelet.attach(&other_options);
    assert_ne!(device, other_device);
    let disk = kubelet.sh(&format!("readlink {other_device}"));
    kubelet.sh(&format!("ln -sf {disk} {device}"));

    // Blank, but it is another volume's.
    let other_mount = {
        let args =
            ["mountdevice", &*format!("{}-other", kubelet.dir()), &other_device, &other_options];
        cluster.node(1).call(&args).unwrap()
    };
    success(&other_mount);
    kubelet.sh(r#"umount "$0-other""#);
    failure_with(
        &kubelet.mount(&device, &options),
        &["was seen here as that of volume", other_name],
    );
    // Its record is lost: the file system still is not ours.
    let state = cluster.node(1).folder("OCI_FLEXD_STATE_DIRECTORY").unwrap().clone();
    fs::remove_file(state.join("volumes").join(format!("{other_name}.json"))).unwrap();
    failure_with(
        &kubelet.mount(&device, &options),
        &["is not the one that was seen before", "the file system's UUID was"],
    );
    // Nor is a blank disk.
    kubelet.sh(&format!("blkdiscard -f {device}"));
    failure_with(&kubelet.mount(&device, &options), &["now reads blank", "not formatted again"]);
    assert_eq!(kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
}

#[test]
fn a_file_system_that_is_another_volumes_is_not_mounted_for_this_one() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    success(&kubelet.unmount());
    // kubelet passes the device of another volume (kubernetes issue 55314).
    let other = cluster.options(&[("kubernetes.io/pvOrVolumeName", "another")]);
    failure_with(
        &kubelet.mount(&device, &other),
        &["was seen here as that of volume", cluster.volume_name()],
    );
}

#[test]
fn only_paths_that_attach_composes_are_opened() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    let disk = kubelet.sh(&format!("readlink -f {device}"));
    for path in [&*disk, "/dev/null", "/dev/oracleoci/../null", "/etc/passwd", "relative"] {
        failure_with(&kubelet.mount(path, &options), &["is no device path of this driver"]);
    }
}

#[test]
fn a_path_that_is_no_block_device_is_refused() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let folder = kubelet.cluster.dir().join("fake");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "").unwrap();
    symlink(folder.join("file"), folder.join("link")).unwrap();
    let place = cluster.node(1);
    let path = "/dev/oracleoci/oraclevdz";
    kubelet.sh(&format!("ln -sf {} {path}", folder.join("link").display()));
    // Not waited for: the path is there, and it is the wrong thing.
    for args in
        [&["mountdevice", &*kubelet.dir(), path, &options][..], &["waitforattach", path, &options]]
    {
        failure_with(&place.call(args).unwrap(), &["fake/file is not a block device"]);
    }
}
