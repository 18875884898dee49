//! Who signs the requests.
//!
//! [`ApiKey`] signs as a user, [`InstancePrincipal`] as the instance. Every way to authenticate is an
//! implementation of [`Credentials`], one file each; those with tokens fetch them when asked for a
//! signer, which is why that may fail.

mod api_key;
mod instance_principal;
mod token;

use std::{fmt::Debug, sync::Arc};

use oci_signer::Signer;

use crate::Error;

pub use api_key::ApiKey;
pub use instance_principal::InstancePrincipal;

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

    /// The service does not take the last signer's token, key or clock (401). True if there will be
    /// another signer that may be worth a try; it is asked once for each request.
    fn renew(&self) -> bool {
        false
    }
}
