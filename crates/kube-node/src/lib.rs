//! One question to the Kubernetes API: what is known of this node.
//!
//! [`KubeClient`] reads a kubeconfig, or a pod's service account, and asks `GET /api/v1/nodes/<name>`; the answer is a
//! [`KubeNode`]. Nothing is written to the API, and nothing is read from the environment.

mod client;
mod document;
mod error;
mod files;
mod kubeconfig;
mod node;
mod user;

pub use client::KubeClient;
pub use error::Error;
pub use node::{KubeNode, instance_id};
