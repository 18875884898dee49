//! One operation, from value to answer.

use std::{any, collections::HashSet, error::Error as _, sync::Arc, time::Duration};

use clock::{Clock, Deadline};
use http::{HeaderMap, Method, Request, Response, Uri, header};
use oci_iaas::{Call, ListOperation, Operation};
use serde::de::DeserializeOwned;

use crate::{
    Credentials, Error, ServiceError, Transport,
    jitter::Jitter,
    retry::Retries,
    service_error::{Context, request_id},
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
        let (value, headers) = self.exchange(name::<O>(), &operation.call())?;
        Ok(Tagged { value, etag: text(&headers, header::ETAG.as_str()) })
    }

    /// Reads a list to its end, page by page.
    ///
    /// # Errors
    /// See [`Error`]. A page that cannot be read is an error: part of a list is never returned.
    pub fn list<O: ListOperation>(&self, operation: &O) -> Result<Vec<O::Item>, Error> {
        let operation_name = name::<O>();
        let (mut items, mut seen, mut page) = (Vec::new(), HashSet::new(), None::<String>);
        loop {
            let call = operation.call(page.as_deref());
            let (more, headers): (Vec<O::Item>, _) = self.exchange(operation_name, &call)?;
            items.extend(more);
            page = text(&headers, "opc-next-page");
            match &page {
                None => return Ok(items),
                Some(next) if !seen.insert(next.clone()) => {
                    let endpoint = endpoint(&self.endpoint);
                    return Err(Error::EndlessList { operation: operation_name, endpoint });
                }
                Some(_) => {}
            }
        }
    }

    /// Sends `call` until it succeeds or [`Retries`] or the deadline say stop.
    fn exchange<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        call: &Call,
    ) -> Result<(T, HeaderMap), Error> {
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
                log::info!("{error}; again with a new token");
                continue;
            }
            let wait = retries
                .next_wait(call, &error)
                .filter(|wait| *wait < self.deadline.remaining(&*self.clock));
            let Some(wait) = wait else { return Err(error.in_doubt(doubt)) };
            let cause = error.source().map(|it| format!(": {it}")).unwrap_or_default();
            log::info!("{error}{cause}; again in {} ms", wait.as_millis());
            if call.method != Method::GET && error.is_outcome_unknown() {
                doubt = Some(error);
            }
            self.clock.sleep(wait);
        }
    }

    fn attempt<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        call: &Call,
    ) -> Result<(T, HeaderMap), Error> {
        let left = || self.deadline.remaining(&*self.clock).min(REQUEST_LIMIT);
        let limit = left();
        if limit.is_zero() {
            return Err(Error::OutOfTime { operation });
        }
        let signer = self.credentials.signer(limit)?;
        let signed_at = self.clock.now();
        let (mut parts, body) = self.request(call)?.into_parts();
        let signature = signer
            .sign(&parts, &body, signed_at)
            .map_err(|source| Error::Sign { operation, source })?;
        parts.headers.extend(signature);

        let started = self.clock.monotonic();
        let answer = self
            .transport
            .send(Request::from_parts(parts, body), left())
            .map_err(|source| Error::Transport { operation, source })?;
        self.log(call, &answer, started);

        let endpoint = endpoint(&self.endpoint);
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

    fn log(&self, call: &Call, answer: &Response<Vec<u8>>, started: Duration) {
        let took = self.clock.monotonic().saturating_sub(started).as_millis();
        let id = request_id(answer.headers()).unwrap_or_default();
        let (method, path, status) = (&call.method, &call.path_and_query, answer.status().as_u16());
        log::debug!("{method} {path}: {status} in {took} ms (opc-request-id {id})");
    }

    pub(crate) fn jitter(&self) -> Jitter {
        Jitter::seeded(self.clock.now())
    }
}

fn decode<T: DeserializeOwned>(
    operation: &'static str,
    endpoint: String,
    answer: Response<Vec<u8>>,
) -> Result<(T, HeaderMap), Error> {
    let (parts, body) = answer.into_parts();
    parse(&parts.headers, &body).map(|value| (value, parts.headers.clone())).map_err(|problem| {
        let request_id = request_id(&parts.headers);
        Error::Incomplete { operation, endpoint, problem, request_id }
    })
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

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// `AttachVolume`, of `oci_iaas::volume_attachment::AttachVolume<'_>`.
fn name<O>() -> &'static str {
    let path = any::type_name::<O>().split('<').next().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default()
}

const REQUEST_LIMIT: Duration = Duration::from_secs(20);
