//! Instance principals: an instance signs as itself.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use clock::{Clock, Deadline};
use http::{Request, Response, Uri, header};
use oci_signer::{Coverage, KeyId, PrivateKey, Signer};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    certificate::{Leaf, base64_of},
    federation::TokenRequest,
};
use crate::{Error, Metadata, Session, SessionKey, TokenSource, Transport};

/// The instance that this program runs on, by the certificate that its metadata service gives.
///
/// For a token, the certificate's key signs a request to the auth service of the region that names a
/// fresh session key; requests are then signed with that key under the token. What the instance may
/// do is said by policies for a dynamic group that it is in.
///
/// Source: Oracle, "Calling Services from an Instance", and its SDKs.
pub struct InstancePrincipals {
    metadata: Metadata,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    endpoint: Option<Uri>,
    tenancy: OnceLock<String>,
}

impl InstancePrincipals {
    /// The instance that `metadata` is of. The auth service is at `endpoint`, such as
    /// `https://auth.us-phoenix-1.oraclecloud.com`, else where the region has it.
    pub fn new(
        metadata: Metadata,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        endpoint: Option<Uri>,
    ) -> Self {
        Self { metadata, transport, clock, endpoint, tenancy: OnceLock::new() }
    }

    fn url(&self) -> Result<String, Error> {
        let base = match &self.endpoint {
            Some(endpoint) => endpoint.to_string(),
            None => {
                let instance = self.metadata.instance()?;
                let region = instance.region().map_err(|source| {
                    Error::credentials(WHAT, "the region is unclear", Some(Box::new(source)))
                })?;
                region.auth_endpoint()
            }
        };
        let base = base.trim_end_matches('/');
        Ok(format!("{}{PATH}", base.strip_suffix(PATH).unwrap_or(base)))
    }

    /// One token by the certificate as it is now; a refusal is an answer.
    fn ask(
        &self,
        url: &str,
        key: &SessionKey,
        request: &TokenRequest<'_>,
    ) -> Result<Response<Vec<u8>>, Error> {
        let identity = self.identity(&request.deadline)?;
        let body = serde_json::to_vec(&Body {
            certificate: &identity.leaf.base64(),
            public_key: key.public_key(),
            intermediate_certificates: [&identity.intermediate],
            fingerprint_algorithm: "SHA256",
        });
        let body = body.map_err(|_| Error::credentials(WHAT, "the request has no JSON", None))?;
        request.send(|| {
            let wrong = |problem: &str, source: Option<oci_signer::Error>| {
                Error::credentials(WHAT, problem, source.map(|it| Box::new(it) as _))
            };
            let parts = Request::post(url)
                .header(header::ACCEPT, "application/json")
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.clone());
            let Ok(http) = parts else {
                return Err(wrong("the address of the auth service is no URL", None));
            };
            let (mut parts, body) = http.into_parts();
            let headers = identity
                .signer
                .sign(&parts, &body, self.clock.now())
                .map_err(|source| wrong("cannot sign the request for a token", Some(source)))?;
            parts.headers.extend(headers);
            Ok(Request::from_parts(parts, body))
        })
    }

    /// Certificate and key, which are rotated now and then: both of one moment.
    fn identity(&self, deadline: &Deadline) -> Result<Identity, Error> {
        for _ in 0..TRIES {
            let text = |name: &str| self.metadata.text(&format!("identity/{name}"), deadline);
            let (certificate, key) = (text("cert.pem")?, text("key.pem")?);
            let intermediate = text("intermediate.pem")?;
            let wrong = |problem| Error::credentials(WHAT, problem, None);
            let leaf = Leaf::read(&certificate).ok_or_else(|| {
                wrong("the metadata service gives no certificate with a tenancy; is this an instance of OCI?")
            })?;
            let intermediate = base64_of(&intermediate)
                .ok_or_else(|| wrong("the metadata service gives no intermediate certificate"))?;
            let key = PrivateKey::from_pem(&key, None).map_err(|source| {
                let problem = "the key of the instance's certificate cannot be used";
                Error::credentials(WHAT, problem, Some(Box::new(source)))
            })?;
            if key.public_key_info() == leaf.public_key {
                if self.tenancy.get_or_init(|| leaf.tenancy.clone()) != &leaf.tenancy {
                    return Err(wrong("the tenancy of the instance has changed"));
                }
                let id = KeyId::federation(&leaf.tenancy, &leaf.der);
                let signer = Signer::new(id, key).with_coverage(Coverage::Federation);
                return Ok(Identity { leaf, intermediate, signer });
            }
        }
        let problem =
            "the metadata service gives a certificate and a key that do not belong together";
        Err(Error::credentials(WHAT, problem, None))
    }
}

struct Identity {
    leaf: Leaf,
    intermediate: String,
    signer: Signer,
}

impl TokenSource for InstancePrincipals {
    fn session(&self, limit: Duration) -> Result<Session, Error> {
        let deadline = Deadline::after(&*self.clock, limit.min(LIMIT));
        let (transport, clock) = (&*self.transport, &*self.clock);
        let request = TokenRequest { what: WHAT, transport, clock, deadline };
        let url = self.url()?;
        let key = SessionKey::generate()?;
        let mut answer = self.ask(&url, &key, &request)?;
        if answer.status() == 401 {
            // a certificate that was rotated meanwhile
            answer = self.ask(&url, &key, &request)?;
        }
        if !answer.status().is_success() {
            let uri = url.parse::<Uri>().unwrap_or_default();
            return Err(request.refused(uri.host().unwrap_or_default(), &answer));
        }
        let token = serde_json::from_slice::<Token>(answer.body()).map_err(|_| {
            Error::credentials(WHAT, "the auth service answers without a token", None)
        })?;
        Session::new(&token.token, key.into_pem(), None)
    }

    fn describe(&self) -> String {
        let tenancy = self.tenancy.get().map(|it| format!(" of {it}")).unwrap_or_default();
        format!("this instance{tenancy} (instance principal)")
    }

    fn identity(&self) -> Option<String> {
        let endpoint = self.endpoint.as_ref().map(ToString::to_string).unwrap_or_default();
        Some(format!("instance principal {} {endpoint}", self.metadata.base()))
    }
}

impl fmt::Debug for InstancePrincipals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstancePrincipals")
            .field("metadata", &self.metadata)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    certificate: &'a str,
    public_key: &'a str,
    intermediate_certificates: [&'a str; 1],
    fingerprint_algorithm: &'a str,
}

#[derive(Deserialize)]
struct Token {
    token: Zeroizing<String>,
}

const WHAT: &str = "instance principals";
const PATH: &str = "/v1/x509";
/// All of it: metadata, key, token.
const LIMIT: Duration = Duration::from_secs(15);
/// A rotation between two answers of the metadata service is rare, two of them never.
const TRIES: usize = 3;
