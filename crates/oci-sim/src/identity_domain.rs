//! An identity domain: gives tokens for those of issuers whom it trusts.
//!
//! Source: "Token Exchange Grant Type", Oracle's documentation of IAM, and what Oracle's SDKs send.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::request::Parts;
use serde_json::json;

use crate::principals::{Owner, session_key};
use crate::query::Query;
use crate::reply::{Refusal, Reply};
use crate::sim::{Sim, locked};

/// Who may ask, and whom the domain trusts.
#[derive(Debug, Default)]
pub(crate) struct IdentityDomain {
    /// As they stand in the header.
    clients: Vec<String>,
    /// Who it is, by the token that is given.
    subjects: HashMap<String, String>,
}

impl Sim {
    /// Lets a client of the identity domain exchange tokens.
    pub fn add_client(&self, id: &str, secret: &str) {
        let basic = format!("Basic {}", BASE64.encode(format!("{id}:{secret}")));
        locked(&self.identity_domain).clients.push(basic);
    }

    /// Lets the identity domain take this token, and the one who has it for `user`.
    pub fn trust_token(&self, token: &str, user: &str) {
        locked(&self.identity_domain).subjects.insert(token.to_owned(), user.to_owned());
    }

    /// A token for a token. `signed_by` is an instance, if one has signed the request.
    pub(crate) fn exchange(
        &self,
        request: &Parts,
        body: &[u8],
        signed_by: Option<&str>,
    ) -> Result<Reply, Refusal> {
        let header = |name| request.headers.get(name).and_then(|it| it.to_str().ok());
        let authorization = header("authorization").unwrap_or_default();
        let is_client = locked(&self.identity_domain).clients.iter().any(|it| it == authorization);
        let is_instance = signed_by.is_some_and(|it| it.starts_with("ST$"));
        if !is_client && !is_instance {
            return Ok(refused(401, "invalid_client"));
        }
        if header("content-type") != Some("application/x-www-form-urlencoded") {
            return Ok(refused(400, "invalid_request"));
        }
        let form = Query::parse(&String::from_utf8_lossy(body));
        let field = |name| form.value(name).unwrap_or_default();
        let kind = match field("requested_token_type") {
            "urn:oci:token-type:oci-upst" => "user",
            "urn:oci:token-type:oci-rpst" if !field("res_type").is_empty() => "resource",
            _ => return Ok(refused(400, "invalid_request")),
        };
        if field("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange"
            || field("subject_token_type") != "jwt"
        {
            return Ok(refused(400, "unsupported_grant_type"));
        }
        let subject = locked(&self.identity_domain).subjects.get(field("subject_token")).cloned();
        let Some(subject) = subject else { return Ok(refused(401, "invalid_grant")) };
        let key = session_key(field("public_key"))?;
        let compartment = self.compartment();
        let owner = Owner {
            subject: &subject,
            kind,
            tenancy: &self.user.tenancy,
            compartment: &compartment,
        };
        Ok(Reply::ok(json!({ "token": self.usual_token(&owner, key)? })))
    }
}

/// As OAuth says it.
fn refused(status: u16, error: &str) -> Reply {
    Reply { status, headers: Vec::new(), body: Some(json!({ "error": error })) }
}
