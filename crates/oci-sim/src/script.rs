//! Scripts: instances, volumes and faults from a file.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::blueprint::{NewInstance, NewVolume};
use crate::error::Error;
use crate::faults::Fault;
use crate::sim::Sim;

/// What a script file holds; every part may be absent. `testdata/script.json` shows all of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Instances to add.
    pub instances: Vec<NewInstance>,
    /// Volumes to add.
    pub volumes: Vec<NewVolume>,
    /// Faults to set.
    pub faults: Vec<Fault>,
}

impl Script {
    /// Reads a script file (JSON).
    ///
    /// # Errors
    /// The file cannot be read, or is no script.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let error = |source| Error::File { action: "read", path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(error)?;
        serde_json::from_str(&text)
            .map_err(|error| Error::Script { path: path.to_owned(), reason: error.to_string() })
    }

    /// Adds and sets everything; the OCIDs of what was added, with their names.
    pub fn play(self, sim: &Sim) -> Vec<(String, String)> {
        let mut added = Vec::new();
        for instance in self.instances {
            added.push((instance.display_name.clone(), sim.add_instance(instance)));
        }
        for volume in self.volumes {
            added.push((volume.display_name.clone(), sim.add_volume(volume)));
        }
        self.faults.into_iter().for_each(|fault| sim.fail(fault));
        added
    }
}
