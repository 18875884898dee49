//! What people are given to copy is read by the code that will read their copies.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{fs, path::PathBuf, sync::Arc};

use clock::SystemClock;
use command::testing::Script;
use flexvolume::{Driver as _, Failure, Options};
use oci_block::{Config, Error, OciBlock, Settings};
use serde_json::Map;
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

/// What becomes of an attach with these options where nothing but the options can be read.
fn attach(options: &[u8]) -> &'static str {
    let settings = Settings::from_vars(|name| {
        (name == "OCI_FLEXD_DRIVER_DIRECTORY").then(|| "/nonexistent".into())
    });
    let driver = OciBlock::new(settings, Arc::new(Script::default()), Arc::new(SystemClock));
    let failure = driver.attach(&Options::from_json(options).unwrap(), "node").unwrap_err();
    let Failure::Failed(error) = failure else { panic!("{failure:?}") };
    match error.downcast_ref() {
        Some(Error::Options(_)) => "refused options",
        Some(Error::Config(_)) => "no config.yaml",
        _ => panic!("{error}"),
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
                let mut options: Map<String, serde_json::Value> =
                    serde_json::from_slice(&options).unwrap();
                options.insert("kubernetes.io/pvOrVolumeName".into(), "a".repeat(60).into());
                let options = serde_json::to_vec(&options).unwrap();
                assert_eq!(attach(&options), "no config.yaml", "{}", path.display());
            }
        }
    }
    assert_eq!(manifests, 3);
}
