//! Who may import whom: the layers as a table, compared with the manifests.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use xshell::{Shell, cmd};

/// A crate and the crates of this workspace that it may import. Arrows point down; a new one is a reviewed line.
const EDGES: [(&str, &[&str]); 16] = [
    ("clock", &[]),
    ("command", &[]),
    ("config-file", &[]),
    ("flexvolume", &[]),
    ("oci-signer", &[]),
    ("oci-iaas", &[]),
    ("disk", &["clock", "command"]),
    ("oci-rest", &["clock", "config-file", "oci-iaas", "oci-signer"]),
    ("kube-node", &["config-file", "oci-rest"]), // for its transport
    ("iscsi", &["clock", "command", "disk"]),
    ("mount", &["clock", "command", "disk"]),
    ("oci-block", &OCI_BLOCK),
    ("driver", &["clock", "command", "flexvolume", "oci-block"]),
    ("oci-sim", &[]),
    ("testbed", &["oci-sim"]),
    ("xtask", &["oci-signer", "oci-sim", "testbed"]),
];

const OCI_BLOCK: [&str; 11] = [
    "clock",
    "command",
    "config-file",
    "disk",
    "flexvolume",
    "iscsi",
    "kube-node",
    "mount",
    "oci-iaas",
    "oci-rest",
    "oci-signer",
];

/// What a crate may use in its tests besides: the simulated cloud, and nodes to play with.
const TEST_EDGES: [(&str, &[&str]); 4] = [
    ("oci-signer", &["oci-sim"]),
    ("oci-rest", &["oci-sim"]),
    ("oci-block", &["oci-sim"]),
    ("driver", &["oci-sim", "testbed"]),
];

/// Crates that have a feature `testing`, which every crate's tests may use.
const WITH_TESTING: [&str; 2] = ["clock", "command"];

/// The part of `cargo metadata` that is read here.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<String>,
    features: Vec<String>,
}

pub(super) fn metadata(sh: &Shell) -> Result<Metadata> {
    let json = cmd!(sh, "cargo metadata --no-deps --format-version 1").quiet().read()?;
    // where they are published, "clock" and "config-file" are taken
    let json = json.replace(r#""name":"oci-clock""#, r#""name":"clock""#);
    let json = json.replace(r#""name":"oci-config-file""#, r#""name":"config-file""#);
    serde_json::from_str(&json).context("cannot read the answer of cargo metadata")
}

/// The edges that the table does not allow.
pub(super) fn complaints(metadata: &Metadata) -> Vec<String> {
    let mut complaints = Vec::new();
    for package in &metadata.packages {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == package.name) else {
            complaints.push(format!(
                "{FILE}: {} is in no layer; add a line like    (\"{0}\", &[]),",
                package.name
            ));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|it| it.path.is_some()) {
            if !allowed.contains(&&*dependency.name) && !for_tests(package, dependency) {
                complaints.push(complaint(package, dependency, allowed));
            }
        }
    }
    complaints
}

fn for_tests(package: &Package, dependency: &Dependency) -> bool {
    let name = &*dependency.name;
    let testing = dependency.features.iter().any(|it| it == "testing");
    dependency.kind.as_deref() == Some("dev")
        && ((WITH_TESTING.contains(&name) && testing)
            || TEST_EDGES
                .iter()
                .any(|(of, allowed)| *of == package.name && allowed.contains(&name)))
}

fn complaint(package: &Package, dependency: &Dependency, allowed: &[&str]) -> String {
    let mut line = allowed.to_vec();
    line.push(&dependency.name);
    line.sort_unstable();
    let kind = dependency.kind.as_deref().map(|kind| format!(" ({kind})")).unwrap_or_default();
    format!(
        "{FILE}: {} may not import {}{kind}; if the layers are to change, its line becomes    (\"{0}\", &{line:?}),",
        package.name, dependency.name
    )
}

const FILE: &str = "xtask/src/tidy/edges.rs";

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(package: &str, dependency: &str, expected: &Expect) {
        let json = format!(
            r#"{{"packages":[{{"name":"{package}","dependencies":[
                {{"name":"serde","kind":null,"path":null,"features":[]}},{dependency}]}}]}}"#
        );
        let metadata = serde_json::from_str(&json).unwrap();
        expected.assert_eq(&complaints(&metadata).join("\n"));
    }

    fn ours(name: &str, kind: &str, features: &str) -> String {
        format!(r#"{{"name":"{name}","kind":{kind},"path":"/x","features":[{features}]}}"#)
    }

    #[test]
    fn only_the_edges_of_the_table_pass() {
        check("iscsi", &ours("disk", "null", ""), &expect![[""]]);
        check(
            "iscsi",
            &ours("mount", "null", ""),
            &expect![[
                r#"xtask/src/tidy/edges.rs: iscsi may not import mount; if the layers are to change, its line becomes    ("iscsi", &["clock", "command", "disk", "mount"]),"#
            ]],
        );
        check(
            "newcomer",
            &ours("disk", "null", ""),
            &expect![[
                r#"xtask/src/tidy/edges.rs: newcomer is in no layer; add a line like    ("newcomer", &[]),"#
            ]],
        );
    }

    #[test]
    fn tests_may_use_the_seams_and_some_the_simulated_cloud() {
        check("oci-rest", &ours("oci-sim", r#""dev""#, ""), &expect![[""]]);
        check("kube-node", &ours("clock", r#""dev""#, r#""testing""#), &expect![[""]]);
        check(
            "oci-rest",
            &ours("oci-sim", "null", ""),
            &expect![[
                r#"xtask/src/tidy/edges.rs: oci-rest may not import oci-sim; if the layers are to change, its line becomes    ("oci-rest", &["clock", "config-file", "oci-iaas", "oci-signer", "oci-sim"]),"#
            ]],
        );
        check(
            "kube-node",
            &ours("clock", r#""dev""#, ""),
            &expect![[
                r#"xtask/src/tidy/edges.rs: kube-node may not import clock (dev); if the layers are to change, its line becomes    ("kube-node", &["clock", "config-file", "oci-rest"]),"#
            ]],
        );
        check(
            "disk",
            &ours("oci-sim", r#""dev""#, ""),
            &expect![[
                r#"xtask/src/tidy/edges.rs: disk may not import oci-sim (dev); if the layers are to change, its line becomes    ("disk", &["clock", "command", "oci-sim"]),"#
            ]],
        );
    }

    #[test]
    fn no_arrow_of_the_table_points_up() {
        for (at, (name, below)) in EDGES.iter().enumerate() {
            for it in *below {
                let place = EDGES.iter().position(|(name, _)| name == it).unwrap();
                assert!(place < at, "{name} stands above {it}");
            }
        }
    }
}
