//! Where tokens are given out, and to whom.

use http::request::Parts;

use crate::principals::not_authenticated;
use crate::reply::{Refusal, Reply};
use crate::resources::is_vouched_for;
use crate::sim::Sim;
use crate::verify::Purpose;

/// Where tokens are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenService {
    /// To instances.
    Federation,
    /// To pods.
    WorkloadIdentity,
    /// A service vouches for a resource of its own.
    ResourceVoucher,
    /// To resources for which a service vouches.
    ResourceToken,
    /// To callers that an identity domain trusts.
    TokenExchange,
}

impl TokenService {
    /// The service at this path, if there is one.
    pub(crate) fn at(sim: &Sim, request: &Parts) -> Option<Self> {
        match (request.method.as_str(), request.uri.path()) {
            ("POST", "/v1/x509") => Some(Self::Federation),
            ("POST", "/resourcePrincipalSessionTokens") => Some(Self::WorkloadIdentity),
            ("POST", "/v1/resourcePrincipalSessionToken") => Some(Self::ResourceToken),
            ("POST", "/oauth2/v1/token") => Some(Self::TokenExchange),
            ("GET", path) if is_vouched_for(sim, path) => Some(Self::ResourceVoucher),
            _ => None,
        }
    }

    /// The name in the log and in faults.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Federation => "Federation",
            Self::WorkloadIdentity => "WorkloadIdentity",
            Self::ResourceVoucher => "ResourceVoucher",
            Self::ResourceToken => "ResourceToken",
            Self::TokenExchange => "TokenExchange",
        }
    }

    /// What requests to it are signed for.
    pub(crate) fn purpose(self) -> Purpose {
        match self {
            Self::Federation => Purpose::Federation,
            Self::ResourceVoucher | Self::ResourceToken => Purpose::Resource,
            Self::WorkloadIdentity | Self::TokenExchange => Purpose::Operation,
        }
    }

    /// What is answered there. `key_id` is who signed.
    pub(crate) fn answer(
        self,
        sim: &Sim,
        request: &Parts,
        body: &[u8],
        key_id: Result<String, String>,
    ) -> Result<Reply, Refusal> {
        match self {
            Self::Federation => sim.federate(body, &key_id.map_err(not_authenticated)?),
            Self::WorkloadIdentity => sim.serve_pod(request, body),
            Self::ResourceVoucher => sim.vouch(request, &key_id.map_err(not_authenticated)?),
            Self::ResourceToken => sim.serve_resource(body, &key_id.map_err(not_authenticated)?),
            Self::TokenExchange => sim.exchange(request, body, key_id.ok().as_deref()),
        }
    }
}
