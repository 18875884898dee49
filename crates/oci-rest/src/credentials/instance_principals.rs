//! Instance principals: an instance signs as itself.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use clock::{Clock, Deadline};
use http::{Response, Uri};
use oci_signer::{Coverage, KeyId, PrivateKey, Signer};
use serde::Serialize;

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
    pub(crate) metadata: Metadata,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
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

    /// Where the auth service is, without a slash at the end.
    pub(crate) fn auth_service(&self) -> Result<String, Error> {
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
        Ok(base.strip_suffix(PATH).unwrap_or(base).to_owned())
    }

    /// One token by the certificate as it is now; a refusal is an answer.
    fn ask(
        &self,
        url: &str,
        key: &SessionKey,
        request: &TokenRequest<'_>,
    ) -> Result<Response<Vec<u8>>, Error> {
        let identity = self.identity(&request.deadline)?;
        let body = Body {
            certificate: &identity.leaf.base64(),
            public_key: key.public_key(),
            intermediate_certificates: [&identity.intermediate],
            fingerprint_algorithm: "SHA256",
        };
        request.send_signed(&identity.signer, &request.json(url, &body)?)
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
        let request = TokenRequest { what: WHAT, advice: ADVICE, transport, clock, deadline };
        let url = format!("{}{PATH}", self.auth_service()?);
        let key = SessionKey::generate()?;
        let mut answer = self.ask(&url, &key, &request)?;
        if answer.status() == 401 {
            // a certificate that was rotated meanwhile
            answer = self.ask(&url, &key, &request)?;
        }
        let uri = url.parse::<Uri>().unwrap_or_default();
        let token = request.token(uri.host().unwrap_or_default(), &answer)?;
        Session::new(&token, key.into_pem(), None)
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

const WHAT: &str = "instance principals";
const ADVICE: &str = "is the clock right, and is this the metadata service of this instance?";
const PATH: &str = "/v1/x509";
/// All of it: metadata, key, token.
const LIMIT: Duration = Duration::from_secs(15);
/// A rotation between two answers of the metadata service is rare, two of them never.
const TRIES: usize = 3;
