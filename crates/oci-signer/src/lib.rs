//! Request signatures of Oracle Cloud Infrastructure.
//!
//! Nothing here does I/O or reads a clock: a [`Signer`] gets the request, its body and the time, and
//! gives the headers to add. The bytes that are signed must be the bytes that are sent: encode path
//! and query once, serialise the body once, and send both unchanged.
//!
//! ```no_run
//! # fn example(pem: &str, at: std::time::SystemTime) -> Result<(), Box<dyn std::error::Error>> {
//! use oci_signer::{KeyId, PrivateKey, Signer};
//!
//! let key = PrivateKey::from_pem(pem, None)?;
//! let id = KeyId::api_key("ocid1.tenancy.oc1..aaaa", "ocid1.user.oc1..aaaa", &key.fingerprint());
//! let signer = Signer::new(id, key);
//!
//! let request = http::Request::get("https://iaas.us-phoenix-1.oraclecloud.com/20160918/vcns/ocid1.vcn.oc1.phx.aaaa");
//! let (mut parts, ()) = request.body(())?.into_parts();
//! let headers = signer.sign(&parts, b"", at)?;
//! parts.headers.extend(headers);
//! # Ok(())
//! # }
//! ```
//!
//! Source: Oracle's "Request Signatures", after draft-cavage-http-signatures-08.

mod coverage;
mod der;
#[cfg(feature = "encrypted-keys")]
mod encrypted;
mod error;
mod key_id;
mod pem_block;
mod private_key;
mod signer;
mod signing_string;

pub use coverage::Coverage;
pub use error::Error;
pub use key_id::KeyId;
pub use private_key::PrivateKey;
pub use signer::Signer;
pub use signing_string::signing_string;
