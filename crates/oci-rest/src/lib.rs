//! Sends operations to Oracle Cloud Infrastructure: signing, retries, waiting.
//!
#![doc = include_str!("../README.md")]
//!
//! # From a key to the first call
//!
//! 1. **A key.** In the console, under your user's API keys, add one and download it; it shows tenancy, user
//!    and region, too. [`PrivateKey::from_pem`](oci_signer::PrivateKey::from_pem) reads it.
//! 2. **Credentials.** [`ApiKey::new`] takes tenancy, user and key. A program in OCI needs no key:
//!    [`TokenCredentials`] signs with tokens that [`InstancePrincipals`], [`WorkloadIdentity`] or
//!    [`ResourcePrincipal`] get; outside OCI, [`TokenExchange`] gets them. [`Profile`] reads `~/.oci/config`. Whatever else can sign is an
//!    implementation of [`Credentials`].
//! 3. **An endpoint.** [`Region::iaas_endpoint`](oci_iaas::Region::iaas_endpoint) is where the operations of
//!    `oci-iaas` are answered; [`Metadata::instance`] tells an instance its own region and compartment.
//! 4. **A transport.** [`UreqTransport::new`] takes the [`Network`]: a proxy, hosts that need none, root
//!    certificates; the default is the open Internet. It keeps connections, so share it.
//! 5. **A client.** [`Client::new`] puts these together, with a deadline for all that it is going to do: make
//!    one for each job.
//! 6. **Calls.** [`Client::send`] for one answer, [`Client::list`] for a whole list, [`Client::send_tagged`]
//!    where the etag is needed to change only what was seen.
//!
//! # Without a key
//!
//! A program on an instance that is in a dynamic group signs as that instance. Its token lasts 20 minutes
//! and is renewed in time; with a cache, the next process finds it there, too:
//!
//! ```no_run
//! use clock::SystemClock;
//! use oci_rest::{
//!     InstancePrincipals, MemoryCache, Metadata, Network, TokenCredentials, UreqTransport,
//! };
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = Arc::new(SystemClock);
//! let transport = Arc::new(UreqTransport::new(&Network::default())?);
//! let metadata = Metadata::new(None, transport.clone(), clock.clone());
//! let region = metadata.instance()?.region()?;
//! let instance = InstancePrincipals::new(metadata, transport.clone(), clock.clone(), None);
//! let credentials = TokenCredentials::new(Box::new(instance), clock.clone())
//!     .with_cache(MemoryCache::new("/run/my-program/tokens"));
//! # Ok(())
//! # }
//! ```
//!
//! # Changes that happen once
//!
//! A change can succeed although its answer is lost. Three means keep it from happening twice:
//!
//! * operations that create take a retry token: the same token is the same change, for 24 hours, from
//!   whatever process;
//! * operations that change or delete take the etag of [`Tagged`]: they fail with 412 if another
//!   client was faster;
//! * [`Error::is_outcome_unknown`] says that neither success nor failure is certain: read the state
//!   before you go on.
//!
//! # Waiting
//!
//! Attaching and detaching take seconds. [`Client::wait_for_attached`] and
//! [`Client::wait_for_detached`] look at growing intervals until the deadline; when it is near, the error
//! says so, nothing is lost, and any process may wait on.
//!
//! # From an async program
//!
//! The client blocks its thread: run it where that is allowed, such as tokio's `spawn_blocking`. Or take
//! the calls of `oci-iaas` and the signatures of `oci-signer`, which do no I/O, to the async HTTP client
//! that you have.
//!
//! # Features
//!
//! There are none: what is here belongs together.
//!
//! # What can go wrong
//!
//! | you see | it means | ask |
//! |---|---|---|
//! | 401 | key, fingerprint, user or clock; the text says the clock's error | [`Error::status`] |
//! | 404 | there is no such thing, or no right to see it; the text names the policy | [`Error::is_not_found`] |
//! | 409 `IncorrectState` | it is on its way from one state to another | [`Error::code`], [`Error::is_transient`] |
//! | 412 | it has changed since its etag was read | [`Error::status`] |
//! | 429, 5xx | repeated until the deadline before you see it | [`Error::is_transient`] |
//! | no answer | the host, the step, the proxy if it was to go through one, the reason, what to do | [`Error::Transport`]; [`Network::names`] says what your settings are called |
//!
//! Source of the protocol: Oracle's API reference, "Request Signatures" and "API Errors".

mod addresses;
mod client;
mod credentials;
mod error;
mod jitter;
mod list;
mod memory_cache;
mod metadata;
mod network;
mod permission;
mod retry;
mod service_error;
mod steady;
mod transport;
mod ureq;
mod wait;

pub use client::{Client, Tagged};
pub use credentials::{
    ApiKey, Credentials, InstancePrincipals, Profile, ResourcePrincipal, Session, SessionFile,
    SessionKey, TokenCredentials, TokenExchange, TokenSource, WorkloadIdentity,
};
pub use error::Error;
pub use memory_cache::MemoryCache;
pub use metadata::{InstanceMetadata, Metadata};
pub use network::Network;
pub use service_error::ServiceError;
pub use transport::{
    ClientCert, ClientCertError, Direct, Fault, Phase, Proxied, SettingNames, Transport,
    TransportError, has_host,
};
pub use ureq::UreqTransport;
pub use wait::Departure;
