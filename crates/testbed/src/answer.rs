//! What a call said, as its caller sees it.

use std::time::Duration;

use serde_json::Value;

/// Both streams of one call, and how it ended.
#[derive(Clone, Debug)]
pub struct Answer {
    /// stdout and stderr, as they came through one pipe.
    pub text: String,
    /// The exit status; none if a signal ended the call.
    pub code: Option<i32>,
    /// How long the call took.
    pub took: Duration,
}

impl Answer {
    /// The one JSON object that kubelet would see.
    ///
    /// # Errors
    /// The text is not exactly one JSON object.
    pub fn json(&self) -> anyhow::Result<Value> {
        let value: Value = serde_json::from_str(&self.text)
            .map_err(|error| anyhow::anyhow!("not one JSON value ({error}): {:?}", self.text))?;
        anyhow::ensure!(value.is_object(), "not an object: {:?}", self.text);
        Ok(value)
    }

    /// Whether the call says `Success` and ends well.
    pub fn is_success(&self) -> bool {
        self.code == Some(0) && self.field("status").as_deref() == Some("Success")
    }

    /// A text of the reply.
    pub fn field(&self, name: &str) -> Option<String> {
        Some(self.json().ok()?.get(name)?.as_str()?.to_owned())
    }

    /// The reason of a failure; empty if there is none.
    pub fn message(&self) -> String {
        self.field("message").unwrap_or_default()
    }
}
