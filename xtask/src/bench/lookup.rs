//! Finding a node's instance by its host name, in compartments of all sizes: the dearest of the ways.

use std::path::Path;

use anyhow::{Result, ensure};
use oci_sim::{NewInstance, NewVolume};
use testbed::{Cluster, Setup};

use super::figure::{Bound, Figure};

/// Requests that a look-up costs when the node was found a short time ago, and when not.
pub(super) fn figures(binary: &Path) -> Result<Vec<Figure>> {
    SIZES.into_iter().map(|(what, instances)| figure(binary, what, instances)).collect()
}

fn figure(binary: &Path, what: &'static str, instances: usize) -> Result<Figure> {
    let cluster = Cluster::start(binary, &Setup { nodes: 0, ..Setup::default() })?;
    for number in 1..=instances {
        cluster.sim.add_instance(NewInstance {
            display_name: format!("instance {number}"),
            hostname_label: Some(format!("host-{number}")),
            ..NewInstance::default()
        });
    }
    let node = format!("host-{instances}.nodes.example");
    let cold = look_up(&cluster, &node)?;
    let warm = look_up(&cluster, &node)?;
    Ok(Figure {
        what,
        unit: "",
        median: warm as f64,
        best: None,
        also: Some(format!("{cold} for the first time")),
        bound: Bound::AtMost(4.0),
        go: "–",
        because: "what is remembered is not enough".to_owned(),
    })
}

/// Attaches a volume; the requests that were spent on the node.
fn look_up(cluster: &Cluster, node: &str) -> Result<usize> {
    let volume = cluster.sim.add_volume(NewVolume::default());
    let options =
        cluster.options(&[("kubernetes.io/pvOrVolumeName", &volume), ("attachmentType", "iscsi")]);
    let before = cluster.sim.requests().len();
    let answer = cluster.controller().call(&["attach", &options, node])?;
    ensure!(answer.is_success(), "{}", answer.text);
    let requests = cluster.sim.requests();
    let spent = requests.iter().skip(before).filter(|it| LOOK_UP.contains(&it.operation));
    Ok(spent.count())
}

const SIZES: [(&str, usize); 3] = [
    ("node by host name among 10 instances, requests", 10),
    ("node by host name among 100 instances, requests", 100),
    ("node by host name among 1,000 instances, requests", 1000),
];
const LOOK_UP: [&str; 5] =
    ["ListInstances", "GetInstance", "ListVnicAttachments", "GetVnic", "ListSubnets"];
