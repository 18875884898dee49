//! A volume's whole life, and every call twice.

use testbed::Setup;

use crate::support::{
    Kubelet, cluster, cluster_with, failure_with, seen_to_fail, seen_to_succeed, success,
};

#[track_caller]
fn check(fs_type: &str) {
    let cluster = cluster();
    let options = cluster.options(&[("kubernetes.io/fsType", fs_type)]);
    let mut uuids = Vec::new();
    for number in [1, 2] {
        let kubelet = Kubelet { cluster: &cluster, number };
        let device = kubelet.attach(&options);
        assert_eq!(kubelet.attach(&options), device);
        let place = cluster.node(number);
        for _ in 0..2 {
            let answer = place.call(&["waitforattach", &device, &options]).unwrap();
            success(&answer);
            assert_eq!(answer.field("device").as_deref(), Some(&*device));
        }
        seen_to_succeed("M1", "the directory is missing", &kubelet.mount(&device, &options));
        let again = kubelet.mount(&device, &options);
        seen_to_succeed("M2", format!("{fs_type}, mountdevice twice"), &again);
        assert_eq!(
            kubelet.sh(r#"stat -f -c %T "$0""#),
            if fs_type == "xfs" { "xfs" } else { "ext2/ext3" }
        );
        if number == 1 {
            kubelet.sh(r#"echo kept > "$0/file""#);
        } else {
            assert_eq!(kubelet.sh(r#"cat "$0/file""#), "kept");
        }
        uuids.push(kubelet.sh(&format!("blkid -p -o value -s UUID {device}")));
        success(&kubelet.unmount());
        success(&kubelet.unmount());
        success(&kubelet.detach());
        success(&kubelet.detach());
    }
    assert_eq!(uuids[0], uuids[1], "formatted twice");
    assert_eq!(cluster.sim.violations(), Vec::<String>::new());
}

#[test]
fn ext4_moves_with_its_data() {
    check("ext4");
}

#[test]
fn ext3_moves_with_its_data() {
    check("ext3");
}

#[test]
fn xfs_moves_with_its_data() {
    check("xfs");
}

#[test]
fn without_a_type_a_blank_disk_becomes_ext4() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[("kubernetes.io/fsType", "")]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    assert_eq!(kubelet.sh(&format!("blkid -p -o value -s TYPE {device}")), "ext4");
}

#[test]
fn a_restarted_kubelet_may_forget_the_device() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    let place = cluster.node(1);
    failure_with(
        &place.call(&["waitforattach", "", &options]).unwrap(),
        &["kubelet gave no device path for volume", "delete the pod"],
    );
    success(&kubelet.mount(&device, &options));
    let answer = place.call(&["waitforattach", "", &options]).unwrap();
    success(&answer);
    assert_eq!(answer.field("device"), Some(device));
}

#[test]
fn read_only_mounts_what_is_there_and_never_formats() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let (rw, ro) = (cluster.options(&[]), cluster.options(&[("kubernetes.io/readwrite", "ro")]));
    let device = kubelet.attach(&rw);
    failure_with(&kubelet.mount(&device, &ro), &["is blank and the pod asks for it read-only"]);
    success(&kubelet.mount(&device, &rw));
    success(&kubelet.unmount());
    success(&kubelet.mount(&device, &ro));
    kubelet.sh(r#"! touch "$0/file" 2>/dev/null"#);
}

#[test]
fn mount_options_reach_the_mount_and_hostile_ones_do_not() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let noatime = cluster.options(&[("mountOptions", "noatime,nodev")]);
    let device = kubelet.attach(&noatime);
    for hostile in ["bind", "remount,rw", "loop", "-o,rw", "dev=/dev/sda", "noatime,move"] {
        let options = cluster.options(&[("mountOptions", hostile)]);
        let answer = kubelet.mount(&device, &options);
        seen_to_fail("M18", hostile, &answer, &["mount option"]);
    }
    success(&kubelet.mount(&device, &noatime));
    let line = kubelet.sh(r#"grep -F "$0" /proc/self/mountinfo"#);
    assert!(line.contains("noatime") && line.contains("nodev"), "{line}");
}

#[test]
fn a_file_system_other_than_asked_for_is_left_alone() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let device = kubelet.attach(&cluster.options(&[]));
    success(&kubelet.mount(&device, &cluster.options(&[])));
    kubelet.sh(r#"echo kept > "$0/file""#);
    success(&kubelet.unmount());
    let xfs = cluster.options(&[("kubernetes.io/fsType", "xfs")]);
    seen_to_fail(
        "M11",
        "ext4, and the pod asks for xfs",
        &kubelet.mount(&device, &xfs),
        &["holds ext4 and the pod asks for xfs, as which it cannot be mounted; leave fsType out"],
    );
    success(&kubelet.mount(&device, &cluster.options(&[])));
    assert_eq!(kubelet.sh(r#"cat "$0/file""#), "kept");
}

#[test]
fn an_older_ext_is_mounted_as_ext4_and_stays_what_it_is() {
    for kind in ["ext2", "ext3"] {
        let cluster = cluster();
        let kubelet = Kubelet { cluster: &cluster, number: 1 };
        let options = cluster.options(&[]);
        let device = kubelet.attach(&options);
        let features = || {
            let shown =
                kubelet.sh(&format!("dumpe2fs -h {device} 2>/dev/null | grep features: | head -1"));
            shown.replace("needs_recovery ", "")
        };
        kubelet.sh(&format!("mke2fs -q -t {kind} {device}"));
        let before = features();
        for _ in 0..2 {
            success(&kubelet.mount(&device, &options));
            let line = kubelet.sh(r#"echo kept > "$0/file"; grep -F " $0 " /proc/self/mountinfo"#);
            assert!(line.contains(" - ext4 "), "{line}");
        }
        success(&kubelet.unmount());
        assert_eq!(features(), before);
        let xfs = cluster.options(&[("kubernetes.io/fsType", "xfs")]);
        failure_with(
            &kubelet.mount(&device, &xfs),
            &[&format!("holds {kind} and the pod asks for xfs")],
        );
        success(&kubelet.mount(&device, &options));
        assert_eq!(kubelet.sh(r#"cat "$0/file""#), "kept");
    }
}

#[test]
fn an_option_that_the_file_system_does_not_know_is_refused_before_a_format() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let mount_options = ("mountOptions", "noatime,nouuid");
    let args = ["attach", &cluster.options(&[mount_options]), "node-1"];
    let refused = cluster.controller().call(&args).unwrap();
    failure_with(&refused, &["\"nouuid\" is refused: ext4 may have defaults, ro"]);
    // Where no file system is asked for, mountdevice knows that it would be ext4.
    let options = cluster.options(&[("kubernetes.io/fsType", ""), mount_options]);
    let device = kubelet.attach(&options);
    failure_with(
        &kubelet.mount(&device, &options),
        &["\"nouuid\" is refused: ext4 may have defaults, ro"],
    );
    assert_eq!(kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
}

#[test]
fn the_cause_is_among_what_is_shown_of_a_tool() {
    let cluster = cluster_with(&Setup { disk_bytes: Some(299 << 20), ..Setup::default() });
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[("kubernetes.io/fsType", "xfs")]);
    let device = kubelet.attach(&options);
    failure_with(
        &kubelet.mount(&device, &options),
        &["mkfs.xfs failed on", "Filesystem must be larger than 300MB"],
    );
}

#[test]
fn a_blank_disk_stays_blank_if_the_pod_says_so() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let never = cluster.options(&[("format", "never")]);
    let device = kubelet.attach(&never);
    failure_with(&kubelet.mount(&device, &never), &["is blank and the option format is never"]);
    assert_eq!(kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
}
