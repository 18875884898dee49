//! One operation, from value to answer.

use std::{any, error::Error as _, sync::Arc, time::Duration};

use clock::{Clock, Deadline};
use http::{HeaderMap, Method, Request, Response, Uri, header};
use log::Level;
use oci_iaas::{Call, Mismatch, Operation};
use serde::de::DeserializeOwned;

use crate::{
    Credentials, Error, ServiceError, Transport,
    jitter::Jitter,
    retry::Retries,
    service_error::{Context, request_id},
    transport::is_whole,
    ureq::endpoint,
};

/// Sends operations to one endpoint, until its deadline.
///
/// Every operation is signed with the time of its sending. It is repeated, signed afresh and with
/// the same `opc-retry-token`, with jittered exponential back-off (0.5 s, doubling up to 8 s,
/// `Retry-After` honoured, and spread by up to as much again):
///
/// * until the deadline after 429, 500, 502, 503, 504 and after 409 `LockConflict`,
///   `ResourceLocked` and `ExternalServerIncorrectState`,
/// * until the deadline after 409 `IncorrectState`, if it only reads. `AttachVolume` and
///   `DetachVolume` return it at once: the caller reads the state and decides anew,
/// * three times after a connection that failed, was lost or timed out, and after a success whose
///   JSON is broken or incomplete.
///
/// A POST without retry token is not repeated once the service may have seen it. When the answer to
/// `DetachVolume` is lost, its repetition finds a detaching attachment and returns 404, 409 or 412:
/// the caller reads the state again.
///
/// One request takes at most 20 s, all of them at most the deadline.
#[derive(Debug)]
pub struct Client {
    endpoint: Uri,
    credentials: Box<dyn Credentials>,
    transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) deadline: Deadline,
}

/// A success, decoded.
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    pub(crate) headers: HeaderMap,
    /// The length of its body.
    pub(crate) bytes: usize,
}

/// A resource together with its version, for `if-match`.
#[derive(Clone, Debug)]
pub struct Tagged<T> {
    /// The resource.
    pub value: T,
    /// Its etag; the service may leave it out.
    pub etag: Option<String>,
}

impl Client {
    /// A client of the service at `endpoint`, such as `https://iaas.us-phoenix-1.oraclecloud.com`.
    pub fn new(
        endpoint: Uri,
        credentials: Box<dyn Credentials>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        deadline: Deadline,
    ) -> Self {
        Self { endpoint, credentials, transport, clock, deadline }
    }

    /// Carries out one operation.
    ///
    /// # Errors
    /// See [`Error`] and its predicates.
    pub fn send<O: Operation>(&self, operation: &O) -> Result<O::Output, Error> {
        Ok(self.send_tagged(operation)?.value)
    }

    /// Carries out one operation and keeps the etag of the answer.
    ///
    /// # Errors
    /// See [`Error`] and its predicates.
    pub fn send_tagged<O: Operation>(&self, operation: &O) -> Result<Tagged<O::Output>, Error> {
        let name = self.name::<O>(operation.subject());
        let Answer { value, headers, .. } = self.exchange(&name, &operation.call())?;
        match operation.check(&value) {
            Ok(()) => Ok(Tagged { value, etag: text(&headers, header::ETAG.as_str()) }),
            Err(mismatch) => Err(self.mismatch(name, mismatch, request_id(&headers))),
        }
    }

    /// Sends `call` until it succeeds or [`Retries`] or the deadline say stop.
    pub(crate) fn exchange<T: DeserializeOwned>(
        &self,
        operation: &str,
        call: &Call,
    ) -> Result<Answer<T>, Error> {
        let mut retries = Retries::new(&self.jitter());
        let mut doubt = None;
        let mut renewed = false;
        loop {
            let error = match self.attempt(operation, call) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if error.is_unauthenticated() && !renewed && self.credentials.renew() {
                renewed = true;
                log::info!("{error}{}; again with a new token", id_of(&error));
                continue;
            }
            let wait = retries
                .next_wait(call, &error)
                .filter(|wait| *wait < self.deadline.remaining(&*self.clock));
            // What the error itself leaves out, because it differs each time.
            let id = id_of(&error);
            let Some(wait) = wait else {
                if !id.is_empty() {
                    log::info!("{error}{id}");
                }
                return Err(error.in_doubt(doubt));
            };
            let cause = error.source().map(|it| format!(": {it}")).unwrap_or_default();
            log::info!("{error}{cause}{id}; again in {} ms", wait.as_millis());
            if call.method != Method::GET && error.is_outcome_unknown() {
                doubt = Some(error);
            }
            self.clock.sleep(wait);
        }
    }

