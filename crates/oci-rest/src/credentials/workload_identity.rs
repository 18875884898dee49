//! Workload identity of OKE: a pod signs as its service account.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use clock::{Clock, Deadline};
use http::{HeaderValue, Request, Uri, header};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::federation::TokenRequest;
use crate::{Direct, Error, Session, SessionKey, TokenSource, Transport, transport::is_whole};

/// The service account of this pod, in an enhanced cluster of OKE.
///
/// Source: Oracle, "Granting Workloads Access to OCI Resources", and its SDKs.
pub struct WorkloadIdentity {
    endpoint: Uri,
    token_file: PathBuf,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
}

impl WorkloadIdentity {
    /// `endpoint` is `https://$KUBERNETES_SERVICE_HOST:12250`; `transport` must trust the cluster's
    /// authority. The service account's token is read again for each token of OCI.
    pub fn new(
        endpoint: Uri,
        token_file: PathBuf,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { endpoint, token_file, transport, clock }
    }

    fn service_account(&self) -> Result<HeaderValue, Error> {
        let path = self.token_file.display();
        let token = super::read(&self.token_file).map_err(|source| {
            let problem = format!("cannot read the service account's token in {path}");
            Error::credentials(WHAT, problem, Some(Box::new(source)))
        })?;
        let bearer = Zeroizing::new(format!("Bearer {}", token.trim()));
        let mut value = HeaderValue::from_str(&bearer)
            .map_err(|_| Error::credentials(WHAT, format!("{path} holds no token"), None))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl TokenSource for WorkloadIdentity {
    fn session(&self, limit: Duration) -> Result<Session, Error> {
        let deadline = Deadline::after(&*self.clock, limit.min(LIMIT));
        let (transport, clock) = (&*self.transport, &*self.clock);
        let request = TokenRequest { what: WHAT, advice: ADVICE, transport, clock, deadline };
        let account = self.service_account()?;
        let key = SessionKey::generate()?;
        let body = serde_json::to_vec(&Body { pod_key: key.public_key() })
            .map_err(|_| Error::credentials(WHAT, "the request has no JSON", None))?;
        let base = self.endpoint.to_string();
        let answer = request.send(|| {
            Request::post(format!("{}{PATH}", base.trim_end_matches('/')))
                .extension(Direct)
                .header(header::AUTHORIZATION, account.clone())
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.clone())
                .map_err(|_| Error::Endpoint { endpoint: base.clone() })
        })?;
        if !is_whole(answer.status()) {
            return Err(request.refused(self.endpoint.host().unwrap_or_default(), &answer));
        }
        let token = token(answer.body())
            .ok_or_else(|| Error::credentials(WHAT, "the cluster answers without a token", None))?;
        Session::new(&token, key.into_pem(), None)
    }

    fn describe(&self) -> String {
        "the service account of this pod (workload identity)".to_owned()
    }

    fn identity(&self) -> Option<String> {
        Some(format!("workload identity {} {}", self.endpoint, self.token_file.display()))
    }
}

impl fmt::Debug for WorkloadIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkloadIdentity")
            .field("endpoint", &self.endpoint)
            .field("token_file", &self.token_file)
            .finish_non_exhaustive()
    }
}

/// The answer is a JSON text whose Base64 is a JSON object with the token.
fn token(body: &[u8]) -> Option<Zeroizing<String>> {
    let text: Zeroizing<String> = serde_json::from_slice(body).ok()?;
    let inner = Zeroizing::new(BASE64.decode(text.as_bytes()).ok()?);
    Some(serde_json::from_slice::<Token>(&inner).ok()?.token)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    pod_key: &'a str,
}

#[derive(Deserialize)]
struct Token {
    token: Zeroizing<String>,
}

const WHAT: &str = "workload identity";
const ADVICE: &str =
    "is this an enhanced OKE cluster, and the service account's token of this cluster?";
const PATH: &str = "/resourcePrincipalSessionTokens";
const LIMIT: Duration = Duration::from_secs(15);
