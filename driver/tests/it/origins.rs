//! A volume that was made from something is never formatted, where the node can know it.

use std::{fs, path::PathBuf};

use oci_sim::{Effect, Fault, NewVolume};
use serde_json::{Value, json};
use testbed::{Answer, Cluster, FaultRow, Setup};

use crate::support::{Kubelet, cluster_with, failure, success};

const BACKUP: &str = "ocid1.volumebackup.oc1.phx.bbbb";

/// A volume whose disk reads blank, attached to a node.
struct Scene<'a> {
    kubelet: Kubelet<'a>,
    volume: String,
    options: String,
    device: String,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a Cluster, source_details: Option<Value>) -> Self {
        let disk_bytes = Some(320 << 20);
        let new = NewVolume { disk_bytes, source_details, ..NewVolume::default() };
        let volume = cluster.sim.add_volume(new).rsplit('.').next().unwrap().to_owned();
        let kubelet = Kubelet { cluster, number: 1 };
        let options = cluster.options(&[("kubernetes.io/pvOrVolumeName", &volume)]);
        let device = kubelet.attach(&options);
        Self { kubelet, volume, options, device }
    }

    /// mountdevice with more in its environment.
    fn mount(&self, environment: &[(&str, PathBuf)]) -> Answer {
        let args = ["mountdevice", &self.kubelet.dir(), &self.device, &self.options];
        let mut command = self.kubelet.cluster.node(1).command(&args);
        command.envs(environment.iter().cloned());
        testbed::run(command).unwrap()
    }

    #[track_caller]
    fn refused(&self, answer: &Answer) {
        failure(
            answer,
            &format!(
                "volume {} reads blank, but was made from volumeBackup {BACKUP}, so it should hold data: it is not \
                 formatted; see what became of its source, or, if it is meant to be blank, make its file system by \
                 hand (mkfs on the node)",
                self.volume
            ),
        );
        let device = &self.device;
        assert_eq!(self.kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
        assert_eq!(
            self.kubelet.sh(&format!("cmp -n 335544320 {device} /dev/zero && echo zeros")),
            "zeros"
        );
    }
}

fn backup() -> Option<Value> {
    Some(json!({"type": "volumeBackup", "id": BACKUP}))
}

fn cluster() -> Cluster {
    cluster_with(&Setup { nodes: 1, ..Setup::default() })
}

/// The environment of a node that has a `config.yaml`.
fn with_config(cluster: &Cluster) -> [(&'static str, PathBuf); 2] {
    [
        ("OCI_FLEXD_CONFIG_DIRECTORY", cluster.config_dir()),
        ("TRUSTED_CA_CERT_PATH", cluster.sim.ca_path().to_owned()),
    ]
}

#[test]
fn a_node_with_credentials_asks_what_a_volume_was_made_from() {
    let mut row = FaultRow::new(
        "M25",
        "a blank disk, and the API says: made from a backup; config.yaml on the node",
    );
    let cluster = cluster();
    let scene = Scene::new(&cluster, backup());
    for _ in 0..2 {
        let answer = scene.mount(&with_config(&cluster));
        row.shows(&answer);
        scene.refused(&answer);
    }
    // What is made by hand is mounted.
    scene.kubelet.sh(&format!("mkfs.ext4 -q {}", scene.device));
    success(&scene.mount(&with_config(&cluster)));

    let empty = Scene::new(&cluster, None);
    success(&scene.kubelet.unmount());
    success(&empty.mount(&with_config(&cluster)));
}

#[test]
fn attach_leaves_a_note_for_a_node_on_its_host() {
    let mut row = FaultRow::new("M25", "the same, on a host that is master and node");
    let cluster = cluster();
    let scene = Scene::new(&cluster, backup());
    let state = cluster.controller().folder("OCI_FLEXD_STATE_DIRECTORY").unwrap().clone();
    let here = [("OCI_FLEXD_STATE_DIRECTORY", state.clone())];
    let answer = scene.mount(&here);
    row.shows(&answer);
    scene.refused(&answer);

    // A note that cannot be read says nothing, and so not that the volume was made empty.
    let note = state.join("origins").join(&scene.volume);
    assert_eq!(fs::read_to_string(&note).unwrap(), format!("volumeBackup {BACKUP}"));
    fs::remove_file(&note).unwrap();
    std::os::unix::fs::symlink("/dev/null", &note).unwrap();
    let answer = scene.mount(&here);
    let said = "cannot be read, so it cannot be told whether the volume was ever formatted; it is not formatted";
    assert!(answer.message().contains(said), "{answer:?}");

    let empty = Scene::new(&cluster, None);
    assert!(!state.join("origins").join(&empty.volume).exists());
    success(&empty.mount(&here));
}

#[test]
fn an_api_that_does_not_answer_does_not_keep_a_pod_from_starting() {
    let mut row = FaultRow::new("M25", "the same, but the API does not tell");
    let cluster = cluster();
    let scene = Scene::new(&cluster, backup());
    let effect = Effect::status(404, "NotAuthorizedOrNotFound", "x");
    cluster.sim.fail(Fault::new("GetVolume", 1_u64.., effect));
    let answer = scene.mount(&with_config(&cluster));
    row.shows(&answer);
    success(&answer);
}
