//! What people are given to copy is read by the code that will read their copies.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{fs, path::PathBuf};

use flexvolume::Options;
use oci_block::Config;
use serde_yaml::Value;

fn checkout(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(checkout(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_example_configuration_is_read() {
    let config = Config::parse(&read("examples/config.yaml")).unwrap();
    assert_eq!(config.region.unwrap().id(), "us-phoenix-1");
    assert!(config.compartment.is_some());
}

#[test]
fn the_readme_shows_the_example_configuration() {
    let example = read("examples/config.yaml");
    let shown: Vec<_> = example.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(read("README.md").contains(&shown.join("\n")));
}

/// Every flexvolume in the document, wherever it stands.
fn flexvolumes<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                if key.as_str() == Some("flexVolume") {
                    found.push(value);
                }
                flexvolumes(value, found);
            }
        }
        Value::Sequence(values) => values.iter().for_each(|it| flexvolumes(it, found)),
        _ => {}
    }
}

#[test]
fn the_example_manifests_use_what_the_driver_knows() {
    let mut manifests = 0;
    for entry in fs::read_dir(checkout("examples")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let document: Value = serde_yaml::from_str(&text).unwrap();
        let mut volumes = Vec::new();
        flexvolumes(&document, &mut volumes);
        for volume in volumes {
            manifests += 1;
            assert_eq!(volume["driver"].as_str(), Some("oracle/oci"), "{}", path.display());
            let fs_type = volume["fsType"].as_str().unwrap();
            fs_type.parse::<mount::FsType>().unwrap();
            let options = serde_json::to_vec(&volume.get("options").unwrap_or(&Value::Null));
            let options = options.unwrap();
            if options != b"null" {
                let options = Options::from_json(&options).unwrap();
                let mount_options = options.get("mountOptions").unwrap_or_default();
                mount_options.parse::<mount::MountOptions>().unwrap();
                let kind = options.get("attachmentType").unwrap_or("iscsi");
                assert!(["iscsi", "paravirtualized"].contains(&kind), "{}", path.display());
            }
        }
    }
    assert_eq!(manifests, 3);
}
