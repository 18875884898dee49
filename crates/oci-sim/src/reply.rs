//! What the cloud answers: a status, headers and a JSON document, or a refusal with Oracle's code and text.

use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

/// An answer before it is written out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
}

/// A request that is turned down: `{"code": …, "message": …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body: Some(body) }
    }

    pub(crate) fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: None }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer as HTTP, JSON as its content type.
    pub(crate) fn into_response(self) -> Response<Vec<u8>> {
        let body = self.body.map(|body| body.to_string().into_bytes());
        let mut response = Response::new(body.unwrap_or_default());
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if !response.body().is_empty() {
            set(&mut response, "content-type", "application/json");
        }
        for (name, value) in self.headers {
            set(&mut response, name, &value);
        }
        response
    }
}

impl Refusal {
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    /// 400: a value is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameter", message)
    }

    /// 404: there is no such thing, or the caller may not know of it.
    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        let message = format!("Authorization failed or requested resource not found: {what} {id}.");
        Self::new(404, "NotAuthorizedOrNotFound", message)
    }

    /// 409 that passes: the resource is on its way from one state to another.
    pub(crate) fn incorrect_state(message: impl Into<String>) -> Self {
        Self::new(409, "IncorrectState", message)
    }

    /// 409 that does not pass by itself.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "Conflict", message)
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let body = json!({"code": refusal.code, "message": refusal.message});
        Self { status: refusal.status, headers: Vec::new(), body: Some(body) }
    }
}

/// Sets a header; what cannot be one is left out.
pub(crate) fn set(response: &mut Response<Vec<u8>>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
