//! Who signs the requests.
//!
//! [`ApiKey`] signs as a user. [`TokenCredentials`] signs with a token and the key that is bound to
//! it, and gets a new one in time; where tokens come from is a [`TokenSource`]:
//! [`InstancePrincipals`], [`WorkloadIdentity`], [`ResourcePrincipal`], [`TokenExchange`],
//! [`SessionFile`]. A
//! [`Profile`] of `~/.oci/config` is one of these or an API key. Either trait may be implemented by other crates.

mod api_key;
mod certificate;
mod federation;
mod ini;
mod instance_principals;
mod profile;
mod resource_environment;
mod resource_principal;
mod resource_token;
mod session;
mod session_file;
mod session_key;
mod token;
mod token_exchange;
mod workload_identity;

use std::{fmt::Debug, io, path::Path, sync::Arc, time::Duration};

use oci_signer::Signer;
use zeroize::Zeroizing;

use crate::Error;

pub use api_key::ApiKey;
pub use instance_principals::InstancePrincipals;
pub use profile::Profile;
pub use resource_principal::ResourcePrincipal;
pub use session::Session;
pub use session_file::SessionFile;
pub use session_key::SessionKey;
pub use token::{TokenCredentials, TokenSource};
pub use token_exchange::TokenExchange;
pub use workload_identity::WorkloadIdentity;

/// A source of signers.
///
/// An implementation of one's own reports what it cannot do with [`Error::credentials`].
pub trait Credentials: Debug + Send + Sync {
    /// A signer that is valid now, got within `limit`. It is asked for before every request, so it
    /// must be cheap when nothing has changed.
    ///
    /// # Errors
    /// There is none, for instance because no token could be fetched.
    fn signer(&self, limit: Duration) -> Result<Arc<Signer>, Error>;

    /// Who signs with what, in words for the operator of a refused request; never a secret.
    fn describe(&self) -> String;

    /// The service refused the last signer with 401, and not because of the clock: forgets it.
    /// Whether the next [`signer`](Self::signer) may be another one, so that the request is worth
    /// one more try.
    fn renew(&self) -> bool {
        false
    }
}

/// The text of a file with a key or a token.
fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    config_file::read(path)?.text()
}
