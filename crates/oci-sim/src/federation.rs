//! Instance principals: the certificates that instances have, and the service that gives tokens for them.
//!
//! Source: "Calling Services from an Instance", Oracle's documentation, and the requests that Oracle's SDK sends.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rsa::RsaPrivateKey;
use rsa::pkcs1::{EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _, LineEnding};
use rsa::pkcs8::{DecodePublicKey as _, EncodePrivateKey as _};
use serde_json::{Value, json};

use crate::error::Error;
use crate::ids;
use crate::reply::{Refusal, Reply};

/// Where tokens are given.
pub(crate) const PATH: &str = "/v1/x509";

/// The certificates of all instances, made when they are first asked for.
#[derive(Debug)]
pub(crate) struct Federation {
    identities: HashMap<String, Identity>,
    /// By their leaf certificate: they stay good when there is a newer one.
    known: Vec<Known>,
    pub(crate) token_lifetime: Duration,
}

/// What the metadata service shows below `identity/`.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) intermediate: String,
    pub(crate) key: String,
}

#[derive(Debug)]
struct Known {
    certificate: String,
    instance: String,
    tenancy: String,
    key_ids: [String; 2],
}

/// A token and whose it is.
pub(crate) struct Given {
    pub(crate) reply: Reply,
    pub(crate) key_id: String,
    /// PKCS#1 DER.
    pub(crate) public_key: Vec<u8>,
    pub(crate) expires: SystemTime,
}

impl Default for Federation {
    fn default() -> Self {
        let token_lifetime = Duration::from_secs(1200);
        Self { identities: HashMap::new(), known: Vec::new(), token_lifetime }
    }
}

impl Federation {
    /// The certificate of an instance.
    pub(crate) fn identity(&mut self, tenancy: &str, instance: &str) -> Result<Identity, Error> {
        if let Some(identity) = self.identities.get(instance) {
            return Ok(identity.clone());
        }
        let (identity, der) =
            certify(tenancy, instance).map_err(|error| Error::Certificate(error.to_string()))?;
        let sha1 = pairs(digest(&SHA1_FOR_LEGACY_USE_ONLY, &der).as_ref()).to_uppercase();
        let sha256 = pairs(digest(&SHA256, &der).as_ref());
        self.known.push(Known {
            certificate: BASE64.encode(&der),
            instance: instance.to_owned(),
            tenancy: tenancy.to_owned(),
            key_ids: [
                format!("{tenancy}/fed-x509/{sha1}"),
                format!("{tenancy}/fed-x509-sha256/{sha256}"),
            ],
        });
        self.identities.insert(instance.to_owned(), identity.clone());
        Ok(identity)
    }

    /// New certificates from now on; no client waits for the primes of their key.
    pub(crate) fn rotate(&mut self) {
        leaf_key();
        self.identities.clear();
    }

    /// The key ids that may ask for a token, and their public key (PKCS#1 DER).
    pub(crate) fn keys(&self) -> Vec<(String, Vec<u8>)> {
        let ids = self.known.iter().flat_map(|it| it.key_ids.clone());
        let public = leaf_key().to_public_key().to_pkcs1_der().map(|it| it.into_vec());
        let public = public.unwrap_or_default();
        ids.map(|id| (id, public.clone())).collect()
    }

    /// Gives a token for a certificate; whether the request is signed with its key is known by then.
    pub(crate) fn give(&self, body: &Value, now: SystemTime) -> Result<Given, Refusal> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let refused = |why: &str| Refusal::new(401, "NotAuthenticated", why);
        let known = self.known.iter().find(|it| it.certificate == text("certificate"));
        let known = known.ok_or_else(|| refused("The certificate is not known."))?;
        let chain = body.get("intermediateCertificates").and_then(Value::as_array);
        if chain.is_none_or(|it| it.len() != 1) {
            return Err(refused("The certificate's issuer is missing."));
        }
        let public_key = BASE64.decode(text("publicKey")).ok();
        let public_key = public_key
            .and_then(|der| rsa::RsaPublicKey::from_public_key_der(&der).ok())
            .and_then(|key| key.to_pkcs1_der().ok())
            .ok_or_else(|| Refusal::new(400, "InvalidParameter", "publicKey is no RSA key."))?;
        let seconds =
            |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let expires = now + self.token_lifetime;
        let claims = json!({
            "sub": known.instance, "opc-instance": known.instance, "opc-tenant": known.tenancy,
            "ptype": "instance", "ttype": "x509", "jti": ids::uuid(),
            "iat": seconds(now), "exp": seconds(expires),
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = json!({"alg": "RS256", "typ": "JWT", "kid": "oci-sim"});
        let token = format!("{}.{}.{}", part(&head), part(&claims), ids::unique(43));
        let key_id = format!("ST${token}");
        let reply = Reply::ok(json!({ "token": token }));
        Ok(Given { reply, key_id, public_key: public_key.into_vec(), expires })
    }
}

/// A leaf certificate as the metadata service has them, with its issuer and key; and the leaf as DER.
fn certify(
    tenancy: &str,
    instance: &str,
) -> Result<(Identity, Vec<u8>), Box<dyn std::error::Error>> {
    let issuer_key = KeyPair::generate()?;
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name.push(DnType::CommonName, "PKISVC Identity Intermediate oci-sim");
    issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let intermediate = issuer.self_signed(&issuer_key)?.pem();
    let issuer = Issuer::new(issuer, issuer_key);

    let pkcs8 = leaf_key().to_pkcs8_pem(LineEnding::LF)?;
    let key = KeyPair::from_pkcs8_pem_and_sign_algo(&pkcs8, &rcgen::PKCS_RSA_SHA256)?;
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name.push(DnType::CommonName, instance);
    leaf.distinguished_name.push(DnType::OrganizationalUnitName, format!("opc-tenant:{tenancy}"));
    let leaf = leaf.signed_by(&key, &issuer)?;
    let key = leaf_key().to_pkcs1_pem(LineEnding::LF)?.to_string();
    Ok((Identity { certificate: leaf.pem(), intermediate, key }, leaf.der().to_vec()))
}

/// One for all instances of this process: finding the primes of a key takes a while.
fn leaf_key() -> &'static RsaPrivateKey {
    static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| {
        loop {
            // It fails only on a system without getrandom(2).
            if let Ok(key) = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048) {
                break key;
            }
        }
    })
}

fn pairs(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
