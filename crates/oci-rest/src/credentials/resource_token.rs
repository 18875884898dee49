//! The token of a resource, in two steps: the service that owns the resource vouches for it, and the
//! auth service gives a token for that.

use http::{HeaderName, HeaderValue, Request};
use oci_signer::Signer;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::federation::TokenRequest;
use crate::{Error, transport::is_whole};

/// Both steps, signed by one caller.
pub(crate) struct ResourceToken<'a> {
    pub(crate) request: TokenRequest<'a>,
    pub(crate) signer: &'a Signer,
}

/// What the service that owns the resource says of it.
pub(crate) struct Voucher {
    tokens: Tokens,
    /// Where to ask for a voucher of the resource that this one is a part of.
    pub(crate) parent: Option<String>,
}

impl ResourceToken<'_> {
    /// Asks the service that owns the resource.
    pub(crate) fn voucher(
        &self,
        url: &str,
        security_context: Option<&str>,
    ) -> Result<Voucher, Error> {
        let mut request = self.request.request(Request::get(url), Vec::new())?;
        if let Some(context) = security_context {
            let value = HeaderValue::from_str(context)
                .map_err(|_| self.wrong("the security context cannot be sent"))?;
            request.headers_mut().insert(SECURITY_CONTEXT, value);
        }
        let answer = self.request.send_signed(self.signer, &request)?;
        let host = request.uri().host().unwrap_or_default();
        if !is_whole(answer.status()) {
            return Err(self.request.refused(host, &answer));
        }
        let tokens = serde_json::from_slice(answer.body())
            .map_err(|_| self.wrong(&format!("{host} does not vouch for this resource")))?;
        let parent = answer.headers().get(PARENT).and_then(|it| it.to_str().ok());
        Ok(Voucher { tokens, parent: parent.map(str::to_owned) })
    }

    /// Asks the auth service at `endpoint` for a token that is bound to `public_key`.
    pub(crate) fn token(
        &self,
        endpoint: &str,
        voucher: &Voucher,
        public_key: &str,
    ) -> Result<Zeroizing<String>, Error> {
        let url = format!("{}{PATH}", endpoint.trim_end_matches('/'));
        let body = Body { tokens: &voucher.tokens, session_public_key: public_key };
        let request = self.request.json(&url, &body)?;
        let answer = self.request.send_signed(self.signer, &request)?;
        self.request.token(request.uri().host().unwrap_or_default(), &answer)
    }

    fn wrong(&self, problem: &str) -> Error {
        Error::credentials(self.request.what, problem, None)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    resource_principal_token: Zeroizing<String>,
    service_principal_session_token: Zeroizing<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(flatten)]
    tokens: &'a Tokens,
    session_public_key: &'a str,
}

const PATH: &str = "/v1/resourcePrincipalSessionToken";
const SECURITY_CONTEXT: HeaderName = HeaderName::from_static("security-context");
const PARENT: HeaderName = HeaderName::from_static("opc-parent-rpt-url");
