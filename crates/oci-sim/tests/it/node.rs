//! Nodes with mount namespaces of their own. Needs root, unshare and nsenter (Debian package util-linux).

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use oci_sim::{Config, NewInstance, NewVolume, Node, Sim};

fn shell(node: &Node, script: &str) -> String {
    let output: Output = node.command("sh").args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn mounts() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap()
}

#[test]
fn nodes_see_their_own_devices_and_mounts() {
    let (one, two) = (Node::new("one").unwrap(), Node::new("two").unwrap());
    std::fs::write(one.device_folder().join("oraclevdb"), "x").unwrap();
    assert_eq!(shell(&one, "ls /dev/oracleoci"), "oraclevdb\n");
    assert_eq!(shell(&two, "ls /dev/oracleoci"), "");
    let place = one.kubelet_root().join("place");
    shell(&one, &format!("mkdir {0}; mount -t tmpfs none {0}; touch {0}/inside", place.display()));
    assert_eq!(shell(&one, &format!("ls {}", place.display())), "inside\n");
    assert!(!place.join("inside").exists());
    assert!(!mounts().contains("oci-sim-one"));
    assert!(!shell(&two, "cat /proc/self/mountinfo").contains("place"));
}

#[test]
fn a_node_leaves_nothing_behind() {
    let node = Node::new("gone").unwrap();
    let folder = node.folder().to_owned();
    for path in [
        node.kubelet_root(),
        node.state_dir(),
        node.log_dir(),
        node.run_dir(),
        node.device_folder(),
    ] {
        assert!(path.is_dir() && path.starts_with(&folder));
    }
    shell(&node, &format!("mount -t tmpfs none {}", node.kubelet_root().display()));
    drop(node);
    assert!(!folder.exists());
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let tables =
        processes.filter_map(|it| std::fs::read_to_string(it.path().join("mountinfo")).ok());
    assert_eq!(tables.filter(|table| table.contains("oci-sim-gone")).count(), 0);
}

#[test]
fn a_disk_that_is_mounted_on_a_node_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::new("busy").unwrap();
    let config = Config { disk_folder: Some(folder.path().to_owned()), ..Config::default() };
    let mut scene = crate::client::Scene::new(config);
    scene.instance = scene.sim.add_instance(NewInstance {
        display_name: "busy".into(),
        device_folder: Some(node.device_folder()),
        ..NewInstance::default()
    });
    scene.volume =
        scene.sim.add_volume(NewVolume { disk_bytes: Some(32 << 20), ..NewVolume::default() });
    let mut body = scene.attach_body();
    body["type"] = "paravirtualized".into();
    let path = format!("volumeAttachments/{}", scene.post("volumeAttachments", body).text("id"));
    scene.sim.settle();
    let place = node.kubelet_root().join("place");
    shell(
        &node,
        &format!(
            "mkfs.ext4 -q /dev/oracleoci/oraclevdb; mkdir {0}; mount /dev/oracleoci/oraclevdb {0}",
            place.display()
        ),
    );
    assert_eq!(scene.delete(&path).status, 204);
    let violation = format!(
        "volume {} was detached from node busy while its disk was in use: mounted at {}",
        scene.volume,
        place.display()
    );
    assert_eq!(scene.sim.violations(), [violation]);
    drop(node);
    scene.sim.settle();
}

#[test]
fn a_running_cloud_shows_disks_without_being_asked() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        disk_folder: Some(folder.path().to_owned()),
        attach_delay: oci_sim::Delay::Time(Duration::from_millis(10)),
        ..Config::default()
    };
    let cloud = Sim::start(config).unwrap();
    let instance =
        cloud.add_instance(NewInstance { display_name: "n".into(), ..NewInstance::default() });
    let volume = cloud.add_volume(NewVolume { disk_bytes: Some(32 << 20), ..NewVolume::default() });
    let body =
        serde_json::json!({"type": "paravirtualized", "instanceId": instance, "volumeId": volume});
    let request = crate::client::signed(
        cloud.credentials(),
        "POST",
        "/20160918/volumeAttachments",
        "h",
        Some(body.to_string()),
        &[],
        cloud.now(),
    );
    assert_eq!(cloud.handle(request).whole().unwrap().status(), 200);
    let disk = folder.path().join("devices/n/oraclevdb");
    while !Path::new(&disk).exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(cloud);
    assert!(disk.symlink_metadata().is_err());
}
