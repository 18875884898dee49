//! One question to the Kubernetes API: what is known of this node.
//!
//! [`KubeClient`] reads a kubeconfig, or a pod's service account, and asks `GET /api/v1/nodes/<name>`; the answer is a
//! [`KubeNode`]. Nothing is written to the API, and nothing is read from the environment.

mod client;
mod error;
mod kubeconfig;
mod node;

pub use client::{KubeClient, ProxyFor};
pub use error::Error;
pub use node::{KubeNode, instance_id};
