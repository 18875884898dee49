//! Callers without an API key: instances by their certificates, pods by their service accounts. Both get tokens.
//!
//! Source: what Oracle's SDKs do and expect; nothing of our own clients is used here.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64_URL};
use http::request::Parts;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rsa::RsaPublicKey;
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::traits::PublicKeyParts as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::certificate::Certified;
use crate::error::Error;
use crate::ids;
use crate::reply::{Refusal, Reply};
use crate::sim::{Sim, locked};

/// The authority for instances, their certificates, and the service accounts that are known.
#[derive(Debug, Default)]
pub(crate) struct Principals {
    authority: Option<Certified>,
    leaves: HashMap<String, Certified>,
    /// How many certificates were issued.
    issued: u32,
    service_accounts: HashSet<String>,
}

/// What a token says of its owner.
pub(crate) struct Owner<'a> {
    pub(crate) subject: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) tenancy: &'a str,
    pub(crate) compartment: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FederationBody {
    certificate: String,
    public_key: String,
    intermediate_certificates: Vec<String>,
    fingerprint_algorithm: Option<String>,
    #[serde(rename = "purpose")]
    _purpose: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PodBody {
    pod_key: String,
}

impl Sim {
    /// Gives the instance another key and certificate; those it had are refused from now on.
    pub fn rotate_certificate(&self, instance: &str) {
        let leaf = locked(&self.principals).leaves.remove(instance);
        if let Some(leaf) = leaf {
            let ids = key_ids(&self.user.tenancy, &leaf.certificate);
            ids.iter().for_each(|id| locked(&self.keys).remove(id));
        }
    }

    /// Refuses all tokens that were given out, whatever their time, as after a change of the service's own keys.
    pub fn revoke_tokens(&self) {
        locked(&self.keys).remove_tokens();
    }

    /// Lets pods with this service account's token in.
    pub fn add_service_account(&self, token: &str) {
        locked(&self.principals).service_accounts.insert(token.to_owned());
    }

    /// A token for the user's key, valid for `lifetime`: such as `oci session authenticate` gets, or a function finds in its
    /// environment.
    ///
    /// # Errors
    /// No authority can be made.
    pub fn issue_token(
        &self,
        user: &crate::ApiKeyUser,
        lifetime: Duration,
    ) -> Result<String, Error> {
        let compartment = self.compartment();
        let owner = Owner {
            subject: &user.user,
            kind: "user",
            tenancy: &user.tenancy,
            compartment: &compartment,
        };
        self.token(&owner, user.public_key().to_vec(), lifetime)
    }

    /// A token for a resource with this key.
    ///
    /// # Errors
    /// No authority can be made.
    pub fn issue_resource_token(&self, key: &crate::ApiKeyUser) -> Result<String, Error> {
        let compartment = self.compartment();
        let subject = ids::ocid("resource", "oc1", "phx");
        let owner = Owner {
            subject: &subject,
            kind: "resource",
            tenancy: &self.user.tenancy,
            compartment: &compartment,
        };
        let lifetime = locked(&self.state).config.token_lifetime;
        self.token(&owner, key.public_key().to_vec(), lifetime)
    }

    /// A token with which the user lets others act on his behalf.
    ///
    /// # Errors
    /// No authority can be made.
    pub fn issue_delegation_token(&self, user: &crate::ApiKeyUser) -> Result<String, Error> {
        let token = self.issue_token(user, Duration::from_secs(3600))?;
        locked(&self.keys).add_delegation(token.clone(), user.user.clone());
        Ok(token)
    }

    /// A document below `/identity/` for this instance, made at the first question.
    pub(crate) fn identity(&self, instance: &str, compartment: &str, name: &str) -> Option<String> {
        let tenancy = self.user.tenancy.as_str();
        let leaf = self.leaf(instance, compartment, tenancy).ok()?;
        let authority = locked(&self.principals).authority.clone()?;
        match name {
            "cert.pem" => Some(leaf.certificate_pem()),
            "key.pem" => Some(leaf.key_pem),
            "intermediate.pem" => Some(authority.certificate_pem()),
            _ => None,
        }
    }

    fn leaf(&self, instance: &str, compartment: &str, tenancy: &str) -> Result<Certified, Error> {
        let authority = self.authority()?;
        let mut principals = locked(&self.principals);
        if let Some(leaf) = principals.leaves.get(instance) {
            return Ok(leaf.clone());
        }
        let units = [
            "opc-certtype:instance".to_owned(),
            format!("opc-compartment:{compartment}"),
            format!("opc-instance:{instance}"),
            format!("opc-tenant:{tenancy}"),
        ];
        principals.issued += 1;
        let leaf = authority.issue(principals.issued, instance, &units)?;
        principals.leaves.insert(instance.to_owned(), leaf.clone());
        for id in key_ids(tenancy, &leaf.certificate) {
            locked(&self.keys).add_leaf(id, leaf.public_key.clone());
        }
        Ok(leaf)
    }

    fn authority(&self) -> Result<Certified, Error> {
        let mut principals = locked(&self.principals);
        match &principals.authority {
            Some(authority) => Ok(authority.clone()),
            None => Ok(principals.authority.insert(Certified::authority()?).clone()),
        }
    }

    pub(crate) fn federate(&self, body: &[u8], key_id: &str) -> Result<Reply, Refusal> {
        let body: FederationBody = serde_json::from_slice(body).map_err(unreadable)?;
        let certificate = BASE64.decode(&body.certificate).map_err(unreadable)?;
        let tenancy = self.user.tenancy.clone();
        let [sha256, sha1] = key_ids(&tenancy, &certificate);
        let right = match body.fingerprint_algorithm.as_deref() {
            Some("SHA256") => key_id == sha256,
            None => key_id == sha1,
            Some(_) => false,
        };
        if !right {
            return Err(not_authenticated("The key id is not that of the certificate.".into()));
        }
        let authority = self.authority().map_err(broken)?;
        let intermediate = BASE64.encode(&authority.certificate);
        if body.intermediate_certificates != [intermediate] {
            return Err(not_authenticated("The chain of certificates is not ours.".into()));
        }
        let instance = locked(&self.principals)
            .leaves
            .iter()
            .find(|(_, leaf)| leaf.certificate == certificate)
            .map(|(instance, _)| instance.clone())
            .ok_or_else(|| not_authenticated("The certificate is not known.".into()))?;
        let key = session_key(&body.public_key)?;
        let compartment = locked(&self.state)
            .instance(&instance)
            .map_or_else(String::new, |instance| instance.compartment.clone());
        let owner = Owner {
            subject: &instance,
            kind: "instance",
            tenancy: &tenancy,
            compartment: &compartment,
        };
        Ok(Reply::ok(json!({ "token": self.usual_token(&owner, key)? })))
    }

    pub(crate) fn serve_pod(&self, request: &Parts, body: &[u8]) -> Result<Reply, Refusal> {
        let bearer = request.headers.get("authorization").and_then(|value| value.to_str().ok());
        let account = bearer.and_then(|it| it.strip_prefix("Bearer ")).unwrap_or_default();
        if !locked(&self.principals).service_accounts.contains(account) {
            return Err(not_authenticated("The service account is not known.".into()));
        }
        let body: PodBody = serde_json::from_slice(body).map_err(unreadable)?;
        let key = session_key(&body.pod_key)?;
        let compartment = self.compartment();
        let owner = Owner {
            subject: "ocid1.workload.oc1.phx.aaaapod",
            kind: "workload",
            tenancy: &self.user.tenancy,
            compartment: &compartment,
        };
        let token = self.usual_token(&owner, key)?;
        let inner = json!({ "token": format!("ST${token}") }).to_string();
        Ok(Reply::ok(Value::String(BASE64.encode(inner))))
    }

    /// A token that lasts as long as those of the service do.
    pub(crate) fn usual_token(&self, owner: &Owner<'_>, key: Vec<u8>) -> Result<String, Refusal> {
        let lifetime = locked(&self.state).config.token_lifetime;
        self.token(owner, key, lifetime).map_err(broken)
    }

    /// A JWT, and its entry among the keys.
    fn token(
        &self,
        owner: &Owner<'_>,
        public_key: Vec<u8>,
        lifetime: Duration,
    ) -> Result<String, Error> {
        let authority = self.authority()?;
        let now = self.now();
        let expires = now + lifetime;
        let head = json!({"alg": "RS256", "kid": "asw_sim", "typ": "JWT"});
        let claims = json!({
            "sub": owner.subject,
            "ptype": owner.kind,
            "tenant": owner.tenancy,
            "opc-tenant": owner.tenancy,
            "opc-compartment": owner.compartment,
            "res_tenant": owner.tenancy,
            "res_compartment": owner.compartment,
            "iss": "authService.oracle.com",
            "iat": seconds(now),
            "exp": seconds(expires),
            "jti": ids::uuid(),
        });
        let [head, claims] = [head, claims].map(|it| BASE64_URL.encode(it.to_string()));
        let signature = authority.sign(format!("{head}.{claims}").as_bytes())?;
        let token = format!("{head}.{claims}.{}", BASE64_URL.encode(signature));
        locked(&self.keys).add_token(format!("ST${token}"), public_key, expires);
        Ok(token)
    }
}

/// The two forms of a certificate's key id: that of SHA-256, and the older one of SHA-1.
fn key_ids(tenancy: &str, certificate: &[u8]) -> [String; 2] {
    let hex =
        |bytes: &[u8]| -> Vec<String> { bytes.iter().map(|it| format!("{it:02x}")).collect() };
    let sha256 = hex(digest(&SHA256, certificate).as_ref()).join(":");
    let sha1 = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref()).join(":");
    [
        format!("{tenancy}/fed-x509-sha256/{sha256}"),
        format!("{tenancy}/fed-x509/{}", sha1.to_uppercase()),
    ]
}

/// The public key as PKCS#1 DER, from the Base64 of its SubjectPublicKeyInfo.
pub(crate) fn session_key(text: &str) -> Result<Vec<u8>, Refusal> {
    let info = BASE64.decode(text).map_err(unreadable)?;
    let key = RsaPublicKey::from_public_key_der(&info).map_err(unreadable)?;
    if key.size() < 256 {
        return Err(Refusal::invalid("The public key is too short."));
    }
    Ok(key.to_pkcs1_der().map_err(unreadable)?.into_vec())
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

pub(crate) fn not_authenticated(message: String) -> Refusal {
    Refusal::new(401, "NotAuthenticated", message)
}

pub(crate) fn unreadable(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(400, "CannotParseRequest", format!("The request is not as it should be: {error}"))
}

fn broken(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(500, "InternalServerError", error.to_string())
}
