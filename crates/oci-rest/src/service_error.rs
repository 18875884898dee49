//! An answer of the service that is not a success.

use std::{
    fmt::{self, Display},
    time::{Duration, SystemTime},
};

use http::{HeaderMap, Response, StatusCode, header};
use oci_iaas::Call;
use serde::Deserialize;

use crate::{permission, steady::steady};

/// What the service answered instead of a success, and what can be done about it.
#[derive(Debug, thiserror::Error)]
pub struct ServiceError {
    operation: String,
    endpoint: String,
    status: StatusCode,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    hint: Option<String>,
    /// The clocks differ too much.
    skewed: bool,
    /// An earlier try of the call may have been carried out.
    in_doubt: bool,
}

/// What a request was, as far as explaining its failure needs it.
pub(crate) struct Context<'a> {
    /// Its name and what it is about.
    pub(crate) operation: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) call: &'a Call,
    /// Who signed it, without secrets.
    pub(crate) signed_as: &'a str,
    /// When it was signed.
    pub(crate) signed_at: SystemTime,
}

impl ServiceError {
    pub(crate) fn new(context: &Context<'_>, answer: &Response<Vec<u8>>) -> Self {
        let (status, headers) = (answer.status(), answer.headers());
        let request_id = request_id(headers);
        let skew = skew(headers, context.signed_at);
        let (code, message) = parse_body(answer.body());
        // Of a wrong clock OCI says nothing but times.
        let message = match skew {
            Some(_) if status == StatusCode::UNAUTHORIZED => String::new(),
            _ => steady(&message, request_id.as_deref()),
        };
        Self {
            operation: context.operation.to_owned(),
            endpoint: context.endpoint.to_owned(),
            hint: hint(context, status, code.as_deref(), &message, skew),
            skewed: skew.is_some(),
            status,
            code,
            message,
            request_id,
            retry_after: retry_after(headers, context.signed_at),
            in_doubt: false,
        }
    }

    /// The same, of a call of which an earlier try may have been carried out.
    pub(crate) fn in_doubt(self) -> Self {
        Self { in_doubt: true, ..self }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The code of the service, such as `IncorrectState`. Proxies and gateways give none.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// What Oracle's support asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Whether the signature was refused, and not because of the clock.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED && !self.skewed
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the service asks for patience, whatever the operation.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.status(), 429 | 500 | 502 | 503 | 504)
            || (self.status() == 409 && self.code().is_some_and(|code| LOCKS.contains(&code)))
    }

    pub(crate) fn is_incorrect_state(&self) -> bool {
        self.status() == 409 && self.code() == Some("IncorrectState")
    }

    /// Whether the operation may have been carried out all the same.
    pub(crate) fn is_outcome_unknown(&self) -> bool {
        self.in_doubt
            || (self.status.is_server_error() && self.status != StatusCode::NOT_IMPLEMENTED)
    }
}

impl Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.operation, self.endpoint, self.status())?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

/// `opc-request-id` of an answer, fit to be printed.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("opc-request-id")?.to_str().ok()?;
    Some(clean(id, SHORT))
}

fn hint(
    context: &Context<'_>,
    status: StatusCode,
    code: Option<&str>,
    message: &str,
    skew: Option<(Duration, &str)>,
) -> Option<String> {
    let unseen = || {
        let needed = permission::needed(context.call);
        // OCI's own words are mostly these.
        if message.to_ascii_lowercase().contains("not found") {
            return format!("if it is there, it needs {needed}");
        }
        format!("not found, or not permitted: needs {needed}")
    };
    match status {
        StatusCode::UNAUTHORIZED => Some(match skew {
            Some((by, direction)) => {
                log::info!("this machine's clock is {} s {direction}", by.as_secs());
                format!("this machine's clock is more than 5 minutes {direction}")
            }
            None => format!("signed as {}: does OCI know that caller and key?", context.signed_as),
        }),
        StatusCode::NOT_FOUND => Some(unseen()),
        StatusCode::FORBIDDEN => Some(format!("needs {}", permission::needed(context.call))),
        StatusCode::BAD_REQUEST if code == Some("RelatedResourceNotAuthorizedOrNotFound") => {
            Some(unseen())
        }
        StatusCode::TOO_MANY_REQUESTS => Some("rate limited".to_owned()),
        _ => None,
    }
}

/// By how much this machine's clock differs from the service's, if that is too much.
fn skew(headers: &HeaderMap, here: SystemTime) -> Option<(Duration, &'static str)> {
    let there = httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()?;
    let (skew, direction) = match there.duration_since(here) {
        Ok(behind) => (behind, "behind"),
        Err(ahead) => (ahead.duration(), "ahead"),
    };
    (skew > TOLERATED_SKEW).then_some((skew, direction))
}

/// Seconds or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(value).ok()?.duration_since(now).ok()
}

/// Code and message; gateways answer with HTML or plain text, which is cut short.
fn parse_body(body: &[u8]) -> (Option<String>, String) {
    #[derive(Deserialize)]
    struct Body {
        code: Option<String>,
        message: Option<String>,
    }
    match serde_json::from_slice(body) {
        Ok(Body { code, message }) if code.is_some() || message.is_some() => (
            code.map(|code| clean(&code, SHORT)),
            clean(message.as_deref().unwrap_or_default(), LONG).trim_end_matches('.').to_owned(),
        ),
        _ => (None, clean(&String::from_utf8_lossy(body), SHORT)),
    }
}

/// At most `limit` bytes of `text`, without control characters.
fn clean(text: &str, limit: usize) -> String {
    let mut cleaned = String::new();
    for c in text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if cleaned.len() + c.len_utf8() > limit {
            break;
        }
        cleaned.push(c);
    }
    cleaned
}

const LOCKS: [&str; 3] = ["LockConflict", "ResourceLocked", "ExternalServerIncorrectState"];
const TOLERATED_SKEW: Duration = Duration::from_secs(300);
const SHORT: usize = 200;
const LONG: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn whatever_a_gateway_answers_is_one_short_line(
                body in prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..3000),
                    "\\{\"(code|message)\":\"?\\PC{0,40}\"?,?\\}?".prop_map(String::into_bytes),
                    ("\\PC{0,9}", "[^\"\\\\]{0,1500}").prop_map(|(code, message)| {
                        serde_json::json!({"code": code, "message": message}).to_string().into_bytes()
                    }),
                ],
            ) {
                let (code, message) = parse_body(&body);
                for text in code.iter().chain([&message]) {
                    prop_assert!(text.len() <= LONG && !text.contains(char::is_control), "{text:?}");
                }
            }

            #[test]
            fn no_header_panics(value in "\\PC{0,30}|[0-9]{1,25}|(Mon|Tue), [0-9]{2} (Jan|Feb) [0-9]{4} [0-9:]{8} GMT") {
                let mut headers = HeaderMap::new();
                if let Ok(value) = value.parse::<header::HeaderValue>() {
                    headers.insert(header::RETRY_AFTER, value.clone());
                    headers.insert(header::DATE, value);
                    let _ = retry_after(&headers, SystemTime::UNIX_EPOCH);
                    let _ = skew(&headers, SystemTime::UNIX_EPOCH);
                }
            }
        }
    }
}
