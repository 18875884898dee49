//! What is wrong with `config.yaml`, without a word of it.

use std::fmt;

use config_file::yaml;

use super::ONE_DOCUMENT;

/// What is wrong with the text, in words that quote nothing of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Problem {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn missing(keys: &[&str]) -> Self {
        Self(format!("{} missing; {WHOLE}", listed(keys)))
    }

    /// Line and column, cause and cure; nothing of the document.
    pub(super) fn from_yaml(problem: &yaml::Problem) -> Self {
        let all = if problem.is_unknown_key() { KNOWN } else { "" };
        Self(format!("{problem}{all}"))
    }

    /// The same, of a text with several documents.
    pub(super) fn of_first_document(self) -> Self {
        Self(format!("{}; {ONE_DOCUMENT}", self.0))
    }
}

fn listed(keys: &[&str]) -> String {
    let verb = if keys.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", keys.join(", "))
}

// A node has no documentation: these say all.
const WHOLE: &str = "below auth an API key needs tenancy, user and key (or key_file); an \
                     instance that signs for itself needs the one line \
                     useInstancePrincipals: true";
const KNOWN: &str = " (below auth: tenancy, user, key, key_file, passphrase, fingerprint, region, \
                     regionKey, compartment, vcn, profile, config_file; below endpoints: auth, \
                     iaas; at the left: useInstancePrincipals, useWorkloadIdentity, \
                     useResourcePrincipals, useTokenExchange, compartment, vcn, regionKey)";
