//! Scripts: instances, volumes and faults from a file.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::faults::Fault;
use crate::new_resources::{NewInstance, NewVolume};
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
    /// Versions of resource principals; the resource of each has the user's key.
    pub resources: Vec<String>,
    /// Paths where parts of resources ask for what they are a part of.
    pub parent_resources: Vec<String>,
    /// Names and secrets of clients of the identity domain.
    pub clients: Vec<(String, String)>,
    /// Tokens that the identity domain takes for the user.
    pub trusted_tokens: Vec<String>,
    /// Tokens for the user's key: one of a resource, one with which the user delegates.
    pub tokens: bool,
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
    ///
    /// # Errors
    /// A token cannot be made.
    pub fn play(self, sim: &Sim) -> Result<Vec<(String, String)>, Error> {
        let user = sim.credentials();
        let mut added = Vec::new();
        for instance in self.instances {
            added.push((instance.display_name.clone(), sim.add_instance(instance)));
        }
        for volume in self.volumes {
            added.push((volume.display_name.clone(), sim.add_volume(volume)));
        }
        for version in self.resources {
            let id = sim.add_resource(&version, user);
            added.push((format!("resource-{version}"), id));
        }
        if self.tokens {
            added.push(("resource-token".into(), sim.issue_resource_token(user)?));
            added.push(("delegation-token".into(), sim.issue_delegation_token(user)?));
        }
        self.parent_resources.iter().for_each(|path| sim.add_parent_resource(path, None));
        self.clients.iter().for_each(|(id, secret)| sim.add_client(id, secret));
        self.trusted_tokens.iter().for_each(|token| sim.trust_token(token, &user.user));
        self.faults.into_iter().for_each(|fault| sim.fail(fault));
        Ok(added)
    }
}
