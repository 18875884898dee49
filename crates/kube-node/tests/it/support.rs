//! Kubeconfigs in a temporary directory.

use std::{error::Error as _, fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use kube_node::{Error, KubeClient};
use oci_rest::Network;
use tempfile::TempDir;

pub(crate) struct Dir(TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// A client for the kubeconfig `text`, saved beside what was written before.
    pub(crate) fn client(&self, text: &str) -> Result<KubeClient, Error> {
        KubeClient::from_kubeconfig(&self.write("config", text), &Network::default())
    }

    /// The chain of an error as the driver prints it, with this directory as `DIR`.
    pub(crate) fn text(&self, error: &Error) -> String {
        let (mut text, mut source) = (error.to_string(), error.source());
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        text.replace(self.0.path().to_str().unwrap(), "DIR")
    }
}

/// A kubeconfig with one cluster and one user, given as lines of YAML.
pub(crate) fn kubeconfig(cluster: &[&str], user: &[&str]) -> String {
    let lines =
        |lines: &[&str]| lines.iter().map(|line| format!("    {line}\n")).collect::<String>();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\npreferences: {{}}\n\
         contexts:\n- name: elsewhere\n  context: {{cluster: other, user: other}}\n\
         - context:\n    cluster: c\n    user: u\n  name: here\n\
         clusters:\n- name: c\n  cluster:\n{}users:\n- name: u\n  user:\n{}",
        lines(cluster),
        lines(user)
    )
}
