//! Many attaches at once, in a cloud that answers only so many requests.

use std::{
    collections::HashMap,
    io,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use oci_sim::{Entry, NewInstance, NewVolume, Throttle};

use crate::{Answer, Cluster, Place, Setup};

/// What happens: that many volumes are attached at the same moment, each to a node of its own.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// Attaches.
    pub attaches: usize,
    /// Instances in the compartment.
    pub instances: usize,
    /// Volumes in the compartment.
    pub volumes: usize,
    /// How long an attachment is ATTACHING.
    pub attach_delay: Duration,
    /// How many requests the cloud answers.
    pub throttle: Throttle,
}

/// What came of it.
#[derive(Debug)]
pub struct Aftermath {
    /// The answer to each attach.
    pub answers: Vec<Answer>,
    /// What each attach has asked of the cloud.
    pub costs: Vec<Cost>,
    /// All requests in the order of their arrival.
    pub requests: Vec<Request>,
    /// Attachments that are ATTACHED at the end.
    pub attached: usize,
}

/// What one attach has asked of the cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests that were answered, without the looks.
    pub requests: usize,
    /// Looks at an attachment on its way that were answered.
    pub looks: usize,
    /// Requests that were refused by 429.
    pub refused: usize,
}

/// One request to the cloud.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Since the first attach was called.
    pub at: Duration,
    /// Refused by 429.
    pub is_refused: bool,
}

impl Storm {
    /// Starts a cloud and calls `binary` as a controller manager without limits would.
    ///
    /// # Errors
    /// The cloud does not start, or a call cannot be started.
    pub fn run(&self, binary: &Path) -> anyhow::Result<Aftermath> {
        let setup = Setup { nodes: 0, attach_delay: self.attach_delay, ..Setup::default() };
        let cluster = Cluster::start(binary, &setup)?;
        for number in 0..self.instances {
            let display_name = node(number);
            cluster.sim.add_instance(NewInstance { display_name, ..NewInstance::default() });
        }
        let volumes: Vec<String> =
            (0..self.volumes).map(|_| cluster.sim.add_volume(NewVolume::default())).collect();
        cluster.sim.throttle(Some(self.throttle));

        let start = cluster.sim.now();
        let controller = cluster.controller();
        let answers: Vec<io::Result<Answer>> = thread::scope(|scope| {
            let mut calls = Vec::new();
            for (number, volume) in volumes.iter().take(self.attaches).enumerate() {
                let (cluster, controller) = (&cluster, &controller);
                calls.push(scope.spawn(move || attach(cluster, controller, volume, number)));
            }
            calls.into_iter().map(|it| it.join().unwrap_or_else(|_| panicked())).collect()
        });
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let entries = cluster.sim.requests();
        let attachments = cluster.sim.attachments();
        let attached = attachments.iter().filter(|it| it.lifecycle_state == "ATTACHED").count();
        let mut owners: HashMap<String, usize> =
            volumes.into_iter().enumerate().map(|(number, volume)| (volume, number)).collect();
        for it in attachments {
            if let Some(number) = owners.get(&it.volume_id) {
                owners.insert(it.id, *number);
            }
        }
        let costs = costs(&entries, &owners, self.attaches);
        let requests = entries.iter().map(|it| Request::of(it, start)).collect();
        Ok(Aftermath { answers, costs, requests, attached })
    }
}

impl Request {
    fn of(entry: &Entry, start: SystemTime) -> Self {
        Self { at: entry.at.duration_since(start).unwrap_or_default(), is_refused: refused(entry) }
    }
}

fn attach(
    cluster: &Cluster,
    controller: &Place<'_>,
    volume: &str,
    number: usize,
) -> io::Result<Answer> {
    let options =
        cluster.options(&[("kubernetes.io/pvOrVolumeName", volume), ("attachmentType", "iscsi")]);
    controller.call(&["attach", &options, &node(number)])
}

/// Each request belongs to the attach whose node, volume or attachment it names.
fn costs(entries: &[Entry], owners: &HashMap<String, usize>, attaches: usize) -> Vec<Cost> {
    let mut costs = vec![Cost::default(); attaches];
    for entry in entries {
        let named = entry.path.split(['/', '?', '&', '=']).chain(entry.body.split('"'));
        let mut owner = named.filter_map(|word| {
            owners.get(word).copied().or_else(|| word.strip_prefix(NODE)?.parse().ok())
        });
        let Some(cost) = owner.next().and_then(|number| costs.get_mut(number)) else { continue };
        match entry.operation {
            _ if refused(entry) => cost.refused += 1,
            "GetVolumeAttachment" => cost.looks += 1,
            _ => cost.requests += 1,
        }
    }
    costs
}

fn refused(entry: &Entry) -> bool {
    entry.status == Some(429)
}

fn node(number: usize) -> String {
    format!("{NODE}{number}")
}

fn panicked() -> io::Result<Answer> {
    Err(io::Error::other("the thread of a call panicked"))
}

const NODE: &str = "storm-node-";
