//! Who signs the requests.
//!
//! [`ApiKey`] signs as a user. Instance principals and the other ways to authenticate are further
//! implementations of [`Credentials`], one file each; they fetch their tokens when asked for a
//! signer, which is why that may fail.

mod api_key;

use std::{fmt::Debug, sync::Arc};

use oci_signer::Signer;

use crate::Error;

pub use api_key::ApiKey;

/// A source of signers.
pub trait Credentials: Debug + Send + Sync {
    /// A signer that is valid now. It is asked for before every request, so it must be cheap when
    /// nothing has changed.
    ///
    /// # Errors
    /// There is none, for instance because no token could be fetched.
    fn signer(&self) -> Result<Arc<Signer>, Error>;

    /// Who signs with what, in words for the operator of a refused request; never a secret.
    fn describe(&self) -> String;
}
