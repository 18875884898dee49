//! Request signatures of Oracle Cloud Infrastructure.
//!
#![doc = include_str!("../README.md")]
//!
//! # From a key to a signed request
//!
//! 1. **Read the key.** [`PrivateKey::from_pem`] takes the text of the file, and the passphrase if there is
//!    one. Its [`Error`] says what is wrong with the file and what to do.
//! 2. **Say who signs.** [`KeyId::api_key`] for a user: tenancy and user are in the console and in
//!    `~/.oci/config`, the fingerprint follows from the key. [`KeyId::session_token`] for any token
//!    whose session key you hold. [`Signer::on_behalf_of`] adds the delegation token of a user.
//! 3. **Make a [`Signer`]** of both. It may be shared between threads and lives as long as the key or
//!    the token is good.
//! 4. **Sign each request**, in the form in which it will be sent: [`Signer::sign`] gives the headers to set.
//!
//! # What is signed
//!
//! [`Coverage`] says it. The default, [`Coverage::Regional`], is what all services want; the token
//! endpoint `/v1/x509` wants [`Coverage::Federation`], and an upload to Object Storage may leave its
//! body unsigned with [`Coverage::WithoutBody`]. A body that would go unsigned by mistake is an error.
//! [`signing_string`] shows the text under the signature: compare it with the service's when a
//! request is refused with 401.
//!
//! # When a request is refused with 401
//!
//! The service does not say why. In this order: the clock is more than 5 minutes off (look at the
//! answer's `date`); the fingerprint is not one of the user's API keys in the console; tenancy and
//! user are interchanged; the HTTP client changed the path, the query or the `host` header after
//! signing; the body was serialised twice.
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
