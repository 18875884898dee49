//! The request that every example sends, signed: it attaches a volume to an instance.

use std::{env, error::Error, fs, time::SystemTime};

use http::Request;
use oci_signer::{KeyId, PrivateKey, Signer};

/// Called as `<example> <instance OCID> <volume OCID>`, with the variables that Oracle's command line
/// reads, too.
#[expect(clippy::disallowed_methods, reason = "examples read the environment and the clock")]
pub(crate) fn signed_request() -> Result<Request<Vec<u8>>, Box<dyn Error>> {
    let [instance, volume] = [1, 2].map(|at| env::args().nth(at).unwrap_or_default());
    let key = PrivateKey::from_pem(&fs::read_to_string(variable("OCI_CLI_KEY_FILE")?)?, None)?;
    let (tenancy, user) = (variable("OCI_CLI_TENANCY")?, variable("OCI_CLI_USER")?);
    let signer = Signer::new(KeyId::api_key(&tenancy, &user, &key.fingerprint()), key);

    // serialised once: what is signed is what is sent
    let body = format!(r#"{{"type":"iscsi","instanceId":"{instance}","volumeId":"{volume}"}}"#);
    let url = format!("{}/20160918/volumeAttachments", variable("OCI_CLI_ENDPOINT")?);
    let (mut parts, body) = Request::post(url).body(body.into_bytes())?.into_parts();
    parts.headers.extend(signer.sign(&parts, &body, SystemTime::now())?);
    Ok(Request::from_parts(parts, body))
}

#[expect(clippy::disallowed_methods, reason = "examples have no other configuration")]
fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|_| format!("set {name}").into())
}
