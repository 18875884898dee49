//! A cluster to play with: the simulated cloud, nodes with real disks, and a caller like kubelet.
//!
//! [`Cluster::start`] makes a cloud on loopback with instances and one volume, a place for the
//! controller manager with a `config.yaml`, and for each instance a node with a mount namespace of its
//! own. [`Place::call`] runs the driver there as the real callers do; [`kill`] breaks such calls off.

mod answer;
mod cluster;
mod fault_row;
pub mod kill;
mod options;
mod place;
mod storm;
mod verdict;

pub use answer::Answer;
pub use cluster::{Cluster, Setup};
pub use fault_row::FaultRow;
pub use options::options;
pub use place::{Place, run};
pub use storm::{Aftermath, Cost, Request, Storm};
pub use verdict::{failure, failure_with, seen_to_fail, seen_to_succeed, success};
