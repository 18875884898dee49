//! Asking for a token: a request that is repeated where that may help, and what is answered.

use std::time::Duration;

use clock::{Clock, Deadline};
use http::{Request, Response, header, request};
use oci_signer::Signer;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Error, Transport, jitter::Jitter, transport::is_whole};

/// Where and how a token is asked for.
pub(crate) struct TokenRequest<'a> {
    /// The source, for errors: `instance principals`.
    pub(crate) what: &'static str,
    /// What to look at when a request is refused.
    pub(crate) advice: &'static str,
    pub(crate) transport: &'a dyn Transport,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) deadline: Deadline,
}

impl TokenRequest<'_> {
    /// Sends what `request` makes until there is an answer that stays: 429, 5xx and lost connections
    /// are repeated twice.
    pub(crate) fn send(
        &self,
        request: impl Fn() -> Result<Request<Vec<u8>>, Error>,
    ) -> Result<Response<Vec<u8>>, Error> {
        let mut jitter = Jitter::seeded(self.clock.now());
        let mut waits = WAITS.into_iter();
        loop {
            let remaining = self.deadline.remaining(self.clock);
            let request = request()?;
            let host = request.uri().host().unwrap_or_default().to_owned();
            let outcome = self.transport.send(request, remaining.min(REQUEST_LIMIT));
            let (passes, error) = match outcome {
                Ok(answer) if is_busy(&answer) => (true, self.refused(&host, &answer)),
                Ok(answer) => return Ok(answer),
                Err(source) => {
                    let passes = source.is_transient();
                    let problem = format!("no answer from {host}");
                    (passes, Error::credentials(self.what, problem, Some(Box::new(source))))
                }
            };
            let wait = waits.next().map(|wait| jitter.between(wait / 2, wait));
            match wait.filter(|wait| *wait < self.deadline.remaining(self.clock)) {
                Some(wait) if passes => self.clock.sleep(wait),
                _ if passes => return Err(error.passing()),
                _ => return Err(error),
            }
        }
    }

    /// The same, of a request that `signer` signs, anew each time.
    pub(crate) fn send_signed(
        &self,
        signer: &Signer,
        request: &Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, Error> {
        self.send(|| {
            let (mut parts, body) = request.clone().into_parts();
            let headers = signer.sign(&parts, &body, self.clock.now()).map_err(|source| {
                let problem = "cannot sign the request for a token";
                Error::credentials(self.what, problem, Some(Box::new(source)))
            })?;
            parts.headers.extend(headers);
            Ok(Request::from_parts(parts, body))
        })
    }

    /// A request that takes and gives JSON.
    pub(crate) fn json(&self, url: &str, body: &impl Serialize) -> Result<Request<Vec<u8>>, Error> {
        let body = serde_json::to_vec(body)
            .map_err(|_| Error::credentials(self.what, "the request has no JSON", None))?;
        self.request(Request::post(url).header(header::CONTENT_TYPE, "application/json"), body)
    }

    /// A request, if its address is one.
    pub(crate) fn request(
        &self,
        request: request::Builder,
        body: Vec<u8>,
    ) -> Result<Request<Vec<u8>>, Error> {
        let request = request.header(header::ACCEPT, "application/json").body(body).ok();
        request.filter(|it| it.uri().host().is_some()).ok_or_else(|| {
            let problem = "the address of the service that gives tokens is no URL";
            Error::credentials(self.what, problem, None)
        })
    }

    /// The token in an answer `{"token": …}`.
    pub(crate) fn token(
        &self,
        host: &str,
        answer: &Response<Vec<u8>>,
    ) -> Result<Zeroizing<String>, Error> {
        #[derive(Deserialize)]
        struct Body {
            token: Zeroizing<String>,
        }
        if !is_whole(answer.status()) {
            return Err(self.refused(host, answer));
        }
        match serde_json::from_slice::<Body>(answer.body()) {
            Ok(body) => Ok(body.token),
            Err(_) => {
                let problem = format!("{host} answers without a token");
                Err(Error::credentials(self.what, problem, None))
            }
        }
    }

    /// The error that a refusal is.
    pub(crate) fn refused(&self, host: &str, answer: &Response<Vec<u8>>) -> Error {
        #[derive(Deserialize)]
        struct Body {
            // OAuth's name for it
            #[serde(alias = "error")]
            code: Option<String>,
        }
        let status = answer.status().as_u16();
        // the message may be anything
        let body = serde_json::from_slice::<Body>(answer.body()).ok();
        let is_word = |it: &String| it.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        let code = body.and_then(|it| it.code).filter(is_word);
        let code = code.map(|it| format!(" {it}")).unwrap_or_default();
        let advice = match status {
            429 | 500.. => "it may be tried again",
            400..=404 => self.advice,
            _ => "",
        };
        let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
        // It differs each time, and the same cause is to give the same text.
        if let Some(id) = crate::service_error::request_id(answer.headers()) {
            log::info!("{}: {host} answers {status}{code} (opc-request-id {id})", self.what);
        }
        let problem = format!("{host} answers {status}{code}{advice}");
        Error::credentials(self.what, problem, None)
    }
}

fn is_busy(answer: &Response<Vec<u8>>) -> bool {
    matches!(answer.status().as_u16(), 429 | 500 | 502 | 503 | 504)
}

const REQUEST_LIMIT: Duration = Duration::from_secs(5);
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];
