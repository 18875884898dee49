//! Sends operations to Oracle Cloud Infrastructure: signing, retries, waiting.
//!
//! [`Client`] takes an operation of `oci-iaas`, signs it, sends it, repeats it where that is safe,
//! and decodes the answer. The network is behind [`Transport`], the keys behind [`Credentials`],
//! time behind `clock::Clock`; nothing here reads the environment.
//!
//! Source of the protocol: Oracle's API reference, "Request Signatures" and "API Errors".

mod client;
mod credentials;
mod error;
mod jitter;
mod metadata;
mod network;
mod permission;
mod retry;
mod service_error;
mod transport;
mod ureq;
mod wait;

pub use client::{Client, Tagged};
pub use credentials::{ApiKey, Credentials};
pub use error::Error;
pub use metadata::{InstanceMetadata, Metadata};
pub use network::Network;
pub use service_error::ServiceError;
pub use transport::{Direct, Fault, Phase, Transport, TransportError};
pub use ureq::UreqTransport;
pub use wait::Departure;
