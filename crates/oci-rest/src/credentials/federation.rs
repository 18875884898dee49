//! Asking an auth service for a token: a POST with JSON, repeated where it may help.

use std::time::Duration;

use clock::{Clock, Deadline};
use http::{Request, Response};
use serde::Deserialize;

use crate::{Error, Transport, jitter::Jitter};

/// Where and how a token is asked for.
pub(crate) struct TokenRequest<'a> {
    /// The source, for errors: `instance principals`.
    pub(crate) what: &'static str,
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

    /// The error that a refusal is.
    pub(crate) fn refused(&self, host: &str, answer: &Response<Vec<u8>>) -> Error {
        #[derive(Deserialize)]
        struct Body {
            code: Option<String>,
        }
        let status = answer.status().as_u16();
        // the message may be anything
        let body = serde_json::from_slice::<Body>(answer.body()).ok();
        let code =
            body.and_then(|it| it.code).filter(|it| it.bytes().all(|c| c.is_ascii_alphanumeric()));
        let code = code.map(|it| format!(" {it}")).unwrap_or_default();
        let id = crate::service_error::request_id(answer.headers());
        let id = id.map(|it| format!(" (opc-request-id {it})")).unwrap_or_default();
        let advice = match status {
            429 | 500.. => "; it may be tried again",
            400..=404 if self.what == "workload identity" => {
                "; is this an enhanced OKE cluster, and the service account's token of this cluster?"
            }
            400..=404 => "; is the clock right, and is this the metadata service of this instance?",
            _ => "",
        };
        Error::credentials(self.what, format!("{host} answers {status}{code}{advice}{id}"), None)
    }
}

fn is_busy(answer: &Response<Vec<u8>>) -> bool {
    matches!(answer.status().as_u16(), 429 | 500 | 502 | 503 | 504)
}

const REQUEST_LIMIT: Duration = Duration::from_secs(5);
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];
