//! `opc-retry-token`: the same request again gives the same answer, and nothing happens twice.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::reply::{Refusal, Reply};
use crate::state::State;

/// A request that was performed under a token.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    operation: &'static str,
    body: Value,
    reply: Reply,
    at: SystemTime,
}

impl State {
    /// The answer to a request that was performed before, if it was.
    ///
    /// # Errors
    /// 400 for a token that is none, 409 `InvalidatedRetryToken` for one of another request or of a resource that was
    /// changed or is gone.
    pub(crate) fn recall(
        &mut self,
        token: &str,
        operation: &str,
        body: &Value,
        now: SystemTime,
    ) -> Result<Option<Reply>, Refusal> {
        if token.is_empty() || token.len() > 64 {
            return Err(Refusal::invalid("opc-retry-token must have 1 to 64 characters"));
        }
        self.retry_tokens.retain(|_, remembered| now < remembered.at + VALID_FOR);
        let Some(remembered) = self.retry_tokens.get(token) else { return Ok(None) };
        let same = remembered.operation == operation && remembered.body == *body;
        let id = remembered.reply.body.as_ref().and_then(|body| body.get("id")?.as_str());
        if same && id.is_some_and(|id| self.is_as_created(id)) {
            return Ok(Some(remembered.reply.clone()));
        }
        let reason = if same {
            "its resource was changed or deleted"
        } else {
            "it was used for another request"
        };
        let message = format!("The retry token {token} cannot be used again: {reason}.");
        Err(Refusal::new(409, "InvalidatedRetryToken", message))
    }

    pub(crate) fn remember(
        &mut self,
        token: &str,
        operation: &'static str,
        body: Value,
        reply: &Reply,
        at: SystemTime,
    ) {
        let remembered = Remembered { operation, body, reply: reply.clone(), at };
        self.retry_tokens.insert(token.to_owned(), remembered);
    }

    /// It was neither changed nor deleted; becoming ATTACHED or AVAILABLE is no change.
    fn is_as_created(&self, id: &str) -> bool {
        let attachment = self.attachments.iter().find(|attachment| attachment.id == id);
        let volume = self.volumes.iter().find(|volume| volume.id == id);
        attachment.is_some_and(|it| matches!(it.life.state(), "ATTACHING" | "ATTACHED"))
            || volume.is_some_and(|it| {
                !it.updated && matches!(it.life.state(), "PROVISIONING" | "AVAILABLE")
            })
    }
}

/// Source: description of `opc-retry-token`, Core Services API 20160918.
const VALID_FOR: Duration = Duration::from_secs(24 * 3600);
