//! What is wrong with `config.yaml`, without a word of it.

use std::fmt;

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
        Self(format!("{} missing; examples/config.yaml is a whole file", listed(keys)))
    }

    /// Line and column only: the library's own text quotes the document.
    pub(super) fn from_yaml(error: serde_yaml::Error) -> Self {
        let place = error
            .location()
            .map_or_else(String::new, |at| format!("line {} column {}: ", at.line(), at.column()));
        let text = error.to_string();
        let what = if text.contains("unknown field") {
            "a key that this driver does not know; correct or remove it (docs/configuration.md \
             lists all keys)"
        } else if text.contains("duplicate") {
            "a key that was given before; remove one of the two"
        } else if text.contains("invalid type") || text.contains("invalid value") {
            "a value of the wrong kind (text where a group of keys belongs, or the reverse); \
             check the indentation and quote the value"
        } else {
            "not valid YAML; a multi-line key needs `key: |` and deeper indentation"
        };
        Self(format!("{place}{what}"))
    }
}

fn listed(keys: &[&str]) -> String {
    let verb = if keys.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", keys.join(", "))
}