    fn attempt<T: DeserializeOwned>(
        &self,
        operation: &str,
        call: &Call,
    ) -> Result<Answer<T>, Error> {
        let left = || self.deadline.remaining(&*self.clock).min(REQUEST_LIMIT);
        let limit = left();
        if limit.is_zero() {
            return Err(Error::OutOfTime { operation: operation.to_owned() });
        }
        let signer = self.credentials.signer(limit)?;
        let signed_at = self.clock.now();
        let (mut parts, body) = self.request(call)?.into_parts();
        let signature = signer
            .sign(&parts, &body, signed_at)
            .map_err(|source| Error::Sign { operation: operation.to_owned(), source })?;
        parts.headers.extend(signature);

        let started = self.clock.monotonic();
        let answer = self
            .transport
            .send(Request::from_parts(parts, body), left())
            .map_err(|source| Error::Transport { operation: operation.to_owned(), source })?;
        self.log(operation, call, &answer, started);

        let endpoint = self.endpoint();
        if answer.status().is_success() {
            return decode(operation, endpoint, answer);
        }
        let signed_as = self.credentials.describe();
        let context =
            Context { operation, endpoint: &endpoint, call, signed_as: &signed_as, signed_at };
        Err(Error::Service(Box::new(ServiceError::new(&context, &answer))))
    }

    fn request(&self, call: &Call) -> Result<Request<Vec<u8>>, Error> {
        let base = self.endpoint.to_string();
        let uri = format!("{}{}", base.trim_end_matches('/'), call.path_and_query);
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(uri)
            .header(header::ACCEPT, "application/json");
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(etag) = &call.if_match {
            request = request.header(header::IF_MATCH, etag);
        }
        if let Some(token) = &call.retry_token {
            request = request.header("opc-retry-token", token);
        }
        let body = call.body.clone().unwrap_or_default().into_bytes();
        let request = request.body(body).ok().filter(|it| it.uri().host().is_some());
        request.ok_or(Error::Endpoint { endpoint: base })
    }

    /// What was asked and answered; without `debug` only what changes something.
    fn log(&self, operation: &str, call: &Call, answer: &Response<Vec<u8>>, started: Duration) {
        let took = self.clock.monotonic().saturating_sub(started);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let id = request_id(answer.headers()).unwrap_or_default();
        let (method, path, status) = (&call.method, &call.path_and_query, answer.status().as_u16());
        let level = if *method == Method::GET { Level::Debug } else { Level::Info };
        let opc_request_id = id.as_str();
        log::log!(level, operation, method:%, path:%, status, took_ms, opc_request_id; "request answered");
    }

    /// The operation and what it is about: `AttachVolume of …`, of
    /// `oci_iaas::volume_attachment::AttachVolume<'_>`.
    pub(crate) fn name<O>(&self, subject: String) -> String {
        let path = any::type_name::<O>().split('<').next().unwrap_or_default();
        format!("{} of {subject}", path.rsplit("::").next().unwrap_or_default())
    }

    pub(crate) fn mismatch(
        &self,
        operation: String,
        mismatch: Mismatch,
        request_id: Option<String>,
    ) -> Error {
        let endpoint = self.endpoint();
        let mismatch = Box::new(mismatch);
        let error = Error::Mismatch { operation, endpoint, mismatch, request_id };
        log::warn!("{error}{}", id_of(&error));
        error
    }

    /// The host, for messages.
    pub(crate) fn endpoint(&self) -> String {
        endpoint(&self.endpoint)
    }

    pub(crate) fn jitter(&self) -> Jitter {
        Jitter::seeded(self.clock.now())
    }
}

fn decode<T: DeserializeOwned>(
    operation: &str,
    endpoint: String,
    answer: Response<Vec<u8>>,
) -> Result<Answer<T>, Error> {
    let (parts, body) = answer.into_parts();
    let value = if is_whole(parts.status) {
        parse(&parts.headers, &body)
    } else {
        Err(format!("its status is {}", parts.status.as_u16()))
    };
    match value {
        Ok(value) => Ok(Answer { value, headers: parts.headers, bytes: body.len() }),
        Err(problem) => {
            let (operation, request_id) = (operation.to_owned(), request_id(&parts.headers));
            Err(Error::Incomplete { operation, endpoint, problem, request_id })
        }
    }
}

/// For the log.
fn id_of(error: &Error) -> String {
    error.request_id().map(|id| format!(" (opc-request-id {id})")).unwrap_or_default()
}

/// The text of a JSON error may quote a secret, so it is not passed on.
fn parse<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, String> {
    let kind = text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if !body.is_empty() && !kind.is_empty() && !kind.to_ascii_lowercase().contains("json") {
        return Err("it is not JSON".to_owned());
    }
    let json: &[u8] = if body.is_empty() { b"null" } else { body };
    serde_json::from_slice(json).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "fields are missing or of an unknown form".to_owned(),
        _ => format!("its JSON breaks at line {} column {}", error.line(), error.column()),
    })
}

pub(crate) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (!value.is_empty()).then(|| value.to_owned())
}

const REQUEST_LIMIT: Duration = Duration::from_secs(20);
