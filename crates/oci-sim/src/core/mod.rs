//! What each operation of the Core and Identity APIs does.

use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::reply::Refusal;
use crate::routes::Ask;
use crate::state::State;

pub(crate) mod attach;
pub(crate) mod attachments;
pub(crate) mod identity;
pub(crate) mod instances;
pub(crate) mod networks;
pub(crate) mod volumes;
pub(crate) mod work_requests;

/// A time as the API writes it: RFC 3339 with milliseconds.
pub(crate) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The body of a request. Unknown fields are refused: the service would ignore them, and a mistyped name would go unseen.
fn body<T: DeserializeOwned>(ask: &Ask) -> Result<T, Refusal> {
    if !ask.body.is_object() {
        return Err(Refusal::new(400, "CannotParseRequest", "The body must be a JSON object."));
    }
    serde_json::from_value(ask.body.clone()).map_err(|error| {
        Refusal::new(400, "CannotParseRequest", format!("The body cannot be read: {error}"))
    })
}

/// A mandatory field of a body.
fn mandatory<T>(field: Option<T>, name: &str) -> Result<T, Refusal> {
    field.ok_or_else(|| Refusal::new(400, "MissingParameter", format!("{name} is missing")))
}

/// The compartment whose things shall be listed: named and known.
fn compartment<'a>(state: &State, ask: &'a Ask) -> Result<&'a str, Refusal> {
    let id = ask.mandatory("compartmentId")?;
    if state.compartments.contains(id) {
        Ok(id)
    } else {
        Err(Refusal::not_found("compartment", id))
    }
}

/// Items for [`pages`](crate::pages).
type Items = Vec<(u64, Value)>;
